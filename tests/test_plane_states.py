"""Plane strain, plane stress, and long bodies under all six average strains.

Record ids (el.…) are those of the project's collection of reference values.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge import InputError, tensors
from scalebridge.analytic import Laminate
from scalebridge.laws import Elastic, IsotropicElastic, PlaneStrain, PlaneStress
from scalebridge.tensors import rotation_from_euler

SOLVED = {"tolerance": 1e-9, "measure": "residual"}  # the tensor's error is the square of it
elements = pytest.mark.parametrize("element", ["reduced", "full", "bbar"])
IN = np.array([0, 1, 5])  # 11, 22, 12 of six
TWO = {"a": 0, "b": 1}


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def cell_of(labels, laws, spacing=1.0, **options):
    micro = sb.Microstructure(labels, spacing, TWO)
    return sb.Cell(micro, dict(zip("ab", laws, strict=True)), **options)


def solve(labels, laws, spacing=1.0, **options):
    return sb.effective(cell_of(labels, laws, spacing, **options), **SOLVED)


def anisotropic(seed):
    A = np.random.default_rng(seed).normal(size=(6, 6))
    return Elastic(A @ A.T + 0.2 * np.eye(6))


def layers(shape, axis):
    """Half and half where the side is even."""
    ramp = (np.arange(shape[axis]) >= shape[axis] // 2).astype(int)
    return np.broadcast_to(ramp.reshape([-1 if a == axis else 1 for a in range(len(shape))]), shape)


# --- Plane stress ----------------------------------------------------------------------------


def thin_laminate(f, A, B):
    """Q of layers normal to y in plane stress, from engineering constants: 11, 22, 12; 66."""
    (E_A, nu_A), (E_B, nu_B) = A, B
    D = f * (1 - nu_A**2) / E_A + (1 - f) * (1 - nu_B**2) / E_B
    nu = f * nu_A + (1 - f) * nu_B
    shear = f * 2 * (1 + nu_A) / E_A + (1 - f) * 2 * (1 + nu_B) / E_B
    return jnp.array([f * E_A + (1 - f) * E_B + nu**2 / D, 1 / D, nu / D, 1 / shear])


def entries(mandel):
    """Q11, Q22, Q12, Q66."""
    return jnp.array([mandel[0, 0], mandel[1, 1], mandel[0, 1], mandel[2, 2] / 2])


@elements
@settings(deadline=None, max_examples=6)
@given(
    E=st.floats(2.0, 50.0),
    nu=st.tuples(st.floats(-0.4, 0.49), st.floats(-0.4, 0.49)),
)
def test_thin_laminate_entry_by_entry(element, E, nu):
    """Two fifths of A along y, exact with every element."""
    laws = IsotropicElastic(1.0, nu[0]), IsotropicElastic(E, nu[1])
    cell = cell_of(layers((4, 5), 1), laws, plane="stress", element=element)
    # By the energy's error: the residual is relative to loads that nearly vanish for some ν.
    C = sb.effective(cell, 1e-12).tensor
    close(entries(C), thin_laminate(0.4, (1.0, nu[0]), (E, nu[1])))
    assert np.abs(C[:2, 2]).max() < 1e-12 * C.max()


def test_long_fibre_in_plane_stress():
    """el.ghosh.long (Ghosh, Lee & Moorthy 1995, IJSS 32:27): layers normal x, half and half."""
    laws = IsotropicElastic(400.0, 0.2), IsotropicElastic(72.5, 0.33)
    voigt = solve(layers((4, 4), 0), laws, plane="stress").voigt
    found = voigt[[0, 1, 0, 2], [0, 1, 1, 2]]
    # Half a unit of the last printed digit.
    assert np.all(np.abs(found - [136.1, 245.8, 36.08, 46.85]) < [0.05, 0.05, 0.005, 0.005])


def test_turned_phases_in_plane_stress():
    """Turned in space first, then freed of stress: the inverse of the in-plane compliance."""
    law, angles = anisotropic(0), [0.4, 1.2, -0.3]
    labels = layers((4, 4), 0)
    cell = cell_of(labels, [law, law], plane="stress", orientation=dict.fromkeys("ab", angles))
    turned = tensors.rotate_mandel4(np.asarray(law.modulus), rotation_from_euler(angles))
    expected = np.linalg.inv(np.linalg.inv(turned)[np.ix_(IN, IN)])
    close(sb.effective(cell, **SOLVED).tensor, expected, 1e-12)


def test_plane_stress_of_a_cell_is_that_of_its_laws():
    """`plane="stress"` and laws that are plane already mean the same."""
    laws = [anisotropic(0), IsotropicElastic(2.0, 0.4)]
    labels = np.random.default_rng(0).integers(0, 2, (4, 5))
    by_cell = solve(labels, laws, plane="stress").tensor
    close(solve(labels, [PlaneStress(law) for law in laws], plane="stress").tensor, by_cell, 1e-12)
    softer = solve(labels, laws, plane="strain").tensor - by_cell
    assert np.linalg.eigvalsh(softer)[0] > -1e-10  # free across is softer than held


def test_derivatives_of_a_thin_laminate():
    """Of each entry by E and ν of both phases, against those of the formula."""
    p = jnp.array([1.0, 0.3, 8.0, 0.1])

    @jax.jit
    @jax.jacfwd
    def by_cell(q):
        laws = IsotropicElastic(q[0], q[1]), IsotropicElastic(q[2], q[3])
        cell = cell_of(layers((4, 5), 1), laws, plane="stress", tolerance=1e-11)
        return entries(cell.tangent())

    by_formula = jax.jacfwd(lambda q: thin_laminate(0.4, q[:2], q[2:]))(p)
    # First order in the residual, amplified by the root of the contrast at most.
    np.testing.assert_allclose(by_cell(p), by_formula, rtol=0, atol=1e-9)


# --- Long bodies -----------------------------------------------------------------------------


@elements
@pytest.mark.parametrize("ends", ["periodic", "kinematic"])
def test_generalized_cell_is_the_extruded_one(element, ends):
    """Anisotropic phases, two voxels along the axis, of any length: the same tensor (6, 6)."""
    labels = np.random.default_rng(1).integers(0, 2, (4, 3))
    laws = [anisotropic(0), anisotropic(1)]
    flat = solve(
        labels, laws, (1.0, 0.7), plane="generalized", element=element, boundary=ends
    ).tensor
    boundary = {"x": ends, "y": ends, "z": "periodic"}
    tall = np.repeat(labels[..., None], 2, axis=2)
    solid = solve(tall, laws, (1.0, 0.7, 1.9), element=element, boundary=boundary).tensor
    close(flat, solid)
    # The block in the plane is plane strain's only where no coupling warps the section.
    isotropic = [IsotropicElastic(1.0, 0.3), IsotropicElastic(10.0, 0.1)]
    whole = solve(labels, isotropic, (1.0, 0.7), plane="generalized", element=element).tensor
    strain = solve(labels, isotropic, (1.0, 0.7), plane="strain", element=element).tensor
    # `bbar` takes a third of the trace, also out of a dilatation that has two normal strains.
    if element != "bbar":
        close(whole[np.ix_(IN, IN)], strain)
    np.testing.assert_allclose(whole[np.ix_(IN, [3, 4])], 0, atol=1e-11)


def images(shape, phases=2):
    def complete(labels):
        labels.flat[:phases] = np.arange(phases)
        return labels

    return arrays(np.int8, shape, elements=st.integers(0, phases - 1)).map(complete)


def lame(E, nu):
    """λ and μ."""
    return E * nu / ((1 + nu) * (1 - 2 * nu)), E / (2 * (1 + nu))


@pytest.mark.parametrize("boundary", ["periodic", "kinematic", "static", "rollers"])
@settings(deadline=None, max_examples=4)
@given(quarter=images((3, 3)), E=st.floats(2.0, 50.0), nu=st.floats(-0.4, 0.45))
def test_hill_relations(boundary, quarter, E, nu):
    """el.hill.UD (Hill 1964, JMPS 12:199), at any resolution, in every space.

    One strain diag(a, a, 1) gives both phases the same stress in the plane, 2 k a + λ, so that
    no fluctuation is driven: that load is exact. With one transverse area modulus k*, which four
    quarters turned into each other ensure, it ties E and ν along the fibres to k*.
    """
    labels = np.block([[quarter, np.rot90(quarter, -1)], [np.rot90(quarter), quarter[::-1, ::-1]]])
    laws = [IsotropicElastic(1.0, 0.3), IsotropicElastic(E, nu)]
    E_i, nu_i = np.array([1.0, E]), np.array([0.3, nu])
    lam, mu = lame(E_i, nu_i)
    k = lam + mu
    if abs(k[1] - k[0]) < 0.02:  # then Hill's slope is a quotient of rounding errors
        return
    eff = solve(labels, laws, plane="generalized", boundary=boundary, element="full")
    C, f = eff.tensor, labels.mean()
    share = np.array([1 - f, f])
    a = -(lam[1] - lam[0]) / (2 * (k[1] - k[0]))
    strain = np.array([a, a, 1.0, 0, 0, 0])
    moduli = np.stack([np.asarray(law.modulus) for law in laws])
    scale = np.abs(C).max() * max(1.0, abs(a))
    np.testing.assert_allclose(
        C @ strain, np.tensordot(share, moduli, 1) @ strain, rtol=0, atol=1e-10 * scale
    )
    found = eff.engineering_constants()
    slope = (nu_i[1] - nu_i[0]) / (1 / k[1] - 1 / k[0])
    gap = share @ (1 / k) - 2 / (C[0, 0] + C[0, 1])
    tolerance = 1e-9 * max(1.0, slope**2)
    assert found["E3"] == pytest.approx(share @ E_i + 4 * slope**2 * gap, rel=tolerance)
    contraction = found["nu13"] * found["E3"] / found["E1"]  # ν31
    assert contraction == pytest.approx(share @ nu_i - slope * gap, abs=tolerance)


@settings(deadline=None, max_examples=6)
@given(labels=images((6, 6)), E=st.floats(2.0, 50.0), nu=st.floats(-0.4, 0.45))
def test_load_without_fluctuation(labels, E, nu):
    """The same strain in any image, symmetric or not: the average stress is the mean."""
    laws = [IsotropicElastic(1.0, 0.3), IsotropicElastic(E, nu)]
    (lam1, mu1), (lam2, mu2) = lame(1.0, 0.3), lame(E, nu)
    difference = lam2 + mu2 - lam1 - mu1
    if abs(difference) < 0.02:
        return
    a = -(lam2 - lam1) / (2 * difference)
    C = solve(labels, laws, plane="generalized", element="full").tensor
    mean = np.tensordot([1 - labels.mean(), labels.mean()], [law.modulus for law in laws], 1)
    strain = np.array([a, a, 1.0, 0, 0, 0])
    scale = np.abs(C).max() * max(1.0, abs(a))
    np.testing.assert_allclose(C @ strain, mean @ strain, rtol=0, atol=1e-10 * scale)


def transversely_isotropic(E1, E2, G12, nu12, nu23):
    """Axis 1 of the constants is the fibre's, axis 3 here."""
    S = np.diag([1 / E2, 1 / E2, 1 / E1, 0.5 / G12, 0.5 / G12, (1 + nu23) / E2])
    S[0, 1] = S[1, 0] = -nu23 / E2
    S[2, :2] = S[:2, 2] = -nu12 / E1
    return Elastic(np.linalg.inv(S))


