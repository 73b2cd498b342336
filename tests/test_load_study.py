"""Load histories in study files: the numbers of `sb.load`, and whole files after any end."""

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
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pytest
import pyvista
import yaml

import scalebridge as sb
from command import command, the_one_error
from law_members import BRANCHES, FIBRES, MEMBERS, STEEL
from scalebridge.study import execute
from scalebridge.study.build import Builder
from scalebridge.study.run import run_study
from scalebridge.study.studyfile import read_study
from scalebridge.upscaling import loading

ROOT = Path(__file__).parents[1]
LOAD = loading.load

# Four soft layers and four hard ones across x, in plane strain.
STUDY = """\
microstructure:
  type: laminate
  shape: [8, 8]
  fractions: [0.5, 0.5]
  names: [soft, hard]
laws:
  soft:
    elasticity: {type: j2_plasticity, E: 70e3, nu: 0.3, yield_stress: 100, hardening: HARDENING}
  hard:
    elasticity: {type: isotropic, E: 400e3, nu: 0.2}
loads:
  shear:
    physics: elasticity
    plane: strain
    path:
      time: [0, 1, 3]
      strain: {12: [0, 0.002, null]}
      stress: {11: 0, 22: 0, 12: [null, null, 0]}
      steps: [4, 3]
""".replace("HARDENING", "{type: linear, H: 1e3}")
SOFT = (
    "{type: j2_plasticity, E: 70e3, nu: 0.3, yield_stress: 100, hardening: {type: linear, H: 1e3}}"
)


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def changed(path: Path, *changes: tuple[str, str]) -> Path:
    """Write the study with words replaced."""
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


def the_cell() -> sb.Cell:
    micro = sb.generate.laminate((8, 8), (0.5, 0.5), names=("soft", "hard"))
    laws = {
        "soft": sb.laws.J2Plasticity(
            E=70e3, nu=0.3, yield_stress=100.0, hardening=sb.laws.LinearHardening(1e3)
        ),
        "hard": sb.laws.IsotropicElastic(E=400e3, nu=0.2),
    }
    return sb.Cell(micro, laws, plane="strain")


def in_two_parts() -> tuple[sb.History, sb.History]:
    """The study's path by `sb.load`: sheared, then let go from where the stress is then."""
    strain, stress = np.full((5, 3), np.nan), np.zeros((5, 3))
    strain[:, 2], stress[:, 2] = np.sqrt(2) * np.linspace(0, 0.002, 5), np.nan
    there = sb.load(the_cell(), np.linspace(0, 1, 5), strain=strain, stress=stress)
    off = np.zeros((4, 3))
    off[:, 2] = np.linspace(there.stress[-1, 2], 0, 4)
    back = sb.load(the_cell(), np.linspace(1, 3, 4), stress=off, start=there, keep=[-1])
    return there, back


# ---- the same numbers as the Python interface


