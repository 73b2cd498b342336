"""Structures in pictures and in the report: the numbers of the run, and verdicts."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import scalebridge as sb
from browser import Browser
from scalebridge.structure import box, rectangle
from scalebridge.study import structure_pictures
from scalebridge.study.report import structure_charts, write_report
from scalebridge.study.report.structure_checks import orders_of, structure_checks_of
from scalebridge.study.report.structure_scene import body_scene
from scalebridge.study.report.words import small
from scalebridge.study.run import run_study
from scalebridge.study.structure_columns import column_of
from scalebridge.study.structure_measures import at_vertices, measure_of, six
from scalebridge.study.structure_surface import normals, surface_of_solution
from test_report import WICKED, Page, needs_browser, scenes_of

# A coarse plate; cell and number of points are those of test_structure_study.
STUDY = """\
title: Plate
microstructure: {type: laminate, shape: [4, 4], fractions: [0.5, 0.5], names: [soft, hard]}
laws:
  soft:
    elasticity: {type: j2_plasticity, E: 70 GPa, nu: 0.3, yield_stress: 100 MPa}
  hard: {elasticity: {type: isotropic, E: 400 GPa, nu: 0.2}}
structures:
  plate:
    physics: elasticity
    mesh: {type: plate_with_hole, radius: 1 mm, half_width: 4 mm, n_around: 2, n_radial: 1}
    plane: strain
    thickness: 1 mm
    regions:
      body: {cell: {}}
    points: {tip: [4 mm, 0 mm]}
    supports: {left: symmetry, bottom: symmetry, right: {x: 0.008 mm}}
    time: [0 s, 1 s]
    steps: 3
    localize: {hardest: 1, points: [[1 mm, 0 mm]]}
"""
SWEEP = """\
title: Beam
structures:
  beam:
    physics: elasticity
    mesh: {type: box, size: [4 m, 1 m, 1 m], elements: [4, 1, 1]}
    regions:
      body: {law: {type: isotropic, E: 100 MPa, nu: 0}}
    supports: {left: fixed}
    loads: {right: {traction: [1 MPa, 0 MPa, 0 MPa]}}
    time: [0 s, 1 s]
    steps: 2
sweep:
  parameters:
    structures.beam.regions.body.law.E: [100 MPa, 200 MPa]
