"""Study files: the same numbers as the Python interface, and one line for every fault."""

from __future__ import annotations

import copy
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jsonschema
import numpy as np
import pytest
import tifffile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

import scalebridge as sb
from command import command, the_one_error
from scalebridge import upscaling
from scalebridge.errors import InputError, Interrupted
from scalebridge.study import yaml12
from scalebridge.study.build import Builder
from scalebridge.study.results import read_results
from scalebridge.study.run import run_study
from scalebridge.study.schema import Study
from scalebridge.study.studyfile import read_study
from scalebridge.study.units import parse_quantity

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples" / "studies").glob("*.yaml"))


@pytest.fixture(autouse=True)
def jax_as_users_have_it() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


# A laminate of 8 × 6 voxels, six soft layers and two hard ones, across x.
LAMINATE = """\
microstructure:
  type: laminate
  shape: [8, 6]
  fractions: [0.75, 0.25]
  names: [soft, hard]
laws:
  soft:
    conduction: {type: conduction, k: 1}
    elasticity: {type: isotropic, E: 1, nu: 0.3}
  hard:
    conduction: {type: conduction, k: 10}
    elasticity: {type: isotropic, E: 10, nu: 0.2}
cells:
  heat: {physics: conduction, fields: false}
  sheet: {physics: elasticity, plane: stress, fields: false}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(LAMINATE, encoding="utf-8")
    return path


def changed(path: Path, *changes: tuple[str, str]) -> Path:
    """Write the study with words replaced."""
    text = LAMINATE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def effective(*_: object, **__: object) -> None:
        raise AssertionError("the computation began")

    monkeypatch.setattr(upscaling, "effective", effective)


# ---- the same numbers as the Python interface


def test_a_study_gives_what_python_gives(study: Path) -> None:
    outcome = command("run", study, "--json")
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    micro = sb.generate.laminate((8, 6), (0.75, 0.25), names=("soft", "hard"))
    heat = sb.Cell(micro, {"soft": sb.laws.Conduction(1.0), "hard": sb.laws.Conduction(10.0)})
    elastic = {
        "soft": sb.laws.IsotropicElastic(E=1.0, nu=0.3),
        "hard": sb.laws.IsotropicElastic(E=10.0, nu=0.2),
    }
    sheet = sb.Cell(micro, elastic, plane="stress")
    for name, cell in (("heat", heat), ("sheet", sheet)):
        np.testing.assert_array_equal(summary["results"][name]["tensor"], sb.effective(cell).tensor)
    assert summary["results"]["heat"]["quantity"] == "conductivity"
    out = study.parent / "out"
    stored = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert stored == {k: v for k, v in summary.items() if k != "write_errors"}
    assert read_results(out / "results.vtkhdf").provenance["study"] == summary["study"]
    written = {path.name for path in out.iterdir()} - {"study.json"}  # which `resume` starts from
    assert {Path(n).name for n in summary["files"]} == written
    assert "heat: periodic cell" in outcome.err


def test_homogenize_and_a_study_give_the_same(tmp_path: Path) -> None:
    labels = np.random.default_rng(3).integers(0, 2, (8, 6), dtype=np.uint8)
    np.save(tmp_path / "image.npy", labels)
    phases = ["--phase", "a=0,k=1,E=1,nu=0.3", "--phase", "b=1,k=10,E=10,nu=0.2"]
    layout = ["--spacing", "0.5", "--plane", "strain", "--out", tmp_path / "one"]
    one = command("homogenize", tmp_path / "image.npy", *phases, *layout, "--json", "--quiet")
    (tmp_path / "study.yaml").write_text(
        """
microstructure: {type: image, path: image.npy, spacing: 0.5, phases: {a: 0, b: 1}}
laws:
  a: {conduction: {type: conduction, k: 1}, elasticity: {type: isotropic, E: 1, nu: 0.3}}
  b: {conduction: {type: conduction, k: 10}, elasticity: {type: isotropic, E: 10, nu: 0.2}}
cells:
  conduction: {physics: conduction}
  elasticity: {physics: elasticity, plane: strain}
