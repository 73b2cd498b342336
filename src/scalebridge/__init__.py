"""scalebridge: how a material behaves from what it is made of.

Names are loaded on first use, so that ``scalebridge --help`` does not wait for JAX.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("scalebridge")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOMES = {
    "Cell": "cell",
    "Checkpoint": "study.checkpoint",
    "ConvergenceError": "errors",
    "Effective": "upscaling",
    "InputError": "errors",
    "Interrupted": "errors",
    "Microstructure": "microstructure",
    "Solver": "cell",
    "Structure": "structure",
    "StructureCheckpoint": "study.structure_checkpoint",
    "WorkersLostError": "errors",
    "bounds": "upscaling",
    "effective": "upscaling",
    "generate": "microstructure",
    "load": "upscaling",
    "localize": "structure",
    "material_card": "study.cards",
    "open": "study.opened",
    "plot_estimates": "study.estimates",
    "read": "microstructure",
    "write_solution": "study.solution_file",
}
_SUBPACKAGES = (
    "analytic",
    "cell",
    "errors",
    "laws",
    "microstructure",
    "structure",
    "tensors",
    "upscaling",
)

__all__ = [
    "Cell",
    "Checkpoint",
    "ConvergenceError",
    "Effective",
    "InputError",
    "Interrupted",
    "Microstructure",
    "Solver",
    "Structure",
    "StructureCheckpoint",
    "WorkersLostError",
    "__version__",
    "analytic",
    "bounds",
    "effective",
    "generate",
    "laws",
    "load",
    "localize",
    "material_card",
    "open",
    "plot_estimates",
    "read",
    "structure",
    "tensors",
    "write_solution",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _SUBPACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'scalebridge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from scalebridge import analytic, laws, structure, tensors
    from scalebridge.cell import Cell, Solver
    from scalebridge.errors import ConvergenceError, InputError, Interrupted, WorkersLostError
    from scalebridge.microstructure import Microstructure, generate, read
    from scalebridge.structure import Structure, localize
    from scalebridge.study.cards import material_card
    from scalebridge.study.checkpoint import Checkpoint
    from scalebridge.study.estimates import plot_estimates
    from scalebridge.study.opened import open
    from scalebridge.study.solution_file import write_solution
    from scalebridge.study.structure_checkpoint import StructureCheckpoint
    from scalebridge.upscaling import Effective, bounds, effective, load
