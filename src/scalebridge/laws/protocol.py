"""The Law protocol: what every scale speaks to the one above."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge import tensors

State = Any  # a pytree of arrays; () when there is no memory


@dataclass(frozen=True)
class Kinematics:
    """What a law takes and gives.

    Attributes
    ----------
    physics : "conduction", "elasticity" or "finite strain"
        Gradient of a scalar field; small strain and stress in Mandel components; deformation
        gradient F and first Piola-Kirchhoff stress P, row by row (F[i, J] at i dim + J).
    dim : 2 or 3
        Space dimension of the gradient.
    """

    physics: str
    dim: int = 3

    @property
    def size(self) -> int:
        """Number of components of the gradient and of the flux."""
        if self.physics == "finite strain":
            return self.dim**2
        return self.dim if self.physics == "conduction" else self.dim * (self.dim + 1) // 2

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the components: "1", …; "11", "22", … in Mandel order; "11", "12", … of F."""
        if self.physics == "conduction":
            return tuple(str(i + 1) for i in range(self.dim))
        if self.physics == "finite strain":
            return tuple(f"{i + 1}{j + 1}" for i in range(self.dim) for j in range(self.dim))
        return tensors.component_names(self.dim)

    @property
    def small(self) -> Kinematics:
        """The same at small strain."""
        return Kinematics("elasticity", self.dim) if self.physics == "finite strain" else self

    @property
    def rest(self) -> np.ndarray:
        """Gradient of the undeformed point: zero, but the identity in finite strain."""
        if self.physics == "finite strain":
            return np.eye(self.dim).ravel()
        return np.zeros(self.size)


class Response(NamedTuple):
    """Answer of a law to a gradient over a time step.

    Attributes
    ----------
    flux : (component,)
        The energy-conjugate flux: stress, or k·∇T (Fourier's minus belongs to reports). NaN
        where the law has no answer: a local iteration that failed, matter turned inside out.
    state : pytree
        State at the end of the step.
    energy : ()
        Stored energy density ψ at the end of the step.
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

    @property
    def is_symmetric(self) -> bool:
        """Whether the consistent tangent is symmetric, as of every standard material."""
        return True

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
            Where to linearise; the undeformed point by default.
        state : pytree, optional
            State at the start of the step; the virgin material by default.
        dt : float
            Time step.
        """
        at = jnp.asarray(self.kinematics.rest if gradient is None else gradient, float)
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
