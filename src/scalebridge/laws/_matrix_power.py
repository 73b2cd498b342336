"""Sums of powers of a symmetric positive definite tensor, differentiable at equal eigenvalues.

Tensors are the plain components 11, 22, 33, 23, 13, 12 as a tuple of scalars; the terms of a
sum, μ and α, are tuples too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
Six = tuple[Scalar, ...]
Terms = tuple[Scalar, ...]
Rows = list[list[Scalar]]

_SWEEPS = 5  # Jacobi's method converges quadratically: after four it has reached rounding
_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_AT = ((0, 5, 4), (5, 1, 3), (4, 3, 2))


@jax.custom_jvp
def power_traces(C: Six, mu: Terms, alpha: Terms) -> Scalar:
    """Return Σ μ/α tr C^(α/2); its derivative by C is ½ Σ μ C^(α/2 − 1)."""
    c, _ = _eigen(C)
    return _sum(m / a * _trace(c, a / 2) for m, a in zip(mu, alpha, strict=True))


@power_traces.defjvp
def _power_traces_jvp(primals: Any, tangents: Any) -> tuple[Scalar, Scalar]:
    C, mu, alpha = primals
    dC, d_mu, d_alpha = tangents
    c, _ = _eigen(C)
    change = 0.5 * sum(
        (1 if k < 3 else 2) * S * dC[k] for k, S in enumerate(power_sum(C, mu, alpha))
    )
    for m, a, dm, da in zip(mu, alpha, d_mu, d_alpha, strict=True):
        by_alpha = 0.5 * _trace(c, a / 2, jnp.log) - _trace(c, a / 2) / a
        change = change + dm / a * _trace(c, a / 2) + da * m / a * by_alpha
    return power_traces(C, mu, alpha), change


@jax.custom_jvp
def power_sum(C: Six, mu: Terms, alpha: Terms) -> Six:
    """Return Σ μ C^(α/2 − 1)."""
    c, Q = _eigen(C)
    values = [_power_sum(x, mu, alpha) for x in c]
    return _keep(_compose(Q, lambda i, j: values[i] if i == j else 0.0))


@power_sum.defjvp
def _power_sum_jvp(primals: Any, tangents: Any) -> tuple[Six, Six]:
    """Daleckii and Krein: in the eigenbasis, dC times the divided differences of the power."""
    C, mu, alpha = primals
    dC, d_mu, d_alpha = tangents
    c, Q = _eigen(C)
    turned = _compose(list(zip(*Q, strict=True)), lambda i, j: dC[_AT[i][j]])
    rates = _keep([_divided_difference(c[i], c[j], mu, alpha) for i, j in _PAIRS])

    def by_parameters(x: Scalar) -> Scalar:
        return _sum(
            (dm + 0.5 * m * da * jnp.log(x)) * x ** (a / 2 - 1)
            for m, a, dm, da in zip(mu, alpha, d_mu, d_alpha, strict=True)
        )

    def entry(i: int, j: int) -> Scalar:
        change = turned[_AT[i][j]] * rates[_AT[i][j]]
        return change + by_parameters(c[i]) if i == j else change

    return power_sum(C, mu, alpha), _compose(Q, entry)


def _power_sum(x: Scalar, mu: Terms, alpha: Terms) -> Scalar:
    return _sum(m * x ** (a / 2 - 1) for m, a in zip(mu, alpha, strict=True))


def _divided_difference(x: Scalar, y: Scalar, mu: Terms, alpha: Terms) -> Scalar:
    """(f(x) − f(y))/(x − y) of f = Σ μ x^s, s = α/2 − 1; f' at x = y.

    xˢ − yˢ = (xy)^(s/2) 2 sinh(s h) with h = ½ ln(x/y), and so is x − y: the quotient of the
    two does not cancel however close x and y are.
    """
    half = 0.5 * (jnp.log(x) - jnp.log(y))
    same = half == 0
    other = jnp.where(same, 1.0, half)
    total = jnp.zeros_like(x)
    for m, a in zip(mu, alpha, strict=True):
        s = a / 2 - 1
        quotient = jnp.where(same, s, jnp.sinh(s * other) / jnp.sinh(other))
        total = total + m * (x * y) ** ((s - 1) / 2) * quotient
    return total


def _keep(values: Any) -> Any:
    """Compute these once: the compiler repeats them for each component that needs them."""
    return jax.lax.optimization_barrier(values)


def _trace(c: Six, power: Scalar, weight: Callable = jnp.ones_like) -> Scalar:
    return _sum(weight(x) * x**power for x in c)


def _sum(terms: Iterable[Scalar]) -> Scalar:
    return sum(terms, jnp.zeros(()))


@jax.custom_jvp
def _eigen(C: Six) -> tuple[tuple[Scalar, ...], tuple[tuple[Scalar, ...], ...]]:
    """Return eigenvalues and, by column, eigenvectors Q of C = Q diag(c) Qᵀ.

    By Jacobi's rotations: elementwise, without a library call, and with orthogonal vectors at
    equal eigenvalues too.
    """
    A: Rows = [[C[_AT[i][j]] for j in range(3)] for i in range(3)]
    Q: Rows = [[jnp.full_like(C[0], float(i == j)) for j in range(3)] for i in range(3)]

    def sweep(_: int, matrices: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
        for p, q in ((0, 1), (0, 2), (1, 2)):
            matrices = _rotate(*matrices, p, q)
        return matrices

    A, Q = jax.lax.fori_loop(0, _SWEEPS, sweep, (A, Q))
    return _keep((tuple(A[i][i] for i in range(3)), tuple(tuple(row) for row in Q)))


@_eigen.defjvp
def _eigen_jvp(primals: Any, tangents: Any) -> Any:
    # Eigenvectors have no derivative at equal eigenvalues: a wrong number would be silent.
    raise NotImplementedError(
        "second derivatives of a power of a tensor are not available: stress and tangent can be "
        "differentiated to first order only"
    )


def _rotate(A: Rows, Q: Rows, p: int, q: int) -> tuple[Rows, Rows]:
    """Make A[p][q] vanish by a rotation in the plane p, q."""
    off, r = A[p][q], 3 - p - q
    zero = off == 0
    ratio = (A[q][q] - A[p][p]) / (2 * jnp.where(zero, 1.0, off))
    tangent = jnp.where(ratio >= 0, 1.0, -1.0) / (jnp.abs(ratio) + jnp.sqrt(1 + ratio * ratio))
    tangent = jnp.where(zero, 0.0, tangent)
    cosine = 1 / jnp.sqrt(1 + tangent * tangent)
    sine = tangent * cosine

    def turn(row: list[Scalar]) -> list[Scalar]:
        new = list(row)
        new[p], new[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]
        return new

    B = [list(row) for row in A]
    B[p][p], B[q][q] = A[p][p] - tangent * off, A[q][q] + tangent * off
    B[p][q] = B[q][p] = jnp.zeros_like(off)
    B[r] = turn(A[r])
    B[p][r], B[q][r] = B[r][p], B[r][q]
    return B, [turn(row) for row in Q]


def _compose(Q: Any, entry: Callable[[int, int], Any]) -> Six:
    """Return the components of Q M Qᵀ with a symmetric M given by its entries."""
    M = [[entry(i, j) for j in range(3)] for i in range(3)]
    QM = [[sum(Q[a][i] * M[i][j] for i in range(3)) for j in range(3)] for a in range(3)]
    return tuple(sum(QM[a][j] * Q[b][j] for j in range(3)) for a, b in _PAIRS)
