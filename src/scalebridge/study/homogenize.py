"""The main job: an image and the laws of its phases → effective tensors, pictures, one file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.files import atomic, sha256, writable_folder
from scalebridge.study.job import Job, Observer
from scalebridge.study.local_fields import local_fields
from scalebridge.study.phases import laws_of, physics_of
from scalebridge.study.summary import (
    describe_bounds,
    describe_effective,
    describe_image,
    describe_run,
    tortuosity,
)

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.upscaling import Bounds, Effective


def homogenize(job: Job, observer: Observer | None = None) -> dict[str, Any]:
    """Run a job and write its files.

    Writes ``results.vtkhdf``, ``summary.json``, ``microstructure.png`` and, with fields,
    ``field_<physics>.png`` and ``overview.png`` (of the first physics) into `job.out`, and
    ``bounds_<physics>.png`` where all boundary conditions are compared.
    The local field is the one under a unit mean gradient along x, for elasticity a unit
    mean strain 11.

    Returns
    -------
    dict
        The content of ``summary.json``: ``image``, ``results`` and ``bounds`` by physics,
        ``interrupted``,
        ``failures`` to converge, ``run``, ``wall_seconds``, ``files``, ``write_errors``. After
        Ctrl-C it holds what was done until then, and so do the files. A disk that fills up
        while writing is told in ``write_errors``: the numbers are not lost with it.

    Raises
    ------
    InputError
        Anything that cannot be used; always before the first solve.
    """
    observer = observer or Observer()
    start = time.perf_counter()
    micro = _read(job)
    digest = sha256(job.image)  # now: the file may change while the cells are solved
    cells = _cells(job, micro)
    writable_folder(job.out, _room(job, micro))
    observer.understood(micro, cells)
    files = _Files(job.out)
    _write_microstructure(files, micro)
    found, compared, interrupted = _solve(job, cells, observer)
    summary: dict[str, Any] = {
        "image": describe_image(micro, job.phases, str(job.image), digest),
        "results": {
            physics: {
                **describe_effective(effective, cells[physics]),
                "tortuosity": tortuosity(effective, micro, job.phases),
            }
            for physics, effective in found.items()
        },
        "bounds": {physics: describe_bounds(bounds) for physics, bounds in compared.items()},
        "interrupted": interrupted,
        "failures": [
            f"{physics} did not converge: {effective.message}"
            for physics, effective in found.items()
            if effective.complete and not effective.converged
        ],
        "run": describe_run(job.command, _options(job)),
        "wall_seconds": time.perf_counter() - start,
    }
    _write_results(files, job, micro, found, summary)
    for physics, bounds in compared.items():
        files.write(f"bounds_{physics}.png", partial(_draw_bounds, bounds=bounds))
    summary |= {"files": [*files.names, str(job.out / "summary.json")]}
    files.write("summary.json", lambda path: _write_json(path, summary))
    return {**summary, "files": files.names, "write_errors": files.errors}


def _read(job: Job) -> Microstructure:
    from scalebridge.microstructure import read

    layout = {name: getattr(job, name) for name in ("shape", "dtype", "order", "offset", "key")}
    phases = {phase.name: phase.where for phase in job.phases}
    micro = read(job.image, spacing=job.spacing, phases=phases, **layout)
    return micro.flip(job.flip) if job.flip else micro


def _cells(job: Job, micro: Microstructure) -> dict[str, Cell]:
    from scalebridge.cell import Cell

    cells = {}
    if job.plane and "elasticity" not in physics_of(job.phases):
        raise InputError("--plane is for elasticity on 2D images, but the phases have no E and nu")
    for physics in physics_of(job.phases):
        plane = job.plane if physics == "elasticity" and micro.dim == 2 else None
        cells[physics] = Cell(
            micro,
            laws_of(job.phases, physics),
            boundary="periodic" if job.boundary == "all" else job.boundary,
            element=job.element,
            plane=plane,
        )
    return cells


def _room(job: Job, micro: Microstructure) -> int:
    """Return the bytes that the results will take, labels uncompressed."""
    voxels, doubles = int(np.prod(micro.shape)), 0
    if job.fields:
        doubles = sum({"conduction": 7, "elasticity": 13}[p] for p in physics_of(job.phases))
    return voxels * (np.asarray(micro.labels).itemsize + 8 * doubles) + 4_000_000


def _solve(
    job: Job, cells: dict[str, Cell], observer: Observer
) -> tuple[dict[str, Effective], dict[str, Bounds], bool]:
    """Solve one physics after another; on Ctrl-C return what there is."""
    from scalebridge.upscaling import effective

    found: dict[str, Effective] = {}
    compared: dict[str, Bounds] = {}
    for physics, cell in cells.items():
        observer.started(physics)
        try:
            found[physics] = effective(
                cell,
                fields=job.fields,
                field_tolerance=job.field_tolerance,
                progress=partial(observer.progress, physics),
                **_accuracy(job),
            )
        except KeyboardInterrupt as stop:
            unfinished = getattr(stop, "partial", None)
            if unfinished is not None and np.isfinite(unfinished.tensor).any():
                found[physics] = unfinished
            return found, compared, True
        finally:
            observer.finished(physics)
        if job.boundary == "all":
            try:
                compared[physics] = _compare(job, physics, cell, found[physics], observer)
            except KeyboardInterrupt as stop:
                if getattr(stop, "partial", None) is not None:
                    compared[physics] = stop.partial  # type: ignore[attr-defined]
                return found, compared, True
    return found, compared, False


def _accuracy(job: Job) -> dict[str, Any]:
    from scalebridge.cell import Solver

    solver = Solver(max_iterations=job.max_iterations)
    return {
        "tolerance": job.tolerance,
        "measure": job.measure,
        "solver": solver,
        "throw": False,
    }


def _compare(job: Job, physics: str, cell: Cell, periodic: Effective, observer: Observer) -> Bounds:
    """Solve the other boundary conditions."""
    from scalebridge.upscaling.bounding import BOUNDARIES, bounds

    running = ""

    def report(boundary: str, event: Any) -> None:
        nonlocal running
        if boundary != running:
            if running:
                observer.finished(physics)
            running = boundary
            observer.started(f"{physics}, {boundary}")
        observer.progress(f"{physics}, {boundary}", event)

    try:
        return bounds(
            cell,
            boundaries=(*BOUNDARIES, *(["through"] if physics == "conduction" else [])),
            known={"periodic": periodic},
            progress=report,
            **_accuracy(job),
        )
    finally:
        observer.finished(physics)


def _options(job: Job) -> dict[str, Any]:
    return {
        f.name: getattr(job, f.name) for f in fields(job) if f.name not in ("phases", "command")
    }


class _Files:
    """Write files one by one, remembering those that came and what kept the others away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.errors: list[str] = []

    def write(self, name: str, writer: Callable[[Path], object]) -> None:
        try:
            writer(self.folder / name)
        except InputError as error:
            self.errors.append(str(error))
        else:
            self.names.append(str(self.folder / name))


