"""Predicted memory, iterations and time of runs; what cannot fit is refused at the door."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge import upscaling
from scalebridge.cell import cg
from scalebridge.cli import main
from scalebridge.microstructure import memory
from scalebridge.study import cost_sides
from scalebridge.study.cost import estimate, estimate_study
from scalebridge.study.cost_cells import coarse, cut
from scalebridge.study.cost_memory import memory_of
from scalebridge.study.cost_table import show_estimate, tell_time
from scalebridge.study.plan import Plan, Request
from scalebridge.study.studyfile import read_study
from scalebridge.study.time_left import TimeLeft, iterations_to_come, tell_left

SOFT, STIFF = {"k": 1.0, "E": 1.0, "nu": 0.3}, {"k": 10.0, "E": 10.0, "nu": 0.2}


def law(physics: str, constants: dict[str, float]) -> sb.laws.Law:
    if physics == "conduction":
        return sb.laws.Conduction(constants["k"])
    return sb.laws.IsotropicElastic(E=constants["E"], nu=constants["nu"])


def plan(
    shape: tuple[int, ...],
    physics: str = "conduction",
    boundary: str = "periodic",
    cases: tuple[int, ...] = (),
    compare: bool = False,
    **options: Any,
) -> Plan:
    micro = sb.Microstructure(np.indices(shape).sum(0) // 3 % 2, 1.0, {"a": 0, "b": 1})
    laws = {"a": law(physics, SOFT), "b": law(physics, STIFF)}
    if physics == "elasticity" and len(shape) == 2:
        options = {"plane": "strain", **options}
    cell = sb.Cell(micro, laws, boundary=boundary, **options)
    request = Request(cell, "property", cases=cases, compare=compare)
    return Plan(micro, {"cell": request}, {}, {}, Path("out"), 0.0)


STUDY = """
microstructure:
  {type: spheres, shape: [24, 24, 24], fraction: 0.2, radius: 5, seed: 1, names: [m, s]}
laws:
  m: {elasticity: {type: isotropic, E: 1, nu: 0.3}, conduction: {type: conduction, k: 1}}
  s: {elasticity: {type: isotropic, E: 50, nu: 0.2}, conduction: {type: conduction, k: 20}}
cells:
  heat: {physics: conduction, boundary: all}
  body: {physics: elasticity, fields: false}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def command(*words: object) -> SimpleNamespace:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())


# ---- memory

