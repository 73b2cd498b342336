"""Derivatives of load histories by parameters of the laws, against differences and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from law_members import MEMBERS, gradients
from scalebridge import laws
from scalebridge.cell import newton
from scalebridge.errors import ConvergenceError, InputError
from scalebridge.upscaling import Stepping, loss_gradient, sensitivities, step_derivative

NAN = np.nan
IMAGE = sb.Microstructure(
    (np.random.default_rng(3).random((4, 4)) < 0.4).astype(int), 1.0, {"a": 0, "b": 1}
)
CYCLE = np.array([0, 0.3, 0.6, 1.0, 0.5, -0.2, -0.7])  # yields both ways

# ε₁₁ and γ₁₂ over the cycle, no stress along y.
MIXED = {
    "strain": CYCLE[:, None] * [0.012, NAN, 0.004],
    "stress": np.where([False, True, False], np.zeros((7, 1)), NAN),
}
# Free components that come to be prescribed: the path sets out from what they have reached.
SWITCHED = {name: table.copy() for name, table in MIXED.items()}
SWITCHED["strain"][4:, 1], SWITCHED["stress"][4:, 1] = [-0.004, -0.002, 0.001], NAN
SWITCHED["strain"][5:, 0], SWITCHED["stress"][5:, 0] = NAN, [-50.0, -100.0]
STRETCHED = {"F": np.full((4, 2, 2), NAN), "P": np.full((4, 2, 2), NAN)}
STRETCHED["F"][:, 0, 0], STRETCHED["F"][:, 0, 1] = [1.0, 1.2, 1.4, 1.1], [0.0, 0.1, 0.3, 0.2]
STRETCHED["P"][:, 1] = 0.0
HEATED = {
    "gradient": np.array([0.0, 1.0, 2.0, 1.5])[:, None] * [1.0, NAN],
    "flux": np.array([0.0, 0.3, 0.5, 0.2])[:, None] * [NAN, 1.0],
}


class Case(NamedTuple):
    """A cell made of numbers: those of the law of phase a by the names it stores them under."""

    make: Callable[..., laws.Law]
    numbers: dict[str, float]
    other: laws.Law
    path: dict[str, np.ndarray]
    options: dict[str, Any]

    def cell(self, **changed: float) -> sb.Cell:
        phases = {"a": self.make(*{**self.numbers, **changed}.values()), "b": self.other}
        return sb.Cell(IMAGE, phases, **self.options)


def plastic(E: float, nu: float, yield_stress: float, H: float) -> laws.Law:
    return laws.J2Plasticity(E, nu, yield_stress, hardening=laws.LinearHardening(H))


def voce(E: float, nu: float, yield_stress: float, Q: float, b: float, H: float) -> laws.Law:
    return laws.J2Plasticity(E, nu, yield_stress, hardening=laws.VoceHardening(Q, b, H))


def frederick(E: float, nu: float, yield_stress: float, H: float, C: float, g: float) -> laws.Law:
    return laws.J2Plasticity(
        E,
        nu,
        yield_stress,
        hardening=laws.LinearHardening(H),
        kinematic=laws.ArmstrongFrederick(C, g),
    )


def maxwell(E: float, nu: float, g: float, tau: float, k: float, bulk: float) -> laws.Law:
    return laws.GeneralizedMaxwell(E, nu, shear=(g, tau), bulk=(k, bulk))


def norton(E: float, nu: float, rate: float, stress: float, exponent: float) -> laws.Law:
    return laws.NortonCreep(E, nu, rate=rate, stress=stress, exponent=exponent)


FLAT = {"plane": "strain"}
STEEL = {"E": 70e3, "nu": 0.3, "yield_stress": 200.0}
VOCE = {**STEEL, "hardening.Q": 100.0, "hardening.b": 30.0, "hardening.H": 1000.0}
BACKSTRESS = {**STEEL, "hardening.H": 500.0, "kinematic.C": 2e4, "kinematic.gamma": 100.0}
BRANCH = {"g": 0.4, "shear_time": 0.5, "k": 0.3, "bulk_time": 1.0}
CREEP = {"rate": 1e-3, "drag": 100.0, "exponent": 5.0}
STIFF = laws.IsotropicElastic(400e3, 0.2)
CASES = {
    "Voce, from free to prescribed, cut": Case(voce, VOCE, STIFF, SWITCHED, FLAT),
    "linear hardening": Case(plastic, {**STEEL, "hardening.H": 1000.0}, STIFF, MIXED, FLAT),
    "linear hardening, plane stress": Case(
        plastic, {**STEEL, "hardening.H": 1000.0}, STIFF, MIXED, {"plane": "stress"}
    ),
    "Armstrong-Frederick, static": Case(
        frederick, BACKSTRESS, STIFF, MIXED, {**FLAT, "boundary": "static"}
    ),
    "Norton": Case(norton, {"E": 70e3, "nu": 0.3, **CREEP}, STIFF, MIXED, FLAT),
    "Maxwell": Case(
        maxwell, {"E": 10.0, "nu": 0.3, **BRANCH}, laws.IsotropicElastic(60.0, 0.2), MIXED, FLAT
    ),
    "neo-Hooke, kinematic": Case(
        laws.NeoHookean,
        {"E": 1.0, "nu": 0.3},
        laws.NeoHookean(10.0, 0.2),
        STRETCHED,
        {**FLAT, "boundary": "kinematic"},
    ),
    "conduction, static, full": Case(
        laws.PowerLawConduction,
        {"k": 2.0, "exponent": 0.5, "scale": 1.0},
        laws.Conduction(10.0),
        HEATED,
        {"boundary": "static", "element": "full"},
    ),
}
QUICK = {"Voce, from free to prescribed, cut", "conduction, static, full"}
TOLERANCE = 1e-11
FIELDS = ("gradient", "flux")


def answers(history: sb.upscaling.History) -> np.ndarray:
    return np.stack([history.gradient, history.flux])


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in CASES]
)
def test_forward_adjoint_and_central_differences(name: str) -> None:
    case = CASES[name]
    rows = len(next(iter(case.path.values())))
    options = {"tolerance": TOLERANCE, **case.path}
    if "cut" in name:
        options["stepping"] = Stepping(newton_iterations=4)
    times, cell = np.arange(float(rows)), case.cell()
    own = [f"a.{name}" for name in case.numbers]
    found = sensitivities(cell, times, parameters=own, **options)
    assert ("cut" in name) == (found.history.substeps.max() > 1)
    slopes = {n: np.stack([found.gradient[n], found.flux[n]]) for n in own}
    slopes = {n: slope.reshape(slope.shape[:3]) for n, slope in slopes.items()}

    # Central differences, of step h: h² of the curvature, and the solver's 1e-11 over h, which
    # the little that some parameters do (a hardening modulus, 1 % of the stress) makes larger.
    for parameter, value in case.numbers.items():
        h = 1e-4 * value
        up, down = (sb.load(case.cell(**{parameter: value + s}), times, **options) for s in (h, -h))
        assert np.array_equal(up.substeps, down.substeps)
        difference = (answers(up) - answers(down)) / (2 * h)
        for slope, expected in zip(slopes[f"a.{parameter}"], difference, strict=True):
            np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-6 * np.abs(expected).max())

    size = np.abs(answers(found.history)).max(axis=(1, 2))
    weights = np.random.default_rng(0).standard_normal((2, *found.history.flux.shape))
    weights /= size[:, None, None]

    def loss(gradient: Any, flux: Any) -> Any:
        return jnp.sum(weights[0] * gradient) + jnp.sum(weights[1] * flux)

    value, back = loss_gradient(cell, times, loss=loss, **options)
    assert value == pytest.approx(float(np.sum(weights * answers(found.history))), rel=1e-12)
    assert set(own) < set(back)
    for parameter in own:
        forward = slopes[parameter]
        scale = np.sum(np.abs(weights * forward))
        assert back[parameter].item() == pytest.approx(np.sum(weights * forward), abs=1e-9 * scale)

    for stride in (1, 2) if name in QUICK else ():
        again = loss_gradient(cell, times, loss=loss, stride=stride, **options).derivatives
        assert all(np.array_equal(again[n], back[n]) for n in back)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMBERS)
def test_cell_of_one_material_has_the_slopes_of_its_law(name: str) -> None:
    """Every law, by all of its parameters, over two steps of different direction."""
    member = MEMBERS[name]
    law = member.law
    path = gradients(member, np.random.default_rng(7).uniform(-1, 1, (2, 9)))
    weights = np.random.default_rng(0).standard_normal(path.shape)

    def weighted(law: laws.Law) -> Any:
        state, total = law.initial_state(), 0.0
        for gradient, weight in zip(path, weights, strict=True):
            answer = law.respond(gradient, state, 1.0)
            state, total = answer.state, total + jnp.sum(weight * answer.flux)
        return total

    expected = [
        a for a in jax.tree.leaves(eqx.filter_jit(eqx.filter_grad(weighted))(law)) if a.size
    ]
    own = {"conduction": "gradient", "elasticity": "strain", "finite strain": "F"}
    image = sb.Microstructure(np.arange(12).reshape(3, 2, 2) % 2, 1.0, {"a": 0, "b": 1})
    rest = law.kinematics.rest
    value, back = loss_gradient(
        sb.Cell(image, {"a": law, "b": law}),
        np.arange(3.0),
        loss=lambda _, flux: jnp.sum(weights * flux[1:]),
        tolerance=1e-10,
        **{own[law.kinematics.physics]: np.concatenate([rest[None], path])},
    )
    assert value == pytest.approx(float(weighted(law)), rel=1e-9)
    whole = [back[n] + back[f"b{n[1:]}"] for n in back if n.startswith("a.")]
    for found, slope in zip(whole, expected, strict=True):
        np.testing.assert_allclose(found, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


def test_uniaxial_tension_of_one_material_in_closed_form() -> None:
    """σ = E (H ε + σ_y)/(E + H) and p = (E ε − σ_y)/(E + H) once it flows."""
    E, nu, sy, H = 70e3, 0.3, 200.0, 1000.0
    law = plastic(E, nu, sy, H)
    image = sb.Microstructure(np.arange(8).reshape(2, 2, 2) % 2, 1.0, {"a": 0, "b": 1})
    times = np.linspace(0, 1, 5)
    strain, stress = np.full((5, 6), NAN), np.zeros((5, 6))
    strain[:, 0], stress[:, 0] = 0.02 * times, NAN
    parameters = [f"{phase}.{n}" for phase in "ab" for n in ("E", "yield_stress", "hardening.H")]
    found = sensitivities(
        sb.Cell(image, {"a": law, "b": law}),
        times,
        parameters=parameters,
        strain=strain,
        stress=stress,
        tolerance=1e-11,
    )
    axial = strain[1:, 0]
    sigma, p = E * (H * axial + sy) / (E + H), (E * axial - sy) / (E + H)
    exact = {  # of σ and p
        "E": (H * sigma / E / (E + H), (axial - p) / (E + H)),
        "yield_stress": (E / (E + H) + 0 * p, -1 / (E + H) + 0 * p),
        "hardening.H": (E * p / (E + H), -p / (E + H)),
    }
    np.testing.assert_allclose(found.history.stress[1:, 0], sigma, rtol=1e-9)
    for name, (by_stress, by_p) in exact.items():
        whole = {f: getattr(found, f)[f"a.{name}"] + getattr(found, f)[f"b.{name}"] for f in FIELDS}
        np.testing.assert_allclose(whole["flux"][1:, 0], by_stress, rtol=1e-9)
        direct = nu * sigma / E**2 if name == "E" else 0.0
        lateral = direct - nu * by_stress / E - 0.5 * by_p  # of ε₂₂ = −ν σ/E − p/2
        np.testing.assert_allclose(whole["gradient"][1:, 1], lateral, rtol=1e-8)
        assert not np.any(whole["gradient"][:, 0])
        assert not np.any(whole["flux"][0])


def test_linear_cell_with_a_tensor_and_a_rigid_phase() -> None:
    """The flux is proportional to all conductivities, of which the rigid phase takes its own."""
    k = np.array([[3.0, 0.5, 0.2], [0.5, 2.0, -0.4], [0.2, -0.4, 1.0]])
    cell = sb.Cell(IMAGE, {"a": laws.Conduction(k), "b": laws.Rigid(100.0)})
    path = {"gradient": np.array([[0.0, 0.0], [1.0, -0.5]])}
    found = sensitivities(cell, [0.0, 1.0], parameters="a.k", tolerance=TOLERANCE, **path)
    assert found.flux["a.k"].shape == (2, 2, 3, 3)
    flux = found.history.flux
    np.testing.assert_allclose(np.einsum("rcij,ij->rc", found.flux["a.k"], k), flux, rtol=1e-9)
    value, back = loss_gradient(
        cell, [0.0, 1.0], loss=lambda _, q: q[1, 0] ** 2, tolerance=TOLERANCE, **path
    )
    assert list(back) == ["a.k"]
    expected = 2 * flux[1, 0] * found.flux["a.k"][1, 0]
    np.testing.assert_allclose(back["a.k"], expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    assert value == pytest.approx(flux[1, 0] ** 2)


@pytest.mark.slow
def test_parameters_of_a_cell_within_a_cell() -> None:
    def cell(k: float) -> sb.Cell:
        yarn = {"fibre": laws.Conduction(5.0), "resin": laws.Conduction(k)}
        image = sb.Microstructure(np.eye(3, dtype=int), 1.0, {"resin": 0, "fibre": 1})
        inner = sb.Cell(image, yarn, tolerance=TOLERANCE)
        return sb.Cell(IMAGE, {"a": inner, "b": laws.PowerLawConduction(2.0, 0.5, 1.0)})

    path = {**heated(3), "tolerance": TOLERANCE}
    found = sensitivities(cell(1.0), parameters="a.laws.resin.k", **path)
    up, down = (sb.load(cell(1.0 + h), **path).flux for h in (1e-4, -1e-4))
    expected = (up - down) / 2e-4
    slope = found.flux["a.laws.resin.k"]
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    _, back = loss_gradient(cell(1.0), loss=lambda _, flux: flux[-1, 0], **path)
    assert back["a.laws.resin.k"].item() == pytest.approx(slope[-1, 0], rel=1e-9)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time that the laws are traced for a derivative."""
    told: list[None] = []
    answer = step_derivative._answer

    def counted(*arguments: Any) -> Any:
        told.append(None)
        return answer(*arguments)

    monkeypatch.setattr(step_derivative, "_answer", counted)
    return told


