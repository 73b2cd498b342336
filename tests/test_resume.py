"""`scalebridge resume`: from the folder of results alone, after any end of a run."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from command import command, the_one_error
from scalebridge import upscaling
from scalebridge.errors import InputError, Interrupted
from scalebridge.study.results import read_results
from scalebridge.study.run import resume

EFFECTIVE = upscaling.effective
SWEEP = """\
microstructure:
  type: image
  path: scans/labels.npy
  spacing: 1
  phases: {soft: 0, hard: 1}
laws:
  soft: {conduction: {type: conduction, k: 1}}
  hard: {conduction: {type: conduction, k: 10}}
cells:
  heat: {physics: conduction, fields: false}
sweep:
  parameters:
    laws.hard.conduction.k: [3, 5, 10, 20, 40, 80]
"""


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A sweep of six points over an image, in a project of its own."""
    project = tmp_path / "project"
    (project / "scans").mkdir(parents=True)
    labels = np.random.default_rng(0).integers(0, 2, (8, 6))
    np.save(project / "scans" / "labels.npy", labels)
    (project / "study.yaml").write_text(SWEEP, encoding="utf-8")
    return project / "study.yaml"


def refusal(*words: object) -> str:
    """Return the message with which ``scalebridge resume`` refuses."""
    return the_one_error(command("resume", *words))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the solves."""
    whole, counted = upscaling.effective, []

    def effective(*arguments: Any, **options: Any) -> Any:
        counted.append(1)
        return whole(*arguments, **options)

    monkeypatch.setattr(upscaling, "effective", effective)
    return counted


def stop_after(count: int, study: Path, *options: object) -> Path:
    """Run a study, press Ctrl-C in the cell after `count`, and return the folder of results."""
    with pytest.MonkeyPatch.context() as patch:
        counted: list[int] = []

        def effective(*arguments: Any, **given: Any) -> Any:
            counted.append(1)
            if len(counted) > count:
                raise Interrupted(None)
            return EFFECTIVE(*arguments, **given)

        patch.setattr(upscaling, "effective", effective)
        assert command("run", study, "--quiet", *options).code == 130
    return study.parent / "out"


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_stopped_sweep_goes_on(study: Path, calls: list[int]) -> None:
    out = stop_after(2, study)
    assert len(table(out)) == 2
    outcome = command("resume", out, "--quiet")
    assert outcome.code == 0, outcome
    assert len(calls) == 4
    assert "6 of 6 points, 2 of them kept from before" in outcome.out
    again = command("resume", out, "--json", "--quiet")
    assert again.code == 0
    assert again.err == "nothing was left to do\n"
    summary = json.loads(again.out)
    assert summary["kept"] == 6
    assert [row["point"] for row in summary["sweep"]["points"]] == [1, 2, 3, 4, 5, 6]
    assert len(calls) == 4


def test_a_single_run_goes_on(study: Path, calls: list[int]) -> None:
    study.write_text(SWEEP.partition("sweep:")[0], encoding="utf-8")
    out = stop_after(0, study)
    outcome = command("resume", out)
    assert outcome.code == 0, outcome
    assert len(calls) == 1
    assert "Effective conductivity" in outcome.out
    moved = out.rename(out.with_name("moved"))
    again = resume(moved)
    assert again["kept"] == 1
    assert str(moved / "results.vtkhdf") in again["files"]
    assert len(calls) == 1


@pytest.mark.parametrize("moved", ["project", "results", "both apart"])
def test_folders_may_move(moved: str, study: Path, tmp_path: Path, calls: list[int]) -> None:
    out = stop_after(2, study)
    if moved == "project":
        out = study.parent.rename(tmp_path / "elsewhere") / "out"
    elif moved == "results":
        out = out.rename(tmp_path / "kept")
    else:
        out = out.rename(tmp_path / "kept")
        study.parent.rename(tmp_path / "elsewhere")
        message = refusal(out)
        assert "labels.npy' is gone; bring the image back" in message
        return
    assert command("resume", out, "--quiet").code == 0
    assert len(calls) == 4
    assert len(table(out)) == 6


def test_the_study_is_the_one_with_which_the_run_began(study: Path, calls: list[int]) -> None:
    out = stop_after(2, study)
    study.write_text(SWEEP.replace("k: 1}", "k: 2}"), encoding="utf-8")
    outcome = command("resume", out, "--quiet")
    assert outcome.code == 0
    assert len(calls) == 4
    assert outcome.err.startswith(f"note: {str(study)!r} has changed since; the run goes on with")
    told = json.loads((out / "point-006" / "summary.json").read_text(encoding="utf-8"))
    assert told["study"]["resolved"]["laws"]["soft"]["conduction"]["k"] == 1
    assert resume(out)["notes"]
    study.unlink()
    assert not resume(out)["notes"]


def test_an_image_that_has_changed_is_named(study: Path) -> None:
    out = stop_after(2, study)
    image = study.parent / "scans" / "labels.npy"
    np.save(image, np.eye(8, 6, dtype=int))
    assert f"the image {str(image)!r} has changed since; bring" in the_one_error(
        command("resume", out)
    )
    image.unlink()
    assert f"the image {str(image)!r} is gone; bring" in refusal(out)


def test_another_encoding(study: Path, calls: list[int]) -> None:
    study.write_text("# für später\n" + SWEEP, encoding="utf-16")
    out = stop_after(5, study)
    assert command("resume", out, "--quiet")[::2] == (0, "")
    assert len(calls) == 1


def test_what_cannot_be_gone_on_with(study: Path, tmp_path: Path) -> None:
    assert "none' must be a folder that `scalebridge run` wrote, but does not exist" in (
        refusal(tmp_path / "none")
    )
    assert "but is a file" in refusal(study)
    assert "but holds no study.json; check the path" in the_one_error(
        command("resume", study.parent)
    )
    out = stop_after(2, study)
    inside = refusal(out / "point-001")
    assert f"but is one point of a sweep; resume {str(out)!r}" in inside
    for text in ("{", "[]", "{}", '{"text": 5}'):
        (out / "study.json").write_text(text, encoding="utf-8")
        assert "study.json' must hold the study as the run left it" in the_one_error(
            command("resume", out)
        )
    (out / "study.json").unlink()
    assert "an older version did; run the study with" in the_one_error(
        command("resume", (out / "point-001").rename(tmp_path / "single"))
    )
    with pytest.raises(InputError, match=r"holds no study\.json"):
        resume(tmp_path)


def test_results_of_homogenize_tell_their_command(study: Path, tmp_path: Path) -> None:
    image = study.parent / "scans" / "labels.npy"
    words = [image, "--spacing", "1", "--phase", "a=0,k=1", "--phase", "b=1,k=2"]
    words += ["--no-fields", "--quiet", "--out", tmp_path / "by hand"]
    assert command("homogenize", *words).code == 0
    told = refusal(tmp_path / "by hand")
    assert (
        f"`scalebridge homogenize` did; run that command again: scalebridge homogenize {image}"
        in told
    )
    assert "'" + str(tmp_path / "by hand") + "'" in told


def test_another_study_in_the_same_folder(study: Path, calls: list[int]) -> None:
    """What the folder tells is of one study at any moment."""
    assert command("run", study, "--quiet").code == 0
    study.write_text(SWEEP.replace("k: 1}", "k: 2}"), encoding="utf-8")
    out = stop_after(0, study)
    assert table(out) == []
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["sweep"]["points"] == []
    assert resume(out)["kept"] == 0
    assert len(calls) == 12
    assert len(table(out)) == 6


# ---- killed at any moment


def whole(out: Path) -> int:
    """Check that every file under its final name is whole, and return the number of points told."""
    for path in out.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        match path.suffix:
            case ".json":
                json.loads(path.read_text(encoding="utf-8"))
            case ".vtkhdf":
                assert read_results(path).microstructure.shape == (8, 6)
            case ".png":
                with Image.open(path) as picture:
                    picture.load()
            case ".csv":
                assert path.read_text(encoding="utf-8").endswith("\n")
            case _:
                raise AssertionError(path)
    if not (out / "summary.json").exists():
        return 0
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert all(Path(name).is_file() for name in summary["files"])
    for row in summary["sweep"]["points"]:
        point = json.loads((out / f"point-{row['point']:03d}" / "summary.json").read_text())
        assert all(Path(name).is_file() for name in point["files"])
        assert row["heat.k11"] == point["results"]["heat"]["tensor"][0][0]
    return len(summary["sweep"]["points"])


def tensors(out: Path) -> list[bytes]:
    return [read_results(p).tensors["heat"].tobytes() for p in sorted(out.rglob("*.vtkhdf"))]


@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_whole_and_goes_on(study: Path, tmp_path: Path) -> None:
    study.write_text(SWEEP.replace(", fields: false", ""), encoding="utf-8")
    words = [sys.executable, "-m", "scalebridge"]
    subprocess.run([*words, "run", study, "--quiet", "--out", tmp_path / "once"], check=True)
    out, rng, points = study.parent / "out", random.Random(0), []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        shutil.rmtree(out, ignore_errors=True)
        run = subprocess.Popen([*words, "run", study, "--quiet"], stderr=subprocess.PIPE, text=True)
        done = rng.randrange(6)
        sign = out / f"point-{done:03d}" / "summary.json" if done else out / "study.json"
        while not sign.exists() and run.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        os.kill(run.pid, number)
        told = run.communicate(timeout=60)[1]
        assert run.returncode in (-number, 128 + number, 0), told
        assert "Traceback" not in told, told
        points.append(whole(out))
        resume(out)
        assert whole(out) == 6
        assert not list(out.rglob(".*"))
        assert tensors(out) == tensors(tmp_path / "once")
        assert (out / "sweep.csv").read_bytes() == (tmp_path / "once" / "sweep.csv").read_bytes()
    assert any(0 < count < 6 for count in points), points
