"""Load histories in opened results and in the report: the numbers of `sb.load`, and verdicts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import scalebridge as sb
from browser import Browser
from scalebridge.errors import InputError
from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.report import charts, load_checks, write_report
from scalebridge.study.run import run_study
from test_report import WICKED, Page, needs_browser, scenes_of

SOFT = {"E": 70e9, "nu": 0.3, "yield_stress": 100e6}
STUDY = """\
title: Layers
microstructure: {type: laminate, shape: [4, 2], fractions: [0.5, 0.5], names: [soft, hard]}
laws:
  soft:
    elasticity:
      type: j2_plasticity
      E: 70 GPa
      nu: 0.3
      yield_stress: 100 MPa
      hardening: {type: linear, H: 1 GPa}
  hard: {elasticity: {type: isotropic, E: 400 GPa, nu: 0.2}}
loads:
  shear:
    physics: elasticity
    plane: strain
    path:
      time: [0 s, 1 s, 2 s]
      strain: {12: [0, 0.005, -0.005]}
      stress: {11: [0, 20 MPa, 20 MPa]}
      rest: {stress: 0}
      steps: [4, 8]
    tangents: true
    fields: all
sweep:
  parameters:
    laws.soft.elasticity.yield_stress: [100 MPa, 200 MPa]
