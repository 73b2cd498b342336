"""Microstructures made by rule. All are periodic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import (
    AXES,
    as_axis,
    as_counts,
    as_fractions,
    as_names,
    as_number,
    as_shape,
    as_spacing,
    tell_numbers,
)
from scalebridge.microstructure.fibres import fibres
from scalebridge.microstructure.gaussian import gaussian_field
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.lattices import cubic_array, hexagonal_array, square_array
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.minimal_surfaces import gyroid
from scalebridge.microstructure.spheres import BALL, spheres
from scalebridge.microstructure.voronoi import voronoi

__all__ = [
    "centred_sphere",
    "checkerboard",
    "cubic_array",
    "fibres",
    "gaussian_field",
    "gyroid",
    "hexagonal_array",
    "laminate",
    "spheres",
    "square_array",
    "voronoi",
]

Spacing = float | Sequence[float]


def laminate(
    shape: Sequence[int],
    fractions: Sequence[float],
    axis: int | str = 0,
    *,
    spacing: Spacing = 1.0,
    names: Sequence[str] | None = None,
) -> Microstructure:
    """Make layers normal to one axis, whole voxels thick.

    Parameters
    ----------
    shape : (axis,) voxels
    fractions : (phase,) [-]
        Positive, sum 1. Ends of layers are rounded to voxels; the fractions achieved are
        `Microstructure.volume_fractions` and are told in its notes.
    axis : the normal of the layers, ``"x"`` or 0, …
    spacing : float or (axis,) [length]
    names : (phase,), by default layer1, layer2, …

    Raises
    ------
    InputError
        Fractions not positive or not summing to 1, a layer thinner than half a voxel.

    Examples
    --------
    >>> laminate((8, 4), (0.25, 0.75)).volume_fractions
    {'layer1': 0.25, 'layer2': 0.75}
    """
    sizes = as_shape(shape)
    edges = as_spacing(spacing, len(sizes))
    normal = as_axis(axis, len(sizes))
    shares = as_fractions(fractions)
    several = tuple(f"layer{i + 1}" for i in range(len(shares))) if names is None else names
    words = as_names(several, len(shares))
    check_fits(sizes, np.dtype(np.uint8), "`shape`")
    count = sizes[normal]
    bounds = np.rint(np.cumsum(shares) * count).astype(int)
    bounds[-1] = count
    layers = np.diff(bounds, prepend=0)
    if np.any(layers < 1):
        thin = int(np.argmin(layers))
        raise InputError(
            f"`fractions` must give each layer at least one voxel, but {words[thin]!r} of "
            f"{shares[thin]:g} has none of the {count} along {AXES[normal]}; use at least "
            f"{math.ceil(1 / min(shares))} voxels there"
        )
    line = np.repeat(np.arange(len(shares)), layers)
    labels = np.broadcast_to(
        np.expand_dims(line, [a for a in range(len(sizes)) if a != normal]), sizes
    )
    achieved = ", ".join(
        f"{name} {n / count:.6g} (asked {share:.6g})"
        for name, n, share in zip(words, layers.tolist(), shares, strict=True)
    )
    return Microstructure._from_compact(
        labels, edges, words, notes=(f"laminate along {AXES[normal]}: {achieved}",)
    )


def centred_sphere(
    shape: Sequence[int],
    fraction: float,
    *,
    spacing: Spacing = 1.0,
    names: Sequence[str] = ("matrix", "sphere"),
) -> Microstructure:
    """Make one sphere (disc in 2D) in the middle of a cube (square).

    A voxel is in the sphere if its centre fulfils |x − ½|² < r² on the unit cube, with
    4πr³/3 = `fraction` (πr² in 2D): the geometry of many published benchmarks.

    Parameters
    ----------
    shape : (axis,) voxels, equal along all axes
    fraction : volume fraction of the smooth sphere [-], at most π/6 (π/4 in 2D)
    spacing : float or (axis,) [length]
    names : (matrix, sphere)

    Raises
    ------
    InputError
        Sides that differ, a fraction that is too large, or so small that no voxel is met.
    """
    sizes, words = as_shape(shape), as_names(names, 2)
    dim, n = len(sizes), sizes[0]
    edges = as_spacing(spacing, dim)
    if len(set(sizes)) > 1:
        raise InputError(f"`shape` must have equal sides, but is {sizes}; e.g. {(n,) * dim}")
    most = BALL[dim] * 0.5**dim
    share = as_number(fraction, "fraction", 0.0, most, "the sphere must fit in the cell")
    check_fits(sizes, np.dtype(float), "`shape`")
    doubled = (2 * np.arange(n) + 1 - n) ** 2  # (2 n (x − ½))², whole numbers
    squares = reduce(np.add.outer, [doubled] * dim)
    radius = (share / BALL[dim]) ** (1.0 / dim)
    labels = squares < (2 * n * radius) ** 2
    if not labels.any():
        raise InputError(
            f"`fraction` must give the sphere at least one voxel, but {share:g} gives none in "
            f"{n} voxels a side; refine the grid"
        )
    kind = "sphere" if dim == 3 else "disc"
    note = f"one {kind} of fraction {labels.mean():.6g} (smooth: {share:.6g})"
    return Microstructure._from_compact(labels, edges, words, notes=(note,))


def checkerboard(
    shape: Sequence[int],
    tiles: int | Sequence[int] = 2,
    *,
    spacing: Spacing = 1.0,
    names: Sequence[str] = ("white", "black"),
) -> Microstructure:
    """Make a checkerboard (in 3D of cubes), half and half.

    Parameters
    ----------
    shape : (axis,) voxels
    tiles : tiles along each axis; even, so that the board is periodic, and dividing `shape`
    spacing : float or (axis,) [length]
    names : (phase of the tile at the origin, the other)

    Examples
    --------
    >>> checkerboard((4, 4)).labels.tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    """
    sizes, words = as_shape(shape), as_names(names, 2)
    edges = as_spacing(spacing, len(sizes))
    counts = as_counts(tiles, len(sizes), "tiles")
    for size, count in zip(sizes, counts, strict=True):
        if count % 2 or size % count:
            raise InputError(
                f"`tiles` must be even and divide each side, but {count} tiles do not fit "
                f"{size} voxels; e.g. tiles=2 with an even number of voxels"
            )
    check_fits(sizes, np.dtype(np.int64), "`shape`")
    lines = [np.arange(size) * count // size for size, count in zip(sizes, counts, strict=True)]
    labels = reduce(np.add.outer, lines) % 2
    return Microstructure._from_compact(
        labels, edges, words, notes=(f"checkerboard of {tell_numbers(counts)} tiles",)
    )
