"""Random sequential addition: equal spheres, one after another, none ever moved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError

# Where random sequential addition jams (share filled). Source: E.L. Hinrichsen, J. Feder,
# T. Jøssang, J. Stat. Phys. 44 (1986) 793 (discs); G. Zhang, S. Torquato, Phys. Rev. E 88
# (2013) 053312 (spheres).
JAMMED = {2: 0.547, 3: 0.384}


def random_centres(
    shape: tuple[int, ...], count: int, distance: float, rng: np.random.Generator, attempts: int
) -> NDArray[np.float64]:
    """Place points at random in a periodic box, none closer to another than `distance`.

    Points are drawn uniformly from the voxels that are not wholly within `distance` of a
    point; what is drawn elsewhere would have been rejected, so the statistics are those of
    plain random sequential addition, and a jammed box is recognised.

    Parameters
    ----------
    shape : (axis,) voxels
    count : number of points
    distance : least distance [voxel], at most the shortest side
    attempts : draws before giving up

    Returns
    -------
    (point, axis) [voxel]

    Raises
    ------
    InputError
        No room is left, or the attempts are used up.
    """
    from scipy.spatial import cKDTree

    box = np.array(shape, float)
    room = np.ones(shape, bool)
    centres = np.empty((0, len(shape)))
    tried, batch = 0, min(max(count, 256), 4096)
    while len(centres) < count:
        free = np.flatnonzero(room)
        if len(free) == 0 or tried >= attempts:
            why = "no room was left" if len(free) == 0 else f"{tried} attempts were used up"
            raise InputError(
                f"`fraction` must leave room for {count} spheres at distance {distance:.4g} "
                f"voxels, but {why} after {len(centres)}; lower `fraction` (random addition jams "
                f"at {JAMMED[len(shape)]}), try another `seed`, or raise `max_attempts`"
            )
        points = _draw(free, shape, min(batch, attempts - tried), rng)
        tried += len(points)
        if len(centres):
            nearest = cKDTree(centres, boxsize=box).query(points, distance_upper_bound=distance)[0]
            points = points[np.isinf(nearest)]
        fresh = points[_first_come(cKDTree(points, boxsize=box).query_pairs(distance), len(points))]
        fresh = fresh[: count - len(centres)]
        for point in fresh:
            _close(room, point, distance)
        centres = np.concatenate([centres, fresh])
    return centres


def squared_distances(
    shape: tuple[int, ...], centres: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Return (x, y[, z]) squared distance of voxel centres to the nearest point [voxel²].

    Only windows of `reach` around the points are visited; elsewhere it is infinite.
    """
    field = np.full(shape, np.inf)
    for centre in centres:
        window, squares = _window(shape, centre, reach, 0.5)
        field[window] = np.minimum(field[window], squares)
    return field


def _draw(
    free: NDArray[np.intp], shape: tuple[int, ...], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return points drawn uniformly from the `free` voxels."""
    voxels = np.unravel_index(free[rng.integers(len(free), size=count)], shape)
    points = np.stack(voxels, axis=1) + rng.random((count, len(shape)))
    return np.minimum(points, np.nextafter(np.array(shape, float), 0.0))


def _first_come(pairs: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Return, in order, the points that no earlier accepted one excludes; ``i < j`` in pairs."""
    later: dict[int, list[int]] = {}
    for i, j in pairs:
        later.setdefault(i, []).append(j)
    blocked, accepted = set[int](), []
    for i in range(count):
        if i not in blocked:
            accepted.append(i)
            blocked.update(later.get(i, ()))
    return accepted


def _close(room: NDArray[np.bool_], point: NDArray[np.float64], distance: float) -> None:
    """Mark the voxels that lie wholly within `distance` of a point as closed."""
    inner = distance - 0.5 * math.sqrt(room.ndim)  # from a voxel's centre to its corners
    if inner <= 0:
        return
    window, squares = _window(room.shape, point, inner, 0.5)
    room[window] &= squares > inner**2


def _window(
    shape: tuple[int, ...], centre: NDArray[np.float64], reach: float, offset: float
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float64]]:
    """Return periodic indices around a point and the squared distances of the voxels there.

    A side shorter than the window is taken once, with the distance to the nearest copy.
    """
    indices, parts = [], []
    for size, at in zip(shape, centre, strict=True):
        if 2 * reach + 2 < size:
            line = np.arange(math.floor(at - reach - offset), math.ceil(at + reach - offset) + 1)
        else:
            line = np.arange(math.floor(at - size / 2), math.floor(at - size / 2) + size)
        apart = np.abs(line + offset - at)
        parts.append(np.minimum(apart, np.abs(size - apart)) ** 2)
        indices.append(line % size)
    return np.ix_(*indices), reduce(np.add.outer, parts)
