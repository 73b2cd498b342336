"""The results of a sweep as objects: a table of points, each of which opens in turn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import xarray

    from scalebridge.study.opened_run import OpenedRun


_UNITED = re.compile(r"\s*([-+]?(?:\.\d+|\d+\.?\d*)(?:[eE][-+]?\d+)?)\s*(\D.*?)\s*")


def numbers_of(column: Sequence[Any]) -> tuple[list[float], str] | None:
    """Return the numbers of a swept parameter and their unit; None where it has other values."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in column):
        return [float(v) for v in column], ""
    found = [_UNITED.fullmatch(v) if isinstance(v, str) else None for v in column]
    units = {match[2] if match else None for match in found}
    if None in units or len(units) != 1:
        return None
    return [float(match[1]) for match in found if match], str(units.pop())


@dataclass(frozen=True)
class OpenedPoint:
    """One point of a sweep.

    Attributes
    ----------
    number : int
        From 1.
    parameters : dict
        Dotted path into the study → value.
    results : dict of str to float
        Main results, named ``cell.constant``.
    path : Path
        The folder of its own.
    """

    number: int
    parameters: Mapping[str, Any]
    results: Mapping[str, Any] = field(repr=False)
    path: Path = field(repr=False)

    def open(self) -> OpenedRun:
        """Open the run of this point."""
        from scalebridge.errors import InputError
        from scalebridge.study import opened

        run = opened.open(self.path)
        if isinstance(run, OpenedSweep):
            raise InputError(f"{str(self.path)!r} must be one point of a sweep, but is a sweep")
        return run


@dataclass(frozen=True, repr=False)
class OpenedSweep:
    """A sweep: the points that are done.

    Attributes
    ----------
    path : Path
        The folder.
    summary : dict
        What ``summary.json`` holds.
    parameters : tuple of str
        Dotted paths of what was swept.
    points : tuple of OpenedPoint
    count : int
        Number of points that the study has.
    """

    path: Path
    summary: Mapping[str, Any]
    parameters: tuple[str, ...] = field(init=False)
    points: tuple[OpenedPoint, ...] = field(init=False)
    count: int = field(init=False)

    def __post_init__(self) -> None:
        sweep = self.summary["sweep"]
        names, count = tuple(sweep["parameters"]), int(sweep["count"])
        points = tuple(self._point(dict(row), names, count) for row in sweep["points"])
        object.__setattr__(self, "parameters", names)
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "points", points)

    def _point(self, row: dict[str, Any], names: tuple[str, ...], count: int) -> OpenedPoint:
        number = int(row.pop("point"))
        parameters = {name: row.pop(name) for name in names}
        folder = self.path / f"point-{number:0{max(3, len(str(count)))}d}"
        return OpenedPoint(number, parameters, row, folder)

    @property
    def interrupted(self) -> bool:
        """Whether the sweep was stopped before its end."""
        return bool(self.summary["interrupted"]) or len(self.points) < self.count

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not converge."""
        return tuple(self.summary["failures"])

    def table(self) -> pandas.DataFrame:
        """Return parameters and main results as a pandas table, one row a point."""
        from scalebridge.study.opened_tables import sweep_table

        return sweep_table(self)

    def dataset(self) -> xarray.Dataset:
        """Return main results as an xarray dataset over the parameters, or over ``point``.

        The dimensions are the parameters where the points are their full grid.
        """
        from scalebridge.study.opened_tables import sweep_dataset

        return sweep_dataset(self)

    def __repr__(self) -> str:
        lines = [f"sweep over {', '.join(self.parameters)}: {len(self.points)} of {self.count}"]
        for point in self.points[:12]:
            values = ", ".join(str(value) for value in point.parameters.values())
            lines.append(f"{point.number:>4}  {values}")
        lines += [f"      and {len(self.points) - 12} more"] if len(self.points) > 12 else []
        named = list(self.points[0].results)[:8] if self.points else []
        lines += [f"results: {', '.join(named)}, …"] if named else []
        return "\n".join([*lines, *(f"failure: {text}" for text in self.failures)])
