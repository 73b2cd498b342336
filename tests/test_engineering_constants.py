"""Engineering constants against closed forms: isotropic, copper, orthotropic, singular."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalebridge import tensors
from scalebridge.errors import InputError
from scalebridge.upscaling import constants
from scalebridge.upscaling.constants import (
    closest_symmetry,
    engineering_constants,
    poisson_ratio,
    shear_modulus,
    young_modulus,
)

prop = settings(deadline=None, max_examples=40)
NINE = ("E1", "E2", "E3", "nu12", "nu13", "nu23", "G23", "G13", "G12")


def isotropic(E, nu, d=3):
    G, lame = E / (2 * (1 + nu)), E * nu / ((1 + nu) * (1 - 2 * nu))
    m = tensors.component_count(d)
    return 2 * G * np.eye(m) + lame * np.pad(np.ones((d, d)), (0, m - d))


def cubic(C11, C12, C44):
    return np.diag([C11 - C12] * 3 + [2 * C44] * 3) + np.pad(np.full((3, 3), C12), (0, 3))


def orthotropic(*, E1, E2, E3, nu12, nu13, nu23, G23, G13, G12):
    S = np.diag([1 / E1, 1 / E2, 1 / E3, 1 / G23, 1 / G13, 1 / G12])
    S[0, 1] = S[1, 0] = -nu12 / E1
    S[0, 2] = S[2, 0] = -nu13 / E1
    S[1, 2] = S[2, 1] = -nu23 / E2
    return np.linalg.inv(tensors.compliance_from_voigt(S))


def definite(m):
    """Return positive definite matrices."""
    A = arrays(float, (m, m), elements=st.floats(-1, 1, allow_subnormal=False))
    return A.map(lambda A: A @ A.T + 0.1 * np.eye(m))


angles = arrays(float, 3, elements=st.floats(-3, 3))
rotations = angles.map(tensors.rotation_from_euler)
moduli = st.floats(1e-3, 1e12)
COPPER = cubic(168.4, 121.4, 75.4)
EPOXY = dict(zip(NINE, (140.0, 10.0, 9.0, 0.3, 0.28, 0.45, 3.4, 4.9, 5.1), strict=True))


# --- Closed forms ----------------------------------------------------------------------------


@prop
@given(E=moduli, nu=st.floats(-0.9, 0.49), R=rotations)
def test_isotropic(E, nu, R):
    K, G = E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))
    C = tensors.rotate_mandel4(isotropic(E, nu), R)
    found = engineering_constants(C)
    expected = dict.fromkeys(("E1", "E2", "E3", "E"), E)
    expected |= dict.fromkeys(("nu12", "nu13", "nu23", "nu"), nu)
    expected |= dict.fromkeys(("G12", "G13", "G23", "G", "G_Voigt", "G_Reuss"), G)
    expected |= dict.fromkeys(("K", "K_Voigt", "K_Reuss"), K) | {"zener": 1.0}
    universal = found.pop("universal_anisotropy")
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert universal == pytest.approx(0, abs=1e-9)
    assert closest_symmetry(C, 1e-9).name == "isotropic"


def test_copper_averages():
    """Reference record el.poly.Cu_168.4_121.4_75.4 (Voigt, Reuss, Hill 1952)."""
    found = engineering_constants(COPPER)
    assert found["G_Voigt"] == pytest.approx(54.64, rel=1e-12)
    assert found["G_Reuss"] == pytest.approx(40.0338906462, rel=1e-11)
    for name in ("K", "K_Voigt", "K_Reuss"):
        assert found[name] == pytest.approx(137.066666667, rel=1e-11)
    assert found["zener"] == pytest.approx(2 * 75.4 / 47, rel=1e-12)
    universal = 5 * 54.64 / 40.0338906462 - 5
    assert found["universal_anisotropy"] == pytest.approx(universal, rel=1e-10)


def test_copper_in_directions():
    K = 411.2 / 3
    E_111 = 1 / (1 / (9 * K) + 1 / (3 * 75.4))
    E_100 = 1 / (1 / (9 * K) + 1 / (3 * 47 / 2))
    n = np.array([[1.0, 0, 0], [1, 1, 1], [0, -7, 0]]).T
    np.testing.assert_allclose(young_modulus(COPPER, n), [E_100, E_111, E_100], rtol=1e-12)
    assert young_modulus(COPPER, [1, 1, 1]) / young_modulus(COPPER, [1, 0, 0]) == pytest.approx(
        E_111 / E_100, rel=1e-12
    )
    # On the cube plane C44 in every direction; on (110)[1-10] (C11 − C12) / 2.
    assert shear_modulus(COPPER, [0, 0, 1], [1, 2, 0]) == pytest.approx(75.4, rel=1e-12)
    assert shear_modulus(COPPER, [1, 1, 0], [1, -1, 0]) == pytest.approx(23.5, rel=1e-12)
    assert poisson_ratio(COPPER, [1, 0, 0], [0, 3, 4]) == pytest.approx(121.4 / 289.8, rel=1e-12)


def test_orthotropic_constants_come_back():
    C = orthotropic(**EPOXY)
    found = engineering_constants(C)
    assert {name: found[name] for name in NINE} == pytest.approx(EPOXY, rel=1e-12)
    assert closest_symmetry(C, 1e-12) == ("orthotropic", None, pytest.approx(0, abs=1e-14))


@prop
@given(E=moduli, nu=st.floats(-0.9, 0.49))
def test_plane_strain(E, nu):
    G = E / (2 * (1 + nu))
    found = engineering_constants(isotropic(E, nu, d=2))
    assert found == pytest.approx(
        {
            "E1_plane_strain": E / (1 - nu**2),
            "E2_plane_strain": E / (1 - nu**2),
            "nu12_plane_strain": nu / (1 - nu),
            "G12": G,
            "K_area": E / (3 * (1 - 2 * nu)) + G / 3,
            "G": G,
            "zener": 1.0,
        },
        rel=1e-9,
        abs=1e-9,
    )


@pytest.mark.parametrize("d", [2, 3])
def test_conductivity(d):
    R = tensors.rotation_in_plane(0.3) if d == 2 else tensors.rotation_from_euler([0.3, 0.5, 0.7])
    values = np.array([4.0, 2.0, 0.5])[:d]
    k = R @ np.diag(values) @ R.T
    found = engineering_constants(k, kind="conductivity")
    np.testing.assert_allclose(found["principal"], values, rtol=1e-12)
    turned = tensors.rotate_tensor(np.diag(found["principal"]), found["axes"])  # a rotation
    np.testing.assert_allclose(turned, k, atol=1e-12)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["anisotropy"] == pytest.approx(4 / values[-1])


# --- Properties ------------------------------------------------------------------------------


@prop
@given(C=definite(6), R=rotations)
def test_constants_turn_with_the_material(C, R):
    turned = tensors.rotate_mandel4(C, R)
    n, m = np.array([1.0, 2, -1]), np.array([1.0, 0, 1])
    assert young_modulus(turned, R @ n) == pytest.approx(young_modulus(C, n), rel=1e-9)
    assert shear_modulus(turned, R @ n, R @ m) == pytest.approx(shear_modulus(C, n, m), rel=1e-9)
    assert poisson_ratio(turned, R @ n, R @ m) == pytest.approx(
        poisson_ratio(C, n, m), rel=1e-9, abs=1e-9
    )


@prop
@given(C=definite(6), scale=moduli)
def test_reciprocity_bounds_and_units(C, scale):
    n, m = np.array([1.0, 2, -1]), np.array([1.0, 0, 1])
    assert poisson_ratio(C, n, m) / young_modulus(C, n) == pytest.approx(
        poisson_ratio(C, m, n) / young_modulus(C, m), rel=1e-9, abs=1e-9
    )
    assert shear_modulus(C, n, m) == pytest.approx(shear_modulus(C, m, n), rel=1e-12)
    found, scaled = engineering_constants(C), engineering_constants(scale * C)
    assert found["K_Reuss"] <= found["K_Voigt"] * (1 + 1e-12)
    assert found["G_Reuss"] <= found["G_Voigt"] * (1 + 1e-12)
    assert found["universal_anisotropy"] >= -1e-9
    for name, value in found.items():
        unit = scale if name[0] in "EGK" else 1.0
        assert scaled[name] == pytest.approx(unit * value, rel=1e-8, abs=1e-8 * unit)


@prop
@given(C=definite(6))
def test_constants_are_those_of_the_inverse(C):
    S = np.linalg.inv(C)
    found = engineering_constants(C)
    assert found["E2"] == pytest.approx(1 / S[1, 1], rel=1e-9)
    assert found["nu13"] == pytest.approx(-S[2, 0] / S[0, 0], rel=1e-9, abs=1e-9)
    assert found["G13"] == pytest.approx(1 / (2 * S[4, 4]), rel=1e-9)
    reuss = np.linalg.inv(tensors.project(S, "isotropic"))
    assert found["G_Reuss"] == pytest.approx(reuss[3, 3] / 2, rel=1e-9)
    assert found["K_Reuss"] == pytest.approx(reuss[:3, :3].sum() / 9, rel=1e-9)


# --- Singular stiffness ----------------------------------------------------------------------


@pytest.mark.parametrize("m", [3, 6])
def test_void(m):
    found = engineering_constants(np.zeros((m, m)))
    for name, value in found.items():
        if name[0] in "EGK":
            assert value == 0, name
        else:
            assert np.isnan(value), name
    assert closest_symmetry(np.zeros((m, m)), 0.0).name == "isotropic"


def test_plates_that_do_not_touch():
    C = np.zeros((6, 6))  # plane stress plates, E = 3, nu = 0.25, free across axis 3
    C[:2, :2] = 3 / (1 - 0.25**2) * np.array([[1, 0.25], [0.25, 1]])
    C[5, 5] = 3 / 1.25
    found = engineering_constants(C)
    assert [found[name] for name in ("E1", "E2", "nu12", "G12")] == pytest.approx(
        [3, 3, 0.25, 3 / 2.5]
    )
    assert [found[name] for name in ("E3", "G13", "G23", "K_Reuss", "G_Reuss")] == [0] * 5
    assert np.isnan([found["nu13"], found["nu23"]]).all()
    assert found["universal_anisotropy"] == np.inf
    assert young_modulus(C, [1, 0, 1]) == 0
    np.testing.assert_allclose(young_modulus(C, np.eye(3)), [3, 3, 0], rtol=1e-12)
    assert closest_symmetry(C, 1e-9)[:2] == ("transversely isotropic", 2)


def test_fluid_resists_pressure_only():
    found = engineering_constants(np.pad(np.full((3, 3), 2.0), (0, 3)))
    assert found["K_Reuss"] == pytest.approx(2)
    assert [found[name] for name in ("E1", "E", "G", "G_Reuss", "G12")] == pytest.approx([0] * 5)
    assert found["nu"] == pytest.approx(0.5)
    assert np.isnan(found["zener"])


@prop
@given(A=arrays(float, (6, 2), elements=st.integers(-9, 9)), R=rotations)
def test_rank_deficient_stiffness_never_crashes(A, R):
    C = tensors.rotate_mandel4(A @ A.T, R)
    found = engineering_constants(C)
    assert all(found[name] >= 0 for name in NINE if name[0] in "EG")
    assert found["G_Reuss"] == 0  # two directions cannot carry five shears


def test_insulating_direction():
    found = engineering_constants(np.diag([2.0, 0.0, 1.0]), kind="conductivity")
    assert found["anisotropy"] == np.inf
    np.testing.assert_array_equal(found["principal"], [2, 1, 0])
    zero = engineering_constants(np.zeros((2, 2)), kind="conductivity")
    assert np.isnan(zero["anisotropy"])


# --- Closest symmetry ------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 3])
def test_every_class_is_recognised(d):
    rng = np.random.default_rng(3)
    A = rng.normal(size=(tensors.component_count(d),) * 2)
    for name in tensors.SYMMETRIES[d]:
        found = closest_symmetry(tensors.project(A @ A.T, name), 1e-9)
        assert found.name == name
        assert found.distance < 1e-12


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_main_axis_and_frame_are_found(axis):
    A = np.random.default_rng(4).normal(size=(6, 6))
    C = tensors.project(A @ A.T, "tetragonal", axis=axis)
    assert closest_symmetry(C, 1e-9)[:2] == ("tetragonal", axis)
    R = tensors.rotation_from_euler([0.3, 0.5, 0.7])
    turned = tensors.rotate_mandel4(C, R)
    assert closest_symmetry(turned, 1e-9).name == "triclinic"
    assert closest_symmetry(turned, 1e-9, frame=R)[:2] == ("tetragonal", axis)


def test_tolerance_and_conductivity():
    zener_is_small = tensors.distance(COPPER, "isotropic")
    assert closest_symmetry(COPPER, 0.99 * zener_is_small).name == "cubic"
    assert closest_symmetry(COPPER, 1.01 * zener_is_small).name == "isotropic"
    k = np.diag([3.0, 1.0, 1.0])
    assert closest_symmetry(k, 1e-6, kind="conductivity")[:2] == ("transversely isotropic", 0)


# --- Bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [[0, 0, 0], [np.nan, 0, 1], [np.inf, 0, 0], [1, 0], 1.0])
def test_bad_directions(n):
    with pytest.raises(InputError, match="`n` must"):
        young_modulus(COPPER, n)


@pytest.mark.parametrize("function", [poisson_ratio, shear_modulus])
def test_directions_must_be_perpendicular(function):
    with pytest.raises(InputError, match="perpendicular"):
        function(COPPER, [1, 0, 0], [1, 1, 0])
    with pytest.raises(InputError, match="one shape"):
        function(COPPER, np.eye(3), [1, 1, 0])


@pytest.mark.parametrize(
    ("C", "kind", "message"),
    [
        (np.eye(4), "stiffness", r"must have shape \(3, 3\) or \(6, 6\)"),
        (np.eye(6), "conductivity", r"must have shape \(2, 2\) or \(3, 3\)"),
        (np.full((6, 6), np.nan), "stiffness", "must be finite"),
        (np.triu(np.ones((6, 6))), "stiffness", "must be symmetric"),
        (-np.eye(6), "stiffness", "must be positive semi-definite"),
        (np.diag([1.0, -1.0]), "conductivity", "must be positive semi-definite"),
        (np.eye(3), "heat", "`kind` must be"),
    ],
)
def test_bad_tensors(C, kind, message):
    with pytest.raises(InputError, match=message):
        engineering_constants(C, kind)


def test_bad_tolerance():
    with pytest.raises(InputError, match="`tolerance` must be"):
        closest_symmetry(COPPER, np.nan)


def test_examples_in_the_docstrings():
    assert doctest.testmod(constants).failed == 0
