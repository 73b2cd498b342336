"""What a structure did: nodal fields, reactions, energies and the evidence, by time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.alike_points import Sharing
from scalebridge.structure.balance import Region
from scalebridge.structure.chosen_points import Chosen
from scalebridge.structure.effort import Call
from scalebridge.structure.newton import Iteration
from scalebridge.structure.space import Space


@dataclass(frozen=True, repr=False)
class Solution:
    """Response of a structure to its loads.

    Attributes
    ----------
    physics : str
    plane : str or None
    space : Space
        Its mesh, `nodes` and `points`.
    regions : tuple of Region
        Their names, laws and elements.
    times : (step,)
        Times reached.
    field : (step, node, component)
        Displacement, or the conducted quantity with one component.
    reactions : mapping of support to (step, component)
        Resultant forces on the body (conduction: flow into it) in the components that the
        support holds; a node that two supports hold alike is counted with each.
    work, stored, dissipated : (step,)
        Energies from the beginning: work of loads and supports by the trapezoidal rule, stored
        by the laws and dissipated in them.
    fields : mapping of step to mapping of region to dict of (element, point, component)
        "gradient", "flux", "energy", and "dissipation" from the beginning (element, point), of
        the rows kept. In plane stress a 3D cell's gradient has the components it chose.
    iterations : tuple of tuples of tuples of Iteration
        By step and substep: the table of residuals.
    states : mapping of region to pytree
        Of the points at the last time; where they share them, or stay on the ranks of an MPI
        job, see `states_of`.
    converged : bool
    message : str
        Empty, or what went wrong and what to do about it.
    timings : dict of str to float [s]
        "micro", "assembly" and "linear" for the answers of the points, for nodal forces and
        stiffness, and for the linear equations; "compiling" for the first calls of all of them;
        "total".
    work_of_points : mapping of region to (element, point) int
        Iterations of the micro problems, of all steps.
    calls : tuple of Call
        What each answer of a region has cost.
    sharing : mapping of region to Sharing
        Where points that are alike shared their solves.
    watched : mapping of step to mapping of (element, point) to pytree
        States of the points that `solve` was asked to watch, of the rows kept.
    """

    physics: str
    plane: str | None
    space: Space
    regions: tuple[Region, ...]
    times: np.ndarray
    field: np.ndarray
    reactions: Mapping[str, np.ndarray]
    work: np.ndarray
    stored: np.ndarray
    dissipated: np.ndarray
    fields: Mapping[int, dict[str, dict[str, np.ndarray]]]
    iterations: tuple[tuple[tuple[Iteration, ...], ...], ...]
    states: Mapping[str, Any]
    converged: bool = True
    message: str = ""
    timings: Mapping[str, float] | None = None
    work_of_points: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    sharing: Mapping[str, Sharing] = dataclasses.field(default_factory=dict)
    watched: Mapping[int, Mapping[Chosen, Any]] = dataclasses.field(default_factory=dict)

    @property
    def displacement(self) -> np.ndarray:
        """Displacements of the nodes, (step, node, dim)."""
        if self.physics == "conduction":
            raise InputError("a structure in conduction has no displacement; use `temperature`")
        return self.field

    @property
    def temperature(self) -> np.ndarray:
        """The conducted quantity at the nodes, (step, node)."""
        if self.physics != "conduction":
            raise InputError("a structure in mechanics has no temperature; use `displacement`")
        return self.field[..., 0]

    def states_of(self, region: Region, rows: Sequence[int]) -> Any:
        """Return the states of some points of a region; on MPI all ranks must ask."""
        return region.points.rows(self.states[region.name], rows)

    def at(self, place: Any) -> np.ndarray:
        """Return the field at the node nearest to a place, (step, component)."""
        found = np.asarray(place, float)
        if found.shape != (self.space.dim,):
            raise InputError(f"`place` must be {self.space.dim} coordinates, but is {place!r}")
        distance = np.linalg.norm(self.space.nodes - found, axis=1)
        return self.field[:, int(np.argmin(distance))]

    def table(self, step: int = -1) -> str:
        """Return the residuals of a step as text, a line for each iteration."""
        lines = ["substep  iteration  residual   micro tolerance  slowest micro problem"]
        for number, substep in enumerate(self.iterations[step], start=1):
            for k, line in enumerate(substep):
                residual = "   (lift)" if np.isinf(line.residual) else f"{line.residual:9.2e}"
                lines.append(
                    f"{number:7d}  {k:9d}  {residual}  {line.tolerance:15.1e}  {line.work:6d}"
                )
        return "\n".join(lines)

    def __repr__(self) -> str:
        steps = len(self.times) - 1
        newton = sum(len(substep) - 1 for row in self.iterations for substep in row)
        state = "" if self.converged else f"\nNOT CONVERGED: {self.message}"
        shared = "".join(
            f"\n{name}: {told.groups[-1]} solves serve {told.points} points, whose fluxes err by "
            f"{np.max(told.error):.1e}"
            for name, told in self.sharing.items()
        )
        return (
            f"Solution in {self.physics}, {len(self.space.nodes)} nodes, {steps} steps to t = "
            f"{self.times[-1]:g}, {newton} Newton iterations\nwork {self.work[-1]:.6g}, stored "
            f"{self.stored[-1]:.6g}, dissipated {self.dissipated[-1]:.6g}{shared}{state}"
        )