"""
    )
    two = command("run", tmp_path / "study.yaml", "--out", tmp_path / "two", "--json", "--quiet")
    here, there = (json.loads(outcome.out) for outcome in (one, two))
    for name in ("conduction", "elasticity"):
        assert here["results"][name]["tensor"] == there["results"][name]["tensor"]
    assert here["image"]["sha256"] == there["image"]["sha256"]
    stored, other = (read_results(tmp_path / n / "results.vtkhdf") for n in ("one", "two"))
    assert set(stored.fields) == set(other.fields)
    for name, field in stored.fields.items():
        np.testing.assert_array_equal(field, other.fields[name])
    files = [sorted(item.name for item in (tmp_path / n).iterdir()) for n in ("one", "two")]
    assert sorted([*files[0], "study.json"]) == files[1]


def test_people_see_a_table_for_each_cell(study: Path, tmp_path: Path) -> None:
    changed(study, ("  sheet: {physics: elasticity, plane", "  b: {physics: elasticity, plane"))
    with study.open("a") as stream:
        stream.write("  strip: {physics: elasticity, plane: strain, fields: false}\n")
    outcome = command("run", study, "--out", tmp_path / "o", "--quiet")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert "Effective stiffness (Mandel), cell strip" in outcome.out
    assert not (tmp_path / "out").exists()


def test_cells_may_be_left_out(study: Path) -> None:
    text = LAMINATE.partition("cells:")[0].replace("[8, 6]", "[8, 6, 2]")
    study.write_text(text, encoding="utf-8")
    plan = only_plan(study)
    assert list(plan.requests) == ["conduction", "elasticity"]
    assert plan.requests["conduction"].cases == (0,)


def only_plan(path: Path) -> Any:
    file = read_study(path)
    (point,) = file.points
    return Builder(file).plan(point, path.parent, {}, "")


def plan_of(tmp_path: Path, tree: dict[str, Any]) -> Any:
    path = tmp_path / "tree.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return only_plan(path)


ISO = {"type": "isotropic", "E": "3.5 GPa", "nu": 0.35}
GLASS = {"type": "isotropic", "E": "72 GPa", "nu": 0.22}
COPPER = {"type": "conduction", "k": "390 W/m/K"}
RESIN = {"type": "conduction", "k": "0.2 W/m/K"}
CFRP = {
    "type": "transversely_isotropic",
    "E_axial": "230 GPa",
    "E_transverse": "15 GPa",
    "nu_axial": 0.2,
    "nu_transverse": 0.25,
    "G_axial": "24 GPa",
}
STIFF = np.diag([3.0, 3.0, 3.0, 1.0, 1.0, 1.0]).tolist()


def voigt(*diagonal: float) -> Any:
    return sb.laws.Elastic.from_voigt(np.diag(diagonal))


LAWS: dict[str, tuple[str, dict[str, Any], Callable[[], Any]]] = {
    "conduction": ("conduction", COPPER, lambda: sb.laws.Conduction(390.0)),
    "tensor": (
        "conduction",
        {"type": "conduction", "k": [[1, 0, 0], [0, 2, 0], [0, 0, 3]]},
        lambda: sb.laws.Conduction(np.diag([1.0, 2.0, 3.0])),
    ),
    "isotropic": ("elasticity", ISO, lambda: sb.laws.IsotropicElastic(E=3.5e9, nu=0.35)),
    "elastic": (
        "elasticity",
        {"type": "elastic", "notation": "voigt", "stiffness": STIFF},
        lambda: voigt(3, 3, 3, 1, 1, 1),
    ),
    "mandel": (
        "elasticity",
        {"type": "elastic", "notation": "mandel", "stiffness": STIFF},
        lambda: sb.laws.Elastic(np.array(STIFF)),
    ),
    "cubic": (
        "elasticity",
        {"type": "cubic", "C11": 3, "C12": 1, "C44": 2},
        lambda: sb.laws.Elastic.cubic(3.0, 1.0, 2.0),
    ),
    "hexagonal": (
        "elasticity",
        {"type": "hexagonal", "C11": 5, "C12": 1, "C13": 1, "C33": 6, "C44": 2},
        lambda: sb.laws.Elastic.hexagonal(5.0, 1.0, 1.0, 6.0, 2.0),
    ),
    "transversely_isotropic": (
        "elasticity",
        CFRP,
        lambda: sb.laws.Elastic.transversely_isotropic(
            E_axial=230e9, E_transverse=15e9, nu_axial=0.2, nu_transverse=0.25, G_axial=24e9
        ),
    ),
    "orthotropic": (
        "elasticity",
        {"type": "orthotropic", "E": [3, 4, 5], "nu": [0.1, 0.2, 0.3], "G": [1, 1.5, 2]},
        lambda: sb.laws.Elastic.orthotropic(
            E=[3.0, 4.0, 5.0], nu=[0.1, 0.2, 0.3], G=[1.0, 1.5, 2.0]
        ),
    ),
    "laminate": (
        "conduction",
        {"type": "laminate", "laws": [COPPER, RESIN], "fractions": [0.5, 0.5], "normal": "z"},
        lambda: sb.analytic.Laminate(
            [sb.laws.Conduction(390.0), sb.laws.Conduction(0.2)], [0.5, 0.5], "z"
        ),
    ),
    "voigt": (
        "conduction",
        {"type": "voigt", "laws": [COPPER, RESIN], "fractions": [0.5, 0.5]},
        lambda: sb.laws.Conduction(195.1),
    ),
    "reuss": (
        "conduction",
        {"type": "reuss", "laws": [RESIN, RESIN], "fractions": [0.5, 0.5]},
        lambda: sb.laws.Conduction(0.2),
    ),
    "hashin_shtrikman": (
        "elasticity",
        {
            "type": "hashin_shtrikman",
            "laws": [ISO, GLASS],
            "fractions": [0.7, 0.3],
            "side": "lower",
        },
        lambda: sb.analytic.HashinShtrikman([iso(), glass()], [0.7, 0.3], "lower"),
    ),
    "polycrystal": (
        "elasticity",
        {"type": "polycrystal", "crystal": {"type": "cubic", "C11": 3, "C12": 1, "C44": 2}},
        lambda: sb.analytic.Polycrystal(sb.laws.Elastic.cubic(3.0, 1.0, 2.0)),
    ),
    "coated_sphere": (
        "conduction",
        {"type": "coated_sphere", "core": COPPER, "coating": RESIN, "fraction": 0.3},
        lambda: sb.analytic.CoatedSphere(
            sb.laws.Conduction(390.0), sb.laws.Conduction(0.2), 0.3
        ),
    ),
    "coated_cylinder": (
        "conduction",
        {"type": "coated_cylinder", "core": COPPER, "coating": RESIN, "fraction": 0.3, "axis": "x"},
        lambda: sb.analytic.CoatedCylinder(
            sb.laws.Conduction(390.0), sb.laws.Conduction(0.2), 0.3, "x"
        ),
    ),
    "mori_tanaka": (
        "elasticity",
        {
            "type": "mori_tanaka",
            "matrix": ISO,
            "inclusions": [
                {"law": GLASS, "fraction": 0.2, "semi_axes": [1, 1, 10],
                 "orientation": {"type": "random"}}
            ],
        },
        lambda: sb.analytic.MoriTanaka(
            iso(), sb.analytic.Inclusion(glass(), 0.2, (1, 1, 10), "random")
        ),
    ),
    "dilute": (
        "elasticity",
        {
            "type": "dilute",
            "matrix": ISO,
            "inclusions": [
                {"law": GLASS, "fraction": 0.1, "semi_axes": [1, 1, float("inf")],
                 "orientation": {"type": "axis", "axis": "y", "angle": "90 deg"}}
            ],
        },
        lambda: sb.analytic.Dilute(
            iso(),
            sb.analytic.Inclusion(
                glass(), 0.1, (1, 1, np.inf), sb.tensors.rotation_about((0, 1, 0), np.pi / 2)
            ),
        ),
    ),
    "differential": (
        "conduction",
        {"type": "differential", "matrix": RESIN, "inclusions": [{"law": COPPER, "fraction": 0.1}]},
        lambda: sb.analytic.Differential(
            sb.laws.Conduction(0.2), sb.analytic.Inclusion(sb.laws.Conduction(390.0), 0.1)
        ),
    ),
    "self_consistent": (
        "elasticity",
        {
            "type": "self_consistent",
            "phases": [{"law": ISO, "fraction": 0.8}, {"law": GLASS, "fraction": 0.2}],
        },
        lambda: sb.analytic.SelfConsistent(
            [sb.analytic.Inclusion(iso(), 0.8), sb.analytic.Inclusion(glass(), 0.2)]
        ),
    ),
}  # fmt: skip


def iso() -> Any:
    return sb.laws.IsotropicElastic(E=3.5e9, nu=0.35)


def glass() -> Any:
    return sb.laws.IsotropicElastic(E=72e9, nu=0.22)


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_that_of_the_python_interface(name: str, tmp_path: Path) -> None:
    physics, law, expected = LAWS[name]
    cell = {"physics": physics, "fields": False}
    board = {"type": "checkerboard", "shape": [4, 4, 4]}
    tree = {
        "microstructure": board,
        "laws": {"*": {physics: law}},
        "cells": {"c": cell},
    }
    built = plan_of(tmp_path, tree).requests["c"].cell.laws["white"].tangent()
    np.testing.assert_allclose(built, expected().tangent(), rtol=1e-12, atol=1e-3)


GENERATORS: dict[str, dict[str, Any]] = {
    "spheres": {"shape": [12, 12, 12], "fraction": 0.2, "radius": 3, "seed": 1},
    "laminate": {"shape": [8, 4], "fractions": [0.25, 0.75], "axis": "y"},
    "voronoi": {"shape": [8, 8, 8], "grains": 4, "seed": 2},
    "gaussian_field": {"shape": [16, 16], "fractions": [0.5, 0.5], "length": 2, "seed": 3},
    "fibres": {"shape": [16, 16, 16], "fraction": 0.2, "radius": 3, "seed": 4},
    "square_array": {"shape": [12, 12], "fraction": 0.4},
    "hexagonal_array": {"shape": [12, 20], "radius": 0.3},
    "cubic_array": {"shape": [8, 8, 8], "kind": "bcc", "fraction": 0.4},
    "gyroid": {"shape": [8, 8, 8], "fraction": 0.4, "kind": "diamond"},
    "centred_sphere": {"shape": [8, 8], "fraction": 0.3},
    "checkerboard": {"shape": [8, 8], "tiles": 4},
}


def test_every_generator_has_a_type() -> None:
    assert set(GENERATORS) == set(sb.generate.__all__)


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_generator_is_that_of_the_python_interface(kind: str, tmp_path: Path) -> None:
    options = GENERATORS[kind]
    made = getattr(sb.generate, kind)(**options)
    tree = {
        "microstructure": {"type": kind, **options},
        "laws": {"*": {"conduction": {"type": "conduction", "k": 1}}},
    }
    plan = plan_of(tmp_path, tree)
    expected = getattr(made, "microstructure", made)
    np.testing.assert_array_equal(plan.microstructure.labels, expected.labels)
    assert plan.microstructure.spacing == expected.spacing
    for name, turn in getattr(made, "orientation", {}).items():
        euler = np.shape(turn) == (3,)
        rotation = sb.tensors.rotation_from_euler(turn) if euler else turn
        built = plan.requests["conduction"].cell.rotations[name]
        np.testing.assert_allclose(built, rotation, atol=1e-14)


def test_images_are_read_relative_to_the_study_and_changed_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (8, 12, 4)).astype(np.uint8)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "scan.npy", grey)
    image = {
        "type": "image",
        "path": "data/scan.npy",
        "spacing": ["1 um", "2 um", "1 um"],
        "phases": {"no": "0:89", "on": [90, "91:255"]},
        "flip": "y",
        "crop": {"y": "2:10"},
        "coarsen": [2, 1, 1],
        "repeat": 2,
    }
    k = {"conduction": {"type": "conduction", "k": 1}}
    micro = plan_of(tmp_path, {"microstructure": image, "laws": {"*": k}}).microstructure
    whole = sb.read(
        tmp_path / "data" / "scan.npy",
        spacing=(1e-6, 2e-6, 1e-6),
        phases={"no": (0, 89), "on": [90, (91, 255)]},
    )
    expected = whole.flip("y").crop(None, (2, 10), None).coarsen((2, 1, 1)).repeat(2)
    np.testing.assert_array_equal(micro.labels, expected.labels)
    assert micro.spacing == expected.spacing
    assert micro.names == ("no", "on")
    image |= {"phases": ["dark", "bright"], "method": "otsu"}
    otsu = plan_of(tmp_path, {"microstructure": image, "laws": {"*": k}}).microstructure
    assert any("Otsu" in note for note in otsu.notes)


def test_orientations_turn_the_law_and_the_stress_out_of_the_plane(tmp_path: Path) -> None:
    """A uniform body: its tensor is its law, and plane strain stresses it along axis 3 too."""
    turned = {"type": "axis", "axis": [1, 1, 0], "angle": "30 deg"}
    tree = {
        "microstructure": {"type": "checkerboard", "shape": [4, 4]},
        "laws": {"*": {"elasticity": CFRP, "orientation": turned}},
        "cells": {
            "all": {"physics": "elasticity", "plane": "generalized", "fields": False},
            "some": {"physics": "elasticity", "plane": "strain", "fields": [22]},
        },
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    summary = run_study(path, out=tmp_path / "out")
    law = LAWS["transversely_isotropic"][2]()
    rotation = sb.tensors.rotation_about((1.0, 1.0, 0.0), np.radians(30.0))
    expected = np.asarray(sb.tensors.rotate_mandel4(law.tangent(), rotation))
    np.testing.assert_allclose(summary["results"]["all"]["tensor"], expected, rtol=1e-9, atol=1e3)
    fields = read_results(tmp_path / "out" / "results.vtkhdf").fields
    assert set(fields) == {"some_strain_22", "some_stress_22", "some_von_mises_22"}
    for component in range(6):
        np.testing.assert_allclose(
            fields["some_stress_22"][component], expected[component, 1], rtol=1e-9, atol=1e3
        )
    assert (tmp_path / "out" / "field_some_22.png").is_file()


def test_all_boundaries_and_one_for_each_axis(study: Path) -> None:
    changed(
        study,
        ("heat: {physics: conduction,", "heat: {physics: conduction, boundary: all,"),
        (
            "plane: stress,",
            "plane: stress, boundary: {x: kinematic, y: free}, element: full,",
        ),
    )
    summary = run_study(study)
    told = summary["bounds"]["heat"]
    assert list(told["tensors"]) == ["Reuss", "static", "periodic", "kinematic", "Voigt", "through"]
    assert told["ordered"]
    assert summary["results"]["sheet"]["boundary"] == "x kinematic, y free"
    assert "bounds_heat.png" in {Path(name).name for name in summary["files"]}


def test_tortuosity_of_a_diffusing_phase(tmp_path: Path) -> None:
    tree = {
        "microstructure": {
            "type": "laminate",
            "shape": [4, 8],
            "fractions": [0.5, 0.5],
            "axis": "y",
            "names": ["pore", "solid"],
        },
        "laws": {
            "pore": {"diffusion": {"type": "conduction", "k": "2e-9 m^2/s"}},
            "solid": {"diffusion": {"type": "void"}},
        },
        "cells": {"ions": {"physics": "diffusion", "boundary": "through", "fields": False}},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    result = run_study(path)["results"]["ions"]
    assert result["quantity"] == "diffusivity"
    assert result["tensor"][0][0] == pytest.approx(1e-9)
    told = result["tortuosity"]
    assert told["phase"] == "pore"
    assert told["factor"]["x"] == pytest.approx(1.0)
    assert told["macmullin"]["x"] == pytest.approx(2.0)
    assert told["bruggeman_exponent"]["x"] == pytest.approx(1.0)
    assert all(told[name]["y"] is None for name in told if name != "phase")


# ---- units


QUANTITIES = [
    ("3.5 GPa", "stress", 3.5e9),
    ("210e3 MPa", "stress", 210e9),
    ("3 N/mm^2", "stress", 3e6),
    ("1.3 um", "length", 1.3e-6),
    ("1.3 µm", "length", 1.3e-6),
    ("2inch", "length", 0.0508),
    ("80 W/m/K", "conduction", 80.0),
    ("80 W/(m K)", "conduction", 80.0),
    ("0.3 W cm^-1 K^-1", "conduction", 30.0),
    ("1e-6 cm^2/s", "diffusion", 1e-10),
    ("4 mS/cm", "electric", 0.4),
    ("180 deg", "angle", np.pi),
    (210e9, "stress", 210e9),
    (-1, "stress", -1.0),
]


@pytest.mark.parametrize(("given", "kind", "expected"), QUANTITIES)
def test_quantities_come_out_in_si(given: Any, kind: str, expected: float) -> None:
    assert parse_quantity(given, (kind,)) == expected


NO_QUANTITIES = [
    ("3.5 Gpa", "the unit 'Gpa' is not known (did you mean 'GPa'?)"),
    ("3.5 gpa", "(did you mean 'GPa'?)"),
    ("3.5 GPaa", "(did you mean 'GPa'?)"),
    ("3.5 um", "must be a stress, a number or e.g. '3.5 GPa', but is '3.5 um', a length"),
    ("3,5 GPa", "must be a stress"),
    ("stiff", "but is 'stiff'"),
    ("210_000", "but is '210_000'"),
    ("1e999 GPa", "must be a finite number"),
    ("1 m**99999999", "must be a stress"),
    ("1 __import__('os')", "must be a stress"),
    ("1 " + "((" * 30, "must be a stress"),
    ("1 Pa" + "1" * 5000, "must be a stress"),
    (True, "but is true"),
    (None, "but is empty"),
    ([1], "but is [1]"),
    (float("nan"), "must be a finite number"),
    (1e-300, "sensible size"),
    (10**400, "must be a finite number"),
]


@pytest.mark.parametrize(("given", "told"), NO_QUANTITIES)
def test_what_is_no_stress_is_refused(given: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_quantity(given, ("stress",))


@given(st.floats(1e-30, 1e30), st.sampled_from(["Pa", "m", "W/m/K"]))
def test_si_units_change_no_digit(value: float, unit: str) -> None:
    kind = {"Pa": "stress", "m": "length", "W/m/K": "conduction"}[unit]
    assert parse_quantity(f"{value!r} {unit}", (kind,)) == value


def test_the_resolved_study_is_in_si_and_holds_the_defaults(study: Path) -> None:
    changed(
        study,
        ("E: 1,", "E: 3.5 GPa,"),
        ("E: 10,", "E: 72e3 MPa,"),
        ("[8, 6]\n", "[8, 6]\n  spacing: 1.3 um\n"),
    )
    resolved = only_plan(study).study["resolved"]
    assert resolved["laws"]["hard"]["elasticity"]["E"] == 72e9
    assert resolved["microstructure"]["spacing"] == 1.3e-6
    assert resolved["cells"]["heat"]["tolerance"] == 1e-6
    json.dumps(resolved)


# ---- YAML


def test_yaml_is_read_as_version_1_2() -> None:
    text = "a: 210e9\nb: no\nc: [on, yes, 0:89, 1_000, 0x10, .inf, ~, true]\n1: 2020-01-01\n"
    value, lines = yaml12.load(text)
    assert value == {
        "a": 210e9,
        "b": "no",
        "c": ["on", "yes", "0:89", "1_000", 16, float("inf"), None, True],
        "1": "2020-01-01",
    }
    assert type(value["a"]) is float
    assert lines["c", 2] == 3


BAD_YAML = {
    "a: 1\nb: 2\na: 3\n": "study.yaml:3: a is given twice, first on line 1",
    "a: [1, 2\n": "must be YAML, but: while parsing a flow sequence",
    "a: !!python/object/apply:os.system [ls]\n": "must have no tag",
    "&a [*a]": "too large or nested too deeply",
    "[" * 3000: "nested too deeply",
    'a: "\\ud800"': "must be printable text",
    "a: " + "1" * 5000: "must be a number",
    "? [1]\n: 2\n": "must have words as keys",
    "--- 1\n--- 2\n": "expected a single document",
    "": "must be a mapping with microstructure and laws, but is empty",
    "- 1\n": "must be a mapping",
    "a\x00b": "must be YAML text",
    "# " + "x" * 1_000_001: "must be at most",
    "a: &a [1]\n" + "".join(
        f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in pairwise("abcdefgh")
    ): "too large",
}  # fmt: skip


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("text", BAD_YAML, ids=range(len(BAD_YAML)))
def test_bad_yaml_gets_one_line(text: str, study: Path) -> None:
    study.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert BAD_YAML[text] in the_one_error(command("run", study))


# ---- errors in the study

# What is replaced, by what, and what is told of it. Line numbers count from LAMINATE.
FAULTS: dict[str, tuple[tuple[str, str], str]] = {
    "unknown key": (
        ("fractions:", "fraction:"),
        "study.yaml:4: microstructure.fraction is not a key here (did you mean 'fractions'?)",
    ),
    "key of the study": (("cells:", "cell:"), "study.yaml:13: cell is not a key here (did you mea"),
    "absent key": (("  shape: [8, 6]\n", ""), "study.yaml:1: microstructure.shape is missing"),
    "unknown type": (
        ("type: laminate", "type: lamniate"),
        "study.yaml:2: microstructure.type must be one of image, spheres, ",
    ),
    "near type": (("type: laminate", "type: lamniate"), "(did you mean 'laminate'?)"),
    "absent type": (
        ("{type: conduction, k: 1}", "{k: 1}"),
        "study.yaml:8: laws.soft.conduction.type is missing",
    ),
    "law of the wrong physics": (
        ("{type: conduction, k: 1}", "{type: isotropic, E: 1, nu: 0}"),
        "laws.soft.conduction.type must be a law of conduction such as conduction, but is 'isot",
    ),
    "key of a law": (
        ("E: 10, nu", "E: 10, Nu"),
        "study.yaml:12: laws.hard.elasticity.Nu is not a key here (did you mean 'nu'?)",
    ),
    "number": (("nu: 0.3", "nu: high"), "laws.soft.elasticity.nu must be a number, but is 'high'"),
    "range of nu": (("nu: 0.3", "nu: 0.5"), "laws.soft.elasticity.nu must lie in -1 < nu < 0.5"),
    "range of E": (("E: 10,", "E: -10,"), "study.yaml:12: laws.hard.elasticity.E must be ≥ 0"),
    "unit": (("E: 10,", "E: 10 um,"), "laws.hard.elasticity.E must be a stress, a number or"),
    "mixed units": (
        ("E: 10,", "E: 10 GPa,"),
        "study.yaml:9: laws.soft.elasticity.E must be a stress with a unit, because "
        "laws.hard.elasticity.E has one (GPa), but is 1; give all of them units, or none",
    ),
    "unit of another physics": (
        ("k: 10}", "k: 10 S/m}"),
        "laws.hard.conduction.k must be a thermal conductivity, e.g. '80 W/m/K', but 'S/m' is that",
    ),
    "boolean for a word": (("[soft, hard]", "[true, hard]"), "microstructure.names must be a word"),
    "number for a word": (("[soft, hard]", "[1, hard]"), "but is 1; write '1'"),
    "list": (("[8, 6]", "8"), "microstructure.shape must be a list, but is 8"),
    "whole number": (("[8, 6]", "[8, 6.5]"), "microstructure.shape must be a whole number ≥ 1"),
    "huge number": (("[8, 6]", "[8, 1e12]"), "microstructure.shape must fit"),
    "mapping": (("{type: conduction, k: 1}", "3"), "must be a mapping (indented lines of key: va"),
    "fractions": (("[0.75, 0.25]", "[0.75, 0.5]"), "microstructure.fractions must be positive and"),
    "no law for a phase": (("  soft:", "  sft:"), "laws.sft must be a phase of the image, but"),
    "near phase": (("  soft:", "  sft:"), "(did you mean 'soft'?)"),
    "no law for the physics": (
        ("    conduction: {type: conduction, k: 1}\n", ""),
        "laws.soft.conduction is missing; each phase needs a law for it",
    ),
    "cell name": (("  heat:", "  a/b:"), "cells.a/b must have a name of at most 40 letters"),
    "physics": (("physics: conduction", "physics: heat"), "cells.heat.physics must be conduction,"),
    "element": (("plane: stress", "plane: stress, element: ful"), "(did you mean 'full'?)"),
    "plane": (("plane: stress, ", ""), "study.yaml:15: cells.sheet.plane must be 'strain', 'stre"),
    "plane of conduction": (
        ("physics: conduction", "physics: conduction, plane: stress"),
        "cells.heat.plane is for mechanics on 2D images only",
    ),
    "boundary": (
        ("physics: conduction", "physics: conduction, boundary: kinmatic"),
        "study.yaml:14: cells.heat.boundary must be one of",
    ),
    "boundary by axis": (
        ("physics: conduction", "physics: conduction, boundary: {x: free, y: fre}"),
        "cells.heat.boundary along y must be one of",
    ),
    "rollers": (
        ("physics: conduction", "physics: conduction, boundary: rollers"),
        "cells.heat.boundary 'rollers' is for mechanics",
    ),
    "tolerance": (
        ("physics: conduction", "physics: conduction, tolerance: 2"),
        "cells.heat.tolerance must lie between 0 and 1, but is 2",
    ),
    "fields": (
        ("fields: false}", "fields: [w]}"),
        "cells.heat.fields must name load cases among 1, 2 or all, but names 'w'",
    ),
    "several": (("nu: 0.3", "nu: no"), "but is 'no'; fractions and numbers"),
    "orientation": (
        ("soft:\n", "soft:\n    orientation: {type: matrix, matrix: [[1,0,0],[0,1,0],[0,0,2]]}\n"),
        "must be rotation matrices",
    ),
    "axis of an inclusion": (
        (
            "{type: conduction, k: 1}",
            "{type: dilute, matrix: {type: conduction, k: 1}, inclusions: [{law: {type: void}, "
            "fraction: 0.1, orientation: {type: axis, axis: [0, 0, 0], angle: 1}}]}",
        ),
        "laws.soft.conduction.inclusions[0].orientation.axis must be a non-zero vector",
    ),
    "title": (("microstructure:", "title: 3\nmicrostructure:"), "title must be a word, but is 3"),
    "sweep": (
        ("laws:", "sweep: {parameters: {laws.sft.conduction.k: [1, 2]}}\nlaws:"),
        "sweep.parameters.laws.sft.conduction.k must be a dotted path into the study, but nothing "
        "is at 'sft' (did you mean 'soft'?)",
    ),
    "sweep of the folder": (
        ("laws:", "sweep: {parameters: {output.folder: [a, b]}}\nlaws:"),
        "study.yaml:6: sweep.parameters.output.folder must lead into microstructure, laws, cells",
    ),
    "sweeps in one another's way": (
        (
            "laws:",
            "sweep: {parameters: {laws.soft: [1], laws.soft.conduction.k: [2]}}\nlaws:",
        ),
        "sweep.parameters.laws.soft.conduction.k must be a dotted path into the study, but nothing",
    ),
    "sweep of nothing": (
        ("laws:", "sweep: {parameters: {laws.soft.conduction.k: []}}\nlaws:"),
        "must list values, but is empty",
    ),
    "sweep of a word": (
        ("laws:", "sweep: {parameters: {laws.soft.conduction.k: 3}}\nlaws:"),
        "sweep.parameters.laws.soft.conduction.k must be a list, but is 3",
    ),
    "zip": (
        (
            "laws:",
            "sweep:\n  mode: zip\n  parameters: {laws.soft.conduction.k: [1, 2], "
            "laws.hard.conduction.k: [1]}\nlaws:",
        ),
        "must have equally long lists to zip, but laws.soft.conduction.k has 2, laws.hard",
    ),
    "too many points": (
        ("laws:", f"sweep: {{parameters: {{cells.a: {[1] * 101}, cells.b: {[1] * 101}}}}}\nlaws:"),
        "must make at most 10000 points, but makes 10201",
    ),
    "value of a sweep": (
        ("laws:", "sweep: {parameters: {laws.soft.conduction.k: [1, -2]}}\nlaws:"),
        "study.yaml:6: laws.soft.conduction.k must be ≥ 0, but is -2; a perfect insulator has "
        "k = 0 (point 2: laws.soft.conduction.k = -2)",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("what", FAULTS)
def test_faults_get_one_line_with_their_key(what: str, study: Path, tmp_path: Path) -> None:
    change, told = FAULTS[what]
    message = the_one_error(command("run", changed(study, change), "--out", tmp_path / "out"))
    assert told in message, message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("nothing_is_computed")
def test_files_that_cannot_be_used_get_one_line(study: Path, tmp_path: Path) -> None:
    assert "No such file" in the_one_error(command("run", tmp_path / "absent.yaml"))
    assert "cannot read the study" in the_one_error(command("run", tmp_path))
    study.write_text(
        "microstructure: {type: image, path: scan.npy, spacing: 1, phases: {a: 0, b: 1}}\n"
        "laws: {'*': {conduction: {type: conduction, k: 1}}}\n"
    )
    assert "study.yaml:1: microstructure.path must be a readable image" in the_one_error(
        command("run", study)
    )
    (tmp_path / "scan.npy").write_bytes(b"\x93NUMPY broken")
    assert "scan.npy" in the_one_error(command("run", study))
    np.save(tmp_path / "scan.npy", np.zeros((4, 4), np.uint8))
    assert "no voxel of 'b'" in the_one_error(command("run", study))
    misspelt = the_one_error(command("run", study, "--resum"))
    assert "No such option: --resum" in misspelt
    assert "see scalebridge run --help" in misspelt


# ---- sweeps


SWEEP = (
    LAMINATE.partition("  sheet:")[0]
    + """\
