"""Coated cylinders of all sizes: a unidirectional fibre composite."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._coated import Coated, Scalar, poisson_ratio, positive_root
from scalebridge.analytic._phases import as_fraction
from scalebridge.laws import Law
from scalebridge.laws._checks import as_axis


class CoatedCylinder(Coated):
    """Parallel fibres coated by the matrix, filling space: transversely isotropic.

    ======================  ====================================================================
    constant                what
    ======================  ====================================================================
    k axial                 exact for any parallel fibres: the mean
    k transverse            exact for the assemblage of coated cylinders of all sizes
    E_axial, nu_axial       exact for the same assemblage
    K_area = K₂₃            exact for the same assemblage: plane strain bulk modulus
    G_axial                 exact for the same assemblage
    G_transverse            the generalised self-consistent scheme (Christensen & Lo 1979); for
                            the assemblage itself only bounds exist
    ======================  ====================================================================

    So in the stiffness with axis 1 the entries 11, 12, 55 and the sum 22 + 23 are exact, and the
    difference 22 − 23 = 2 G_transverse is not. Good for random fibre arrangements up to fractions
    of about 0.7; square arrays are not transversely isotropic.

    Parameters
    ----------
    core, coating : Law
        Isotropic linear laws in 3D, fibre and matrix; the core may be void.
    fraction : float
        Volume fraction of the cores [-].
    axis : 0, 1, 2 or "x", "y", "z"
        Direction of the fibres.

    Raises
    ------
    InputError
        When a law is not isotropic, or not 3D, or the coating is void.

    References
    ----------
    Hashin & Rosen (1964), J. Appl. Mech. 31, 223-232; Hill (1964), J. Mech. Phys. Solids 12,
    199-212. Christensen & Lo (1979), ibid. 27, 315-330, with the erratum in 34, 639.

    Examples
    --------
    >>> import scalebridge as sb
    >>> glass = sb.laws.IsotropicElastic(E=74.0, nu=0.2)
    >>> epoxy = sb.laws.IsotropicElastic(E=3.35, nu=0.35)
    >>> C = sb.analytic.CoatedCylinder(glass, epoxy, 0.6, axis="x").modulus
    >>> print(f"G_axial = {C[5, 5] / 2:.4f}, G_transverse = {C[3, 3] / 2:.4f}")
    G_axial = 4.3179, G_transverse = 4.3321
    """

    core: Law
    coating: Law
    fraction: jax.Array
    axis: int = eqx.field(static=True)

    def __init__(self, core: Any, coating: Any, fraction: Any, axis: int | str = "z") -> None:
        self.core, self.coating = core, coating
        self.fraction = as_fraction(fraction)
        self.axis = as_axis(axis)

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The effective modulus."""
        return _modulus(self, self._values())


@eqx.filter_jit
def _modulus(
    model: CoatedCylinder, values: Float[Array, "2 eigenvalue"]
) -> Float[Array, "component component"]:
    (core, coating), f, axis = values, model.fraction, model.axis
    if model.kinematics.physics == "conduction":
        across = _assemblage(core[0], coating[0], coating[0], f)
        along = f * core[0] + (1 - f) * coating[0]
        return jnp.diag(jnp.full(3, across).at[axis].set(along))
    (g_i, g), (nu_i, nu) = (v[1] / 2 for v in (core, coating)), map(poisson_ratio, (core, coating))
    k_i, k = core[0] / 3 + g_i / 3, coating[0] / 3 + g / 3
    E_i, E = 2 * g_i * (1 + nu_i), 2 * g * (1 + nu)
    mean_nu = f * nu_i + (1 - f) * nu
    # Multiplied by the core's bulk modulus, which may vanish.
    weight = f * (1 - f) * (nu_i - nu) / ((1 - f) + k_i * (f / k + 1 / g))
    return _transversely_isotropic(
        E_axial=f * E_i + (1 - f) * E + 4 * weight * (nu_i - nu) * k_i,
        nu_axial=mean_nu + weight * (k_i / k - 1),
        bulk=_assemblage(k_i, k, g, f),
        G_axial=_assemblage(g_i, g, g, f),
        G_transverse=g * _shear_ratio(g_i / g, nu_i, nu, f),
        axis=axis,
    )


def _assemblage(core: Scalar, coating: Scalar, H: Scalar, f: Scalar) -> Scalar:
    """Return (f/(c_core + H) + (1−f)/(c_coating + H))⁻¹ − H."""
    a, b = core + H, coating + H
    return a * b / (f * b + (1 - f) * a) - H


def _transversely_isotropic(
    *,
    E_axial: Scalar,
    nu_axial: Scalar,
    bulk: Scalar,
    G_axial: Scalar,
    G_transverse: Scalar,
    axis: int,
) -> Float[Array, "6 6"]:
    """Return the stiffness from Hill's constants; nothing is inverted, so all may vanish."""
    aa = E_axial + 4 * nu_axial**2 * bulk
    at = 2 * nu_axial * bulk
    tt, tu = bulk + G_transverse, bulk - G_transverse
    across = [i for i in range(3) if i != axis]
    C = jnp.zeros((6, 6)).at[axis, axis].set(aa)
    for i in across:
        C = C.at[axis, i].set(at).at[i, axis].set(at).at[i, i].set(tt)
        C = C.at[3 + i, 3 + i].set(2 * G_axial)  # component 3 + i is the shear across axis i
    C = C.at[across[0], across[1]].set(tu).at[across[1], across[0]].set(tu)
    return C.at[3 + axis, 3 + axis].set(2 * G_transverse)


def _shear_ratio(g: Scalar, nu_i: Scalar, nu: Scalar, c: Scalar) -> Scalar:
    """Return G/G_coating for G_core/G_coating = g (Christensen & Lo 1979, cylinders)."""
    eta_i, eta, h = 3 - 4 * nu_i, 3 - 4 * nu, g - 1
    first = 3 * c * (1 - c) ** 2 * h * (g + eta_i)
    p = eta * g + h * c + 1
    q = (g * eta - eta_i) * c**3
    A = first + (g * eta + eta_i * eta - q) * (c * eta * h - (g * eta + 1))
    B = (
        -first
        + 0.5 * p * ((eta - 1) * (g + eta_i) - 2 * q)
        + 0.5 * c * (eta + 1) * h * (g + eta_i + q)
    )
    C = first + p * (g + eta_i + q)
    return positive_root(-A, -B, -C)
