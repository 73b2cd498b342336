"""Cells spread over processes that die, and structures that are killed: no bit may change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.errors import InputError
from scalebridge.structure import rectangle
from scalebridge.structure.answers import Question
from scalebridge.structure.cell_points import CellPoints
from scalebridge.structure.workers import InProcess, Shards

TIMES = np.linspace(0.0, 1.0, 5)


def cell(yield_stress: float = 100.0) -> sb.Cell:
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    laws = {
        "soft": sb.laws.J2Plasticity(
            E=70e3, nu=0.33, yield_stress=yield_stress, hardening=sb.laws.LinearHardening(2000.0)
        ),
        "hard": sb.laws.IsotropicElastic(E=400e3, nu=0.2),
    }
    image = sb.Microstructure(labels, spacing=1.0, phases={"soft": 0, "hard": 1})
    return sb.Cell(image, laws, plane="strain")


def part(pull: float = 0.01, **options: Any) -> sb.Structure:
    """Return a strip of 160 points of cells, in three shards, beside elastic elements."""
    mesh = rectangle((2.0, 1.0), (10, 5)).with_subdomains(
        {"body": lambda x: x[0] < 1.6, "grip": lambda x: x[0] > 1.6}
    )
    laws = {"body": cell(**options), "grip": sb.laws.IsotropicElastic(E=70e3, nu=0.33)}
    supports = {"left": "fixed", "right": {"x": pull, "y": 0.5 * pull}}
    return sb.Structure(mesh, laws, supports=supports, plane="strain")


def solved(workers: Any = None, **options: Any) -> sb.structure.Solution:
    return part().solve(TIMES, keep=[2, -1], watch=[(39, 3)], workers=workers, **options)


@pytest.fixture(scope="module")
def undisturbed() -> sb.structure.Solution:
    """The solution of shards in this process."""
    return solved(InProcess())


def told(solution: sb.structure.Solution) -> dict[str, Any]:
    """Return all bits of a solution."""
    local = sb.localize(solution, elements=[(0, 0), (39, 3)])
    local += sb.localize(solution, elements=[(39, 3)], row=2)
    found = {name: getattr(solution, name) for name in ("field", "work", "stored", "dissipated")}
    found |= {f"at {name}": values for name, values in solution.reactions.items()}
    for row, regions in solution.fields.items():
        found |= {f"{row} {name}": values for name, values in regions["body"].items()}
    found |= {f"stress {k}": one.fields["stress"] for k, one in enumerate(local)}
    found |= {"micro work": solution.work_of_points["body"]}
    found |= {"iterations": [len(substep) for row in solution.iterations for substep in row]}
    return {name: np.asarray(values).tobytes().hex() for name, values in found.items()}


def test_shards_answer_as_the_whole_does() -> None:
    whole = CellPoints(cell(), 70, None, np.zeros(3, bool))
    shards = Shards(whole, InProcess())
    assert len(shards.ranges) == 2
    strains = 4e-3 * np.random.default_rng(0).normal(size=(70, 3))
    asked = Question(strains, None, 1.0, 1e-10, 1e-10)
    one, other = (p.answer(asked._replace(states=p.virgin())) for p in (whole, shards))
    scale = np.abs(one.flux).max()
    assert np.abs(other.flux - one.flux).max() < 1e-7 * scale
    assert one.tangents is not None
    assert other.tangents is not None
    assert np.abs(other.tangents - one.tangents).max() < 1e-5 * np.abs(one.tangents).max()
    # States in any order, taken up from parts of other sizes.
    rows = [69, 3, 64]
    taken = shards.take_up(whole.parts(one.states))
    for found in (shards.rows(taken, rows), whole.rows(one.states, rows)):
        np.testing.assert_array_equal(found.gradient, np.asarray(one.states.gradient)[rows])


def test_shards_solve_as_one_batch_does(undisturbed: Any) -> None:
    plain = solved()
    assert np.abs(plain.field - undisturbed.field).max() < 1e-5 * np.abs(plain.field).max()
    assert undisturbed.timings is not None
    assert 0 < undisturbed.timings["micro"] < undisturbed.timings["total"]
    assert undisturbed.work_of_points["body"].shape == (40, 4)


@pytest.mark.slow
def test_a_dask_worker_killed_within_an_iteration_changes_no_bit(undisturbed: Any) -> None:
    with sb.structure.DaskWorkers(2) as workers:
        pids = list(workers.client.run(os.getpid).values())
        killed: list[int] = []

        def kill(event: Any) -> None:
            if event.step == 3 and event.iteration == 1 and not killed:
                killed.append(pids[0])
                # While the next answers are under way.
                threading.Timer(0.03, os.kill, (pids[0], signal.SIGKILL)).start()

        found = solved(workers, progress=kill)
        assert killed
        assert pids[0] not in workers.client.run(os.getpid).values()
    assert told(found) == told(undisturbed)


def test_workers_that_cannot_be_had() -> None:
    with pytest.raises(InputError, match="`address` must be that of a running Dask scheduler"):
        sb.structure.DaskWorkers(address="tcp://127.0.0.1:1")
    with pytest.raises(InputError, match="`count` must be a whole number ≥ 1, but is 0"):
        sb.structure.DaskWorkers(0)
    with pytest.raises(InputError, match="not several"):
        sb.structure.DaskWorkers(2, address="tcp://127.0.0.1:1")


def script(body: str) -> list[str]:
    """Return the command of a program that knows what is in this file."""
    head = f"""
        import json, os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import scalebridge as sb
        from test_workers import solved, told
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


