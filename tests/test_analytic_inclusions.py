"""Hill's tensor against closed forms, and the estimates that are built on it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import elliprd

from scalebridge import ConvergenceError, InputError, tensors
from scalebridge.analytic import (
    CoatedCylinder,
    Differential,
    Dilute,
    HashinShtrikman,
    Inclusion,
    Laminate,
    MoriTanaka,
    Polycrystal,
    SelfConsistent,
    Voigt,
    hill_tensor,
)
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, PlaneStrain, Rigid, Void

prop = settings(deadline=None, max_examples=15)
seeds = st.integers(0, 2**32 - 1)
INF = np.inf
NU = 0.3
C_ISO = np.asarray(IsotropicElastic(1.0, NU).modulus)
COPPER = Elastic.cubic(168.4, 121.4, 75.4)  # GPa
PLY = Elastic.transversely_isotropic(
    E_axial=140.0, E_transverse=9.0, nu_axial=0.3, nu_transverse=0.4, G_axial=5.0
)
TURN = tensors.rotation_from_euler([0.3, 1.1, -0.4])


def close(actual, expected, rtol=1e-11):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def bulk_shear(C):
    d = {3: 2, 6: 3}[len(C)]
    return np.array([np.mean(C[:d, :d]), C[-1, -1] / 2])


def from_bulk_shear(K, G):
    return IsotropicElastic(9 * K * G / (3 * K + G), (3 * K - 2 * G) / (6 * K + 2 * G))


# --- Hill's tensor: closed forms -------------------------------------------------------------


def depolarisation(axes):
    """Factors of an ellipsoid by Carlson's integral, L_i = abc/3 R_D(a_j², a_k², a_i²)."""
    a = np.asarray(axes, float) ** 2
    return np.array([np.prod(axes) / 3 * elliprd(a[i - 2], a[i - 1], a[i]) for i in range(3)])


SHAPES = [(1, 1, 1), (3, 2, 1), (1, 1, 1e3), (1e-3, 1, 1), (1e-3, 1, 1e3), (1, 1.001, 30)]


@pytest.mark.parametrize("axes", SHAPES, ids=str)
def test_depolarisation_factors(axes):
    # The claim is 1e-11 of the norm for aspect ratios up to 1e3 each way.
    close(hill_tensor(2.0 * np.eye(3), axes), np.diag(depolarisation(axes)) / 2)
    # A medium diag(k) is isotropic in stretched coordinates x/√k: P_ii = L_i(a/√k)/k_i.
    k = np.array([1.0, 30.0, 5.0])
    expected = np.diag(depolarisation(axes / np.sqrt(k)) / k)
    close(hill_tensor(np.diag(k), axes), expected)
    turned = hill_tensor(TURN @ np.diag(k) @ TURN.T, axes, TURN)
    close(turned, TURN @ expected @ TURN.T)


def eshelby_spheroid(aspect, nu):
    """Eshelby's tensor about axis 1 (Mura 1987, § 11; as in Tandon & Weng 1984), Mandel."""
    s = aspect**2 - 1
    if aspect > 1:
        g = aspect / s**1.5 * (aspect * np.sqrt(s) - np.arccosh(aspect))
    else:
        g = aspect / (-s) ** 1.5 * (np.arccos(aspect) - aspect * np.sqrt(-s))
    m, q = 1 - 2 * nu, aspect**2 / s
    S11 = (m + (3 * aspect**2 - 1) / s - (m + 3 * q) * g) / (2 * (1 - nu))
    S22 = 3 / (8 * (1 - nu)) * q + (m - 9 / (4 * s)) * g / (4 * (1 - nu))
    S23 = (q / 2 - (m + 3 / (4 * s)) * g) / (4 * (1 - nu))
    S21 = -q / (2 * (1 - nu)) + (3 * q - m) * g / (4 * (1 - nu))
    S12 = (-(m + 1 / s) + (m + 3 / (2 * s)) * g) / (2 * (1 - nu))
    across = (q / 2 + (m - 3 / (4 * s)) * g) / (4 * (1 - nu))
    along = (m - (aspect**2 + 1) / s - (m - 3 * (aspect**2 + 1) / s) * g / 2) / (4 * (1 - nu))
    S = np.diag([S11, S22, S22, 2 * across, 2 * along, 2 * along])
    S[0, 1:3], S[1:3, 0], S[1, 2], S[2, 1] = S12, S21, S23, S23
    return S


