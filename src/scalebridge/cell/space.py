"""Which fluctuations a boundary condition admits, and the forces that they can feel.

A space is given by its ends (`Discretisation.ends`). Fixed components vanish on the
faces. Static ones are free there, but for one condition each: the fluctuation has no
average gradient, ⟨∇w⟩_c = 0. Its Lagrange multiplier is the uniform flux of the static
boundary condition (Miehe 2003), so that every space is driven by the average gradient.

With G_c the linear form w → ⟨∇w⟩_c, and x_c a field of the space with ⟨∇x_c⟩_d = δ_cd,
Q = 1 − Σ_c x_c G_cᵀ projects on the fields of the condition and Qᵀ takes the multipliers
off the nodal forces. Both are sums and products along axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell.discretisation import Discretisation, symmetric_pairs
from scalebridge.cell.stencil import Field

Entry = tuple[int, int]  # derivative axis, field component
_ROOT_HALF = 0.5**0.5


def entries(disc: Discretisation, component: int) -> list[Entry]:
    """Return the derivatives ∂_i w_j that make up a component of the gradient."""
    if disc.physics == "conduction":
        return [(component, 0)]
    if disc.physics == "finite strain":
        j, i = divmod(component, disc.rank)
        return [(i, j)] if i < disc.dim else []
    i, j = symmetric_pairs(disc.rank)[component]
    both = [(i, j)] if i == j else [(i, j), (j, i)]
    return [(a, c) for a, c in both if a < disc.dim]


def driven(disc: Discretisation) -> Iterator[tuple[int, list[Entry]]]:
    """Yield the components whose average a uniform flux must hold, with their static entries."""
    for component in range(disc.components if disc.ends else 0):
        static = [(i, j) for i, j in entries(disc, component) if disc.ends[i][j] == "static"]
        if static:
            yield component, static


def is_idle(disc: Discretisation, component: int) -> bool:
    """Whether a unit average gradient costs nothing: the space holds the field that undoes it."""
    return bool(disc.ends) and any(
        disc.ends[i][j] == "free"
        and not any(disc.is_fixed(k, j) for k in range(disc.dim) if k != i)
        for i, j in entries(disc, component)
    )


def restrict(disc: Discretisation, forces: Field) -> Field:
    """Return Qᵀ of nodal forces, without those on fixed nodes."""
    if not disc.bounded or disc.element == "volume":
        return forces
    forces = mask(disc, forces)
    sums = [
        (component, reduce(jnp.add, [_sum(forces[j], x) * f for (_, j), x, f in _lifts(disc, e)]))
        for component, e in driven(disc)
    ]
    out = list(forces)
    for component, total in sums:
        for (_, j), g, factor in _averages(disc, component):
            out[j] = out[j] - _outer(g, total * factor)
    return mask(disc, tuple(out)) if sums else forces


def admit(disc: Discretisation, w: Field) -> Field:
    """Return Q of a field of the space: the same without average gradient."""
    out = list(w)
    for component, static in driven(disc):
        total = reduce(jnp.add, [_sum(w[j], g) * f for (_, j), g, f in _averages(disc, component)])
        for (_, j), x, factor in _lifts(disc, static):
            out[j] = out[j] - _outer(x, total * factor)
    return tuple(out)


Lines = list[np.ndarray]  # a factor along each axis


def _averages(disc: Discretisation, component: int) -> list[tuple[Entry, Lines, float]]:
    """Return G_c as products along the axes: differences along one, trapezoids along the others."""
    found = []
    pairs = entries(disc, component)
    normal = disc.physics != "elasticity" or component < disc.rank
    for i, j in pairs:
        if i not in disc.bounded:
            continue
        lines = [_trapezoid(disc, k) for k in range(disc.dim)]
        lines[i] = np.zeros(disc.nodes[i])
        lines[i][0], lines[i][-1] = -1.0, 1.0
        scale = 1.0 / (disc.voxels * disc.spacing[i])
        found.append(((i, j), lines, scale * (1.0 if normal else _ROOT_HALF)))
    return found


def _lifts(disc: Discretisation, static: list[Entry]) -> list[tuple[Entry, Lines, float]]:
    """Return x_c: linear along its axis, and along others a parabola where it must vanish."""
    found = []
    shear = static[0][0] != static[0][1] and disc.physics == "elasticity"
    for i, j in static:
        lines = [_bump(disc, k) if disc.is_fixed(k, j) else _one(disc, k) for k in range(disc.dim)]
        lines[i] = (np.arange(disc.nodes[i]) - 0.5 * disc.shape[i]) * disc.spacing[i]
        factor = 1 / (_ROOT_HALF * len(static)) if shear else 1.0
        found.append(((i, j), lines, factor))
    return found


def _one(disc: Discretisation, axis: int) -> np.ndarray:
    return np.ones(disc.nodes[axis])


def _trapezoid(disc: Discretisation, axis: int) -> np.ndarray:
    weights = _one(disc, axis)
    if axis in disc.bounded:
        weights[[0, -1]] = 0.5
    return weights


def _bump(disc: Discretisation, axis: int) -> np.ndarray:
    """Return a parabola that vanishes at both ends and has the mean 1 over the voxels."""
    t = np.linspace(0.0, 1.0, disc.nodes[axis])
    return t * (1 - t) / (np.sum(t * (1 - t)) / disc.shape[axis])


def _fixed_mask(disc: Discretisation, component: int) -> Lines:
    """Return the factors along the axes that are zero on the fixed nodes of a component."""
    lines = [_one(disc, axis) for axis in range(disc.dim)]
    for axis in disc.bounded:
        if disc.is_fixed(axis, component):
            lines[axis][[0, -1]] = 0.0
    return lines


def mask(disc: Discretisation, field: Field) -> Field:
    """Return a nodal field without its fixed nodes."""
    return tuple(
        reduce(jnp.multiply, _spread(_fixed_mask(disc, j), a.dtype), a)
        if any(disc.is_fixed(axis, j) for axis in disc.bounded)
        else a
        for j, a in enumerate(field)
    )


def _spread(lines: Lines, dtype: Any) -> list[Array]:
    """Shape the factors along the axes so that they broadcast."""
    dim = len(lines)
    return [
        jnp.asarray(line, dtype).reshape([-1 if a == axis else 1 for a in range(dim)])
        for axis, line in enumerate(lines)
    ]


def _outer(lines: Lines, factor: Array) -> Array:
    return factor * reduce(jnp.multiply, _spread(lines, factor.dtype))


def _sum(field: Array, lines: Lines) -> Array:
    """Sum of the products with an outer product, one axis after another."""
    for line in reversed(lines):
        field = field @ jnp.asarray(line, field.dtype)
    return field
