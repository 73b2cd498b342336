"""Bounds and the order of boundary conditions, on random images and in closed form."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import scalebridge as sb
from scalebridge import InputError
from scalebridge.errors import ConvergenceError, Interrupted
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, Rigid, Void
from scalebridge.upscaling.bounding import _compare

TWO = {"a": 0, "b": 1}
SHAPE = (6, 6)
BOUNDARIES = ("static", "periodic", "kinematic")
SOLVED = {"tolerance": 1e-9, "measure": "residual"}  # the tensor's error is the square of it


def images(shape=SHAPE):
    """Random images of two phases, each with a voxel at least."""

    def complete(labels):
        labels.flat[:2] = 0, 1
        return labels

    return arrays(np.int8, shape, elements=st.integers(0, 1)).map(complete)


def cell(labels, laws, **options):
    micro = sb.Microstructure(labels, 1.0, TWO)
    elastic = not isinstance(laws[0], Conduction)
    if elastic and labels.ndim == 2:
        options.setdefault("plane", "strain")
    return sb.Cell(micro, dict(zip("ab", laws, strict=True)), **options)


def phases(physics, contrast, nu=0.2):
    if physics == "conduction":
        return Conduction(1.0), Conduction(contrast)
    return IsotropicElastic(1.0, 0.3), IsotropicElastic(contrast, nu)


def below(smaller, larger):
    """A ≤ B as quadratic forms, to rounding."""
    return np.linalg.eigvalsh(larger - smaller)[0] > -1e-10 * np.abs(larger).max()


def tensor(problem, boundary=None):
    return sb.effective(problem.with_boundary(boundary) if boundary else problem, **SOLVED).tensor


# --- The order of boundary conditions --------------------------------------------------------

ELEMENTS = [
    ("conduction", "reduced"),
    ("conduction", "full"),
    ("elasticity", "reduced"),
    ("elasticity", "full"),
    ("elasticity", "bbar"),
]


@pytest.mark.parametrize(("physics", "element"), ELEMENTS)
@settings(deadline=None, max_examples=6)
@given(labels=images(), contrast=st.floats(1.5, 100.0), nu=st.floats(-0.5, 0.49))
def test_order_of_boundary_conditions(physics, element, labels, contrast, nu):
    """Reuss ≤ static ≤ periodic ≤ kinematic ≤ Voigt (Huet 1990), on one discretisation.

    Each space holds the next, all have gradients that average to ē, and so does every voxel's.
    """
    found = sb.bounds(
        cell(labels, phases(physics, contrast, nu), element=element), 1e-9, measure="residual"
    )
    assert list(found.tensors) == ["Reuss", *BOUNDARIES, "Voigt"]
    for smaller, larger in pairwise(found.tensors.values()):
        assert below(smaller, larger)
    assert found.is_ordered
    assert [(c.lower, c.upper) for c in found.order] == list(pairwise(found.tensors))
    assert min(c.margin for c in found.order) > -1e-10
    assert not found.infeasible
    share = labels.mean()
    low, high = np.asarray(cell(labels, phases(physics, contrast, nu)).phase_moduli())
    np.testing.assert_allclose(found.voigt, (1 - share) * low + share * high, rtol=1e-12, atol=1e-9)
    compliance = (1 - share) * np.linalg.inv(low) + share * np.linalg.inv(high)
    np.testing.assert_allclose(found.reuss @ compliance, np.eye(len(low)), rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=5)
@given(labels=images(), contrast=st.floats(1.5, 100.0))
def test_mixed_spaces_lie_between(labels, contrast):
    """The larger the space of fluctuations, the softer the cell.

    Periodic fluctuations have no average gradient, and those that vanish on the faces are
    periodic; rollers hold only the normal component, and the shear's average. A free side is a
    static one that does not hold the average.
    """
    problem = cell(labels, phases("elasticity", contrast), element="full")
    C = {b: tensor(problem, b) for b in (*BOUNDARIES, "rollers")}
    for x, y in (
        ("static", "periodic"),
        ("kinematic", "periodic"),
        ("static", "kinematic"),
        ("free", "kinematic"),
    ):
        C[x, y] = tensor(problem, {"x": x, "y": y})
    for chain in (
        ["static", ("static", "periodic"), "periodic", ("kinematic", "periodic"), "kinematic"],
        ["static", "rollers", "kinematic"],
        [("free", "kinematic"), ("static", "kinematic"), "kinematic"],
        ["static", ("static", "kinematic")],
    ):
        for larger_space, smaller_space in pairwise(chain):
            assert below(C[larger_space], C[smaller_space])


@pytest.mark.parametrize("physics", ["conduction", "elasticity"])
@settings(deadline=None, max_examples=4)
@given(labels=images(), contrast=st.floats(1.5, 50.0))
def test_a_cell_against_its_quarters(physics, labels, contrast):
    """Huet's partition theorem: C(whole) ≤ ⟨C(parts)⟩ kinematic, C⁻¹(whole) ≤ ⟨C⁻¹(parts)⟩ static.

    Fields that are affine on the inner faces too are some of those of the whole; and a field of
    the whole is in each quarter one of its own average gradient.
    """
    whole = cell(labels, phases(physics, contrast), element="full")
    parts = (labels[:3, :3], labels[:3, 3:], labels[3:, :3], labels[3:, 3:])
    quarters = [_part(part, phases(physics, contrast)) for part in parts]
    mean = np.mean([tensor(q, "kinematic") for q in quarters], axis=0)
    assert below(tensor(whole, "kinematic"), mean)
    compliance = np.mean([np.linalg.inv(tensor(q, "static")) for q in quarters], axis=0)
    assert below(np.linalg.inv(compliance), tensor(whole, "static"))


def _part(labels, laws):
    """A cell of a part of an image, where one of the phases may be missing."""
    present = {n: v for n, v in TWO.items() if v in labels}
    micro = sb.Microstructure(labels, 1.0, present)
    chosen = {n: law for n, law in zip("ab", laws, strict=True) if n in present}
    plane = "strain" if isinstance(laws[0], IsotropicElastic) else None
    return sb.Cell(micro, chosen, element="full", plane=plane)


@settings(deadline=None, max_examples=4)
@given(labels=images((3, 3)), contrast=st.floats(1.5, 50.0))
def test_full_integration_bounds_from_above(labels, contrast):
    """What `statements` calls rigorous: halving each voxel keeps the geometry, widens the space."""
    laws = phases("elasticity", contrast)
    for boundary in BOUNDARIES:
        coarse = tensor(cell(labels, laws, element="full"), boundary)
        split = np.kron(labels, np.ones((2, 2), np.int8))
        assert below(tensor(cell(split, laws, element="full"), boundary), coarse)


def test_statements_tell_what_is_rigorous():
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    for physics, element in ELEMENTS:
        found = sb.bounds(cell(labels, phases(physics, 3.0), element=element), boundaries=[])
        assert found.statements[0].startswith("rigorous: ") == (element == "full")
        assert len(found.order) == 1
        assert found.is_ordered
        assert "Reuss" in repr(found)


# --- Comparisons that fail -------------------------------------------------------------------


def test_a_comparison_can_fail():
    small, large = np.diag([1.0, 2.0]), np.diag([2.0, 4.0])
    good = _compare(("s", small, 0.0), ("l", large, 0.0))
    assert (good.lower, good.upper, good.margin, good.holds) == ("s", "l", 0.25, True)
    bad = _compare(("l", large, 0.0), ("s", small, 0.0))
    assert (bad.margin, bad.holds) == (-1.0, False)
    # One direction suffices, also where no diagonal entry shows it.
    turned = small + np.array([[0.0, 1.5], [1.5, 0.0]])
    assert not _compare(("s", small, 0.0), ("t", turned, 0.0)).holds
    # The lower tensor may be too large by what its solver tells, and by no more.
    slightly = small * (1 + 1e-6)
    assert not _compare(("m", slightly, 1e-9), ("s", small, 0.0)).holds
    assert _compare(("m", slightly, 1e-6), ("s", small, 0.0)).holds


def test_a_violated_order_is_told():
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    found = sb.bounds(cell(labels, phases("conduction", 3.0)))
    assert "order holds" in repr(found)
    worst = _compare(("kinematic", found.voigt, 0.0), ("Voigt", found.reuss, 0.0))
    violated = replace(found, order=(*found.order[:-1], worst))
    assert not violated.is_ordered
    assert "order IS VIOLATED" in repr(violated)


# --- Void, rigid, interruption ---------------------------------------------------------------


@pytest.mark.parametrize("physics", ["conduction", "elasticity"])
def test_static_is_infeasible_where_void_meets_a_face(physics):
    labels = np.zeros(SHAPE, int)
    labels[2:4, 2:4] = 1
    laws = phases(physics, 1.0)[0], Void()
    inside = sb.bounds(cell(labels, laws))
    assert set(inside.results) == set(BOUNDARIES)
    assert not inside.reuss.any()
    assert inside.is_ordered
    labels[0, 3] = 1
    cut = sb.bounds(cell(labels, laws))
    assert set(cut.results) == {"periodic", "kinematic"}
    assert list(cut.infeasible) == ["static"]
    assert "void and cannot carry it, which is infeasible" in cut.infeasible["static"]
    assert cut.infeasible["static"] in repr(cut)
    assert [(c.lower, c.upper) for c in cut.order] == [
        ("Reuss", "periodic"),
        ("periodic", "kinematic"),
        ("kinematic", "Voigt"),
    ]
    assert cut.is_ordered


def test_rigid_phases_have_bounds_too():
    labels = np.zeros(SHAPE, int)
    labels[2:4, 2:4] = 1
    found = sb.bounds(cell(labels, (IsotropicElastic(1.0, 0.3), Rigid(1e3))))
    assert found.is_ordered
    assert found.voigt[0, 0] > 50 * found.results["kinematic"].tensor[0, 0]


@pytest.mark.parametrize("when", [("static", 0), ("periodic", 0), ("kinematic", 1)])
def test_interruption_keeps_what_was_done(when):
    """Ctrl-C in the middle of a boundary condition: those before it are kept, with their order."""
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)

    def stop(name, step):
        if (name, step.case) == when:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        sb.bounds(cell(labels, phases("conduction", 20.0)), progress=stop)
    partial = caught.value.partial
    assert list(partial.results) == list(BOUNDARIES[: BOUNDARIES.index(when[0])])
    assert len(partial.order) == len(partial.results) + 1
    assert partial.is_ordered
    assert "Voigt" in repr(partial)


def test_options_reach_effective():
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    problem = cell(labels, phases("conduction", 20.0), boundary="through")
    seen = []
    found = sb.bounds(
        problem, 1e-3, boundaries=["kinematic"], fields=True, progress=lambda n, _: seen.append(n)
    )
    assert list(found.results) == ["kinematic"]
    assert set(seen) == {"kinematic"}
    assert found.results["kinematic"].tolerance == 1e-3
    assert found.results["kinematic"].local([1.0, 0.0]).flux.shape == (2, *SHAPE)
    once = sb.Solver(max_iterations=1)
    with pytest.raises(ConvergenceError):
        sb.bounds(problem, solver=once)
    assert not sb.bounds(problem, solver=once, throw=False).results["static"].converged


def test_refused():
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    with pytest.raises(InputError, match=r"`boundaries` must be among .* but one is 'rollers'"):
        sb.bounds(cell(labels, phases("conduction", 2.0)), boundaries=["rollers"])
    with pytest.raises(InputError, match="`cell` must be a Cell, but is a ndarray"):
        sb.bounds(labels)


# --- Hashin–Shtrikman ------------------------------------------------------------------------


def hs(first, f_first, second, stiffness):
    """One bound for two phases, of which the first is the matrix: a + f/(1/(b − a) + (1 − f) s)."""
    return first + (1 - f_first) / (1 / (second - first) + f_first * stiffness)


def test_hashin_shtrikman_of_conductors():
    """Hashin & Shtrikman 1962: s = 1/(d k₁)."""
    for dim in (2, 3):
        labels = np.random.default_rng(0).integers(0, 2, (4,) * dim)
        labels[0] = 0
        f = 1 - labels.mean()
        found = sb.bounds(cell(labels, (Conduction(1.0), Conduction(10.0))), boundaries=[])
        expected = (hs(1.0, f, 10.0, 1 / dim), hs(10.0, 1 - f, 1.0, 1 / (10 * dim)))
        assert found.hashin_shtrikman["k"] == pytest.approx(expected, rel=1e-12)


def moduli_of(law):
    C = np.asarray(law.modulus)
    return C[0, 1] + C[-1, -1] / 3, C[-1, -1] / 2  # K, G


def test_hashin_shtrikman_in_space():
    """Hashin & Shtrikman 1963: s = 3/(3K + 4G) and 6 (K + 2G)/(5G (3K + 4G))."""
    labels = np.random.default_rng(0).integers(0, 2, (4, 4, 4))
    labels[0] = 0
    f = 1 - labels.mean()
    laws = IsotropicElastic(1.0, 0.3), IsotropicElastic(10.0, 0.2)
    found = sb.bounds(cell(labels, laws), boundaries=[]).hashin_shtrikman
    bulk, shear = [], []
    (K1, G1), (K2, G2) = moduli_of(laws[0]), moduli_of(laws[1])
    for (Ka, Ga), (Kb, Gb), share in (((K1, G1), (K2, G2), f), ((K2, G2), (K1, G1), 1 - f)):
        bulk.append(hs(Ka, share, Kb, 3 / (3 * Ka + 4 * Ga)))
        shear.append(hs(Ga, share, Gb, 6 * (Ka + 2 * Ga) / (5 * Ga * (3 * Ka + 4 * Ga))))
    assert found["K"] == pytest.approx(bulk, rel=1e-12)
    assert found["G"] == pytest.approx(shear, rel=1e-12)


@pytest.mark.parametrize("plane", ["strain", "stress"])
def test_hashin_shtrikman_in_the_plane(plane):
    """Hashin 1965, of area moduli k (of the plane state): s = 1/(k + G), (k + 2G)/(2G (k + G))."""
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    labels[0] = 0
    f = 1 - labels.mean()
    laws = IsotropicElastic(1.0, 0.3), IsotropicElastic(10.0, 0.2)
    found = sb.bounds(cell(labels, laws, plane=plane), boundaries=[]).hashin_shtrikman
    pairs = []
    for law in laws:
        E, nu = float(law.E), float(law.nu)
        G = E / (2 * (1 + nu))
        k = G / (1 - 2 * nu) if plane == "strain" else G * (1 + nu) / (1 - nu)
        pairs.append((k, G))
    bulk, shear = [], []
    for (ka, Ga), (kb, Gb), share in ((*pairs, f), (*pairs[::-1], 1 - f)):
        bulk.append(hs(ka, share, kb, 1 / (ka + Ga)))
        shear.append(hs(Ga, share, Gb, (ka + 2 * Ga) / (2 * Ga * (ka + Ga))))
    assert found["K"] == pytest.approx(bulk, rel=1e-12)
    assert found["G"] == pytest.approx(shear, rel=1e-12)


def test_hashin_shtrikman_is_for_isotropic_phases_only():
    labels = np.random.default_rng(0).integers(0, 2, SHAPE)
    anisotropic = Conduction(1.0), Conduction(np.diag([1.0, 2.0, 3.0]))
    assert sb.bounds(cell(labels, anisotropic), boundaries=[]).hashin_shtrikman is None
    C = np.diag([3.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    elastic = IsotropicElastic(1.0, 0.3), Elastic(C)
    assert sb.bounds(cell(labels, elastic), boundaries=[]).hashin_shtrikman is None


def test_hashin_shtrikman_beside_void():
    """The lower bound is zero, the upper one that of Hashin's coated spheres."""
    labels = np.zeros(SHAPE, int)
    labels[2:4, 2:4] = 1
    f = 1 / 9
    found = sb.bounds(cell(labels, (Conduction(1.0), Void())), boundaries=[]).hashin_shtrikman
    assert found["k"] == pytest.approx((0.0, (1 - f) / (1 + f)), abs=1e-12)