#: el.UD.sq.… (recomputed independently: curved spectral elements): fraction, fibre, matrix, and
#: C_xx, C_xy, C_xz, C_zz with z the fibre; G12 (along it), G23 (across).
FIBRES = {
    "el.UD.sq.B_Al": (
        0.47,
        IsotropicElastic(379.3, 0.1),
        IsotropicElastic(68.3, 0.3),
        [161.0228841813, 46.3293851942, 40.3418675487, 231.0322845819, 54.3778718, 45.8243281],
    ),
    "el.UD.sq.AS4_3501_6": (
        0.6,
        transversely_isotropic(235.0, 14.0, 28.0, 0.2, 0.25),
        IsotropicElastic(4.8, 0.34),
        [11.0553466518, 3.9364885853, 3.781577992, 144.8568915365, 6.08188058, 3.11504924],
    ),
    "el.UD.sq.E_glass_MY750": (
        0.6,
        IsotropicElastic(74.0, 0.2),
        IsotropicElastic(3.35, 0.35),
        [16.6306311318, 4.8416542038, 5.3618903774, 48.4456218206, 4.57715509, 3.25388209],
    ),
}


def energies(constants):
    xx, xy, _, zz, along, across = constants
    return np.array([xx + xy, xx - xy, zz, along, across])