"""


@pytest.fixture(scope="module", autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FE² of a plate that yields around its hole."""
    folder = tmp_path_factory.mktemp("plate")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    run_study(folder / "study.yaml", out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def beams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Solid beams under tension, in a sweep and without any cell."""
    folder = tmp_path_factory.mktemp("beams")
    (folder / "study.yaml").write_text(SWEEP, encoding="utf-8")
    run_study(folder / "study.yaml", out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def told(plate: Path) -> dict[str, Any]:
    return dict(json.loads((plate / "summary.json").read_text())["structures"]["plate"])


@pytest.fixture
def changed(plate: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the run, with another summary of the structure."""

    def change(name: str = "plate", **other: Any) -> Path:
        folder = Path(shutil.copytree(plate, tmp_path / "changed"))
        summary = json.loads((folder / "summary.json").read_text())
        summary["structures"] = {name: summary["structures"]["plate"] | other}
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return change


def value(cell: str) -> float:
    return float(cell.replace("−", "-"))


# ---- the page


def test_the_page_tells_the_structure(plate: Path, told: dict, tmp_path: Path) -> None:
    page, table = Page(write_report(plate)), told["table"]
    assert "structure plate (elasticity, 2 elements, 3 steps)" in page.seen
    assert "plane strain; 2 elements, 6 nodes, 6 unknowns; 8 points, each with a" in page.seen
    assert page.row("body")[1:4] == ["2", "8", "cell of 4 × 4 voxels"]
    for head, key, unit in (("force on", "right.x", 1.0), ("displacement of", "tip.x", 1e-6)):
        found = page.row(f"{head} {key.partition('.')[0]} along x")
        assert value(found[1]) == pytest.approx(table[key][-1] / unit, rel=1e-5)
    assert f"the work {table['work'][-1] * 1e3:.4g} mJ" in page.seen
    assert f"{table['dissipated'][-1] * 1e3:.4g} mJ dissipated" in page.seen
    lines = [row for row in page.rows if row[:2] == ["3", "1"] and len(row) == 7]
    for row, line in zip(lines, told["residuals"][3][0], strict=True):
        assert row[3] == small(line[0])
        assert row[5] == f"{line[2]}, in element {line[4]}"
    hardest = told["hardest"][0]
    assert [f"{hardest['element']}, {hardest['point']}", str(hardest["work"])] in [
        row[2:] for row in page.rows
    ]
    most = told["localized"][1]["statistics"]["von_mises"]
    assert any(
        row[0] == "max" and value(row[2]) == pytest.approx(most["hard"]["max"] / 1e6, rel=1e-4)
        for row in page.rows
    )
    pictures = [a["alt"] for a in page.all("img")]
    assert len(pictures) == 8  # the image, curve, energies, body, residuals, work, two cells
    assert all(a["src"].startswith("data:image/") for a in page.all("img"))
    assert set(scenes_of(plate / "report.html")) == {"curve-plate", "energy-plate", "body-plate"}
    files = {a["href"] for a in page.all("a") if not a["href"].startswith("#")}
    assert files == {
        *("structure_plate.csv", "structure_plate.vtkhdf"),
        *("localized_plate_1.vtkhdf", "localized_plate_2.vtkhdf"),
    }
    elsewhere = Page(write_report(plate, tmp_path / "r.html"))
    links = [a["href"] for a in elsewhere.all("a") if not a["href"].startswith("#")]
    assert all((tmp_path / link).exists() for link in links)


@pytest.mark.parametrize(
    ("predicted", "head", "row"),
    [
        (12.0, ["Predicted", "Measured", "Predicted / measured"], ["12", "8", "1.5", "s"]),
        (None, ["Measured"], ["8", "s"]),
    ],
)
def test_cost_is_told_term_by_term(
    predicted: float | None, head: list[str], row: list[str], changed: Callable[..., Path]
) -> None:
    terms = [
        {"name": "micro problems", "predicted": predicted, "measured": 8.0, "unit": "s"},
        {"name": "a tangent", "predicted": predicted, "measured": None, "unit": "s"},
    ]
    page = Page(write_report(changed(cost={"terms": terms})))
    assert page.row("Term")[1:] == [*head, "Unit"]
    assert page.row("micro problems")[1:] == row
    assert page.row("a tangent")[-2] == "–"


def test_a_page_of_conduction_speaks_of_no_work(changed: Callable[..., Path]) -> None:
    folder = changed(physics="conduction", localized=[])
    (folder / "structure_plate.vtkhdf").unlink()
    page = write_report(folder)
    assert "have done the work" not in Page(page).seen
    assert set(scenes_of(page)) == {"curve-plate"}


def test_a_structure_that_never_left_rest_has_a_page(
    changed: Callable[..., Path], told: dict
) -> None:
    table = {name: values[:1] for name, values in told["table"].items()}
    nothing = {"residuals": [[]], "localized": [], "hardest": [], "reached": 0}
    folder = changed(table=table, converged=False, message="the first step failed", **nothing)
    for file in folder.glob("*_plate*"):
        file.unlink()
    page = Page(write_report(folder))
    assert "0 of 3 steps" in page.seen
    assert "The first step failed." in page.seen
    assert "Not to be relied on" in page.seen
    assert len(page.all("img")) == 1


def test_what_a_summary_calls_a_structure_is_text(changed: Callable[..., Path]) -> None:
    page = write_report(changed(WICKED, physics=WICKED, units={"force": WICKED}, localized=[]))
    assert WICKED not in page.read_text(encoding="utf-8")
    assert WICKED not in json.dumps(scenes_of(page))
    assert Page(page).seen.count(WICKED) >= 4


def test_a_sweep_has_ends_and_curves_of_structures(beams: Path) -> None:
    page = Page(write_report(beams))
    assert "structure beam" in page.seen
    assert value(page.row("1")[2]) == pytest.approx(40.0)  # mm, of 4 m under 1 %
    assert value(page.row("2")[2]) == pytest.approx(20.0)
    alt = "beam: load on right along x over displacement of right along x of several points"
    assert alt in [a["alt"] for a in page.all("img")]
    own = Page(write_report(beams / "point-001"))
    assert "Microstructure" not in own.seen
    assert "Structure beam (elasticity, 4 elements, 2 steps)." in own.seen
    assert own.row("force on left along y")[1:3] == ["0", "0"]  # round-off
    assert own.row("load on right along x")[1:] == ["1", "1", "MN"]
    assert not any("micro" in cell.lower() for row in own.rows for cell in row)


@needs_browser
def test_the_body_lives_in_a_browser(plate: Path, tmp_path: Path) -> None:
    report = write_report(plate, tmp_path / "r.html")
    body = "document.querySelector('[data-scene=\"body-plate\"]')"
    with Browser(1100, 900) as browser:
        browser.open(report)
        browser.run(f"{body}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        browser.wait(f"{body}.dataset.ready === 'yes'")
        assert browser.errors == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.requests)


# ---- evidence

SHARED = {"points": 8, "groups": 2}


def test_the_evidence_of_a_structure_is_good(told: dict) -> None:
    quadratic = [[r, 1e-7, 9] for r in (0.05, 2.5e-3, 6e-6, 4e-11)]
    found = [check.verdict for check in structure_checks_of(told | {"residuals": [[quadratic]]})]
    assert found == ["good"] * 4 + ["neutral"] * 2


@pytest.mark.parametrize(
    ("other", "columns", "name", "verdict"),
    [
        ({"converged": False, "message": "a limit load"}, {}, "Convergence", "bad"),
        ({"reached": 2}, {}, "Convergence", "bad"),
        ({}, {"dissipated": -1.0}, "Dissipation never decreases", "bad"),
        ({}, {"work": 1.2}, "Work = stored + dissipated", "look"),
        ({}, {"work": 1.2, "dissipated": 0.0}, "Work = stored + dissipated", "neutral"),
        ({"sharing": {"body": SHARED | {"error": 0.04}}}, {}, "Shared solves in body", "good"),
        ({"sharing": {"body": SHARED | {"error": 0.2}}}, {}, "Shared solves in body", "look"),
        ({"sharing": {"body": SHARED | {"error": None}}}, {}, "Shared solves in body", "look"),
        (
            {"residuals": [[[[0.1 / 4**i, 0.0, 9] for i in range(9)]]]},
            {},
            "Order of Newton's",
            "neutral",
        ),
    ],
)
def test_evidence_is_marked(
    other: dict, columns: dict, name: str, verdict: str, told: dict
) -> None:
    table = told["table"]
    spoilt = {key: [factor * v for v in table[key]] for key, factor in columns.items()}
    found = structure_checks_of(told | other | {"table": table | spoilt})
    assert next(check.verdict for check in found if check.name.startswith(name)) == verdict


def test_conduction_has_no_evidence_of_energies(told: dict) -> None:
    names = [check.name for check in structure_checks_of(told | {"physics": "conduction"})]
    assert names == ["Convergence", "Order of Newton's iteration", "Iterations a step", "Time"]


def test_orders_of_convergence_are_those_of_the_sequence() -> None:
    values = (None, 0.9, 1e-2, 1e-4, 1e-8, 1e-16)  # far off, then down to round-off
    assert orders_of([[[r, 1e-7, 0] for r in values]]) == pytest.approx([2.0])
    assert len(orders_of([[[r, 1e-7, 9] for r in values]])) == 0  # no better than the micro scale
    linear = [[r, 1e-7, 9] for r in (0.05, 0.025, 0.0125, 0.00625)]
    assert orders_of([linear, [[0.01, 0.0, 9], [1e-9, 0.0, 9]]]) == pytest.approx([1.0, 1.0])


def test_columns_are_known_by_what_they_are() -> None:
    names = ("time", "work", "newton", "left.x", "left.u_x", "tip.x", "tip.load_x", "left.flow")
    names += ("tip.load_flow", "tip.value")
    kinds = ("time", "energy", "number", "force", "displacement", "displacement", "force")
    kinds += ("flow", "flow")
    table = {name: [0.0] for name in names}
    told = {"table": table, "supports": ["left"], "units": {"field": "m", "force": "N"}}
    assert [column_of(told, name).kind for name in names] == [*kinds, "temperature"]
    assert column_of(told, "left.x", "force on left [N]")[1:] == (
        *("force on left", "force"),
        *([0.0], "N"),
    )


# ---- charts and scenes


def test_charts_hold_the_columns(told: dict) -> None:
    figure = structure_charts.curve_chart(told)
    (trace,) = figure["data"]
    np.testing.assert_allclose(trace["y"], told["table"]["right.x"], rtol=1e-6)
    np.testing.assert_allclose(trace["x"], np.array(told["table"]["right.u_x"]) * 1e6, rtol=1e-6)
    assert figure["layout"]["xaxis"]["title"]["text"] == "displacement of right along x [µm]"
    buttons = figure["layout"]["updatemenus"][0]["buttons"]
    assert [b["label"] for b in buttons][1:] == ["force over time", "displacement over time"]
    twice = structure_charts.curve_chart(told | {"curves": told["curves"] * 2})["data"]
    assert [line["line"]["dash"] for line in twice] == ["solid", "dash"]
    assert twice[1]["name"] == "force on right along x (the same)"


def unpacked(array: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["bdata"]), np.dtype("<" + array["dtype"]))


