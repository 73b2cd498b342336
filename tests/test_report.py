"""The report: right in words and numbers, safe against what files hold, alive in a browser."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from matplotlib.image import imread

import scalebridge as sb
from browser import CHROMIUM, Browser
from command import Outcome, command
from scalebridge.study import pictures
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.report import (
    checks,
    contents,
    drawings,
    scenes,
    scripts,
    words,
    write_report,
)
from scalebridge.study.report.directional import directional
from scalebridge.study.report.surfaces import block_means, phase_surfaces, surface_net
from scalebridge.study.run import run_study

WICKED = "<script>document.title='caught'</script>"
SPHERE = """\
title: A sphere <b>&amp; co</b>
microstructure:
  {type: centred_sphere, shape: [12, 12, 12], spacing: 2 um, fraction: 0.2, names: [matrix, ball]}
laws:
  matrix:
    conduction: {type: conduction, k: 0.2 W/m/K}
    elasticity: {type: isotropic, E: 3.5 GPa, nu: 0.35}
  ball:
    conduction: {type: void}
    elasticity: {type: isotropic, E: 72 GPa, nu: 0.22}
cells:
  heat: {physics: conduction, boundary: all, element: full}
  stiffness: {physics: elasticity, tolerance: 1e-4}
"""
PLATE = f"""\
title: "{WICKED}"
microstructure: {{type: checkerboard, shape: [8, 8], names: ["{WICKED}", '$\\frac$']}}
laws:
  "{WICKED}": {{elasticity: {{type: isotropic, E: 1, nu: 0.3}}}}
  '$\\frac$': {{elasticity: {{type: isotropic, E: 3, nu: 0.3}}}}
cells:
  sheet: {{physics: elasticity, plane: stress}}
"""
SWEEP = """\
title: Layers
microstructure: {type: laminate, shape: [8, 6], fractions: [0.5, 0.5], names: [soft, hard]}
laws:
  soft: {conduction: {type: conduction, k: 1 W/m/K}}
  hard: {conduction: {type: conduction, k: 3 W/m/K}}
cells:
  heat: {physics: conduction, fields: false}
sweep:
  parameters:
    laws.hard.conduction.k: [3 W/m/K, 9 W/m/K]
"""


@pytest.fixture(scope="module", autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


def study(folder: Path, text: str) -> Path:
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    run_study(folder / "study.yaml", out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def sphere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("sphere"), SPHERE)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a plate, with a phase whose name is a script and a formula."""
    return study(tmp_path_factory.mktemp("plate"), PLATE)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("swept"), SWEEP)


