"""Opened results: the same numbers as were computed, refusals by name, tables and datasets."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

import scalebridge as sb
from scalebridge import upscaling
from scalebridge.cli import main
from scalebridge.errors import InputError
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_sweep import OpenedSweep, numbers_of
from scalebridge.study.results import read_results, write_results
from scalebridge.study.run import run_study

# Three soft layers and one hard one, across x: Reuss and Voigt are exact.
STUDY = """\
title: A laminate
microstructure:
  {type: laminate, shape: [8, 6], spacing: 2 um, fractions: [0.75, 0.25], names: [soft, hard]}
laws:
  soft:
    conduction: {type: conduction, k: 1 W/m/K}
    elasticity: {type: isotropic, E: 1, nu: 0.3}
  hard:
    conduction: {type: conduction, k: 10 W/m/K}
    elasticity: {type: isotropic, E: 10, nu: 0.2}
cells:
  heat: {physics: conduction, boundary: all}
  sheet: {physics: elasticity, plane: strain, fields: [11, 12]}
"""
PLAIN = STUDY.replace("boundary: all", "fields: false").replace("fields: [11, 12]", "fields: false")
SWEEP = """\
sweep:
  parameters:
    laws.hard.conduction.k: [2 W/m/K, 5 W/m/K]
    cells.sheet.plane: [strain, stress]
