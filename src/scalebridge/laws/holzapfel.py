"""Holzapfel, Gasser and Ogden's artery wall: fibres in a soft matrix."""

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
    determinant,
    positive,
    squared_norm,
    volumetric_energy,
)
from scalebridge.laws.hyperelastic import Hyperelastic


class HolzapfelGasserOgden(Hyperelastic):
    """A neo-Hookean matrix with families of fibres that stiffen exponentially in tension.

    W = μ/2 (Ī₁ − 3) + k1/(2 k2) Σ (exp(k2 ⟨E_a⟩²) − 1) + K/4 (J² − 1 − 2 ln J), where
    E_a = κ (Ī₁ − 3) + (1 − 3κ) (Ī₄ₐ − 1), Ī₁ = J^(−2/3) tr C, Ī₄ₐ = J^(−2/3) a·C·a, and
    ⟨E⟩ = max(E, 0): fibres that shorten are switched off.

    Parameters
    ----------
    mu : float [stress]
        Shear modulus > 0 of the matrix (often written c).
    k1 : float [stress]
        Stiffness ≥ 0 of the fibres, whose second Piola-Kirchhoff stress starts as 2 k1 E.
    k2 : float [-]
        How fast they stiffen, > 0.
    kappa : float [-]
        Dispersion: 0 for parallel fibres, ⅓ for directions that are all alike.
    K : float [stress]
        Bulk modulus > 0, much larger than the others.
    directions : (3,) or (family, 3)
        Directions a of the families in the undeformed body; normalised here.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    For nearly incompressible tissue: with the isochoric Ī₄ a compressible body whose volume
    grows would not stretch its fibres (Nolan et al. 2014). The stress is continuous where a
    family is switched on, the tangent is not; at rest it is the matrix's.

    References
    ----------
    Holzapfel, Gasser & Ogden (2000), J. Elasticity 61, 1-48; Gasser, Ogden & Holzapfel
    (2006), J. R. Soc. Interface 3, 15-35; Nolan et al. (2014), J. Mech. Behav. Biomed.
    Mater. 39, 48-60.
    """

    mu: jax.Array
    k1: jax.Array
    k2: jax.Array
    kappa: jax.Array
    K: jax.Array
    directions: jax.Array

    def __init__(self, mu: Any, k1: Any, k2: Any, kappa: Any, K: Any, directions: Any) -> None:
        self.mu, self.k1, self.k2 = (
            as_array("mu", mu, ()),
            as_array("k1", k1, ()),
            as_array("k2", k2, ()),
        )
        self.kappa, self.K = as_array("kappa", kappa, ()), as_array("K", K, ())
        families = jnp.atleast_2d(jnp.asarray(directions, float))
        families = as_array("directions", families, (families.shape[0], 3))
        lengths = jnp.linalg.norm(families, axis=1, keepdims=True)
        values = concrete(lengths)
        if values is not None and not np.all(values > 0):
            raise InputError("`directions` must not be zero vectors, but one is")
        self.directions = families / lengths

    def __check_init__(self) -> None:
        check_range("mu", self.mu, above=0)
        check_range("k1", self.k1, lowest=0)
        check_range("k2", self.k2, above=0)
        check_range("kappa", self.kappa, lowest=0, highest=1 / 3)
        check_range("K", self.K, above=0)

    def stored_energy(self, F: Nine) -> Scalar:
        """W from the nine components of F, row by row."""
        J = positive(determinant(F))
        isochoric = J ** (-2 / 3)
        first = isochoric * squared_norm(F) - 3
        energy = 0.5 * self.mu * first + volumetric_energy(self.K, J)
        for a in self.directions:
            deformed = [F[i] * a[0] + F[i + 1] * a[1] + F[i + 2] * a[2] for i in (0, 3, 6)]
            fourth = isochoric * squared_norm(tuple(deformed)) - 1
            stretch = self.kappa * first + (1 - 3 * self.kappa) * fourth
            tension = jnp.where(stretch > 0, stretch, 0.0)
            energy = energy + self.k1 / (2 * self.k2) * jnp.expm1(self.k2 * tension * tension)
        return energy
