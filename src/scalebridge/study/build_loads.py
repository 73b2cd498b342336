"""From the loads of a checked study to cells and paths; faults are told by its keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge import laws
from scalebridge.cell import Cell
from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure
from scalebridge.study.build_laws import plain_values
from scalebridge.study.load_path import LoadPath, components_of, load_path, mandel_factors
from scalebridge.study.load_table import LoadTable, read_load_table
from scalebridge.study.plan import LoadRequest
from scalebridge.study.schema_loads import LoadSpec, PathSpec
from scalebridge.study.studycheck import FAMILIES, united
from scalebridge.study.studyfile import Point, StudyFile
from scalebridge.study.units import KINDS
from scalebridge.upscaling.loading import Stepping
from scalebridge.upscaling.path import names_of, parse_path

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

Fault = Callable[[tuple[str | int, ...], str], InputError]  # key and what is wrong → error

_QUANTITIES = ("strain", "stress", "F", "P", "gradient", "flux")
_MOST_ROWS = 100_000


def load_request(
    file: StudyFile,
    point: Point,
    name: str,
    micro: Microstructure,
    found: Mapping[str, laws.Law],
    turns: Mapping[str, Any],
) -> LoadRequest:
    """Build the cell and the path of a load history.

    Raises
    ------
    InputError
        What does not fit together, by file, line and key.
    """
    spec, key = point.study.loads[name], ("loads", name)
    with file.at(key, point, {"laws": ("laws",), "orientation": ("laws",)}):
        cell = Cell(
            micro,
            found,
            boundary=spec.boundary,
            element=spec.element,
            plane=spec.plane,
            orientation=turns,
        )
        if cell.boundary == "through":
            raise InputError(
                "`boundary` must hold for all components at once, but 'through' is a problem for "
                "each axis; name it for one, such as {x: kinematic, y: free, z: free}"
            )
        if not 0 < spec.tolerance < 1:
            raise InputError(
                f"`tolerance` must lie between 0 and 1, but is {spec.tolerance:g}; 1e-5 is usual"
            )
    builder = _PathBuilder(file, point, (*key, "path"), spec, cell)
    path = builder.path()
    with file.at((*key, "path"), point):
        parse_path(cell, **_split(path.until(path.stages[0])))
    return LoadRequest(
        cell=cell,
        path=path,
        units=builder.units,
        tolerance=spec.tolerance,
        tangents=spec.tangents,
        keep=kept_rows(
            spec.fields, path.times, lambda at, what: file.error((*key, *at), what, point)
        ),
        stepping=Stepping(newton_iterations=spec.max_newton, cuts=spec.cuts),
    )


def _split(given: dict[str, Any]) -> dict[str, Any]:
    return {"times": given.pop("times"), "given": given}


class _PathBuilder:
    """Turns the path of a load history into rows."""

    def __init__(self, file: StudyFile, point: Point, key: Key, spec: LoadSpec, cell: Cell) -> None:
        self.file, self.point, self.key, self.cell = file, point, key, cell
        self.spec: PathSpec = spec.path
        self.names = names_of(cell.physics)
        self.kinds = {name: _kind(name, spec.physics) for name in self.names}
        self.united = united(point.study)

    def fault(self, key: tuple[str | int, ...], what: str) -> InputError:
        return self.file.error((*self.key, *key), what, self.point)

    def path(self) -> LoadPath:
        """Return the rows of the path."""
        self._check_names()
        table = None if self.spec.file is None else self._table(self.spec.file)
        times = self._times(table)
        curves: dict[tuple[str, str], Any] = {} if table is None else dict(table.columns)
        for name in self.names:
            for component, curve in (getattr(self.spec, name) or {}).items():
                if (name, component) in curves:
                    what = f"must be given once, but {self.spec.file!r} has it too"
                    raise self.fault((name, component), what)
                curves[name, component] = plain_values(curve)
        kinematics = self.cell.kinematics
        return load_path(
            times,
            curves,
            self._rest(),
            self._steps(len(times) - 1),
            names=self.names,
            components=components_of(self.cell),
            at_rest=kinematics.rest,
            scale=mandel_factors(self.cell),
            fault=self.fault,
        )

    @property
    def units(self) -> dict[str, str]:
        """SI units of time, gradient and flux, where the study gives units."""
        kinds = {"time": "time", **self.kinds}
        return {
            name: KINDS[kind][0]
            for name, kind in kinds.items()
            if kind and self.united.get(FAMILIES.get(kind, kind))
        }

    def _check_names(self) -> None:
        for name in _QUANTITIES:
            if name in self.names:
                continue
            given = getattr(self.spec, name) is not None
            resting = self.spec.rest is not None and getattr(self.spec.rest, name) is not None
            if given or resting:
                key = (name,) if given else ("rest", name)
                what = (
                    f"is not what a cell of {self.cell.physics} is driven by; give "
                    f"{self.names[0]}, {self.names[1]} or both"
                )
                raise self.fault(key, what)

    def _table(self, name: str) -> LoadTable:
        with self.file.at((*self.key, "file"), self.point):
            table = read_load_table(self.file.folder / name, self.kinds)
        for kind, has in table.kinds.items():
            family = FAMILIES.get(kind, kind)
            if self.united.setdefault(family, has) != has:
                what = (
                    f"must give {KINDS[kind][1]} {'without' if has else 'with'} a unit, as the "
                    f"rest of the study, but {name!r} does not; a unit stands behind the name of "
                    f"a column, as in stress_11 [MPa]"
                )
                raise self.fault(("file",), what)
        return table

    def _times(self, table: LoadTable | None) -> list[float]:
        if table is None:
            if self.spec.time is None:
                raise self.fault(("time",), "is missing; list the times of the turning points")
            return turning_points(plain_values(self.spec.time), self.fault)
        if self.spec.time is not None:
            raise self.fault(("time",), f"must be left out, since {self.spec.file!r} has it")
        for before, now in pairwise(table.times):
            if now <= before:
                what = f"must have times that increase, but {before:g} is followed by {now:g}"
                raise self.fault(("file",), f"{what}; for a sudden load make the step short")
        return table.times

    def _steps(self, segments: int) -> list[int]:
        steps = self.spec.steps
        if self.spec.file is not None:
            if steps is not None:
                what = f"must be left out: each row of {self.spec.file!r} is a step"
                raise self.fault(("steps",), what)
            return [1] * segments
        if steps is None:
            raise self.fault(("steps",), "is missing; give the number of steps of each segment")
        return steps_of(steps, segments, self.fault)

    def _rest(self) -> str | None:
        if self.spec.rest is None:
            return None
        given = [name for name in self.names if getattr(self.spec.rest, name) is not None]
        if len(given) != 1:
            example = f"{{{self.names[1]}: 0}}"
            raise self.fault(("rest",), f"must name one quantity, as in rest: {example}")
        return given[0]


def _kind(name: str, physics: str) -> str | None:
    """Return the kind of a quantity; None where it has no unit."""
    told = {"stress": "stress", "P": "stress", "strain": None, "F": None}
    return told.get(name, f"{physics} {name}")


def turning_points(times: list[float], fault: Fault) -> list[float]:
    """Return the times of turning points, at least two that increase."""
    if len(times) < 2:
        what = f"must have two turning points at least, but has {len(times)}"
        raise fault(("time",), what)
    for k, (before, now) in enumerate(pairwise(times), start=1):
        if now <= before:
            what = f"must be later than the turning point before, {before:g}, but is {now:g}"
            raise fault(("time", k), f"{what}; for a sudden load make the step short")
    return times


def steps_of(steps: int | list[int], segments: int, fault: Fault) -> list[int]:
    """Return the number of steps of each segment between turning points."""
    listed = steps if isinstance(steps, list) else [steps] * segments
    if len(listed) != segments:
        what = f"must be one number, or one for each of the {segments} segments, but has"
        raise fault(("steps",), f"{what} {len(listed)}")
    if sum(listed) > _MOST_ROWS:
        what = f"must make at most {_MOST_ROWS} steps, but make {sum(listed)}"
        raise fault(("steps",), what)
    return listed


def kept_rows(
    fields: str | list[float], times: NDArray[np.float64], fault: Fault
) -> tuple[int, ...]:
    """Return the rows whose fields are kept."""
    if isinstance(fields, str):
        every = {"none": (), "last": (len(times) - 1,), "all": tuple(range(len(times)))}
        return every[fields]
    rows = []
    for i, time in enumerate(fields):
        row = int(np.abs(times - time).argmin())
        if abs(times[row] - time) > 1e-9 * np.ptp(times):
            what = f"must be the time of a step, but is {time:g}; the nearest is {times[row]:.6g}"
            raise fault(("fields", i), what)
        rows.append(row)
    return tuple(dict.fromkeys(rows))
