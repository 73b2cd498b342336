"""Inclusions added little by little."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._matrix import MatrixInclusion, check_random, stays_isotropic
from scalebridge.analytic._phases import moduli
from scalebridge.analytic.inclusion import (
    Inclusion,
    Matrix,
    as_inclusions,
    concentrations,
    total_fraction,
)
from scalebridge.errors import InputError
from scalebridge.laws import Law
from scalebridge.laws._checks import concrete
from scalebridge.laws._linalg import symmetric


class Differential(MatrixInclusion):
    """Inclusions added little by little, each portion dilute in what is already there.

        dC/dτ = Σ (f_r/f) ⟨(C_r − C) T_r(C)⟩,   C(0) = C⁰,   τ = −ln(1 − f),

    integrated by `steps` steps of the classical Runge-Kutta method, of order 4. All inclusions
    are added in proportion. Pores in a conductor: k = k⁰ (1 − f)^{3/2} for spheres and (1 − f)²
    across cylinders, Bruggeman's relations for tortuosity.

    Realisable: inclusions of very different sizes, the small ones far smaller than the large
    (Norris 1985). The matrix stays connected up to f = 1, so that nothing percolates.

    Parameters
    ----------
    matrix : Law
        Linear law, positive definite, of any symmetry. Where an inclusion is random, the matrix
        must be isotropic, and each inclusion random or an isotropic sphere.
    inclusions : Inclusion or sequence of Inclusion
        The rest is the matrix, which must not vanish.
    steps : int
        The error falls with steps⁻⁴; 32 are good for 1e-7 up to f = 0.5. Thin discs
        need more, about the inverse of their aspect ratio.

    Raises
    ------
    InputError
        When laws do not fit together, the matrix is void or has no volume, or `steps` is no
        positive integer.

    References
    ----------
    Bruggeman (1935), Ann. Phys. 416, 636-664. Norris (1985), Mech. Mater. 4, 1-16.

    Examples
    --------
    >>> import scalebridge as sb
    >>> pores = sb.analytic.Inclusion(sb.laws.Void("conduction"), 0.36)
    >>> print(f"{sb.analytic.Differential(sb.laws.Conduction(1.0), pores).modulus[0, 0]:.6f}")
    0.512000
    """

    matrix: Law
    inclusions: tuple[Inclusion, ...]
    steps: int = eqx.field(static=True)

    def __init__(self, matrix: Any, inclusions: Any, *, steps: int = 32) -> None:
        if not isinstance(steps, int) or steps < 1:
            raise InputError(f"`steps` must be a positive integer, but is {steps!r}; try 32")
        self.matrix = matrix
        self.inclusions = as_inclusions("inclusions", inclusions)
        self.steps = steps

    def __check_init__(self) -> None:
        fraction = concrete(total_fraction(self.inclusions))
        if fraction is not None and fraction >= 1:
            raise InputError(
                f"`inclusions` must leave some matrix, but fill {fraction:g}; take SelfConsistent"
            )
        check_random("inclusions", self.inclusions, self.kinematics)

    @property
    def modulus(self) -> Matrix:
        """The estimate."""
        return _modulus(self, moduli(self._laws))


@eqx.filter_jit
def _modulus(model: Differential, own: Float[Array, "phase c c"]) -> Matrix:
    matrix, inclusions = own[0], own[1:]
    is_isotropic = model.matrix.is_isotropic and stays_isotropic(model.inclusions)
    total = total_fraction(model.inclusions)
    length = -jnp.log1p(-total)
    # f_r/f without 0/0: dC/df_r at f = 0 does not need it, since (length/f) → 1.
    density = jnp.where(total > 0, length / jnp.where(total > 0, total, 1.0), 1.0)
    h = density / model.steps

    def slope(C: Matrix) -> Matrix:
        return symmetric(
            concentrations(model.inclusions, inclusions, C, model.kinematics, is_isotropic)[0]
        )

    # Reverse mode would keep the points of every polarisation tensor.
    @jax.checkpoint
    def step(C: Matrix, _: None) -> tuple[Matrix, None]:
        k1 = slope(C)
        k2 = slope(C + 0.5 * h * k1)
        k3 = slope(C + 0.5 * h * k2)
        k4 = slope(C + h * k3)
        return C + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jax.lax.scan(step, matrix, None, length=model.steps)[0]
