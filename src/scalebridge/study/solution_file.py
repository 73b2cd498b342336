"""A solved structure as one file for ParaView: an unstructured grid with time steps (VTKHDF).

Layout: ``/VTKHDF`` as VTK reads it, with ``displacement`` or ``temperature`` at the nodes of
all steps, and in the elements the ``region``, ``micro_work``, the iterations of the micro problems
of all steps as means over the points, zero without such; and, of the steps that were kept, means
of gradient, flux and energy (NaN in the others), in small strain also ``von_mises`` of the mean
stress where all of it is known. Symmetric tensors are in VTK's order XX, YY, ZZ, XY, YZ, XZ,
without Mandel's √2; F and P are row by row. NaN stands for a component across the plane that a
law of two dimensions does not tell. ``/scalebridge`` holds reactions and energies by time.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.files import atomic
from scalebridge.study.local_fields import von_mises

if TYPE_CHECKING:
    from scalebridge.structure import Solution

_MANDEL = np.sqrt([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
#: Corners of VTK's cells on the unit simplex or cube, then pairs of corners with a node between.
_TRIANGLE = ((0, 0), (1, 0), (0, 1))
_QUAD = ((0, 0), (1, 0), (1, 1), (0, 1))
_TETRAHEDRON = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_HEXAHEDRON = (*((*c, 0) for c in _QUAD), *((*c, 1) for c in _QUAD))
_EDGES = {
    "triangle": ((0, 1), (1, 2), (2, 0)),
    "quad": ((0, 1), (1, 2), (2, 3), (3, 0)),
    "tetrahedron": ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)),
    "hexahedron": (
        *((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4)),
        *((0, 4), (1, 5), (2, 6), (3, 7)),
    ),
}
_FACES = ((0, 0.5, 0.5), (1, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 1, 0.5), (0.5, 0.5, 0), (0.5, 0.5, 1))
#: (corners, dim) → name, corners, further nodes of the second order, VTK's types by order.
_CELLS: dict[tuple[int, int], tuple[str, Any, Any, tuple[int, int]]] = {
    (3, 2): ("triangle", _TRIANGLE, (), (5, 22)),
    (4, 2): ("quad", _QUAD, ((0.5, 0.5),), (9, 28)),
    (4, 3): ("tetrahedron", _TETRAHEDRON, (), (10, 24)),
    (8, 3): ("hexahedron", _HEXAHEDRON, (*_FACES, (0.5, 0.5, 0.5)), (12, 29)),
}


def write_solution(path: str | Path, solution: Solution) -> Path:
    """Write a solved structure to a ``.vtkhdf`` file.

    Parameters
    ----------
    path : str or Path
        Must end in ``.vtkhdf``, the suffix by which ParaView and PyVista know the format.
    solution : Solution
        Steps in its `fields` have element data.

    Returns
    -------
    Path
        The file, whole or absent.

    Raises
    ------
    InputError
        Wrong suffix, a full disk.
    """
    path = Path(path)
    if path.suffix != ".vtkhdf":
        raise InputError(f"`path` must end in '.vtkhdf', but is {str(path)!r}")
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = np.array([2, 3])
        root.attrs.create("Type", b"UnstructuredGrid", dtype=h5py.string_dtype("ascii", 16))
        _write_grid(root, solution)
        steps = root.create_group("Steps")
        count = len(solution.times)
        steps.attrs["NSteps"] = count
        steps["Values"] = solution.times
        for name in ("PartOffsets", "PointOffsets"):
            steps[name] = np.zeros(count, np.int64)
        steps["NumberOfParts"] = np.ones(count, np.int64)
        for name in ("CellOffsets", "ConnectivityIdOffsets"):
            steps[name] = np.zeros((count, 1), np.int64)
        _write_points(root, steps, solution)
        _write_cells(root, steps, solution)
        own = file.create_group("scalebridge")
        for name in ("times", "work", "stored", "dissipated"):
            own[name] = getattr(solution, name)
        reactions = own.create_group("reactions")
        for name, values in solution.reactions.items():
            reactions[name] = values
    return path


def cell_nodes(corners: int, dim: int, order: int) -> tuple[np.ndarray, int]:
    """Return the reference places of a VTK cell's nodes, in its order, and its type."""
    name, first, further, types = _CELLS[corners, dim]
    places = [np.array(c, float) for c in first]
    if order == 2:
        places += [0.5 * (places[a] + places[b]) for a, b in _EDGES[name]]
        places += [np.array(c, float) for c in further]
    return np.array(places), types[order - 1]