@pytest.mark.parametrize("aspect", [1e-3, 0.2, 5.0, 1e3])
def test_eshelby_spheroids(aspect):
    found = hill_tensor(C_ISO, (aspect, 1, 1)) @ C_ISO
    # Where 1/s ≈ −1 the closed form itself cancels three terms of order one: 1e-15 × 1e2.
    np.testing.assert_allclose(found, eshelby_spheroid(aspect, NU), atol=1e-11)


def test_eshelby_sphere_and_cylinder():
    K, G = bulk_shear(C_ISO)
    P = np.asarray(hill_tensor(C_ISO, (2, 2, 2)))
    close(bulk_shear(P), [1 / (3 * (3 * K + 4 * G)), 3 * (K + 2 * G) / (10 * G * (3 * K + 4 * G))])
    close(P, from_eigenvalues(P))
    S = np.zeros((6, 6))  # Mura 1987, § 11
    S[0, 0] = S[1, 1] = (5 - 4 * NU) / (8 * (1 - NU))
    S[0, 1] = S[1, 0] = (4 * NU - 1) / (8 * (1 - NU))
    S[0, 2] = S[1, 2] = NU / (2 * (1 - NU))
    S[3, 3] = S[4, 4] = 1 / 2
    S[5, 5] = (3 - 4 * NU) / (4 * (1 - NU))
    close(hill_tensor(C_ISO, (1, 1, INF)) @ C_ISO, S)
    # A needle comes close to it, like 1/aspect² but for a logarithm.
    assert np.abs(hill_tensor(C_ISO, (1, 1, 1e4)) @ C_ISO - S).max() < 1e-6
    flat = IsotropicElastic(1.0, NU)
    keep = np.ix_([0, 1, 5], [0, 1, 5])
    close(hill_tensor(PlaneStrain(flat).modulus, (2, 2)), hill_tensor(C_ISO, (1, 1, INF))[keep])


def from_eigenvalues(P):
    trace = np.array([1.0, 1, 1, 0, 0, 0])
    J = np.outer(trace, trace) / 3
    return np.sum(J * P) * J + np.sum((np.eye(6) - J) * P) / 5 * (np.eye(6) - J)


def test_layers_are_ellipsoids_with_two_infinite_axes():
    """P is Γ(n), and n·C·P·C·n = n·C·n whatever the medium."""
    P = np.asarray(hill_tensor(PLY.modulus, (INF, INF, 1.0), TURN))
    n = TURN[:, 2]
    wave = np.stack([tensors.to_mandel(np.outer(e, n)) for e in np.eye(3)], axis=1)
    C = np.asarray(PLY.modulus)
    close(P, wave @ np.linalg.inv(wave.T @ C @ wave) @ wave.T)


@pytest.mark.parametrize("law", [COPPER, PLY], ids=["copper", "ply"])
def test_spheres_in_anisotropic_media(law):
    """A plain product rule, which has nothing in common with ours, for a smooth integrand."""
    C = np.asarray(law.rotated(TURN).modulus)
    t, w = np.polynomial.legendre.leggauss(80)
    phi = np.arange(80) * np.pi / 80
    r = np.sqrt(1 - t**2)
    xi = np.stack(
        [np.outer(r, np.cos(phi)), np.outer(r, np.sin(phi)), np.outer(t, np.ones(80))], -1
    ).reshape(-1, 3)
    weights = np.outer(w, np.ones(80)).ravel() / 160
    wave = np.stack([tensors.to_mandel(np.einsum("u,nv->uvn", e, xi)) for e in np.eye(3)], axis=1)
    wave = np.moveaxis(wave, -1, 0)
    acoustic = np.einsum("ncu,cb,nbv->nuv", wave, C, wave)
    expected = np.einsum("n,ncu,nuv,nbv->cb", weights, wave, np.linalg.inv(acoustic), wave)
    close(hill_tensor(C, (1, 1, 1)), expected, rtol=1e-10)