@pytest.mark.parametrize("record", FIBRES)
def test_square_arrays_of_fibres(record):
    """From above, and down by half with each halving of the voxels.

    The image's fraction is not quite the circle's; its part of the error is taken off, by the
    slope over the fraction. What remains is of order h: as if the fibre were thicker by part of a
    voxel, at most h/4, since the stairs go in and out by up to h/2. All of that holds for moduli
    that are energies: area modulus C_xx + C_xy, C_xx − C_xy, C_zz, G12 and G23.
    """
    fraction, fibre, matrix, values = FIBRES[record]
    values = energies(values)
    laws = {"matrix": matrix, "fibre": fibre}

    def constants(n, f):
        micro = sb.generate.square_array((n, n), f)
        cell = sb.Cell(micro, laws, plane="generalized", element="full")
        V = sb.effective(cell).voigt
        close(V[:2, :2], V[1::-1, 1::-1], 1e-5)
        return energies(V[[0, 0, 0, 2, 4, 5], [0, 1, 2, 2, 4, 5]]), micro.volume_fractions["fibre"]

    (low, f_low), (high, f_high) = (constants(64, fraction + d) for d in (-0.03, 0.03))
    slope = (high - low) / (f_high - f_low)
    excess = []
    for n in (64, 128):
        found, f = constants(n, fraction)
        excess.append(found - values - slope * (f - fraction))
        layer = 2 * np.sqrt(np.pi * fraction) / (4 * n)  # perimeter × h/4
        # And a part in a thousand, where fraction and slope hardly matter.
        assert np.all(excess[-1] < slope * layer)
        # C_zz is nearly that of the mixture: nothing is left but the curvature over the fraction.
        assert np.all(excess[-1] > -1e-5 * values)
    ratio = excess[1][[0, 1, 3, 4]] / excess[0][[0, 1, 3, 4]]
    assert np.all((ratio > 0.3) & (ratio < 0.7))


