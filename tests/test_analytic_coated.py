"""Coated spheres and cylinders: exact entries, the generalised self-consistent scheme, limits."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from scalebridge import InputError
from scalebridge.analytic import CoatedCylinder, CoatedSphere, HashinShtrikman, Laminate
from scalebridge.laws import Conduction, IsotropicElastic, PlaneStrain, Rigid, Void
from scalebridge.upscaling.constants import engineering_constants

prop = settings(deadline=None, max_examples=15)
moduli = st.floats(0.05, 20.0)
ratios = st.floats(-0.3, 0.45)
GLASS, EPOXY = IsotropicElastic(72.0, 0.22), IsotropicElastic(2.75, 0.35)  # GPa


def close(actual, expected, rtol=1e-11):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def lame(E, nu):
    return E * nu / ((1 + nu) * (1 - 2 * nu)), E / (2 * (1 + nu))


# --- One coated body in the effective medium, solved as a boundary value problem ---------------


def modes_of_spheres(r, lam, mu):
    """(u_r, u_θ, σ_rr, σ_rθ) of the four fields of degree two: A, B inside, C, D outside.

    u = U Y e_r + V/2 r ∇Y with Y = sin²θ cos 2φ, U and V powers of r.
    """
    nu = lam / (2 * (lam + mu))
    s = 1 - 2 * nu
    columns = []
    for p, u, v in (
        (1, 1, 1),
        (3, -6 * nu / s, -(7 - 4 * nu) / s),
        (-4, 3, -2),
        (-2, (5 - 4 * nu) / s, 2),
    ):
        U, V, dU, dV = u * r**p, v * r**p, u * p * r ** (p - 1), v * p * r ** (p - 1)
        dilatation = dU + 2 * U / r - 3 * V / r
        columns.append([U, V, lam * dilatation + 2 * mu * dU, mu * (2 * U / r + dV - V / r)])
    return np.array(columns).T


def modes_of_cylinders(r, lam, mu):
    """The same for cos 2θ in plane strain, from Muskhelishvili's φ = a z³ + b/z, ψ = c z + d/z³."""
    k = 3 - 2 * lam / (lam + mu)
    return np.array(
        [
            [-r / (2 * mu), r / (2 * mu), -1, 1],
            [(k - 3) * r**3 / (2 * mu), (k + 3) * r**3 / (2 * mu), 0, 6 * r**2],
            [-(r**-3) / (2 * mu), -(r**-3) / (2 * mu), 3 * r**-4, 3 * r**-4],
            [(k + 1) / (2 * mu * r), (1 - k) / (2 * mu * r), -4 / r**2, -2 / r**2],
        ]
    ).T


def generalised_self_consistent(core, coating, radius, modes):
    """Return the shear modulus of the medium in which the far-reaching outer field vanishes."""

    def far_field(mu):
        system, load = np.zeros((8, 8)), np.zeros(8)
        system[:4, :2], system[:4, 2:6] = modes(radius, *core)[:, :2], -modes(radius, *coating)
        outside = modes(1.0, mu, mu)  # its λ does not matter where the last field vanishes
        system[4:, 2:6], system[4:, 6:], load[4:] = (
            modes(1.0, *coating),
            -outside[:, 2:],
            outside[:, 0],
        )
        return np.linalg.solve(system, load)[7]

    low, high = sorted((core[1], coating[1]))
    return brentq(far_field, 0.999 * low, 1.001 * high, xtol=1e-14, rtol=1e-14)


@prop
@given(E=st.tuples(moduli, moduli), nu=st.tuples(ratios, ratios), f=st.floats(0.02, 0.95))
def test_shear_modulus_solves_the_three_phase_problem(E, nu, f):
    laws = [IsotropicElastic(*p) for p in zip(E, nu, strict=True)]
    phases = [lame(*p) for p in zip(E, nu, strict=True)]
    sphere = generalised_self_consistent(*phases, f ** (1 / 3), modes_of_spheres)
    disc = generalised_self_consistent(*phases, f ** (1 / 2), modes_of_cylinders)
    # The reference solves an 8 × 8 system with powers down to r⁻⁴: condition up to 1e5.
    close(CoatedSphere(*laws, f).modulus[5, 5] / 2, sphere, rtol=1e-9)
    close(CoatedCylinder(*laws, f).modulus[5, 5] / 2, disc, rtol=1e-9)


# --- Exact entries ---------------------------------------------------------------------------


def test_conduction():
    # cond.coated.disk: Hashin 1962; core 10, shell 1, f = (0.3/0.45)² = 4/9
    wires = CoatedCylinder(Conduction(10.0), Conduction(1.0), 4 / 9, axis="y").modulus
    along = 4 / 9 * 10 + 5 / 9
    close(wires, np.diag([2.142857142857143, along, 2.142857142857143]))
    beads = CoatedSphere(Conduction(10.0), Conduction(1.0), 0.3).modulus
    close(beads, (1 + 3 * 0.3 * 9 / (12 - 0.3 * 9)) * np.eye(3))  # Maxwell 1873, art. 314


