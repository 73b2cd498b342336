"""Whether the elements of a mesh file have a volume that is positive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from skfem.quadrature import get_quadrature

from scalebridge.errors import InputError


def check_shapes(element: Any, nodes: np.ndarray, path: Path) -> bool:
    """Refuse elements that are inverted or have no volume.

    Parameters
    ----------
    element : skfem.Element
    nodes : (element, node of the element, dim)
        In the order of scikit-fem.

    Returns
    -------
    bool
        Whether a plane mesh runs clockwise throughout, and is to be turned.

    Raises
    ------
    InputError
        The first such element, its place, and how many there are.
    """
    corners = nodes[:, : element.refdom.nnodes]
    size = np.ptp(corners, axis=1).max(axis=1)[:, None, None]
    low, high = _jacobians(element, (nodes - nodes[:, :1]) / np.where(size > 0, size, 1))
    near = 1e-10  # at the tip of a collapsed or a quarter-point element it is zero
    flat = np.maximum(-low, high) <= near
    _refuse(flat, corners, path, "has no volume", "mesh it anew")
    left, right = low >= -near, high <= near  # turning left is positive
    if nodes.shape[2] == 2 and np.all(left | right):
        if np.all(right):
            return True
        odd = right if right.sum() <= left.sum() else left
        _refuse(odd, corners, path, "turns the other way", "give all the same sense of turning")
    _refuse(~left, corners, path, "is inverted", "mesh it anew")
    return False


def _refuse(bad: np.ndarray, corners: np.ndarray, path: Path, how: str, remedy: str) -> None:
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    place = ", ".join(f"{x:g}" for x in corners[first].mean(axis=0))
    others = f" ({bad.sum()} of {len(bad)})" if bad.sum() > 1 else ""
    raise InputError(
        f"`path` must have elements of positive volume, but in '{path}' element {first} at "
        f"({place}) {how}{others}; {remedy}"
    )


def _jacobians(element: Any, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest determinant of each element, at corners and inside."""
    refdom = element.refdom
    order = 2 if nodes.shape[1] == refdom.nnodes else 4
    inside, _ = get_quadrature(refdom, order)
    low = np.full(len(nodes), np.inf)
    high = -low
    for X in np.hstack([refdom.p, inside]).T[:, :, None]:
        slopes = np.stack([element.lbasis(X, n)[1][:, 0] for n in range(nodes.shape[1])])
        J = np.linalg.det(np.swapaxes(nodes, 1, 2) @ slopes)
        low, high = np.minimum(low, J), np.maximum(high, J)
    return low, high
