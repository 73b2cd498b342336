"""Finite-strain kinematics in components: F as a tuple of nine, C = FᵀF as a tuple of six.

Tuples of scalars, for the reason that `_mandel` gives. C is in the order 11, 22, 33, 23, 13,
12, as plain components, without √2.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
Nine = tuple[Scalar, ...]
Six = tuple[Scalar, ...]


def determinant(F: Nine) -> Scalar:
    """J = det F."""
    return (
        F[0] * (F[4] * F[8] - F[5] * F[7])
        + F[1] * (F[5] * F[6] - F[3] * F[8])
        + F[2] * (F[3] * F[7] - F[4] * F[6])
    )


def positive(J: Scalar) -> Scalar:
    """J, and the harmless 1 where J ≤ 0: no state, and no NaN in the derivatives of others."""
    return jnp.where(J > 0, J, 1.0)


def squared_norm(F: Nine) -> Scalar:
    """I₁ = tr C = F : F."""
    squares = [c * c for c in F]
    return sum(squares[1:], squares[0])


def cauchy_green(F: Nine) -> Six:
    """C = FᵀF."""

    def column(i: int, j: int) -> Scalar:
        return F[i] * F[j] + F[3 + i] * F[3 + j] + F[6 + i] * F[6 + j]

    return tuple(column(i, j) for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)))


def squared_symmetric(C: Six) -> Scalar:
    """C : C."""
    return C[0] ** 2 + C[1] ** 2 + C[2] ** 2 + 2 * (C[3] ** 2 + C[4] ** 2 + C[5] ** 2)


def volumetric_energy(K: Scalar, J: Scalar) -> Scalar:
    """K/4 (J² − 1 − 2 ln J): convex, unbounded as J → 0 and as J → ∞, and K/2 (J − 1)² near 1."""
    return 0.25 * K * (J * J - 1 - 2 * jnp.log(J))