@pytest.mark.parametrize("axes", [(1, 1, 1e3), (1, 1, 1e-3), (0.1, 1, 10), (1, 4, INF)], ids=str)
def test_quadrature_has_converged(axes):
    """The docstring's 2e-8 in strongly anisotropic media, by twice the points."""
    for law in (COPPER, PLY):
        P, finer = (hill_tensor(law.modulus, axes, TURN, points=n) for n in (96, 192))
        assert np.linalg.norm(P - finer) < 2e-8 * np.linalg.norm(finer)


@prop
@given(seed=seeds)
def test_properties_of_hill_s_tensor(seed):
    rng = np.random.default_rng(seed)
    R, axes = tensors.rotation_from_euler(rng.uniform(-3, 3, 3)), rng.uniform(0.2, 5.0, 3)
    C = np.asarray(PLY.modulus)
    P = np.asarray(hill_tensor(C, axes, TURN))
    close(P, P.T)
    assert np.linalg.eigvalsh(P)[0] > 0
    close(hill_tensor(C, 7.0 * axes, TURN), P, rtol=1e-10)
    turned = hill_tensor(tensors.rotate_mandel4(C, R), axes, R @ TURN)
    # Two sets of points: the error of the quadrature, not of rounding.
    close(turned, tensors.rotate_mandel4(P, R), rtol=1e-8)
    close(hill_tensor(C_ISO, (1, 1, 1), R), hill_tensor(C_ISO, (1, 1, 1)))
    k = np.diag([1.0, 2.0, 3.0])
    close(np.trace(k @ hill_tensor(k, axes, R)), 1.0)  # depolarisation factors add up to one


def test_derivatives_of_hill_s_tensor():
    def total(p):
        C = Elastic.cubic(3.0 + p[0], 1.5, p[1]).modulus
        P = hill_tensor(C, jnp.stack([p[2], 1.0, 2.0]), tensors.rotation_about((1, 1, 0), p[3]))
        return (P * np.arange(36.0).reshape(6, 6)).sum()

    assert_derivatives(total, np.array([1.0, 0.8, 0.5, 0.3]))


def assert_derivatives(total, at):
    """Both modes against central differences: truncation h² with h = 1e-5, rounding 1e-11."""
    step = 1e-5 * np.diag(at)
    both = jax.jit(lambda p: (total(p), jax.grad(total)(p), jax.jacfwd(total)(p)))
    central = np.array([(both(at + h)[0] - both(at - h)[0]) / (2 * h.sum()) for h in step])
    scale = np.abs(central).max()
    for derivative in both(at)[1:]:
        np.testing.assert_allclose(derivative, central, rtol=1e-6, atol=1e-7 * scale)


# --- Estimates: exact and published values ---------------------------------------------------

MATRIX_MODELS = [Dilute, MoriTanaka, Differential]


def self_consistent(matrix, inclusion):
    return SelfConsistent([Inclusion(matrix, 1 - inclusion.fraction), inclusion])


@pytest.mark.parametrize("model", [*MATRIX_MODELS, self_consistent])
def test_dilute_pores(model):
    # el.UD.dilute: Eshelby 1957, Mackenzie 1950
    K, G = 2.0, 1.0
    slope = jax.jacfwd(
        lambda f: model(from_bulk_shear(K, G), Inclusion(Void(), f)).modulus
    )(0.0)  # fmt: skip
    expected = [-K * (3 * K + 4 * G) / (4 * G), -5 * G * (3 * K + 4 * G) / (9 * K + 8 * G)]
    close(bulk_shear(slope), expected)
    pores = jax.jacfwd(lambda f: model(Conduction(1.0), Inclusion(Void(), f)).modulus)(0.0)
    close(pores, -1.5 * np.eye(3))


def test_effective_medium_approximation():
    # cond.EMA: Bruggeman 1935; 2D 1:10 half and half, 3D 1:10, and 1:100 with 0.3
    for law, ratio, f, expected in (
        (lambda k: Conduction(k * np.eye(2)), 10.0, 0.5, 3.1622776601683795),
        (Conduction, 10.0, 0.5, 4.0),
        (Conduction, 100.0, 0.3, 5.18786887783671),
    ):
        phases = [Inclusion(law(1.0), 1 - f), Inclusion(law(ratio), f)]
        close(SelfConsistent(phases).modulus, expected * np.eye(law(1.0).kinematics.dim))


