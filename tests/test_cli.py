"""The command line, in process where possible: each subprocess costs a second of imports."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from command import Outcome, command, the_one_error
from scalebridge import cli, upscaling
from scalebridge.cli import main
from scalebridge.errors import Interrupted
from scalebridge.study.console import BarProgress, PlainProgress, show_sweep
from scalebridge.study.job import Job
from scalebridge.study.phases import Phase, parse_phase
from scalebridge.study.results import read_results
from scalebridge.upscaling import Effective, Progress
from scalebridge.upscaling.evidence import HillMandel

SOFT, HARD = {"k": 1.0, "E": 1.0, "nu": 0.3}, {"k": 10.0, "E": 10.0, "nu": 0.2}
BOTH = [
    "--spacing",
    "0.5",
    "--phase",
    "soft=0,k=1,E=1,nu=0.3",
    "--phase",
    "hard=1,k=10,E=10,nu=0.2",
]
CONDUCTION = ["--spacing", "0.5", "--phase", "soft=0,k=1", "--phase", "hard=1,k=10"]


def run(*words: object) -> Outcome:
    """Run ``scalebridge homogenize …`` in this process."""
    return command("homogenize", *words)


@pytest.fixture(scope="module")
def laminate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight by six voxels, layers across x, six soft and two hard."""
    path = tmp_path_factory.mktemp("image") / "laminate.npy"
    np.save(path, np.repeat([0, 0, 0, 0, 0, 0, 1, 1], 6).reshape(8, 6).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def done(laminate: Path) -> Outcome:
    out = laminate.parent / "done"
    return run(laminate, *BOTH, "--plane", "strain", "--out", out)


def fake(tensor: np.ndarray, **changes: Any) -> Effective:
    """Return a result that nothing computed."""
    values: dict[str, Any] = {
        "tensor": tensor,
        "physics": "conduction",
        "dim": len(tensor),
        "tolerance": 1e-6,
        "measure": "tensor",
        "iterations": (3,),
        "residual": 1e-4,
        "error_estimate": 1e-7,
        "hill_mandel": HillMandel(1e-9, 1e-8),
        "hourglass": None,
        "converged": True,
        "message": "",
        "warnings": (),
        "timings": {"setup": 0.1, "solve": 0.2},
        "peak_memory": 1000,
    }
    return Effective(**(values | changes))


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def effective(*_: object, **__: object) -> None:
        raise AssertionError("the computation began")

    monkeypatch.setattr(upscaling, "effective", effective)


# ---- the main job


def layered(physics: str) -> np.ndarray:
    """Return the exact tensor of the laminate: Backus (1962), layers across x, plane strain."""

    def mean(values: np.ndarray) -> float:
        return float(np.average(values, weights=[0.75, 0.25]))

    k, E, nu = (np.array([SOFT[name], HARD[name]]) for name in ("k", "E", "nu"))
    if physics == "conduction":
        return np.diag([1 / mean(1 / k), mean(k)])
    mu = E / (2 * (1 + nu))
    lam = E * nu / ((1 + nu) * (1 - 2 * nu))
    M = lam + 2 * mu
    C11 = 1 / mean(1 / M)
    C12 = mean(lam / M) * C11
    C22 = mean(M - lam**2 / M) + mean(lam / M) ** 2 * C11
    return np.array([[C11, C12, 0], [C12, C22, 0], [0, 0, 1 / mean(1 / (2 * mu))]])


def test_the_laminate_is_exact_and_every_file_is_there(laminate: Path, done: Outcome) -> None:
    assert done.code == 0, done.err
    out = laminate.parent / "done"
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for physics in ("conduction", "elasticity"):
        result = summary["results"][physics]
        np.testing.assert_allclose(result["tensor"], layered(physics), rtol=1e-8, atol=1e-8)
        assert result["evidence"]["converged"]
        assert result["evidence"]["error_estimate"] < 1e-6
    names = {Path(name).name for name in summary["files"]}
    assert names == {item.name for item in out.iterdir()}
    assert names == {
        "microstructure.png",
        "field_conduction.png",
        "field_elasticity.png",
        "overview.png",
        "results.vtkhdf",
        "summary.json",
    }
    assert all(name in done.out for name in summary["files"])


def test_the_results_file_holds_fields_and_provenance(laminate: Path, done: Outcome) -> None:
    assert done.code == 0
    results = read_results(laminate.parent / "done" / "results.vtkhdf")
    assert results.microstructure.names == ("soft", "hard")
    np.testing.assert_allclose(results.tensors["elasticity"], layered("elasticity"), atol=1e-7)
    # Across the layers the flux is uniform; so is the strain along them.
    flux = results.fields["flux"]
    np.testing.assert_allclose(flux[0], layered("conduction")[0, 0], rtol=1e-5)
    np.testing.assert_allclose(results.fields["flux_magnitude"], np.abs(flux[0]), rtol=1e-5)
    np.testing.assert_allclose(results.fields["strain"][1], 0.0, atol=1e-5)
    stress = results.fields["stress"]
    assert stress.shape == (6, 8, 6)
    np.testing.assert_allclose(stress[0], layered("elasticity")[0, 0], rtol=1e-5)
    np.testing.assert_allclose(stress[2, 0], SOFT["nu"] * (stress[0, 0] + stress[1, 0]), rtol=1e-9)
    told = results.provenance
    assert told["run"]["command"][:3] == ["scalebridge", "homogenize", str(laminate)]
    assert len(told["image"]["sha256"]) == 64
    assert {"scalebridge", "jax", "numpy", "python"} <= set(told["run"]["versions"])
    assert told["results"]["conduction"]["evidence"]["tolerance"] == 1e-6
    assert told["wall_seconds"] > 0


def test_people_see_the_image_progress_and_a_table(done: Outcome) -> None:
    assert "2D image of 8 × 6 voxels" in done.err
    for case in (1, 2, 3):
        assert f"elasticity, load case {case} of 3: iteration " in done.err
    assert "residual" in done.err
    assert "Effective conductivity" in done.out
    assert "1.29032" in done.out
    assert "E1_plane_strain" in done.out
    assert "asked for 1e-06" in done.out
    assert "Hill–Mandel" in done.out
    assert "\x1b" not in done.out + done.err


def test_json_is_all_there_is_on_stdout(laminate: Path, tmp_path: Path) -> None:
    args = [laminate, *CONDUCTION, "--json", "--no-fields", "--out", tmp_path]
    outcome = run(*args)
    assert outcome.code == 0
    summary = json.loads(outcome.out)
    assert summary == json.loads((tmp_path / "summary.json").read_text()) | {"write_errors": []}
    assert summary["image"]["phases"]["hard"]["volume_fraction"] == 0.25
    np.testing.assert_allclose(summary["results"]["conduction"]["tensor"], layered("conduction"))
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "microstructure.png",
        "results.vtkhdf",
        "summary.json",
    ]
    quiet = run(*args, "--quiet")
    assert quiet.err == ""
    assert (
        json.loads(quiet.out)["results"]["conduction"]["tensor"]
        == (summary["results"]["conduction"]["tensor"])
    )


