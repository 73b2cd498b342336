"""Hill's polarisation tensor of an ellipsoid in any medium."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge import tensors
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics
from scalebridge.laws._checks import as_array, check_symmetric_semidefinite, concrete

POINTS = 96
_SMALLEST = 1e-30


def hill_tensor(
    modulus: Any, semi_axes: Any, rotation: Any = None, *, points: int = POINTS
) -> Float[Array, "component component"]:
    """Return Hill's polarisation tensor P of an ellipsoid in an infinite medium.

    An inclusion that is made of the medium C⁰ and wants to take the stress-free strain ε* is
    strained by S : ε*, with Eshelby's tensor S = P C⁰. An inclusion of modulus C in a uniform
    far strain has the strain [1 + P (C − C⁰)]⁻¹ times that. P is the mean, over the unit sphere
    of ζ, of the medium's answer to plane waves along ξ_i = ζ_i / a_i,

        P = ⟨Γ(ξ)⟩,   Γ(ξ) = sym ξ ⊗ (ξ·C⁰·ξ)⁻¹ ⊗ ξ,

    and in conduction P = ⟨ξ ξ / (ξ·k⁰·ξ)⟩, depolarisation factors over k⁰.

    Parameters
    ----------
    modulus : (d, d), or (6, 6) in 3D and (3, 3) in 2D
        Conductivity, or stiffness in Mandel components, of any symmetry: positive definite. The
        number of semi-axes tells a conductivity in 3D from a stiffness in 2D.
    semi_axes : (d,) [length]
        Semi-axes > 0, of which only ratios matter. inf is a cylinder, two of them a layer; both
        are exact (for the cylinder an integral over the circle is left).
    rotation : (d, d), optional
        Takes the ellipsoid's axes to those of `modulus`: its columns are the ellipsoid's axes.
    points : int
        Gauss points on each of the two angles. Cost grows with the square.

    Returns
    -------
    (component, component) [1/modulus]
        Symmetric, Mandel components.

    Raises
    ------
    InputError
        When shapes do not fit, or axes or modulus are not positive.

    Notes
    -----
    The integrand is peaked where the ellipsoid is slender or the medium strongly anisotropic, on
    a scale that the quadratic form ζ·B·ζ, B = A⁻¹ k A⁻¹ with k_ij = C_iklj δ_kl, tells. Angles
    are counted from the axes of B and stretched by hyperbolic sines of that scale, so that the
    distance to the nearest pole no longer depends on it, and Gauss-Legendre converges
    geometrically. With 96 points, in isotropic media and in anisotropic conductors errors are
    below 1e-11 of ‖P‖ for aspect ratios 1e-3 … 1e3, and below 2e-8 in copper and in an aligned
    carbon composite (E 140:9), in any orientation. Doubling `points` shows the error.

    References
    ----------
    Eshelby (1957), Proc. R. Soc. A 241, 376-396. Willis (1977), J. Mech. Phys. Solids 25, 185-202:
    the integral. Mura (1987), Micromechanics of Defects in Solids, § 17.

    Examples
    --------
    Depolarisation factors of a sphere, and of a needle across:

    >>> import jax.numpy as jnp
    >>> hill_tensor(jnp.eye(3), (1, 1, 1)).diagonal().round(6).tolist()
    [0.333333, 0.333333, 0.333333]
    >>> hill_tensor(jnp.eye(3), (1, 1, jnp.inf)).diagonal().round(6).tolist()
    [0.5, 0.5, 0.0]
    """
    axes, finite = as_semi_axes(semi_axes)
    dim = len(finite)
    kinematics = _kinematics(jnp.shape(modulus), dim)
    C = as_array("modulus", modulus, (kinematics.size, kinematics.size))
    check_symmetric_semidefinite("modulus", C, "positive definite")
    values = concrete(C)
    if values is not None:
        spectrum = np.linalg.eigvalsh(values)
        if spectrum[0] <= 1e-14 * spectrum[-1]:
            raise InputError(
                "`modulus` must be positive definite, but its smallest eigenvalue is "
                f"{spectrum[0]:.3g}; in a medium that carries nothing P is infinite"
            )
    if not isinstance(points, int) or points < 2:
        raise InputError(f"`points` must be an integer ≥ 2, but is {points!r}; {POINTS} is usual")
    R = jnp.eye(dim) if rotation is None else as_rotation("rotation", rotation, dim)
    return polarisation(C, axes, R, kinematics, finite, points)


def as_semi_axes(semi_axes: Any) -> tuple[jax.Array, tuple[bool, ...]]:
    """Return the semi-axes, and which of them are known to be finite or not known."""
    try:
        axes = jnp.asarray(semi_axes, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"`semi_axes` must be numbers, but are {semi_axes!r}") from error
    if axes.shape not in {(2,), (3,)}:
        raise InputError(
            f"`semi_axes` must be 3 numbers, or 2 in 2D, but has shape {axes.shape}; "
            "a spheroid is (a, a, c)"
        )
    values = concrete(axes)
    if values is None:
        return axes, (True,) * axes.shape[0]
    if not np.all(values > 0) or np.all(np.isinf(values)):
        raise InputError(
            f"`semi_axes` must be > 0, one of them finite, but are {values.tolist()}; "
            "a thin disc is e.g. (1, 1, 1e-3), a layer (inf, inf, 1)"
        )
    return axes, tuple(bool(f) for f in np.isfinite(values))


def as_rotation(name: str, rotation: Any, dim: int | None = None) -> jax.Array:
    """Return a rotation matrix, checked where it is known."""
    shapes = ((2, 2), (3, 3)) if dim is None else ((dim, dim),)
    R = as_array(name, rotation, *shapes)
    values = concrete(R)
    return R if values is None else jnp.asarray(tensors.as_rotation(values, dim, name=name))


@partial(jax.jit, static_argnames=("kinematics", "finite", "points"))
def polarisation(
    modulus: Float[Array, "component component"],
    semi_axes: Float[Array, " d"],
    rotation: Float[Array, "d d"],
    kinematics: Kinematics,
    finite: tuple[bool, ...],
    points: int = POINTS,
) -> Float[Array, "component component"]:
    """Return P; `finite` tells which semi-axes are finite."""
    D = gradient_operator(kinematics)
    keep = np.flatnonzero(finite)
    stretch = rotation[:, keep] / semi_axes[keep][None, :]  # ξ = stretch ζ
    k = jnp.einsum("cui,cb,buj->ij", D, modulus, D)
    form = stretch.T @ k @ stretch
    # The mean does not depend on where the points are: neither does its derivative.
    zeta, weights = _sphere(jax.lax.stop_gradient(form), points)
    wave = jnp.einsum("cui,ij,nj->ncu", D, stretch, zeta)
    acoustic = jnp.einsum("ncu,cb,nbv->nuv", wave, modulus, wave)
    answer, pivots = _eliminate(acoustic, jnp.swapaxes(wave, 1, 2))
    return jnp.einsum("nuc,nu,nub->cb", answer, weights[:, None] / pivots, answer)


@lru_cache
def gradient_operator(kinematics: Kinematics) -> np.ndarray:
    """Return D (component, unknown, d): the gradient of u exp(iξ·x) has components i D u ξ."""
    e = np.eye(kinematics.dim)
    if kinematics.physics == "conduction":
        return e[:, None, :]
    return np.asarray(tensors.to_mandel(np.einsum("ui,vj->uvij", e, e)))


def _kinematics(shape: tuple[int, ...], dim: int) -> Kinematics:
    for physics in ("conduction", "elasticity"):
        kinematics = Kinematics(physics, dim)
        if shape == (kinematics.size,) * 2:
            return kinematics
    side = {2: 3, 3: 6}[dim]
    raise InputError(
        f"`modulus` must have shape ({dim}, {dim}) or ({side}, {side}) for {dim} semi-axes, "
        f"but has {shape}"
    )


def _sphere(form: Float[Array, "m m"], points: int) -> tuple[Array, Array]:
    """Return points (n, m) and weights (n,) of the mean over half the unit sphere, or circle.

    Half is enough, since Γ is even. They are dense where ζ·form·ζ is small.
    """
    size = form.shape[0]
    if size == 1:
        return jnp.ones((1, 1)), jnp.ones(1)
    x, w = (jnp.asarray(a) for a in np.polynomial.legendre.leggauss(points))
    b, axes = jnp.linalg.eigh(form)
    b = jnp.maximum(b, _SMALLEST * b[-1])
    psi, dpsi = _stretched(x, jnp.sqrt(b[0] / b[1]), np.pi / 2)
    plane = jnp.stack([jnp.cos(psi), jnp.sin(psi)])
    if size == 2:
        return (axes @ plane).T, w * dpsi / np.pi
    kappa = jnp.sqrt((b[0] * plane[0] ** 2 + b[1] * plane[1] ** 2) / b[2])
    t, dt = _stretched(x[None, :], kappa[:, None], 1.0)
    radius = jnp.sqrt((1 - t) * (1 + t))
    zeta = jnp.stack([radius * plane[0][:, None], radius * plane[1][:, None], t], axis=-1)
    weights = (w * dpsi)[:, None] * w[None, :] * dt / (2 * np.pi)
    return zeta.reshape(-1, 3) @ axes.T, weights.reshape(-1)


def _eliminate(
    a: Float[Array, "n u u"], b: Float[Array, "n u c"]
) -> tuple[Float[Array, "n u c"], Float[Array, "n u"]]:
    """Return L⁻¹ b and D of a = L D Lᵀ, small and positive definite: b·a⁻¹·b is then a sum.

    Not by LAPACK: thousands of calls in parallel inside a compiled loop can leave XLA's threads
    waiting for each other (jax 0.10.2, two cores).
    """
    size = a.shape[-1]
    rows = [jnp.concatenate([a[:, i], b[:, i]], axis=1) for i in range(size)]
    for i in range(size):
        for j in range(i + 1, size):
            rows[j] = rows[j] - (rows[j][:, i] / rows[i][:, i])[:, None] * rows[i]
    pivots = [row[:, i] for i, row in enumerate(rows)]
    return jnp.stack([row[:, size:] for row in rows], axis=1), jnp.stack(pivots, axis=1)


def _stretched(x: Any, scale: Array, end: float) -> tuple[Array, Array]:
    """Return scale sinh(y), on −end … end for x on −1 … 1, and its derivative by x."""
    length = jnp.arcsinh(end / scale)
    return scale * jnp.sinh(length * x), scale * length * jnp.cosh(length * x)
