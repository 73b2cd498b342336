"""The macroscopic problem: bodies on finite element meshes, whose law may be a Cell (FE²)."""

from scalebridge import _runtime as _runtime
from scalebridge.structure.localization import Localized, localize
from scalebridge.structure.marching import StepProgress
from scalebridge.structure.meshes import (
    annulus,
    box,
    cooks_membrane,
    plate_with_hole,
    rectangle,
)
from scalebridge.structure.read_mesh import read_mesh, read_points
from scalebridge.structure.schedule import Table
from scalebridge.structure.solution import Solution
from scalebridge.structure.structure import Structure

__all__ = [
    "Localized",
    "Solution",
    "StepProgress",
    "Structure",
    "Table",
    "annulus",
    "box",
    "cooks_membrane",
    "localize",
    "plate_with_hole",
    "read_mesh",
    "read_points",
    "rectangle",
]