def test_a_study_gives_what_python_gives(study: Path) -> None:
    outcome = command("run", study, "--json")
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    load = summary["loads"]["shear"]
    there, back = in_two_parts()
    for name, values in (("strain", "strain"), ("stress", "stress")):
        whole = np.concatenate([getattr(there, values), getattr(back, values)[1:]])
        for c, component in enumerate(("11", "22", "12")):
            tensor = whole[:, c] / (np.sqrt(2) if component == "12" else 1)
            found = np.array(load["table"][f"{name}_{component}"])
            scale = np.abs(whole).max()
            np.testing.assert_allclose(found, tensor, rtol=1e-9, atol=1e-9 * scale)
    assert load["table"]["time"] == pytest.approx([*there.times, *back.times[1:]])
    assert load["final"]["stress"]["12"] == pytest.approx(0, abs=1e-9)
    assert load["peak"]["stress"]["12"] == pytest.approx(there.stress[-1, 2] / np.sqrt(2))
    assert load["ledger"]["dissipated"] == pytest.approx(
        there.ledger.dissipated[-1] + back.ledger.dissipated[-1]
    )
    assert (load["steps"], load["reached"], load["converged"]) == (7, 7, True)
    assert load["names"] == ["strain", "stress"]
    assert load["kept"] == [0, 7]  # beside a single row there is rest: VTK needs two steps
    assert load["tangent"] is None
    assert summary["results"] == {}
    assert "shear: step 7/7, t = 3" in outcome.err
    written = {path.name for path in (study.parent / "out").iterdir()} - {"study.json"}
    assert {Path(name).name for name in summary["files"]} == written
    assert written == {
        "microstructure.png",
        "results.vtkhdf",
        "summary.json",
        "load_shear.csv",
        "load_shear.png",
        "load_shear.vtkhdf",
        "ledger_shear.png",
        "field_shear.png",
    }
    with (study.parent / "out" / "load_shear.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for name, values in load["table"].items():
        assert [float(row[name]) if row[name] else None for row in rows] == values


def test_people_see_where_it_ended(study: Path) -> None:
    outcome = command("run", study, "--quiet")
    assert outcome.code == 0
    assert outcome.err == ""
    assert "Load history shear, 7 of 7 steps, t = 3" in outcome.out
    assert re.search(r"final strain +-?\S+ +-?\S+ +0\.00\d+", outcome.out)
    assert "Newton and" in outcome.out


def test_a_table_is_a_path(study: Path) -> None:
    table = study.parent / "test.csv"
    table.write_text(
        "time [s],strain_12,stress_12 [kPa]\n0,0,\n"
        + "".join(f"{t},{0.002 * t},\n" for t in (0.25, 0.5, 0.75, 1.0))
        + "3,,0\n",
        encoding="utf-8",
    )
    start, _, _ = STUDY.partition("      time:")
    text = start.replace("E: 70e3,", "E: 70 GPa,").replace("E: 400e3", "E: 400 GPa")
    text = text.replace("yield_stress: 100", "yield_stress: 100 MPa").replace("1e3", "1 GPa")
    study.write_text(f"{text}      file: test.csv\n      rest: {{stress: 0}}\n", encoding="utf-8")
    load = run_study(study)["loads"]["shear"]
    there, _ = in_two_parts()
    stress = 1e6 * there.stress[:, 2] / np.sqrt(2)
    np.testing.assert_allclose(load["table"]["stress_12"][:5], stress, rtol=1e-8)
    assert abs(load["table"]["stress_12"][5]) < 1e-5 * stress.max()  # the tolerance
    assert load["units"] == {"time": "s", "stress": "Pa"}


def test_conduction_and_finite_strain(tmp_path: Path) -> None:
    tree = {
        "microstructure": {"type": "laminate", "shape": [8, 8], "fractions": [0.5, 0.5]},
        "laws": {
            "layer1": {
                "diffusion": {
                    "type": "power_law_conduction", "k": "1e-9 m^2/s", "exponent": 2, "scale": 1e3
                },
                "finite_strain": {"type": "neo_hookean", "E": 1, "nu": 0.3},
            },
            "layer2": {
                "diffusion": {"type": "void"},
                "finite_strain": {"type": "mooney_rivlin", "C10": 1, "C01": 0.5, "K": 20},
            },
        },
        "loads": {
            "matter": {
                "physics": "diffusion",
                "path": {
                    "time": [0, 1],
                    "gradient": {"y": [0, "1e3 mol/m^4"]},
                    "rest": {"gradient": 0},
                    "steps": 2,
                },
            },
            "stretch": {
                "physics": "finite_strain",
                "plane": "strain",
                "path": {
                    "time": [0, 1], "F": {"11": [1, 1.4]}, "rest": {"P": 0}, "steps": 3
                },
                "tangents": True,
                "fields": [1],
            },
        },
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    loads = run_study(path)["loads"]
    flux = 0.5 * 1e-9 * np.sqrt(2) * 1e3  # half of the section conducts k √2 along the layers
    assert loads["matter"]["final"]["flux"]["y"] == pytest.approx(flux, rel=1e-9)
    assert loads["matter"]["units"] == {"gradient": "mol/m^4", "flux": "mol/m^2/s"}
    assert loads["matter"]["physics"] == "conduction"

    micro = sb.generate.laminate((8, 8), (0.5, 0.5))
    laws = {"layer1": sb.laws.NeoHookean(1, 0.3), "layer2": sb.laws.MooneyRivlin(1, 0.5, 20)}
    F, P = np.full((4, 2, 2), np.nan), np.zeros((4, 2, 2))
    F[:, 0, 0], P[:, 0, 0] = np.linspace(1, 1.4, 4), np.nan
    cell = sb.Cell(micro, laws, plane="strain")
    history = sb.load(cell, np.linspace(0, 1, 4), F=F, P=P, tangents=True, keep=[-1])
    assert loads["stretch"]["final"]["P"]["11"] == pytest.approx(history.P[-1, 0, 0], rel=1e-9)
    np.testing.assert_allclose(loads["stretch"]["tangent"], history.tangents[-1], rtol=1e-7)
    image = at_times(tmp_path / "out" / "load_stretch.vtkhdf")[1.0]
    # Layers in series carry the same P11, and P33 is the laws' at F33 = 1.
    np.testing.assert_allclose(image.cell_data["P"][:, 0], history.P[-1, 0, 0], rtol=1e-6)
    local = image.cell_data["F"][0]
    np.testing.assert_allclose(
        image.cell_data["P"][0], laws["layer1"].respond(local, (), 1.0).flux, atol=1e-6
    )
    assert np.isfinite(image.cell_data["von_mises"]).all()


# ---- fields over time


def at_times(path: Path) -> dict[float, Any]:
    """Return the image at each time, as VTK's reader and so ParaView sees it."""
    reader = pyvista.get_reader(path).reader
    reader.UpdateInformation()
    found = {}
    for step in range(reader.GetNumberOfSteps()):
        reader.SetStep(step)
        reader.Update()
        found[reader.GetTimeValue()] = pyvista.wrap(reader.GetOutput()).copy()
    return found


def test_fields_over_time_come_back(study: Path) -> None:
    changed(study, ("steps: [4, 3]\n", "steps: [4, 3]\n    fields: [0.5, 3]\n    tangents: true\n"))
    load = run_study(study)["loads"]["shear"]
    assert load["kept"] == [2, 7]
    path = study.parent / "out" / "load_shear.vtkhdf"
    images = at_times(path)
    assert list(images) == [0.5, 3.0]
    _, back = in_two_parts()
    fields = back.fields[3]
    last = images[3.0].cell_data
    labels = the_cell().microstructure.labels
    assert images[0.5].dimensions == (9, 9, 2)
    for image in images.values():
        np.testing.assert_array_equal(image.cell_data["labels"], labels.T.ravel())
    tensor = fields["strain"][2].T.ravel() / np.sqrt(2)
    np.testing.assert_allclose(last["strain"][:, 3], tensor, rtol=1e-6, atol=1e-10)
    plastic = fields["plastic_strain"]
    np.testing.assert_allclose(last["plastic_strain"][:, 3], plastic[5].T.ravel() / np.sqrt(2))
    assert np.isnan(last["p"]).any()  # an elastic layer has no plastic strain
    assert not np.allclose(images[0.5].cell_data["stress"], last["stress"])
    # Across the plane ε₃₃ = 0: σ₃₃ = ν (σ₁₁ + σ₂₂) − E εᵖ₃₃ in the layers that yield.
    soft = labels.T.ravel() == 0
    stress = last["stress"][soft]
    across = 0.3 * (stress[:, 0] + stress[:, 1]) - 70e3 * last["plastic_strain"][soft, 2]
    np.testing.assert_allclose(stress[:, 2], across, atol=1e-6)
    with h5py.File(path) as file:
        own = file["scalebridge"]
        assert own["averages/stress_12"][()].tolist() == load["table"]["stress_12"]
        assert own["tangents/tangents"].shape == (8, 3, 3)
        assert json.loads(own["provenance"][()])["loads"]["shear"]["kept"] == [2, 7]
    assert pyvista.read(path).n_cells == 64


def test_a_law_that_does_not_tell_the_stress_across_has_none_drawn(study: Path) -> None:
    soft = "{type: generalized_maxwell, E: 70e3, nu: 0.3, shear: {g: 0.5, tau: 1}}"
    run_study(changed(study, (SOFT, soft)))
    last = at_times(study.parent / "out" / "load_shear.vtkhdf")[3.0].cell_data
    assert "von_mises" not in last.keys()  # noqa: SIM118 PyVista's are no mapping
    assert np.isnan(last["stress"][:, 2]).any()
    assert np.isfinite(last["largest_shear"]).all()
    assert last["shear_branches_1"].shape == (64, 6)


@pytest.mark.parametrize(("fields", "kept"), [("none", []), ("all", list(range(8)))])
def test_which_fields_are_kept(study: Path, fields: str, kept: list[int]) -> None:
    changed(study, ("steps: [4, 3]\n", f"steps: [4, 3]\n    fields: {fields}\n"))
    load = run_study(study)["loads"]["shear"]
    assert load["kept"] == kept
    assert (study.parent / "out" / "load_shear.vtkhdf").exists() == bool(kept)


# ---- laws

VISCOUS = {"rate": 1e-3, "drag": 50.0, "exponent": 8.0}
VOCE = {"type": "voce", "Q": 200.0, "b": 30.0, "H": 100.0}
PRAGER = {"type": "prager", "C": 5e3}
J2 = {"type": "j2_plasticity", **STEEL, "yield_stress": 300.0}
MAXWELL = {
    "type": "generalized_maxwell",
    "E": 3.0,
    "nu": 0.3,
    "shear": {"g": BRANCHES["shear"][0], "tau": BRANCHES["shear"][1]},
    "bulk": {"k": BRANCHES["bulk"][0], "tau": BRANCHES["bulk"][1]},
}
# Of each member of the laws that a study can name: its physics and how it is written.
WRITTEN: dict[str, tuple[str, dict[str, Any]]] = {
    "J2": ("elasticity", {**J2, "hardening": {"type": "perfect"}}),
    "J2, linear and Prager": (
        "elasticity",
        {**J2, "hardening": {"type": "linear", "H": 2e3}, "kinematic": PRAGER},
    ),
    "J2, Voce and Prager": ("elasticity", {**J2, "hardening": VOCE, "kinematic": PRAGER}),
    "J2, power": ("elasticity", {**J2, "hardening": {"type": "power", "K": 1e3, "n": 0.3}}),
    "J2, Armstrong-Frederick": (
        "elasticity",
        {
            **J2,
            "hardening": {"type": "linear", "H": 1e3},
            "kinematic": {"type": "armstrong_frederick", "C": 50e3, "gamma": 300.0},
        },
    ),
    "Perzyna": (
        "elasticity",
        {**J2, "type": "perzyna", **VISCOUS, "hardening": VOCE, "kinematic": PRAGER},
    ),
    "Norton": (
        "elasticity",
        {"type": "norton", **STEEL, "rate": 1e-3, "stress": 100.0, "exponent": 5.0},
    ),
    "Maxwell": ("elasticity", MAXWELL),
    "Maxwell, implicit": ("elasticity", {**MAXWELL, "scheme": "implicit"}),
    "conduction, power": (
        "electric",
        {"type": "power_law_conduction", "k": 2.0, "exponent": 3.0, "scale": 0.5},
    ),
    "Saint-Venant-Kirchhoff": (
        "finite_strain",
        {"type": "saint_venant_kirchhoff", "E": 1.0, "nu": 0.3},
    ),
    "neo-Hookean": ("finite_strain", {"type": "neo_hookean", "E": 1.0, "nu": 0.3}),
    "Mooney-Rivlin": (
        "finite_strain",
        {"type": "mooney_rivlin", "C10": 0.3, "C01": 0.1, "K": 50.0},
    ),
    "Ogden": (
        "finite_strain",
        {"type": "ogden", "mu": [0.63, -0.01], "alpha": [1.3, -2.0], "K": 50.0},
    ),
    "Holzapfel": (
        "finite_strain",
        {
            "type": "holzapfel_gasser_ogden",
            "mu": 0.5, "k1": 2.0, "k2": 1.5, "kappa": 0.1, "K": 50.0, "directions": FIBRES,
        },
    ),
}  # fmt: skip
REST = {"elasticity": {"strain": 0}, "electric": {"gradient": 0}, "finite_strain": {"P": 0}}


def plan_of(folder: Path, tree: dict[str, Any]) -> Any:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    file = read_study(path)
    return Builder(file).plan(file.points[0], folder, {}, "")


@pytest.mark.parametrize("name", WRITTEN)
def test_every_law_is_that_of_the_python_interface(name: str, tmp_path: Path) -> None:
    physics, law = WRITTEN[name]
    path: dict[str, Any] = {"time": [0, 1], "rest": REST[physics], "steps": 1}
    if physics == "finite_strain":
        path["F"] = {"11": [1, 1.1]}
    tree = {
        "microstructure": {"type": "checkerboard", "shape": [4, 4, 4]},
        "laws": {"white": {physics: law}, "black": {physics: {"type": "void"}}},
        "loads": {"l": {"physics": physics, "path": path}},
    }
    built, expected = plan_of(tmp_path, tree).loads["l"].cell.laws["white"], MEMBERS[name].law
    assert jax.tree.structure(built) == jax.tree.structure(expected)
    for own, given in zip(jax.tree.leaves(built), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(own, given)


def test_phases_of_all_kinds_meet_in_one_cell(study: Path) -> None:
    changed(
        study,
        ("fractions: [0.5, 0.5]", "fractions: [0.25, 0.25, 0.25, 0.25]"),
        ("[soft, hard]", "[soft, hard, stiff, empty]"),
        (
            "loads:",
            "  stiff: {elasticity: {type: rigid}}\n  empty: {elasticity: {type: void}}\nloads:",
        ),
        ("strain: {12: [0, 0.002, null]}", "strain: {22: [0, 0.004, 0]}"),
        ("stress: {11: 0, 22: 0, 12: [null, null, 0]}", "rest: {stress: 0}"),
    )
    load = run_study(study)["loads"]["shear"]
    assert load["converged"], load["message"]
    assert load["element"] == "full"
    assert load["ledger"]["dissipated"] > 0
    fields = at_times(study.parent / "out" / "load_shear.vtkhdf")[3.0].cell_data
    empty = fields["labels"] == 3
    assert np.abs(fields["stress"][empty]).max() == 0
    assert np.abs(fields["strain"][fields["labels"] == 2]).max() < 1e-4


def test_every_law_can_be_written() -> None:
    """A law that comes without its place in study files makes this fail."""
    written = {type(MEMBERS[name].law) for name in WRITTEN}
    # A potential is a function, and Norton's law with another exponent is Norton's law.
    assert {type(member.law) for member in MEMBERS.values()} - written == {
        sb.laws.NonlinearConduction
    }


def test_quantities_of_laws_have_units(study: Path) -> None:
    law = "{type: norton, E: 70 GPa, nu: 0.3, rate: 36 1/hour, stress: 100 MPa, exponent: 5}"
    changed(
        study,
        (SOFT, law),
        ("E: 400e3", "E: 400 GPa"),
        ("[0, 1, 3]", "[0 s, 1 min, 3 min]"),
    )
    file = read_study(study)
    load = Builder(file).plan(file.points[0], study.parent, {}, "").loads["shear"]
    assert float(load.cell.laws["soft"].rate) == pytest.approx(0.01)
    assert load.path.times[[4, 7]].tolist() == [60, 180]
    assert load.units == {"time": "s", "stress": "Pa"}


# ---- errors

PATH = "time: [0, 1, 3]\n      strain: {12: [0, 0.002, null]}"
FAULTS: dict[str, tuple[tuple[str, str], str]] = {
    "component": (
        ("strain: {12:", "strain: {21:"),
        "study.yaml:17: loads.shear.path.strain.21 is not a component here; "
        "known are 11, 22, 12",
    ),
    "length": (
        ("[0, 0.002, null]", "[0, 0.002]"),
        "path.strain.12 must have a value at each of the 3 turning points of time, but has 2",
    ),
    "times": (
        ("[0, 1, 3]", "[0, 1, 1]"),
        "study.yaml:16: loads.shear.path.time[2] must be later than the turning point before, 1, ",
    ),
    "one time": (("[0, 1, 3]", "[0]"), "path.time must have two turning points at least"),
    "no time": (("time: [0, 1, 3]\n      ", ""), "path.time is missing; list the times"),
    "twice": (
        ("stress: {11: 0,", "stress: {12: 0, 11: 0,"),
        "is given twice",
    ),
    "in both": (
        ("12: [null, null, 0]", "12: [null, 5, 0]"),
        "path.stress.12 must be free where strain.12 is prescribed, but both have a value at "
        "turning point 2 (t = 1)",
    ),
    "in neither": (
        ("12: [null, null, 0]", "12: [null, null, null]"),
        "path.strain.12 must have a value at turning point 3 (t = 3), where stress.12 has none ei",
    ),
    "missing": (
        ("stress: {11: 0, 22: 0,", "stress: {"),
        "path must prescribe each component by strain or stress, but 11, 22 are in neither; name "
        "them, or say of all others rest: {stress: 0} or rest: {strain: 0}",
    ),
    "missing in finite strain": (
        (STUDY[STUDY.index("laws:") :], """\
laws: {"*": {finite_strain: {type: neo_hookean, E: 1, nu: 0}}}
loads: {a: {physics: finite_strain, plane: strain, path: {time: [0, 1], F: {11: [1, 2]}, steps: 1}}}
"""),
        "but 12, 21, 22 are in neither; name them, or say of all others rest: {P: 0} or rest: "
        "{F: identity}",
    ),
    "first point": (
        ("[0, 0.002, null]", "[0.001, 0.002, null]"),
        "path.strain.12[0] must begin at rest, with 0, but is 0.001; put a turning point of rest",
    ),
    "throughout": (
        ("{11: 0,", "{11: 5,"),
        "path.stress.11 must begin at rest, with 0, but is 5 throughout; give a value at each "
        "turning point, [0, 5, 5]",
    ),
    "rest": (
        ("stress: {11: 0, 22: 0,", "rest: {stress: 1}\n      stress: {"),
        "path.rest.stress must be 0, but is 1; name the components that are not 0",
    ),
    "rest of two": (
        ("stress: {11: 0, 22: 0,", "rest: {stress: 0, strain: 0}\n      stress: {"),
        "path.rest must name one quantity",
    ),
    "another physics": (
        ("stress: {11: 0, 22: 0, 12: [null, null, 0]}", "P: {11: 0}"),
        "path.P is not what a cell of elasticity is driven by; give strain, stress or both",
    ),
    "no steps": (("\n      steps: [4, 3]", ""), "path.steps is missing; give the number of steps"),
    "steps": (("[4, 3]", "[4, 3, 2]"), "path.steps must be one number, or one for each of the 2 s"),
    "zero steps": (("[4, 3]", "[4, 0]"), "path.steps must be a whole number ≥ 1, but is 0"),
    "too many steps": (("[4, 3]", "1e9"), "path.steps must make at most 100000 steps, but make 2"),
    "value": (("0.002", "high"), "path.strain.12 must be a number, but is 'high'"),
    "unit of a strain": (("0.002", "2 MPa"), "path.strain.12 must be a number, but is '2 MPa'"),
    "mixed units": (
        ("12: [null, null, 0]", "12: [null, null, 2 MPa]"),
        "laws.soft.elasticity.E must be a stress with a unit, because loads.shear.path.stress.12[",
    ),
    "rate and time": (
        (
            SOFT,
            "{type: norton, E: 1, nu: 0, rate: 2 1/s, stress: 1, exponent: 3}",
        ),
        "path.time[1] must be a time with a unit, because laws.soft.elasticity.rate has one (1/s)",
    ),
    "fields": (
        ("steps: [4, 3]\n", "steps: [4, 3]\n    fields: [0.6]\n"),
        "loads.shear.fields[0] must be the time of a step, but is 0.6; the nearest is 0.5",
    ),
    "fields by word": (
        ("steps: [4, 3]\n", "steps: [4, 3]\n    fields: first\n"),
        "loads.shear.fields must be none, last, all, or a list of times",
    ),
    "tolerance": (
        ("steps: [4, 3]\n", "steps: [4, 3]\n    tolerance: 1\n"),
        "loads.shear.tolerance must lie between 0 and 1, but is 1",
    ),
    "transport through": (
        (STUDY[STUDY.index("laws:") :], """\
laws: {"*": {conduction: {type: conduction, k: 1}}}
loads: {a: {physics: conduction, boundary: through, path: {time: [0, 1], rest: {flux: 0}}}}
"""),
        "loads.a.boundary must hold for all components at once, but 'through' is a problem for ea",
    ),
    "all boundaries": (
        ("plane: strain", "plane: strain\n    boundary: all"),
        "loads.shear.boundary must be one of",
    ),
    "key": (("plane: strain", "plan: strain"), "loads.shear.plan is not a key here (did you mean"),
    "name": (("  shear:", "  a/b:"), "loads.a/b must have a name of at most 40 letters"),
    "name of a cell": (
        ("loads:", "cells: {shear: {physics: elasticity, plane: strain}}\nloads:"),
        "loads.shear must have a name of its own (they become file names), but a cell has it too",
    ),
    "law of the wrong physics": (
        ("{type: isotropic, E: 400e3, nu: 0.2}", "{type: ogden, mu: 1, alpha: 2, K: 5}"),
        "laws.hard.elasticity.type must be a law of elasticity such as isotropic, but is 'ogden'",
    ),
    "linear law in finite strain": (
        (
            "    elasticity: {type: isotropic, E: 400e3, nu: 0.2}",
            "    finite_strain: {type: isotropic, E: 400e3, nu: 0.2}",
        ),
        "laws.hard.finite_strain.type must be a law of finite_strain such as neo_hookean, but is",
    ),
    "law in a closed form": (
        (
            "{type: isotropic, E: 400e3, nu: 0.2}",
            "{type: voigt, fractions: [1], laws: [{type: j2_plasticity, E: 1, nu: 0, "
            "yield_stress: 1}]}",
        ),
        "laws.hard.elasticity.laws[0].type must be a linear law, of which closed forms are, but",
    ),
    "hardening": (
        ("{type: linear, H: 1e3}", "{type: voc, Q: 1, b: 1}"),
        "laws.soft.elasticity.hardening.type must be one of perfect, linear, voce, power, but is",
    ),
    "range of a hardening": (
        ("{type: linear, H: 1e3}", "{type: voce, Q: 1, b: -1}"),
        "laws.soft.elasticity.hardening.b must be > 0, but is -1",
    ),
    "effective tensor of a nonlinear law": (
        (STUDY[STUDY.index("loads:") :], "cells: {c: {physics: elasticity, plane: strain}}\n"),
        "cells.c.physics must be one of linear laws, but the law of phase 'soft' for elasticity, "
        "J2Plasticity, is not linear and has no effective tensor; drive the cell along a path "
        "under loads instead",
    ),
    "nothing asked of a nonlinear law": (
        (STUDY[STUDY.index("loads:") :], ""),
        "study.yaml:1: cells.elasticity.physics must be one of linear laws, but the law of phase "
        "'soft' for elasticity, J2Plasticity, is not linear and has no effective tensor",
    ),
    "nothing asked of laws of finite strain": (
        (STUDY[STUDY.index("laws:") :], """\
laws: {"*": {finite_strain: {type: neo_hookean, E: 1, nu: 0}}}
"""),
        "study.yaml:6: laws hold laws of finite strain, of which there is no effective tensor; "
        "drive the cell along a path under loads",
    ),
    "sweep": (
        ("laws:", "sweep: {parameters: {loads.shear.path.steps: [1, 0]}}\nlaws:"),
        "loads.shear.path.steps must be a whole number ≥ 1, but is 0 (point 2: loads.shear.path",
    ),
}  # fmt: skip


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the computation began")

    monkeypatch.setattr(loading, "load", load)


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("what", FAULTS)
def test_faults_get_one_line_with_their_key(what: str, study: Path) -> None:
    change, told = FAULTS[what]
    message = the_one_error(command("run", changed(study, change)))
    assert told in message, message
    assert not (study.parent / "out").exists()


TABLES = {
    "time,strain_11,strain_22,strain_12\n0,0,0,0\n1,0,x,0\n": (
        "test.csv:3: strain_22 must be a number, or empty, but is 'x'"
    ),
    "time,strain_11,strain_22,strain_12\n0,0,0,0\n1,0,0\n": (
        "test.csv:3: must have 4 fields as the line of names, but has 3"
    ),
    "time,strian_11\n0,0\n1,0\n": "but one is 'strian_11' (did you mean 'strain_11'?)",
    "strain_11,strain_22\n0,0\n1,0\n": "test.csv:1: must have a column time, but has none",
    "time,strain_11,strain_11\n0,0,0\n1,0,0\n": "strain_11 must stand there once",
    "time,stress_11 [MPa],stress_22,strain_12\n0,0,0,0\n1,0,0,0\n": "but are mixed",
    "time,strain_11 [mm]\n0,0\n1,0\n": "strain_11 must have no unit, but has [mm]",
    "time,stress_11 [m]\n0,0\n1,0\n": "test.csv:2: stress_11 must be a stress",
    "time,stress_11 [MPa],stress_22 [MPa],strain_12\n0,0,0,0\n1,0,0,0\n": (
        "must give a stress without a unit, as the rest of the study"
    ),
    "time,strain_11\n0,0\n,0\n": "test.csv:3: time must be a number, but is empty",
    "time,strain_11,strain_22,strain_12\n0,0,0,0\n0,0,0,0\n": (
        "must have times that increase, but 0 is followed by 0"
    ),
    "time,strain_11,strain_22,strain_12\n0,0,0,0\n1,0,0,\n": (
        "path.strain.12 must have a value at turning point 2 (t = 1), where stress.12 has none"
    ),
    "time,strain_13\n0,0\n1,0\n": "path.strain.13 is not a component here",
    "time,strain_11\n0,0\n": "must have a line of names and two rows at least",
    "\0": "must have a line of names and two rows",
}


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_faults_of_a_table_name_row_and_column(text: str, study: Path) -> None:
    (study.parent / "test.csv").write_text(text, encoding="utf-8")
    start, _, _ = STUDY.partition("      time:")
    study.write_text(f"{start}      file: test.csv\n", encoding="utf-8")
    message = the_one_error(command("run", study))
    assert "study.yaml:1" in message
    assert TABLES[text] in message, message


def test_a_table_that_is_absent(study: Path) -> None:
    start, _, _ = STUDY.partition("      time:")
    study.write_text(f"{start}      file: none.csv\n", encoding="utf-8")
    message = the_one_error(command("run", study))
    assert "path.file must be a readable table, but is 'none.csv': No such file" in message


# ---- histories that end early


def test_a_step_that_fails_leaves_what_was_reached(study: Path) -> None:
    # Perfectly plastic layers carry no more than √2 × 100/√3.
    changed(
        study,
        ("strain: {12: [0, 0.002, null]}\n", "fast: 1\n"),
        ("12: [null, null, 0]", "12: [0, 50, 70]"),
        ("fast: 1\n      ", ""),
        ("{type: linear, H: 1e3}", "{type: perfect}"),
        ("steps: [4, 3]\n", "steps: [2, 2]\n    cuts: 2\n"),
    )
    outcome = command("run", study, "--json", "--quiet")
    assert outcome.code == 1
    assert "error: shear did not reach its end: the step to t = " in outcome.err
    summary = json.loads(outcome.out)
    load = summary["loads"]["shear"]
    assert not load["converged"]
    assert load["reached"] < load["steps"] == 4
    assert len(load["table"]["time"]) == load["reached"] + 1
    assert load["kept"] == [0, load["reached"]]  # the fields of the last row that was reached
    assert not summary["interrupted"]
    assert all(Path(name).is_file() for name in summary["files"])
    assert not (study.parent / "out" / "load_shear.npz").exists()


def test_ctrl_c_keeps_what_there_is_and_resume_goes_on(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run_study(study, out=study.parent / "once")["loads"]["shear"]["table"]

    def stopped(*arguments: Any, **options: Any) -> Any:
        told = options["progress"]

        def progress(event: Any) -> None:
            told(event)
            if event.step == 6:
                raise KeyboardInterrupt

        return LOAD(*arguments, **{**options, "progress": progress})

    monkeypatch.setattr(loading, "load", stopped)
    outcome = command("run", study, "--json", "--quiet")
    assert outcome.code == 130, outcome
    told = json.loads(outcome.out)
    assert told["interrupted"]
    assert told["failures"] == []
    assert told["loads"]["shear"]["reached"] == 5
    assert told["loads"]["shear"]["kept"] == [0, 5]
    out = study.parent / "out"
    assert (out / "load_shear.npz").exists()
    steps: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        return LOAD(*arguments, **{**options, "progress": lambda event: steps.append(event.step)})

    monkeypatch.setattr(loading, "load", counted)
    outcome = command("resume", out, "--json", "--quiet")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["loads"]["shear"]["table"] == once
    assert steps[0] == 6
    assert not (out / "load_shear.npz").exists()
    again = command("resume", out, "--quiet")
    assert again.err == "nothing was left to do\n"


def test_a_fresh_run_begins_anew_and_so_does_another_problem(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = study.parent / "out"
    out.mkdir()
    steps: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        return LOAD(*arguments, **{**options, "progress": lambda event: steps.append(event.step)})

    monkeypatch.setattr(loading, "load", counted)
    (out / "load_shear.npz").write_bytes(b"stale")
    assert command("run", study, "--quiet").code == 0
    first = steps.count(1)
    (out / "load_shear.npz").write_bytes(b"stale")
    changed(study, ("0.002", "0.001"))
    outcome = command("run", study, "--resume", "--quiet")
    assert outcome.code == 2
    assert "load_shear.npz' must be a checkpoint, but cannot be read" in outcome.err
    assert (out / "load_shear.npz").read_bytes() == b"stale"
    # One that is whole, of the problem before the change.
    with monkeypatch.context() as patched:
        patched.setattr(execute, "remove_checkpoints", lambda plan: None)
        changed(study)
        assert command("run", study, "--quiet").code == 0
    changed(study, ("0.002", "0.001"))
    outcome = command("run", study, "--resume")
    assert outcome.code == 0
    assert "warning: shear begins anew: " in outcome.err
    assert steps[0] == 1
    assert steps.count(1) == 3 * first
    assert not (out / "load_shear.npz").exists()


def test_a_run_that_is_killed_ends_with_the_same_bits(study: Path) -> None:
    changed(study, ("[4, 3]", "[40, 30]"), ("    path:", "    fields: all\n    path:"))
    words = [sys.executable, "-m", "scalebridge", "run", study, "--quiet"]
    out, once = study.parent / "out", study.parent / "once"
    with subprocess.Popen([*words], stdout=subprocess.DEVNULL) as run:
        while not (out / "load_shear.npz").exists() and run.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert not (out / "load_shear.csv").exists()
    assert command("resume", out, "--quiet").code == 0
    run_study(study, out=once)
    for name in ("load_shear.csv", "load_shear.png"):
        assert (out / name).read_bytes() == (once / name).read_bytes()
    with h5py.File(out / "load_shear.vtkhdf") as a, h5py.File(once / "load_shear.vtkhdf") as b:
        fields = b["VTKHDF/CellData"]
        assert len(fields["stress"]) == 71
        for name in fields:
            assert a[f"VTKHDF/CellData/{name}"][()].tobytes() == fields[name][()].tobytes()


def test_a_table_that_has_changed_is_named(study: Path) -> None:
    table = study.parent / "test.csv"
    table.write_text("time,strain_12\n0,0\n1,0.001\n", encoding="utf-8")
    start, _, _ = STUDY.partition("      time:")
    study.write_text(f"{start}      file: test.csv\n      rest: {{stress: 0}}\n", encoding="utf-8")
    assert command("run", study, "--quiet").code == 0
    assert command("run", study, "--quiet", "--resume").code == 0
    out = study.parent / "out"
    table.write_text("time,strain_12\n0,0\n1,0.002\n", encoding="utf-8")
    message = the_one_error(command("resume", out))
    assert f"the table {str(table)!r} has changed since; bring the table back" in message
    before = json.loads((out / "summary.json").read_text())["loads"]["shear"]["final"]["strain"]
    assert command("run", study, "--quiet", "--resume").code == 0  # the study as it is now
    after = json.loads((out / "summary.json").read_text())["loads"]["shear"]["final"]["strain"]
    assert (before["12"], after["12"]) == pytest.approx((0.001, 0.002))


# ---- sweeps, cells beside loads, and the rest of the command line


def test_a_sweep_of_a_law_and_of_a_path(study: Path) -> None:
    swept = "sweep:\n  mode: zip\n  parameters:\n    laws.soft.elasticity.yield_stress: [50, 100]\n"
    swept += "    loads.shear.path.steps: [[4, 2], [4, 3]]\n"
    study.write_text(f"{STUDY}{swept}", encoding="utf-8")
    outcome = command("run", study, "--quiet")
    assert outcome.code == 0, outcome
    assert "peak_stress_12" in outcome.out
    with (study.parent / "out" / "sweep.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    peaks = [float(row["shear.peak_stress_12"]) for row in rows]
    assert 50 / np.sqrt(3) < peaks[0] < 60 / np.sqrt(3)  # they harden a little
    assert 100 / np.sqrt(3) < peaks[1] < 110 / np.sqrt(3)
    assert [row["shear.converged"] for row in rows] == ["True", "True"]
    assert all(float(row["shear.dissipated"]) > 0 for row in rows)


def test_cells_and_loads_in_one_study(study: Path) -> None:
    cell = "cells: {stiff: {physics: conduction, fields: false}}\nloads:"
    conducts = "    conduction: {type: conduction, k: 1}\n"
    changed(
        study,
        ("loads:", cell),
        ("  soft:\n", "  soft:\n" + conducts),
        ("  hard:\n", "  hard:\n" + conducts),
    )
    summary = run_study(study)
    assert list(summary["results"]) == ["stiff"]
    assert list(summary["loads"]) == ["shear"]
    told = command("estimate", study, "--json", "--quiet")
    assert told.code == 0, told.err
    assert "load histories are not estimated (shear)" in " ".join(json.loads(told.out)["warnings"])


def test_a_study_of_loads_alone_is_estimated(study: Path) -> None:
    outcome = command("estimate", study, "--quiet")
    assert outcome.code == 0, outcome
    assert "load histories are not estimated (shear)" in outcome.out


def test_init_writes_a_study_of_loads_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init", "--loads").code == 0
    text = Path("study.yaml").read_text(encoding="utf-8")
    assert "shape: [12, 12, 12]" in text
    Path("study.yaml").write_text(text.replace("[12, 12, 12]", "[4, 4, 4]"), encoding="utf-8")
    load = run_study("study.yaml")["loads"]["tension"]
    assert load["converged"]
    assert load["final"]["stress"]["11"] == pytest.approx(0, abs=1e3)
    assert 0.005 < load["final"]["strain"]["11"] < 0.01


def test_the_aluminium_study_shows_a_bauschinger_effect(tmp_path: Path) -> None:
    source = ROOT / "examples" / "studies" / "aluminium_spheres.yaml"
    text = source.read_text(encoding="utf-8")
    assert "shape: [16, 16, 16]" in text
    path = tmp_path / "study.yaml"
    path.write_text(text.replace("[16, 16, 16]", "[4, 4, 4]"), encoding="utf-8")
    load = run_study(path)["loads"]["cyclic"]
    strain, stress = (np.array(load["table"][f"{name}_11"]) for name in ("strain", "stress"))
    top, bottom = 10, 30
    elastic = stress[1] / strain[1]
    back = slice(top + 1, bottom + 1)
    offset = strain[top] - stress[top] / elastic  # plastic strain at the top
    yields = np.abs(strain[back] - stress[back] / elastic - offset) > 2e-3
    first = stress[back][yields][0]
    assert -stress[top] < first < 0  # yields earlier in compression
    assert stress[top] < stress[-1] < 1.5 * stress[top]  # and hardens from cycle to cycle
    assert load["kept"] == [10, 30, 50]
