"""Newton–Krylov on the equations of a cell: one iteration, and a solve made of them.

The linear systems are solved as loosely as the convergence allows (Eisenstat & Walker 1996,
choice 2). A step that does not reduce the residual is halved. An iteration is a pure
function, so that the same code runs compiled as a whole, or iteration by iteration from the
host, and over batches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from scalebridge.cell import krylov
from scalebridge.cell.constituents import States
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns

_FIRST, _MOST, _SAFEGUARD = 0.1, 0.1, 0.1  # forcing terms
_GAMMA = 0.9
_SUFFICIENT = 1e-4
_CLIMB = 0.8
_TRIES = 8
LINEAR_ITERATIONS = 1000


class Iterate(NamedTuple):
    """Where Newton's method is.

    Attributes
    ----------
    x, residual : Unknowns
    norm, size : ()
        ‖(R, r)‖₂, and the ‖σ‖₂ that it is relative to.
    forcing : ()
        How far the next linear solve must reduce its residual.
    newton, krylov : () int
        Iterations so far.
    stalled : () bool
        Whether no step along the last direction reduced the residual.
    """

    x: Unknowns
    residual: Unknowns
    norm: Array
    size: Array
    forcing: Array
    newton: Array
    krylov: Array
    stalled: Array


def start(
    equations: Equations, x: Unknowns, driving: Driving, states: States, size: Array
) -> Iterate:
    """Evaluate a starting guess.

    Parameters
    ----------
    size : ()
        ‖σ‖₂ at the start of the step: residuals are not relative to less.
    """
    residual, now = equations.residual(x, driving, states)
    norm = jnp.sqrt(krylov.dot(residual, residual))
    zero, forcing = jnp.zeros((), int), jnp.asarray(_FIRST, float)
    return Iterate(
        x, residual, norm, jnp.maximum(size, now), forcing, zero, zero, jnp.zeros((), bool)
    )


def is_unfinished(it: Iterate, tolerance: Array, most: Array | int) -> Array:
    """Whether another iteration is needed and of use."""
    good = it.norm <= tolerance * it.size
    return ~good & jnp.isfinite(it.norm) & ~it.stalled & (it.newton < most)


def iterate(
    equations: Equations,
    it: Iterate,
    driving: Driving,
    states: States,
    start_size: Array,
    tolerance: Array,
) -> Iterate:
    """One iteration: linearise, solve, and go as far along the direction as it helps."""
    tangent = equations.tangent(it.x, driving, states)
    method = krylov.krylov(equations.constituents.is_symmetric)
    compliance = equations.compliance(driving.free)
    target = jnp.maximum(it.forcing * it.norm, 0.3 * tolerance * it.size)
    down = jax.tree.map(jnp.negative, it.residual)
    solution = method(
        tangent,
        down,
        lambda r: equations.precondition(compliance, r),
        target,
        LINEAR_ITERATIONS,
    )

    alpha, new = _search(equations, it, solution.x, driving, states, start_size, tolerance)
    forcing = _GAMMA * (new.norm / it.norm) ** 2
    guard = _GAMMA * it.forcing**2
    forcing = jnp.where(guard > _SAFEGUARD, jnp.maximum(forcing, guard), forcing)
    return new._replace(
        forcing=jnp.minimum(forcing, _MOST),
        newton=it.newton + 1,
        krylov=it.krylov + solution.iterations,
        stalled=alpha <= 0,
    )


def _search(
    equations: Equations,
    it: Iterate,
    d: Unknowns,
    driving: Driving,
    states: States,
    start_size: Array,
    tolerance: Array,
) -> tuple[Array, Iterate]:
    """Go along d as far as it helps; return how far, and −1 where nothing helps.

    Where the laws derive from a potential the residual is its slope, and a step is good
    unless it climbs again nearly as steeply as it fell (Matthies & Strang 1979). The norm of
    the residual may rise on the way down, as it does in plastic flow; without a potential it
    is all there is to go by.
    """
    slope = krylov.dot(it.residual, d)
    has_potential = equations.constituents.is_symmetric

    def excess(new: Iterate) -> Array:
        """Return what must be ≤ 1."""
        if has_potential:
            return krylov.dot(new.residual, d) / (_CLIMB * jnp.abs(slope))
        return new.norm / it.norm / (1 - _SUFFICIENT)

    def searching(carry: Any) -> Array:
        _, new, above, count = carry
        good = (above <= 1) | (new.norm <= tolerance * new.size)
        return ~good & (count < _TRIES)

    def shorten(carry: Any) -> Any:
        alpha, _, above, count = carry
        # Where the slope would vanish between this and the start, if it were linear.
        ratio = 1 / (1 + _CLIMB * above) if has_potential else 0.5
        ratio = jnp.where(jnp.isfinite(above), jnp.clip(ratio, 0.1, 0.5), 0.25)
        alpha = jnp.where(count == 0, 1.0, alpha * ratio)
        new = start(equations, krylov.axpy(alpha, d, it.x), driving, states, start_size)
        return alpha, new, excess(new), count + 1

    nothing = (jnp.ones(()), it, jnp.asarray(jnp.inf, float), jnp.zeros((), int))
    alpha, new, above, _ = jax.lax.while_loop(searching, shorten, nothing)
    good = (above <= 1) | (new.norm <= tolerance * new.size)
    return jnp.where(good & (slope < 0 if has_potential else True), alpha, -1.0), new


def solve(
    equations: Equations,
    x: Unknowns,
    driving: Driving,
    states: States,
    size: Array,
    tolerance: Array,
    most: Array | int,
) -> Iterate:
    """Iterate to ‖(R, r)‖₂ ≤ tolerance ‖σ‖₂, as one compiled loop."""
    return jax.lax.while_loop(
        lambda it: is_unfinished(it, tolerance, most),
        lambda it: iterate(equations, it, driving, states, size, tolerance),
        start(equations, x, driving, states, size),
    )
