"""Hashin's criterion of a unidirectional ply."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.criteria import Criterion, as_stress, check_strength


@dataclass(frozen=True)
class Hashin(Criterion):
    """Hashin's four modes of a unidirectional ply, under all six stresses.

    With s = σ₂₂ + σ₃₃, q = (σ₂₃² − σ₂₂σ₃₃)/S₂₃² and t = (σ₁₂² + σ₁₃²)/S₁₂²:

    - fibre tension, σ₁₁ > 0: (σ₁₁/Xt)² + t = 1
    - fibre compression, σ₁₁ < 0: −σ₁₁/Xc = 1
    - matrix tension, s > 0: (s/Yt)² + q + t = 1
    - matrix compression, s < 0: ((Yc/2S₂₃)² − 1) s/Yc + (s/2S₂₃)² + q + t = 1

    The left sides are of second degree, and of mixed degree in the last mode, so that the
    exposure is the inverse of the positive root λ of the equation for λσ.

    Parameters
    ----------
    Xt, Xc : float
        Strengths along the fibres in tension and compression, > 0 [stress].
    Yt, Yc : float
        Across them.
    S12 : float
        In shear along the fibres.
    S23 : float
        In shear across them, at least Yt/2: less, and equal tensions σ₂₂ = σ₃₃ would do no harm.

    References
    ----------
    Hashin (1980), Failure criteria for unidirectional fiber composites, J. Appl. Mech. 47,
    329-334.

    Examples
    --------
    >>> import scalebridge as sb
    >>> ply = sb.structure.Hashin(Xt=1140.0, Xc=570.0, Yt=35.0, Yc=114.0, S12=72.0, S23=50.0)
    >>> stress = [0.0, -57.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(float(ply.reserve(stress)), 6), str(ply.mode(stress))
    (2.0, 'matrix compression')
    """

    Xt: float
    Xc: float
    Yt: float
    Yc: float
    S12: float
    S23: float

    def __post_init__(self) -> None:
        for field in fields(self):
            check_strength(field.name, getattr(self, field.name))
        if self.Yt / 2 > self.S23:
            raise InputError(
                f"`S23` must be at least Yt/2 = {self.Yt / 2:g}, but is {self.S23:g}: equal "
                "tensions across the fibres would do no harm; about Yt/√2 to Yt is usual"
            )

    def exposures(self, stress: Any) -> dict[str, np.ndarray]:
        """Return the exposures to fibre and matrix tension and compression."""
        s11, s22, s33, s23, s13, s12 = as_stress(stress)  # shears √2 times
        total = s22 + s33
        along = (s12**2 + s13**2) / (2 * self.S12**2)
        # s² = (σ₂₂ − σ₃₃)² + 4 σ₂₂σ₃₃ leaves sums of squares, which rounding cannot make negative.
        across = ((s22 - s33) ** 2 / 4 + s23**2 / 2) / self.S23**2 + along
        tension = across + total**2 * (1 / self.Yt**2 - 1 / (4 * self.S23**2))
        slope = ((self.Yc / (2 * self.S23)) ** 2 - 1) / self.Yc * total
        return {
            "fibre tension": np.where(s11 > 0, np.sqrt((s11 / self.Xt) ** 2 + along), 0.0),
            "fibre compression": np.maximum(-s11, 0.0) / self.Xc,
            "matrix tension": np.where(total > 0, np.sqrt(np.maximum(tension, 0.0)), 0.0),
            "matrix compression": np.where(total <= 0, _inverse_root(across, slope), 0.0),
        }


def _inverse_root(square: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Return 1/λ of square · λ² + linear · λ = 1, without cancellation."""
    root = np.sqrt(linear**2 + 4 * square)
    sum_ = root + np.abs(linear)
    small = np.divide(2 * square, sum_, out=np.zeros_like(sum_), where=sum_ > 0)
    return np.where(linear > 0, sum_ / 2, small)
