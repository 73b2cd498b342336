"""Average states of which gradient or flux is prescribed, their local fields, and Levin's relation.

Record ids (el.…) are those of the project's collection of reference values.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge import InputError, tensors
from scalebridge.laws import Conduction, IsotropicElastic, Void
from scalebridge.upscaling.driving import average_state

TWO = {"a": 0, "b": 1}
SPACING = (0.02, 0.03, 0.025)  # of no unit volume
NAN = np.nan
NAMES = ("11", "22", "33", "23", "13", "12")
LAWS = {
    "conduction": (Conduction(1.0), Conduction(20.0)),
    "elasticity": (IsotropicElastic(1.0, 0.3), IsotropicElastic(20.0, 0.1)),
}


def image(seed, shape):
    labels = np.random.default_rng(seed).integers(0, 2, shape)
    labels.flat[:2] = 0, 1
    return labels


@cache
def solved(physics, shape, boundary, element="full", plane=None):
    """Effective tensor with fields, of a random image."""
    micro = sb.Microstructure(image(3, shape), SPACING[: len(shape)], TWO)
    laws = dict(zip("ab", LAWS[physics], strict=True))
    cell = sb.Cell(micro, laws, boundary=boundary, element=element, plane=plane)
    return sb.effective(cell, 1e-10, "residual", fields=True)


def mean(field):
    return field.reshape(len(field), -1).mean(axis=1)


# --- The algebra of average states -----------------------------------------------------------


def numbers(size):
    return arrays(float, size, elements=st.floats(-2, 2, allow_subnormal=False))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    gradient=numbers(6),
    flux=numbers(6),
    given_flux=arrays(bool, 6),
)
def test_any_split_is_completed(seed, gradient, flux, given_flux):
    """What was asked for comes back, and flux is the tensor times the gradient."""
    A = np.random.default_rng(seed).normal(size=(6, 6))
    C = A @ A.T + 0.1 * np.eye(6)
    state = average_state(
        C, np.where(given_flux, NAN, gradient), np.where(given_flux, flux, NAN), NAMES
    )
    assert np.array_equal(state.gradient[~given_flux], gradient[~given_flux])
    assert np.array_equal(state.flux[given_flux], flux[given_flux])
    # Rounding, times the condition number of C: some hundreds.
    np.testing.assert_allclose(state.flux, C @ state.gradient, rtol=0, atol=1e-10)
    # Left out is the same as all NaN, and lists serve as well.
    if given_flux.all():
        same = average_state(C, None, list(flux), NAMES)
    elif not given_flux.any():
        same = average_state(C, list(gradient), None, NAMES)
    else:
        return
    assert np.array_equal(same.gradient, state.gradient)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1), prescribed=arrays(bool, 6), values=numbers(6), step=numbers(6)
)
def test_completion_is_a_stationary_energy(seed, prescribed, values, step):
    """Where no flux is prescribed but zero, the completed gradient has the least energy."""
    A = np.random.default_rng(seed).normal(size=(6, 6))
    C = A @ A.T + 0.1 * np.eye(6)
    gradient = np.where(prescribed, values, NAN)
    state = average_state(C, gradient, np.where(prescribed, NAN, 0.0), NAMES)
    other = state.gradient + np.where(prescribed, 0.0, step)
    least = state.gradient @ C @ state.gradient
    assert other @ C @ other >= least - 1e-12 * max(1.0, least)


def test_medium_without_modulus_in_a_direction():
    """A flux across it is infeasible; none is not, and leaves the gradient at zero there."""
    k = np.diag([2.0, 0.0])
    with pytest.raises(InputError, match=r"`flux` is infeasible: .*the flux 1, 2 asks for"):
        average_state(k, None, [1.0, 1e-3], ("1", "2"))
    with pytest.raises(InputError, match="infeasible"):
        average_state(k, [1.0, NAN], [NAN, -1.0], ("1", "2"))
    state = average_state(k, None, [1.0, 0.0], ("1", "2"))
    np.testing.assert_array_equal(state.gradient, [0.5, 0.0])
    np.testing.assert_array_equal(state.flux, [1.0, 0.0])
    # However small the units are, and turned.
    tiny = average_state(1e-20 * k, None, [1e-20, 0.0], ("1", "2"))
    np.testing.assert_allclose(tiny.gradient, [0.5, 0.0], rtol=1e-12)
    turn = tensors.rotation_in_plane(30, degrees=True)
    turned = turn @ k @ turn.T
    np.testing.assert_allclose(
        average_state(turned, None, turn[:, 0], ("1", "2")).gradient, 0.5 * turn[:, 0], atol=1e-12
    )
    with pytest.raises(InputError, match="infeasible"):
        average_state(turned, None, [1.0, 0.0], ("1", "2"))


def test_a_cell_that_carries_nothing_across():
    """Layers with gaps: no flux can be driven across them."""
    labels = np.repeat([0, 0, 1], 2)[:, None] * np.ones((1, 4), int)
    micro = sb.Microstructure(labels, 1.0, TWO)
    cell = sb.Cell(micro, {"a": Conduction(3.0), "b": Void()})
    eff = sb.effective(cell, 1e-9, "residual", fields=True)
    with pytest.raises(InputError, match="`flux` is infeasible"):
        eff.average(flux=[1.0, 0.0])
    with pytest.raises(InputError, match="`flux` is infeasible"):
        eff.local(flux=[1.0, 0.0])
    local = eff.local(flux=[0.0, 1.0])
    np.testing.assert_allclose(mean(local.flux), [0, 1], atol=1e-9)
    np.testing.assert_allclose(mean(local.gradient), [0, 0.5], atol=1e-9)


REFUSED = {
    "twice": (([1.0, 0.0], [1.0, NAN]), "both gradient and flux are given for 1"),
    "not at all": (([NAN, 0.0], [NAN, NAN]), "neither gradient nor flux are given for 1"),
    "nothing": ((None, None), "neither gradient nor flux are given for 1, 2"),
    "too many": (([1.0, 0.0, 0.0], None), "`gradient` must be 2 numbers, NaN where it is free"),
    "infinite": ((None, [np.inf, 0.0]), "`flux` must be 2 numbers, NaN where it is free"),
    "words": ((None, "xy"), "`flux` must be 2 numbers, NaN where it is free"),
}


@pytest.mark.parametrize(("arguments", "match"), REFUSED.values(), ids=REFUSED)
def test_refused(arguments, match):
    with pytest.raises(InputError, match=match) as caught:
        average_state(np.eye(2), *arguments, ("1", "2"))
    assert "\n" not in str(caught.value)


# --- Local fields under mixed states ---------------------------------------------------------

HELD = [
    ("conduction", (6, 5), "periodic", "full", None),
    ("conduction", (6, 5), "static", "reduced", None),
    ("conduction", (6, 5), "kinematic", "full", None),
    ("elasticity", (6, 5), "periodic", "bbar", "strain"),
    ("elasticity", (6, 5), "static", "full", "stress"),
    ("elasticity", (6, 5), "rollers", "reduced", "strain"),
    ("elasticity", (5, 4), "kinematic", "full", "generalized"),
]


@pytest.mark.parametrize("case", HELD)
@settings(deadline=None, max_examples=6)
@given(data=st.data())
def test_local_fields_average_to_what_was_asked(case, data):
    """Gradient where gradient, flux where flux; and Hill–Mandel, ⟨σ·ε⟩ = σ̄·ε̄."""
    eff = solved(*case)
    size = len(eff.tensor)
    values, by_flux = data.draw(numbers(size)), data.draw(arrays(bool, size))
    local = eff.local(gradient=np.where(by_flux, NAN, values), flux=np.where(by_flux, values, NAN))
    gradient, flux = mean(local.gradient), mean(local.flux)
    scale = max(np.abs(gradient).max(), np.abs(flux).max(), 1.0)
    asked = np.where(by_flux, flux, gradient)
    # Fluxes are of first order in the residual, 1e-10.
    np.testing.assert_allclose(asked, values, rtol=0, atol=1e-8 * scale)
    state = eff.average(np.where(by_flux, NAN, values), np.where(by_flux, values, NAN))
    np.testing.assert_allclose(gradient, state.gradient, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(flux, state.flux, rtol=0, atol=1e-8 * scale)
    if case[3] == "reduced":  # there the voxel's mean is all that has energy
        work = np.mean(np.sum(local.gradient * local.flux, axis=0))
        assert work == pytest.approx(gradient @ flux, abs=1e-8 * scale**2)


def test_engineering_states_in_space():
    """Uniaxial stress gives E, a contraction ν and a shear G; biaxial strain, plane stress."""
    eff = solved("elasticity", (3, 4, 4), "periodic")
    found = eff.engineering_constants()
    for axis in range(3):
        stress = np.eye(6)[axis]
        state = eff.average(flux=stress)
        assert 1 / state.gradient[axis] == pytest.approx(found[f"E{axis + 1}"], rel=1e-10)
        assert 1 / state.gradient[axis] == pytest.approx(
            float(eff.young_modulus(np.eye(3)[axis])), rel=1e-10
        )
    pulled = eff.average(flux=np.eye(6)[0]).gradient
    assert -pulled[1] / pulled[0] == pytest.approx(found["nu12"], rel=1e-9)
    sheared = eff.average(flux=np.eye(6)[5])
    # Mandel: √2 ε₁₂ under √2 σ₁₂, hence 2G.
    assert 1 / sheared.gradient[5] == pytest.approx(2 * found["G12"], rel=1e-9)

    # Between grips, sideways free: the same bar, driven by its strain.
    grips = eff.average([1e-3, *[NAN] * 5], [NAN, *[0.0] * 5])
    assert grips.flux[0] == pytest.approx(1e-3 * found["E1"], rel=1e-10)
    biaxial = eff.average([1.0, 1.0, *[NAN] * 4], [NAN, NAN, *[0.0] * 4])
    np.testing.assert_allclose(biaxial.flux[2:], 0, atol=0)
    S = np.linalg.inv(eff.tensor)[:2, :2]  # plane stress
    np.testing.assert_allclose(biaxial.flux[:2], np.linalg.solve(S, [1.0, 1.0]), rtol=1e-10)
    local = eff.local(flux=[0, 0, 1.0, 0, 0, 0])
    np.testing.assert_allclose(mean(local.flux), np.eye(6)[2], rtol=0, atol=1e-8)


def test_an_incomplete_tensor_answers_nothing():
    micro = sb.Microstructure(image(3, (6, 5)), 1.0, TWO)
    cell = sb.Cell(micro, dict(zip("ab", LAWS["conduction"], strict=True)), element="full")

    def stop(step):
        if step.case == 1:
            raise KeyboardInterrupt

    with pytest.raises(sb.Interrupted) as caught:
        sb.effective(cell, fields=True, progress=stop)
    for ask in (caught.value.partial.average, caught.value.partial.local):
        with pytest.raises(InputError):
            ask(flux=[1.0, 0.0])


# --- Levin's relation ------------------------------------------------------------------------

SIX = np.array([1.0, 1, 1, 0, 0, 0])


def levin(alpha, K, compliance):
    """α* = ⟨α⟩ + (α₂ − α₁)/(1/K₂ − 1/K₁) (1/K* − ⟨1/K⟩) for each component: 1/3K → S : 1.

    The fractions cancel.
    """
    first = alpha[0] - (alpha[1] - alpha[0]) * (1 / K[0]) / (1 / K[1] - 1 / K[0])
    return first * SIX + 3 * (alpha[1] - alpha[0]) / (1 / K[1] - 1 / K[0]) * compliance @ SIX


def test_levin_formula():
    """el.levin: K = 62.5 and 222.222, α = 1e-5 and 2e-6, K* = 82.8454491858637."""
    K = 82.8454491858637
    S = np.linalg.inv(np.pad(np.full((3, 3), K - 2 / 3 * 30), (0, 3)) + 60 * np.eye(6))
    found = levin((1e-5, 2e-6), (62.5, 222.222), S)
    # The record's K₂ is 2000/9, which 222.222 abbreviates: 1e-6 of it.
    np.testing.assert_allclose(found[:3], 7.266551317857848e-06, rtol=1e-6)


def bulk_modulus(law):
    return float(law.E / (3 * (1 - 2 * law.nu)))


def expansion(eff, labels, moduli, alpha):
    """Levin 1967: σ* = ⟨Aᵀ C α⟩ at no strain, with A the strain concentration of unit loads."""
    strains = np.stack([eff.local(e).gradient.reshape(6, -1) for e in np.eye(6)])
    thermal = np.stack([a * C @ SIX for a, C in zip(alpha, moduli, strict=True)])
    stress = np.einsum("acv,vc->a", strains, thermal[labels.ravel()]) / labels.size
    return np.linalg.solve(eff.tensor, stress)


CASES = [
    ((4, 5), "periodic", "reduced"),
    ((4, 5), "kinematic", "full"),
    ((4, 5), "static", "bbar"),
    ((3, 4, 4), "periodic", "full"),
]


@pytest.mark.parametrize(("shape", "boundary", "element"), CASES)
@settings(deadline=None, max_examples=4)
@given(
    seed=st.integers(0, 2**32 - 1),
    E=st.floats(2.0, 50.0),
    nu=st.floats(-0.4, 0.45),
    hot=st.floats(-3.0, 3.0),
)
def test_levin_relation(shape, boundary, element, seed, E, nu, hot):
    """Thermal expansion from elastic fields, exact on any image, grid, element and in any space.

    At one temperature and strain both phases have the same pressure: a homogeneous state, which
    no space disturbs. The expansion of an irregular image is a tensor, and so is the relation.
    """
    labels = image(seed, shape)
    laws = IsotropicElastic(1.0, 0.3), IsotropicElastic(E, nu)
    K = [bulk_modulus(law) for law in laws]
    assume(abs(K[1] / K[0] - 1) > 0.05)  # else a quotient of two small numbers
    micro = sb.Microstructure(labels, 1.0, TWO)
    plane = "generalized" if len(shape) == 2 else None
    cell = sb.Cell(
        micro, dict(zip("ab", laws, strict=True)), boundary=boundary, element=element, plane=plane
    )
    eff = sb.effective(cell, 1e-10, "residual", fields=True)
    alpha = (1.0, hot)
    found = expansion(eff, labels, np.asarray(cell.phase_moduli()), alpha)
    expected = levin(alpha, K, np.linalg.inv(eff.tensor))
    scale = np.abs(expected).max() + abs(hot - 1) / abs(K[0] / K[1] - 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * scale)
