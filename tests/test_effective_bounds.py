"""Bounds on random images, and the two limits of a phase: nothing, and rigid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge.cell.discretisation import ELEMENTS
from scalebridge.laws import Conduction, IsotropicElastic, Rigid, Void

elements = pytest.mark.parametrize("element", ELEMENTS)
ODD, EVEN = (15, 15), (16, 16)
SOLVED = {"tolerance": 1e-9, "measure": "residual"}  # the tensor's error is the square of it


def images(shape):
    """Random images of two phases, each with a voxel at least."""

    def complete(labels):
        labels.flat[:2] = 0, 1
        return labels

    return arrays(np.int8, shape, elements=st.integers(0, 1)).map(complete)


def cell(labels, laws, **options):
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    plane = "strain" if labels.ndim == 2 and _is_elastic(laws) else None
    return sb.Cell(micro, dict(zip("ab", laws, strict=True)), plane=plane, **options)


def _is_elastic(laws):
    return any(isinstance(law, IsotropicElastic) for law in laws)


def tensor(labels, laws, **options):
    return sb.effective(cell(labels, laws, **options), **SOLVED).tensor


def phases(physics, contrast, nu=0.2):
    if physics == "conduction":
        return Conduction(1.0), Conduction(contrast)
    return IsotropicElastic(1.0, 0.3), IsotropicElastic(contrast, nu)


def below(smaller, larger):
    """A ≤ B as quadratic forms, to rounding."""
    return np.linalg.eigvalsh(larger - smaller)[0] > -1e-10 * np.abs(larger).max()


# --- Bounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("physics", ["conduction", "elasticity"])
@settings(deadline=None, max_examples=12)
@given(labels=images(ODD), contrast=st.floats(0.01, 100.0), nu=st.floats(-0.5, 0.49))
def test_reuss_and_voigt_and_the_elements_between(physics, labels, contrast, nu):
    """Reuss ≤ reduced ≤ bbar ≤ full ≤ Voigt, as quadratic forms.

    On one and the same field the elements see less and less of the hourglass energy; without a
    fluctuation each gives Voigt's value; and the mean gradient of each voxel averages to ē, so
    that Reuss's bound follows from convexity for each of them.
    """
    laws = phases(physics, contrast, nu)
    moduli = np.asarray(cell(labels, laws).phase_moduli())
    share = np.array([1 - labels.mean(), labels.mean()])
    voigt = np.tensordot(share, moduli, 1)
    reuss = np.linalg.inv(np.tensordot(share, np.linalg.inv(moduli), 1))
    reduced, bbar, full = (tensor(labels, laws, element=e) for e in ("reduced", "bbar", "full"))
    chain = [reuss, reduced, bbar, full, voigt]
    for smaller, larger in pairwise(chain):
        assert below(smaller, larger)


@settings(deadline=None, max_examples=8)
@given(
    labels=images(ODD),
    contrast=st.just(0.0) | st.floats(1e-3, 100.0),
    more=st.floats(0.1, 10.0),
)
def test_stiffer_phases_make_a_stiffer_cell(labels, contrast, more):
    """Monotony (also from void): what is stiffer everywhere is stiffer as a whole."""
    soft, stiff = ((Conduction(1.0), Conduction(k)) for k in (contrast, contrast + more))
    for element in ("reduced", "full"):
        assert below(tensor(labels, soft, element=element), tensor(labels, stiff, element=element))


# --- Void ------------------------------------------------------------------------------------

POROUS = {
    "conduction": (Conduction(1.0), Void()),
    "elasticity": (IsotropicElastic(1.0, 0.3), Void()),
}
porous = pytest.mark.parametrize("laws", POROUS.values(), ids=POROUS)


def square(inner, outer):
    """A square frame of 1 on 0: from `outer` voxels off the centre down to `inner`."""
    x = np.abs(np.arange(16) - 7.5)
    far = np.maximum.outer(x, x)
    return ((far > inner) & (far < outer)).astype(int)


@elements
@porous
def test_a_floating_island_carries_nothing(laws, element):
    hole, with_island = square(0, 4), square(2, 4)
    assert with_island.sum() < hole.sum()
    expected = tensor(hole, laws, element=element)
    floating = cell(with_island, laws, element=element)
    found = sb.effective(floating, **SOLVED)
    np.testing.assert_allclose(found.tensor, expected, rtol=0, atol=1e-12)
    assert any("floats in the void" in warning for warning in found.warnings)


@elements
@porous
@pytest.mark.parametrize("measure", ["tensor", "residual"])
def test_matter_that_does_not_percolate(laws, element, measure):
    """Zero to rounding, in as many iterations as any other cell, and with a warning."""
    blocks = cell(square(0, 4), laws[::-1], element=element)
    found = sb.effective(blocks, 1e-6, measure)
    assert found.converged
    assert max(found.iterations) < 40
    # Of the solid's modulus 1; a field off by 1e-6 would show 1e-12.
    np.testing.assert_allclose(found.tensor, 0, atol=1e-12)
    assert sum("does not percolate" in warning for warning in found.warnings) == 2


def test_random_dust_does_not_percolate():
    rng = np.random.default_rng(0)
    dust = (rng.random((16, 16, 16)) < 0.3).astype(int)
    dust[0], dust[:, 0], dust[:, :, 0] = 0, 0, 0
    found = sb.effective(cell(dust, (Void(), Conduction(1.0))))
    np.testing.assert_allclose(found.tensor, 0, atol=1e-11)


@elements
def test_layers_with_gaps(element):
    """Nothing across, and the layers' own modulus along them: plane stress across, E/(1 − ν²)."""
    labels = np.repeat([0, 0, 0, 1], 4)[:, None] * np.ones((1, 16), int)
    k = tensor(labels, (Conduction(2.0), Void()), element=element)
    np.testing.assert_allclose(k, np.diag([0, 1.5]), atol=1e-12)
    C = tensor(labels, (IsotropicElastic(1.0, 0.25), Void()), element=element)
    along = 0.75 * 1.0 / (1 - 0.25**2)
    np.testing.assert_allclose(C, np.diag([0, along, 0]), atol=1e-12)


