"""Cut a field into phases so that each has its share of the voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError


def counts_of(fractions: Sequence[float], voxels: int, names: Sequence[str]) -> list[int]:
    """Return the voxels of each phase, rounded so that they add up.

    Raises
    ------
    InputError
        A phase that gets no voxel.
    """
    bounds = np.rint(np.cumsum(fractions) * voxels).astype(np.int64)
    bounds[-1] = voxels
    counts = np.diff(bounds, prepend=0).tolist()
    if min(counts) < 1:
        thin = counts.index(min(counts))
        raise InputError(
            f"`fractions` must give each phase at least one voxel, but {names[thin]!r} of "
            f"{fractions[thin]:g} has none of the {voxels}; refine the grid or leave it out"
        )
    return counts


def cut(field: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.unsignedinteger]:
    """Return labels 0, 1, …: the lowest values of `field` are phase 0, and so on.

    Phase i gets exactly ``counts[i]`` voxels; of equal values the first in memory go down.
    """
    labels = np.zeros(field.shape, np.min_scalar_type(len(counts)))
    ends = np.cumsum(counts)[:-1]
    flat = field.ravel()
    limits = np.partition(flat, ends - 1)[ends - 1] if len(ends) else ()
    for end, limit in zip(ends, limits, strict=True):
        above = flat > limit
        spare = len(flat) - int(end) - int(above.sum())  # voxels at the limit that go up
        if spare:
            above[np.flatnonzero(flat == limit)[-spare:]] = True
        labels += above.reshape(field.shape)
    return labels
