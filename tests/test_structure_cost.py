"""What a structure of cells costs: predicted and measured by the same terms."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from command import command, the_one_error
from scalebridge.study import structure_cost
from scalebridge.study.build import Builder
from scalebridge.study.plan import StructureRequest
from scalebridge.study.structure_cost import describe_cost, measured, memory_of_states, predict
from scalebridge.study.studyfile import read_study
from test_structure_study import STUDY
from test_workers import mpiexec


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


def request_of(folder: Path, text: str = STUDY) -> StructureRequest:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    file = read_study(path)
    return Builder(file).plan(file.points[0], folder, {}, "").structures["strip"]


def solved(request: StructureRequest) -> Any:
    return request.structure.solve(
        request.times.tolist(),
        tolerance=request.tolerance,
        newton_iterations=request.newton_iterations,
        cuts=request.cuts,
    )


def test_a_pilot_of_small_cells_counts_what_the_run_counts(tmp_path: Path) -> None:
    """Cells of 4² voxels are their own coarse copies: all counts must be the run's."""
    request = request_of(tmp_path)
    predicted, solution = predict(request), solved(request)
    found = measured(solution)
    assert predicted.macro_iterations == found.macro_iterations == len(solution.calls)
    one, other = predicted.regions["body"], found.regions["body"]
    for name in ("answers", "iterations", "tangents"):
        assert getattr(one, name) == getattr(other, name) > 0, name
    assert one.answers == 8 * len(solution.calls)
    assert min(one.answer, one.iteration, one.tangent) >= 0
    assert one.seconds > 0
    # The terms measured make up what was measured.
    spent = sum(call.seconds for call in solution.calls)
    assert found.regions["body"].seconds == pytest.approx(spent, rel=1e-9)
    assert solution.timings is not None
    assert spent == pytest.approx(solution.timings["micro"], rel=1e-9)
    assert found.seconds <= solution.timings["total"]
    told = describe_cost(predicted, solution)
    assert told is not None
    terms = {term["name"]: term for term in told["terms"]}
    assert terms["body: tangents"]["predicted"] == terms["body: tangents"]["measured"]
    whole = [terms[n]["measured"] for n in ("body: micro problems", "assembly", "linear equations")]
    assert terms["all but first calls"]["measured"] == pytest.approx(sum(whole), rel=1e-12)
    state = request.structure.balance.regions[0].points.one_virgin()
    size = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state))
    assert memory_of_states(request.structure.balance) == 5 * 8 * size


def test_a_pilot_that_takes_long_is_extrapolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(tmp_path)
    whole = predict(request)
    monkeypatch.setattr(structure_cost, "_BUDGET", 0.0)
    part = predict(request)
    # Row 2 of 3 had begun; the last two are taken to cost as the first.
    assert 0.3 < part.regions["body"].answers / whole.regions["body"].answers < 3
    assert part.regions["body"].answers % 8 != 0 or part.macro_iterations != whole.macro_iterations


def test_estimate_run_and_report_tell_the_terms(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    estimate = command("estimate", path, "--json")
    assert estimate.code == 0, estimate
    told = json.loads(estimate.out)
    names = [term["name"] for term in told["structures"]["strip"]]
    assert "macroscopic iterations" in names
    assert "body: micro problems" in names
    assert told["time_seconds"]["structure strip"] > 0
    assert "structure strip" in told["memory_bytes"]
    assert not told["warnings"]
    shown = command("estimate", path)
    assert "body: linear iterations" in shown.out
    run = command("run", path, "--predict", "--quiet")
    assert run.code == 0, run
    cost = json.loads((tmp_path / "out" / "summary.json").read_text())["structures"]["strip"]
    predicted = {term["name"]: term["predicted"] for term in cost["cost"]["terms"]}
    assert predicted["first calls"] is None
    assert predicted["body: answers"] > 0
    assert command("report", tmp_path / "out").code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "body: linear iterations" in page
    assert "macroscopic iterations" in page


def test_workers_that_there_are_not(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    for words in ("two", "0"):
        told = the_one_error(command("run", path, "--workers", words, "--quiet"))
        assert f"but is {words!r}" in told
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.slow
def test_ranks_write_one_set_of_results(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    program = [sys.executable, "-m", "scalebridge"]
    words = ["run", str(path), "--workers", "mpi", "--json", "--quiet"]
    found = subprocess.run(
        [*mpiexec(2), *program, *words], capture_output=True, text=True, timeout=300, check=True
    )
    told = json.loads(found.stdout)  # of one rank
    assert told["structures"]["strip"]["reached"] == 3
    assert len(told["structures"]["strip"]["localized"]) == 2
    assert not list((tmp_path / "out").glob("*.checkpoint"))
    resumed = subprocess.run(
        [*mpiexec(2), *program, "resume", str(tmp_path / "out"), "--workers", "mpi"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "nothing was left to do" in resumed.stderr
