"""`read_mesh`: from a file of gmsh, Abaqus or VTK to a mesh with named parts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skfem

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.abaqus_file import read_abaqus
from scalebridge.structure.gmsh_file import read_gmsh
from scalebridge.structure.mesh_file import MeshFile
from scalebridge.structure.mesh_from_file import mesh_of, points_of
from scalebridge.structure.vtk_file import read_vtk

_READERS: dict[str, Callable[[Path], MeshFile]] = {
    ".msh": read_gmsh,
    ".inp": read_abaqus,
    ".vtu": read_vtk,
    ".vtk": read_vtk,
}


def read_mesh(path: str | os.PathLike[str]) -> skfem.Mesh:
    """Read the mesh of a structure, with its names.

    Parameters
    ----------
    path : file of gmsh (.msh, version 2.2 or 4.1), Abaqus or CalculiX (.inp) or VTK (.vtu, .vtk)

    Returns
    -------
    skfem.MeshTri, MeshQuad, MeshTet or MeshHex
        Of cells of the second order the curved ones: MeshTri2, MeshQuad2, MeshTet2, MeshHex2.
        Cells of eight or twenty nodes get the nodes inside that leave their shape as it is.

        ============ ========================================= ================================
        file         regions, `mesh.subdomains`                boundaries, `mesh.boundaries`
        ============ ========================================= ================================
        gmsh         physical groups of the dimension of the   physical groups of one less
                     body; a group without a name has its
                     number for one
        Abaqus       ELSET                                     SURFACE; NSET: outer facets of
                                                               which all corners are in the set
        VTK          whole numbers of the cells, named by      those of cells of one dimension
                     value, in an array called region,         less
                     material, gmsh:physical, medit:ref, …
        ============ ========================================= ================================

        A box of which the file names no boundary gets left, right, bottom, top, front and back.
        Surfaces none of whose faces belong to an element are left out.

    Raises
    ------
    InputError
        A file that is absent, damaged or of another format; elements of several kinds, of a
        kind that is not supported, inverted or without volume; a surface in space.

    Notes
    -----
    A plane mesh becomes 2D; if all its elements run clockwise, they are turned. Nodes of no
    element are dropped. Of an Abaqus file one part is read, and neither springs, masses, beams
    nor trusses; surfaces that are combined of others are left out.

    Examples
    --------
    >>> mesh = sb.structure.read_mesh("bracket.msh")  # doctest: +SKIP
    """
    place, found = _load(path)
    return mesh_of(found, place)


def read_points(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the named nodes of a mesh file that are no boundary.

    Parameters
    ----------
    path : file as of `read_mesh`

    Returns
    -------
    mapping of name to (dim,) or (node, dim) [length]
        Places of physical points and curves of gmsh and of node sets of Abaqus: one place where
        the name has one node, ready for `points` of a `Structure`.

    Raises
    ------
    InputError
        As `read_mesh`.
    """
    place, found = _load(path)
    return points_of(found, place)


def _load(path: str | os.PathLike[str]) -> tuple[Path, MeshFile]:
    try:
        place = Path(path).expanduser()
    except (TypeError, RuntimeError):
        raise InputError(f"`path` must be a mesh file, but is {path!r}") from None
    suffix = place.suffix.lower()
    if suffix not in _READERS:
        known = ", ".join(_READERS)
        raise InputError(
            f"`path` must be a mesh file ({known}), but is '{place}'"
            f"{did_you_mean(suffix, _READERS)}; convert it, for instance with meshlane"
        )
    if not place.is_file():
        raise InputError(f"`path` must be a file, but '{place}' is not there; check the name")
    if not place.stat().st_size:
        raise InputError(f"`path` must hold a mesh, but '{place}' is empty; write it again")
    return place, _READERS[suffix](place)
