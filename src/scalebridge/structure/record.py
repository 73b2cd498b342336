"""What is known of a structure's solve: rows that are done, and the state that goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from scalebridge.structure.answers import Part
from scalebridge.structure.balance import Balance
from scalebridge.structure.chosen_points import Chosen
from scalebridge.structure.newton import Iteration, Moment
from scalebridge.structure.workers import Workers

#: Of regions, and by the names of `Solution.fields`.
Fields = Mapping[str, dict[str, np.ndarray]]


class Committed(NamedTuple):
    """A state in balance, and the increment that led to it.

    Attributes
    ----------
    u, internal : (node, component)
    states : tuple of pytrees
        Of the points, by region, as they hold them.
    guesses : dict of region to pytree
    work : tuple of (point,) int
        Iterations that the points took for the last answer, by region.
    moment : Moment
    increment : (node, component) or None
    pull : (n,) or None
        How supports and loads changed in the increment.
    size : float
        Norm of the element forces.
    """

    u: np.ndarray
    states: tuple[Any, ...]
    guesses: dict[str, Any]
    work: tuple[np.ndarray, ...]
    internal: np.ndarray
    moment: Moment
    increment: np.ndarray | None
    pull: np.ndarray | None
    size: float


class Row(NamedTuple):
    """A time that was reached.

    Attributes
    ----------
    number : int
    time : float
    u : (node, component)
    work, stored, dissipated : float
        From the beginning.
    reactions : mapping of support to (component,)
    iterations : tuple of tuples of Iteration
        By substep.
    fields : Fields or None
        Where they are kept.
    watched : mapping of (element, point) to pytree
        States of the points that are watched, where fields are kept.
    """

    number: int
    time: float
    u: np.ndarray
    work: float
    stored: float
    dissipated: float
    reactions: Mapping[str, np.ndarray]
    iterations: tuple[tuple[Iteration, ...], ...] = ()
    fields: Fields | None = None
    watched: Mapping[Chosen, Any] = MappingProxyType({})


class Totals(NamedTuple):
    """Sums over the steps, and what they are relative to.

    Attributes
    ----------
    dissipation : tuple of (point,)
        By region.
    first : float
        Energy at rest.
    """

    dissipation: tuple[np.ndarray, ...]
    first: float


class Snapshot(NamedTuple):
    """All that a solve goes on from, beside its rows.

    Attributes
    ----------
    now : Committed
        Without states and guesses.
    totals : Totals
    fields : Fields
        Of the last row.
    work : dict of region to (point,) int
        Iterations of the micro problems so far.
    parts : tuple of sequences of Part
        States of the points, by region, those that are in this process.
    """

    now: Committed
    totals: Totals
    fields: Fields
    work: dict[str, np.ndarray]
    parts: tuple[Sequence[Part], ...]


class Saved(NamedTuple):
    """What a checkpoint gives back; the parts cover all points."""

    rows: tuple[Row, ...]
    snapshot: Snapshot


class Saves(Protocol):
    """Where a solve is saved as it goes on, such as `scalebridge.StructureCheckpoint`."""

    def restore(self, balance: Balance, times: np.ndarray, options: str) -> Saved | None:
        """Return what was saved of this very problem, if anything."""

    def save(self, row: Row, snapshot: Snapshot, workers: Workers | None) -> None:
        """Save a row that was reached; other ranks of an MPI job save it too, with their parts."""