@porous
def test_void_is_the_limit_of_a_weak_phase(laws):
    """The error is linear in what is left: 1e-6 against 1e-3 of the solid."""
    labels, solid = square(0, 4), laws[0]
    limit = tensor(labels, laws, element="full")
    gaps = []
    for weak in (1e-3, 1e-6):
        filler = Conduction(weak) if isinstance(solid, Conduction) else IsotropicElastic(weak, 0.3)
        gaps.append(np.linalg.norm(tensor(labels, (solid, filler), element="full") - limit))
    assert gaps[1] == pytest.approx(1e-3 * gaps[0], rel=0.05)


def test_zero_constants_are_void():
    """k = 0 and E = 0 mean the same as Void()."""
    labels = square(0, 4)
    for laws, zero in (
        (POROUS["conduction"], Conduction(0.0)),
        (POROUS["elasticity"], IsotropicElastic(0.0, 0.3)),
    ):
        same = tensor(labels, (laws[0], zero))
        np.testing.assert_allclose(same, tensor(labels, laws), rtol=0, atol=1e-14)


def test_hourglass_share_is_reported():
    """One-point elements beside void: the share of the energy that they do not see."""
    labels = square(0, 4)
    eff = {e: sb.effective(cell(labels, POROUS["elasticity"], element=e)) for e in ELEMENTS}
    assert eff["full"].hourglass is None
    assert eff["bbar"].hourglass is None
    assert 0.01 < eff["reduced"].hourglass < 0.5
    solid = sb.effective(cell(labels, phases("elasticity", 10.0), element="reduced"))
    assert solid.hourglass is None
    layers = np.repeat([0, 1], 8)[:, None] * np.ones((1, 16), int)
    uniform = sb.effective(cell(layers, POROUS["elasticity"], element="reduced"))
    assert abs(uniform.hourglass) < 1e-12


