"""Linear viscoelasticity against its relaxation functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_members import BRANCHES, history, relative, respond
from scalebridge.laws import GeneralizedMaxwell, IsotropicElastic

LAW = GeneralizedMaxwell(3.0, 0.3, **BRANCHES)
STRAIN = np.array([1.0, -0.3, 0.2, 0.4, -0.1, 0.5]) * 1e-2
TRACE = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])


def stress(G, K):
    """Stress of STRAIN with these moduli."""
    mean = STRAIN[:3].sum() / 3
    return 3 * K * mean * TRACE + 2 * G * (STRAIN - mean * TRACE)


@settings(deadline=None, max_examples=10)
@given(steps=st.lists(st.floats(1e-6, 30.0), min_size=1, max_size=4))
def test_relaxation_of_a_held_step_is_exact(steps):
    """The record's remark on visco.shear.parallel: exact at any time step."""
    state, time = respond(LAW, STRAIN, LAW.initial_state(), 1e-12).state, 0.0
    for dt in steps:
        response = respond(LAW, STRAIN, state, dt)
        state, time = response.state, time + dt
    assert relative(response.flux, stress(*LAW.relaxation(time))) < 1e-11


@settings(deadline=None, max_examples=10)
@given(time=st.floats(1e-3, 30.0))
def test_a_ramp_is_exact_in_one_step(time):
    """∫ G(t − s) ds/T with ∫ exp(−t/τ) = τ (1 − exp(−T/τ)); and its energies add up."""

    def mean(modulus, shares, times):
        shares, times = np.atleast_1d(shares), np.atleast_1d(times)
        kept = times / time * -np.expm1(-time / times)
        return modulus * (1 - shares.sum() + shares @ kept)

    exact = stress(mean(3 / 2.6, *BRANCHES["shear"]), mean(3 / 1.2, *BRANCHES["bulk"]))
    once = respond(LAW, STRAIN, LAW.initial_state(), time)
    assert relative(once.flux, exact) < 1e-12
    parts = history(LAW, [STRAIN * k / 8 for k in range(1, 9)], time / 8)
    assert float(parts[-1].energy) == pytest.approx(float(once.energy), rel=1e-12)
    spent = sum(float(part.dissipation) for part in parts)
    assert spent == pytest.approx(float(once.dissipation), rel=1e-10)


def test_layers_in_parallel():
    """Record visco.shear.parallel: the mean of G(t), from the correspondence principle."""
    layers = []
    for steady, extra, tau in ((1.0, 2.0, 1.0), (10.0, 5.0, 3.0)):
        G = steady + extra
        law = GeneralizedMaxwell(2.5 * G, 0.25, shear=(extra / G, tau))
        layers.append(law.relaxation([0.0, 0.5, 1.0, 5.0, 20.0])[0])
    exact = [9.0, 8.22273497194, 7.65920771761, 5.97892695409, 5.50318158656]
    np.testing.assert_allclose(np.mean(layers, axis=0), exact, rtol=1e-11)


@pytest.mark.parametrize(("scheme", "order"), [("exponential", 2.0), ("implicit", 1.0)])
def test_order_under_oscillation(scheme, order):
    """w = ωτ/(1 + ω²τ²) (cos ωt + ωτ sin ωt − exp(−t/τ)) under e = sin ωt, in shear."""
    law = GeneralizedMaxwell(2.5, 0.25, shear=(0.7, 0.4), scheme=scheme)  # G = 1
    omega, tau, end, errors = 3.0, 0.4, 2.0, []
    x = omega * tau
    branch = np.cos(omega * end) + x * np.sin(omega * end) - np.exp(-end / tau)
    exact = 2 * (0.3 * np.sin(omega * end) + 0.7 * x / (1 + x * x) * branch)
    for steps in (40, 80, 160):
        time = np.linspace(0, end, steps + 1)[1:]
        path = np.outer(np.sin(omega * time), [0, 0, 0, 0, 0, 1.0])
        errors.append(abs(float(history(law, path, end / steps)[-1].flux[5]) - exact))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.1)


def test_without_branches_it_is_elastic():
    response = respond(
        GeneralizedMaxwell(3.0, 0.3), STRAIN, GeneralizedMaxwell(3.0, 0.3).initial_state(), 1.0
    )
    elastic = IsotropicElastic(3.0, 0.3).respond(STRAIN, (), 1.0)
    assert relative(response.flux, elastic.flux) < 1e-14
    assert float(response.energy) == pytest.approx(float(elastic.energy), rel=1e-13)
    assert float(response.dissipation) == 0.0


def test_a_full_share_flows():
    law = GeneralizedMaxwell(3.0, 0.3, shear=(1.0, 0.5))
    state = respond(law, STRAIN, law.initial_state(), 1e-6).state
    flux = np.asarray(respond(law, STRAIN, state, 100.0).flux)
    assert relative(flux, flux[:3].mean() * TRACE) < 1e-12
