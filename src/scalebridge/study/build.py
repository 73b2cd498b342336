"""From a checked study to images, laws and cells; faults are told by the keys of the study."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import laws
from scalebridge.cell import Cell
from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure import Fibres, Microstructure, Polycrystal, generate, read
from scalebridge.microstructure.memory import check_fits
from scalebridge.study import schema
from scalebridge.study.build_laws import law_of, plain_values, rotation_of
from scalebridge.study.build_loads import load_request
from scalebridge.study.files import plain, sha256
from scalebridge.study.plan import LoadRequest, Plan, Request
from scalebridge.study.schema_laws import PHYSICS, PhaseLaws
from scalebridge.study.studyfile import Point, StudyFile
from scalebridge.study.summary import QUANTITIES, describe_image

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

_AXES = "xyz"


class Builder:
    """Builds the plans of a study's points; an image that points share is built once."""

    def __init__(self, file: StudyFile) -> None:
        self.file = file
        self._hashes: dict[Path, str] = {}
        self._last: tuple[Any, tuple[Microstructure, dict[str, Any]]] | None = None

    def hashes(self, point: Point) -> dict[str, str]:
        """Return path in the study → SHA-256 of the point's image file and tables of loads."""
        spec, found = point.study.microstructure, {}
        if isinstance(spec, schema.Image):
            found[spec.path] = self._hash(point, ("microstructure",), "path", spec.path, "image")
        for name, load in point.study.loads.items():
            table = load.path.file
            if table is not None:
                found[table] = self._hash(point, ("loads", name, "path"), "file", table, "table")
        return found

    def _hash(self, point: Point, key: Key, word: str, name: str, what: str) -> str:
        path = self.file.folder / name
        with self.file.at(key, point):
            try:
                if path not in self._hashes:
                    self._hashes[path] = sha256(path)
                return self._hashes[path]
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                told = f"`{word}` must be a readable {what}, but is {name!r}: {reason}"
                raise InputError(told) from None

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
        turns = orientation | self._turns(point, by_phase)
        built: dict[str, dict[str, laws.Law]] = {}
        requests = self._requests(point, micro, by_phase, turns, built)
        loads = self._loads(point, micro, by_phase, turns, built)
        source: dict[str, Any] = {"type": point.study.microstructure.type}
        if isinstance(point.study.microstructure, schema.Image):
            source |= {
                "path": str(self.file.folder / point.study.microstructure.path),
                "sha256": self.hashes(point)[point.study.microstructure.path],
            }
        return Plan(
            microstructure=micro,
            requests=requests,
            loads=loads,
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
        options = {name: plain_values(getattr(spec, name)) for name in (*names, "key")}
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

    def _laws_by_phase(self, point: Point, micro: Microstructure) -> dict[str, PhaseLaws]:
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

    # ---- cells and loads

    def _turns(self, point: Point, by_phase: Mapping[str, PhaseLaws]) -> dict[str, Any]:
        """Return the rotations that the study gives phases."""
        turns = {}
        for name, given in by_phase.items():
            if given.orientation is not None:
                key = name if name in point.study.laws else "*"
                with self.file.at(("laws", key, "orientation"), point):
                    turns[name] = rotation_of(given.orientation)
        return turns

    def _requests(
        self,
        point: Point,
        micro: Microstructure,
        by_phase: Mapping[str, PhaseLaws],
        turns: Mapping[str, Any],
        built: dict[str, dict[str, laws.Law]],
    ) -> dict[str, Request]:
        cells: Mapping[str, schema.CellSpec] = point.study.cells
        if not cells and not point.study.loads:
            cells = self._all_cells(point, by_phase)
        return {
            name: self._request(
                point, name, spec, micro, self._laws(point, by_phase, spec.physics, built), turns
            )
            for name, spec in cells.items()
        }

    def _all_cells(
        self, point: Point, by_phase: Mapping[str, PhaseLaws]
    ) -> dict[str, schema.CellSpec]:
        """Return a cell for each physics that has laws."""
        every = by_phase.values()
        given = {p for p in PHYSICS if any(getattr(one, p) is not None for one in every)}
        if not given:
            raise self.file.error(
                ("laws",),
                f"must give laws for at least one physics ({', '.join(PHYSICS)}), but give none",
                point,
            )
        if "finite_strain" in given:
            raise self.file.error(
                ("laws",),
                "hold laws of finite strain, of which there is no effective tensor; drive the cell "
                "along a path under loads, and name what else is to be solved under cells",
                point,
            )
        return {p: schema.CellSpec(physics=p) for p in schema.CELL_PHYSICS if p in given}

    def _loads(
        self,
        point: Point,
        micro: Microstructure,
        by_phase: Mapping[str, PhaseLaws],
        turns: Mapping[str, Any],
        built: dict[str, dict[str, laws.Law]],
    ) -> dict[str, LoadRequest]:
        return {
            name: load_request(
                self.file,
                point,
                name,
                micro,
                self._laws(point, by_phase, spec.physics, built),
                turns,
            )
            for name, spec in point.study.loads.items()
        }

    def _laws(
        self,
        point: Point,
        by_phase: Mapping[str, PhaseLaws],
        physics: str,
        built: dict[str, dict[str, laws.Law]],
    ) -> dict[str, laws.Law]:
        """Return the law of each phase; those of ``*`` are built once."""
        if physics in built:
            return built[physics]
        once: dict[str, laws.Law] = {}
        found = {}
        for name, given in by_phase.items():
            key = name if name in point.study.laws else "*"
            spec = getattr(given, physics)
            if spec is None:
                raise self.file.error(
                    ("laws", key, physics), "is missing; each phase needs a law for it", point
                )
            if key not in once:
                once[key] = law_of(self.file, point, spec, ("laws", key, physics))
            found[name] = once[key]
        built[physics] = found
        return found

    def _request(
        self,
        point: Point,
        name: str,
        spec: schema.CellSpec,
        micro: Microstructure,
        found: dict[str, laws.Law],
        turns: Mapping[str, Any],
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
            _check_linear(found, spec.physics)
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
        name: plain_values(getattr(spec, name))
        for name in type(spec).model_fields
        if name != "type" and getattr(spec, name) is not None
    }
    made = getattr(generate, spec.type)(**options)
    if isinstance(made, Polycrystal | Fibres):
        return made.microstructure, made.orientation
    return made, {}


def _check_linear(found: Mapping[str, laws.Law], physics: str) -> None:
    """Refuse an effective tensor of laws that have none."""
    for phase, law in found.items():
        if not law.is_linear:
            raise InputError(
                f"`physics` must be one of linear laws, but the law of phase {phase!r} for "
                f"{physics}, {type(law).__name__}, is not linear and has no effective tensor; "
                "drive the cell along a path under `loads` instead"
            )


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
