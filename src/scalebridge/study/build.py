"""From a checked study to images, laws and cells; faults are told by the keys of the study."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import analytic, laws, tensors
from scalebridge.cell import Cell
from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure import Fibres, Microstructure, Polycrystal, generate, read
from scalebridge.microstructure.memory import check_fits
from scalebridge.study import schema
from scalebridge.study.files import plain, sha256
from scalebridge.study.plan import Plan, Request
from scalebridge.study.studyfile import Point, StudyFile
from scalebridge.study.summary import QUANTITIES, describe_image

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

_AXES = "xyz"
_ELASTIC: dict[str, Callable[..., laws.Law]] = {
    "cubic": laws.Elastic.cubic,
    "hexagonal": laws.Elastic.hexagonal,
    "isotropic": laws.IsotropicElastic,
    "orthotropic": laws.Elastic.orthotropic,
    "transversely_isotropic": laws.Elastic.transversely_isotropic,
}
_ANALYTIC: dict[str, Any] = {
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


class Builder:
    """Builds the plans of a study's points; an image that points share is built once."""

    def __init__(self, file: StudyFile) -> None:
        self.file = file
        self._hashes: dict[Path, str] = {}
        self._last: tuple[Any, tuple[Microstructure, dict[str, Any]]] | None = None

    def image_hash(self, point: Point) -> str | None:
        """Return the SHA-256 of the point's image file, None where it is generated."""
        spec = point.study.microstructure
        if not isinstance(spec, schema.Image):
            return None
        path = self.file.folder / spec.path
        with self.file.at(("microstructure",), point):
            try:
                if path not in self._hashes:
                    self._hashes[path] = sha256(path)
                return self._hashes[path]
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                what = f"`path` must be a readable image, but is {spec.path!r}: {reason}"
                raise InputError(what) from None

    def plan(self, point: Point, out: Path, run: Mapping[str, Any], study_hash: str) -> Plan:
        """Build the image and the cells of a point.

        Raises
        ------
        InputError
            What does not fit together, by file, line and key.
        """
        start = time.perf_counter()
        micro, orientation = self._microstructure(point)
        by_phase = self._laws_by_phase(point, micro)
        requests = self._requests(point, micro, by_phase, orientation)
        source: dict[str, Any] = {"type": point.study.microstructure.type}
        if isinstance(point.study.microstructure, schema.Image):
            source |= {
                "path": str(self.file.folder / point.study.microstructure.path),
                "sha256": self.image_hash(point),
            }
        return Plan(
            microstructure=micro,
            requests=requests,
            image=describe_image(
                micro,
                {
                    name: {"where": where, "laws": by_phase[name].model_dump(exclude_none=True)}
                    for name, where in zip(micro.names, micro.sources, strict=True)
                },
                **source,
            ),
            run=run,
            out=out,
            started=start,
            study=plain(
                {
                    "file": str(self.file.path),
                    "title": point.study.title,
                    "sha256": self.file.digest,
                    "hash": study_hash,
                    "parameters": point.parameters,
                    "units": point.units,
                    "resolved": point.resolved,
                }
            ),
        )

    # ---- microstructure

    def _microstructure(self, point: Point) -> tuple[Microstructure, dict[str, Any]]:
        spec = point.study.microstructure
        if self._last is None or self._last[0] != spec:
            with self.file.at(("microstructure",), point):
                made = self._image(spec) if isinstance(spec, schema.Image) else _generated(spec)
                self._last = spec, made
        return self._last[1]

    def _image(self, spec: schema.Image) -> tuple[Microstructure, dict[str, Any]]:
        names = ("spacing", "phases", "threshold", "method", "shape", "dtype", "order", "offset")
        options = {name: _plain(getattr(spec, name)) for name in (*names, "key")}
        micro = read(self.file.folder / spec.path, **options)
        if spec.flip is not None:
            micro = micro.flip(spec.flip)
        if spec.crop is not None:
            beyond = set(spec.crop) - set(_AXES[: micro.dim])
            if beyond:
                raise InputError(f"`crop` must name axes of the image, but names {sorted(beyond)}")
            micro = micro.crop(*(spec.crop.get(axis) for axis in _AXES[: micro.dim]))
        if spec.coarsen is not None:
            micro = micro.coarsen(spec.coarsen)
        if spec.repeat is not None:
            counts = spec.repeat if isinstance(spec.repeat, list) else [spec.repeat] * micro.dim
            sizes = [n * c for n, c in zip(micro.shape, counts, strict=False)]
            check_fits(tuple(sizes), np.dtype(np.int64), "`repeat`")
            micro = micro.repeat(spec.repeat)
        return micro, {}

    # ---- laws

    def _laws_by_phase(self, point: Point, micro: Microstructure) -> dict[str, schema.PhaseLaws]:
        """Return the laws of each phase: its own, or those of ``*``."""
        given, rest = point.study.laws, point.study.laws.get("*")
        for name in given:
            if name != "*" and name not in micro.names:
                listed = ", ".join(micro.names[:8]) + (", …" if len(micro.names) > 8 else "")
                raise self.file.error(
                    ("laws", name),
                    f"must be a phase of the image, but the phases are {listed}"
                    f"{did_you_mean(name, micro.names)}",
                    point,
                )
        for name in micro.names:
            if name not in given and rest is None:
                raise self.file.error(
                    ("laws",),
                    f"must have a law for each phase, but {name!r} has none; add it, or '*' for "
                    "all others",
                    point,
                )
        return {name: given.get(name) or rest for name in micro.names}  # type: ignore[misc]

    def _law(self, point: Point, spec: Any, path: Key, physics: str) -> laws.Law:
        """Build a law, and first the laws in it."""
        kind = spec.type
        own = "elasticity" if physics == "elasticity" else "conduction"
        if kind not in _ANALYTIC:
            with self.file.at(path, point):
                return _closed_form(spec, own)
        arguments: dict[str, Any] = {}
        for name in type(spec).model_fields:
            value = getattr(spec, name)
            if name in {"matrix", "crystal", "core", "coating"}:
                value = self._law(point, value, (*path, name), physics)
            elif name == "laws":
                value = [
                    self._law(point, law, (*path, name, i), physics) for i, law in enumerate(value)
                ]
            elif name in {"inclusions", "phases"}:
                value = [
                    self._inclusion(point, part, (*path, name, i), physics)
                    for i, part in enumerate(value)
                ]
            if name != "type":
                arguments[name] = _plain(value)
        with self.file.at(path, point):
            law = _ANALYTIC[kind](**arguments)
            law.tangent()  # what a closed form cannot do shows only when it is evaluated
            return law

    def _inclusion(
        self, point: Point, spec: schema.Inclusion, path: Key, physics: str
    ) -> analytic.Inclusion:
        law = self._law(point, spec.law, (*path, "law"), physics)
        turn: Any = None
        if spec.orientation is not None:
            random = isinstance(spec.orientation, schema.AllDirections)
            with self.file.at((*path, "orientation"), point):
                turn = "random" if random else _rotation(spec.orientation)
        with self.file.at(path, point):
            return analytic.Inclusion(law, _plain(spec.fraction), spec.semi_axes, turn)

    # ---- cells

    def _requests(
        self,
        point: Point,
        micro: Microstructure,
        by_phase: Mapping[str, schema.PhaseLaws],
        orientation: dict[str, Any],
    ) -> dict[str, Request]:
        cells = point.study.cells or {
            physics: schema.CellSpec(physics=physics)
            for physics in schema.PHYSICS
            if any(getattr(given, physics) is not None for given in by_phase.values())
        }
        if not cells:
            raise self.file.error(
                ("laws",),
                f"must give laws for at least one physics ({', '.join(schema.PHYSICS)}), but give "
                "none",
                point,
            )
        turns = dict(orientation)
        for name, given in by_phase.items():
            if given.orientation is not None:
                key = name if name in point.study.laws else "*"
                with self.file.at(("laws", key, "orientation"), point):
                    turns[name] = _rotation(given.orientation)
        made: dict[str, dict[str, laws.Law]] = {}
        for spec in cells.values():
            if spec.physics not in made:
                made[spec.physics] = self._laws(point, by_phase, spec.physics)
        return {
            name: self._request(point, name, spec, micro, made[spec.physics], turns)
            for name, spec in cells.items()
        }

    def _laws(
        self, point: Point, by_phase: Mapping[str, schema.PhaseLaws], physics: str
    ) -> dict[str, laws.Law]:
        """Return the law of each phase; those of ``*`` are built once."""
        built: dict[str, laws.Law] = {}
        found = {}
        for name, given in by_phase.items():
            key = name if name in point.study.laws else "*"
            spec = getattr(given, physics)
            if spec is None:
                raise self.file.error(
                    ("laws", key, physics), "is missing; each phase needs a law for it", point
                )
            if key not in built:
                built[key] = self._law(point, spec, ("laws", key, physics), physics)
            found[name] = built[key]
        return found

    def _request(
        self,
        point: Point,
        name: str,
        spec: schema.CellSpec,
        micro: Microstructure,
        found: dict[str, laws.Law],
        turns: dict[str, Any],
    ) -> Request:
        compare = spec.boundary == "all"
        path: Key = ("cells", name)
        with self.file.at(path, point, {"laws": ("laws",), "orientation": ("laws",)}):
            for goal in ("tolerance", "field_tolerance"):
                if not 0 < getattr(spec, goal) < 1:
                    raise InputError(
                        f"`{goal}` must lie between 0 and 1, but is {getattr(spec, goal):g}; "
                        "1e-6 is a good choice"
                    )
            cell = Cell(
                micro,
                found,
                boundary="periodic" if compare else spec.boundary,
                element=spec.element,
                plane=spec.plane,
                orientation=turns,
            )
            cases = _cases(spec.fields, cell.kinematics.components)
        scalars = {
            phase: float(law.k)
            for phase, law in found.items()
            if isinstance(law, laws.Conduction) and law.is_isotropic
        }
        known = all(phase in scalars or isinstance(law, laws.Void) for phase, law in found.items())
        return Request(
            cell=cell,
            quantity=QUANTITIES[spec.physics],
            compare=compare,
            tolerance=spec.tolerance,
            measure=spec.measure,
            field_tolerance=spec.field_tolerance,
            max_iterations=spec.max_iterations,
            cases=cases,
            named_cases=not isinstance(spec.fields, bool),
            conductivities=scalars if known else {},
        )


