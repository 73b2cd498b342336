"""The balance of a structure: nodal forces of its regions, of its loads, and their derivative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import bsr_array

from scalebridge.laws.protocol import Law
from scalebridge.structure import linear
from scalebridge.structure.answers import Answers, Points
from scalebridge.structure.assembly import Pattern, element_matrices
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
    """

    space: Space
    regions: tuple[Region, ...]
    supports: Supports
    loads: Loads
    modes: np.ndarray
    linear_solver: str

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
            Of micro problems, and of their tangents; see `Points.answer`.
        guesses : mapping of region to `Answers.guess`
        least : float
            Forces are not relative to less: a body may be unloaded.
        """
        answers = tuple(
            region.points.answer(
                gradients,
                state,
                dt,
                tolerance=tolerance,
                accuracy=accuracy,
                guess=guesses.get(region.name),
            )
            for region, gradients, state in zip(
                self.regions, self.gradients(u), states, strict=True
            )
        )
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
        residual = np.where(self._settled, 0.0, external - internal)
        return Trial(u, answers, internal, external, residual, scale)

    @cached_property
    def _settled(self) -> np.ndarray:
        """Values without an equation of their own: held, or those of a master."""
        slave = self.supports.master != np.arange(len(self.supports.master))
        return self.supports.fixed | slave[:, None]

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
        """Return the nodal field with K u = rhs where it is free, and `lift` where it is held."""
        settled = self._settled
        load = rhs - self._pattern.product(blocks, np.where(settled, lift, 0.0))
        load[settled] = 0.0
        matrix: bsr_array = self._pattern.matrix(blocks, settled)
        x = linear.solve(
            matrix,
            load.ravel(),
            modes=np.where(settled, 0.0, self.modes).reshape(len(self.modes), -1),
            dim=self.space.dim,
            symmetric=self.is_symmetric,
            method=self.linear_solver,
        ).reshape(rhs.shape)
        return (np.where(settled, lift, x))[self.supports.master]
