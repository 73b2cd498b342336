"""Linear solvers on PyTrees of arrays, as one compiled loop each."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

Vector = Any  # a PyTree of arrays
Map = Callable[[Vector], Vector]


class Solution(NamedTuple):
    """What a Krylov method found.

    Attributes
    ----------
    x : Vector
    norm : ()
        ‖b − A x‖₂ by the method's recursion.
    iterations : () int
    """

    x: Vector
    norm: Array
    iterations: Array


def dot(a: Vector, b: Vector) -> Array:
    """Sum of products over all arrays."""
    parts = jax.tree.map(lambda x, y: jnp.sum(x * y), a, b)
    return reduce(jnp.add, jax.tree.leaves(parts))


def axpy(alpha: Array, x: Vector, y: Vector) -> Vector:
    """Return α x + y."""
    return jax.tree.map(lambda a, b: alpha * a + b, x, y)


def _over(a: Array, b: Array) -> Array:
    """Return a / b, zero where b is."""
    safe = jnp.where(b == 0, 1.0, b)
    return jnp.where(b == 0, 0.0, a / safe)


def conjugate_gradients(
    apply: Map, b: Vector, precondition: Map, target: Array, iterations: int
) -> Solution:
    """Solve A x = b for symmetric A until ‖b − A x‖₂ ≤ target.

    Where A shows negative curvature the iteration ends at the x reached, in the first
    iteration with the preconditioned right-hand side: a direction of descent either way
    (Steihaug 1983). It ends too where the preconditioner, which may be singular with A, sees
    nothing of the residual: what is left is rounding, and would be blown up.
    """

    def unfinished(carry: Any) -> Array:
        _, r, _, rz, count, curved = carry
        return (dot(r, r) > target**2) & (count < iterations) & ~curved & (rz > 0)

    def body(carry: Any) -> Any:
        x, r, p, rz, count, _ = carry
        ap = apply(p)
        work = dot(p, ap)
        curved = ~(work > 0)
        alpha = jnp.where(curved, jnp.where(count == 0, 1.0, 0.0), _over(rz, work))
        x = axpy(alpha, p, x)
        r = axpy(jnp.where(curved, 0.0, -alpha), ap, r)
        z = precondition(r)
        new = dot(r, z)
        p = axpy(_over(new, rz), p, z)
        return x, r, p, new, count + 1, curved

    zero = jax.tree.map(jnp.zeros_like, b)
    z = precondition(b)
    start = (zero, b, z, dot(b, z), jnp.zeros((), int), jnp.zeros((), bool))
    x, r, _, _, count, _ = jax.lax.while_loop(unfinished, body, start)
    return Solution(x, jnp.sqrt(dot(r, r)), count)


def bicgstab(apply: Map, b: Vector, precondition: Map, target: Array, iterations: int) -> Solution:
    """Solve A x = b for any A by the stabilised biconjugate gradients of van der Vorst (1992).

    Preconditioned from the right, so that the residual is that of A x = b.
    """

    def unfinished(carry: Any) -> Array:
        _, r, _, _, rho, count = carry
        return (dot(r, r) > target**2) & (count < iterations) & (rho != 0)

    def body(carry: Any) -> Any:
        x, r, p, shadow_v, rho, count = carry
        v, shadow = shadow_v
        p_hat = precondition(p)
        v = apply(p_hat)
        alpha = _over(rho, dot(shadow, v))
        s = axpy(-alpha, v, r)
        s_hat = precondition(s)
        t = apply(s_hat)
        omega = _over(dot(t, s), dot(t, t))
        x = axpy(omega, s_hat, axpy(alpha, p_hat, x))
        r = axpy(-omega, t, s)
        new = dot(shadow, r)
        beta = _over(new, rho) * _over(alpha, omega)
        p = axpy(beta, axpy(-omega, v, p), r)
        return x, r, p, (v, shadow), jnp.where(omega == 0, 0.0, new), count + 1

    zero = jax.tree.map(jnp.zeros_like, b)
    start = (zero, b, b, (zero, b), dot(b, b), jnp.zeros((), int))
    x, r, *_, count = jax.lax.while_loop(unfinished, body, start)
    return Solution(x, jnp.sqrt(dot(r, r)), 2 * count)


def krylov(symmetric: bool) -> Callable[..., Solution]:
    """Return the method for operators of a kind."""
    return conjugate_gradients if symmetric else bicgstab
