"""How the yield surface of von Mises grows (isotropic) and moves (kinematic)."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws._checks import as_array, check_range

Scalar = Float[Array, ""]


class IsotropicHardening(eqx.Module):
    """Growth R(p) of the yield stress with the accumulated plastic strain p, R(0) = 0.

    A hardening of your own gives `stress` and its integral `energy`; R must not decrease.
    """

    @property
    def is_linear(self) -> bool:
        """Whether R is proportional to p, which gives the plastic step in closed form."""
        return False

    @abc.abstractmethod
    def stress(self, p: Scalar) -> Scalar:
        """R(p) [stress]."""

    @abc.abstractmethod
    def energy(self, p: Scalar) -> Scalar:
        """Stored energy density, the integral of R from 0 to p."""


class LinearHardening(IsotropicHardening):
    """R = H p.

    Parameters
    ----------
    H : float [stress]
        Plastic modulus ≥ 0; softening has no solution in a cell without a length of its own.
    """

    H: jax.Array

    def __init__(self, H: Any) -> None:
        self.H = as_array("H", H, ())

    def __check_init__(self) -> None:
        check_range("H", self.H, lowest=0)

    @property
    def is_linear(self) -> bool:
        return True

    def stress(self, p: Scalar) -> Scalar:
        return self.H * p

    def energy(self, p: Scalar) -> Scalar:
        return 0.5 * self.H * p * p


class PerfectlyPlastic(IsotropicHardening):
    """R = 0: the yield stress stays as it is."""

    @property
    def is_linear(self) -> bool:
        return True

    def stress(self, p: Scalar) -> Scalar:
        return 0.0 * p

    def energy(self, p: Scalar) -> Scalar:
        return 0.0 * p


class VoceHardening(IsotropicHardening):
    """R = Q (1 − exp(−b p)) + H p: hardening that saturates, on a linear rest.

    Parameters
    ----------
    Q : float [stress]
        Growth of the yield stress until saturation, ≥ 0.
    b : float [-]
        How fast it saturates, > 0: 63 % of Q are reached at p = 1/b.
    H : float [stress]
        Plastic modulus ≥ 0 that remains.

    References
    ----------
    Voce (1955), A practical strain-hardening function, Metallurgia 51, 219-226.
    """

    Q: jax.Array
    b: jax.Array
    H: jax.Array

    def __init__(self, Q: Any, b: Any, H: Any = 0.0) -> None:
        self.Q, self.b = as_array("Q", Q, ()), as_array("b", b, ())
        self.H = as_array("H", H, ())

    def __check_init__(self) -> None:
        check_range("Q", self.Q, lowest=0)
        check_range("b", self.b, above=0)
        check_range("H", self.H, lowest=0)

    def stress(self, p: Scalar) -> Scalar:
        return -self.Q * jnp.expm1(-self.b * p) + self.H * p

    def energy(self, p: Scalar) -> Scalar:
        return self.Q * (p + jnp.expm1(-self.b * p) / self.b) + 0.5 * self.H * p * p


class PowerHardening(IsotropicHardening):
    """R = K ((eps0 + p)ⁿ − eps0ⁿ): Swift's law, and Ludwik's K pⁿ at eps0 = 0.

    With eps0 = 0 the slope at p = 0 is infinite: the first yield is smooth then, and the
    yield stress itself is the parameter of the law, as with every other hardening here.

    Parameters
    ----------
    K : float [stress]
        Strength coefficient, ≥ 0.
    n : float [-]
        Hardening exponent, 0 < n ≤ 1; metals 0.1 to 0.5.
    eps0 : float [-]
        Prestrain ≥ 0, which makes the slope at p = 0 finite: n K eps0ⁿ⁻¹.

    References
    ----------
    Swift (1952), Plastic instability under plane stress, J. Mech. Phys. Solids 1, 1-18;
    Ludwik (1909), Elemente der technologischen Mechanik.
    """

    K: jax.Array
    n: jax.Array
    eps0: jax.Array

    def __init__(self, K: Any, n: Any, eps0: Any = 0.0) -> None:
        self.K, self.n = as_array("K", K, ()), as_array("n", n, ())
        self.eps0 = as_array("eps0", eps0, ())

    def __check_init__(self) -> None:
        check_range("K", self.K, lowest=0)
        check_range("n", self.n, above=0, highest=1)
        check_range("eps0", self.eps0, lowest=0)

    def stress(self, p: Scalar) -> Scalar:
        return self.K * (_power(self.eps0 + p, self.n) - _power(self.eps0, self.n))

    def energy(self, p: Scalar) -> Scalar:
        m = self.n + 1
        whole = (_power(self.eps0 + p, m) - _power(self.eps0, m)) / m
        return self.K * (whole - _power(self.eps0, self.n) * p)


def _power(base: Scalar, exponent: Scalar) -> Scalar:
    """Return baseⁿ of a base ≥ 0, with the derivative 0 instead of ∞ at base = 0."""
    positive = base > 0
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** exponent, 0.0)


class KinematicHardening(eqx.Module):
    """Movement X = ⅔ C α of the yield surface, dα = dεᵖ − γ α dp."""

    C: eqx.AbstractVar[jax.Array]

    @property
    def recovery(self) -> Scalar | None:
        """γ, or None where α is the plastic strain itself."""
        return None


class PragerHardening(KinematicHardening):
    """X = ⅔ C εᵖ: the yield surface follows the plastic strain.

    Parameters
    ----------
    C : float [stress]
        Kinematic modulus ≥ 0: the slope of uniaxial stress over plastic strain.

    References
    ----------
    Prager (1956), A new method of analyzing stresses and strains in work-hardening plastic
    solids, J. Appl. Mech. 23, 493-496.
    """

    C: jax.Array

    def __init__(self, C: Any) -> None:
        self.C = as_array("C", C, ())

    def __check_init__(self) -> None:
        check_range("C", self.C, lowest=0)


class ArmstrongFrederick(KinematicHardening):
    """X = ⅔ C α with dα = dεᵖ − γ α dp: the movement saturates at C/γ in uniaxial stress.

    Not a standard material: its evolution does not follow from a potential at fixed state,
    and the consistent tangent is not symmetric. Its dissipation is (σ_y + γ ⅔ C α:α) dp ≥ 0.

    Parameters
    ----------
    C : float [stress]
        Initial kinematic modulus ≥ 0.
    gamma : float [-]
        Dynamic recovery ≥ 0; 0 is Prager's law.

    References
    ----------
    Armstrong & Frederick (1966), CEGB report RD/B/N731; reprinted in Materials at High
    Temperatures 24 (2007), 1-26.
    """

    C: jax.Array
    gamma: jax.Array

    def __init__(self, C: Any, gamma: Any) -> None:
        self.C, self.gamma = as_array("C", C, ()), as_array("gamma", gamma, ())

    def __check_init__(self) -> None:
        check_range("C", self.C, lowest=0)
        check_range("gamma", self.gamma, lowest=0)

    @property
    def recovery(self) -> Scalar:
        return self.gamma


def check_hardening(isotropic: Any, kinematic: Any) -> None:
    """Refuse what is no hardening."""
    if not isinstance(isotropic, IsotropicHardening):
        raise InputError(
            f"`hardening` must be an isotropic hardening, but is {isotropic!r}; "
            "pass e.g. LinearHardening(H)"
        )
    if not (kinematic is None or isinstance(kinematic, KinematicHardening)):
        raise InputError(
            f"`kinematic` must be a kinematic hardening, but is {kinematic!r}; "
            "pass e.g. PragerHardening(C)"
        )
