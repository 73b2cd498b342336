"""Aggregates of one crystal in all orientations."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.analytic._isotropic import constraint, eigenvalues, isotropic, projectors
from scalebridge.analytic._phases import check_law
from scalebridge.analytic._root import converged, fixed_point
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws import Kinematics, Law, LinearLaw
from scalebridge.laws._checks import concrete

ESTIMATES = ("voigt", "reuss", "hill", "lower", "upper", "self-consistent")


class Polycrystal(LinearLaw):
    """Isotropic aggregate of equiaxed grains of one crystal, all orientations alike.

    With ⟨·⟩ the average over all rotations and H(C⁰) Hill's constraint tensor of a sphere,

        C = ⟨(C_crystal + H)⁻¹⟩⁻¹ − H.

    ==================  ======================================================================
    estimate            what
    ==================  ======================================================================
    "voigt"             uniform strain, H → ∞: upper bound
    "reuss"             uniform stress, H = 0: lower bound
    "hill"              mean of the two, a rule of thumb
    "lower", "upper"    Hashin & Shtrikman's bounds, C⁰ the largest isotropic medium below and
                        the smallest above the crystal; elasticity: cubic crystals only
    "self-consistent"   Hershey & Kröner: C⁰ = C
    ==================  ======================================================================

    Valid for grains without texture and without correlation of shape and orientation. In 2D
    conduction the self-consistent estimate, √(k₁k₂), is exact (Dykhne 1970).

    Parameters
    ----------
    crystal : Law
        Linear law of the single crystal, positive definite; conduction or elasticity, 2D or 3D.
    estimate : str
        One of the table.

    Raises
    ------
    InputError
        When the estimate is unknown, the crystal is not positive definite, or Hashin and
        Shtrikman's elastic bounds are asked for a crystal that is not cubic.
    ConvergenceError
        When the self-consistent iteration fails.

    References
    ----------
    Hill (1952), Proc. Phys. Soc. A 65, 349-354. Hashin & Shtrikman (1962), J. Mech. Phys. Solids
    10, 343-352: cubic crystals; (1963), Phys. Rev. 130, 129-133: conduction. Hershey (1954), J.
    Appl. Mech. 21, 236-240; Kröner (1958), Z. Phys. 151, 504-518.

    Examples
    --------
    Copper [GPa]: shear moduli.

    >>> import scalebridge as sb
    >>> copper = sb.laws.Elastic.cubic(C11=168.4, C12=121.4, C44=75.4)
    >>> for estimate in ("reuss", "lower", "self-consistent", "upper", "voigt"):
    ...     C = sb.analytic.Polycrystal(copper, estimate).modulus
    ...     print(f"{estimate:16} {C[5, 5] / 2:.4f}")
    reuss            40.0339
    lower            45.9637
    self-consistent  48.1720
    upper            49.4452
    voigt            54.6400
    """

    crystal: Law
    estimate: str = eqx.field(static=True)

    def __init__(self, crystal: Any, estimate: str = "self-consistent") -> None:
        check_law("crystal", crystal)
        if estimate not in ESTIMATES:
            raise InputError(
                f"`estimate` must be one of {list(ESTIMATES)}, but is {estimate!r}"
                f"{did_you_mean(estimate, ESTIMATES)}"
            )
        self.crystal = crystal
        self.estimate = estimate

    def __check_init__(self) -> None:
        C = concrete(self.crystal.tangent())
        if C is None:
            return
        spectrum = np.linalg.eigvalsh(C)
        if spectrum[0] <= 1e-12 * spectrum[-1]:
            raise InputError(
                "`crystal` must be positive definite, but its eigenvalues range from "
                f"{spectrum[0]:.6g} to {spectrum[-1]:.6g}; grains that carry nothing are pores, "
                "for which take SelfConsistent"
            )
        if self.estimate in {"lower", "upper"} and self.kinematics.physics == "elasticity":
            spherical, deviatoric = projectors(self.kinematics)
            if np.linalg.norm(deviatoric @ C @ spherical) > 1e-8 * spectrum[-1]:
                raise InputError(
                    "`crystal` must be cubic for Hashin and Shtrikman's bounds, but under a "
                    "uniform dilatation it has shear stress; take 'voigt' and 'reuss'"
                )

    @property
    def kinematics(self) -> Kinematics:
        return self.crystal.kinematics

    @property
    def plane(self) -> str | None:
        """Plane state of the crystal: "strain", "stress" or None."""
        return getattr(self.crystal, "plane", None)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The estimate of the isotropic effective modulus."""
        return converged(
            _modulus(self, self.crystal.tangent()),
            "the self-consistent estimate of a Polycrystal",
            "check the crystal",
        )


@eqx.filter_jit
def _modulus(
    polycrystal: Polycrystal, C: Float[Array, "component component"]
) -> Float[Array, "component component"]:
    kinematics = polycrystal.kinematics
    voigt = eigenvalues(C, kinematics)

    def average(H: Float[Array, " eigenvalue"]) -> Float[Array, " eigenvalue"]:
        return 1 / eigenvalues(jnp.linalg.inv(C + isotropic(H, kinematics)), kinematics) - H

    match polycrystal.estimate:
        case "voigt":
            values = voigt
        case "reuss":
            values = average(jnp.zeros_like(voigt))
        case "hill":
            values = 0.5 * (voigt + average(jnp.zeros_like(voigt)))
        case "self-consistent":
            scale = jax.lax.stop_gradient(voigt.max())
            values = scale * fixed_point(
                lambda x: average(constraint(scale * x, kinematics)) / scale,
                voigt / scale,
                lambda x: jnp.all(x > 0),
            )
        case side:
            values = average(constraint(_comparison(C, kinematics, side), kinematics))
    return isotropic(values, kinematics)


def _comparison(
    C: Float[Array, "component component"], kinematics: Kinematics, side: str
) -> Float[Array, " eigenvalue"]:
    """Return the closest isotropic medium below or above a crystal of isotropic bulk modulus."""
    extreme = {"lower": jnp.min, "upper": jnp.max}[side]
    if kinematics.physics == "conduction":
        return extreme(jnp.linalg.eigvalsh(C))[None]
    bulk = eigenvalues(C, kinematics)[0]
    spherical, deviatoric = projectors(kinematics)
    # The bulk mode is put among the deviatoric ones, where it is neither smallest nor largest.
    shear = deviatoric @ C @ deviatoric
    middle = jnp.trace(shear) / (kinematics.size - 1)
    return jnp.stack([bulk, extreme(jnp.linalg.eigvalsh(shear + middle * spherical))])
