"""The equations of a cell whose laws are not linear.

Unknowns are the nodal fluctuation u and the average gradient ē, of which the part P ē is
free and the rest is prescribed. With the laws' fluxes σ at the integration points,

    R(u, ē) = Bᵀ σ(ē + B u) = 0,     r(u, ē) = √V P (⟨σ⟩ − σ̄) = 0,

V being the number of voxels. The unknown beside r is √V P ē, so that the tangent operator
is symmetric where the laws' tangents are. Lengths are in units of the voxel side.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from scalebridge.cell import bounded, points, space, stencil
from scalebridge.cell import green as greens
from scalebridge.cell.bounded import BoundedGreen
from scalebridge.cell.constituents import AtPoints, Constituents, States
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.points import Points
from scalebridge.cell.stencil import Field
from scalebridge.laws._linalg import solve_small


class Unknowns(NamedTuple):
    """A state of the cell, a direction, or a residual (R, r).

    Attributes
    ----------
    u : Field
    e : (component,)
        √V times the free part of the average gradient.
    """

    u: Field
    e: Array


class Driving(NamedTuple):
    """What is prescribed at the end of a step.

    Attributes
    ----------
    gradient : (component,)
        Prescribed part of the average gradient: P of it is zero.
    flux : (component,)
        Prescribed average flux, of which P counts.
    free : (component, component)
        The orthogonal projector P on the free part.
    dt : ()
        Length of the step.
    """

    gradient: Array
    flux: Array
    free: Array
    dt: Array


class Equations(eqx.Module):
    """The residual of a cell, its tangent operator and its preconditioner.

    Attributes
    ----------
    disc : Discretisation
    constituents : Constituents
    green : tuple of arrays or BoundedGreen
        Inverse of the reference medium.
    reference : (component, component)
        Its modulus.
    """

    disc: Discretisation = eqx.field(static=True)
    constituents: Constituents
    green: tuple[Array, ...] | BoundedGreen
    reference: Array

    @property
    def root(self) -> float:
        """√V."""
        return float(self.disc.voxels) ** 0.5

    @property
    def key(self) -> Array:
        """A number that the compiler does not know; see `stencil.alone`."""
        return self.reference[0, 0]

    def zero(self) -> Unknowns:
        """Return the undeformed state."""
        disc = self.disc
        u = tuple(jnp.zeros(disc.nodes) for _ in range(disc.unknowns))
        return Unknowns(u, jnp.zeros(disc.components))

    def average_gradient(self, x: Unknowns, driving: Driving) -> Array:
        """Return ē."""
        return driving.gradient + driving.free @ x.e / self.root

    def gradient(self, x: Unknowns, driving: Driving) -> Array:
        """Return ē + B u at the points, (component, point, voxel)."""
        corners = jax.lax.optimization_barrier(points.corners(self.disc, x.u))
        at = points.gradients(self.disc, corners, self.average_gradient(x, driving))
        return jnp.stack([g.reshape(len(g), -1) for g in at])

    def average(self, flux: Array) -> Array:
        """Return the volume average of fields (…, point, voxel)."""
        return jnp.mean(flux, axis=(-2, -1))

    def residual(self, x: Unknowns, driving: Driving, states: States) -> tuple[Unknowns, Array]:
        """Return (R, r), and ‖σ‖₂ over the voxels."""
        flux = stencil.alone(
            self.key,
            lambda x, driving, states: self.constituents.flux(
                self.gradient(x, driving), states, driving.dt
            ),
            x,
            driving,
            states,
        )
        return self.balance(flux, driving), self.size(flux)

    def size(self, flux: Array) -> Array:
        """Return ‖σ‖₂ over the voxels, what residuals are relative to."""
        return jnp.sqrt(jnp.sum(flux * flux) / flux.shape[1])

    def balance(self, flux: Array, driving: Driving) -> Unknowns:
        """Return (R, r) of fluxes (component, point, voxel)."""
        whole = flux.reshape(*flux.shape[:2], *self.disc.shape)
        ghosted = jax.lax.optimization_barrier(points.with_ghosts(whole, self.disc))
        forces = space.restrict(self.disc, points.forces(self.disc, list(ghosted)))
        return Unknowns(forces, self.root * driving.free @ (self.average(flux) - driving.flux))

    def respond(self, x: Unknowns, driving: Driving, states: States) -> AtPoints:
        """Evaluate the laws at the end of a step."""
        return self.constituents.respond(self.gradient(x, driving), states, driving.dt)

    def tangent(self, x: Unknowns, driving: Driving, states: States) -> Tangent:
        """Linearise at a state."""
        disc, constituents = self.disc, self.constituents
        stored = entries(disc.components, constituents.is_symmetric)
        moduli = constituents.tangent(self.gradient(x, driving), states, driving.dt, stored)
        whole = moduli.reshape(*moduli.shape[:2], *disc.shape)
        return Tangent(self, points.with_ghosts(whole, disc), driving.free)

    def compliance(self, free: Array) -> Array:
        """Return the inverse of the reference modulus on the free part."""
        fixed = jnp.eye(len(free)) - free
        scale = jnp.trace(self.reference) / len(free)
        block = free @ self.reference @ free + scale * fixed
        return free @ jax.vmap(solve_small, in_axes=(None, 1), out_axes=1)(block, free)

    def precondition(self, compliance: Array, r: Unknowns) -> Unknowns:
        """Return the answer of the reference medium, with `compliance` of the free part."""
        disc = self.disc.reference
        if isinstance(self.green, BoundedGreen):
            z = bounded.precondition(disc, self.green, r.u)
        else:
            z = greens.precondition(disc, self.green, r.u)
        z = space.admit(self.disc, tuple(a.astype(float) for a in z))
        return Unknowns(z, compliance @ r.e)


class Tangent(eqx.Module):
    """The tangent operator at a state, with the moduli of all points stored.

    Attributes
    ----------
    moduli : (packed, point, *voxels with ghosts)
        Upper triangles row by row where all laws are symmetric, else whole matrices.
    """

    equations: Equations
    moduli: Array
    free: Array

    def __call__(self, w: Unknowns) -> Unknowns:
        """Return the change of (R, r) along w."""
        equations, disc = self.equations, self.equations.disc
        mean = self.free @ w.e / equations.root
        flux = self.fluxes(w.u, mean)
        forces = space.restrict(disc, points.forces(disc, flux))
        return Unknowns(forces, equations.root * self.free @ average(disc, flux))

    def fluxes(self, u: Field, mean: Array) -> Points:
        """Return the changes of the fluxes, ghosts included."""
        disc = self.equations.disc
        wrapped = jax.lax.optimization_barrier(tuple(stencil.wrap(a, disc.bounded) for a in u))
        size, symmetric = disc.components, self.equations.constituents.is_symmetric
        place = {entry: k for k, entry in enumerate(entries(size, symmetric))}
        if symmetric:
            place |= {(c, a): k for (a, c), k in place.items()}

        def products(moduli: Array, wrapped: Field, mean: Array) -> Points:
            g = points.gradients(disc, wrapped, mean)
            return [
                reduce(jnp.add, [moduli[place[a, c]] * g[c] for c in range(size)])
                for a in range(size)
            ]

        return stencil.alone(self.equations.key, products, self.moduli, wrapped, mean)


def average(disc: Discretisation, flux: Points) -> Array:
    """Return the volume average of fluxes that have ghosts."""
    upper = [-1 if a in disc.bounded else None for a in range(disc.dim)]
    inside = (slice(None), *(slice(1, end) for end in upper))
    return jnp.stack([jnp.mean(f[inside]) for f in flux])


def entries(size: int, symmetric: bool) -> list[tuple[int, int]]:
    """Return which entries (row, column) of a modulus are stored, in their order."""
    return [(a, c) for a in range(size) for c in range(a if symmetric else 0, size)]


@partial(jax.jit, static_argnames="disc")
def invert_reference(disc: Discretisation, modulus: Array) -> tuple[Array, ...] | BoundedGreen:
    """Return what inverts the reference medium, in single precision."""
    invert = greens.green_operator if disc.is_fourier else bounded.green_operator
    return invert(disc.reference, modulus, single=True)
