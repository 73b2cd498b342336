"""What coated spheres and cylinders share: an isotropic core in an isotropic coating."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.analytic._isotropic import check_isotropic, eigenvalues
from scalebridge.analytic._phases import check_law, common_kinematics, moduli
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law, LinearLaw
from scalebridge.laws._checks import concrete

Scalar = Float[Array, ""]


class Coated(LinearLaw):
    """A core in a coating."""

    core: eqx.AbstractVar[Law]
    coating: eqx.AbstractVar[Law]
    fraction: eqx.AbstractVar[jax.Array]

    def __check_init__(self) -> None:
        check_law("core", self.core)
        check_law("coating", self.coating)
        kinematics = self.kinematics
        if kinematics.dim != 3:
            raise InputError(
                f"`core` and `coating` must be 3D, but are {kinematics.dim}D; in 2D coated discs "
                "are the bound HashinShtrikman"
            )
        both = moduli((self.core, self.coating))
        for name, law, modulus in zip(
            ("core", "coating"), (self.core, self.coating), both, strict=True
        ):
            check_isotropic(name, law, modulus, kinematics)
        values = concrete(both)
        if values is not None and not np.any(values[1]):
            raise InputError(
                "`coating` must carry something, but is void; a core in a void carries nothing"
            )

    @property
    def kinematics(self) -> Kinematics:
        return common_kinematics((self.core, self.coating))

    def _values(self) -> Float[Array, "2 eigenvalue"]:
        """Return the eigenvalues of core and coating, k or (3K, 2μ)."""
        return jnp.stack(
            [eigenvalues(C, self.kinematics) for C in moduli((self.core, self.coating))]
        )


def poisson_ratio(values: Float[Array, " 2"]) -> Scalar:
    """Return ν from (3K, 2μ); 0 for void."""
    x, y = values
    return (x - y) / jnp.where(x > 0, 2 * x + y, 1.0)


def positive_root(A: Scalar, B: Scalar, C: Scalar) -> Scalar:
    """Return x > 0 with A x² + 2 B x + C = 0, where A > 0 > C."""
    root = jnp.sqrt(B * B - A * C)
    # Of the two forms the one without cancellation.
    return jnp.where(B > 0, -C / jnp.where(B > 0, B + root, 1.0), (root - B) / A)
