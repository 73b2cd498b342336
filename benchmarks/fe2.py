"""FE²: answers a second with exact tangents, shares of time, and tangents by perturbation.

    python benchmarks/fe2.py [--voxels 32] [--steps 10] [--plain]

A plate with a hole in plane strain, 240 points, each a J2 composite of 32² voxels, pulled
into plastic flow; then 83 cells of neo-Hookean rubber with a stiff inclusion, of about 500
nodes, over four steps. Compilation is left out by running each once before.
"""

from __future__ import annotations

import argparse
from typing import Any

import jax
import numpy as np
import skfem

import scalebridge as sb
from scalebridge.structure.cell_points import CellPoints

WARM = CellPoints._perturbed


def plate(voxels: int, tangent: str) -> sb.Structure:
    image = sb.generate.square_array(shape=(voxels, voxels), fraction=0.3, names=["a", "b"])
    soft = sb.laws.J2Plasticity(
        E=70e3, nu=0.33, yield_stress=100.0, hardening=sb.laws.LinearHardening(1000.0)
    )
    laws = {"a": soft, "b": sb.laws.IsotropicElastic(E=400e3, nu=0.2)}
    return sb.Structure(
        sb.structure.plate_with_hole(1.0, 4.0, n_around=10, n_radial=6),
        {"body": sb.Cell(image, laws, plane="strain")},
        supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.008}},
        plane="strain",
        tangent=tangent,
    )


def rubber() -> sb.Structure:
    """83 triangles, one point each; 22² voxels have 484 nodes."""
    image = sb.generate.square_array(shape=(22, 22), fraction=0.3, names=["a", "b"])
    laws = {"a": sb.laws.NeoHookean(E=1.0, nu=0.4), "b": sb.laws.NeoHookean(E=10.0, nu=0.3)}
    mesh = sb.structure.rectangle((2.0, 1.0), (7, 6), "triangle")
    mesh = skfem.MeshTri(mesh.p, mesh.t[:, :83])
    mesh = mesh.with_boundaries({"left": lambda x: x[0] == 0, "right": lambda x: x[0] > 1.99})
    return sb.Structure(
        mesh,
        {"body": sb.Cell(image, laws, plane="strain")},
        supports={"left": "fixed", "right": {"x": 0.2, "y": 0.1}},
        plane="strain",
    )


def run(part: sb.Structure, steps: int) -> float:
    times = np.linspace(0, 1, steps + 1)
    part.solve(times)
    found = part.solve(times)
    assert found.timings is not None
    spent, points = found.timings["total"], part.space.weights.size
    newton = sum(len(substep) - 1 for row in found.iterations for substep in row)
    answers, tangents = (sum(getattr(c, n) for c in found.calls) for n in ("points", "tangents"))
    state = part.balance.regions[0].points.one_virgin()
    size = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state))
    print(f"  {spent:.1f} s, {points} points, {newton} Newton iterations, {size} bytes a state")
    print(f"  {answers / spent:.0f} answers a second, {tangents / spent:.0f} tangents solved for;")
    print(f"  macro scale {1 - found.timings['micro'] / spent:.1%}")
    print(found.table())
    return spent


def cold(points: CellPoints, gradients: Any, states: Any, dt: float, found: Any) -> np.ndarray:
    """Return tangents by differences of cells that are solved anew each, as in the textbook."""
    return WARM(points, gradients, states, dt, found._replace(guess=None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--plain", action="store_true", help="without perturbation")
    options = parser.parse_args()
    spent = {}
    for tangent in ("exact",) if options.plain else ("exact", "forward", "perturbation"):
        print(f"plate with a hole, {options.voxels}² voxels, tangent {tangent}")
        spent[tangent] = run(plate(options.voxels, tangent), options.steps)
    if not options.plain:
        print("the same, central differences from the state at the start of the step")
        CellPoints._perturbed = cold  # type: ignore[method-assign]
        spent["perturbation, cold"] = run(plate(options.voxels, "perturbation"), options.steps)
        CellPoints._perturbed = WARM  # type: ignore[method-assign]
    for tangent, seconds in spent.items():
        print(f"{tangent}: {seconds / spent['exact']:.2f} of the time with exact tangents")
    print("83 rubber cells of 484 nodes, 4 steps")
    run(rubber(), 4)


if __name__ == "__main__":
    main()
