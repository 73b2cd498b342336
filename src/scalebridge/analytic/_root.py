"""Roots of x = G(x), with derivatives by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.errors import ConvergenceError
from scalebridge.laws._checks import concrete

_TOLERANCE = 1e-12
_STEPS = 200

Vector = Float[Array, " n"]


def fixed_point(
    G: Callable[[Vector], Vector], start: Vector, admissible: Callable[[Vector], Array]
) -> Vector:
    """Return x = G(x), nan where the iteration did not get there.

    Newton steps, and plain steps x ← G(x) where Newton leaves the admissible or does not bring
    the residual down. G and x are dimensionless, of order one; the residual ends below 1e-12.
    """

    def residual(x: Vector) -> Vector:
        return G(x) - x

    def solve(f: Callable[[Vector], Vector], x: Vector) -> tuple[Vector, Array]:
        def unfinished(carry: tuple[Vector, Vector, Array]) -> Array:
            _, r, step = carry
            return (_size(r) > _TOLERANCE) & (step < _STEPS)

        def advance(carry: tuple[Vector, Vector, Array]) -> tuple[Vector, Vector, Array]:
            x, r, step = carry
            newton = x - jnp.linalg.solve(jax.jacfwd(f)(x), r)
            good = admissible(newton)
            r_newton = f(jnp.where(good, newton, x))
            good &= _size(r_newton) < _size(r)  # false for nan
            plain = x + r
            x = jnp.where(good, newton, plain)
            return x, jnp.where(good, r_newton, f(plain)), step + 1

        x, r, _ = jax.lax.while_loop(unfinished, advance, (x, f(x), jnp.zeros(())))
        return x, jnp.where(_size(r) <= _TOLERANCE, 1.0, jnp.nan)

    def solve_linearised(g: Callable[[Vector], Vector], y: Vector) -> Vector:
        return jnp.linalg.solve(jax.jacfwd(g)(y), y)

    x, one = jax.lax.custom_root(
        residual, jax.lax.stop_gradient(start), solve, solve_linearised, has_aux=True
    )
    return x * jax.lax.stop_gradient(one)


def converged(modulus: Array, what: str, advice: str) -> Array:
    """Return the modulus; raise where it is known to be nan."""
    values = concrete(modulus)
    if values is not None and values.ndim and jnp.isnan(values).any():
        raise ConvergenceError(f"{what} did not converge in {_STEPS} steps; {advice}")
    return modulus


def _size(residual: Vector) -> Array:
    return jnp.max(jnp.abs(residual))