sweep:
  parameters:
    laws.hard.conduction.k: [10, 20]
    microstructure.fractions: [[0.75, 0.25], [0.5, 0.5]]
"""
)


def laminate_k(hard: float, fraction: float) -> tuple[float, float]:
    return 1 / ((1 - fraction) + fraction / hard), (1 - fraction) + fraction * hard


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_sweep_makes_a_folder_for_each_point_and_a_table(study: Path) -> None:
    study.write_text(SWEEP, encoding="utf-8")
    outcome = command("run", study)
    assert outcome.code == 0, outcome.err
    out = study.parent / "out"
    assert "point 2 of 4: laws.hard.conduction.k = 10, " in outcome.err
    assert "4 of 4 points" in outcome.out
    rows = table(out)
    assert len(rows) == 4
    for row, (k, f) in zip(rows, [(10, 0.25), (10, 0.5), (20, 0.25), (20, 0.5)], strict=True):
        along, across = laminate_k(k, f)
        assert float(row["heat.k11"]) == pytest.approx(along)
        assert float(row["heat.k22"]) == pytest.approx(across)
        assert float(row["laws.hard.conduction.k"]) == k
        assert float(row["fraction.hard"]) == f
        assert row["heat.converged"] == "True"
        point = json.loads((out / f"point-{int(row['point']):03d}" / "summary.json").read_text())
        assert point["results"]["heat"]["tensor"][0][0] == float(row["heat.k11"])
        assert point["study"]["resolved"]["laws"]["hard"]["conduction"]["k"] == k
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["sweep"]["count"] == 4
    assert not summary["interrupted"]


def test_a_zipped_sweep_goes_in_step(study: Path) -> None:
    study.write_text(SWEEP + "  mode: zip\n", encoding="utf-8")
    assert [p.parameters["laws.hard.conduction.k"] for p in read_study(study).points] == [10, 20]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_goes_on_with_resume(
    number: signal.Signals, code: int, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.write_text(SWEEP, encoding="utf-8")
    whole, calls = upscaling.effective, []

    def effective(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            try:
                os.kill(os.getpid(), number)
                signal.sigtimedwait([], 1)
            except KeyboardInterrupt:
                raise Interrupted(None) from None
        return whole(*arguments, **options)

    monkeypatch.setattr(upscaling, "effective", effective)
    outcome = command("run", study, "--quiet")
    assert outcome.code == code, outcome
    assert "stopped; complete files of what was done: " in outcome.err
    out = study.parent / "out"
    assert [row["point"] for row in table(out)] == ["1", "2"]
    assert json.loads((out / "summary.json").read_text())["interrupted"]
    assert not list(out.rglob("*.part*"))
    kept = (out / "point-001" / "summary.json").stat().st_mtime_ns
    outcome = command("run", study, "--resume")
    assert outcome.code == 0, outcome
    assert len(calls) == 3 + 2
    assert "4 of 4 points, 2 of them kept from before" in outcome.out
    assert [row["point"] for row in table(out)] == ["1", "2", "3", "4"]
    assert (out / "point-001" / "summary.json").stat().st_mtime_ns == kept
    assert command("run", study, "--resume", "--quiet").code == 0
    assert len(calls) == 5


def test_resume_solves_again_what_has_changed_or_is_damaged(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.write_text(SWEEP, encoding="utf-8")
    assert command("run", study, "--quiet").code == 0
    whole, calls = upscaling.effective, []

    def effective(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return whole(*arguments, **options)

    monkeypatch.setattr(upscaling, "effective", effective)
    study.write_text(SWEEP.replace("[10, 20]", "[10, 30]"), encoding="utf-8")
    assert command("run", study, "--quiet", "--resume").code == 0
    assert len(calls) == 2
    assert {row["laws.hard.conduction.k"] for row in table(study.parent / "out")} == {"10", "30"}
    (study.parent / "out" / "point-002" / "summary.json").write_text("{")
    (study.parent / "out" / "point-003" / "results.vtkhdf").unlink()
    assert command("run", study, "--quiet", "--resume").code == 0
    assert len(calls) == 4
    study.write_text(SWEEP.replace("physics: conduction", "physics: conduction, tolerance: 1e-9"))
    assert command("run", study, "--quiet", "--resume").code == 0
    assert len(calls) == 8


def test_what_is_told_of_a_folder_goes_before_its_files(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a summary could stand beside another study's results, and be taken up by --resume."""
    assert command("run", study, "--quiet").code == 0

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scalebridge.study.execute._write_results", stopped)
    changed(study, ("k: 10}", "k: 20}"))
    assert command("run", study, "--quiet").code == 130
    assert not (study.parent / "out" / "summary.json").exists()


