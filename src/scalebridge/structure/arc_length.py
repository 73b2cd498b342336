"""Equilibrium paths beyond limit points: the loads become an unknown.

The share λ of the ramp and the nodal field are found together under ‖Δu‖ = ℓ (Crisfield 1981),
the constraint linearised as Newton's method does (Ramm 1981), so that no root is to be chosen:

    K δu = r + q δλ,     Δu · δu = (ℓ² − ‖Δu‖²)/2,     q = ∂(loads)/∂λ
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.balance import Balance, Trial
from scalebridge.structure.newton import Attempt, Iteration, Moment

_DIFFERENCE = 1e-6  # of the ramp, in the derivative of the loads
_BEST_ITERATIONS = 5
_ACCURACY = 1e-6  # of the tangents of cells
_MICRO = 0.1  # micro tolerance, of the tolerance


class Arc(NamedTuple):
    """A step along the path that was tried.

    Attributes
    ----------
    attempt : Attempt
    share : float
        λ at its end.
    length : float
        ℓ.
    """

    attempt: Attempt
    share: float
    length: float


class Ramp(NamedTuple):
    """Times at which the share of the ramp is 0 and 1, and the time of a step."""

    start: float
    end: float
    dt: float

    def at(self, share: float) -> Moment:
        """Return the moment of a share."""
        return Moment(self.start + share * (self.end - self.start), share, self.dt)


class Follower:
    """Steps along the equilibrium path of a structure.

    Parameters
    ----------
    balance : Balance
    ramp : Ramp
    tolerance : float
        Relative residual.
    most : int
        Iterations of a step.
    """

    def __init__(self, balance: Balance, ramp: Ramp, tolerance: float, most: int) -> None:
        self.balance, self.ramp, self.tolerance, self.most = balance, ramp, tolerance, most

    def first_length(self, start: Trial, states: tuple[Any, ...], share: float) -> float:
        """Return the length of a first step that would change λ by `share`, were all linear."""
        trial = self._trial(start.u, states, 0.0, {}, 0.0)
        length = share * float(np.linalg.norm(self._along(trial, 0.0)))
        if not length > 0:
            raise InputError(
                "`loads` and `supports` must grow with the ramp for `trace`, but nothing does; "
                "use `solve`"
            )
        return length

    def step(
        self,
        u: np.ndarray,
        share: float,
        states: tuple[Any, ...],
        guesses: dict[str, Any],
        before: np.ndarray | None,
        length: float,
        least: float,
    ) -> Arc:
        """Go on by ‖Δu‖ = length from a state in balance.

        Parameters
        ----------
        before : (node, component) or None
            The increment before, whose direction is kept.
        least : float
            Element forces at the start: residuals are not relative to less.
        """
        trial = self._trial(u, states, share, guesses, least)
        along = self._along(trial, share)
        forward = 1.0 if before is None or float(np.sum(along * before)) > 0 else -1.0
        change = forward * length / float(np.linalg.norm(along))
        increment, now = change * along, share + change
        lines: list[Iteration] = []
        for _ in range(self.most):
            trial = self._trial(u + increment, states, now, guesses, least)
            moment = self.ramp.at(now)
            lift = self._lift(trial.u, moment)
            # What is prescribed moves with λ: it is part of what is out of balance.
            apart = float(np.linalg.norm(lift)) / length
            lines.append(Iteration(trial.relative, self.tolerance * _MICRO, 0, 1.0))
            if not trial.is_finite:
                break
            if trial.relative <= self.tolerance and apart <= self.tolerance:
                return Arc(Attempt(trial, True, tuple(lines)), now, length)
            blocks = self.balance.stiffness(trial, moment.t, now)
            direct = self.balance.solve(blocks, trial.residual, lift)
            along = self._along(trial, now, blocks)
            gap = 0.5 * (length**2 - float(np.sum(increment**2)))
            slope = float(np.sum(increment * along))
            delta = (gap - float(np.sum(increment * direct))) / slope if slope else np.nan
            if not np.isfinite(delta):
                break
            increment = increment + direct + delta * along
            now += delta
        return Arc(Attempt(trial, False, tuple(lines)), now, length)

    def next_length(self, arc: Arc) -> float:
        """Return a length with which the next step may take a few iterations."""
        count = max(len(arc.attempt.iterations), 1)
        return arc.length * float(np.clip((_BEST_ITERATIONS / count) ** 0.5, 0.5, 2.0))

    def _trial(
        self,
        u: np.ndarray,
        states: tuple[Any, ...],
        share: float,
        guesses: dict[str, Any],
        least: float,
    ) -> Trial:
        return self.balance.trial(
            u,
            states,
            *self.ramp.at(share),
            tolerance=_MICRO * self.tolerance,
            accuracy=_ACCURACY,
            guesses=guesses,
            least=least,
        )

    def _lift(self, u: np.ndarray, moment: Moment) -> np.ndarray:
        supports = self.balance.supports
        values = supports.values(self.balance.space, moment.t, moment.share)
        return supports.lift(values, u)

    def _along(self, trial: Trial, share: float, blocks: np.ndarray | None = None) -> np.ndarray:
        """Return ∂u/∂λ at a trial with tangents."""
        balance, here = self.balance, self.ramp.at(share)
        there = self.ramp.at(share + _DIFFERENCE)
        if blocks is None:
            blocks = balance.stiffness(trial, here.t, share)
        loads = [
            balance.on_masters(balance.loads.forces(balance.space, trial.u, m.t, m.share))
            for m in (here, there)
        ]
        lifts = [self._lift(trial.u, m) for m in (here, there)]
        rate = (loads[1] - loads[0]) / _DIFFERENCE
        return balance.solve(blocks, rate, (lifts[1] - lifts[0]) / _DIFFERENCE)
