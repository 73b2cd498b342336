"""The best bounds from the moduli and fractions of isotropic phases in an isotropic mixture."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.analytic._isotropic import check_isotropic, constraint, eigenvalues, isotropic
from scalebridge.analytic._phases import Mixture, as_fractions, as_laws, moduli
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws import Kinematics, Law

SIDES = ("lower", "upper")


class HashinShtrikman(Mixture):
    """Bounds of statistically isotropic mixtures of isotropic phases.

    With Hill's constraint tensor H of a comparison medium,

        C = (Σ f_r (C_r + H)⁻¹)⁻¹ − H,

    where the comparison medium has the smallest (lower) or largest (upper) bulk and shear
    modulus of the phases. For two phases in 3D these are the formulas of 1962 and 1963; where
    the phase with the larger K has the smaller μ they are Walpole's. In 2D, the plane across
    fibres, they are Hashin's of 1965; there the bulk modulus is the area modulus K + μ/3.

    Rigorous for any geometry whose effective tensor is isotropic (in the plane, in 2D). Attained
    by coated spheres in conduction and for K, and by laminates of higher rank also for μ.

    Parameters
    ----------
    laws : sequence of Law
        Isotropic linear laws of one physics; 2D where they are (PlaneStrain, PlaneStress, or a
        conductivity (2, 2)). A void makes the lower bound zero.
    fractions : (phase,) [-]
        Volume fractions, summing to 1.
    side : "lower" or "upper"
        Which bound.

    Raises
    ------
    InputError
        When a law is not isotropic, laws do not fit together, or the fractions do not sum to 1.

    References
    ----------
    Hashin & Shtrikman (1962), J. Appl. Phys. 33, 3125-3131: conduction; (1963), J. Mech. Phys.
    Solids 11, 127-140: elasticity. Hashin (1965), J. Mech. Phys. Solids 13, 119-134: 2D. Walpole
    (1966), J. Mech. Phys. Solids 14, 151-162: any number of phases in any order.

    Examples
    --------
    >>> import scalebridge as sb
    >>> conductors = [sb.laws.Conduction(1.0), sb.laws.Conduction(10.0)]
    >>> for side in ("lower", "upper"):
    ...     bound = sb.analytic.HashinShtrikman(conductors, [0.5, 0.5], side=side)
    ...     print(f"{bound.modulus[0, 0]:.6f}")
    2.800000
    4.705882
    """

    laws: tuple[Law, ...]
    fractions: jax.Array
    side: str = eqx.field(static=True)

    def __init__(self, laws: Any, fractions: Any, side: str) -> None:
        if side not in SIDES:
            raise InputError(
                f"`side` must be one of {list(SIDES)}, but is {side!r}{did_you_mean(side, SIDES)}"
            )
        self.laws = as_laws("laws", laws)
        self.fractions = as_fractions(fractions, len(self.laws))
        self.side = side

    def __check_init__(self) -> None:
        if not all(law.is_isotropic for law in self.laws):
            for law, modulus in zip(self.laws, moduli(self.laws), strict=True):
                check_isotropic("laws", law, modulus, self.kinematics)

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The bound."""
        return _modulus(moduli(self.laws), self.fractions, self.kinematics, self.side)


@partial(jax.jit, static_argnames=("kinematics", "side"))
def _modulus(
    C: Float[Array, "phase c c"], f: Float[Array, " phase"], kinematics: Kinematics, side: str
) -> Float[Array, "c c"]:
    values = jax.vmap(lambda c: eigenvalues(c, kinematics))(C)
    present = (f > 0)[:, None]  # a phase of no volume is no phase
    if side == "lower":
        comparison = _smallest(jnp.where(present, values, jnp.inf))
    else:
        comparison = -_smallest(-jnp.where(present, values, 0.0))
    return isotropic(constrained_mean(values, f, constraint(comparison, kinematics)), kinematics)


def constrained_mean(
    values: Float[Array, "phase eigenvalue"],
    fractions: Float[Array, " phase"],
    H: Float[Array, " eigenvalue"],
) -> Float[Array, " eigenvalue"]:
    """Return (Σ f_r (c_r + H)⁻¹)⁻¹ − H, also where c_r + H vanishes."""
    total = values + H[None, :]
    weights = fractions[:, None]
    smallest = _smallest(jnp.where(weights > 0, total, jnp.inf))
    ratio = jnp.where(total > 0, smallest[None, :] / jnp.where(total > 0, total, 1.0), 1.0)
    return smallest / jnp.sum(weights * ratio, axis=0) - H


def _smallest(values: Float[Array, "phase eigenvalue"]) -> Float[Array, " eigenvalue"]:
    """Return the smallest over the phases.

    Its derivative is that of one place. `jnp.min` spreads it over all that are equal to the
    minimum: none may be, where the compiler rounds the values that it compares differently.
    """
    place = jnp.argmin(jax.lax.stop_gradient(values), axis=0)
    return jnp.take_along_axis(values, place[None], axis=0)[0]