def test_a_single_run_can_be_resumed_too(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads(command("run", study, "--quiet", "--json").out)
    monkeypatch.setattr(upscaling, "effective", None)
    outcome = command("run", study, "--quiet", "--json", "--resume")
    assert outcome.code == 0
    assert json.loads(outcome.out) == first


def test_ctrl_c_while_the_study_is_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scalebridge.study.studyfile.read_study", stopped)
    assert command("run", study) == (130, "", "")


# ---- init, schema, examples


def test_init_writes_a_study_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("init")
    assert outcome.code == 0
    assert outcome.out == "wrote study.yaml; run it with: scalebridge run study.yaml\n"
    text = (tmp_path / "study.yaml").read_text(encoding="utf-8")
    assert "exists and is left as it is" in the_one_error(command("init"))
    assert (tmp_path / "study.yaml").read_text(encoding="utf-8") == text
    assert "cannot write" in the_one_error(command("init", tmp_path / "no" / "study.yaml"))
    # What is commented out is a study, too.
    before, start, after = text.partition("# sweep:")
    sweep = re.sub("^# ", "", start + after, flags=re.MULTILINE)
    (tmp_path / "sweep.yaml").write_text(before + sweep, encoding="utf-8")
    assert len(read_study(tmp_path / "sweep.yaml").points) == 6
    outcome = command("run", "study.yaml", "--quiet")
    assert outcome.code == 0, outcome.err
    assert "Effective stiffness" in outcome.out


def test_the_json_schema_takes_the_examples_and_refuses_misspelt_keys() -> None:
    outcome = command("schema")
    assert outcome.code == 0
    schema = json.loads(outcome.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in EXAMPLES:
        tree, _ = yaml12.load(path.read_text(encoding="utf-8"))
        validator.validate(tree)
        tree["microstructure"]["shap"] = 1
        assert not validator.is_valid(tree)
    for studies in fuzzed_studies():
        validator.validate(json.loads(json.dumps(studies).replace("Infinity", "1e9")))


def test_the_cast_iron_study_gives_the_number_of_its_example(tmp_path: Path) -> None:
    """k_xx by chfem, as in examples/cast_iron.py."""
    summary = run_study(ROOT / "examples" / "studies" / "cast_iron.yaml", out=tmp_path)
    assert summary["results"]["heat"]["tensor"][0][0] == pytest.approx(85.24926696431, rel=1e-6)
    assert summary["image"]["sha256"]


def test_the_ply_study_lies_between_its_bounds(tmp_path: Path) -> None:
    summary = run_study(ROOT / "examples" / "studies" / "glass_epoxy_ply.yaml", out=tmp_path)
    for row in summary["sweep"]["points"]:
        f = row["fraction.glass"]
        mixed = (1 - f) * 3.5e9 + f * 72e9  # exact but for the contrast of Poisson's ratios
        assert mixed < row["ply.E3"] < 1.002 * mixed
        assert 1 / ((1 - f) / 3.5e9 + f / 72e9) < row["ply.E1"] < row["ply.E3"]
        assert row["ply.E1"] == pytest.approx(row["ply.E2"], rel=1e-6)
    assert f"{row['ply.E1'] / 1e9:.3f}" == "15.673"  # this version's value at 0.6


def finite_volumes_through(conducting: np.ndarray) -> float:
    """Return D_eff / D along the last axis between fixed planes, by SciPy and no code of ours.

    Potentials at the voxels' centres, unit conductance between conducting neighbours, two from
    a centre to a plane; no flux through the sides.
    """
    number = np.full(conducting.shape, -1)
    number[conducting] = np.arange(conducting.sum())
    pairs = np.concatenate(
        [
            np.stack([number.take(range(n - 1), axis), number.take(range(1, n), axis)], -1).reshape(
                -1, 2
            )
            for axis, n in enumerate(conducting.shape)
        ]
    )
    pairs = pairs[(pairs >= 0).all(axis=1)]
    ends = [plane[plane >= 0] for plane in (number[..., 0], number[..., -1])]
    size = int(conducting.sum())
    links = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), (size, size))
    conductance = sparse.csgraph.laplacian(links + links.T)
    fixed = np.zeros(size)
    for plane in ends:
        np.add.at(fixed, plane, 2.0)
    # Floating pores have no potential of their own: the least diagonal pins them at no cost.
    matrix = conductance + sparse.diags(fixed + 1e-13)
    source = np.zeros(size)
    np.add.at(source, ends[1], 2.0)
    potential = sparse.linalg.spsolve(matrix.tocsc(), source)
    area, length = np.prod(conducting.shape[:2]), conducting.shape[2]
    return float(2 * potential[ends[0]].sum() * length / area)


