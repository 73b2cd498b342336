"""Laws in a study file: the linear ones and the closed forms; `schema_nonlinear` has the others."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from scalebridge.study import schema_nonlinear as n
from scalebridge.study import schema_parts as p
from scalebridge.study.schema_parts import Part


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
    | SelfConsistentLaw
    | n.J2Plasticity
    | n.Perzyna
    | n.Norton
    | n.GeneralizedMaxwell
    | n.PowerLawConduction
    | n.SaintVenantKirchhoff
    | n.NeoHookean
    | n.MooneyRivlin
    | n.Ogden
    | n.HolzapfelGasserOgden,
    Field(discriminator="type"),
]


Physics = Literal[
    "conduction", "diffusion", "electric", "dielectric", "elasticity", "finite_strain"
]
PHYSICS: tuple[Physics, ...] = get_args(Physics)


class PhaseLaws(Part):
    """A law for each physics; the first four are of one form, flux = k(gradient) · gradient."""

    conduction: Law | None = None
    diffusion: Law | None = None
    electric: Law | None = None
    dielectric: Law | None = None
    elasticity: Law | None = None
    finite_strain: Law | None = None
    orientation: Orientation | None = None


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
):
    _model.model_rebuild()
