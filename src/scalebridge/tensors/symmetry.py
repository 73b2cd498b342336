"""Symmetry classes of stiffnesses and conductivities, as averages over finite rotation groups."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from scalebridge.errors import InputError, did_you_mean
from scalebridge.tensors.conventions import (
    _DIMENSION,
    Array,
    _array,
    _congruence,
    _einsum,
    _mandel_rotation,
    _namespace,
    _side,
    as_rotation,
    rotation_about,
)

Kind: TypeAlias = Literal["stiffness", "conductivity"]

_X, _Z, _DIAGONAL, _FIVEFOLD = (1, 0, 0), (0, 0, 1), (1, 1, 1), (0, 1, (1 + np.sqrt(5)) / 2)
# Rotations (axis, fold) that generate a finite group with the same invariants up to order four:
# harmonics of degree ≤ 4 see neither the icosahedron (first invariant of degree 6) nor a
# six-fold axis (Hermann's theorem), so that these two stand for all rotations.
_GENERATORS: dict[str, tuple[tuple[Sequence[float], int], ...]] = {
    "isotropic": ((_FIVEFOLD, 5), (_DIAGONAL, 3)),
    "cubic": ((_Z, 4), (_DIAGONAL, 3)),
    "transversely isotropic": ((_Z, 6), (_X, 2)),
    "tetragonal": ((_Z, 4), (_X, 2)),
    "trigonal": ((_Z, 3), (_X, 2)),
    "orthotropic": ((_Z, 2), (_X, 2)),
    "monoclinic": ((_Z, 2),),
    "triclinic": (),
}
# In the plane: what the 3D groups about axis 3 do to axes 1 and 2.
_PLANE_GROUPS = {
    "isotropic": "transversely isotropic",
    "square": "tetragonal",
    "orthotropic": "orthotropic",
    "anisotropic": "triclinic",
}
#: Symmetry classes by dimension, from the fewest constants to the most.
SYMMETRIES: dict[int, tuple[str, ...]] = {2: tuple(_PLANE_GROUPS), 3: tuple(_GENERATORS)}


def project(
    tensor: Array,
    symmetry: str,
    *,
    kind: Kind = "stiffness",
    axis: int = 2,
    frame: Array | None = None,
) -> Array:
    """Return the closest tensor of a symmetry class, P(C) = Σ_g Q(g) C Q(g)ᵀ / |G|.

    The average over the class's rotation group G is the orthogonal projection, in the Frobenius
    norm, onto the tensors of that class with these axes; no better axes are searched for.

    Parameters
    ----------
    tensor : (component, component, …) or (d, d, …)
        A stiffness or compliance in Mandel form, or a conductivity.
    symmetry : str
        3D: isotropic, cubic, transversely isotropic, tetragonal (6 constants), trigonal
        (6 constants, with a two-fold axis), orthotropic, monoclinic, triclinic;
        2D: isotropic, square, orthotropic, anisotropic.
    kind : "stiffness" or "conductivity"
        Tells a 2D stiffness from a 3D conductivity, both (3, 3).
    axis : 0, 1 or 2
        3D: the main axis, 2 for axis 3. The two-fold axis of trigonal symmetry is the next one
        in cyclic order (axis 1 when the main axis is 3).
    frame : (d, d, …), optional
        Rotation whose columns are the symmetry axes, if these are not the coordinate axes.

    References
    ----------
    Moakher & Norris (2006), The closest elastic tensor of arbitrary symmetry to an elasticity
    tensor of lower symmetry, J. Elasticity 85, 215-263.

    Examples
    --------
    >>> k = np.diag([1.0, 2.0, 6.0])
    >>> np.diag(project(k, "transversely isotropic", kind="conductivity"))
    array([1.5, 1.5, 6. ])
    """
    tensor = _array(tensor)
    d = _dimension(tensor, kind)
    if axis not in (0, 1, 2):
        raise InputError(f"`axis` must be 0, 1 or 2, but it is {axis!r}")
    average = _projector(symmetry, kind, d, axis).astype(tensor.dtype)
    if frame is None:
        return _einsum("ijkl,kl...->ij...", average, tensor)
    R = as_rotation(frame, d, name="frame")
    Q = _mandel_rotation(R) if kind == "stiffness" else R
    seen = _congruence(tensor, Q.swapaxes(0, 1))
    return _congruence(_einsum("ijkl,kl...->ij...", average, seen), Q)


def distance(
    tensor: Array,
    symmetry: str,
    *,
    kind: Kind = "stiffness",
    axis: int = 2,
    frame: Array | None = None,
) -> Array:
    """Return ‖C − P(C)‖ / ‖C‖ (Frobenius) to a symmetry class: 0 inside it, at most 1.

    The arguments are those of `project`; the shape is that of the voxel axes. The zero tensor
    has every symmetry.
    """
    tensor = _array(tensor)
    projected = project(tensor, symmetry, kind=kind, axis=axis, frame=frame)
    xp = _namespace(projected)
    norm = xp.linalg.norm(tensor, axis=(0, 1))
    return xp.linalg.norm(tensor - projected, axis=(0, 1)) / xp.where(norm == 0, 1.0, norm)


@lru_cache(maxsize=128)
def _projector(symmetry: str, kind: Kind, dimension: int, axis: int) -> np.ndarray:
    if symmetry not in SYMMETRIES[dimension]:
        raise InputError(
            f"`symmetry` must be one of {', '.join(SYMMETRIES[dimension])} in {dimension}D, "
            f"but it is {symmetry!r}{did_you_mean(symmetry, SYMMETRIES[dimension])}"
        )
    if dimension == 2:
        R = _group(_PLANE_GROUPS[symmetry])[:2, :2]
    else:  # renumber the axes: 3 becomes the main one, the others follow in cyclic order
        order = np.arange(3) - axis - 1
        R = _group(symmetry)[np.ix_(order, order)]
    Q = _mandel_rotation(R) if kind == "stiffness" else R
    average = np.einsum("ikg,jlg->ijkl", Q, Q) / Q.shape[-1]
    average[np.abs(average) < 1e-14] = 0.0  # what the symmetry forbids is exactly zero
    average.flags.writeable = False
    return average


def _group(symmetry: str) -> np.ndarray:
    """Return all products of the generators, (3, 3, element)."""
    generators = [rotation_about(axis, 2 * np.pi / fold) for axis, fold in _GENERATORS[symmetry]]
    elements = [np.eye(3)]
    for element in elements:  # grows while it is walked, until the group is closed
        for generator in generators:
            product = generator @ element
            if np.abs(np.array(elements) - product).max((1, 2)).min() > 1e-6:
                elements.append(product)
    return np.stack(elements, axis=-1)


def _dimension(tensor: Array, kind: Kind) -> int:
    if kind == "conductivity":
        return _side("tensor", tensor, order=2, sides=(2, 3))
    if kind == "stiffness":
        return _DIMENSION[_side("tensor", tensor, order=2, sides=(3, 6))]
    raise InputError(f"`kind` must be 'stiffness' or 'conductivity', but it is {kind!r}")
