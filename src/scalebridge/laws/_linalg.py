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


def solve_small(matrix: Float[Array, "n n"], right: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return A⁻¹ b by Gauss and Jordan's elimination with row scaling and pivoting.

    Without a library call: batched ones inside a while loop can hang. A singular matrix gives
    numbers that are not finite.
    """
    size = matrix.shape[0]
    index = jnp.arange(size)
    rows = jnp.concatenate([matrix, right[:, None]], axis=1)
    rows = rows / jax.lax.stop_gradient(jnp.max(jnp.abs(matrix), axis=1, keepdims=True))

    def eliminate(k: int, rows: Float[Array, "n n_1"]) -> Float[Array, "n n_1"]:
        pivot = jnp.argmax(jnp.where(index >= k, jnp.abs(rows[:, k]), -1.0))
        top, chosen = rows[k], rows[pivot]
        chosen = chosen / chosen[k]
        rows = jnp.where((index == pivot)[:, None], top, rows)
        rows = rows - rows[:, k][:, None] * chosen
        return jnp.where((index == k)[:, None], chosen, rows)

    return jax.lax.fori_loop(0, size, eliminate, rows)[:, size]
