"""Voxel-centred finite volumes for conduction: the seven-point scheme of porous-media programs.

A potential at each voxel's centre, a flux on each face, and the harmonic mean of the two
voxels' conductivities between them. Potentials are prescribed on the faces of the cell, half a
voxel from the centres. Voxels that touch along an edge or at a corner exchange nothing.

With V the share of a face's volume that lies in the cell (one, a half at its ends), the energy is
the sum of V k g² over the faces. The functions are those of `stencil`, on faces instead of voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import transforms
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.stencil import Field, interior, look_up


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, slice(start, stop))


def _conductivity(disc: Discretisation, materials: Array, table: Array) -> Array:
    return look_up(interior(materials, disc.bounded), table)[0]


def _harmonic(a: Array, b: Array) -> Array:
    """Return 2ab/(a+b), zero where one of them is."""
    both = a * b
    return 2 * both / jnp.where(both > 0, a + b, 1.0)


def _on_faces(disc: Discretisation, k: Array, axis: int) -> Array:
    """Return the conductivity between neighbours, along an axis; at free ends it is zero."""
    if axis not in disc.bounded:
        return _harmonic(jnp.roll(k, 1, axis), k)
    inside = _harmonic(k[_part(axis, None, -1)], k[_part(axis, 1, None)])
    ends = [k[_part(axis, None, 1)], k[_part(axis, -1, None)]]
    if not disc.is_fixed(axis, 0):
        ends = [jnp.zeros_like(end) for end in ends]
    return jnp.concatenate([ends[0], inside, ends[1]], axis)


def _differences(disc: Discretisation, u: Array, axis: int) -> Array:
    """Return the differences across the faces; at the ends over half a voxel, from zero."""
    if axis not in disc.bounded:
        return u - jnp.roll(u, 1, axis)
    ends = 2 * u[_part(axis, None, 1)], -2 * u[_part(axis, -1, None)]
    return jnp.concatenate([ends[0], jnp.diff(u, axis=axis), ends[1]], axis)


def fluxes(
    disc: Discretisation, u: Field, mean: Array, materials: Array, table: Array
) -> tuple[Array, ...]:
    """Return the normal fluxes on the faces, axis by axis: n of them, n+1 if it is bounded."""
    k = _conductivity(disc, materials, table)
    return tuple(
        _on_faces(disc, k, axis) * (_differences(disc, u[0], axis) / h + mean[axis])
        for axis, h in enumerate(disc.spacing)
    )


def forces(disc: Discretisation, flux: Sequence[Array]) -> Field:
    """Return what flows out of each voxel, the derivative of the energy."""
    terms = []
    for axis, (q, h) in enumerate(zip(flux, disc.spacing, strict=True)):
        if axis in disc.bounded:
            terms.append(-jnp.diff(q, axis=axis) / h)
        else:
            terms.append((q - jnp.roll(q, -1, axis)) / h)
    return (reduce(jnp.add, terms),)


def averages(disc: Discretisation, flux: Sequence[Array]) -> Array:
    """Return the volume averages of the fluxes."""
    found = []
    for axis, q in enumerate(flux):
        total = jnp.sum(q)
        if axis in disc.bounded:
            total -= 0.5 * (jnp.sum(q[_part(axis, None, 1)]) + jnp.sum(q[_part(axis, -1, None)]))
        found.append(total / disc.voxels)
    return jnp.stack(found)


def flux_shapes(disc: Discretisation) -> list[list[int]]:
    """Return the shapes of the arrays that `fluxes` gives."""
    return [
        [n + (a == axis and axis in disc.bounded) for a, n in enumerate(disc.shape)]
        for axis in range(disc.dim)
    ]


def at_voxels(disc: Discretisation, flux: Sequence[Array]) -> list[Array]:
    """Return the fluxes averaged over each voxel."""
    found = []
    for axis, q in enumerate(flux):
        if axis in disc.bounded:
            found.append(0.5 * (q[_part(axis, None, -1)] + q[_part(axis, 1, None)]))
        else:
            found.append(0.5 * (q + jnp.roll(q, -1, axis)))
    return found


def boundary_work(disc: Discretisation, flux: Sequence[Array], mean: np.ndarray) -> float:
    """Return the work density of the fluxes through the faces of the cell, Σ q·n (ē·x)."""
    total = 0.0
    for axis, q in enumerate(flux):
        sides = [(np.arange(n) + 0.5) * h for n, h in zip(disc.shape, disc.spacing, strict=True)]
        length = disc.shape[axis] * disc.spacing[axis]
        for sign, position, layer in (
            (-1.0, 0.0, 0),
            (1.0, length, -1 if axis in disc.bounded else 0),
        ):
            sides[axis] = np.array([position])
            grid = np.meshgrid(*sides, indexing="ij", sparse=True)
            affine: Any = sum(e * x for e, x in zip(mean, grid, strict=True))
            through = np.asarray(q).take([layer], axis)
            total += sign * float(np.sum(through * affine)) / disc.spacing[axis]
    return total / disc.voxels


def inverse_symbol(disc: Discretisation, modulus: Array) -> Array:
    """Return the inverse symbol of the reference medium, over the norms of sines and cosines."""
    total: Any = 0.0
    norms: Any = 1.0
    periodic = [a for a in range(disc.dim) if a not in disc.bounded]
    for axis, n in enumerate(disc.shape):
        if axis in disc.bounded:
            fixed = disc.is_fixed(axis, 0)
            half = np.pi * (np.arange(n) + fixed) / (2 * n)
            norm = np.full(n, 0.5 * n)
            norm[-1 if fixed else 0] = n
        else:
            half = np.pi * np.arange(n // 2 + 1 if axis == periodic[-1] else n) / n
            norm = np.ones(len(half))
        shape = [-1 if a == axis else 1 for a in range(disc.dim)]
        symbol = (2 * np.sin(half) / disc.spacing[axis]) ** 2
        total = total + modulus[axis, axis] * jnp.asarray(symbol.reshape(shape))
        norms = norms * norm.reshape(shape)
    return jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1.0), 0.0) / norms


def precondition(disc: Discretisation, inverse: Array, g: Field) -> Field:
    """Return the reference medium's answer to outflows."""
    u = g[0].astype(inverse.dtype)
    matrices = {
        axis: (transforms.centred_sine if disc.is_fixed(axis, 0) else transforms.centred_cosine)(
            disc.shape[axis]
        )
        for axis in disc.bounded
    }
    periodic = [a for a in range(disc.dim) if a not in disc.bounded]
    for axis, matrix in matrices.items():
        u = transforms.along(matrix, u, axis)
    if periodic:
        sides = [disc.shape[a] for a in periodic]
        u = jnp.fft.irfftn(inverse * jnp.fft.rfftn(u, axes=periodic), s=sides, axes=periodic)
    else:
        u = inverse * u
    for axis, matrix in matrices.items():
        u = transforms.along(matrix.T, u, axis)
    return (u,)
