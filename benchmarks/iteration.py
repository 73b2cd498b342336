"""Cost of one conjugate-gradient iteration beside a bare FFT pair, in one process.

    python benchmarks/iteration.py [--sizes 64 128] [--elements reduced full bbar]

The yardstick is a forward and an inverse double-precision real FFT of the
unknown's components, both in JAX. Medians of interleaved runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import scalebridge as sb
from scalebridge.cell import cg
from scalebridge.cell.solver import LinearCellProblem, Solver


def fft_pair(shape: tuple[int, ...], count: int) -> Callable[[], Any]:
    """Return a call that transforms `count` fields forth and back."""
    u = jax.random.normal(jax.random.key(0), (count, *shape))
    axes = tuple(range(1, len(shape) + 1))
    pair = jax.jit(lambda u: jnp.fft.irfftn(jnp.fft.rfftn(u, axes=axes), s=shape, axes=axes))
    return lambda: jax.block_until_ready(pair(u))


def iteration(work: cg.Workspace) -> Callable[[], Any]:
    """Return a call that iterates once."""
    disc = work.problem.disc
    u = work.nodes()
    work.evaluate(u, np.eye(disc.components)[0])
    state = [u, work.precondition()]

    def once() -> None:
        state[0], _, _, state[1] = work.iterate(state[0], state[1], jnp.asarray(0.5))
        jax.block_until_ready(work.z)

    return once


def medians(calls: list[Callable[[], Any]], runs: int) -> list[float]:
    """Median seconds of each call, run in turn."""
    seconds: list[list[float]] = [[] for _ in calls]
    for run in range(runs + 2):
        for call, times in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if run >= 2:
                times.append(time.perf_counter() - start)
    return [float(np.median(s)) for s in seconds]


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--elements", nargs="+", default=["reduced", "full", "bbar"])
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    print("physics     element     n   iteration    FFT pair   ratio")
    for physics in ("elasticity", "conduction"):
        for n in options.sizes:
            micro = sb.generate.centred_sphere((n, n, n), 0.3)
            if physics == "elasticity":
                laws = {
                    "matrix": sb.laws.IsotropicElastic(E=1.0, nu=0.3),
                    "sphere": sb.laws.IsotropicElastic(E=10.0, nu=0.3),
                }
            else:
                laws = {"matrix": sb.laws.Conduction(1.0), "sphere": sb.laws.Conduction(10.0)}
            for element in options.elements:
                if physics == "conduction" and element == "bbar":
                    continue
                cell = sb.Cell(micro, laws, element=element)
                work = LinearCellProblem(cell, Solver()).levels[0]
                pair = fft_pair(work.problem.disc.shape, work.problem.disc.unknowns)
                ours, bare = medians([iteration(work), pair], options.runs)
                print(
                    f"{physics:11s} {element:8s} {n:4d} {1e3 * ours:8.2f} ms {1e3 * bare:8.2f} ms "
                    f"{ours / bare:7.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
