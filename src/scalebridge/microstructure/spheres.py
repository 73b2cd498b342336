"""Spheres (discs in 2D) in a periodic cell, none overlapping another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import (
    as_counts,
    as_names,
    as_number,
    as_seed,
    as_shape,
    as_spacing,
    tell_numbers,
)
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.packing import JAMMED, random_centres, squared_distances

BALL = {2: math.pi, 3: 4.0 * math.pi / 3.0}  # area or volume of the unit ball


def spheres(
    shape: Sequence[int],
    fraction: float,
    radius: float,
    seed: int,
    *,
    spacing: float | Sequence[float] = 1.0,
    names: Sequence[str] = ("matrix", "sphere"),
    gap: float = 0.0,
    max_attempts: int = 1_000_000,
) -> Microstructure:
    """Make equal spheres (discs in 2D) that do not overlap, by random sequential addition.

    The number of spheres is the one whose volume comes nearest to `fraction`; then their
    radius is adjusted slightly so that the number of voxels whose centre lies in a sphere
    is the nearest to it. The notes tell number and radius.

    Parameters
    ----------
    shape : (axis,) voxels; the cell is periodic
    fraction : volume fraction of the spheres [-]
        Random addition jams at 0.384 in 3D and 0.547 in 2D, counting half the gap as
        part of each sphere. A single sphere may fill up to π/6, a disc π/4.
    radius : [voxel], at least 1
    seed : whole number; the same seed gives the same image
    spacing : float [length], the same along all axes
    names : (matrix, spheres)
    gap : least distance between surfaces [voxel]
    max_attempts : draws before giving up

    Raises
    ------
    InputError
        A fraction that cannot be reached, spheres that are too large for the cell, spacing that
        differs by axis.

    Source: B. Widom, J. Chem. Phys. 44 (1966) 3888.
    """
    sizes, words = as_shape(shape), as_names(names, 2)
    dim = len(sizes)
    share = as_number(fraction, "fraction", 0.0, 1.0, "give a volume fraction, e.g. 0.3")
    asked = as_number(radius, "radius", 1.0 - 1e-12, math.inf, "it is in voxels; refine the grid")
    free = as_number(
        gap, "gap", 0.0, math.inf, "it is in voxels; 0 lets spheres touch", inclusive=True
    )
    (attempts,) = as_counts(max_attempts, 1, "max_attempts")
    rng = np.random.default_rng(as_seed(seed))
    edges = as_spacing(spacing, dim)
    same_along_axes(edges, "spheres")
    check_fits(sizes, np.dtype(float), "`shape`", copies=4)

    packing = pack(sizes, share, asked, gap=free, rng=rng, attempts=attempts)
    labels, number, exact = packing.mask, len(packing.centres), packing.radius
    note = (
        f"{number} {'spheres' if dim == 3 else 'discs'} of radius {exact:.6g} voxels (asked "
        f"{asked:.6g}), fraction {labels.mean():.6g} (asked {share:.6g}), seed {seed}"
    )
    return Microstructure._from_compact(labels, edges, words, notes=(note,))


class Packing(NamedTuple):
    """Equal spheres as they were placed: centres and radius in voxels, and what they cover."""

    centres: NDArray[np.float64]
    radius: float
    mask: NDArray[np.bool_]


def pack(
    shape: tuple[int, ...],
    fraction: float,
    radius: float,
    *,
    gap: float,
    rng: np.random.Generator,
    attempts: int,
) -> Packing:
    """Place spheres of about `radius` by random sequential addition; see `spheres`."""
    volume = math.prod(shape)
    wanted = fraction * volume / (BALL[len(shape)] * radius ** len(shape))
    number = max(1, round(wanted))
    smooth = (fraction * volume / (number * BALL[len(shape)])) ** (1.0 / len(shape))
    _check_room(shape, number, fraction, smooth, gap)
    if wanted < 0.5:
        largest = radius * (2 * wanted) ** (1.0 / len(shape))
        raise InputError(
            f"`radius` must be at most {math.floor(1000 * largest) / 1000:g} voxels, since a "
            f"larger sphere is more than twice the fraction {fraction:g} of this cell, but is "
            f"{radius:g}; take smaller spheres or a larger shape"
        )
    return _place(
        shape, number, smooth, gap=gap, voxels=round(fraction * volume), rng=rng, attempts=attempts
    )


def _place(
    shape: tuple[int, ...],
    number: int,
    radius: float,
    *,
    gap: float,
    voxels: int,
    rng: np.random.Generator,
    attempts: int,
) -> Packing:
    """Return spheres whose radius fills `voxels`.

    The grid's rounding may ask for a radius a little above the smooth one, so the centres
    are set a little farther apart, and anew where even that was not enough.
    """
    longest = (min(shape) - gap) / 2
    for margin in (0.01, 0.03, 0.1, 0.3):
        distance = min(2 * (radius + margin), 2 * longest) + gap
        if number == 1:
            centres = rng.random((1, len(shape))) * shape
        else:
            centres = random_centres(shape, number, distance, rng, attempts)
        field = squared_distances(shape, centres, radius + 1.5)
        exact = radius_for(field, voxels)
        if number == 1 or 2 * exact + gap <= distance:
            return Packing(centres, exact, field < exact**2)
    raise InputError(
        f"`radius` must be resolved by the grid, but spheres of {radius:.4g} voxels cannot meet "
        "the fraction without touching; use a finer grid and larger spheres"
    )


def radius_for(field: NDArray[np.float64], voxels: int) -> float:
    """Return the radius that has `voxels` voxel centres inside."""
    squares = field[np.isfinite(field)]
    count = min(max(voxels, 1), len(squares) - 1)
    inside, outside = np.partition(squares, [count - 1, count])[count - 1 : count + 1]
    return math.sqrt(0.5 * (inside + outside))


def _check_room(
    shape: tuple[int, ...], number: int, fraction: float, radius: float, gap: float
) -> None:
    dim = len(shape)
    if 2 * radius + gap > min(shape):
        raise InputError(
            f"`radius` must let a sphere and its gap fit in the cell, but 2 × {radius:.4g} + "
            f"{gap:.4g} exceeds the side of {min(shape)} voxels; lower `fraction` or `radius`, or "
            "enlarge `shape`"
        )
    filled = fraction * (1.0 + 0.5 * gap / radius) ** dim
    if number > 1 and filled > JAMMED[dim]:
        with_gap = f" ({filled:.4g} with its gap)" if gap else ""
        raise InputError(
            f"`fraction` must stay below {JAMMED[dim]}, where random addition in {dim}D jams, "
            f"but is {fraction:g}{with_gap}; lower it, or `gap`"
        )


def same_along_axes(spacing: tuple[float, ...], what: str) -> None:
    """Refuse voxels that are no cubes (squares) where lengths are in voxels."""
    if len(set(spacing)) > 1:
        raise InputError(
            f"`spacing` must be the same along all axes for {what}, but is "
            f"{tell_numbers(spacing)}; give one number"
        )
