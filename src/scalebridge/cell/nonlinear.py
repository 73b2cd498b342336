"""Cells with laws that are not linear: their equations, and their response as a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from scalebridge import tensors
from scalebridge.cell import krylov, media, newton, points
from scalebridge.cell.constituents import Constituents, States
from scalebridge.cell.equilibrium import (
    Driving,
    Equations,
    Tangent,
    Unknowns,
    invert_reference,
)
from scalebridge.cell.sections import Section
from scalebridge.cell.stencil import Field
from scalebridge.errors import InputError
from scalebridge.laws.protocol import Kinematics, Law, LinearLaw, Response

if TYPE_CHECKING:
    from scalebridge.cell.cell import Cell

NEWTON_ITERATIONS = 25


class CellState(NamedTuple):
    """State of a cell at the end of a step.

    Attributes
    ----------
    phases : tuple of pytrees
        States of the laws at the points of each phase, which come last.
    fluctuation : Field
        Where the next solve starts; in units of the voxel side.
    gradient : (component,)
        Average gradient.
    size : ()
        ‖σ‖₂ over the voxels: residuals are not relative to less.
    """

    phases: States
    fluctuation: Field
    gradient: Array
    size: Array


class Known(LinearLaw):
    """A linear law by its modulus: what a cell as a phase is to the cell around it."""

    tensor: Array
    physics: str = eqx.field(static=True)
    dim: int = eqx.field(static=True)

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics(self.physics, self.dim)

    @property
    def modulus(self) -> Array:
        return self.tensor


def small_strain(modulus: Array) -> Array:
    """Return the small-strain stiffness, Mandel, of a tangent ∂P/∂F at F = 1."""
    dim = round(modulus.shape[0] ** 0.5)
    A = modulus.reshape(dim, dim, dim, dim)
    A = 0.5 * (A + jnp.swapaxes(A, 0, 1))
    return tensors.to_mandel4(0.5 * (A + jnp.swapaxes(A, 2, 3)))


def equations(cell: Cell) -> Equations:
    """Return the equations of a cell."""
    disc = cell.discretisation
    kinematics = cell.kinematics
    sections = [
        Section(_seen_law(cell, name), kinematics, cell.plane) for name in cell.microstructure.names
    ]
    turns = tuple(cell.rotations.get(name) for name in cell.microstructure.names)
    if cell.places is None:
        raise InputError("a cell of linear laws keeps no places of its phases; use `prepare`")
    small = jax.lax.stop_gradient(cell.reference())
    reference = jnp.asarray(_seen(small, kinematics))
    return Equations(
        disc=disc,
        constituents=Constituents(tuple(sections), turns, cell.places, points.count(disc)),
        green=invert_reference(disc, small),
        reference=reference,
    )


def _seen_law(cell: Cell, name: str) -> Law:
    """Return a phase's law; a linear one by the modulus that the cell sees, unless it is turned."""
    law: Law = cell.laws[name]
    if not law.is_linear:
        return law
    if name in cell.rotations:  # a cell as a phase is solved once
        return Known(law.tangent(), law.kinematics.physics, law.kinematics.dim)
    modulus = media.restrict(law.tangent(), cell.kinematics, cell.plane)
    return Known(modulus, cell.physics, cell.kinematics.dim)


def _seen(modulus: Array, kinematics: Kinematics) -> Array:
    """Return a reference modulus in the components of the cell, positive definite."""
    if kinematics.physics != "finite strain":
        return modulus
    full = tensors.from_mandel4(modulus).reshape(kinematics.size, kinematics.size)
    # Rotations cost nothing at F = 1, but where loads turn with them: give them a scale.
    return full + 0.1 * jnp.trace(modulus) / len(modulus) * jnp.eye(kinematics.size)


_compiled = eqx.filter_jit(equations)


def prepare(cell: Cell) -> Equations:
    """Return the equations of any cell of elements, compiled once for each kind of cell.

    Raises
    ------
    InputError
        For finite volumes, and for transport through the cell.
    """
    if cell.element == "volume" or cell.boundary == "through":
        raise InputError(
            "paths of loads are for elements under one boundary condition, but this cell has "
            f"element {cell.element!r} and boundary {cell.boundary!r}; it is linear: use "
            "sb.effective"
        )
    return _compiled(cell.located())


def initial_state(cell: Cell) -> CellState:
    """Return the state of the virgin cell."""
    return virgin(prepare(cell), cell.kinematics)


def virgin(found: Equations, kinematics: Kinematics) -> CellState:
    """Return the state of the virgin cell of these equations."""
    states, rest = found.constituents.initial_states(), jnp.asarray(kinematics.rest)
    return CellState(states, found.zero().u, rest, jnp.zeros(()))