@pytest.mark.parametrize("physics", ["conduction", "elasticity"])
def test_what_carries_nothing_is_in_order(physics):
    """An island in the void: all but Voigt are zero, and zero is not below zero."""
    labels = np.zeros((6, 6), int)
    labels[2:4, 2:4] = 1
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    solid = Conduction(1.0) if physics == "conduction" else IsotropicElastic(1.0, 0.3)
    plane = "strain" if physics == "elasticity" else None
    cell = sb.Cell(micro, {"a": Void(), "b": solid}, plane=plane)
    found = sb.bounds(cell)
    for name in ("Reuss", "periodic", "kinematic"):
        assert not found.tensors[name].any()
    assert found.is_ordered
    held = cell.with_boundary("kinematic")
    assert "no matter touches the faces that hold the cell" in held.warnings[0]


def test_warnings_of_what_does_not_meet():
    """Pieces that no face holds, blocked channels, and voxels that touch at corners only."""
    labels = np.ones((8, 8), int)
    labels[:, 4] = 0  # a wall across y
    labels[2:5, 1:4] = 0
    labels[3, 2] = 1  # an island
    micro = sb.Microstructure(labels, 1.0, {"solid": 0, "pore": 1})
    laws = {"solid": Conduction(0.0), "pore": Conduction(1.0)}
    cell = sb.Cell(micro, laws, boundary={"x": "free", "y": "kinematic"})
    assert any("does not go through from face to face along y" in w for w in cell.warnings)
    assert any("of the matter floats" in w for w in cell.warnings)
    assert sb.effective(cell).tensor[1, 1] == 0.0
    open_ways = cell.with_boundary({"x": "kinematic", "y": "free"})
    assert not any("does not go through" in w for w in open_ways.warnings)

    stairs = sb.Microstructure(np.eye(6, dtype=int), 1.0, {"solid": 0, "pore": 1})
    for element, told in (("volume", "does not percolate along x"), ("full", "struts thinner")):
        cell = sb.Cell(stairs, laws, boundary="through", element=element)
        assert told in cell.warnings[0]
        assert (sb.effective(cell).tensor[0, 0] == 0) == (element == "volume")
