"""Effective tensors that are known exactly, on any grid: tolerances are the solver's or rounding.

Record ids (cond.…, el.…) are those of the project's collection of reference values.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge import tensors
from scalebridge.cell.discretisation import ELEMENTS
from scalebridge.laws import Conduction, Elastic, IsotropicElastic
from scalebridge.tensors import rotation_from_euler, rotation_in_plane

prop = settings(deadline=None, max_examples=12)
elements = pytest.mark.parametrize("element", ELEMENTS)
SPACING = {2: (1.0, 0.7), 3: (1.0, 0.7, 1.6)}
ODD = (15, 15)  # odd: one-point elements have no alternating modes
CUBE = (16, 16, 16)
QUARTER_TURN = rotation_in_plane(90, degrees=True)
SOLVED = {"tolerance": 1e-9, "measure": "residual"}  # the tensor's error is the square of it

# Small grids for anisotropic phases, even and odd sides.
GRIDS = [
    ("conduction", (4, 6), "reduced"),
    ("conduction", (5, 4), "full"),
    ("elasticity", (4, 6), "reduced"),
    ("elasticity", (5, 4), "full"),
    ("elasticity", (5, 4), "bbar"),
    ("conduction", (3, 4, 5), "full"),
    ("elasticity", (4, 2, 4), "reduced"),
    ("elasticity", (3, 4, 5), "full"),
]
grids = pytest.mark.parametrize(("physics", "shape", "element"), GRIDS)


def solve(labels, laws, *, spacing=1.0, **options):
    """Effective tensor; `laws` in the order of the labels."""
    names = "abcdefgh"[: len(laws)]
    phases = {name: label for label, name in enumerate(names)}
    micro = sb.Microstructure(labels, spacing, phases)
    return sb.effective(sb.Cell(micro, dict(zip(names, laws, strict=True)), **options), **SOLVED)


def tensor(labels, laws, **options):
    return solve(labels, laws, **options).tensor


def plane(physics, shape):
    return "strain" if physics == "elasticity" and len(shape) == 2 else None


def random_law(rng, physics):
    size = 3 if physics == "conduction" else 6
    A = rng.normal(size=(size, size))
    modulus = A @ A.T + 0.2 * np.eye(size)
    return Conduction(modulus) if physics == "conduction" else Elastic(modulus)


def seen(modulus, physics, dim):
    """The part of a 3D modulus that a plane cell sees: no gradient along axis 3."""
    if dim == 3:
        return np.asarray(modulus)
    keep = [0, 1] if physics == "conduction" else [0, 1, 5]
    return np.asarray(modulus)[np.ix_(keep, keep)]


def close(actual, expected, tolerance=1e-10):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def images(shape, phases=2):
    """Random images in which each phase has a voxel."""

    def complete(labels):
        labels.flat[:phases] = np.arange(phases)
        return labels

    return arrays(np.int8, shape, elements=st.integers(0, phases - 1)).map(complete)


# --- Homogeneous media and laminates ---------------------------------------------------------


@grids
def test_homogeneous_medium_gives_itself(physics, shape, element):
    """Anisotropic and turned, whatever the image says."""
    rng = np.random.default_rng(0)
    law, angles = random_law(rng, physics), [0.4, 1.2, -0.3]
    labels = np.arange(np.prod(shape)).reshape(shape) % 2
    found = tensor(
        labels,
        [law, law],
        spacing=SPACING[len(shape)],
        element=element,
        plane=plane(physics, shape),
        orientation={"a": angles, "b": rotation_from_euler(angles)},
    )
    turn = tensors.rotate_tensor if physics == "conduction" else tensors.rotate_mandel4
    turned = turn(np.asarray(law.modulus), rotation_from_euler(angles))
    close(found, seen(turned, physics, len(shape)), 1e-13)


def laminate(physics, dim, axis, moduli, fractions):
    """Layers normal to `axis`: continuous normal flux, and tangential gradient.

    With N the components that hold the normal, T the others, A = C_NN⁻¹:
    C̄_NN = ⟨A⟩⁻¹, C̄_NT = C̄_NN ⟨A C_NT⟩, C̄_TT = ⟨C_TT − C_TN A C_NT⟩ + ⟨C_TN A⟩ C̄_NN ⟨A C_NT⟩
    (Milton 2002, The Theory of Composites, ch. 9).
    """
    names = "123" if physics == "conduction" else tensors.component_names(dim)
    N = [i for i, name in enumerate(names[: len(moduli[0])]) if str(axis + 1) in name]
    T = [i for i in range(len(moduli[0])) if i not in N]

    def mean(values):
        return np.tensordot(fractions, values, 1)

    C = np.asarray(moduli)
    C_NN, C_NT, C_TT = C[:, N][:, :, N], C[:, N][:, :, T], C[:, T][:, :, T]
    A = np.linalg.inv(C_NN)
    out = np.empty(C.shape[1:])
    out[np.ix_(N, N)] = np.linalg.inv(mean(A))
    out[np.ix_(N, T)] = out[np.ix_(N, N)] @ mean(A @ C_NT)
    out[np.ix_(T, N)] = out[np.ix_(N, T)].T
    softened = mean(C_TT - np.swapaxes(C_NT, 1, 2) @ A @ C_NT)
    out[np.ix_(T, T)] = softened + mean(A @ C_NT).T @ out[np.ix_(N, T)]
    return out


BORON, ALUMINIUM = IsotropicElastic(379.3, 0.1), IsotropicElastic(68.3, 0.3)
# el.laminate.BAl: normal 3, 47 % boron. C11, C12, C13, C33, C44, C66 (exact).
BORON_ALUMINIUM = [
    231.038342451316,
    41.128412381386,
    40.046180524437,
    143.347123468154,
    43.664747674691,
    94.954965034965,
]


def six_constants(voigt):
    return voigt[[0, 0, 0, 2, 3, 5], [0, 1, 2, 2, 3, 5]]


def test_closed_form_of_a_laminate():
    """The formula that the next tests rest on, against the records."""
    moduli = [np.asarray(law.modulus) for law in (BORON, ALUMINIUM)]
    C = laminate("elasticity", 3, 2, moduli, [0.47, 0.53])
    close(six_constants(tensors.stiffness_to_voigt(C)), np.array(BORON_ALUMINIUM), 1e-12)
    k = laminate("conduction", 3, 0, [10 * np.eye(3), np.eye(3)], [0.5, 0.5])
    close(np.diag(k), np.array([1.8181818181818181, 5.5, 5.5]), 1e-15)  # cond.laminate.2ph


@grids
def test_laminates_of_anisotropic_phases(physics, shape, element):
    """Layers of whole voxels are in the space of every element: exact along every axis."""
    rng = np.random.default_rng(1)
    phases = [random_law(rng, physics) for _ in range(2)]
    dim = len(shape)
    moduli = [seen(law.modulus, physics, dim) for law in phases]
    for axis in range(dim):
        layers = (np.arange(shape[axis]) >= shape[axis] // 2).astype(int)
        labels = np.moveaxis(
            np.broadcast_to(layers, (*np.delete(shape, axis), len(layers))), -1, axis
        )
        found = tensor(
            labels,
            phases,
            spacing=SPACING[dim],
            element=element,
            plane=plane(physics, shape),
        )
        fractions = [1 - layers.mean(), layers.mean()]
        close(found, laminate(physics, dim, axis, moduli, fractions), 1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_conducting_laminate(axis):
    """cond.laminate.2ph (exact; also puma test_conductivity.py, MOOSE heatConduction2D.i)."""
    micro = sb.generate.laminate(CUBE, (0.5, 0.5), axis)
    cell = sb.Cell(micro, {"layer1": Conduction(10.0), "layer2": Conduction(1.0)})
    expected = np.full(3, 5.5)
    expected[axis] = 1.8181818181818181
    close(sb.effective(cell, **SOLVED).tensor, np.diag(expected), 1e-12)


def test_boron_aluminium_laminate():
    """el.laminate.BAl (exact), whose fraction asks for 100 layers."""
    micro = sb.generate.laminate((2, 2, 100), (0.47, 0.53), 2)
    cell = sb.Cell(micro, {"layer1": BORON, "layer2": ALUMINIUM})
    close(six_constants(sb.effective(cell, **SOLVED).voigt), np.array(BORON_ALUMINIUM), 1e-9)


@elements
def test_published_laminate(element):
    """el.ghosh.long (Ghosh, Lee & Moorthy 1995, IJSS 32:27): E1111, E2222, E1122, E1212.

    The record is of plane stress. An isotropic solid in plane stress has the stiffness of one in
    plane strain with the same μ and with λ' = E ν/(1 − ν²).
    """

    def plane_stress(E, nu):
        lame, mu = E * nu / (1 - nu**2), E / (2 * (1 + nu))
        nu = lame / (2 * (lame + mu))
        return IsotropicElastic(2 * mu * (1 + nu), nu)

    labels = np.repeat([0, 1], 8)[:, None] * np.ones((1, 16), int)
    laws = [plane_stress(400.0, 0.2), plane_stress(72.5, 0.33)]
    voigt = solve(labels, laws, element=element, plane="strain").voigt
    found = voigt[[0, 1, 0, 2], [0, 1, 1, 2]]
    # Half a unit of the last printed digit.
    assert np.all(np.abs(found - [136.1, 245.8, 36.08, 46.85]) < [0.05, 0.05, 0.005, 0.005])


@pytest.mark.parametrize(("a", "exact"), [(2, 1.73205080757), (3, 2.82842712475)])
def test_graded_laminate(a, exact):
    """cond.1d.harm: k = a + cos 2πx; the midpoint rule converges geometrically, (a − √(a²−1))ⁿ."""
    n = 24
    x = (np.arange(n) + 0.5) / n
    names = [f"layer{i}" for i in range(n)]
    micro = sb.Microstructure(
        np.arange(n)[:, None] * np.ones((1, 2), int), 1.0, dict(zip(names, range(n), strict=True))
    )
    laws = {m: Conduction(k) for m, k in zip(names, a + np.cos(2 * np.pi * x), strict=True)}
    k = sb.effective(sb.Cell(micro, laws), **SOLVED).tensor
    close(k, np.diag([exact, a]), 1e-11)  # the record has 12 digits


# --- Cells within cells ----------------------------------------------------------------------


def nested(inner_laws, outer_law, **options):
    """Three quarters and a quarter along x; two thirds of that and a third along y."""
    inner = sb.Microstructure(np.repeat([[0, 0, 0, 1]], 2, axis=0).T, 1.0, {"core": 0, "rim": 1})
    outer = sb.Microstructure(np.repeat([[0, 0, 1]], 2, axis=0), 1.0, {"grain": 0, "film": 1})
    first = sb.Cell(inner, dict(zip(("core", "rim"), inner_laws, strict=True)), **options)
    return first, sb.Cell(outer, {"grain": first, "film": outer_law}, **options)


def test_rank_two_laminate():
    """cond.rank2.HS2D (Tartar; Lurie & Cherkaev; Milton): attains the Hashin–Shtrikman bound."""
    core, film = Conduction(10.0), Conduction(1.0)
    first, second = nested((core, film), film)
    close(sb.effective(first, **SOLVED).tensor, np.diag([3.076923076923077, 7.75]))
    close(sb.effective(second, **SOLVED).tensor, 2.3846153846153846 * np.eye(2))


def test_laminate_of_laminates_in_elasticity():
    core, film = IsotropicElastic(10.0, 0.2), IsotropicElastic(1.0, 0.35)
    first, second = nested((core, film), film, plane="strain")
    C = [seen(law.modulus, "elasticity", 2) for law in (core, film)]
    level1 = laminate("elasticity", 2, 0, C, [3 / 4, 1 / 4])
    close(sb.effective(first, **SOLVED).tensor, level1)
    level2 = laminate("elasticity", 2, 1, [level1, C[1]], [2 / 3, 1 / 3])
    # The inner cell answers to its own tolerance, a residual of 1e-8, squared.
    close(sb.effective(second, **SOLVED).tensor, level2)


def test_a_turned_cell_is_a_slanted_laminate():
    """cond.laminate.45deg (exact): a cell is a law, and laws can be turned."""
    inner = sb.generate.laminate((2, 2, 2), (0.5, 0.5), 0)
    layers = sb.Cell(inner, {"layer1": Conduction(1.0), "layer2": Conduction(10.0)})
    whole = sb.Microstructure(np.zeros((2, 2, 2), int), 1.0, {"grain": 0})
    cell = sb.Cell(whole, {"grain": layers}, orientation={"grain": [np.pi / 4, 0.0, 0.0]})
    k, c = 3.659090909090909, -1.840909090909091
    expected = np.array([[k, c, 0], [c, k, 0], [0, 0, 5.5]])
    close(sb.effective(cell, **SOLVED).tensor, expected)


# --- Identities of the plane -----------------------------------------------------------------


@prop
@given(labels=images(ODD), k=st.floats(0.02, 50.0), height=st.sampled_from([1.0, 0.7]))
def test_duality(labels, k, height):
    """cond.keller.reciprocity (Keller 1964; Mendelson 1975), K*(k₂,k₁) = k₁k₂ R K*(k₁,k₂)⁻¹ Rᵀ.

    Exact with one-point elements on odd grids, where gradients turned by 90° are divergence-free
    fluxes of the same space, node by node.
    """
    one, other = Conduction(1.0), Conduction(k)
    options = {"element": "reduced", "spacing": (1.0, height)}
    K, swapped = tensor(labels, [one, other], **options), tensor(labels, [other, one], **options)
    close(swapped, k * QUARTER_TURN @ np.linalg.inv(K) @ QUARTER_TURN.T, 1e-11)


@prop
@given(labels=images(ODD), k=st.floats(0.02, 50.0))
def test_duality_holds_from_above_with_full_integration(labels, k):
    """Both tensors are upper bounds on the voxel geometry, for which duality holds."""
    one, other = Conduction(1.0), Conduction(k)
    K = tensor(labels, [one, other], element="full")
    swapped = tensor(labels, [other, one], element="full")
    dual = k * QUARTER_TURN @ np.linalg.inv(K) @ QUARTER_TURN.T
    assert np.linalg.eigvalsh(swapped - dual)[0] > -1e-11 * np.abs(dual).max()


@prop
@given(
    angles=arrays(float, ODD, elements=st.floats(0, np.pi)),
    k=st.floats(1.0, 50.0),
    out_of_plane=st.floats(0.1, 10.0),
)
def test_determinant_of_a_polycrystal(angles, k, out_of_plane):
    """cond.polycrystal.det (Dykhne 1970): det K* = k₁k₂, with an orientation for each voxel."""
    bunge = np.stack([angles, np.zeros(ODD), np.zeros(ODD)])
    crystal = Conduction(np.diag([1.0, k, out_of_plane]))
    labels = np.zeros(ODD, int)
    found = tensor(labels, [crystal], element="reduced", orientation={"a": bunge})
    np.testing.assert_allclose(np.linalg.det(found), k, rtol=1e-11)


def with_area_modulus(k, mu):
    """The isotropic solid of shear modulus μ and plane strain area modulus k = λ + μ."""
    nu = (k - mu) / (2 * k)
    return IsotropicElastic(2 * mu * (1 + nu), nu)


def hill_area_modulus(f, mu, k1, k2):
    """1/(k* + μ) = ⟨1/(k + μ)⟩ (Hill 1963, 1964)."""
    return 1 / ((1 - f) / (k1 + mu) + f / (k2 + mu)) - mu


def test_hill_formula():
    """The note of el.hill.equalmu.3d: k1 = 2, k2 = 20, μ = 1, f2 = 0.4."""
    assert hill_area_modulus(0.4, 1.0, 2.0, 20.0) == pytest.approx(3.5652173913043477, abs=1e-14)


@prop
@given(labels=images(ODD), k=st.floats(0.5, 100.0))
def test_equal_shear_moduli(labels, k):
    """Hill's theorem: phases of one μ make an isotropic solid of that μ, whatever the geometry.

    The tensor is isotropic with every element, since a shear needs no fluctuation. Its area
    modulus is Hill's, exactly, with one-point elements on odd grids; the others are above.
    """
    laws = [with_area_modulus(2.0, 1.0), with_area_modulus(k, 1.0)]
    exact = hill_area_modulus(labels.mean(), 1.0, 2.0, k)
    areas = {}
    for element in ELEMENTS:
        C = tensor(labels, laws, element=element, plane="strain")
        areas[element] = C[0, 0] - 1.0
        isotropic = [[areas[element] + 1, areas[element] - 1, 0], [0, areas[element] + 1, 0]]
        isotropic = np.array([*isotropic, [0, 0, 2.0]])
        close(C, np.triu(isotropic) + np.triu(isotropic, 1).T, 1e-11)
    assert areas["reduced"] == pytest.approx(exact, rel=1e-11)
    assert exact * (1 - 1e-11) < areas["bbar"] < areas["full"] * (1 + 1e-11)


def test_equal_shear_moduli_in_space():
    """el.hill.equalmu.3d (Hill 1963): 1/(K* + 4G/3) = ⟨1/(K + 4G/3)⟩.

    The continuum's value for this very voxel geometry: conforming elements lie above it and
    come down when each voxel is split. K = 2 and 20, G = 1, f = 0.3 is the record's 3.12970711.
    """

    def bulk_modulus(f):
        return 1 / ((1 - f) / (2 + 4 / 3) + f / (20 + 4 / 3)) - 4 / 3

    assert bulk_modulus(0.3) == pytest.approx(3.1297071129707117, rel=1e-14)

    def solid(K, G):
        return IsotropicElastic(9 * K * G / (3 * K + G), (3 * K - 2 * G) / (2 * (3 * K + G)))

    blocks = np.random.default_rng(2).random((4, 4, 4)) < 0.3
    exact, excess = bulk_modulus(blocks.mean()), []
    for split in (2, 4):
        labels = np.kron(blocks, np.ones((split,) * 3, int))
        C = tensor(labels, [solid(2, 1), solid(20, 1)], element="full")
        K = C[:3, :3].sum() / 9
        excess.append(K / exact - 1)
        isotropic = np.diag([2.0] * 6) + np.pad(np.full((3, 3), K - 2 / 3), (0, 3))
        close(C, isotropic, 1e-10)
    assert excess[0] > excess[1] > 0
    # Singular edges: the energy's error falls like h^2λ with 0.5 < λ < 1.
    assert excess[1] < excess[0] / 2**0.8


# --- Dimensions, axes, symmetry --------------------------------------------------------------


@pytest.mark.parametrize("element", ["reduced", "full"])
def test_extruded_conductor(element):
    """cond.extrude: the block in the plane is the 2D result, across it the mean."""
    flat = np.random.default_rng(3).integers(0, 2, CUBE[:2])
    laws = [Conduction(1.0), Conduction(20.0)]
    plane_result = tensor(flat, laws, element=element)
    for axis in range(3):
        labels = np.repeat(np.expand_dims(flat, axis), 16, axis)
        K = tensor(labels, laws, element=element)
        others = [i for i in range(3) if i != axis]
        close(K[np.ix_(others, others)], plane_result, 1e-11)
        assert K[axis, axis] == pytest.approx(1 + 19 * flat.mean(), rel=1e-12)
        np.testing.assert_allclose(K[axis, others], 0, atol=1e-11)


@pytest.mark.parametrize("element", ["reduced", "full"])
def test_unidirectional_composite(element):
    """el.hill.UD (Hill 1964, JMPS 12:199): exact relations, also on any of these grids.

    And the block in the plane is that of plane strain.
    """
    disc = sb.generate.centred_sphere(CUBE[:2], 0.3).labels.astype(int)
    matrix, fibre = IsotropicElastic(1.0, 0.35), IsotropicElastic(20.0, 0.2)
    eff = solve(np.repeat(disc[..., None], 16, axis=2), [matrix, fibre], element=element)
    C, f = eff.voigt, disc.mean()
    in_plane = solve(disc, [matrix, fibre], element=element, plane="strain").voigt
    close(C[np.ix_([0, 1, 5], [0, 1, 5])], in_plane, 1e-10)
    E, nu = np.array([1.0, 20.0]), np.array([0.35, 0.2])
    k = E / (2 * (1 + nu) * (1 - 2 * nu))  # λ + μ
    share = np.array([1 - f, f])
    slope = (nu[1] - nu[0]) / (1 / k[1] - 1 / k[0])
    gap = share @ (1 / k) - 2 / (C[0, 0] + C[0, 1])
    found = eff.engineering_constants()
    assert found["E3"] == pytest.approx(share @ E + 4 * slope**2 * gap, rel=1e-10)
    contraction = found["nu13"] * found["E3"] / found["E1"]  # ν31
    assert contraction == pytest.approx(share @ nu - slope * gap, rel=1e-10)


@pytest.mark.parametrize("around", ["xy", "yz", "zx"])
def test_quarter_turn_in_space(around):
    """A body turned by 90° has the turned tensor; the elements know no axis."""
    rng = np.random.default_rng(4)
    micro = sb.Microstructure(rng.integers(0, 2, CUBE), 1.0, {"a": 0, "b": 1})
    laws = {"a": IsotropicElastic(1.0, 0.3), "b": IsotropicElastic(20.0, 0.1)}
    turned = micro.rotate90(around)
    R = np.zeros((3, 3))
    first, second = ("xyz".index(axis) for axis in around)
    third = 3 - first - second
    R[second, first], R[first, second], R[third, third] = 1, -1, 1
    C, C_turned = (sb.effective(sb.Cell(m, laws), **SOLVED).tensor for m in (micro, turned))
    close(C_turned, tensors.rotate_mandel4(C, R), 1e-10)


@pytest.mark.parametrize("element", ["reduced", "full"])
def test_quarter_turn_of_anisotropic_phases(element):
    """Image, spacing and crystals turn together."""
    rng = np.random.default_rng(5)
    micro = sb.Microstructure(rng.integers(0, 2, (5, 4)), (1.0, 0.7), {"a": 0, "b": 1})
    moduli = [np.asarray(random_law(rng, "conduction").modulus) for _ in range(2)]
    turned = micro.rotate90()
    R = rotation_from_euler([np.pi / 2, 0, 0])
    laws = {name: Conduction(k) for name, k in zip("ab", moduli, strict=True)}
    cell = sb.Cell(micro, laws, element=element)
    other = sb.Cell(turned, laws, element=element, orientation={"a": R, "b": R})
    K, K_turned = (sb.effective(c, **SOLVED).tensor for c in (cell, other))
    close(K_turned, QUARTER_TURN @ K @ QUARTER_TURN.T, 1e-10)


def test_translation_and_repetition_change_nothing():
    """The cell is a window on a periodic medium: where it lies, or how often, is arbitrary."""
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 2, (8, 8))
    laws = [IsotropicElastic(1.0, 0.3), IsotropicElastic(20.0, 0.1)]
    options = {"element": "full", "plane": "strain"}
    C = tensor(labels, laws, **options)
    close(tensor(np.roll(labels, (3, 5), (0, 1)), laws, **options), C, 1e-11)
    close(tensor(np.tile(labels, (2, 2)), laws, **options), C, 1e-11)


def test_scales_of_modulus_and_length():
    """K* is linear in the moduli and knows no unit of length, however small or large."""
    labels = np.random.default_rng(7).integers(0, 2, ODD)
    K = tensor(labels, [Conduction(1.0), Conduction(20.0)])
    tiny = tensor(labels, [Conduction(1e-12), Conduction(20e-12)], spacing=1.3e-9)
    huge = tensor(labels, [Conduction(1e12), Conduction(20e12)], spacing=1e6)
    close(1e12 * tiny, K, 1e-12)
    close(1e-12 * huge, K, 1e-12)
