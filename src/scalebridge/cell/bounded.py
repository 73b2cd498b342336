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

from dataclasses import replace
from functools import partial, reduce
from typing import Any, NamedTuple

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
    inside : (n+2, …)
        1 in the voxels of the cell, 0 in the ghosts; empty where V′ is matched.
    """

    inverse: tuple[Array, ...]
    diagonal: tuple[Array, ...]
    lame: Array
    inside: Array


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
        return BoundedGreen((symbol,), (), jnp.zeros(2, kind), jnp.zeros(0, kind))
    within = inner(disc)
    norms = reduce(
        jnp.multiply,
        [
            jnp.asarray(transforms.norms(disc.shape[axis])).reshape(
                [-1 if a == axis else 1 for a in range(disc.dim)]
            )
            for axis in disc.bounded
        ],
    )
    full = greens.symbol(disc, modulus)
    if is_matched(within):
        inverse = greens.invert(full, disc.unknowns)
        inside = jnp.zeros([0] * disc.dim, kind)
    else:
        lam, mu = modulus[0, 1], 0.5 * modulus[-1, -1]
        mean = greens.moments(disc, [(frozenset[int](), 1.0)])
        inverse = tuple(
            greens.invert({(0, 0): full[j, j] - (lam + mu) * mean.get((j, j), 0.0)}, 1)[0]
            for j in range(disc.unknowns)
        )
        inside = jnp.ones(disc.shape, kind)
        ghosts = [(1, int(a in disc.bounded)) for a in range(disc.dim)]
        for axis, pad in enumerate(ghosts):
            mode = "constant" if axis in disc.bounded else "wrap"
            inside = jnp.pad(inside, [pad if a == axis else (0, 0) for a in range(disc.dim)], mode)
    diagonal = [greens.invert({(0, 0): full[j, j]}, 1)[0] for j in freed(disc)]
    lame = jnp.stack([modulus[0, 1], 0.5 * modulus[-1, -1]])
    return BoundedGreen(
        tuple((g / norms).astype(kind) for g in inverse),
        tuple((g / norms).astype(kind) for g in diagonal),
        lame.astype(kind),
        inside,
    )


def precondition(disc: Discretisation, green: BoundedGreen, g: Field) -> Field:
    """Return M⁻¹ of nodal forces, in the precision of `green`."""
    if disc.element == "volume":
        return volumes.precondition(disc, green.inverse[0], g)
    within, loose = inner(disc), freed(disc)
    g = tuple(a.astype(green.lame.dtype) for a in g)
    halfway = [_along_axes(within, j, a, skip=_own(j, loose)) for j, a in enumerate(g)]
    modes = [_fourier(disc, _finish(within, j, a, loose)) for j, a in enumerate(halfway)]
    free = [_fourier(disc, _finish(disc, j, halfway[j], loose)) for j in loose]
    if is_matched(within):
        phases = _phases(within)
        turned = tuple(a * p.conjugate() for a, p in zip(modes, phases, strict=True))
        solved = greens.answer(disc, green.inverse, turned)
        out = [a * p for a, p in zip(solved, phases, strict=True)]
    else:
        v = tuple(
            _inverse(within, j, d * a)
            for j, (d, a) in enumerate(zip(green.inverse, modes, strict=True))
        )
        w = _grad_div(within, green.inside, v)
        lam, mu = green.lame
        gamma = mu * (lam + mu) / (lam + 2 * mu)
        out = [
            d * (a - gamma * _forward(within, j, b))
            for j, (d, a, b) in enumerate(zip(green.inverse, modes, w, strict=True))
        ]
    for j, d, b in zip(loose, green.diagonal, free, strict=True):
        out[j] = out[j] - d * modes[j]
        free[loose.index(j)] = d * b
    z = []
    for j, a in enumerate(out):
        back = _finish(within, j, _unfourier(disc, a), loose)
        if j in loose:
            back = back + _finish(disc, j, _unfourier(disc, free[loose.index(j)]), loose)
        z.append(_along_axes(within, j, back, skip=_own(j, loose)))
    return tuple(z)


def _grad_div(disc: Discretisation, inside: Array, v: Field) -> Field:
    """Return divᵀ div v, with the divergence at the centres of the voxels."""
    scale = [2.0 ** -(disc.dim - 1) / h for h in disc.spacing]
    wrapped = jax.lax.optimization_barrier(tuple(stencil.wrap(a, disc.bounded) for a in v))
    parts = [
        stencil.corner_modes(u)[frozenset({j})] * s
        for j, (u, s) in enumerate(zip(wrapped, scale, strict=False))
    ]
    divergence = jax.lax.optimization_barrier(inside * reduce(jnp.add, parts))
    out = [stencil.from_corner_modes({frozenset({j}): divergence * s}) for j, s in enumerate(scale)]
    out += [jnp.zeros_like(a) for a in v[disc.dim :]]
    return space.mask(disc, tuple(out))


def _own(component: int, loose: list[int]) -> int | None:
    return component if component in loose else None


def _matrix(disc: Discretisation, axis: int, component: int) -> Any:
    kind = transforms.sine if disc.is_fixed(axis, component) else transforms.cosine
    return kind(disc.shape[axis])


def _along_axes(disc: Discretisation, component: int, u: Array, skip: int | None) -> Array:
    """Transform along the bounded axes but one: the same matrices forth and back."""
    for axis in disc.bounded:
        if axis != skip:
            u = transforms.along(_matrix(disc, axis, component), u, axis)
    return u


def _finish(disc: Discretisation, component: int, u: Array, loose: list[int]) -> Array:
    """Transform along the axis that was skipped."""
    if component not in loose:
        return u
    return transforms.along(_matrix(disc, component, component), u, component)


def _forward(disc: Discretisation, component: int, u: Array) -> Array:
    return _fourier(disc, _along_axes(disc, component, u, None))


def _inverse(disc: Discretisation, component: int, modes: Array) -> Array:
    return _along_axes(disc, component, _unfourier(disc, modes), None)


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
