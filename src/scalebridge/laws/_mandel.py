"""Mandel tensors as tuples of their six components.

A law is written for one point and batched by `vmap`. Arithmetic on scalars stays in one loop
over the voxels then; arrays of six would be transposed (measured: up to four times slower).
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
Tensor = tuple[Scalar, ...]


def split(array: Float[Array, " 6"]) -> Tensor:
    """Return the components 11, 22, 33, 23, 13, 12 (shears times √2)."""
    return tuple(array[i] for i in range(6))


def join(tensor: Tensor) -> Float[Array, " 6"]:
    """Return the components as an array."""
    return jnp.stack(tensor)


def trace(a: Tensor) -> Scalar:
    """Return a₁₁ + a₂₂ + a₃₃."""
    return a[0] + a[1] + a[2]


def add_pressure(a: Tensor, p: Scalar) -> Tensor:
    """Return a + p 1."""
    return (a[0] + p, a[1] + p, a[2] + p, *a[3:])


def deviator(a: Tensor) -> Tensor:
    """Return a − tr(a)/3 1."""
    return add_pressure(a, -trace(a) / 3)


def scale(x: Scalar | float, a: Tensor) -> Tensor:
    """Return x a."""
    return tuple(x * c for c in a)


def add(a: Tensor, b: Tensor) -> Tensor:
    """Return a + b."""
    return tuple(c + d for c, d in zip(a, b, strict=True))


def subtract(a: Tensor, b: Tensor) -> Tensor:
    """Return a − b."""
    return tuple(c - d for c, d in zip(a, b, strict=True))


def dot(a: Tensor, b: Tensor) -> Scalar:
    """Return a : b."""
    products = [c * d for c, d in zip(a, b, strict=True)]
    return sum(products[1:], products[0])
