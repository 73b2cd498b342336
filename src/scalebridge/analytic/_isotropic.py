"""Isotropic moduli by their eigenvalues: k in conduction, (dK, 2μ) in elasticity."""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law
from scalebridge.laws._checks import concrete


@lru_cache
def projectors(kinematics: Kinematics) -> np.ndarray:
    """Return the projectors (eigenvalue, component, component) of isotropic moduli."""
    d, one = kinematics.dim, np.eye(kinematics.size)
    if kinematics.physics == "conduction":
        return one[None]
    trace = np.repeat([1.0, 0.0], [d, kinematics.size - d])
    spherical = np.outer(trace, trace) / d
    return np.stack([spherical, one - spherical])


def eigenvalues(
    modulus: Float[Array, "component component"], kinematics: Kinematics
) -> Float[Array, " eigenvalue"]:
    """Return the eigenvalues of the isotropic part: the average over all rotations."""
    P = projectors(kinematics)
    return jnp.einsum("eab,ba->e", P, modulus) / np.trace(P, axis1=1, axis2=2)


def isotropic(
    values: Float[Array, " eigenvalue"], kinematics: Kinematics
) -> Float[Array, "component component"]:
    """Return the isotropic modulus of the given eigenvalues."""
    return jnp.einsum("e,eab->ab", values, projectors(kinematics))


def constraint(
    values: Float[Array, " eigenvalue"], kinematics: Kinematics
) -> Float[Array, " eigenvalue"]:
    """Return Hill's constraint tensor H of a sphere (circle in 2D) in an isotropic medium.

    H answers for the medium outside: P = (C⁰ + H)⁻¹. In conduction (d−1) k; in elasticity
    dK_H = (d−1) 2μ and 2μ_H = 2μ [d²K + (d+1)(d−2) 2μ] / [2 (dK + 2dμ)] (Hill 1965).
    """
    d = kinematics.dim
    if kinematics.physics == "conduction":
        return (d - 1) * values
    x, y = values
    sum_ = x + d * y
    shear = y * (d * x + (d + 1) * (d - 2) * y) / (2 * jnp.where(sum_ > 0, sum_, 1.0))
    return jnp.stack([(d - 1) * y, shear])


def check_isotropic(
    name: str, law: Law, modulus: Float[Array, "component component"], kinematics: Kinematics
) -> None:
    """Refuse a law whose modulus is known and is not isotropic."""
    values = None if law.is_isotropic else concrete(modulus)
    if values is None:
        return
    distance = np.linalg.norm(values - isotropic(eigenvalues(modulus, kinematics), kinematics))
    if distance > 1e-8 * np.linalg.norm(values):
        raise InputError(
            f"`{name}` must be isotropic, but {type(law).__name__} is off by "
            f"{distance / np.linalg.norm(values):.2g} of its norm; take a model for anisotropic "
            "phases, e.g. MoriTanaka or Laminate"
        )
