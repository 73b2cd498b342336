"""Linear algebra that survives zero moduli, in values and in derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_ZERO = 1e-13


def pseudo_inverse(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Return A⁺ of a symmetric positive semidefinite A: inv(A + s N Nᵀ) − N Nᵀ / s.

    N spans the null space. Where A is regular this is the plain inverse, also for the
    derivative; of a zero matrix it is zero, and the derivative is finite.
    """
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(matrix))
    scale = jnp.where(values[-1] > 0, values[-1], 1.0)
    null = vectors * jnp.where(values <= _ZERO * scale, 1.0, 0.0)[None, :]
    lift = null @ null.T
    return jnp.linalg.inv(matrix + scale * lift) - lift / scale


def symmetric(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Return the symmetric part."""
    return 0.5 * (matrix + matrix.T)