def test_the_cathode_study_agrees_with_a_sparse_solution(tmp_path: Path) -> None:
    """On a part of the image, since all its shipped part takes half a minute."""
    source = ROOT / "examples" / "studies" / "nmc_cathode.yaml"
    text = source.read_text(encoding="utf-8")
    text = text.replace("../data", str(ROOT / "examples" / "data"))
    text, count = re.subn(
        r"^  crop: .*$", "  crop: {x: 100:124, y: 100:124, z: 75:99}", text, flags=re.MULTILINE
    )
    assert count == 1
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    summary = run_study(tmp_path / "study.yaml", out=tmp_path / "out")
    assert not summary["failures"]
    image = tifffile.imread(ROOT / "examples" / "data" / "nmc_cathode" / "nmc_cathode.tif")
    pore = image.T[100:124, 100:124, 75:99] == 0
    passing = finite_volumes_through(pore)
    ions = summary["results"]["ions"]
    assert ions["tensor"][2][2] == pytest.approx(1.77e-10 * passing, rel=1e-5)
    tortuosity = ions["tortuosity"]
    assert tortuosity["factor"]["z"] == pytest.approx(pore.mean() / passing, rel=1e-5)
    assert tortuosity["macmullin"]["z"] == pytest.approx(1 / passing, rel=1e-5)
    # Current through corners can only help.
    for wide, narrow in zip(
        summary["results"]["electrons"]["tensor"],
        summary["results"]["electrons_volume"]["tensor"],
        strict=True,
    ):
        assert max(wide) > max(narrow)
    heat = np.linalg.eigvalsh(summary["results"]["heat"]["tensor"])
    shares = [phase["volume_fraction"] for phase in summary["image"]["phases"].values()]
    assert 1 / np.dot(shares, [1 / 0.2, 1 / 4, 1 / 0.3]) < heat[0]
    assert heat[-1] < np.dot(shares, [0.2, 4, 0.3])


