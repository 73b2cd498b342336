"""Where the cells of a structure are answered: in this process, or spread over others.

A region's points are cut into shards, whose size depends on the cell only: an answer does not
depend, to the last bit, on how many processes there are, which of them answers which shard, or
how often. Values that stay where they were computed are "held"; a list of them has one entry
for each shard.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import jax
import numpy as np

from scalebridge.structure.answers import Answers, Part, Points, Question, join_parts
from scalebridge.structure.balance import Balance
from scalebridge.structure.cell_points import CellPoints

_VOXELS = 2**16  # of a shard: tenths of a second of work
_MOST = 64


class Workers(abc.ABC):
    """Processes that answer the cells of a structure.

    Attributes
    ----------
    rank, size : int
        Which of how many processes that all run the same program this one is.
    """

    rank = 0
    size = 1

    @abc.abstractmethod
    def share(self, value: Any) -> Any:
        """Hold a value that all shards need."""

    @abc.abstractmethod
    def call(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a function for each shard, and hold the results; arguments may be held."""

    @abc.abstractmethod
    def gather(self, held: Sequence[Any]) -> list[Any]:
        """Return what is held, in every process."""

    @abc.abstractmethod
    def put(self, values: Sequence[Any]) -> list[Any]:
        """Hold values; those of shards that live elsewhere may be None."""

    def keep(self, held: Sequence[Any]) -> list[Any]:
        """Hold from now on without what it was computed from."""
        return list(held)

    def here(self, held: Sequence[Any]) -> list[Any]:
        """Return what this process can tell of what is held, and None of the rest."""
        return self.gather(held)

    def is_here(self, shard: int, shards: int) -> bool:
        """Whether a shard is this process's to answer, or to hand out."""
        return True

    def agree(self, value: Any) -> Any:
        """Return what process 0 says."""
        return value

    @abc.abstractmethod
    def barrier(self) -> None:
        """Wait for the other processes that run the same program."""

    def spread(self, balance: Balance) -> Balance:
        """Return a structure whose cells are answered by these workers."""
        regions = tuple(
            dataclasses.replace(region, points=Shards(region.points, self))
            if isinstance(region.points, CellPoints)
            else region
            for region in balance.regions
        )
        return dataclasses.replace(balance, regions=regions)

    def failed(self, error: BaseException) -> None:
        """Learn that this process cannot go on: others that wait for it must not."""
        return

    @abc.abstractmethod
    def close(self) -> None:
        """Let the processes go."""

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Held(NamedTuple):
    """The states of a shard, and a guess for what comes next."""

    states: Any
    guess: Any = None


class Shards(Points):
    """Points of cells that workers answer, shard by shard.

    Parameters
    ----------
    points : CellPoints
    workers : Workers
    """

    def __init__(self, points: CellPoints, workers: Workers) -> None:
        self.points, self.workers = points, workers
        self.kinematics, self.is_symmetric = points.kinematics, points.is_symmetric
        self.count = points.count
        voxels = points.cell.discretisation.voxels
        size = int(np.clip(_VOXELS // voxels, 1, _MOST))
        self.ranges = [(k, min(k + size, self.count)) for k in range(0, self.count, size)]
        whole = workers.share(points)
        self.shards = workers.call(_select, [(whole, *ends) for ends in self.ranges])

    def one_virgin(self) -> Any:
        return self.points.one_virgin()

    def virgin(self) -> list[Any]:
        return self.workers.call(_virgin, [(shard,) for shard in self.shards])

    def answer(self, question: Question) -> Answers:
        q, workers = question, self.workers
        near = q.guess or [None] * len(self.shards)
        asked = [
            (shard, q._replace(gradients=q.gradients[a:b], states=None, guess=None), before, guess)
            for shard, (a, b), before, guess in zip(
                self.shards, self.ranges, q.states, near, strict=True
            )
        ]
        held = workers.call(_answer, asked)
        told = workers.gather(workers.call(_told, [(one,) for one in held]))
        columns = {
            name: np.concatenate(values) if values[0] is not None else None
            for name, *values in zip(Answers._fields, *told, strict=True)
        }
        return Answers(**{**columns, "states": held, "guess": held})  # type: ignore[arg-type]

    def commit(self, states: Any, work: np.ndarray) -> tuple[Any, Any]:
        done = [
            (shard, one, work[a:b])
            for shard, one, (a, b) in zip(self.shards, states, self.ranges, strict=True)
        ]
        kept = self.workers.keep(self.workers.call(_commit, done))
        return kept, kept

    def parts(self, states: Any) -> Sequence[Part]:
        return [
            Part(a, b, one.states)
            for (a, b), one in zip(self.ranges, self.workers.here(states), strict=True)
            if one is not None
        ]

    def take_up(self, parts: Sequence[Part]) -> Any:
        count = len(self.ranges)
        return self.workers.put(
            [
                Held(join_parts(parts, a, b)) if self.workers.is_here(k, count) else None
                for k, (a, b) in enumerate(self.ranges)
            ]
        )

    def rows(self, states: Any, rows: Sequence[int]) -> Any:
        starts = [a for a, _ in self.ranges]
        shards = np.searchsorted(starts, rows, side="right") - 1
        own = [
            [row - a for row, k in zip(rows, shards, strict=True) if k == s]
            for s, a in enumerate(starts)
        ]
        found = self.workers.gather(self.workers.call(_rows, list(zip(states, own, strict=True))))
        order = np.argsort(np.argsort(shards, kind="stable"), kind="stable")
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[order], *found)

    def whole(self, states: Any) -> tuple[Points, Any]:
        """Return points and their states as they outlive the workers, if one process has all."""
        if self.workers.size > 1:
            return self, states
        return self.points, self.points.take_up(self.parts(states))


def _select(points: CellPoints, start: int, stop: int) -> CellPoints:
    return points.select(np.arange(start, stop))


def _virgin(points: CellPoints) -> Held:
    return Held(points.virgin())


def _answer(points: CellPoints, question: Question, before: Any, near: Any) -> Answers:
    guess = None if near is None else near.guess
    return points.answer(question._replace(states=before.states, guess=guess))


def _told(answers: Answers) -> Answers:
    """Return what the structure must know now."""
    return answers._replace(states=None, guess=None)


def _commit(points: CellPoints, held: Any, work: np.ndarray) -> Held:
    states, guess = points.commit(jax.tree.map(np.asarray, held.states), work)
    return Held(states, jax.tree.map(np.asarray, guess))


def _rows(held: Any, rows: list[int]) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[rows], held.states)


class InProcess(Workers):
    """Shards that are answered one after another in this process: what others are compared to."""

    def share(self, value: Any) -> Any:
        return value

    def call(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [function(*given) for given in arguments]

    def gather(self, held: Sequence[Any]) -> list[Any]:
        return list(held)

    def put(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def barrier(self) -> None:
        return

    def close(self) -> None:
        return
