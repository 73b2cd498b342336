"""Structures in a study file: meshes, what they are made of, what holds and loads them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_laws import Law, Orientation, PhaseLaws, Physics
from scalebridge.study.schema_microstructure import Microstructure
from scalebridge.study.schema_parts import Part

# ---- meshes: the arguments of the helpers in `scalebridge.structure`


class MeshOfFile(Part):
    """A mesh file; its path is relative to the study file, `unit` is that of its lengths."""

    type: Literal["file"]
    path: p.Word
    unit: p.FileUnit = 1.0


class Rectangle(Part):
    type: Literal["rectangle"]
    size: p.Sizes
    elements: p.Shape
    kind: Literal["quad", "triangle"] = "quad"


class Box(Part):
    type: Literal["box"]
    size: p.Sizes
    elements: p.Shape
    kind: Literal["hexahedron", "tetrahedron"] = "hexahedron"


class PlateWithHole(Part):
    type: Literal["plate_with_hole"]
    radius: p.Size
    half_width: p.Size
    half_height: p.Size | None = None
    n_around: p.Count = 16
    n_radial: p.Count = 16
    curved: p.Flag = False


class Annulus(Part):
    type: Literal["annulus"]
    inner: p.Size
    outer: p.Size
    n_radial: p.Count = 8
    n_around: p.Count = 8
    curved: p.Flag = False


class CooksMembrane(Part):
    """48 units long and 60 high."""

    type: Literal["cooks_membrane"]
    n: p.Count
    kind: Literal["quad", "triangle"] = "quad"
    unit: p.FileUnit = 1.0


Mesh = Annotated[
    MeshOfFile | Rectangle | Box | PlateWithHole | Annulus | CooksMembrane,
    Field(discriminator="type"),
]

# ---- what the regions are made of


class CellOfRegion(Part):
    """A cell at every point; microstructure and laws are the study's, or its own."""

    boundary: p.Boundary = "periodic"
    element: Literal["reduced", "full", "bbar"] | None = None
    microstructure: Microstructure | None = None
    laws: dict[str, PhaseLaws] | None = None


class RegionSpec(Part):
    """A cell, or a law in closed form."""

    cell: CellOfRegion | None = None
    law: Law | None = None


# ---- what acts


class LoadsAt(Part):
    """What acts on a boundary, in a region or at a point."""

    traction: p.Traction | None = None
    pressure: p.Pressure | None = None
    body_force: p.BodyForce | None = None
    force: p.Force | None = None
    flux: p.Inflow | None = None
    source: p.Source | None = None
    point_source: p.PointSource | None = None


class LocalizeSpec(Part):
    """Points whose cells are written: chosen places, and those whose cells work hardest."""

    points: p.Places | None = None
    hardest: p.Whole = 0


class StructureSpec(Part):
    """A body on a mesh; see `scalebridge.Structure`."""

    physics: Physics
    mesh: Mesh
    plane: Literal["strain", "stress", "axisymmetric"] | None = None
    order: p.Order = 1
    thickness: p.Size | None = None
    regions: dict[str, RegionSpec]
    orientation: dict[str, Orientation] = Field(default_factory=dict)
    points: dict[str, p.Sizes] = Field(default_factory=dict)
    supports: dict[str, p.Support] = Field(default_factory=dict)
    loads: dict[str, LoadsAt] = Field(default_factory=dict)
    ties: p.Pairs | None = None
    time: p.Times
    steps: p.Counts
    tolerance: p.Number = 1e-6
    max_newton: p.Count = 15
    cuts: p.Whole = 6
    linear_solver: Literal["auto", "direct", "multigrid", "pardiso"] = "auto"
    tangent: Literal["exact", "perturbation", "forward", "initial"] = "exact"
    alike: p.Number | None = None
    fields: p.Rows = "last"
    localize: LocalizeSpec | None = None