def test_bruggeman_s_tortuosity():
    # cond.bruggeman.tau: Bruggeman 1935, Tjaden et al. 2016
    for eps in (0.9, 0.5, 0.25):
        pores = Inclusion(Void("conduction"), 1 - eps)
        close(Differential(Conduction(3.0), pores).modulus, 3 * eps**1.5 * np.eye(3), rtol=1e-6)
        tubes = Inclusion(Void("conduction"), 1 - eps, semi_axes=(1, 1, INF))
        expected = 3 * np.diag([eps**2, eps**2, eps])
        close(Differential(Conduction(3.0), tubes).modulus, expected, rtol=1e-6)


def test_order_of_the_differential_scheme():
    exact, error = 0.5**1.5, []
    for steps in (4, 8, 16):
        model = Differential(Conduction(1.0), Inclusion(Void(), 0.5), steps=steps)
        error.append(abs(float(model.modulus[0, 0]) - exact))
    orders = np.log2(np.divide(error[:-1], error[1:]))
    np.testing.assert_allclose(orders, 4.0, atol=0.25)


@pytest.mark.parametrize("model", [MoriTanaka, Differential, self_consistent])
def test_phases_of_one_shear_modulus(model):
    # el.hill.equalmu.3d: Hill 1963, for any geometry
    soft, stiff = from_bulk_shear(2.0, 1.0), from_bulk_shear(20.0, 1.0)
    C = model(soft, Inclusion(stiff, 0.3)).modulus
    # The Runge-Kutta method at 32 steps; the others are exact.
    close(bulk_shear(C), [3.1297071129707117, 1.0], rtol=1e-6 if model is Differential else 1e-11)


def test_copper_polycrystal():
    # el.poly.Cu_168.4_121.4_75.4: Hershey 1954, Kröner 1958
    grains = SelfConsistent([Inclusion(COPPER, 1.0, orientation="random")])
    close(bulk_shear(grains.modulus), [137.066666667, 48.1719842519])
    close(grains.modulus, Polycrystal(COPPER).modulus)


def test_percolation():
    """Spherical pores: k = (3f − 1)/2 (Bruggeman), and E vanishes at one half (Budiansky 1965)."""
    for solid in (0.9, 0.4, 0.2):
        C = SelfConsistent(
            [Inclusion(Conduction(1.0), solid), Inclusion(Void("conduction"), 1 - solid)]
        ).modulus
        # Below the threshold zero is found to the tolerance of the iteration.
        np.testing.assert_allclose(C[0, 0], max(1.5 * solid - 0.5, 0), atol=1e-11)
    # ν = 1/5 is kept by the porous solid, and E/E0 = 1 − 2p exactly.
    foam = SelfConsistent([Inclusion(IsotropicElastic(1.0, 0.2), 0.7), Inclusion(Void(), 0.3)])
    close(foam.modulus, 0.4 * IsotropicElastic(1.0, 0.2).modulus, rtol=1e-10)


def test_aligned_fibres_are_coated_cylinders():
    """Mori–Tanaka with long fibres: the Hashin–Rosen values but for transverse shear."""
    glass, epoxy = IsotropicElastic(74.0, 0.2), IsotropicElastic(3.35, 0.35)
    estimate = np.asarray(MoriTanaka(epoxy, Inclusion(glass, 0.6, (1, 1, INF))).modulus)
    exact = np.asarray(CoatedCylinder(glass, epoxy, 0.6).modulus)
    for entry in ((2, 2), (0, 2), (3, 3), (4, 4)):
        close(estimate[entry], exact[entry])
    close(estimate[0, 0] + estimate[0, 1], exact[0, 0] + exact[0, 1])
    bound = HashinShtrikman([PlaneStrain(epoxy), PlaneStrain(glass)], [0.4, 0.6], "lower").modulus
    close(estimate[5, 5], bound[2, 2])


