"""Solve the load histories of a plan, each from its checkpoint where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scalebridge.errors import InputError
from scalebridge.study.checkpoint import AnotherProblemError, Checkpoint
from scalebridge.study.job import Observer
from scalebridge.study.load_files import checkpoint_of
from scalebridge.study.plan import LoadRequest, Plan
from scalebridge.upscaling.path import names_of, parse_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scalebridge.cell import Cell
    from scalebridge.upscaling.history import History
    from scalebridge.upscaling.path import Path as Rows


class Followed(NamedTuple):
    """A load history, as far as it went.

    Attributes
    ----------
    history : History
    fields : mapping of row to dict of name to (component, x, y[, z]) or (x, y[, z])
        Where it ended early and fields were asked for, those of its last row too; never one
        row alone.
    seconds : float
    """

    history: History
    fields: Mapping[int, dict[str, NDArray[Any]]]
    seconds: float


def follow_loads(plan: Plan, observer: Observer) -> tuple[dict[str, Followed], bool]:
    """Solve one load history after another; on Ctrl-C return what there is, and True."""
    found: dict[str, Followed] = {}
    for name, request in plan.loads.items():
        start = time.perf_counter()
        observer.started(name, {})
        saved = _Saved(checkpoint_of(plan, name), partial(_tell_anew, observer, name))
        stopped = False
        try:
            history = _follow(request, saved, partial(observer.stepped, name))
        except KeyboardInterrupt as stop:
            history, stopped = getattr(stop, "partial", None), True
        finally:
            observer.finished(name)
        if history is not None:
            fields = _fields(history, request)
            found[name] = Followed(history, fields, time.perf_counter() - start)
        if stopped:
            return found, True
    return found, False


def _tell_anew(observer: Observer, name: str, fault: InputError) -> None:
    observer.warned(f"{name} begins anew: {fault}")


class _Saved:
    """The checkpoint of a whole path, for the stages in which it is followed."""

    def __init__(self, path: Path, refused: Callable[[InputError], None]) -> None:
        self._file, self._refused = Checkpoint(path), refused
        self._history: History | None = None

    def begin(self, request: LoadRequest) -> History | None:
        """Return what was saved of this very problem; what was saved of another one goes."""
        path = request.path.whole
        rows = parse_path(request.cell, path.pop("times"), path)
        words = (request.tolerance, request.stepping, request.tangents, request.keep)
        told = repr((words, request.path.joins))
        try:
            self._history = self._file.restore(request.cell, rows, told)
        except AnotherProblemError as error:
            self._refused(error)
            self._file.path.unlink(missing_ok=True)
        return self._history

    def restore(self, cell: Cell, path: Rows, options: str) -> History | None:
        """Return the history from which a stage goes on, as `load` asks."""
        return self._history

    def save(self, history: History) -> None:
        """Keep the history so far."""
        self._history = history
        self._file.save(history)


def _follow(request: LoadRequest, saved: _Saved, progress: Callable[[Any], None]) -> History | None:
    """Follow the path stage by stage: some begin from where the cell is then."""
    from scalebridge.upscaling import loading

    history, last = saved.begin(request), request.path.stages[-1]
    for row in request.path.stages:
        if history is not None and len(history.times) > row:
            continue
        history = loading.load(
            request.cell,
            **request.path.until(row, history),
            tolerance=request.tolerance,
            tangents=request.tangents,
            keep=[kept for kept in request.keep if kept <= row],
            stepping=request.stepping,
            progress=lambda event: progress(event._replace(steps=last)),
            checkpoint=saved,
            throw=False,
        )
        if not history.converged:
            break
    return history


def _fields(history: History, request: LoadRequest) -> Mapping[int, dict[str, NDArray[Any]]]:
    """Return the kept fields, those of the last row where the history ended early, and of rest.

    VTK knows no single time step: beside one row there is row 0.
    """
    from scalebridge.cell import nonlinear
    from scalebridge.upscaling import substeps
    from scalebridge.upscaling.inner_fields import voxel_fields

    fields, last = dict(history.fields or {}), len(history.times) - 1
    equations = nonlinear.prepare(request.cell)
    names = names_of(request.cell.physics)
    if request.keep and not history.converged and last not in fields:
        fields[last] = voxel_fields(request.cell, equations, history.end.now, names)
    if len(fields) == 1 and 0 not in fields:
        virgin = nonlinear.virgin(equations, request.cell.kinematics)
        rest = substeps.rest(equations, virgin)
        fields[0] = voxel_fields(request.cell, equations, rest, names)
    return fields if len(fields) > 1 else {}
