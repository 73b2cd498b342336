"""Checkpoints of load histories: killed runs end as if they had not been, others are refused."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.errors import InputError
from scalebridge.study.checkpoint import describe_law

LABELS = (np.random.default_rng(3).random((4, 3, 5)) < 0.4).astype(int)
TIMES = np.linspace(0.0, 1.0, 7)
STRAIN = 0.01 * TIMES[:, None] * [1.0, -0.3, 0.0, 0.2, 0.0, 0.5]


def cell(yield_stress: float = 100.0) -> sb.Cell:
    laws = {
        "a": sb.laws.J2Plasticity(E=70e3, nu=0.3, yield_stress=yield_stress),
        "b": sb.laws.IsotropicElastic(E=400e3, nu=0.2),
    }
    return sb.Cell(sb.Microstructure(LABELS, 1.0, {"a": 0, "b": 1}), laws)


def drive(checkpoint: Any = None, **options: Any) -> Any:
    given = {"strain": STRAIN, "tangents": True, "keep": [2], **options}
    return sb.load(given.pop("cell", cell()), TIMES, checkpoint=checkpoint, **given)


def assert_same(one: Any, other: Any) -> None:
    for name in ("times", "stress", "strain", "tangents", "newton", "krylov"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name, values in vars(one.ledger).items():
        np.testing.assert_array_equal(values, getattr(other.ledger, name))
    for name, values in one.fields[2].items():
        np.testing.assert_array_equal(values, other.fields[2][name])


def test_killed_run_ends_bit_identical(tmp_path: Path) -> None:
    """SIGKILL in the middle of a row of another process."""
    file = tmp_path / "run.npz"
    script = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import scalebridge as sb
        from test_checkpoint import drive
        def slow(event):
            print(event.step, flush=True)
            time.sleep(0.2)
        drive(sb.Checkpoint({str(file)!r}), progress=slow)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "4":
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    assert file.exists()
    rows: list[int] = []
    resumed = drive(sb.Checkpoint(file), progress=lambda event: rows.append(event.step))
    assert rows[0] in (4, 5)
    assert_same(resumed, drive())


def test_finished_history_is_read_not_solved(tmp_path: Path) -> None:
    whole = drive(sb.Checkpoint(tmp_path / "run.npz"))
    told: list[Any] = []
    again = drive(sb.Checkpoint(tmp_path / "run.npz"), progress=told.append)
    assert not told
    assert_same(again, whole)


def test_rows_between_saves(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"

    def stop(history: Any) -> None:
        if len(history.times) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(sb.Checkpoint(file, every=2), committed=stop)
    rows: list[int] = []
    resumed = drive(sb.Checkpoint(file, every=2), progress=lambda event: rows.append(event.step))
    assert rows[0] == 5  # row 4 was the last to be saved
    assert_same(resumed, drive())


@pytest.mark.parametrize(
    "change",
    [{"cell": cell(yield_stress=101.0)}, {"strain": 1.1 * STRAIN}, {"tolerance": 1e-6}],
    ids=["law", "path", "tolerance"],
)
def test_checkpoints_of_other_problems_are_refused(tmp_path: Path, change: Any) -> None:
    drive(sb.Checkpoint(tmp_path / "run.npz"))
    with pytest.raises(InputError, match=r"run\.npz' is the checkpoint of another problem"):
        drive(sb.Checkpoint(tmp_path / "run.npz"), **change)


def test_truncated_and_foreign_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    drive(sb.Checkpoint(file))
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"run\.npz' must be a checkpoint, but cannot be read"):
            drive(sb.Checkpoint(file))
    np.savez(file, a=np.zeros(3))
    with pytest.raises(InputError, match=r"run\.npz' is not a checkpoint of scalebridge"):
        drive(sb.Checkpoint(file))
    with pytest.raises(InputError, match="`every` must be a whole number"):
        sb.Checkpoint(file, every=0)


def test_cells_within_cells_are_told_apart_by_what_they_are() -> None:
    """Not by where they lie in memory, which is elsewhere in each process."""

    def told(order: int, E: float = 7.0) -> str:
        ends = {"a": sb.laws.IsotropicElastic(E=70.0, nu=0.3)}
        ends["b"] = sb.laws.IsotropicElastic(E=E, nu=0.3)
        image = sb.Microstructure(np.eye(2, dtype=int)[::order], 1.0, {"a": 0, "b": 1})
        inner = sb.Cell(image, ends, plane="strain")
        labels = np.array([[0, 1], [1, 1]])
        laws = {"x": inner, "y": sb.laws.J2Plasticity(E=70.0, nu=0.3, yield_stress=1.0)}
        outer = sb.Cell(sb.Microstructure(labels, 1.0, {"x": 0, "y": 1}), laws, plane="strain")
        digest = hashlib.sha256()
        describe_law(digest, outer)
        return digest.hexdigest()

    assert told(1) == told(1)
    assert len({told(1), told(-1), told(1, E=8.0)}) == 3
