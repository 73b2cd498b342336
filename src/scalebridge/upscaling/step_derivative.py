"""Derivatives of one substep of a load history, forward and adjoint.

A substep solves R(x, s, θ, d) = 0 for the unknowns x, where s are the laws' states at its
start, θ their parameters and d what is prescribed at its end, and hands on the states and the
averages. With the tangent operator A = ∂R/∂x at the solution, by the implicit function theorem

    forward:  A ẋ = −(∂R/∂s ṡ + ∂R/∂θ θ̇ + ∂R/∂d ḋ),
    adjoint:  Aᵀ λ = x̄,   (s̄, θ̄, d̄) −= (∂R/∂s, ∂R/∂θ, ∂R/∂d)ᵀ λ.

R = Bᵀσ, so that the adjoint λ enters the laws as a virtual gradient B λ.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import krylov, newton, nonlinear, points
from scalebridge.cell.constituents import States
from scalebridge.cell.equilibrium import Equations, Tangent, Unknowns
from scalebridge.laws.protocol import Kinematics
from scalebridge.upscaling import substeps
from scalebridge.upscaling.law_parameters import Moving, moved, moving
from scalebridge.upscaling.substeps import Taken

_CYCLES, _CYCLE = 10, 100  # runs of a method for any matrix, and iterations of its first
_REFINED = 3  # runs of conjugate gradients, whose own residual drifts from the true one
_ASTRAY = 1e2  # a run that leaves more of the residual, or no number, is forgotten


class Averages(NamedTuple):
    """Average gradient and flux, (component,) each."""

    mean: Array
    average: Array


class Carried(NamedTuple):
    """What a substep hands on to the next: values, their rates, or slopes by them.

    Attributes
    ----------
    states : tuple of pytrees
    averages : Averages
        What is prescribed in the next row sets out from them.
    """

    states: States
    averages: Averages


def _origin(equations: Equations, kinematics: Kinematics, arrays: Moving) -> Carried:
    found = moved(equations, arrays)
    now = substeps.rest(found, nonlinear.virgin(found, kinematics))
    return Carried(now.states, Averages(now.mean, now.average))


@eqx.filter_jit
def origin_forward(equations: Equations, kinematics: Kinematics, rates: Moving) -> Carried:
    """Return the rates of the virgin cell, for each of the stacked rates of the laws."""
    start = partial(_origin, equations, kinematics)
    at = moving(equations)
    return jax.lax.map(lambda rate: jax.jvp(start, (at,), (rate,))[1], rates)


@eqx.filter_jit
def origin_adjoint(equations: Equations, kinematics: Kinematics, after: Carried) -> Moving:
    """Return the slope by the laws' arrays of what has this slope by the virgin cell."""
    start = partial(_origin, equations, kinematics)
    return jax.vjp(start, moving(equations))[1](after)[0]


@eqx.filter_jit
def forward(
    equations: Equations,
    at: Taken,
    rates: Moving,
    before: Carried,
    begin: Averages,
    accuracy: Array,
) -> Carried:
    """Return the rates at the end of a substep; NaN where the linear solver fails.

    Parameters
    ----------
    rates, before, begin
        Rates of the laws' arrays, at the start of the substep, and at that of its row: stacked,
        one after another for each parameter.
    accuracy : ()
        Residual of the linear solve relative to the rate of the fluxes at rest of x.
    """
    tangent = equations.tangent(at.x, at.driving, at.states)
    gradient = equations.gradient(at.x, at.driving)
    answer = partial(_answer, equations, at.driving.dt)
    _, laws = jax.linearize(answer, gradient, at.states, moving(equations))

    def along(given: tuple[Moving, States, Averages]) -> Carried:
        rate, states, begin = given
        driving = at.driving._replace(
            gradient=at.left * at.held * begin.mean, flux=at.left * begin.average
        )
        flux, _ = laws(equations.gradient(equations.zero(), driving), states, rate)
        residual = equations.balance(flux, driving)
        scale = equations.size(flux) + jnp.linalg.norm(residual.e)
        x = _solve(tangent, jax.tree.map(jnp.negative, residual), accuracy * scale)
        flux, states = laws(equations.gradient(x, driving), states, rate)
        mean = equations.average_gradient(x, driving)
        return Carried(states, Averages(mean, equations.average(flux)))

    return jax.lax.map(along, (rates, before.states, begin))


