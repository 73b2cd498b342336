"""How a material point responds: the Law protocol and the closed-form laws."""

from scalebridge import _runtime as _runtime
from scalebridge.laws.conduction import Conduction
from scalebridge.laws.elastic import Elastic, IsotropicElastic
from scalebridge.laws.hardening import (
    ArmstrongFrederick,
    IsotropicHardening,
    KinematicHardening,
    LinearHardening,
    PerfectlyPlastic,
    PowerHardening,
    PragerHardening,
    VoceHardening,
)
from scalebridge.laws.holzapfel import HolzapfelGasserOgden
from scalebridge.laws.hyperelastic import Hyperelastic
from scalebridge.laws.limits import Rigid, Void
from scalebridge.laws.mooney_rivlin import MooneyRivlin
from scalebridge.laws.neo_hookean import NeoHookean, SaintVenantKirchhoff
from scalebridge.laws.nonlinear_conduction import NonlinearConduction, PowerLawConduction
from scalebridge.laws.ogden import Ogden
from scalebridge.laws.plane import PlaneStrain, PlaneStress
from scalebridge.laws.plasticity import J2Plasticity
from scalebridge.laws.protocol import Kinematics, Law, LinearLaw, Response
from scalebridge.laws.standard import StandardMaterial
from scalebridge.laws.viscoelasticity import GeneralizedMaxwell
from scalebridge.laws.viscoplasticity import NortonCreep, PerzynaViscoplastic

__all__ = [
    "ArmstrongFrederick",
    "Conduction",
    "Elastic",
    "GeneralizedMaxwell",
    "HolzapfelGasserOgden",
    "Hyperelastic",
    "IsotropicElastic",
    "IsotropicHardening",
    "J2Plasticity",
    "KinematicHardening",
    "Kinematics",
    "Law",
    "LinearHardening",
    "LinearLaw",
    "MooneyRivlin",
    "NeoHookean",
    "NonlinearConduction",
    "NortonCreep",
    "Ogden",
    "PerfectlyPlastic",
    "PerzynaViscoplastic",
    "PlaneStrain",
    "PlaneStress",
    "PowerHardening",
    "PowerLawConduction",
    "PragerHardening",
    "Response",
    "Rigid",
    "SaintVenantKirchhoff",
    "StandardMaterial",
    "VoceHardening",
    "Void",
]
