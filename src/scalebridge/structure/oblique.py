"""Nodes that are held in directions other than the axes, as on an oblique plane of symmetry.

What a node may not do is a projector P on its components: the residual is (1 − P) r, the matrix
(1 − P) K (1 − P) + P, and what is prescribed is the P part of a vector. No component is turned, so
that nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_RANK = 1e-4  # between directions: less, and they are one, with the rounding of mesh files


@dataclass(frozen=True)
class Oblique:
    """Nodes held in directions other than the axes, and what they may not do.

    Attributes
    ----------
    nodes : (n,) int
    projectors : (n, component, component)
        Onto the directions held.
    spread : (n, component, component)
        From the components that are prescribed along axes to the smallest displacement that
        agrees with them and stays in the planes.
    """

    nodes: np.ndarray
    projectors: np.ndarray
    spread: np.ndarray

    def held(self, field: np.ndarray) -> np.ndarray:
        """Return the held part, (…, n, component), of a field (…, node, component)."""
        return _apply(self.projectors, field[..., self.nodes, :])

    @property
    def leading(self) -> np.ndarray:
        """As many components as are held, those that are held most, (n, component) bool."""
        share = np.diagonal(self.projectors, axis1=1, axis2=2)
        rank = np.argsort(np.argsort(-share, axis=1), axis=1)
        found: np.ndarray = rank < np.rint(share.sum(axis=1))[:, None]
        return found


def find_oblique(normals: Mapping[int, Sequence[np.ndarray]], along: np.ndarray) -> Oblique | None:
    """Return what nodes with normals and prescribed components may not do.

    Parameters
    ----------
    normals : mapping of node to directions (component,)
    along : (node, component) bool
        Components that are prescribed.
    """
    if not normals:
        return None
    projectors, spread = [], []
    for node, own in normals.items():
        axes = np.flatnonzero(along[node])
        rows = np.concatenate([np.stack(own), np.eye(along.shape[1])[axes]])
        inverse = np.linalg.pinv(rows, rcond=_RANK)
        projectors.append(inverse @ rows)
        part = np.zeros((along.shape[1],) * 2)
        part[:, axes] = inverse[:, len(own) :]
        spread.append(part)
    return Oblique(np.array(list(normals)), np.stack(projectors), np.stack(spread))


def _apply(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.einsum("nab,...nb->...na", matrices, vectors)
    return found
