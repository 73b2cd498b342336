"""Linear conduction: heat, diffusion, dielectrics, electric conduction."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws._checks import as_array, check_symmetric_semidefinite, concrete
from scalebridge.laws.protocol import Kinematics, LinearLaw


class Conduction(LinearLaw):
    """Flux k·∇T of a linear conductor.

    The same class serves heat conduction, diffusion, dielectrics and electric
    conduction. The flux is the energy-conjugate one, +k·∇T.

    Parameters
    ----------
    k : float or (3, 3) or (2, 2)
        Conductivity: a number ≥ 0 (0 is a perfect insulator) or a symmetric
        positive semidefinite tensor. A (2, 2) tensor serves 2D cells only.

    Raises
    ------
    InputError
        When k is negative, not finite, or a tensor that is not symmetric
        positive semidefinite.

    Examples
    --------
    >>> import scalebridge as sb
    >>> sb.laws.Conduction(129.0).respond([1.0, 0.0, 0.0], (), 1.0).flux.tolist()
    [129.0, 0.0, 0.0]
    """

    k: jax.Array

    def __init__(self, k: Any) -> None:
        self.k = as_array("k", k, (), (2, 2), (3, 3))

    def __check_init__(self) -> None:
        value = concrete(self.k)
        if value is not None and value.ndim == 0 and value < 0:
            raise InputError(
                f"`k` must be ≥ 0, but is {float(value):g}; a perfect insulator has k = 0"
            )
        check_symmetric_semidefinite("k", self.k, "positive semidefinite")

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("conduction", jnp.shape(self.k)[0] if jnp.ndim(self.k) else 3)

    @property
    def is_isotropic(self) -> bool:
        return jnp.ndim(self.k) == 0

    @property
    def modulus(self) -> Float[Array, "component component"]:
        return self.k * jnp.eye(3) if jnp.ndim(self.k) == 0 else self.k