"""


@pytest.fixture(scope="module", autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


def study(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    run_study(folder / "study.yaml", out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def laminate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("laminate"), STUDY)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("swept"), PLAIN + SWEEP)


@pytest.fixture
def copied(laminate: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(laminate, tmp_path / "copy"))


# ---- one run


@pytest.mark.parametrize("name", ["", "summary.json", "results.vtkhdf"])
def test_a_run_opens_from_its_folder_and_from_its_files(laminate: Path, name: str) -> None:
    run = sb.open(laminate / name)
    assert isinstance(run, OpenedRun)
    heat, sheet = run.results["heat"], run.results["sheet"]
    harmonic, mean = 1 / (0.75 / 1 + 0.25 / 10), 0.75 * 1 + 0.25 * 10
    np.testing.assert_allclose(heat.tensor, np.diag([harmonic, mean]), atol=1e-5)
    assert (heat.unit, sheet.unit) == ("W/m/K", "")
    assert (heat.kind, sheet.kind) == ("conductivity", "stiffness")
    np.testing.assert_array_equal(sheet.voigt, sb.tensors.stiffness_to_voigt(sheet.tensor))
    assert heat.converged
    assert heat.tortuosity is None
    assert sheet.components == ("11", "22", "12")
    assert run.title == "A laminate"
    assert run.units == {"conduction": "W/m/K", "length": "m"}
    assert not run.interrupted
    assert run.warnings == ()


def test_bounds_come_back(laminate: Path) -> None:
    bounds = sb.open(laminate).bounds["heat"]
    assert list(bounds.tensors)[:2] == ["Reuss", "static"]
    assert bounds.results == ("static", "periodic", "kinematic", "through")
    assert bounds.is_ordered
    tensor = bounds.tensors["Voigt"]
    np.testing.assert_allclose(tensor, 3.25 * np.eye(2))
    assert bounds.isotropic(tensor)["k"] == pytest.approx(3.25)
    assert "order holds" in repr(bounds)


def test_fields_are_read_when_asked_for(laminate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = read_results(laminate / "results.vtkhdf")
    run = sb.open(laminate)
    assert set(run.fields) == set(stored.fields)
    assert "stress_12" in run.fields
    assert "stress" not in run.fields
    for name in run.fields:
        np.testing.assert_array_equal(run.fields[name], stored.fields[name])
    np.testing.assert_array_equal(run.microstructure.labels, stored.microstructure.labels)
    with pytest.raises(InputError, match=r"one of .* but is 'stres_12' \(did you mean 'stress_12'"):
        run.fields["stres_12"]
    (laminate / "results.vtkhdf").rename(laminate / "away.vtkhdf")
    try:
        with pytest.raises(InputError, match="results file"):
            run.fields["stress_12"]
    finally:
        (laminate / "away.vtkhdf").rename(laminate / "results.vtkhdf")


def test_what_a_run_shows_fits_a_screen(laminate: Path, swept: Path) -> None:
    text = repr(sb.open(laminate))
    assert len(text.splitlines()) < 25
    assert max(map(len, text.splitlines())) < 130
    for word in ("A laminate", "8 × 6", "hard 25 %", "[W/m/K]", "estimated error", "von_mises_12"):
        assert word in text
    text = repr(sb.open(swept))
    assert "4 of 4" in text
    assert "2 W/m/K, strain" in text


def test_provenance_tells_how_to_do_it_again(laminate: Path) -> None:
    run = sb.open(laminate)
    told = run.provenance
    assert told["versions"]["scalebridge"] == sb.__version__
    assert told["study"]["resolved"]["laws"]["hard"]["conduction"]["k"] == 10
    assert {path.name for path in run.files} >= {"results.vtkhdf", "bounds_heat.png"}


def test_a_run_of_the_command_line_opens(tmp_path: Path) -> None:
    np.save(tmp_path / "discs.npy", np.indices((8, 8)).sum(axis=0) // 4 % 2)
    words = ["homogenize", tmp_path / "discs.npy", "--spacing", "1", "--out", tmp_path / "out"]
    words += ["--phase", "a=0,k=1", "--phase", "b=1,k=0", "--no-fields", "--quiet"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main([str(word) for word in words]) == 0
    run = sb.open(tmp_path / "out")
    assert run.title == "discs.npy"
    assert run.results["conduction"].unit == ""
    told = run.results["conduction"].tortuosity
    assert told["phase"] == "a"
    assert set(told["factor"]) == {"x", "y"}
    assert len(run.fields) == 0
    with pytest.raises(InputError, match="stored none"):
        run.fields["flux"]


def test_an_interrupted_run_opens_with_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = upscaling.effective

    def stopped(cell: sb.Cell, **options: object) -> sb.Effective:
        if cell.physics == "conduction":
            return solve(cell, **options)
        events = []

        def stop(event: object) -> None:
            events.append(event)
            if event.case == 1:
                raise KeyboardInterrupt

        return solve(cell, **(options | {"progress": stop}))

    monkeypatch.setattr(upscaling, "effective", stopped)
    run = sb.open(study(tmp_path, STUDY))
    assert run.interrupted
    assert "interrupted" in run.warnings[0]
    sheet = run.results["sheet"]
    assert np.isfinite(sheet.tensor[0, 0])
    assert np.isnan(sheet.tensor[2, 2])
    assert not sheet.complete
    assert sheet.engineering_constants == {}
    assert "interrupted" in repr(run)
    assert run.table().loc["sheet", "converged"] == False  # noqa: E712


# ---- a sweep


def test_a_sweep_gives_its_points(swept: Path) -> None:
    sweep = sb.open(swept)
    assert isinstance(sweep, OpenedSweep)
    assert len(sweep.points) == sweep.count == 4
    assert not sweep.interrupted
    last = sweep.points[3]
    assert dict(last.parameters) == {
        "laws.hard.conduction.k": "5 W/m/K",
        "cells.sheet.plane": "stress",
    }
    run = last.open()
    assert run.results["sheet"].plane == "stress"
    assert run.results["heat"].tensor[1, 1] == pytest.approx(0.75 + 0.25 * 5)
    assert last.results["heat.k22"] == run.results["heat"].tensor[1, 1]


def test_tables_have_a_row_for_each_point_or_cell(laminate: Path, swept: Path) -> None:
    table = sb.open(swept).table()
    assert list(table.index) == [1, 2, 3, 4]
    assert list(table.columns[:2]) == ["laws.hard.conduction.k", "cells.sheet.plane"]
    assert table.loc[4, "heat.k22"] == pytest.approx(2.0)
    table = sb.open(laminate).table()
    assert list(table.index) == ["heat", "sheet"]
    assert table.loc["heat", "k22"] == pytest.approx(3.25)
    assert table.loc["heat", "unit"] == "W/m/K"
    assert np.isnan(table.loc["sheet", "k22"])
    assert table.loc["heat", "Voigt.k11"] == pytest.approx(3.25)


def test_the_dataset_of_a_full_grid_has_the_parameters_as_dimensions(swept: Path) -> None:
    data = sb.open(swept).dataset()
    assert data["heat.k22"].dims == ("laws.hard.conduction.k", "cells.sheet.plane")
    assert data["laws.hard.conduction.k"].values.tolist() == [2.0, 5.0]
    assert data["laws.hard.conduction.k"].attrs["units"] == "W/m/K"
    one = data.sel({"laws.hard.conduction.k": 5.0, "cells.sheet.plane": "stress"})
    assert float(one["heat.k22"]) == pytest.approx(2.0)
    assert int(one["point"]) == 4
    assert one["heat.converged"].dtype == bool


def test_the_dataset_of_other_points_runs_over_the_points(swept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "partial"))
    summary = json.loads((folder / "summary.json").read_text())
    del summary["sweep"]["points"][2]
    (folder / "summary.json").write_text(json.dumps(summary))
    sweep = sb.open(folder)
    assert sweep.interrupted
    data = sweep.dataset()
    assert data["heat.k22"].dims == ("point",)
    assert data["point"].values.tolist() == [1, 2, 4]
    assert data["laws.hard.conduction.k"].values.tolist() == [2.0, 2.0, 5.0]
    summary["sweep"]["points"] = []
    (folder / "summary.json").write_text(json.dumps(summary))
    assert len(sb.open(folder).table()) == 0
    with pytest.raises(InputError, match=r"no point of .* is done"):
        sb.open(folder).dataset()


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ([1, 2.5], ([1.0, 2.5], "")),
        (["72 GPa", "4e2 GPa"], ([72.0, 400.0], "GPa")),
        (["72 GPa", "4 MPa"], None),
        (["strain", "stress"], None),
        ([[1, 2], [3, 4]], None),
        ([True, False], None),
        ([1, "2 GPa"], None),
    ],
)
def test_swept_values_are_numbers_where_they_have_one_unit(column: list, found: object) -> None:
    assert numbers_of(column) == found


def test_the_dataset_of_a_run_lies_at_the_centres_of_the_voxels(laminate: Path) -> None:
    run = sb.open(laminate)
    data = run.dataset()
    np.testing.assert_allclose(data["x"], (np.arange(8) + 0.5) * 2e-6)
    assert data["x"].attrs["units"] == "m"
    assert data["labels"].dims == ("x", "y")
    assert data["labels"].attrs["flag_meanings"] == "soft hard"
    assert data["flux"].dims == ("direction", "x", "y")
    assert data["strain_12"].dims == ("component", "x", "y")
    assert data["stress_12"].dims == ("component_3d", "x", "y")
    np.testing.assert_array_equal(data["stress_12"], run.fields["stress_12"])
    assert data["heat_tensor"].attrs == {"quantity": "conductivity", "units": "W/m/K"}
    assert data["heat_bounds"].dims == ("heat_boundary", "heat_flux", "heat_gradient")
    along = data["heat_tensor"].sel(heat_flux="2", heat_gradient="2")
    assert float(along) == pytest.approx(3.25)
    assert set(run.dataset(fields=()).data_vars) == {
        "labels",
        "heat_tensor",
        "heat_bounds",
        "sheet_tensor",
    }


@pytest.mark.parametrize(("package", "method"), [("pandas", "table"), ("xarray", "dataset")])
def test_missing_packages_are_told_with_the_command(
    package: str, method: str, laminate: Path, swept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    for opened in (sb.open(laminate), sb.open(swept)):
        with pytest.raises(InputError, match=rf"{package}.*pip install 'scalebridge\[tables\]'"):
            getattr(opened, method)()


# ---- what is refused, by name


def refused(path: Path, *told: str) -> None:
    with pytest.raises(InputError) as caught:
        sb.open(path)
    assert "\n" not in str(caught.value)
    for words in told:
        assert words in str(caught.value)


def test_what_is_no_folder_of_results_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent", "absent", "does not exist")
    refused(tmp_path, tmp_path.name, "no folder of results", "--out")
    (tmp_path / "image.tif").write_bytes(b"")
    refused(tmp_path / "image.tif", "image.tif", "summary.json")
    (tmp_path / "summary.json").write_text('{"a": 1}')
    refused(tmp_path, "summary.json", "another program")


def test_half_written_folders_are_refused_with_the_way_out(copied: Path) -> None:
    summary = (copied / "summary.json").read_bytes()
    (copied / "summary.json").unlink()
    refused(copied, "no summary.json", "has not finished", f"`scalebridge resume {copied}`")
    assert sb.open(copied / "results.vtkhdf").title == "A laminate"
    (copied / "results.vtkhdf").unlink()
    refused(copied, "no summary.json", "has not finished", f"`scalebridge resume {copied}`")
    (copied / "point-001").mkdir()
    refused(copied, "no point is done", "scalebridge resume")
    (copied / "study.json").unlink()
    refused(copied, "no point is done", "--resume")
    (copied / "summary.json").write_bytes(summary)
    run = sb.open(copied)
    assert np.isfinite(run.results["heat"].tensor).all()
    with pytest.raises(InputError, match=r"results\.vtkhdf.* does not exist; run it again"):
        _ = run.microstructure


def test_files_of_different_runs_are_refused(copied: Path) -> None:
    summary = json.loads((copied / "summary.json").read_text())
    summary["wall_seconds"] += 1
    (copied / "summary.json").write_text(json.dumps(summary))
    refused(copied, "different runs", "go on with `scalebridge resume")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", ["summary.json", "results.vtkhdf"])
def test_truncated_files_are_refused(name: str, share: float, copied: Path) -> None:
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: int(share * len(whole))])
    refused(copied, name)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["results"]["heat"].pop("evidence"),
        lambda s: s["results"]["heat"].update(tensor="x"),
        lambda s: s.update(results=[1]),
        lambda s: s.update(loads={"tension": {"names": ["strain", "stress"]}}),
        lambda s: s["run"].clear(),
        lambda s: s["image"].update(phases=None) or s.update(image=[]),
        lambda s: s.update(sweep={"parameters": ["a"], "count": 1, "points": [{"point": 1}]}),
        lambda s: s.update(sweep=None),
    ],
)
def test_damaged_summaries_are_refused(change: object, copied: Path) -> None:
    summary = json.loads((copied / "summary.json").read_text())
    change(summary)
    (copied / "summary.json").write_text(json.dumps(summary))
    (copied / "results.vtkhdf").unlink()
    refused(copied, "summary.json", "damaged or of another program")


def test_results_files_of_other_hands_are_refused(tmp_path: Path) -> None:
    micro = sb.generate.checkerboard((4, 4))
    path = write_results(tmp_path / "mine.vtkhdf", micro, provenance={"note": "by hand"})
    refused(path, "mine.vtkhdf", "no summary", "read_results")
    with h5py.File(tmp_path / "foreign.vtkhdf", "w") as file:
        file.create_group("VTKHDF")
    refused(tmp_path / "foreign.vtkhdf", "foreign.vtkhdf", "must be a results file")


def test_nothing_in_a_file_is_executed(copied: Path, tmp_path: Path) -> None:
    """A pickle in the place of the summary is text that cannot be read."""
    script = f"cos\nsystem\n(S'touch {tmp_path / 'executed'}'\ntR.".encode()
    (copied / "summary.json").write_bytes(script)
    refused(copied, "summary.json")
    with h5py.File(copied / "results.vtkhdf", "a") as file:
        del file["scalebridge/provenance"]
        file["scalebridge/provenance"] = np.bytes_(script)
    refused(copied / "results.vtkhdf", "results.vtkhdf")
    assert not (tmp_path / "executed").exists()


def test_points_that_have_gone_are_told(swept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "swept"))
    shutil.rmtree(folder / "point-002")
    point = sb.open(folder).points[1]
    with pytest.raises(InputError, match=r"point-002.* does not exist"):
        point.open()
