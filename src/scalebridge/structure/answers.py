"""What the points of a region answer: (gradients, states) → (fluxes, tangents, new states).

The one door through which a structure sees its material, closed form or cell, in this process
or in others. It is pure: states come in and go out, and the structure commits them when its own
step has converged.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.laws.protocol import Kinematics


class Question(NamedTuple):
    """What the points of a region are asked.

    Attributes
    ----------
    gradients : (point, component)
    states : pytree with a leading axis for the points
        At the start of the step; what `Points.virgin` or `Answers.states` has given.
    dt : float
    tolerance : float
        Relative residual of micro problems.
    accuracy : float or None
        Relative, of the tangents of micro problems; None: they are not needed. Closed forms
        give theirs in any case.
    guess : pytree, optional
        `Answers.guess` of a question with gradients near by.
    """

    gradients: np.ndarray
    states: Any
    dt: float
    tolerance: float
    accuracy: float | None
    guess: Any = None


class Answers(NamedTuple):
    """Of all points of a region.

    Attributes
    ----------
    flux : (point, component)
        NaN where a point has no answer.
    tangents : (point, component, component) or (component, component) or None
    states : pytree with a leading axis for the points
    energy, dissipation : (point,)
    guess : pytree or None
        What the next call may start from.
    work : (point,) int
        Iterations of the micro problems.
    gradient : (point, component) or None
        What the points have seen, where they were free to choose some of it.
    solved : (point,) bool or None
        Where the tangents of micro problems had to be solved for.
    """

    flux: np.ndarray
    tangents: np.ndarray | None
    states: Any
    energy: np.ndarray
    dissipation: np.ndarray
    guess: Any
    work: np.ndarray
    gradient: np.ndarray | None = None
    solved: np.ndarray | None = None


class Part(NamedTuple):
    """States of the points from `start` to `stop`, as arrays."""

    start: int
    stop: int
    states: Any


class Points(abc.ABC):
    """The points of one region."""

    kinematics: Kinematics
    is_symmetric: bool
    count: int

    @abc.abstractmethod
    def one_virgin(self) -> Any:
        """Return the state of one virgin point."""

    def virgin(self) -> Any:
        """Return the states of the virgin points."""
        return jax.tree.map(
            lambda leaf: jnp.broadcast_to(jnp.asarray(leaf), (self.count, *jnp.shape(leaf))),
            self.one_virgin(),
        )

    @abc.abstractmethod
    def answer(self, question: Question) -> Answers:
        """Answer the gradients of all points."""

    def commit(self, states: Any, work: np.ndarray) -> tuple[Any, Any]:
        """Return the states of a step that is done, and a guess for the next one from them.

        The guess depends on nothing else, so that a computation that is taken up again goes on
        as one that was never stopped.
        """
        return states, None

    def parts(self, states: Any) -> Sequence[Part]:
        """Return the states that are in this process."""
        return [Part(0, self.count, jax.tree.map(np.asarray, states))]

    def take_up(self, parts: Sequence[Part]) -> Any:
        """Return the states of all points from parts that cover them."""
        return join_parts(parts, 0, self.count)

    def rows(self, states: Any, rows: Sequence[int]) -> Any:
        """Return the states of some points."""
        return jax.tree.map(lambda leaf: np.asarray(leaf)[list(rows)], states)


def join_parts(parts: Sequence[Part], start: int, stop: int) -> Any:
    """Return the states of a range of points."""
    needed = sorted((p for p in parts if p.start < stop and p.stop > start), key=lambda p: p.start)
    cuts = [
        jax.tree.map(lambda leaf, p=p: leaf[max(start - p.start, 0) : stop - p.start], p.states)
        for p in needed
    ]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *cuts)