def test_thin_struts_are_told():
    lattice = np.ones(EVEN, int)
    lattice[::8], lattice[:, ::8] = 0, 0  # struts of one voxel
    thin = cell(lattice, POROUS["elasticity"])
    assert any("struts thinner than 3 voxels" in warning for warning in thin.warnings)
    assert not cell(square(0, 4), POROUS["elasticity"]).warnings
    assert not cell(lattice, phases("elasticity", 10.0)).warnings


# --- Nearly incompressible, and rigid --------------------------------------------------------


def test_full_integration_locks_and_mean_dilatation_does_not():
    """ν = 0.4999 around a cylindrical hole: the load is a change of volume, carried by shear.

    The shell's stiffness stays finite for ν → ½. A trilinear voxel has one volume constraint at
    each Gauss point and then no freedom left to bend around the hole.
    """

    def bulk_modulus(n, element, nu):
        micro = sb.generate.centred_sphere((n, n), 0.3)
        laws = {"matrix": IsotropicElastic(1.0, nu), "sphere": Void()}
        C = sb.effective(sb.Cell(micro, laws, element=element, plane="strain"), 1e-7).tensor
        return C[:2, :2].sum() / 4

    near = {element: bulk_modulus(16, element, 0.4999) for element in ELEMENTS}
    finer = bulk_modulus(32, "bbar", 0.4999)
    # Hashin's cylinder: k* = μ (1 − f)/f as k → ∞, the bound for any arrangement.
    bound = 1 / (2 * 1.4999) * (1 - 0.3) / 0.3
    assert near["bbar"] == pytest.approx(finer, rel=0.05)
    assert near["bbar"] < bound * 1.05  # the hole of 16² voxels is a little smaller
    assert near["full"] > 5 * near["bbar"]
    # Far from incompressible the elements agree.
    moderate = [bulk_modulus(16, element, 0.3) for element in ("full", "bbar")]
    assert moderate[0] == pytest.approx(moderate[1], rel=0.05)


@pytest.mark.parametrize("physics", ["conduction", "elasticity"])
def test_rigid_is_told_and_its_error_is_one_over_the_factor(physics):
    """Layers, half of them rigid: k_xx = 2 k, C_11 = 2 (λ + 2μ), over 1 + 1/F with a factor F."""
    labels = np.repeat([0, 1], 8)[:, None] * np.ones((1, 16), int)
    soft = phases(physics, 1.0)[0]
    exact = 2 * np.asarray(soft.modulus)[0, 0]
    errors = []
    for factor in (1e2, 1e3, 1e4):
        stiff = cell(labels, (soft, Rigid(factor)))
        errors.append(1 - sb.effective(stiff, **SOLVED).tensor[0, 0] / exact)
        assert any(
            "'b' is rigid: approximated by" in w and f"{1 / factor:.0e}" in w
            for w in stiff.warnings
        )
        assert 0 < errors[-1] < 1 / factor
    np.testing.assert_allclose(np.array(errors[1:]) / errors[:-1], 0.1, rtol=0.1)


def test_rigid_inclusions_converge_with_the_factor():
    """Where the limit is not known: differences go down by ten with each factor ten."""
    labels = square(0, 4)
    soft = IsotropicElastic(1.0, 0.3)
    C = [tensor(labels, (soft, Rigid(factor)), element="full") for factor in (1e3, 1e4, 1e5)]
    assert below(C[0], C[1])
    assert below(C[1], C[2])
    ratio = np.linalg.norm(C[2] - C[1]) / np.linalg.norm(C[1] - C[0])
    assert ratio == pytest.approx(0.1, rel=0.05)
