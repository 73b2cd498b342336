"""Points of a structure that somebody chooses, by number or by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from scalebridge.cell.cell import Cell
from scalebridge.errors import InputError
from scalebridge.structure.balance import Region
from scalebridge.structure.space import Space

#: An element of the mesh, and which of its integration points.
Chosen = tuple[int, int]
_ROUNDING = 1e-9  # of the size of the body


def by_number(name: str, space: Space, pairs: Any) -> list[Chosen]:
    """Return pairs of an element and a point that there are."""
    most, count = space.weights.shape
    try:
        found = np.asarray(pairs)
    except ValueError:  # rows of different lengths
        found = np.zeros(1)
    if not found.size:
        return []
    good = found.ndim == 2 and found.shape[1] == 2 and found.dtype.kind in "iu"
    if not good or np.any(found < 0) or np.any(found >= [most, count]):
        raise InputError(
            f"`{name}` must be pairs of an element below {most} and a point below {count}, but "
            f"is {pairs!r}"
        )
    return [(int(e), int(q)) for e, q in found]


def by_place(name: str, space: Space, places: Any) -> list[Chosen]:
    """Return the points nearest to places in the body."""
    given = np.atleast_2d(np.asarray(places, float))
    if given.ndim != 2 or given.shape[-1] != space.dim or not np.all(np.isfinite(given)):
        raise InputError(
            f"`{name}` must be places of {space.dim} coordinates, but has shape {given.shape}"
        )
    for i, place in enumerate(given):
        if what := outside(space, place):
            raise InputError(f"`{name}[{i}]` {what}, but is {_told(place)}")
    return [nearest(space, place) for place in given]


def outside(space: Space, place: np.ndarray) -> str:
    """Return what a place must do that is not within the bounds of the body, else nothing."""
    low, high = space.nodes.min(axis=0), space.nodes.max(axis=0)
    slack = _ROUNDING * np.max(high - low)
    if np.all(place >= low - slack) and np.all(place <= high + slack):
        return ""
    return f"must lie in the body, which extends from {_told(low)} to {_told(high)}"


def nearest(space: Space, place: np.ndarray) -> Chosen:
    """Return the point nearest to a place."""
    distance = np.linalg.norm(space.points - place, axis=-1)
    element, point = divmod(int(np.argmin(distance)), distance.shape[1])
    return element, point


def cell_at(name: str, regions: Sequence[Region], element: int) -> tuple[Region, Cell]:
    """Return the region of an element and its law, which must be a cell."""
    region = _region(regions, element)
    if not isinstance(region.law, Cell):
        raise InputError(
            f"`{name}` must lie where the law is a cell, but element {element} is in region "
            f"{region.name!r}, whose law is a {type(region.law).__name__}"
        )
    return region, region.law


def row_in(region: Region, chosen: Chosen, space: Space) -> int:
    """Return which point of its region a point is."""
    element, point = chosen
    return int(np.flatnonzero(region.elements == element)[0]) * space.weights.shape[1] + point


def states_at(
    chosen: Sequence[Chosen], regions: Sequence[Region], held: Sequence[Any], space: Space
) -> Mapping[Chosen, Any]:
    """Return the states of points of nonlinear cells; on MPI all ranks must ask.

    Parameters
    ----------
    chosen : sequence of (element, point)
        Those of linear cells, which have no state, are passed over.
    regions : (region,)
    held : (region,)
        States of all points, as the regions hold them.
    space : Space
    """
    found: dict[Chosen, Any] = {}
    for region, states in zip(regions, held, strict=True):
        if isinstance(region.law, Cell) and not region.law.is_linear:
            own = [one for one in chosen if one[0] in region.elements]
            if own:
                rows = region.points.rows(states, [row_in(region, one, space) for one in own])
                for k, one in enumerate(own):
                    found[one] = jax.tree.map(lambda leaf, k=k: leaf[k], rows)
    return found


def virgin_at(chosen: Chosen, regions: Sequence[Region]) -> Any:
    """Return the virgin state of a point: the form of what `states_at` gives."""
    return _region(regions, chosen[0]).law.initial_state()


def _region(regions: Sequence[Region], element: int) -> Region:
    return next(region for region in regions if element in region.elements)


def _told(place: np.ndarray) -> str:
    return f"({', '.join(f'{x:g}' for x in place)})"
