"""Newton's method for one step of a structure.

Micro problems are solved only as well as the outer iteration can use: to τ = O(r²) of the
outer residual r, which keeps Newton's order (Dembo, Eisenstat & Steihaug 1982, theorem 3.3),
and tightly at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scalebridge.structure.balance import Balance, Trial

_LOOSEST = 1e-3  # micro tolerance far from balance
_SHARE = 0.1  # of what the outer iteration can see
_TANGENT = 0.01  # relative error of the tangents, of the residual
_CLIMB = 0.8  # of the slope that a step may climb at its end
_TRIES = 5


class Moment(NamedTuple):
    """The end of a step: time, share of the ramp, and length of the step."""

    t: float
    share: float
    dt: float


class Iteration(NamedTuple):
    """One line of the table of residuals.

    Attributes
    ----------
    residual : float
        Relative to the forces inside the elements.
    tolerance : float
        To which the micro problems were solved.
    work : int
        Iterations of the slowest micro problem.
    length : float
        How far along Newton's direction the next trial was.
    element : int
        Of the mesh, where the slowest micro problem is; −1 where there is none.
    """

    residual: float
    tolerance: float
    work: int
    length: float
    element: int = -1


class Attempt(NamedTuple):
    """How a step ended."""

    trial: Trial
    converged: bool
    iterations: tuple[Iteration, ...]


def solve(
    balance: Balance,
    start: np.ndarray,
    states: tuple[Any, ...],
    moment: Moment,
    *,
    tolerance: float,
    most: int,
    guesses: Mapping[str, Any],
    least: float = 0.0,
    report: Callable[[Iteration], None] | None = None,
) -> Attempt:
    """Find the nodal field in balance at the end of a step.

    Parameters
    ----------
    start : (node, component)
    states : of the points at the start of the step
    tolerance : float
        Relative residual.
    most : int
        Iterations.
    least : float
        Element forces at the start of the step: residuals are not relative to less.
    """
    prescribed = balance.supports.values(balance.space, moment.t, moment.share)
    tight = _SHARE * tolerance
    micro = max(tight, min(_LOOSEST, tolerance**0.5))
    evaluate = _Evaluate(balance, states, moment, dict(guesses), least)
    trial = evaluate(start, micro)
    lines: list[Iteration] = []
    length, rounding = 1.0, 0.0
    for _ in range(most + 1):
        lift = balance.supports.lift(prescribed, trial.u)
        held = not np.any(lift)
        good = trial.relative <= tolerance or trial.size <= rounding
        if held and trial.is_finite and good and micro > tight:
            micro = tight
            trial = evaluate(trial.u, micro)
            good = trial.relative <= tolerance or trial.size <= rounding
        work, element = balance.slowest(trial)
        lines.append(Iteration(trial.relative if held else np.inf, micro, work, length, element))
        if report is not None:
            report(lines[-1])
        if held and good:
            return Attempt(trial, True, tuple(lines))
        if not trial.is_finite or len(lines) > most:
            break
        if held:
            micro = max(tight, min(micro, _SHARE * trial.relative**2))
        trial = evaluate.with_tangents(trial, micro)
        blocks = balance.stiffness(trial, moment.t, moment.share)
        direction = balance.solve(blocks, trial.residual, lift)
        if not np.all(np.isfinite(direction)):
            break
        trial, length = _search(evaluate, trial, direction, micro, tolerance, held)
        rounding = balance.rounding(blocks, trial.u, prescribed)
    return Attempt(trial, False, tuple(lines))


class _Evaluate:
    """Trials of one step; each starts the micro problems from the last that converged."""

    def __init__(
        self,
        balance: Balance,
        states: tuple[Any, ...],
        moment: Moment,
        guesses: dict[str, Any],
        least: float,
    ) -> None:
        self.balance, self.states, self.moment, self.guesses = balance, states, moment, guesses
        self.least = least

    def __call__(self, u: np.ndarray, micro: float, accuracy: float | None = None) -> Trial:
        trial = self.balance.trial(
            u,
            self.states,
            *self.moment,
            tolerance=micro,
            accuracy=accuracy,
            guesses=self.guesses,
            least=self.least,
        )
        if trial.is_finite:
            self.guesses = {
                region.name: answer.guess
                for region, answer in zip(self.balance.regions, trial.answers, strict=True)
            }
        return trial

    def with_tangents(self, trial: Trial, micro: float) -> Trial:
        """Return the same trial with tangents, and with fluxes as good as the next step needs."""
        if all(answer.tangents is not None for answer in trial.answers):
            return trial
        # An error δ of the tangent leaves δ r of the residual r.
        accuracy = float(np.clip(_TANGENT * trial.relative, 1e-9, 1e-4))
        return self(trial.u, micro, accuracy)


def _search(
    evaluate: _Evaluate,
    trial: Trial,
    direction: np.ndarray,
    micro: float,
    tolerance: float,
    held: bool,
) -> tuple[Trial, float]:
    """Go along the direction as far as it helps.

    A step is good unless the potential climbs at its end nearly as steeply as it fell
    (Matthies & Strang 1979), or, without a potential, unless the residual grows. While
    prescribed values are still on their way, any trial that all points can answer is good.
    """
    symmetric = evaluate.balance.is_symmetric
    slope = abs(float(np.sum(trial.residual * direction)))
    size = float(np.linalg.norm(trial.residual))
    alpha = 1.0
    for _ in range(_TRIES):
        new = evaluate(trial.u + alpha * direction, micro)
        if new.is_finite:
            if not held or new.relative <= tolerance:
                break
            now = abs(float(np.sum(new.residual * direction)))
            good = now <= _CLIMB * slope if symmetric else np.linalg.norm(new.residual) <= size
            if good:
                break
            ratio = slope / (slope + now) if symmetric else 0.5
        else:
            ratio = 0.25
        alpha *= float(np.clip(ratio, 0.1, 0.5))
    return new, alpha
