"""The balance of a structure: nodal forces of its regions, of its loads, and their derivative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import bsr_array

from scalebridge.laws.protocol import Law
from scalebridge.structure import linear
from scalebridge.structure.answers import Answers, Points, Question
from scalebridge.structure.assembly import Pattern, element_matrices
from scalebridge.structure.effort import Call, Effort
from scalebridge.structure.loads import Loads
from scalebridge.structure.space import Space
from scalebridge.structure.supports import Supports

_LARGEST_MOTION = 1e3  # of the prescribed values, of which it may be a turn
_ROUNDING = 16 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Region:
    """Elements of one law.

    Attributes
    ----------
    name : str
    law : Law
    elements : (n,) int
    turns : (3, 3), (point, 3, 3) or None
        Orientation of the material.
    operator : (component, component of the field · direction)
        M of the law's gradient.
    points : Points
        Element by element.
    """

    name: str
    law: Law
    elements: np.ndarray
    turns: np.ndarray | None
    operator: np.ndarray
    points: Points

    def gradients(self, u: np.ndarray, space: Space) -> np.ndarray:
        """Return the gradients at the points, (point, component)."""
        local = space.gather(u, self.elements) @ self.operator.T + self.points.kinematics.rest
        return local.reshape(-1, len(self.operator))


class Trial(NamedTuple):
    """A nodal field and what it brings about.

    Attributes
    ----------
    u : (node, component)
    answers : tuple of Answers
        One for each region.
    internal, external, residual : (node, component)
        Forces on the nodes; where boundaries are tied, summed up at the masters.
    size : float
        Norm of the element forces, or of the loads or what `trial` was given, if that is larger.
    """

    u: np.ndarray
    answers: tuple[Answers, ...]
    internal: np.ndarray
    external: np.ndarray
    residual: np.ndarray
    size: float

    @property
    def relative(self) -> float:
        """‖residual‖ of the free values over `size`."""
        norm = float(np.linalg.norm(self.residual))
        return norm / self.size if norm else 0.0

    @property
    def is_finite(self) -> bool:
        """Whether all points have answered."""
        return bool(np.all(np.isfinite(self.residual)))


@dataclass(frozen=True)
class Balance:
    """Nodal forces and stiffness of a structure.

    Attributes
    ----------
    space : Space
    regions : tuple of Region
    supports : Supports
    loads : Loads
    modes : (mode, node, component)
        Rigid motions.
    linear_solver : str
    effort : Effort
        What all of it has cost so far.
    """

    space: Space
    regions: tuple[Region, ...]
    supports: Supports
    loads: Loads
    modes: np.ndarray
    linear_solver: str
    effort: Effort = field(default_factory=Effort)

    @cached_property
    def _pattern(self) -> Pattern:
        master = self.supports.master
        parts = [master[self.space.connectivity[region.elements]] for region in self.regions]
        parts += [master[c] for c in self.loads.connectivities()]
        return Pattern(parts, *self.supports.fixed.shape)

    @property
    def is_symmetric(self) -> bool:
        """Whether the stiffness is."""
        follows = any(load.kind == "pressure" for load in self.loads.loads) and self.loads.follows
        return not follows and all(region.points.is_symmetric for region in self.regions)

    def virgin(self) -> tuple[Any, ...]:
        """Return the states of all points at rest."""
        return tuple(region.points.virgin() for region in self.regions)

    def commit(
        self, states: tuple[Any, ...], work: tuple[np.ndarray, ...]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the states of a step that is done, and guesses for the next; see `Points`."""
        kept, guesses = [], {}
        for region, own, spent in zip(self.regions, states, work, strict=True):
            state, guesses[region.name] = region.points.commit(own, spent)
            kept.append(state)
        return tuple(kept), guesses

    def gradients(self, u: np.ndarray) -> list[np.ndarray]:
        """Return the gradients at the points of each region, (point, component)."""
        return [region.gradients(u, self.space) for region in self.regions]

    def trial(
        self,
        u: np.ndarray,
        states: tuple[Any, ...],
        t: float,
        share: float,
        dt: float,
        *,
        tolerance: float,
        accuracy: float | None,
        guesses: Mapping[str, Any],
        least: float = 0.0,
    ) -> Trial:
        """Evaluate a nodal field at the end of a step.

        Parameters
        ----------
        tolerance, accuracy : float
            Of micro problems, and of their tangents; see `Question`.
        guesses : mapping of region to `Answers.guess`
        least : float
            Forces are not relative to less: a body may be unloaded.
        """
        asked = [
            Question(gradients, state, dt, tolerance, accuracy, guesses.get(region.name))
            for region, gradients, state in zip(
                self.regions, self.gradients(u), states, strict=True
            )
        ]
        answers = tuple(map(self._answer, self.regions, asked))
        with self.effort.measure("assembly"):
            return self._assembled(u, answers, t, share, least)

    def _answer(self, region: Region, question: Question) -> Answers:
        """Ask the points of a region, and note what it cost."""
        before = self.effort.seconds["micro"]
        with self.effort.measure("micro"):
            answer = region.points.answer(question)
        known = self.effort.work.get(region.name, np.zeros(region.points.count, int))
        self.effort.work[region.name] = known + answer.work
        self.effort.calls.append(
            Call(
                self.effort.row,
                region.name,
                self.effort.seconds["micro"] - before,
                region.points.count,
                int(answer.work.sum()),
                0 if answer.solved is None else int(answer.solved.sum()),
            )
        )
        return answer

    def _assembled(
        self, u: np.ndarray, answers: tuple[Answers, ...], t: float, share: float, least: float
    ) -> Trial:
        """Return the nodal forces of answers."""
        internal = np.zeros(u.shape)
        square = 0.0
        for region, answer in zip(self.regions, answers, strict=True):
            shape = (len(region.elements), -1, len(region.operator))
            local = self.space.scatter(
                answer.flux.reshape(shape) @ region.operator, region.elements
            )
            np.add.at(internal, self.space.connectivity[region.elements], local)
            square += float(np.sum(local**2))
        external = self.loads.forces(self.space, u, t, share)
        # Forces are relative to those inside the elements: their resultant may vanish.
        scale = max(float(np.sqrt(square)), float(np.linalg.norm(external)), least)
        internal, external = self.on_masters(internal), self.on_masters(external)
        residual = self._free(external - internal)
        return Trial(u, answers, internal, external, residual, scale)

    @cached_property
    def _slave(self) -> np.ndarray:
        """Nodes whose values are those of a master, (node, 1)."""
        return (self.supports.master != np.arange(len(self.supports.master)))[:, None]

    def _free(self, field: np.ndarray) -> np.ndarray:
        """Return the part of a field that has equations of its own, zero elsewhere."""
        return np.where(self._slave, 0.0, self.supports.free(field))

    def on_masters(self, forces: np.ndarray) -> np.ndarray:
        """Sum the forces on tied nodes up at their masters."""
        master = self.supports.master
        if np.array_equal(master, np.arange(len(master))):
            return forces
        found = np.zeros(forces.shape)
        np.add.at(found, master, forces)
        return found

    def stiffness(self, trial: Trial, t: float, share: float) -> np.ndarray:
        """Return the blocks of −∂residual/∂u at a trial that has tangents."""
        with self.effort.measure("assembly"):
            return self._stiffness(trial, t, share)

    def _stiffness(self, trial: Trial, t: float, share: float) -> np.ndarray:
        matrices = []
        for region, answer in zip(self.regions, trial.answers, strict=True):
            assert answer.tangents is not None
            C, count = answer.tangents, len(region.elements)
            if C.ndim == 3:
                C = C.reshape(count, -1, *C.shape[1:])
            gradients = self.space.gradients[region.elements]
            weights = self.space.weights[region.elements]
            matrices.append(element_matrices(region.operator, gradients, weights, C))
        matrices += [m for _, m in self.loads.stiffness(trial.u, t, share)]
        return self._pattern.assemble(matrices)

    def slowest(self, trial: Trial) -> tuple[int, int]:
        """Return the iterations of the slowest micro problem and its element, or (0, −1)."""
        most, element, count = 0, -1, self.space.weights.shape[1]
        for region, answer in zip(self.regions, trial.answers, strict=True):
            point = int(np.argmax(answer.work))
            if answer.work[point] > most:
                most, element = int(answer.work[point]), int(region.elements[point // count])
        return most, element

    def rounding(self, blocks: np.ndarray, u: np.ndarray, prescribed: np.ndarray) -> float:
        """Return what rounding alone may make of the forces of a rigid motion.

        Such a motion is as large as what is prescribed; at a limit load there are larger ones.
        """
        moved = np.minimum(np.abs(u), _LARGEST_MOTION * np.abs(prescribed).max())
        if self.regions[0].points.kinematics.physics == "finite strain":
            moved = moved + np.abs(self.space.nodes)
        forces = self._pattern.product(np.abs(blocks), moved[self.supports.master])
        return _ROUNDING * float(np.linalg.norm(forces))

    def solve(self, blocks: np.ndarray, rhs: np.ndarray, lift: np.ndarray) -> np.ndarray:
        """Return the nodal field with K u = rhs where it is free.

        Parameters
        ----------
        lift : (node, component)
            The part of it that is held, as `Supports.lift` gives it.
        """
        with self.effort.measure("linear"):
            return self._solve(blocks, rhs, lift)

    def _solve(self, blocks: np.ndarray, rhs: np.ndarray, lift: np.ndarray) -> np.ndarray:
        load = self._free(rhs - self._pattern.product(blocks, lift))
        settled = self.supports.fixed | self._slave
        matrix: bsr_array = self._pattern.matrix(blocks, settled, self.supports.oblique)
        x = linear.solve(
            matrix,
            load.ravel(),
            modes=self._free(self.modes).reshape(len(self.modes), -1),
            dim=self.space.dim,
            symmetric=self.is_symmetric,
            method=self.linear_solver,
        ).reshape(rhs.shape)
        return (self._free(x) + lift)[self.supports.master]
