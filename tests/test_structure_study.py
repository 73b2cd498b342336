"""Structures in study files: the numbers of `sb.Structure`, and whole files after any end."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import jax
import jsonschema
import numpy as np
import pytest
import pyvista

import scalebridge as sb
from command import Outcome, command, the_one_error
from scalebridge.errors import InputError
from scalebridge.structure import StepProgress, Table, marching, rectangle
from scalebridge.structure.newton import Iteration
from scalebridge.structure.structure import Structure
from scalebridge.study import cost_memory, yaml12
from scalebridge.study.console_structures import Iterations
from scalebridge.study.run import run_study
from scalebridge.study.time_left import TimeLeft

ROOT = Path(__file__).parents[1]
SOLVE = Structure.solve

# Two elements of layers that yield and layers that do not, sheared and let go.
STUDY = """\
microstructure:
  type: laminate
  shape: [4, 4]
  fractions: [0.5, 0.5]
  names: [soft, hard]
laws:
  soft:
    elasticity: {type: j2_plasticity, E: 70 GPa, nu: 0.3, yield_stress: 100 MPa}
  hard:
    elasticity: {type: isotropic, E: 400 GPa, nu: 0.2}
structures:
  strip:
    physics: elasticity
    mesh: {type: rectangle, size: [2 mm, 1 mm], elements: [2, 1]}
    plane: strain
    thickness: 3 mm
    regions:
      body: {cell: {}}
    points: {corner: [2 mm, 1 mm]}
    supports:
      bottom: fixed
      top: {x: {times: [0 s, 1 s, 2 s], values: [0 mm, 0.01 mm, 0.002 mm]}}
    loads:
      right: {traction: [0 MPa, 20 MPa]}
    time: [0 s, 1 s, 2 s]
    steps: [2, 1]
    fields: [1 s, 2 s]
    localize: {points: [[1.7 mm, 0.8 mm]], hardest: 1}
"""
REGIONS = "      body: {cell: {}}\n"
STEEL = "      body: {law: {type: j2_plasticity, E: 70 GPa, nu: 0.3, yield_stress: 100 MPa}}\n"
PLAIN = STUDY[STUDY.index("structures:") : STUDY.index("    localize:")].replace(REGIONS, STEEL)


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path


@pytest.fixture
def plain(study: Path) -> Path:
    """Write the study with a law in closed form in place of the cell."""
    study.write_text(PLAIN, encoding="utf-8")
    return study


def changed(path: Path, *changes: tuple[str, str]) -> Path:
    """Replace words of a study."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Run the study once: its results, and what people saw."""
    path = tmp_path_factory.mktemp("once") / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    with jax.numpy_rank_promotion("allow"):
        return path.parent / "out", command("run", path)


@pytest.fixture(scope="module")
def solution() -> sb.structure.Solution:
    """Solve the study's structure by `sb.Structure`."""
    micro = sb.generate.laminate((4, 4), (0.5, 0.5), names=("soft", "hard"))
    laws = {
        "soft": sb.laws.J2Plasticity(E=70e9, nu=0.3, yield_stress=100e6),
        "hard": sb.laws.IsotropicElastic(E=400e9, nu=0.2),
    }
    part = sb.Structure(
        rectangle((2e-3, 1e-3), (2, 1)),
        {"body": sb.Cell(micro, laws, plane="strain")},
        supports={"bottom": "fixed", "top": {"x": Table([0, 1, 2], [0, 1e-5, 2e-6])}},
        loads={"right": {"traction": [0, 20e6]}},
        points={"corner": (2e-3, 1e-3)},
        plane="strain",
        thickness=3e-3,
    )
    with jax.numpy_rank_promotion("allow"):
        watch = [(1, point) for point in range(4)]
        return part.solve([0, 0.5, 1, 2], keep=[2, 3], watch=watch)


# ---- the same numbers as the Python interface


