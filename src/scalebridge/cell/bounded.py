"""The preconditioner of cells that are not periodic along all axes.

*Matched* spaces have, at the ends of each bounded axis, the normal displacement fixed and
the tangential ones free ("rollers"), or the reverse. Then the mixed derivatives of the Lamé
operator map the sines and cosines of one component onto those of the other, and the
reference medium is inverted mode by mode, as in the periodic cell. So is every scalar
problem.

Other spaces V take two steps from there.

1. Where normal and tangential components are free, V′ is V with the normal one fixed. By
   L_N⁻¹ = L_D⁻¹ + E S⁻¹ Eᵀ, with E the harmonic extension from the faces,

       M⁻¹ = A_{V′}⁻¹ + Σ_j (D_{j,V}⁻¹ − D_{j,V′}⁻¹)

   adds what the free normal displacement can do, to the scalar operators D_j on the diagonal
   of the Lamé operator.
2. Where V′ is not matched because components are fixed together, A = μ L + (λ+μ) divᵀ div
   has its spectrum relative to the vector Laplacian L within [μ, λ+2μ], nearly all of it at
   the two ends (Cosserat; Crouzeix 1997). With the parabola through both,

       A_{V′}⁻¹ ≈ (L⁻¹ − γ L⁻¹ divᵀ div L⁻¹) / μ,   γ = (λ+μ) / (λ+2μ),

   M⁻¹A lies in [1, (λ+3μ)²/(4 μ (λ+2μ))]: 1.45 instead of 3.5 for ν = 0.3. Here div is that at
   the voxels' centres, and μ L stands for all else on the diagonal of A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import green as greens
from scalebridge.cell import space, stencil, transforms, volumes
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.stencil import Field


class BoundedGreen(NamedTuple):
    """Inverse symbols, divided by the norms of the sines and cosines.

    Attributes
    ----------
    inverse : tuple of arrays
        Packed inverse symbol of the reference medium where V′ is matched; else of "μ L".
    diagonal : tuple of arrays
        Inverse of D_j for each component whose normal end is freed.
    lame : (2,)
        λ and μ of the reference medium.
    """

    inverse: tuple[Array, ...]
    diagonal: tuple[Array, ...]
    lame: Array


def inner(disc: Discretisation) -> Discretisation:
    """Return V′: the normal component fixed where a tangential one is free with it."""
    if disc.physics == "conduction":
        return disc
    ends = [list(kinds) for kinds in disc.ends]
    for axis in disc.bounded:
        tangential = [j for j in range(disc.dim) if j != axis]
        if disc.is_free(axis, axis) and any(disc.is_free(axis, j) for j in tangential):
            ends[axis][axis] = "fixed"
    return replace(disc, ends=tuple(map(tuple, ends)))


def freed(disc: Discretisation) -> list[int]:
    """Return the components whose normal end V′ fixes and V does not."""
    within = inner(disc)
    return [a for a in disc.bounded if disc.ends[a] != within.ends[a]]


def is_matched(disc: Discretisation) -> bool:
    """Whether the reference medium is inverted mode by mode."""
    if disc.physics == "conduction":
        return True
    for axis in disc.bounded:
        normal = disc.is_free(axis, axis)
        tangential = {disc.is_free(axis, j) for j in range(disc.dim) if j != axis}
        if tangential != {not normal}:
            return False
    return True


def floor(disc: Discretisation, modulus: np.ndarray) -> float:
    """Return a lower bound of the spectrum of M⁻¹A for the reference medium, 0 if unknown."""
    if freed(disc):
        return 0.0
    if is_matched(disc) or disc.element == "reduced":
        return 1.0
    lam, mu = modulus[0, 1], 0.5 * modulus[-1, -1]
    return float(min(1.0, mu / (lam + 2 * mu)))  # the hourglass parts of A and of its diagonal


@partial(jax.jit, static_argnames=("disc", "single"))
def green_operator(disc: Discretisation, modulus: Array, single: bool) -> BoundedGreen:
    """Return what inverts the reference medium: orthotropic, isotropic where V′ is not matched."""
    kind = jnp.float32 if single else jnp.float64
    if disc.element == "volume":
        symbol = volumes.inverse_symbol(disc, modulus).astype(kind)
        return BoundedGreen((symbol,), (), jnp.zeros(2, kind))
    within = inner(disc)
    norms = _product(disc, {axis: transforms.norms(disc.shape[axis]) for axis in disc.bounded})
    lame = jnp.stack([modulus[0, 1], 0.5 * modulus[-1, -1]])
    full = greens.symbol(disc, modulus)
    if is_matched(within):
        inverse = greens.invert(full, disc.unknowns)
    else:
        mean = greens.moments(disc, [(frozenset[int](), 1.0)])
        inverse = tuple(
            greens.invert({(0, 0): full[j, j] - lame.sum() * mean.get((j, j), 0.0)}, 1)[0]
            for j in range(disc.unknowns)
        )
    diagonal = [greens.invert({(0, 0): full[j, j]}, 1)[0] for j in freed(disc)]
    return BoundedGreen(
        tuple((g / norms).astype(kind) for g in inverse),
        tuple((g / norms).astype(kind) for g in diagonal),
        lame.astype(kind),
    )


def precondition(disc: Discretisation, green: BoundedGreen, g: Field) -> Field:
    """Return M⁻¹ of nodal forces, in the precision of `green`."""
    if disc.element == "volume":
        return volumes.precondition(disc, green.inverse[0], g)
    within = inner(disc)
    diagonal = dict(zip(freed(disc), green.diagonal, strict=True))
    own = [[j] if j in diagonal else [] for j in range(disc.unknowns)]
    others = [[axis for axis in disc.bounded if axis not in mine] for mine in own]
    # V and V′ differ along a freed component's own axis only: the others are transformed once.
    shared = [_transform(within, j, a.astype(green.lame.dtype), others[j]) for j, a in enumerate(g)]
    modes = [_fourier(disc, _transform(within, j, a, own[j])) for j, a in enumerate(shared)]
    z = []
    for j, solved in enumerate(_solve_within(within, green, modes)):
        if j in diagonal:
            d = diagonal[j]
            free = d * _fourier(disc, _transform(disc, j, shared[j], own[j]))
            back = _transform(within, j, _unfourier(disc, solved - d * modes[j]), own[j])
            back = back + _transform(disc, j, _unfourier(disc, free), own[j])
        else:
            back = _unfourier(disc, solved)
        z.append(_transform(within, j, back, others[j]))
    return tuple(z)


def _solve_within(disc: Discretisation, green: BoundedGreen, modes: list[Array]) -> list[Array]:
    """Return the modes of A⁻¹ in V′, exactly or by the parabola."""
    if is_matched(disc):
        phases = _phases(disc)
        turned = tuple(a * p.conjugate() for a, p in zip(modes, phases, strict=True))
        solved = greens.answer(disc, green.inverse, turned)
        return [a * p for a, p in zip(solved, phases, strict=True)]
    v = tuple(
        _transform(disc, j, _unfourier(disc, d * a), disc.bounded)
        for j, (d, a) in enumerate(zip(green.inverse, modes, strict=True))
    )
    lam, mu = green.lame
    gamma = mu * (lam + mu) / (lam + 2 * mu)
    forces = [
        _fourier(disc, _transform(disc, j, b, disc.bounded))
        for j, b in enumerate(_grad_div(disc, v))
    ]
    return [d * (a - gamma * b) for d, a, b in zip(green.inverse, modes, forces, strict=True)]


def _grad_div(disc: Discretisation, v: Field) -> Field:
    """Return divᵀ div v, with the divergence at the centres of the voxels."""
    scale = [2.0 ** -(disc.dim - 1) / h for h in disc.spacing]
    wrapped = jax.lax.optimization_barrier(tuple(stencil.wrap(a, disc.bounded) for a in v))
    parts = [
        stencil.corner_modes(u)[frozenset({j})] * s
        for j, (u, s) in enumerate(zip(wrapped, scale, strict=False))
    ]
    # The ghosts have no divergence.
    lines = {axis: np.pad(np.ones(disc.shape[axis]), 1) for axis in disc.bounded}
    inside = _product(disc, lines).astype(v[0].dtype)
    divergence = jax.lax.optimization_barrier(inside * reduce(jnp.add, parts))
    out = [stencil.from_corner_modes({frozenset({j}): divergence * s}) for j, s in enumerate(scale)]
    out += [jnp.zeros_like(a) for a in v[disc.dim :]]
    return space.mask(disc, tuple(out))


def _product(disc: Discretisation, lines: dict[int, np.ndarray]) -> Array:
    """Return the outer product of factors along axes, to broadcast with fields."""
    return reduce(
        jnp.multiply,
        [
            jnp.asarray(line.reshape([-1 if a == axis else 1 for a in range(disc.dim)]))
            for axis, line in lines.items()
        ],
    )


def _transform(disc: Discretisation, component: int, u: Array, axes: Sequence[int]) -> Array:
    """Transform a component along bounded axes: by the same matrices forth and back."""
    for axis in axes:
        kind = transforms.sine if disc.is_fixed(axis, component) else transforms.cosine
        u = transforms.along(kind(disc.shape[axis]), u, axis)
    return u


def _fourier(disc: Discretisation, u: Array) -> Array:
    axes = [a for a in range(disc.dim) if a not in disc.bounded]
    return jnp.fft.rfftn(u, axes=axes) if axes else u


def _unfourier(disc: Discretisation, modes: Array) -> Array:
    axes = [a for a in range(disc.dim) if a not in disc.bounded]
    if not axes:
        return modes
    return jnp.fft.irfftn(modes, s=[disc.shape[a] for a in axes], axes=axes)


def _phases(disc: Discretisation) -> list[complex]:
    """Return the factors of the components that make the symbol real and symmetric.

    A derivative is i k on exp(i k x), +k on a sine and −k on a cosine.
    """
    phases: list[complex] = []
    periodic = len(disc.bounded) < disc.dim
    for j in range(disc.unknowns):
        if disc.physics == "conduction" or j not in disc.bounded:
            phases.append(1.0)
        else:
            sign = -1.0 if disc.is_free(j, j) else 1.0
            phases.append(sign * 1j if periodic else sign)
    return phases