"""


@pytest.fixture(scope="module", autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    run_study(folder / "study.yaml", out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def layers(swept: Path) -> Path:
    """Layers that yield in shear, there and back: a load history and no effective tensor."""
    return swept / "point-001"


@pytest.fixture
def shear(layers: Path) -> OpenedLoad:
    return sb.open(layers).loads["shear"]


@pytest.fixture
def changed(layers: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the run, with another summary of the history."""

    def change(failures: tuple[str, ...] = (), **told: Any) -> Path:
        folder = Path(shutil.copytree(layers, tmp_path / "changed"))
        summary = json.loads((folder / "summary.json").read_text())
        summary["loads"]["shear"] |= told
        summary["failures"] = list(failures)
        (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return change


# ---- opened


def test_a_history_opens_as_sb_load_gives_it(layers: Path, shear: OpenedLoad) -> None:
    hardening = sb.laws.LinearHardening(1e9)
    laws = {
        "soft": sb.laws.J2Plasticity(**SOFT, hardening=hardening),
        "hard": sb.laws.IsotropicElastic(E=400e9, nu=0.2),
    }
    cell = sb.Cell(sb.open(layers).microstructure, laws, plane="strain")
    history = sb.load(
        cell,
        shear.times,
        strain=np.where([False, False, True], shear.strain, np.nan),
        stress=np.minimum(shear.times, 1.0)[:, None] * [20e6, 0.0, np.nan],
        tangents=True,
        keep=[4],
    )
    for name in ("times", "strain", "stress"):
        found, exact = getattr(shear, name), getattr(history, name)
        np.testing.assert_allclose(found, exact, atol=1e-12 * np.abs(exact).max())
    ledger = shear.ledger
    for name in ("work", "stored", "dissipated", "hill_mandel", "imbalance"):
        found, exact = getattr(ledger, name), getattr(history.ledger, name)
        np.testing.assert_allclose(found, exact, atol=1e-9 * ledger.scale)
    np.testing.assert_allclose(shear.tangent, history.tangents[-1], rtol=1e-9, atol=1.0)
    assert shear.ledger.least_dissipation == history.ledger.least_dissipation.min()
    moment, exact = shear.fields(4), history.fields[4]
    assert moment.time == 1.0
    for name in ("strain", "stress", "plastic_strain"):  # of six components in space
        found = moment[name] if len(exact[name]) == 6 else moment[name][[0, 1, 5]]
        np.testing.assert_allclose(found, exact[name], atol=1e-12 * np.nanmax(np.abs(exact[name])))
    np.testing.assert_allclose(moment["energy"], exact["energy"], rtol=1e-9)


def test_fields_are_those_of_stored_rows(shear: OpenedLoad) -> None:
    assert shear.fields().time == 2.0
    assert {"stress", "plastic_strain", "von_mises"} <= set(shear.fields())
    assert "labels" not in shear.fields()
    with pytest.raises(InputError, match=r"but is 'stres' \(did you mean 'stress'"):
        shear.fields()["stres"]
    with pytest.raises(InputError, match=r"one of the stored rows \[2, 12\], but is 4"):
        replace(shear, kept=(2, 12)).fields(4)
    with pytest.raises(InputError, match="a history that stored fields"):
        replace(shear, kept=()).fields()


def test_columns_are_tensor_components_and_arrays_mandel(shear: OpenedLoad) -> None:
    assert shear.columns["strain_12"][4] == pytest.approx(0.005, rel=1e-14)
    assert shear.strain[4, 2] == pytest.approx(0.005 * np.sqrt(2))
    table = shear.table()
    assert table.index.name == "time"
    assert table.loc[2.0, "strain_12"] == shear.columns["strain_12"][-1]
    assert {"stress_11", "work", "substeps"} <= set(table.columns)


def test_averages_have_the_names_of_the_physics(shear: OpenedLoad) -> None:
    with pytest.raises(InputError, match="history of elasticity; its averages are `strain` and"):
        _ = shear.F
    turned = {c: shear.columns["strain_12"] + i for i, c in enumerate(("11", "12", "21", "22"))}
    stretch = replace(
        shear,
        physics="finite strain",
        names=("F", "P"),
        components=tuple(turned),
        columns={f"{name}_{c}": v for name in "FP" for c, v in turned.items()},
    )
    assert stretch.F.shape == (13, 2, 2)
    np.testing.assert_array_equal(stretch.P[:, 0, 1], turned["12"])
    with pytest.raises(InputError, match="`F` and `P`"):
        _ = stretch.strain


def test_what_a_history_shows_fits_a_screen(layers: Path, shear: OpenedLoad) -> None:
    text = repr(sb.open(layers))
    assert max(map(len, text.splitlines())) < 130
    for words in ("12 of 12 steps to t = 2", "stress_12 [Pa] from", "= stored", "Newton"):
        assert words in text
    assert "NOT CONVERGED: a limit load" in repr(
        replace(shear, converged=False, message="a limit load")
    )


def test_tables_have_a_row_for_each_history(layers: Path, swept: Path) -> None:
    row = sb.open(layers).table().loc["shear"]
    assert (row["quantity"], row["unit"]) == ("stress", "Pa")
    assert row["converged"]
    assert len(sb.open(swept).table()) == 2


def test_the_fields_over_time_lead_to_their_folder(layers: Path) -> None:
    with pytest.raises(InputError, match=r"load_shear\.vtkhdf' holds .*; open its folder"):
        sb.open(layers / "load_shear.vtkhdf")


def test_runs_of_older_versions_have_no_histories(layers: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(layers, tmp_path / "older"))
    summary = json.loads((folder / "summary.json").read_text())
    del summary["loads"]
    (folder / "summary.json").write_text(json.dumps(summary))
    assert sb.open(folder).loads == {}
    assert "nothing was computed" in Page(write_report(folder)).seen


# ---- the page


def test_the_page_tells_the_history(layers: Path, shear: OpenedLoad, tmp_path: Path) -> None:
    page = Page(write_report(layers))
    assert "load history shear (elasticity, 12 steps)" in page.seen
    assert "plane strain; driven in 12, 11" in page.seen
    assert "j2 plasticity, E = 70 GPa, ν = 0.3, yield stress = 100 MPa" in page.row("soft")[3]
    peak = np.abs(shear.columns["stress_12"]).max() / 1e6
    assert float(page.row("12")[4].replace("−", "-")) == pytest.approx(-peak, rel=1e-5)
    ledger, counts = shear.ledger, ("newton", "krylov", "substeps")
    assert f"the work {ledger.work[-1] / 1e6:.4g} MJ/m³" in page.seen
    assert f"{ledger.dissipated[-1] / 1e6:.4g} MJ/m³ dissipated" in page.seen
    assert "it is symmetric" in page.seen
    assert page.row("5")[1:] == ["1.125", *(f"{shear.columns[n][5]:.0f}" for n in counts)]
    found = {a["href"] for a in page.all("a") if not a["href"].startswith("#")}
    assert found == {"load_shear.csv", "load_shear.vtkhdf"}
    assert len([a for a in page.all("img") if "of shear" in a["alt"]]) == 3
    assert set(scenes_of(layers / "report.html")) == {"curve-shear", "ledger-shear"}
    elsewhere = Page(write_report(layers, tmp_path / "r.html"))
    assert all((tmp_path / a["href"]).exists() for a in elsewhere.all("a") if "load_" in a["href"])


def test_the_evidence_of_a_history_is_good(layers: Path, shear: OpenedLoad) -> None:
    found = {c.name: c.verdict for c in load_checks.load_checks_of(sb.open(layers), shear)}
    assert list(found.values()) == ["good"] * 4 + ["neutral"] * 2


@pytest.mark.parametrize(
    ("told", "columns", "name", "verdict"),
    [
        ({"converged": False, "message": "a limit load"}, {}, "Convergence", "bad"),
        ({"reached": 3}, {}, "Convergence", "bad"),
        ({"least_dissipation": -1.0}, {}, "Dissipation never decreases", "bad"),
        ({}, {"dissipated": lambda v: -v}, "Dissipation never decreases", "bad"),
        ({}, {"work": lambda v: 1.2 * v}, "Work = stored + dissipated", "look"),
        ({}, {"hill_mandel": lambda v: v + 0.1}, "Hill–Mandel", "look"),
    ],
)
def test_bad_evidence_is_marked(
    told: dict, columns: dict, name: str, verdict: str, layers: Path, shear: OpenedLoad
) -> None:
    spoilt = {key: f(shear.columns[key]) for key, f in columns.items()}
    load = replace(shear, **told, columns={**shear.columns, **spoilt})
    found = {c.name: c.verdict for c in load_checks.load_checks_of(sb.open(layers), load)}
    assert found[name] == verdict


def test_histories_that_ended_early_are_told_at_the_top(changed: Callable[..., Path]) -> None:
    failure = "shear did not converge: the step to t = 1 failed"
    folder = changed((failure,), converged=False, message="the step to t = 1 failed", reached=4)
    seen = Page(write_report(folder)).seen
    top = seen[: seen.index("Microstructure")]
    assert "Not to be relied on" in top
    assert failure in top
    assert "4 of 12 steps" in seen


def test_interrupted_histories_say_how_far_they_came(changed: Callable[..., Path]) -> None:
    folder = changed(converged=False, message="interrupted by the user", reached=4)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"interrupted": True}))
    run = sb.open(folder)
    assert run.warnings[1] == "shear: 4 of 12 steps were followed"


