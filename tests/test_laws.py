"""The closed-form laws: flux, energy, tangent, admissibility, and helpers that agree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge import InputError, laws, tensors
from scalebridge.laws import (
    Conduction,
    Elastic,
    IsotropicElastic,
    Law,
    LinearLaw,
    PlaneStrain,
    PlaneStress,
    Rigid,
    Void,
)
from scalebridge.upscaling.constants import engineering_constants

prop = settings(deadline=None, max_examples=20)
K_TENSOR = np.array([[3.0, 0.5, 0.2], [0.5, 2.0, -0.4], [0.2, -0.4, 1.0]])
# A member of each class, and the size of its gradient. Elastic: GPa, α-quartz-like numbers.
MEMBERS = {
    "conduction": (Conduction(2.5), 3),
    "insulator": (Conduction(0.0), 3),
    "conduction, tensor": (Conduction(K_TENSOR), 3),
    "conduction, plane tensor": (Conduction(K_TENSOR[:2, :2]), 2),
    "isotropic": (IsotropicElastic(E=70.0, nu=0.33), 6),
    "auxetic": (IsotropicElastic(E=1.0, nu=-0.7), 6),
    "elastic": (
        Elastic.hexagonal(87.0, 7.0, 12.0, 106.0, 58.0).rotated(
            tensors.rotation_from_euler([0.3, 1.1, -0.4])
        ),
        6,
    ),
    "void": (Void(), 6),
    "void conductor": (Void("conduction"), 3),
    "plane strain": (PlaneStrain(IsotropicElastic(E=70.0, nu=0.33)), 3),
    "plane stress": (PlaneStress(Elastic.cubic(168.4, 121.4, 75.4)), 3),
    "rigid": (Rigid(100.0, scale=3.0), 6),
}
members = pytest.mark.parametrize(("law", "size"), MEMBERS.values(), ids=MEMBERS)


def isotropic_stiffness(E, nu):
    lame, mu = E * nu / ((1 + nu) * (1 - 2 * nu)), E / (2 * (1 + nu))
    return np.diag([2 * mu] * 6) + np.pad(np.full((3, 3), lame), (0, 3))


def close(actual, expected, rtol=1e-12):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


# --- The protocol ----------------------------------------------------------------------------


def test_every_law_is_tested():
    exported = {getattr(laws, name) for name in laws.__all__}
    classes = {
        c
        for c in exported
        if isinstance(c, type) and issubclass(c, LinearLaw) and c is not LinearLaw
    }
    assert classes == {type(law) for law, _ in MEMBERS.values()}


@members
def test_flux_energy_and_tangent_belong_together(law, size):
    gradient = jnp.linspace(-1.0, 2.0, size)
    response = law.respond(gradient, law.initial_state(), 1.0)
    assert law.kinematics.size == size
    assert response.flux.shape == (size,)
    assert response.flux.dtype == float
    # Sums of six products in double precision: rounding only.
    close(response.flux, law.modulus @ gradient)
    close(response.energy, 0.5 * gradient @ response.flux)
    close(jax.grad(lambda g: law.respond(g, (), 1.0).energy)(gradient), response.flux)
    assert float(response.dissipation) == 0.0
    assert response.state == ()
    tangent = law.tangent(gradient)
    close(tangent, jax.jacfwd(lambda g: law.respond(g, (), 1.0).flux)(gradient))
    close(tangent, Law.tangent(law, gradient))
    close(tangent, np.asarray(tangent).T)


@members
def test_response_batches_by_vmap(law, size):
    gradients = jnp.asarray(np.random.default_rng(0).normal(size=(5, size)))
    batch = jax.vmap(lambda g: law.respond(g, (), 1.0).flux)(gradients)
    close(batch, gradients @ np.asarray(law.modulus))


def test_new_values_keep_the_structure():
    """Python floats, ints and arrays give the same pytree: nothing is compiled again."""
    same = [IsotropicElastic(1, 0), IsotropicElastic(2.5, 0.3), IsotropicElastic(jnp.ones(()), 0.2)]
    assert len({jax.tree.structure(law) for law in same}) == 1
    kinds = {tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(law)) for law in same}
    assert len(kinds) == 1


# --- Absolute values -------------------------------------------------------------------------


def test_conduction_by_hand():
    gradient = np.array([1.0, 0.0, -2.0])
    close(Conduction(129.0).respond(gradient, (), 1.0).flux, [129.0, 0.0, -258.0])
    close(Conduction(K_TENSOR).modulus, K_TENSOR)


def test_a_list_will_do_for_a_gradient():
    """As in the docstring of Conduction."""
    close(Conduction(129.0).respond([1.0, 0.0, 0.0], (), 1.0).flux, [129.0, 0.0, 0.0])


def test_hooke_by_hand():
    law = IsotropicElastic(E=2.5, nu=0.25)  # λ = μ = 1
    r = np.sqrt(2)
    close(law.respond(jnp.asarray([1.0, 0, 0, 0, 0, 0]), (), 1.0).flux, [3.0, 1, 1, 0, 0, 0])
    close(law.respond(jnp.asarray([0, 0, 0, r, 0, 0]), (), 1.0).flux, [0, 0, 0, 2 * r, 0, 0])
    pressure = law.respond(jnp.asarray([1.0, 1, 1, 0, 0, 0]), (), 1.0)
    close(pressure.flux[:3], [5.0, 5, 5])
    close(pressure.energy, 7.5)


def test_limits():
    assert not np.any(Void().modulus)
    close(Rigid(100.0, scale=3.0).modulus, 300.0 * np.eye(6))
    assert Void("conduction").modulus.shape == Rigid(physics="conduction").modulus.shape == (3, 3)


# --- Admissibility ---------------------------------------------------------------------------

SKEWED = np.eye(6) + 0.1 * np.eye(6, k=1)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Conduction(-1.0), r"`k` must be ≥ 0, but is -1"),
        (lambda: Conduction(np.nan), r"`k` must be finite"),
        (lambda: Conduction(np.inf), r"`k` must be finite"),
        (lambda: Conduction("copper"), r"`k` must be a number or an array, but is 'copper'"),
        (lambda: Conduction([1.0, 2.0]), r"`k` must be a number or of shape .* has shape \(2,\)"),
        (lambda: Conduction(np.eye(3) + np.eye(3, k=1)), r"`k` must be symmetric"),
        (
            lambda: Conduction(np.diag([1.0, 1.0, -0.1])),
            r"`k` must be positive semidef.*-0\.1",
        ),
        (lambda: Conduction(np.diag([1.0, np.nan, 1.0])), r"`k` must be finite"),
        (lambda: IsotropicElastic(-1.0, 0.3), r"`E` must be ≥ 0, but is -1; void has E = 0"),
        (lambda: IsotropicElastic(np.nan, 0.3), r"`E` must be finite"),
        (lambda: IsotropicElastic(1.0, np.nan), r"`nu` must be finite"),
        (lambda: IsotropicElastic(1.0, 0.5), r"`nu` must lie in -1 < nu < 0\.5.*bbar"),
        (lambda: IsotropicElastic(1.0, 0.7), r"`nu` must lie in .* but is 0\.7"),
        (lambda: IsotropicElastic(1.0, -1.0), r"`nu` must lie in .* but is -1"),
        (lambda: IsotropicElastic([1.0, 2.0], 0.3), r"`E` must be a number, but has shape \(2,\)"),
        (lambda: Elastic(np.eye(3)), r"`stiffness` must be of shape \(6, 6\)"),
        (lambda: Elastic(SKEWED), r"`stiffness` must be symmetric"),
        (lambda: Elastic(np.diag([1.0, 1, 1, 1, 1, -1])), r"`stiffness` must be positive definite"),
        (
            lambda: Elastic(np.diag([1.0, 1, 1, 1, 1, 0])),
            r"`stiffness` must be positive definite.*Void",
        ),
        (lambda: Elastic(np.full((6, 6), np.nan)), r"`stiffness` must be finite"),
        (lambda: Elastic.cubic(1.0, 1.5, 0.5), r"`stiffness` must be positive definite"),
        (
            lambda: Elastic.hexagonal(2.0, 1.0, 3.0, 1.0, 1.0),
            r"`stiffness` must be positive definite",
        ),
        (
            lambda: Elastic.from_compliance_voigt(np.diag([1.0, 1, 1, 1, 1, -1])),
            r"`compliance` must be positive definite",
        ),
        (
            lambda: Elastic.orthotropic(E=(1.0, 1.0, 0.0), nu=(0.1, 0.1, 0.1), G=(1.0, 1.0, 1.0)),
            r"`E` must be > 0",
        ),
        (
            lambda: Elastic.orthotropic(E=(1.0, 1.0, 1.0), nu=(0.1, 0.1, 0.1), G=(1.0, -1.0, 1.0)),
            r"`G` must be > 0",
        ),
        (
            lambda: Elastic.orthotropic(E=(1.0, 9.0, 1.0), nu=(0.9, 0.9, 0.1), G=(1.0, 1.0, 1.0)),
            r"must be positive definite",
        ),
        (lambda: Rigid(0.5), r"`factor` must lie between 1 and 1e12"),
    ],
)
def test_inadmissible_constants_are_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


def test_limits_of_the_admissible_are_allowed():
    assert float(Conduction(0).k) == 0.0
    assert not np.any(IsotropicElastic(0.0, 0.3).modulus)
    assert not np.any(Elastic(np.zeros((6, 6))).modulus)
    Conduction(np.diag([1.0, 1.0, 0.0]))  # a conductor in layers
    IsotropicElastic(1.0, 0.4999)
    IsotropicElastic(1.0, -0.999)


def test_checks_stand_back_under_a_transformation():
    """Values are checked where they are concrete; there the derivative is that of the formula."""
    slope = jax.grad(lambda E: IsotropicElastic(E, 0.25).modulus[0, 0])(2.5)
    close(slope, 1.2)  # (1−ν)/((1+ν)(1−2ν))
    jax.vmap(lambda k: Conduction(k).modulus[0, 0])(jnp.asarray([1.0, 2.0]))
    jax.jit(lambda c: Elastic.cubic(c, 0.5, 0.4).modulus)(2.0)


# --- Helpers that agree ----------------------------------------------------------------------


@prop
@given(E=st.floats(1e-3, 1e3), nu=st.floats(-0.9, 0.49))
def test_an_isotropic_material_through_every_helper(E, nu):
    expected = isotropic_stiffness(E, nu)
    mu, lame = expected[5, 5] / 2, expected[0, 1]
    c11 = lame + 2 * mu
    voigt = tensors.stiffness_to_voigt(expected)
    ways = {
        "isotropic": IsotropicElastic(E, nu),
        "mandel": Elastic(expected),
        "voigt": Elastic.from_voigt(voigt),
        "compliance": Elastic.from_compliance_voigt(np.linalg.inv(voigt)),
        "cubic": Elastic.cubic(c11, lame, mu),
        "hexagonal": Elastic.hexagonal(c11, lame, lame, c11, mu),
        "tetragonal": Elastic.hexagonal(c11, lame, lame, c11, mu, C66=mu),
        "orthotropic": Elastic.orthotropic(E=[E] * 3, nu=[nu] * 3, G=[mu] * 3),
    } | {
        f"fibre along {axis}": Elastic.transversely_isotropic(
            E_axial=E, E_transverse=E, nu_axial=nu, nu_transverse=nu, G_axial=mu, axis=axis
        )
        for axis in range(3)
    }
    # The condition number of the stiffness, (1+ν)/(1−2ν) or its inverse, is below 100 here.
    for law in ways.values():
        close(law.modulus, expected, rtol=1e-12)


@prop
@given(
    E=st.tuples(*[st.floats(1.0, 20.0)] * 3),
    nu=st.tuples(*[st.floats(-0.1, 0.1)] * 3),
    G=st.tuples(*[st.floats(0.1, 10.0)] * 3),
)
def test_orthotropic_constants_come_back(E, nu, G):
    # Admissible by Gershgorin: |ν_ij| √(E_i/E_j) ≤ 0.1 √20 < ½, two of them in a row.
    law = Elastic.orthotropic(E=E, nu=nu, G=G)
    found = engineering_constants(law.modulus)
    names = ("E1", "E2", "E3", "nu12", "nu13", "nu23", "G23", "G13", "G12")
    expected = np.concatenate([E, nu, G])
    actual = np.array([found[name] for name in names])
    # Two inversions of a matrix whose condition number stays below 1e4.
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fibre_constants_stand_in_their_places(axis):
    # E-glass/epoxy-like ply [GPa].
    law = Elastic.transversely_isotropic(
        E_axial=45.0, E_transverse=12.0, nu_axial=0.28, nu_transverse=0.4, G_axial=5.5, axis=axis
    )
    found = engineering_constants(law.modulus)
    a, t, u = axis, (axis + 1) % 3, (axis + 2) % 3
    E = [found[f"E{i + 1}"] for i in range(3)]
    G = {frozenset(p): found["G" + p] for p in ("23", "13", "12")}

    def shear(i, j):
        return G[frozenset(f"{i + 1}{j + 1}")]

    close([E[a], E[t], E[u]], [45.0, 12.0, 12.0])
    close([shear(a, t), shear(a, u), shear(t, u)], [5.5, 5.5, 12.0 / 2.8])
    pairs = {"12": found["nu12"], "13": found["nu13"], "23": found["nu23"]}
    for name, value in pairs.items():
        i, j = (int(c) - 1 for c in name)
        expected = 0.28 if i == a else 0.28 * 12.0 / 45.0 if j == a else 0.4
        close(value, expected)
    about = np.eye(3)[a]
    turned = law.rotated(tensors.rotation_about(about, 0.7))
    close(turned.modulus, law.modulus)


def test_fibre_is_the_hexagonal_material():
    """The same material by its engineering constants and by its stiffnesses (axis 3)."""
    fibre = Elastic.transversely_isotropic(
        E_axial=45.0, E_transverse=12.0, nu_axial=0.28, nu_transverse=0.4, G_axial=5.5
    )
    C = tensors.stiffness_to_voigt(np.asarray(fibre.modulus))
    same = Elastic.hexagonal(C[0, 0], C[0, 1], C[0, 2], C[2, 2], C[3, 3])
    close(same.modulus, fibre.modulus)
    close(C[5, 5], (C[0, 0] - C[0, 1]) / 2)


def test_voigt_order_and_factors():
    voigt = np.diag([11.0, 22.0, 33.0, 44.0, 55.0, 66.0])
    mandel = np.diag(np.asarray(Elastic.from_voigt(voigt).modulus))
    close(mandel, [11, 22, 33, 88, 110, 132])  # shear: engineering strain, twice
    compliance = Elastic.from_compliance_voigt(np.linalg.inv(voigt))
    close(np.diag(np.asarray(compliance.modulus)), mandel)


# --- Rotation --------------------------------------------------------------------------------

ORTHOTROPIC = Elastic.orthotropic(E=(10.0, 5.0, 2.0), nu=(0.3, 0.2, 0.25), G=(1.0, 1.5, 2.5))


def test_quarter_turn_swaps_two_axes():
    turned = ORTHOTROPIC.rotated(tensors.rotation_about((0, 0, 1), 90, degrees=True))
    found = engineering_constants(turned.modulus)
    close([found["E1"], found["E2"], found["E3"]], [5.0, 10.0, 2.0])
    close([found["G23"], found["G13"], found["G12"]], [1.5, 1.0, 2.5])
    close(found["nu12"], 0.3 * 5.0 / 10.0)


def test_rotation_takes_the_axis_along():
    """v → R v takes the material's axes to the laboratory's: the fibre ends up along R e₃."""
    fibre = Elastic.transversely_isotropic(
        E_axial=45.0, E_transverse=12.0, nu_axial=0.28, nu_transverse=0.4, G_axial=5.5
    )
    R = tensors.rotation_from_euler([0.4, 1.0, 0.2])
    C = np.asarray(fibre.rotated(R).modulus)
    along = tensors.to_mandel(np.outer(R[:, 2], R[:, 2]))
    close(1 / (along @ np.linalg.inv(C) @ along), 45.0)


@prop
@given(angles=st.tuples(*[st.floats(-3.0, 3.0)] * 3))
def test_rotation_keeps_what_it_must(angles):
    R = tensors.rotation_from_euler(angles)
    turned = ORTHOTROPIC.rotated(R)
    close(np.linalg.eigvalsh(turned.modulus), np.linalg.eigvalsh(ORTHOTROPIC.modulus))
    close(turned.rotated(R.T).modulus, ORTHOTROPIC.modulus)
    isotropic = Elastic(isotropic_stiffness(3.0, 0.2))
    close(isotropic.rotated(R).modulus, isotropic.modulus)


def test_classes_have_their_symmetry():
    quarter = tensors.rotation_about((0, 0, 1), 90, degrees=True)
    about_diagonal = tensors.rotation_about((1, 1, 1), 120, degrees=True)
    skew = tensors.rotation_about((0, 0, 1), 0.3)
    cubic = Elastic.cubic(168.4, 121.4, 75.4)
    for R in (quarter, about_diagonal):
        close(cubic.rotated(R).modulus, cubic.modulus)
    hexagonal = Elastic.hexagonal(87.0, 7.0, 12.0, 106.0, 58.0)
    close(hexagonal.rotated(skew).modulus, hexagonal.modulus)
    tetragonal = Elastic.hexagonal(87.0, 7.0, 12.0, 106.0, 58.0, C66=20.0)
    close(tetragonal.rotated(quarter).modulus, tetragonal.modulus)
    assert np.abs(tetragonal.rotated(skew).modulus - tetragonal.modulus).max() > 1.0