def _generated(spec: Any) -> tuple[Microstructure, dict[str, Any]]:
    options = {
        name: _plain(getattr(spec, name))
        for name in type(spec).model_fields
        if name != "type" and getattr(spec, name) is not None
    }
    made = getattr(generate, spec.type)(**options)
    if isinstance(made, Polycrystal | Fibres):
        return made.microstructure, made.orientation
    return made, {}


def _closed_form(spec: Any, physics: str) -> laws.Law:
    constants = {
        name: _plain(getattr(spec, name)) for name in type(spec).model_fields if name != "type"
    }
    if spec.type == "conduction":
        return laws.Conduction(constants["k"])
    if spec.type == "void":
        return laws.Void(physics)
    if spec.type == "rigid":
        return laws.Rigid(constants["factor"], physics)
    if spec.type == "elastic":
        voigt = spec.notation == "voigt"
        return (laws.Elastic.from_voigt if voigt else laws.Elastic)(constants["stiffness"])
    return _ELASTIC[spec.type](**constants)


def _rotation(spec: Any) -> Any:
    """Return a rotation matrix (3, 3)."""
    if isinstance(spec, schema.Euler):
        return np.asarray(tensors.rotation_from_euler(np.asarray(_plain(spec.angles))))
    if isinstance(spec, schema.AxisAngle):
        axis = spec.axis
        direction = np.eye(3)[_AXES.index(axis)].tolist() if isinstance(axis, str) else axis
        return np.asarray(tensors.rotation_about(direction, np.asarray(float(spec.angle))))
    return np.asarray(spec.matrix)


def _cases(fields: bool | list[str], components: tuple[str, ...]) -> tuple[int, ...]:
    """Return the load cases whose fields are kept, by number."""
    if isinstance(fields, bool):
        return (0,) if fields else ()
    if fields == ["all"]:
        return tuple(range(len(components)))
    found = []
    for word in fields:
        axis = _AXES.find(word) if len(word) == 1 else -1
        if word not in components and not 0 <= axis < min(len(components), 3):
            raise InputError(
                f"`fields` must name load cases among {', '.join(components)} or all, but names "
                f"{word!r}; true is the first, false none"
            )
        found.append(components.index(word) if word in components else axis)
    return tuple(dict.fromkeys(found))


def _plain(value: Any) -> Any:
    """Return plain floats for quantities."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return float(value) if isinstance(value, float) else value