def test_the_scene_is_the_deformed_body(beams: Path) -> None:
    run = beams / "point-001"
    told = json.loads((run / "summary.json").read_text())["structures"]["beam"]
    figure, caption = body_scene(run, "beam", told)
    assert caption.startswith("Von Mises stress, means over elements [MPa]; deformation × 5.")
    assert figure is not None
    mesh = figure["data"][0]
    np.testing.assert_allclose(unpacked(mesh["intensity"]), 1.0, rtol=1e-6)
    assert unpacked(mesh["x"]).max() == pytest.approx(4.0 + 5 * 0.04)
    corners = np.stack([unpacked(mesh[k]) for k in "xyz"], axis=1)[
        np.stack([unpacked(mesh[k]) for k in "ijk"], axis=1)
    ]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert 0.5 * np.linalg.norm(sides, axis=1).sum() == pytest.approx(2 + 4 * 4.2)
    assert body_scene(run / "nowhere", "beam", told) == (None, "")


# ---- surfaces and pictures


def tensioned(mesh: Any, order: int, plane: str | None = None, **laws: Any) -> Any:
    part = sb.Structure(
        mesh,
        laws or {"body": sb.laws.IsotropicElastic(E=100.0, nu=0.0)},
        supports={"left": "symmetry", "bottom": "symmetry"}
        | ({"back": "symmetry"} if mesh.dim() == 3 else {}),
        loads={"right": {"traction": [1.0, 0.0, 0.0][: mesh.dim()]}},
        plane=plane or ("stress" if mesh.dim() == 2 else None),
        order=order,
    )
    return part.solve()


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kind", ["triangle", "quad", "tetrahedron", "hexahedron"])
def test_surfaces_cover_the_body(kind: str, order: int) -> None:
    solid = kind in ("tetrahedron", "hexahedron")
    shape = ((2.0, 1.0, 1.0), (2, 1, 1)) if solid else ((2.0, 1.0), (2, 1))
    mesh = (box if solid else rectangle)(*shape, kind)
    solution = tensioned(mesh, order)
    surface = surface_of_solution(solution)
    places = np.zeros((len(surface.nodes), 3))
    places[:, : mesh.dim()] = solution.space.nodes[surface.nodes]
    corners = places[surface.triangles.reshape(-1, 3)]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert 0.5 * np.linalg.norm(sides, axis=1).sum() == pytest.approx(10.0 if solid else 2.0)
    ends = places[surface.outline][:, [0, -1]]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum()
    assert length == pytest.approx(16.0 if solid else 6.0)  # edges of the box, or the rim
    if solid:
        step = order
        along = np.abs(normals(places, surface.rims[:, ::step]))
        np.testing.assert_allclose(along.max(axis=1), 1.0)
    linear = places[:, 0] + 2 * places[:, 1]
    np.testing.assert_allclose(surface.average(linear[surface.connectivity]), linear, atol=1e-14)
    measure = at_vertices(solution, surface, 1)
    assert measure.title == "von Mises stress"
    np.testing.assert_allclose(measure.values, 1.0, rtol=1e-9)


