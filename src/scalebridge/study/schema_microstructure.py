"""Microstructures in a study file: image files, and what is generated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_parts import Part


class Image(Part):
    """An image file; its path is relative to the study file."""

    type: Literal["image"]
    path: p.Word
    spacing: p.Spacing | None = None
    phases: p.Phases
    threshold: p.NumberOrNumbers | None = None
    method: Literal["otsu"] | None = None
    shape: p.Shape | None = None
    dtype: p.Word | None = None
    order: Literal["C", "F"] | None = None
    offset: p.Whole = 0
    key: p.Word | None = None
    flip: p.Word | None = None
    crop: p.Slices | None = None
    coarsen: p.Counts | None = None
    repeat: p.Counts | None = None


class Generated(Part):
    """What is made by rule; `scalebridge.generate` tells what each argument means."""

    shape: p.Shape
    spacing: p.Spacing = 1.0


class Spheres(Generated):
    type: Literal["spheres"]
    fraction: p.Number
    radius: p.Number
    seed: p.Whole
    gap: p.Number = 0.0
    names: p.Words | None = None
    max_attempts: p.Count | None = None


class Laminate(Generated):
    type: Literal["laminate"]
    fractions: p.Numbers
    axis: p.Axis = "x"
    names: p.Words | None = None


class Voronoi(Generated):
    type: Literal["voronoi"]
    grains: p.Count
    seed: p.Whole


class GaussianField(Generated):
    type: Literal["gaussian_field"]
    fractions: p.Numbers
    length: p.Spacing
    seed: p.Whole
    covariance: Literal["gaussian", "exponential"] = "gaussian"
    names: p.Words | None = None


class FibresImage(Generated):
    type: Literal["fibres"]
    fraction: p.Number
    radius: p.Number
    seed: p.Whole
    length: p.Number | None = None
    orientation: p.FibreOrientation = "z"
    gap: p.Number = 0.0
    names: p.Words | None = None
    max_attempts: p.Count | None = None


class CentredSphere(Generated):
    type: Literal["centred_sphere"]
    fraction: p.Number
    names: p.Words | None = None


class Checkerboard(Generated):
    type: Literal["checkerboard"]
    tiles: p.Counts = 2
    names: p.Words | None = None


class Gyroid(Generated):
    type: Literal["gyroid"]
    fraction: p.Number
    kind: Literal["gyroid", "schwarz_p", "diamond"] = "gyroid"
    network: Literal["sheet", "skeletal"] = "sheet"
    periods: p.Counts = 1
    symmetric: p.Flag = False
    names: p.Words | None = None


class Lattice(Part):
    """A regular array; `edge` sets the spacing."""

    shape: p.Shape
    fraction: p.Number | None = None
    radius: p.Length | None = None
    overlap: p.Number | None = None
    edge: p.Length = 1.0
    names: p.Words | None = None


class SquareArray(Lattice):
    type: Literal["square_array"]
    axis: p.Axis = "z"


class HexagonalArray(Lattice):
    type: Literal["hexagonal_array"]
    axis: p.Axis = "z"


class CubicArray(Lattice):
    type: Literal["cubic_array"]
    kind: Literal["sc", "bcc", "fcc"]


Microstructure = Annotated[
    Image
    | Spheres
    | Laminate
    | Voronoi
    | GaussianField
    | FibresImage
    | SquareArray
    | HexagonalArray
    | CubicArray
    | Gyroid
    | CentredSphere
    | Checkerboard,
    Field(discriminator="type"),
]
