"""Plane states of a three-dimensional elastic law: laws of two-dimensional cells."""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws._linalg import pseudo_inverse, symmetric
from scalebridge.laws.protocol import Kinematics, Law, LinearLaw

_IN = np.array([0, 1, 5])  # 11, 22, 12
_OUT = np.array([2, 3, 4])  # 33, 23, 13


def plane_stress(C: Float[Array, "6 6"]) -> Float[Array, "3 3"]:
    """Return C_pp − C_pz C_zz⁻¹ C_zp, with p the components 11, 22, 12; void stays void."""
    coupling = C[np.ix_(_IN, _OUT)]
    across = pseudo_inverse(C[np.ix_(_OUT, _OUT)])
    return symmetric(C[np.ix_(_IN, _IN)] - coupling @ across @ coupling.T)


class _Plane(LinearLaw):
    """What the two plane states share."""

    law: eqx.AbstractVar[Law]

    def __check_init__(self) -> None:
        name, law = type(self).__name__, self.law
        if not isinstance(law, Law):
            raise InputError(f"`law` of {name} must be a Law, but is {law!r}; see sb.laws")
        if law.kinematics != Kinematics("elasticity", 3) or not law.is_linear:
            raise InputError(
                f"`law` of {name} must be a linear elastic law in 3D, but is a "
                f"{type(law).__name__} of {law.kinematics}; pass e.g. an IsotropicElastic"
            )

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("elasticity", 2)

    @property
    def is_isotropic(self) -> bool:
        return self.law.is_isotropic

    @property
    @abc.abstractmethod
    def modulus(self) -> Float[Array, "3 3"]:
        """In-plane stiffness, Mandel order 11, 22, 12."""


class PlaneStrain(_Plane):
    """A body that cannot extend along axis 3: C restricted to 11, 22, 12.

    Assumes ε₃₃ = ε₂₃ = ε₁₃ = 0, as in a long body between rigid ends. The stress across the
    plane is not part of the answer.

    Parameters
    ----------
    law : Law
        Linear elastic law in 3D, of any symmetry.

    Raises
    ------
    InputError
        When the law is not linear elastic in 3D.

    Examples
    --------
    >>> import scalebridge as sb
    >>> law = sb.laws.PlaneStrain(sb.laws.IsotropicElastic(E=2.5, nu=0.25))  # λ = μ = 1
    >>> law.modulus.round(6).tolist()
    [[3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 2.0]]
    """

    law: Law
    plane: ClassVar[str] = "strain"

    @property
    def modulus(self) -> Float[Array, "3 3"]:
        """In-plane stiffness, Mandel order 11, 22, 12."""
        return self.law.tangent()[np.ix_(_IN, _IN)]


class PlaneStress(_Plane):
    """A thin sheet that is free across: Q = C_pp − C_pz C_zz⁻¹ C_zp.

    p stands for the components 11, 22, 12 and z for 33, 23, 13, of which the stresses vanish.
    An isotropic law keeps μ, and λ becomes λ* = 2λμ/(λ + 2μ). Void stays void.

    Valid where the sheet is thin against the in-plane length of whatever varies, the
    microstructure included; a sheet as thick as its inclusions are wide is a 3D problem.

    Parameters
    ----------
    law : Law
        Linear elastic law in 3D, of any symmetry.

    Raises
    ------
    InputError
        When the law is not linear elastic in 3D.

    Notes
    -----
    The derivative with respect to the modulus of a void is finite, but not that of the limit,
    which depends on the direction from which void is approached.

    References
    ----------
    Lekhnitskii (1968), Anisotropic Plates: reduced stiffnesses.

    Examples
    --------
    >>> import scalebridge as sb
    >>> law = sb.laws.PlaneStress(sb.laws.IsotropicElastic(E=2.5, nu=0.25))
    >>> law.modulus.round(6).tolist()  # E/(1 − ν²), νE/(1 − ν²), 2μ
    [[2.666667, 0.666667, 0.0], [0.666667, 2.666667, 0.0], [0.0, 0.0, 2.0]]
    """

    law: Law
    plane: ClassVar[str] = "stress"

    @property
    def modulus(self) -> Float[Array, "3 3"]:
        """In-plane stiffness, Mandel order 11, 22, 12."""
        return plane_stress(self.law.tangent())