def test_stress_jumps_where_regions_meet() -> None:
    mesh = rectangle((1.0, 2.0), (2, 4)).with_subdomains(
        {"soft": lambda x: x[1] < 1.0, "hard": lambda x: x[1] > 1.0}
    )
    laws = {n: sb.laws.IsotropicElastic(E=e, nu=0.0) for n, e in (("soft", 1.0), ("hard", 3.0))}
    part = sb.Structure(
        mesh,
        laws,
        supports={"left": "symmetry", "bottom": "symmetry", "right": {"x": 1e-3}},
        plane="stress",
    )
    solution = part.solve()
    surface = surface_of_solution(solution)
    assert len(surface.nodes) == 18  # of 15 nodes
    values = at_vertices(solution, surface, 1).values
    np.testing.assert_allclose(np.unique(values.round(9)), [1e-3, 3e-3])


def test_what_colours_a_body_is_known() -> None:
    tension = six(np.array([[3.0, 0.0, 0.0]]), "stress")
    assert measure_of(tension, "elasticity").values == pytest.approx([3.0])
    unknown = measure_of(six(np.array([[3.0, 1.0, np.sqrt(2.0)]]), "strain"), "elasticity")
    assert unknown.title == "largest shear stress in the plane"
    assert unknown.values == pytest.approx([np.sqrt(2.0)])
    pulled = np.array([[3.0, 0.0, 0.0, 4.0, np.nan]])
    assert measure_of(pulled, "finite strain").values == pytest.approx([5.0])
    assert measure_of(np.array([[3.0, 4.0]]), "conduction").values == pytest.approx([5.0])


