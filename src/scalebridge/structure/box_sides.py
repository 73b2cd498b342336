"""The sides of a body, named by where they lie."""

from __future__ import annotations

import numpy as np
import skfem

#: Names of the sides at the low and the high end of x, y and z.
SIDES = (("left", "right"), ("bottom", "top"), ("front", "back"))


def box_sides(mesh: skfem.Mesh) -> dict[str, np.ndarray]:
    """Return the facets on each side of a box; nothing where the body is not a box.

    Returns
    -------
    mapping of name to (n,) facets
        left and right: x−, x+; bottom and top: y−, y+; front and back: z−, z+.
    """
    outer = mesh.boundary_facets()
    corners = mesh.p[:, mesh.facets[:, outer]]  # (dim, corner, facet)
    low, high = mesh.p.min(axis=1), mesh.p.max(axis=1)
    near = 1e-6 * np.max(high - low)  # single precision files
    found = {}
    covered = np.zeros(len(outer), bool)
    for axis, names in enumerate(SIDES[: mesh.dim()]):
        for name, end in zip(names, (low[axis], high[axis]), strict=True):
            on = np.all(np.abs(corners[axis] - end) <= near, axis=0)
            covered |= on
            found[name] = outer[on]
    return found if np.all(covered) else {}
