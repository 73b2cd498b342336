"""Run a study: every point is built and checked before the first one is solved."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge import __version__
from scalebridge.errors import InputError
from scalebridge.study.cost_memory import tell_if_tight
from scalebridge.study.execute import execute, remove_checkpoints, room
from scalebridge.study.files import atomic, plain, remove_leftovers, writable_folder, write_json
from scalebridge.study.job import Observer
from scalebridge.study.order import Order, read_order, write_order
from scalebridge.study.studyfile import Point, StudyFile, read_study
from scalebridge.study.summary import unit_of
from scalebridge.study.team import team

if TYPE_CHECKING:
    from scalebridge.structure import Workers
    from scalebridge.study.plan import Plan

_MOST_FRACTIONS = 8


def run_study(
    study: str | Path | StudyFile,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    observer: Observer | None = None,
    command: Sequence[str] = (),
    workers: str | None = None,
    predict: bool = False,
) -> dict[str, Any]:
    """Run a study file and write its results.

    A study without a sweep writes into the output folder what `scalebridge.study.execute`
    tells. With a sweep each point has a folder of its own, ``point-001``, …, and beside them
    ``sweep.csv`` and ``summary.json`` hold parameters and main results of the points done; both
    are written anew after each point.

    Parameters
    ----------
    study : str, Path or StudyFile
    out : str or Path, optional
        Folder for the results, in place of the study's own.
    resume : bool
        Keep what is there of the same study: points whose resolved study, image and version of
        scalebridge are those of their ``summary.json`` are not solved again.
    observer : Observer, optional
    command : sequence of str
        How the run was asked for; goes into the provenance.
    workers : str, optional
        Processes that answer the cells of structures: how many on this machine, the address of a
        Dask scheduler, or "mpi". Under mpiexec all ranks run this; rank 0 writes.
    predict : bool
        Predict the cost of structures first, as `scalebridge estimate` does; the summary tells
        it beside what was measured.

    Returns
    -------
    dict
        The summary of the run, or of the sweep: ``sweep`` with ``parameters`` and ``points``;
        empty on other ranks than 0.

    Raises
    ------
    InputError
        Anything that cannot be used; always before the first solve.

    Examples
    --------
    >>> from scalebridge.study.run import run_study
    >>> summary = run_study("examples/studies/glass_epoxy_ply.yaml")  # doctest: +SKIP
    """
    file = study if isinstance(study, StudyFile) else read_study(study)
    observer = observer or Observer()
    folder = file.output if out is None else Path(out)
    if predict and workers is not None:
        raise InputError(
            "`predict` is for one process, but `workers` are given; predict without them, as "
            "scalebridge estimate does"
        )
    run = _Run(file, folder, resume, command)
    with team(workers) as own:
        return run.run(observer, own, predict)


def resume(
    folder: str | Path | Order,
    *,
    observer: Observer | None = None,
    command: Sequence[str] = (),
    workers: str | None = None,
) -> dict[str, Any]:
    """Go on with a run, or a sweep, from what it left in its folder of results.

    The study is the one with which the run began, wherever the folder is now; points that are
    done are kept, as with ``run_study(…, resume=True)``.

    Parameters
    ----------
    folder : str, Path or Order
    observer, command, workers
        As in `run_study`.

    Returns
    -------
    dict
        The summary, as of `run_study`; ``kept`` is the number of points that were done before,
        ``notes`` tells what has changed since.

    Raises
    ------
    InputError
        The folder is none of `run_study`; an image is gone or has changed.

    Examples
    --------
    >>> from scalebridge.study.run import resume
    >>> summary = resume("out")  # doctest: +SKIP
    """
    order = folder if isinstance(folder, Order) else read_order(folder)
    run = _Run(order.study, order.folder, True, command)
    kept = len(run.done)
    with team(workers) as own:
        summary = run.run(observer or Observer(), own)
    return summary and {**summary, "kept": kept, "notes": list(order.notes)}


class _Run:
    """The points of a study file, and what is known of each."""

    def __init__(self, file: StudyFile, folder: Path, resume: bool, command: Sequence[str]) -> None:
        from scalebridge.study.build import Builder

        self.file, self.folder = file, folder
        self.asked = {"command": list(command), "options": {"resume": resume, "out": str(folder)}}
        self.builder = Builder(file)
        files = [self.builder.hashes(point) for point in file.points]
        self.hashes = [
            point.hash(own, __version__) for point, own in zip(file.points, files, strict=True)
        ]
        self.images = {name: digest for own in files for name, digest in own.items()}
        self.resumed = resume
        self.done: dict[int, dict[str, Any]] = {}
        if resume:
            for point in file.points:
                summary = self._stored(point)
                if summary is not None:
                    self.done[point.number] = summary

    def run(
        self, observer: Observer, workers: Workers | None = None, predict: bool = False
    ) -> dict[str, Any]:
        todo = [point for point in self.file.points if point.number not in self.done]
        if workers is not None:
            numbers = workers.agree([point.number for point in todo])
            if workers.rank:
                return self._assist(numbers, workers)
        if not self.file.swept:
            stored = self.done.get(1)
            if stored is None:
                return self._solve(todo[0], observer, workers, predict)
            files = [str(self.folder / Path(name).name) for name in stored["files"]]
            return {**stored, "files": files, "write_errors": []}  # they may have been moved
        needed = sum(self._check(point, observer) for point in todo)
        writable_folder(self.folder, needed)
        self._begin()
        kept = len(self.done)
        for point in todo:
            observer.point(point.number, len(self.file.points), point.parameters)
            summary = self._solve(point, observer, workers, predict)
            self.done[point.number] = summary
            self._write()
            if summary["interrupted"]:
                break
        return {**self._write(), "kept": kept}

    def _begin(self) -> None:
        """Take back what an earlier run told of the sweep, and leave what this one is asked for."""
        remove_leftovers(self.folder)
        if self.done:
            self._write()
        else:
            for name in ("summary.json", "sweep.csv"):
                (self.folder / name).unlink(missing_ok=True)
        write_order(self.folder, self.file, self.images)

    def _check(self, point: Point, observer: Observer) -> int:
        """Build the cells of a point, see that they fit into memory; return the room on disk."""
        plan = self._plan(point)
        tell_if_tight(plan, observer)
        return room(plan)

    def _assist(self, numbers: Sequence[int], workers: Workers) -> dict[str, Any]:
        """Solve the structures of the points that rank 0 works on, with it."""
        from scalebridge.study.solve_parts import solve_parts

        for point in self.file.points:
            if point.number in numbers:
                workers.barrier()  # what is stale has been removed
                if solve_parts(self._plan(point), Observer(), workers)[1]:
                    break
        return {}

    def _solve(
        self, point: Point, observer: Observer, workers: Workers | None, predict: bool
    ) -> dict[str, Any]:
        plan = self._plan(point)
        if not self.file.swept:  # of a sweep all points were looked at before the first
            tell_if_tight(plan, observer)
            writable_folder(self.folder, room(plan))
        # What an earlier run told of this folder is no longer true once its files are replaced.
        (plan.out / "summary.json").unlink(missing_ok=True)
        if not self.file.swept:
            write_order(self.folder, self.file, self.images)
        remove_leftovers(plan.out)
        if not self.resumed:
            remove_checkpoints(plan)
        if workers is not None:
            workers.barrier()
        return execute(plan, observer, workers, predict)

    def _plan(self, point: Point) -> Plan:
        out = self._out(point)
        return self.builder.plan(point, out, self.asked, self.hashes[point.number - 1])

    def _out(self, point: Point) -> Path:
        if not self.file.swept:
            return self.folder
        width = max(3, len(str(len(self.file.points))))
        return self.folder / f"point-{point.number:0{width}d}"

    def _stored(self, point: Point) -> dict[str, Any] | None:
        """Return the summary of a point that an earlier run has finished."""
        folder = self._out(point)
        try:
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            same = summary["study"]["hash"] == self.hashes[point.number - 1]
            whole = not summary["interrupted"] and all(
                (folder / Path(name).name).is_file() for name in summary["files"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        written = summary["image"] is None or (folder / "results.vtkhdf").is_file()
        return summary if same and whole and written else None

    def _write(self) -> dict[str, Any]:
        """Write the table and the summary of the sweep."""
        rows = [
            {"point": point.number, **point.parameters, **main_results(self.done[point.number])}
            for point in self.file.points
            if point.number in self.done and not self.done[point.number]["interrupted"]
        ]
        summaries = list(self.done.values())
        units = {
            name: unit_of(result["quantity"], summary["study"].get("units", {}))
            for summary in summaries
            for name, result in summary["results"].items()
        }
        units |= {
            name: load["units"].get(load["names"][1], "")
            for summary in summaries
            for name, load in summary.get("loads", {}).items()
        }
        units |= {
            name: next((told["units"][k] for k in ("force", "flow") if k in told["units"]), "")
            for summary in summaries
            for name, told in summary.get("structures", {}).items()
        }
        files = [self.folder / "sweep.csv", self.folder / "summary.json"]
        told = {
            "study": {"file": str(self.file.path), "sha256": self.file.digest},
            "sweep": {
                "parameters": list(self.file.swept),
                "count": len(self.file.points),
                "points": plain(rows),
                "units": units,
            },
            "interrupted": any(s["interrupted"] for s in summaries),
            "failures": [
                f"point {number}: {text}"
                for number, s in sorted(self.done.items())
                for text in s["failures"]
            ],
            "run": plain(self.asked),
            "files": [str(name) for name in files],
        }
        errors = [text for s in summaries for text in s.get("write_errors", ())]
        try:
            _write_table(files[0], told["sweep"]["points"])
            write_json(files[1], told)
        except InputError as error:
            errors.append(str(error))
        return {**told, "write_errors": errors}


def main_results(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table: volume fractions, tensors, ends of histories and structures.

    Names begin with that of the cell, load or structure; entries of stiffness are in Voigt
    components, those of stress tensor components.
    """
    phases = (summary["image"] or {"phases": {}})["phases"]
    row = {f"fraction.{name}": told["volume_fraction"] for name, told in phases.items()}
    row = row if len(phases) <= _MOST_FRACTIONS else {}
    for name, result in summary["results"].items():
        letter = "k" if len(result["components"][0]) == 1 else "C"
        shears = [len(set(component)) > 1 for component in result["components"]]
        size = len(shears)
        row |= {
            f"{name}.{letter}{i + 1}{j + 1}": result["voigt"][i][j]
            for i in range(size)
            for j in range(i, size)
        }
        row |= {
            f"{name}.{constant}": value
            for constant, value in result["engineering_constants"].items()
            if isinstance(value, int | float)
        }
        if result["tortuosity"]:
            factors = result["tortuosity"]["factor"].items()
            row |= {f"{name}.tortuosity_{axis}": value for axis, value in factors}
        for boundary, tensor in summary["bounds"].get(name, {}).get("tensors", {}).items():
            row |= {
                f"{name}.{boundary}.{letter}{i + 1}{i + 1}": tensor[i][i] / (2 if shear else 1)
                for i, shear in enumerate(shears)
            }
        row[f"{name}.converged"] = result["evidence"]["converged"]
        row[f"{name}.error_estimate"] = result["evidence"]["error_estimate"]
    for name, load in summary.get("loads", {}).items():
        flux = load["names"][1]
        for when in ("final", "peak"):
            row |= {f"{name}.{when}_{flux}_{c}": value for c, value in load[when][flux].items()}
        row[f"{name}.dissipated"] = load["ledger"]["dissipated"]
        row[f"{name}.converged"] = load["converged"]
    for name, told in summary.get("structures", {}).items():
        for when in ("final", "peak"):
            row |= {f"{name}.{when}_{column}": value for column, value in told[when].items()}
        row[f"{name}.dissipated"] = told["ledger"]["dissipated"]
        row[f"{name}.converged"] = told["converged"]
    return row


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file, whole or absent, with the columns of all rows."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
        writer.writerow(cells)
    with atomic(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