class Page(HTMLParser):
    """Elements, the text that is seen, and the cells of each table."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.seen = ""
        self.rows: list[list[str]] = []
        self._hidden, self._in_cell = "", False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag in ("script", "style"):
            self._hidden = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.seen += data
            if self._in_cell:
                self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].strip() == first)


# ---- what the page says


def test_the_page_tells_the_numbers_with_units(sphere: Path, tmp_path: Path) -> None:
    page = Page(write_report(sphere, tmp_path / "r.html"))
    run = sb.open(sphere)
    heat, stiffness = run.results["heat"], run.results["stiffness"]
    assert f"{heat.tensor[0, 0]:.6f}" in page.row("x")[1]
    assert "Components [W/(m K)]" in page.seen
    mandel, voigt = (row for row in page.rows if row and row[0] == "12" and len(row) == 7)
    assert float(mandel[6]) == pytest.approx(stiffness.tensor[5, 5] / 1e9, rel=1e-4)
    assert float(voigt[6]) == pytest.approx(stiffness.tensor[5, 5] / 2e9, rel=1e-4)
    assert "Mandel components [GPa]" in page.seen
    assert "Voigt components [GPa]" in page.seen
    assert "Order of rows and columns: 11, 22, 33, 23, 13, 12" in page.seen
    young = stiffness.engineering_constants["E1"] / 1e9
    assert float(page.row("E1")[1]) == pytest.approx(young, rel=1e-5)
    assert page.row("ball")[2] == f"{100 * run.microstructure.volume_fractions['ball']:.4g} %"
    assert "conduction: k = 0.2 W/(m K)" in page.row("matrix")[3]
    assert "isotropic, E = 72 GPa, ν = 0.22" in page.row("ball")[3]
    assert page.row("matrix")[4] == "x, y and z"
    assert page.row("ball")[4] == "no axis"
    assert "2 µm" in page.seen
    assert "Tortuosity of matrix" in page.seen
    assert "Reuss ≤ static ≤ periodic ≤ kinematic ≤ Voigt" in page.seen
    assert "A sphere <b>&amp; co</b>" in page.seen


def test_without_units_the_page_says_whose_they_are(plate: Path, tmp_path: Path) -> None:
    page = Page(write_report(plate, tmp_path / "r.html"))
    assert "Mandel components in the unit of the input" in page.seen
    assert "plane stress" in page.seen
    assert len(page.all("figure")) == 3
    assert not any(attributes.get("data-scene") for _, attributes in page.elements)
    assert (tmp_path / "r.html").stat().st_size < 1e6


def test_a_sweep_has_its_table_its_curves_and_its_points(swept: Path) -> None:
    page = Page(write_report(swept))
    assert page.row("1")[:3] == ["1", "3 W/m/K", "1.7500"]
    assert page.row("2")[:3] == ["2", "9 W/m/K", "3.4000"]
    assert {"#point-1", "#point-2"} <= {a["href"] for a in page.all("a")}
    assert {"point-1", "point-2"} <= {a.get("id") for a in page.all("section")}
    assert sum(a["src"].startswith("data:image/svg") for a in page.all("img")) == 1
    write_report(swept / "point-001")
    links = {a["href"] for a in Page(write_report(swept)).all("a")}
    assert "point-001/report.html" in links
    assert "point-002/report.html" not in links


def test_headlines_name_their_cell_where_a_quantity_is_told_twice(sphere: Path) -> None:
    run = sb.open(sphere)
    assert all("heat" not in told["label"] for told in contents.headline_of(run))
    heat = run.summary["results"]["heat"]
    twice = OpenedRun(run.path, run.file, {**run.summary, "results": {"a": heat, "b": heat}})
    labels = [told["label"] for told in contents.headline_of(twice)]
    assert labels == ["mean conductivity, a", "mean conductivity, b"]


def drawn_curve(
    places: list[float], values: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(drawings, "_svg", lambda figure: figure)
    figure: Any = drawings.curves({"k": (places, values)}, "fraction", "k")
    return figure.axes[0]


def test_curves_have_ticks_where_the_points_are(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = drawn_curve([0.3, 0.1, 0.2], [1.0, 2.0, None], monkeypatch)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.1", "0.2", "0.3"]
    assert drawn_curve([1.0, 10.0, 100.0], [1.0, 2.0, 3.0], monkeypatch).get_xscale() == "log"


def test_curves_show_round_off_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    low, high = drawn_curve([0, 1], [1.0, 1.0 + 1e-9], monkeypatch).get_ylim()
    assert (low, high) == pytest.approx((0.95, 1.05))
    low, high = drawn_curve([0, 1], [1.0, 1.01], monkeypatch).get_ylim()
    assert high - low < 0.02


def test_a_comparison_that_was_not_begun_is_no_evidence(
    sphere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = sb.open(sphere).bounds["heat"]
    ends = {name: bounds.tensors[name] for name in ("Reuss", "Voigt")}
    begun = replace(bounds, tensors=ends)
    assert checks.order_of(begun).verdict == checks.NEUTRAL
    monkeypatch.setattr(pictures, "save", lambda _, figure: figure)
    figure: Any = pictures.save_bounds("bounds.png", begun)  # type: ignore[arg-type]
    assert figure.axes[0].get_ylim()[1] == pytest.approx(1.05 * ends["Voigt"].max())


def test_numbers_keep_their_digits() -> None:
    assert words.full(123456.7) == "123457"
    assert words.number(1.75, 5, pad=True) == "1.7500"
    assert words.direction([-1e-9, 0.70711, -0.5]) == "(0, 0.707, −0.5)"


def test_unfinished_sweeps_and_lost_points_are_told(swept: Path, tmp_path: Path) -> None:
    summary = json.loads((swept / "summary.json").read_text())
    summary["sweep"]["count"] = 3
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    page = Page(write_report(tmp_path))
    assert "1 of 3 points are not done; run it with --resume" in page.seen
    assert "point 2: its folder is missing or damaged" in page.seen


def test_every_picture_has_words_and_headings_are_in_order(sphere: Path, tmp_path: Path) -> None:
    page = Page(write_report(sphere, tmp_path / "r.html"))
    assert page.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in page.all("img"))
    assert all(a["aria-label"] for a in page.all("div") if a.get("class") == "canvas")
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    targets = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
    assert targets <= set(ids)


def test_nothing_is_fetched_from_elsewhere(sphere: Path, tmp_path: Path) -> None:
    page = Page(write_report(sphere, tmp_path / "r.html"))
    for _, attributes in page.elements:
        for name in ("src", "href", "data", "srcset", "action", "poster"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), attributes
    (policy,) = (a for a in page.all("meta") if a.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")
    assert "unsafe-eval" not in policy["content"]


def test_what_files_hold_is_text(plate: Path, tmp_path: Path) -> None:
    report = write_report(plate, tmp_path / "r.html")
    text = report.read_text(encoding="utf-8")
    assert WICKED not in text
    assert Page(report).seen.count(WICKED) >= 4
    nonces = re.findall(r'<script[^>]* nonce="(\w+)"', text)
    assert len(nonces) == text.count("<script")
    assert write_report(plate, tmp_path / "s.html").read_text(encoding="utf-8") != text


def test_the_evidence_has_verdicts(sphere: Path) -> None:
    run = sb.open(sphere)
    found = {check.name: check for check in checks.checks_of(run, run.results["heat"])}
    good = {name for name, check in found.items() if check.verdict == checks.GOOD}
    assert good == {
        "Convergence",
        "Error of the tensor, estimated",
        "Residual of the field",
        "Hill–Mandel between load cases",
        "Hill–Mandel at the boundary",
        "Order of the boundary conditions",
    }


@pytest.mark.parametrize(
    ("evidence", "name", "verdict"),
    [
        ({"converged": False, "message": "load case 1"}, "Convergence", "bad"),
        ({"error_estimate": 1.0}, "Error of the tensor, estimated", "bad"),
        ({"error_estimate": None}, "Error of the tensor, estimated", "look"),
        ({"residual": 1.0}, "Residual of the field", "bad"),
        ({"hill_mandel_symmetry": 0.1}, "Hill–Mandel between load cases", "look"),
        ({"hill_mandel_symmetry": None}, "Hill–Mandel between load cases", "neutral"),
        (
            {"hill_mandel_boundary_work": 0.1, "residual": 1.0},
            "Hill–Mandel at the boundary",
            "look",
        ),
        ({"hourglass_share": 0.5}, "Hourglass modes", "look"),
    ],
)
def test_bad_evidence_is_marked(evidence: dict, name: str, verdict: str, sphere: Path) -> None:
    run = sb.open(sphere)
    run.summary["results"]["heat"]["evidence"].update(evidence)
    (check,) = (c for c in checks.checks_of(run, run.results["heat"]) if c.name == name)
    assert check.verdict == verdict


def test_failures_and_warnings_stand_at_the_top(swept: Path, tmp_path: Path) -> None:
    summary = json.loads((swept / "point-001" / "summary.json").read_text())
    summary["failures"] = ["heat did not converge: too few iterations"]
    summary["results"]["heat"]["warnings"] = ["a phase floats"]
    summary["results"]["heat"]["evidence"]["converged"] = False
    for name in ("results.vtkhdf",):
        (tmp_path / name).write_bytes((swept / "point-001" / name).read_bytes())
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    seen = Page(write_report(tmp_path)).seen
    top = seen[: seen.index("Microstructure")]
    assert "Not to be relied on" in top
    assert "heat did not converge: too few iterations" in top
    assert "heat: a phase floats" in top


def test_a_run_of_which_nothing_was_done_has_a_page(swept: Path, tmp_path: Path) -> None:
    summary = json.loads((swept / "point-001" / "summary.json").read_text())
    summary |= {"results": {}, "bounds": {}, "interrupted": True}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "results.vtkhdf").write_bytes((swept / "point-001/results.vtkhdf").read_bytes())
    page = Page(write_report(tmp_path))
    assert "nothing was computed" in page.seen
    assert "the run was interrupted" in page.seen


def test_the_command_writes_beside_the_results(swept: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> Outcome:
        return command("report", *arguments)

    code, out, err = run(swept)
    assert (code, err) == (0, "")
    assert out.startswith(f"wrote {swept / 'report.html'} (")
    assert run(swept, "--out", tmp_path / "r.html")[0] == 0
    assert (tmp_path / "r.html").exists()
    for arguments, told in (
        ((tmp_path,), "is no folder of results"),
        ((swept, "--out", tmp_path), "is a folder"),
        ((swept, "--out", tmp_path / "no" / "r.html"), "cannot write"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert told in err
        assert err.count("\n") == 1


def test_without_plotly_the_page_is_written_and_says_so(
    sphere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    scripts.library.cache_clear()
    page = Page(write_report(sphere, tmp_path / "r.html"))
    scripts.library.cache_clear()
    assert "plotly was not installed" in page.seen
    assert "pip install 'scalebridge[report]'" in page.seen
    assert not any("data-scene" in attributes for _, attributes in page.elements)
    assert len(page.all("img")) == 6


# ---- shapes


def test_surfaces_are_closed_and_their_volume_converges() -> None:
    errors = []
    for count in (16, 32):
        grid = (np.indices((count,) * 3) + 0.5) / count - 0.5
        vertices, triangles = surface_net(0.8 - np.sqrt((grid**2).sum(axis=0)))
        edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
        ways, counts = np.unique(edges, axis=0, return_counts=True)
        assert (counts == 1).all()  # each edge once in each direction
        assert {tuple(edge) for edge in ways} == {tuple(edge[::-1]) for edge in ways}
        a, b, c = vertices[triangles].swapaxes(0, 1) / count
        volume = np.einsum("ti,ti->", a, np.cross(b, c)) / 6  # positive: normals point outward
        errors.append(abs(volume / (4 / 3 * np.pi * 0.3**3) - 1))
    assert errors[0] < 0.1
    assert errors[1] < 0.3 * errors[0]  # of second order in the step


def test_surfaces_of_phases_end_where_the_image_ends() -> None:
    micro = sb.Microstructure(
        np.arange(10)[:, None, None] // 5 * np.ones((1, 8, 6), int), (1, 2, 3), {"a": 0, "b": 1}
    )
    vertices, _ = phase_surfaces(micro, ["b"])["b"]
    np.testing.assert_allclose(vertices.min(axis=0), [5, 0, 0], atol=0.05)
    np.testing.assert_allclose(vertices.max(axis=0), micro.extent, atol=1e-6)


def test_large_images_are_coarsened(monkeypatch: pytest.MonkeyPatch) -> None:
    micro = sb.generate.gyroid((40, 40, 40), fraction=0.5)
    monkeypatch.setattr("scalebridge.study.report.surfaces._MOST_TRIANGLES", 5000)
    (found,) = phase_surfaces(micro, [micro.names[1]]).values()
    assert 500 < len(found[1]) <= 5000
    means = block_means(np.arange(10.0), 4)
    np.testing.assert_array_equal(means, [1.5, 5.5, 8.5])


def test_scenes_show_surfaces_of_few_phases_and_faces_of_many() -> None:
    def scene(count: int, name: str) -> tuple[dict, str]:
        labels = np.arange(6**3).reshape(6, 6, 6) % count
        micro = sb.Microstructure(labels, 1.0, {f"{name}{i}": i for i in range(count)})
        return scenes.phases_scene(SimpleNamespace(microstructure=micro, units={}))

    figure, caption = scene(3, "<b>")
    kinds = [trace["type"] for trace in figure["data"]]
    assert kinds == ["mesh3d", "mesh3d", "scatter3d"]
    assert figure["data"][0]["name"].startswith("&lt;b&gt;")  # Plotly knows some tags
    assert caption.startswith("Surfaces")
    figure, caption = scene(20, "grain")
    assert [trace["type"] for trace in figure["data"]] == ["surface"] * 6 + ["scatter3d"]
    assert caption == "The faces of the image."
    colours = figure["data"][0]["surfacecolor"]
    assert colours["shape"] == "12, 12"  # four points for each voxel: colours do not fade
    found = np.frombuffer(base64.b64decode(colours["bdata"]), np.float32).reshape(12, 12)
    np.testing.assert_array_equal(found[::2, 1::2], np.arange(36).reshape(6, 6) % 20)


def test_directions_of_the_extremes_are_exact(sphere: Path, plate: Path) -> None:
    result = sb.open(sphere).results["stiffness"]
    shape = directional(result)
    C = sb.tensors.project(result.tensor, "cubic")
    S = np.linalg.inv(C)
    corner = np.ones(3) / np.sqrt(3)
    s = sb.tensors.to_mandel(np.outer(corner, corner))
    found = sorted([1 / S[0, 0], 1 / (s @ S @ s)])
    assert shape.least[0] == pytest.approx(found[0], rel=1e-4)
    assert shape.largest[0] == pytest.approx(found[1], rel=1e-4)
    assert shape.dim == 3
    assert directional(sb.open(plate).results["sheet"]).dim == 2


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (72e9, "Pa", (1e9, "GPa")),
        (3.5e6, "Pa", (1e6, "MPa")),
        (0.2, "W/m/K", (1.0, "W/(m K)")),
        (1.3e-6, "m", (1e-6, "µm")),
        (4e-10, "m^2/s", (1e-12, "10⁻¹² m²/s")),
        (72e9, "", (1e9, "10⁹")),
        (210.0, "", (1.0, "")),
        (0.0, "Pa", (1.0, "Pa")),
    ],
)
def test_units_have_the_prefix_that_suits(value: float, unit: str, told: tuple) -> None:
    assert words.scale_of([value, 0.1 * value], unit) == pytest.approx(told) or (
        words.scale_of([value, 0.1 * value], unit) == told
    )


def test_numbers_are_told_as_people_read_them() -> None:
    assert words.number(-1234.5678) == "−1234.57"
    assert words.number(1.5e-9) == "1.5 · 10⁻⁹"
    assert words.number(None) == words.number(float("nan")) == "–"
    assert words.number(float("-inf")) == "−∞"
    assert words.full(68.2) == "68.2000"
    assert words.matrix([[2.0, -1e-13], [np.nan, 3e-7]], 1.0) == [
        ["2.00000", "0"],
        ["–", "3.0 · 10⁻⁷"],
    ]
    assert words.symbol("nu12") == "<i>ν</i><sub>12</sub>"
    assert words.symbol("<b>") == "&lt;b&gt;"
    law = {"type": "mori_tanaka", "matrix": {"type": "isotropic", "E": 1e9, "nu": 0.3}}
    told = words.law_in_words(law, "elasticity", {"stress": "Pa"})
    assert told == "mori tanaka, matrix = (isotropic, E = 1 GPa, ν = 0.3)"


# ---- in a browser


def scenes_of(page: Path) -> dict:
    stored = re.search(r'id="scenes">([^<]+)<', page.read_text(encoding="utf-8"))
    return json.loads(gzip.decompress(base64.b64decode(stored[1])))


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@needs_browser
def test_scenes_live_in_a_browser_that_reaches_nothing(sphere: Path, tmp_path: Path) -> None:
    report = write_report(sphere, tmp_path / "r.html")
    assert len(scenes_of(report)) == 5
    with Browser() as browser:
        browser.open(report)
        for name in scenes_of(report):
            figure = f"document.querySelector('[data-scene=\"{name}\"]')"
            browser.run(f"{figure}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
            browser.wait(f"{figure}.dataset.ready === 'yes'")
        box = browser.run(f"{figure}.querySelector('.canvas').getBoundingClientRect().toJSON()")
        box = {name: box[name] for name in ("x", "y", "width", "height")}
        place = {**box, "y": box["y"] + browser.run("scrollY")}
        before = picture(browser, place)
        assert np.ptp(before[..., :3].reshape(-1, 3), axis=0).min() > 0.5
        browser.drag(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"], 90)
        assert np.abs(picture(browser, place) - before).mean() > 0.005
        printed = browser.pdf()
        assert browser.run("document.querySelectorAll('details[open]').length") == 0
    assert browser.errors == []
    assert [r for r in browser.requests if not r.startswith(("data:", "blob:"))] == [
        report.as_uri()
    ]
    assert printed.startswith(b"%PDF")


def picture(browser: Browser, place: dict[str, float]) -> np.ndarray:
    return imread(io.BytesIO(browser.screenshot(place)))


@needs_browser
def test_pages_fit_narrow_windows_and_wicked_names_stay_names(plate: Path, tmp_path: Path) -> None:
    report = write_report(plate, tmp_path / "r.html")
    with Browser(420, 900) as browser:
        browser.open(report)
        assert browser.run("document.documentElement.scrollWidth") <= 420
        assert browser.run("document.title") == f"{WICKED} – scalebridge report"
        assert browser.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert browser.errors == []
