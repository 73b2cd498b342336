"""From a checked study to cells, load histories and structures; faults are told by its keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge import laws
from scalebridge.cell import Cell
from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure
from scalebridge.study import schema
from scalebridge.study.build_loads import load_request
from scalebridge.study.build_matter import Matter, image_of, matter_of
from scalebridge.study.build_structures import structure_request
from scalebridge.study.files import plain, sha256
from scalebridge.study.plan import Plan, Request
from scalebridge.study.schema_laws import PHYSICS
from scalebridge.study.schema_microstructure import Image
from scalebridge.study.schema_structures import CellOfRegion, MeshOfFile
from scalebridge.study.studyfile import Point, StudyFile
from scalebridge.study.summary import QUANTITIES, describe_image

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

_AXES = "xyz"
_Made = tuple[Microstructure, dict[str, Any]]


class Builder:
    """Builds the plans of a study's points; an image that points share is built once."""

    def __init__(self, file: StudyFile) -> None:
        self.file = file
        self._hashes: dict[Path, str] = {}
        self._made: list[tuple[Any, _Made]] = []  # the images of the last plan

    def hashes(self, point: Point) -> dict[str, str]:
        """Return path in the study → SHA-256 of the point's images, tables of loads and meshes."""
        found = {}
        for key, spec in _microstructures(point):
            if isinstance(spec, Image):
                found[spec.path] = self._hash(point, key, "path", spec.path, "image")
        for name, load in point.study.loads.items():
            table = load.path.file
            if table is not None:
                found[table] = self._hash(point, ("loads", name, "path"), "file", table, "table")
        for name, structure in point.study.structures.items():
            mesh, key = structure.mesh, ("structures", name, "mesh")
            if isinstance(mesh, MeshOfFile):
                found[mesh.path] = self._hash(point, key, "path", mesh.path, "mesh")
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
        """Build the images, the cells and the structures of a point.

        Raises
        ------
        InputError
            What does not fit together, by file, line and key.
        """
        start = time.perf_counter()
        images = {key: self._image(point, key, spec) for key, spec in _microstructures(point)}
        self._made = list(images.values())
        matters = self._matters(point, {key: made for key, (_, made) in images.items()})
        matter = matters.get(())
        return Plan(
            microstructure=None if matter is None else matter.micro,
            requests={} if matter is None else self._requests(point, matter),
            loads={
                name: load_request(
                    self.file, point, name, matter.micro, matter.laws(spec.physics), matter.turns
                )
                for name, spec in point.study.loads.items()
                if matter is not None
            },
            structures={
                name: structure_request(
                    self.file,
                    point,
                    name,
                    {str(key[3]): own for key, own in matters.items() if key[1:2] == (name,)},
                )
                for name in point.study.structures
            },
            image=None if matter is None else self._told(point, matter),
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

    def _told(self, point: Point, matter: Matter) -> dict[str, Any]:
        """Return what the summary tells of the study's image."""
        spec, micro = point.study.microstructure, matter.micro
        source: dict[str, Any] = {"type": spec.type}  # type: ignore[union-attr]
        if isinstance(spec, Image):
            source |= {
                "path": str(self.file.folder / spec.path),
                "sha256": self.hashes(point)[spec.path],
            }
        phases = {
            name: {"where": where, "laws": matter.by_phase[name].model_dump(exclude_none=True)}
            for name, where in zip(micro.names, micro.sources, strict=True)
        }
        return describe_image(micro, phases, **source)

    # ---- what cells are made of

    def _image(self, point: Point, key: Key, spec: Any) -> tuple[Any, _Made]:
        """Return what an image was made of, and the image."""
        for known, made in self._made:
            if known == spec:
                return spec, made
        with self.file.at(key, point):
            return spec, image_of(spec, self.file.folder)

    def _matters(self, point: Point, images: Mapping[Key, _Made]) -> dict[Key, Matter]:
        """Return what the study's cells are made of, under (), and those of each region."""
        study = point.study
        found: dict[Key, Matter] = {}
        cells = _cells_of_regions(point)
        shared = any(cell.microstructure and cell.laws is None for cell in cells.values())
        top: Key = ("microstructure",)
        if top in images and study.laws:
            found[()] = matter_of(
                self.file, point, images[top], study.laws, ("laws",), shared=shared
            )
        for key, cell in cells.items():
            if cell.microstructure is None and cell.laws is None:
                found[key] = found[()]
                continue
            made = images[(*key, "microstructure") if cell.microstructure else top]
            given, at = (study.laws, ("laws",)) if cell.laws is None else (cell.laws, None)
            found[key] = matter_of(
                self.file, point, made, given, at or (*key, "laws"), shared=cell.laws is None
            )
        return found

    # ---- cells

    def _requests(self, point: Point, matter: Matter) -> dict[str, Request]:
        cells: Mapping[str, schema.CellSpec] = point.study.cells
        if not (cells or point.study.loads or point.study.structures):
            cells = self._all_cells(point, matter)
        return {name: self._request(point, name, spec, matter) for name, spec in cells.items()}

    def _all_cells(self, point: Point, matter: Matter) -> dict[str, schema.CellSpec]:
        """Return a cell for each physics that has laws."""
        every = matter.by_phase.values()
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

    def _request(
        self,
        point: Point,
        name: str,
        spec: schema.CellSpec,
        matter: Matter,
    ) -> Request:
        compare, found = spec.boundary == "all", matter.laws(spec.physics)
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
                matter.micro,
                found,
                boundary="periodic" if compare else spec.boundary,
                element=spec.element,
                plane=spec.plane,
                orientation=matter.turns,
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


def _microstructures(point: Point) -> list[tuple[Key, Any]]:
    """Return key and model of all microstructures of a point."""
    study = point.study
    found: list[tuple[Key, Any]] = []
    if study.microstructure is not None:
        found.append((("microstructure",), study.microstructure))
    for key, cell in _cells_of_regions(point).items():
        if cell.microstructure is not None:
            found.append(((*key, "microstructure"), cell.microstructure))
    return found


def _cells_of_regions(point: Point) -> dict[Key, CellOfRegion]:
    """Return the cells in the regions of structures, by their keys."""
    return {
        ("structures", name, "regions", region, "cell"): spec.cell
        for name, structure in point.study.structures.items()
        for region, spec in structure.regions.items()
        if spec.cell is not None
    }


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