def test_a_history_that_never_left_rest_has_a_page(
    changed: Callable[..., Path], shear: OpenedLoad
) -> None:
    table = {name: values[:1].tolist() for name, values in shear.columns.items()}
    ledger = {"least_dissipation": None}
    folder = changed(table=table, reached=0, converged=False, ledger=ledger, tangent=None)
    for file in folder.glob("*shear*"):
        file.unlink()
    page = Page(write_report(folder))
    assert "0 of 12 steps" in page.seen
    assert not [a for a in page.all("a") if "load_" in a["href"]]
    assert all(a["src"] for a in page.all("img"))
    assert "0 of 12 steps" in repr(sb.open(folder))


def test_what_a_summary_calls_a_history_is_text(changed: Callable[..., Path]) -> None:
    folder = changed(units={"stress": WICKED})
    summary = json.loads((folder / "summary.json").read_text())
    summary["loads"] = {WICKED: summary["loads"]["shear"]}
    (folder / "summary.json").write_text(json.dumps(summary))
    page = write_report(folder)
    assert WICKED not in page.read_text(encoding="utf-8")
    assert WICKED not in json.dumps(scenes_of(page))
    assert Page(page).seen.count(WICKED) >= 4


def test_a_sweep_lays_curves_over_one_another(swept: Path) -> None:
    page = Page(write_report(swept))
    assert "load history shear" in page.seen
    runs = [point.open() for point in sb.open(swept).points]
    for run in runs:
        largest = np.abs(run.loads["shear"].columns["stress_12"]).max()
        row = page.row(str(runs.index(run) + 1))
        assert float(row[2].replace("−", "-")) == pytest.approx(-largest / 1e6, rel=1e-4)
    drawn = [a["alt"] for a in page.all("img") if a["src"].startswith("data:image/svg")]
    assert drawn == ["shear: stress 12 over strain 12 of several points"]


