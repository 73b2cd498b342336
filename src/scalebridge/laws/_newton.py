"""Damped Newton iteration for the few equations of one material point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from scalebridge.laws._linalg import solve_small

Vector = Float[Array, " unknown"]

_STEP = 1e-8  # of the increment; the last, differentiable step squares it to below rounding
_ROUNDING = 2e-15
_SMALLEST_DAMPING = 1e-6
_CAP = 400  # Norton's power 50 from afar: each step takes a fiftieth


class _Iterate(NamedTuple):
    x: Vector
    correction: Vector
    jacobian: Float[Array, "unknown unknown"]
    damping: Float[Array, ""]
    done: Bool[Array, ""]
    count: Any


def newton(
    residual: Callable[[Vector, Any], Vector],
    arguments: Any,
    start: Vector,
    guess: Vector,
    active: Bool[Array, ""],
    size: Callable[[Vector], Vector],
    data_slope: Callable[[Vector, Any], Vector],
) -> Vector:
    """Return the root x of residual(x, arguments); NaN where it fails, `start` if not active.

    A step is taken where it reduces the Newton correction itself (the natural monotonicity
    test, which no scaling of equations or unknowns can change the direction of), and halved
    where not. The last step is taken outside the loop, from where it is differentiated.

    Parameters
    ----------
    start, guess : (unknown,)
        State at the start of the step, against which increments are measured, and where the
        iteration begins.
    size : callable
        Scale of each unknown from a vector of unknowns, e.g. the largest of its kind.
    data_slope : callable
        Change of the residual by the whole of the data that are rounded: what rounding makes of
        the root is no error of the iteration.

    References
    ----------
    Deuflhard (2004), Newton Methods for Nonlinear Problems, section 3.3.
    """
    frozen, origin, guess = jax.lax.stop_gradient((arguments, start, guess))

    def norm(step: Vector, x: Vector, blur: Vector) -> Float[Array, ""]:
        moved = size(x - origin)
        scale = moved + _ROUNDING / _STEP * (size(x) + size(blur)) + 1e-12 * jnp.max(moved)
        return jnp.max(jnp.abs(step) / jnp.where(scale > 0, scale, 1.0))

    def go_on(it: _Iterate) -> Bool[Array, ""]:
        return ~it.done & (it.count < _CAP) & (it.damping > _SMALLEST_DAMPING)

    def step(it: _Iterate) -> _Iterate:
        trial = it.x + it.damping * it.correction
        value, jacobian = residual(trial, frozen), jax.jacfwd(residual)(trial, frozen)
        simplified, new = -solve_small(it.jacobian, value), -solve_small(jacobian, value)
        blur = solve_small(jacobian, data_slope(trial, frozen))
        before, after = norm(it.correction, trial, blur), norm(simplified, trial, blur)
        accepted = (after <= (1 - 0.25 * it.damping) * before) | (after <= _STEP)
        accepted = accepted | (it.count == 0)  # which evaluates the start
        return _Iterate(
            jnp.where(accepted, trial, it.x),
            jnp.where(accepted, new, it.correction),
            jnp.where(accepted, jacobian, it.jacobian),
            jnp.where(accepted, jnp.minimum(1.0, 2 * it.damping), 0.5 * it.damping),
            accepted & (norm(new, trial + new, blur) <= _STEP),
            it.count + 1,
        )

    eye, zero = jnp.eye(start.size), jnp.zeros_like(guess)
    first = _Iterate(guess, zero, eye, jnp.ones(()), ~active, 0)
    last = jax.lax.while_loop(go_on, step, first)
    x = jnp.where(last.done, last.x + last.correction, jnp.nan)
    jacobian = jax.lax.stop_gradient(jax.jacfwd(residual)(x, frozen))
    final = x - solve_small(jacobian, residual(x, arguments))
    return jnp.where(active, final, start)
