"""Sparse matrices from element matrices: the pattern once, then one weighted count an assembly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import bsr_array

from scalebridge.structure.oblique import Oblique

_CHUNK_BYTES = 1 << 26


class Pattern:
    """Where the element matrices of a mesh land in a block sparse matrix.

    Parameters
    ----------
    connectivities : sequence of (element, node of the element) int
        Of the elements, and of what else contributes.
    nodes, components : int
    """

    def __init__(self, connectivities: Sequence[np.ndarray], nodes: int, components: int) -> None:
        self.nodes, self.components = nodes, components
        pairs = [_pairs(c, nodes).ravel() for c in connectivities]
        diagonal = np.arange(nodes, dtype=np.int64) * (nodes + 1)  # none may be missing
        keys, where = np.unique(np.concatenate([*pairs, diagonal]), return_inverse=True)
        ends = np.cumsum([p.size for p in pairs])
        self.places = np.split(where.astype(np.int32), ends)[:-1]
        self.diagonal = where[ends[-1] :] if len(ends) else where
        self.rows, self.indices = keys // nodes, (keys % nodes).astype(np.int32)
        counts = np.bincount(self.rows, minlength=nodes)
        self.indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def assemble(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """Return the blocks, (entry, component, component), of element matrices.

        Parameters
        ----------
        matrices : sequence of (element, node · component, node · component)
            In the order of `connectivities`.
        """
        c, count = self.components, len(self.indices)
        blocks = np.zeros((count, c, c))
        for place, local in zip(self.places, matrices, strict=True):
            nodes = local.shape[1] // c
            shaped = local.reshape(-1, nodes, c, nodes, c)
            for a in range(c):
                for b in range(c):
                    blocks[:, a, b] += np.bincount(
                        place, weights=shaped[:, :, a, :, b].ravel(), minlength=count
                    )
        return blocks

    def matrix(
        self, blocks: np.ndarray, held: np.ndarray, oblique: Oblique | None = None
    ) -> bsr_array:
        """Return the matrix with the rows and columns of held values replaced by a diagonal.

        Parameters
        ----------
        held : (node, component) bool
        oblique : Oblique, optional
            Nodes that are held in other directions, whatever `held` says.
        """
        free = ~held
        if oblique is not None:
            free[oblique.nodes] = True
        masked = blocks * free[self.rows][:, :, None] * free[self.indices][:, None, :]
        size = np.abs(blocks[self.diagonal]).max(axis=(1, 2))
        scale = size[size > 0].mean() if np.any(size > 0) else 1.0
        if oblique is not None:
            self._project(masked, oblique, scale)
        node, component = np.nonzero(~free)
        masked[self.diagonal[node], component, component] = scale
        total = self.nodes * self.components
        return bsr_array((masked, self.indices, self.indptr), shape=(total, total))

    def _project(self, blocks: np.ndarray, oblique: Oblique, scale: float) -> None:
        """Replace K by (1 − P) K (1 − P) + P · scale, in place."""
        free = np.broadcast_to(np.eye(self.components), (self.nodes, *blocks.shape[1:])).copy()
        free[oblique.nodes] -= oblique.projectors
        is_oblique = np.zeros(self.nodes, bool)
        is_oblique[oblique.nodes] = True
        at = np.flatnonzero(is_oblique[self.rows] | is_oblique[self.indices])
        blocks[at] = free[self.rows[at]] @ blocks[at] @ free[self.indices[at]]
        blocks[self.diagonal[oblique.nodes]] += scale * oblique.projectors

    def product(self, blocks: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return the whole matrix times nodal values (node, component)."""
        total = self.nodes * self.components
        whole = bsr_array((blocks, self.indices, self.indptr), shape=(total, total))
        return (whole @ u.ravel()).reshape(u.shape)


def _pairs(connectivity: np.ndarray, nodes: int) -> np.ndarray:
    rows = connectivity.astype(np.int64)[:, :, None] * nodes
    return rows + connectivity[:, None, :]


def element_matrices(
    operator: np.ndarray, gradients: np.ndarray, weights: np.ndarray, tangents: np.ndarray
) -> np.ndarray:
    """Return ∫ Bᵀ C B of each element, (element, node · component, node · component).

    Parameters
    ----------
    operator : (row, component · direction)
        M, so that row r of B for node n and component c is Σ_k M[r, c k] ∂ₖNₙ.
    gradients : (element, point, node, direction)
    weights : (element, point)
    tangents : (element, point, row, row) or (row, row)
    """
    elements, points, nodes, directions = gradients.shape
    rows = len(operator)
    components = operator.shape[1] // directions
    used = np.flatnonzero(np.any(operator, axis=1))  # a plane body shows a law zeros across
    M = operator[used].reshape(len(used), components, directions)
    C = tangents[..., used, :][..., used] if len(used) < rows else tangents
    size = nodes * components
    found = np.empty((elements, size, size))
    step = max(1, _CHUNK_BYTES // (8 * 3 * points * len(used) * size))
    spread = np.ascontiguousarray(M.transpose(2, 0, 1).reshape(directions, -1))
    for start in range(0, elements, step):
        part = slice(start, start + step)
        G, w = gradients[part], weights[part]
        B = (G @ spread).reshape(len(G), points, nodes, len(used), components)
        B = B.transpose(0, 1, 3, 2, 4).reshape(len(G), points, len(used), size)
        CB = (C if C.ndim == 2 else C[part]) @ B
        CB *= w[..., None, None]
        flat = (len(G), points * len(used), size)
        found[part] = np.swapaxes(B.reshape(flat), 1, 2) @ CB.reshape(flat)
    return found