def respond(cell: Cell, gradient: Array, state: Any, dt: Array) -> Response:
    """Return the average response of a cell to an average gradient, differentiably."""
    found = equations(cell)
    before = state if isinstance(state, CellState) else virgin(found, cell.kinematics)
    size = cell.kinematics.size
    driving = Driving(gradient, jnp.zeros(size), jnp.zeros((size, size)), jnp.asarray(dt, float))
    x = root(found, before, driving, jnp.asarray(cell.tolerance))
    answer = found.respond(x, driving, before.phases)
    residual = found.balance(answer.flux, driving)
    scale = jnp.maximum(found.size(answer.flux), before.size)
    # Twice: the last evaluation may differ from the loop's by rounding.
    good = krylov.dot(residual, residual) <= (2 * cell.tolerance * scale) ** 2
    mask = jnp.where(good, 1.0, jnp.nan)
    after = CellState(answer.states, jax.lax.stop_gradient(x.u), gradient, found.size(answer.flux))
    return Response(
        flux=found.average(answer.flux) * mask,
        state=after,
        energy=found.average(answer.energy) * mask,
        dissipation=found.average(answer.dissipation) * mask,
    )


def root(found: Equations, before: CellState, driving: Driving, tolerance: Array) -> Unknowns:
    """Solve the equations; differentiated by the implicit function theorem."""
    symmetric = found.constituents.is_symmetric
    method = krylov.krylov(symmetric)

    def residual(x: Unknowns) -> Unknowns:
        return found.residual(x, driving, before.phases)[0]

    def solve(_: Any, x: Unknowns) -> Unknowns:
        return newton.solve(
            found, x, driving, before.phases, before.size, tolerance, NEWTON_ITERATIONS
        ).x

    compliance = found.compliance(driving.free)

    def linear(apply: Any, b: Unknowns) -> Unknowns:
        target = tolerance * jnp.sqrt(krylov.dot(b, b))

        def precondition(r: Unknowns) -> Unknowns:
            return found.precondition(compliance, r)

        return method(apply, b, precondition, target, newton.LINEAR_ITERATIONS).x

    def tangent_solve(apply: Any, b: Unknowns) -> Unknowns:
        return jax.lax.custom_linear_solve(
            apply, b, linear, transpose_solve=linear, symmetric=symmetric
        )

    guess = Unknowns(
        before.fluctuation, driving.free @ (before.gradient - driving.gradient) * found.root
    )
    return jax.lax.custom_root(residual, jax.lax.stop_gradient(guess), solve, tangent_solve)


def consistent_tangent(
    found: Equations, x: Unknowns, driving: Driving, states: States, tolerance: float | Array
) -> Array:
    """Return the tangent of the average flux at a solved state, (component, component).

    One linear solve for each component k: with w_k the unit gradient and the fluctuation that
    it causes, the tangent is ⟨C w_k⟩. Where the laws' tangents are symmetric it is the energy
    ⟨w_j · C · w_k⟩, whose error is the square of that of w.

    Parameters
    ----------
    tolerance : float
        Relative residual of the linear solves.
    """
    tangent = all_driven(found, x, driving, states)
    symmetric = found.constituents.is_symmetric

    def column(unit: Array) -> Any:
        whole = Unknowns(fluctuation(tangent, unit, tolerance), unit * found.root)
        return (whole.u, tangent(whole)) if symmetric else tangent(whole).e

    units = jnp.eye(found.disc.components)
    if not symmetric:
        return jax.lax.map(column, units).T / found.root
    fields, forces = jax.lax.map(column, units)
    corrections = sum(
        jnp.tensordot(u.reshape(len(units), -1), f.reshape(len(units), -1), (1, 1))
        for u, f in zip(fields, forces.u, strict=True)
    )
    energies = forces.e.T / found.root + corrections / found.disc.voxels
    return 0.5 * (energies + energies.T)


def all_driven(found: Equations, x: Unknowns, driving: Driving, states: States) -> Tangent:
    """Return the tangent operator that sees all components of the average gradient."""
    free = jnp.eye(found.disc.components)
    return Tangent(found, found.tangent(x, driving, states).moduli, free)


def fluctuation(tangent: Tangent, unit: Array, tolerance: float | Array) -> Field:
    """Return the fluctuation under an average gradient, of the linearised cell."""
    found, nothing = tangent.equations, tangent.equations.zero()
    load = tangent(Unknowns(nothing.u, unit * found.root)).u
    b = Unknowns(jax.tree.map(jnp.negative, load), nothing.e)
    held = jnp.zeros((len(unit), len(unit)))
    return krylov.krylov(found.constituents.is_symmetric)(
        lambda w: Unknowns(tangent(w).u, nothing.e),
        b,
        lambda r: found.precondition(held, r),
        tolerance * jnp.sqrt(krylov.dot(b, b)),
        newton.LINEAR_ITERATIONS,
    ).x.u
