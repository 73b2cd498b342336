"""What a run will cost in memory and time, before it is made."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import __version__
from scalebridge.errors import InputError
from scalebridge.microstructure import memory
from scalebridge.study.cost_cells import under
from scalebridge.study.cost_memory import Memory, memory_of, shortage, tightness
from scalebridge.study.cost_sides import slow_sides

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.study.plan import Plan, Request, StructureRequest
    from scalebridge.study.studyfile import StudyFile

_MOST_POINTS = 3  # of a sweep that are tried; the others are scaled


@dataclass(frozen=True)
class Estimate:
    """Predicted cost of a run.

    Attributes
    ----------
    memory : Memory
        By stage; of a sweep that of its largest point.
    time : dict of str to float [s]
        "reading", "compiling" (first calls), "solving", "other boundary conditions", "fields",
        "writing"; empty where the run does not fit.
    iterations : dict of str to tuple of int
        "NAME, BOUNDARY" → iterations of each load case.
    seconds_per_iteration : dict of str to float [s]
    available : int [byte]
        Memory that the process can still take.
    shortage : str
        Why the run does not fit into memory; empty if it does.
    warnings : tuple of str
    points : int
        Points of the sweep; 1 without one.
    structures : dict of str to list of dict
        Of each structure the terms of its cost, "name", "unit" and "predicted".
    """

    memory: Memory
    time: Mapping[str, float]
    iterations: Mapping[str, tuple[int, ...]]
    seconds_per_iteration: Mapping[str, float]
    available: int
    shortage: str
    warnings: tuple[str, ...]
    points: int = 1
    structures: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """Predicted wall time [s]; None where the run does not fit."""
        return sum(self.time.values()) if self.time else None

    @property
    def fits(self) -> bool:
        """Whether the memory suffices."""
        return not self.shortage

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "fits": self.fits,
            "peak_memory_bytes": self.memory.peak,
            "peak_stage": self.memory.peak_stage,
            "memory_bytes": {name: dict(terms) for name, terms in self.memory.stages.items()},
            "available_memory_bytes": self.available,
            "seconds": self.seconds,
            "time_seconds": dict(self.time),
            "iterations": {name: list(counts) for name, counts in self.iterations.items()},
            "seconds_per_iteration": dict(self.seconds_per_iteration),
            "points": self.points,
            "structures": dict(self.structures),
            "warnings": [*self.warnings, *([self.shortage] if self.shortage else [])],
        }


def seconds_since_start() -> float:
    """Return the age of the process [s], or where the system does not tell it its CPU time."""
    try:
        words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began = int(words[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, AttributeError):
        return time.process_time()


def estimate(plan: Plan) -> Estimate:
    """Predict memory and time of a plan; a few seconds of trials.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    Estimate
        Memory is counted from the arrays. Iterations are those of the same cell on a coarse
        grid, seconds those of a few iterations at its own size (`cost_time`).
    """
    needed, available = memory_of(plan), memory.available_memory()
    start = time.perf_counter()
    warnings = dict.fromkeys(
        text for request in plan.requests.values() for text in request.cell.warnings
    )
    checks = time.perf_counter() - start
    slow = slow_sides(request.cell.discretisation for request in plan.requests.values())
    tight = tightness(needed, available)
    told = tuple(text for text in (*warnings, slow, tight, _left_out(plan)) if text)
    lacking = shortage(needed, available, plan)
    empty = Estimate(needed, {}, {}, {}, available, lacking, told)
    if lacking:
        return empty
    reading = start - plan.started + checks
    return _timed(plan, replace(empty, time={"reading": reading}))


def _left_out(plan: Plan) -> str:
    """Say which load histories the estimate knows nothing of."""
    if not plan.loads:
        return ""
    names = ", ".join(plan.loads)
    return f"load histories are not estimated ({names}): memory and time are those of all else"


def _timed(plan: Plan, begun: Estimate) -> Estimate:
    """Add what trials of the solver tell."""
    from scalebridge.study.cost_time import (
        iterations_of,
        pace_of,
        sample_fields,
        time_of_bounds,
        time_of_structure,
        time_of_writing,
        trial,
    )
    from scalebridge.study.structure_cost import predict, terms_of

    spent = {"compiling": 0.0, "solving": 0.0, "other boundary conditions": 0.0, "fields": 0.0}
    iterations, paces, samples = {}, {}, []
    for name, request in plan.requests.items():
        for boundary, cell in _feasible(request):
            pace = pace_of(cell, boundary)
            found = trial(request, boundary)
            where = f"{name}, {boundary}"
            counts = iterations[where] = iterations_of(found)
            paces[where] = pace.iteration
            own = boundary == request.cell.boundary
            term = "solving" if own else "other boundary conditions"
            spent[term] += pace.setup + sum(pace.case + n * pace.iteration for n in counts)
            spent["compiling"] += pace.compiling
            if own and request.cases:
                sample = sample_fields(request, found)
                spent["compiling"] += sample.first
                spent["fields"] += sample.seconds
                samples.append((request, sample))
        if request.compare:
            spent["other boundary conditions"] += time_of_bounds(request.cell)
    structures: dict[str, list[dict[str, Any]]] = {}
    files: dict[str, float] = {}
    for name, part in plan.structures.items():
        cost = predict(part)
        if cost.pilot is not None:
            files[name] = time_of_structure(plan, name, cost.pilot)
        spent[f"structure {name}"] = cost.seconds
        spent["compiling"] += cost.compiling
        structures[name] = [
            {key: term[key] for key in ("name", "unit", "predicted")}
            for term in terms_of(cost, cost)
            if term["predicted"] is not None
        ]
    spent["writing"] = time_of_writing(plan, samples) + sum(files.values())
    return replace(
        begun,
        time={**begun.time, **{term: seconds for term, seconds in spent.items() if seconds}},
        iterations=iterations,
        seconds_per_iteration=paces,
        structures=structures,
    )


def _feasible(request: Request) -> list[tuple[str, Cell]]:
    """Return the boundary conditions that the image admits."""
    found = []
    for boundary in request.boundaries:
        try:
            found.append((boundary, under(request.cell, boundary)))
        except InputError:  # a comparison leaves it out too
            continue
    return found


def estimate_study(file: StudyFile, out: Path | None = None) -> Estimate:
    """Predict memory and time of a study file, over all points of its sweep.

    Every point is built, as `scalebridge.study.run.run_study` does. A few are tried, the
    others are taken to cost by their size what the last of those before them costs.

    Parameters
    ----------
    file : StudyFile
    out : Path, optional
        Folder for the results, in place of the study's own: a sample is written beside it.

    Raises
    ------
    InputError
        Anything that cannot be used, as in a run.
    """
    from scalebridge.study.build import Builder

    builder, folder = Builder(file), file.output if out is None else out
    count = len(file.points)
    tried = set(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int).tolist())
    found: list[Estimate] = []
    for number, point in enumerate(file.points):
        study_hash = point.hash(builder.hashes(point), __version__)
        plan = builder.plan(point, folder, {}, study_hash)
        if number in tried:
            last, reference = estimate(plan), plan
            found.append(last)
        else:
            found.append(_like(last, reference, plan))
    return _together(found) if count > 1 else found[0]


def _like(tried: Estimate, reference: Plan, plan: Plan) -> Estimate:
    """Return the estimate of a plan that costs by its size what another does."""
    needed = memory_of(plan)
    lacking = shortage(needed, tried.available, plan)
    scale = _work(plan) / (_work(reference) or 1.0)
    spent = {} if lacking else {term: scale * seconds for term, seconds in tried.time.items()}
    shapes = [p.microstructure and p.microstructure.shape for p in (plan, reference)]
    if shapes[0] == shapes[1]:
        spent.pop("compiling", None)  # what is compiled serves both
    return replace(tried, memory=needed, shortage=lacking, time=spent)


def _work(plan: Plan) -> float:
    grids = ((r.cell.discretisation, len(r.boundaries)) for r in plan.requests.values())
    solved = sum(g.voxels * g.unknowns * g.components * count for g, count in grids)
    return solved + sum(_work_of(request) for request in plan.structures.values())


def _work_of(request: StructureRequest) -> float:
    """Return how much work a structure is beside others."""
    from scalebridge.structure.cell_points import CellPoints

    regions = [r.points for r in request.structure.balance.regions]
    cells = [p for p in regions if isinstance(p, CellPoints)]
    rows = len(request.times) - 1
    return rows * sum(p.count * p.cell.discretisation.voxels * p.kinematics.size**2 for p in cells)


def _together(points: list[Estimate]) -> Estimate:
    """Return the memory of the largest point and the time of all."""
    largest = max(points, key=lambda point: point.memory.peak)
    lacking = next((point.shortage for point in points if point.shortage), "")
    spent: dict[str, float] = {}
    for point in [] if lacking else points:
        for term, seconds in point.time.items():
            spent[term] = spent.get(term, 0.0) + seconds
    if spent:
        spent["reading"] *= 2  # every point is built and checked before the first is solved
    warnings = dict.fromkeys(text for point in points for text in point.warnings)
    return replace(
        largest, time=spent, shortage=lacking, warnings=tuple(warnings), points=len(points)
    )