def test_errors_and_help_load_nothing_heavy(study: Path) -> None:
    changed(study, ("fractions:", "fraction:"))
    code = f"""
import sys
from scalebridge.cli import main
heavy = {{"jax", "matplotlib", "h5py", "scipy", "equinox"}}
for words in (["--help"], ["run", "--help"], ["init", "--help"], ["schema", "--help"]):
    assert main(words) == 0
assert not {{*heavy, "numpy", "yaml", "pint"}} & set(sys.modules), sys.modules
assert main(["run", {str(study)!r}]) == 2
assert not heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(did you mean 'fractions'?)" in done.stderr


# ---- the page


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "howto" / "study-file.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_studies_of_the_page_are_studies(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    whole = [text for text in blocks("yaml") if text.startswith(("title:", "microstructure:"))]
    parts = [text for text in blocks("yaml") if text not in whole]
    assert whole
    assert parts
    for number, text in enumerate(whole):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        file = read_study(path)
        for point in file.points:
            Builder(file).plan(point, tmp_path, {}, "")
    base, _ = yaml12.load(whole[0])
    for text in parts:  # each replaces what it names in the first study of the page
        tree, _ = yaml12.load(text)
        Study.model_validate({**base, **tree})


# ---- fuzz


def fuzzed_studies() -> list[dict[str, Any]]:
    """Return small studies of all types to start from."""
    cells = {"a": {"physics": "conduction", "boundary": {"x": "free", "y": "kinematic"}}}
    studies: list[dict[str, Any]] = [
        {
            "microstructure": {"type": kind, **options},
            "laws": {"*": {"conduction": {"type": "conduction", "k": "3 W/m/K"}}},
            "cells": cells if len(options["shape"]) == 2 else {},
            "sweep": {"parameters": {"laws.*.conduction.k": [1, 2]}, "mode": "zip"},
            "output": {"folder": "out"},
        }
        for kind, options in GENERATORS.items()
    ]
    for physics, law, _ in LAWS.values():
        studies.append(
            {
                "title": "laws",
                "microstructure": {"type": "checkerboard", "shape": [4, 4], "spacing": 1e-6},
                "laws": {
                    "white": {physics: law, "orientation": {"type": "euler", "angles": [0, 1, 2]}},
                    "black": {physics: {"type": "rigid", "factor": 100}},
                },
                "cells": {
                    "c": {"physics": physics, "fields": [1] if physics == "conduction" else [11]}
                    | ({"plane": "strain"} if physics == "elasticity" else {})
                },
            }
        )
    return [*studies, *fuzzed_loads()]


def fuzzed_loads() -> list[dict[str, Any]]:
    """Return small studies of load histories, one of each physics."""
    j2 = {
        "type": "j2_plasticity",
        "E": "70 GPa",
        "nu": 0.3,
        "yield_stress": "100 MPa",
        "hardening": {"type": "voce", "Q": "1 GPa", "b": 20},
        "kinematic": {"type": "prager", "C": "1 GPa"},
    }
    power = {"type": "power_law_conduction", "k": 1, "exponent": 2, "scale": 1}
    ogden = {"type": "ogden", "mu": [1, -0.1], "alpha": [2, -2], "K": 50}
    strained = {
        "time": [0, "1 s", "2 s"],
        "strain": {"11": [0, 0.01, None]},
        "stress": {"11": [None, None, 0], "22": 0},
        "rest": {"strain": 0},
        "steps": [2, 3],
    }
    heated = {"time": [0, 1], "gradient": {"x": [0, 1]}, "rest": {"flux": 0}, "steps": 2}
    stretched = {"time": [0, 1], "F": {"11": [1, 2]}, "rest": {"P": 0}, "steps": 2}
    return [
        {
            "microstructure": {"type": "checkerboard", "shape": [4, 4]},
            "laws": {"white": {physics: law}, "black": {physics: {"type": "void"}}},
            "loads": {"l": {"physics": physics, "path": path, "fields": "all", **options}},
            "sweep": {"parameters": {"loads.l.tolerance": [1e-5, 1e-4]}},
        }
        for physics, law, path, options in (
            ("elasticity", j2, strained, {"plane": "strain", "fields": ["1 s"], "cuts": 3}),
            ("electric", power, heated, {"boundary": "kinematic", "tangents": True}),
            ("finite_strain", ogden, stretched, {"plane": "strain", "max_newton": 5}),
        )
    ]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from([10**9, 10**30, -1, 0, 1e-300, 1e300, float("inf"), float("nan")]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["3 GPa", "1 um", "no", "*", "x", "all", "through", "rollers", "", "../..", "0:1", "5:2"]
    ),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["x", "y", "type", "a"]), st.integers(0, 3), max_size=2),
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return the text of a valid study in which a few things were changed."""
    tree = copy.deepcopy(draw(st.sampled_from(fuzzed_studies())))
    for _ in range(draw(st.integers(0, 2))):
        where = list(places(tree))
        if not where:
            break
        *parents, key = draw(st.sampled_from(where))
        node = tree
        for parent in parents:
            node = node[parent]
        what = draw(st.sampled_from(["replace", "delete", "rename", "add"]))
        if what == "replace" or isinstance(node, list):
            node[key] = draw(JUNK)
        elif what == "add":
            node[draw(st.sampled_from(["seed", "E", "tpye", "fields", "a.b"]))] = draw(JUNK)
        else:
            value = node.pop(key)
            if what == "rename":
                node[draw(st.text(max_size=5))] = value
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    if draw(st.integers(0, 3)) == 0:
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 3))
        text = text[:start] + draw(st.text("{}[]:,-'\"&*!|> \nax0\t", max_size=3)) + text[stop:]
    return text


