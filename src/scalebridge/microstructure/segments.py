"""Straight segments in a periodic box: their distances, and how to place them apart."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import tell_numbers

_BATCH = (16, 1024)  # midpoints tried at once, rising while none is free

Points = NDArray[np.float64]


def segment_distances(between: Points, p: Points, q: Points, length: float) -> Points:
    r"""Return the least distance of pairs of segments of equal length.

    Minimises \|s p − d − t q\| over \|s\|, \|t\| ≤ length/2.

    Parameters
    ----------
    between : (…, 3), d from the midpoint of the first to that of the second
    p, q : (…, 3), unit vectors along them

    Source: C. Ericson, Real-Time Collision Detection (2005), sec. 5.1.9.
    """
    half = length / 2
    b, d, e = (np.sum(x * y, axis=-1) for x, y in ((p, q), (p, between), (q, between)))
    sine2 = 1.0 - b * b
    apart = sine2 > 1e-14
    s = np.where(apart, (d - b * e) / np.where(apart, sine2, 1.0), 0.0).clip(-half, half)
    t = (b * s - e).clip(-half, half)
    s = (b * t + d).clip(-half, half)
    return np.linalg.norm(s[..., None] * p - between - t[..., None] * q, axis=-1)


def place_segments(
    shape: tuple[int, ...],
    directions: Points,
    length: float,
    distance: float,
    rng: np.random.Generator,
    attempts: int,
) -> Points:
    """Place segments one after another at random, none closer to another than `distance`.

    All periodic images count, a segment's own too. Each keeps its direction until a place is
    found, so that the directions are those that were asked for.

    Parameters
    ----------
    shape : (3,) voxels
    directions : (segment, 3) unit vectors
    length, distance : [voxel]
    attempts : midpoints drawn before giving up

    Returns
    -------
    (segment, 3) midpoints [voxel]

    Raises
    ------
    InputError
        A segment that meets its own image; the attempts are used up.
    """
    box = np.array(shape, float)
    _check_images(box, directions, length, distance)
    middles = np.empty((0, 3))
    sieve = _Sieve(box, length, distance)
    tried = 0
    for placed, p in enumerate(directions):
        sieve.renew(middles, directions[:placed])
        batch, found = _BATCH[0], None
        while found is None:
            if tried >= attempts:
                raise InputError(
                    f"`fraction` must leave room for {len(directions)} fibres at distance "
                    f"{distance:.4g} voxels, but {tried} attempts were used up after {placed}; "
                    "lower `fraction` or `length`, align the fibres, try another `seed`, or "
                    "raise `max_attempts`"
                )
            points = rng.random((min(batch, attempts - tried), 3)) * box
            for index in sieve.pass_on(points, p):
                if _is_free(points[index], p, middles, directions[:placed], box, length, distance):
                    found = points[index]
                    tried += int(index) + 1
                    break
            else:
                tried += len(points)
            batch = min(2 * batch, _BATCH[1])
        middles = np.concatenate([middles, found[None]])
    return middles


class _Sieve:
    """Rejects most of what overlaps by points along the axes, before the exact test."""

    def __init__(self, box: Points, length: float, distance: float) -> None:
        self.box, self.distance = box, distance
        count = math.ceil(2 * length / distance) + 1
        self.along = np.linspace(-length / 2, length / 2, count)
        self.tree, self.held = None, 0

    def renew(self, middles: Points, directions: Points) -> None:
        """Take in what was placed since, where it is much."""
        from scipy.spatial import cKDTree

        if len(middles) > 1.1 * self.held:
            self.tree = cKDTree(self._spread(middles, directions), boxsize=self.box)
            self.held = len(middles)

    def pass_on(self, middles: Points, direction: Points) -> NDArray[np.intp]:
        """Return the indices of segments that may be free."""
        if self.tree is None:
            return np.arange(len(middles))
        points = self._spread(middles, np.broadcast_to(direction, middles.shape))
        nearest = self.tree.query(points, distance_upper_bound=self.distance)[0]
        return np.flatnonzero(np.isinf(nearest).reshape(len(middles), -1).all(axis=1))

    def _spread(self, middles: Points, directions: Points) -> Points:
        points = middles[:, None] + self.along[:, None] * directions[:, None]
        points = points.reshape(-1, 3) % self.box
        return np.where(points < self.box, points, 0.0)


def _is_free(
    middle: Points,
    direction: Points,
    middles: Points,
    directions: Points,
    box: Points,
    length: float,
    distance: float,
) -> bool:
    between = middles - middle
    between -= box * np.round(between / box)
    # |n box| − box/2 ≤ |between + n box|: images beyond cannot come near
    shifts = _shifts(np.floor((length + distance) / box + 0.5), box)
    images = between[:, None] + shifts
    near = np.sum(images**2, axis=-1) < (length + distance) ** 2
    q = np.broadcast_to(directions[:, None], images.shape)[near]
    return not (segment_distances(images[near], direction, q, length) < distance).any()


def _check_images(box: Points, directions: Points, length: float, distance: float) -> None:
    """Refuse a segment that comes too near to its own periodic image."""
    shifts = _shifts(np.floor((length + distance) / box), box)
    shifts = shifts[shifts.any(axis=1)]
    for p in np.unique(directions, axis=0) if len(shifts) else ():
        nearest = segment_distances(shifts, p, p, length).min()
        if nearest < distance:
            raise InputError(
                f"`length` must keep each fibre off its own periodic image, but one of "
                f"{length:.4g} voxels along ({tell_numbers(p)}) comes within {nearest:.4g} of "
                f"it, axis to axis, and {distance:.4g} are needed; shorten it or enlarge `shape`"
            )


def _shifts(most: Points, box: Points) -> Points:
    """Return (image, 3) displacements of the periodic images up to `most` per axis."""
    lines = [range(-int(n), int(n) + 1) for n in most]
    return np.array(list(product(*lines)), float) * box
