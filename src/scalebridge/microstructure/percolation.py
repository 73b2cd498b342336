r"""Connected pieces of a phase, and the axes along which they go on for ever.

The rule for periodic cells
---------------------------
Tile space with the cell. A phase percolates along axis :math:`a` if one connected
piece of the tiled phase is unbounded along :math:`a`. To decide it on one cell:

1. Label the phase inside the cell *without* wrapping. A path inside such a part
   crosses no face, so all voxels of a part lie in the same copy of the cell.
2. Neighbours across faces, edges and corners of the cell join part :math:`p` with
   the copy of part :math:`q` that is shifted by a whole vector
   :math:`e \in \{-1, 0, 1\}^d`. This is a graph whose edges carry vectors.
3. On a spanning tree give each part the shift :math:`s` summed along the tree from
   its root. Each edge then closes a loop with winding :math:`w = s_p + e - s_q`, and
   these vectors generate the lattice :math:`L` of all windings of the piece.

*The piece is unbounded along a if and only if some generator has* :math:`w_a \neq 0`.
If: :math:`w \in L` means that a part is connected with its own copy shifted by
:math:`w`, hence by :math:`2w, 3w, …`. Only if: the tiled piece consists of copies of
finitely many parts, so if it is unbounded along :math:`a` it holds two copies of one
part with different shifts along :math:`a`; their difference is in :math:`L`. And if
every generator has :math:`w_a = 0`, so has all of :math:`L`.

Hence a strut that leaves through one face and comes back elsewhere percolates only if
it closes on itself after one or more turns, and a diagonal strut percolates along both
of its axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError

_ORDERS = {2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}  # axes that may change in one step


@dataclass(frozen=True, eq=False)
class Clusters:
    """The connected pieces of one phase, the largest first.

    Attributes
    ----------
    labels : (x, y[, z]) int32
        0 outside the phase, 1 in the largest piece, 2 in the next, …
    sizes : (piece,) voxels
    percolates : (piece, axis) bool
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    percolates: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of pieces."""
        return len(self.sizes)

    @property
    def floating(self) -> NDArray[np.int64]:
        """The numbers (in `labels`) of the pieces that percolate along no axis."""
        return np.flatnonzero(~self.percolates.any(axis=1)) + 1

    @property
    def floating_fraction(self) -> float:
        """Share of the phase's voxels that lie in floating pieces [-]."""
        return float(self.sizes[self.floating - 1].sum() / max(1, self.sizes.sum()))


def check_neighbours(neighbours: int | None, dim: int) -> int:
    """Return how many axes may change in a step to one of `neighbours` (None: all)."""
    if neighbours is None:
        return dim
    if neighbours not in _ORDERS[dim]:
        choices = " or ".join(str(count) for count in _ORDERS[dim])
        raise InputError(
            f"`neighbours` must be {choices} in {dim}D, but is {neighbours!r}; "
            "the largest joins voxels that share a corner, the smallest those that share a face"
        )
    return _ORDERS[dim][neighbours]


def percolating_axes(mask: NDArray[np.bool_], order: int, periodic: bool) -> NDArray[np.bool_]:
    """Return (axis,) bool: does any piece of `mask` percolate along the axis?"""
    parts, count = _label(mask, order)
    if not periodic:
        return np.logical_or.reduce(_touching(parts, count))
    return np.logical_or.reduce(_join(parts, count, order)[1])


def find_clusters(mask: NDArray[np.bool_], order: int, periodic: bool) -> Clusters:
    """Return the pieces of `mask`, where steps change up to `order` axes."""
    parts, count = _label(mask, order)
    if periodic:
        piece, percolates = _join(parts, count, order)
    else:
        piece, percolates = np.arange(count), _touching(parts, count)
    in_part = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    sizes = np.bincount(piece, weights=in_part, minlength=len(percolates)).astype(np.int64)
    largest_first = np.argsort(-sizes, kind="stable")
    number = np.empty(len(sizes), np.int32)
    number[largest_first] = np.arange(1, len(sizes) + 1)
    table = np.concatenate([np.zeros(1, np.int32), number[piece]])
    return Clusters(table[parts], sizes[largest_first], percolates[largest_first])


def _label(mask: NDArray[np.bool_], order: int) -> tuple[NDArray[np.integer[Any]], int]:
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(mask.ndim, order)
    parts, count = ndimage.label(mask, structure)
    return parts, int(count)