@pytest.mark.parametrize("shape", [["2", "3", "4"], ["2,3,4"]])
def test_raw_images_are_read_flipped_and_cropped(
    shape: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = (np.arange(24).reshape(2, 3, 4) % 5 > 1).astype(np.uint8)
    (tmp_path / "scan.raw").write_bytes(labels.tobytes(order="F"))
    monkeypatch.setattr(upscaling, "effective", lambda *_, **__: fake(np.eye(3)))
    layout = ["--shape", *shape, "--dtype", "uint8", "--order", "F", "--flip", "yz"]
    layout += ["--crop", "y=1:,z=-3:3"]
    outcome = run(
        tmp_path / "scan.raw", *layout, *CONDUCTION, "--no-fields", "--out", tmp_path / "out"
    )
    assert outcome.code == 0, outcome.err
    results = read_results(tmp_path / "out" / "results.vtkhdf")
    np.testing.assert_array_equal(results.microstructure.labels, labels[:, ::-1, ::-1][:, 1:, 1:3])
    assert results.provenance["run"]["options"]["shape"] == [2, 3, 4]


def test_all_boundary_conditions_between_their_bounds(laminate: Path, tmp_path: Path) -> None:
    outcome = run(laminate, *BOTH, "--plane", "stress", "--boundary", "all", "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert {"bounds_conduction.png", "bounds_elasticity.png"} <= {
        p.name for p in tmp_path.iterdir()
    }
    for words in ("Bounds and boundary conditions, elasticity", "Reuss", "static", "Hashin–Shtrik"):
        assert words in outcome.out
    assert "conduction, kinematic, load case 1 of 2: iteration" in outcome.err
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    told = summary["bounds"]["conduction"]
    assert told["ordered"]
    assert list(told["tensors"]) == ["Reuss", "static", "periodic", "kinematic", "Voigt", "through"]
    across = {name: tensor[0][0] for name, tensor in told["tensors"].items()}
    exact = layered("conduction")[0, 0]
    # Layers across x are in series under every boundary condition but the affine one.
    for name in ("Reuss", "static", "periodic", "through"):
        assert across[name] == pytest.approx(exact, rel=1e-6)
    assert exact < across["kinematic"] < across["Voigt"] == pytest.approx(3.25)
    stored = read_results(tmp_path / "results.vtkhdf").tensors
    np.testing.assert_array_equal(stored["conduction kinematic"], told["tensors"]["kinematic"])
    assert "E1" in summary["results"]["elasticity"]["engineering_constants"]  # of plane stress


def test_no_number_of_a_wide_table_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["laws.spheres.elasticity.E", *(f"stiff.C{i}{i}" for i in range(1, 7))]
    point = {"point": 1, **dict.fromkeys(names, 1.23456e10)}
    sweep = {"parameters": names[:1], "count": 1, "points": [point], "units": {"stiff": "Pa"}}
    show_sweep({"sweep": sweep, "kept": 0, "files": []})
    told = capsys.readouterr().out
    assert "stiff [Pa]" in told
    assert told.count("1.23456e+10") == 7
    assert "…" not in told


def test_conditions_by_axis_and_tortuosity(laminate: Path, tmp_path: Path) -> None:
    """A pore of three quarters along y: nothing passes along x, all of it straight along y."""
    words = ["--spacing", "1", "--phase", "pore=0,k=2", "--phase", "solid=1,k=0", "--no-fields"]
    outcome = run(laminate, *words, "--boundary", "through", "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "Transport through pore" in outcome.out
    assert re.search(r"tortuosity factor, ε k / k_eff +– +1 *\n", outcome.out)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    result = summary["results"]["conduction"]
    assert result["boundary"] == "through"
    assert result["tortuosity"]["factor"]["x"] is None
    assert result["tortuosity"]["factor"]["y"] == pytest.approx(1.0)
    outcome = run(laminate, *words, "--boundary", "x=free,y=kinematic", "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "x free, y kinematic" in outcome.out
    words = ["--spacing", "1", *ELASTIC_PHASES, "--plane", "strain", "--no-fields"]
    plates = "x=kinematic/free,y=free/kinematic"
    outcome = run(laminate, *words, "--boundary", plates, "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "x kinematic/free, y free/kinematic" in outcome.out


# ---- bad input


TWO_PHASES = ["--phase", "a=0,k=1", "--phase", "b=1,k=2"]
ELASTIC_PHASES = ["--phase", "a=0,E=1,nu=0.3", "--phase", "b=1,E=2,nu=0.3"]
ARGUMENTS = {
    "spacing absent": (["--phase", "a=0,k=1"], "--spacing is missing; give the voxel size"),
    "spacing zero": (["--spacing", "0", "--phase", "a=0,k=1"], "--spacing must be > 0"),
    "spacing nan": (["--spacing", "nan", "--phase", "a=0,k=1"], "--spacing must be > 0"),
    "spacing a word": (["--spacing", "1um", "--phase", "a=0,k=1"], "must be a number"),
    "no phase": (["--spacing", "1"], "no phase is given; add one"),
    "no law": (["--spacing", "1", "--phase", "a=0"], "'a' has no law for anything; add k=…"),
    "one law missing": (["--phase", "a=0,k=1", "--phase", "b=1"], "'b' has no law for conduction"),
    "laws of two kinds": (
        ["--phase", "a=0,k=1,E=1,nu=0.1", "--phase", "b=1,k=1"],
        "'b' has no law for elasticity; add E=…,nu=…",
    ),
    "k negative": (["--phase", "a=0,k=-1"], "k must be ≥ 0, but is -1"),
    "k nan": (["--phase", "a=0,k=nan"], "k must be a finite number, but is nan"),
    "k a word": (["--phase", "a=0,k=high"], "k must be a number, but is 'high'"),
    "k empty": (["--phase", "a=0,k="], "must read key=value"),
    "E negative": (["--phase", "a=0,E=-1,nu=0.3"], "E must be ≥ 0, but is -1"),
    "nu a half": (["--phase", "a=0,E=1,nu=0.5"], "nu must lie in -1 < nu < 0.5, but is 0.5"),
    "nu minus one": (["--phase", "a=0,E=1,nu=-1"], "nu must lie in"),
    "nu absent": (["--phase", "a=0,E=1"], "E needs nu beside it"),
    "E absent": (["--phase", "a=0,nu=0.3"], "nu needs E beside it"),
    "unknown key": (["--phase", "a=0,Nu=0.3"], "unknown constant 'Nu' (did you mean 'nu'?)"),
    "key twice": (["--phase", "a=0,k=1,k=2"], "k is given twice"),
    "name twice": (["--phase", "a=0,k=1", "--phase", "a=1,k=2"], "'a' is given twice"),
    "no name": (["--phase", "0,k=1"], "must read NAME=LABEL or NAME=LOW:HIGH"),
    "label a word": (["--phase", "a=x,k=1"], "must have a whole-number label (void=0) or a range"),
    "label broken": (["--phase", "a=0.5,k=1"], "must have a whole-number label"),
    "overlap": (["--phase", "a=0:1,k=1", "--phase", "b=1,k=2"], "overlap"),
    "element": (["--phase", "a=0,k=1", "--element", "reducd"], "(did you mean 'reduced'?)"),
    "measure": (["--phase", "a=0,k=1", "--measure", "field"], "--measure must be one of"),
    "boundary": (["--phase", "a=0,k=1", "--boundary", "kinmatic"], "(did you mean 'kinematic'?)"),
    "boundary by axis": (
        ["--phase", "a=0,k=1", "--boundary", "x=static,x=free"],
        "--boundary must be a name or one for each axis",
    ),
    "boundary of an unknown axis": (
        [*TWO_PHASES, "--boundary", "x=static,q=free"],
        "--boundary must name each of the axes ['x', 'y'], but names ['x', 'q']",
    ),
    "rollers for conduction": (
        [*TWO_PHASES, "--boundary", "rollers"],
        "'rollers' is for mechanics",
    ),
    "through for elasticity": (
        [*ELASTIC_PHASES, "--plane", "strain", "--boundary", "through"],
        "'through' is for conduction",
    ),
    "static void faces": (
        ["--phase", "a=0,k=1", "--phase", "b=1,k=0", "--boundary", "static"],
        "of them are void and cannot carry it, which is infeasible",
    ),
    "plane unknown": ([*ELASTIC_PHASES, "--plane", "stres"], "(did you mean 'stress'?)"),
    "tolerance": (["--phase", "a=0,k=1", "--tolerance", "0"], "--tolerance must lie between"),
    "tolerance word": (["--phase", "a=0,k=1", "--tolerance", "x"], "'--tolerance'"),
    "field tolerance": (["--phase", "a=0,k=1", "--field-tolerance", "2"], "--field-tolerance must"),
    "iterations": (["--phase", "a=0,k=1", "--max-iterations", "0"], "must be ≥ 1, but is 0"),
    "flip": (["--phase", "a=0,k=1", "--flip", "w"], "--flip must name axes among x, y and z"),
    "crop": (
        ["--phase", "a=0,k=1", "--crop", "x=4"],
        "--crop must be START:STOP in voxels by axis",
    ),
    "crop twice": (["--phase", "a=0,k=1", "--crop", "x=0:2,x=0:4"], "--crop must be START:STOP"),
    "crop along no axis": (
        [*CONDUCTION, "--crop", "z=0:4"],
        "must name axes among x, y, but names z",
    ),
    "crop beyond": ([*CONDUCTION, "--crop", "x=0:9"], "--crop must lie within 0 to 8 along axis x"),
    "shape": (["--phase", "a=0,k=1", "--shape", "4"], "--shape must be two or three whole numbers"),
    "shape zero": (["--phase", "a=0,k=1", "--shape", "4,0,4"], "--shape must be two or three"),
    "shape of npy": (["--phase", "a=0,k=1", "--shape", "8,6"], "--shape must be given for raw"),
    "misspelt option": (["--phase", "a=0,k=1", "--elemnt", "full"], "No such option: --elemnt"),
    "label without a name": (["--phase", "a=0,k=1"], "12 of 48 voxels hold others: 1"),
    "phase without a voxel": (
        ["--phase", "a=0,k=1", "--phase", "b=1,k=1", "--phase", "c=7,k=1"],
        "no voxel of 'c'",
    ),
    "plane absent": (
        ["--phase", "a=0,E=1,nu=0", "--phase", "b=1,E=1,nu=0"],
        "--plane must be 'strain', 'stress' or 'generalized'",
    ),
}


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("what", ARGUMENTS)
def test_bad_arguments_get_one_line(what: str, laminate: Path, tmp_path: Path) -> None:
    words, told = ARGUMENTS[what]
    spacing = [] if what.startswith("spacing") or "--spacing" in words else ["--spacing", "1"]
    outcome = run(laminate, *words, *spacing, "--out", tmp_path / "out")
    assert told in the_one_error(outcome)
    assert not (tmp_path / "out").exists()


def bad_images(folder: Path) -> Iterator[tuple[str, str]]:
    yield "absent.tif", "does not exist; check the path"
    np.save(folder / "four.npy", np.zeros((2, 3, 4, 5), np.uint8))
    yield "four.npy", "has 4 axes"
    tifffile.imwrite(folder / "four.tif", np.zeros((2, 3, 16, 16), np.uint8), imagej=True)
    yield "four.tif", "4"
    np.save(folder / "empty.npy", np.zeros((0, 3), np.uint8))
    yield "empty.npy", "is empty"
    np.save(folder / "thin.npy", np.zeros((4, 1, 4), np.uint8))
    yield "thin.npy", "at least 2 voxels along each axis"
    np.save(folder / "nan.npy", np.full((4, 4), np.nan))
    yield "nan.npy", "NaN"
    tifffile.imwrite(folder / "whole.tif", np.zeros((8, 64, 64), np.uint8))
    whole = (folder / "whole.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    yield "cut.tif", "cut.tif"
    (folder / "liar.tif").write_bytes((folder / "nan.npy").read_bytes())
    yield "liar.tif", "NPY"
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
    yield "picture.png", "PNG"


@pytest.mark.usefixtures("nothing_is_computed")
def test_bad_images_get_one_line(tmp_path: Path) -> None:
    for name, told in bad_images(tmp_path):
        outcome = run(tmp_path / name, *CONDUCTION, "--out", tmp_path / "out")
        message = the_one_error(outcome)
        assert name in message, message
        assert told in message, message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_is_computed")
def test_folders_that_cannot_be_written_are_found_before(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run(laminate, *CONDUCTION, "--out", laminate / "out")
    assert "must be writable" in the_one_error(outcome)
    monkeypatch.setattr("scalebridge.study.files.shutil.disk_usage", _Usage)
    outcome = run(laminate, *CONDUCTION, "--out", tmp_path)
    assert "has 0 MB free; free some space" in the_one_error(outcome)


class _Usage:
    free = 0

    def __init__(self, _: object) -> None: ...


# ---- a full disk


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("nothing_is_computed")
def test_a_disk_that_is_full_at_the_start_stops_the_job(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", no_space)
    outcome = run(laminate, *CONDUCTION, "--quiet", "--out", tmp_path)
    assert "the disk is full" in the_one_error(outcome)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_does_not_lose_the_numbers(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upscaling, "effective", lambda *_, **__: fake(np.diag([1.25, 5.5])))
    monkeypatch.setattr("scalebridge.study.results._write_cells", no_space)
    outcome = run(laminate, *CONDUCTION, "--no-fields", "--out", tmp_path, "--quiet")
    assert outcome.code == 2
    assert "1.25" in outcome.out
    assert outcome.err.count("\n") == 1
    assert "results.vtkhdf': the disk is full" in outcome.err
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "microstructure.png",
        "summary.json",
    ]


# ---- what does not end well


def test_a_solver_that_does_not_converge_is_told(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fake(np.eye(2), converged=False, message="load case 1: stalled; take 'full'")
    monkeypatch.setattr(upscaling, "effective", lambda *_, **__: result)
    outcome = run(laminate, *CONDUCTION, "--no-fields", "--out", tmp_path, "--quiet")
    assert outcome.code == 1
    assert outcome.err == "error: conduction did not converge: load case 1: stalled; take 'full'\n"
    assert (tmp_path / "results.vtkhdf").exists()


def test_faults_of_ours_get_one_line_and_a_traceback_on_request(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def effective(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr(upscaling, "effective", effective)
    words = [laminate, *CONDUCTION, "--out", tmp_path, "--quiet"]
    message = the_one_error(run(*words), code=1)
    assert "unexpected ZeroDivisionError: oh no" in message
    assert "--debug" in message
    with pytest.raises(ZeroDivisionError):
        run(*words, "--debug")

    def too_large(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(upscaling, "effective", too_large)
    assert "not enough memory; crop or coarsen" in the_one_error(run(*words), code=1)


def test_an_interrupt_inside_a_callback_of_the_interpreter_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Thing:
        pass

    thing = Thing()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), cli._stoppable() as came:  # noqa: PT012
        del thing  # the interpreter drops what its callback raises
        for _ in range(1000):
            time.sleep(0.01)
    assert kept() is None
    assert came == [signal.SIGINT] * 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_complete_files(
    number: signal.Signals,
    code: int,
    laminate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def effective(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 1)
        except KeyboardInterrupt:
            half = np.array([[1.25, np.nan], [np.nan, np.nan]])
            raise Interrupted(fake(half, converged=False, message="interrupted")) from None

    monkeypatch.setattr(upscaling, "effective", effective)
    outcome = run(laminate, *CONDUCTION, "--out", tmp_path, "--quiet")
    assert outcome.code == code
    assert outcome.err.startswith("stopped; complete files of what was done: ")
    assert "1.25" in outcome.out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["interrupted"]
    result = summary["results"]["conduction"]
    assert result["tensor"] == [[1.25, None], [None, None]]
    assert not result["evidence"]["complete"]
    tensor = read_results(tmp_path / "results.vtkhdf").tensors["conduction"]
    np.testing.assert_array_equal(tensor, [[1.25, np.nan], [np.nan, np.nan]])


def test_an_interrupt_before_anything_is_done(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(upscaling, "effective", stopped)
    outcome = run(laminate, *CONDUCTION, "--out", tmp_path / "late", "--quiet")
    assert outcome.code == 130
    assert json.loads((tmp_path / "late" / "summary.json").read_text())["results"] == {}
    monkeypatch.setattr("scalebridge.microstructure.read", stopped)
    outcome = run(laminate, *CONDUCTION, "--out", tmp_path / "early", "--quiet")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.startswith("stopped;")


def test_an_interrupt_that_a_library_turns_into_an_error(
    laminate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imports(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 1)
        except KeyboardInterrupt as stop:
            raise RuntimeError("a module could not be imported") from stop

    monkeypatch.setattr("scalebridge.study.phases.parse_phases", imports)
    outcome = run(laminate, *CONDUCTION, "--out", tmp_path)
    assert outcome == Outcome(130, "", "")


def test_ctrl_c_in_the_middle_of_a_real_computation(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, size=(24, 24, 24), dtype=np.uint8)
    np.save(tmp_path / "noise.npy", noise)
    words = ["noise.npy", "--spacing", "1", "--phase", "a=0,k=1", "--phase", "b=1,k=1e6"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scalebridge", "homogenize", *words, "--tolerance", "1e-12"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "load case 2" in line or "load case 1 of 3: iteration" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["interrupted"]
    names = {item.name for item in (tmp_path / "out").iterdir()}
    assert names == {"microstructure.png", "results.vtkhdf", "summary.json"}
    assert read_results(tmp_path / "out" / "results.vtkhdf").microstructure.shape == (24, 24, 24)
    assert str(Path("out") / "results.vtkhdf") in out


# ---- the shell itself


def test_help_and_bad_arguments_load_nothing_heavy() -> None:
    code = """
        import sys
        from scalebridge.cli import main
        heavy = {"jax", "matplotlib", "h5py", "scipy", "equinox"}
        assert main(["--help"]) == 0
        assert main(["homogenize", "--help"]) == 0
        assert not {*heavy, "numpy"} & set(sys.modules), sys.modules
        bad = ["homogenize", "x.tif", "--spacing", "1", "--phase", "a=0,k=-1"]
        assert main(bad) == 2
        assert not heavy & set(sys.modules)
    """
    lines = [line.removeprefix(8 * " ") for line in code.splitlines()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "homogenize" in done.stdout
    assert done.stderr.startswith("error: phase 'a': k must be ≥ 0")


def test_version_module_and_empty_call(capsys: pytest.CaptureFixture[str]) -> None:
    from scalebridge import __version__

    done = subprocess.run(
        [sys.executable, "-m", "scalebridge", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"scalebridge {__version__}\n"
    assert main([]) == 0
    assert "homogenize" in capsys.readouterr().out
    assert main(["homogenise"]) == 2
    assert capsys.readouterr().err.startswith("error: No such command")


names = st.text("abzNG09_-. é", min_size=1, max_size=9).map(str.strip).filter(bool)


@settings(deadline=None)
@given(name=names, low=st.integers(-99, 99), width=st.integers(0, 99), k=st.floats(0, 1e9))
def test_phases_are_read_as_written(name: str, low: int, width: int, k: float) -> None:
    text = f"{name}={low}:{low + width},k={k!r}"
    assert parse_phase(text) == Phase(name, (low, low + width), {"k": k})
    assert parse_phase(f"{name} = {low} , E = 0") == Phase(name, low, {"E": 0.0})


# ---- progress


def events() -> Iterator[Progress]:
    for case in range(3):
        for iteration in range(1, 30):
            yield Progress(case, 3, iteration, 10.0 ** (-iteration / 4), np.nan, 1e-6)


def test_plain_progress_is_a_line_for_each_load_case(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress({"residual": 1e-6})
    for event in events():
        progress.progress("conduction", event)
    progress.finished("conduction")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == ("conduction, load case 1 of 3: iteration 29, residual 5.6e-08 (to 1e-06)")


def test_on_a_terminal_progress_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with redirect_stderr(terminal):
        progress = BarProgress({"residual": 1e-6})
        progress.started("conduction")
        for event in events():
            progress.progress("conduction", event)
        progress.finished("conduction")
    assert "load case 3/3, iteration 29" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


def test_goals_are_what_the_solver_is_asked_for() -> None:
    def goals(**options: Any) -> dict[str, float]:
        return Job(Path("x"), 1.0, (Phase("a", 0, {"k": 1.0}),), **options).goals

    assert goals(fields=False) == {"error_estimate": 1e-6}
    assert goals(field_tolerance=1e-3) == {"residual": 1e-3, "error_estimate": 1e-6}
    assert goals(measure="residual", field_tolerance=1e-8) == {"residual": 1e-8}
