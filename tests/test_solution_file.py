"""Solved structures as files, read back by PyVista."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista

import scalebridge as sb
from scalebridge.structure import box, rectangle

KINDS: list[tuple[Any, float]] = [
    (rectangle((2.0, 1.0), (2, 2), "triangle"), 2.0),
    (rectangle((2.0, 1.0), (2, 2)), 2.0),
    (box((2.0, 1.0, 1.0), (2, 1, 1), "tetrahedron"), 2.0),
    (box((2.0, 1.0, 1.0), (2, 1, 1)), 2.0),
]


def read(path: Path, step: int) -> Any:
    reader = pyvista.get_reader(path).reader
    reader.SetStep(step)
    reader.Update()
    return pyvista.wrap(reader.GetOutput())


def times_of(path: Path) -> list[float]:
    reader = pyvista.get_reader(path).reader
    reader.UpdateInformation()
    keys = reader.GetOutputInformation(0)
    return list(keys.Get(reader.GetExecutive().TIME_STEPS()))


def solved(mesh: Any, order: int, **options: Any) -> sb.structure.Solution:
    part = sb.Structure(
        mesh,
        {"body": sb.laws.IsotropicElastic(E=100.0, nu=0.0)},
        supports={"left": "fixed"},
        loads={"right": {"traction": [1.0, 0.0, 0.0][: mesh.dim()]}},
        plane="strain" if mesh.dim() == 2 else None,
        order=order,
    )
    return part.solve([0.0, 1.0, 3.0], keep=[1, 2])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("mesh", "size"), KINDS)
def test_grid_and_time_steps_come_back(mesh: Any, size: float, order: int, tmp_path: Path) -> None:
    solution = solved(mesh, order)
    path = sb.write_solution(tmp_path / "part.vtkhdf", solution)
    assert times_of(path) == [0.0, 1.0, 3.0]
    grid = read(path, 2)
    assert grid.n_cells == mesh.nelements
    measured = grid.compute_cell_sizes()["Area" if mesh.dim() == 2 else "Volume"]
    np.testing.assert_allclose(measured.sum(), size, rtol=1e-6)
    assert measured.min() > 0
    x = grid.points[:, 0]
    np.testing.assert_allclose(grid["displacement"][:, 0], x / 100, atol=1e-9)  # nu = 0
    stress = np.eye(6)[0]
    stress[2] = np.nan if mesh.dim() == 2 else 0.0  # plane strain
    np.testing.assert_allclose(grid["stress"], np.tile(stress, (grid.n_cells, 1)), atol=1e-9)
    assert not grid["micro_work"].any()  # no micro problems
    if mesh.dim() == 3:
        np.testing.assert_allclose(grid["von_mises"], 1.0, rtol=1e-9)
        assert np.isnan(read(path, 0)["von_mises"]).all()
    else:
        assert "von_mises" not in grid.array_names
    half = read(path, 1)
    np.testing.assert_allclose(half["displacement"], grid["displacement"] / 3, atol=1e-9)
    np.testing.assert_allclose(half["energy"], grid["energy"] / 9, atol=1e-9)
    assert np.isnan(read(path, 0)["energy"]).all()  # not kept


def test_other_physics_and_a_wrong_suffix(tmp_path: Path) -> None:
    heat = sb.Structure(
        rectangle((1.0, 1.0), (2, 2)),
        {"body": sb.laws.Conduction(2.0)},
        supports={"left": 0.0},
        loads={"right": {"flux": 2.0}},
    ).solve()
    grid = pyvista.read(sb.write_solution(tmp_path / "heat.vtkhdf", heat))
    assert grid["temperature"].shape == (9,)
    rubber = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)),
        {"body": sb.laws.NeoHookean(E=1.0, nu=0.3)},
        supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 0.5}},
        plane="strain",
    ).solve()
    F = read(sb.write_solution(tmp_path / "rubber.vtkhdf", rubber), 1)["F"]
    np.testing.assert_allclose(F[0, [0, 8]], [1.5, 1.0], atol=1e-6)
    with pytest.raises(sb.InputError, match="vtkhdf"):
        sb.write_solution(tmp_path / "heat.vtk", heat)
