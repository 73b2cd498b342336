"""The Law protocol: what every scale speaks to the one above."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

State = Any  # a pytree of arrays; () when there is no memory


@dataclass(frozen=True)
class Kinematics:
    """What a law takes and gives.

    Attributes
    ----------
    physics : "conduction" or "elasticity"
        Gradient of a scalar field, or small strain in Mandel components.
    dim : 2 or 3
        Space dimension of the gradient.
    """

    physics: str
    dim: int = 3

    @property
    def size(self) -> int:
        """Number of components of the gradient and of the flux."""
        return self.dim if self.physics == "conduction" else self.dim * (self.dim + 1) // 2


class Response(NamedTuple):
    """Answer of a law to a gradient over a time step.

    Attributes
    ----------
    flux : (component,)
        The energy-conjugate flux: stress, or k·∇T (Fourier's minus belongs to reports).
    state : pytree
        State at the end of the step.
    energy : ()
        Stored energy density ψ.
    dissipation : ()
        Energy density dissipated during the step, ≥ 0.
    """

    flux: Float[Array, " component"]
    state: State
    energy: Float[Array, ""]
    dissipation: Float[Array, ""]


class Law(eqx.Module):
    """How one material point responds; a whole field responds by ``jax.vmap``."""

    @property
    @abc.abstractmethod
    def kinematics(self) -> Kinematics:
        """What the law takes and gives."""

    @property
    def is_linear(self) -> bool:
        """Whether the flux is a linear function of the gradient, without memory."""
        return False

    @property
    def is_isotropic(self) -> bool:
        """Whether the response is the same in all directions, known from the law's class."""
        return False

    def initial_state(self) -> State:
        """State of the virgin material."""
        return ()

    @abc.abstractmethod
    def respond(
        self, gradient: Float[Array, " component"], state: State, dt: float | Array
    ) -> Response:
        """Flux, new state, stored energy and dissipation for a gradient."""

    def tangent(
        self, gradient: Any = None, state: State = None, dt: float | Array = 1.0
    ) -> Float[Array, "component component"]:
        """Consistent tangent ∂flux/∂gradient, by forward-mode differentiation.

        Parameters
        ----------
        gradient : (component,), optional
            Where to linearise; zero by default.
        state : pytree, optional
            State at the start of the step; the virgin material by default.
        dt : float
            Time step.
        """
        at = jnp.zeros(self.kinematics.size) if gradient is None else jnp.asarray(gradient, float)
        start = self.initial_state() if state is None else state
        return jax.jacfwd(lambda g: self.respond(g, start, dt).flux)(at)


class LinearLaw(Law):
    """A law whose flux is a constant symmetric matrix times the gradient."""

    @property
    @abc.abstractmethod
    def modulus(self) -> Float[Array, "component component"]:
        """The constant tangent; in mechanics in Mandel components."""

    @property
    def is_linear(self) -> bool:
        return True

    def respond(
        self, gradient: Float[Array, " component"], state: State, dt: float | Array
    ) -> Response:
        """Flux C·g and stored energy ½ g·C·g; nothing is dissipated or remembered."""
        gradient = jnp.asarray(gradient, dtype=float)
        flux = self.modulus @ gradient
        return Response(flux, state, 0.5 * gradient @ flux, jnp.zeros(()))

    def tangent(
        self, gradient: Any = None, state: State = None, dt: float | Array = 1.0
    ) -> Float[Array, "component component"]:
        """Return the modulus: the same tangent everywhere."""
        return self.modulus
