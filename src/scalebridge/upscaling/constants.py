"""Engineering constants of an effective tensor, by class and in any direction.

A stiffness is a Mandel matrix: (6, 6) in 3D, (3, 3) in plane strain. It may be singular, as when
a porous medium does not percolate. Then a modulus whose stress would need infinite strain is 0;
a Poisson's ratio is nan where its strains are infinite or undetermined; a ratio over a modulus
that vanishes is inf, and 0/0 is nan. A modulus vanishes below 1e-12 of the largest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
from scalebridge.tensors import SYMMETRIES, Kind, distance, project, to_mandel

__all__ = [
    "ClosestSymmetry",
    "closest_symmetry",
    "engineering_constants",
    "poisson_ratio",
    "shear_modulus",
    "young_modulus",
]

Floats = NDArray[np.float64]

_ZERO = 1e-12
_DIMENSION = {"stiffness": {3: 2, 6: 3}, "conductivity": {2: 2, 3: 3}}
# Classes whose tensors depend on which axis is the main one.
_AXIAL = ("transversely isotropic", "tetragonal", "trigonal", "monoclinic")


def engineering_constants(
    tensor: ArrayLike, kind: Kind = "stiffness", plane: str | None = None
) -> dict[str, Any]:
    """Return the engineering constants of an effective tensor.

    Parameters
    ----------
    tensor : (6, 6), (3, 3) or (d, d)
        Stiffness in Mandel form, in 3D or in plane strain, or conductivity.
    kind : "stiffness" or "conductivity"
    plane : "strain" or "stress", optional
        What a (3, 3) stiffness is of; plane strain unless told.

    Returns
    -------
    dict
        3D stiffness: ``E1, E2, E3, nu12, nu13, nu23, G23, G13, G12`` on the coordinate axes
        (nu12 is the contraction along 2 under tension along 1; exact whatever the symmetry);
        ``K, G, E, nu`` of the isotropic projection of C; ``K_Voigt, G_Voigt, K_Reuss, G_Reuss``
        (the Voigt averages are K and G); ``zener`` = 2 C1212/(C1111 − C1122) of the cubic
        projection; ``universal_anisotropy`` = 5 G_Voigt/G_Reuss + K_Voigt/K_Reuss − 6.

        Plane strain: ``E1_plane_strain, E2_plane_strain, nu12_plane_strain``, from uniaxial
        stress in the plane at zero strain across it (E/(1 − ν²) and ν/(1 − ν) if isotropic);
        ``G12``; ``K_area``, mean in-plane stress over area strain (K + G/3), and ``G``, both of
        the isotropic projection; ``zener`` of the square projection.

        Plane stress: the same with the names ``E1, E2, nu12, G12, K_area, G, zener``, since in
        uniaxial stress nothing holds the sheet across.

        Conductivity: ``principal`` (d,), largest first; ``axes`` (d, d), the principal directions
        as columns of a rotation; ``mean`` = tr k / d; ``anisotropy``, largest over smallest.

    References
    ----------
    Hill (1952), Proc. Phys. Soc. A 65, 349-354: averages. Zener (1948), Elasticity and
    Anelasticity of Metals. Ranganathan & Ostoja-Starzewski (2008), Phys. Rev. Lett. 101, 055504.

    Examples
    --------
    >>> C = np.diag([2.0] * 6) + np.pad(np.ones((3, 3)), (0, 3))  # λ = G = 1
    >>> constants = engineering_constants(C)
    >>> print(f"E = {constants['E1']:.6f}, nu = {constants['nu12']:.6f}")
    E = 2.500000, nu = 0.250000
    """
    T, d = _checked(tensor, kind)
    if kind == "conductivity":
        return _conductivity_constants(T)
    if d == 3:
        return _stiffness_constants(T)
    constants = _plane_constants(T)
    if plane == "stress":
        return {name.removesuffix("_plane_strain"): value for name, value in constants.items()}
    return constants


def young_modulus(C: ArrayLike, n: ArrayLike) -> Any:
    """Return Young's modulus along n, 1 / (n⊗n : S : n⊗n).

    Parameters
    ----------
    C : (6, 6) or (3, 3)
        Stiffness in Mandel form; in plane strain the modulus is E' of the plane.
    n : (d,) or (d, direction)
        Directions, of any length but zero.

    Returns
    -------
    (direction,) or a number
    """
    compliance, d = _compliance(C)
    return compliance.modulus(_dyad(_direction("n", n, d)))


def poisson_ratio(C: ArrayLike, n: ArrayLike, m: ArrayLike) -> Any:
    """Return Poisson's ratio, contraction along m over extension along n under tension along n.

    ν(n, m) = −(m⊗m : S : n⊗n) / (n⊗n : S : n⊗n); m must be perpendicular to n. Shapes as in
    `young_modulus`; nan where the modulus along n is zero or the strain along m undetermined.
    """
    compliance, d = _compliance(C)
    along, across = (_dyad(v) for v in _perpendicular(n, m, d))
    exists = ~(compliance.is_free(along) | compliance.is_free(across))
    extension = np.where(exists, compliance.energy(along, along), 1.0)
    return np.where(exists, -compliance.energy(across, along) / extension, np.nan)[()]


def shear_modulus(C: ArrayLike, n: ArrayLike, m: ArrayLike) -> Any:
    """Return the shear modulus of the plane normal to n along m, 1 / (4 n⊗m : S : n⊗m).

    m must be perpendicular to n. Shapes as in `young_modulus`.
    """
    compliance, d = _compliance(C)
    a, b = _perpendicular(n, m, d)
    # With the dyad scaled to norm one the factor is two.
    return compliance.modulus(np.sqrt(2.0) * _dyad(a, b)) / 2


class ClosestSymmetry(NamedTuple):
    """A symmetry class, its main axis (0, 1, 2; None where there is none) and the distance."""

    name: str
    axis: int | None
    distance: float


def closest_symmetry(
    tensor: ArrayLike,
    tolerance: float,
    *,
    kind: Kind = "stiffness",
    frame: ArrayLike | None = None,
) -> ClosestSymmetry:
    """Return the symmetry class with the fewest constants within a relative distance.

    Parameters
    ----------
    tensor : (6, 6), (3, 3) or (d, d)
    tolerance : float
        Largest ‖C − P(C)‖ / ‖C‖ that counts as symmetric.
    kind : "stiffness" or "conductivity"
    frame : (d, d), optional
        Rotation whose columns are the symmetry axes. They are not searched for: classes are
        tried on the coordinate axes (or these), each in turn as the main one.
    """
    T, d = _checked(tensor, kind)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise InputError(f"`tolerance` must be finite and ≥ 0, but it is {tolerance!r}")
    found = ClosestSymmetry(SYMMETRIES[d][-1], None, 0.0)  # the last class holds every tensor
    for name in SYMMETRIES[d][:-1]:
        axes = range(3) if d == 3 and name in _AXIAL else [2]
        far = [float(distance(T, name, kind=kind, axis=a, frame=frame)) for a in axes]
        best = int(np.argmin(far))
        if far[best] <= tolerance:
            return ClosestSymmetry(name, best if len(far) == 3 else None, far[best])
    return found


# --- The three readings ----------------------------------------------------------------------


def _stiffness_constants(C: Floats) -> dict[str, Any]:
    e = np.eye(3)
    E = young_modulus(C, e)
    nu = poisson_ratio(C, e[:, [0, 0, 1]], e[:, [1, 2, 2]])
    G = shear_modulus(C, e[:, [1, 0, 0]], e[:, [2, 2, 1]])
    names = ("E1", "E2", "E3", "nu12", "nu13", "nu23", "G23", "G13", "G12")
    constants = dict(zip(names, map(float, np.concatenate([E, nu, G])), strict=True))
    K_V, G_V = _voigt_average(C)
    K_R, G_R = _reuss_average(C)
    scale = np.linalg.norm(C)
    constants |= {
        "K": K_V,
        "G": G_V,
        "E": 3 * G_V * _ratio(3 * K_V, 3 * K_V + G_V, scale) if G_V > 0 else 0.0,
        "nu": _ratio(3 * K_V - 2 * G_V, 6 * K_V + 2 * G_V, scale),
        "K_Voigt": K_V,
        "G_Voigt": G_V,
        "K_Reuss": K_R,
        "G_Reuss": G_R,
        "zener": _zener(C, "cubic"),
        "universal_anisotropy": 5 * _ratio(G_V, G_R, scale) + _ratio(K_V, K_R, scale) - 6,
    }
    return constants


def _plane_constants(C: Floats) -> dict[str, Any]:
    e1, e2 = np.eye(2)
    K, G = _voigt_average(C)
    return {
        "E1_plane_strain": float(young_modulus(C, e1)),
        "E2_plane_strain": float(young_modulus(C, e2)),
        "nu12_plane_strain": float(poisson_ratio(C, e1, e2)),
        "G12": float(shear_modulus(C, e1, e2)),
        "K_area": K,
        "G": G,
        "zener": _zener(C, "square"),
    }


def _conductivity_constants(k: Floats) -> dict[str, Any]:
    values, axes = _spectrum(k, "conductivity")
    values, axes = values[::-1].copy(), axes[:, ::-1].copy()
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(k))])
    axes[:, -1] *= np.sign(np.linalg.det(axes))
    return {
        "principal": values,
        "axes": axes,
        "mean": float(np.trace(k) / len(k)),
        "anisotropy": _ratio(values[0], values[-1], values[0]),
    }


def _zener(C: Floats, symmetry: str) -> float:
    P = project(C, symmetry)
    return _ratio(P[-1, -1], P[0, 0] - P[0, 1], np.linalg.norm(C))


# --- Averages and compliance -----------------------------------------------------------------


def _spherical_and_deviatoric(M: Floats) -> tuple[float, float]:
    """Return i·M·i with i the unit spherical tensor, and the trace of the deviatoric rest."""
    d = _DIMENSION["stiffness"][len(M)]
    spherical = float(M[:d, :d].sum() / d)
    return spherical, float(np.trace(M)) - spherical


def _voigt_average(C: Floats) -> tuple[float, float]:
    """Return K and G of the isotropic projection: 3 K once and 2 G five times (2D: 2 and 2)."""
    spherical, deviatoric = _spherical_and_deviatoric(C)
    return spherical / _DIMENSION["stiffness"][len(C)], deviatoric / (2 * (len(C) - 1))


def _reuss_average(C: Floats) -> tuple[float, float]:
    compliance, d = _compliance(C)
    spherical, deviatoric = _spherical_and_deviatoric(compliance.matrix)
    free_spherical, free_deviatoric = _spherical_and_deviatoric(compliance.free)
    K = 0.0 if free_spherical > _ZERO else 1 / (d * spherical)
    G = 0.0 if free_deviatoric > _ZERO else (len(C) - 1) / (2 * deviatoric)
    return K, G


class _Compliance(NamedTuple):
    """The inverse of a stiffness on its range, and the projection on what it cannot resist."""

    matrix: Floats
    free: Floats

    def energy(self, s: Floats, t: Floats) -> Floats:
        return np.einsum("i...,ij,j...->...", s, self.matrix, t)

    def is_free(self, s: Floats) -> NDArray[np.bool_]:
        return np.asarray(np.einsum("i...,ij,j...->...", s, self.free, s) > _ZERO)

    def modulus(self, s: Floats) -> Any:
        """Return stress over strain for a stress state of norm one."""
        free = self.is_free(s)
        return np.where(free, 0.0, 1 / np.where(free, 1.0, self.energy(s, s)))[()]


def _compliance(C: ArrayLike) -> tuple[_Compliance, int]:
    stiffness, d = _checked(C, "stiffness")
    values, vectors = _spectrum(stiffness, "stiffness")
    zero = values <= _ZERO * values[-1]
    inverse = np.where(zero, 0.0, 1 / np.where(zero, 1.0, values))
    free = vectors[:, zero] @ vectors[:, zero].T
    return _Compliance((vectors * inverse) @ vectors.T, free), d


# --- Checks ----------------------------------------------------------------------------------


def _checked(tensor: ArrayLike, kind: Kind) -> tuple[Floats, int]:
    """Return the symmetric part of a tensor that is finite and nearly symmetric, and d."""
    T = np.asarray(tensor, float)
    if kind not in _DIMENSION:
        raise InputError(f"`kind` must be 'stiffness' or 'conductivity', but it is {kind!r}")
    if T.ndim != 2 or T.shape[0] != T.shape[1] or len(T) not in _DIMENSION[kind]:
        shapes = " or ".join(f"({m}, {m})" for m in _DIMENSION[kind])
        raise InputError(f"a {kind} must have shape {shapes}, but its shape is {T.shape}")
    if not np.isfinite(T).all():
        raise InputError(f"a {kind} must be finite, but it holds nan or inf; was it converged?")
    asymmetry = np.linalg.norm(T - T.T)
    if asymmetry > 1e-3 * np.linalg.norm(T):
        raise InputError(
            f"a {kind} must be symmetric to have engineering constants, but ‖T − Tᵀ‖/‖T‖ is "
            f"{asymmetry / np.linalg.norm(T):.1e}; take its symmetric part if that is meant"
        )
    return (T + T.T) / 2, _DIMENSION[kind][len(T)]


def _spectrum(T: Floats, kind: Kind) -> tuple[Floats, Floats]:
    """Return eigenvalues, smallest first, and eigenvectors; the former may not be negative."""
    values, vectors = np.linalg.eigh(T)
    if values[0] < -1e-6 * np.abs(values).max():
        raise InputError(
            f"a {kind} must be positive semi-definite, but its smallest and largest eigenvalues "
            f"are {values[0]:.3g} and {values[-1]:.3g}; check signs and the order of components"
        )
    return values, vectors


def _direction(name: str, n: ArrayLike, d: int) -> Floats:
    v = np.asarray(n, float)
    if v.ndim == 0 or v.shape[0] != d:
        raise InputError(f"`{name}` must have shape ({d},) or ({d}, k), but its shape is {v.shape}")
    length = np.linalg.norm(v, axis=0)
    if not (np.isfinite(length).all() and (length > 0).all()):
        raise InputError(f"`{name}` must hold finite, non-zero directions, but it is {n!r}")
    return v / length


def _perpendicular(n: ArrayLike, m: ArrayLike, d: int) -> tuple[Floats, Floats]:
    a, b = _direction("n", n, d), _direction("m", m, d)
    if a.shape != b.shape:
        raise InputError(f"`n` and `m` must have one shape, but have {a.shape} and {b.shape}")
    cosine = np.abs(np.sum(a * b, axis=0)).max(initial=0.0)
    if cosine > 1e-6:
        raise InputError(f"`m` must be perpendicular to `n`, but their cosine is {cosine:.3g}")
    return a, b


def _dyad(a: Floats, b: Floats | None = None) -> Floats:
    return to_mandel(np.einsum("i...,j...->ij...", a, a if b is None else b))


def _ratio(a: float, b: float, scale: Any) -> float:
    """Return a/b, where what is below round-off of `scale` counts as zero."""
    a, b = (0.0 if abs(x) <= _ZERO * scale else float(x) for x in (a, b))
    if b == 0:
        return float("nan") if a == 0 else float("inf")
    return a / b
