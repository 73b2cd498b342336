"""Roots of x = G(x), with derivatives by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.errors import ConvergenceError
from scalebridge.laws._checks import concrete

_TOLERANCE = 1e-12
_STEPS = 200

Vector = Float[Array, " n"]


class _Progress(NamedTuple):
    trial: Vector
    is_plain: Array
    x: Vector  # the last one taken, and its residual
    r: Vector
    step: Array | int


def fixed_point(
    G: Callable[[Vector], Vector], start: Vector, admissible: Callable[[Vector], Array]
) -> Vector:
    """Return x = G(x), nan where the iteration did not get there.

    Newton steps, and plain steps x ← G(x) where Newton leaves the admissible or does not bring
    the residual down. G and x are dimensionless, of order one; the residual ends below 1e-12.
    """

    def residual(x: Vector) -> Vector:
        return G(x) - x

    def solve(f: Callable[[Vector], Vector], start: Vector) -> tuple[Vector, Array]:
        def both(x: Vector) -> tuple[Vector, Vector]:
            r = f(x)
            return r, r

        def unfinished(carry: _Progress) -> Array:
            return (_size(carry.r) > _TOLERANCE) & (carry.step < _STEPS)

        def advance(carry: _Progress) -> _Progress:
            trial = carry.trial
            slope, r_trial = jax.jacfwd(both, has_aux=True)(trial)
            good = carry.is_plain | (_size(r_trial) < _size(carry.r))
            x = jnp.where(good, trial, carry.x)
            r = jnp.where(good, r_trial, carry.r)
            newton = x - jnp.linalg.solve(slope, r)
            use_newton = good & admissible(newton)
            trial = jnp.where(use_newton, newton, x + r)
            return _Progress(trial, ~use_newton, x, r, carry.step + 1)

        begin = _Progress(start, jnp.array(True), start, jnp.full_like(start, jnp.inf), 0)
        end = jax.lax.while_loop(unfinished, advance, begin)
        return end.x, jnp.where(_size(end.r) <= _TOLERANCE, 1.0, jnp.nan)

    def solve_linearised(g: Callable[[Vector], Vector], y: Vector) -> Vector:
        return jnp.linalg.solve(jax.jacfwd(g)(y), y)

    x, one = jax.lax.custom_root(
        residual, jax.lax.stop_gradient(start), solve, solve_linearised, has_aux=True
    )
    return x * jax.lax.stop_gradient(one)


def converged(modulus: Array, what: str, advice: str) -> Array:
    """Return the modulus; raise where it is known to be nan."""
    values = concrete(modulus)
    if values is not None and np.isnan(values).any():
        raise ConvergenceError(f"{what} did not converge in {_STEPS} steps; {advice}")
    return modulus


def _size(residual: Vector) -> Array:
    return jnp.max(jnp.abs(residual))
