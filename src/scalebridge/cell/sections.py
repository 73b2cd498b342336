"""What a cell sees of a law: turned with the material, cut down to the cell's components.

A two-dimensional cell shows a three-dimensional law the components that lie in its plane.
The others are at rest (plane strain; F₃₃ = 1), or, in plane stress, whatever makes their
stresses vanish: three unknowns that the section finds point by point.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge import tensors
from scalebridge.laws.protocol import Kinematics, Law, Response

_PLANE = {
    "conduction": np.array([0, 1]),
    "elasticity": np.array([0, 1, 5]),  # 11, 22, 12
    "finite strain": np.array([0, 1, 3, 4]),  # F11, F12, F21, F22
}
_ACROSS = np.array([2, 3, 4])  # 33, 23, 13
_TOLERANCE = 1e-12  # of the stress in the plane
_ITERATIONS = 30


class Section(eqx.Module):
    """A law as the points of a cell see it.

    Parameters
    ----------
    law : Law
    kinematics : Kinematics
        Of the cell.
    plane : str or None
        "stress" makes the stresses 33, 23, 13 vanish.
    """

    law: Law
    kinematics: Kinematics = eqx.field(static=True)
    plane: str | None = eqx.field(static=True)

    @property
    def is_flat(self) -> bool:
        """Whether the law has components that the cell has not."""
        return self.law.kinematics.size > self.kinematics.size

    def initial_state(self) -> Any:
        """State of the virgin material; in plane stress with the strains across."""
        state = self.law.initial_state()
        return (state, jnp.zeros(3)) if self._is_stress_free else state

    @property
    def _is_stress_free(self) -> bool:
        return self.plane == "stress" and self.is_flat

    def respond(self, gradient: Array, turn: Array | None, state: Any, dt: Array) -> Response:
        """Response at one point, in the cell's components.

        Parameters
        ----------
        gradient : (component,)
        turn : (3, 3) or None
            Rotation that takes the material's axes to those of the image.
        """
        if not self.is_flat:
            return self._turned(gradient, turn, state, dt)
        keep = _PLANE[self.kinematics.physics]
        whole = jnp.asarray(self.law.kinematics.rest).at[keep].set(gradient)
        if not self._is_stress_free:
            answer = self._turned(whole, turn, state, dt)
            return answer._replace(flux=answer.flux[keep])
        own, across = state

        def at(unknown: Array, in_plane: Array) -> Response:
            whole = jnp.zeros(6).at[keep].set(in_plane).at[_ACROSS].set(unknown)
            return self._turned(whole, turn, own, dt)

        found, slope = _vanish(lambda z: at(z, gradient), jax.lax.stop_gradient(across))
        # One differentiable Newton step from the solution carries its derivatives.
        found = found - _solve3(slope, at(found, gradient).flux[_ACROSS])
        answer = at(found, gradient)
        return answer._replace(flux=answer.flux[keep], state=(answer.state, found))

    def _turned(self, gradient: Array, turn: Array | None, state: Any, dt: Array) -> Response:
        if turn is None:
            return self.law.respond(gradient, state, dt)
        there, back = _turns(self.law.kinematics.physics, turn)
        answer = self.law.respond(there(gradient), state, dt)
        return answer._replace(flux=back(answer.flux))


def _turns(physics: str, R: Array) -> tuple[Any, Any]:
    """Return how gradients go to the material's axes, and fluxes back."""
    if physics == "conduction":
        return lambda g: R.T @ g, lambda q: R @ q
    if physics == "elasticity":
        Q = tensors.mandel_rotation(R)
        return lambda e: Q.T @ e, lambda s: Q @ s
    # Material axes turn in the reference placement: P(F) = P₀(F R) Rᵀ.
    return (
        lambda F: (F.reshape(3, 3) @ R).ravel(),
        lambda P: (P.reshape(3, 3) @ R.T).ravel(),
    )


class _Iterate(NamedTuple):
    """Strains across, the stresses there, their slope, the size of all stresses."""

    z: Array
    off: Array
    slope: Array
    size: Array
    steps: Array | int


def _vanish(respond: Any, start: Array) -> tuple[Array, Array]:
    """Return the strains across at which the stresses across vanish, by Newton's method.

    Also the slope of the stresses there. Constants to whoever differentiates.
    """

    def flux(z: Array) -> tuple[Array, Array]:
        found = respond(z).flux
        return found[_ACROSS], found

    def unfinished(it: _Iterate) -> Array:
        return (jnp.max(jnp.abs(it.off)) > _TOLERANCE * it.size) & (it.steps < _ITERATIONS)

    def step(it: _Iterate) -> _Iterate:
        z = it.z - _solve3(it.slope, it.off)
        slope, whole = jax.jacfwd(flux, has_aux=True)(z)
        return _Iterate(z, whole[_ACROSS], slope, jnp.sqrt(jnp.sum(whole**2)), it.steps + 1)

    # The first step stays where it is.
    first = _Iterate(start, jnp.zeros(3), jnp.eye(3), -jnp.ones(()), 0)
    it = jax.lax.while_loop(unfinished, step, first)
    # Newton's last step may stay above the tolerance by rounding; far above it has failed.
    good = jnp.max(jnp.abs(it.off)) <= 1e3 * _TOLERANCE * it.size
    return jax.lax.stop_gradient((jnp.where(good, it.z, jnp.nan), it.slope))


def _solve3(A: Array, b: Array) -> Array:
    """Solve a 3×3 system by cofactors."""
    a, c, d = A
    cofactors = jnp.stack([jnp.cross(c, d), jnp.cross(d, a), jnp.cross(a, c)], axis=1)
    return cofactors @ b / jnp.dot(a, jnp.cross(c, d))