def _write_microstructure(files: _Files, micro: Microstructure) -> None:
    """Draw the image before the computation, which also proves the folder."""
    from scalebridge.study.pictures import save_microstructure

    files.write("microstructure.png", lambda path: save_microstructure(path, micro))
    if files.errors:
        raise InputError(files.errors[0])


def _write_results(
    files: _Files,
    job: Job,
    micro: Microstructure,
    found: dict[str, Effective],
    summary: dict[str, Any],
) -> None:
    """Draw the local fields and write the results file."""
    from scalebridge.study.pictures import save_field, save_overview
    from scalebridge.study.results import write_results

    arrays: dict[str, Any] = {}
    for physics, effective in found.items():
        local = None
        if job.fields:
            local = local_fields(physics, effective, micro, job.phases, job.plane)
        if local is None:
            continue
        drawn: dict[str, Any] = {
            "microstructure": micro,
            "field": local.arrays[local.shown],
            "title": local.title,
            "unit": local.unit,
        }
        files.write(f"field_{physics}.png", partial(save_field, **drawn))
        if not arrays:
            files.write("overview.png", partial(save_overview, **drawn))
        arrays |= local.arrays
    tensors = {physics: effective.tensor for physics, effective in found.items()}
    tensors |= {
        f"{physics} {name}": np.asarray(tensor)
        for physics, told in summary["bounds"].items()
        for name, tensor in told["tensors"].items()
    }
    files.write(
        "results.vtkhdf",
        lambda path: write_results(path, micro, fields=arrays, tensors=tensors, provenance=summary),
    )


def _draw_bounds(path: Path, bounds: Bounds) -> Path:
    from scalebridge.study.pictures import save_bounds

    return save_bounds(path, bounds)


def _write_json(path: Path, summary: dict[str, Any]) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(summary, indent=2, ensure_ascii=False), encoding="utf-8")
