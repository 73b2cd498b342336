"""Voxels and their neighbours: opening by a cube, majority in a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def opened(mask: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """Return the part of the periodic `mask` that cubes of `voxels`³ inside it can reach.

    The cube is a product of lines, so erosion and dilation go axis by axis. Source:
    P. Soille, Morphological Image Analysis, 2nd ed. (2004), sections 3.3 and 4.2.
    """
    eroded = _sweep(mask, voxels, 1, np.logical_and)
    return _sweep(eroded, voxels, -1, np.logical_or)


def majority(blocks: NDArray[Any], counts: list[int]) -> NDArray[Any]:
    """Return the most frequent label over the odd axes of `blocks`; ties to the rarer phase."""
    within = tuple(range(1, blocks.ndim, 2))
    order = sorted(range(len(counts)), key=lambda label: (counts[label], label))
    most = np.zeros(blocks.shape[::2], np.int64)
    winner = np.zeros(most.shape, blocks.dtype)
    for label in order:
        votes = np.count_nonzero(blocks == label, axis=within)
        better = votes > most
        winner[better] = label
        most = np.maximum(most, votes)
    return winner


def _sweep(
    mask: NDArray[np.bool_], voxels: int, sign: int, combine: Callable[..., Any]
) -> NDArray[np.bool_]:
    for axis in range(mask.ndim):
        result = mask.copy()
        for step in range(1, min(voxels, mask.shape[axis])):
            combine(result, np.roll(mask, -sign * step, axis), out=result)
        mask = result
    return mask
