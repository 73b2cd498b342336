"""Cells with laws that are not linear: response, tangents, invariants."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge.cell import krylov, points
from scalebridge.cell.discretisation import Discretisation
from scalebridge.errors import InputError

RANDOM = np.random.default_rng(3)
LABELS = (RANDOM.random((4, 3, 5)) < 0.4).astype(int)
FLAT = (RANDOM.random((5, 4)) < 0.4).astype(int)
SOFT = sb.laws.J2Plasticity(
    E=70e3, nu=0.3, yield_stress=200.0, hardening=sb.laws.LinearHardening(1000.0)
)
STIFF = sb.laws.IsotropicElastic(E=400e3, nu=0.2)
STRAIN = np.array([6.0, -2.0, 1.0, 2.0, 3.0, -1.0]) * 1e-3
BOUNDARIES = ["periodic", "kinematic", "static", {"x": "kinematic", "y": "free", "z": "periodic"}]


def micro(labels: np.ndarray = LABELS) -> sb.Microstructure:
    return sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})


def cell(a: Any = SOFT, b: Any = STIFF, labels: np.ndarray = LABELS, **options: Any) -> sb.Cell:
    return sb.Cell(micro(labels), {"a": a, "b": b}, **{"tolerance": 1e-11, **options})


@pytest.mark.parametrize("element", ["reduced", "full", "bbar"])
@pytest.mark.parametrize("ends", [(), (("fixed",) * 3, ("free",) * 3, ("periodic",) * 3)])
def test_forces_are_the_adjoint_of_gradients(element: str, ends: Any) -> None:
    disc = Discretisation((4, 3, 5), (1.0, 0.8, 1.25), element, "elasticity", False, ends)
    u = tuple(jnp.asarray(RANDOM.standard_normal(disc.nodes)) for _ in range(3))
    seen = points.gradients(disc, points.corners(disc, u))
    flux = [jnp.asarray(RANDOM.standard_normal(g.shape)) for g in seen]
    work = sum(float(jnp.sum(s * g)) for s, g in zip(flux, seen, strict=True)) / points.count(disc)
    forces = points.forces(disc, [points.with_ghosts(f, disc) for f in flux])
    assert krylov.dot(u, forces) == pytest.approx(work, rel=1e-12)


@pytest.mark.parametrize(
    "element", ["reduced", *(pytest.param(e, marks=pytest.mark.slow) for e in ("full", "bbar"))]
)
def test_linear_laws_at_points_are_the_linear_cell(element: str) -> None:
    """Two implementations of one operator: modal energies and Gauss points."""
    linear = cell(sb.laws.IsotropicElastic(E=70e3, nu=0.3), element=element)
    # A yield stress that is never reached: the same material, but solved as a nonlinear one.
    strong = sb.laws.J2Plasticity(E=70e3, nu=0.3, yield_stress=1e9)
    found = cell(strong, element=element).respond(STRAIN)
    np.testing.assert_allclose(found.flux, linear.respond(STRAIN).flux, rtol=1e-9)
    assert found.energy == pytest.approx(float(linear.respond(STRAIN).energy), rel=1e-9)


LAWS = {
    "J2": (SOFT, STRAIN),
    "Maxwell": (
        sb.laws.GeneralizedMaxwell(E=10.0, nu=0.3, shear=([0.3, 0.2], [0.5, 5.0])),
        STRAIN,
    ),
    "Norton": (sb.laws.NortonCreep(E=10.0, nu=0.3, rate=1e-3, stress=0.02, exponent=5.0), STRAIN),
    "conduction": (
        sb.laws.PowerLawConduction(k=2.0, exponent=0.5, scale=1.0),
        np.array([0.5, -1.0, 2.0]),
    ),
    "neo-Hooke": (
        sb.laws.NeoHookean(E=1.0, nu=0.3),
        np.array([1.1, 0.2, 0.0, -0.1, 0.9, 0.1, 0.05, 0.0, 1.2]),
    ),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(
    "boundary",
    ["periodic", *(pytest.param(b, marks=pytest.mark.slow) for b in ("kinematic", "static"))],
)
def test_homogeneous_cell_is_its_law(name: str, boundary: str) -> None:
    law, gradient = LAWS[name]
    found = cell(law, law, boundary=boundary).respond(gradient, dt=0.7)
    own = law.respond(jnp.asarray(gradient), law.initial_state(), 0.7)
    scale = float(np.abs(own.flux).max())
    np.testing.assert_allclose(found.flux, own.flux, rtol=0, atol=1e-10 * scale)
    assert found.energy == pytest.approx(float(own.energy), rel=1e-10, abs=1e-18)
    assert found.dissipation == pytest.approx(float(own.dissipation), rel=1e-9, abs=1e-16)


def central(response: Any, at: np.ndarray, step: float) -> np.ndarray:
    """Return the tangent by central differences."""
    units = np.eye(len(at))
    columns = [(response(at + step * e) - response(at - step * e)) / (2 * step) for e in units]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    ("element", "boundary"),
    [
        ("reduced", "periodic"),
        *(pytest.param("reduced", b, marks=pytest.mark.slow) for b in BOUNDARIES[1:]),
        pytest.param("full", "periodic", marks=pytest.mark.slow),
        pytest.param("bbar", "kinematic", marks=pytest.mark.slow),
    ],
)
def test_consistent_tangent_in_loading_and_unloading(element: str, boundary: Any) -> None:
    body = cell(element=element, boundary=boundary)
    respond = jax.jit(lambda g, s: body.respond(g, s, 1.0))
    tangent = jax.jit(lambda g, s: body.tangent(g, s, 1.0))
    state = respond(STRAIN, body.initial_state()).state
    for factor in (1.3, 0.9):  # farther, and back
        there = factor * STRAIN
        exact = np.asarray(tangent(there, state))
        # Central differences: h² of the curvature, and the solver's 1e-11 over h.
        differences = central(lambda g: np.asarray(respond(g, state).flux), there, 1e-6)
        assert np.linalg.norm(exact - differences) < 1e-6 * np.linalg.norm(exact)
        assert np.linalg.norm(exact - exact.T) < 1e-9 * np.linalg.norm(exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Norton", "conduction", "neo-Hooke"])
def test_consistent_tangents_of_other_laws(name: str) -> None:
    law, gradient = LAWS[name]
    stiff = {
        "Norton": sb.laws.IsotropicElastic(E=60.0, nu=0.2),
        "conduction": sb.laws.Conduction(10.0),
        "neo-Hooke": sb.laws.NeoHookean(E=10.0, nu=0.3),
    }[name]
    body = cell(law, stiff)
    respond = jax.jit(lambda g: body.respond(g, dt=0.7).flux)
    exact = np.asarray(jax.jit(lambda g: body.tangent(g, dt=0.7))(gradient))
    step = 1e-5 * float(np.abs(gradient).max())
    differences = central(lambda g: np.asarray(respond(g)), gradient, step)
    assert np.linalg.norm(exact - differences) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.slow
def test_tangent_of_a_law_without_symmetry() -> None:
    law = sb.laws.J2Plasticity(
        E=70e3, nu=0.3, yield_stress=200.0, kinematic=sb.laws.ArmstrongFrederick(2e4, 100.0)
    )
    body = cell(law)
    assert not body.is_symmetric
    first = body.respond(STRAIN)
    turned = STRAIN[[1, 2, 0, 5, 3, 4]]
    respond = jax.jit(lambda g: body.respond(g, first.state).flux)
    exact = np.asarray(body.tangent(turned, first.state))
    differences = central(lambda g: np.asarray(respond(g)), turned, 1e-6)
    assert np.linalg.norm(exact - differences) < 1e-6 * np.linalg.norm(exact)
    assert np.linalg.norm(exact - exact.T) > 1e-4 * np.linalg.norm(exact)


def test_derivatives_with_respect_to_parameters_forward_and_reverse() -> None:
    """Two steps, the second of which starts from the state of the first."""

    def final(yield_stress: Any) -> Any:
        law = sb.laws.J2Plasticity(
            E=70e3, nu=0.3, yield_stress=yield_stress, hardening=sb.laws.LinearHardening(1000.0)
        )
        body = cell(law)
        first = body.respond(STRAIN)
        return body.respond(1.5 * STRAIN, first.state).flux[0]

    forward = jax.jit(jax.jacfwd(final))(200.0)
    reverse = jax.jit(jax.grad(final))(200.0)
    value = jax.jit(final)
    differences = (value(200.0 + 0.01) - value(200.0 - 0.01)) / 0.02
    assert forward == pytest.approx(float(differences), rel=1e-6)
    assert reverse == pytest.approx(float(forward), rel=1e-8)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(-8e-3, 8e-3), min_size=12, max_size=12),
    st.floats(50.0, 400.0),
)
def test_random_histories_dissipate_and_stay_between_the_phases(
    numbers: list[float], yield_stress: float
) -> None:
    law = sb.laws.J2Plasticity(
        E=70e3, nu=0.3, yield_stress=yield_stress, hardening=sb.laws.LinearHardening(1000.0)
    )
    body = cell(law, tolerance=1e-8)
    state, mean, stored = body.initial_state(), np.zeros(6), 0.0
    path = [mean, *np.asarray(numbers).reshape(2, 6)]
    for before, after in pairwise(path):
        answer = RESPOND(body, after, state)
        assert float(answer.dissipation) >= -1e-12
        # Backward Euler of a convex potential: the work at the end's stress is the larger.
        work = float(answer.flux @ (after - before))
        spent = float(answer.energy) - stored + float(answer.dissipation)
        assert work >= spent - 1e-7 * (abs(work) + abs(spent))
        state, stored = answer.state, float(answer.energy)


RESPOND = jax.jit(lambda body, gradient, state: body.respond(gradient, state, 1.0))


def test_flat_cells_see_the_solid_one() -> None:
    """Plane strain, plane stress and the generalised cell against a cell of one layer."""
    solid = cell(labels=np.repeat(FLAT[:, :, None], 2, axis=2))
    strain = np.array([5e-3, -2e-3, 3e-3])
    whole = np.zeros(6)
    whole[[0, 1, 5]] = strain
    expected = solid.respond(whole).flux
    found = cell(labels=FLAT, plane="strain").respond(strain).flux
    np.testing.assert_allclose(found, np.asarray(expected)[[0, 1, 5]], rtol=1e-9, atol=1e-9)
    found = cell(labels=FLAT, plane="generalized").respond(STRAIN).flux
    np.testing.assert_allclose(found, solid.respond(STRAIN).flux, rtol=1e-9, atol=1e-9)


def test_plane_stress_of_a_homogeneous_sheet_and_its_tangent() -> None:
    body = cell(SOFT, SOFT, labels=FLAT, plane="stress")
    strain = np.array([5e-3, -1e-3, 3e-3])
    answer = body.respond(strain)
    across = np.asarray(answer.state.phases[0][1])[:, 0]
    whole = np.array([*strain[:2], *across, strain[2]])
    own = SOFT.respond(jnp.asarray(whole), SOFT.initial_state(), 1.0).flux
    np.testing.assert_allclose(np.asarray(own)[2:5], 0.0, atol=1e-8)
    np.testing.assert_allclose(answer.flux, np.asarray(own)[[0, 1, 5]], rtol=1e-9)
    exact = np.asarray(eqx.filter_jit(body.tangent)(strain))
    respond = jax.jit(lambda g: body.respond(g).flux)
    differences = central(lambda g: np.asarray(respond(g)), strain, 1e-7)
    assert np.linalg.norm(exact - differences) < 1e-6 * np.linalg.norm(exact)


def test_turned_materials_answer_as_the_turned_cell() -> None:
    """A crystal by its orientation, and the law given in the turned axes."""
    cubic = sb.laws.Elastic.cubic(C11=168.4e3, C12=121.4e3, C44=75.4e3)
    angles = np.array([0.3, 0.7, -0.4])
    rotation = np.asarray(sb.tensors.rotation_from_euler(angles))
    turned = cell(SOFT, cubic, orientation={"b": angles}).respond(STRAIN)
    given = cell(SOFT, cubic.rotated(rotation)).respond(STRAIN)
    np.testing.assert_allclose(turned.flux, given.flux, rtol=1e-9)


def test_batch_answers_as_its_members_do() -> None:
    """Members of different difficulty, and one that stays elastic."""
    body = cell(tolerance=1e-9)
    factors = np.array([0.01, 1.0, -2.0, 4.0, 0.5])
    first = body.respond_batch(factors[:, None] * STRAIN, tangents=True)
    second = body.respond_batch(0.7 * factors[:, None] * STRAIN, first.response.state)
    assert first.converged.all()
    assert second.converged.all()
    assert first.newton[0] < first.newton[3]
    respond = jax.jit(lambda g, s: body.respond(g, s, 1.0))
    for member, factor in enumerate(factors):
        alone = respond(factor * STRAIN, body.initial_state())
        scale = np.abs(alone.flux).max()
        np.testing.assert_allclose(first.response.flux[member], alone.flux, atol=1e-7 * scale)
        again = respond(0.7 * factor * STRAIN, alone.state)
        np.testing.assert_allclose(second.response.flux[member], again.flux, atol=1e-7 * scale)
    exact = np.asarray(body.tangent(factors[2] * STRAIN))
    np.testing.assert_allclose(first.tangents[2], exact, rtol=0, atol=1e-6 * np.linalg.norm(exact))
    with pytest.raises(InputError, match=r"`gradients` must have shape \(member, 6\)"):
        body.respond_batch(STRAIN)


def test_batch_of_a_linear_cell_is_its_tensor() -> None:
    body = cell(sb.laws.IsotropicElastic(E=70e3, nu=0.3))
    found = body.respond_batch(np.eye(6), tangents=True)
    tensor = sb.effective(body, tolerance=1e-10).tensor
    np.testing.assert_allclose(found.response.flux, tensor, rtol=0, atol=1e-6 * tensor.max())
    np.testing.assert_allclose(found.tangents[3], tensor, rtol=0, atol=1e-6 * tensor.max())


def test_what_does_not_fit_is_refused() -> None:
    k = sb.laws.PowerLawConduction(k=2.0, exponent=0.5, scale=1.0)
    with pytest.raises(InputError, match="'volume' is for linear conduction"):
        cell(k, k, element="volume")
    with pytest.raises(InputError, match="'through' drives one axis after another"):
        cell(k, k, boundary="through")
    rubber = sb.laws.NeoHookean(E=1.0, nu=0.3)
    with pytest.raises(InputError, match="'bbar' is for small strain"):
        cell(rubber, rubber, element="bbar")
    with pytest.raises(InputError, match="must be 'strain' in 2D finite strain"):
        cell(rubber, rubber, labels=FLAT, plane="stress")
    with pytest.raises(InputError, match="must all be of one physics"):
        cell(rubber, SOFT)
    with pytest.raises(InputError, match=r"`effective` is for linear cells.*sb\.load"):
        sb.effective(cell())
