"""What a structure's solve has cost, call by call and term by term."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scalebridge._compiling import first_calls


class Call(NamedTuple):
    """An answer of all points of a region.

    Attributes
    ----------
    row : int
        That was being reached.
    region : str
    seconds : float
    points : int
    iterations : int
        Linear iterations of the micro problems of all points, those for tangents not counted.
    tangents : int
        Points whose tangents were asked for and had to be solved for.
    """

    row: int
    region: str
    seconds: float
    points: int
    iterations: int
    tangents: int


@dataclass
class Effort:
    """Seconds by term, and the calls to the points.

    Attributes
    ----------
    seconds : dict of str to float
        "micro", "assembly", "linear": the answers of the points, the nodal forces and stiffness,
        and the solution of the linear equations; "compiling": the first calls of all of them.
    calls : list of Call
    row : int
        That is being reached.
    work : dict of region to (point,) int
        Iterations of the micro problems.
    """

    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("micro", "assembly", "linear", "compiling"), 0.0)
    )
    calls: list[Call] = field(default_factory=list)
    row: int = 0
    work: dict[str, np.ndarray] = field(default_factory=dict)

    @contextmanager
    def measure(self, term: str) -> Iterator[None]:
        """Add the seconds of the block to a term, and those of first calls to theirs."""
        begun = time.perf_counter()
        try:
            with first_calls() as compiled:
                yield
        finally:
            spent = time.perf_counter() - begun
            compiling = min(compiled.seconds, spent)
            self.seconds["compiling"] += compiling
            self.seconds[term] += spent - compiling
