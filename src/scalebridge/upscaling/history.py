"""What a load history gives: average curves, the energy ledger, fields, the final state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jax import Array

from scalebridge.cell.nonlinear import CellState
from scalebridge.errors import InputError

_COLUMNS = ("gradient", "flux", "newton", "krylov", "substeps")


@dataclass(frozen=True)
class Ledger:
    """Where the work went, by time, from the beginning of the history; per volume.

    Attributes
    ----------
    work : (step,)
        Work of the averages, ∫ σ̄ : dε̄ by the trapezoidal rule.
    stored : (step,)
        Average free energy, less that at the beginning.
    dissipated : (step,)
        Average of what the laws dissipated.
    hill_mandel : (step,)
        |⟨σ : ε̇⟩ − ⟨σ⟩ : ⟨ε̇⟩| over the larger of ⟨|σ|⟩⟨|ε̇|⟩ and what the micro scale has, in
        the worst substep up to each time: the rates of work of both scales.
    least_dissipation : (step,)
        Smallest dissipation at any point in any substep since the time before.
    """

    work: np.ndarray
    stored: np.ndarray
    dissipated: np.ndarray
    hill_mandel: np.ndarray
    least_dissipation: np.ndarray

    @property
    def imbalance(self) -> np.ndarray:
        """Work that is neither stored nor dissipated: the error of the time integrator."""
        return self.work - self.stored - self.dissipated


class Snapshot(NamedTuple):
    """A committed state and what the next substep needs of it.

    Attributes
    ----------
    states : tuple of pytrees
    u : Field
    mean, average : (component,)
        Average gradient and flux.
    gradient, flux : (component, point, voxel)
    energy, dissipation : (point, voxel)
        Free energy; what has been dissipated so far.
    size : ()
    """

    states: Any
    u: Any
    mean: Array
    average: Array
    gradient: Array
    flux: Array
    energy: Array
    dissipation: Array
    size: Array


class End(NamedTuple):
    """What a history needs to go on: two committed states, and what lay between them.

    Attributes
    ----------
    now : Snapshot
    before : Snapshot or None
        Of the substep before, from which the next one extrapolates.
    dt : float
        Length of the last substep.
    first_energy : float
        Average free energy at the beginning of the history.
    """

    now: Snapshot
    before: Snapshot | None
    dt: float
    first_energy: float


@dataclass(frozen=True, repr=False)
class History:
    """Response of a cell to a load path.

    Attributes
    ----------
    times : (step,)
        Times reached.
    gradient, flux : (step, component)
        Averages: gradient and flux, strain and stress in Mandel components, or F and P row by
        row.
    ledger : Ledger
    tangents : (step, component, component) or None
        Consistent tangents ∂flux/∂gradient of the step that ends at each time; NaN at the first.
    fields : mapping of step to dict of (component, x, y[, z]) or (x, y[, z])
        Kept fields, averaged over each voxel: gradient and flux by the names of the physics,
        "energy", "dissipation", and the laws' internal variables, NaN where a phase has none.
    newton, krylov, substeps : (step,) int
        Iterations and substeps that led to each time.
    end : End
        From where `load(..., start=history)` goes on.
    converged : bool
    message : str
        Empty, or what went wrong and what to do about it.
    timings : dict of str to float [s]
    """

    times: np.ndarray
    gradient: np.ndarray
    flux: np.ndarray
    ledger: Ledger
    physics: str
    components: tuple[str, ...]
    newton: np.ndarray
    krylov: np.ndarray
    substeps: np.ndarray
    end: End
    tangents: np.ndarray | None = None
    fields: Mapping[int, dict[str, np.ndarray]] | None = None
    converged: bool = True
    message: str = ""
    timings: Mapping[str, float] | None = None

    def _of(self, physics: str, values: np.ndarray) -> np.ndarray:
        if self.physics != physics:
            raise InputError(
                f"strain and stress are those of elasticity, F and P of finite strain, but this "
                f"is a history of {self.physics}; use `gradient` and `flux`"
            )
        if physics == "finite strain":
            dim = round(values.shape[1] ** 0.5)
            return values.reshape(-1, dim, dim)
        return values

    @property
    def strain(self) -> np.ndarray:
        """Average strain, (step, component) in Mandel components."""
        return self._of("elasticity", self.gradient)

    @property
    def stress(self) -> np.ndarray:
        """Average stress, (step, component) in Mandel components."""
        return self._of("elasticity", self.flux)

    @property
    def F(self) -> np.ndarray:
        """Average deformation gradient, (step, dim, dim)."""
        return self._of("finite strain", self.gradient)

    @property
    def P(self) -> np.ndarray:
        """Average first Piola–Kirchhoff stress, (step, dim, dim)."""
        return self._of("finite strain", self.flux)

    @property
    def state(self) -> CellState:
        """State of the cell at the last time, as `Cell.respond` takes it."""
        now = self.end.now
        return CellState(now.states, now.u, now.mean, now.size)

    def rows(self) -> list[dict[str, Any]]:
        """Return what is known at each time."""
        columns = {
            "time": self.times,
            **{name: getattr(self, name) for name in _COLUMNS},
            **vars(self.ledger),
        }
        return [
            {name: values[row] for name, values in columns.items()}
            for row in range(len(self.times))
        ]

    def __repr__(self) -> str:
        last, balance = self.times[-1], abs(self.ledger.imbalance[-1])
        state = "" if self.converged else f"\nNOT CONVERGED: {self.message}"
        steps = len(self.times) - 1
        return (
            f"History of {self.physics}, {steps} steps to t = {last:g}, "
            f"{int(self.newton.sum())} Newton and {int(self.krylov.sum())} linear iterations\n"
            f"work {self.ledger.work[-1]:.6g} = stored {self.ledger.stored[-1]:.6g} + dissipated "
            f"{self.ledger.dissipated[-1]:.6g} (± {balance:.1e}), "
            f"Hill–Mandel {self.ledger.hill_mandel[-1]:.1e}{state}"
        )
