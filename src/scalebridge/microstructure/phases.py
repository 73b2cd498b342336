"""Which values of an image make which phase, and the compact label image that follows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import as_names

_CHUNK = 1 << 22  # voxels handled at once, so that temporary arrays stay small
_TABLE = 1 << 20  # integer images that span fewer values than this go through a table
_EXACT = 1 << 53  # integers up to here are exact in double precision


@dataclass(frozen=True)
class Phase:
    """A phase and the values that make it, as inclusive intervals."""

    name: str
    intervals: tuple[tuple[float, float], ...]

    @property
    def source(self) -> str:
        """The values in words: ``87``, ``0 to 89`` or ``1, 5 to 9``."""
        return ", ".join(tell_interval(*interval) for interval in self.intervals)


def parse_phases(phases: Any) -> tuple[Phase, ...]:
    """Return the phases of a mapping name → label | (low, high) | [several of these].

    Raises
    ------
    InputError
        No mapping, no or odd names, values that are no numbers, overlapping ranges.
    """
    if not isinstance(phases, Mapping) or not phases:
        raise InputError(
            "`phases` must be a mapping from names to labels, "
            f"but is {'missing' if phases is None else repr(phases)}; "
            "e.g. phases={'matrix': 0, 'fibre': 1} or {'void': (0, 89), 'solid': (90, 255)}"
        )
    as_names(tuple(phases))
    parsed = tuple(Phase(name, _intervals(name, value)) for name, value in phases.items())
    _refuse_overlap(parsed)
    return parsed


def classify(
    image: NDArray[Any], phases: tuple[Phase, ...], what: str = "`labels`"
) -> NDArray[np.unsignedinteger[Any]]:
    """Return the compact label image: 0 for the first of `phases`, 1 for the second, …

    Parameters
    ----------
    image : (x, y[, z]) integers or floats
    phases : what `parse_phases` returned
    what : the image's name in messages

    Raises
    ------
    InputError
        NaN in the image, values that belong to no phase, phases without a voxel.
    """
    if image.flags.f_contiguous and not image.flags.c_contiguous:
        return np.ascontiguousarray(classify(image.T, phases, what).T)
    if image.dtype.kind == "b":
        image = image.view(np.uint8)
    rule = _Rule(phases)
    lookup = rule.table(image, what)
    labels = np.empty(image.shape, np.min_scalar_type(len(phases)))
    counts = np.zeros(len(phases) + 1, np.int64)
    nans = 0
    for values, out in _chunks(image, labels):
        if image.dtype.kind == "f":
            nans += int(np.isnan(values).sum())
        out[...] = lookup(values)
        counts += np.bincount(out.ravel(), minlength=len(counts))
    if nans:
        refuse_nan(nans, image.size, what)
    if counts[-1]:
        _refuse_unnamed(image, labels, phases, what)
    for phase, count in zip(phases, counts[:-1], strict=True):
        if count == 0:
            _refuse_absent(image, phase, what)
    return labels.astype(np.min_scalar_type(len(phases) - 1), copy=False)


def refuse_nan(count: int, size: int, what: str) -> None:
    """Tell how many voxels hold no number."""
    raise InputError(
        f"{what} must hold a number in each voxel, but {count} of {size} are NaN; "
        "fill or crop them before"
    )


def tell_interval(low: float, high: float) -> str:
    """Return ``87``, ``0 to 89``, ``up to 0.5`` or ``from 0.5``."""
    if low == high:
        return f"{low:.10g}"
    if low == -math.inf:
        return "all" if high == math.inf else f"up to {high:.10g}"
    return f"from {low:.10g}" if high == math.inf else f"{low:.10g} to {high:.10g}"


class _Rule:
    """The sorted intervals of all phases; ``rule(values)`` gives the phase of each value."""

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        rows = sorted((*part, owner) for owner, one in enumerate(phases) for part in one.intervals)
        self.low, self.high = np.array([row[:2] for row in rows], float).T
        self.owner = np.array([row[2] for row in rows])
        self.nobody = len(phases)

    def __call__(self, values: NDArray[Any]) -> NDArray[np.integer[Any]]:
        values = values.astype(np.float64, copy=False)
        position = np.searchsorted(self.low, values, side="right") - 1
        inside = (position >= 0) & (values <= self.high[position])
        return np.where(inside, self.owner[position], self.nobody)

    def table(self, image: NDArray[Any], what: str) -> Any:
        """Return a faster function of the same values where the image holds few integers."""
        if image.dtype.kind == "f":
            return self
        low, high = int(image.min()), int(image.max())
        if max(abs(low), abs(high)) > _EXACT:
            raise InputError(
                f"{what} must hold labels within ±2^53, but holds {low} to {high}; renumber them"
            )
        if high - low >= _TABLE:
            return self
        table = self(np.arange(low, high + 1)).astype(np.min_scalar_type(self.nobody))
        return lambda values: table[values.astype(np.int64) - low]


def _chunks(*arrays: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    rows = max(1, _CHUNK // max(1, math.prod(arrays[0].shape[1:])))
    for start in range(0, len(arrays[0]), rows):
        yield tuple(array[start : start + rows] for array in arrays)


def _intervals(name: str, value: Any) -> tuple[tuple[float, float], ...]:
    several = value if isinstance(value, list | set | frozenset | range) else [value]
    parts = tuple(sorted(_interval(name, part) for part in several))
    if not parts:
        raise InputError(
            f"`phases[{name!r}]` must hold at least one label, but is {value!r}; e.g. 1 or (0, 89)"
        )
    return parts


def _interval(name: str, value: Any) -> tuple[float, float]:
    ends = value if isinstance(value, tuple) else (value, value)
    try:
        if len(ends) != 2 or any(isinstance(end, str | bytes) for end in ends):
            raise TypeError
        low, high = (_number(end) for end in ends)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"`phases[{name!r}]` must be a label, an inclusive range (low, high) or a list of "
            f"these, but is {value!r}; e.g. 1, (0, 89) or [1, 4]"
        ) from None
    if not low <= high:
        raise InputError(
            f"`phases[{name!r}]` must be a range from low to high, but is {value!r}; "
            "swap the ends or give numbers"
        )
    return low, high


def _number(value: Any) -> float:
    """Keep whole numbers whole: ``float`` would blur large labels in messages."""
    number = float(value)
    return int(number) if number.is_integer() else number


def _refuse_overlap(phases: tuple[Phase, ...]) -> None:
    rows = sorted((*part, one.name) for one in phases for part in one.intervals)
    for (*first, one), (*second, other) in pairwise(rows):
        if second[0] <= first[1]:
            raise InputError(
                f"`phases` must not overlap, but {one!r} has {tell_interval(*first)} and "
                f"{other!r} has {tell_interval(*second)}, both ends included; "
                "let each range begin above the end of the one before"
            )


def _refuse_unnamed(
    image: NDArray[Any], labels: NDArray[Any], phases: tuple[Phase, ...], what: str
) -> None:
    values, counts = np.unique(image[labels == len(phases)], return_counts=True)
    remedy = "name them in `phases`, or give ranges that cover them, e.g. 'void': (0, 89)"
    pairs = [one for one in phases if _looks_like_range(one)]
    if pairs:
        low, high = (part[0] for part in pairs[0].intervals)
        remedy = f"a list holds single labels: write ({low:g}, {high:g}) for the range"
    raise InputError(
        f"{what} must hold only values that `phases` names, but {int(counts.sum())} of "
        f"{image.size} voxels hold others: {_tell_values(values, counts)}; {remedy}"
    )


def _looks_like_range(phase: Phase) -> bool:
    return len(phase.intervals) == 2 and all(low == high for low, high in phase.intervals)


def _refuse_absent(image: NDArray[Any], phase: Phase, what: str) -> None:
    values, counts = np.unique(image, return_counts=True)
    known = [f"{value:g}" for value in values.tolist()] if len(values) <= 1000 else []
    raise InputError(
        f"{what} must hold every phase, but no voxel of {phase.name!r} = {phase.source} "
        f"is there{did_you_mean(phase.source, known)}; "
        f"the image holds {_tell_values(values, counts)}"
    )


def _tell_values(values: NDArray[Any], counts: NDArray[Any], most: int = 6) -> str:
    shown = np.sort(np.argsort(-counts, kind="stable")[:most])
    told = ", ".join(f"{values[i]:.6g} ({counts[i]} voxels)" for i in shown.tolist())
    if len(values) > most:
        told += f" and {len(values) - most} more from {values[0]:.6g} to {values[-1]:.6g}"
    return told
