"""Ogden's rubber, in principal stretches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.errors import InputError
from scalebridge.laws._checks import as_array, check_range, concrete
from scalebridge.laws._matrix3 import (
    Nine,
    Scalar,
    Six,
    cauchy_green,
    determinant,
    positive,
    volumetric_energy,
)
from scalebridge.laws._matrix_power import power_sum, power_traces
from scalebridge.laws.hyperelastic import Hyperelastic


class Ogden(Hyperelastic):
    """W = Σ μ_p/α_p (λ̄₁^α_p + λ̄₂^α_p + λ̄₃^α_p − 3) + K/4 (J² − 1 − 2 ln J).

    With the isochoric principal stretches λ̄_i = J^(−1/3) λ_i. Small strain: shear modulus
    ½ Σ μ_p α_p, bulk modulus K. One term with α = 2 is the nearly incompressible neo-Hookean
    solid of shear modulus μ.

    Parameters
    ----------
    mu : float or (term,) [stress]
        Moduli of the terms, in Ogden's own convention (others write 2 μ_p/α_p for it).
    alpha : float or (term,) [-]
        Exponents; μ_p α_p > 0 for each term.
    K : float [stress]
        Bulk modulus > 0; rubber has 100 to 10 000 times the shear modulus.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    Without its volumetric split a term is polyconvex for |α| ≥ 1 (Ball 1977). The stress and
    the tangent are exact at equal stretches too; derivatives of the tangent are not available.

    References
    ----------
    Ogden (1972), Large deformation isotropic elasticity, Proc. R. Soc. Lond. A 326, 565-584.
    """

    mu: jax.Array
    alpha: jax.Array
    K: jax.Array

    def __init__(self, mu: Any, alpha: Any, K: Any) -> None:
        self.mu, self.alpha = _terms("mu", mu), _terms("alpha", alpha)
        self.K = as_array("K", K, ())

    def __check_init__(self) -> None:
        if self.mu.shape != self.alpha.shape:
            raise InputError(
                f"`mu` and `alpha` must have one number for each term, but have "
                f"{self.mu.size} and {self.alpha.size}"
            )
        check_range("mu alpha", self.mu * self.alpha, above=0, advice="each term must be stable")
        check_range("K", self.K, above=0)

    @property
    def is_isotropic(self) -> bool:
        return True

    def stored_energy(self, F: Nine) -> Scalar:
        """W from the nine components of F, row by row."""
        mu, alpha = tuple(self.mu), tuple(self.alpha)
        at_rest = 3 * sum(m / a for m, a in zip(mu, alpha, strict=True))
        volumetric = volumetric_energy(self.K, positive(determinant(F)))
        return power_traces(_isochoric(F), mu, alpha) - at_rest + volumetric

    def _energy_and_stress(self, F: Nine) -> tuple[Scalar, Nine]:
        # Not by differentiating W, since the powers can be differentiated only once.
        C, pull_back = jax.vjp(_isochoric, F)
        S = power_sum(C, tuple(self.mu), tuple(self.alpha))
        (isochoric,) = pull_back((*(0.5 * c for c in S[:3]), *S[3:]))
        volumetric = jax.grad(lambda F: volumetric_energy(self.K, positive(determinant(F))))(F)
        stress = tuple(a + b for a, b in zip(isochoric, volumetric, strict=True))
        return self.stored_energy(F), stress


def _isochoric(F: Nine) -> Six:
    """J^(−2/3) FᵀF, and the harmless 1 where J ≤ 0."""
    J = determinant(F)
    factor = positive(J) ** (-2 / 3)
    one = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    return tuple(jnp.where(J > 0, factor * c, x) for c, x in zip(cauchy_green(F), one, strict=True))


def _terms(name: str, value: Any) -> jax.Array:
    values = concrete(value)
    size = np.size(values) if values is not None else jnp.size(value)
    array = as_array(name, value, (), (size,))
    return jnp.atleast_1d(array)
