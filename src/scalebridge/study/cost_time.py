"""How long a cell takes on this machine, from short trials of the solver itself.

Iterations come from the same cell on a coarse grid, seconds from a few iterations at its own
size, or where that is large on a slice of it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from scalebridge._compiling import first_calls
from scalebridge.study.cost_cells import coarse, cut
from scalebridge.study.plan import Plan, Request

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.structure import Solution
    from scalebridge.upscaling import Effective

_COARSE = {2: 192**2, 3: 48**3}
_TIMED = 8_000_000  # voxels × field components that are timed as they are
_DRAWN = 200_000  # voxels whose local fields are evaluated
_BUDGET = 8.0  # seconds for the coarse grid


@dataclass(frozen=True)
class Pace:
    """What a cell costs under one boundary condition [s].

    Attributes
    ----------
    compiling : float
        First calls: tracing, and compiling or loading what was compiled before.
    setup : float
        Once, before the first load case; for transport through the cell for each.
    iteration : float
        Each iteration.
    case : float
        Each load case beside its iterations.
    """

    compiling: float
    setup: float
    iteration: float
    case: float


class Sample(NamedTuple):
    """Local fields of a slice of a cell.

    Attributes
    ----------
    cell : Cell
        The slice.
    arrays : dict of str to array
    first : float [s]
        What only the first evaluation takes.
    seconds : float [s]
        What the fields of the whole cell take, of all load cases that are kept.
    """

    cell: Cell
    arrays: dict[str, Any]
    first: float
    seconds: float


def trial(request: Request, boundary: str) -> Effective:
    """Solve on a coarse grid; load cases that would take long are left out."""
    from scalebridge.cell import Solver
    from scalebridge.errors import Interrupted
    from scalebridge.upscaling import effective

    start = time.perf_counter()
    is_enough = False

    def stop_in_time(event: Any) -> None:
        nonlocal is_enough
        is_enough = event.case > 0 and time.perf_counter() - start > _BUDGET
        if is_enough:
            raise KeyboardInterrupt

    own = boundary == request.cell.boundary
    cell = coarse(request.cell, boundary, _COARSE[request.cell.dim])
    try:
        return effective(
            cell,
            request.tolerance,
            request.measure,
            fields=own and bool(request.cases),
            field_tolerance=request.field_tolerance,
            solver=Solver(max_iterations=request.max_iterations),
            progress=stop_in_time,
            throw=False,
        )
    except Interrupted as stop:
        if not is_enough:
            raise  # it was the user
        return stop.partial  # type: ignore[return-value]


def iterations_of(found: Effective) -> tuple[int, ...]:
    """Return the iterations by load case; those that were left out are as the mean."""
    cases = len(found.tensor)
    done = found.iterations[: int(np.isfinite(np.diag(found.tensor)).sum())]
    return done + (round(float(np.mean(done))),) * (cases - len(done))


def pace_of(cell: Cell, boundary: str) -> Pace:
    """Time a few iterations of a cell under a boundary condition."""
    from scalebridge.cell import Solver, cg
    from scalebridge.cell.solver import LinearCellProblem

    part = cut(cell, boundary, _TIMED // cell.discretisation.unknowns)
    disc = part.discretisation
    mean = np.eye(disc.components)[0]
    with first_calls() as compiled:
        start = time.perf_counter()
        work = LinearCellProblem(part, Solver()).levels[0]
        cg.solve(work, mean, cg.Target(error=0.0, iterations=1))
        first = time.perf_counter() - start - compiled.seconds
    count = 2 if first > 0.5 else 6
    stamps = [time.perf_counter()]
    cg.solve(
        work,
        mean,
        cg.Target(error=0.0, iterations=count),
        report=lambda _: stamps.append(time.perf_counter()),
    )
    stamps.append(time.perf_counter())
    iteration = float(np.median(np.diff(stamps[1:-1]))) if len(stamps) > 3 else 0.0
    case = max(0.0, stamps[-1] - stamps[0] - (len(stamps) - 2) * iteration)
    scale = cell.discretisation.voxels / disc.voxels
    axes = cell.dim if boundary == "through" else 1
    return Pace(
        compiling=(compiled.again if scale == 1 else compiled.seconds)
        + (axes - 1) * compiled.seconds,
        setup=axes * scale * max(0.0, first - iteration - case),
        iteration=scale * iteration,
        case=scale * case,
    )


def time_of_bounds(cell: Cell) -> float:
    """Time what a comparison computes beside its solutions: the closed-form bounds."""
    from scalebridge.upscaling import bounds

    start = time.perf_counter()
    bounds(cell, boundaries=())
    return time.perf_counter() - start


def sample_fields(request: Request, found: Effective) -> Sample:
    """Time the local fields of a cell on a slice of it."""
    from scalebridge.study.local_fields import local_fields

    part = cut(request.cell, request.cell.boundary, _DRAWN)
    disc = part.discretisation
    still = tuple(jnp.zeros(disc.nodes) for _ in range(disc.unknowns))
    cases = disc.components
    sample = replace(found, tensor=np.eye(cases), _cell=part, _states=(still,) * cases)
    start = time.perf_counter()
    local_fields(sample, part, request.cases[0])
    middle = time.perf_counter()
    local = local_fields(sample, part, request.cases[0])
    seconds = time.perf_counter() - middle
    first = max(0.0, middle - start - seconds)
    scale = request.cell.discretisation.voxels / disc.voxels
    arrays = {f"{n}_{case}": array for case in request.cases for n, array in local.arrays.items()}
    return Sample(part, arrays, first, scale * seconds * len(request.cases))


def time_of_writing(plan: Plan, samples: list[tuple[Request, Sample]]) -> float:
    """Draw the image and samples of the fields, and write them, where the results will go."""
    from scalebridge.study.pictures import save_field, save_microstructure
    from scalebridge.study.results import write_results

    whole = plan.microstructure
    if whole is None:
        return 0.0
    with tempfile.TemporaryDirectory(dir=_place(plan), prefix=".estimate-") as name:
        start = time.perf_counter()
        save_microstructure(Path(name) / "m.png", whole)
        seconds = time.perf_counter() - start
        for request, sample in samples:
            start = time.perf_counter()
            save_field(Path(name) / "f.png", whole, whole.labels, "", "")
            drawing = time.perf_counter() - start
            micro = sample.cell.microstructure
            write_results(Path(name) / "r.vtkhdf", micro, fields=sample.arrays)
            writing = time.perf_counter() - start - drawing
            scale = whole.labels.size / micro.labels.size
            seconds += drawing * len(request.cases) + scale * writing
        if samples:
            seconds += 2 * drawing  # the overview shows the image and a field
    return seconds


def time_of_structure(plan: Plan, name: str, pilot: Solution) -> float:
    """Look into cells of a pilot, and draw and write its files, where the results will go."""
    from scalebridge.study.describe_structure import describe_structure
    from scalebridge.study.solve_parts import Solved, localized_of
    from scalebridge.study.structure_files import write_structure

    request, start = plan.structures[name], time.perf_counter()
    whole = Solved(pilot, localized_of(pilot, request), 0.0)
    own = {**describe_structure(pilot, request, whole.localized, 0.0), "cost": None}
    with tempfile.TemporaryDirectory(dir=_place(plan), prefix=".estimate-") as folder:

        def write(file: str, writer: Callable[[Path], object]) -> None:
            writer(Path(folder) / file)

        write_structure(write, plan, name, whole, {"run": {}, "structures": {name: own}})
    return time.perf_counter() - start


def _place(plan: Plan) -> Path | None:
    """Return the folder in which the results will be, or the system's for temporary files."""
    folder = next(p for p in (plan.out.absolute(), *plan.out.absolute().parents) if p.is_dir())
    return folder if os.access(folder, os.W_OK) else None  # a run will refuse it
