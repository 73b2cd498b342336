"""What the readers of mesh files have in common: nodes, cells by kind, and named sets of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scalebridge.errors import InputError

#: Kind of cell → dimension, corners, nodes. Nodes are ordered as in VTK.
KINDS = {
    "vertex": (0, 1, 1),
    "line": (1, 2, 2),
    "line3": (1, 2, 3),
    "triangle": (2, 3, 3),
    "triangle6": (2, 3, 6),
    "quad": (2, 4, 4),
    "quad8": (2, 4, 8),
    "quad9": (2, 4, 9),
    "tetra": (3, 4, 4),
    "tetra10": (3, 4, 10),
    "hexahedron": (3, 8, 8),
    "hexahedron20": (3, 8, 20),
    "hexahedron27": (3, 8, 27),
}


@dataclass(frozen=True)
class MeshFile:
    """The contents of a mesh file.

    Attributes
    ----------
    points : (node, 3)
    cells : mapping of kind to (cell, node of the cell)
    groups : mapping of name to mapping of kind to (n,) cells
    faces : mapping of name to list of (n, corner) nodes
        Surfaces that are told by the nodes of their faces.
    node_sets : mapping of name to (n,) nodes
    """

    points: np.ndarray
    cells: dict[str, np.ndarray]
    groups: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    faces: dict[str, list[np.ndarray]] = field(default_factory=dict)
    node_sets: dict[str, np.ndarray] = field(default_factory=dict)


def damaged(path: object, kind: str, why: str = "") -> InputError:
    """Return the error about a file that cannot be understood."""
    reason = f" ({why})" if why else ""
    return InputError(
        f"`path` must be a whole {kind} file, but '{path}' is damaged{reason}; write it again"
    )


def unknown_kind(path: object, what: str) -> InputError:
    """Return the error about elements that no structure is made of."""
    return InputError(
        f"`path` must hold triangles, quads, tetrahedra or hexahedra of first or second order, "
        f"but '{path}' has elements of {what}; mesh it anew"
    )
