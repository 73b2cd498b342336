"""What a structure refuses, before it solves anything."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import skfem

import scalebridge as sb
from scalebridge.structure import Table, box, rectangle
from scalebridge.structure.schedule import schedule

LAW = sb.laws.IsotropicElastic(E=1.0, nu=0.3)
HEAT = sb.laws.Conduction(1.0)


def cell(plane: str) -> sb.Cell:
    image = sb.Microstructure(np.zeros((2, 2), int), spacing=1.0, phases={"all": 0})
    return sb.Cell(image, {"all": LAW}, plane=plane)


def folded() -> skfem.Mesh:
    p = np.array([[0.0, 1, 1, 0, 0.5], [0.0, 0, 1, 1, 1.5]])
    return skfem.MeshTri(p, np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]).T)


def flat() -> skfem.Mesh:
    p = np.array([[0.0, 1, 1, 0, 2], [0.0, 0, 1, 1, 0]])
    return skfem.MeshTri(p, np.array([[0, 1, 2], [0, 2, 3], [0, 1, 4]]).T)


def two_parts() -> skfem.Mesh:
    one = rectangle((1.0, 1.0), (1, 1))
    both = skfem.MeshQuad(
        np.hstack([one.p, one.p + np.array([[3.0], [0.0]])]), np.hstack([one.t, one.t + 4])
    )
    return both.with_boundaries({"left": lambda x: x[0] == 0.0})


REGIONS = rectangle((1.0, 1.0), (2, 2)).with_subdomains(
    {"core": lambda x: x[0] < 0.5, "skin": lambda x: x[0] > 0.5}
)
EMPTY = rectangle((1.0, 1.0), (2, 2))
EMPTY = EMPTY.with_boundaries({"nowhere": np.array([], int)}).with_subdomains(
    {"body": np.arange(4), "none": np.array([], int)}
)
TILT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def plastic_cell() -> sb.Cell:
    image = sb.Microstructure(np.zeros((2, 2, 2), int), spacing=1.0, phases={"all": 0})
    law = sb.laws.J2Plasticity(E=1.0, nu=0.3, yield_stress=0.1)
    return sb.Cell(image, {"all": law})


def orphan() -> skfem.Mesh:
    one = rectangle((1.0, 1.0), (1, 1))
    alone = skfem.MeshQuad(np.hstack([one.p, [[2.0], [3.0]]]), one.t)
    return alone.with_boundaries({"left": lambda x: x[0] == 0.0})


def hinged() -> skfem.Mesh:
    """Return two squares with one corner in common."""
    p = np.array([[0.0, 1, 1, 0, 2, 2, 1], [0.0, 0, 1, 1, 1, 2, 2]])
    both = skfem.MeshQuad(p, np.array([[0, 1, 2, 3], [2, 4, 5, 6]]).T)
    return both.with_boundaries({"left": lambda x: x[0] == 0.0, "top": lambda x: x[1] == 2.0})


FIXED: dict[str, Any] = {"left": "fixed"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"mesh": "part.msh"}, "read files with sb.structure.read_mesh"),
    ({"laws": {}}, "`laws` must map regions to laws"),
    ({"laws": {"bdoy": LAW}}, "did you mean 'body'"),
    ({"laws": {"body": "steel"}}, "must be a Law or a Cell"),
    ({"mesh": REGIONS, "laws": {"core": LAW}}, "2 elements have none; regions without a law are"),
    ({"mesh": REGIONS, "laws": {"core": LAW, "skin": HEAT}}, "must be of one physics"),
    (
        {
            "mesh": REGIONS.with_subdomains({"all": np.arange(4)}),
            "laws": {"core": LAW, "skin": LAW, "all": LAW},
        },
        "overlap",
    ),
    ({"plane": None}, "`plane` must be one of strain, stress, axisymmetric for a 2D"),
    ({"plane": "strian"}, "but is 'strian'"),
    ({"laws": {"body": HEAT}, "supports": {"left": 0.0}}, "`plane` in conduction is"),
    ({"laws": {"body": cell("stress")}}, "must be a cell in plane strain like the structure"),
    ({"laws": {"body": cell("strain")}, "plane": "axisymmetric"}, "plane='generalized'"),
    ({"mesh": folded()}, "is inverted"),
    ({"mesh": flat()}, "has no volume"),
    (
        {"mesh": rectangle((1.0, 1.0), (2, 2)).translated((-0.5, 0)), "plane": "axisymmetric"},
        "r = x",
    ),
    ({"order": 3}, "`order` must be 1 or 2"),
    ({"thickness": 0.0}, "`thickness` must be a number > 0"),
    ({"tangent": "numerical"}, "`tangent` must be one of exact, perturbation, forward"),
    ({"linear_solver": "mumps"}, "`linear_solver` must be one of"),
    ({"linear_solver": "pardiso"}, "pypardiso"),
    ({"supports": {"lfet": "fixed"}}, "did you mean 'left'"),
    ({"supports": {"left": "clamped"}}, "'fixed', 'symmetry' or displacements"),
    ({"supports": {"left": {"u": 0.0}}}, "must name axes among x, y, but names 'u'"),
    ({"supports": {"left": {"x": np.nan}}}, "must be a finite number"),
    ({"supports": {"A": "symmetry"}, "points": {"A": (0, 0)}}, "but is a point"),
    ({"supports": {"edge": "symmetry"}, "mesh": "edges"}, "must be flat to be a plane"),
    ({"supports": {}}, "free to move along"),
    ({"supports": {"left": {"x": 0.0}}}, "free to move along y"),
    ({"supports": {"A": "fixed"}, "points": {"A": (0, 0)}}, "free to turn"),
    ({"mesh": two_parts(), "supports": FIXED}, "leave the part of it at"),
    ({"points": {"A": (0.1, 0.1)}, "supports": {"A": "fixed"}}, "the one nearest to"),
    ({"points": {"A": (0.1,)}}, "must be 2 coordinates"),
    ({"loads": {"rihgt": {"traction": [1, 0]}}}, "did you mean 'right'"),
    ({"loads": {"right": {"tracton": [1, 0]}}}, "did you mean 'traction'"),
    ({"loads": {"right": [1, 0]}}, "must be loads by kind"),
    ({"loads": {"right": {"body_force": [1, 0]}}}, "acts on regions"),
    ({"loads": {"right": {"traction": [1, 0, 0]}}}, "must be 2 finite numbers"),
    ({"loads": {"right": {"flux": 1.0}}}, "must be among traction"),
    ({"loads": {"right": {"pressure": {"times": [0, 1, 1], "values": [0, 1, 2]}}}}, "repeats 1"),
    ({"ties": ["left"]}, "must be pairs of boundaries"),
    ({"ties": [("left", "rigth")]}, "did you mean 'right'"),
    ({"ties": [("left", "top")]}, "differ by a translation"),
    ({"orientation": {"body": np.eye(2)}}, "must have shape"),
    ({"orientation": {"body": 2 * np.eye(3)}}, "must be rotations"),
    ({"orientation": {"core": np.eye(3)}}, "must name regions"),
    ({"orientation": np.eye(3)}, "`orientation` must map regions to rotations"),
    ({"orientation": {"body": "fibre"}}, "must have shape"),
    ({"orientation": {"body": np.diag([1.0, 1.0, -1.0])}}, "must be rotations"),
    ({"laws": {"body": cell("strain")}, "orientation": {"body": TILT}}, "keep the third axis"),
    (
        {"laws": {"body": plastic_cell()}, "plane": "stress", "orientation": {"body": TILT}},
        "use plane strain or a law in closed form",
    ),
    ({"mesh": box((1.0, 1.0, 1.0), (1, 1, 1)), "plane": None, "thickness": 2.0}, "mesh is 3D"),
    ({"plane": "axisymmetric", "thickness": 2.0}, "the body is axisymmetric"),
    ({"laws": {"body": sb.laws.Rigid()}}, "prescribe its boundary as fixed"),
    ({"laws": {"body": sb.laws.Void()}}, "leave the region out of the mesh"),
    (
        {"laws": {"body": sb.laws.Conduction(0.0)}, "supports": {"left": 0.0}, "plane": None},
        "is void; leave the region out of the mesh",
    ),
    (
        {"supports": {"left": "fixed", "bottom": {"y": 0.5}}},
        "but 'left' prescribes 0 and 'bottom' 0.5 along y at (0, 0)",
    ),
    (
        {"supports": {"left": "fixed", "right": {"x": 0.5}}, "ties": [("left", "right")]},
        "but 'left' prescribes 0 and 'right' 0.5 along x",
    ),
    ({"mesh": EMPTY, "laws": {"body": LAW, "none": LAW}}, "'none' is empty; leave its law out"),
    ({"mesh": EMPTY, "supports": {"nowhere": "fixed"}}, "`supports` must name parts of the mesh"),
    ({"mesh": EMPTY, "supports": {"nowhere": "symmetry"}}, "'nowhere' is empty"),
    ({"mesh": EMPTY, "loads": {"nowhere": {"pressure": 1.0}}}, "'nowhere' is empty"),
    ({"mesh": EMPTY, "ties": [("left", "nowhere")]}, "'nowhere' is empty"),
    ({"supports": ["left"]}, "`supports` must map boundaries or points"),
    ({"loads": [1.0, 0.0]}, "`loads` must map boundaries, regions or points"),
    ({"points": [(0.0, 0.0)]}, "`points` must map names to coordinates"),
    ({"points": {"A": "corner"}}, "must be 2 coordinates"),
    ({"points": {"left": (0.0, 0.0)}}, "'left' is a boundary of the mesh too"),
    ({"points": {"body": (0.0, 0.0)}}, "'body' is a region of the mesh too"),
    ({"ties": "left"}, "`ties` must be pairs of boundaries"),
    ({"ties": [5]}, "must be pairs of boundaries, but has 5"),
    ({"ties": [("left", "left")]}, "join 'left' to itself"),
    ({"order": 1.0}, "`order` must be 1 or 2"),
    ({"mesh": orphan()}, "node 4 at (2, 3) belongs to no element; remove it"),
    ({"mesh": hinged()}, "leave the part of it at (1.5, 1.5) free to turn"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "mesh": rectangle((1.0, 1.0), (2, 2)),
        "laws": {"body": LAW},
        "supports": FIXED,
        "plane": "strain",
        **change,
    }
    if isinstance(given["mesh"], str) and given["mesh"] == "edges":
        mesh = rectangle((1.0, 1.0), (2, 2))
        given["mesh"] = mesh.with_boundaries({"edge": mesh.boundary_facets()})
    with pytest.raises(sb.InputError, match=re.escape(message)):
        sb.Structure(given.pop("mesh"), given.pop("laws"), **given)


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([0.0, 1.0, 1.0], [0, 1, 2], "`times` of a Table must increase, but repeats 1"),
        ([0.0, 2.0, 1.0], [0, 1, 2], "goes back to 1 after 2"),
        ([0.0, 1.0], [0, 1, 2], "one row for each of the 2 times"),
        ([], [], "must be a list of numbers"),
        ([0.0, 1.0], [0, np.inf], "must be finite"),
        (["a"], [0], "must be numbers"),
    ],
)
def test_bad_tables(times: Any, values: Any, message: str) -> None:
    with pytest.raises(sb.InputError, match=message):
        Table(times, values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": [0.0, 1.0, 1.0]}, "`times` must increase"),
        ({"times": [0.0]}, "two or more"),
        ({"tolerance": 0.0}, "`tolerance`"),
        ({"keep": [7]}, "`keep` must name rows"),
        ({"keep": 1}, "`keep` must be a list of rows"),
        ({"keep": None}, "`keep` must be a list of rows"),
        ({"newton_iterations": 0}, "`newton_iterations` must be a whole number > 0"),
        ({"cuts": -1}, "`cuts` must be a whole number ≥ 0"),
        ({"cuts": 1.5}, "`cuts` must be a whole number ≥ 0"),
    ],
)
def test_bad_options_of_solve(options: dict[str, Any], message: str) -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)), {"body": LAW}, supports=FIXED, plane="strain"
    )
    with pytest.raises(sb.InputError, match=message):
        part.solve(**options)


def test_a_function_that_gives_the_wrong_shape() -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)),
        {"body": LAW},
        supports=FIXED,
        loads={"right": {"traction": lambda x, t: np.ones(5)}},
        plane="strain",
    )
    with pytest.raises(sb.InputError, match=r"must give 2 components at \d+ points"):
        part.solve()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"span": (0.0, 0.5, 1.0)}, "`span` must be two numbers that increase"),
        ({"span": (1.0, 0.0)}, "`span` must be two numbers that increase"),
        ({"span": 1.0}, "`span` must be two numbers that increase"),
        ({"newton_iterations": 1.5}, "`newton_iterations` must be a whole number > 0"),
        ({"cuts": -1}, "`cuts` must be a whole number ≥ 0"),
        ({"first": "small"}, "`first` must lie between 0 and 1"),
    ],
)
def test_bad_options_of_trace(options: dict[str, Any], message: str) -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (1, 1)), {"body": LAW}, supports=FIXED, plane="strain"
    )
    with pytest.raises(sb.InputError, match=message):
        part.trace(**options)


def test_a_function_that_is_not_finite_names_its_load_and_time() -> None:
    value = schedule(lambda x, t: 1 / t, 1, "`loads['right']['pressure']`")
    with pytest.raises(sb.InputError, match=r"'right'.*finite numbers.*t = 0"):
        value(np.zeros((2, 3)), 0.0, 0.0)
    assert value(np.zeros((2, 3)), 2.0, 0.0).tolist() == [[0.5] * 3]


def test_a_function_may_mix_fields_and_numbers() -> None:
    value = schedule(lambda x, t: [t * x[1], 0.0], 2, "`load`")
    found = value(np.array([[0.0, 0.0], [1.0, 3.0]]), 2.0, 0.0)
    assert found.tolist() == [[2.0, 6.0], [0.0, 0.0]]


def test_equal_constants_may_meet_and_hinges_may_be_held() -> None:
    supports = {"left": "fixed", "top": {"y": 0.0}}
    part = sb.Structure(
        hinged(), {"body": LAW}, supports=supports, plane="strain", order=np.int64(1)
    )
    assert part.balance.supports.fixed.sum() == 6
    square = rectangle((1.0, 1.0), (2, 2))
    supports = {"left": "symmetry", "bottom": "fixed"}
    sb.Structure(square, {"body": LAW}, supports=supports, plane="stress", thickness=np.int64(2))


def test_of_two_temperatures_in_a_corner_the_later_counts() -> None:
    part = sb.Structure(
        rectangle((1.0, 1.0), (2, 2)), {"body": HEAT}, supports={"left": 1.0, "bottom": 0.0}
    )
    solution = part.solve()
    assert solution.at((0.0, 0.0))[-1, 0] == 0.0
    assert solution.at((0.0, 0.5))[-1, 0] == 1.0
