"""How far conjugate gradients are from the solution, in the energy norm."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal


class EnergyErrorEstimate:
    """Bound of ‖x − x_k‖²_A by Gauss–Radau quadrature (Meurant & Tichý 2013).

    With μ below the preconditioned spectrum it is an upper bound in exact
    arithmetic. The spectrum's floor is known from the phases unless one of
    them is void or singular; then μ is a quarter of the smallest Ritz value, and
    the bound an estimate, which may fall short.

    Parameters
    ----------
    floor : float
        Lower bound of the spectrum, 0 when none is known.
    square : float
        (r₀, z₀) of the starting guess.
    """

    def __init__(self, floor: float, square: float) -> None:
        self.floor = floor
        self.square = square
        self.alphas: list[float] = []
        self.ratios: list[float] = []

    def update(self, alpha: float, square: float) -> None:
        """Take the step length α_k and the new (r, z)."""
        self.alphas.append(alpha)
        self.ratios.append(square / self.square)
        self.square = square

    def squared_error(self) -> float:
        """Return the bound of ‖x − x_k‖²_A for the current iterate."""
        mu = self.floor or 0.25 * self.smallest_ritz_value()
        radau = 1 / mu
        for alpha, ratio in zip(self.alphas, self.ratios, strict=True):
            # Rounding, or a Ritz value that has moved, may take 1/μ below the step length.
            excess = max(radau - alpha, 0.0)
            radau = excess / (mu * excess + ratio) if ratio > 0 else 0.0
        return radau * self.square

    def smallest_ritz_value(self) -> float:
        """Smallest eigenvalue of the Lanczos matrix that the steps imply."""
        alphas, ratios = np.asarray(self.alphas), np.asarray(self.ratios[:-1])
        diagonal = 1 / alphas
        diagonal[1:] += ratios / alphas[:-1]
        off = np.sqrt(ratios) / alphas[:-1]
        return float(eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(0, 0))[0])
