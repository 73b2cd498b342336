"""The positive root of a decreasing function of one variable, with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Scalar = Float[Array, ""]

_STEP = 1e-8  # relative; the last, differentiable step squares it to below rounding
_ROUNDING = 4e-15
_CAP = 100


def positive_root(
    residual: Callable[[Scalar, Any], Scalar],
    arguments: Any,
    upper: Scalar,
    active: Bool[Array, ""],
    scale: Scalar,
) -> Scalar:
    """Return the root x of residual(x, arguments), 0 < x ≤ `upper`; NaN where it fails.

    Newton's method on log x, which sees a power of x as an exponential: from the right it
    takes the root of xᵐ for m = 1/50 as surely as for m = 1. Bisection is its guard. The last
    step is taken outside the loop, from where it is differentiated (implicit differentiation,
    forward and in reverse).

    Parameters
    ----------
    residual : callable
        Decreasing in x, positive at 0+ and not positive at `upper`.
    arguments : pytree
        What the root depends on and is differentiated by.
    upper : () > 0
        An upper bound of the root, and the start.
    active : ()
        Whether there is a root to be found; 0 is returned where not.
    scale : () > 0
        Size of the terms of the residual, hence of its rounding.
    """

    frozen = jax.lax.stop_gradient(arguments)

    def with_slope(x: Scalar, arguments: Any) -> tuple[Scalar, Scalar]:
        return jax.jvp(lambda x: residual(x, arguments), (x,), (jnp.ones_like(x),))

    def go_on(carry: tuple) -> Bool[Array, ""]:
        *_, done, count = carry
        return ~done & (count < _CAP)

    def step(carry: tuple) -> tuple:
        x, low, high, _, count = carry
        value, slope = with_slope(x, frozen)
        low, high = jnp.where(value > 0, x, low), jnp.where(value > 0, high, x)
        new = x * jnp.exp(jnp.clip(-value / (slope * x), -50.0, 50.0))
        new = jnp.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        # Where the value is rounding, x is the root: a bracket cannot tell, and would be halved.
        found = jnp.abs(value) <= _ROUNDING * scale
        new = jnp.where(found, x, new)
        done = found | (jnp.abs(new - x) <= _STEP * x)
        return new, low, high, done, count + 1

    start, scale = jax.lax.stop_gradient((upper, scale))
    x, *_, done, _ = jax.lax.while_loop(go_on, step, (start, 0.0 * start, start, ~active, 0))
    x = jax.lax.stop_gradient(jnp.where(done, x, jnp.nan))
    value, slope = with_slope(x, arguments)
    root = jnp.maximum(x - value / jax.lax.stop_gradient(slope), 0.0)  # rounding may pass zero
    return jnp.where(active, root, 0.0)
