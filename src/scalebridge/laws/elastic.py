"""Linear elasticity, isotropic and anisotropic, in Mandel components."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge import tensors
from scalebridge.errors import InputError
from scalebridge.laws._checks import as_array, as_axis, check_symmetric_semidefinite, concrete
from scalebridge.laws.protocol import Kinematics, LinearLaw

_TRACE = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


class IsotropicElastic(LinearLaw):
    """Hooke's law σ = λ tr(ε) 1 + 2μ ε.

    Parameters
    ----------
    E : float
        Young's modulus ≥ 0 [stress]; 0 is void.
    nu : float
        Poisson's ratio, −1 < nu < ½ [-].

    Raises
    ------
    InputError
        When E is negative or nu lies outside its range.
    """

    E: jax.Array
    nu: jax.Array

    def __init__(self, E: Any, nu: Any) -> None:
        self.E = as_array("E", E, ())
        self.nu = as_array("nu", nu, ())

    def __check_init__(self) -> None:
        young, poisson = concrete(self.E), concrete(self.nu)
        if young is not None and young < 0:
            raise InputError(f"`E` must be ≥ 0, but is {float(young):g}; void has E = 0")
        if poisson is not None and not -1 < poisson < 0.5:
            raise InputError(
                f"`nu` must lie in -1 < nu < 0.5, but is {float(poisson):g}; for a nearly "
                "incompressible material take e.g. 0.499 and the element 'bbar'"
            )

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("elasticity")

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "6 6"]:
        mu = self.E / (2 * (1 + self.nu))
        lam = self.E * self.nu / ((1 + self.nu) * (1 - 2 * self.nu))
        return lam * np.outer(_TRACE, _TRACE) + 2 * mu * np.eye(6)


class Elastic(LinearLaw):
    """Hooke's law σ = C : ε with any stiffness.

    Parameters
    ----------
    stiffness : (6, 6) [stress]
        In Mandel components, order 11, 22, 33, 23, 13, 12: symmetric positive
        definite. From Voigt constants use `from_voigt` or a helper by class.

    Raises
    ------
    InputError
        When the stiffness is not symmetric positive definite.
    """

    stiffness: jax.Array

    def __init__(self, stiffness: Any) -> None:
        self.stiffness = as_array("stiffness", stiffness, (6, 6))

    def __check_init__(self) -> None:
        check_symmetric_semidefinite("stiffness", self.stiffness, "positive definite")
        values = concrete(self.stiffness)
        if values is not None and np.any(values):
            spectrum = np.linalg.eigvalsh(values)
            if spectrum[0] <= 1e-12 * spectrum[-1]:
                raise InputError(
                    "`stiffness` must be positive definite, but its eigenvalues range from "
                    f"{spectrum[0]:.6g} to {spectrum[-1]:.6g}; for void pass Void()"
                )

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("elasticity")

    @property
    def modulus(self) -> Float[Array, "6 6"]:
        return self.stiffness

    def rotated(self, rotation: Any) -> Self:
        """Return the law of the material turned by `rotation`.

        Parameters
        ----------
        rotation : (3, 3)
            Active rotation: v → R v takes the material's axes to the laboratory's.
        """
        return type(self)(tensors.rotate_mandel4(self.stiffness, rotation))

    @classmethod
    def from_voigt(cls, stiffness: Any) -> Self:
        """Build from the (6, 6) Voigt stiffness, order 11, 22, 33, 23, 13, 12 [stress]."""
        return cls(tensors.stiffness_from_voigt(as_array("stiffness", stiffness, (6, 6))))

    @classmethod
    def from_compliance_voigt(cls, compliance: Any) -> Self:
        """Build from the (6, 6) Voigt compliance (engineering shear strains) [1/stress]."""
        voigt = as_array("compliance", compliance, (6, 6))
        check_symmetric_semidefinite("compliance", voigt, "positive definite")
        values = concrete(voigt)
        if values is not None and np.linalg.matrix_rank(values) < 6:
            raise InputError("`compliance` must be positive definite, but is singular")
        return cls.from_voigt(jnp.linalg.inv(voigt))

    @classmethod
    def cubic(cls, C11: Any, C12: Any, C44: Any) -> Self:
        """Build a cubic material from its Voigt constants [stress]."""
        return cls.hexagonal(C11, C12, C12, C11, C44, C66=C44)

    @classmethod
    def hexagonal(
        cls, C11: Any, C12: Any, C13: Any, C33: Any, C44: Any, *, C66: Any = None
    ) -> Self:
        """Build a hexagonal material, axis 3, from its Voigt constants [stress].

        `C66` is (C11 − C12)/2 unless given; given, the material is tetragonal.
        """
        named = {"C11": C11, "C12": C12, "C13": C13, "C33": C33, "C44": C44}
        c11, c12, c13, c33, c44 = (as_array(name, value, ()) for name, value in named.items())
        c66 = (c11 - c12) / 2 if C66 is None else as_array("C66", C66, ())
        rows = [
            [c11, c12, c13, 0, 0, 0],
            [c12, c11, c13, 0, 0, 0],
            [c13, c13, c33, 0, 0, 0],
            [0, 0, 0, c44, 0, 0],
            [0, 0, 0, 0, c44, 0],
            [0, 0, 0, 0, 0, c66],
        ]
        return cls.from_voigt(
            jnp.stack([jnp.stack([jnp.asarray(c, float) for c in r]) for r in rows])
        )

    @classmethod
    def orthotropic(cls, *, E: Any, nu: Any, G: Any) -> Self:
        """Build an orthotropic material from its engineering constants.

        Parameters
        ----------
        E : (E1, E2, E3) [stress]
            Young's moduli.
        nu : (nu12, nu13, nu23) [-]
            Poisson's ratios, nu_ij = −ε_j/ε_i under tension along i.
        G : (G23, G13, G12) [stress]
            Shear moduli.
        """
        young = as_array("E", E, (3,))
        nu12, nu13, nu23 = as_array("nu", nu, (3,))
        shear = as_array("G", G, (3,))
        for name, value in (("E", concrete(young)), ("G", concrete(shear))):
            if value is not None and np.any(value <= 0):
                raise InputError(f"`{name}` must be > 0, but is {value.tolist()}")
        s12, s13, s23 = -nu12 / young[0], -nu13 / young[0], -nu23 / young[1]
        normal = jnp.diag(1 / young) + jnp.stack(
            [
                jnp.stack([jnp.zeros(()), s12, s13]),
                jnp.stack([s12, jnp.zeros(()), s23]),
                jnp.stack([s13, s23, jnp.zeros(())]),
            ]
        )
        zero = jnp.zeros((3, 3))
        return cls.from_compliance_voigt(jnp.block([[normal, zero], [zero, jnp.diag(1 / shear)]]))

    @classmethod
    def transversely_isotropic(
        cls,
        *,
        E_axial: Any,
        E_transverse: Any,
        nu_axial: Any,
        nu_transverse: Any,
        G_axial: Any,
        axis: int | str = 2,
    ) -> Self:
        """Build a fibre-like material with its axis of symmetry along `axis`.

        Parameters
        ----------
        E_axial, E_transverse, G_axial : float [stress]
            Moduli along the fibre, across it, and of axial shear.
        nu_axial : float [-]
            Transverse contraction under axial tension.
        nu_transverse : float [-]
            Contraction across under transverse tension.
        axis : 0, 1, 2 or "x", "y", "z"
            Axis of symmetry.
        """
        a = as_axis(axis)
        e_axial, e_transverse = (
            as_array("E_axial", E_axial, ()),
            as_array("E_transverse", E_transverse, ()),
        )
        nu_at, nu_tt = (
            as_array("nu_axial", nu_axial, ()),
            as_array("nu_transverse", nu_transverse, ()),
        )
        young = [e_transverse] * 3
        young[a] = e_axial
        shear = [as_array("G_axial", G_axial, ())] * 3
        shear[a] = e_transverse / (2 * (1 + nu_tt))  # G23, G13, G12: in the plane across an axis
        nu_ta = nu_at * e_transverse / e_axial

        def ratio(i: int, j: int) -> jax.Array:
            if i == a:
                return nu_at
            return nu_ta if j == a else nu_tt

        return cls.orthotropic(
            E=jnp.stack(young),
            nu=jnp.stack([ratio(i, j) for i, j in ((0, 1), (0, 2), (1, 2))]),
            G=jnp.stack(shear),
        )
