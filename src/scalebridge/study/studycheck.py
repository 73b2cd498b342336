"""Checks of a study that its schema cannot make: names, kinds of laws, units among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from scalebridge.study.schema import Study
from scalebridge.study.schema_laws import PHYSICS
from scalebridge.study.units import KINDS, Quantity
from scalebridge.study.yaml12 import Path, dotted

if TYPE_CHECKING:
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
    for what in ("gradient", "flux")
}


def check_study(file: StudyFile, point: Point) -> None:
    """Check names, kinds of laws, and units."""
    study = point.study
    if not study.laws:
        raise file.error(("laws",), "must give each phase its laws, but is empty", point)
    for phase, laws in study.laws.items():
        for physics in PHYSICS:
            law = getattr(laws, physics)
            if law is not None:
                _check_kind(file, point, ("laws", phase, physics), law, physics)
    for part in ("cells", "loads"):
        for name in getattr(study, part):
            if not _NAME.fullmatch(name):
                raise file.error(
                    (part, name),
                    "must have a name of at most 40 letters, digits, - and _ (it becomes a file "
                    "name)",
                    point,
                )
    for name in study.loads:
        if name in study.cells:
            what = "must have a name of its own (they become file names), but a cell has it too"
            raise file.error(("loads", name), what, point)
    _check_units(file, point)


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


def kind_of(study: Study, path: Path, value: Quantity) -> str:
    """Return of what kind a quantity is meant to be: of conductivities the physics tells."""
    if path[0] == "laws" and path[2] in KINDS:
        return str(path[2])
    if path[0] == "loads" and path[3:4] in (("gradient",), ("flux",)):
        kind = f"{study.loads[str(path[1])].physics} {path[3]}"
        return kind if kind in KINDS else value.kind  # mechanics has no such thing: told later
    return value.kind


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
