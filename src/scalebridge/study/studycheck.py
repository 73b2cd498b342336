"""Checks of a study that its schema cannot make: names, kinds of laws, units among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from scalebridge.study.schema import Study
from scalebridge.study.schema_laws import PHYSICS
from scalebridge.study.units import CONDUCTIVITIES, KINDS, Quantity
from scalebridge.study.yaml12 import Path, dotted

if TYPE_CHECKING:
    from scalebridge.study.schema_structures import StructureSpec
    from scalebridge.study.studyfile import Point, StudyFile

_NAME = re.compile(r"[\w-]{1,40}")
_LAWS = {  # of one kind of physics, an example first; void, rigid and closed forms fit several
    "conduction": ("conduction", "power_law_conduction"),
    "elasticity": (
        "isotropic",
        "elastic",
        "cubic",
        "hexagonal",
        "transversely_isotropic",
        "orthotropic",
        "j2_plasticity",
        "perzyna",
        "norton",
        "generalized_maxwell",
    ),
    "finite_strain": (
        "neo_hookean",
        "saint_venant_kirchhoff",
        "mooney_rivlin",
        "ogden",
        "holzapfel_gasser_ogden",
    ),
}
_CLOSED_FORMS = (
    "laminate",
    "voigt",
    "reuss",
    "hashin_shtrikman",
    "polycrystal",
    "coated_sphere",
    "coated_cylinder",
    "dilute",
    "mori_tanaka",
    "differential",
    "self_consistent",
)
#: Kind of quantity → the one that it has its units with: they share them, or one follows.
FAMILIES = {"rate": "time"} | {
    f"{physics} {what}": physics
    for physics in ("conduction", "diffusion", "electric", "dielectric")
    for what in ("gradient", "flux", "value", "source", "flow")
}
FAMILIES |= {"force": "stress", "force density": "stress"}


def check_study(file: StudyFile, point: Point) -> None:
    """Check names, kinds of laws, and units."""
    study = point.study
    _check_given(file, point)
    _check_laws(file, point, ("laws",), study.laws)
    for name, structure in study.structures.items():
        _check_regions(file, point, ("structures", name), structure)
    for part in ("cells", "loads", "structures"):
        for name in getattr(study, part):
            if not _NAME.fullmatch(name):
                raise file.error(
                    (part, name),
                    "must have a name of at most 40 letters, digits, - and _ (it becomes a file "
                    "name)",
                    point,
                )
    taken = dict.fromkeys(study.cells, "a cell")
    for part, kind in (("loads", "a load history"), ("structures", "a structure")):
        for name in getattr(study, part):
            if name in taken:
                what = "must have a name of its own (they become file names), but"
                raise file.error((part, name), f"{what} {taken[name]} has it too", point)
        taken |= dict.fromkeys(getattr(study, part), kind)
    _check_units(file, point)


def _check_given(file: StudyFile, point: Point) -> None:
    """Refuse a study without microstructure and laws, where it is not of structures alone."""
    study = point.study
    regions = [r for s in study.structures.values() for r in s.regions.values()]
    cells = [region.cell for region in regions if region.cell is not None]
    beside = bool(study.cells or study.loads or not study.structures)
    if study.microstructure is None and (
        beside or any(cell.microstructure is None for cell in cells)
    ):
        raise file.error(("microstructure",), "is missing; add it", point)
    needed = beside or any(cell.laws is None for cell in cells)
    if needed and not study.laws:
        given = "laws" in study.model_fields_set
        what = "must give each phase its laws, but is empty" if given else "is missing; add it"
        raise file.error(("laws",), what, point)


def _check_laws(file: StudyFile, point: Point, path: Path, by_phase: Mapping[str, Any]) -> None:
    for phase, laws in by_phase.items():
        for physics in PHYSICS:
            law = getattr(laws, physics)
            if law is not None:
                _check_kind(file, point, (*path, phase, physics), law, physics)


def _check_regions(file: StudyFile, point: Point, path: Path, structure: StructureSpec) -> None:
    """See that each region has a cell or a law, of the physics of the structure."""
    for name, region in structure.regions.items():
        where = (*path, "regions", name)
        if (region.cell is None) == (region.law is None):
            both = "both" if region.law is not None else "neither"
            what = "must have a cell or a law, one of them, but has"
            raise file.error(where, f"{what} {both}; write cell: {{}} for one as it comes", point)
        if region.law is not None:
            _check_kind(file, point, (*where, "law"), region.law, structure.physics)
        elif region.cell is not None and region.cell.laws is not None:
            _check_laws(file, point, (*where, "cell", "laws"), region.cell.laws)


def _check_kind(file: StudyFile, point: Point, path: Path, law: Any, physics: str) -> None:
    """Refuse an elastic law where one of conduction is meant, and so on."""
    own = physics if physics in _LAWS else "conduction"
    wrong = {kind for other, kinds in _LAWS.items() if other != own for kind in kinds}
    if own == "finite_strain":  # closed forms are of linear laws
        wrong |= set(_CLOSED_FORMS)
    for where, part in walk(law, path):
        if isinstance(part, BaseModel) and getattr(part, "type", None) in wrong:
            raise file.error(
                (*where, "type"),
                f"must be a law of {physics} such as {_LAWS[own][0]}, but is {part.type!r}",  # type: ignore[attr-defined]
                point,
            )


def walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, value
    items: Any = ()
    if isinstance(value, BaseModel):
        items = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from walk(item, (*path, key))


def physics_at(study: Study, path: Path) -> str:
    """Return of which physics what stands at a path is; empty where it is of none."""
    match path:
        case ("laws", _, physics, *_):
            return str(physics)
        case ("structures", _, "regions", _, "cell", "laws", _, physics, *_):
            return str(physics)
        case ("loads", name, *_):
            return study.loads[str(name)].physics
        case ("structures", name, *_):
            return study.structures[str(name)].physics
    return ""


def kind_of(study: Study, path: Path, value: Quantity) -> str:
    """Return of what kind a quantity is meant to be: of what is conducted the physics tells."""
    family, _, what = value.kind.partition(" ")
    if family not in CONDUCTIVITIES:
        return value.kind
    kind = f"{physics_at(study, path)} {what}".rstrip()
    return kind if kind in KINDS else value.kind  # mechanics has no such thing: told later


def united(study: Study) -> dict[str, bool]:
    """Return whether quantities have units, by family; families without any are left out."""
    found = {}
    for path, value in walk(study, ()):
        if isinstance(value, Quantity) and value != 0.0:
            kind = kind_of(study, path, value)
            found[FAMILIES.get(kind, kind)] = bool(value.unit)
    return found


def _check_units(file: StudyFile, point: Point) -> None:
    """Refuse quantities of one kind of which some have a unit and some have none."""
    seen: dict[tuple[str, bool], tuple[Path, Quantity]] = {}
    for path, value in walk(point.study, ()):
        if not isinstance(value, Quantity) or value == 0.0:  # nothing is nothing in any unit
            continue
        kind = kind_of(point.study, path, value)
        if value.unit and KINDS[kind][0] != KINDS[value.kind][0]:
            raise file.error(
                path,
                f"must be {KINDS[kind][1]}, e.g. {KINDS[kind][2]!r}, but {value.unit!r} is that "
                f"of {KINDS[value.kind][1]}",
                point,
            )
        family = FAMILIES.get(kind, kind)
        seen.setdefault((family, bool(value.unit)), (path, value))
        if kind != "angle" and (family, not value.unit) in seen:
            (bare_path, bare), (other, united) = seen[family, False], seen[family, True]
            what = KINDS[kind_of(point.study, bare_path, bare)][1]
            raise file.error(
                bare_path,
                f"must be {what} with a unit, because {dotted(other)} has one ({united.unit}), but "
                f"is {bare:g}; give all of them units, or none",
                point,
            )
