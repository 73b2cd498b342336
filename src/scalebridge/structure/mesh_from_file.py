"""From the contents of a mesh file to a mesh of scikit-fem."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import skfem

from scalebridge.errors import InputError
from scalebridge.structure.box_sides import box_sides
from scalebridge.structure.element_shapes import check_shapes
from scalebridge.structure.mesh_file import KINDS, MeshFile, damaged

_MESHES = {
    "triangle": skfem.MeshTri,
    "triangle6": skfem.MeshTri2,
    "quad": skfem.MeshQuad,
    "quad9": skfem.MeshQuad2,
    "tetra": skfem.MeshTet,
    "tetra10": skfem.MeshTet2,
    "hexahedron": skfem.MeshHex,
    "hexahedron27": skfem.MeshHex2,
}
_CURVED = {
    "triangle6": "triangle",
    "quad9": "quad",
    "tetra10": "tetra",
    "hexahedron27": "hexahedron",
}

_CORNERS = [(0, 0), (1, 0), (1, 1), (0, 1)]
#: Where VTK has the 27 nodes of a hexahedron: corners, edges, faces, centre.
_HEXAHEDRON = [
    *((x, y, z) for z in (0, 1) for x, y in _CORNERS),
    *((x, y, z) for z in (0, 1) for x, y in [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)]),
    *((x, y, 0.5) for x, y in _CORNERS),
    *((*[0.5] * axis, end, *[0.5] * (2 - axis)) for axis, end in product(range(3), (0, 1))),
    (0.5, 0.5, 0.5),
]
#: For each node of scikit-fem's hexahedron, that of VTK.
_HEX_ORDER = [_HEXAHEDRON.index(tuple(x)) for x in skfem.ElementHex2.doflocs.tolist()]
_TURNED = {
    "triangle": [0, 2, 1],
    "triangle6": [0, 2, 1, 5, 4, 3],
    "quad": [0, 3, 2, 1],
    "quad9": [0, 3, 2, 1, 7, 6, 5, 4, 8],
}


def mesh_of(found: MeshFile, path: Path) -> skfem.Mesh:
    """Return the mesh of a file, named and checked."""
    mesh, groups, corner = _bare_mesh(found, path)
    boundaries = _boundaries(found, path, mesh, corner)
    for name, nodes in found.node_sets.items():
        facets = _facets_of(mesh, corner[nodes])
        if len(facets):
            boundaries.setdefault(name, facets)
    regions = {name: cells for name, cells in groups.items() if len(cells)}
    return replace(
        mesh, _boundaries=boundaries or box_sides(mesh) or None, _subdomains=regions or None
    )


def points_of(found: MeshFile, path: Path) -> dict[str, np.ndarray]:
    """Return the places of named nodes that are no boundary."""
    mesh, _, corner = _bare_mesh(found, path)
    dim = mesh.dim()
    named = {
        name: nodes
        for name, nodes in found.node_sets.items()
        if not len(_facets_of(mesh, corner[nodes]))
    }
    for name, own in found.groups.items():
        lower = [found.cells[kind][rows] for kind, rows in own.items() if KINDS[kind][0] < dim - 1]
        if lower and name not in named:
            named[name] = np.unique(np.concatenate([nodes.ravel() for nodes in lower]))
    used = np.zeros(len(found.points), bool)
    for kind, nodes in found.cells.items():
        if KINDS[kind][0] == dim:
            used[nodes] = True
    places = {name: found.points[nodes[used[nodes]], :dim] for name, nodes in named.items()}
    return {name: x[0] if len(x) == 1 else x for name, x in places.items() if len(x)}


def _bare_mesh(found: MeshFile, path: Path) -> tuple[skfem.Mesh, dict[str, np.ndarray], np.ndarray]:
    """Return the mesh, the groups of its cells, and the vertex that each node is, or −1."""
    kind = _only_kind(found, path)
    cells, groups = _without_repeats(found, kind)
    if cells.min() < 0 or cells.max() >= len(found.points):
        raise damaged(path, "mesh", "elements name nodes that are not there")
    points = found.points
    if not np.all(np.abs(points[cells]) < 1e100):
        raise damaged(path, "mesh", "coordinates are not finite")
    if KINDS[kind][0] == 2:
        points = _plane(points, cells, path)
    t = cells[:, : KINDS[kind][1]]
    kind, nodes = _with_inner_nodes(kind, points[cells])
    if kind.startswith("hexahedron"):
        t, nodes = t[:, _HEX_ORDER[:8]], nodes[:, _HEX_ORDER[: nodes.shape[1]]]
    make = _MESHES[kind]
    if check_shapes(make.elem(), nodes, path):  # clockwise
        t, nodes = t[:, _TURNED[kind][: t.shape[1]]], nodes[:, _TURNED[kind]]
    vertices = np.unique(t)
    vertex = np.full(len(points), -1)
    vertex[vertices] = np.arange(len(vertices))
    t = np.ascontiguousarray(vertex[t].T)
    p = np.ascontiguousarray(points[vertices].T)
    if kind not in _CURVED:
        return make(p, t), groups, vertex
    straight = _MESHES[_CURVED[kind]](p, t, sort_t=False)
    dofs = skfem.Dofs(straight, make.elem())
    places = np.zeros((len(p), dofs.N))
    places[:, dofs.element_dofs] = np.moveaxis(nodes, (0, 1, 2), (2, 1, 0))
    return make(places, t), groups, vertex


def _only_kind(found: MeshFile, path: Path) -> str:
    """Return the kind of cell of the highest dimension, which must be one."""
    counts = {kind: len(cells) for kind, cells in found.cells.items() if len(cells)}
    dim = max((KINDS[kind][0] for kind in counts), default=0)
    bodies = {kind: n for kind, n in counts.items() if KINDS[kind][0] == dim}
    if dim < 2:
        held = ", ".join(f"{n} of {kind}" for kind, n in bodies.items()) or "no elements"
        raise InputError(
            f"`path` must hold surface or volume elements, but '{path}' holds {held}; save the "
            "mesh of the body"
        )
    if len(bodies) > 1:
        held = " and ".join(f"{n} of {kind}" for kind, n in sorted(bodies.items()))
        raise InputError(
            f"`path` must hold elements of one kind, but '{path}' holds {held}; mesh the body "
            "with one kind"
        )
    return next(iter(bodies))


def _without_repeats(found: MeshFile, kind: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return cells once each: MSH 2.2 repeats an element for each of its groups."""
    cells = found.cells[kind]
    groups = {name: own[kind] for name, own in found.groups.items() if kind in own}
    corners = np.sort(cells[:, : KINDS[kind][1]], axis=1)
    _, first, inverse = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    if len(first) < len(cells):
        kept = np.sort(first)
        place = np.searchsorted(kept, first)[inverse.ravel()]
        cells = cells[kept]
        groups = {name: np.unique(place[own]) for name, own in groups.items()}
    return cells, groups


