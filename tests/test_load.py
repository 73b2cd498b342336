"""Load histories: exact laminates, mixed control, the ledger, steps that fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge.errors import ConvergenceError, InputError, Interrupted
from scalebridge.upscaling import Stepping

NAN = np.nan
LAYERS = np.array([0, 0, 1, 1])


def layers(normal: str = "x") -> sb.Microstructure:
    """Two layers, f = ½, in 3D."""
    shape = [1, 1, 1]
    shape["xyz".index(normal)] = 4
    labels = np.broadcast_to(LAYERS.reshape(shape), [max(n, 2) for n in shape])
    return sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})


def j2(E: float, nu: float, sy: float, H: float) -> Any:
    return sb.laws.J2Plasticity(E=E, nu=nu, yield_stress=sy, hardening=sb.laws.LinearHardening(H))


A, B = j2(200e3, 0.3, 300.0, 2000.0), j2(70e3, 0.33, 100.0, 1000.0)
ROOT2 = np.sqrt(2.0)


def at_rest_then(rows: Any) -> np.ndarray:
    rows = np.asarray(rows, float)
    return np.concatenate([np.where(np.isnan(rows[:1]), NAN, 0.0), rows])


def test_laminate_sheared_across_its_layers() -> None:
    """Record j2.laminate.shear.series: γ₁₂ under τ₁₂, the only stress; closed form."""
    tau = np.array([50.0, 100.0, 150.0, 200.0, 250.0])
    gamma = [0.001275, 0.0659474596216, 0.142222459622, 0.238593649054, 0.352368649054]
    stress = at_rest_then(tau[:, None] * [0, 0, 0, 0, 0, ROOT2])
    history = sb.load(
        sb.Cell(layers("x"), {"a": A, "b": B}), np.arange(6.0), stress=stress, tolerance=1e-10
    )
    np.testing.assert_allclose(history.strain[1:, 5] * ROOT2, gamma, rtol=1e-9)


def test_laminate_sheared_along_its_layers() -> None:
    """Record j2.laminate.shear.parallel: τ₂₃ under γ₂₃; closed form."""
    gamma = np.array([0.001, 0.002, 0.005, 0.01, 0.02])
    tau = [51.6194331984, 103.238866397, 116.840122079, 119.31537822, 124.265890502]
    strain = at_rest_then(gamma[:, None] * [0, 0, 0, ROOT2 / 2, 0, 0])
    history = sb.load(
        sb.Cell(layers("x"), {"a": A, "b": B}), np.arange(6.0), strain=strain, tolerance=1e-10
    )
    np.testing.assert_allclose(history.stress[1:, 3] / ROOT2, tau, rtol=1e-9)


def laminate_steps(laws: tuple[Any, Any], path: np.ndarray) -> np.ndarray:
    """Average stresses of the same time-discrete laminate, normal 1, under average strains.

    Independent of the cell: in each layer the strain is ē + a⊙n, with one jump a for both, and
    the tractions are equal. Newton's method on a, halving steps.
    """
    jump = np.array([0, 5, 4])  # components 11, 12, 13 of a sym⊗ e1
    scale = np.array([1.0, 1 / ROOT2, 1 / ROOT2])
    states = [law.initial_state() for law in laws]
    a, averages = np.zeros(3), []
    for mean in path:

        def strains(a: np.ndarray, mean: np.ndarray = mean) -> list[np.ndarray]:
            pair = [mean.copy(), mean.copy()]
            for sign, strain in zip((1, -1), pair, strict=True):
                strain[jump] += sign * scale * a
            return pair

        def answers(a: np.ndarray, states: list[Any] = states) -> list[Any]:
            each = zip(laws, strains(a), states, strict=True)
            return [law.respond(strain, state, 1.0) for law, strain, state in each]

        def gap(a: np.ndarray) -> np.ndarray:
            first, second = answers(a)
            return np.asarray(first.flux - second.flux)[jump] * scale

        off = gap(a)
        for _ in range(100):
            if np.abs(off).max() < 1e-10 * 100:
                break
            each = zip(laws, strains(a), states, strict=True)
            moduli = sum(np.asarray(law.tangent(e, state)) for law, e, state in each)
            step = np.linalg.solve(scale[:, None] * moduli[np.ix_(jump, jump)] * scale, off)
            while np.linalg.norm(gap(a - step)) >= np.linalg.norm(off):
                step = step / 2
            a = a - step
            off = gap(a)
        found = answers(a)
        states = [answer.state for answer in found]
        averages.append(np.mean([np.asarray(answer.flux) for answer in found], axis=0))
    return np.array(averages)


def test_cyclic_laminate_is_that_of_the_same_time_steps() -> None:
    """All components at once, over a cycle; the hardening variable advances once a step."""
    turns = np.concatenate(
        [np.linspace(0, 1, 5), np.linspace(0.6, -1, 5), np.linspace(-0.5, 0.5, 3)]
    )
    strain = turns[:, None] * np.array([3.0, -1.0, 2.0, 1.0, 4.0, -2.0]) * 1e-3
    history = sb.load(
        sb.Cell(layers("x"), {"a": A, "b": B}),
        np.arange(len(turns), dtype=float),
        strain=strain,
        tolerance=1e-11,
    )
    exact = laminate_steps((A, B), strain)
    np.testing.assert_allclose(history.stress, exact, atol=1e-8 * np.abs(exact).max())


NH = [  # bulk and shear modulus
    sb.laws.NeoHookean(E=9 * K * G / (3 * K + G), nu=(3 * K - 2 * G) / (2 * (3 * K + G)))
    for K, G in ((62.5, 28.8462), (222.222, 166.6667))
]


def test_finite_strain_laminate_in_shear() -> None:
    """Record fs.laminate.shear: normal e₂, F̄₁₂ = ½; the shear part is that of any neo-Hooke."""
    cell = sb.Cell(layers("y"), {"a": NH[0], "b": NH[1]})
    share = np.linspace(0, 1, 4)
    F = np.eye(3) + share[:, None, None] * np.outer([0.5, 0, 0], [0, 1, 0])
    history = sb.load(cell, share, F=F, tolerance=1e-11)
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 24.590198199403
    np.testing.assert_allclose(history.P[-1], expected, atol=1e-8 * 24.6)


def test_finite_strain_laminate_stretched_across() -> None:
    """Series of compressible neo-Hookean layers: equal P₂₂, stretches that add up."""
    cell = sb.Cell(layers("y"), {"a": NH[0], "b": NH[1]})
    share = np.linspace(0, 1, 4)
    F = np.eye(3) + share[:, None, None] * np.diag([0, 0.3, 0])
    history = sb.load(cell, share, F=F, tolerance=1e-11)

    def tension(law: Any, stretch: float) -> float:
        return float(law.respond(np.diag([1, stretch, 1.0]).ravel(), (), 1.0).flux[4])

    low, high = 1.3, 1.6
    for _ in range(60):  # bisection on the stretch of the soft layer
        middle = 0.5 * (low + high)
        soft, stiff = tension(NH[0], middle), tension(NH[1], 2.6 - middle)
        low, high = (middle, high) if soft < stiff else (low, middle)
    assert history.P[-1][1, 1] == pytest.approx(tension(NH[0], low), rel=1e-9)


def spheres() -> sb.Microstructure:
    return sb.generate.spheres(shape=(8, 8, 8), fraction=0.2, radius=3, seed=1)


def composite(**options: Any) -> sb.Cell:
    names = spheres().names
    hard = sb.laws.IsotropicElastic(E=400e3, nu=0.2)
    return sb.Cell(spheres(), {names[0]: B, names[1]: hard}, **options)


UNIAXIAL = {
    "strain": np.linspace(0, 1, 6)[:, None] * [0.01] + np.array([0.0] + 5 * [NAN]),
    "stress": np.array([[NAN, 0, 0, 0, 0, 0]] * 6),
}
TIMES = np.linspace(0, 1, 6)


def test_uniaxial_tension_with_tangents_and_fields() -> None:
    history = sb.load(composite(), TIMES, **UNIAXIAL, tolerance=1e-9, tangents=True, keep=[2, -1])
    scale = history.stress[-1, 0]
    assert np.abs(history.stress[:, 1:]).max() < 1e-7 * scale
    np.testing.assert_allclose(history.strain[:, 0], TIMES * 0.01, rtol=1e-12)
    # The tangent under uniaxial stress predicts the next small step.
    more = sb.load(
        composite(),
        [1.0, 1.01],
        strain=[[0.01, *5 * [NAN]], [0.01001, *5 * [NAN]]],
        stress=[[NAN, 0, 0, 0, 0, 0]] * 2,
        start=history,
        tolerance=1e-10,
    )
    compliance = np.linalg.inv(history.tangents[-1])
    slope = (more.stress[-1, 0] - history.stress[-1, 0]) / 1e-5
    assert slope == pytest.approx(1 / compliance[0, 0], rel=2e-2)
    assert set(history.fields) == {2, 5}
    fields = history.fields[5]
    assert fields["stress"].shape == (6, 8, 8, 8)
    np.testing.assert_allclose(
        fields["stress"].mean(axis=(1, 2, 3)), history.stress[-1], atol=1e-9 * scale
    )
    matrix = spheres().mask(spheres().names[0])
    assert np.all(np.isnan(fields["p"][~matrix]))
    assert np.all(fields["p"][matrix] >= 0)


def test_steps_do_not_retrace(caplog: pytest.LogCaptureFixture) -> None:
    import jax

    sb.load(composite(), TIMES, **UNIAXIAL)
    with jax.log_compiles():
        sb.load(composite(), 2 * TIMES, **UNIAXIAL)
    assert not [r.getMessage() for r in caplog.records if "Compiling" in r.getMessage()]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(-6e-3, 6e-3), min_size=18, max_size=18))
def test_ledger_of_random_histories(numbers: list[float]) -> None:
    strain = at_rest_then(np.asarray(numbers).reshape(3, 6))
    ledger = sb.load(composite(), np.arange(4.0), strain=strain).ledger
    assert np.all(ledger.least_dissipation >= -1e-12)
    assert np.all(np.diff(ledger.dissipated) >= 0)
    assert ledger.hill_mandel[-1] < 1e-4  # of the residual, 1e-5, times the fluctuation


def test_work_that_is_neither_stored_nor_dissipated_vanishes_with_the_steps() -> None:
    """The trapezoidal work of backward Euler: second order where the path is smooth."""

    def imbalance(steps: int) -> float:
        t = np.linspace(0, 1, steps + 1)
        strain = 0.01 * np.sin(t)[:, None] * [1.0, -0.3, 0.2, 0.5, 0, 0]
        ledger = sb.load(composite(), t, strain=strain, tolerance=1e-9).ledger
        return abs(float(ledger.imbalance[-1]))

    coarse, fine = imbalance(8), imbalance(32)
    assert np.log(coarse / fine) / np.log(4) > 0.9


def test_unfinished_history_ends_as_if_it_had_not_stopped() -> None:
    """Bit for bit, extrapolation included."""
    whole = sb.load(composite(), TIMES, **UNIAXIAL)
    stopped: list[Any] = []

    def stop(history: Any) -> None:
        if len(history.times) == 4:
            stopped.append(history)
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        sb.load(composite(), TIMES, **UNIAXIAL, committed=stop)
    resumed = sb.load(composite(), TIMES, **UNIAXIAL, start=stopped[0])
    np.testing.assert_array_equal(resumed.stress, whole.stress)
    np.testing.assert_array_equal(resumed.ledger.work, whole.ledger.work)


def test_relaxation_goes_on_in_time_alone() -> None:
    """A standard solid held at a strain: exact at any step, between glass and rubber."""
    solid = sb.laws.GeneralizedMaxwell(E=10.0, nu=0.3, shear=([0.5], [1.0]))
    cell = sb.Cell(layers(), {"a": solid, "b": solid})
    times = np.array([0.0, 1e-6, 0.5, 1.0, 5.0])
    shear = np.array([0.0, 1, 1, 1, 1])[:, None] * [0, 0, 0, 0, 0, 0.01]
    history = sb.load(cell, times, strain=shear, tolerance=1e-10)
    G = history.stress[1:, 5] / 0.01
    assert np.all(np.diff(G) < 0)
    state, answers = solid.initial_state(), []
    for dt, strain in zip(np.diff(times), shear[1:], strict=True):
        answer = solid.respond(strain, state, dt)
        state = answer.state
        answers.append(float(answer.flux[5]))
    np.testing.assert_allclose(history.stress[1:, 5], answers, rtol=1e-9)


def test_a_limit_load_keeps_what_was_reached_and_says_where() -> None:
    """More stress than a perfectly plastic cell can carry."""
    soft = sb.laws.J2Plasticity(E=70e3, nu=0.3, yield_stress=100.0)
    cell = sb.Cell(layers(), {"a": soft, "b": soft})
    stress = np.linspace(0, 1, 5)[:, None] * [0, 0, 0, 0, 0, 1.3 * 100 * ROOT2 / np.sqrt(3)]
    with pytest.raises(ConvergenceError, match=r"row 4.*failed even when cut.*phase 'a'") as error:
        sb.load(cell, np.arange(5.0), stress=stress, stepping=Stepping(cuts=2))
    partial = error.value.partial
    assert partial.times.tolist() == [0, 1, 2, 3]
    assert not sb.load(
        cell, np.arange(5.0), stress=stress, stepping=Stepping(cuts=2), throw=False
    ).converged


def uniaxial_stretch(component: tuple[int, int]) -> dict[str, Any]:
    F, P = np.full((4, 3, 3), NAN), np.zeros((4, 3, 3))
    F[(slice(None), *component)] = 1 + 0.4 * np.linspace(0, 1, 4)
    P[(slice(None), *component)] = NAN
    return {"F": F, "P": P}


@pytest.mark.parametrize("axis", [0, 1])
def test_uniaxial_stretch_of_an_anisotropic_cell_has_no_other_stress(axis: int) -> None:
    """The rotation is pinned, but so that the balance of moments does the rest."""
    cell = sb.Cell(spheres(), dict(zip(spheres().names, NH, strict=True)))
    history = sb.load(cell, np.arange(4.0), **uniaxial_stretch((axis, axis)), tolerance=1e-8)
    P = history.P[-1].copy()
    pull, P[axis, axis] = P[axis, axis], 0.0
    assert pull > 0
    assert np.abs(P).max() < 1e-6 * pull


REFUSED = [
    ({"times": [0.0, 1.0, 1.0]}, r"`times` must increase, but times\[1\] = 1"),
    ({"times": [0.0]}, "`times` must be two or more"),
    ({"strain": np.zeros((6, 5))}, r"`strain` must have shape \(6, 6\)"),
    ({"strain": np.zeros((6, 6))}, "both are given for 22 in row 0"),
    ({"stress": None}, "neither is given for 22 in row 0"),
    ({"strain": None, "stress": None}, "`strain` or `stress` must be given"),
    ({"F": np.zeros((6, 3, 3))}, "`F` is not what a cell of elasticity is driven by"),
    ({"strain": UNIAXIAL["strain"] + 0.1}, "`strain` must begin at rest"),
    ({"tolerance": 2.0}, "`tolerance` must lie between 0 and 1"),
    ({"keep": [6]}, "`keep` must name rows of the path, 0 to 5, but has 6"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_paths_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    given = {"times": TIMES, **UNIAXIAL, **change}
    with pytest.raises(InputError, match=message):
        sb.load(composite(), given.pop("times"), **given)


def test_a_linear_cell_follows_its_tensor() -> None:
    cell = composite()
    linear = sb.Cell(
        spheres(),
        {
            name: sb.laws.IsotropicElastic(E=E, nu=0.3)
            for name, E in zip(cell.microstructure.names, (70e3, 400e3), strict=True)
        },
    )
    history = sb.load(linear, TIMES, **UNIAXIAL, tolerance=1e-9)
    modulus = sb.effective(linear, tolerance=1e-10).young_modulus([1, 0, 0])
    np.testing.assert_allclose(history.stress[:, 0], modulus * history.strain[:, 0], rtol=1e-7)
    assert history.ledger.imbalance[-1] == pytest.approx(0, abs=1e-9 * history.ledger.work[-1])


def test_finite_volumes_are_refused() -> None:
    k = sb.laws.Conduction(1.0)
    cell = sb.Cell(spheres(), dict.fromkeys(spheres().names, k), element="volume")
    with pytest.raises(InputError, match=r"element 'volume'.*use sb\.effective"):
        sb.load(cell, [0.0, 1.0], gradient=[[0, 0, 0], [1, 0, 0]])


def test_nine_components_of_stress_are_refused() -> None:
    cell = sb.Cell(spheres(), dict(zip(spheres().names, NH, strict=True)))
    with pytest.raises(InputError, match="`P` must leave a component to `F`"):
        sb.load(cell, [0.0, 1.0], P=np.zeros((2, 3, 3)))


def test_coarse_grained_energy_and_plastic_strain_agree() -> None:
    """Unloading the composite leaves Eᵖ, not ⟨εᵖ⟩; what it stores then is the residual energy."""
    path = np.array([0.0, 0.5, 1.0])
    strain = path[:, None] * np.array([8.0, -2.0, -1.0, 3.0, 0.0, 2.0]) * 1e-3
    cell = composite()
    history = sb.load(cell, path, strain=strain, tolerance=1e-10)
    found = sb.upscaling.coarse_grained(cell, history)
    mean, stress = history.strain[-1], history.stress[-1]
    np.testing.assert_allclose(
        found.stiffness @ (mean - found.plastic_strain), stress, atol=1e-6 * np.abs(stress).max()
    )
    naive = found.stiffness @ (mean - found.average_plastic_strain)
    assert np.abs(naive - stress).max() > 1e-2 * np.abs(stress).max()
    total = found.elastic_energy + found.residual_energy + found.other_energy
    assert total == pytest.approx(history.ledger.stored[-1], rel=1e-8)
    assert found.residual_energy > 0.02 * found.elastic_energy
    np.testing.assert_allclose(
        found.residual_stress.mean(axis=(1, 2, 3)), 0, atol=1e-7 * np.abs(stress).max()
    )
    # H p²/2 of the matrix is all that is stored beside elastic energy.
    p = np.asarray(history.end.now.states[0]["p"])
    share = p.size / 8**3
    assert found.other_energy == pytest.approx(0.5 * 1000.0 * np.mean(p**2) * share, rel=1e-6)


def test_a_row_that_was_cut_short_begins_anew() -> None:
    """Interrupted between the substeps of a row: the part ends with the row before."""
    cell = sb.Cell(spheres(), dict(zip(spheres().names, NH, strict=True)))
    shear = np.outer([1.0, 0, 0], [0, 1.0, 0])
    F = np.eye(3) + np.array([0.0, 0.05, 4.0])[:, None, None] * shear
    whole = sb.load(cell, np.arange(3.0), F=F)
    assert whole.substeps[2] > 1

    def stop(event: Any) -> None:
        if event.step == 2 and event.accepted:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interrupted:
        sb.load(cell, np.arange(3.0), F=F, progress=stop)
    resumed = sb.load(cell, np.arange(3.0), F=F, start=interrupted.value.partial)
    np.testing.assert_array_equal(resumed.P, whole.P)


def test_a_step_that_ends_free_of_stress_still_meets_hill_mandel() -> None:
    strain = np.zeros((3, 6))
    strain[1, 0] = 1e-4  # elastic
    history = sb.load(composite(), [0.0, 1.0, 2.0], strain=strain)
    assert history.ledger.hill_mandel[-1] < 1e-4


def test_fields_of_a_law_that_remembers_the_strain_in_a_plane_cell() -> None:
    image = sb.Microstructure(np.eye(4, dtype=int), spacing=1.0, phases={"a": 0, "b": 1})
    soft = sb.laws.GeneralizedMaxwell(E=1.0, nu=0.3, shear=([0.5], [1.0]))
    hard = sb.laws.IsotropicElastic(E=9.0, nu=0.2)
    cell = sb.Cell(image, {"a": soft, "b": hard}, plane="strain")
    strain = np.array([[0, 0, 0], [0.01, 0, 0]])
    history = sb.load(cell, [0.0, 1.0], strain=strain, keep=[-1])
    assert history.fields is not None
    assert history.fields[1]["strain"].shape == (3, 4, 4)
    np.testing.assert_allclose(history.fields[1]["strain"].mean(axis=(1, 2)), strain[1], atol=1e-9)
