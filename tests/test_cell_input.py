"""Bad input of a Cell and of `effective`: one line that names the thing and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import scalebridge as sb
from scalebridge import InputError
from scalebridge.laws import Conduction, Elastic, IsotropicElastic, Rigid, Void

TWO = {"matrix": 0, "fibre": 1}
LAYERS = np.repeat([0, 1], 4)[:, None] * np.ones((1, 8), int)
PLANE = sb.Microstructure(LAYERS, 1.0, TWO)
SOLID = sb.Microstructure(np.repeat(LAYERS[..., None], 8, axis=2), 1.0, TWO)
CONDUCTION = {"matrix": Conduction(1.0), "fibre": Conduction(10.0)}
ELASTIC = {"matrix": IsotropicElastic(1.0, 0.3), "fibre": IsotropicElastic(10.0, 0.2)}
EIGHT = np.ones((3, 3, 8, 8))


def cell(**changes):
    options = {"microstructure": PLANE, "laws": CONDUCTION} | changes
    return sb.Cell(options.pop("microstructure"), options.pop("laws"), **options)


def orientation(value):
    return {"orientation": {"fibre": value}}


CASES = {
    "no microstructure": ({"microstructure": LAYERS}, "`microstructure` must be a Microstructure"),
    "no law for a phase": (
        {"laws": {"matrix": Conduction(1.0)}},
        r"`laws` must have a law for each phase, but phase 'fibre' has none; add 'fibre'",
    ),
    "a law too many": (
        {"laws": CONDUCTION | {"fiber": Conduction(2.0)}},
        r"`laws` names the phase 'fiber', but the image has .*\(did you mean 'fibre'\?\)",
    ),
    "no law at all": (
        {"laws": {"matrix": Conduction(1.0), "fibre": 10.0}},
        r"`laws\['fibre'\]` must be a Law, but is 10\.0; see sb\.laws",
    ),
    "nothing but void": (
        {"laws": {"matrix": Void(), "fibre": Void()}},
        "`laws` must hold a material law, but all phases are void or rigid",
    ),
    "nothing but void and rigid": (
        {"laws": {"matrix": Void(), "fibre": Rigid()}},
        "`laws` must hold a material law, but all phases are void or rigid",
    ),
    "two physics": (
        {"laws": {"matrix": Conduction(1.0), "fibre": IsotropicElastic(1.0, 0.3)}},
        "`laws` must all be of one physics, but are 'matrix': conduction, 'fibre': elasticity",
    ),
    "a plane law in space": (
        {"microstructure": SOLID, "laws": CONDUCTION | {"fibre": Conduction(np.eye(2))}},
        r"`laws\['fibre'\]` is two-dimensional, but the image has 3 dimensions",
    ),
    "plane missing": (
        {"laws": ELASTIC},
        "`plane` must be 'strain', 'stress' or .* but is missing; 'strain' is",
    ),
    "plane unknown": (
        {"laws": ELASTIC, "plane": "stres"},
        r"`plane` must be 'strain', .* is 'stres' \(did you mean 'stress'\?\)",
    ),
    "plane for conduction": ({"plane": "strain"}, "`plane` is for mechanics on 2D images only"),
    "plane in space": (
        {"microstructure": SOLID, "laws": ELASTIC, "plane": "strain"},
        "`plane` is for mechanics on 2D images only, but this is elasticity in 3D",
    ),
    "element unknown": (
        {"element": "redcued"},
        r"`element` must be one of \['reduced', 'full', 'bbar', 'volume'\], but is 'redcued' "
        r"\(did you mean 'reduced'\?\)",
    ),
    "boundary unknown": (
        {"boundary": "kinematc"},
        r"`boundary` must be one of .* but is 'kinematc' \(did you mean 'kinematic'\?\)",
    ),
    "boundary of another type": ({"boundary": 3}, "`boundary` must be one of .* mapping .* is 3"),
    "boundary without an axis": (
        {"boundary": {"x": "static"}},
        r"`boundary` must name each of the axes \['x', 'y'\], but names \['x'\]",
    ),
    "boundary unknown along an axis": (
        {"boundary": {"x": "static", "y": "perodic"}},
        r"`boundary` along y must be one of .* but is 'perodic' \(did you mean 'periodic'\?\)",
    ),
    "boundary with too many components": (
        {"boundary": {"x": "static", "y": ("static", "free")}},
        r"`boundary` along y must be one of .* or 1 of them, .* but is \('static', 'free'\)",
    ),
    "boundary periodic in part": (
        {
            "laws": ELASTIC,
            "plane": "strain",
            "boundary": {"x": "static", "y": ("periodic", "static")},
        },
        r"`boundary` along y must be periodic for all components or for none",
    ),
    "boundary that holds nothing": (
        {"boundary": {"x": "free", "y": "free"}},
        "`boundary` must hold the cell somewhere, but it is free along every axis",
    ),
    "boundary with two shear stresses": (
        {"laws": ELASTIC, "plane": "strain", "boundary": {"x": "free", "y": "static"}},
        "`boundary` must treat the shear stress xy alike on the faces x and y, but it is static on",
    ),
    "rollers for conduction": ({"boundary": "rollers"}, "'rollers' is for mechanics, but the laws"),
    "through for mechanics": (
        {"laws": ELASTIC, "plane": "strain", "boundary": "through"},
        "'through' is for conduction, but the laws are elastic",
    ),
    "uniform flux on void faces": (
        {
            "laws": {"matrix": sb.laws.Conduction(1.0), "fibre": sb.laws.Conduction(0.0)},
            "boundary": "static",
        },
        "'static' asks for a uniform flux on the x faces, but .* % of them are void .* infeasible",
    ),
    "tolerance zero": ({"tolerance": 0.0}, "`tolerance` must lie between 0 and 1, but is 0.0"),
    "tolerance one": ({"tolerance": 1.0}, "`tolerance` must lie between 0 and 1, but is 1.0"),
    "tolerance NaN": ({"tolerance": np.nan}, "`tolerance` must lie between 0 and 1, but is nan"),
    "orientation of nothing": (
        {"orientation": {"fibres": np.eye(3)}},
        r"`orientation` names the phase 'fibres', .*\(did you mean 'fibre'\?\)",
    ),
    "orientation of a wrong shape": (
        orientation(np.zeros(4)),
        r"`orientation\['fibre'\]` must be Bunge angles \(3,\) or .* has shape \(4,\)",
    ),
    "orientation on another grid": (
        orientation(np.zeros((3, 8, 7))),
        r"or a field of them over the voxels \(8, 8\), but has shape \(3, 8, 7\)",
    ),
    "not a rotation": (
        orientation(np.diag([1.0, 2.0, 1.0])),
        r"`orientation\['fibre'\]` must be rotation matrices, but R·Rᵀ differs from 1 by 3",
    ),
    "a field of no rotations": (orientation(EIGHT), r"must be rotation matrices, but R·Rᵀ differs"),
    "orientation NaN": (orientation([0.0, np.nan, 0.0]), "must be finite in its phase"),
}


@pytest.mark.parametrize(("changes", "match"), CASES.values(), ids=CASES)
def test_refused_by_the_cell(changes, match):
    with pytest.raises(InputError, match=match) as caught:
        cell(**changes)
    assert "\n" not in str(caught.value)


def test_a_misspelt_phase_is_recognised():
    """The usual slip leaves one phase without a law and one law without a phase."""
    with pytest.raises(InputError, match="did you mean"):
        cell(laws={"matrix": Conduction(1.0), "fiber": Conduction(10.0)})


def test_a_reflection_is_no_rotation():
    with pytest.raises(InputError, match="rotation"):
        cell(**orientation(np.diag([1.0, 1.0, -1.0])))


def test_a_plane_tensor_cannot_be_turned_in_space():
    laws = CONDUCTION | {"fibre": Conduction(np.diag([1.0, 2.0]))}
    with pytest.raises(InputError, match="fibre"):
        sb.effective(cell(laws=laws, **orientation([0.3, 0.0, 0.0])))


def test_a_cell_of_insulators_conducts_nothing():
    """Or is refused, as a cell of Void is."""
    try:
        eff = sb.effective(cell(laws={"matrix": Conduction(0.0), "fibre": Conduction(0.0)}))
    except InputError:
        return
    assert not np.any(eff.tensor)


def test_void_fits_any_physics_and_full_is_then_the_default():
    assert cell().element == "reduced"
    porous = cell(laws={"matrix": Conduction(1.0), "fibre": Void()})
    assert porous.physics == "conduction"
    assert porous.element == "full"
    assert cell(laws={"matrix": Conduction(1.0), "fibre": Conduction(0.0)}).element == "full"
    foam = cell(laws={"matrix": IsotropicElastic(1.0, 0.3), "fibre": Void()}, plane="strain")
    assert foam.physics == "elasticity"
    zero = Elastic(np.zeros((6, 6)))
    laws = {"matrix": IsotropicElastic(1.0, 0.3), "fibre": zero}
    assert cell(laws=laws, plane="strain").has_void
    assert cell(laws=laws, plane="strain", element="reduced").element == "reduced"


def test_laws_may_come_in_any_order():
    """They belong to phases by name; a dict of JAX is sorted, the labels are not."""
    expected = np.diag([20 / 11, 5.5])
    turned = dict(reversed(CONDUCTION.items()))
    np.testing.assert_allclose(sb.effective(cell(laws=turned)).tensor, expected, atol=1e-12)
    quarter = np.repeat([0, 0, 0, 1], 2)[:, None] * np.ones((1, 8), int)
    for names in (("a", "z"), ("z", "a")):
        renamed = sb.Microstructure(quarter, 1.0, dict(zip(names, (0, 1), strict=True)))
        laws = dict(zip(names, CONDUCTION.values(), strict=True))
        tensor = sb.effective(sb.Cell(renamed, laws)).tensor
        np.testing.assert_allclose(tensor, np.diag([1 / 0.775, 3.25]), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"tolerance": 0.0}, "`tolerance` must lie between 0 and 1, but is 0.0; try 1e-6"),
        ({"tolerance": -1e-6}, "`tolerance` must lie between 0 and 1"),
        ({"tolerance": 1.0}, "`tolerance` must lie between 0 and 1"),
        ({"tolerance": np.nan}, "`tolerance` must lie between 0 and 1, but is nan"),
        ({"measure": "energy"}, r"`measure` must be one of \['tensor', 'residual'\], but is 'en"),
        (
            {"fields": True, "field_tolerance": 2.0},
            "`field_tolerance` must lie between 0 and 1, but is 2.0",
        ),
    ],
)
def test_refused_by_effective(arguments, match):
    with pytest.raises(InputError, match=match):
        sb.effective(cell(), **arguments)


def test_effective_wants_a_cell():
    with pytest.raises(InputError, match="`cell` must be a Cell, but is a Microstructure"):
        sb.effective(PLANE)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"preconditioner": "half"},
            "`preconditioner` must be 'single' or 'double', but is 'half'",
        ),
        ({"cascade": -1}, "`cascade` must be an integer ≥ 0 .* but they are -1"),
        ({"max_iterations": 0}, "`max_iterations` one ≥ 1, but they are 0 and 0"),
    ],
)
def test_refused_by_the_solver(options, match):
    with pytest.raises(InputError, match=match):
        sb.Solver(**options)


def test_local_fields_must_be_asked_for():
    with pytest.raises(InputError, match=r"local fields were not kept; call effective\(cell, fie"):
        sb.effective(cell()).local([1.0, 0.0])
    kept = sb.effective(cell(), fields=True)
    with pytest.raises(InputError, match="`gradient` must be 2 numbers, NaN where it is free"):
        kept.local([1.0, 0.0, 0.0])
    with pytest.raises(InputError, match="neither gradient nor flux are given for 2"):
        kept.local([1.0, np.nan])


def test_respond_checks_the_gradient():
    with pytest.raises(InputError, match="gradient"):
        cell().respond([1.0, 0.0, 0.0])
