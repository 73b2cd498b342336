"""Rate-independent plasticity of von Mises."""

from __future__ import annotations

from typing import Any

import jax

from scalebridge.laws._checks import as_array, check_elastic, check_range
from scalebridge.laws.hardening import (
    IsotropicHardening,
    KinematicHardening,
    PerfectlyPlastic,
    check_hardening,
)
from scalebridge.laws.von_mises import VonMises


class J2Plasticity(VonMises):
    """Von Mises plasticity: |σ − X|ₑq ≤ σ_y + R(p), flow along the deviator of σ − X.

    With σ = K tr(ε) 1 + 2μ dev(ε − εᵖ) and |s|ₑq = √(3/2) |dev s|. Stored are the elastic
    energy and those of the hardenings; σ_y dp is dissipated, and what a backstrain recovers.

    Parameters
    ----------
    E : float [stress]
        Young's modulus > 0.
    nu : float [-]
        Poisson's ratio, −1 < nu < ½.
    yield_stress : float [stress]
        σ_y > 0, of the virgin material in uniaxial stress.
    hardening : IsotropicHardening, optional
        R(p): LinearHardening, VoceHardening, PowerHardening; none by default.
    kinematic : KinematicHardening, optional
        X: PragerHardening or ArmstrongFrederick; none by default. With Armstrong and
        Frederick's the tangent is not symmetric.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    Small strain and isothermal. The step is backward Euler, in closed form with linear
    hardening, otherwise by Newton's method on one scalar.

    References
    ----------
    Simo & Hughes (1998), Computational Inelasticity, boxes 3.1 and 3.2.
    """

    E: jax.Array
    nu: jax.Array
    yield_stress: jax.Array
    hardening: IsotropicHardening
    kinematic: KinematicHardening | None

    def __init__(
        self,
        E: Any,
        nu: Any,
        yield_stress: Any,
        *,
        hardening: IsotropicHardening | None = None,
        kinematic: KinematicHardening | None = None,
    ) -> None:
        self.E, self.nu = as_array("E", E, ()), as_array("nu", nu, ())
        self.yield_stress = as_array("yield_stress", yield_stress, ())
        self.hardening = PerfectlyPlastic() if hardening is None else hardening
        self.kinematic = kinematic

    def __check_init__(self) -> None:
        check_elastic(self.E, self.nu)
        check_range("yield_stress", self.yield_stress, above=0)
        check_hardening(self.hardening, self.kinematic)

    @property
    def _is_closed_form(self) -> bool:
        return self.hardening.is_linear and not self._recovers
