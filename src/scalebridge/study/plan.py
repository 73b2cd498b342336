"""What is to be solved and kept: the description that every front door hands to `execute`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge.study.job import goals_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.structure import Structure
    from scalebridge.study.load_path import LoadPath
    from scalebridge.upscaling import Stepping


@dataclass(frozen=True)
class Request:
    """One cell, and what is asked of it.

    Parameters
    ----------
    cell : Cell
    quantity : str
        What its tensor is called: "conductivity", "stiffness (Mandel)", …
    compare : bool
        Solve the other boundary conditions too, and bound the tensor.
    tolerance, measure, field_tolerance, max_iterations
        As in `scalebridge.effective` and `scalebridge.Solver`.
    cases : tuple of int
        Load cases whose local fields are drawn and stored; none: no fields are kept.
    named_cases : bool
        Name fields and pictures after their load case.
    conductivities : mapping of phase to number, optional
        Of isotropic conductors, for the tortuosity.
    """

    cell: Cell
    quantity: str
    compare: bool = False
    tolerance: float = 1e-6
    measure: str = "tensor"
    field_tolerance: float = 1e-4
    max_iterations: int = 1000
    cases: tuple[int, ...] = ()
    named_cases: bool = False
    conductivities: Mapping[str, float] = field(default_factory=dict)

    @property
    def goals(self) -> dict[str, float]:
        """What each load case is solved to: attribute of the progress event → target."""
        return goals_of(bool(self.cases), self.measure, self.tolerance, self.field_tolerance)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Boundary conditions in the order in which they are solved: the cell's own first."""
        if not self.compare:
            return (self.cell.boundary,)
        others = ("static", "kinematic")
        return ("periodic", *others, *(["through"] if self.cell.physics == "conduction" else []))


@dataclass(frozen=True)
class LoadRequest:
    """One load history.

    Parameters
    ----------
    cell : Cell
    path : LoadPath
    units : mapping of str to str
        "time" and the names of gradient and flux → SI unit, where the study gives units.
    tolerance, tangents, stepping
        As in `scalebridge.load`.
    keep : tuple of int
        Rows whose fields are stored.
    """

    cell: Cell
    path: LoadPath
    units: Mapping[str, str]
    tolerance: float
    tangents: bool
    keep: tuple[int, ...]
    stepping: Stepping


@dataclass(frozen=True)
class StructureRequest:
    """One structure, and what is asked of it.

    Parameters
    ----------
    name : str
        Part of the names of its files.
    structure : Structure
    times : (step,)
    units : mapping of str to str
        "time", "length", "field", "flux", "force" or "flow", "energy" → SI unit, where the study
        gives units.
    tolerance, newton_iterations, cuts
        As in `scalebridge.Structure.solve`.
    keep : tuple of int
        Rows whose fields at the points are stored.
    localize : tuple of (int, int)
        Elements and their points whose cells are written, at the rows of `keep` and the last.
    hardest : int
        How many more cells are at the last row: those with the most iterations.
    alike : float or None
        As in `scalebridge.Structure.solve`.
    """

    name: str
    structure: Structure
    times: NDArray[np.float64]
    units: Mapping[str, str]
    tolerance: float
    newton_iterations: int
    cuts: int
    keep: tuple[int, ...]
    localize: tuple[tuple[int, int], ...] = ()
    hardest: int = 0
    alike: float | None = None


@dataclass(frozen=True)
class Plan:
    """Cells to solve and to load, structures to follow, and where the results go.

    Parameters
    ----------
    microstructure : Microstructure or None
        Of the cells and load histories; None in a study of structures that have their own.
    requests : mapping of name to Request
        Solved in this order; names become parts of file names.
    loads : mapping of name to LoadRequest
        Solved after the cells, in this order; names differ from those of cells.
    structures : mapping of name to StructureRequest
        Solved last, in this order; names differ from those of all else.
    image : dict or None
        What the summary tells of the image.
    run : dict
        How the run was asked for: goes into the provenance.
    out : Path
    started : float [s]
        When the work began, on the clock of `time.perf_counter`.
    study : dict, optional
        The resolved study, for the provenance.
    """

    microstructure: Microstructure | None
    requests: Mapping[str, Request]
    image: Mapping[str, Any] | None
    run: Mapping[str, Any]
    out: Path
    started: float
    study: Mapping[str, Any] | None = None
    loads: Mapping[str, LoadRequest] = field(default_factory=dict)
    structures: Mapping[str, StructureRequest] = field(default_factory=dict)
