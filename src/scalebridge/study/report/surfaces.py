"""Surfaces of phases as triangles, by naive surface nets.

Each cell of eight neighbouring values through which the level passes has one vertex, the mean
of the crossings of its edges; each edge that crosses the level joins the vertices of the four
cells around it. S. F. Frisken Gibson (1998), Constrained elastic surface nets, MICCAI.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure

Floats = NDArray[np.float64]
_CORNERS = np.array(list(product((0, 1), repeat=3)))
_EDGES = [
    (a, b)
    for a, b in product(range(8), repeat=2)
    if a < b and np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1
]
_SMOOTHING = 0.7  # voxels; enough to hide their steps
#: Longest edges in voxels that are tried, and triangles that a page can carry.
_SIDES = (64, 48, 32, 24, 16)
_MOST_TRIANGLES = 150_000


def surface_net(values: Floats, level: float = 0.5) -> tuple[Floats, NDArray[np.int32]]:
    """Return the surface where values on a grid pass a level.

    Parameters
    ----------
    values : (x, y, z)
    level : float

    Returns
    -------
    vertices : (vertex, 3)
        In steps of the grid, the first value being at 0.
    triangles : (triangle, 3)
        Indices of vertices, anticlockwise seen from where values are lower.
    """
    inside = values > level
    cells = tuple(n - 1 for n in values.shape)
    corner = [
        tuple(slice(o, o + n) for o, n in zip(offset, cells, strict=True)) for offset in _CORNERS
    ]
    count = sum(inside[c].astype(np.int8) for c in corner)
    mixed = (count > 0) & (count < 8)
    place = np.argwhere(mixed)
    number = np.full(cells, -1, np.int32)
    number[mixed] = np.arange(len(place), dtype=np.int32)
    at = [values[c][mixed] for c in corner]
    total, crossings = np.zeros((len(place), 3)), np.zeros(len(place))
    for a, b in _EDGES:
        crosses = (at[a] > level) != (at[b] > level)
        share = np.where(crosses, (level - at[a]) / np.where(crosses, at[b] - at[a], 1.0), 0.0)
        total += np.where(crosses, 1.0, 0.0)[:, None] * (
            _CORNERS[a] + share[:, None] * (_CORNERS[b] - _CORNERS[a])
        )
        crossings += crosses
    vertices = place + total / np.maximum(crossings, 1)[:, None]
    triangles = [_faces_along(axis, inside, number) for axis in range(3)]
    return vertices, np.concatenate(triangles).astype(np.int32)


def _faces_along(
    axis: int, inside: NDArray[np.bool_], number: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Join the four cells around each edge along an axis that crosses the level."""
    near = np.moveaxis(inside, axis, 0)
    cells = np.moveaxis(number, axis, 0)
    first = near[:-1, 1:-1, 1:-1]
    crosses = first != near[1:, 1:-1, 1:-1]
    quad = np.stack(
        [cells[:, :-1, :-1], cells[:, 1:, :-1], cells[:, 1:, 1:], cells[:, :-1, 1:]], axis=-1
    )[crosses]
    # Moving axis 1 to the front makes the other two a left-handed pair.
    turned = first[crosses] != (axis == 1)
    quad = np.where(turned[:, None], quad, quad[:, ::-1])
    return np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])


def phase_surfaces(micro: Microstructure, phases: list[str]) -> dict[str, tuple[Floats, NDArray]]:
    """Return vertices [length] and triangles of some phases, coarse enough for a page."""
    for side in _SIDES:
        step = max(1, -(-max(micro.shape) // side))
        found = {name: _surface(micro, name, step) for name in phases}
        if sum(len(triangles) for _, triangles in found.values()) <= _MOST_TRIANGLES:
            break
    return found


def _surface(micro: Microstructure, name: str, step: int) -> tuple[Floats, NDArray[np.int32]]:
    from scipy.ndimage import gaussian_filter

    share = block_means(micro.mask(name).astype(np.float32), step)
    smooth = gaussian_filter(share.astype(float), _SMOOTHING, mode="nearest")
    # The rim of zeros closes the surface where the image ends.
    vertices, triangles = surface_net(np.pad(smooth, 1))
    size = np.array(micro.spacing) * step
    return np.clip((vertices - 0.5) * size, 0.0, micro.extent), triangles


def block_means(values: NDArray, step: int) -> NDArray:
    """Return the means of blocks of `step` voxels a side; the last ones may be thinner."""
    for axis, n in enumerate(values.shape):
        starts = np.arange(0, n, step)
        counts = np.minimum(starts + step, n) - starts
        total = np.add.reduceat(values, starts, axis=axis)
        values = total / counts.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return values
