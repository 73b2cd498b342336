"""Memory a voxel of a load history, law by law.

    python benchmarks/law_memory.py [--voxels 32 64] [--laws J2 Ogden] [--derivative forward]

Peak resident memory of a process that follows two steps of a cell in 3D, all of whose voxels have
the law: two phases in a random image, so that each is evaluated at its own points. The
difference between two sizes over that of their voxels leaves out what any process takes.
Beside it what one state of the law takes. With --derivative the process also
differentiates, forward by one parameter or adjoint by all.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

STEEL = {"E": 200e3, "nu": 0.3}
FIBRES = [[1.0, 1.0, 0.0], [1.0, -1.0, 0.2]]


def laws() -> dict[str, Callable[[], Any]]:
    from scalebridge import laws as of

    def j2(**hardening: Any) -> Any:
        return of.J2Plasticity(**STEEL, yield_stress=300.0, **hardening)

    return {
        "IsotropicElastic": lambda: of.IsotropicElastic(**STEEL),
        "J2, linear": lambda: j2(hardening=of.LinearHardening(1e3)),
        "J2, Voce and Prager": lambda: j2(
            hardening=of.VoceHardening(200.0, 30.0, 100.0), kinematic=of.PragerHardening(5e3)
        ),
        "J2, Armstrong-Frederick": lambda: j2(kinematic=of.ArmstrongFrederick(5e4, 300.0)),
        "Perzyna": lambda: of.PerzynaViscoplastic(
            **STEEL, yield_stress=300.0, rate=1e-3, drag=50.0, exponent=8.0
        ),
        "Norton": lambda: of.NortonCreep(**STEEL, rate=1e-3, stress=100.0, exponent=5.0),
        "Maxwell, 2 + 1 branches": lambda: of.GeneralizedMaxwell(
            **STEEL, shear=([0.3, 0.6], [0.1, 2.0]), bulk=(0.4, 1.0)
        ),
        "power-law conduction": lambda: of.PowerLawConduction(2.0, 0.5, 1.0),
        "Saint-Venant-Kirchhoff": lambda: of.SaintVenantKirchhoff(1.0, 0.3),
        "neo-Hooke": lambda: of.NeoHookean(1.0, 0.3),
        "Mooney-Rivlin": lambda: of.MooneyRivlin(0.3, 0.1, 5.0),
        "Ogden": lambda: of.Ogden([0.63, -0.01], [1.3, -2.0], 5.0),
        "Holzapfel": lambda: of.HolzapfelGasserOgden(0.5, 2.0, 1.5, 0.1, 5.0, FIBRES),
    }


def follow(name: str, voxels: int, derivative: str) -> None:
    """Follow two steps, and print the peak of this process in bytes."""
    import numpy as np

    import scalebridge as sb

    law = laws()[name]()
    labels = (np.random.default_rng(0).random((voxels,) * 3) < 0.4).astype(np.uint8)
    cell = sb.Cell(sb.Microstructure(labels, 1.0, {"a": 0, "b": 1}), {"a": law, "b": law})
    rest, size = cell.kinematics.rest, cell.kinematics.size
    own = {"conduction": "gradient", "elasticity": "strain", "finite strain": "F"}[cell.physics]
    times, path = np.arange(3.0), {own: rest + np.arange(3)[:, None] * 2e-3 * np.eye(size)[0]}
    if derivative == "forward":
        first = next(iter(vars(law)))
        sb.upscaling.sensitivities(cell, times, parameters=f"a.{first}", **path)
    elif derivative == "adjoint":
        sb.upscaling.loss_gradient(cell, times, loss=lambda _, flux: flux[-1, 0], **path)
    else:
        sb.load(cell, times, **path)
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak(name: str, voxels: int, derivative: str) -> int:
    """Return the peak of a process of its own, in bytes."""
    call = [sys.executable, __file__, "--follow", name, str(voxels), derivative]
    return int(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def state(law: Any) -> int:
    """Return the bytes of the state of one point."""
    import jax

    return sum(leaf.nbytes for leaf in jax.tree.leaves(law.initial_state()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, nargs=2, default=[32, 64])
    parser.add_argument("--laws", nargs="*", help="parts of their names; all by default")
    parser.add_argument("--derivative", choices=["none", "forward", "adjoint"], default="none")
    parser.add_argument("--follow", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        name, voxels, derivative = options.follow
        follow(name, int(voxels), derivative)
        return
    small, large = options.voxels
    print(f"bytes a voxel, between {small}³ and {large}³\n{'law':28} {'peak':>6} {'state':>6}")
    for name, law in laws().items():
        if options.laws and not any(part in name for part in options.laws):
            continue
        few, many = (peak(name, voxels, options.derivative) for voxels in (small, large))
        each = (many - few) / (large**3 - small**3)
        print(f"{name:28} {each:6.0f} {state(law()):6}", flush=True)


if __name__ == "__main__":
    main()