# ---- charts


def test_turning_points_are_where_a_quantity_turns_or_rests() -> None:
    found = charts.turning_points(np.array([0, 1, 2, 1, 0, 0, 0, 1]))
    np.testing.assert_array_equal(np.flatnonzero(found), [2, 4, 6])


def test_charts_mark_the_turning_points_and_hide_what_is_not_driven(shear: OpenedLoad) -> None:
    figure = charts.curve_chart(shear)
    traces = {trace["name"]: trace for trace in figure["data"]}
    assert traces["12"]["visible"] is True
    assert traces["11"]["visible"] is True
    assert traces["22"]["visible"] == "legendonly"  # it contracts, but no stress acts on it
    sizes = np.array(traces["12"]["marker"]["size"])
    np.testing.assert_array_equal(np.flatnonzero(sizes == sizes.max()), [4])
    sizes = np.array(charts.curve_chart(shear, [0.0, 1.0, 2.0])["data"][-1]["marker"]["size"])
    np.testing.assert_array_equal(np.flatnonzero(sizes == sizes.max()), [0, 4, 12])
    np.testing.assert_allclose(traces["12"]["y"], shear.columns["stress_12"] / 1e6, rtol=1e-6)
    assert figure["layout"]["yaxis"]["title"]["text"] == "stress [MPa]"


def test_where_the_strain_is_held_the_stress_is_shown_over_time(shear: OpenedLoad) -> None:
    strain = np.minimum(shear.columns["strain_12"], shear.columns["strain_12"][1])
    strain[1:] = strain[1]
    held = replace(shear, columns={**shear.columns, "strain_12": strain})
    menu = charts.curve_chart(held)["layout"]["updatemenus"][0]
    assert menu["buttons"][0]["label"] == "stress over time"
    menu = charts.curve_chart(shear)["layout"]["updatemenus"][0]
    assert menu["buttons"][0]["label"] == "stress over strain"


@needs_browser
def test_charts_live_in_a_browser_also_without_webgl(layers: Path, tmp_path: Path) -> None:
    report = write_report(layers, tmp_path / "r.html")
    curve = "document.querySelector('[data-scene=\"curve-shear\"]')"
    title = f"{curve}.querySelector('.ytitle').textContent"
    with Browser(420, 900) as browser:
        no_webgl = "HTMLCanvasElement.prototype.getContext = () => null"
        browser("Page.addScriptToEvaluateOnNewDocument", source=no_webgl)
        browser.open(report)
        browser.run(f"{curve}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        browser.wait(f"{curve}.dataset.ready === 'yes'")
        assert browser.run(title) == "stress [MPa]"
        click = "dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        browser.run(f"{curve}.querySelector('.updatemenu-header').{click}")
        last = "[...document.querySelectorAll('.updatemenu-dropdown-button')].at(-1)"
        browser.wait(f"{last} !== undefined")
        browser.run(f"{last}.{click}")
        browser.wait(f"{title}.startsWith('strain')")
        assert browser.run("document.documentElement.scrollWidth") <= 420
    assert browser.errors == []