@eqx.filter_jit
def adjoint(
    equations: Equations, at: Taken, after: Carried, accuracy: Array
) -> tuple[Moving, States, Averages]:
    """Return the slopes by the laws' arrays, and at the start of the substep and of its row.

    Parameters
    ----------
    after : Carried
        Slopes by what the substep hands on.
    accuracy : ()
        Residual of the linear solve relative to the slope by the gradients.
    """
    tangent = equations.tangent(at.x, at.driving, at.states)
    gradient = equations.gradient(at.x, at.driving)
    answer = partial(_answer, equations, at.driving.dt)
    _, pull = jax.vjp(answer, gradient, at.states, moving(equations))

    weight = 1 / (gradient.shape[1] * gradient.shape[2])
    flux = jnp.broadcast_to(weight * after.averages.average[:, None, None], gradient.shape)
    slope, *_ = pull((flux, after.states))
    count = points.count(equations.disc)
    none = at.driving._replace(gradient=0 * at.driving.gradient, flux=0 * at.driving.flux)
    work = equations.balance(count * slope, none)  # the transpose of `gradient`
    b = Unknowns(work.u, work.e + at.driving.free @ after.averages.mean / equations.root)
    scale = count * equations.size(slope) + jnp.linalg.norm(b.e)
    virtual = _solve(_transposed(tangent), b, accuracy * scale)

    flux = flux - equations.gradient(virtual, none) / count  # that of `balance`
    slope, states, arrays = pull((flux, after.states))
    mean = jnp.sum(slope, axis=(1, 2)) + after.averages.mean
    average = equations.root * at.driving.free @ virtual.e
    return arrays, states, Averages(at.left * at.held * mean, at.left * average)


def _answer(
    equations: Equations, dt: Array, gradient: Array, states: States, arrays: Moving
) -> tuple[Array, States]:
    answer = moved(equations, arrays).constituents.respond(gradient, states, dt)
    return answer.flux, answer.states


def _solve(tangent: Tangent, b: Unknowns, target: Array) -> Unknowns:
    """Solve to ‖b − A x‖₂ ≤ target; NaN where that fails.

    Biconjugate gradients break down or wander now and then. They are started again from the
    residual that they leave, which is another shadow, and for longer each time.
    """
    equations = tangent.equations
    symmetric = equations.constituents.is_symmetric
    compliance = equations.compliance(tangent.free)
    cycles, length = (_REFINED, newton.LINEAR_ITERATIONS) if symmetric else (_CYCLES, _CYCLE)

    def unfinished(carry: tuple[Unknowns, Unknowns, Array, Array]) -> Array:
        _, _, norm, count = carry
        return (norm > target) & (count < cycles)

    def cycle(carry: tuple[Unknowns, Unknowns, Array, Array]) -> Any:
        x, r, norm, count = carry
        step = krylov.krylov(symmetric)(
            tangent,
            r,
            lambda r: equations.precondition(compliance, r),
            target,
            length * (1 + count),
        ).x
        further = krylov.axpy(jnp.ones(()), step, x)
        left = krylov.axpy(-jnp.ones(()), tangent(further), b)
        new = jnp.sqrt(krylov.dot(left, left))
        good = new < _ASTRAY * norm
        kept = jax.tree.map(partial(jnp.where, good), (further, left, new), (x, r, norm))
        return *kept, count + 1

    start = (jax.tree.map(jnp.zeros_like, b), b, jnp.sqrt(krylov.dot(b, b)), jnp.zeros((), int))
    x, _, norm, _ = jax.lax.while_loop(unfinished, cycle, start)
    return jax.tree.map(lambda a: jnp.where(norm <= target, a, jnp.nan), x)


def _transposed(tangent: Tangent) -> Tangent:
    equations = tangent.equations
    if equations.constituents.is_symmetric:
        return tangent
    size = equations.disc.components
    order = np.arange(size * size).reshape(size, size).T.ravel()
    return Tangent(equations, tangent.moduli[order], tangent.free)
