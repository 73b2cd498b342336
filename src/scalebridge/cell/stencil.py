"""The matrix-free operator Bᵀ C B on the voxel grid.

A nodal field is a tuple of arrays, one for each component: XLA then updates
and transforms them in place, one by one. Node (i, j, k) is the lower corner of
voxel (i, j, k). The field is first wrapped by one layer on both sides; fluxes
are evaluated in all (n+1)^d voxels that touch a node, ghosts included, so that
the divergence needs slices only. The two halves must not be fused: the
compiler would evaluate each flux 2^d times.

Along a bounded axis there are n+1 nodes, and ghost voxels of no material at
both ends: the same stencil assembles the forces on the boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial, reduce
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from scalebridge.cell.discretisation import Axes, Discretisation, symmetric_pairs

Field = tuple[Array, ...]
_HALF_SQRT = 0.5**0.5
_FEW = 8  # materials
_NEVER = 4.9e-301
T = TypeVar("T")


def alone(key: Array, work: Callable[..., T], *operands: Any) -> T:
    """Return work(*operands), computed once and for itself.

    The compiler would fuse fluxes into the divergence and evaluate each of them 2^d times;
    `optimization_barrier` does not hold it back on the CPU. A branch does, whose condition it
    cannot know: that the number `key` is not a certain one.
    """
    shapes = jax.eval_shape(work, *operands)

    def never(*_: Any) -> T:
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return jax.lax.cond(key != _NEVER, work, never, *operands)


def wrap(u: Array, bounded: Collection[int] = ()) -> Array:
    """Extend a periodic array by one layer on each side of each axis, a bounded axis by zeros.

    The interior is written once and the faces are set in place, which moves a
    sixth of the memory that concatenating axis by axis does.
    """
    padded = jnp.pad(u, 1)
    for axis in range(u.ndim):
        if axis in bounded:
            continue
        for source, target in ((-1, 0), (0, u.shape[axis] + 1)):
            face = jax.lax.slice_in_dim(
                u, source % u.shape[axis], source % u.shape[axis] + 1, axis=axis
            )
            for later in range(axis + 1, u.ndim):
                n = u.shape[later]
                if later in bounded:
                    face = jnp.pad(face, [(int(a == later),) * 2 for a in range(u.ndim)])
                    continue
                face = jnp.concatenate(
                    [
                        jax.lax.slice_in_dim(face, n - 1, n, axis=later),
                        face,
                        jax.lax.slice_in_dim(face, 0, 1, axis=later),
                    ],
                    axis=later,
                )
            start = [1] * axis + [target] + [0] * (u.ndim - axis - 1)
            padded = jax.lax.dynamic_update_slice(padded, face, start)
    return padded


def _along(u: Array, axis: int) -> tuple[Array, Array]:
    """Lower and upper neighbours of each interval along an axis."""
    before = (slice(None),) * axis
    return u[(*before, slice(None, -1))], u[(*before, slice(1, None))]


def _add(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def corner_modes(u: Array) -> dict[Axes, Array]:
    """Return the modes m_T of each voxel, times 2^(d−|T|)."""
    modes: dict[Axes, Array] = {frozenset(): u}
    for axis in reversed(range(u.ndim)):
        split = {}
        for axes, values in modes.items():
            low, high = _along(values, axis)
            split[axes] = high + low
            split[axes | {axis}] = high - low
        modes = split
    return modes


def from_corner_modes(terms: dict[Axes, Array]) -> Array:
    """Adjoint of `corner_modes`: forces on the nodes between the voxels given."""
    dim = next(iter(terms.values())).ndim
    for axis in range(dim):
        merged: dict[Axes, Array | None] = {}
        for axes, values in terms.items():
            low, high = _along(values, axis)
            # A node is the upper corner of the voxel below it and the lower one of that above.
            part = low - high if axis in axes else low + high
            merged[axes - {axis}] = _add(merged.get(axes - {axis}), part)
        terms = {axes: values for axes, values in merged.items() if values is not None}
    return terms[frozenset()]


Components = Sequence[Array | None]  # None is zero
Matrix = list[list[Array | None]]  # [derivative axis][field component]


def _gradient(disc: Discretisation, modes: list[dict[Axes, Array]], at: Axes) -> Matrix:
    """Modal gradient g_S: entry [i][j] is m_{S∪{i}} of component j over h_i."""
    rows: Matrix = []
    for i in range(disc.dim):
        scale = 2.0 ** -(disc.dim - len(at) - 1) / disc.spacing[i]
        rows.append([None if i in at else m[at | {i}] * scale for m in modes])
    return rows


def _to_components(disc: Discretisation, g: Matrix) -> Components:
    """Gradient components of a law: the vector, the Mandel strain, or ∂u_j/∂X_i row by row."""
    if disc.physics == "conduction":
        return [row[0] for row in g]
    strain = []
    g = g + [[None] * disc.rank] * (disc.rank - disc.dim)  # nothing changes along axis 3
    if disc.physics == "finite strain":
        return [g[i][j] for j in range(disc.rank) for i in range(disc.rank)]
    for i, j in symmetric_pairs(disc.rank):
        if i == j:
            strain.append(g[i][i])
        else:
            total = _add(g[i][j], g[j][i])
            strain.append(None if total is None else total * _HALF_SQRT)
    return strain


def to_matrix(disc: Discretisation, flux: list[Array]) -> list[list[Array]]:
    """Flux as [derivative axis][field component], the adjoint of `_to_components`."""
    if disc.physics == "conduction":
        return [[q] for q in flux]
    if disc.physics == "finite strain":
        return [[flux[j * disc.rank + i] for j in range(disc.rank)] for i in range(disc.rank)]
    rows: list[list[Array]] = [[flux[0]] * disc.rank for _ in range(disc.rank)]
    for value, (i, j) in zip(flux, symmetric_pairs(disc.rank), strict=True):
        rows[i][j] = rows[j][i] = value if i == j else value * _HALF_SQRT
    return rows


def _product(disc: Discretisation, moduli: list[Array], g: Components) -> list[Array]:
    """Flux C·g of one point's components, the modulus packed as in `media.pack`."""
    size = disc.components
    present = [(c, value) for c, value in enumerate(g) if value is not None]
    zero = jnp.zeros_like(present[0][1])
    if disc.isotropic:
        *lame, double = moduli
        flux = [zero if v is None else double * v for v in g]
        normal = [v for c, v in present if c < disc.rank]
        if lame and normal:
            pressure = lame[0] * reduce(jnp.add, normal)
            flux = [f + pressure if c < disc.rank else f for c, f in enumerate(flux)]
        return flux
    row = _row_starts(size)
    flux = []
    for a in range(size):
        terms = [moduli[row[min(a, c)] + abs(a - c)] * v for c, v in present]
        flux.append(reduce(jnp.add, terms))
    return flux


