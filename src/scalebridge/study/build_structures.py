"""From the structures of a checked study to meshes, laws of regions and what acts on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import laws, structure
from scalebridge.cell import Cell
from scalebridge.errors import InputError
from scalebridge.structure import Structure, Table
from scalebridge.structure.alike_points import check_alike, share
from scalebridge.structure.chosen_points import nearest, outside
from scalebridge.study.build_laws import law_of, plain_values, rotation_of
from scalebridge.study.build_loads import kept_rows, steps_of, turning_points
from scalebridge.study.build_matter import Matter
from scalebridge.study.cost_memory import lacking_for
from scalebridge.study.plan import StructureRequest
from scalebridge.study.schema_structures import CooksMembrane, MeshOfFile, StructureSpec
from scalebridge.study.studycheck import FAMILIES, united
from scalebridge.study.studyfile import Point, StudyFile
from scalebridge.study.units import KINDS

if TYPE_CHECKING:
    import skfem

    from scalebridge.study.yaml12 import Path as Key

_MECHANICS = ("elasticity", "finite_strain")


def structure_request(
    file: StudyFile, point: Point, name: str, matters: Mapping[str, Matter]
) -> StructureRequest:
    """Build a structure and find what is asked of it.

    Parameters
    ----------
    file, point, name : which structure of which study
    matters : mapping of region to Matter
        Of the regions with cells.

    Raises
    ------
    InputError
        What does not fit together, by file, line and key.
    """
    return _Builder(file, point, name).request(matters)


class _Builder:
    """Builds one structure."""

    def __init__(self, file: StudyFile, point: Point, name: str) -> None:
        self.file, self.point = file, point
        self.spec: StructureSpec = point.study.structures[name]
        self.key: Key = ("structures", name)

    def fault(self, key: Key, what: str) -> InputError:
        return self.file.error((*self.key, *key), what, self.point)

    def request(self, matters: Mapping[str, Matter]) -> StructureRequest:
        spec = self.spec
        if not 0 < spec.tolerance < 1:
            what = f"must lie between 0 and 1, but is {spec.tolerance:g}; 1e-6 is usual"
            raise self.fault(("tolerance",), what)
        times = self._times()
        mesh, points = self._mesh()
        if spec.physics in _MECHANICS and mesh.dim() == 2 and spec.plane is None:
            what = "must be strain, stress or axisymmetric in 2D mechanics, but is missing"
            raise self.fault(("plane",), what)
        supports, loads = self._supports(), self._loads()
        found = {region: self._law(region, mesh, matters.get(region)) for region in spec.regions}
        turns = {}
        for region, turn in spec.orientation.items():
            with self.file.at((*self.key, "orientation", region), self.point):
                turns[region] = rotation_of(turn)
        names = {"laws": (*self.key, "regions"), "mesh": (*self.key, "mesh")}
        with self.file.at(self.key, self.point, names):
            made = Structure(
                mesh,
                found,
                supports=supports,
                loads=loads,
                ties=[tuple(pair) for pair in spec.ties or ()],
                points=points,
                order=spec.order,
                plane=spec.plane,
                orientation=turns,
                thickness=1.0 if spec.thickness is None else float(spec.thickness),
                linear_solver=spec.linear_solver,
                tangent=spec.tangent,
            )
            if spec.alike is not None:
                share(made.balance, check_alike(spec.alike, None))
        return StructureRequest(
            name=str(self.key[1]),
            structure=made,
            times=times,
            units=self._units(),
            tolerance=spec.tolerance,
            newton_iterations=spec.max_newton,
            cuts=spec.cuts,
            keep=kept_rows(spec.fields, times, self.fault),
            localize=self._localized(made),
            hardest=0 if spec.localize is None else spec.localize.hardest,
            alike=spec.alike,
        )

    def _times(self) -> np.ndarray:
        turns = turning_points(plain_values(self.spec.time), self.fault)
        steps = steps_of(self.spec.steps, len(turns) - 1, self.fault)
        rows = [
            np.linspace(a, b, n + 1)[1:] for (a, b), n in zip(pairwise(turns), steps, strict=True)
        ]
        return np.concatenate([turns[:1], *rows]).astype(float)

    def _mesh(self) -> tuple[skfem.Mesh, dict[str, Any]]:
        """Return the mesh and its named points: the file's where names are free, the study's."""
        spec = self.spec.mesh
        options = plain_values(spec.model_dump(exclude={"type", "path", "unit"}, exclude_none=True))
        points: dict[str, Any] = {}
        with self.file.at((*self.key, "mesh"), self.point):
            if isinstance(spec, MeshOfFile):
                path = self.file.folder / spec.path
                mesh = structure.read_mesh(path)
                taken = {*(mesh.boundaries or ()), *(mesh.subdomains or ())}
                named = structure.read_points(path).items()
                points = {n: at * float(spec.unit) for n, at in named if n not in taken}
            else:
                mesh = getattr(structure, spec.type)(**options)
            if isinstance(spec, MeshOfFile | CooksMembrane):
                mesh = mesh.scaled(float(spec.unit))
        return mesh, points | {n: plain_values(at) for n, at in self.spec.points.items()}

    def _law(self, region: str, mesh: skfem.Mesh, matter: Matter | None) -> laws.Law:
        """Return the law of a region, which may be a cell."""
        spec, key = self.spec.regions[region], (*self.key, "regions", region)
        if spec.cell is None:
            return law_of(self.file, self.point, spec.law, (*key, "law"))
        assert matter is not None
        if matter.micro.dim < mesh.dim():
            what = "must be of a 3D image where the mesh is 3D, but that of this cell is 2D"
            raise self.fault(("regions", region, "cell"), what)
        names = {"laws": matter.key, "orientation": matter.key, "plane": (*self.key, "plane")}
        found = matter.laws(self.spec.physics)
        with self.file.at((*key, "cell"), self.point, names):
            cell = Cell(
                matter.micro,
                found,
                boundary=spec.cell.boundary,
                element=spec.cell.element,
                plane=self._plane(matter, mesh),
                orientation=matter.turns,
            )
        lacking = lacking_for(cell) if cell.is_linear else ""
        if lacking:
            raise self.fault(("regions", region, "cell"), f"is homogenised once: {lacking}")
        return cell

    def _plane(self, matter: Matter, mesh: skfem.Mesh) -> str | None:
        """Return the plane state of a cell: a 2D one shares that of the structure."""
        mechanics = self.spec.physics in _MECHANICS
        if not mechanics or matter.micro.dim == 3 or mesh.dim() == 3:
            return None
        return "generalized" if self.spec.plane == "axisymmetric" else self.spec.plane

    def _supports(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, given in self.spec.supports.items():
            key: Key = (*self.key, "supports", name)
            if isinstance(given, dict) and "times" not in given:
                found[name] = {axis: self._value(v, (*key, axis)) for axis, v in given.items()}
            else:
                found[name] = given if isinstance(given, str) else self._value(given, key)
        return found

    def _loads(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, given in self.spec.loads.items():
            key: Key = (*self.key, "loads", name)
            acting = {kind: value for kind, value in given if value is not None}
            found[name] = {kind: self._value(v, (*key, kind)) for kind, v in acting.items()}
        return found

    def _value(self, given: Any, key: Key) -> Any:
        """Return a value as `Structure` takes it."""
        if not isinstance(given, dict):
            return plain_values(given)
        with self.file.at(key, self.point):
            lengths = {np.size(row) for row in given["values"]}
            if len(lengths) > 1:
                raise InputError("`values` must all have as many components")
            return Table(plain_values(given["times"]), plain_values(given["values"]))

    def _localized(self, made: Structure) -> tuple[tuple[int, int], ...]:
        """Return the points whose cells are asked for, as elements and their points."""
        spec = self.spec.localize
        if spec is None:
            return ()
        regions = made.balance.regions
        if not any(isinstance(region.law, Cell) for region in regions):
            what = "must be left out where no region has a cell: there is nothing to look into"
            raise self.fault(("localize",), what)
        space, found = made.space, []
        for i, place in enumerate(plain_values(spec.points or [])):
            fault = partial(self.fault, ("localize", "points", i))
            if len(place) != space.dim:
                raise fault(f"must be {space.dim} coordinates, but has {len(place)}")
            if what := outside(space, np.asarray(place, float)):
                raise fault(what)
            element, q = nearest(space, np.asarray(place, float))
            region = next(r for r in regions if element in r.elements)
            if not isinstance(region.law, Cell):
                raise fault(
                    "must lie where the law is a cell, but the nearest point is in region "
                    f"{region.name!r}, whose law is a {type(region.law).__name__}"
                )
            found.append((element, q))
        return tuple(dict.fromkeys(found))

    def _units(self) -> dict[str, str]:
        """Return the SI units of what comes out, where the study gives units."""
        physics, has = self.spec.physics, united(self.point.study)

        def unit(*kinds: str) -> bool:
            return all(has.get(FAMILIES.get(kind, kind)) for kind in kinds)

        found = {"time": "s"} if unit("time") else {}
        found |= {"length": "m"} if unit("size") else {}
        if physics in _MECHANICS:
            found |= {"field": "m"} if unit("size") else {}
            found |= {"flux": "Pa"} if unit("stress") else {}
            found |= {"force": "N", "energy": "J"} if unit("size", "stress") else {}
            return found
        found |= {"field": KINDS[f"{physics} value"][0]} if unit(f"{physics} value") else {}
        found |= {"flux": KINDS[f"{physics} flux"][0]} if unit(physics) else {}
        return found | ({"flow": KINDS[f"{physics} flow"][0]} if unit("size", physics) else {})