# --- Nested laminates ------------------------------------------------------------------------


def test_layers_of_layers_in_space():
    """A generalized cell is a law in space: layers normal x, as layers normal z of another cell."""
    soft, stiff, third = IsotropicElastic(1.0, 0.35), anisotropic(0), anisotropic(1)
    inner = cell_of(layers((2, 2), 0), [soft, stiff], plane="generalized", tolerance=1e-10)
    assert inner.kinematics.dim == 3
    outer = cell_of(layers((2, 2, 3), 2), [inner, third])
    first = Laminate([soft, stiff], [0.5, 0.5], "x")
    close(sb.effective(inner, **SOLVED).tensor, np.asarray(first.modulus))
    second = Laminate([first, third], [1 / 3, 2 / 3], "z")
    # The inner cell answers to its own tolerance, squared.
    close(sb.effective(outer, **SOLVED).tensor, np.asarray(second.modulus))
    # The analytic law as a phase of a cell.
    close(solve(layers((2, 2, 3), 2), [first, third]).tensor, np.asarray(second.modulus))


def test_layers_of_layers_in_a_sheet():
    laws = IsotropicElastic(1.0, 0.35), IsotropicElastic(10.0, 0.2)
    inner = cell_of(layers((2, 2), 0), laws, plane="stress", tolerance=1e-10)
    outer = cell_of(layers((2, 3), 1), [inner, laws[0]], plane="stress")
    first = Laminate([PlaneStress(law) for law in laws], [0.5, 0.5], "x")
    second = Laminate([first, PlaneStress(laws[0])], [1 / 3, 2 / 3], "y")
    close(sb.effective(outer, **SOLVED).tensor, np.asarray(second.modulus))


def test_derivatives_of_a_long_laminate():
    """All entries of the (6, 6) tensor by a modulus and a Poisson ratio, against Laminate's."""
    p = jnp.array([2.0, 0.3])
    other = anisotropic(2)

    @jax.jit
    @jax.jacfwd
    def by_cell(q):
        laws = IsotropicElastic(q[0], q[1]), other
        return cell_of(layers((2, 2), 0), laws, plane="generalized", tolerance=1e-11).tangent()

    by_formula = jax.jacfwd(
        lambda q: Laminate([IsotropicElastic(q[0], q[1]), other], [0.5, 0.5], "x").modulus
    )(p)
    np.testing.assert_allclose(by_cell(p), by_formula, rtol=0, atol=1e-8)


# --- Refused ---------------------------------------------------------------------------------


def test_a_plane_law_has_no_third_axis():
    """A law of three components cannot answer six strains, whatever its plane state."""
    laws = [PlaneStrain(IsotropicElastic(1.0, 0.3)), IsotropicElastic(2.0, 0.3)]
    with pytest.raises(InputError, match=r"is two-dimensional|3 components cannot fill a cell"):
        sb.effective(cell_of(layers((2, 2), 0), laws, plane="generalized"))