def _write_grid(root: h5py.Group, solution: Solution) -> None:
    space = solution.space
    elements, nodes = space.connectivity.shape
    corners = space.mesh.t.shape[0]
    places, kind = cell_nodes(corners, space.dim, space.order)
    own = np.asarray(space.basis.elem.doflocs, float)
    order = _matches(own, places)
    connectivity = space.connectivity[:, order]
    # Scikit-fem's cells may be mirrored: then so is the order of their nodes.
    centre = np.full((space.dim, 1), 1 / (space.dim + 1) if corners == space.dim + 1 else 0.5)
    mirrored = np.asarray(space.mesh.mapping().detDF(centre))[:, 0] < 0
    swapped = places[:, [1, 0, *range(2, space.dim)]]
    connectivity[mirrored] = space.connectivity[mirrored][:, _matches(own, swapped)]
    points = np.zeros((len(space.nodes), 3))
    points[:, : space.dim] = space.nodes
    root["NumberOfPoints"] = np.array([len(points)])
    root["NumberOfCells"] = np.array([elements])
    root["NumberOfConnectivityIds"] = np.array([space.connectivity.size])
    root["Points"] = points
    root["Connectivity"] = connectivity.astype(np.int64).ravel()
    root["Offsets"] = np.arange(elements + 1, dtype=np.int64) * nodes
    root["Types"] = np.full(elements, kind, np.uint8)


def _matches(own: np.ndarray, places: np.ndarray) -> list[int]:
    """Return which of the element's nodes lies at each place."""
    return [int(np.argmin(np.linalg.norm(own - place, axis=1))) for place in places]


def _write_points(root: h5py.Group, steps: h5py.Group, solution: Solution) -> None:
    field = solution.field
    count, nodes, components = field.shape
    name = "temperature" if solution.physics == "conduction" else "displacement"
    if components == 2:
        field = np.concatenate([field, np.zeros((count, nodes, 1))], axis=2)
    data = field.reshape(count * nodes, -1)
    root.create_group("PointData")[name] = data[:, 0] if components == 1 else data
    steps.create_group("PointDataOffsets")[name] = np.arange(count) * nodes


def _write_cells(root: h5py.Group, steps: h5py.Group, solution: Solution) -> None:
    elements = len(solution.space.connectivity)
    cells, offsets = root.create_group("CellData"), steps.create_group("CellDataOffsets")
    regions, work, count = np.zeros(elements, np.int32), np.zeros(elements), len(solution.times)
    for number, region in enumerate(solution.regions):
        regions[region.elements] = number
        if region.name in solution.work_of_points:
            work[region.elements] = solution.work_of_points[region.name].mean(axis=1)
    for name, values in (("region", regions), ("micro_work", work)):  # one for all steps
        cells[name], offsets[name] = values, np.zeros(count, np.int64)
    names = {
        "conduction": ("gradient", "flux"),
        "elasticity": ("strain", "stress"),
        "finite strain": ("F", "P"),
    }[solution.physics]
    for name, own in itertools.chain(
        zip(names, ("gradient", "flux"), strict=True), [("energy", "energy")]
    ):
        rows = [_of_elements(solution, step, own) for step in range(count)]
        size = max(row.shape[1] for row in rows)
        whole = [row if row.shape[1] == size else np.full((elements, size), np.nan) for row in rows]
        data = np.concatenate(whole)
        cells[name] = data[:, 0] if size == 1 else data
        offsets[name] = np.arange(count) * elements
        if name == "stress" and size == 6 and np.isfinite(data).all(axis=1).any():
            cells["von_mises"] = von_mises((data * _MANDEL).T)
            offsets["von_mises"] = np.arange(count) * elements


def _of_elements(solution: Solution, step: int, name: str) -> np.ndarray:
    """Return means over the elements, (element, component); one column of NaN where not kept."""
    found = np.full((len(solution.space.connectivity), 1), np.nan)
    for region in solution.regions if step in solution.fields else ():
        values = solution.fields[step][region.name][name]
        weights = solution.space.weights[region.elements]
        values = values[..., None] if values.ndim == 2 else values
        mean = np.einsum("eq,eqc->ec", weights, values) / weights.sum(axis=1)[:, None]
        shown = _shown(mean, solution, name) if name != "energy" else mean
        if found.shape[1] != shown.shape[1]:
            found = np.full((len(found), shown.shape[1]), np.nan)
        found[region.elements] = shown
    return found


def _shown(values: np.ndarray, solution: Solution, name: str) -> np.ndarray:
    """Return components as VTK has them, in three dimensions; NaN where they are not known."""
    count, size = values.shape
    flux = name == "flux"
    if solution.physics == "conduction":
        return np.pad(values, ((0, 0), (0, 3 - size)))
    if solution.physics == "finite strain":
        if size == 9:
            return values
        whole = np.zeros((count, 3, 3))
        whole[:, :2, :2] = values.reshape(count, 2, 2)
        whole[:, 2, 2] = np.nan if flux else 1.0  # plane strain
        return whole.reshape(count, 9)
    if size == 3:
        values = np.insert(values, [2, 2, 2], 0, axis=1)
        if flux == (solution.plane == "strain"):  # σ₃₃ in plane strain, ε₃₃ in plane stress
            values[:, 2] = np.nan
    return values[:, [0, 1, 2, 5, 3, 4]] / _MANDEL
