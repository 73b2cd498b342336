"""Hyperelastic laws: limits, frame indifference, and stresses by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_members import HYPERELASTIC, MEMBERS, gradients, paths, relative, respond
from scalebridge import tensors
from scalebridge.laws import (
    HolzapfelGasserOgden,
    IsotropicElastic,
    MooneyRivlin,
    NeoHookean,
    Ogden,
    SaintVenantKirchhoff,
)
from scalebridge.laws._drive import uniaxial

prop = settings(deadline=None, max_examples=8)
hyperelastic = pytest.mark.parametrize("name", HYPERELASTIC)
angles = st.tuples(*[st.floats(-3, 3)] * 3)


def stress(law, F):
    """P of a matrix F."""
    return np.asarray(respond(law, np.ravel(F), (), 1.0).flux).reshape(3, 3)


@jax.jit
def tangent(law, F):
    return law.tangent(F.ravel())


def young_and_poisson(mu, K):
    return 9 * K * mu / (3 * K + mu), (3 * K - 2 * mu) / (6 * K + 2 * mu)


@pytest.mark.parametrize(
    ("law", "constants"),
    [
        (SaintVenantKirchhoff(1.0, 0.3), (1.0, 0.3)),
        (NeoHookean(1.0, 0.3), (1.0, 0.3)),
        (MooneyRivlin(0.3, 0.1, 5.0), young_and_poisson(0.8, 5.0)),
        (Ogden([0.63, -0.01], [1.3, -2.0], 5.0), young_and_poisson(0.4195, 5.0)),
        (HolzapfelGasserOgden(0.5, 2.0, 1.5, 0.1, 5.0, [1, 0, 0]), young_and_poisson(0.5, 5.0)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_small_strain_is_hooke_s_law(law, constants):
    stiffness = tensors.from_mandel4(np.asarray(IsotropicElastic(*constants).modulus))
    assert relative(tangent(law, np.eye(3)), stiffness.reshape(9, 9)) < 1e-12
    assert np.abs(stress(law, np.eye(3))).max() < 1e-13


@hyperelastic
@prop
@given(path=paths(1), turn=angles)
def test_objectivity_and_isotropy(name, path, turn):
    """P(R F) = R P(F), and P(F R) = P(F) R where the law is isotropic."""
    law = MEMBERS[name].law
    F = gradients(MEMBERS[name], path)[0].reshape(3, 3)
    R = tensors.rotation_from_euler(turn)
    P = stress(law, F)
    size = np.abs(np.asarray(tangent(law, F))).max()
    assert np.abs(stress(law, R @ F) - R @ P).max() < 1e-12 * size
    if law.is_isotropic:
        assert np.abs(stress(law, F @ R) - P @ R).max() < 1e-12 * size


@prop
@given(path=paths(1))
def test_ogden_s_stress_is_the_derivative_of_its_energy(path):
    """The only law here whose stress is not found by differentiating W."""
    law, F = MEMBERS["Ogden"].law, gradients(MEMBERS["Ogden"], path)[0]
    assert relative(stress(law, F).ravel(), _energy_slope(law, F)) < 1e-12


@jax.jit
def _energy_slope(law, F):
    return jax.grad(lambda F: law.respond(F, (), 1.0).energy)(F)


@hyperelastic
def test_matter_does_not_turn_inside_out(name):
    law = MEMBERS[name].law
    for F in (np.diag([-1.0, 1.0, 1.0]), np.zeros((3, 3)), np.diag([0.0, 1.0, 1.0])):
        response = respond(law, F.ravel(), (), 1.0)
        assert np.all(np.isnan(response.flux))
        assert np.isnan(response.energy)


def test_neo_hookean_stress_by_its_formula():
    """P = μ (F − F⁻ᵀ) + λ ln J F⁻ᵀ."""
    F = np.eye(3) + 0.3 * np.random.default_rng(0).uniform(-1, 1, (3, 3))
    mu, lame = 1 / 2.6, 0.3 / (1.3 * 0.4)
    inverse = np.linalg.inv(F).T
    exact = mu * (F - inverse) + lame * np.log(np.linalg.det(F)) * inverse
    assert relative(stress(NeoHookean(1.0, 0.3), F), exact) < 1e-12


def test_saint_venant_kirchhoff_softens_in_compression():
    """P₁₁ = (λ + 2μ)/2 (F³ − F) in uniaxial strain, which turns at 1/√3."""
    law = SaintVenantKirchhoff(1.0, 0.25)  # λ + 2μ = 1.2
    for stretch in (0.4, 0.8, 1.5):
        P = stress(law, np.diag([stretch, 1.0, 1.0]))
        assert P[0, 0] == pytest.approx(0.6 * (stretch**3 - stretch), rel=1e-12)
    turning = tangent(law, np.diag([1 / np.sqrt(3), 1.0, 1.0]))
    assert abs(float(turning[0, 0])) < 1e-12


def mooney(x):
    return 2 * (1 - x**-3) * (0.3 * x + 0.1)


def ogden(x):
    """Ogden (1972), his three terms for Treloar's rubber [MPa]."""
    terms = zip((0.63, 0.0012, -0.01), (1.3, 5.0, -2.0), strict=True)
    return sum(m * (x ** (a - 1) - x ** (-a / 2 - 1)) for m, a in terms)


