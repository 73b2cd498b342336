"""Local fields of a cell under an average gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.cell import media, stencil, volumes
from scalebridge.cell.cell import Cell


@dataclass(frozen=True)
class LocalFields:
    """Fields in the voxels of a cell.

    Attributes
    ----------
    gradient : (component, x, y[, z])
        Gradient, or strain in Mandel components, averaged over each voxel.
    flux : (component, x, y[, z])
        Flux, or stress in Mandel components, averaged over each voxel.
    fluctuation : (unknown, x, y[, z])
        What the potential or displacement has beside the affine part, at the nodes: the lower
        corners of the voxels, and along an axis that is not periodic also the last upper ones;
        with finite volumes at the voxels' centres.
    """

    gradient: np.ndarray
    flux: np.ndarray
    fluctuation: np.ndarray


def _of_volumes(cell: Cell, u: Any, unit: float, mean: np.ndarray) -> LocalFields:
    """Return the averages over voxels of what finite volumes have on the faces.

    On both sides of a face the gradient is the flux over the voxel's conductivity; a perfect
    insulator has none (NaN).
    """
    disc = cell.discretisation
    table = media.pack(disc, cell.moduli())
    scaled = tuple(a / unit for a in u)
    faces = volumes.fluxes(disc, scaled, jnp.asarray(mean), cell.materials, table)
    flux = np.stack([np.asarray(q) for q in volumes.at_voxels(disc, faces)])
    k = np.asarray(table)[0][np.asarray(stencil.interior(cell.materials, disc.bounded))]
    gradient = np.divide(flux, k, out=np.full_like(flux, np.nan), where=k > 0)
    return LocalFields(gradient, flux, np.stack([np.asarray(a) for a in u]))


def local_fields(cell: Cell, states: Sequence[Any], mean: np.ndarray) -> LocalFields:
    """Superpose the fluctuations of the unit load cases and evaluate the laws."""
    if cell.boundary == "through":  # each load case has ends of its own, and so its own faces
        cases = [
            _local_fields(cell.along(axis), (states[axis],) * cell.dim, unit)
            for axis, unit in enumerate(np.diag(mean))
        ]
        return LocalFields(
            gradient=reduce(np.add, [case.gradient for case in cases]),
            flux=reduce(np.add, [case.flux for case in cases]),
            fluctuation=reduce(np.add, [case.fluctuation for case in cases]),
        )
    return _local_fields(cell, states, mean)


def _local_fields(cell: Cell, states: Sequence[Any], mean: np.ndarray) -> LocalFields:
    disc = cell.discretisation
    unit = float(np.prod(cell.microstructure.spacing)) ** (1 / cell.dim)
    u = tuple(
        reduce(jnp.add, [m * state[j] for m, state in zip(mean, states, strict=True)])
        for j in range(disc.unknowns)
    )
    if disc.element == "volume":
        return _of_volumes(cell, u, unit, mean)
    wrapped = tuple(stencil.wrap(a / unit, disc.bounded) for a in u)
    average = jnp.asarray(mean)
    table = media.pack(disc, cell.moduli())
    flux = stencil.fluxes(disc, wrapped, average, cell.materials, table)[: disc.components]
    gradient = stencil.mean_gradient(disc, wrapped)
    inner = [np.asarray(stencil.interior(g, disc.bounded)) for g in gradient]
    return LocalFields(
        gradient=np.stack(inner) + mean.reshape(-1, *[1] * disc.dim),
        flux=np.stack([np.asarray(stencil.interior(f, disc.bounded)) for f in flux]),
        fluctuation=np.stack([np.asarray(a) for a in u]),
    )
