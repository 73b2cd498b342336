"""The study file as pydantic models; `Study` is the whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StrictBool

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_parts import Part

# ---- microstructure


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
    symmetric: StrictBool = False
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

# ---- laws


class Euler(Part):
    """Bunge angles φ1, Φ, φ2: numbers are radians."""

    type: Literal["euler"]
    angles: p.Angles


class AxisAngle(Part):
    """A turn about an axis by the right-hand rule."""

    type: Literal["axis"]
    axis: p.Direction
    angle: p.Angle


class RotationMatrix(Part):
    """The rotation that takes the material's axes to those of the image."""

    type: Literal["matrix"]
    matrix: p.Matrix3


class AllDirections(Part):
    """Every direction alike."""

    type: Literal["random"]


Orientation = Annotated[Euler | AxisAngle | RotationMatrix, Field(discriminator="type")]
InclusionOrientation = Annotated[
    Euler | AxisAngle | RotationMatrix | AllDirections, Field(discriminator="type")
]


class Conduction(Part):
    type: Literal["conduction"]
    k: p.Conductivity


class Isotropic(Part):
    type: Literal["isotropic"]
    E: p.Stress
    nu: p.Number


class Elastic(Part):
    """Any stiffness; the notation has no default, since a wrong guess is silent."""

    type: Literal["elastic"]
    notation: Literal["voigt", "mandel"]
    stiffness: p.Stiffness


class Cubic(Part):
    type: Literal["cubic"]
    C11: p.Stress
    C12: p.Stress
    C44: p.Stress


class Hexagonal(Part):
    type: Literal["hexagonal"]
    C11: p.Stress
    C12: p.Stress
    C13: p.Stress
    C33: p.Stress
    C44: p.Stress
    C66: p.Stress | None = None


class TransverselyIsotropic(Part):
    type: Literal["transversely_isotropic"]
    E_axial: p.Stress
    E_transverse: p.Stress
    nu_axial: p.Number
    nu_transverse: p.Number
    G_axial: p.Stress
    axis: p.Axis = "z"


class Orthotropic(Part):
    """`nu` is nu12, nu13, nu23; `G` is G23, G13, G12."""

    type: Literal["orthotropic"]
    E: p.Stresses
    nu: p.Three
    G: p.Stresses


class Void(Part):
    type: Literal["void"]


class Rigid(Part):
    type: Literal["rigid"]
    factor: p.Number = 1e4


class LaminateLaw(Part):
    type: Literal["laminate"]
    laws: list[Law]
    fractions: p.Numbers
    normal: p.Direction


class VoigtLaw(Part):
    type: Literal["voigt"]
    laws: list[Law]
    fractions: p.Numbers


class ReussLaw(Part):
    type: Literal["reuss"]
    laws: list[Law]
    fractions: p.Numbers


class HashinShtrikmanLaw(Part):
    type: Literal["hashin_shtrikman"]
    laws: list[Law]
    fractions: p.Numbers
    side: Literal["lower", "upper"]


class PolycrystalLaw(Part):
    type: Literal["polycrystal"]
    crystal: Law
    estimate: Literal["voigt", "reuss", "hill", "lower", "upper", "self-consistent"] = (
        "self-consistent"
    )


class CoatedSphereLaw(Part):
    type: Literal["coated_sphere"]
    core: Law
    coating: Law
    fraction: p.Number


class CoatedCylinderLaw(Part):
    type: Literal["coated_cylinder"]
    core: Law
    coating: Law
    fraction: p.Number
    axis: p.Axis = "z"


class Inclusion(Part):
    """Equal ellipsoids; without `semi_axes` spheres."""

    law: Law
    fraction: p.Number
    semi_axes: p.SemiAxes | None = None
    orientation: InclusionOrientation | None = None


class DiluteLaw(Part):
    type: Literal["dilute"]
    matrix: Law
    inclusions: list[Inclusion]


class MoriTanakaLaw(Part):
    type: Literal["mori_tanaka"]
    matrix: Law
    inclusions: list[Inclusion]


class DifferentialLaw(Part):
    type: Literal["differential"]
    matrix: Law
    inclusions: list[Inclusion]


class SelfConsistentLaw(Part):
    type: Literal["self_consistent"]
    phases: list[Inclusion]


Law = Annotated[
    Conduction
    | Isotropic
    | Elastic
    | Cubic
    | Hexagonal
    | TransverselyIsotropic
    | Orthotropic
    | Void
    | Rigid
    | LaminateLaw
    | VoigtLaw
    | ReussLaw
    | HashinShtrikmanLaw
    | PolycrystalLaw
    | CoatedSphereLaw
    | CoatedCylinderLaw
    | DiluteLaw
    | MoriTanakaLaw
    | DifferentialLaw
    | SelfConsistentLaw,
    Field(discriminator="type"),
]


class PhaseLaws(Part):
    """A law for each physics; the first four are of one form, flux = k · gradient."""

    conduction: Law | None = None
    diffusion: Law | None = None
    electric: Law | None = None
    dielectric: Law | None = None
    elasticity: Law | None = None
    orientation: Orientation | None = None


Physics = Literal["conduction", "diffusion", "electric", "dielectric", "elasticity"]
PHYSICS: tuple[Physics, ...] = get_args(Physics)

# ---- what is asked


class CellSpec(Part):
    """One cell and what is asked of it; see `scalebridge.Cell` and `scalebridge.effective`."""

    physics: Physics
    boundary: p.Boundary = "periodic"
    element: Literal["reduced", "full", "bbar", "volume"] | None = None
    plane: Literal["strain", "stress", "generalized"] | None = None
    tolerance: p.Number = 1e-6
    measure: Literal["tensor", "residual"] = "tensor"
    fields: p.Cases = True
    field_tolerance: p.Number = 1e-4
    max_iterations: p.Count = 1000


class Sweep(Part):
    """Dotted paths into the study and the values to put there, one run for each point."""

    parameters: dict[str, list[Any]]
    mode: Literal["product", "zip"] = "product"


class Output(Part):
    """Where results go; the folder is relative to the study file."""

    folder: p.Word = "out"


class Study(Part):
    """A study: microstructure, laws, cells, sweep, output."""

    title: p.Word | None = None
    microstructure: Microstructure
    laws: dict[str, PhaseLaws]
    cells: dict[str, CellSpec] = Field(default_factory=dict)
    sweep: Sweep | None = None
    output: Output = Output()


for _model in (
    LaminateLaw,
    VoigtLaw,
    ReussLaw,
    HashinShtrikmanLaw,
    PolycrystalLaw,
    CoatedSphereLaw,
    CoatedCylinderLaw,
    Inclusion,
    DiluteLaw,
    MoriTanakaLaw,
    DifferentialLaw,
    SelfConsistentLaw,
    PhaseLaws,
    Study,
):
    _model.model_rebuild()
