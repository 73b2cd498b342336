"""A material point under uniaxial stress: one component prescribed, the lateral ones free."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.errors import ConvergenceError
from scalebridge.laws.protocol import Law, State

_CAP = 40
_TOLERANCE = 1e-12  # of the lateral flux, relative to tangent times gradient


class Drive(NamedTuple):
    """What a driven point did: one row for each step."""

    gradient: np.ndarray
    flux: np.ndarray
    energy: np.ndarray
    dissipation: np.ndarray


def uniaxial(law: Law, values: np.ndarray, dt: float = 1.0) -> Drive:
    """Prescribe component 11 of the gradient, step by step, and keep the lateral fluxes zero.

    Parameters
    ----------
    law : Law
        In 3D: in mechanics the free components are the normal ones and the shears, in finite
        strain the normal ones of F; in conduction all components are prescribed as zero.
    values : (step,)
        ε₁₁, F₁₁, or the first component of ∇T.
    dt : float
        Time of a step.

    Raises
    ------
    ConvergenceError
        When no lateral gradient is found; take smaller steps.
    """
    free = {"elasticity": [1, 2, 3, 4, 5], "finite strain": [4, 8]}.get(law.kinematics.physics, [])
    gradient, state = np.array(law.kinematics.rest, float), law.initial_state()
    rows = []
    for number, value in enumerate(values):
        gradient[0] = value
        for _ in range(_CAP):
            response, tangent = (
                jax.tree.map(np.asarray, part) for part in _probe(law, gradient, state, dt)
            )
            scale = np.abs(tangent).max() * np.abs(gradient).max()
            if not np.any(np.abs(response.flux[free]) > _TOLERANCE * scale):
                break
            gradient[free] -= np.linalg.solve(tangent[np.ix_(free, free)], response.flux[free])
        else:
            raise ConvergenceError(
                f"no lateral gradient was found at step {number}; take more steps"
            )
        state = response.state
        rows.append(Drive(gradient.copy(), response.flux, response.energy, response.dissipation))
    return Drive(*(np.stack(column) for column in zip(*rows, strict=True)))


@jax.jit
def _probe(law: Law, gradient: jax.Array, state: State, dt: float) -> tuple:
    return law.respond(gradient, state, jnp.asarray(dt)), law.tangent(gradient, state, dt)