def test_flat_inclusions_are_layers():
    laws = [IsotropicElastic(1.0, 0.3), PLY]
    exact = Laminate(laws, [0.7, 0.3], "y").modulus
    layers = Inclusion(PLY, 0.3, semi_axes=(INF, 1, INF))
    close(MoriTanaka(laws[0], layers).modulus, exact)
    close(self_consistent_layers(laws), exact, rtol=1e-10)


def self_consistent_layers(laws):
    axes = (INF, 1, INF)
    return SelfConsistent([Inclusion(laws[0], 0.7, axes), Inclusion(laws[1], 0.3, axes)]).modulus


@prop
@given(seed=seeds, kind=st.sampled_from(["conduction", "elasticity", "plane strain"]))
def test_spheres_in_the_softer_matrix_attain_the_lower_bound(seed, kind):
    rng = np.random.default_rng(seed)
    (K1, G1), (r, s), f = *10.0 ** rng.uniform([[-1, -1], [0, 0]], [[1, 1], [2, 2]]), rng.uniform()
    pair = {
        "conduction": [Conduction(K1), Conduction(K1 * r)],
        "elasticity": [from_bulk_shear(K1, G1), from_bulk_shear(K1 * r, G1 * s)],
    }
    pair["plane strain"] = [PlaneStrain(law) for law in pair["elasticity"]]
    soft, stiff = pair[kind]
    lower, upper = (
        HashinShtrikman([soft, stiff], [1 - f, f], s).modulus for s in ("lower", "upper")
    )
    close(MoriTanaka(soft, Inclusion(stiff, f)).modulus, lower)
    close(MoriTanaka(stiff, Inclusion(soft, 1 - f)).modulus, upper)


# --- Estimates: properties -------------------------------------------------------------------


@prop
@given(seed=seeds)
def test_estimates_turn_with_the_material(seed):
    rng = np.random.default_rng(seed)
    R, f = tensors.rotation_from_euler(rng.uniform(-3, 3, 3)), rng.uniform(0.1, 0.4)
    axes = rng.uniform(0.3, 3.0, 3)
    matrix = COPPER.rotated(TURN)
    C = np.asarray(MoriTanaka(matrix, Inclusion(PLY, f, axes, TURN)).modulus)
    turned = MoriTanaka(matrix.rotated(R), Inclusion(PLY, f, axes, R @ TURN)).modulus
    close(turned, tensors.rotate_mandel4(C, R), rtol=1e-8)  # the quadrature's error
    # The law of an inclusion stands on its own axes.
    own = MoriTanaka(COPPER, Inclusion(PLY, f, axes)).modulus
    close(C, tensors.rotate_mandel4(np.asarray(own), TURN), rtol=1e-8)


def test_random_orientations():
    """Isotropic, inside the bounds, and the average of the dilute answers over all rotations."""
    laws, shape = [IsotropicElastic(1.0, 0.3), IsotropicElastic(10.0, 0.2)], (1, 1, 0.05)
    lower, upper = (HashinShtrikman(laws, [0.8, 0.2], s).modulus for s in ("lower", "upper"))
    random = Inclusion(laws[1], 0.2, shape, orientation="random")
    for model in (MoriTanaka(laws[0], random), self_consistent(laws[0], random)):
        C = np.asarray(model.modulus)
        assert model.is_isotropic
        close(C, from_eigenvalues(C))
        assert np.all(bulk_shear(C) >= bulk_shear(lower) * (1 - 1e-11))
        assert np.all(bulk_shear(C) <= bulk_shear(upper))
    aligned = np.asarray(Dilute(laws[0], Inclusion(laws[1], 0.2, shape)).modulus)
    close(Dilute(laws[0], random).modulus, from_eigenvalues(aligned))


@pytest.mark.parametrize("model", [*MATRIX_MODELS, self_consistent])
def test_limits(model):
    matrix, stiff = IsotropicElastic(1.0, 0.3), IsotropicElastic(5.0, 0.2)
    for shape in (None, (1, 1, 4.0)):
        close(model(matrix, Inclusion(stiff, 0.0, shape)).modulus, matrix.modulus)
        close(model(matrix, Inclusion(matrix, 0.3, shape)).modulus, matrix.modulus)
        if model in (MoriTanaka, self_consistent):
            close(model(matrix, Inclusion(stiff, 1.0, shape)).modulus, stiff.modulus)
    assert np.linalg.eigvalsh(MoriTanaka(matrix, Inclusion(Void(), 0.99)).modulus)[0] > 0


