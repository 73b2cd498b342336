"""Triply periodic minimal surfaces, as networks and sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import (
    as_counts,
    as_names,
    as_number,
    as_shape,
    as_spacing,
    tell_numbers,
)
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.ranks import cut

Waves = Sequence[NDArray[np.float64]]


def _gyroid(s: Waves, c: Waves) -> NDArray[np.float64]:
    return s[0] * c[1] + s[1] * c[2] + s[2] * c[0]


def _schwarz_p(s: Waves, c: Waves) -> NDArray[np.float64]:
    return c[0] + c[1] + c[2]


def _diamond(s: Waves, c: Waves) -> NDArray[np.float64]:
    return s[0] * s[1] * s[2] + s[0] * c[1] * c[2] + c[0] * s[1] * c[2] + c[0] * c[1] * s[2]


_KINDS: dict[str, Callable[[Waves, Waves], NDArray[np.float64]]] = {
    "gyroid": _gyroid,
    "schwarz_p": _schwarz_p,
    "diamond": _diamond,
}
_NETWORKS = ("sheet", "skeletal")


def gyroid(
    shape: Sequence[int],
    fraction: float,
    *,
    kind: str = "gyroid",
    network: str = "sheet",
    periods: int | Sequence[int] = 1,
    symmetric: bool = False,
    spacing: float | Sequence[float] = 1.0,
    names: Sequence[str] = ("void", "solid"),
) -> Microstructure:
    r"""Make a gyroid or another triply periodic minimal surface from its nodal equation.

    With X = 2πx/a and so on, F at the centres of voxels is

    ===========  ====================================================
    gyroid       sin X cos Y + sin Y cos Z + sin Z cos X
    schwarz_p    cos X + cos Y + cos Z
    diamond      sin X sin Y sin Z + sin X cos Y cos Z
                 + cos X sin Y cos Z + cos X cos Y sin Z
    ===========  ====================================================

    A sheet fills \|F\| < t, both sides of the surface, and leaves two separate channels. A
    skeleton fills F < t, one side of it. t is the level that meets `fraction`.

    Parameters
    ----------
    shape : (3,) voxels
    fraction : volume fraction of the solid [-]
        Met to the voxel. Thin ones may fall apart: see `Microstructure.connectivity`.
    kind : "gyroid", "schwarz_p" or "diamond"
    network : "sheet" or "skeletal"
    periods : cells of the surface along each axis
    symmetric : bool
        True: voxels of equal F, which a symmetry of the surface maps on one another, stay
        together, and the fraction is met up to half of such a group. A cubic image then has
        an exactly cubic tensor, if its sides are equal and even.
    spacing : float or (axis,) [length]
    names : (void, solid)

    Raises
    ------
    InputError
        An image that is not 3D, a kind or network that is not known.

    Source: M. Wohlgemuth, N. Yufa, J. Hoffman, E.L. Thomas, Macromolecules 34 (2001) 6083-6089.

    Examples
    --------
    >>> gyroid((32, 32, 32), 0.25).counts
    {'void': 24576, 'solid': 8192}
    """
    sizes, words = as_shape(shape), as_names(names, 2)
    if len(sizes) == 2:
        raise InputError(f"`shape` must be 3D for a minimal surface, but is {sizes}; add an axis")
    share = as_number(fraction, "fraction", 0.0, 1.0, "give a volume fraction, e.g. 0.3")
    edges = as_spacing(spacing, 3)
    several = as_counts(periods, 3, "periods")
    for value, name, known in ((kind, "kind", tuple(_KINDS)), (network, "network", _NETWORKS)):
        if value not in known:
            raise InputError(
                f"`{name}` must be one of {', '.join(known)}, but is {value!r}"
                f"{did_you_mean(value, known)}; choose one of them"
            )
    check_fits(sizes, np.dtype(float), "`shape`", copies=32)
    voxels = math.prod(sizes)
    solid = round(share * voxels)
    if not 0 < solid < voxels:
        raise InputError(
            f"`fraction` must give each phase at least one voxel, but {share:g} of {voxels} "
            "voxels does not; refine the grid"
        )
    angles = np.ix_(
        *(2 * np.pi * p * (np.arange(n) + 0.5) / n for p, n in zip(several, sizes, strict=True))
    )
    field = _KINDS[kind]([np.sin(a) for a in angles], [np.cos(a) for a in angles])
    if network == "sheet":
        field = np.abs(field)
    if symmetric:
        field = np.round(field, 12)  # equal but for rounding
        solid = _whole_groups(field, solid)
    labels = 1 - cut(field, (solid, voxels - solid))
    note = (
        f"{kind} {network} of {tell_numbers(several)} periods, fraction "
        f"{labels.mean():.6g} (asked {share:.6g})"
    )
    return Microstructure._from_compact(labels, edges, words, notes=(note,))


def _whole_groups(field: NDArray[np.float64], count: int) -> int:
    """Return the number nearest to `count` that parts no voxels of equal value."""
    limit = np.partition(field.ravel(), count - 1)[count - 1]
    below, up_to = int((field < limit).sum()), int((field <= limit).sum())
    if up_to == field.size or (below > 0 and count - below < up_to - count):
        return below
    return up_to
