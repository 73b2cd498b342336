"""Rigid motions: what a support must prevent, and what multigrid must not forget."""

from __future__ import annotations

import numpy as np


def rigid_modes(nodes: np.ndarray, physics: str, axisymmetric: bool) -> np.ndarray:
    """Return the fields without strain, (mode, node, component).

    Parameters
    ----------
    nodes : (node, dim)
    """
    count, dim = nodes.shape
    if physics == "conduction":
        return np.ones((1, count, 1))
    if axisymmetric:
        return np.broadcast_to([0.0, 1.0], (1, count, 2)).copy()
    moves = np.broadcast_to(np.eye(dim)[:, None], (dim, count, dim))
    x = nodes - nodes.mean(axis=0)
    if dim == 2:
        turns = np.stack([-x[:, 1], x[:, 0]], axis=1)[None]
    else:
        turns = np.stack([np.cross(axis, x) for axis in np.eye(3)])
    return np.concatenate([moves, turns])
