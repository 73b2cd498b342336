"""The average response of a linear cell as a differentiable function."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from scalebridge.cell import bounded, media, space, stencil, volumes
from scalebridge.cell import green as greens
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.krylov import conjugate_gradients, dot
from scalebridge.cell.stencil import Field

_ITERATIONS = 2000
_ROUNDING = 1e-13


@partial(jax.jit, static_argnames=("disc", "tolerance"))
def average_flux(
    disc: Discretisation,
    materials: Array,
    moduli: Array,
    reference: Array,
    mean: Array,
    tolerance: float,
) -> Array:
    """Solve for the fluctuation and average the flux.

    Differentiated by the implicit function theorem: one linear solve with the
    same operator for each direction (`jax.lax.custom_linear_solve`).

    Parameters
    ----------
    materials : (n+1, …) int
        Material of each voxel, ghosts included.
    moduli : (material, m, m)
    reference : (m, m)
        Modulus of the preconditioner's medium.
    mean : (m,)
        Average gradient.
    tolerance : float
        Relative residual.

    Returns
    -------
    (m,)
        Average flux; NaN where the tolerance was not reached.
    """
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(moduli)))
    table = media.pack(disc, moduli / scale)
    reference = jax.lax.stop_gradient(reference) / scale
    if not disc.is_fourier:
        bounded_green = bounded.green_operator(disc, reference, single=False)

        def inverse(g: Field) -> Field:
            return space.admit(disc, bounded.precondition(disc, bounded_green, g))
    else:
        inverse = partial(
            greens.precondition, disc, greens.green_operator(disc, reference, single=False)
        )

    def respond(u: Field, mean: Array) -> tuple[Field, tuple[Array, ...]]:
        if disc.element == "volume":
            flux = volumes.fluxes(disc, u, mean, materials, table)
            return volumes.forces(disc, flux), flux
        forces, flux = stencil.apply(disc, u, mean, materials, table)
        return space.restrict(disc, forces), flux

    def stiffness(u: Field) -> Field:
        return respond(u, jnp.zeros(disc.components))[0]

    if disc.element == "volume":
        load, affine = respond((jnp.zeros(disc.nodes),), mean)
    else:
        affine = stencil.affine_fluxes(disc, mean, materials, table)
        load = space.restrict(disc, stencil.forces(replace(disc, element="reduced"), affine))
    noise = _ROUNDING**2 * disc.voxels * jnp.sum(jnp.stack([jnp.mean(f) ** 2 for f in affine]))
    load = tuple(-f for f in load)

    def solve(matvec, b):  # type: ignore[no-untyped-def]
        # Under reverse mode b is any field: only what the space feels can be answered.
        b = space.restrict(disc, b)
        target = jnp.sqrt(jnp.maximum(tolerance**2 * dot(b, b), noise))
        return conjugate_gradients(matvec, b, inverse, target, _ITERATIONS).x

    u = jax.lax.custom_linear_solve(stiffness, load, solve, symmetric=True)
    rest, flux = respond(u, mean)
    if disc.element == "volume":
        average = volumes.averages(disc, flux)
    else:
        inside = [stencil.interior(f, disc.bounded) for f in flux[: disc.components]]
        average = jnp.stack([jnp.mean(f) for f in inside])
    rest, load = jax.lax.stop_gradient((rest, load))
    # Twice: the recursion's residual, which stopped the loop, may differ by rounding.
    converged = dot(rest, rest) <= 4 * jnp.maximum(tolerance**2 * dot(load, load), noise)
    return average * jnp.where(converged, scale, jnp.nan)  # so that derivatives are NaN too
