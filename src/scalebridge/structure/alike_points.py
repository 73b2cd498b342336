"""Points whose history and gradient are alike, which share one solve.

A group of them has one state, solved at the mean gradient ḡ of its members, who answer to first
order by its consistent tangent C:

    σ(g) = σ(ḡ) + C(ḡ) (g − ḡ).

Within a step this errs in second order of g − ḡ. That the histories of the members differ is
lost, which errs in first order, but both ways about the mean of a group. All of it is measured:
some members are solved again from rest, each on its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.spatial import cKDTree

from scalebridge.errors import InputError
from scalebridge.structure.answers import Answers, Part, Points, Question
from scalebridge.structure.balance import Balance
from scalebridge.structure.cell_points import CellPoints
from scalebridge.structure.transforms import apply, turn_back
from scalebridge.structure.workers import Workers

_ACCURACY = 1e-4  # of tangents that nobody but the members has asked for
_CHECKED = 8
_TOLERANCE = 1e-8  # of the micro problems that are solved again


class Sharing(NamedTuple):
    """How many solves the points of a region shared, and how far off their fluxes are.

    Attributes
    ----------
    points : int
    groups : (step,) int
        One solve serves each.
    error : (step,)
        Largest error of a flux, relative to the largest flux of the region, of eight points
        that were solved again from rest, each on its own: those that are in doubt most over
        all steps. NaN where that failed.
    """

    points: int
    groups: np.ndarray
    error: np.ndarray


class Past(NamedTuple):
    """What the points have seen and answered.

    Attributes
    ----------
    dt, groups : (substep,)
    gradients, flux : (substep, point, component)
        In the axes of the cells.
    """

    dt: np.ndarray
    groups: np.ndarray
    gradients: np.ndarray
    flux: np.ndarray


class Shared(NamedTuple):
    """The states of points that share them.

    Attributes
    ----------
    states : pytree with a leading axis for the groups
    group : (point,) int
    doubt : (point,)
        How far its flux may have been off; see `Groups.doubt`.
    past : Past
    """

    states: Any
    group: np.ndarray
    doubt: np.ndarray
    past: Past


class Near(NamedTuple):
    """A guess: how points were grouped, and what their groups start from.

    Attributes
    ----------
    group : (point,) int
    guess : pytree with a leading axis for the groups
    slopes : (group, component, component) or None
    """

    group: np.ndarray
    guess: Any
    slopes: np.ndarray | None


class Groups(NamedTuple):
    """What groups answer about the means of their members.

    Attributes
    ----------
    means, flux : (group, component)
    slopes : (group, component, component)
    """

    means: np.ndarray
    flux: np.ndarray
    slopes: np.ndarray

    def at(self, group: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """Return the fluxes of points to first order, by the group of each."""
        change = apply(self.slopes[group], gradients - self.means[group])
        return self.flux[group] + change

    def doubt(self, group: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """Return how far fluxes may be off, from what the nearest other group says of them."""
        apart = np.linalg.norm(gradients - self.means[group], axis=1)
        if len(self.means) == 1:
            return apart
        two = cKDTree(self.means).query(gradients, 2)[1]
        other = np.where(two[:, 0] == group, two[:, 1], two[:, 0])
        far = np.linalg.norm(gradients - self.means[other], axis=1) + apart
        differ = np.linalg.norm(self.at(group, gradients) - self.at(other, gradients), axis=1)
        return differ * np.divide(apart, far, out=np.zeros_like(far), where=far > 0)


class AlikePoints(Points):
    """Points of cells, of which those that are alike share one solve.

    Groups only ever split, so that the members of one have always been alike.

    Parameters
    ----------
    points : CellPoints
    alike : float
        How far a member may be from the mean of its group, relative to the largest gradient.
    """

    def __init__(self, points: CellPoints, alike: float) -> None:
        if points.tangent == "initial":
            raise InputError(
                "`alike` needs the tangents of the cells, by which points answer that share a "
                "solve, but `tangent` of the structure is 'initial'; use 'exact'"
            )
        # In their own axes, in which cells that are turned differently may be alike.
        self.cells, self.turns = points.select(np.arange(points.count)), points.turns
        self.cells.turns = None
        self.alike, self.tangent = alike, points.tangent
        self.kinematics, self.is_symmetric = points.kinematics, points.is_symmetric
        self.count = points.count

    def one_virgin(self) -> Any:
        nothing = np.zeros((0, self.count, self.kinematics.size))
        past = Past(np.zeros(0), np.zeros(0, int), nothing, nothing)
        return Shared(self.cells.one_virgin(), np.zeros((), int), np.zeros(()), past)

    def virgin(self) -> Shared:
        past = self.one_virgin().past
        states = self.cells.select(np.arange(1)).virgin()
        return Shared(states, np.zeros(self.count, int), np.zeros(self.count), past)

    def answer(self, question: Question) -> Answers:
        before: Shared = question.states
        near: Near = question.guess or Near(before.group, None, None)
        gradients = question.gradients
        if self.turns is not None:
            gradients = apply(self.turns, gradients)
        group = self._split(near.group, gradients)
        means, first = _means(group, gradients)
        old, then = near.group[first], before.group[first]  # the groups that these come from
        slopes = None if near.slopes is None else near.slopes[old]
        found = self._solved(
            question._replace(
                gradients=means,
                states=_rows(before.states, then),
                accuracy=question.accuracy or (_ACCURACY if slopes is None else None),
                guess=_rows(near.guess, old),
            )
        )
        # Members answer by tangents of the iteration before until there are new ones: the outer
        # iteration must not meet with jumps of its own making.
        slopes = slopes if found.tangents is None else found.tangents
        assert slopes is not None
        groups = Groups(means, found.flux, slopes)
        flux, seen = groups.at(group, gradients), found.gradient
        # What part of that work is lost, the group does not tell: it counts as stored.
        work = 0.5 * (found.flux[group] + flux) * (gradients - means[group])
        if seen is not None:  # what cells are free to choose, the members leave to their group
            seen = np.where(self.cells.free, seen[group], gradients)
        doubt = np.maximum(before.doubt, groups.doubt(group, gradients))
        now = Past(np.asarray(question.dt), np.asarray(len(first)), gradients, flux)
        past = Past(*(np.concatenate([a, b[None]]) for a, b in zip(before.past, now, strict=True)))
        tangents = None if found.tangents is None else slopes[group]
        if self.turns is not None:
            flux, tangents, seen = turn_back(self.turns, flux, tangents, seen)
        return Answers(
            flux=flux,
            tangents=tangents,
            states=Shared(found.states, group, doubt, past),
            energy=found.energy[group] + work.sum(axis=1),
            dissipation=found.dissipation[group],
            guess=Near(group, found.guess, slopes),
            work=_given(found.work, first, self.count),
            gradient=seen,
            solved=None if found.solved is None else _given(found.solved, first, self.count),
        )

    def _solved(self, question: Question) -> Answers:
        """Ask the groups, in batches of 2ⁿ: there would be ever new sizes to compile for."""
        found, start, count = [], 0, len(question.gradients)
        for bit in reversed(range(count.bit_length())):
            if count >> bit & 1:
                own = np.arange(start, start + 2**bit)
                asked = question._replace(
                    gradients=question.gradients[own],
                    states=_rows(question.states, own),
                    guess=_rows(question.guess, own),
                )
                found.append(self.cells.select(own).answer(asked))
                start += 2**bit
        whole: Answers = jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
        return whole

    def _split(self, group: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        """Return the groups once those that have become too wide are cut by a grid."""
        reach = self.alike * np.linalg.norm(gradients - self.kinematics.rest, axis=1).max()
        apart = gradients - _means(group, gradients)[0][group]
        wide = np.zeros(group.max() + 1, bool)
        wide[group[np.linalg.norm(apart, axis=1) > reach]] = True
        if not wide.any():
            return group
        box = reach / gradients.shape[1] ** 0.5  # whose diagonal is the reach
        keys = np.where(wide[group][:, None], np.round(apart / box) + 0.0, 0.0)
        return _numbered(np.column_stack([group, keys]))

    def commit(self, states: Shared, work: np.ndarray) -> tuple[Shared, Near]:
        spent = np.zeros(states.group.max() + 1, int)
        np.maximum.at(spent, states.group, work)
        own, guess = self.cells.select(np.arange(len(spent))).commit(states.states, spent)
        return states._replace(states=own), Near(states.group, guess, None)

    def parts(self, states: Shared) -> Sequence[Part]:
        # One part, by groups: it is as small as the states are.
        return [Part(0, self.count, jax.tree.map(np.asarray, states))]

    def take_up(self, parts: Sequence[Part]) -> Shared:
        (part,) = parts
        found: Shared = part.states
        return found

    def rows(self, states: Shared, rows: Sequence[int]) -> Any:
        return self.cells.rows(states.states, states.group[list(rows)].tolist())

    def sharing(self, states: Shared, times: np.ndarray) -> Sharing:
        """Return what sharing has saved, and measure what it cost, at times since rest."""
        past = states.past
        reached = np.concatenate([[0.0], np.cumsum(past.dt)])
        at = np.argmin(np.abs(reached - np.asarray(times)[:, None]), axis=1)
        groups = np.concatenate([[1], past.groups])
        error = np.concatenate([[0.0], self._errors(states)])
        return Sharing(self.count, groups[at], error[at])

    def _errors(self, states: Shared) -> np.ndarray:
        """Return the errors of the flux by substep, of some points solved on their own."""
        past, order = states.past, np.argsort(-states.doubt, kind="stable")
        _, best = np.unique(states.group[order], return_index=True)  # one of each group
        chosen = order[np.sort(best)][:_CHECKED]
        some = self.cells.select(chosen)
        own, guess, errors = some.virgin(), None, []
        for dt, gradients, flux in zip(past.dt, past.gradients, past.flux, strict=True):
            asked = Question(gradients[chosen], own, float(dt), _TOLERANCE, None, guess)
            found = some.answer(asked)
            own, guess = some.commit(found.states, found.work)
            apart = np.linalg.norm(found.flux - flux[chosen], axis=1).max()
            errors.append(apart / (np.linalg.norm(flux, axis=1).max() or 1.0))
        return np.array(errors)


def check_alike(alike: Any, workers: Workers | None) -> float:
    """Return a tolerance, unless it cannot be used."""
    if (
        isinstance(alike, bool)
        or not isinstance(alike, int | float | np.number)
        or not 0 < alike < 1
    ):
        raise InputError(
            f"`alike` must lie between 0 and 1, but is {alike!r}; try 0.01, or leave it out"
        )
    if workers is not None:
        raise InputError(
            "`alike` and `workers` exclude each other: points share a solve with any others of "
            "their region, of which each worker has some only; leave one of the two out"
        )
    return float(alike)


def share(balance: Balance, alike: float) -> Balance:
    """Return a structure in which the points of cells that are alike share their solves."""
    regions = tuple(
        dataclasses.replace(region, points=AlikePoints(region.points, alike))
        if isinstance(region.points, CellPoints)
        else region
        for region in balance.regions
    )
    if not any(isinstance(region.points, AlikePoints) for region in regions):
        raise InputError(
            "`alike` is for points of nonlinear cells, but this structure has none: linear cells "
            "are homogenised once in any case; leave it out"
        )
    return dataclasses.replace(balance, regions=regions)


def _numbered(keys: np.ndarray) -> np.ndarray:
    """Return numbers from 0 for rows of keys, one for those that are equal."""
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def _means(group: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of groups, and their first members."""
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    sums = np.zeros((len(first), values.shape[1]))
    np.add.at(sums, group, values)
    return sums / size[:, None], first


def _rows(tree: Any, at: np.ndarray) -> Any:
    """Return some rows of each leaf, the leaf itself if it is all of them in their order."""

    def rows(leaf: Any) -> Any:
        same = len(leaf) == len(at) and np.array_equal(at, np.arange(len(at)))
        return leaf if same else np.asarray(leaf)[at]

    return jax.tree.map(rows, tree)


def _given(values: np.ndarray, to: np.ndarray, count: int) -> np.ndarray:
    """Return an array of zeros that has values at some places."""
    found = np.zeros(count, values.dtype)
    found[to] = values
    return found
