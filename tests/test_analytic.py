"""Closed forms without inclusions: layers, plane states, bounds, polycrystals, coated bodies."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge import InputError, tensors
from scalebridge.analytic import (
    CoatedSphere,
    HashinShtrikman,
    Laminate,
    Polycrystal,
    Reuss,
    Voigt,
)
from scalebridge.laws import (
    Conduction,
    Elastic,
    IsotropicElastic,
    PlaneStrain,
    PlaneStress,
    Rigid,
    Void,
)

prop = settings(deadline=None, max_examples=15)
seeds = st.integers(0, 2**32 - 1)
ROUNDING = 1e-12  # a few hundred operations in double precision, condition numbers below 100
BORON, ALUMINIUM = IsotropicElastic(379.3, 0.1), IsotropicElastic(68.3, 0.3)  # GPa


def close(actual, expected, rtol=ROUNDING):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def below(lower, upper, rtol=ROUNDING):
    """Whether `upper − lower` is positive semidefinite, up to rounding."""
    difference = np.asarray(upper) - np.asarray(lower)
    return np.linalg.eigvalsh(difference)[0] >= -rtol * np.linalg.norm(upper)


def plane(k):
    return Conduction(k * np.eye(2))


def bulk_shear(C):
    d = {3: 2, 6: 3}[len(C)]
    return np.mean(C[:d, :d]), C[-1, -1] / 2


def from_bulk_shear(K, G):
    return IsotropicElastic(9 * K * G / (3 * K + G), (3 * K - 2 * G) / (6 * K + 2 * G))


def random_stiffness(rng, size=6):
    """Positive definite, condition number at most 20: enough to tell terms apart."""
    axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
    return axes @ np.diag(rng.uniform(1.0, 20.0, size)) @ axes.T


def random_rotation(rng):
    return tensors.rotation_from_euler(rng.uniform(-3, 3, 3))


# --- Plane states ----------------------------------------------------------------------------


def test_plane_states_by_hand():
    law = IsotropicElastic(E=2.5, nu=0.25)  # λ = μ = 1, λ* = 2/3
    close(PlaneStrain(law).modulus, [[3, 1, 0], [1, 3, 0], [0, 0, 2]])
    close(PlaneStress(law).modulus, [[8 / 3, 2 / 3, 0], [2 / 3, 8 / 3, 0], [0, 0, 2]])


def test_plane_stress_is_the_inverse_of_the_compliance_s_block():
    C = random_stiffness(np.random.default_rng(0))
    keep = np.ix_([0, 1, 5], [0, 1, 5])
    close(PlaneStress(Elastic(C)).modulus, np.linalg.inv(np.linalg.inv(C)[keep]))
    close(PlaneStrain(Elastic(C)).modulus, C[keep])


def test_void_stays_void_in_the_plane():
    for wrap in (PlaneStress, PlaneStrain):
        assert not np.any(wrap(Void()).modulus)
        assert wrap(Void()).is_isotropic
        sheet = jax.jit(jax.jacfwd(lambda E, wrap=wrap: wrap(IsotropicElastic(E, 0.3)).modulus))
        slope = sheet(0.0)
        assert np.all(np.isfinite(slope))


# --- Laminates -------------------------------------------------------------------------------


def test_conducting_layers():
    # cond.laminate.2ph: harmonic and arithmetic mean
    layers = Laminate([Conduction(10.0), Conduction(1.0)], [0.5, 0.5], "x")
    close(np.diag(layers.modulus), [1.8181818181818181, 5.5, 5.5])
    # cond.laminate.45deg: laminate formula
    tilted = Laminate([Conduction(1.0), Conduction(10.0)], [0.5, 0.5], [2.0, 2.0, 0.0])
    a, b = 3.659090909090909, -1.840909090909091
    close(tilted.modulus, [[a, b, 0], [b, a, 0], [0, 0, 5.5]])


def test_laminate_of_laminates_attains_the_bound():
    # cond.rank2.HS2D: Tartar; Lurie & Cherkaev; Milton
    first = Laminate([plane(10.0), plane(1.0)], [0.75, 0.25], "x")
    close(first.modulus, np.diag([3.076923076923077, 7.75]))
    second = Laminate([first, Conduction(1.0)], [2 / 3, 1 / 3], "y")
    close(second.modulus, 2.3846153846153846 * np.eye(2))
    bound = HashinShtrikman([plane(10.0), Conduction(1.0)], [0.5, 0.5], "lower")
    close(second.modulus, bound.modulus)


def test_rank_three_laminate_attains_the_bound_in_space():
    """Layers normal to x, y, z in turn, the matrix in portions that make all axes alike.

    Each step, with θ of the former material, adds (1−θ) n⊗n/k0 to θ/(k − k0) (Tartar 1985): the
    remaining share θ₁θ₂… of the core's weight must fall from 1 to f by equal parts.
    """
    f, core, matrix = 0.4, Conduction(10.0), Conduction(1.0)
    weights = np.linspace(1.0, f, 4)
    laminate = core
    for axis, theta in zip("xyz", weights[1:] / weights[:-1], strict=True):
        laminate = Laminate([laminate, matrix], [theta, 1 - theta], axis)
    close(laminate.modulus, HashinShtrikman([core, matrix], [f, 1 - f], "lower").modulus)


def test_elastic_layers():
    # el.laminate.BAl: laminate formula; C11, C12, C13, C33, C44, C66
    C = tensors.stiffness_to_voigt(Laminate([BORON, ALUMINIUM], [0.47, 0.53], "z").modulus)
    found = [C[0, 0], C[0, 1], C[0, 2], C[2, 2], C[3, 3], C[5, 5]]
    normal = [231.038342451316, 41.128412381386, 40.046180524437, 143.347123468154]
    close(found, [*normal, 43.664747674691, 94.954965034965])


def test_layers_in_plane_stress():
    # el.ghosh.long: Ghosh, Lee & Moorthy 1995, four digits
    fibre, matrix = (PlaneStress(IsotropicElastic(*p)) for p in ((400.0, 0.2), (72.5, 0.33)))
    Q = tensors.stiffness_to_voigt(Laminate([fibre, matrix], [0.5, 0.5], "x").modulus)
    found = [Q[0, 0], Q[1, 1], Q[0, 1], Q[2, 2]]
    np.testing.assert_allclose(found, [136.1, 245.8, 36.08, 46.85], rtol=5e-4)


@prop
@given(
    E=st.tuples(*[st.floats(0.1, 10.0)] * 2),
    nu=st.tuples(*[st.floats(-0.5, 0.45)] * 2),
    f=st.floats(0.0, 1.0),
)
def test_layers_in_plane_stress_entry_by_entry(E, nu, f):
    """The worked example of a layered composite, normal along axis 2."""
    laws = [PlaneStress(IsotropicElastic(*p)) for p in zip(E, nu, strict=True)]
    g = 1 - f
    mean = f * nu[0] + g * nu[1]
    D = f * (1 - nu[0] ** 2) / E[0] + g * (1 - nu[1] ** 2) / E[1]
    shear = 1 / (f * 2 * (1 + nu[0]) / E[0] + g * 2 * (1 + nu[1]) / E[1])
    Q = tensors.stiffness_to_voigt(Laminate(laws, [f, g], "y").modulus)
    expected = [
        [f * E[0] + g * E[1] + mean**2 / D, mean / D, 0],
        [mean / D, 1 / D, 0],
        [0, 0, shear],
    ]
    close(Q, expected)


@prop
@given(seed=seeds)
def test_properties_of_laminates(seed):
    rng = np.random.default_rng(seed)
    laws = [Elastic(random_stiffness(rng)) for _ in range(3)]
    f, n, R = rng.dirichlet(np.ones(3)), rng.normal(size=3), random_rotation(rng)
    C = Laminate(laws, f, n).modulus
    assert below(Reuss(laws, f).modulus, C)
    assert below(C, Voigt(laws, f).modulus)
    close(C, Laminate(laws[::-1], f[::-1], -2 * n).modulus)
    turned = Laminate([law.rotated(R) for law in laws], f, R @ n).modulus
    close(turned, tensors.rotate_mandel4(np.asarray(C), R))
    pair = Laminate(laws[:2], f[:2] / f[:2].sum(), n)
    close(Laminate([pair, laws[2]], [f[0] + f[1], f[2]], n).modulus, C)
    close(Laminate([laws[0]] * 3, f, n).modulus, laws[0].modulus)


@prop
@given(seed=seeds)
def test_fields_in_layers_solve_the_problem(seed):
    """Strains that differ by sym(a ⊗ n) with equal tractions average to C: the definition."""
    rng = np.random.default_rng(seed)
    C, f = [random_stiffness(rng) for _ in range(2)], rng.uniform(0.1, 0.9)
    n = rng.normal(size=3)
    n /= np.linalg.norm(n)
    jump = np.stack([tensors.to_mandel(np.outer(e, n)) for e in np.eye(3)], axis=1)
    mean = rng.normal(size=6)
    # ε1 = ε + (1−f) J a, ε2 = ε − f J a, and Jᵀ C1 ε1 = Jᵀ C2 ε2
    a = np.linalg.solve(jump.T @ ((1 - f) * C[0] + f * C[1]) @ jump, jump.T @ (C[1] - C[0]) @ mean)
    stress = f * C[0] @ (mean + (1 - f) * jump @ a) + (1 - f) * C[1] @ (mean - f * jump @ a)
    close(Laminate([Elastic(c) for c in C], [f, 1 - f], n).modulus @ mean, stress, rtol=1e-11)


def test_empty_layers_are_the_limit_of_soft_ones():
    laws, f, n = [IsotropicElastic(3.0, 0.3), Void()], [0.6, 0.4], [1.0, 2.0, 2.0]
    empty = Laminate(laws, f, n).modulus
    soft = Laminate([laws[0], IsotropicElastic(1e-9, 0.2)], f, n).modulus
    close(empty, soft, rtol=1e-8)  # the soft layer's own modulus, relative to the other
    twice = Laminate([*laws, Void()], [0.6, 0.1, 0.3], n).modulus
    close(twice, empty)
    # A conductor in the plane only, of any share, lets nothing across but all along.
    sheet = Conduction(np.diag([2.0, 2.0, 0.0]))
    stack = Laminate([sheet, Conduction(1.0)], [0.5, 0.5], "z").modulus
    close(stack, np.diag([1.5, 1.5, 0.0]))


def test_a_laminate_is_what_the_cell_finds():
    """And a cell is a law, so that it can be a layer."""
    micro = sb.generate.laminate((4, 4, 8), (0.25, 0.75), axis="z", names=("a", "b"))
    laws = {"a": BORON, "b": ALUMINIUM}
    cell, exact = sb.Cell(micro, laws), Laminate(list(laws.values()), [0.25, 0.75], "z")
    close(cell.tangent(), exact.modulus, rtol=1e-9)
    stack = Laminate([cell, BORON], [0.5, 0.5], "x")
    close(stack.modulus, Laminate([exact, BORON], [0.5, 0.5], "x").modulus, rtol=1e-9)


# --- Bounds ----------------------------------------------------------------------------------


def test_two_phase_formulas():
    """Hashin & Shtrikman 1962 (k) and 1963 (K, G), as printed; Hashin 1965 in the plane."""
    f1, f2 = 0.7, 0.3
    k = HashinShtrikman([Conduction(1.0), Conduction(10.0)], [f1, f2], "lower").modulus[0, 0]
    close(k, 1 + f2 / (1 / 9 + f1 / 3))
    (K1, G1), (K2, G2) = (2.0, 1.0), (20.0, 8.0)
    laws = [from_bulk_shear(K1, G1), from_bulk_shear(K2, G2)]
    K, G = bulk_shear(HashinShtrikman(laws, [f1, f2], "lower").modulus)
    close(K, K1 + f2 / (1 / (K2 - K1) + 3 * f1 / (3 * K1 + 4 * G1)))
    close(G, G1 + f2 / (1 / (G2 - G1) + 6 * f1 * (K1 + 2 * G1) / (5 * G1 * (3 * K1 + 4 * G1))))
    K, G = bulk_shear(HashinShtrikman(laws, [f1, f2], "upper").modulus)
    close(K, K2 + f1 / (1 / (K1 - K2) + 3 * f2 / (3 * K2 + 4 * G2)))
    close(G, G2 + f1 / (1 / (G1 - G2) + 6 * f2 * (K2 + 2 * G2) / (5 * G2 * (3 * K2 + 4 * G2))))
    # Plane strain: k = K + μ/3.
    k1, k2 = K1 + G1 / 3, K2 + G2 / 3
    k, G = bulk_shear(
        HashinShtrikman([PlaneStrain(law) for law in laws], [f1, f2], "lower").modulus
    )
    close(k, k1 + f2 / (1 / (k2 - k1) + f1 / (k1 + G1)))
    close(G, G1 + f2 / (1 / (G2 - G1) + f1 * (k1 + 2 * G1) / (2 * G1 * (k1 + G1))))


def test_phases_of_one_shear_modulus_have_one_answer():
    # el.hill.equalmu.3d: Hill 1963
    laws = [from_bulk_shear(2.0, 1.0), from_bulk_shear(20.0, 1.0)]
    models = [HashinShtrikman(laws, [0.7, 0.3], side) for side in ("lower", "upper")]
    models += [CoatedSphere(laws[1], laws[0], 0.3), CoatedSphere(laws[0], laws[1], 0.7)]
    for model in models:
        close(bulk_shear(model.modulus), [3.1297071129707117, 1.0])


def test_ill_ordered_phases():
    """Walpole 1966: the comparison medium takes K of one phase and μ of the other."""
    laws, f = [from_bulk_shear(1.0, 3.0), from_bulk_shear(4.0, 1.0)], [0.5, 0.5]
    lower, upper = (bulk_shear(HashinShtrikman(laws, f, s).modulus) for s in ("lower", "upper"))
    for bound, mu in ((lower, 1.0), (upper, 3.0)):
        close(bound[0], 1 / (0.5 / (1 + 4 / 3 * mu) + 0.5 / (4 + 4 / 3 * mu)) - 4 / 3 * mu)
    for bound, (K, mu) in ((lower, (1.0, 1.0)), (upper, (4.0, 3.0))):
        H = mu * (9 * K + 8 * mu) / (6 * (K + 2 * mu))
        close(bound[1], 1 / (0.5 / (3 + H) + 0.5 / (1 + H)) - H)


@pytest.mark.parametrize("kind", ["conduction", "conduction 2D", "elasticity", "plane strain"])
@prop
@given(seed=seeds)
def test_bounds_are_in_order(kind, seed):
    rng = np.random.default_rng(seed)
    K, G = 10.0 ** rng.uniform(-1.5, 1.5, (2, 3))
    make = {
        "conduction": lambda i: Conduction(K[i]),
        "conduction 2D": lambda i: plane(K[i]),
        "elasticity": lambda i: from_bulk_shear(K[i], G[i]),
        "plane strain": lambda i: PlaneStrain(from_bulk_shear(K[i], G[i])),
    }[kind]
    laws, f = [make(i) for i in range(3)], rng.dirichlet(np.ones(3))
    lower, upper = (HashinShtrikman(laws, f, side).modulus for side in ("lower", "upper"))
    chain = [Reuss(laws, f).modulus, lower, upper, Voigt(laws, f).modulus]
    for smaller, larger in pairwise(chain):
        assert below(smaller, larger)


SIDES = [partial(HashinShtrikman, side=side) for side in ("lower", "upper")]


@pytest.mark.parametrize("model", [Voigt, Reuss, *SIDES])
def test_a_single_phase_is_itself(model):
    laws = [IsotropicElastic(1.0, 0.3), IsotropicElastic(50.0, 0.1), Void()]
    for i in range(2):
        close(model(laws, np.eye(3)[i]).modulus, laws[i].modulus)


def test_bounds_with_void_and_rigid_phases():
    laws = [Conduction(2.0), Void(), Void()]
    assert not np.any(Reuss(laws, [0.5, 0.3, 0.2]).modulus)
    assert not np.any(HashinShtrikman(laws, [0.5, 0.3, 0.2], "lower").modulus)
    # Maxwell: the upper bound of a conductor with pores, 2k(1−p)/(2+p)
    close(HashinShtrikman(laws, [0.5, 0.3, 0.2], "upper").modulus, 2 / 2.5 * np.eye(3))
    # Maxwell again: perfect conductors, k(1+2f)/(1−f), here to one part in the factor
    rigid = HashinShtrikman([Conduction(2.0), Rigid(1e9)], [0.8, 0.2], "lower")
    close(rigid.modulus, 2 * 1.4 / 0.8 * np.eye(3), rtol=1e-8)


def test_harmonic_mean_of_anisotropic_phases():
    rng = np.random.default_rng(4)
    C, f = [random_stiffness(rng) for _ in range(3)], [0.2, 0.3, 0.5]
    expected = np.linalg.inv(sum(g * np.linalg.inv(c) for g, c in zip(f, C, strict=True)))
    close(Reuss([Elastic(c) for c in C], f).modulus, expected)
    close(Voigt([Elastic(c) for c in C], f).modulus, np.einsum("p,pab", f, C))


# --- Polycrystals ----------------------------------------------------------------------------

# el.poly.Cu_168.4_121.4_75.4, el.poly.Cu_Overton1955_168.9_121.8_75.8: Voigt, Reuss, Hill 1952;
# Hashin & Shtrikman 1962; Hershey 1954, Kröner 1958 (GPa; printed to 12 digits).
COPPER = {
    (168.4, 121.4, 75.4): (
        137.066666667,
        (40.0338906462, 45.9637105348, 48.1719842519, 49.4451842805, 54.64),
    ),
    (168.9, 121.8, 75.8): (
        137.5,
        (40.1595050619, 46.1366634057, 48.3712935996, 49.6593819014, 54.9),
    ),
}
ORDERED = ("reuss", "lower", "self-consistent", "upper", "voigt")


@pytest.mark.parametrize(("constants", "expected"), COPPER.items())
def test_copper(constants, expected):
    crystal = Elastic.cubic(*constants).rotated(tensors.rotation_about((1, 2, 3), 0.7))
    for estimate, shear in zip(ORDERED, expected[1], strict=True):
        found = bulk_shear(Polycrystal(crystal, estimate).modulus)
        np.testing.assert_allclose(found, (expected[0], shear), rtol=1e-11)
    hill = bulk_shear(Polycrystal(crystal, "hill").modulus)[1]
    np.testing.assert_allclose(hill, (expected[1][0] + expected[1][-1]) / 2, rtol=1e-11)


def test_conducting_polycrystals():
    # cond.polycrystal.det: Dykhne 1970
    flat = Polycrystal(Conduction(np.diag([2.0, 8.0])), "self-consistent")
    close(flat.modulus, 4 * np.eye(2))
    k = np.array([1.0, 2.0, 6.0])
    crystal = Conduction(np.diag(k))
    values = [float(Polycrystal(crystal, e).modulus[0, 0]) for e in ORDERED]
    assert values == sorted(values)
    close(values[0], 3 / np.sum(1 / k))
    close(values[1], 1 / np.mean(1 / (k + 2 * k.min())) - 2 * k.min())
    close(values[4], k.mean())


# --- The doors -------------------------------------------------------------------------------

ONE, TWO = Conduction(1.0), Conduction(2.0)
ANISOTROPIC = Conduction(np.diag([1.0, 2.0, 3.0]))
HALVES = [0.5, 0.5]
MIXTURES = [
    lambda laws: Voigt(laws, HALVES),
    lambda laws: Reuss(laws, HALVES),
    lambda laws: Laminate(laws, HALVES, "x"),
    lambda laws: HashinShtrikman(laws, HALVES, "upper"),
    lambda laws: sb.analytic.MoriTanaka(laws[0], sb.analytic.Inclusion(laws[1], 0.5)),
    lambda laws: sb.analytic.Dilute(laws[0], sb.analytic.Inclusion(laws[1], 0.5)),
    lambda laws: sb.analytic.Differential(laws[0], sb.analytic.Inclusion(laws[1], 0.5)),
    lambda laws: sb.analytic.SelfConsistent([sb.analytic.Inclusion(law, 0.5) for law in laws]),
]


@pytest.mark.parametrize("make", MIXTURES)
def test_plane_state_of_a_mixture_is_that_of_its_phases(make):
    assert make([PlaneStress(BORON), PlaneStress(ALUMINIUM)]).plane == "stress"
    assert make([PlaneStrain(BORON), Void()]).plane == "strain"
    assert make([BORON, ALUMINIUM]).plane is None


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1.0, 1e200])
def test_normal_of_any_length(size):
    laws = [PlaneStress(BORON), PlaneStress(ALUMINIUM)]
    close(
        Laminate(laws, HALVES, (3 * size, 4 * size)).modulus,
        Laminate(laws, HALVES, (0.6, 0.8)).modulus,
    )


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Voigt([], []), r"`laws` must be a sequence of laws, but is \[\]"),
        (lambda: Voigt(ONE, [1.0]), r"`laws` must be a sequence of laws"),
        (lambda: Voigt([ONE, 2.0], [0.5, 0.5]), r"`laws` must hold laws, but holds 2\.0"),
        (lambda: Voigt([ONE, BORON], [0.5, 0.5]), r"`laws` must be of one physics"),
        (lambda: Voigt([Void(), Void()], [0.5, 0.5]), r"`laws` must hold a material law"),
        (lambda: Voigt([ONE, TWO], [0.5]), r"`fractions` must be of shape \(2,\)"),
        (lambda: Voigt([ONE, TWO], [0.5, 0.4]), r"`fractions` must be ≥ 0 and sum to 1.*0\.9"),
        (lambda: Reuss([ONE, TWO], [1.5, -0.5]), r"`fractions` must be ≥ 0"),
        (lambda: Voigt([plane(1.0), ANISOTROPIC], [0.5, 0.5]), r"`laws` must all be 2D"),
        (lambda: Voigt([BORON, PlaneStress(BORON)], [0.5, 0.5]), r"must all be 2D.*PlaneStrain"),
        (lambda: HashinShtrikman([ONE, TWO], [0.5, 0.5], "uper"), r"`side` must.*mean 'upper'"),
        (lambda: HashinShtrikman([ONE, ANISOTROPIC], [0.5, 0.5], "lower"), r"must be isotropic"),
        (lambda: Laminate([ONE, TWO], [0.5, 0.5], "w"), r"`normal` must be one of .* but is 'w'"),
        (lambda: Laminate([ONE, TWO], [0.5, 0.5], np.zeros(3)), r"`normal` must not be zero"),
        (lambda: Laminate([plane(1.0), TWO], [0.5, 0.5], "z"), r"`normal` must be .* 2D"),
        (lambda: Laminate([plane(1.0), TWO], [0.5, 0.5], [0, 0, 1]), r"`normal` must be of shape"),
        (lambda: Laminate([ONE, TWO], [0.5, 0.5], (0, 5e-324, 0)), r"`normal` must not be zero"),
        *(
            (lambda m=m: m([PlaneStress(BORON), PlaneStrain(BORON)]), r"of plane strain and stress")
            for m in MIXTURES
        ),
        (
            lambda: Voigt(
                [Laminate([PlaneStress(BORON)] * 2, [0.5, 0.5], "x"), PlaneStrain(BORON)],
                [0.5, 0.5],
            ),
            r"`laws` must be of one plane state, but are of plane strain and stress; wrap all",
        ),
        (lambda: PlaneStress(ONE), r"`law` of PlaneStress must be a linear elastic law in 3D"),
        (lambda: PlaneStrain(PlaneStrain(BORON)), r"`law` of PlaneStrain must be .* 3D"),
        (lambda: PlaneStrain(3.0), r"`law` of PlaneStrain must be a Law"),
        (lambda: Polycrystal(BORON, "kroner"), r"`estimate` must be one of"),
        (lambda: Polycrystal(Void()), r"`crystal` must be positive definite"),
        (
            lambda: Polycrystal(Elastic.hexagonal(87.0, 7.0, 12.0, 106.0, 58.0), "lower"),
            r"`crystal` must be cubic",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


# --- Derivatives -----------------------------------------------------------------------------


def pair(p):
    return [IsotropicElastic(p[0], p[1]), IsotropicElastic(p[2], 0.3)]


def shares(p):
    return [p[3], 1 - p[3]]


ESTIMATES = {
    "voigt": lambda p: Voigt(pair(p), shares(p)),
    "reuss": lambda p: Reuss(pair(p), shares(p)),
    "lower": lambda p: HashinShtrikman(pair(p), shares(p), "lower"),
    "upper": lambda p: HashinShtrikman(pair(p), shares(p), "upper"),
    "laminate": lambda p: Laminate(pair(p), shares(p), [p[1], p[3], -1.0]),
    "laminate of sheets": lambda p: Laminate(
        [PlaneStress(law) for law in pair(p)], shares(p), [p[1], 1.0]
    ),
    **{
        f"polycrystal, {e}": lambda p, e=e: Polycrystal(
            Elastic.cubic(40.0 + p[0], 20.0 + p[1], 10.0 * p[3]), e
        )
        for e in (*ORDERED, "hill")
    },
}


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_derivatives(estimate):
    """Forward and reverse mode against central differences, in every parameter."""

    def total(p):
        C = estimate(p).modulus
        return (C * np.arange(1.0, C.size + 1).reshape(C.shape)).sum()

    at = np.array([10.0, 0.2, 1.0, 0.4])
    # Steps h = 1e-5 x: rounding 1e-16/1e-5, truncation h² of a smooth function.
    step = 1e-5 * np.diag(at)
    both = jax.jit(lambda p: (total(p), jax.grad(total)(p), jax.jacfwd(total)(p)))
    central = [(both(at + h)[0] - both(at - h)[0]) / (2 * h.sum()) for h in step]
    for derivative in both(at)[1:]:
        np.testing.assert_allclose(derivative, central, rtol=1e-7, atol=1e-7)


def test_new_values_keep_the_structure():
    """Python floats and arrays give the same pytree, so that nothing is compiled again."""
    for estimate in ESTIMATES.values():
        one, two = (estimate(np.array(p)) for p in ([10.0, 0.2, 1.0, 0.4], [12.0, 0.1, 2.0, 0.5]))
        assert jax.tree.structure(one) == jax.tree.structure(two)
        kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(m)] for m in (one, two)]
        assert kinds[0] == kinds[1]


def test_derivatives_at_void_are_finite():
    def entries(E):
        laws = [IsotropicElastic(E, 0.3), IsotropicElastic(1.0, 0.2)]
        models = [m(laws, [0.3, 0.7]) for m in (Voigt, Reuss)]
        models += [HashinShtrikman(laws, [0.3, 0.7], side) for side in ("lower", "upper")]
        models += [Laminate(laws, [0.3, 0.7], [1.0, 1.0, 0.0])]
        return [model.modulus for model in models]

    for mode in (jax.jacfwd, jax.jacrev):
        slopes = jax.jit(mode(entries))(0.0)
        assert all(np.all(np.isfinite(s)) for s in slopes)
    # Reuss: C → C_void / f
    close(slopes[1], IsotropicElastic(1 / 0.3, 0.3).modulus, rtol=1e-10)


def test_estimates_are_laws():
    law = Laminate([BORON, ALUMINIUM], [0.5, 0.5], "z")
    strain = np.linspace(-1.0, 2.0, 6)
    close(law.respond(strain, (), 1.0).flux, law.modulus @ strain)
    batch = jax.vmap(lambda f: Laminate([BORON, ALUMINIUM], [f, 1 - f], "z").modulus)
    close(batch(np.array([0.2, 0.5]))[1], law.modulus)
