"""How a cell problem is solved on the host: options, and the grids it passes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import bounded, cg, kernels, media, spectrum
from scalebridge.cell.cell import Cell
from scalebridge.cell.green import green_operator
from scalebridge.errors import InputError


@dataclass(frozen=True)
class Solver:
    """Options of the cell problem's solver. Each changes the cost, none the answer.

    Parameters
    ----------
    preconditioner : "single" or "double"
        Precision of the preconditioner's transforms inside the double-precision
        iteration.
    cascade : int
        Number of coarser grids, each of half the resolution, that the starting
        guess comes from.
    max_iterations : int
        Most iterations for a load case on a grid.
    """

    preconditioner: str = "single"
    cascade: int = 0
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        if self.preconditioner not in {"single", "double"}:
            raise InputError(
                f"`preconditioner` must be 'single' or 'double', but is {self.preconditioner!r}"
            )
        whole = isinstance(self.cascade, int) and isinstance(self.max_iterations, int)
        if not whole or self.cascade < 0 or self.max_iterations < 1:
            raise InputError(
                f"`cascade` must be an integer ≥ 0 and `max_iterations` one ≥ 1, but they are "
                f"{self.cascade!r} and {self.max_iterations!r}"
            )


@eqx.filter_jit
def _prepare(cell: Cell) -> tuple[Array, Array, Array, Array]:
    """Scale, packed table, moduli that span the spectrum, and reference; all scaled but the first.

    In 3D a turned phase has the spectrum of the phase itself; in 2D, of which a
    plane section of its modulus is seen, it has not.
    """
    moduli, reference = cell.moduli(), cell.reference()
    scale = jnp.max(jnp.abs(moduli))
    table = media.pack(cell.discretisation, moduli / scale)
    spanning = moduli if cell.dim == 2 else cell.phase_moduli()
    return scale, table, spanning / scale, reference / scale


class LinearCellProblem:
    """The scaled problem of a linear cell, and its coarser grids.

    Attributes
    ----------
    scale : float
        Largest modulus: the problem's moduli are divided by it.
    levels : list of Workspace
        The problem on the grid of the image, then on coarser ones.
    """

    COARSE_ERROR = 1e-3  # of the energy: coarse grids need not be better than their own error

    def __init__(self, cell: Cell, solver: Solver) -> None:
        disc = cell.discretisation
        scale, table, spanning, reference = _prepare(cell)
        self.scale = float(scale)
        floor = 0.0
        if not cell.has_void:
            floor = spectrum.floor(disc, *map(np.asarray, (reference, spanning)))
        fine = media.Media(cell.materials, table)
        single = solver.preconditioner == "single"
        self.levels: list[cg.Workspace] = []
        while True:
            invert = green_operator if disc.is_fourier else bounded.green_operator
            green = invert(disc, reference, single=single)
            self.levels.append(cg.Workspace(cg.Problem(disc, fine, green, floor)))
            coarser = disc.coarser()
            if coarser is None or len(self.levels) > solver.cascade:
                break
            fine = media.coarsen(disc, fine)
            disc = coarser

    def idle(self) -> cg.Outcome:
        """Return the outcome of a load case that the boundary condition undoes."""
        work = self.levels[0]
        nothing = np.zeros(work.problem.disc.components)
        done = cg.Step(0, 0.0, 0.0)
        return cg.Outcome(work.nodes(), work.nodes(), nothing, 0.0, 0.0, True, 0.0, done, "")

    def solve(
        self,
        mean: np.ndarray,
        target: cg.Target,
        report: Callable[[cg.Step], None] | None = None,
    ) -> cg.Outcome:
        """Solve under the average gradient `mean`, starting from the coarsest grid."""
        start = None
        for work in reversed(self.levels[1:]):
            rough = cg.Target(error=self.COARSE_ERROR, iterations=target.iterations)
            coarse = cg.solve(work, mean, rough, start).u
            start = kernels.prolong(work.problem.disc, coarse)
        return cg.solve(self.levels[0], mean, target, start, report)
