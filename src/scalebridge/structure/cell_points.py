"""Points each of which is a cell with a state of its own: FE²."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from scalebridge.cell import nonlinear
from scalebridge.cell.batch import Batch, Virgin, guess_from, respond_batch, virgin
from scalebridge.cell.cell import Cell
from scalebridge.structure.answers import Answers, Points, Question
from scalebridge.structure.transforms import apply, condense, gradient_turns, turn_back

#: How the tangents of cells are found: by the implicit function theorem, by central differences
#: ("perturbation"), by forward differences, or not at all: "initial" is that of the virgin cell.
TANGENTS = ("exact", "perturbation", "forward", "initial")
_STEP = 1e-4  # of the gradient, in differences
_PERTURBED = 1e-9  # micro tolerance that differences need


class CellPoints(Points):
    """Points each of which is a cell with a state of its own.

    Parameters
    ----------
    cell : Cell
        Not linear.
    count : int
    turns : (3, 3) or (point, 3, 3), optional
        From the axes of the cell to those of the structure.
    free : (component,) bool
        Average gradients that the cell is free to choose, so that their flux vanishes.
    tangent : one of `TANGENTS`
    """

    def __init__(
        self,
        cell: Cell,
        count: int,
        turns: np.ndarray | None,
        free: np.ndarray,
        tangent: str = "exact",
    ) -> None:
        self.cell, self.count, self.free, self.tangent = cell, count, free, tangent
        self.kinematics, self.is_symmetric = cell.kinematics, cell.is_symmetric
        self.turns = None if turns is None else gradient_turns(cell.kinematics, turns)
        self._linearised: list[Virgin] = []  # one at most; shared by points that are selected

    def _virgin(self, dt: float) -> Virgin:
        """Return the virgin cell, linearised."""
        dt = float(f"{dt:.13g}")  # steps that differ by rounding share it, whichever came first
        for known in self._linearised:
            if float(known.dt) == dt:
                return known
        equations = nonlinear.prepare(self.cell)
        before = nonlinear.virgin(equations, self.kinematics)
        free = jnp.asarray(self.free, float)
        found = virgin(equations, before, free, jnp.asarray(dt, float))
        self._linearised[:] = [found]
        return found

    def _predictor(self, dt: float) -> Virgin | None:
        """Return what spares elastic cells their solves; in finite strain none are."""
        return None if self.kinematics.physics == "finite strain" else self._virgin(dt)

    def one_virgin(self) -> Any:
        return self.cell.initial_state()

    def commit(self, states: Any, work: np.ndarray) -> tuple[Any, Any]:
        return states, guess_from(self.cell, states, self.free, work)

    def select(self, rows: np.ndarray) -> CellPoints:
        """Return some of the points."""
        chosen = CellPoints(self.cell, len(rows), None, self.free, self.tangent)
        turns = self.turns
        chosen.turns = turns if turns is None or turns.ndim == 2 else turns[rows]
        chosen._linearised = self._linearised
        return chosen

    def with_cell(self, cell: Cell) -> CellPoints:
        """Return the points with another cell of the same kinematics."""
        other = CellPoints(cell, self.count, None, self.free, self.tangent)
        other.turns = self.turns
        return other

    def answer(self, question: Question) -> Answers:
        gradients, accuracy = question.gradients, question.accuracy
        turned = gradients if self.turns is None else apply(self.turns, gradients)
        solved = accuracy is not None and self.tangent == "exact"
        perturbed = accuracy is not None and self.tangent in ("perturbation", "forward")
        found = respond_batch(
            self.cell,
            turned,
            question.states,
            question.dt,
            min(question.tolerance, _PERTURBED) if perturbed else question.tolerance,
            solved,
            guess=question.guess,
            free=self.free,
            virgin=self._predictor(question.dt),
            accuracy=accuracy or 1.0,
        )
        flux, slopes, seen = np.asarray(found.response.flux), found.tangents, None
        if self.free.any():
            seen = np.asarray(found.response.state.gradient)
        if perturbed:
            slopes = self._perturbed(turned, question.states, question.dt, found)
        elif accuracy is not None:
            if not solved:
                initial = np.asarray(self._virgin(question.dt).tangent)
                slopes = np.broadcast_to(initial, (self.count, *initial.shape))
            if self.free.any():
                slopes = condense(np.asarray(slopes), self.free)
        if self.turns is not None:
            flux, slopes, seen = turn_back(self.turns, flux, slopes, seen)
        return Answers(
            flux,
            slopes,
            found.response.state,
            np.asarray(found.response.energy),
            np.asarray(found.response.dissipation),
            found.guess,
            found.krylov,
            seen,
            np.full(self.count, True) if perturbed else found.solved,
        )

    def _perturbed(self, gradients: np.ndarray, states: Any, dt: float, found: Batch) -> np.ndarray:
        """Return tangents by differences, from micro problems that start at the solved one."""
        size = np.linalg.norm(gradients - self.kinematics.rest, axis=1)
        step = _STEP * np.maximum(size, size.max() or 1.0)[:, None]
        flux, guess = np.asarray(found.response.flux), found.guess
        slopes = np.zeros((*flux.shape, flux.shape[1]))

        def at(change: np.ndarray) -> np.ndarray:
            moved = respond_batch(
                self.cell,
                gradients + step * change,
                states,
                dt,
                _PERTURBED,
                False,
                guess=guess,
                free=self.free,
                virgin=self._predictor(dt),
            )
            return np.asarray(moved.response.flux)

        for column in np.flatnonzero(~self.free):
            unit = np.eye(flux.shape[1])[column]
            if self.tangent == "forward":
                slopes[:, :, column] = (at(unit) - flux) / step
            else:
                slopes[:, :, column] = (at(unit) - at(-unit)) / (2 * step)
        return slopes
