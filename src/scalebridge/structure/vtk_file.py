"""Files of VTK: .vtu by meshlane, and legacy .vtk."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.mesh_file import KINDS, MeshFile, damaged, unknown_kind
from scalebridge.structure.vtk_legacy import Block, read_legacy

#: Names of cell data, in small letters, that tell regions.
_REGIONS = (
    "region",
    "regions",
    "material",
    "materials",
    "materialids",
    "phase",
    "domain",
    "gmsh:physical",
    "medit:ref",
    "cell_tags",
    "cellentityids",
)


def read_vtk(path: Path) -> MeshFile:
    """Read a VTK file; whole numbers of cells whose name tells regions make groups.

    Raises
    ------
    InputError
        Several pieces, cells of an unknown kind, a damaged file.
    """
    points, blocks = (_read_vtu if path.suffix.lower() == ".vtu" else read_legacy)(path)
    cells: dict[str, list[np.ndarray]] = {}
    groups: dict[str, dict[str, np.ndarray]] = {}
    for kind, nodes, data in blocks:
        if kind not in KINDS:
            raise unknown_kind(path, f"kind {kind}")
        before = cells.setdefault(kind, [])
        offset = sum(map(len, before))
        before.append(nodes)
        values = _regions(data)
        for value in np.unique(values).tolist():
            group = groups.setdefault(f"{value:g}", {})
            more = np.flatnonzero(values == value) + offset
            group[kind] = np.concatenate([group.get(kind, more[:0]), more])
    return MeshFile(points, {k: np.concatenate(rows) for k, rows in cells.items()}, groups)


def _read_vtu(path: Path) -> tuple[np.ndarray, list[Block]]:
    import meshlane.vtu

    if (pieces := path.read_bytes().count(b"<Piece")) > 1:
        raise InputError(
            f"`path` must be a mesh in one piece, but '{path}' has {pieces}; merge them (in "
            "ParaView: Clean to Grid)"
        )
    try:
        # meshlane prints, and NumPy warns of text that ends early.
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("error", message="string or file could not be read")
            found = meshlane.vtu.read(str(path))
    except Exception:  # whatever a parser stumbles over
        raise damaged(path, "VTK") from None
    points = np.asarray(found.points, float)
    blocks = [
        (block.type, block.data, {name: v[number] for name, v in found.cell_data.items()})
        for number, block in enumerate(found.cells)
    ]
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1]))), blocks


def _regions(data: dict[str, np.ndarray]) -> np.ndarray:
    """Return the number of the region of each cell, or nothing where none is told."""
    named = {name.lower(): np.asarray(values) for name, values in data.items()}
    for name in _REGIONS:
        values = named.get(name, np.empty(0))
        whole = values.size and values.size == len(values)
        if whole and np.all(values == np.round(values)):
            return values.reshape(-1)
    return np.empty(0)
