"""Values of supports and loads over time and place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scalebridge.errors import InputError

#: (x of shape (dim, point), t, share of the ramp) → (component, point) or (component, 1)
Schedule = Callable[[np.ndarray, float, float], np.ndarray]


class Table:
    """A value given at some times, linear between them and constant beyond.

    Parameters
    ----------
    times : (n,)
        Increasing.
    values : (n,) or (n, component)

    Raises
    ------
    InputError
        Times that repeat or decrease, lengths that differ.

    Examples
    --------
    >>> import scalebridge as sb
    >>> sb.structure.Table([0, 1, 2], [0, 5, 0])(1.5).tolist()
    [2.5]
    """

    def __init__(self, times: Sequence[float], values: Any) -> None:
        try:
            self.times, table = np.asarray(times, float), np.asarray(values, float)
        except (TypeError, ValueError):
            raise InputError("`times` and `values` of a Table must be numbers") from None
        if self.times.ndim != 1 or not len(self.times) or not np.all(np.isfinite(self.times)):
            raise InputError(f"`times` of a Table must be a list of numbers, but is {times!r}")
        wrong = np.flatnonzero(np.diff(self.times) <= 0)
        if len(wrong):
            a, b = self.times[wrong[0]], self.times[wrong[0] + 1]
            how = "repeats" if a == b else "goes back to"
            raise InputError(
                f"`times` of a Table must increase, but {how} {b:g} after {a:g}; for a jump put "
                "the second time a little later"
            )
        if table.ndim not in (1, 2) or len(table) != len(self.times):
            raise InputError(
                f"`values` of a Table must have one row for each of the {len(self.times)} times, "
                f"but has shape {table.shape}"
            )
        if not np.all(np.isfinite(table)):
            raise InputError("`values` of a Table must be finite")
        self.values = table.reshape(len(table), -1)

    def __call__(self, t: float) -> np.ndarray:
        """Return the value at a time, (component,)."""
        return np.array([np.interp(t, self.times, column) for column in self.values.T])


def schedule(value: Any, size: int, what: str) -> Schedule:
    """Return a value as a function of place, time and share of the ramp.

    Parameters
    ----------
    value : number, (component,), Table, {"times": …, "values": …} or callable
        Numbers are reached by a ramp. A callable takes x, (dim, point), and t.
    size : int
        Number of components.
    what : str
        What errors call it.
    """
    if isinstance(value, dict) and set(value) == {"times", "values"}:
        value = Table(value["times"], value["values"])
    if isinstance(value, Table):
        if value.values.shape[1] != size:
            raise InputError(
                f"{what} must have {size} component{'s' * (size > 1)}, but its Table has "
                f"{value.values.shape[1]}"
            )
        return lambda x, t, share: value(t)[:, None]
    if callable(value):
        return lambda x, t, share: _called(value, x, t, size, what)
    try:
        fixed = np.asarray(value, float).reshape(-1)
    except (TypeError, ValueError):
        fixed = np.array([np.nan])
    if len(fixed) != size or not np.all(np.isfinite(fixed)):
        wanted = "a finite number" if size == 1 else f"{size} finite numbers"
        raise InputError(
            f"{what} must be {wanted}, a Table or a function of (x, t), but is {value!r}"
        )
    return lambda x, t, share: share * fixed[:, None]


def _called(value: Callable[..., Any], x: np.ndarray, t: float, size: int, what: str) -> np.ndarray:
    """Return what a function gives, one row for each component, or (component, 1)."""
    points = x.shape[1]
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            given = value(x, t)
    except ZeroDivisionError:
        given = np.full(size, np.nan)
    try:
        if isinstance(given, list | tuple):
            given = np.stack(np.broadcast_arrays(*given))
        rows = np.asarray(given, float)
        if rows.ndim < 2:
            rows = rows.reshape(size, -1 if size == 1 else 1)
        found = np.broadcast_to(rows, (size, points))
    except (TypeError, ValueError):
        shape = getattr(given, "shape", None)
        told = repr(given) if shape is None else f"an array of shape {shape}"
        raise InputError(
            f"{what} must give {size} component{'s' * (size > 1)} at {points} points, but "
            f"gives {told}"
        ) from None
    if not np.all(np.isfinite(found)):
        bad = int(np.flatnonzero(~np.isfinite(found).all(axis=0))[0])
        at = ", ".join(f"{c:g}" for c in x[:, bad])
        raise InputError(
            f"{what} must give finite numbers, but gives "
            f"{', '.join(f'{v:g}' for v in found[:, bad])} at ({at}) and t = {t:g}; change the "
            "function or the times"
        )
    return found