def test_void_and_rigid_inclusions():
    matrix = IsotropicElastic(1.0, 0.3)
    for law in (Void(), Rigid(1e6)):
        for model in (MoriTanaka, Differential):
            C = model(matrix, [Inclusion(law, 0.3, (1, 1, 5.0)), Inclusion(PLY, 0.1)]).modulus
            close(C, C.T)
            assert np.linalg.eigvalsh(C)[0] > 0
    # Rigid spheres: Mori–Tanaka is Hashin & Shtrikman's lower bound.
    laws = [matrix, Rigid(1e9)]
    bound = HashinShtrikman(laws, [0.7, 0.3], "lower").modulus
    close(MoriTanaka(matrix, Inclusion(laws[1], 0.3)).modulus, bound, rtol=1e-8)


def test_unlike_shapes_are_symmetrised():
    """Two shapes of anisotropic inclusions: what the formula gives is not symmetric; ours is."""
    matrix = IsotropicElastic(1.0, 0.3)
    both = [Inclusion(PLY, 0.2, (1, 1, 50.0), TURN), Inclusion(Void(), 0.2, (1, 1, 0.1))]
    for C in (MoriTanaka(matrix, both).modulus, Differential(matrix, both).modulus):
        close(C, C.T)
        upper = Voigt([matrix, PLY.rotated(TURN), Void()], [0.6, 0.2, 0.2]).modulus
        assert np.linalg.eigvalsh(upper - C)[0] > 0 < np.linalg.eigvalsh(C)[0]


def test_plane_inclusions():
    """2D ellipses and their turn, from the 3D cylinder."""
    matrix, fibre = Conduction(1.0), Conduction(8.0)
    flat = Inclusion(Conduction(8.0 * np.eye(2)), 0.3, (3, 1), tensors.rotation_in_plane(0.5))
    long = Inclusion(fibre, 0.3, (3, 1, INF), tensors.rotation_about((0, 0, 1), 0.5))
    close(MoriTanaka(matrix, flat).modulus, MoriTanaka(matrix, long).modulus[:2, :2])


# --- Derivatives -----------------------------------------------------------------------------


def parts(p):
    return IsotropicElastic(p[0], 0.3), IsotropicElastic(p[1], 0.2)


def spheroid(p):
    return Inclusion(parts(p)[1], p[2], jnp.stack([1.0, 1.0, p[3]]))


def needles(p):
    return Inclusion(Conduction(p[1]), p[2], jnp.stack([1.0, 1.0, p[3]]))


ESTIMATES = {
    "dilute": lambda p: Dilute(parts(p)[0], spheroid(p)),
    "Mori-Tanaka": lambda p: MoriTanaka(parts(p)[0], spheroid(p)),
    "differential": lambda p: Differential(Conduction(p[0]), needles(p), steps=4),
    "self-consistent": lambda p: self_consistent(Conduction(p[0]), needles(p)),
    "self-consistent spheres": lambda p: self_consistent(
        parts(p)[0], Inclusion(parts(p * p[3])[1], p[2])
    ),
}


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_derivatives(estimate):
    def total(p):
        C = estimate(p).modulus
        return (C * np.arange(1.0, C.size + 1).reshape(C.shape)).sum()

    assert_derivatives(total, np.array([1.0, 6.0, 0.3, 2.5]))


def test_new_values_keep_the_structure():
    """Nothing is compiled again for other numbers."""
    for estimate in ESTIMATES.values():
        one, two = (estimate(np.array(p)) for p in ([1.0, 6.0, 0.3, 2.5], [2.0, 5.0, 0.2, 3.0]))
        assert jax.tree.structure(one) == jax.tree.structure(two)
        kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(m)] for m in (one, two)]
        assert kinds[0] == kinds[1]


