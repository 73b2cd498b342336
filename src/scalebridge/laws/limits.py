"""The two limits of a phase: nothing, and rigid."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws.protocol import Kinematics, LinearLaw


class Void(LinearLaw):
    """No material: zero flux whatever the gradient. The exact limit, in any physics.

    Parameters
    ----------
    physics : "conduction", "elasticity" or "finite strain"
        A cell adapts it to its other phases.
    """

    physics: str = eqx.field(static=True)

    def __init__(self, physics: str = "elasticity") -> None:
        self.physics = _physics(physics)

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics(self.physics)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "component component"]:
        size = self.kinematics.size
        return jnp.zeros((size, size))


class Rigid(LinearLaw):
    """A phase much stiffer, or much more conductive, than all others.

    It is approximated: the cell replaces it by an isotropic law `factor` times
    the largest modulus of its other phases, and says so in its warnings. The
    error of the effective tensor is of the order 1/factor, unless the phase
    percolates: then the result is the factor's, and the cell warns of that.

    Parameters
    ----------
    factor : float
        Ratio to the largest eigenvalue of the other phases' moduli, > 1.
    physics : "conduction", "elasticity" or "finite strain"
        A cell adapts it to its other phases.
    scale : float
        Largest modulus of the others; set by the cell.
    """

    factor: float = eqx.field(static=True)
    physics: str = eqx.field(static=True)
    scale: Float[Array, ""]

    def __init__(
        self, factor: float = 1e4, physics: str = "elasticity", scale: float | Array = 1.0
    ) -> None:
        if not isinstance(factor, int | float):
            raise InputError(f"`factor` must be a number, but is {factor!r}; 1e4 is usual")
        self.factor = factor
        self.physics = _physics(physics)
        self.scale = jnp.asarray(scale, float)

    def __check_init__(self) -> None:
        if not 1 < self.factor < 1e12:
            raise InputError(
                f"`factor` must lie between 1 and 1e12, but is {self.factor:g}; 1e4 is usual"
            )

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics(self.physics)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "component component"]:
        return self.factor * self.scale * jnp.eye(self.kinematics.size)


def _physics(physics: str) -> str:
    known = ("conduction", "elasticity", "finite strain")
    if physics not in known:
        raise InputError(f"`physics` must be one of {list(known)}, but is {physics!r}")
    return physics
