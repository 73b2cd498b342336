"""Inclusions that do not see each other."""

from __future__ import annotations

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from scalebridge.analytic._matrix import MatrixInclusion
from scalebridge.analytic._phases import moduli
from scalebridge.analytic.inclusion import Inclusion, Matrix, as_inclusions
from scalebridge.laws import Law
from scalebridge.laws._linalg import symmetric


class Dilute(MatrixInclusion):
    """Few inclusions, each alone in the matrix: C = C⁰ + Σ f_r ⟨(C_r − C⁰) T_r⟩.

    T_r = [1 + P_r (C_r − C⁰)]⁻¹ is the strain in a single ellipsoid, exact (Eshelby 1957), P_r
    Hill's tensor in the matrix.

    Exact to first order in the fractions. Beyond a few per cent it is wrong, and for pores soon
    negative: take MoriTanaka.

    Parameters
    ----------
    matrix : Law
        Linear law, positive definite, of any symmetry; isotropic where inclusions are random.
    inclusions : Inclusion or sequence of Inclusion
        The rest is the matrix.

    Raises
    ------
    InputError
        When laws do not fit together, fractions exceed 1, or the matrix is void.

    References
    ----------
    Eshelby (1957), Proc. R. Soc. A 241, 376-396.

    Examples
    --------
    >>> import scalebridge as sb
    >>> pores = sb.analytic.Inclusion(sb.laws.Void("conduction"), 0.02)
    >>> print(f"{sb.analytic.Dilute(sb.laws.Conduction(1.0), pores).modulus[0, 0]:.6f}")  # 1 − 3f/2
    0.970000
    """

    matrix: Law
    inclusions: tuple[Inclusion, ...]

    def __init__(self, matrix: Any, inclusions: Any) -> None:
        self.matrix = matrix
        self.inclusions = as_inclusions("inclusions", inclusions)

    @property
    def modulus(self) -> Matrix:
        """The estimate."""
        return _modulus(self, moduli(self._laws))


@eqx.filter_jit
def _modulus(model: Dilute, own: Float[Array, "phase c c"]) -> Matrix:
    return symmetric(own[0] + model._concentrations(own)[0])
