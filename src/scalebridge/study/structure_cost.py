"""What a structure of cells costs, predicted and measured by the same terms.

    T = Σ_regions (R t_R + R I t_I + D t_D) + assembly + linear equations + first calls

R is the number of answers, macroscopic iterations × points, and t_R the seconds of one that
needs no iteration; I the linear iterations that an answer takes and t_I the seconds of one; D
the number of answers whose tangent is solved for, one solve for each of the m components of the
gradient, and t_D the seconds of one such tangent. The seconds grow as n^α with the n unknowns of
the cell: this is the cost K · N_e · n_g · (I + m) · n^α of FE², R = K · N_e · n_g, with what its
solves cost measured.

R, I and D depend on the history: a pilot follows it with the same cells on a coarse grid.
Seconds are measured with the cells as they are.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from scipy.optimize import nnls

from scalebridge._compiling import Compiling, first_calls
from scalebridge.errors import ConvergenceError, Interrupted
from scalebridge.study.cost_cells import coarse

if TYPE_CHECKING:
    from scalebridge.structure import Solution
    from scalebridge.structure.balance import Balance, Region
    from scalebridge.structure.cell_points import CellPoints
    from scalebridge.structure.effort import Call
    from scalebridge.study.plan import StructureRequest

_COARSE = 8  # voxels along a side of the pilot's cells
_BUDGET = 60.0  # seconds for the pilot
_PORTIONS = 2  # of members, for each core, whose answers are timed
_TIGHT, _ACCURACY = 1e-4, 1e-5  # what most micro problems and tangents are solved to
_COPIES = 5  # of a state that live at once: committed, on trial, guesses, and two in transit


@dataclass(frozen=True)
class RegionCost:
    """Counts and paces of a region of cells.

    Attributes
    ----------
    answers, iterations, tangents : float
        R, R I and D.
    answer, iteration, tangent : float [s]
        t_R, t_I and t_D.
    """

    answers: float
    iterations: float
    tangents: float
    answer: float
    iteration: float
    tangent: float

    @property
    def seconds(self) -> float:
        """Of the micro problems."""
        return (
            self.answers * self.answer
            + self.iterations * self.iteration
            + self.tangents * self.tangent
        )


@dataclass(frozen=True)
class StructureCost:
    """Cost of a structure, predicted or measured.

    Attributes
    ----------
    macro_iterations : float
        K: evaluations of the whole structure.
    regions : mapping of str to RegionCost
        Those of nonlinear cells.
    assembly, linear, compiling : float [s]
    exponents : mapping of str to float
        α by region; empty where it was not measured.
    memory : int [byte]
        Of the states of the points; 0 where it was not counted.
    pilot : Solution or None
        From which it was predicted.
    """

    macro_iterations: float
    regions: Mapping[str, RegionCost]
    assembly: float
    linear: float
    compiling: float
    exponents: Mapping[str, float] = dataclasses.field(default_factory=dict)
    memory: int = 0
    pilot: Solution | None = None

    @property
    def micro(self) -> float:
        """Seconds of all micro problems."""
        return sum(region.seconds for region in self.regions.values())

    @property
    def seconds(self) -> float:
        """All but first calls [s]."""
        return self.micro + self.assembly + self.linear


def predict(request: StructureRequest) -> StructureCost:
    """Predict the cost of a structure from a pilot on coarse cells and a few answers.

    Parameters
    ----------
    request : StructureRequest
    """
    from scalebridge.structure.cell_points import CellPoints

    whole = request.structure.balance
    fine = {r.name: r.points for r in whole.regions if isinstance(r.points, CellPoints)}
    rough = {
        name: points.with_cell(coarse(points.cell, points.cell.boundary, _COARSE**points.cell.dim))
        for name, points in fine.items()
    }
    pilot, share, first = _pilot(request, rough)
    counted = measured(pilot)
    regions, exponents, known = {}, {}, 0.0
    for region in whole.regions:
        if region.name not in fine:
            continue
        points = fine[region.name]
        gradients = region.gradients(pilot.field[-1], whole.space)
        dt = float(np.diff(request.times)[-1])
        with first_calls() as compiled:
            pace = _pace(points, gradients, dt)
        known += compiled.seconds - compiled.again
        coarser = _pace(rough[region.name], gradients, dt)
        own = counted.regions[region.name]
        # Iterations grow a little with the resolution: by as much as in the answers timed.
        growth = pace.iterations / coarser.iterations if coarser.iterations else 1.0
        regions[region.name] = RegionCost(
            answers=own.answers * share,
            iterations=own.iterations * share * growth,
            tangents=own.tangents * share,
            answer=pace.answer,
            iteration=pace.iteration,
            tangent=pace.tangent,
        )
        ratio = points.cell.discretisation.voxels / rough[region.name].cell.discretisation.voxels
        if ratio > 1 and pace.tangent > 0 and coarser.tangent > 0:
            exponents[region.name] = math.log(pace.tangent / coarser.tangent) / math.log(ratio)
    return StructureCost(
        macro_iterations=counted.macro_iterations * share,
        regions=regions,
        assembly=counted.assembly * share,
        linear=counted.linear * share,
        compiling=max(first.seconds - known, first.again),
        exponents=exponents,
        memory=memory_of_states(whole),
        pilot=pilot,
    )


def measured(solution: Solution) -> StructureCost:
    """Return what a solve has cost; paces are fitted to its calls."""
    calls: dict[str, list[Call]] = {}
    for call in solution.calls:
        calls.setdefault(call.region, []).append(call)
    seconds = solution.timings or {}
    regions = {
        region.name: _fitted(calls[region.name])
        for region in solution.regions
        if is_micro(region) and region.name in calls
    }
    return StructureCost(
        macro_iterations=len(solution.calls) / max(len(calls), 1),
        regions=regions,
        assembly=seconds.get("assembly", 0.0),
        linear=seconds.get("linear", 0.0),
        compiling=seconds.get("compiling", 0.0),
    )


def memory_of_states(balance: Balance) -> int:
    """Return the bytes that the states of all points take while a step is solved."""
    return sum(
        _COPIES
        * region.points.count
        * sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(region.points.one_virgin()))
        for region in balance.regions
    )


def describe_cost(predicted: StructureCost | None, solution: Solution) -> dict[str, Any] | None:
    """Return a table of terms, each predicted and measured, as JSON has it.

    None where the solution has no nonlinear cells, or was taken up from a checkpoint: then what
    was measured is not all of it.
    """
    actual = measured(solution)
    if not actual.regions or all(call.row != 1 for call in solution.calls):
        return None

    return {"terms": terms_of(predicted, actual)}


def terms_of(predicted: StructureCost | None, actual: StructureCost) -> list[dict[str, Any]]:
    """Return the terms of a cost: their "name", "unit", "predicted" and "measured" values."""

    def row(name: str, unit: str, of: Any) -> dict[str, Any]:
        told = None if predicted is None else of(predicted)
        return {"name": name, "unit": unit, "predicted": told, "measured": of(actual)}

    terms = [row("macroscopic iterations", "", lambda c: c.macro_iterations)]
    for name in actual.regions:
        if predicted is not None and name not in predicted.regions:
            continue

        def of(attribute: str, name: str = name) -> Any:
            return lambda cost: getattr(cost.regions[name], attribute)

        def pace(attribute: str, name: str = name) -> Any:
            # A fit leaves zero where it cannot tell a pace from the others.
            return lambda cost: getattr(cost.regions[name], attribute) or None

        terms += [
            row(f"{name}: answers", "", of("answers")),
            row(f"{name}: linear iterations", "", of("iterations")),
            row(f"{name}: tangents", "", of("tangents")),
            row(f"{name}: an answer without iterations", "s", pace("answer")),
            row(f"{name}: a linear iteration", "s", pace("iteration")),
            row(f"{name}: a tangent", "s", pace("tangent")),
            row(f"{name}: micro problems", "s", of("seconds")),
        ]
        if predicted is not None and name in predicted.exponents:
            alpha = predicted.exponents[name]
            terms.append(
                {"name": f"{name}: exponent α", "unit": "", "predicted": alpha, "measured": None}
            )
    terms += [
        row("assembly", "s", lambda cost: cost.assembly),
        row("linear equations", "s", lambda cost: cost.linear),
        row("all but first calls", "s", lambda cost: cost.seconds),
        # Not to be compared: the prediction has made some of them already.
        {"name": "first calls", "unit": "s", "predicted": None, "measured": actual.compiling},
    ]
    return terms


def is_micro(region: Region) -> bool:
    """Whether a region has a micro problem at each point."""
    from scalebridge.cell import Cell

    return isinstance(region.law, Cell) and not region.law.is_linear


def _pilot(
    request: StructureRequest, rough: Mapping[str, CellPoints]
) -> tuple[Solution, float, Compiling]:
    """Follow the history with coarse cells.

    Return also what its counts must be multiplied by, and its first calls: the fine cells have
    as many, of which those that are timed here will be known.
    """
    from scalebridge.structure import marching

    whole = request.structure.balance
    regions = tuple(
        dataclasses.replace(region, law=rough[region.name].cell, points=rough[region.name])
        if region.name in rough
        else region
        for region in whole.regions
    )
    begun, last, enough = time.perf_counter(), len(request.times) - 1, False

    def stop_in_time(event: Any) -> None:
        nonlocal enough
        enough = event.step > 1 and time.perf_counter() - begun - compiled.seconds > _BUDGET
        if enough:
            raise KeyboardInterrupt

    with first_calls() as compiled:
        try:
            found: Any = marching.march(
                dataclasses.replace(whole, regions=regions),
                request.times.tolist(),
                physics=request.structure.physics,
                plane=request.structure.plane,
                tolerance=request.tolerance,
                keep=(),
                newton_iterations=request.newton_iterations,
                cuts=request.cuts,
                progress=stop_in_time,
                checkpoint=None,
                workers=None,
                alike=request.alike,
                throw=True,
            )
        except Interrupted as stop:
            if not enough:
                raise
            found = stop.partial
        except ConvergenceError as error:  # the coarse cells may fail where the fine ones do not
            found = error.partial
    done = len(found.times) - 1
    share = _extrapolation(found, done, last) if 0 < done < last else 1.0
    return found, share, compiled


def _extrapolation(found: Solution, done: int, last: int) -> float:
    """Return what the work of the rows done is to be multiplied by: the rest is as the latest."""
    spent = np.zeros(last + 1)
    for call in found.calls:
        spent[call.row] += call.points + call.iterations + call.tangents
    latest = spent[done - max(1, done // 3) + 1 : done + 1].mean()
    total = spent.sum()  # with what was tried of the row that was not reached
    return float((spent[: done + 1].sum() + (last - done) * latest) / total)


def _fitted(calls: list[Call]) -> RegionCost:
    """Return counts, and paces by least squares over the calls."""
    columns = np.array([[c.points, c.iterations, c.tangents] for c in calls], float)
    seconds = np.array([call.seconds for call in calls])
    scale = np.maximum(columns.max(axis=0), 1.0)
    paces = nnls(columns / scale, seconds)[0] / scale
    totals = columns.sum(axis=0)
    fitted = float(totals @ paces)
    if fitted > 0:
        paces = paces * float(seconds.sum()) / fitted
    return RegionCost(*(float(value) for value in (*totals, *paces)))


class _Pace(NamedTuple):
    """Seconds of one answer without iterations, of one iteration and of one tangent; the
    iterations that all answers took from rest."""

    answer: float
    iteration: float
    tangent: float
    iterations: int


def _pace(points: CellPoints, gradients: np.ndarray, dt: float) -> _Pace:
    """Time answers of some points."""
    from scalebridge.cell.batch import portion_size
    from scalebridge.structure.answers import Question

    most = portion_size(points.cell.discretisation) * _PORTIONS * (os.cpu_count() or 1)
    chosen = np.unique(np.linspace(0, points.count - 1, min(most, points.count)).astype(int))
    few = points.select(chosen)
    own = Question(gradients[chosen], few.virgin(), dt, _TIGHT, None)
    near = few.answer(own).guess  # which compiles, as the next
    few.answer(own._replace(accuracy=_ACCURACY, guess=near))
    stamps, answers = [time.perf_counter()], []
    for asked in (own, own._replace(guess=near), own._replace(accuracy=_ACCURACY, guess=near)):
        answers.append(few.answer(asked))
        stamps.append(time.perf_counter())
    first, still, sloped = (float(spent) for spent in np.diff(stamps))
    work = [int(answer.work.sum()) for answer in answers]
    solved = 0 if answers[2].solved is None else int(answers[2].solved.sum())
    return _Pace(
        answer=still / len(chosen),
        iteration=max(first - still, 0.0) / max(work[0] - work[1], 1),
        tangent=max(sloped - still, 0.0) / max(solved, 1),
        iterations=work[0],
    )
