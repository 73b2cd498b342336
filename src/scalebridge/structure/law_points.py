"""Points of laws in closed form, and of linear cells, which are homogenised once."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell.sections import Section
from scalebridge.laws.protocol import Kinematics
from scalebridge.structure.answers import Answers, Points, Question
from scalebridge.structure.transforms import apply, complete, condense


class LinearPoints(Points):
    """Points of constant tangents: linear laws, and linear cells homogenised once."""

    def __init__(
        self,
        kinematics: Kinematics,
        moduli: np.ndarray,
        count: int,
        free: np.ndarray | None = None,
    ) -> None:
        self.kinematics, self.count, self.is_symmetric = kinematics, count, True
        self.moduli, self.completion = moduli, None
        if free is not None and free.any():
            self.moduli, self.completion = condense(moduli, free), complete(moduli, free)

    def one_virgin(self) -> Any:
        return ()

    def answer(self, question: Question) -> Answers:
        strains = question.gradients - self.kinematics.rest
        flux = apply(self.moduli, strains)
        zero = np.zeros(self.count)
        energy = 0.5 * np.sum(flux * strains, axis=1)
        seen = None
        if self.completion is not None:
            seen = apply(self.completion, strains)
        return Answers(
            flux, self.moduli, question.states, energy, zero, None, zero.astype(int), seen
        )


@eqx.filter_jit
def respond(
    section: Section, gradients: Array, turns: Array | None, states: Any, dt: Array
) -> tuple[Array, Any]:
    """Return tangents and responses of points."""

    def one(gradient: Array, turn: Array | None, state: Any) -> tuple[Array, Any]:
        def flux(g: Array) -> tuple[Array, Any]:
            answer = section.respond(g, turn, state, dt)
            return answer.flux, answer

        return jax.jacfwd(flux, has_aux=True)(gradient)

    return jax.vmap(one, in_axes=(0, None if turns is None or turns.ndim == 2 else 0, 0))(
        gradients, turns, states
    )


class LawPoints(Points):
    """Points of a law in closed form."""

    def __init__(self, section: Section, count: int, turns: np.ndarray | None) -> None:
        self.section, self.count = section, count
        self.turns = None if turns is None else jnp.asarray(turns)
        self.kinematics = section.kinematics
        self.is_symmetric = section.law.is_symmetric

    def one_virgin(self) -> Any:
        return self.section.initial_state()

    def answer(self, question: Question) -> Answers:
        gradients, dt = jnp.asarray(question.gradients), jnp.asarray(question.dt, float)
        slopes, answer = respond(self.section, gradients, self.turns, question.states, dt)
        return Answers(
            np.asarray(answer.flux),
            np.asarray(slopes),
            answer.state,
            np.asarray(answer.energy),
            np.asarray(answer.dissipation),
            None,
            np.zeros(self.count, int),
        )
