"""Straight fibres in a periodic cell, none overlapping another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import (
    AXES,
    as_counts,
    as_names,
    as_number,
    as_seed,
    as_shape,
    as_spacing,
    tell_numbers,
)
from scalebridge.microstructure.directions import sample_directions
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.segments import place_segments
from scalebridge.microstructure.spheres import pack, radius_for, same_along_axes


@dataclass(frozen=True, eq=False)
class Fibres:
    """Fibres in a matrix, and where and how each lies.

    Attributes
    ----------
    microstructure : the image, with phases matrix and fibre
    directions : (fibre, 3) unit vectors p along the fibres; p and −p are the same
    centres : (fibre, 3) [length]
    radius, length : [length]; the length of endless fibres is infinite
    owner : (x, y, z) number of the fibre that fills the voxel, −1 in the matrix
    """

    microstructure: Microstructure
    directions: NDArray[np.float64] = field(repr=False)
    centres: NDArray[np.float64] = field(repr=False)
    radius: float
    length: float
    owner: NDArray[np.int32] = field(repr=False)

    @property
    def orientation_tensor(self) -> NDArray[np.float64]:
        """(3, 3) a = ⟨p pᵀ⟩ [-], the mean over the fibres.

        Source: S.G. Advani, C.L. Tucker, J. Rheol. 31 (1987) 751-784.
        """
        return self.directions.T @ self.directions / len(self.directions)

    @property
    def orientation(self) -> dict[str, NDArray[np.float64]]:
        """Name of the fibres → Bunge angles that turn the material's axis z along each fibre.

        Goes to ``Cell(…, orientation=…)`` as it is: (3,) where all fibres are parallel, else
        a field (3, x, y, z). The law must have z as its fibre axis, e.g.
        ``laws.Elastic.transversely_isotropic(…, axis=2)``.
        """
        x, y, z = self.directions.T
        angles = np.stack([np.arctan2(x, -y), np.arccos(z.clip(-1, 1)), np.zeros_like(z)])
        parallel = (self.directions == self.directions[0]).all()
        return {self.microstructure.names[1]: angles[:, 0 if parallel else self.owner]}


def fibres(
    shape: Sequence[int],
    fraction: float,
    radius: float,
    seed: int,
    *,
    length: float | None = None,
    orientation: str | ArrayLike = "z",
    gap: float = 0.0,
    spacing: float | Sequence[float] = 1.0,
    names: Sequence[str] = ("matrix", "fibre"),
    max_attempts: int = 1_000_000,
) -> Fibres:
    """Make equal straight fibres that do not overlap, by random sequential addition.

    Endless fibres are discs, placed as in `spheres` and extruded. Those of finite `length` are
    cylinders with flat ends. Their axes keep a distance of 2 r + gap from one another and from
    all periodic images, as if the ends were round; so overlap is excluded, and an end stays a
    radius farther from another fibre than it would have to.

    The number of fibres is the one whose volume comes nearest to `fraction`; then their radius
    is adjusted slightly so that the number of voxels whose centre lies in a fibre is the
    nearest to it. The notes tell number, radius and orientation tensor.

    Parameters
    ----------
    shape : (3,) voxels; the cell is periodic
    fraction : volume fraction of the fibres [-]
        Random addition jams at 0.547 for endless fibres. Short ones jam the earlier the longer
        they are: with aspect ratio 10 near 0.33 if aligned and 0.2 if of random direction.
    radius : [voxel], at least 1
    seed : whole number; the same seed gives the same image
    length : [voxel], at least 2 × `radius`; None means endless along an axis
    orientation : of the fibres
        - "x", "y", "z" or a direction (3,): aligned
        - "random": independent, uniform on the sphere
        - "planar": independent, uniform in the plane of x and y
        - (3, 3), an orientation tensor a, symmetric with trace 1: directions are drawn from an
          angular central Gaussian distribution and adjusted together, so that the tensor of
          the sample is a. Give ``np.eye(3) / 3`` for fibres whose tensor is exactly isotropic.

        It is the mean over fibres: a rejected fibre keeps its direction and tries elsewhere.
    gap : least distance between surfaces [voxel]
    spacing : float [length], the same along all axes
    names : (matrix, fibres)
    max_attempts : midpoints drawn before giving up

    Returns
    -------
    Fibres

    Raises
    ------
    InputError
        An image that is not 3D; a fraction that cannot be reached; a fibre that would touch
        its own periodic image; a tensor that the fibres cannot have.

    Source: S.G. Advani, C.L. Tucker, J. Rheol. 31 (1987) 751-784 (the tensor); D.E. Tyler,
    Biometrika 74 (1987) 579-589 (the distribution).

    Examples
    --------
    >>> import numpy as np
    >>> short = fibres((48, 48, 48), 0.08, 2.0, seed=0, length=20,
    ...                orientation=np.diag([0.7, 0.2, 0.1]))
    >>> np.round(short.orientation_tensor, 6).diagonal().tolist()
    [0.7, 0.2, 0.1]
    """
    sizes, words = as_shape(shape), as_names(names, 2)
    if len(sizes) == 2:
        raise InputError(
            f"`shape` must be 3D for fibres, but is {sizes}; their cross-section is "
            "spheres(shape, …) in 2D"
        )
    share = as_number(fraction, "fraction", 0.0, 1.0, "give a volume fraction, e.g. 0.1")
    asked = as_number(radius, "radius", 1.0 - 1e-12, math.inf, "it is in voxels; refine the grid")
    free = as_number(
        gap, "gap", 0.0, math.inf, "it is in voxels; 0 lets fibres touch", inclusive=True
    )
    (attempts,) = as_counts(max_attempts, 1, "max_attempts")
    rng = np.random.default_rng(as_seed(seed))
    edges = as_spacing(spacing, 3)
    same_along_axes(edges, "fibres")
    check_fits(sizes, np.dtype(float), "`shape`", copies=12)

    if length is None:
        placed = _endless(sizes, share, asked, orientation, gap=free, rng=rng, attempts=attempts)
        long = math.inf
    else:
        low = 2.0 * asked * (1.0 - 1e-12)
        long = as_number(length, "length", low, math.inf, "a fibre is at least as long as thick")
        number = max(1, round(share * math.prod(sizes) / (math.pi * asked**2 * long)))
        directions = sample_directions(orientation, number, rng)
        placed = _short(sizes, share, directions, long, gap=free, rng=rng, attempts=attempts)
    directions, centres, exact, owner = placed
    labels = owner >= 0
    a = directions.T @ directions / len(directions)
    told = tell_numbers(np.round(a[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]], 6) + 0.0)  # no −0
    notes = (
        f"{len(directions)} fibres of radius {exact:.6g} voxels (asked {asked:.6g}) and length "
        f"{'without end' if length is None else f'{long:.6g}'}, fraction {labels.mean():.6g} "
        f"(asked {share:.6g}), seed {seed}",
        f"orientation tensor of the fibres, 11, 22, 33, 23, 13, 12: {told}",
    )
    micro = Microstructure._from_compact(labels, edges, words, notes=notes)
    h = edges[0]
    return Fibres(micro, directions, centres * h, exact * h, long * h, owner)


_Placed = tuple[NDArray[np.float64], NDArray[np.float64], float, NDArray[np.int32]]


def _endless(
    shape: tuple[int, ...],
    fraction: float,
    radius: float,
    orientation: Any,
    *,
    gap: float,
    rng: np.random.Generator,
    attempts: int,
) -> _Placed:
    """Return directions, centres, radius and owners of fibres along an axis."""
    from scipy.spatial import cKDTree

    if not isinstance(orientation, str) or orientation not in tuple(AXES):
        raise InputError(
            f"`orientation` must be 'x', 'y' or 'z' for endless fibres, but is {orientation!r}; "
            "give `length` for fibres in other directions"
        )
    axis = AXES.index(orientation)
    flat = tuple(n for a, n in enumerate(shape) if a != axis)
    discs = pack(flat, fraction, radius, gap=gap, rng=rng, attempts=attempts)
    owner = np.full(flat, -1, np.int32)
    voxels = np.argwhere(discs.mask) + 0.5
    owner[discs.mask] = cKDTree(discs.centres, boxsize=flat).query(voxels)[1]
    number = len(discs.centres)
    directions = sample_directions(orientation, number, rng)
    centres = np.insert(discs.centres, axis, shape[axis] / 2, axis=1)
    whole = np.broadcast_to(np.expand_dims(owner, axis), shape).copy()
    return directions, centres, discs.radius, whole


def _short(
    shape: tuple[int, ...],
    fraction: float,
    directions: NDArray[np.float64],
    length: float,
    *,
    gap: float,
    rng: np.random.Generator,
    attempts: int,
) -> _Placed:
    """Return directions, centres, radius and owners of cylinders; as for spheres, the grid's
    rounding may ask for a radius a little above the smooth one.
    """
    wanted = fraction * math.prod(shape)
    smooth = math.sqrt(wanted / (len(directions) * math.pi * length))
    for margin in (0.01, 0.03, 0.1, 0.3):
        distance = 2 * (smooth + margin) + gap
        centres = place_segments(shape, directions, length, distance, rng, attempts)
        squares, owner = _nearest_axis(shape, centres, directions, length, smooth + 1.5)
        exact = radius_for(squares, round(wanted))
        if 2 * exact + gap <= distance:
            owner[squares >= exact**2] = -1
            return directions, centres, exact, owner
    raise InputError(
        f"`radius` must be resolved by the grid, but fibres of {smooth:.4g} voxels cannot meet "
        "the fraction without touching; use a finer grid and larger fibres"
    )


def _nearest_axis(
    shape: tuple[int, ...],
    centres: NDArray[np.float64],
    directions: NDArray[np.float64],
    length: float,
    reach: float,
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return squared distance to the nearest axis between its ends, and whose it is.

    Beyond `reach` the distance is infinite.
    """
    squares = np.full(math.prod(shape), np.inf)
    owner = np.full(math.prod(shape), -1, np.int32)
    for number, (centre, p) in enumerate(zip(centres, directions, strict=True)):
        for voxels, found in _around(shape, centre, p, length, reach):
            np.minimum.at(squares, voxels, found)  # a voxel may be met by several images
            owner[voxels[found <= squares[voxels]]] = number
    return squares.reshape(shape), owner.reshape(shape)


