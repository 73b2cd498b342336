"""Derivatives of a load history by law parameters, beside the history itself.

    python benchmarks/sensitivities.py [--voxels 32] [--steps 10]

A J2 matrix with elastic spheres, uniaxial strain to 2 %, relative tolerance 1e-5. Forward by one
and by four parameters, adjoint by all six, everything kept and with a stride of √steps. Each
is run once before, so that compilation is left out, and then in turns; the quickest counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from nonlinear import cell_of

import scalebridge as sb

PARAMETERS = ["E", "nu", "yield_stress", "hardening.H"]
REPEAT = 5


def seconds(work: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Time pieces of work in turns, so that a busy moment meets them all."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(REPEAT + 1):
        for name, one in work.items():
            begin = time.perf_counter()
            one()
            if turn:
                times[name].append(time.perf_counter() - begin)
    return {name: min(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    cell = cell_of((options.voxels,) * 3)
    matrix = cell.microstructure.names[0]
    times = np.linspace(0, 1, options.steps + 1)
    strain = 0.02 * times[:, None] * [1.0, 0, 0, 0, 0, 0]
    names = [f"{matrix}.{name}" for name in PARAMETERS]

    def forward(count: int) -> Any:
        return sb.upscaling.sensitivities(cell, times, strain=strain, parameters=names[:count])

    def adjoint(stride: int | None = None) -> Any:
        return sb.upscaling.loss_gradient(
            cell, times, strain=strain, loss=lambda _, stress: stress[-1, 0], stride=stride
        )

    spent = seconds(
        {
            "history": lambda: sb.load(cell, times, strain=strain),
            "forward, one parameter": lambda: forward(1),
            "forward, four parameters": lambda: forward(4),
            "adjoint, all parameters": adjoint,
            "adjoint, stride √steps": lambda: adjoint(int(np.ceil(options.steps**0.5))),
        }
    )
    history = spent["history"]
    print(f"{options.voxels}³, {options.steps} steps")
    for name, one in spent.items():
        print(f"  {name:26} {one:6.2f} s, {one / history:5.2f} histories")
    each = (spent["forward, four parameters"] - spent["forward, one parameter"]) / 3
    print(f"  {'a parameter more':26} {each:6.2f} s, {each / history:5.2f} histories")


if __name__ == "__main__":
    main()
