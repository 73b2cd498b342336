"""Load paths: which averages are prescribed when, checked before anything is solved."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scalebridge.cell import space
from scalebridge.cell.cell import Cell
from scalebridge.errors import InputError
from scalebridge.upscaling.history import History

_NAMES = {
    "conduction": ("gradient", "flux"),
    "elasticity": ("strain", "stress"),
    "finite strain": ("F", "P"),
}


class Path(NamedTuple):
    """A load path, row by row; row 0 is the state at rest.

    Attributes
    ----------
    times : (step,)
    gradient, flux : (step, component)
        Prescribed values; NaN where the other one is prescribed.
    free : (step, component, component)
        Projector on the part of the average gradient that the step leaves free.
    components : (component,) of str
    """

    times: np.ndarray
    gradient: np.ndarray
    flux: np.ndarray
    free: np.ndarray
    components: tuple[str, ...]


def names_of(physics: str) -> tuple[str, str]:
    """Return what users call gradient and flux."""
    return _NAMES[physics]


def parse_path(
    cell: Cell, times: Any, given: dict[str, Any], before: History | None = None
) -> Path:
    """Check a load path.

    Parameters
    ----------
    cell : Cell
    times : (step,)
    given : dict
        What the caller prescribes, by name; None is left out.
    before : History, optional
        What the path goes on from: then row 0 repeats the averages of its end.

    Raises
    ------
    InputError
        Names that do not fit the physics, wrong shapes, times that do not increase, a
        component prescribed twice or not at all, a first row that is not the state at rest,
        loads that no state can satisfy.
    """
    physics = cell.physics
    own = names_of(physics)
    for name, value in given.items():
        if value is not None and name not in own:
            raise InputError(
                f"`{name}` is not what a cell of {physics} is driven by; "
                f"give `{own[0]}`, `{own[1]}` or both"
            )
    moments = parse_times(times)
    components = cell.kinematics.components
    gradient, flux = (_table(n, given.get(n), len(moments), cell, components) for n in own)
    if given.get(own[0]) is None and given.get(own[1]) is None:
        raise InputError(f"`{own[0]}` or `{own[1]}` must be given, but neither is")
    _check_complete(gradient, flux, own, components)
    if before is None:
        _check_rest(gradient, flux, own, cell, components)
    else:
        _check_continuation(before, moments, components)
    free = np.stack([np.diag(np.isnan(row).astype(float)) for row in gradient])
    if physics == "finite strain":
        free = np.stack([_pinned(p, flux, gradient, cell.kinematics.dim) for p in free])
    _check_idle(cell, gradient, flux, own, components)
    return Path(moments, gradient, flux, free, components)


def parse_times(times: Any) -> np.ndarray:
    """Return times that are numbers and increase."""
    try:
        array = np.asarray(times, float)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.ndim != 1 or len(array) < 2 or not np.all(np.isfinite(array)):
        raise InputError(f"`times` must be two or more finite numbers, but is {times!r}")
    wrong = np.flatnonzero(np.diff(array) <= 0)
    if len(wrong):
        at = int(wrong[0])
        raise InputError(
            f"`times` must increase, but times[{at}] = {array[at]:g} and times[{at + 1}] = "
            f"{array[at + 1]:g}; for a sudden load make the step short"
        )
    return array


def _table(
    name: str, value: Any, steps: int, cell: Cell, components: tuple[str, ...]
) -> np.ndarray:
    size = len(components)
    if value is None:
        return np.full((steps, size), np.nan)
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        raise InputError(f"`{name}` must be an array of numbers, NaN where free") from None
    if cell.physics == "finite strain" and array.ndim == 3:
        dim = cell.kinematics.dim
        if array.shape[1:] == (dim, dim):
            array = array.reshape(len(array), size)
    if array.shape != (steps, size):
        shape = f"({steps}, {size})"
        if cell.physics == "finite strain":
            shape = f"({steps}, {cell.kinematics.dim}, {cell.kinematics.dim})"
        raise InputError(
            f"`{name}` must have shape {shape}, a row for each time and components "
            f"{', '.join(components)}, but has {np.shape(value)}"
        )
    if np.any(np.isinf(array)):
        raise InputError(f"`{name}` must be finite, NaN where it is free, but has inf")
    return array


def _check_complete(
    gradient: np.ndarray, flux: np.ndarray, own: tuple[str, str], components: tuple[str, ...]
) -> None:
    given, asked = ~np.isnan(gradient), ~np.isnan(flux)
    for wrong, how in ((given & asked, "both are given"), (~given & ~asked, "neither is given")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InputError(
                f"`{own[0]}` and `{own[1]}` must prescribe one of the two for each component, but "
                f"{how} for {components[column]} in row {row}; NaN leaves it to the other"
            )


def _check_rest(
    gradient: np.ndarray,
    flux: np.ndarray,
    own: tuple[str, str],
    cell: Cell,
    components: tuple[str, ...],
) -> None:
    rest = cell.kinematics.rest
    for name, row, at_rest in ((own[0], gradient[0], rest), (own[1], flux[0], 0 * rest)):
        wrong = np.flatnonzero(~np.isnan(row) & (row != at_rest))
        if len(wrong):
            at = int(wrong[0])
            raise InputError(
                f"`{name}` must begin at rest, with {at_rest[at]:g} for {components[at]} in row "
                f"0, but is {row[at]:g}; put a row of rest before it"
            )


def _check_continuation(before: History, times: np.ndarray, components: tuple[str, ...]) -> None:
    if before.components != components:
        raise InputError(
            f"`start` must be a history of the same cell, but has the components "
            f"{', '.join(before.components)} instead of {', '.join(components)}"
        )
    if times[0] != before.times[-1] and not is_part(before, times):
        raise InputError(
            f"`times` must go on from where `start` ended, {before.times[-1]:g}, or hold its "
            f"times, but begin at {times[0]:g}"
        )


def is_part(before: History, times: np.ndarray) -> bool:
    """Whether a history is the beginning of the path with these times."""
    count = len(before.times)
    return 1 < count <= len(times) and bool(np.all(before.times == times[:count]))


def _pinned(free: np.ndarray, flux: np.ndarray, gradient: np.ndarray, dim: int) -> np.ndarray:
    """Take the rotations out of the free part of F̄.

    Where P̄_ab and P̄_ba are both prescribed, a rotation would be left over. A material line
    along the only loaded one of the two axes keeps its direction: then the balance of moments,
    P̄F̄ᵀ symmetric, makes the stress that is not driven vanish too. Where both axes are loaded
    F̄_ab = F̄_ba.
    """
    count = int(np.trace(free))
    if count == dim * dim:
        raise InputError(
            f"`P` must leave a component to `F`, but prescribes all {count}, which fixes no "
            "rotation and which no state may satisfy; prescribe e.g. F11 instead of P11"
        )

    def is_loaded(a: int) -> bool:
        at = a * dim + a
        held, pulled = gradient[:, at], flux[:, at]
        return bool(np.any(~np.isnan(held)) or np.any(np.nan_to_num(pulled) != 0))

    pinned = free.copy()
    for a in range(dim):
        for b in range(a + 1, dim):
            ab, ba = a * dim + b, b * dim + a
            if not (free[ab, ab] and free[ba, ba]):
                continue
            if np.any(np.nan_to_num(flux[:, ab]) != np.nan_to_num(flux[:, ba])):
                raise InputError(
                    f"`P` must have equal components {a + 1}{b + 1} and {b + 1}{a + 1} where both "
                    "are prescribed, since the rotation is pinned; prescribe one of F instead"
                )
            if (is_loaded(a) and is_loaded(b)) or np.any(np.nan_to_num(flux[:, ab]) != 0):
                pinned[np.ix_([ab, ba], [ab, ba])] = 0.5
            else:
                pin = ab if is_loaded(b) else ba  # F_ij: row i is where the line along j goes
                pinned[pin, pin] = 0.0
    return pinned


def _check_idle(
    cell: Cell,
    gradient: np.ndarray,
    flux: np.ndarray,
    own: tuple[str, str],
    components: tuple[str, ...],
) -> None:
    disc = cell.discretisation
    for c, name in enumerate(components):
        if space.is_idle(disc, c) and np.any(np.isnan(gradient[:, c])):
            raise InputError(
                f"`{own[1]}` prescribes {name}, but the cell's boundary is free there and carries "
                f"none; prescribe `{own[0]}` 0 instead, which costs nothing"
            )