def conducting(k: float = 2.0, exponent: float = 0.5) -> sb.Cell:
    image = sb.Microstructure(np.eye(3, dtype=int), 1.0, {"a": 0, "b": 1})
    return sb.Cell(
        image,
        {"a": laws.PowerLawConduction(k, exponent, 1.0), "b": laws.Conduction(10.0)},
        boundary="kinematic",
    )


def heated(rows: int) -> dict[str, np.ndarray]:
    return {"times": np.arange(float(rows)), "gradient": np.arange(rows)[:, None] * [1.0, 0.5]}


def test_neither_steps_nor_values_are_traced_anew(traces: list[None]) -> None:
    def both(cell: sb.Cell, rows: int) -> None:
        sensitivities(cell, parameters=["a.k", "b.k"], **heated(rows))
        loss_gradient(cell, loss=lambda _, flux: flux[-1, 0], **heated(rows))

    both(conducting(), 2)
    count = len(traces)
    assert count > 0
    both(conducting(3.0, 0.7), 5)
    assert len(traces) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": []}, r"`parameters` must name a parameter.*there are a\.k, a\.exponent"),
        ({"parameters": ["a.K"]}, r"'a\.K' is none \(did you mean 'a\.k'\?\); there are a\.k"),
        ({"parameters": ["b.E"]}, r"'b\.E' is none.*there are .*b\.k"),
        ({"parameters": "c"}, "'c' is none"),
        ({"loss": lambda _, flux: flux[:, 0]}, r"`loss` must return a number, but returns \(3,\)"),
        ({"loss": lambda *_: None}, "`loss` must return a number, but returns NoneType"),
        ({"loss": lambda _, flux: float(flux[0, 0])}, "`loss` must be made of plain arithmetic"),
        ({"loss": lambda _, flux: jnp.linalg.norm(flux[0])}, "has none by the averages of row 0"),
        ({"loss": lambda _, flux: flux[0, 0], "stride": 0}, "`stride` must be a whole number > 0"),
        ({"parameters": ["a.k"], "tolerance": -1.0}, "`tolerance` must"),
        ({"parameters": ["a.k"], "strain": np.zeros((3, 3))}, "`strain` is not what a cell of"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    derive = loss_gradient if "loss" in options else sensitivities
    with pytest.raises(InputError, match=message):
        derive(conducting(), **heated(3), **options)
    with pytest.raises(InputError, match="`cell` must be a Cell"):
        derive(laws.Conduction(1.0), **heated(3), **options)


def test_history_that_does_not_converge_is_kept_so_far() -> None:
    saturating = laws.PowerLawConduction(2.0, 0.0, 1.0)  # carries 2 at most
    cell = sb.Cell(IMAGE, {"a": saturating, "b": saturating})
    flux = np.array([0.0, 1.0, 3.0])[:, None] * [1.0, 0.0]
    with pytest.raises(ConvergenceError, match="row 2") as caught:
        sensitivities(cell, np.arange(3.0), flux=flux, parameters="a.k", stepping=Stepping(cuts=1))
    assert len(caught.value.partial.times) == 2


def test_derivative_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "LINEAR_ITERATIONS", 1)
    image = sb.Microstructure(np.arange(25).reshape(5, 5) % 3 % 2, 1.0, {"a": 0, "b": 1})
    cell = sb.Cell(image, {"a": laws.Conduction(1.0), "b": laws.Conduction(10.0)})
    with pytest.raises(ConvergenceError, match=r"t = 1 \(row 1\) has no answer"):
        sensitivities(cell, parameters="a.k", tolerance=1e-3, **heated(2))
