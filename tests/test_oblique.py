"""Planes of symmetry that are not normal to an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skfem

import scalebridge as sb
from scalebridge.structure import annulus, box, rectangle

ELASTIC = sb.laws.IsotropicElastic(E=200.0, nu=0.3)
PLANES = {"bottom": "symmetry", "left": "symmetry"}


def turned(mesh: skfem.Mesh, R: np.ndarray) -> skfem.Mesh:
    return type(mesh)(
        np.ascontiguousarray(R @ mesh.doflocs),
        mesh.t,
        _boundaries=mesh.boundaries,
        _subdomains=mesh.subdomains,
    )


def sector(angle: float, start: float = 0.0, n: int = 3) -> skfem.Mesh:
    """Return a sector of a ring from `start` on, in radians, with curved sides."""
    mesh = annulus(1.0, 2.0, n, n, curved=True)
    x, y = mesh.doflocs
    r, theta = np.hypot(x, y), np.arctan2(y, x) * angle / (np.pi / 2) + start
    return type(mesh)(
        np.stack([r * np.cos(theta), r * np.sin(theta)]),
        mesh.t,
        _boundaries=mesh.boundaries,
        _subdomains=mesh.subdomains,
    )


def cylinder(mesh: skfem.Mesh, law: Any = ELASTIC, pressure: float = 1.0) -> sb.Structure:
    return sb.Structure(
        mesh,
        {"body": law},
        supports=PLANES,
        loads={"inner": {"pressure": pressure}},
        plane="strain",
        order=2,
    )


@pytest.mark.parametrize("start", [0.0, 0.3])
def test_a_sector_of_a_thick_cylinder_is_lame_s(start: float) -> None:
    angle = np.pi / 6
    solution = cylinder(sector(angle, start)).solve(tolerance=1e-10)
    x = solution.space.nodes
    r = np.linalg.norm(x, axis=1)
    # Lamé: u = (1 + ν)/E p a²/(b² − a²) ((1 − 2ν) r + b²/r)
    exact = 1.3 / 200.0 / 3.0 * (0.4 * r + 4.0 / r)
    u = solution.displacement[-1]
    radial = np.sum(u * x, axis=1) / r
    assert np.abs(radial - exact).max() < 1e-3 * exact.max()
    quarter = cylinder(sector(np.pi / 2, n=9)).solve(tolerance=1e-10)
    inside = quarter.displacement[-1][np.isclose(np.linalg.norm(quarter.space.nodes, axis=1), 1.0)]
    np.testing.assert_allclose(
        np.linalg.norm(inside, axis=1).mean(), radial[np.isclose(r, 1.0)].mean(), rtol=1e-3
    )
    ends = {"bottom": start, "left": start + angle}
    for (name, theta), sign in zip(ends.items(), (1.0, -1.0), strict=True):
        normal = np.array([-np.sin(theta), np.cos(theta)])  # anticlockwise
        assert np.abs(u[np.isclose(np.arctan2(x[:, 1], x[:, 0]), theta)] @ normal).max() < 1e-15
        # The walls carry ∫σ_θ dr = p a; the body pushes outwards, so that they pull it in.
        np.testing.assert_allclose(
            solution.reactions[name][-1], -sign * normal, atol=2e-3, err_msg=name
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "pressure"),
    [
        (
            sb.laws.J2Plasticity(
                E=200.0, nu=0.3, yield_stress=1.0, hardening=sb.laws.LinearHardening(10.0)
            ),
            0.75,
        ),
        (sb.laws.NeoHookean(E=1.0, nu=0.3), 0.2),
    ],
    ids=["plastic", "large"],
)
def test_newton_does_not_see_how_a_sector_is_turned(law: Any, pressure: float) -> None:
    start, times = 0.4, [0.0, 0.6, 1.0]
    found = [
        cylinder(sector(np.pi / 2, angle), law, pressure).solve(times, tolerance=1e-9)
        for angle in (0.0, start)
    ]
    R = np.asarray(sb.tensors.rotation_in_plane(start))
    straight, oblique = (s.displacement[-1] for s in found)
    assert np.abs(oblique - straight @ R.T).max() < 1e-7 * np.abs(straight).max()
    lines = [[len(substep) for row in s.iterations for substep in row] for s in found]
    assert lines[0] == lines[1]
    np.testing.assert_allclose(found[1].work, found[0].work, rtol=1e-7)
    for name in PLANES:
        expected = found[0].reactions[name][-1] @ R.T
        np.testing.assert_allclose(found[1].reactions[name][-1], expected, atol=1e-7)


R3 = np.asarray(sb.tensors.rotation_from_euler([0.5, 0.8, -0.3]))
BLOCK = turned(box((1.0, 2.0, 1.5), (2, 2, 2)), R3)
WALLS = {"left": "symmetry", "front": "symmetry", "bottom": "symmetry"}


@pytest.mark.parametrize("solver", ["direct", "multigrid"])
def test_a_turned_block_between_three_planes(solver: str) -> None:
    part = sb.Structure(
        BLOCK,
        {"body": ELASTIC},
        supports=WALLS,
        loads={"right": {"traction": (2.0 * R3[:, 0]).tolist()}},
        linear_solver=solver,
    )
    solution = part.solve(tolerance=1e-9)
    own = solution.space.nodes @ R3  # along the block's edges
    expected = own * [0.01, -0.003, -0.003]
    np.testing.assert_allclose(solution.displacement[-1] @ R3, expected, atol=1e-9)
    # Along the corner line each plane takes its own part of the reaction: 2 · 2.0 · 1.5
    np.testing.assert_allclose(solution.reactions["left"][-1], -6.0 * R3[:, 0], atol=1e-6)
    np.testing.assert_allclose(solution.reactions["front"][-1], 0.0, atol=1e-6)


def test_oblique_planes_beside_ties_and_prescribed_motions() -> None:
    """Uniaxial strain: the sides move alike, and one face is moved as a whole."""
    moved = dict(zip("xyz", (0.01 * R3[:, 0]).tolist(), strict=True))
    part = sb.Structure(
        BLOCK,
        {"body": ELASTIC},
        supports={"left": "symmetry", "bottom": "symmetry", "top": "symmetry", "right": moved},
        ties=[("front", "back")],
    )
    for solution in (part.solve(tolerance=1e-10), part.trace(steps=4, tolerance=1e-10)):
        own = solution.space.nodes @ R3
        np.testing.assert_allclose(
            solution.displacement[-1] @ R3, own * [0.01, 0.0, 0.0], atol=1e-10
        )


def test_what_oblique_planes_leave_free_or_contradict() -> None:
    R = np.asarray(sb.tensors.rotation_in_plane(0.4))
    sheet = turned(rectangle((2.0, 1.0), (2, 1)), R)

    def hold(**supports: Any) -> sb.Structure:
        return sb.Structure(sheet, {"body": ELASTIC}, supports=supports, plane="strain")

    hold(left="symmetry", bottom="symmetry")
    with pytest.raises(sb.InputError, match="must hold the body"):
        hold(left="symmetry")
    with pytest.raises(sb.InputError, match="must hold the body"):
        hold(bottom="symmetry", top="symmetry")
    with pytest.raises(sb.InputError, match="out of a plane of symmetry"):
        hold(left="symmetry", bottom={"x": 0.1, "y": 0.1})
    with pytest.raises(sb.InputError, match="is a cone"):
        sb.Structure(
            sheet.translated((3.0, 0.0)),
            {"body": ELASTIC},
            supports=PLANES,
            plane="axisymmetric",
        )
