"""Uniform strain and uniform stress: the elementary bounds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._phases import Mixture, as_fractions, as_laws, moduli
from scalebridge.laws import Law
from scalebridge.laws._linalg import pseudo_inverse, symmetric


class Voigt(Mixture):
    """Arithmetic mean of the moduli, C = Σ f_r C_r: uniform gradient.

    An upper bound in the sense of energies, whatever the geometry. Attained by the in-plane
    conduction of layers and along fibres; far from the truth at high contrast.

    Parameters
    ----------
    laws : sequence of Law
        Linear laws of one physics, of any symmetry; void is allowed.
    fractions : (phase,) [-]
        Volume fractions, summing to 1.

    Raises
    ------
    InputError
        When laws do not fit together, or the fractions do not sum to 1.

    References
    ----------
    Voigt (1889), Ann. Phys. 274, 573-587; Hill (1952), Proc. Phys. Soc. A 65, 349-354: the bound.

    Examples
    --------
    >>> import scalebridge as sb
    >>> conductors = [sb.laws.Conduction(1.0), sb.laws.Conduction(10.0)]
    >>> float(sb.analytic.Voigt(conductors, [0.5, 0.5]).modulus[0, 0])
    5.5
    """

    laws: tuple[Law, ...]
    fractions: jax.Array

    def __init__(self, laws: Any, fractions: Any) -> None:
        self.laws = as_laws("laws", laws)
        self.fractions = as_fractions(fractions, len(self.laws))

    @property
    def is_isotropic(self) -> bool:
        return all(law.is_isotropic for law in self.laws)

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The mean modulus."""
        return jnp.einsum("p,pab->ab", self.fractions, moduli(self.laws))


class Reuss(Mixture):
    """Harmonic mean of the moduli, C = (Σ f_r C_r⁻¹)⁻¹: uniform flux.

    A lower bound in the sense of energies, whatever the geometry. Attained across layers in
    conduction; zero as soon as one phase is void.

    Parameters
    ----------
    laws : sequence of Law
        Linear laws of one physics, of any symmetry. Of a modulus that is singular, the limit of
        small positive ones is taken.
    fractions : (phase,) [-]
        Volume fractions, summing to 1.

    Raises
    ------
    InputError
        When laws do not fit together, or the fractions do not sum to 1.

    References
    ----------
    Reuss (1929), Z. Angew. Math. Mech. 9, 49-58; Hill (1952), Proc. Phys. Soc. A 65, 349-354.

    Examples
    --------
    >>> import scalebridge as sb
    >>> conductors = [sb.laws.Conduction(1.0), sb.laws.Conduction(10.0)]
    >>> print(f"{sb.analytic.Reuss(conductors, [0.5, 0.5]).modulus[0, 0]:.6f}")
    1.818182
    """

    laws: tuple[Law, ...]
    fractions: jax.Array

    def __init__(self, laws: Any, fractions: Any) -> None:
        self.laws = as_laws("laws", laws)
        self.fractions = as_fractions(fractions, len(self.laws))

    @property
    def is_isotropic(self) -> bool:
        return all(law.is_isotropic for law in self.laws)

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The harmonic mean."""
        return harmonic_mean(moduli(self.laws), self.fractions)


@jax.jit
def harmonic_mean(
    matrices: Float[Array, "phase n n"], fractions: Float[Array, " phase"]
) -> Float[Array, "n n"]:
    """Return (Σ f_r C_r⁻¹)⁻¹ of positive semidefinite matrices, by parallel sums.

    Two at a time, (f/A + g/B)⁻¹ = (f+g) A (g A + f B)⁺ B per unit of f+g, which holds for
    singular matrices too (Anderson & Duffin 1969) and needs no division by a fraction.
    """
    mean, weight = matrices[0], fractions[0]
    for matrix, fraction in zip(matrices[1:], fractions[1:], strict=True):
        both = weight + fraction
        middle = pseudo_inverse(weight * matrix + fraction * mean)
        joined = symmetric(both * (matrix @ middle @ mean))
        # A void of no volume would otherwise be taken for a void.
        first_absent = (weight == 0) & (jnp.trace(mean) == 0)
        second_absent = (fraction == 0) & (jnp.trace(matrix) == 0)
        mean = jnp.where(first_absent, matrix, jnp.where(second_absent, mean, joined))
        weight = both
    return mean
