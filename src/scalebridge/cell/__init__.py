"""The RVE problem: grid, elements, operator, solver, and the Cell, which is a Law."""

from scalebridge import _runtime as _runtime
from scalebridge.cell.cell import Cell
from scalebridge.cell.solver import Solver

__all__ = ["Cell", "Solver"]
