"""Points that are alike and share one solve: what it saves, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.errors import InputError
from scalebridge.structure import rectangle
from scalebridge.structure.alike_points import AlikePoints
from scalebridge.structure.answers import Answers, Points, Question
from scalebridge.structure.cell_points import CellPoints
from scalebridge.structure.workers import InProcess

LABELS = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
SOFT = sb.laws.J2Plasticity(
    E=70e3, nu=0.33, yield_stress=100.0, hardening=sb.laws.LinearHardening(2000.0)
)
HARD = sb.laws.IsotropicElastic(E=400e3, nu=0.2)
TIMES = np.linspace(0.0, 1.0, 4)


def composite(soft: Any = SOFT, hard: Any = HARD, plane: str | None = "strain") -> sb.Cell:
    image = sb.Microstructure(LABELS, spacing=1.0, phases={"soft": 0, "hard": 1})
    return sb.Cell(image, {"soft": soft, "hard": hard}, plane=plane)


def strip(pull: float = 0.01, shear: float = 0.5, cell: Any = None, **options: Any) -> sb.Structure:
    """Return a strip of 128 points whose strain varies."""
    return sb.Structure(
        rectangle((2.0, 1.0), (8, 4)),
        {"body": cell or composite()},
        supports={"left": "fixed", "right": {"x": pull, "y": shear * pull}},
        plane="strain",
        **options,
    )


def off(found: Any, exact: Any) -> float:
    """Return the largest difference over the largest value."""
    return float(np.abs(np.asarray(found) - exact).max() / np.abs(exact).max())


def flux_error(found: sb.structure.Solution, exact: sb.structure.Solution) -> list[float]:
    """Return the true error of the fluxes, by row."""
    errors = [0.0]
    for row in range(1, len(exact.times)):
        one, other = (s.fields[row]["body"]["flux"] for s in (found, exact))
        size = np.linalg.norm(other, axis=-1).max()
        errors.append(float(np.linalg.norm(one - other, axis=-1).max() / size))
    return errors


@pytest.fixture(scope="module")
def exact() -> sb.structure.Solution:
    return strip().solve(TIMES, keep=range(4))


def test_the_error_is_what_it_is_said_to_be_and_falls(exact: Any) -> None:
    reactions = []
    for alike, part in ((0.3, 0.25), (0.03, 0.55)):
        found = strip().solve(TIMES, keep=range(4), alike=alike)
        told = found.sharing["body"]
        assert told.points == 128
        assert told.groups[0] == 1
        assert np.all(np.diff(told.groups) >= 0)
        assert told.groups[-1] < part * 128
        true = flux_error(found, exact)
        assert told.error.shape == (4,)
        assert 1e-5 < max(true) < alike
        assert max(true) / 5 < told.error.max() < 5 * max(true)
        assert f"{told.groups[-1]} solves serve 128 points" in repr(found)
        # One solve for each group, in each call.
        work = [sum(call.iterations for call in s.calls) for s in (found, exact)]
        assert work[0] < part * work[1]
        reactions.append(off(found.reactions["right"], exact.reactions["right"]))
    # Members err both ways about their mean: what they add up to is right to second order.
    assert reactions[1] < reactions[0] / 20
    assert not exact.sharing
    assert "solves serve" not in repr(exact)


def step(points: Points, strains: list[np.ndarray]) -> list[Answers]:
    """Follow strains, the second half of the way back."""
    states, guess, answers = points.virgin(), None, []
    for now in strains:
        answer = points.answer(Question(now, states, 1.0, 1e-11, 1e-8, guess))
        states, guess = points.commit(answer.states, answer.work)
        answers.append(answer)
    return answers


def test_orders_of_the_error() -> None:
    """Second in a step that is plastic; first in the next, whose states members share."""
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(16, 3))
    spread -= spread.mean(axis=0)
    mean = np.array([8e-3, -2e-3, 3e-3])
    errors: dict[str, list[float]] = {"flux": [], "energy": [], "later": [], "later mean": []}
    for part in (2e-3, 2e-4):
        strains = mean * (1 + part * spread)
        path = [strains, 0.5 * strains]
        points = CellPoints(composite(), 16, None, np.zeros(3, bool))
        whole, shared = step(points, path), step(AlikePoints(points, 0.05), path)
        assert shared[-1].states.group.max() == 0
        errors["flux"].append(off(shared[0].flux, whole[0].flux))
        errors["energy"].append(
            off(*(one[0].energy + one[0].dissipation for one in (shared, whole)))
        )
        errors["later"].append(off(shared[1].flux, whole[1].flux))
        errors["later mean"].append(off(*(one[1].flux.mean(axis=0) for one in (shared, whole))))
    fall = {name: first / last for name, (first, last) in errors.items()}
    assert fall["flux"] > 50
    assert fall["energy"] > 50
    assert 5 < fall["later"] < 20
    assert fall["later mean"] > 50


def test_a_body_that_is_strained_uniformly_has_one_group() -> None:
    moved = {"x": lambda x, t: t * (5e-3 * x[0] + 2e-3 * x[1]), "y": 0.0}
    body = sb.Structure(
        rectangle((2.0, 1.0), (8, 4)),
        {"body": composite()},
        supports=dict.fromkeys(("left", "right", "bottom", "top"), moved),
        plane="strain",
    )
    one, other = (body.solve(TIMES, tolerance=1e-10, alike=a) for a in (1e-6, None))
    told = one.sharing["body"]
    assert told.groups.tolist() == [1, 1, 1, 1]
    assert told.error.max() < 1e-9
    assert off(one.field, other.field) < 1e-9
    assert off(one.reactions["right"], other.reactions["right"]) < 1e-9
    np.testing.assert_allclose(one.dissipated, other.dissipated, rtol=1e-9)
    # The fields behind any point are those of its group.
    inside = [sb.localize(s, elements=[(9, 2)])[0].fields["stress"] for s in (one, other)]
    assert off(*inside) < 1e-7


def test_turned_cells_share_where_they_see_alike() -> None:
    """Cells a quarter turn apart, under strains a quarter turn apart."""
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turns = np.stack([np.eye(3), quarter])
    points = CellPoints(composite(), 2, turns, np.zeros(3, bool))
    strains = np.array([[8e-3, -1e-3, 2e-3], [-1e-3, 8e-3, -2e-3]])
    (whole,), (shared,) = (step(p, [strains]) for p in (points, AlikePoints(points, 1e-3)))
    assert shared.states.group.tolist() == [0, 0]
    assert off(shared.flux, whole.flux) < 1e-9
    assert off(shared.tangents, whole.tangents) < 1e-6
    (apart,) = step(AlikePoints(points, 1e-3), [strains[[0, 0]]])
    assert apart.states.group.tolist() in ([0, 1], [1, 0])


def shares_well(part: sb.Structure, alike: float) -> None:
    exact, found = (part.solve([0.0, 0.5, 1.0], keep=range(3), alike=a) for a in (None, alike))
    told = found.sharing["body"]
    assert told.groups[-1] < 32
    true = max(flux_error(found, exact))
    assert 1e-6 < true < alike
    assert true / 5 < told.error.max() < 5 * true
    assert off(found.field, exact.field) < 1e-3


def test_conduction() -> None:
    law = sb.laws.PowerLawConduction(k=2.0, exponent=1.5, scale=1.0)
    cell = composite(law, sb.laws.Conduction(5.0), None)
    wall = sb.Structure(
        rectangle((2.0, 1.0), (4, 2)),
        {"body": cell},
        supports={"left": 0.0},
        loads={"right": {"flux": lambda x, t: 3.0 * t * (1 + 0.1 * x[1])}},
    )
    shares_well(wall, 0.03)


@pytest.mark.slow
def test_finite_strain() -> None:
    soft, hard = sb.laws.NeoHookean(E=1.0, nu=0.4), sb.laws.NeoHookean(E=10.0, nu=0.3)
    part = sb.Structure(
        rectangle((2.0, 1.0), (4, 2)),
        {"body": composite(soft, hard)},
        supports={"left": {"x": 0.0, "y": 0.0}, "right": {"x": 0.4, "y": 0.1}},
        plane="strain",
    )
    shares_well(part, 0.15)


class KilledError(Exception):
    """Stands for a kill."""


def test_a_solve_that_was_killed_goes_on_bit_by_bit(tmp_path: Path) -> None:
    def solve(**options: Any) -> sb.structure.Solution:
        return strip().solve(TIMES, alike=0.1, keep=[2], watch=[(5, 1)], **options)

    def kill(event: Any) -> None:
        if event.step == 3 and event.iteration == 1:
            raise KilledError

    checkpoint = sb.StructureCheckpoint(tmp_path / "strip")
    with pytest.raises(KilledError):
        solve(checkpoint=checkpoint, progress=kill)
    found, whole = solve(checkpoint=checkpoint), solve()
    for name in ("field", "work", "stored", "dissipated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for one, other in zip(found.sharing["body"], whole.sharing["body"], strict=True):
        np.testing.assert_array_equal(one, other)
    for row in (2, -1):
        inside = [sb.localize(s, elements=[(5, 1)], row=row)[0].fields for s in (found, whole)]
        np.testing.assert_array_equal(*(fields["stress"] for fields in inside))
    with pytest.raises(InputError, match="another problem"):
        strip().solve(TIMES, alike=0.2, checkpoint=checkpoint)


def test_bad_input() -> None:
    for bad in (0.0, 1.0, -1, float("nan"), True, "much"):
        with pytest.raises(InputError, match="`alike` must lie between 0 and 1, but is"):
            strip().solve(TIMES, alike=bad)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`alike` and `workers` exclude each other"):
        strip().solve(TIMES, alike=0.1, workers=InProcess())
    with pytest.raises(InputError, match="`alike` is for points of nonlinear cells"):
        strip(cell=HARD).solve(alike=0.1)
    with pytest.raises(InputError, match="`tangent` of the structure is 'initial'"):
        strip(tangent="initial").solve(alike=0.1)