@pytest.mark.parametrize(
    ("largest", "physics", "factor"),
    [(1e-3, "elasticity", 50.0), (0.5, "elasticity", 1.0), (1e-3, "finite strain", 1.0)],
)
def test_deformations_are_enlarged_to_be_seen(largest: float, physics: str, factor: float) -> None:
    places = np.array([[0.0, 0.0], [1.0, 0.5]])
    moved = np.array([[0.0, 0.0], [largest, 0.0]])
    assert structure_pictures.enlargement(places, moved, physics) == factor


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure_pictures, "save", lambda path, figure: figure)


@pytest.mark.usefixtures("drawn")
def test_pictures_show_the_numbers(told: dict) -> None:
    figure: Any = structure_pictures.save_curve("c.png", told, "plate")
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), told["table"]["right.x"])
    assert figure.axes[0].get_xlabel() == r"displacement of right along x [$10^{-6}$ m]"
    figure = structure_pictures.save_curve("c.png", told | {"curves": told["curves"] * 2}, "plate")
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-", "--"]
    figure = structure_pictures.save_residuals("r.png", told, "plate")
    left, right = figure.axes[:2]
    for line, step in zip(left.lines, told["residuals"][1:], strict=True):
        found = [np.nan if one[0] is None else one[0] for one in step[0]]
        np.testing.assert_allclose(line.get_ydata(), found)
    (quadratic,) = (line for line in right.lines if line.get_label() == "quadratic")
    slopes = np.diff(np.log(quadratic.get_xydata()), axis=0)
    assert slopes[0, 1] / slopes[0, 0] == pytest.approx(2.0)
    many = structure_pictures.save_residuals(
        "r.png", told | {"residuals": told["residuals"][1:] * 4}, "plate"
    )
    assert many.axes[0].child_axes  # a bar in place of twelve names
    assert many.axes[0].get_legend() is None


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("solid", [False, True])
def test_bodies_are_drawn_where_they_have_moved(solid: bool) -> None:
    mesh = box((2.0, 1.0, 1.0), (2, 1, 1)) if solid else rectangle((2.0, 1.0), (2, 1))
    solution = tensioned(mesh, 1)
    places = [np.ones(mesh.dim())]
    figure: Any = structure_pictures.save_deformed("d.png", solution, "bar", {"flux": "Pa"}, places)
    assert isinstance(figure, Figure)
    axes, bar = figure.axes
    assert axes.get_title() == "bar: von Mises stress, t = 1, deformation × 5"
    assert bar.get_xlabel() == r"$\sigma_\mathrm{vM}$   [Pa]"
    (mark,) = axes.lines
    moved = np.array([1.0 + 5 * 0.01, *[1.0] * (mesh.dim() - 1)])
    paper = [[np.sqrt(0.75), -0.5], [np.sqrt(0.75), 0.5], [0.0, 1.0]]
    expected = moved @ np.array(paper) if solid else moved
    np.testing.assert_allclose(mark.get_xydata()[0], expected)
    assert any(isinstance(artist, LineCollection) for artist in axes.collections)


@pytest.mark.usefixtures("drawn")
def test_work_is_a_mean_over_points_and_grey_without_cells() -> None:
    mesh = rectangle((2.0, 1.0), (2, 1)).with_subdomains(
        {"a": lambda x: x[0] < 1.0, "b": lambda x: x[0] > 1.0}
    )
    law = sb.laws.IsotropicElastic(E=100.0, nu=0.0)
    solved = tensioned(mesh, 1, a=law, b=law)
    solution = SimpleNamespace(
        space=solved.space, regions=solved.regions, work_of_points={"a": np.array([[1, 2, 3, 6]])}
    )
    figure: Any = structure_pictures.save_work("w.png", solution, "bar")
    facets = next(c for c in figure.axes[0].collections if c.get_array() is not None)
    values = np.ma.masked_invalid(facets.get_array())
    assert values.compressed() == pytest.approx([3.0])
    assert values.mask.sum() == 1