def test_a_study_gives_what_python_gives(
    done: tuple[Path, Outcome], solution: sb.structure.Solution
) -> None:
    out, outcome = done
    assert outcome.code == 0, outcome.err
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    told = summary["structures"]["strip"]
    table = told["table"]
    assert list(table) == [
        *("time", "bottom.x", "bottom.y", "top.x", "top.u_x", "right.load_x", "right.load_y"),
        *("right.u_x", "right.u_y", "corner.x", "corner.y", "work", "stored", "dissipated"),
        *("newton", "substeps"),
    ]
    assert table["time"] == [0, 0.5, 1, 2]
    expected = {
        "bottom.y": solution.reactions["bottom"][:, 1],
        "top.x": solution.reactions["top"][:, 0],
        "top.u_x": np.array([0, 5e-6, 1e-5, 2e-6]),
        "right.load_x": np.zeros(4),
        "right.load_y": 60 * np.array([0, 0.25, 0.5, 1]),  # 20 MPa on 1 mm × 3 mm
        "corner.y": solution.at((2e-3, 1e-3))[:, 1],
        "dissipated": solution.dissipated,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-9, atol=1e-12 * abs(values).max())
    # On a straight side of bilinear elements the mean is that of its ends.
    assert table["right.u_y"][-1] == pytest.approx(solution.at((2e-3, 1e-3))[-1, 1] / 2)
    assert told["final"]["top.x"] == table["top.x"][-1]
    assert told["peak"]["top.x"] == max(table["top.x"], key=abs)
    assert told["counts"] == {"elements": 2, "nodes": 6, "points": 8, "unknowns": 3}
    assert told["moved"] == {"top": ["x"]}
    assert (told["curves"][0]["x"], told["curves"][0]["y"]) == ("top.u_x", "top.x")
    assert told["curves"][0]["y_label"] == "force on top along x [N]"
    assert told["regions"]["body"]["cell"]["shape"] == [4, 4]
    assert (told["steps"], told["reached"], told["converged"]) == (3, 3, True)
    assert told["kept"] == [2, 3]
    assert [len(row) for row in told["residuals"]] == table["substeps"]
    assert told["residuals"][1][0][0][0] is None  # the loads are put on
    assert told["residuals"][1][0][-1][0] < 1e-6
    assert told["units"]["energy"] == "J"
    ledger = told["ledger"]
    assert ledger["imbalance"] == pytest.approx(
        ledger["work"] - ledger["stored"] - ledger["dissipated"]
    )
    first, second = told["localized"]
    assert (first["why"], second["why"]) == ("asked", "hardest")
    assert first["element"] == 1
    assert first["statistics"]["von_mises"]["hard"]["p95"] > 0
    assert told["hardest"][0]["work"] >= second["work"] > 0
    written = {path.name for path in out.iterdir()} - {"study.json"}
    assert {Path(name).name for name in summary["files"]} == written
    assert {
        "structure_strip.csv",
        "structure_strip.vtkhdf",
        first["file"],
        second["file"],
    } < written
    assert not any("checkpoint" in name for name in written)
    with (out / "structure_strip.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for name, values in table.items():
        assert [float(row[name]) for row in rows] == values


def test_results_open_as_objects(
    done: tuple[Path, Outcome], solution: sb.structure.Solution
) -> None:
    run = sb.open(done[0])
    strip = run.structures["strip"]
    assert strip.nodes.shape == (6, 3)
    assert strip.connectivity.shape == (2, 4)
    shown = strip.fields(2)
    np.testing.assert_allclose(shown["displacement"][:, :2], solution.displacement[2], rtol=1e-9)
    mean = solution.fields[2]["body"]["flux"].mean(axis=1)  # rectangles: equal weights
    np.testing.assert_allclose(shown["stress"][:, 0], mean[:, 0], rtol=1e-6)
    assert np.isnan(strip.fields(1)["stress"]).all()
    work = solution.work_of_points["body"].mean(axis=1)
    np.testing.assert_array_equal(strip.fields(1)["micro_work"], work)
    assert strip.table().loc[1.0, "top.u_x"] == 1e-5
    inside = strip.inside(0)
    assert inside.microstructure.shape == (4, 4)
    local = sb.localize(solution, [(1.7e-3, 0.8e-3)])[0].fields["stress"][2]
    np.testing.assert_allclose(inside.fields["stress"][5], local, rtol=1e-6, atol=1)
    assert [one["rows"] for one in strip.localized] == [[2, 3], [3]]
    earlier = sb.localize(solution, [(1.7e-3, 0.8e-3)], row=2)[0].fields
    for name, field in strip.inside(0, 2).fields.items():
        if name in earlier and name != "stress":
            np.testing.assert_allclose(field, earlier[name], rtol=1e-6, atol=1e-12)
    reader = pyvista.get_reader(strip.path / strip.localized[0]["file"]).reader
    reader.UpdateInformation()
    reader.SetStep(0)
    reader.Update()
    assert (reader.GetNumberOfSteps(), reader.GetTimeValue()) == (2, 1.0)
    shear = pyvista.wrap(reader.GetOutput()).cell_data["strain"][:, 3].reshape(4, 4).T
    np.testing.assert_allclose(np.sqrt(2) * shear, earlier["strain"][2], rtol=1e-6, atol=1e-12)
    average = strip.localized[0]["average"]
    tensor = np.array(average) * [1, 1, np.sqrt(2)]
    np.testing.assert_allclose(sb.localize(solution, [(1.7e-3, 8e-4)])[0].average, tensor)
    assert "dissipated" in repr(run)
    assert run.table().loc["strip", "final_top.u_x"] == pytest.approx(2e-6)
    assert pyvista.read(strip.file).n_cells == 2
    for call in (
        lambda: strip.fields(4),
        lambda: strip.inside(2),
        lambda: strip.inside(1, 2),
        lambda: shown["strss"],
    ):
        with pytest.raises(InputError, match="must be"):
            call()


def test_people_see_how_it_goes_and_where_it_ended(done: tuple[Path, Outcome]) -> None:
    outcome = done[1]
    assert "strip: structure in elasticity, 2D, plane strain, 2 elements" in outcome.err
    assert "  body: 2 elements, periodic cell of 4 × 4 voxels" in outcome.err
    assert re.search(r"strip: step 3/3, t = 2, iteration \d, residual .*slowest cell", outcome.err)
    assert "Structure strip, 3 of 3 steps, t = 2 s" in outcome.out
    assert re.search(r"top\.u_x +2e-06 +1e-05 +m", outcome.out)
    assert re.search(r"hardest cell at \([\d., e-]+\) m with \d+ iterations", outcome.out)
    assert re.search(r"work \S+ J = stored \S+ J \+ dissipated \S+ J", outcome.out)


def test_progress_tells_substeps_and_how_far_it_is() -> None:
    steps = Iterations(TimeLeft())
    first = steps.update(StepProgress(2, 4, 0.5, 0, Iteration(np.inf, 1e-3, 12, 1.0)))
    assert first == "step 2/4, t = 0.5, iteration 0, loads put on, slowest cell 12 iterations"
    assert steps.share == 0.25
    second = steps.update(StepProgress(2, 4, 0.25, 0, Iteration(1e-4, 1e-3, 0, 1.0)))
    assert second == "step 2/4, t = 0.25 (substep 2), iteration 0, residual 1.0e-04"


# ---- bodies without a microstructure of the study; meshes of files; each its own matter

MESH = """\
$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
4
1 1 "left"
1 2 "right"
2 3 "one"
2 4 "two"
$EndPhysicalNames
$Nodes
6
1 0 0 0
2 1 0 0
3 2 0 0
4 0 1 0
5 1 1 0
6 2 1 0
$EndNodes
$Elements
4
1 1 2 1 1 1 4
2 1 2 2 2 3 6
3 3 2 3 3 1 2 5 4
4 3 2 4 4 2 3 6 5
$EndElements
"""
PAIR = """\
structures:
  wall:
    physics: PHYSICS
    mesh: {type: file, path: wall.msh, unit: cm}
    regions: {one: ONE, two: TWO}
    supports: {left: 0, right: 30 K}
    time: [0, 1 s]
    steps: 1
"""
COPPER = "{law: {type: conduction, k: 400 W/m/K}}"
CELL = """\
{cell: {microstructure: {type: laminate, axis: y, shape: [2, 2], fractions: [0.5, 0.5]}, laws:
    {layer1: {conduction: {type: conduction, k: 100 W/m/K}}, "*": {conduction: {type: void}}}}}"""


def pair(folder: Path, *changes: tuple[str, str]) -> Path:
    (folder / "wall.msh").write_text(MESH, encoding="utf-8")
    text = PAIR
    for old, new in (*changes, ("PHYSICS", "conduction"), ("ONE", COPPER), ("TWO", COPPER)):
        assert old in text or old in ("PHYSICS", "ONE", "TWO"), old
        text = text.replace(old, new)
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_heat_through_a_wall_of_copper_and_a_cell(tmp_path: Path) -> None:
    summary = run_study(pair(tmp_path, ("TWO", CELL.replace("\n   ", ""))))
    told = summary["structures"]["wall"]
    assert summary["image"] is None
    assert told["regions"]["two"]["cell"]["linear"]
    # Half of the cell conducts, along the wall: 1 cm of each in series, 1 cm high and 1 m deep.
    flow = 30 / (0.01 / 400 + 0.01 / 50) * 0.01
    assert told["final"]["right.flow"] == pytest.approx(flow)
    assert told["final"]["left.flow"] == pytest.approx(-flow)
    assert told["units"]["flow"] == "W"
    assert told["units"]["field"] == "K"
    run = sb.open(tmp_path / "out")
    assert "wall: structure in conduction" in repr(run)
    assert run.structures["wall"].fields()["temperature"].max() == pytest.approx(30)
    with pytest.raises(InputError, match="has no microstructure of its own"):
        _ = run.microstructure
    assert command("run", tmp_path / "study.yaml", "--resume", "--quiet").code == 0


def test_heat_through_a_wall_of_two_laws(tmp_path: Path) -> None:
    brass = "{law: {type: conduction, k: 100 W/m/K}}"
    told = run_study(pair(tmp_path, ("TWO", brass)))["structures"]["wall"]
    flow = 30 / (0.01 / 400 + 0.01 / 100) * 0.01  # 30 K over both resistances, 1 cm high, 1 m deep
    assert told["final"]["right.flow"] == pytest.approx(flow)
    assert told["final"]["left.flow"] == pytest.approx(-flow)
    assert told["moved"] == {"right": ["value"]}


SHEET = """\
    physics: elasticity
    mesh: {type: rectangle, size: [1, 1], elements: [1, 1]}
    plane: stress
    regions:
      body: {law: {type: orthotropic, E: [10, 1, 1], nu: [0, 0, 0], G: [1, 1, 1]}}
    orientation: {body: {type: axis, axis: z, angle: 90 deg}}
    supports: {left: symmetry, bottom: symmetry}
"""


def test_a_box_in_finite_strain_and_a_turned_body(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        """\
structures:
  bar:
    physics: finite_strain
    mesh: {type: box, size: [1, 1, 1], elements: [1, 1, 1]}
    regions: {body: {law: {type: neo_hookean, E: 1, nu: 0.3}}}
    supports: {left: symmetry, bottom: symmetry, front: symmetry, right: {x: 0.5}}
    time: [0, 1]
    steps: 2
  sheet:
SHEET    loads: {right: {traction: [2, 0]}}
    time: [0, 1]
    steps: 1
  resting:
SHEET    loads: {right: {pressure: {times: [0, 1], values: [0, -2]}}}
    time: [0, 2]
    steps: 2
""".replace("SHEET", SHEET),
        encoding="utf-8",
    )
    told = run_study(path)["structures"]
    assert told["bar"]["final"]["right.u_x"] == 0.5
    assert 0 < told["bar"]["final"]["right.x"] < 0.5
    assert told["bar"]["localized"] == []
    assert told["sheet"]["final"]["right.u_x"] == pytest.approx(2)  # across its stiff axis
    (curve,) = told["sheet"]["curves"]
    assert (curve["x"], curve["y"]) == ("right.u_x", "right.load_x")
    assert curve["y_label"] == "load on right along x"
    resting = told["resting"]  # as in creep: its displacement is what there is to see
    assert (resting["curves"][0]["x"], resting["curves"][0]["y"]) == ("time", "right.u_x")
    for one in (told["sheet"], resting):
        assert one["final"]["right.load_x"] == pytest.approx(2)  # as the support, but for its sign
        assert one["final"]["left.x"] == pytest.approx(-2)
    assert told["sheet"]["units"] == {}


# ---- errors

FAULTS: dict[str, tuple[tuple[str, str], str]] = {
    "boundary": (
        ("bottom: fixed", "botom: fixed"),
        "study.yaml:20: structures.strip.supports must name boundaries or points of the mesh, but "
        "names 'botom' (did you mean 'bottom'?)",
    ),
    "region": (
        ("body: {cell", "bdy: {cell"),
        "structures.strip.regions must name regions of the mesh, but names 'bdy' (did you mean",
    ),
    "cell and law": (
        ("{cell: {}}", "{cell: {}, law: {type: isotropic, E: 1 Pa, nu: 0}}"),
        "structures.strip.regions.body must have a cell or a law, one of them, but has both",
    ),
    "alike": (
        ("steps: [2, 1]", "steps: [2, 1]\n    alike: 2"),
        "structures.strip.alike must lie between 0 and 1, but is 2.0; try 0.01, or leave it out",
    ),
    "neither": (("{cell: {}}", "{}"), "regions.body must have a cell or a law, one of them, but"),
    "law of the wrong physics": (
        ("{cell: {}}", "{law: {type: conduction, k: 1}}"),
        "regions.body.law.type must be a law of elasticity such as conduction"[:50],
    ),
    "constants of a law": (
        ("{cell: {}}", "{law: {type: isotropic, E: -1 Pa, nu: 0}}"),
        "regions.body.law.E must be",
    ),
    "image in 2D": (
        ("{type: rectangle, size: [2 mm, 1 mm], elements: [2, 1]}\n    plane: strain\n",
         "{type: box, size: [2 mm, 1 mm, 1 mm], elements: [2, 1, 1]}\n"),
        "structures.strip.regions.body.cell must be of a 3D image where the mesh is 3D, but that",
    ),
    "plane": (
        ("    plane: strain\n", ""),
        "structures.strip.plane must be strain, stress or axisymmetric in 2D mechanics, but is",
    ),
    "plane of a body of laws": (
        ("plane: strain", "plane: strian"),
        "structures.strip.plane must be strain, stress or axisymmetric, but is 'strian' (did you",
    ),
    "free to move": (("      bottom: fixed\n", ""),
        "study.yaml:20: structures.strip.supports must hold the body, but leave the structure free",
    ),
    "axis": (("top: {x:", "top: {z:"), "structures.strip.supports.top must name axes among x, y, "),
    "support": (
        ("bottom: fixed", "bottom: fixd"),
        "supports.bottom must be fixed, symmetry, displacements by axis such as {x: 0.1 mm}, or in "
        "conduction a value, but is 'fixd' (did you mean 'fixed'?)",
    ),
    "support of another physics": (
        ("bottom: fixed", "bottom: 3"),
        "supports.bottom must be 'fixed', 'symmetry' or displacements by axis",
    ),
    "times of a table": (
        ("times: [0 s, 1 s, 2 s]", "times: [0 s, 1 s, 1 s]"),
        "study.yaml:22: structures.strip.supports.top.x.times of a Table must increase, but "
        "repeats 1 after 1",
    ),
    "table": (
        ("{times: [0 s, 1 s, 2 s], values", "{time: [0 s, 1 s, 2 s], values"),
        "supports.top [x] must be a value, or a table {times: [0, 1], values: [0, 5]}, but is a",
    ),
    "length of a table": (
        ("times: [0 s, 1 s, 2 s]", "times: [0 s, 1 s]"),
        "supports.top.x.values of a Table must have one row for each of the 2 times",
    ),
    "load": (("{traction:", "{tration:"), "loads.right.tration is not a key here (did you mean"),
    "load of another physics": (
        ("{traction: [0 MPa, 20 MPa]}", "{flux: 3}"),
        "structures.strip.loads.right must be among traction, pressure, body_force, force in",
    ),
    "components of a load": (
        ("[0 MPa, 20 MPa]", "[20 MPa]"),
        "structures.strip.loads.right.traction must be 2 finite numbers",
    ),
    "unit of a load": (
        ("[0 MPa, 20 MPa]", "[0 MPa, 20 mm]"),
        "loads.right.traction must be a stress, a number or e.g. '3.5 GPa', but is '20 mm', a len",
    ),
    "mixed units": (
        ("size: [2 mm, 1 mm]", "size: [2, 1]"),
        "structures.strip.mesh.size[0] must be a length with a unit, because",
    ),
    "mesh": (
        ("elements: [2, 1]", "elements: [2]"),
        "structures.strip.mesh.elements must be 2 numbers, one for each axis",
    ),
    "type of mesh": (("type: rectangle", "type: rectagle"), "mesh.type must be one of file, rect"),
    "point": (
        ("corner: [2 mm, 1 mm]", "corner: [1.7 mm, 1 mm]"),
        "structures.strip.points.corner must lie on a node",
    ),
    "times": (
        ("time: [0 s, 1 s, 2 s]\n", "time: [0 s, 1 s, 1 s]\n"),
        "structures.strip.time[2] must be later than the turning point before, 1, but is 1",
    ),
    "steps": (("steps: [2, 1]", "steps: [2, 1, 1]"), "strip.steps must be one number, or one for"),
    "fields": (("[1 s, 2 s]\n    loc", "[0.7 s]\n    loc"), "strip.fields[0] must be the time of"),
    "tolerance": (("plane:", "tolerance: 2\n    plane:"), "strip.tolerance must lie between 0 and"),
    "order": (("plane:", "order: 3\n    plane:"), "strip.order must be 1 or 2, but is 3"),
    "localize outside": (
        ("[1.7 mm, 0.8 mm]", "[17 mm, 0.8 mm]"),
        "structures.strip.localize.points[0] must lie in the body, which extends from (0, 0) to",
    ),
    "localize without a cell": (
        (REGIONS, "      body: {law: {type: isotropic, E: 1 GPa, nu: 0}}\n"),
        "structures.strip.localize must be left out where no region has a cell",
    ),
    "phase of the cell's own laws": (
        ("{cell: {}}", "{cell: {laws: {soft: {}, hrd: {}}}}"),
        "strip.regions.body.cell.laws.hrd must be a phase of the image, but the phases are soft",
    ),
    "law of the cell's own laws": (
        ("{cell: {}}", "{cell: {laws: {soft: {}, hard: {}}}}"),
        "strip.regions.body.cell.laws.soft.elasticity is missing; each phase needs a law for it",
    ),
    "boundary of a cell": (
        ("{cell: {}}", "{cell: {boundary: periodc}}"),
        "structures.strip.regions.body.cell.boundary must be",
    ),
    "name": (("  strip:", "  a/b:"), "structures.a/b must have a name of at most 40 letters"),
    "name of another": (
        ("structures:", "cells: {strip: {physics: elasticity, plane: strain}}\nstructures:"),
        "structures.strip must have a name of its own (they become file names), but a cell has",
    ),
    "no microstructure": (
        (STUDY[: STUDY.index("laws:")], ""), "study.yaml:1: microstructure is missing; add it"
    ),
    "no laws": (
        (STUDY[STUDY.index("laws:") : STUDY.index("structures:")], ""),
        "laws is missing; add it",
    ),
    "sweep": (
        ("laws:", "sweep: {parameters: {structures.strip.steps: [1, 0]}}\nlaws:"),
        "structures.strip.steps must be a whole number ≥ 1, but is 0 (point 2: structures.strip.",
    ),
}  # fmt: skip


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def march(*_: object, **__: object) -> None:
        raise AssertionError("the computation began")

    monkeypatch.setattr(marching, "march", march)


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("what", FAULTS)
def test_faults_get_one_line_with_their_key(what: str, study: Path) -> None:
    change, told = FAULTS[what]
    message = the_one_error(command("run", changed(study, change)))
    assert told in message, message
    assert not (study.parent / "out").exists()


WALLS: dict[str, tuple[tuple[str, str], str]] = {
    "absent": (("wall.msh", "wal.msh"), "mesh.path must be a readable mesh, but is 'wal.msh': No "),
    "no mesh": (("wall.msh", "study.yaml"), "wall.mesh.path must be a mesh file (.msh, .inp"),
    "no unit": ((", unit: cm", ""), "wall.mesh.unit must be a length with a unit, because"),
    "a region without law": ((", two: TWO", ""), "wall.regions must cover the mesh"),
    "from another zero": (("30 K", "30 degC"), "which counts from another zero; give differences"),
    "unit of another field": (
        ("30 K", "30 mol/l"), "supports.right must be a difference of temperature, e.g. '20 K', but"
    ),
    "cell without matter": (("TWO", "{cell: {}}"), "microstructure is missing; add it"),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("what", WALLS)
def test_faults_of_a_body_of_two_regions(what: str, tmp_path: Path) -> None:
    change, told = WALLS[what]
    text = pair(tmp_path, change)
    if what == "no unit":  # another length tells that they have units
        text.write_text(text.read_text() + "    points: {a: [1 cm, 0 mm]}\n", encoding="utf-8")
    message = the_one_error(command("run", text))
    assert told in message, message


@pytest.mark.usefixtures("nothing_is_computed")
def test_a_linear_cell_that_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_memory.memory, "available_memory", lambda: 50_000)
    cell = CELL.replace("\n   ", "").replace("[2, 2]", "[64, 64]")
    message = the_one_error(command("run", pair(tmp_path, ("TWO", cell))))
    told = "wall.regions.two.cell is homogenised once: the run must fit into memory, but needs"
    assert told in message


# ---- runs that end early


def test_a_step_that_fails_leaves_what_was_reached(plain: Path) -> None:
    # Perfectly plastic, it carries no more than 100 MPa / √3 in shear, and 100 are asked for.
    changed(
        plain,
        ("      top: {x: {times: [0 s, 1 s, 2 s], values: [0 mm, 0.01 mm, 0.002 mm]}}\n", ""),
        ("right: {traction: [0 MPa, 20 MPa]}", "top: {traction: [100 MPa, 0 MPa]}"),
        ("fields: [1 s, 2 s]", "fields: none\n    cuts: 1\n    max_newton: 8"),
    )
    outcome = command("run", plain, "--quiet")
    assert outcome.code == 1
    assert "error: strip did not reach its end: the step to t = " in outcome.err
    assert "the step to t = " not in outcome.out
    summary = json.loads((plain.parent / "out" / "summary.json").read_text(encoding="utf-8"))
    told = summary["structures"]["strip"]
    assert not told["converged"]
    assert told["reached"] < told["steps"] == 3
    assert len(told["table"]["time"]) == told["reached"] + 1
    assert told["kept"] == [told["reached"]]  # the fields of the last row that was reached
    assert all(Path(name).is_file() for name in summary["files"])
    assert not (plain.parent / "out" / "structure_strip.checkpoint").exists()


def stop_in(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(self: Structure, *arguments: Any, **options: Any) -> Any:
        told = options["progress"]

        def progress(event: Any) -> None:
            told(event)
            if event.step == step:
                raise KeyboardInterrupt

        return SOLVE(self, *arguments, **{**options, "progress": progress})

    monkeypatch.setattr(Structure, "solve", stopped)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    steps: list[int] = []

    def counted(self: Structure, *arguments: Any, **options: Any) -> Any:
        options["progress"] = lambda event: steps.append(event.step)
        return SOLVE(self, *arguments, **options)

    monkeypatch.setattr(Structure, "solve", counted)
    return steps


def test_ctrl_c_keeps_what_there_is_and_resume_goes_on(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run_study(plain, out=plain.parent / "once")["structures"]["strip"]["table"]
    stop_in(3, monkeypatch)
    outcome = command("run", plain, "--json", "--quiet")
    assert outcome.code == 130, outcome
    told = json.loads(outcome.out)
    assert told["interrupted"]
    assert told["failures"] == []
    assert told["structures"]["strip"]["reached"] == 2
    out = plain.parent / "out"
    assert (out / "structure_strip.checkpoint").is_dir()
    assert "strip: 2 of 3 steps were followed" in sb.open(out).warnings[1]
    steps = count_steps(monkeypatch)
    outcome = command("resume", out, "--json", "--quiet")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["structures"]["strip"]["table"] == once
    assert set(steps) == {3}
    assert not (out / "structure_strip.checkpoint").exists()
    assert command("resume", out, "--quiet").err == "nothing was left to do\n"


def test_points_that_are_alike_share_solves(study: Path) -> None:
    seen = command("run", changed(study, ("steps: [2, 1]", "steps: 1\n    alike: 0.5")))
    assert seen.code == 0, seen
    assert "body: 8 points shared" in seen.out
    told = json.loads((study.parent / "out" / "summary.json").read_text())
    sharing = told["structures"]["strip"]["sharing"]["body"]
    assert 1 <= sharing["groups"] < sharing["points"] == 8
    assert 0 < sharing["error"] < 0.5
    again = the_one_error(command("run", study, "--workers", "1", "--quiet"))
    assert "`alike` and `workers` exclude each other" in again


def test_a_fresh_run_begins_anew_and_so_does_another_problem(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in(2, monkeypatch)
    assert command("run", plain, "--quiet").code == 130
    steps = count_steps(monkeypatch)
    changed(plain, ("0.01 mm", "0.005 mm"))
    outcome = command("run", plain, "--resume")
    assert outcome.code == 0
    assert "warning: strip begins anew: " in outcome.err
    assert steps[0] == 1
    stop_in(2, monkeypatch)
    assert command("run", plain, "--quiet").code == 130
    steps = count_steps(monkeypatch)
    assert command("run", plain, "--quiet").code == 0
    assert steps[0] == 1


@pytest.mark.parametrize("text", [PLAIN, pytest.param(STUDY, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_ends_with_the_same_bits(text: str, study: Path) -> None:
    study.write_text(text, encoding="utf-8")
    changed(study, ("steps: [2, 1]", "steps: [30, 10]"))
    words = [sys.executable, "-m", "scalebridge", "run", study, "--quiet"]
    out, once = study.parent / "out", study.parent / "once"
    saved = out / "structure_strip.checkpoint" / "latest.json"
    with subprocess.Popen([*words], stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not (saved.exists() and json.loads(saved.read_text())["row"]):
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert not (out / "structure_strip.csv").exists()
    assert f"go on with `scalebridge resume {out}`" in the_one_error(command("report", out))
    assert command("resume", out, "--quiet").code == 0
    run_study(study, out=once)
    for name in ("structure_strip.csv", "structure_strip.png"):
        assert (out / name).read_bytes() == (once / name).read_bytes()
    files = [h5py.File(folder / "structure_strip.vtkhdf") for folder in (out, once)]
    for name in ("PointData/displacement", "CellData/stress"):
        arrays = [file[f"VTKHDF/{name}"][()].tobytes() for file in files]
        assert arrays[0] == arrays[1]


def test_a_mesh_that_has_changed_is_named(tmp_path: Path) -> None:
    study = pair(tmp_path)
    assert command("run", study, "--quiet").code == 0
    mesh = tmp_path / "wall.msh"
    mesh.write_text(MESH.replace("3 2 0 0", "3 2.5 0 0"), encoding="utf-8")
    message = the_one_error(command("resume", tmp_path / "out"))
    assert f"the mesh {str(mesh)!r} has changed since; bring the mesh back" in message


# ---- sweeps, cells beside structures, and the rest of the command line


def test_a_sweep_of_a_structure(tmp_path: Path) -> None:
    study = pair(tmp_path)
    swept = "sweep: {parameters: {structures.wall.regions.two.law.k: [100 W/m/K, 400 W/m/K]}}\n"
    study.write_text(study.read_text() + swept, encoding="utf-8")
    outcome = command("run", study, "--quiet")
    assert outcome.code == 0, outcome
    assert "peak_right.flow" in outcome.out
    with (tmp_path / "out" / "sweep.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    flows = [float(row["wall.final_right.flow"]) for row in rows]
    assert flows == pytest.approx([30 / (0.01 / 400 + 0.01 / k) * 0.01 for k in (100, 400)])
    assert len(sb.open(tmp_path / "out").table()) == 2


def test_a_study_without_a_microstructure_is_estimated(tmp_path: Path) -> None:
    outcome = command("estimate", pair(tmp_path), "--json", "--quiet")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["fits"]


def test_ctrl_c_in_the_first_step_leaves_the_body_at_rest(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in(1, monkeypatch)
    outcome = command("run", plain, "--json", "--quiet")
    assert outcome.code == 130, outcome
    told = json.loads(outcome.out)
    assert told["write_errors"] == []
    assert told["structures"]["strip"]["reached"] == 0
    assert command("report", plain.parent / "out").code == 0


@pytest.mark.slow
def test_init_writes_a_structure_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init", "--structures").code == 0
    text = Path("study.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("[8, 8]", "[4, 4]"),
        ("n_radial: 4", "n_radial: 2"),
        ("steps: 4", "steps: 2"),
    ):
        assert old in text
        text = text.replace(old, new)
    Path("study.yaml").write_text(text, encoding="utf-8")
    told = run_study("study.yaml")["structures"]["plate"]
    assert told["converged"]
    assert told["final"]["left.x"] == pytest.approx(-told["final"]["right.x"])
    assert len(told["localized"]) == 2


def test_init_writes_one_study() -> None:
    assert "name one" in the_one_error(command("init", "a.yaml", "--loads", "--structures"))


def test_the_json_schema_takes_structures_and_refuses_misspelt_keys() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(command("schema").out))
    tree, _ = yaml12.load(STUDY.encode())
    validator.validate(tree)
    pair = PAIR.replace("ONE", COPPER).replace("TWO", "{cell: {}}").replace("PHYSICS", "diffusion")
    starter = files("scalebridge.study").joinpath("starter_structures.yaml").read_text("utf-8")
    for text in (pair, starter):
        validator.validate(yaml12.load(text.encode())[0])
    tree["structures"]["strip"]["loads"]["right"] = {"tration": [0, 1]}
    assert not validator.is_valid(tree)


@pytest.mark.slow
def test_the_notched_plate_yields_between_its_notches(tmp_path: Path) -> None:
    summary = run_study(ROOT / "examples" / "studies" / "notched_plate.yaml", out=tmp_path)
    told = summary["structures"]["plate"]
    assert told["converged"]
    force, way = (np.array(told["table"][name]) for name in ("top.y", "top.u_y"))
    stiffness = np.diff(force) / np.diff(way)
    assert stiffness[1] == pytest.approx(stiffness[0], rel=1e-3)  # elastic at first
    assert stiffness[-1] < 0.35 * stiffness[0]
    assert force[-1] / (4e-3 * 2e-3) > 60e6  # the ligament carries more than the matrix alone
    assert np.linalg.norm(told["hardest"][0]["place"]) < 2.3e-3  # at the notch, of radius 2 mm
    assert f"{force[-1]:.1f}" == "693.5"  # this version's value
    root, hardest = told["localized"]
    stress = root["statistics"]["max_principal"] if root["statistics"] else {}
    assert hardest["why"] == "hardest"
    assert not stress or stress["glass"]["mean"] > stress["epoxy"]["mean"]