def _touching(parts: NDArray[np.integer[Any]], count: int) -> NDArray[np.bool_]:
    """Return (part, axis) bool: does the part touch both faces of the image?"""
    both = np.zeros((count + 1, parts.ndim), bool)
    for axis in range(parts.ndim):
        both[np.intersect1d(parts.take(0, axis), parts.take(-1, axis)), axis] = True
    return both[1:]


def _join(
    parts: NDArray[np.integer[Any]], count: int, order: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.bool_]]:
    """Join parts across the faces: the piece of each part, and (piece, axis) percolation."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    p, q, e = _edges(parts, count, order)
    graph = coo_array((np.ones(len(p), np.int8), (p, q)), shape=(count, count))
    pieces, piece = connected_components(graph, directed=False)
    shift = _shifts(p, q, e, piece, pieces)
    winding = shift[p] + e - shift[q]
    percolates = np.zeros((pieces, parts.ndim), bool)
    edge, axis = np.nonzero(winding)
    percolates[piece[p[edge]], axis] = True
    return piece, percolates


def _edges(
    parts: NDArray[np.integer[Any]], count: int, order: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct edges: part p touches the copy of part q shifted by e cells."""
    powers = 3 ** np.arange(parts.ndim)
    keys = [np.zeros(0, np.int64)]
    for p, q, e in _crossings(parts, order):
        both = (p > 0) & (q > 0)
        code = np.broadcast_to(((e + 1).T @ powers).T, p.shape)[both]
        pair = (p[both].astype(np.int64) - 1) * count + q[both] - 1
        keys.append(np.unique(pair * 3**parts.ndim + code))
    key = np.unique(np.concatenate(keys))
    pair, code = np.divmod(key, 3**parts.ndim)
    return *np.divmod(pair, max(count, 1)), code[:, None] // powers % 3 - 1


def _crossings(
    parts: NDArray[np.integer[Any]], order: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]]:
    """Yield, for each step that leaves through a high face: the parts on both sides.

    The third item is (axis, …) the shift of the cell that the step enters; steps over
    edges and corners of the cell are met once for each high face that they leave.
    """
    dim = parts.ndim
    for axis in range(dim):
        high, low = np.moveaxis(parts, axis, 0)[[-1, 0]]
        for step in product((-1, 0, 1), repeat=dim - 1):
            if 1 + np.count_nonzero(step) > order:
                continue
            entered = np.roll(low, [-s for s in step], axis=range(dim - 1))
            shift = np.zeros((dim, *high.shape), np.int64)
            shift[axis] = 1
            others = [b for b in range(dim) if b != axis]
            for place, (b, s) in enumerate(zip(others, step, strict=True)):
                wraps = (np.arange(parts.shape[b]) + s) // parts.shape[b]
                shift[b] = wraps.reshape([-1 if k == place else 1 for k in range(dim - 1)])
            yield high, entered, shift


def _shifts(
    p: NDArray[np.int64],
    q: NDArray[np.int64],
    e: NDArray[np.int64],
    piece: NDArray[np.integer[Any]],
    pieces: int,
) -> NDArray[np.int64]:
    """Return (part, axis) the shift of each part along a spanning tree of its piece.

    One breadth-first search from an extra node that is tied to one part of each piece;
    the shifts are then summed along the tree by pointer doubling, without a Python loop
    over parts.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    count, top = len(piece), len(piece)
    first = np.unique(piece, return_index=True)[1]
    rows, columns = np.concatenate([p, np.full(pieces, top)]), np.concatenate([q, first])
    graph = coo_array(
        (np.ones(len(rows), np.int8), (rows, columns)), shape=(count + 1, count + 1)
    ).tocsr()
    before = breadth_first_order(graph, top, directed=False)[1].astype(np.int64)
    before[top] = top

    step = np.zeros((count + 1, e.shape[1]), np.int64)
    child = np.flatnonzero(before != top)
    keys, where = np.unique(
        np.concatenate([p, q]) * count + np.concatenate([q, p]), return_index=True
    )
    there = np.concatenate([e, -e])
    step[child] = there[where[np.searchsorted(keys, before[child] * count + child)]]
    while np.any(before != top):
        step, before = step + step[before], before[before]
    return step[:count]
