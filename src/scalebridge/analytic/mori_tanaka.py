"""Inclusions in the mean field of the matrix."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._matrix import MatrixInclusion
from scalebridge.analytic._phases import moduli
from scalebridge.analytic.inclusion import Inclusion, Matrix, as_inclusions, total_fraction
from scalebridge.laws import Law
from scalebridge.laws._linalg import symmetric


class MoriTanaka(MatrixInclusion):
    """Inclusions that see the mean strain of the matrix as their far strain.

        C = C⁰ + Σ f_r ⟨(C_r − C⁰) T_r⟩ [f_0 1 + Σ f_r ⟨T_r⟩]⁻¹,   T_r = [1 + P_r (C_r − C⁰)]⁻¹.

    Spheres in the softer matrix give Hashin and Shtrikman's lower bound, in the stiffer one the
    upper bound; aligned long fibres their 2D counterparts. Good for one continuous matrix with
    inclusions up to fractions of about 0.3 and contrasts of about 10; it knows no percolation of
    the inclusions, and stiff ones at high fractions are underestimated.

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

    Notes
    -----
    Inclusions of several shapes or of several fixed orientations at once can give a tensor that
    is not symmetric, which no material has (Benveniste, Dvorak & Chen 1991). The symmetric part
    is returned; that it was needed is a sign that the model is out of its range.

    References
    ----------
    Mori & Tanaka (1973), Acta Metall. 21, 571-574; Benveniste (1987), Mech. Mater. 6, 147-157.
    Symmetry: Benveniste, Dvorak & Chen (1991), J. Mech. Phys. Solids 39, 927-946.

    Examples
    --------
    >>> import scalebridge as sb
    >>> filler = sb.analytic.Inclusion(sb.laws.Conduction(10.0), 0.5)
    >>> print(f"{sb.analytic.MoriTanaka(sb.laws.Conduction(1.0), filler).modulus[0, 0]:.6f}")
    2.800000
    """

    matrix: Law
    inclusions: tuple[Inclusion, ...]

    def __init__(self, matrix: Any, inclusions: Any) -> None:
        self.matrix = matrix
        self.inclusions = as_inclusions("inclusions", inclusions)

    @property
    def modulus(self) -> Matrix:
        """The estimate, its symmetric part."""
        return _modulus(self, moduli(self._laws))


@eqx.filter_jit
def _modulus(model: MoriTanaka, own: Float[Array, "phase c c"]) -> Matrix:
    polarised, strained = model._concentrations(own)
    matrix_fraction = 1 - total_fraction(model.inclusions)
    mean = matrix_fraction * jnp.eye(model.kinematics.size) + strained
    return symmetric(own[0] + jnp.linalg.solve(mean.T, polarised.T).T)
