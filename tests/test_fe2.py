"""FE²: structures whose law is a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cell import batch, nonlinear
from scalebridge.structure import rectangle
from scalebridge.structure.answers import Question
from scalebridge.structure.cell_points import CellPoints

SOFT = sb.laws.J2Plasticity(
    E=70e3, nu=0.33, yield_stress=100.0, hardening=sb.laws.LinearHardening(2000.0)
)
HARD = sb.laws.IsotropicElastic(E=400e3, nu=0.2)
LABELS = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
TIMES = np.linspace(0.0, 1.0, 4)


def composite(laws: dict[str, Any] | None = None, **options: Any) -> sb.Cell:
    image = sb.Microstructure(LABELS, spacing=1.0, phases={"soft": 0, "hard": 1})
    return sb.Cell(image, laws or {"soft": SOFT, "hard": HARD}, **options)


def homogeneous(law: Any, dim: int = 2, **options: Any) -> sb.Cell:
    labels = np.zeros((2,) * dim, int)
    image = sb.Microstructure(labels, spacing=1.0, phases={"all": 0})
    return sb.Cell(image, {"all": law}, **options)


def sheet(law: Any, plane: str = "strain", pull: float = 0.004, **options: Any) -> sb.Structure:
    return sb.Structure(
        rectangle((2.0, 1.0), (2, 1)),
        {"body": law},
        supports={"left": "fixed", "right": {"x": pull, "y": 0.5 * pull}},
        plane=plane,
        **options,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plane", "cell"),
    [
        ("strain", {"dim": 2, "plane": "strain"}),
        ("strain", {"dim": 3}),
        ("stress", {"dim": 2, "plane": "stress"}),
        ("stress", {"dim": 3}),
        ("axisymmetric", {"dim": 2, "plane": "generalized"}),
        ("axisymmetric", {"dim": 3}),
    ],
)
def test_a_homogeneous_cell_is_its_law(plane: str, cell: dict[str, Any]) -> None:
    tolerance = 1e-9
    law = sheet(SOFT, plane).solve(TIMES, tolerance=tolerance)
    micro = sheet(homogeneous(SOFT, **cell), plane).solve(TIMES, tolerance=tolerance)
    scale = np.abs(law.field).max()
    # Both are in balance to 1e-9 of the element forces; the softest tangent is E/40.
    assert np.abs(micro.field - law.field).max() < 1e-6 * scale
    np.testing.assert_allclose(micro.work, law.work, rtol=1e-6)
    np.testing.assert_allclose(micro.dissipated, law.dissipated, rtol=1e-5)


def test_a_laminate_cell_is_the_exact_laminate() -> None:
    labels = np.repeat([0, 1], 2)[:, None] * np.ones((1, 2), int)
    laws = {"a": HARD, "b": sb.laws.IsotropicElastic(E=10e3, nu=0.4)}
    image = sb.Microstructure(labels, spacing=1.0, phases={"a": 0, "b": 1})
    exact = sb.analytic.Laminate(list(laws.values()), fractions=[0.5, 0.5], normal="x")
    found = [
        sheet(law).solve().field
        for law in (exact, sb.Cell(image, laws, plane="strain", tolerance=1e-12))
    ]
    assert np.abs(found[1] - found[0]).max() < 1e-9 * np.abs(found[0]).max()


@pytest.mark.slow
def test_conduction_through_linear_and_nonlinear_cells() -> None:
    def solve(law: Any) -> np.ndarray:
        part = sb.Structure(
            rectangle((2.0, 1.0), (4, 2)),
            {"body": law},
            supports={"left": 0.0},
            loads={"right": {"flux": 3.0}},
        )
        return part.solve(tolerance=1e-9).field[-1]

    law = sb.laws.PowerLawConduction(k=2.0, exponent=1.5, scale=1.0)
    exact, found = solve(law), solve(homogeneous(law))
    np.testing.assert_allclose(found, exact, atol=1e-7 * np.abs(exact).max())
    image = sb.Microstructure(LABELS, spacing=1.0, phases={"soft": 0, "hard": 1})
    cell = sb.Cell(image, {"soft": sb.laws.Conduction(1.0), "hard": sb.laws.Conduction(5.0)})
    tensor = sb.effective(cell, tolerance=1e-10).tensor
    np.testing.assert_allclose(solve(cell), solve(sb.laws.Conduction(tensor)), atol=1e-7)


@pytest.mark.slow
def test_finite_strain_cells() -> None:
    rubber = sb.laws.NeoHookean(E=1.0, nu=0.4)
    exact = sheet(rubber, pull=0.6).solve(TIMES, tolerance=1e-9)
    found = sheet(homogeneous(rubber, plane="strain"), pull=0.6).solve(TIMES, tolerance=1e-9)
    assert np.abs(found.field - exact.field).max() < 1e-7
    filled = composite({"soft": rubber, "hard": sb.laws.NeoHookean(E=10.0, nu=0.3)}, plane="strain")
    solution = sheet(filled, pull=0.6).solve(TIMES, tolerance=1e-8)
    assert quadratic(solution.iterations[-1][0])
    assert solution.stored[-1] > exact.stored[-1]


def quadratic(lines: Any, constant: float = 1e3) -> bool:
    """Whether the residuals that are small fall quadratically, to where the micro cells end."""
    r = np.array([line.residual for line in lines])
    r = r[np.isfinite(r)]
    small = r[:-1] < 1e-2
    bound = np.maximum(constant * r[:-1] ** 2, lines[-1].tolerance * 10)
    return bool(small.any() and np.all(r[1:][small] <= bound[small]))


def test_newton_is_quadratic_with_plastic_cells_and_energies_balance() -> None:
    part = sheet(composite(plane="strain"))
    coarse, fine = (
        part.solve(np.linspace(0, 1, n + 1), tolerance=1e-8, keep=[-1, 1]) for n in (4, 8)
    )
    assert all(quadratic(row[0]) for row in coarse.iterations[2:])
    assert coarse.dissipated[-1] > 0
    assert np.all(np.diff(coarse.dissipated) >= 0)
    # Work is summed by trapezoids, steps are backward Euler: at least first order together.
    gaps = [abs(s.work[-1] - s.stored[-1] - s.dissipated[-1]) / s.work[-1] for s in (coarse, fine)]
    assert gaps[0] < 0.1
    assert gaps[0] / gaps[1] > 1.5
    assert set(coarse.fields) == {1, 4}
    assert coarse.fields[4]["body"]["flux"].shape == (2, 4, 3)
    assert "micro tolerance" in coarse.table()


def test_elastic_points_are_recognised_and_right() -> None:
    cell = composite(plane="strain", tolerance=1e-10)
    rng = np.random.default_rng(0)
    strains = rng.normal(size=(5, 3)) * np.array([1e-5, 1e-5, 1e-5, 4e-3, 4e-3])[:, None]
    points = CellPoints(cell, 5, None, np.zeros(3, bool))
    answer = points.answer(Question(strains, points.virgin(), 1.0, 1e-10, 1e-10))
    plain = cell.respond_batch(strains, tangents=True)
    assert answer.work.tolist()[:3] == [0, 0, 0]
    assert min(answer.work[3:]) > 0
    assert answer.tangents is not None
    assert plain.tangents is not None
    np.testing.assert_allclose(answer.flux, np.asarray(plain.response.flux), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(answer.tangents, plain.tangents, rtol=1e-5, atol=1e-3)
    stiffness = sb.effective(
        composite(
            {"soft": sb.laws.IsotropicElastic(E=70e3, nu=0.33), "hard": HARD}, plane="strain"
        ),
        tolerance=1e-10,
    ).tensor
    np.testing.assert_allclose(answer.tangents[0], stiffness, rtol=1e-8, atol=1e-3)
    # A second step from there starts from the first, and answers the same.
    again = points.answer(Question(strains, points.virgin(), 1.0, 1e-10, None, answer.guess))
    assert again.work.sum() == 0
    np.testing.assert_allclose(again.flux, answer.flux, rtol=1e-9)


@pytest.mark.slow
def test_free_components_carry_no_flux_and_condense() -> None:
    cell = homogeneous(SOFT, 3, tolerance=1e-11)
    free = np.array([False, False, True, True, True, False])
    strains = np.zeros((2, 6))
    strains[:, 0] = 0.001, 0.004
    strains[:, 5] = 0.001
    found = cell.respond_batch(strains, tangents=True, free=free)
    assert np.abs(np.asarray(found.response.flux)[:, 2:5]).max() < 1e-6
    points = CellPoints(cell, 2, None, free)
    tangents = points.answer(Question(strains, points.virgin(), 1.0, 1e-11, 1e-10)).tangents
    assert tangents is not None
    h, column = 1e-7, 0
    step = np.eye(6)[column] * h
    ends = [
        np.asarray(cell.respond_batch(strains + s * step, free=free).response.flux) for s in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(tangents[:, :, column], slope, rtol=1e-5, atol=1e-5 * 70e3)


def test_portions_do_not_change_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = composite(plane="strain", tolerance=1e-10)
    strains = np.random.default_rng(1).normal(size=(7, 3)) * 2e-3
    whole = cell.respond_batch(strains, tangents=True)
    monkeypatch.setattr(batch, "_LARGEST_PORTION", 2)
    parts = cell.respond_batch(strains, tangents=True)
    assert len(batch._portions(nonlinear.prepare(cell), np.zeros(7))) == 4
    np.testing.assert_allclose(
        np.asarray(parts.response.flux), np.asarray(whole.response.flux), rtol=1e-8
    )
    np.testing.assert_allclose(parts.tangents, whole.tangents, rtol=1e-6, atol=1e-2)


@pytest.mark.slow
def test_cells_and_laws_side_by_side() -> None:
    mesh = rectangle((2.0, 1.0), (4, 2))
    mesh = mesh.with_subdomains({"a": lambda x: x[0] < 1.0, "b": lambda x: x[0] > 1.0})
    two = sb.Structure(
        mesh,
        {"a": homogeneous(SOFT, plane="strain"), "b": SOFT},
        supports={"left": "fixed", "right": {"x": 0.004}},
        plane="strain",
    )
    one = sb.Structure(
        rectangle((2.0, 1.0), (4, 2)),
        {"body": SOFT},
        supports={"left": "fixed", "right": {"x": 0.004}},
        plane="strain",
    )
    found = [part.solve(TIMES, tolerance=1e-9).field[-1] for part in (two, one)]
    order = [np.lexsort(np.round(p.space.nodes.T, 9)) for p in (two, one)]
    difference = found[0][order[0]] - found[1][order[1]]
    assert np.abs(difference).max() < 1e-6 * np.abs(found[1]).max()


def test_localised_fields_average_to_the_point() -> None:
    cell = composite(plane="strain")
    solution = sheet(cell).solve(TIMES, tolerance=1e-9)
    flux = solution.fields[3]["body"]["flux"]
    found = sb.localize(solution, elements=[(1, 2), (0, 0)])
    for one in found:
        stress = one.fields["stress"].mean(axis=(1, 2))
        own = flux[one.element, one.point]
        np.testing.assert_allclose(stress, own, atol=1e-6 * np.abs(flux).max())
        np.testing.assert_allclose(one.fields["strain"].mean(axis=(1, 2)), one.average, atol=1e-12)
    told = found[0].statistics("max_principal")
    assert set(told) == {"soft", "hard"}
    assert told["hard"]["min"] <= told["hard"]["p50"] <= told["hard"]["p99"] <= told["hard"]["max"]
    assert found[0].measure("von_mises").shape == (4, 4)
    near = sb.localize(solution, [solution.space.points[1, 2] + 1e-3])[0]
    assert (near.element, near.point) == (1, 2)
    assert "element 1" in repr(near)
    for given, message in [
        ({"elements": [(9, 0)]}, "pairs of an element"),
        ({"elements": [(0.5, 0)]}, "pairs of an element"),
        ({"elements": [(0, 0), (1,)]}, "pairs of an element"),
        ({"points": [(0.0, 0.0, 0.0)]}, "coordinates"),
        (
            {"points": [(1.0, 0.5), (50.0, 50.0)]},
            r"points\[1\]` must lie in the body, .* \(0, 0\) to \(2, 1\), but is \(50, 50\)",
        ),
        ({"elements": [(0, 0)], "row": 4}, "`row` must be a row of the 4 that were reached"),
        ({"elements": [(0, 0)], "row": 2}, "kept are rows none, watched points none"),
        ({}, "must be given"),
    ]:
        with pytest.raises(sb.InputError, match=message):
            sb.localize(solution, **given)
    with pytest.raises(sb.InputError, match="must be a scalar field"):
        near.measure("strain")
    with pytest.raises(sb.InputError, match="must lie where the law is a cell"):
        sb.localize(sheet(HARD).solve(), elements=[(0, 0)])


def test_points_that_are_watched_are_localised_at_the_rows_kept(tmp_path: Path) -> None:
    part, saved = sheet(composite(plane="strain")), sb.StructureCheckpoint(tmp_path / "saved")
    options: dict[str, Any] = {"keep": [0, 2], "watch": [(1, 2)], "checkpoint": saved}
    solution = part.solve(TIMES, tolerance=1e-9, **options)
    chosen: dict[str, Any] = {"elements": [(1, 2)]}
    one = sb.localize(solution, **chosen, row=2)[0]
    assert one.time == TIMES[2]
    stopped = sheet(composite(plane="strain"), pull=0.004 * TIMES[2])
    other = sb.localize(stopped.solve(TIMES[:3], tolerance=1e-9), **chosen)[0]
    assert np.nanmax(other.fields["plastic_strain"]) > 1e-5
    for name, field in other.fields.items():
        np.testing.assert_allclose(
            one.fields[name], field, rtol=1e-6, atol=1e-8 * np.nanmax(np.abs(field))
        )
    assert not sb.localize(solution, **chosen, row=0)[0].fields["stress"].any()
    again = part.solve(TIMES, tolerance=1e-9, **options)  # of what was saved
    for name, field in sb.localize(again, **chosen, row=2)[0].fields.items():
        np.testing.assert_array_equal(field, one.fields[name])
    with pytest.raises(sb.InputError, match="another problem"):
        part.solve(TIMES, tolerance=1e-9, **{**options, "watch": [(1, 3)]})
    with pytest.raises(sb.InputError, match=r"rows 0, 2, watched points \(1, 2\); solve with"):
        sb.localize(solution, **chosen, row=1)
    with pytest.raises(sb.InputError, match="`watch` must be pairs of an element below 2"):
        part.solve(TIMES, watch=[(2, 0)])
    with pytest.raises(sb.InputError, match="`watch` must lie where the law is a cell"):
        sheet(HARD).solve(watch=[(0, 0)])


def test_localised_fields_of_a_linear_cell() -> None:
    laws = {"soft": sb.laws.IsotropicElastic(E=70e3, nu=0.33), "hard": HARD}
    solution = sheet(composite(laws, plane="strain")).solve(tolerance=1e-10)
    one = sb.localize(solution, elements=[(0, 1)])[0]
    own = solution.fields[1]["body"]["flux"][0, 1]
    np.testing.assert_allclose(one.fields["stress"].mean(axis=(1, 2)), own, rtol=1e-6)
    assert not sb.localize(solution, elements=[(0, 1)], row=0)[0].fields["stress"].any()


def test_tangents_by_perturbation_lead_to_the_same_solution() -> None:
    cell = composite(plane="strain")
    exact, central = (
        sheet(cell, tangent=tangent).solve([0.0, 1.0], tolerance=1e-8)
        for tangent in ("exact", "perturbation")
    )
    assert np.abs(central.field - exact.field).max() < 1e-6 * np.abs(exact.field).max()
    points = CellPoints(cell, 2, None, np.zeros(3, bool))
    strains = np.array([[3e-3, 1e-3, 2e-3], [2e-3, -4e-3, 1e-3]])
    tangents = []
    for tangent in ("exact", "perturbation", "forward"):
        points.tangent = tangent
        answer = points.answer(Question(strains, points.virgin(), 1.0, 1e-10, 1e-9))
        assert answer.tangents is not None
        tangents.append(answer.tangents)
    scale = np.abs(tangents[0]).max()
    assert np.abs(tangents[1] - tangents[0]).max() < 1e-3 * scale  # a voxel may switch in the step
    assert np.abs(tangents[2] - tangents[0]).max() < 1e-2 * scale


def test_the_initial_tangent_leads_there_slowly() -> None:
    """Linear convergence, at a rate that settles, to the same solution."""
    cell = composite(plane="strain")
    exact, initial = (
        sheet(cell, tangent=tangent).solve([0.0, 1.0], tolerance=1e-8, newton_iterations=60)
        for tangent in ("exact", "initial")
    )
    assert np.abs(initial.field - exact.field).max() < 1e-6 * np.abs(exact.field).max()
    residuals = [line.residual for line in initial.iterations[1][0]]
    assert len(residuals) > 2 * len(exact.iterations[1][0])
    rates = np.divide(residuals[-4:], residuals[-5:-1])
    assert np.all((rates > 0.05) & (rates < 0.95))
    assert np.ptp(rates) < 0.2


@pytest.mark.slow
def test_three_levels() -> None:
    grain = homogeneous(SOFT, plane="strain", tolerance=1e-10)
    image = sb.Microstructure(LABELS[:2, 1:3], spacing=1.0, phases={"soft": 0, "hard": 1})
    cells = [
        sb.Cell(image, {"soft": law, "hard": HARD}, plane="strain", tolerance=1e-9)
        for law in (grain, SOFT)
    ]
    found = []
    for cell in cells:
        part = sb.Structure(
            rectangle((1.0, 1.0), (1, 1)),
            {"body": cell},
            supports={"left": "fixed", "right": {"x": 0.003}},
            plane="strain",
        )
        found.append(part.solve([0.0, 1.0], tolerance=1e-7).stored[-1])
    assert abs(found[0] / found[1] - 1) < 1e-5


def test_a_cell_that_has_no_answer_is_named() -> None:
    part = sheet(homogeneous(sb.laws.NeoHookean(E=1.0, nu=0.3), plane="strain"), pull=-3.0)
    with pytest.raises(sb.ConvergenceError) as caught:
        part.solve([0.0, 1.0], cuts=1, newton_iterations=4)
    assert "row 1" in str(caught.value)
    assert caught.value.partial.times.tolist() == [0.0]
