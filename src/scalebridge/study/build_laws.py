"""From the laws of a checked study to laws; faults are told by the keys of the study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import analytic, laws, tensors
from scalebridge.study import schema_laws
from scalebridge.study.studycheck import physics_at
from scalebridge.study.studyfile import Point, StudyFile

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

_CLOSED_FORMS: dict[str, Any] = {
    "coated_cylinder": analytic.CoatedCylinder,
    "coated_sphere": analytic.CoatedSphere,
    "differential": analytic.Differential,
    "dilute": analytic.Dilute,
    "hashin_shtrikman": analytic.HashinShtrikman,
    "laminate": analytic.Laminate,
    "mori_tanaka": analytic.MoriTanaka,
    "polycrystal": analytic.Polycrystal,
    "reuss": analytic.Reuss,
    "self_consistent": analytic.SelfConsistent,
    "voigt": analytic.Voigt,
}
_MADE_OF: dict[str, Callable[..., laws.Law]] = {
    "conduction": laws.Conduction,
    "cubic": laws.Elastic.cubic,
    "generalized_maxwell": laws.GeneralizedMaxwell,
    "hexagonal": laws.Elastic.hexagonal,
    "holzapfel_gasser_ogden": laws.HolzapfelGasserOgden,
    "isotropic": laws.IsotropicElastic,
    "j2_plasticity": laws.J2Plasticity,
    "mooney_rivlin": laws.MooneyRivlin,
    "neo_hookean": laws.NeoHookean,
    "norton": laws.NortonCreep,
    "ogden": laws.Ogden,
    "orthotropic": laws.Elastic.orthotropic,
    "perzyna": laws.PerzynaViscoplastic,
    "power_law_conduction": laws.PowerLawConduction,
    "saint_venant_kirchhoff": laws.SaintVenantKirchhoff,
    "transversely_isotropic": laws.Elastic.transversely_isotropic,
}
_HARDENING: dict[str, Callable[..., Any]] = {
    "armstrong_frederick": laws.ArmstrongFrederick,
    "linear": laws.LinearHardening,
    "perfect": laws.PerfectlyPlastic,
    "power": laws.PowerHardening,
    "prager": laws.PragerHardening,
    "voce": laws.VoceHardening,
}


def law_of(file: StudyFile, point: Point, spec: Any, path: Key) -> laws.Law:
    """Build a law, and first the laws and hardenings in it.

    Parameters
    ----------
    file, point : where the law is of
    spec : its model
    path : its key, ``("laws", phase, physics, …)`` or of a region of a structure
    """
    if spec.type in _CLOSED_FORMS:
        return _closed_form(file, point, spec, path)
    constants = {
        name: plain_values(getattr(spec, name))
        for name in type(spec).model_fields
        if name != "type"
    }
    for name in ("hardening", "kinematic"):
        if constants.get(name) is not None:
            with file.at((*path, name), point):
                constants[name] = _hardening(constants[name])
    with file.at(path, point):
        return _made_of(spec.type, constants, _physics_of(point, path))


def _physics_of(point: Point, path: Key) -> str:
    """Return the physics of a law in Python's terms."""
    told = {"elasticity": "elasticity", "finite_strain": "finite strain"}
    return told.get(physics_at(point.study, path), "conduction")


def _made_of(kind: str, constants: dict[str, Any], physics: str) -> laws.Law:
    if kind == "void":
        return laws.Void(physics)
    if kind == "rigid":
        return laws.Rigid(constants["factor"], physics)
    if kind == "elastic":
        voigt = constants["notation"] == "voigt"
        return (laws.Elastic.from_voigt if voigt else laws.Elastic)(constants["stiffness"])
    if kind == "generalized_maxwell":
        for name in ("shear", "bulk"):
            branches = constants.pop(name)
            if branches is not None:
                constants[name] = tuple(plain_values(v) for v in dict(branches).values())
    return _MADE_OF[kind](**constants)


def _hardening(spec: Any) -> Any:
    constants = {name: plain_values(value) for name, value in spec if name != "type"}
    return _HARDENING[spec.type](**constants)


def _closed_form(file: StudyFile, point: Point, spec: Any, path: Key) -> laws.Law:
    arguments: dict[str, Any] = {}
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if name in {"matrix", "crystal", "core", "coating"}:
            value = _linear(file, point, value, (*path, name))
        elif name == "laws":
            value = [_linear(file, point, law, (*path, name, i)) for i, law in enumerate(value)]
        elif name in {"inclusions", "phases"}:
            value = [
                _inclusion(file, point, part, (*path, name, i)) for i, part in enumerate(value)
            ]
        if name != "type":
            arguments[name] = plain_values(value)
    with file.at(path, point):
        law: laws.Law = _CLOSED_FORMS[spec.type](**arguments)
        law.tangent()  # what a closed form cannot do shows only when it is evaluated
        return law


def _linear(file: StudyFile, point: Point, spec: Any, path: Key) -> laws.Law:
    """Build a law in a closed form."""
    law = law_of(file, point, spec, path)
    if law.is_linear:
        return law
    what = f"must be a linear law, of which closed forms are, but is {spec.type!r}"
    raise file.error((*path, "type"), what, point)


def _inclusion(
    file: StudyFile, point: Point, spec: schema_laws.Inclusion, path: Key
) -> analytic.Inclusion:
    law = _linear(file, point, spec.law, (*path, "law"))
    turn: Any = None
    if spec.orientation is not None:
        random = isinstance(spec.orientation, schema_laws.AllDirections)
        with file.at((*path, "orientation"), point):
            turn = "random" if random else rotation_of(spec.orientation)
    with file.at(path, point):
        return analytic.Inclusion(law, plain_values(spec.fraction), spec.semi_axes, turn)


def rotation_of(spec: Any) -> Any:
    """Return a rotation matrix (3, 3)."""
    if isinstance(spec, schema_laws.Euler):
        return np.asarray(tensors.rotation_from_euler(np.asarray(plain_values(spec.angles))))
    if isinstance(spec, schema_laws.AxisAngle):
        axis = spec.axis
        direction = np.eye(3)["xyz".index(axis)].tolist() if isinstance(axis, str) else axis
        return np.asarray(tensors.rotation_about(direction, np.asarray(float(spec.angle))))
    return np.asarray(spec.matrix)


def plain_values(value: Any) -> Any:
    """Return plain floats for quantities."""
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    return float(value) if isinstance(value, float) else value