def mpiexec(ranks: int) -> list[str]:
    beside = Path(sys.executable).with_name("mpiexec")  # of the package mpich
    program = str(beside) if beside.exists() else shutil.which("mpiexec")
    if program is None:
        pytest.skip("no mpiexec")
    return [program, "-n", str(ranks)]


@pytest.mark.slow
def test_a_killed_mpi_job_goes_on_and_no_bit_changes(undisturbed: Any, tmp_path: Path) -> None:
    body = f"""
        workers = sb.structure.MpiWorkers()
        def step(event):
            if workers.rank == 0:
                print(event.step, event.iteration, flush=True)
        checkpoint = sb.StructureCheckpoint({str(tmp_path / "saved")!r})
        solution = solved(workers, progress=step, checkpoint=checkpoint)
        bits = told(solution)
        if workers.rank == 0:
            print(json.dumps(bits))
    """
    command = [*mpiexec(2), *script(body)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert job.stdout is not None
    for line in job.stdout:
        if line.split() == ["3", "1"]:
            os.killpg(job.pid, signal.SIGKILL)
            break
    job.stdout.close()
    job.wait()
    names = {file.name for file in (tmp_path / "saved").glob("state-*.npz")}
    assert {"state-000002-0.npz", "state-000002-1.npz"} <= names
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    *steps, bits = again.stdout.splitlines()
    assert steps[0].split()[0] == "3"
    assert json.loads(bits) == told(undisturbed)


def test_a_killed_solve_goes_on_and_no_bit_changes(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    body = f"""
        def step(event):
            print(event.step, event.iteration, flush=True)
        solved(checkpoint=sb.StructureCheckpoint({str(folder)!r}), progress=step)
    """
    process = subprocess.Popen(script(body), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.split() == ["3", "1"]:
            process.kill()
            break
    process.stdout.close()
    process.wait()
    steps: list[int] = []
    found = solved(
        checkpoint=sb.StructureCheckpoint(folder), progress=lambda event: steps.append(event.step)
    )
    assert steps[0] == 3
    assert told(found) == told(solved())
    steps.clear()
    again = solved(
        checkpoint=sb.StructureCheckpoint(folder), progress=lambda event: steps.append(event.step)
    )
    assert not steps
    assert told(again) == told(found)
    _refuses_what_is_not_its_own(folder)


def _refuses_what_is_not_its_own(folder: Path) -> None:
    def refused(message: str, changed: sb.Structure | None = None, **options: Any) -> None:
        with pytest.raises(InputError, match=message):
            (changed or part()).solve(
                TIMES,
                **{
                    "keep": [2, -1],
                    "watch": [(39, 3)],
                    "checkpoint": sb.StructureCheckpoint(folder),
                    **options,
                },
            )

    another = "saved' is the checkpoint of another problem"
    refused(another, tolerance=1e-7)
    refused(another, part(pull=0.011))
    refused(another, part(yield_stress=101.0))
    refused(another, keep=[-1])
    refused(another, workers=InProcess())
    for name in ("row-000002.npz", "state-000004-0.npz"):
        whole = (folder / name).read_bytes()
        for length in (0, len(whole) // 2):
            (folder / name).write_bytes(whole[:length])
            refused(f"{name}' is part of a checkpoint, but cannot be read")
        (folder / name).write_bytes(whole)
    latest = folder / "latest.json"
    content = latest.read_text()
    latest.write_text(content.replace("scalebridge structure", "something else"))
    refused("saved' must be a checkpoint of a structure")
    latest.write_text(content[:20])
    refused("saved' must be a checkpoint of a structure")
    latest.write_text(content.replace('"version": "', '"version": "0.0.'))
    refused(r"was written by scalebridge 0\.0\.")


@pytest.mark.slow
def test_two_devices_answer_as_one() -> None:
    body = """
        import jax
        import numpy as np
        from scalebridge.cell import batch
        from test_workers import cell
        batch._LARGEST_PORTION = 8
        strains = 4e-3 * np.random.default_rng(0).normal(size=(20, 3))
        found = cell().respond_batch(strains, tangents=True)
        assert {found.response.flux.device.id} == {0}
        print(len(jax.devices()), np.asarray(found.response.flux).tobytes().hex())
        print(found.tangents.tobytes().hex())
    """
    flag = "--xla_force_host_platform_device_count="
    told = [
        subprocess.run(
            script(body),
            env={**os.environ, "XLA_FLAGS": f"{flag}{count}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2)
    ]
    assert told[0][0] == "1"
    assert told[1] == "2" + told[0][1:]


def sheet(law: Any, **options: Any) -> sb.Structure:
    given = {
        "supports": {"left": "symmetry", "bottom": "symmetry"},
        "loads": {"right": {"traction": [1.0, 0.0]}},
        "plane": "strain",
        **options,
    }
    return sb.Structure(rectangle((2.0, 1.0), (2, 1)), {"body": law}, **given)


def heated(slope: float) -> sb.Structure:
    law = sb.laws.NonlinearConduction(lambda g: (0.5 + slope * (g @ g)) * (g @ g))
    return sb.Structure(
        rectangle((2.0, 1.0), (2, 1)), {"body": law}, supports={"left": 0.0, "right": 1.0}
    )


def test_checkpoints_tell_problems_apart(tmp_path: Path) -> None:
    elastic = sb.laws.IsotropicElastic(E=70.0, nu=0.3)
    large = sb.laws.NeoHookean(E=70.0, nu=0.3)
    pairs = {
        "plane": (sheet(elastic), sheet(elastic, plane="stress")),
        "pressure": (sheet(large), sheet(large, loads={"right": {"pressure": -1.0}})),
        "function": (heated(1.0), heated(2.0)),
    }
    for name, (part, other) in pairs.items():
        checkpoint = sb.StructureCheckpoint(tmp_path / name)
        first = part.solve(checkpoint=checkpoint)
        again = part.solve(checkpoint=checkpoint, tolerance=np.float64(1e-6))
        np.testing.assert_array_equal(again.field, first.field)
        with pytest.raises(InputError, match="another problem"):
            other.solve(checkpoint=checkpoint)


def test_a_checkpoint_leaves_other_files_alone(tmp_path: Path) -> None:
    mine = tmp_path / "state-experiment.npz"
    mine.write_text("mine")
    part = sheet(sb.laws.IsotropicElastic(E=70.0, nu=0.3))
    part.solve([0.0, 0.5, 1.0], checkpoint=sb.StructureCheckpoint(tmp_path))
    assert mine.read_text() == "mine"
    assert [file.name for file in tmp_path.glob("state-0*")] == ["state-000002-0.npz"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="`folder` of a checkpoint must be writable"):
        part.solve(checkpoint=sb.StructureCheckpoint(tmp_path / "file"))
    for options in ({"checkpoint": "folder"}, {"workers": 3}, {"workers": "dask"}):
        with pytest.raises(InputError, match="such as sb"):
            part.solve(**options)  # type: ignore[arg-type]


def test_viscous_cells_go_on_in_steps_that_rounding_makes_unequal(tmp_path: Path) -> None:
    law = sb.laws.GeneralizedMaxwell(E=10.0, nu=0.3, shear=(0.4, 0.3))
    image = sb.Microstructure(np.eye(2, dtype=int), 1.0, {"a": 0, "b": 1})
    stiff = sb.laws.IsotropicElastic(E=70.0, nu=0.3)
    part = sheet(sb.Cell(image, {"a": law, "b": stiff}, plane="strain"))
    times = np.linspace(0, 1, 8)

    def stop(event: Any) -> None:
        if event.step == 5:
            raise KeyboardInterrupt

    checkpoint = sb.StructureCheckpoint(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        part.solve(times, checkpoint=checkpoint, progress=stop)
    fresh = sheet(part.laws["body"])
    np.testing.assert_array_equal(
        fresh.solve(times, checkpoint=checkpoint).field, part.solve(times).field
    )


def test_multigrid_gives_the_same_bits_again() -> None:
    elastic = sb.laws.IsotropicElastic(E=70.0, nu=0.3)
    mesh = rectangle((2.0, 1.0), (24, 12))
    fields = [
        sb.Structure(
            mesh,
            {"body": elastic},
            supports={"left": "fixed", "right": {"y": 0.1}},
            plane="strain",
            linear_solver="multigrid",
        )
        .solve()
        .field
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*fields)
