"""Load paths of a study: from turning points, or the rows of a table, to the rows of `load`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import did_you_mean

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.errors import InputError
    from scalebridge.upscaling.history import History

Fault = Callable[[tuple[str | int, ...], str], "InputError"]
Curves = Mapping[tuple[str, str], float | Sequence[float | None]]  # (quantity, component) →


@dataclass(frozen=True)
class Join:
    """Rows of a component whose values lead from where the cell is when they begin.

    Attributes
    ----------
    start, end : int
        The row from which they lead, and their last one.
    quantity : int
        0 for the gradient, 1 for the flux.
    component : int
    target : float
    """

    start: int
    end: int
    quantity: int
    component: int
    target: float


@dataclass(frozen=True)
class LoadPath:
    """What is prescribed in each row, in the components of the cell.

    Attributes
    ----------
    times : (row,)
    prescribed : (2, row, component)
        Gradient and flux, as `scalebridge.load` takes them: NaN where the other one is
        prescribed. Rows of `joins` hold the target until the cell has come so far.
    joins : tuple of Join
    names : (str, str)
    """

    times: NDArray[np.float64]
    prescribed: NDArray[np.float64]
    joins: tuple[Join, ...]
    names: tuple[str, str]

    @property
    def stages(self) -> list[int]:
        """Rows, up to which the path is known once the one before has been reached."""
        return [*sorted({join.start for join in self.joins}), len(self.times) - 1]

    @property
    def whole(self) -> dict[str, Any]:
        """The path with the targets of its joins, which tells it from others."""
        return {"times": self.times, **dict(zip(self.names, self.prescribed, strict=True))}

    def until(self, row: int, history: History | None = None) -> dict[str, Any]:
        """Return the path up to a row of `stages`, as arguments of `scalebridge.load`."""
        values = self.prescribed.copy()
        for join in self.joins:
            if join.start < row:
                reached = (history.gradient, history.flux)[join.quantity]  # type: ignore[union-attr]
                first, count = reached[join.start, join.component], join.end - join.start
                way = np.linspace(first, join.target, count + 1)[1:]
                values[join.quantity, join.start + 1 : join.end + 1, join.component] = way
        given = dict(zip(self.names, values[:, : row + 1], strict=True))
        return {"times": self.times[: row + 1], **given}


def load_path(
    times: Sequence[float],
    curves: Curves,
    rest: str | None,
    steps: Sequence[int],
    *,
    names: tuple[str, str],
    components: Sequence[str],
    at_rest: NDArray[np.float64],
    scale: NDArray[np.float64],
    fault: Fault,
) -> LoadPath:
    """Return the rows of a path.

    Parameters
    ----------
    times : (point,)
        Turning points; the first is rest.
    curves : mapping of (quantity, component) to value or (point,)
        None where the other quantity is prescribed on the way to that point.
    rest : str or None
        The quantity that is prescribed, at its value at rest, of components without a curve.
    steps : (point - 1,)
    names : (str, str)
        What gradient and flux are called.
    components : sequence of str
    at_rest : (component,)
        The gradient at rest.
    scale : (component,)
        From the components of the study to those of the cell.
    fault : callable
        (key, what is wrong) → the error.
    """
    values = _points(times, curves, rest, names, components, at_rest, fault)
    offsets = np.concatenate([[0], np.cumsum(steps)])
    rows = np.full((2, offsets[-1] + 1, len(components)), np.nan)
    joins = []
    first = np.stack([at_rest, 0.0 * at_rest])
    rows[:, 0] = np.where(np.isnan(values[:, 1]), np.nan, first)
    for k in range(1, len(times)):
        start, end = int(offsets[k - 1]), int(offsets[k])
        for q, c in np.argwhere(~np.isnan(values[:, k])).tolist():
            target = values[q, k, c]
            before = first[q, c] if k == 1 else values[q, k - 1, c]
            if np.isnan(before):
                rows[q, start + 1 : end + 1, c] = target
                if end - start > 1:
                    joins.append(Join(start, end, q, c, float(target * scale[c])))
            else:
                way = np.linspace(before, target, end - start + 1)
                rows[q, start + 1 : end + 1, c] = way[1:]
    moments = [
        np.linspace(a, b, n + 1)[1:] for a, b, n in zip(times, times[1:], steps, strict=False)
    ]
    return LoadPath(
        np.concatenate([[times[0]], *moments]).astype(float), rows * scale, tuple(joins), names
    )


def _points(
    times: Sequence[float],
    curves: Curves,
    rest: str | None,
    names: tuple[str, str],
    components: Sequence[str],
    at_rest: NDArray[np.float64],
    fault: Fault,
) -> NDArray[np.float64]:
    """Return (2, point, component), NaN where the other quantity is prescribed; all checked."""
    values = np.full((2, len(times), len(components)), np.nan)
    named: dict[str, list[str]] = {}
    for (quantity, component), curve in curves.items():
        if component not in components:
            guess = did_you_mean(component, components)
            what = f"is not a component here{guess}; known are {', '.join(components)}"
            raise fault((quantity, component), what)
        if not isinstance(curve, float) and len(curve) != len(times):
            what = (
                f"must have a value at each of the {len(times)} turning points of time, but has "
                f"{len(curve)}; write null where it is free"
            )
            raise fault((quantity, component), what)
        c, q = components.index(component), names.index(quantity)
        column = np.array(curve, float)  # None becomes NaN
        values[q, :, c] = column
        _check_first(curve, q * 0.0 if q else at_rest[c], (quantity, component), len(times), fault)
        named.setdefault(component, []).append(quantity)
    if rest is not None:
        q = names.index(rest)
        for c, component in enumerate(components):
            if component not in named:
                values[q, :, c] = 0.0 if q else at_rest[c]
                named[component] = [rest]
    _check_complete(times, values, named, names, components, fault)
    return values


def _check_first(
    curve: float | Sequence[float | None],
    at_rest: float,
    key: tuple[str, str],
    points: int,
    fault: Fault,
) -> None:
    first = curve if isinstance(curve, float) else curve[0]
    if first is None or first == at_rest:
        return
    if isinstance(curve, float):
        ramp = ", ".join([f"{at_rest:g}", *[f"{curve:g}"] * (points - 1)][:4])
        more = ", …" if points > 4 else ""
        what = (
            f"must begin at rest, with {at_rest:g}, but is {curve:g} throughout; give a value at "
            f"each turning point, [{ramp}{more}]"
        )
        raise fault(key, what)
    what = f"must begin at rest, with {at_rest:g}, but is {first:g}"
    raise fault((*key, 0), f"{what}; put a turning point of rest before it")


def _check_complete(
    times: Sequence[float],
    values: NDArray[np.float64],
    named: Mapping[str, Sequence[str]],
    names: tuple[str, str],
    components: Sequence[str],
    fault: Fault,
) -> None:
    """Refuse components that are prescribed twice, or not at all."""
    missing = [c for c in components if c not in named]
    if missing:
        gradient, flux = names
        at_rest = "identity" if gradient == "F" else "0"
        what = (
            f"must prescribe each component by {gradient} or {flux}, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} in neither; name them, or say of all others "
            f"rest: {{{flux}: 0}} or rest: {{{gradient}: {at_rest}}}"
        )
        raise fault((), what)
    given = ~np.isnan(values[:, 1:])
    for k, c in np.argwhere(given.all(axis=0)).tolist():
        what = (
            f"must be free where {names[0]}.{components[c]} is prescribed, but both have a value "
            f"at turning point {k + 2} (t = {times[k + 1]:g}); leave one of them out, or write "
            "null there"
        )
        raise fault((names[1], components[c]), what)
    for k, c in np.argwhere(~given.any(axis=0)).tolist():
        quantity = named[components[c]][0]
        other = names[1 - names.index(quantity)]
        what = (
            f"must have a value at turning point {k + 2} (t = {times[k + 1]:g}), where "
            f"{other}.{components[c]} has none either"
        )
        raise fault((quantity, components[c]), what)


def components_of(cell: Cell) -> tuple[str, ...]:
    """Return the names of components in studies: x, y, z of vectors."""
    names = cell.kinematics.components
    return tuple("xyz"[: len(names)]) if cell.physics == "conduction" else names


def mandel_factors(cell: Cell) -> NDArray[np.float64]:
    """Return what tensor components, (component,), are multiplied with to be the cell's."""
    names = cell.kinematics.components
    shears = [cell.physics == "elasticity" and len(set(name)) > 1 for name in names]
    return np.where(shears, np.sqrt(2.0), 1.0)