def test_batches():
    ratios = jnp.array([2.0, 10.0, 50.0])
    k = jax.vmap(lambda r: self_consistent(Conduction(1.0), Inclusion(Conduction(r), 0.4)).modulus)
    single = self_consistent(Conduction(1.0), Inclusion(Conduction(10.0), 0.4)).modulus
    close(k(ratios)[1], single)


# --- The doors -------------------------------------------------------------------------------

K1 = Conduction(1.0)
SPHERE = Inclusion(K1, 0.3)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: hill_tensor(np.eye(6), (1, 1)), r"`modulus` must have shape \(2, 2\) or \(3, 3\)"),
        (lambda: hill_tensor(np.eye(3), (1, 0, 1)), r"`semi_axes` must be > 0"),
        (lambda: hill_tensor(np.eye(3), (INF, INF, INF)), r"`semi_axes` must be > 0, one of"),
        (lambda: hill_tensor(np.eye(3), (1, np.nan, 1)), r"`semi_axes` must be > 0"),
        (lambda: hill_tensor(np.eye(3), 1.0), r"`semi_axes` must be 3 numbers, or 2 in 2D"),
        (lambda: hill_tensor(np.eye(3), "round"), r"`semi_axes` must be numbers"),
        (lambda: hill_tensor(np.eye(3), (1, 1, 1), points=0), r"`points` must be an integer ≥ 2"),
        (lambda: hill_tensor(np.zeros((3, 3)), (1, 1, 1)), r"`modulus` must be positive definite"),
        (lambda: hill_tensor(np.eye(3), (1, 1, 1), 2 * np.eye(3)), r"`rotation` must be a rot"),
        (lambda: Inclusion(2.0, 0.3), r"`law` must hold laws, but holds 2\.0"),
        (lambda: Inclusion(K1, 30), r"`fraction` must lie in"),
        (lambda: Inclusion(K1, 0.3, orientation="aligned"), r"`orientation` must be 'random' or"),
        (lambda: Inclusion(K1, 0.3, orientation=2 * np.eye(3)), r"`orientation` must be a rot"),
        (lambda: Inclusion(Void(), 0.3, (INF, INF, 1)), r"`law` must carry.*take Laminate"),
        (lambda: MoriTanaka(K1, K1), r"`inclusions` must be Inclusions, but is"),
        (lambda: MoriTanaka(K1, []), r"`inclusions` must be Inclusions"),
        (lambda: MoriTanaka(K1, [SPHERE, K1]), r"`inclusions` must be Inclusions, but one is"),
        (lambda: MoriTanaka(K1, [SPHERE] * 4), r"`inclusions` must fill at most 1, but fill 1\.2"),
        (lambda: MoriTanaka(Void(), SPHERE), r"`matrix` must be positive definite, but Void"),
        (lambda: MoriTanaka(K1, Inclusion(K1, 0.3, (1, 1))), r"semi-axes and rotations in 3D"),
        (
            lambda: MoriTanaka(
                Conduction(np.diag([1.0, 2, 3])), Inclusion(K1, 0.3, None, "random")
            ),
            r"`matrix` must be isotropic",
        ),
        (lambda: Differential(K1, Inclusion(K1, 1.0)), r"`inclusions` must leave some matrix"),
        (lambda: Differential(K1, SPHERE, steps=0), r"`steps` must be a positive integer"),
        (lambda: SelfConsistent([SPHERE]), r"`phases` must fill 1, but fill 0\.3"),
        (
            lambda: SelfConsistent(
                [Inclusion(K1, 0.3, (1, 1, 2), "random"), Inclusion(K1, 0.7, (1, 1, 2))]
            ),
            r"`phases` must all be random, or spheres",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


def test_what_does_not_converge_is_an_error_or_nan(monkeypatch):
    # Read when compiled: five phases, which no other test has.
    monkeypatch.setattr("scalebridge.analytic._root._STEPS", 1)
    model = SelfConsistent([Inclusion(Conduction(k), 0.2) for k in (1.0, 2.0, 4.0, 8.0, 16.0)])
    with pytest.raises(ConvergenceError, match=r"self-consistent estimate did not converge"):
        _ = model.modulus
    assert np.isnan(jax.jit(lambda model: model.modulus)(model)).all()
