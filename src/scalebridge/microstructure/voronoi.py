"""Periodic Poisson–Voronoi polycrystals with random orientations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import as_counts, as_seed, as_shape, as_spacing
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits

_SLAB = 1 << 20  # voxels whose nearest seed is sought at once

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Polycrystal:
    """Grains, one phase each, and how each is turned.

    Attributes
    ----------
    microstructure : the image, with phases grain1, grain2, …
    orientation : name → (3, 3) rotation, from crystal to image axes
        Goes to ``Cell(…, orientation=…)`` as it is.
    points : (grain, axis) [length]
        The seeds of the grains: a voxel belongs to the nearest, periodically.
    """

    microstructure: Microstructure
    orientation: dict[str, NDArray[np.float64]] = field(repr=False)
    points: NDArray[np.float64] = field(repr=False)

    def laws(self, law: T) -> dict[str, T]:
        """Return the same law for every grain, for ``Cell(…, laws)``."""
        return dict.fromkeys(self.microstructure.names, law)


def voronoi(
    shape: Sequence[int],
    grains: int,
    seed: int,
    *,
    spacing: float | Sequence[float] = 1.0,
) -> Polycrystal:
    """Make a Poisson–Voronoi polycrystal with orientations uniform on SO(3).

    Seeds are uniform in the cell, independent of one another; each voxel belongs to the seed
    nearest to its centre on the torus, in the distance of `spacing`.

    Parameters
    ----------
    shape : (axis,) voxels; the cell is periodic
    grains : number of seeds
        A seed so close to another that no voxel centre is nearest to it makes no grain;
        the notes tell how many did not.
    seed : whole number; the same seed gives the same polycrystal
    spacing : float or (axis,) [length]

    Returns
    -------
    Polycrystal

    Raises
    ------
    InputError
        More grains than voxels, or what is no number of grains.

    Source: J.L. Meijering, Philips Res. Rep. 8 (1953) 270-290; for the statistics of its
    grains S. Kumar, S.K. Kurtz, J.R. Banavar, M.G. Sharma, J. Stat. Phys. 67 (1992) 523-551.

    Examples
    --------
    >>> steel = voronoi((32, 32, 32), 10, seed=0)
    >>> steel.microstructure.names[:3], steel.orientation["grain1"].shape
    (('grain1', 'grain2', 'grain3'), (3, 3))
    """
    sizes = as_shape(shape)
    edges = np.array(as_spacing(spacing, len(sizes)))
    (count,) = as_counts(grains, 1, "grains")
    rng = np.random.default_rng(as_seed(seed))
    check_fits(sizes, np.dtype(np.int32), "`shape`")
    if count > math.prod(sizes):
        raise InputError(
            f"`grains` must not outnumber the voxels, but {count} grains have "
            f"{math.prod(sizes)} voxels; refine the grid or ask for fewer grains"
        )
    points = rng.random((count, len(sizes))) * (edges * sizes)
    rotations = _random_rotations(count, rng)
    owner = _nearest(points, sizes, edges)
    held = np.flatnonzero(np.bincount(owner.ravel(), minlength=count))
    number = np.zeros(count, np.int32)
    number[held] = np.arange(len(held))
    names = tuple(f"grain{i + 1}" for i in range(len(held)))
    note = f"Poisson–Voronoi polycrystal of {len(held)} grains, seed {seed}"
    if len(held) < count:
        note += f"; {count - len(held)} of the {count} asked for met no voxel"
    micro = Microstructure._from_compact(number[owner], tuple(edges.tolist()), names, notes=(note,))
    return Polycrystal(micro, dict(zip(names, rotations[held], strict=True)), points[held])


def _nearest(
    points: NDArray[np.float64], shape: tuple[int, ...], spacing: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Return (x, y[, z]) index of the nearest point, periodic."""
    from scipy.spatial import cKDTree

    box = spacing * shape
    tree = cKDTree(np.minimum(points, np.nextafter(box, 0.0)), boxsize=box)
    lines = [(np.arange(n) + 0.5) * h for n, h in zip(shape, spacing, strict=True)]
    owner = np.empty(shape, np.int32)
    rows = max(1, _SLAB // math.prod(shape[1:]))
    for start in range(0, shape[0], rows):
        centres = np.stack(
            np.meshgrid(lines[0][start : start + rows], *lines[1:], indexing="ij"), axis=-1
        )
        owner[start : start + rows] = tree.query(centres)[1]
    return owner


def _random_rotations(count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return (grain, 3, 3), uniform on SO(3): the direction of a normal quaternion is."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(rng.standard_normal((count, 4))).as_matrix()
