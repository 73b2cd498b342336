"""What is seen of a mesh: all of a plane one, the boundary of a solid.

Nodes of an element are in VTK's order, for surfaces are made of solutions and of their files
alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.study.solution_file import cell_nodes

if TYPE_CHECKING:
    from scalebridge.structure import Solution

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: VTK's number → corners, dimension and order of a cell.
_KINDS = {
    **{5: (3, 2, 1), 9: (4, 2, 1), 10: (4, 3, 1), 12: (8, 3, 1)},
    **{22: (3, 2, 2), 28: (4, 2, 2), 24: (4, 3, 2), 29: (8, 3, 2)},
}
#: (corners, dimension) → corners of each facet, going round.
_FACETS = {
    (3, 2): ((0, 1, 2),),
    (4, 2): ((0, 1, 2, 3),),
    (4, 3): ((0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 2, 3)),
    (8, 3): (
        *((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4)),
        *((1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)),
    ),
}
_SHARP = np.cos(np.radians(30.0))  # between facets of a solid that meet in an edge of it


@dataclass(frozen=True)
class Surface:
    """Facets, their triangles and the lines between elements, by the numbers of vertices.

    Attributes
    ----------
    nodes : (vertex,)
        The node of each vertex. Where regions meet each has vertices of its own, so that fields
        may jump there.
    connectivity : (element, node of the element)
        Vertices of the elements.
    owners : (facet,)
        Their elements.
    rims : (facet, n)
        Vertices around each facet, in order; seen from outside they go either way round.
    triangles : (facet, triangle of the facet, 3)
    edges : (edge, 2 or 3)
        Sides of the facets, each once.
    outline : (m, 2 or 3)
        Those at the rim of a region, or where a solid has an edge.
    """

    nodes: Ints
    connectivity: Ints
    owners: Ints
    rims: Ints
    triangles: Ints
    edges: Ints
    outline: Ints

    def average(self, values: NDArray[Any]) -> Floats:
        """Return means, (vertex,), of values (element, node of the element) that meet there."""
        at, size = self.connectivity.ravel(), len(self.nodes)
        total = np.bincount(at, np.ravel(values), size)
        return np.asarray(total / np.bincount(at, minlength=size))


def surface_of(
    places: NDArray[Any], connectivity: NDArray[Any], kind: int, regions: NDArray[Any]
) -> Surface:
    """Return the surface of a mesh.

    Parameters
    ----------
    places : (node, dim)
    connectivity : (element, node of the element)
        In VTK's order.
    kind : int
        VTK's number of the elements' type.
    regions : (element,) int
    """
    corners, dim, order = _KINDS[kind]
    keys = np.asarray(regions, np.int64)[:, None] * len(places) + connectivity
    vertices, own = np.unique(keys, return_inverse=True)
    nodes, own = vertices % len(places), own.reshape(connectivity.shape)
    rims, triangles = _facets(corners, dim, order)
    count = len(rims)
    owners = np.repeat(np.arange(len(own)), count)
    if dim == 3:  # a facet of two elements is inside
        step = 2 if order == 2 else 1
        sides = np.sort(connectivity[:, rims[:, ::step]].reshape(len(owners), -1), axis=1)
        _, first, times = np.unique(sides, axis=0, return_index=True, return_counts=True)
        shown = np.sort(first[times == 1])
    else:
        shown = np.arange(len(owners))
    which = shown % count
    owners = owners[shown]
    around = np.take_along_axis(own[owners], rims[which], axis=1)
    inside = own[owners[:, None, None], triangles[which]]
    edges, outline = _edges(around, 2 if order == 2 else 1, places[nodes])
    return Surface(nodes, own, owners, around, inside, edges, outline)


def surface_of_solution(solution: Solution) -> Surface:
    """Return the surface of a solved structure."""
    space = solution.space
    places, kind = cell_nodes(space.mesh.t.shape[0], space.dim, space.order)
    own = np.asarray(space.basis.elem.doflocs, float)
    order = [int(np.argmin(np.linalg.norm(own - place, axis=1))) for place in places]
    regions = np.zeros(len(space.connectivity), np.int64)
    for number, region in enumerate(solution.regions):
        regions[region.elements] = number
    return surface_of(space.nodes, space.connectivity[:, order], kind, regions)


def _facets(corners: int, dim: int, order: int) -> tuple[Ints, Ints]:
    """Return nodes of the reference cell: around each facet, and of the triangles in it."""
    places, _ = cell_nodes(corners, dim, order)

    def between(*some: int) -> int:
        middle = places[list(some)].mean(axis=0)
        return int(np.argmin(np.linalg.norm(places - middle, axis=1)))

    rims: list[list[int]] = []
    triangles: list[list[tuple[int, ...]]] = []
    for facet in _FACETS[corners, dim]:
        ends = list(zip(facet, (*facet[1:], facet[0]), strict=True))
        if order == 1:
            rims.append(list(facet))
            triangles.append([(facet[0], a, b) for a, b in pairwise(facet[1:])])
            continue
        rim = [node for a, b in ends for node in (a, between(a, b))]
        rims.append(rim)
        if len(facet) == 3:
            middles = rim[1::2]
            cut = zip(rim[::2], middles, middles[-1:] + middles[:-1], strict=True)
            triangles.append([*cut, tuple(middles)])
        else:
            centre = between(*facet)
            triangles.append([(centre, a, b) for a, b in zip(rim, rim[1:] + rim[:1], strict=True)])
    return np.array(rims), np.array(triangles)


def _edges(rims: Ints, step: int, places: Floats) -> tuple[Ints, Ints]:
    """Return the sides of facets, and those of them that belong to the outline."""
    closed = np.concatenate([rims, rims[:, :1]], axis=1)
    starts = range(0, rims.shape[1], step)
    sides = np.stack([closed[:, i : i + step + 1] for i in starts], axis=1)
    sides = sides.reshape(-1, step + 1)
    owner = np.repeat(np.arange(len(rims)), len(starts))
    keys = np.sort(sides[:, [0, -1]], axis=1)
    _, first, back, times = np.unique(
        keys, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    sharp = times == 1
    if places.shape[1] == 3:
        last = np.empty(len(first), np.int64)
        last[back.ravel()] = np.arange(len(sides))
        normal = normals(places, rims[:, ::step])
        bend = np.abs(np.sum(normal[owner[first]] * normal[owner[last]], axis=1))
        sharp |= bend < _SHARP
    return sides[first], sides[first[sharp]]


def normals(places: Floats, corners: Ints) -> Floats:
    """Return unit normals, (facet, 3), of facets by their corners (facet, 3 or 4)."""
    first, third = places[corners[:, 0]], places[corners[:, 2]]
    second, last = places[corners[:, 1]], places[corners[:, -1]]
    across = third - first if corners.shape[1] == 4 else second - first
    along = last - second if corners.shape[1] == 4 else third - first
    found = np.cross(across, along)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))
