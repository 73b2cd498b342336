"""Solve a plan and write its files: tensors, histories, structures, pictures, a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.cost_sides import is_long, slow_sides
from scalebridge.study.files import writable_folder, write_json
from scalebridge.study.job import Observer, goals_of
from scalebridge.study.load_files import bytes_of, checkpoint_of, write_load
from scalebridge.study.local_fields import local_fields
from scalebridge.study.plan import Plan, Request, StructureRequest
from scalebridge.study.structure_checkpoint import StructureCheckpoint
from scalebridge.study.structure_files import bytes_of_structures, folder_of, write_structure
from scalebridge.study.summary import (
    describe_bounds,
    describe_effective,
    describe_load,
    describe_run,
    tortuosity,
    unit_of,
)

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure
    from scalebridge.structure import Workers
    from scalebridge.study.follow import Followed
    from scalebridge.study.solve_parts import Solved
    from scalebridge.upscaling import Bounds, Effective

_SOLVES_A_STEP = 3.0  # linear problems, before the first step has been seen


def execute(
    plan: Plan,
    observer: Observer | None = None,
    workers: Workers | None = None,
    predict: bool = False,
) -> dict[str, Any]:
    """Solve all cells of a plan, follow its load histories and structures, and write the files.

    Writes ``summary.json`` and, of the microstructure, ``results.vtkhdf``, ``microstructure.png``
    and, with fields, ``field_<name>.png`` and ``overview.png`` (of the first cell) into
    `plan.out`, ``bounds_<name>.png`` where all boundary conditions are compared, of each load
    history what `load_files.write_load` tells, and of each structure what
    `structure_files.write_structure` does. While they run, histories are saved in
    ``load_<name>.npz`` and structures in ``structure_<name>.checkpoint``, from which they go on
    where these are there. `workers` answer the cells of structures, whose cost
    is predicted first with `predict`.

    Returns
    -------
    dict
        The content of ``summary.json``: ``image`` (null without one), ``results`` and ``bounds``
        by the name of the cell, ``loads`` and ``structures`` by their names where there are any,
        ``interrupted``, ``failures`` to converge, ``run``, ``wall_seconds``, ``files``,
        ``write_errors``. After Ctrl-C it holds what was done until then, and so do the files. A
        disk that fills up while writing is told in ``write_errors``: the numbers are not lost
        with it.

    Raises
    ------
    InputError
        The folder cannot be used; always before the first solve.
    """
    observer = observer or Observer()
    micro = plan.microstructure
    _check(plan, workers)
    writable_folder(plan.out, room(plan))
    cells = {name: request.cell for name, request in plan.requests.items()}
    cells |= {name: request.cell for name, request in plan.loads.items()}
    if micro is not None:
        observer.understood(micro, cells)
    for name, part in plan.structures.items():
        observer.built(name, part.structure)
    grids = [cell.discretisation for cell in cells.values()]
    slow = slow_sides(grid for grid in grids if is_long(grid))
    if slow:
        observer.warned(slow)
    observer.planned(_work(plan))
    files = _Files(plan.out)
    if micro is not None:
        _write_microstructure(files, micro)
    found, compared, interrupted = _solve(plan.requests, observer)
    followed: dict[str, Followed] = {}
    if plan.loads and not interrupted:
        from scalebridge.study.follow import follow_loads

        followed, interrupted = follow_loads(plan, observer)
    solved: dict[str, Solved] = {}
    if plan.structures and not interrupted:
        from scalebridge.study.solve_parts import solve_parts

        solved, interrupted = solve_parts(plan, observer, workers, predict)
    summary = _summary(plan, found, compared, interrupted)
    _add_followed(summary, plan, followed, solved)
    if micro is not None:
        _write_results(files, plan, micro, found, summary)
    units = (plan.study or {}).get("units", {})
    for name, bounds in compared.items():
        unit = unit_of(plan.requests[name].quantity, units)
        files.write(f"bounds_{name}.png", partial(_draw_bounds, bounds=bounds, unit=unit))
    for name, one in followed.items():
        write_load(files.write, plan, name, one, summary)
    for name, whole in solved.items():
        write_structure(files.write, plan, name, whole, summary)
    summary |= {"files": [*files.names, str(plan.out / "summary.json")]}
    files.write("summary.json", lambda path: write_json(path, summary))
    if not (interrupted or files.errors):
        remove_checkpoints(plan)
    return {**summary, "files": files.names, "write_errors": files.errors}


def _check(plan: Plan, workers: Workers | None) -> None:
    """Refuse what no worker can do."""
    from scalebridge.structure.alike_points import check_alike

    for part in plan.structures.values():
        if part.alike is not None:
            check_alike(part.alike, workers)


def room(plan: Plan) -> int:
    """Return the bytes that the results will take, labels uncompressed."""
    micro, others = plan.microstructure, bytes_of_structures(plan) + 4_000_000
    if micro is None:
        return others
    doubles = sum(
        {"conduction": 7, "elasticity": 13}[request.cell.physics] * len(request.cases)
        for request in plan.requests.values()
    )
    labels = np.asarray(micro.labels).itemsize
    fields = int(np.prod(micro.shape)) * (labels + 8 * doubles)
    return fields + bytes_of(plan) + others


def remove_checkpoints(plan: Plan) -> None:
    """Remove what load histories and structures were saved in while they ran."""
    for name in plan.loads:
        checkpoint_of(plan, name).unlink(missing_ok=True)
    for name in plan.structures:
        StructureCheckpoint(folder_of(plan, name)).remove()


def _work(plan: Plan) -> dict[str, float]:
    """Return what the observer will see started, in this order, and how much work each is."""
    work: dict[str, float] = {}
    for name, request in plan.requests.items():
        grid = request.cell.discretisation
        for number, boundary in enumerate(request.boundaries):
            work[f"{name}, {boundary}" if number else name] = grid.unknowns * grid.components
    for name, load in plan.loads.items():
        steps = len(load.path.times) - 1
        work[name] = load.cell.discretisation.unknowns * steps * _SOLVES_A_STEP
    for name, part in plan.structures.items():
        steps = len(part.times) - 1
        work[name] = _unknowns(part, plan) * steps * _SOLVES_A_STEP
    return work


def _unknowns(part: StructureRequest, plan: Plan) -> float:
    """Return the unknowns of a structure and of the cells at its points.

    Counted in the voxels of the study's image, as those of its cells are.
    """
    from scalebridge.cell import Cell

    space, micro = part.structure.space, plan.microstructure
    total = float(space.nodes.size)
    for region in part.structure.balance.regions:
        if isinstance(region.law, Cell) and not region.law.is_linear:
            grid = region.law.discretisation
            total += len(region.elements) * space.weights.shape[1] * grid.voxels * grid.unknowns
    return total / (1 if micro is None else int(np.prod(micro.shape)))


def _summary(
    plan: Plan, found: Mapping[str, Effective], compared: Mapping[str, Bounds], interrupted: bool
) -> dict[str, Any]:
    """Return what the summary tells of image and cells."""
    summary = {
        "image": None if plan.image is None else dict(plan.image),
        "results": {
            name: {
                "quantity": plan.requests[name].quantity,
                **describe_effective(effective, plan.requests[name].cell),
                "tortuosity": _tortuosity(effective, plan.requests[name]),
            }
            for name, effective in found.items()
        },
        "bounds": {name: describe_bounds(bounds) for name, bounds in compared.items()},
        "interrupted": interrupted,
        "failures": [
            f"{name} did not converge: {effective.message}"
            for name, effective in found.items()
            if effective.complete and not effective.converged
        ],
        "run": describe_run(plan.run),
        "wall_seconds": time.perf_counter() - plan.started,
    }
    return summary if plan.study is None else {**summary, "study": dict(plan.study)}


def _add_followed(
    summary: dict[str, Any],
    plan: Plan,
    followed: Mapping[str, Followed],
    solved: Mapping[str, Solved],
) -> None:
    """Tell of load histories and structures, and which of them did not reach their end."""
    if plan.loads:
        summary["loads"] = {
            name: describe_load(one.history, plan.loads[name], one.seconds, sorted(one.fields))
            for name, one in followed.items()
        }
    if plan.structures:
        from scalebridge.study.describe_structure import describe_structure
        from scalebridge.study.structure_cost import describe_cost

        summary["structures"] = {
            name: {
                **describe_structure(
                    part.solution, plan.structures[name], part.localized, part.seconds
                ),
                "cost": describe_cost(part.predicted, part.solution),
            }
            for name, part in solved.items()
        }
    summary["failures"] += [
        f"{name} did not reach its end: {told['message']}"
        for kind in ("loads", "structures")
        for name, told in summary.get(kind, {}).items()
        if not (told["converged"] or summary["interrupted"])
    ]


def _tortuosity(effective: Effective, request: Request) -> dict[str, Any] | None:
    return tortuosity(effective, request.cell.microstructure, request.conductivities)


def _solve(
    requests: Mapping[str, Request], observer: Observer
) -> tuple[dict[str, Effective], dict[str, Bounds], bool]:
    """Solve one cell after another; on Ctrl-C return what there is."""
    from scalebridge.upscaling import effective

    found: dict[str, Effective] = {}
    compared: dict[str, Bounds] = {}
    for name, request in requests.items():
        observer.started(name, request.goals)
        try:
            found[name] = effective(
                request.cell,
                fields=bool(request.cases),
                field_tolerance=request.field_tolerance,
                progress=partial(observer.progress, name),
                **_accuracy(request),
            )
        except KeyboardInterrupt as stop:
            unfinished = getattr(stop, "partial", None)
            if unfinished is not None and np.isfinite(unfinished.tensor).any():
                found[name] = unfinished
            return found, compared, True
        finally:
            observer.finished(name)
        if request.compare:
            try:
                compared[name] = _compare(name, request, found[name], observer)
            except KeyboardInterrupt as stop:
                if getattr(stop, "partial", None) is not None:
                    compared[name] = stop.partial  # type: ignore[attr-defined]
                return found, compared, True
    return found, compared, False


def _accuracy(request: Request) -> dict[str, Any]:
    from scalebridge.cell import Solver

    return {
        "tolerance": request.tolerance,
        "measure": request.measure,
        "solver": Solver(max_iterations=request.max_iterations),
        "throw": False,
    }


def _compare(name: str, request: Request, periodic: Effective, observer: Observer) -> Bounds:
    """Solve the other boundary conditions."""
    from scalebridge.upscaling.bounding import bounds

    running = ""

    def report(boundary: str, event: Any) -> None:
        nonlocal running
        if boundary != running:
            if running:
                observer.finished(name)
            running = boundary
            goals = goals_of(False, request.measure, request.tolerance, request.field_tolerance)
            observer.started(f"{name}, {boundary}", goals)
        observer.progress(f"{name}, {boundary}", event)

    try:
        return bounds(
            request.cell,
            boundaries=request.boundaries,
            known={"periodic": periodic},
            progress=report,
            **_accuracy(request),
        )
    finally:
        observer.finished(name)


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
    plan: Plan,
    micro: Microstructure,
    found: dict[str, Effective],
    summary: dict[str, Any],
) -> None:
    """Draw the local fields and write the results file."""
    from scalebridge.study.pictures import save_field, save_overview
    from scalebridge.study.results import write_results

    physics = [request.cell.physics for request in plan.requests.values()]
    arrays: dict[str, Any] = {}
    for name, effective in found.items():
        request = plan.requests[name]
        for case in request.cases if effective.complete else ():
            local = local_fields(effective, request.cell, case)
            ending = f"_{effective.components[case]}" if request.named_cases else ""
            drawn: dict[str, Any] = {
                "microstructure": micro,
                "field": local.arrays[local.shown],
                "title": local.title,
                "unit": local.unit,
            }
            files.write(f"field_{name}{ending}.png", partial(save_field, **drawn))
            if not arrays:
                files.write("overview.png", partial(save_overview, **drawn))
            alone = physics.count(request.cell.physics) == 1
            prefix = "" if alone else f"{name}_"
            arrays |= {f"{prefix}{n}{ending}": array for n, array in local.arrays.items()}
    tensors = {name: effective.tensor for name, effective in found.items()}
    tensors |= {
        f"{name} {boundary}": np.asarray(tensor)
        for name, told in summary["bounds"].items()
        for boundary, tensor in told["tensors"].items()
    }
    files.write(
        "results.vtkhdf",
        lambda path: write_results(path, micro, fields=arrays, tensors=tensors, provenance=summary),
    )


def _draw_bounds(path: Path, bounds: Bounds, unit: str) -> Path:
    from scalebridge.study.pictures import save_bounds

    return save_bounds(path, bounds, unit)
