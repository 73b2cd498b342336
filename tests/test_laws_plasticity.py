"""Von Mises laws against closed forms, in uniaxial stress and in shear."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from law_members import MEMBERS, STEEL, history, relative, respond
from scalebridge import tensors
from scalebridge.laws import (
    ArmstrongFrederick,
    J2Plasticity,
    LinearHardening,
    NortonCreep,
    PerfectlyPlastic,
    PerzynaViscoplastic,
    PowerHardening,
    PragerHardening,
    VoceHardening,
)
from scalebridge.laws._drive import uniaxial

E, G = STEEL["E"], STEEL["E"] / 2.6
RATE = {"rate": 1e-3, "drag": 50.0, "exponent": 8.0}
CREEP = {"rate": 1e-3, "stress": 100.0, "exponent": 5.0}


def shear(gamma):
    """Simple shear γ₁₂ in Mandel components."""
    return jnp.zeros(6).at[5].set(gamma / np.sqrt(2))


def test_uniaxial_linear_hardening_over_a_cycle():
    """σ − C εᵖ = ±(σ_y + H p): any step is exact, since the path is radial."""
    H, C = 2e3, 5e3
    law = J2Plasticity(
        **STEEL, yield_stress=300.0, hardening=LinearHardening(H), kinematic=PragerHardening(C)
    )
    forth = (E * 0.02 - 300.0) / (E + C + H)  # plastic strain at 0.02
    back = (-E * (-0.01 - forth) + (C - H) * forth - 300.0) / (E + C + H)  # what −0.01 undoes
    found = uniaxial(law, np.array([0.001, 0.02, -0.01]))
    exact = [E * 0.001, E * (0.02 - forth), E * (-0.01 - forth + back)]
    np.testing.assert_allclose(found.flux[:, 0], exact, rtol=1e-10)
    np.testing.assert_allclose(
        found.dissipation, [0.0, 300.0 * forth, 300.0 * back], rtol=1e-10, atol=1e-12
    )


def test_simple_shear_with_power_hardening():
    """Record j2.point.EPICP: R = 1000 p^0.3, from 3MAH's fedoo/simcoon and by its equation.

    τ/G + √3 p = γ with τ = (300 + R)/√3: any number of steps is exact.
    """
    law = J2Plasticity(**STEEL, yield_stress=300.0, hardening=PowerHardening(1e3, 0.3))
    for steps in (1, 7):
        last = history(law, [shear(g) for g in np.linspace(0, 0.02, steps + 1)[1:]], 1.0)[-1]
        assert float(last.flux[5]) / np.sqrt(2) == pytest.approx(314.581143790, rel=1e-10)
        assert float(last.state["p"]) == pytest.approx(0.009185899779, rel=1e-9)


def test_backstress_of_armstrong_and_frederick_saturates():
    """At C/γ in uniaxial stress, on the way with X = C/γ (1 − exp(−γ εᵖ)), first order."""
    C, gamma = 30e3, 150.0
    law = J2Plasticity(**STEEL, yield_stress=300.0, kinematic=ArmstrongFrederick(C, gamma))
    last = uniaxial(law, np.linspace(0, 0.5, 11)[1:]).flux[-1, 0]
    assert last == pytest.approx(300.0 + C / gamma, rel=1e-6)
    errors = []
    for steps in (10, 20, 40):
        found = uniaxial(law, np.linspace(0, 0.012, steps + 1)[1:])
        stress = found.flux[-1, 0]
        plastic = 0.012 - stress / E
        errors.append(abs(stress - 300.0 - C / gamma * -np.expm1(-gamma * plastic)))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 1.0, atol=0.1)


def test_without_recovery_armstrong_frederick_is_prager():
    path = MEMBERS["J2"].amplitude * np.random.default_rng(2).uniform(-1, 1, (4, 6))
    laws = [
        J2Plasticity(**STEEL, yield_stress=300.0, kinematic=kinematic)
        for kinematic in (PragerHardening(5e3), ArmstrongFrederick(5e3, 0.0))
    ]
    for one, other in zip(*(history(law, path, 1.0) for law in laws), strict=True):
        assert relative(other.flux, one.flux) < 1e-12
        assert float(other.energy) == pytest.approx(float(one.energy), rel=1e-12)


@pytest.mark.parametrize(
    ("hardening", "expected"),
    [
        (PerfectlyPlastic(), 0.0),
        (LinearHardening(2e3), 2e3 * 0.02),
        (VoceHardening(200.0, 30.0, 100.0), 200.0 * (1 - np.exp(-0.6)) + 2.0),
        (PowerHardening(1e3, 0.3), 1e3 * 0.02**0.3),
        (PowerHardening(1e3, 0.3, 0.01), 1e3 * (0.03**0.3 - 0.01**0.3)),
    ],
)
def test_hardenings(hardening, expected):
    """R(p) by hand, and the stored energy is its integral."""
    p = jnp.asarray(0.02)
    assert float(hardening.stress(p)) == pytest.approx(expected, rel=1e-12)
    assert float(jax.grad(hardening.energy)(p)) == pytest.approx(expected, rel=1e-12)
    assert float(hardening.stress(0 * p)) == float(hardening.energy(0 * p)) == 0.0


@pytest.mark.parametrize("strain_rate", [1e-4, 1.0])
def test_steady_flow_at_a_constant_rate(strain_rate):
    """σ = σ_y + drag (ε̇/rate)^(1/n) of Perzyna, σ = stress (ε̇/rate)^(1/n) of Norton."""
    strain = np.linspace(0, 0.2, 21)[1:]
    dt = 0.01 / strain_rate
    perzyna = PerzynaViscoplastic(**STEEL, yield_stress=300.0, **RATE)
    norton = NortonCreep(**STEEL, **CREEP)
    for law, exact in (
        (perzyna, 300.0 + 50.0 * (strain_rate / 1e-3) ** (1 / 8)),
        (norton, 100.0 * (strain_rate / 1e-3) ** (1 / 5)),
    ):
        assert uniaxial(law, strain, dt).flux[-1, 0] == pytest.approx(exact, rel=1e-9)


def test_norton_relaxes_in_shear_to_first_order():
    """τ^(1−n) = τ₀^(1−n) + (n − 1) √3 G rate (√3/stress)ⁿ t, at fixed strain."""
    law, n, time = NortonCreep(**STEEL, **CREEP), 5.0, 2e-3
    gamma = 200.0 / G
    rate = np.sqrt(3) * G * 1e-3 * (np.sqrt(3) / 100.0) ** n
    exact = (200.0 ** (1 - n) + (n - 1) * rate * time) ** (1 / (1 - n))
    errors = []
    for steps in (40, 80, 160):
        state = respond(law, shear(gamma), law.initial_state(), 1e-30).state  # elastic at first
        for _ in range(steps):
            response = respond(law, shear(gamma), state, time / steps)
            state = response.state
        errors.append(abs(float(response.flux[5]) / np.sqrt(2) - exact))
    assert exact < 150.0
    assert errors[-1] < 0.01 * exact
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 1.0, atol=0.05)


def test_the_fast_limit_of_perzyna_is_j2():
    path = 3e-3 * np.random.default_rng(1).uniform(-1, 1, (4, 6))
    hardening = VoceHardening(200.0, 30.0, 100.0)
    plastic = J2Plasticity(**STEEL, yield_stress=300.0, hardening=hardening)
    viscous = PerzynaViscoplastic(
        **STEEL, yield_stress=300.0, rate=1e30, drag=50.0, exponent=1.0, hardening=hardening
    )
    for one, other in zip(history(plastic, path, 1.0), history(viscous, path, 1.0), strict=True):
        assert relative(other.flux, one.flux) < 1e-12


@pytest.mark.parametrize("exponent", [1.0, 3.0, 50.0])
@pytest.mark.parametrize("strain", [1e-12, 1e-4, 0.3])
def test_norton_solves_its_equation_at_any_size_of_step(exponent, strain):
    """q + 3G Δp = 3G ε and Δp = rate Δt (q/stress)ⁿ, from nothing to far too much.

    A flow of less than 1e-30 of the strain is none.
    """
    law = NortonCreep(**STEEL, rate=1e-3, stress=100.0, exponent=exponent)
    response = respond(law, shear(np.sqrt(3) * strain), law.initial_state(), 2.0)
    q, p = float(response.flux[5]) * np.sqrt(1.5), float(response.state["p"])
    assert q + 3 * G * p == pytest.approx(3 * G * strain, rel=1e-12)
    assert p == pytest.approx(2e-3 * (q / 100.0) ** exponent, rel=1e-10, abs=1e-30 * strain)


@pytest.mark.parametrize("exponent", [2.0, 5.0])
def test_every_point_of_a_batch_solves_its_equation(exponent):
    """Thousands of points, some of which come upon their root to the last bit.

    Fluxes lose rounding of the elastic strain to the flow: rates below 1e-14 of it are left out.
    """
    rng = np.random.default_rng(0)
    strains = rng.standard_normal((4000, 6)) * 10 ** rng.uniform(-7, -2, (4000, 1))
    law = NortonCreep(E=70e3, nu=0.3, rate=1e-4, stress=100.0, exponent=exponent)
    dt = 1 / 32
    found = jax.jit(jax.vmap(lambda e: law.respond(e, law.initial_state(), dt)))(strains)
    stress = np.asarray(found.flux)
    deviator = stress - stress[:, :3].mean(axis=1)[:, None] * [1, 1, 1, 0, 0, 0]
    equivalent = np.sqrt(1.5) * np.linalg.norm(deviator, axis=1)
    expected = dt * 1e-4 * (equivalent / 100.0) ** exponent
    seen = expected > 1e-14 * equivalent / (3 * 70e3 / 2.6)
    np.testing.assert_allclose(np.asarray(found.state["p"])[seen], expected[seen], rtol=1e-11)


@pytest.mark.parametrize("name", ["J2, Armstrong-Frederick", "Perzyna"])
def test_isotropy(name):
    """A turned path gives the turned stress."""
    law, rng = MEMBERS[name].law, np.random.default_rng(3)
    turn = tensors.mandel_rotation(tensors.rotation_from_euler([0.3, 1.1, -0.4]))
    path = 3e-3 * rng.uniform(-1, 1, (4, 6))
    for one, other in zip(history(law, path, 1.0), history(law, path @ turn.T, 1.0), strict=True):
        assert relative(other.flux, turn @ one.flux) < 1e-12
