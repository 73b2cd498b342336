"""Mooney and Rivlin's rubber."""

from __future__ import annotations

from typing import Any

import jax

from scalebridge.laws._checks import as_array, check_range
from scalebridge.laws._matrix3 import (
    Nine,
    Scalar,
    cauchy_green,
    determinant,
    positive,
    squared_norm,
    squared_symmetric,
    volumetric_energy,
)
from scalebridge.laws.hyperelastic import Hyperelastic


class MooneyRivlin(Hyperelastic):
    """W = C10 (Ī₁ − 3) + C01 (Ī₂ − 3) + K/4 (J² − 1 − 2 ln J), nearly incompressible.

    With the isochoric invariants Ī₁ = J^(−2/3) tr C and Ī₂ = J^(−4/3) ½ ((tr C)² − C:C),
    C = FᵀF. Small strain: shear modulus 2 (C10 + C01), bulk modulus K.

    Parameters
    ----------
    C10 : float [stress]
        Modulus ≥ 0 of the first invariant; alone it is the nearly incompressible
        neo-Hookean solid.
    C01 : float [stress]
        Modulus ≥ 0 of the second invariant; C10 + C01 > 0.
    K : float [stress]
        Bulk modulus > 0; rubber has 100 to 10 000 times the shear modulus.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    Rubber up to about twice its length; the upturn beyond needs Ogden's law. The part in Ī₁
    and J is polyconvex, that in Ī₂ is not (Hartmann & Neff 2003).

    References
    ----------
    Mooney (1940), J. Appl. Phys. 11, 582-592; Rivlin (1948), Phil. Trans. R. Soc. A 241,
    379-397; Hartmann & Neff (2003), Int. J. Solids Struct. 40, 2767-2791.
    """

    C10: jax.Array
    C01: jax.Array
    K: jax.Array

    def __init__(self, C10: Any, C01: Any, K: Any) -> None:
        self.C10, self.C01 = as_array("C10", C10, ()), as_array("C01", C01, ())
        self.K = as_array("K", K, ())

    def __check_init__(self) -> None:
        check_range("C10", self.C10, lowest=0)
        check_range("C01", self.C01, lowest=0)
        check_range("C10 + C01", self.C10 + self.C01, above=0)
        check_range("K", self.K, above=0)

    @property
    def is_isotropic(self) -> bool:
        return True

    def stored_energy(self, F: Nine) -> Scalar:
        """W from the nine components of F, row by row."""
        J, first = positive(determinant(F)), squared_norm(F)
        second = 0.5 * (first * first - squared_symmetric(cauchy_green(F)))
        isochoric = J ** (-2 / 3)
        return (
            self.C10 * (isochoric * first - 3)
            + self.C01 * (isochoric * isochoric * second - 3)
            + volumetric_energy(self.K, J)
        )
