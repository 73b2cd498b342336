"""Finite strain: what hyperelastic laws share."""

from __future__ import annotations

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.laws._matrix3 import Nine, Scalar, determinant
from scalebridge.laws.protocol import Kinematics, Law, Response, State


class Hyperelastic(Law):
    """A law P = ∂W/∂F of finite strain; a new one gives `stored_energy`.

    F and P are 3 × 3, row by row: F[i, J] = ∂x_i/∂X_J at 3 i + J. Where J = det F ≤ 0, flux
    and energy are NaN: no such state exists.
    """

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("finite strain")

    @abc.abstractmethod
    def stored_energy(self, F: Nine) -> Scalar:
        """W per volume of the undeformed body, from the nine components of F.

        Where J ≤ 0 it may be anything, but not NaN in its derivatives.
        """

    def respond(self, gradient: Float[Array, " 9"], state: State, dt: float | Array) -> Response:
        """First Piola-Kirchhoff stress and stored energy; nothing is dissipated or remembered."""
        array = jnp.asarray(gradient, float)
        F = tuple(array[i] for i in range(9))
        energy, flux = self._energy_and_stress(F)
        exists = (determinant(F) > 0) & jnp.isfinite(energy)
        return Response(
            jnp.stack([jnp.where(exists, P, jnp.nan) for P in flux]),
            state,
            jnp.where(exists, energy, jnp.nan),
            jnp.zeros(()),
        )

    def _energy_and_stress(self, F: Nine) -> tuple[Scalar, Nine]:
        return jax.value_and_grad(self.stored_energy)(F)
