"""Integration points: where laws that are not linear are evaluated.

With the modal gradients g_S of `discretisation`, the gradient at the point ξ of a voxel is
Σ_S Π_{s∈S} ξ_s g_S. `reduced` has the one point ξ = 0; `full` and `bbar` have the 2^d Gauss
points ξ_s = ±1/√12, which integrate the products of two such gradients exactly. The forces
are the adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import stencil
from scalebridge.cell.discretisation import Axes, Discretisation
from scalebridge.cell.stencil import Field

Points = list[Array]  # component × (point, *voxels)
_GAUSS = 12.0**-0.5
_CENTRE: Axes = frozenset()


def modes(disc: Discretisation) -> list[Axes]:
    """Return the sets S of the modal gradients that the element sees, S = ∅ first."""
    return [_CENTRE, *(at for at, _ in disc.hourglass_sets())]


def monomials(disc: Discretisation) -> np.ndarray:
    """Return Π_{s∈S} ξ_s at the integration points, (point, mode); all weights are equal."""
    if disc.element == "reduced":
        return np.ones((1, 1))
    signs = product((-_GAUSS, _GAUSS), repeat=disc.dim)
    return np.array([[prod(xi[s] for s in at) for at in modes(disc)] for xi in signs])


def count(disc: Discretisation) -> int:
    """Return the number of integration points of a voxel."""
    return len(monomials(disc))


def gradients(disc: Discretisation, wrapped: Field, mean: Array | None = None) -> Points:
    """Return the gradients at the points of the voxels between the nodes given.

    Parameters
    ----------
    wrapped : component × nodes
        Nodal field, in units of the voxel side.
    mean : (component,), optional
        Average gradient, added to that of the field.
    """
    corners = [stencil.corner_modes(u) for u in wrapped]
    modal = [stencil.modal_gradient(disc, corners, at) for at in modes(disc)]
    factors = monomials(disc)
    shape = tuple(n - 1 for n in wrapped[0].shape)
    found = []
    for c, parts in enumerate(zip(*modal, strict=True)):
        present = [k for k, part in enumerate(parts) if part is not None]
        stacked = [part for part in parts if part is not None]
        if not present:
            values = jnp.zeros((len(factors), *shape))
        elif len(factors) == 1:
            values = stacked[0][None]
        else:
            values = jnp.tensordot(factors[:, present], jnp.stack(stacked), axes=1)
        found.append(values if mean is None else values + mean[c])
    return found


def forces(disc: Discretisation, flux: Points) -> Field:
    """Assemble the nodal forces of the fluxes at the points, the adjoint of `gradients`."""
    factors = monomials(disc)
    if len(factors) == 1:
        return stencil.forces(disc, tuple(f[0] for f in flux))
    parts = [jnp.tensordot(factors.T / len(factors), f, axes=1) for f in flux]
    modal = {at: [p[k] for p in parts] for k, at in enumerate(modes(disc))}
    mean = modal.pop(_CENTRE)
    return stencil.forces(disc, (*mean, *stencil.hourglass_forces(disc, modal)))


def with_ghosts(voxels: Array, disc: Discretisation) -> Array:
    """Extend (…, voxels) by the ghosts that touch the nodes: periodic ones, or zeros."""
    lead = voxels.ndim - disc.dim
    for axis in range(disc.dim):
        bounded = axis in disc.bounded
        pad = [(0, 0)] * voxels.ndim
        pad[lead + axis] = (1, int(bounded))
        voxels = jnp.pad(voxels, pad, mode="constant" if bounded else "wrap")
    return voxels


def corners(disc: Discretisation, u: Field) -> Field:
    """Return the nodal field on all corners of the voxels, without ghosts."""
    pad: Sequence[tuple[int, int]] = [(0, int(a not in disc.bounded)) for a in range(disc.dim)]
    return tuple(jnp.pad(a, pad, mode="wrap") for a in u)
