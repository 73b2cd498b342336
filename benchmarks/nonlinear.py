"""Load histories: iterations, time by part, memory, and batches with exact tangents.

    python benchmarks/nonlinear.py [--voxels 32 64] [--members 64]

A J2 matrix with elastic spheres, uniaxial strain to 2 % in 20 steps at the relative tolerance
1e-5; then one step of a batch of two-dimensional cells of 32² voxels. Compilation is left out
by running each once before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import scalebridge as sb
from scalebridge.cell import nonlinear
from scalebridge.cell.equilibrium import Driving, Tangent

MATRIX = sb.laws.J2Plasticity(
    E=70e3, nu=0.3, yield_stress=200.0, hardening=sb.laws.LinearHardening(1000.0)
)
SPHERES = sb.laws.IsotropicElastic(E=400e3, nu=0.2)


def cell_of(shape: tuple[int, ...], **options: Any) -> sb.Cell:
    image = sb.generate.spheres(shape=shape, fraction=0.3, radius=shape[0] / 8, seed=0)
    return sb.Cell(image, dict(zip(image.names, (MATRIX, SPHERES), strict=True)), **options)


def seconds(work: Callable[[], Any], repeat: int = 5) -> float:
    jax.block_until_ready(work())
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        jax.block_until_ready(work())
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def history(voxels: int) -> None:
    cell = cell_of((voxels,) * 3)
    times = np.linspace(0, 1, 21)
    strain = 0.02 * times[:, None] * [1.0, 0, 0, 0, 0, 0]
    sb.load(cell, times[:2], strain=strain[:2])
    begin = time.perf_counter()
    found = sb.load(cell, times, strain=strain, tolerance=1e-5)
    spent = time.perf_counter() - begin
    newton, krylov = found.newton.sum() / 20, found.krylov.sum() / 20
    each = 1e6 * spent / 20 / voxels**3
    print(f"\n{voxels}³, 20 steps: {spent:.2f} s, {each:.2f} µs a voxel and step")
    print(f"  Newton {newton:.2f} and conjugate gradients {krylov:.1f} a step")
    parts(cell, found, spent)


def parts(cell: sb.Cell, found: Any, spent: float) -> None:
    """Time the pieces of the last step, each compiled by itself."""
    equations, now = nonlinear.prepare(cell), found.end.now
    zero = jnp.zeros((6, 6))
    driving = Driving(now.mean, 0 * now.mean, zero, jnp.asarray(0.05))
    x = equations.zero()._replace(u=now.u)
    material = eqx.filter_jit(lambda e, g: e.constituents.flux(g, now.states, driving.dt))
    tangents = eqx.filter_jit(lambda e: e.tangent(x, driving, now.states).moduli)

    moduli = tangents(equations)
    stencil = eqx.filter_jit(lambda e, m: Tangent(e, m, zero)(x))
    transform = eqx.filter_jit(lambda e: e.precondition(zero, x))
    each = {
        "material update": seconds(lambda: material(equations, now.gradient)),
        "tangents": seconds(lambda: tangents(equations)),
        "stencil": seconds(lambda: stencil(equations, moduli)),
        "transforms": seconds(lambda: transform(equations)),
    }
    newton, krylov = int(found.newton.sum()), int(found.krylov.sum())
    counts = {
        "material update": 2 * newton + 40,  # trials, a start and an end a step
        "tangents": newton,
        "stencil": krylov,
        "transforms": krylov,
    }
    for name, one in each.items():
        share = counts[name] * one / spent
        print(
            f"  {name:16} {1e3 * one:8.2f} ms, × {counts[name]} = {100 * share:.0f} % of the time"
        )
    states = sum(leaf.nbytes for leaf in jax.tree.leaves(now.states))
    voxels = cell.discretisation.voxels
    print(
        f"  memory: states {states / voxels:.0f}, tangents {moduli.nbytes / voxels:.0f}, "
        f"fields {(now.flux.nbytes + now.gradient.nbytes) / voxels:.0f} byte a voxel"
    )


def batch(members: int) -> None:
    cell = cell_of((32, 32), plane="strain", tolerance=1e-5)
    rng = np.random.default_rng(0)
    strains = 5e-3 * rng.standard_normal((members, 3))
    first = cell.respond_batch(strains)
    again = 1.3 * strains

    def work() -> Any:
        return cell.respond_batch(again, first.response.state, tangents=True).tangents

    spent = seconds(work, 3)
    alone = cell.respond_batch(again, first.response.state)
    rate, newton, krylov = members / spent, alone.newton, alone.krylov
    print(
        f"\nbatch of {members} cells of 32²: {spent:.2f} s, {rate:.0f} responses a second with "
        f"exact tangents\n  Newton {newton.mean():.1f} (at most {newton.max()}), conjugate "
        f"gradients {krylov.mean():.0f} (at most {krylov.max()}) a member"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, nargs="*", default=[32, 64])
    parser.add_argument("--members", type=int, default=64)
    options = parser.parse_args()
    for voxels in options.voxels:
        history(voxels)
    batch(options.members)


if __name__ == "__main__":
    main()
