"""An ellipsoidal inclusion, and what it does to the averages of the fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge import tensors
from scalebridge.analytic._isotropic import constraint, eigenvalues, isotropic
from scalebridge.analytic._phases import as_fraction, check_law
from scalebridge.analytic.hill import as_rotation, as_semi_axes, polarisation
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law
from scalebridge.laws._checks import concrete

Matrix = Float[Array, "component component"]


class Inclusion(eqx.Module):
    """A phase of equal ellipsoids, for the mean-field estimates.

    Parameters
    ----------
    law : Law
        Linear law on the ellipsoid's own axes, of any symmetry; Void for pores.
    fraction : float
        Volume fraction [-].
    semi_axes : (d,), optional
        Semi-axes, of which only ratios matter; a sphere (in 2D a circle) by default. A spheroid
        along z is (1, 1, aspect), a long fibre (1, 1, inf), a thin disc (1, 1, 1e-3).
    orientation : (d, d) or "random", optional
        Rotation from the ellipsoid's axes to the common ones, or all directions alike: then the
        medium around must be isotropic. Aligned with the common axes by default.

    Raises
    ------
    InputError
        When an argument is out of its range, or for a void layer (one finite semi-axis), which
        opens without bound: take Laminate.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import scalebridge as sb
    >>> glass = sb.laws.IsotropicElastic(E=72.0, nu=0.22)
    >>> fibres = sb.analytic.Inclusion(glass, 0.3, semi_axes=(1, 1, jnp.inf))
    """

    law: Law
    fraction: jax.Array
    semi_axes: jax.Array | None
    rotation: jax.Array | None
    is_random: bool = eqx.field(static=True)
    finite: tuple[bool, ...] = eqx.field(static=True)

    def __init__(
        self, law: Any, fraction: Any, semi_axes: Any = None, orientation: Any = None
    ) -> None:
        check_law("law", law)
        self.law = law
        self.fraction = as_fraction(fraction)
        self.semi_axes, self.finite = (None, ()) if semi_axes is None else as_semi_axes(semi_axes)
        self.is_random = isinstance(orientation, str)
        if isinstance(orientation, str) and orientation != "random":
            raise InputError(
                f"`orientation` must be 'random' or a rotation matrix, but is {orientation!r}; "
                "see sb.tensors.rotation_about"
            )
        self.rotation = None
        if orientation is not None and not self.is_random:
            self.rotation = as_rotation("orientation", orientation)

    def __check_init__(self) -> None:
        values = concrete(self.law.tangent()) if sum(self.finite) == 1 else None
        if values is not None and not np.any(values):
            raise InputError(
                "`law` must carry something in an ellipsoid with one finite semi-axis, but is "
                "void; take Laminate for empty layers"
            )

    @property
    def is_sphere(self) -> bool:
        """Whether it is a sphere by construction."""
        return self.semi_axes is None


def as_inclusions(name: str, inclusions: Any) -> tuple[Inclusion, ...]:
    """Return one inclusion, or a sequence of them, as a tuple."""
    found = (inclusions,) if isinstance(inclusions, Inclusion) else inclusions
    if not isinstance(found, Iterable) or not (found := tuple(found)):
        raise InputError(f"`{name}` must be Inclusions, but is {inclusions!r}; give at least one")
    for item in found:
        if not isinstance(item, Inclusion):
            raise InputError(
                f"`{name}` must be Inclusions, but one is {item!r}; "
                "wrap a law as Inclusion(law, fraction)"
            )
    return found


def total_fraction(inclusions: Sequence[Inclusion]) -> Float[Array, ""]:
    """Return the volume fraction of all inclusions."""
    return jnp.sum(jnp.stack([i.fraction for i in inclusions]))


def check_dimension(name: str, inclusions: Sequence[Inclusion], dim: int) -> None:
    """Refuse shapes and orientations of another dimension than the laws'."""
    for inclusion in inclusions:
        for array in (inclusion.semi_axes, inclusion.rotation):
            if array is not None and array.shape[0] != dim:
                raise InputError(
                    f"`{name}` must have semi-axes and rotations in {dim}D, as their laws are, "
                    f"but one is in {array.shape[0]}D"
                )


def concentrations(
    inclusions: Sequence[Inclusion],
    moduli: Float[Array, "inclusion component component"],
    medium: Matrix,
    kinematics: Kinematics,
    is_isotropic: bool,
) -> tuple[Matrix, Matrix]:
    """Return Σ f_r ⟨(C_r − C⁰) T_r⟩ and Σ f_r ⟨T_r⟩, with T_r = [1 + P_r (C_r − C⁰)]⁻¹.

    T_r is the strain in a single inclusion in the infinite medium C⁰ per far strain, and ⟨·⟩ the
    average over orientations. `is_isotropic` tells whether the medium is known to be.
    """
    polarised = strained = jnp.zeros_like(medium)
    for inclusion, own in zip(inclusions, moduli, strict=True):
        C = _turned(own, inclusion.rotation, kinematics)
        P = _polarisation(inclusion, medium, kinematics, is_isotropic)
        T = jnp.linalg.inv(jnp.eye(kinematics.size) + P @ (C - medium))
        stress = (C - medium) @ T
        if inclusion.is_random:
            stress, T = (isotropic(eigenvalues(a, kinematics), kinematics) for a in (stress, T))
        polarised = polarised + inclusion.fraction * stress
        strained = strained + inclusion.fraction * T
    return polarised, strained


def _polarisation(
    inclusion: Inclusion, medium: Matrix, kinematics: Kinematics, is_isotropic: bool
) -> Matrix:
    if inclusion.is_sphere and is_isotropic:
        values = eigenvalues(medium, kinematics)
        return isotropic(1 / (values + constraint(values, kinematics)), kinematics)
    dim = kinematics.dim
    axes = jnp.ones(dim) if inclusion.semi_axes is None else inclusion.semi_axes
    finite = inclusion.finite or (True,) * dim
    R = jnp.eye(dim) if inclusion.rotation is None else inclusion.rotation
    return polarisation(medium, axes, R, kinematics, finite)


def _turned(modulus: Matrix, rotation: jax.Array | None, kinematics: Kinematics) -> Matrix:
    if rotation is None:
        return modulus
    if kinematics.physics == "conduction":
        return rotation @ modulus @ rotation.T
    return tensors.rotate_mandel4(modulus, rotation)
