"""The macroscopic problem: bodies on finite element meshes, whose law may be a Cell (FE²)."""

from scalebridge import _runtime as _runtime
from scalebridge.structure.alike_points import Sharing
from scalebridge.structure.criteria import Criterion, MaxPrincipal, VonMises
from scalebridge.structure.dask_workers import DaskWorkers
from scalebridge.structure.hashin import Hashin
from scalebridge.structure.localization import Localized, localize
from scalebridge.structure.marching import StepProgress
from scalebridge.structure.meshes import (
    annulus,
    box,
    cooks_membrane,
    plate_with_hole,
    rectangle,
)
from scalebridge.structure.mpi_workers import MpiWorkers
from scalebridge.structure.puck import Puck
from scalebridge.structure.read_mesh import read_mesh, read_points
from scalebridge.structure.schedule import Table
from scalebridge.structure.solution import Solution
from scalebridge.structure.strength_estimate import Failure, Strength, strength
from scalebridge.structure.structure import Structure
from scalebridge.structure.workers import Workers

__all__ = [
    "Criterion",
    "DaskWorkers",
    "Failure",
    "Hashin",
    "Localized",
    "MaxPrincipal",
    "MpiWorkers",
    "Puck",
    "Sharing",
    "Solution",
    "StepProgress",
    "Strength",
    "Structure",
    "Table",
    "VonMises",
    "Workers",
    "annulus",
    "box",
    "cooks_membrane",
    "localize",
    "plate_with_hole",
    "read_mesh",
    "read_points",
    "rectangle",
    "strength",
]
