"""Finite elements by the textbook: shape functions, Gauss points, B matrices, dense matrices.

It shares nothing with the package but the conventions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import jax.numpy as jnp
import numpy as np

from scalebridge import tensors
from scalebridge.cell.discretisation import Discretisation


def gauss_points(dim, count):
    """Points and weights on [−½, ½]^d."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return [
        (np.array(xi) / 2, np.prod(w) / 2**dim)
        for xi, w in zip(product(points, repeat=dim), product(weights, repeat=dim), strict=True)
    ]


def shape_gradients(xi, spacing):
    """(corner, axis) gradients of the multilinear shape functions at ξ."""
    dim = len(xi)
    out = np.empty((2**dim, dim))
    for c, corner in enumerate(product((-1, 1), repeat=dim)):
        factors = 0.5 + np.array(corner) * xi
        for i in range(dim):
            others = np.prod([factors[k] for k in range(dim) if k != i])
            out[c, i] = corner[i] / spacing[i] * others
    return out


def strain_matrix(gradients, physics, rank):
    """(component, corner × unknown): gradient, or Mandel strain, of the corner values."""
    corners, dim = gradients.shape
    if physics == "conduction":
        return gradients.T
    gradients = np.pad(gradients, [(0, 0), (0, rank - dim)])
    B = np.zeros((tensors.component_count(rank), corners, rank))
    for c in range(corners):
        for j in range(rank):
            B[:, c, j] = tensors.to_mandel(np.outer(gradients[c], np.eye(rank)[j]))
    return B.reshape(len(B), -1)


def strain_matrices(disc):
    """The B matrices of an element's integration points, with their weights."""
    points = gauss_points(disc.dim, 1 if disc.element == "reduced" else 2)
    found = [
        (strain_matrix(shape_gradients(xi, disc.spacing), disc.physics, disc.rank), w)
        for xi, w in points
    ]
    if disc.element == "bbar" and disc.physics == "elasticity":
        one = np.array([1.0] * disc.rank + [0.0] * (disc.components - disc.rank))
        volumetric = np.outer(one, one) / disc.rank
        mean = sum(w * B for B, w in found)
        found = [(B - volumetric @ B + volumetric @ mean, w) for B, w in found]
    return found


@dataclass(frozen=True)
class Assembled:
    """Dense stiffness, and loads by unit average gradients, of a cell.

    Attributes
    ----------
    labels : voxels
    moduli : (material, m, m)
    """

    disc: Discretisation
    labels: np.ndarray
    moduli: np.ndarray

    @property
    def size(self):
        return int(np.prod(self.disc.nodes)) * self.disc.unknowns

    @cached_property
    def system(self):
        return self.assemble(self.moduli[self.labels.ravel()])

    def assemble(self, moduli):
        """K and F for (voxel, m, m) moduli."""
        disc, dim = self.disc, self.disc.dim
        K, F = np.zeros((self.size, self.size)), np.zeros((self.size, disc.components))
        points = strain_matrices(disc)
        for voxel, place in enumerate(np.ndindex(disc.shape)):
            corners = np.array(place) + np.array(list(product((0, 1), repeat=dim)))
            nodes = np.ravel_multi_index(corners.T, disc.nodes, mode="wrap")
            dofs = (nodes[:, None] * disc.unknowns + np.arange(disc.unknowns)).ravel()
            C = moduli[voxel]
            K[np.ix_(dofs, dofs)] += sum(w * B.T @ C @ B for B, w in points)
            F[dofs] += sum(w * B.T @ C for B, w in points)
        return K, F

    @property
    def mean_modulus(self):
        return np.mean(self.moduli[self.labels.ravel()], axis=0)

    def flatten(self, u):
        """Tuple of nodal arrays → vector, node by node."""
        return np.stack([np.asarray(a) for a in u], axis=-1).ravel()

    def unflatten(self, v):
        fields = np.moveaxis(v.reshape(*self.disc.nodes, self.disc.unknowns), -1, 0)
        return tuple(jnp.asarray(a) for a in fields)

    @cached_property
    def space(self):
        """An orthonormal basis, (dof, ·), of the fluctuations that the boundary admits.

        Static ends hold the average gradient: of each component in which one takes part.
        """
        disc = self.disc
        alive = np.ones((*disc.nodes, disc.unknowns), bool)
        held = set()
        for axis, kinds in enumerate(disc.ends):
            for j, kind in enumerate(kinds):
                if kind == "fixed":
                    np.moveaxis(alive[..., j], axis, 0)[[0, -1]] = False
                elif kind == "static":
                    unit = np.zeros((disc.rank, disc.rank))
                    unit[axis, j] = 1
                    seen = unit[:, 0] if disc.physics == "conduction" else tensors.to_mandel(unit)
                    held.add(int(np.flatnonzero(seen)[0]))
        basis = np.eye(self.size)[:, alive.ravel()]
        _, averages = self.assemble(
            np.broadcast_to(np.eye(disc.components), (disc.voxels,) * 1 + (disc.components,) * 2)
        )
        condition = basis.T @ averages[:, sorted(held)]
        if not held or not condition.size:
            return basis
        left, values, _ = np.linalg.svd(condition, full_matrices=True)
        return basis @ left[:, np.sum(values > 1e-12 * values[0]) :]

    @cached_property
    def tensor(self):
        """C̄ = ⟨C⟩ − Fᵀ K⁺ F / voxels, within the space."""
        K, F = self.system
        if self.disc.ends:
            K, F = self.space.T @ K @ self.space, self.space.T @ F
        values, vectors = np.linalg.eigh(K)
        alive = values > 1e-11 * values[-1]
        G = vectors[:, alive].T @ F
        return self.mean_modulus - G.T @ (G / values[alive][:, None]) / self.disc.voxels
