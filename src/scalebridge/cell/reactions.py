"""Work of the nodal reactions on the boundary of a cell that is cut out of its lattice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import Array

from scalebridge.cell import stencil
from scalebridge.cell.discretisation import Discretisation


def boundary_work(
    disc: Discretisation, flux: Sequence[Array], wrapped: Sequence[Array], mean: np.ndarray
) -> float:
    """Return the work density Σ_∂ f·(ē x + u) / voxels.

    The forces of the voxels behind each face are assembled anew, without their
    periodic neighbours. Only layers of voxels take part, so that the host does it.

    Parameters
    ----------
    flux : (n+1, …) each
        From `stencil.fluxes`.
    wrapped : (n+2, …) each
        The nodal field that they belong to.
    mean : (component,)
        Average gradient ē.
    """
    fluxes: Any = [stencil.interior(np.asarray(f), disc.bounded) for f in flux]  # type: ignore[arg-type]
    nodes: Any = [stencil.interior(np.asarray(u), disc.bounded) for u in wrapped]  # type: ignore[arg-type]
    faces = [(axis, end) for axis in range(disc.dim) for end in (0, 1)]
    work = [_face_work(disc, fluxes, nodes, mean, axis, end) for axis, end in faces]
    total = float(np.sum(work)) / disc.voxels
    if disc.rank > disc.dim:  # the ends of a body that is the same along axis 3
        stress: Any = stencil.to_matrix(disc, fluxes[: disc.components])
        gradient: Any = stencil.to_matrix(disc, list(mean))
        total += float(sum(np.mean(s) * g for s, g in zip(stress[2], gradient[2], strict=True)))
    return total


def _face_work(
    disc: Discretisation,
    fluxes: list[np.ndarray],
    nodes: list[np.ndarray],
    mean: np.ndarray,
    axis: int,
    end: int,
) -> float:
    """Work on the lower (end = 0) or upper face of an axis, less nodes of earlier axes' faces."""
    layer = [slice(None)] * disc.dim
    layer[axis] = slice(end * (disc.shape[axis] - 1), None if end else 1)
    slabs: Any = tuple(np.pad(f[tuple(layer)], 1) for f in fluxes)
    reactions = stencil.forces(disc, slabs)  # plain slices and sums: NumPy serves as well
    here = [slice(1, -1) if earlier < axis else slice(None) for earlier in range(disc.dim)]
    on_face = list(here)
    here[axis] = slice(end, end + 1)  # of the two layers of nodes beside the voxels
    on_face[axis] = slice(end * disc.shape[axis], None if end else 1)
    affine = _affine(disc, mean)
    work = 0.0
    for f, a, u in zip(reactions, affine, nodes, strict=True):
        work += float(np.sum(f[tuple(here)] * (a[tuple(on_face)] + u[tuple(on_face)])))
    return work


def _affine(disc: Discretisation, mean: np.ndarray) -> list[np.ndarray]:
    """Return ē·x on the nodes, as views that take no memory where an axis does not matter."""
    gradient: Any = stencil.to_matrix(disc, list(mean))
    sides = [np.arange(n + 1) * h for n, h in zip(disc.shape, disc.spacing, strict=True)]
    x = np.meshgrid(*sides, indexing="ij", sparse=True)
    return [sum(gradient[i][j] * x[i] for i in range(disc.dim)) for j in range(disc.unknowns)]