_MEASURE = """
import resource, sys
import tests.test_estimate as t
from scalebridge.study.execute import execute
from scalebridge.study.cost_memory import memory_of
from dataclasses import replace
from pathlib import Path
plan = replace(t.plan(*{arguments}), out=Path(sys.argv[1]))
execute(plan)
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(memory_of(plan).peak, int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "arguments",
    [
        ((60, 60, 60), "elasticity", "periodic", (0,)),
        ((80, 80, 80), "conduction", "kinematic", ()),
    ],
)
def test_memory_is_predicted_within_half(arguments: Any, tmp_path: Path) -> None:
    words = [sys.executable, "-c", _MEASURE.format(arguments=arguments), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    predicted, actual = map(int, done.stdout.split())
    assert 1 / 1.5 < predicted / actual < 1.5


@given(
    side=st.integers(8, 400),
    longer=st.integers(1, 400),
    physics=st.sampled_from(["conduction", "elasticity"]),
    element=st.sampled_from(["reduced", "full"]),
    boundary=st.sampled_from(["periodic", "kinematic", "static"]),
    fields=st.integers(0, 2),
)
@settings(max_examples=30, deadline=None)
def test_more_of_anything_takes_no_less_memory(
    side: int, longer: int, physics: str, element: str, boundary: str, fields: int
) -> None:
    def peak(shape: tuple[int, ...], element: str, fields: int, compare: bool = False) -> int:
        small = plan((8, 8, 8), physics, boundary, tuple(range(fields)), element=element)
        request = small.requests["cell"]
        cell = _resized(request.cell, shape)
        bigger = replace(request, cell=cell, compare=compare)
        micro = SimpleNamespace(labels=np.broadcast_to(np.uint8(0), shape))
        return memory_of(replace(small, microstructure=micro, requests={"cell": bigger})).peak

    own = peak((side,) * 3, element, fields)
    # Arrays beyond 32 MiB are given back at once: of them the allocator holds less.
    share = 1.0 if (side + 3) ** 2 * (side + longer + 3) * 8 < 2**25 else 1.3
    assert own < share * peak((side, side, side + longer), element, fields)
    assert own <= peak((side,) * 3, "full", fields)
    assert own < peak((side,) * 3, element, fields + 1)
    if boundary == "periodic":
        assert own < peak((side,) * 3, element, fields, compare=True)


def _resized(cell: sb.Cell, shape: tuple[int, ...]) -> Any:
    """Return what `memory_of` asks of a cell, without its arrays."""
    disc = replace(cell.discretisation, shape=shape)
    return SimpleNamespace(
        discretisation=disc,
        boundary=cell.boundary,
        physics=cell.physics,
        dim=cell.dim,
        rotations={},
        materials=SimpleNamespace(nbytes=disc.voxels),
        microstructure=SimpleNamespace(shape=shape),
    )


def test_terms_make_up_the_peak() -> None:
    found = memory_of(plan((16, 16, 16), "elasticity", cases=(0,)))
    assert found.peak == sum(found.terms.values())
    assert found.peak == max(sum(terms.values()) for terms in found.stages.values())
    assert 0 < found.to_come < found.peak


# ---- what does not fit


@pytest.fixture
def nothing_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    def solve(*_: object, **__: object) -> None:
        raise AssertionError("solved")

    monkeypatch.setattr(cg, "solve", solve)
    monkeypatch.setattr(upscaling, "effective", solve)


@pytest.mark.usefixtures("nothing_is_solved")
@pytest.mark.parametrize("verb", ["run", "estimate"])
@pytest.mark.parametrize("swept", [False, True])
def test_a_study_that_cannot_fit_says_so_at_once(
    verb: str, swept: bool, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if swept:
        more = "sweep: {parameters: {cells.heat.tolerance: [1e-4, 1e-6]}}\n"
        study.write_text(STUDY + more, encoding="utf-8")
    monkeypatch.setattr(memory, "available_memory", lambda: 1 << 20)
    done = command(verb, study, "--out", tmp_path / "out", "--quiet")
    assert done.code == 2
    told = done.err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("error: the run must fit into memory, but needs about ")
    assert "1.0 MiB are available" in told[0]
    assert "crop or coarsen" in told[0]
    assert "compute conduction alone" in told[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_is_solved")
@pytest.mark.parametrize("more", [[], ["--estimate"]])
def test_an_image_that_cannot_fit_says_so_at_once(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "image.npy", np.indices((16, 16, 16)).sum(0).astype(np.uint8) % 2)
    monkeypatch.setattr(memory, "available_memory", lambda: 1 << 20)
    phases = ["--phase", "a=0,k=1", "--phase", "b=1,k=2"]
    words = ["homogenize", tmp_path / "image.npy", "--spacing", 1, *phases]
    done = command(*words, "--out", tmp_path / "out", *more)
    assert done.code == 2
    assert "error: the run must fit into memory" in done.err
    assert not (tmp_path / "out").exists()


def test_tight_memory_is_a_warning(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.write_text(STUDY.replace("boundary: all", "fields: false"), encoding="utf-8")
    needed = estimate_study(read_study(study)).memory.to_come
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    done = command("run", study, "--out", tmp_path / "out")
    assert done.code == 0
    assert "warning: memory is tight" in done.err


@pytest.mark.parametrize(
    ("lines", "files", "free"),
    [
        ("0::/job", {"job/memory.max": "1000", "job/memory.current": "400"}, 600),
        ("0::/job/step", {"job/memory.max": "1000", "job/memory.current": "400"}, 600),
        ("0::/job", {"job/memory.max": "max", "job/memory.current": "400"}, 2**63 - 1),
        (
            "3:cpu:/\n4:memory:/job",
            {"memory/job/memory.limit_in_bytes": "1000", "memory/job/memory.usage_in_bytes": "400"},
            600,
        ),
    ],
)
def test_limits_of_control_groups_count(
    lines: str, files: dict[str, str], free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup").write_text(lines)
    for name, text in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        cached = 50 if free < 2**62 else 0
        (file.parent / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")

    def path(name: str) -> Path:
        name = name.replace("/proc/self/cgroup", str(tmp_path / "cgroup"))
        return Path(name.replace("/sys/fs/cgroup", str(tmp_path / "groups")))

    monkeypatch.setattr(memory, "Path", path)
    expected = free if free > 2**62 else free + 50  # files in the cache can be dropped
    assert memory._free_in_group() == expected


# ---- iterations and time


def test_iterations_and_solutions_are_those_of_the_run(study: Path, tmp_path: Path) -> None:
    found = estimate_study(read_study(study), tmp_path)
    done = json.loads(command("run", study, "--out", tmp_path, "--json", "--quiet").out)
    actual = {
        f"{name}, {boundary}": counts
        for name, told in done["bounds"].items()
        for boundary, counts in told["iterations"].items()
    }
    actual["body, periodic"] = done["results"]["body"]["evidence"]["iterations"]
    assert set(found.iterations) == set(actual)
    for name, counts in actual.items():
        assert len(found.iterations[name]) == len(counts)
        assert sum(counts) / 1.5 <= sum(found.iterations[name]) <= 1.5 * sum(counts)
    terms = ["reading", "compiling", "solving", "other boundary conditions", "fields", "writing"]
    assert list(found.time) == terms
    assert found.seconds == sum(found.time.values())
    assert list(tmp_path.glob(".estimate*")) == []


def test_iterations_of_a_fine_grid_are_those_of_a_coarse_one() -> None:
    """Chequered blocks of 16 voxels, contrast 10: the coarse grid has blocks of 12."""
    labels = (np.indices((64, 64, 64)) // 16).sum(0) % 2
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    cell = sb.Cell(micro, {"a": sb.laws.Conduction(1.0), "b": sb.laws.Conduction(10.0)})
    own = sb.effective(cell).iterations
    seen = estimate(Plan(micro, {"c": Request(cell, "k")}, {}, {}, Path("out"), 0.0))
    assert sum(own) / 1.5 <= sum(seen.iterations["c, periodic"]) <= 1.5 * sum(own)


def test_a_sweep_is_the_sum_of_its_points(study: Path, tmp_path: Path) -> None:
    cells = STUDY.replace("  heat: {physics: conduction, boundary: all}\n", "")
    sweep = "sweep: {parameters: {laws.s.elasticity.E: [2, 3, 4, 5, 6]}}\n"
    study.write_text(cells + sweep, encoding="utf-8")
    swept = estimate_study(read_study(study), tmp_path)
    assert swept.points == 5
    assert swept.time["solving"] > 0
    sweep = "sweep: {parameters: {microstructure.shape: [[24, 24, 24], [40, 40, 40]]}}\n"
    study.write_text(cells + sweep, encoding="utf-8")
    largest = estimate_study(read_study(study), tmp_path).memory
    assert largest.to_come > 4 * swept.memory.to_come


def test_smaller_cells_keep_what_makes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    micro = sb.Microstructure(rng.integers(0, 2, (40, 22, 30)), 0.5, {"a": 0, "b": 1})
    angles = rng.uniform(0, 3, (3, 40, 22, 30))
    laws = {"a": sb.laws.Elastic.cubic(2.0, 1.0, 1.5), "b": sb.laws.IsotropicElastic(E=1.0, nu=0.2)}
    sides = {"x": "free", "y": "free", "z": "kinematic"}
    cell = sb.Cell(micro, laws, boundary=sides, element="full", orientation={"a": angles})
    fewer = coarse(cell, cell.boundary, 3000)
    part = cut(cell, cell.boundary, 3000)
    for small in (fewer, part):
        assert small.discretisation.voxels < 4000
        assert (small.ends, small.element) == (cell.ends, "full")
        assert small.rotations["a"].shape[-1] == small.microstructure.mask("a").sum()
    assert fewer.microstructure.extent == pytest.approx(micro.extent)
    assert part.microstructure.shape[1] == 22  # the side with the largest prime factor
    whole = coarse(cell, "static", 10**6)
    assert (whole.microstructure.shape, whole.boundary) == (micro.shape, "static")


def test_the_command_shows_terms_and_speaks_json(study: Path, tmp_path: Path) -> None:
    study.write_text(STUDY.replace("boundary: all", "fields: false"), encoding="utf-8")
    done = command("estimate", study, "--out", tmp_path / "out")
    assert done.code == 0
    for text in ("Memory: about ", "Time: about ", "fits", "are available", "heat, periodic"):
        assert text in done.out
    assert not (tmp_path / "out").exists()
    told = json.loads(command("estimate", study, "--json", "--quiet").out)
    assert told["fits"] is True
    assert told["seconds"] == pytest.approx(sum(told["time_seconds"].values()))
    stage = told["memory_bytes"][told["peak_stage"]]
    assert told["peak_memory_bytes"] == sum(stage.values())
    assert {len(n) for n in told["iterations"].values()} == {3, 6}
    assert set(told["seconds_per_iteration"]) == set(told["iterations"])
    assert told["available_memory_bytes"] > 0
    assert told["points"] == 1


@pytest.mark.parametrize("change", [("conduction", "conduktion"), ("k: 1}", "k: -1}")])
def test_bad_input_gets_the_error_of_a_run(change: tuple[str, str], study: Path) -> None:
    study.write_text(STUDY.replace(*change), encoding="utf-8")
    found, expected = (command(verb, study, "--quiet") for verb in ("estimate", "run"))
    assert found.code == expected.code == 2
    assert found.err == expected.err


# ---- sides


def test_large_prime_factors_are_told_of_periodic_sides() -> None:
    told = cost_sides.slow_sides([plan((58, 32, 31)).requests["cell"].cell.discretisation])
    assert "x = 58 (prime factor 29), z = 31 (prime)" in told
    assert "crop x to 56, z to 30" in told
    assert cost_sides.slow_sides([plan((57, 32, 26)).requests["cell"].cell.discretisation]) == ""
    through = plan((58, 32, 31), boundary="through").requests["cell"].cell.discretisation
    assert cost_sides.slow_sides([through]) == ""


@given(st.integers(1, 5000))
def test_good_sizes_have_small_factors(n: int) -> None:
    best = cost_sides.good_size(n)
    assert best <= n
    assert cost_sides.largest_prime_factor(best) <= 7
    assert n % cost_sides.largest_prime_factor(n) == 0
    assert all(cost_sides.largest_prime_factor(m) > 7 for m in range(best + 1, n + 1))


def test_a_warning_in_the_estimate_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = estimate(plan((31, 8)))
    assert "x = 31" in found.warnings[-1]
    show_estimate(replace(found, points=3))
    out = capsys.readouterr().out
    assert "warning: slow Fourier transforms along x = 31 (prime)" in out
    assert "Time of 3 points" in out


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0123, "12 ms"), (1.26, "1.3 s"), (75.2, "75 s"), (600, "10 min"), (7200, "2.0 h")],
)
def test_times_in_words(seconds: float, told: str) -> None:
    assert tell_time(seconds) == told


# ---- time left


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run_through(
    left: TimeLeft, clock: Clock, cases: int, iterations: int, pace: float, goal: float = 1e-6
) -> list[tuple[float, float | None]]:
    """Converge log-linearly in every load case; return the times and what was told."""
    told = []
    for case in range(cases):
        for i in range(1, iterations + 1):
            clock.now += pace
            figure = goal ** (i / iterations)
            event = SimpleNamespace(case=case, cases=cases, iteration=i, error_estimate=figure)
            told.append((clock.now, left.update(event)))
    return told


def test_time_left_is_exact_for_steady_convergence() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.planned({"heat": 3.0, "heat, static": 3.0, "body": 18.0})
    left.started("heat", {"error_estimate": 1e-6})
    told = run_through(left, clock, cases=3, iterations=40, pace=0.5)
    end = clock.now + 7 * 60.0  # seven times as much work is to come
    known = [(now, seconds) for now, seconds in told if seconds is not None]
    assert told[5][1] is None  # three seconds have not passed
    assert len(known) > 100
    for now, seconds in known:
        assert seconds == pytest.approx(end - now, rel=0.02)
    seconds = [s for _, s in known]
    assert all(later < earlier for earlier, later in pairwise(seconds))


def test_time_left_of_a_sweep_goes_by_the_points_done() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    for number in (1, 2):
        left.point(number, 4)
        left.planned({"heat": 1.0})
        left.started("heat", {"error_estimate": 1e-6})
        told = run_through(left, clock, cases=1, iterations=20, pace=1.0)
    assert told[-1][1] == pytest.approx(2 * 20.0, rel=0.1)


def test_nothing_is_told_while_nothing_is_known() -> None:
    clock = Clock()
    left = TimeLeft(clock)
    left.started("heat", {"error_estimate": 1e-6})
    for i in range(1, 30):
        clock.now += 1
        stuck = SimpleNamespace(case=0, cases=3, iteration=i, error_estimate=np.inf)
        assert left.update(stuck) is None


def test_iterations_to_come() -> None:
    falling = [(i, {"residual": -0.5 * i}) for i in range(1, 9)]
    assert iterations_to_come(falling, {"residual": np.exp(-10.0)}) == pytest.approx(12)
    assert iterations_to_come(falling, {"residual": np.exp(-2.0)}) == 0
    assert iterations_to_come(falling[:3], {"residual": 1e-6}) is None
    assert (
        iterations_to_come([(i, {"residual": 0.1 * i}) for i in range(9)], {"residual": 0.1})
        is None
    )
    assert iterations_to_come(falling, {}) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (3, "a few seconds left"),
        (44, "about 40 s left"),
        (130, "about 2 min left"),
        (9000, "about 2.5 h left"),
    ],
)
def test_time_left_in_words(seconds: float | None, told: str) -> None:
    assert tell_left(seconds) == told
