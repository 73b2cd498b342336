"""Rate-dependent plasticity of von Mises: Perzyna, and Norton's creep."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.laws._checks import as_array, check_elastic, check_range
from scalebridge.laws.hardening import (
    IsotropicHardening,
    KinematicHardening,
    PerfectlyPlastic,
    check_hardening,
)
from scalebridge.laws.von_mises import VonMises

Scalar = Float[Array, ""]


class PerzynaViscoplastic(VonMises):
    """Flow at the rate dp/dt = rate ⟨(|σ − X|ₑq − σ_y − R(p))/drag⟩ⁿ.

    Otherwise as J2Plasticity, which is the limit of a slow process. ⟨x⟩ = max(x, 0).

    Parameters
    ----------
    E : float [stress]
        Young's modulus > 0.
    nu : float [-]
        Poisson's ratio, −1 < nu < ½.
    yield_stress : float [stress]
        σ_y ≥ 0, below which there is no flow.
    rate : float [1/time]
        Rate > 0 of plastic strain at an overstress of `drag`.
    drag : float [stress]
        Overstress > 0 that gives `rate`.
    exponent : float [-]
        Rate exponent n ≥ 1: 1 is a linear dashpot, large n is nearly rate-independent.
    hardening : IsotropicHardening, optional
        R(p); none by default.
    kinematic : KinematicHardening, optional
        X; none by default.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    The step is backward Euler, first order in the time step. Its scalar equation is solved in
    the logarithm of Δp, which takes exponents of 50 and more.

    References
    ----------
    Perzyna (1966), Fundamental problems in viscoplasticity, Adv. Appl. Mech. 9, 243-377; Simo
    & Hughes (1998), Computational Inelasticity, section 2.7.
    """

    E: jax.Array
    nu: jax.Array
    yield_stress: jax.Array
    rate: jax.Array
    drag: jax.Array
    exponent: jax.Array
    hardening: IsotropicHardening
    kinematic: KinematicHardening | None

    def __init__(
        self,
        E: Any,
        nu: Any,
        yield_stress: Any,
        *,
        rate: Any,
        drag: Any,
        exponent: Any,
        hardening: IsotropicHardening | None = None,
        kinematic: KinematicHardening | None = None,
    ) -> None:
        self.E, self.nu = as_array("E", E, ()), as_array("nu", nu, ())
        self.yield_stress = as_array("yield_stress", yield_stress, ())
        self.rate, self.drag = as_array("rate", rate, ()), as_array("drag", drag, ())
        self.exponent = as_array("exponent", exponent, ())
        self.hardening = PerfectlyPlastic() if hardening is None else hardening
        self.kinematic = kinematic

    def __check_init__(self) -> None:
        check_elastic(self.E, self.nu)
        check_range("yield_stress", self.yield_stress, lowest=0)
        check_range("rate", self.rate, above=0)
        check_range("drag", self.drag, above=0)
        check_range("exponent", self.exponent, lowest=1)
        check_hardening(self.hardening, self.kinematic)

    def _overstress(self, increment: Scalar, dt: Scalar) -> Scalar:
        flows = increment > 0
        share = jnp.where(flows, increment, 1.0) / (self.rate * dt)
        return jnp.where(flows, self.drag * share ** (1 / self.exponent), 0.0)

    def _largest_increment(self, excess: Scalar, dt: Scalar) -> Scalar:
        return self.rate * dt * (excess / self.drag) ** self.exponent


class NortonCreep(PerzynaViscoplastic):
    """Creep at the rate dp/dt = rate (|σ|ₑq/stress)ⁿ at any stress, along the deviator of σ.

    In uniaxial stress that is the steady rate A σⁿ with A = rate/stressⁿ, on top of
    elasticity.

    Parameters
    ----------
    E : float [stress]
        Young's modulus > 0.
    nu : float [-]
        Poisson's ratio, −1 < nu < ½.
    rate : float [1/time]
        Creep rate > 0 at the equivalent stress `stress`.
    stress : float [stress]
        Reference stress > 0.
    exponent : float [-]
        Stress exponent n ≥ 1: 1 is diffusion creep, 3 to 8 dislocation creep.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    Secondary creep only: no hardening, no damage. Backward Euler, as in PerzynaViscoplastic.

    References
    ----------
    Norton (1929), The Creep of Steel at High Temperatures; Lemaitre & Chaboche (1990),
    Mechanics of Solid Materials, section 6.2.
    """

    def __init__(self, E: Any, nu: Any, *, rate: Any, stress: Any, exponent: Any) -> None:
        drag = as_array("stress", stress, ())
        check_range("stress", drag, above=0)
        super().__init__(E, nu, 0.0, rate=rate, drag=drag, exponent=exponent)
