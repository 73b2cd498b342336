"""The laws of the phases at the integration points of a cell.

A field at points is (component, point, voxel); states are stored phase by phase, with the
phase's points as last axis. Each phase is evaluated at its own points only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell.sections import Section
from scalebridge.laws.protocol import Response

States = tuple[Any, ...]


class AtPoints(NamedTuple):
    """What the laws answer.

    Attributes
    ----------
    flux : (component, point, voxel)
    states : tuple of pytrees, one for each phase
    energy, dissipation : (point, voxel)
    """

    flux: Array
    states: States
    energy: Array
    dissipation: Array


class Places(NamedTuple):
    """Where the phases are.

    Attributes
    ----------
    voxels : tuple of (n,) int
        Voxels of each phase, in the flattened image.
    order : (voxel,) int
        Where each voxel is found when the phases are strung together.
    """

    voxels: tuple[Array, ...]
    order: Array


def find_places(labels: np.ndarray, phases: int) -> Places:
    """Find the voxels of each phase in an image of labels."""
    flat = labels.ravel()
    found = [np.flatnonzero(flat == phase) for phase in range(phases)]
    order = np.empty(flat.size, np.int32)
    order[np.concatenate(found)] = np.arange(flat.size)
    return Places(tuple(jnp.asarray(f, jnp.int32) for f in found), jnp.asarray(order))


def _spread(count: int, value: Array) -> Array:
    """Return a value for each of the points, as last axis."""
    return jnp.broadcast_to(jnp.asarray(value)[..., None], (*jnp.shape(value), count))


@eqx.filter_jit
def _respond(
    section: Section,
    gradient: Array,
    turn: Array | None,
    turns_with: int | None,
    state: Any,
    dt: Array,
) -> Response:
    """Evaluate a law at many points; traced once, however often a program evaluates it."""
    batched = jax.vmap(section.respond, in_axes=(-1, turns_with, -1, None), out_axes=-1)
    return batched(gradient, turn, state, dt)


class Constituents(eqx.Module):
    """Sections of the phases' laws, and where they are.

    Attributes
    ----------
    sections : tuple of Section
        In the order of the labels.
    turns : tuple of None, (3, 3) or (3, 3, voxel of the phase)
        Rotations of the materials.
    places : Places
    points : int
        Integration points of a voxel.
    """

    sections: tuple[Section, ...]
    turns: tuple[Array | None, ...]
    places: Places
    points: int = eqx.field(static=True)

    @property
    def is_symmetric(self) -> bool:
        """Whether all tangents are symmetric."""
        return all(section.law.is_symmetric for section in self.sections)

    def initial_states(self) -> States:
        """States of the virgin materials."""
        return tuple(
            jax.tree.map(partial(_spread, len(where) * self.points), section.initial_state())
            for section, where in zip(self.sections, self.places.voxels, strict=True)
        )

    def respond(self, gradient: Array, states: States, dt: Array) -> AtPoints:
        """Evaluate the laws under gradients (component, point, voxel)."""
        answers = [
            self._batch(phase, states[phase], dt)(self._gather(gradient, phase))
            for phase in range(len(self.sections))
        ]
        return AtPoints(
            self._string([answer.flux for answer in answers]),
            tuple(answer.state for answer in answers),
            self._string([answer.energy for answer in answers]),
            self._string([answer.dissipation for answer in answers]),
        )

    def flux(self, gradient: Array, states: States, dt: Array) -> Array:
        """Evaluate the fluxes alone."""
        return self._string(
            [
                self._batch(phase, states[phase], dt)(self._gather(gradient, phase)).flux
                for phase in range(len(self.sections))
            ]
        )

    def tangent(
        self, gradient: Array, states: States, dt: Array, entries: Sequence[tuple[int, int]]
    ) -> Array:
        """Return entries (row, column) of ∂flux/∂gradient, (entry, point, voxel)."""
        size = gradient.shape[0]
        packed = []
        for phase in range(len(self.sections)):
            here = self._gather(gradient, phase)
            respond = self._batch(phase, states[phase], dt)
            _, along = jax.linearize(lambda g, f=respond: f(g).flux, here)
            units = jnp.broadcast_to(jnp.eye(size)[..., None], (size, *here.shape))
            columns = jax.vmap(along)(units)
            packed.append(jnp.stack([columns[column, row] for row, column in entries]))
        return self._string(packed)

    def _batch(self, phase: int, state: Any, dt: Array) -> Callable[[Array], Any]:
        """Return the response of all points of a phase, (component, point of the phase)."""
        section, turn = self.sections[phase], self.turns[phase]
        turns_with = None  # one turn, or none, for all points
        if turn is not None and turn.ndim == 3:
            turn, turns_with = jnp.tile(turn, (1, 1, self.points)), -1
        return lambda gradient: _respond(section, gradient, turn, turns_with, state, dt)

    def _gather(self, field: Array, phase: int) -> Array:
        """Return (…, point of the phase) of a field (…, point, voxel)."""
        if len(self.sections) > 1:
            field = field.at[..., self.places.voxels[phase]].get(mode="promise_in_bounds")
        return field.reshape(*field.shape[:-2], -1)

    def _string(self, parts: list[Array]) -> Array:
        """Put fields of the phases (…, point of the phase) together to (…, point, voxel)."""
        shaped = [p.reshape(*p.shape[:-1], self.points, -1) for p in parts]
        if len(shaped) == 1:
            return shaped[0]
        whole = jnp.concatenate(shaped, axis=-1)
        return whole.at[..., self.places.order].get(mode="promise_in_bounds")
