"""The pieces of a load history that are compiled: once for each kind of cell, not for each step."""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax import Array

from scalebridge.cell import newton, nonlinear
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns
from scalebridge.cell.nonlinear import CellState
from scalebridge.upscaling.history import Snapshot


class Entry(NamedTuple):
    """What a substep adds to the ledger."""

    work: Array
    dissipated: Array
    hill_mandel: Array
    least: Array
    where: Array
    level: Array


class Taken(NamedTuple):
    """A substep that was taken, and what it took.

    Attributes
    ----------
    x : Unknowns
        Its solution.
    driving : Driving
    states : tuple of pytrees
        At its start.
    held : (component,)
        1 where the row prescribes the average gradient, else 0.
    left : ()
        Share of the row after it, 0 for the last: what is prescribed lies between the averages
        at the row's start, with this weight, and those of the row.
    """

    x: Unknowns
    driving: Driving
    states: Any
    held: Array
    left: Array


@eqx.filter_jit
def begin(
    equations: Equations, x: Unknowns, driving: Driving, states: Any, size: Array
) -> newton.Iterate:
    return newton.start(equations, x, driving, states, size)


@eqx.filter_jit
def iterate(
    equations: Equations,
    it: newton.Iterate,
    driving: Driving,
    states: Any,
    size: Array,
    tolerance: Array,
) -> newton.Iterate:
    return newton.iterate(equations, it, driving, states, size, tolerance)


@eqx.filter_jit
def rest(equations: Equations, state: CellState) -> Snapshot:
    """Return the committed state of the virgin cell."""
    zero = jnp.zeros((len(state.gradient), len(state.gradient)))
    driving = Driving(state.gradient, 0 * state.gradient, zero, jnp.array(1.0))
    x = Unknowns(state.fluctuation, 0 * state.gradient)
    answer = equations.respond(x, driving, state.phases)
    return Snapshot(
        states=state.phases,
        u=state.fluctuation,
        mean=state.gradient,
        average=equations.average(answer.flux),
        gradient=equations.gradient(x, driving),
        flux=answer.flux,
        energy=answer.energy,
        dissipation=jnp.zeros_like(answer.energy),
        size=state.size,
    )


@eqx.filter_jit
def commit(
    equations: Equations, x: Unknowns, driving: Driving, before: Snapshot
) -> tuple[Snapshot, Entry]:
    """Evaluate the laws at the end of a substep, and the energies that it moved."""
    answer = equations.respond(x, driving, before.states)
    gradient = equations.gradient(x, driving)
    average, mean = equations.average(answer.flux), equations.average_gradient(x, driving)
    change, macro_change = gradient - before.gradient, mean - before.mean
    micro = equations.average(jnp.sum(answer.flux * change, axis=0))
    macro = average @ macro_change
    size = equations.size(answer.flux)
    # A step may end free of stress.
    scale = jnp.maximum(size, before.size) * equations.size(change) / equations.disc.voxels
    least = jnp.argmin(answer.dissipation)
    entry = Entry(
        work=0.5 * (average + before.average) @ macro_change,
        dissipated=equations.average(answer.dissipation),
        hill_mandel=jnp.abs(micro - macro) / jnp.where(scale > 0, scale, 1.0),
        least=answer.dissipation.ravel()[least],
        where=least,
        level=jnp.abs(macro)
        + equations.average(jnp.abs(answer.energy) + jnp.abs(before.energy) + answer.dissipation),
    )
    after = Snapshot(
        states=answer.states,
        u=x.u,
        mean=mean,
        average=average,
        gradient=gradient,
        flux=answer.flux,
        energy=answer.energy,
        dissipation=before.dissipation + answer.dissipation,
        size=size,
    )
    return after, entry


@eqx.filter_jit
def tangent(
    equations: Equations, x: Unknowns, driving: Driving, states: Any, tolerance: Array
) -> Array:
    return nonlinear.consistent_tangent(equations, x, driving, states, tolerance)


@eqx.filter_jit
def faults(equations: Equations, x: Unknowns, driving: Driving, states: Any) -> tuple[Array, Array]:
    """Return where a law has no answer, by voxel, and the out-of-balance forces by node."""
    flux = equations.constituents.flux(equations.gradient(x, driving), states, driving.dt)
    residual = equations.balance(flux, driving)
    square = reduce(jnp.add, [jnp.square(f) for f in residual.u])
    return ~jnp.all(jnp.isfinite(flux), axis=(0, 1)), square
