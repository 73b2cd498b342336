"""Many states of one cell at once, as two-scale simulations need them.

Newton's method runs on all members side by side. Members that have converged leave the batch,
so that a hard one does not hold up the others; the batch is padded to a power of two, so that
few sizes are compiled. A linear cell needs its effective tensor only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import newton, nonlinear
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns
from scalebridge.cell.nonlinear import CellState
from scalebridge.errors import InputError
from scalebridge.laws.protocol import Response

if TYPE_CHECKING:
    from scalebridge.cell.cell import Cell


class Batch(NamedTuple):
    """What a batch of states answers.

    Attributes
    ----------
    response : Response
        With a leading axis for the members; NaN where a member has no answer.
    tangents : (member, component, component) or None
    converged : (member,) bool
    newton, krylov : (member,) int
        Iterations, those for the tangents not counted.
    """

    response: Response
    tangents: np.ndarray | None
    converged: np.ndarray
    newton: np.ndarray
    krylov: np.ndarray


@eqx.filter_jit
def _start(equations: Equations, x: Any, driving: Any, states: Any, size: Array) -> Any:
    along = jax.vmap(newton.start, in_axes=(None, 0, 0, 0, 0))
    return along(equations, x, driving, states, size)


@eqx.filter_jit
def _iterate(
    equations: Equations, it: Any, driving: Any, states: Any, size: Array, tolerance: Array
) -> Any:
    def one(it: newton.Iterate, driving: Driving, states: Any, size: Array) -> newton.Iterate:
        active = newton.is_unfinished(it, tolerance, nonlinear.NEWTON_ITERATIONS)
        # Members that are done wait for the others: without a residual they cost no iterations.
        quiet = jax.tree.map(lambda a: jnp.where(active, a, 0.0), it.residual)
        new = newton.iterate(
            equations, it._replace(residual=quiet), driving, states, size, tolerance
        )
        return jax.tree.map(lambda a, b: jnp.where(active, a, b), new, it)

    return jax.vmap(one)(it, driving, states, size)


@eqx.filter_jit
def _commit(equations: Equations, x: Unknowns, driving: Driving, states: Any) -> Any:
    def one(x: Unknowns, driving: Driving, states: Any) -> Response:
        answer = equations.respond(x, driving, states)
        after = CellState(answer.states, x.u, driving.gradient, equations.size(answer.flux))
        averages = map(equations.average, (answer.flux, answer.energy, answer.dissipation))
        flux, energy, dissipation = averages
        return Response(flux, after, energy, dissipation)

    return jax.vmap(one)(x, driving, states)


@eqx.filter_jit
def _tangents(
    equations: Equations, x: Unknowns, driving: Driving, states: Any, tolerance: Array
) -> Array:
    def one(x: Unknowns, driving: Driving, states: Any) -> Array:
        return nonlinear.consistent_tangent(equations, x, driving, states, tolerance)

    return jax.vmap(one)(x, driving, states)


def respond_batch(
    cell: Cell, gradients: Any, states: Any, dt: float, tolerance: float, tangents: bool
) -> Batch:
    """Answer a batch of average gradients; see `Cell.respond_batch`."""
    given = np.asarray(gradients, float)
    size = cell.kinematics.size
    if given.ndim != 2 or given.shape[1] != size:
        raise InputError(
            f"`gradients` must have shape (member, {size}), but has {given.shape}; for one member "
            "use `respond`"
        )
    count = len(given)
    if cell.is_linear:
        return _linear(cell, given, tangents)
    equations = nonlinear.prepare(cell)
    before = states if isinstance(states, CellState) else _virgins(equations, cell, count)
    zero = jnp.zeros((count, size))
    driving = Driving(
        jnp.asarray(given),
        zero,
        jnp.zeros((count, size, size)),
        jnp.full(count, dt, float),
    )
    x = Unknowns(before.fluctuation, zero)
    goal = jnp.asarray(tolerance, float)
    it = _solve(equations, x, driving, before, goal)
    good = np.asarray(it.norm <= goal * it.size)
    response = _commit(equations, it.x, driving, before.phases)
    mask = jnp.where(jnp.asarray(good), 1.0, jnp.nan)
    response = response._replace(
        flux=response.flux * mask[:, None],
        energy=response.energy * mask,
        dissipation=response.dissipation * mask,
    )
    found = None
    if tangents:
        tight = jnp.minimum(goal, 1e-8)
        found = np.asarray(_tangents(equations, it.x, driving, before.phases, tight))
    return Batch(response, found, good, np.asarray(it.newton), np.asarray(it.krylov))


def _linear(cell: Cell, gradients: np.ndarray, tangents: bool) -> Batch:
    """Answer with the effective tensor."""
    tensor = np.asarray(_tensor(cell))
    flux = gradients @ tensor.T
    count, zero = len(gradients), np.zeros(len(gradients))
    energy = 0.5 * np.sum(flux * gradients, axis=1)
    return Batch(
        Response(jnp.asarray(flux), (), jnp.asarray(energy), jnp.asarray(zero)),
        np.broadcast_to(tensor, (count, *tensor.shape)) if tangents else None,
        np.all(np.isfinite(flux), axis=1),
        zero.astype(int),
        zero.astype(int),
    )


@eqx.filter_jit
def _tensor(cell: Cell) -> Array:
    return cell.tangent()


def _virgins(equations: Equations, cell: Cell, count: int) -> CellState:
    """Return the states of so many virgin cells."""
    one = nonlinear.virgin(equations, cell.kinematics)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)


def _solve(
    equations: Equations, x: Unknowns, driving: Driving, before: CellState, tolerance: Array
) -> newton.Iterate:
    """Iterate on the members that have not converged."""
    whole = _start(equations, x, driving, before.phases, before.size)
    members = _unfinished(whole, tolerance)
    while len(members):
        padded = np.resize(members, 1 << (len(members) - 1).bit_length())
        data = (whole, driving, before.phases, before.size)
        own, load, states, size = jax.tree.map(lambda leaf, at=padded: leaf[at], data)
        bucket = np.arange(len(padded))
        while len(bucket) > len(padded) // 2:
            own = _iterate(equations, own, load, states, size, tolerance)
            bucket = np.intersect1d(_unfinished(own, tolerance), np.arange(len(members)))
            if not len(bucket):
                break
        kept = slice(0, len(members))
        whole = jax.tree.map(
            lambda leaf, part, to=members, kept=kept: leaf.at[to].set(part[kept]), whole, own
        )
        members = _unfinished(whole, tolerance)
    return whole


def _unfinished(it: newton.Iterate, tolerance: Array) -> np.ndarray:
    return np.flatnonzero(
        np.asarray(newton.is_unfinished(it, tolerance, nonlinear.NEWTON_ITERATIONS))
    )
