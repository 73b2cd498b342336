"""Closed-form homogenisation: laminates, bounds and mean-field estimates. Each is a Law.

Every estimate takes laws of its phases and is one itself, so that estimates nest, stand for a
phase of a Cell, and can be differentiated by JAX. Fractions are volume fractions. Arguments are
checked where their values are known.
"""

from scalebridge import _runtime as _runtime
from scalebridge.analytic.averages import Reuss, Voigt
from scalebridge.analytic.coated_cylinder import CoatedCylinder
from scalebridge.analytic.coated_sphere import CoatedSphere
from scalebridge.analytic.differential import Differential
from scalebridge.analytic.dilute import Dilute
from scalebridge.analytic.hashin_shtrikman import HashinShtrikman
from scalebridge.analytic.hill import hill_tensor
from scalebridge.analytic.inclusion import Inclusion
from scalebridge.analytic.laminate import Laminate
from scalebridge.analytic.mori_tanaka import MoriTanaka
from scalebridge.analytic.polycrystal import Polycrystal
from scalebridge.analytic.self_consistent import SelfConsistent

__all__ = [
    "CoatedCylinder",
    "CoatedSphere",
    "Differential",
    "Dilute",
    "HashinShtrikman",
    "Inclusion",
    "Laminate",
    "MoriTanaka",
    "Polycrystal",
    "Reuss",
    "SelfConsistent",
    "Voigt",
    "hill_tensor",
]
