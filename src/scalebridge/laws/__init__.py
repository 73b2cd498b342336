"""How a material point responds: the Law protocol and the closed-form laws."""

from scalebridge import _runtime as _runtime
from scalebridge.laws.conduction import Conduction
from scalebridge.laws.elastic import Elastic, IsotropicElastic
from scalebridge.laws.limits import Rigid, Void
from scalebridge.laws.plane import PlaneStrain, PlaneStress
from scalebridge.laws.protocol import Kinematics, Law, LinearLaw, Response

__all__ = [
    "Conduction",
    "Elastic",
    "IsotropicElastic",
    "Kinematics",
    "Law",
    "LinearLaw",
    "PlaneStrain",
    "PlaneStress",
    "Response",
    "Rigid",
    "Void",
]
