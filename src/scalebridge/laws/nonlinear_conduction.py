"""Conduction whose flux is not proportional to the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws._checks import as_array, check_range
from scalebridge.laws.protocol import Kinematics, Law, Response, State


class NonlinearConduction(Law):
    """Flux ∂Φ/∂(∇T) of a convex potential Φ(∇T).

    Heat, diffusion, dielectrics, electric conduction; the flux is the energy-conjugate one.

    Parameters
    ----------
    potential : callable
        ``Φ(gradient, *parameters)``, written with jax.numpy, convex and differentiable; the
        gradient has 2 or 3 components.
    parameters : sequence of float or array
        What Φ depends on; derivatives reach them.
    dim : 2 or 3
        Space dimension.
    isotropic : bool
        Whether Φ depends on |∇T| only; such a law serves 2D cells as well.

    Raises
    ------
    InputError
        When the potential is not callable.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import scalebridge as sb
    >>> law = sb.laws.NonlinearConduction(lambda g, k: 0.25 * k * jnp.sum(g * g) ** 2, [3.0])
    >>> law.respond([1.0, 0.0, 2.0], (), 1.0).flux.tolist()  # k |g|² g
    [15.0, 0.0, 30.0]
    """

    potential: Callable = eqx.field(static=True)
    parameters: tuple[jax.Array, ...]
    dim: int = eqx.field(static=True)
    isotropic: bool = eqx.field(static=True)

    def __init__(
        self, potential: Callable, parameters: Any = (), *, dim: int = 3, isotropic: bool = False
    ) -> None:
        self.potential = potential
        self.parameters = tuple(jnp.asarray(p, float) for p in parameters)
        self.dim, self.isotropic = dim, isotropic

    def __check_init__(self) -> None:
        if not callable(self.potential):
            raise InputError(f"`potential` must be a function, but is {self.potential!r}")
        if self.dim not in {2, 3}:
            raise InputError(f"`dim` must be 2 or 3, but is {self.dim!r}")

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("conduction", self.dim)

    @property
    def is_isotropic(self) -> bool:
        return self.isotropic

    def respond(
        self, gradient: Float[Array, " component"], state: State, dt: float | Array
    ) -> Response:
        """Flux and potential; nothing is dissipated in the energy's sense, or remembered."""
        gradient = jnp.asarray(gradient, float)
        energy, flux = jax.value_and_grad(self.potential)(gradient, *self.parameters)
        return Response(flux, state, energy, jnp.zeros(()))


class PowerLawConduction(Law):
    """Flux k (1 + (|∇T|/g₀)²)^((m − 1)/2) ∇T: linear at first, then as |∇T|ᵐ.

    From the potential k g₀²/(m + 1) ((1 + (|∇T|/g₀)²)^((m + 1)/2) − 1), which is convex.

    Parameters
    ----------
    k : float
        Conductivity ≥ 0 at small gradients.
    exponent : float [-]
        m ≥ 0: 0 saturates at the flux k g₀, 1 is linear, more grows faster.
    scale : float
        Gradient g₀ > 0 where the power law takes over.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    References
    ----------
    The form of Carreau (1972), Trans. Soc. Rheol. 16, 99-127, for a scalar field.
    """

    k: jax.Array
    exponent: jax.Array
    scale: jax.Array

    def __init__(self, k: Any, exponent: Any, scale: Any) -> None:
        self.k, self.exponent = as_array("k", k, ()), as_array("exponent", exponent, ())
        self.scale = as_array("scale", scale, ())

    def __check_init__(self) -> None:
        check_range("k", self.k, lowest=0)
        check_range("exponent", self.exponent, lowest=0)
        check_range("scale", self.scale, above=0)

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("conduction")

    @property
    def is_isotropic(self) -> bool:
        return True

    def respond(
        self, gradient: Float[Array, " component"], state: State, dt: float | Array
    ) -> Response:
        """Flux and potential; a gradient of two components will do."""
        gradient = jnp.asarray(gradient, float)
        g = [gradient[i] for i in range(gradient.shape[0])]
        square = sum(c * c for c in g) / (self.scale * self.scale)
        m = self.exponent
        conductivity = self.k * (1 + square) ** (0.5 * (m - 1))
        growth = jnp.expm1(0.5 * (m + 1) * jnp.log1p(square))
        energy = self.k * self.scale**2 / (m + 1) * growth
        return Response(jnp.stack([conductivity * c for c in g]), state, energy, jnp.zeros(()))
