"""Laws in a study file that are not linear: keys are the arguments of `scalebridge.laws`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scalebridge.study import schema_parts as p
from scalebridge.study.schema_parts import Part

# ---- hardening


class PerfectlyPlastic(Part):
    type: Literal["perfect"]


class LinearHardening(Part):
    type: Literal["linear"]
    H: p.Stress


class VoceHardening(Part):
    type: Literal["voce"]
    Q: p.Stress
    b: p.Number
    H: p.Stress = 0.0


class PowerHardening(Part):
    type: Literal["power"]
    K: p.Stress
    n: p.Number
    eps0: p.Number = 0.0


class PragerHardening(Part):
    type: Literal["prager"]
    C: p.Stress


class ArmstrongFrederick(Part):
    type: Literal["armstrong_frederick"]
    C: p.Stress
    gamma: p.Number


Hardening = Annotated[
    PerfectlyPlastic | LinearHardening | VoceHardening | PowerHardening,
    Field(discriminator="type"),
]
Kinematic = Annotated[PragerHardening | ArmstrongFrederick, Field(discriminator="type")]

# ---- small strain


class J2Plasticity(Part):
    type: Literal["j2_plasticity"]
    E: p.Stress
    nu: p.Number
    yield_stress: p.Stress
    hardening: Hardening | None = None
    kinematic: Kinematic | None = None


class Perzyna(Part):
    """`scalebridge.laws.PerzynaViscoplastic`."""

    type: Literal["perzyna"]
    E: p.Stress
    nu: p.Number
    yield_stress: p.Stress
    rate: p.Rate
    drag: p.Stress
    exponent: p.Number
    hardening: Hardening | None = None
    kinematic: Kinematic | None = None


class Norton(Part):
    """`scalebridge.laws.NortonCreep`."""

    type: Literal["norton"]
    E: p.Stress
    nu: p.Number
    rate: p.Rate
    stress: p.Stress
    exponent: p.Number


class ShearBranches(Part):
    g: p.NumberOrNumbers
    tau: p.Durations


class BulkBranches(Part):
    k: p.NumberOrNumbers
    tau: p.Durations


class GeneralizedMaxwell(Part):
    type: Literal["generalized_maxwell"]
    E: p.Stress
    nu: p.Number
    shear: ShearBranches | None = None
    bulk: BulkBranches | None = None
    scheme: Literal["exponential", "implicit"] = "exponential"


# ---- conduction


class PowerLawConduction(Part):
    """`scale` is a gradient, in the unit that the study's other numbers have."""

    type: Literal["power_law_conduction"]
    k: p.Conductivity
    exponent: p.Number
    scale: p.Number


# ---- finite strain


class SaintVenantKirchhoff(Part):
    type: Literal["saint_venant_kirchhoff"]
    E: p.Stress
    nu: p.Number


class NeoHookean(Part):
    type: Literal["neo_hookean"]
    E: p.Stress
    nu: p.Number


class MooneyRivlin(Part):
    type: Literal["mooney_rivlin"]
    C10: p.Stress
    C01: p.Stress
    K: p.Stress


class Ogden(Part):
    type: Literal["ogden"]
    mu: p.StressOrStresses
    alpha: p.NumberOrNumbers
    K: p.Stress


class HolzapfelGasserOgden(Part):
    """`directions` is one family of fibres, or a list of these."""

    type: Literal["holzapfel_gasser_ogden"]
    mu: p.Stress
    k1: p.Stress
    k2: p.Number
    kappa: p.Number
    K: p.Stress
    directions: p.Directions