def fibre(x):
    """Along the fibre, κ = 0; in compression the matrix alone."""
    stretch = max(x * x - 1, 0.0)
    return 0.5 * (x - x**-2) + 4.0 * x * stretch * np.exp(1.5 * stretch**2)


@pytest.mark.parametrize(
    ("law", "exact"),
    [
        (lambda K: MooneyRivlin(0.3, 0.1, K), mooney),
        (lambda K: Ogden([0.63, 0.0012, -0.01], [1.3, 5.0, -2.0], K), ogden),
        (lambda K: HolzapfelGasserOgden(0.5, 2.0, 1.5, 0.0, K, [1, 0, 0]), fibre),
    ],
    ids=["Mooney-Rivlin", "Ogden", "Holzapfel"],
)
def test_uniaxial_stress_tends_to_the_incompressible_one(law, exact):
    """The error is proportional to 1/K."""
    stretches = np.array([0.9, 0.7, 1.0, 1.15, 1.3])
    expected = np.array([exact(x) for x in stretches])
    errors = [np.abs(uniaxial(law(K), stretches).flux[:, 0] - expected).max() for K in (1e4, 1e5)]
    assert errors[0] < 0.01 * np.abs(expected).max()
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.05)


STRETCHES = [
    (1.0, 1.0, 1.0),
    (1.2, 1.2, 1.2),
    (1.3, 1.3, 0.6),
    (0.6, 1.3, 1.3 + 1e-9),
    (1.3, 1.3 + 1e-5, 1.3 - 1e-5),
    (0.5, 1.0, 2.0),
]


@pytest.mark.parametrize("stretches", STRETCHES, ids=str)
def test_ogden_with_powers_two_is_mooney_and_rivlin_s(stretches):
    """Stress and tangent, at equal, nearly equal and different stretches, turned in space.

    μ₁ = 2 C10 with α = 2 and μ₂ = −2 C01 with α = −2: no stretch enters the one on the right.
    """
    R, Q = (tensors.rotation_from_euler(a) for a in ([0.3, 1.1, -0.4], [2.0, -0.5, 0.7]))
    F = R @ np.diag(stretches) @ Q
    one, other = Ogden([0.6, -0.2], [2.0, -2.0], 5.0), MooneyRivlin(0.3, 0.1, 5.0)
    expected = np.asarray(tangent(other, F))
    assert np.abs(stress(one, F) - stress(other, F)).max() < 1e-13 * np.abs(expected).max()
    assert relative(tangent(one, F), expected) < 1e-12


def test_ogden_s_parameters_have_derivatives():
    """Against central differences, at equal stretches."""
    F = jnp.asarray(np.diag([1.3, 1.3, 0.6]).ravel())

    @jax.jit
    def flux(mu, alpha):
        return Ogden(mu, alpha, 5.0).respond(F, (), 1.0).flux

    at = jnp.asarray([0.6, -0.1]), jnp.asarray([1.3, -2.0])
    for argument in (0, 1):
        exact = jax.jacfwd(flux, argument)(*at)
        for k in (0, 1):
            step = 1e-6 * np.eye(2)[k]
            ends = [list(at), list(at)]
            ends[0][argument], ends[1][argument] = at[argument] + step, at[argument] - step
            difference = (flux(*ends[0]) - flux(*ends[1])) / 2e-6
            assert relative(difference, exact[:, k]) < 1e-7


def test_what_ogden_cannot_do_is_said():
    law = Ogden([0.6], [2.0], 5.0)
    with pytest.raises(NotImplementedError, match="first order only"):
        jax.hessian(lambda F: law.respond(F, (), 1.0).flux[0])(jnp.eye(3).ravel())