@prop
@given(E=st.tuples(moduli, moduli), nu=st.tuples(ratios, ratios), f=st.floats(0.0, 1.0))
def test_exact_relations(E, nu, f):
    core, coating = (IsotropicElastic(*p) for p in zip(E, nu, strict=True))
    (lam_f, mu_f), (lam_m, mu_m) = (lame(*p) for p in zip(E, nu, strict=True))
    kf, km = lam_f + mu_f, lam_m + mu_m
    C = np.asarray(CoatedCylinder(core, coating, f, axis="x").modulus)
    bulk = (C[1, 1] + C[1, 2]) / 2
    close(bulk, 1 / (f / (kf + mu_m) + (1 - f) / (km + mu_m)) - mu_m)
    close(C[5, 5] / 2, 1 / (f / (mu_f + mu_m) + (1 - f) / (2 * mu_m)) - mu_m)
    # el.hill.UD: Hill 1964, for any geometry; K_area fixes E1 and nu12. Where kf ≈ km the relation
    # itself loses digits.
    if abs(kf - km) > 1e-2 * km:
        slope = (nu[0] - nu[1]) / (1 / kf - 1 / km)
        excess = f / kf + (1 - f) / km - 1 / bulk
        E1 = f * E[0] + (1 - f) * E[1] + 4 * slope**2 * excess
        nu12 = f * nu[0] + (1 - f) * nu[1] - slope * excess
        found = engineering_constants(C)
        close([found["E1"], found["nu12"]], [E1, nu12], rtol=1e-8)
    # Bulk modulus of spheres: 1/(K + 4G/3) adds up.
    K = np.mean(CoatedSphere(core, coating, f).modulus[:3, :3])
    H = 4 / 3 * mu_m
    Kf, Km = lam_f + 2 / 3 * mu_f, lam_m + 2 / 3 * mu_m
    close(K, 1 / (f / (Kf + H) + (1 - f) / (Km + H)) - H)


@prop
@given(E=st.tuples(moduli, moduli), nu=st.tuples(ratios, ratios), f=st.floats(0.0, 1.0))
def test_between_the_bounds(E, nu, f):
    laws = [IsotropicElastic(*p) for p in zip(E, nu, strict=True)]
    sphere, fibres = CoatedSphere(*laws, f).modulus, CoatedCylinder(*laws, f).modulus
    for sides, C in (
        ([HashinShtrikman(laws, [f, 1 - f], s) for s in ("lower", "upper")], sphere),
        (
            [HashinShtrikman([*map(PlaneStrain, laws)], [f, 1 - f], s) for s in ("lower", "upper")],
            fibres[np.ix_([0, 1, 5], [0, 1, 5])],
        ),
    ):
        low, high = (np.linalg.eigvalsh(d) for d in (C - sides[0].modulus, sides[1].modulus - C))
        assert min(low[0], high[0]) >= -1e-11 * np.linalg.norm(C)


@pytest.mark.parametrize("model", [CoatedSphere, CoatedCylinder])
def test_limits(model):
    close(model(GLASS, EPOXY, 0.0).modulus, EPOXY.modulus)
    close(model(GLASS, EPOXY, 1.0).modulus, GLASS.modulus)
    close(model(GLASS, GLASS, 0.3).modulus, GLASS.modulus)
    # A void has no Poisson's ratio; the limit of a soft core has, and it does not matter.
    empty = model(Void(), EPOXY, 0.3).modulus
    close(empty, model(IsotropicElastic(1e-9, 0.4), EPOXY, 0.3).modulus, rtol=1e-8)
    assert np.linalg.eigvalsh(empty)[0] > 0
    assert np.all(np.isfinite(model(Rigid(1e8), EPOXY, 0.3).modulus))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axis(axis):
    C = np.asarray(CoatedCylinder(GLASS, EPOXY, 0.5, axis=axis).modulus)
    reference = engineering_constants(CoatedCylinder(GLASS, EPOXY, 0.5, axis="z").modulus)
    found = engineering_constants(C)
    close(found[f"E{axis + 1}"], reference["E3"])
    close(found["G" + {0: "23", 1: "13", 2: "12"}[axis]], reference["G12"])
    close(np.linalg.eigvalsh(C), np.linalg.eigvalsh(CoatedCylinder(GLASS, EPOXY, 0.5).modulus))


@pytest.mark.parametrize("model", [CoatedSphere, CoatedCylinder])
def test_derivatives(model):
    def total(p):
        C = model(IsotropicElastic(p[0], p[1]), IsotropicElastic(p[2], 0.3), p[3]).modulus
        return (C * np.arange(1.0, 37.0).reshape(6, 6)).sum()

    at = np.array([10.0, 0.2, 1.0, 0.4])
    step = 1e-5 * np.diag(at)  # truncation h², rounding 1e-16/1e-5
    both = jax.jit(lambda p: (total(p), jax.grad(total)(p), jax.jacfwd(total)(p)))
    central = [(both(at + h)[0] - both(at - h)[0]) / (2 * h.sum()) for h in step]
    for derivative in both(at)[1:]:
        np.testing.assert_allclose(derivative, central, rtol=1e-7, atol=1e-7)
    assert np.all(np.isfinite(both(np.array([0.0, 0.2, 1.0, 0.4]))[1]))


@pytest.mark.parametrize("model", [CoatedSphere, CoatedCylinder])
@pytest.mark.parametrize(
    ("core", "coating", "fraction", "match"),
    [
        (GLASS, EPOXY, 30, r"`fraction` must lie in 0 ≤ fraction ≤ 1, but is 30.*percentage"),
        (GLASS, Void(), 0.3, r"`coating` must carry something"),
        (GLASS, Conduction(1.0), 0.3, r"`laws` must be of one physics"),
        (Laminate([GLASS, EPOXY], [0.5, 0.5], "x"), EPOXY, 0.3, r"`core` must be isotropic"),
        (PlaneStrain(GLASS), PlaneStrain(EPOXY), 0.3, r"`core` and `coating` must be 3D"),
        (1.0, EPOXY, 0.3, r"`core` must hold laws, but holds 1\.0"),
    ],
)
def test_what_cannot_be_used_is_refused(model, core, coating, fraction, match):
    with pytest.raises(InputError, match=match):
        model(core, coating, fraction)