def survives(text: str, folder: Path) -> None:
    """Check that a study gets a plan, or one line and nothing written."""
    path = folder / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    outcome = command("run", path, "--json", "--quiet", "--out", out)
    assert outcome.code in (0, 2), f"{outcome}\n{text}"
    if outcome.code:
        told = the_one_error(outcome)
        where = re.match(rf"error: {re.escape(str(path))}(:\d+)?: ([^\s.]+)", told)
        assert where, f"{told}\n{text}"
        keys = {*Study.model_fields, "''", "must", "the"}  # or it is no study at all
        assert where[2] in keys or where[2] in text, f"{told}\n{text}"
        assert not out.exists()
    else:
        assert outcome.err == ""


def fake_execute(plan: Any, *_: object) -> dict[str, Any]:
    return {
        "image": dict(plan.image or {}),
        "results": {},
        "bounds": {},
        "interrupted": False,
        "failures": [],
        "files": [],
        "write_errors": [],
    }


@pytest.fixture
def without_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalebridge.study.run.execute", fake_execute)
    # What fits into memory but takes a minute to make is not what is tested.
    monkeypatch.setattr("scalebridge.microstructure.memory.available_memory", lambda: 10**7)


FUZZ = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.usefixtures("without_solver")
@settings(max_examples=60, **FUZZ)
@given(text=mutated())
def test_no_study_makes_a_traceback(text: str, tmp_path: Path) -> None:
    survives(text, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("without_solver")
@settings(max_examples=1000, **FUZZ)
@given(text=mutated())
def test_no_study_of_a_thousand_makes_a_traceback(text: str, tmp_path: Path) -> None:
    survives(text, tmp_path)


def test_the_studies_that_are_mutated_are_valid(tmp_path: Path) -> None:
    for tree in fuzzed_studies():
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        try:
            file = read_study(path)
            Builder(file).plan(file.points[0], tmp_path, {}, "")
        except InputError as error:
            raise AssertionError(f"{error}\n{path.read_text()}") from error
