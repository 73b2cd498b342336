"""Finite-strain solids of the Lamé constants: neo-Hookean and Saint-Venant-Kirchhoff."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from scalebridge.laws._checks import as_array, check_elastic
from scalebridge.laws._matrix3 import (
    Nine,
    Scalar,
    cauchy_green,
    determinant,
    positive,
    squared_norm,
    squared_symmetric,
)
from scalebridge.laws.hyperelastic import Hyperelastic


class _OfLame(Hyperelastic):
    """A law of the two constants of small strain."""

    E: jax.Array
    nu: jax.Array

    def __init__(self, E: Any, nu: Any) -> None:
        self.E, self.nu = as_array("E", E, ()), as_array("nu", nu, ())

    def __check_init__(self) -> None:
        check_elastic(self.E, self.nu)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def _lame(self) -> tuple[Scalar, Scalar]:
        """Return λ and μ."""
        mu = self.E / (2 * (1 + self.nu))
        return 2 * mu * self.nu / (1 - 2 * self.nu), mu


class NeoHookean(_OfLame):
    """W = μ/2 (I₁ − 3 − 2 ln J) + λ/2 (ln J)², compressible.

    P = μ (F − F⁻ᵀ) + λ ln J F⁻ᵀ, with I₁ = F:F, J = det F and the Lamé constants λ, μ of
    small strain.

    Parameters
    ----------
    E : float [stress]
        Young's modulus > 0 at small strain.
    nu : float [-]
        Poisson's ratio at small strain, −1 < nu < ½.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    W → ∞ as J → 0 and as J → ∞. For λ ≥ 0 it is polyconvex while ln J ≤ 1 + μ/λ.

    References
    ----------
    Simo & Pister (1984), Comput. Methods Appl. Mech. Eng. 46, 201-215; Bonet & Wood (2008),
    Nonlinear Continuum Mechanics for Finite Element Analysis, section 6.4.3.
    """

    def stored_energy(self, F: Nine) -> Scalar:
        """W from the nine components of F, row by row."""
        lame, mu = self._lame
        log_J = jnp.log(positive(determinant(F)))
        return 0.5 * mu * (squared_norm(F) - 3 - 2 * log_J) + 0.5 * lame * log_J * log_J


class SaintVenantKirchhoff(_OfLame):
    """W = λ/2 (tr E)² + μ E:E with Green and Lagrange's strain E = ½ (FᵀF − 1).

    Hooke's law in P = F S, S = λ tr(E) 1 + 2μ E.

    Parameters
    ----------
    E : float [stress]
        Young's modulus > 0 at small strain.
    nu : float [-]
        Poisson's ratio at small strain, −1 < nu < ½.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    For large rotations with small strain. It is not polyconvex, and softens in compression:
    in uniaxial strain the nominal stress turns back at the stretch 1/√3, and W stays finite
    as J → 0.

    References
    ----------
    Ciarlet (1988), Mathematical Elasticity I, sections 3.9 and 4.10.
    """

    def stored_energy(self, F: Nine) -> Scalar:
        """W from the nine components of F, row by row."""
        lame, mu = self._lame
        C = cauchy_green(F)
        E = (0.5 * (C[0] - 1), 0.5 * (C[1] - 1), 0.5 * (C[2] - 1), *(0.5 * c for c in C[3:]))
        trace = E[0] + E[1] + E[2]
        return 0.5 * lame * trace * trace + mu * squared_symmetric(E)
