"""The steps of preconditioned conjugate gradients, compiled one by one.

The host drives them: it can stop, report and be interrupted between any two.
Each large array is written into memory that another gives up
(``donate_argnames``), so that an iteration allocates nothing; arguments that
only lend their memory are named ``spare``. Kept apart from the stencil, the
transforms use all cores, which they do not inside one compiled loop.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from scalebridge.cell import bounded, space, stencil, volumes
from scalebridge.cell import green as greens
from scalebridge.cell.bounded import BoundedGreen
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.krylov import dot
from scalebridge.cell.stencil import Field

_kernel = partial(jax.jit, static_argnames="disc", keep_unused=True)


def _scheme(disc: Discretisation) -> Any:
    return volumes if disc.element == "volume" else stencil


@partial(_kernel, donate_argnames="p")
def direction(disc: Discretisation, p: Field, z: Field, beta: Array) -> Field:
    """Return the next direction β p − z, within the space to the precision of p."""
    z = space.admit(disc, tuple(b.astype(a.dtype) for a, b in zip(p, z, strict=True)))
    return tuple(beta * a - b for a, b in zip(p, z, strict=True))


@partial(_kernel, donate_argnames="spare")
def wrap(disc: Discretisation, u: Field, spare: Field) -> Field:
    """Wrap a nodal field."""
    if disc.element == "volume":
        return u
    return tuple(stencil.wrap(a, disc.bounded) for a in u)


@partial(_kernel, donate_argnames="spare")
def fluxes(
    disc: Discretisation,
    wrapped: Field,
    mean: Array,
    materials: Array,
    table: Array,
    spare: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Evaluate the law in the voxels, or on their faces."""
    return _scheme(disc).fluxes(disc, wrapped, mean, materials, table)


@partial(_kernel, donate_argnames="spare")
def forces(
    disc: Discretisation, flux: tuple[Array, ...], u: Field, spare: Field
) -> tuple[Field, Array]:
    """Return the nodal forces of the fluxes that the space feels, and their work on `u`."""
    force = space.restrict(disc, _scheme(disc).forces(disc, flux))
    return force, dot(u, force)


@partial(_kernel, donate_argnames=("u", "g"))
def descend(
    disc: Discretisation, u: Field, g: Field, p: Field, force: Field, gz: Array, work: Array
) -> tuple[Field, Field, Array, Array]:
    """Step by α = (g, z)/(p, Ap) along p; return u, g, ‖g‖² and α."""
    alpha = gz / work
    u = tuple(a + alpha * b for a, b in zip(u, p, strict=True))
    g = tuple(a + alpha * b for a, b in zip(g, force, strict=True))
    return u, g, dot(g, g), alpha


@partial(_kernel, donate_argnames="spare")
def transform(
    disc: Discretisation, green: tuple[Array, ...], g: Field, spare: tuple[Array, ...]
) -> tuple[Array, ...]:
    """Return the Fourier modes of g."""
    return greens.transform(disc, green, g)


@partial(_kernel, donate_argnames=("modes", "spare"))
def precondition(
    disc: Discretisation,
    green: tuple[Array, ...],
    modes: tuple[Array, ...],
    g: Field,
    spare: Field,
) -> tuple[Field, Array, tuple[Array, ...]]:
    """Return z = M⁻¹ g and (g, z) from the modes of g; and the modes of z, for their memory."""
    modes = greens.answer(disc, green, modes)
    z = greens.transform_back(disc, modes)
    return z, dot(g, z), modes


@partial(_kernel, donate_argnames="spare")
def precondition_bounded(
    disc: Discretisation, green: BoundedGreen, g: Field, spare: Field
) -> tuple[Field, Array]:
    """Return z = M⁻¹ g, but for what `space.admit` takes away, and (g, z)."""
    z = bounded.precondition(disc, green, g)
    return z, dot(g, z)


@partial(jax.jit, static_argnames="disc")
def averages(disc: Discretisation, flux: tuple[Array, ...]) -> Array:
    """Volume averages of the flux components."""
    if disc.element == "volume":
        return volumes.averages(disc, flux)
    return jnp.stack([_sum(f) / disc.voxels for f in flux[: disc.components]])


def _sum(voxels: Array) -> Array:
    """Sum without the ghosts, axis by axis: a sum of the slice would copy the slice first."""
    while voxels.ndim:
        voxels = jnp.sum(voxels, axis=-1) - voxels[..., 0]
    return voxels


@partial(jax.jit, static_argnames="disc")
def prolong(disc: Discretisation, coarse: Field) -> Field:
    """Interpolate the field of half the resolution: the same multilinear field.

    Displacements are in units of the voxel side, which is half as long: hence the 2.
    """
    return tuple(reduce(_refine, range(disc.dim), 2.0 * u) for u in coarse)


def _refine(u: Array, axis: int) -> Array:
    middle = 0.5 * (u + jnp.roll(u, -1, axis))
    shape = (*u.shape[:axis], 2 * u.shape[axis], *u.shape[axis + 1 :])
    return jnp.stack([u, middle], axis=axis + 1).reshape(shape)
