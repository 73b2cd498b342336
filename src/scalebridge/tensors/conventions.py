"""Components, Voigt and rotations of tensors in Mandel form."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from scalebridge.errors import InputError

Array: TypeAlias = Any  # np.ndarray or jax.Array: what comes in decides what goes out

# Component I is the tensor's entry (rows[I], columns[I]).
_PAIRS = {
    2: (np.array([0, 1, 0]), np.array([0, 1, 1])),
    3: (np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])),
}
_POSITION = {2: np.array([[0, 2], [2, 1]]), 3: np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])}
_WEIGHTS = {m: np.repeat([1.0, np.sqrt(2.0)], [d, m - d]) for d, m in ((2, 3), (3, 6))}
_DIMENSION = {3: 2, 6: 3}


# --- Components ------------------------------------------------------------------------------


def component_names(dimension: int) -> tuple[str, ...]:
    """Return the names of the Mandel components, in order.

    >>> component_names(3)
    ('11', '22', '33', '23', '13', '12')
    """
    if dimension not in _PAIRS:
        raise InputError(f"`dimension` must be 2 or 3, but it is {dimension!r}")
    return tuple(f"{i + 1}{j + 1}" for i, j in zip(*_PAIRS[dimension], strict=True))


def component_count(dimension: int) -> int:
    """Return the number of Mandel components: 3 in 2D, 6 in 3D."""
    return len(component_names(dimension))


def to_mandel(tensor: Array) -> Array:
    """Return the Mandel components of a second order tensor.

    Parameters
    ----------
    tensor : (d, d, …)
        Of a tensor that is not symmetric, the symmetric part is taken.

    Returns
    -------
    (component, …)

    Examples
    --------
    >>> to_mandel(np.array([[1.0, 3.0], [3.0, 2.0]]))
    array([1.        , 2.        , 4.24264069])
    """
    tensor = _array(tensor)
    rows, columns = _PAIRS[_side("tensor", tensor, order=2, sides=(2, 3))]
    return _weighted((tensor[rows, columns] + tensor[columns, rows]) / 2, order=1, power=1)


def from_mandel(vector: Array) -> Array:
    """Return the symmetric tensor (d, d, …) of Mandel components (component, …)."""
    vector = _array(vector)
    side = _side("vector", vector, order=1, sides=(3, 6))
    return _weighted(vector, order=1, power=-1)[_POSITION[_DIMENSION[side]]]


def to_mandel4(tensor: Array) -> Array:
    """Return the Mandel matrix (component, component, …) of a tensor (d, d, d, d, …).

    The parts that are symmetric in the first and in the second pair of indices are taken.
    """
    tensor = _array(tensor)
    _side("tensor", tensor, order=4, sides=(2, 3))
    xp = _namespace(tensor)
    return xp.swapaxes(to_mandel(xp.moveaxis(to_mandel(tensor), 0, 2)), 0, 1)


def from_mandel4(matrix: Array) -> Array:
    """Return the tensor (d, d, d, d, …) of a Mandel matrix (component, component, …)."""
    matrix = _array(matrix)
    _side("matrix", matrix, order=2, sides=(3, 6))
    xp = _namespace(matrix)
    half = xp.moveaxis(from_mandel(matrix), 2, 0)
    return xp.moveaxis(from_mandel(half), (0, 1), (2, 3))


# --- Voigt, for import and export ------------------------------------------------------------


def stress_to_voigt(stress: Array) -> Array:
    """Return Voigt components of a stress in Mandel components, (component, …) both."""
    return _weighted(_array(stress), order=1, power=-1)


def stress_from_voigt(voigt: Array) -> Array:
    """Return Mandel components of a stress in Voigt components, (component, …) both."""
    return _weighted(_array(voigt), order=1, power=1)


def strain_to_voigt(strain: Array) -> Array:
    """Return Voigt components of a strain, with the engineering shear γ = 2ε, (component, …)."""
    return _weighted(_array(strain), order=1, power=1)


def strain_from_voigt(voigt: Array) -> Array:
    """Return Mandel components of a strain in Voigt components (γ = 2ε), (component, …)."""
    return _weighted(_array(voigt), order=1, power=-1)


def stiffness_to_voigt(stiffness: Array) -> Array:
    """Return the Voigt matrix of a Mandel stiffness, (component, component, …) both."""
    return _weighted(_array(stiffness), order=2, power=-1)


def stiffness_from_voigt(voigt: Array) -> Array:
    """Return the Mandel matrix of a Voigt stiffness, (component, component, …) both."""
    return _weighted(_array(voigt), order=2, power=1)


def compliance_to_voigt(compliance: Array) -> Array:
    """Return the Voigt matrix of a Mandel compliance, (component, component, …) both."""
    return _weighted(_array(compliance), order=2, power=1)


def compliance_from_voigt(voigt: Array) -> Array:
    """Return the Mandel matrix of a Voigt compliance, (component, component, …) both."""
    return _weighted(_array(voigt), order=2, power=-1)


# --- Rotations -------------------------------------------------------------------------------


def rotation_from_euler(angles: Array, degrees: bool = False) -> Array:
    """Return the rotation R that takes crystal to specimen components, v_specimen = R v_crystal.

    Bunge's orientation matrix g takes specimen to crystal components; this is its transpose,
    R = gᵀ = R_z(φ1) R_x(Φ) R_z(φ2) with active rotations about fixed axes. The columns of R are
    the crystal axes seen by the specimen, so that ``rotate_mandel4(C, R)`` turns a stiffness
    given on the crystal axes into the specimen's.

    Parameters
    ----------
    angles : (3, …) [rad, or degrees]
        Bunge Euler angles φ1, Φ, φ2.

    Returns
    -------
    (3, 3, …)

    References
    ----------
    Bunge (1982), Texture Analysis in Materials Science, ch. 2.

    Examples
    --------
    The second angle alone turns the crystal's axis 2 to the specimen's axis 3:

    >>> R = rotation_from_euler([0, 90, 0], degrees=True)
    >>> (R @ [0.0, 1.0, 0.0]).round(12)
    array([0., 0., 1.])
    """
    angles = _radians(angles, degrees)
    _side("angles", angles, order=1, sides=(3,))
    xp = _namespace(angles)
    (c1, c, c2), (s1, s, s2) = xp.cos(angles), xp.sin(angles)
    rows = (
        (c1 * c2 - s1 * s2 * c, -c1 * s2 - s1 * c2 * c, s1 * s),
        (s1 * c2 + c1 * s2 * c, -s1 * s2 + c1 * c2 * c, -c1 * s),
        (s2 * s, c2 * s, c),
    )
    return xp.stack([xp.stack(row) for row in rows])


def rotation_about(axis: Sequence[float], angle: Array, degrees: bool = False) -> Array:
    """Return the rotation (3, 3, …) by angles (…) about an axis (3,), by the right-hand rule."""
    n = np.asarray(axis, float)
    length = np.linalg.norm(n)
    if n.shape != (3,) or not (np.isfinite(length) and length > 0):
        raise InputError(f"`axis` must be a non-zero vector of shape (3,), but it is {axis!r}")
    angle = _radians(angle, degrees)
    xp = _namespace(angle)
    cross = np.cross(n / length, np.eye(3)).T  # (n ×): Rodrigues' formula follows
    one, turn, square = (
        m.reshape(3, 3, *[1] * angle.ndim) for m in (np.eye(3), cross, cross @ cross)
    )
    return one + xp.sin(angle)[None, None] * turn + (1 - xp.cos(angle))[None, None] * square


def rotation_in_plane(angle: Array, degrees: bool = False) -> Array:
    """Return the 2D rotation (2, 2, …) by angles (…) from axis 1 towards axis 2."""
    return rotation_about((0, 0, 1), angle, degrees)[:2, :2]


def as_rotation(R: Array, dimension: int | None = None, *, name: str = "R") -> Array:
    """Return R (d, d, …) as an array; of a NumPy array it is checked that it holds rotations.

    Parameters
    ----------
    R : (d, d, …)
    dimension : 2 or 3, optional
        Asked for; both are welcome by default.
    name : str
        Of the argument, for the message.

    Raises
    ------
    InputError
        Another shape; R Rᵀ that differs from 1 by more than 1e-6, or det R < 0.
    """
    R = _array(R)
    d = _side(name, R, order=2, sides=(2, 3) if dimension is None else (dimension,))
    if _namespace(R) is not np:
        return R
    last = np.moveaxis(R, (0, 1), (-2, -1))
    with np.errstate(invalid="ignore"):  # nan is refused below
        error = np.max(np.abs(last @ last.swapaxes(-1, -2) - np.eye(d)), initial=0.0)
        determinant = np.min(np.linalg.det(last), initial=1.0)
    if not (error <= 1e-6 and determinant > 0):
        raise InputError(
            f"`{name}` must be a rotation, R Rᵀ = 1 and det R = +1, but R Rᵀ is off by {error:.1e} "
            f"and the smallest determinant is {determinant:.6f}; the closest rotation to nearly "
            "orthogonal numbers is U Vᵀ of their singular value decomposition"
        )
    return R


def rotate_vector(vector: Array, R: Array) -> Array:
    """Return R v for vectors (d, …) and rotations (d, d, …); … broadcast."""
    vector = _array(vector)
    d = _side("vector", vector, order=1, sides=(2, 3))
    return _einsum("ij...,j...->i...", as_rotation(R, d), vector)


def rotate_tensor(tensor: Array, R: Array) -> Array:
    """Return R T Rᵀ for second order tensors (d, d, …) and rotations (d, d, …)."""
    tensor = _array(tensor)
    d = _side("tensor", tensor, order=2, sides=(2, 3))
    return _congruence(tensor, as_rotation(R, d))


def mandel_rotation(R: Array) -> Array:
    """Return the orthogonal matrix Q that rotates Mandel components.

    Q(R) mandel(T) = mandel(R T Rᵀ) for every symmetric T, and Q(R1 R2) = Q(R1) Q(R2).

    Parameters
    ----------
    R : (d, d, …)
        Rotation, det R = +1.

    Returns
    -------
    (component, component, …)

    References
    ----------
    Mehrabadi & Cowin (1990), Q. J. Mech. Appl. Math. 43, 15-41.
    """
    return _mandel_rotation(as_rotation(R))


def rotate_mandel(vector: Array, R: Array) -> Array:
    """Return the Mandel components (component, …) of R T Rᵀ, given those of T."""
    vector = _array(vector)
    d = _DIMENSION[_side("vector", vector, order=1, sides=(3, 6))]
    return _einsum("ij...,j...->i...", _mandel_rotation(as_rotation(R, d)), vector)


def rotate_mandel4(matrix: Array, R: Array) -> Array:
    """Return Q C Qᵀ, the Mandel matrix of the rotated fourth order tensor.

    C'_ijkl = R_ip R_jq R_kr R_ls C_pqrs.

    Parameters
    ----------
    matrix : (component, component, …)
        A stiffness or a compliance in Mandel form.
    R : (d, d, …)
        Rotation; its voxel axes broadcast with those of `matrix`.
    """
    matrix = _array(matrix)
    d = _DIMENSION[_side("matrix", matrix, order=2, sides=(3, 6))]
    return _congruence(matrix, _mandel_rotation(as_rotation(R, d)))


# --- Helpers ---------------------------------------------------------------------------------


def _namespace(*arrays: Any) -> Any:
    """Return jax.numpy if an argument is a JAX array, else NumPy; never import JAX for it."""
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(a, jax.Array) for a in arrays):
        return jax.numpy
    return np


def _array(values: Any) -> Array:
    xp = _namespace(values)
    array = xp.asarray(values)
    return array if xp.issubdtype(array.dtype, xp.inexact) else array.astype(float)


def _einsum(subscripts: str, *operands: Array) -> Array:
    xp = _namespace(*operands)
    # Accelerators may otherwise multiply single precision with ten bits.
    precision = {} if xp is np else {"precision": "highest"}
    return xp.einsum(subscripts, *operands, **precision)


def _congruence(matrix: Array, Q: Array) -> Array:
    return _einsum("ik...,jk...->ij...", _einsum("ij...,jk...->ik...", Q, matrix), Q)


def _mandel_rotation(R: Array) -> Array:
    rows, columns = _PAIRS[R.shape[0]]
    straight = R[np.ix_(rows, rows)] * R[np.ix_(columns, columns)]
    crossed = R[np.ix_(rows, columns)] * R[np.ix_(columns, rows)]
    return _weighted((straight + crossed) / 2, order=2, power=1)


def _weighted(array: Array, order: int, power: int) -> Array:
    """Return components times their weights to a power, along the first `order` axes."""
    side = _side("components", array, order=order, sides=(3, 6))
    weights = (_WEIGHTS[side] ** power).astype(array.dtype)
    for axis in range(order):
        array = array * weights.reshape(*[1] * axis, side, *[1] * (array.ndim - axis - 1))
    return array


def _radians(angle: Array, degrees: bool) -> Array:
    return _array(angle) * (np.pi / 180) if degrees else _array(angle)


def _side(name: str, array: Array, order: int, sides: tuple[int, ...]) -> int:
    """Return the length of the first `order` axes, which must be equal and one of `sides`."""
    for side in sides:
        if array.shape[:order] == (side,) * order:
            return side
    expected = " or ".join(str((side,) * order) for side in sides)
    raise InputError(
        f"`{name}` must have first axes {expected}, but its shape is {tuple(array.shape)}; "
        "put components first and voxels last"
    )
