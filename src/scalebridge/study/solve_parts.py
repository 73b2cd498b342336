"""Solve the structures of a plan, each from its checkpoint where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scalebridge.errors import InputError, WorkersLostError
from scalebridge.study import structure_cost
from scalebridge.study.checkpoint import AnotherProblemError
from scalebridge.study.hardest import hardest
from scalebridge.study.job import Observer
from scalebridge.study.plan import Plan, StructureRequest
from scalebridge.study.structure_checkpoint import StructureCheckpoint
from scalebridge.study.structure_files import folder_of

if TYPE_CHECKING:
    import numpy as np

    from scalebridge.structure import Localized, Solution
    from scalebridge.structure.balance import Balance
    from scalebridge.structure.record import Row, Saved, Snapshot
    from scalebridge.structure.workers import Workers
    from scalebridge.study.structure_cost import StructureCost


class Solved(NamedTuple):
    """A structure, as far as it went.

    Attributes
    ----------
    solution : Solution
    localized : tuple of Localized
        Of the points that were asked for, then of those whose cells worked hardest.
    seconds : float
    predicted : StructureCost or None
        What it was to cost, if that was asked for.
    """

    solution: Solution
    localized: tuple[Localized, ...]
    seconds: float
    predicted: StructureCost | None = None


def solve_parts(
    plan: Plan, observer: Observer, workers: Workers | None = None, predict: bool = False
) -> tuple[dict[str, Solved], bool]:
    """Solve one structure after another; where it stops early return what there is, and True.

    It stops at Ctrl-C, and when all workers are lost. With `predict` the cost of
    each is predicted first.
    """
    found: dict[str, Solved] = {}
    for name, request in plan.structures.items():
        start = time.perf_counter()
        observer.started(name, {})
        stopped, solution, predicted = False, None, None
        try:
            if predict:
                predicted = structure_cost.predict(request)
                start = time.perf_counter()
            solution = _solve(plan, name, observer, workers)
        except KeyboardInterrupt as stop:
            solution, stopped = getattr(stop, "partial", None), True
        except WorkersLostError as lost:
            observer.warned(f"{name} stopped: {lost}")
            solution, stopped = lost.partial, True  # type: ignore[assignment]
        finally:
            observer.finished(name)
        if solution is not None:
            looked: tuple[Localized, ...] = ()
            try:
                looked = localized_of(solution, request)
            except KeyboardInterrupt:
                stopped = True
            spent = time.perf_counter() - start
            found[name] = Solved(solution, looked, spent, predicted)
        if stopped:
            return found, True
    return found, False


class _Saved:
    """The checkpoint of a structure; one of another problem goes."""

    def __init__(
        self, folder: Path, refused: Callable[[InputError], None], workers: Workers | None
    ) -> None:
        self._kept, self._refused, self._workers = StructureCheckpoint(folder), refused, workers

    def restore(self, balance: Balance, times: np.ndarray, options: str) -> Saved | None:
        """Return what was saved of this very problem."""
        try:
            return self._kept.restore(balance, times, options)
        except AnotherProblemError as error:
            self._refused(error)
            self._remove()
            return self._kept.restore(balance, times, options)

    def _remove(self) -> None:
        """Remove the folder once all ranks have read it."""
        if self._workers is not None:
            self._workers.barrier()
        if self._workers is None or self._workers.rank == 0:
            self._kept.remove()
        if self._workers is not None:
            self._workers.barrier()

    def save(self, row: Row, snapshot: Snapshot, workers: Workers | None) -> None:
        """Save a row that was reached."""
        self._kept.save(row, snapshot, workers)


def _solve(plan: Plan, name: str, observer: Observer, workers: Workers | None) -> Solution:
    request = plan.structures[name]
    saved = _Saved(
        folder_of(plan, name),
        lambda fault: observer.warned(f"{name} begins anew: {fault}"),
        workers,
    )
    return request.structure.solve(
        request.times.tolist(),
        tolerance=request.tolerance,
        keep=request.keep,
        watch=request.localize,
        newton_iterations=request.newton_iterations,
        cuts=request.cuts,
        progress=partial(observer.iterated, name),
        checkpoint=saved,
        workers=workers,
        alike=request.alike,
        throw=False,
    )


def localized_of(solution: Solution, request: StructureRequest) -> tuple[Localized, ...]:
    """Return the cells that are asked for, and those that worked hardest."""
    from scalebridge.structure import localize

    if len(solution.times) < 2:
        return ()
    wanted = dict.fromkeys(request.localize)
    most = hardest(solution, len(wanted) + request.hardest)
    others = [place for one in most if (place := (one.element, one.point)) not in wanted]
    wanted |= dict.fromkeys(others[: request.hardest])
    return tuple(localize(solution, elements=list(wanted))) if wanted else ()
