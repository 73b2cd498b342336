"""What a structure refuses, before it solves anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skfem

import scalebridge as sb
from scalebridge.structure import Table, rectangle

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
    ({"supports": {"edge": "symmetry"}, "mesh": "edges"}, "must be flat and normal to an axis"),
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
    with pytest.raises(sb.InputError, match=message.replace("(", r"\(").replace(".", r"\.")):
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