def _around(
    shape: tuple[int, ...],
    centre: NDArray[np.float64],
    p: NDArray[np.float64],
    length: float,
    reach: float,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Yield flat indices of the voxels around a fibre and their squared distance to its axis.

    It is done piece by piece, for which the boxes around are small.
    """
    cuts = np.linspace(-length / 2, length / 2, math.ceil(length / (4 * reach)) + 1)
    strides = (shape[1] * shape[2], shape[2], 1)
    aside = reach * np.sqrt(np.maximum(1.0 - p**2, 0.0)) + 1.0
    for start, stop in pairwise(cuts):
        ends = centre + np.outer((start, stop), p)
        lines = [
            np.arange(math.floor(low), math.ceil(high))
            for low, high in zip(ends.min(axis=0) - aside, ends.max(axis=0) + aside, strict=True)
        ]
        flat = reduce(
            np.add.outer, [line % n * by for line, n, by in zip(lines, shape, strides, strict=True)]
        )
        off = np.ix_(*(line + 0.5 - c for line, c in zip(lines, centre, strict=True)))
        along = sum(x * component for x, component in zip(off, p, strict=True))
        aside2 = np.maximum(sum(x**2 for x in off) - along**2, 0.0)
        last = stop == cuts[-1]
        inside = (along >= start) & ((along <= stop) if last else (along < stop))
        inside &= aside2 < reach**2
        yield flat[inside], aside2[inside]
