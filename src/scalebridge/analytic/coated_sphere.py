"""Coated spheres of all sizes, and the generalised self-consistent scheme."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._coated import Coated, Scalar, poisson_ratio, positive_root
from scalebridge.analytic._isotropic import constraint, isotropic
from scalebridge.analytic._phases import as_fraction
from scalebridge.analytic.hashin_shtrikman import constrained_mean
from scalebridge.laws import Law


class CoatedSphere(Coated):
    """Spheres coated by the matrix, filling space: an isotropic particulate composite.

    ==============  ============================================================================
    entry           what
    ==============  ============================================================================
    conductivity k  exact for the assemblage of coated spheres of all sizes (Hashin & Shtrikman
                    1962)
    bulk modulus K  exact for the same assemblage (Hashin 1962)
    shear modulus   the generalised self-consistent scheme: one coated sphere in the effective
                    medium (Christensen & Lo 1979); for the assemblage itself only bounds exist
    ==============  ============================================================================

    k and K are Hashin and Shtrikman's bounds with the coating as comparison medium. Right up to
    fraction 1, also for rigid and for empty cores, where spheres are graded in size; monodisperse
    packings end at 0.64 and are stiffer close to it.

    Parameters
    ----------
    core, coating : Law
        Isotropic linear laws in 3D; the core may be void.
    fraction : float
        Volume fraction of the cores [-].

    Raises
    ------
    InputError
        When a law is not isotropic, or not 3D, or the coating is void.

    References
    ----------
    Hashin (1962), J. Appl. Mech. 29, 143-150. Christensen & Lo (1979), J. Mech. Phys. Solids 27,
    315-330, with the erratum in 34, 639; coefficients as in Christensen (1990), ibid. 38, 379-404.

    Examples
    --------
    >>> import scalebridge as sb
    >>> glass = sb.laws.IsotropicElastic(E=72.0, nu=0.22)
    >>> epoxy = sb.laws.IsotropicElastic(E=2.75, nu=0.35)
    >>> C = sb.analytic.CoatedSphere(glass, epoxy, 0.3).modulus
    >>> print(f"K = {C[:3, :3].mean():.4f}, G = {C[5, 5] / 2:.4f}")
    K = 4.6884, G = 1.9505
    """

    core: Law
    coating: Law
    fraction: jax.Array

    def __init__(self, core: Any, coating: Any, fraction: Any) -> None:
        self.core, self.coating = core, coating
        self.fraction = as_fraction(fraction)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The effective modulus."""
        return _modulus(self, self._values())


@eqx.filter_jit
def _modulus(
    model: CoatedSphere, values: Float[Array, "2 eigenvalue"]
) -> Float[Array, "component component"]:
    f, kinematics = model.fraction, model.kinematics
    H = constraint(values[1], kinematics)
    assemblage = constrained_mean(values, jnp.stack([f, 1 - f]), H)
    if kinematics.physics == "conduction":
        return isotropic(assemblage, kinematics)
    shear = values[1, 1] * _shear_ratio(
        values[0, 1] / values[1, 1], poisson_ratio(values[0]), poisson_ratio(values[1]), f
    )
    return isotropic(jnp.stack([assemblage[0], shear]), kinematics)


def _shear_ratio(g: Scalar, nu_i: Scalar, nu: Scalar, c: Scalar) -> Scalar:
    """Return G/G_coating for G_core/G_coating = g (Christensen & Lo 1979, spheres)."""
    h = g - 1
    eta1 = (49 - 50 * nu_i * nu) * h + 35 * g * (nu_i - 2 * nu) + 35 * (2 * nu_i - nu)
    eta2 = 5 * nu_i * (g - 8) + 7 * (g + 4)
    eta3 = g * (8 - 10 * nu) + (7 - 5 * nu)
    cubic = jnp.cbrt(c)
    c53, c73, c103 = cubic**5, cubic**7, cubic**10
    middle = 2 * (63 * h * eta2 + 2 * eta1 * eta3) * c73 - 252 * h * eta2 * c53
    A = (
        8 * h * (4 - 5 * nu) * eta1 * c103
        - middle
        - 50 * h * (7 - 12 * nu + 8 * nu**2) * eta2 * c
        + 4 * (7 - 10 * nu) * eta2 * eta3
    )
    B = (
        -2 * h * (1 - 5 * nu) * eta1 * c103
        + middle
        + 75 * h * (3 - nu) * eta2 * nu * c
        + 1.5 * (15 * nu - 7) * eta2 * eta3
    )
    C = (
        4 * h * (5 * nu - 7) * eta1 * c103
        - middle
        + 25 * h * (nu**2 - 7) * eta2 * c
        - (7 + 5 * nu) * eta2 * eta3
    )
    return positive_root(A, B, C)