def _plane(points: np.ndarray, cells: np.ndarray, path: Path) -> np.ndarray:
    own = points[np.unique(cells)]
    if np.ptp(own[:, 2]) > 1e-6 * np.ptp(own, axis=0).max():
        raise InputError(
            f"`path` must hold a body in space or one in the plane of x and y, but '{path}' holds "
            f"a surface from z = {own[:, 2].min():g} to {own[:, 2].max():g}; turn it or mesh the "
            "volume"
        )
    return points[:, :2]


def _with_inner_nodes(kind: str, nodes: np.ndarray) -> tuple[str, np.ndarray]:
    """Give cells of 8 and 20 nodes, (cell, node, dim), those inside; their shape stays."""
    if kind == "quad8":
        inner = [nodes[:, 4:].sum(axis=1) / 2 - nodes[:, :4].sum(axis=1) / 4]
        kind = "quad9"
    elif kind == "hexahedron20":
        inner = []
        place = np.array(_HEXAHEDRON[:20])
        for axis, end in product(range(3), (0, 1)):
            face = np.flatnonzero(place[:, axis] == end)
            corners, edges = nodes[:, face[face < 8]], nodes[:, face[face >= 8]]
            inner.append(edges.sum(axis=1) / 2 - corners.sum(axis=1) / 4)
        inner.append(nodes[:, 8:].sum(axis=1) / 4 - nodes[:, :8].sum(axis=1) / 4)
        kind = "hexahedron27"
    else:
        return kind, nodes
    return kind, np.concatenate([nodes, np.stack(inner, axis=1)], axis=1)


def _boundaries(
    found: MeshFile, path: Path, mesh: skfem.Mesh, corner: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the facets of surfaces that are told face by face."""
    told = {name: list(faces) for name, faces in found.faces.items()}
    for name, own in found.groups.items():
        for kind, rows in own.items():
            if KINDS[kind][0] == mesh.dim() - 1:
                told.setdefault(name, []).append(found.cells[kind][rows][:, : KINDS[kind][1]])
    boundaries = {}
    for name, blocks in told.items():
        numbers = np.concatenate([_find_facets(mesh, corner[faces]) for faces in blocks])
        lost = int(np.sum(numbers < 0))
        if 0 < lost < len(numbers):
            raise InputError(
                f"`path` must have boundaries of faces of its elements, but in '{path}' {lost} of "
                f"{len(numbers)} faces of {name!r} are none; mesh body and boundary together"
            )
        if not lost and len(numbers):
            boundaries[name] = np.unique(numbers)
    return boundaries


def _find_facets(mesh: skfem.Mesh, faces: np.ndarray) -> np.ndarray:
    """Return the number of each face, given by its corners, or −1."""
    if faces.shape[1] != len(mesh.facets):
        return np.full(len(faces), -1)
    among = np.zeros(mesh.p.shape[1], bool)
    among[faces[faces >= 0]] = True
    near = np.flatnonzero(np.all(among[mesh.facets], axis=0))
    both = np.vstack([mesh.facets[:, near].T, faces])
    rows, where = np.unique(np.sort(both, axis=1), axis=0, return_inverse=True)
    number = np.full(len(rows), -1)
    number[where.ravel()[: len(near)]] = near
    return number[where.ravel()[len(near) :]]


def _facets_of(mesh: skfem.Mesh, vertices: np.ndarray) -> np.ndarray:
    """Return the outer facets of which all corners are among the vertices."""
    among = np.zeros(mesh.p.shape[1], bool)
    among[vertices[vertices >= 0]] = True
    outer = mesh.boundary_facets()
    return outer[np.all(among[mesh.facets[:, outer]], axis=0)]
