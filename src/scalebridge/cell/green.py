"""The inverse of the homogeneous reference medium, diagonal in Fourier space.

On a homogeneous periodic grid the element's modes have the symbols

    average: cos(k/2),   difference: 2i sin(k/2),

up to a phase that all modes of one gradient share. The symbol of Bᵀ C⁰ B is
therefore real and symmetric, of the same discretisation as the cell's operator.
Along a bounded axis sines and cosines of k = π m / n take the place of exp(i k x):
averages keep the kind and differences change it, with the same symbols.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial, reduce
from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge import tensors
from scalebridge.cell.discretisation import Axes, Discretisation
from scalebridge.cell.stencil import Field

Pair = tuple[int, int]


def _factors(disc: Discretisation) -> tuple[list[Array], list[Array]]:
    """Symbols of difference and average along each axis, shaped to broadcast."""
    sines, cosines = [], []
    periodic = [axis for axis in range(disc.dim) if axis not in disc.bounded]
    for axis, n in enumerate(disc.shape):
        if axis in disc.bounded:
            count, period = n + 1, 2 * n
        else:
            count, period = n // 2 + 1 if axis == periodic[-1] else n, n
        half = np.pi * np.arange(count) / period
        cosine = np.cos(half)
        if period % 2 == 0 and count > period // 2:
            cosine[period // 2] = 0.0  # cos(π/2): checkerboard modes are exactly without energy
        shape = [1] * disc.dim
        shape[axis] = count
        sines.append(jnp.asarray(2 * np.sin(half)).reshape(shape))
        cosines.append(jnp.asarray(cosine).reshape(shape))
    return sines, cosines


def moments(disc: Discretisation, sets: Iterable[tuple[Axes, float]]) -> dict[Pair, Array]:
    """Sum over modal gradients of the products g_i g_k (i ≤ k) of their symbols."""
    sines, cosines = _factors(disc)
    total: dict[Pair, Array] = {}
    for at, weight in sets:
        free = [i for i in range(disc.dim) if i not in at]
        g = {}
        for i in free:
            parts = [
                s if t in at | {i} else c
                for t, (s, c) in enumerate(zip(sines, cosines, strict=True))
            ]
            g[i] = reduce(jnp.multiply, parts) / disc.spacing[i]
        for n, i in enumerate(free):
            for k in free[n:]:
                term = weight * g[i] * g[k]
                total[i, k] = total[i, k] + term if (i, k) in total else term
    return total


def _contract(
    disc: Discretisation, modulus: Array, products: dict[Pair, Array]
) -> dict[Pair, Array]:
    """Symbol C_ijkm g_i g_k of an energy, for field components j ≤ m."""
    if disc.physics == "conduction":
        full = modulus[:, None, :, None]
    else:
        full = tensors.from_mandel4(modulus)
    out = {}
    for j in range(disc.unknowns):
        for m in range(j, disc.unknowns):
            terms = []
            for (i, k), moment in products.items():
                factor = full[i, j, k, m] if i == k else full[i, j, k, m] + full[k, j, i, m]
                terms.append(factor * moment)
            out[j, m] = reduce(jnp.add, terms)
    return out


def symbol(disc: Discretisation, modulus: Array) -> dict[Pair, Array]:
    """Return the upper triangle of the symbol of Bᵀ C⁰ B at the real FFT's frequencies."""
    mean = [(frozenset[int](), 1.0)]
    hourglass = list(disc.hourglass_sets())
    if disc.element != "bbar" or disc.physics == "conduction":
        return _contract(disc, modulus, moments(disc, mean + hourglass))
    one = jnp.asarray([1.0] * disc.rank + [0.0] * (disc.components - disc.rank))
    deviatoric = jnp.eye(disc.components) - jnp.outer(one, one) / disc.rank
    a = _contract(disc, modulus, moments(disc, mean))
    b = _contract(disc, deviatoric @ modulus @ deviatoric, moments(disc, hourglass))
    return {key: a[key] + b[key] for key in a}


def invert(a: dict[Pair, Array], size: int) -> tuple[Array, ...]:
    """Pseudo-inverse of symmetric matrices, zero where the whole matrix is zero."""
    trace = reduce(jnp.add, [a[i, i] for i in range(size)])
    alive = trace > 0  # the factors' zeros are exact, and so are those of their products
    unit = jnp.where(alive, trace, 1.0)
    b = {key: value / unit for key, value in a.items()}
    if size == 1:
        cofactors, det = [jnp.ones_like(unit)], b[0, 0]
    elif size == 2:
        cofactors = [b[1, 1], -b[0, 1], b[0, 0]]
        det = b[0, 0] * b[1, 1] - b[0, 1] ** 2
    else:
        cofactors = [
            b[1, 1] * b[2, 2] - b[1, 2] ** 2,
            b[0, 2] * b[1, 2] - b[0, 1] * b[2, 2],
            b[0, 1] * b[1, 2] - b[0, 2] * b[1, 1],
            b[0, 0] * b[2, 2] - b[0, 2] ** 2,
            b[0, 1] * b[0, 2] - b[0, 0] * b[1, 2],
            b[0, 0] * b[1, 1] - b[0, 1] ** 2,
        ]
        det = b[0, 0] * cofactors[0] + b[0, 1] * cofactors[1] + b[0, 2] * cofactors[2]
    factor = jnp.where(alive, 1.0 / (jnp.where(alive, det, 1.0) * unit), 0.0)
    return tuple(c * factor for c in cofactors)


@partial(jax.jit, static_argnames=("disc", "single"))
def green_operator(disc: Discretisation, modulus: Array, single: bool) -> tuple[Array, ...]:
    """Return the packed inverse symbol of the reference medium `modulus` (m, m), periodic."""
    inverse = invert(symbol(disc, modulus), disc.unknowns)
    return tuple(g.astype(jnp.float32 if single else jnp.float64) for g in inverse)


def transform(disc: Discretisation, green: tuple[Array, ...], g: Field) -> tuple[Array, ...]:
    """Return the Fourier modes of nodal forces, in the precision of `green`."""
    return tuple(jnp.fft.rfftn(r.astype(green[0].dtype)) for r in g)


def answer(
    disc: Discretisation, green: tuple[Array, ...], modes: tuple[Array, ...]
) -> tuple[Array, ...]:
    """Return the modes of the reference medium's displacement under forces."""
    size = disc.unknowns
    packed = {}
    for (j, m), entry in zip(combinations_with_replacement(range(size), 2), green, strict=True):
        packed[j, m] = packed[m, j] = entry
    return tuple(
        reduce(jnp.add, [packed[j, m] * modes[m] for m in range(size)]) for j in range(size)
    )


def transform_back(disc: Discretisation, modes: tuple[Array, ...]) -> Field:
    """Return the nodal field of Fourier modes."""
    return tuple(jnp.fft.irfftn(a, s=disc.shape) for a in modes)


def precondition(disc: Discretisation, green: tuple[Array, ...], g: Field) -> Field:
    """Return the reference medium's answer to nodal forces, in a periodic cell."""
    return transform_back(disc, answer(disc, green, transform(disc, green, g)))