def _row_starts(size: int) -> list[int]:
    """Position of each row's diagonal in the packed upper triangle."""
    return [a * size - a * (a - 1) // 2 for a in range(size)]


def _without_dilatation(disc: Discretisation, g: Components) -> Components:
    """Return a modal strain less its volumetric part."""
    normal = [v for v in g[: disc.rank] if v is not None]
    if not normal:
        return list(g)
    mean = reduce(jnp.add, normal) / disc.rank
    return [(-mean if v is None else v - mean) if c < disc.rank else v for c, v in enumerate(g)]


def fluxes(
    disc: Discretisation, wrapped: Field, mean: Array, materials: Array, table: Array
) -> tuple[Array, ...]:
    """Evaluate the law in all voxels, ghosts included.

    Parameters
    ----------
    wrapped : component × (n+2, …)
        Nodal field, wrapped.
    mean : (component,)
        Average gradient, added to that of the field.
    materials : (n+1, …) int
        Row of `table` that each voxel is made of.
    table : (modulus, material)
        Packed moduli.

    Returns
    -------
    tuple of (n+1, …)
        The flux components at the mean point, then, component by component,
        the hourglass forces τ_T of each mode T with |T| ≥ 2.
    """
    modes = [corner_modes(u) for u in wrapped]
    moduli = look_up(materials, table)
    gradient = modal_gradient(disc, modes, frozenset())
    at_mean = [e if g is None else g + e for g, e in zip(gradient, mean, strict=True)]
    flux = _product(disc, moduli, at_mean)
    modal = {
        at: [weight * f for f in _product(disc, moduli, modal_gradient(disc, modes, at))]
        for at, weight in disc.hourglass_sets()
    }
    return tuple(flux) + hourglass_forces(disc, modal)


def modal_gradient(disc: Discretisation, modes: list[dict[Axes, Array]], at: Axes) -> Components:
    """Return the components of the modal gradient g_S that the element sees."""
    g = _to_components(disc, _gradient(disc, modes, at))
    return _without_dilatation(disc, g) if at and disc.mean_dilatation else g


def hourglass_forces(disc: Discretisation, modal: dict[Axes, list[Array]]) -> tuple[Array, ...]:
    """Return the forces τ_T on the modes |T| ≥ 2 of the weighted modal fluxes by S ≠ ∅."""
    tau: dict[tuple[Axes, int], Array] = {}
    for at, flux in modal.items():
        seen = _without_dilatation(disc, flux) if disc.mean_dilatation else flux
        rows = to_matrix(disc, [f for f in seen if f is not None])
        for i in set(range(disc.dim)) - at:
            for j in range(disc.unknowns):
                key = (at | {i}, j)
                term = rows[i][j] / disc.spacing[i]
                tau[key] = tau[key] + term if key in tau else term
    return tuple(tau[key] for key in _hourglass_keys(disc))


def affine_fluxes(
    disc: Discretisation, mean: Array, materials: Array, table: Array
) -> tuple[Array, ...]:
    """Return the fluxes C·ē of the affine field, which has no hourglass part."""
    moduli = look_up(materials, table)
    flux = _product(disc, moduli, list(mean))
    return jax.lax.optimization_barrier(tuple(jnp.broadcast_to(f, materials.shape) for f in flux))


def look_up(materials: Array, table: Array) -> list[Array]:
    """Return the moduli of the voxels.

    A few materials are told apart by comparison, which the compiler fuses into the
    stencil; a gather would first write the moduli of all voxels to memory.
    """
    if table.shape[1] > _FEW:
        return [row.at[materials].get(mode="promise_in_bounds") for row in table]
    return [_select(row, materials) for row in table]


def _select(row: Array, materials: Array) -> Array:
    modulus = row[0]
    for p in range(1, len(row)):
        modulus = jnp.where(materials == p, row[p], modulus)
    return modulus


def mean_gradient(disc: Discretisation, wrapped: Field) -> list[Array]:
    """Return the voxel averages of the field's gradient, ghosts included."""
    modes = [corner_modes(u) for u in wrapped]
    components = modal_gradient(disc, modes, frozenset())
    zero = jnp.zeros([n - 1 for n in wrapped[0].shape])
    return [zero if g is None else g for g in components]


def _hourglass_keys(disc: Discretisation) -> list[tuple[Axes, int]]:
    unions = dict.fromkeys(
        axes | {i} for axes, _ in disc.hourglass_sets() for i in range(disc.dim) if i not in axes
    )
    return [(union, j) for union in unions for j in range(disc.unknowns)]


def forces(disc: Discretisation, flux: tuple[Array, ...]) -> Field:
    """Assemble the nodal forces Bᵀ·flux on the nodes between the voxels given."""
    rows = to_matrix(disc, list(flux[: disc.components]))
    hourglass = dict(zip(_hourglass_keys(disc), flux[disc.components :], strict=True))
    out = []
    for j in range(disc.unknowns):
        terms = {
            frozenset({i}): rows[i][j] * (2.0 ** -(disc.dim - 1) / disc.spacing[i])
            for i in range(disc.dim)
        }
        for (axes, component), tau in hourglass.items():
            if component == j:
                terms[axes] = tau * 2.0 ** -(disc.dim - len(axes))
        out.append(from_corner_modes(terms))
    return tuple(out)


def count_fluxes(disc: Discretisation) -> int:
    """Return the number of arrays that `fluxes` gives."""
    return disc.components + len(_hourglass_keys(disc))


def interior(voxels: Array, bounded: Collection[int] = ()) -> Array:
    """Drop the ghosts of a voxel array, or what was wrapped around the nodes of a cell.

    That is the lowest layer of each axis, and the last along a bounded one.
    """
    return voxels[tuple(slice(1, -1 if a in bounded else None) for a in range(voxels.ndim))]


def apply(
    disc: Discretisation, u: Field, mean: Array, materials: Array, table: Array
) -> tuple[Field, tuple[Array, ...]]:
    """Return the nodal forces Bᵀ C (ē + B u) and the fluxes, for use under a transformation."""
    wrapped = jax.lax.optimization_barrier(tuple(wrap(a, disc.bounded) for a in u))
    flux = alone(table[0, 0], partial(fluxes, disc), wrapped, mean, materials, table)
    return forces(disc, flux), flux
