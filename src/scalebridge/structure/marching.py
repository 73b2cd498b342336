"""Time stepping of a structure: rows one after another, in as many substeps as they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scalebridge.errors import ConvergenceError, InputError, Interrupted
from scalebridge.structure import newton
from scalebridge.structure.arc_length import Arc, Follower, Ramp
from scalebridge.structure.balance import Balance, Trial
from scalebridge.structure.newton import Attempt, Iteration, Moment
from scalebridge.structure.solution import Solution
from scalebridge.upscaling.path import parse_times


class StepProgress(NamedTuple):
    """An iteration of a structure, as `solve` reports it.

    Attributes
    ----------
    step, steps : int
        The row that is being reached, and the last one.
    time : float
        End of the substep.
    iteration : int
    line : Iteration
    """

    step: int
    steps: int
    time: float
    iteration: int
    line: Iteration


class _Committed(NamedTuple):
    """A state in balance, and the increment that led to it."""

    u: np.ndarray
    states: tuple[Any, ...]
    guesses: dict[str, Any]
    internal: np.ndarray
    moment: Moment
    increment: np.ndarray | None
    pull: np.ndarray | None
    size: float


def march(
    balance: Balance,
    times: Sequence[float],
    *,
    physics: str,
    plane: str | None,
    tolerance: float,
    keep: Sequence[int],
    newton_iterations: int,
    cuts: int,
    progress: Callable[[StepProgress], None] | None,
    throw: bool,
) -> Solution:
    """Solve all steps; see `Structure.solve`."""
    moments = parse_times(times)
    for row in keep:
        if not isinstance(row, int | np.integer) or not -len(moments) <= row < len(moments):
            raise InputError(f"`keep` must name rows of `times`, but has {row!r}")
    rows = {int(row) % len(moments) for row in keep}
    run = _Run(balance, moments, physics, plane, rows, progress)
    try:
        for row in range(1, len(moments)):
            message = run.advance(row, tolerance, newton_iterations, cuts)
            if message:
                if throw:
                    raise ConvergenceError(message, run.result(message))
                return run.result(message)
    except KeyboardInterrupt:
        raise Interrupted(run.result("interrupted by the user")) from None
    return run.result("")


def trace(
    balance: Balance,
    span: tuple[float, float],
    *,
    steps: int,
    first: float,
    physics: str,
    plane: str | None,
    tolerance: float,
    newton_iterations: int,
    cuts: int,
    throw: bool,
) -> Solution:
    """Follow an equilibrium path; see `Structure.trace`."""
    times = parse_times(span)
    run = _Run(balance, times, physics, plane, set(), None)
    ramp = Ramp(float(times[0]), float(times[1]), float(times[1] - times[0]) / steps)
    follower = Follower(balance, ramp, tolerance, newton_iterations)
    length = shortest = follower.first_length(run.first_trial, run.now.states, first)
    shortest *= 0.5**cuts
    message = ""
    try:
        for row in range(1, steps + 1):
            arc = run.arc(follower, length)
            while not arc.attempt.converged and length > shortest:
                length /= 2
                arc = run.arc(follower, length)
            if not arc.attempt.converged:
                message = (
                    f"step {row} along the path failed even when cut to a length of {length:.3g}; "
                    f"the path up to share {run.now.moment.share:.4g} of the loads is kept"
                )
                break
            if arc.share >= 1.0 and run.complete(row, arc, ramp, tolerance, newton_iterations):
                break
            run.follow(row, arc, ramp)
            length = follower.next_length(arc)
    except KeyboardInterrupt:
        raise Interrupted(run.result("interrupted by the user")) from None
    run.fields[len(run.rows) - 1] = run._fields(run.last)
    if message and throw:
        raise ConvergenceError(message, run.result(message))
    return run.result(message)


class _Run:
    """The steps of a structure, and what is known at each time."""

    def __init__(
        self,
        balance: Balance,
        times: np.ndarray,
        physics: str,
        plane: str | None,
        keep: set[int],
        progress: Callable[[StepProgress], None] | None,
    ) -> None:
        self.balance, self.times, self.physics, self.plane = balance, times, physics, plane
        self.keep, self.progress = keep, progress
        self.begun = time.perf_counter()
        u = np.zeros(balance.supports.fixed.shape)
        rest = Moment(float(times[0]), 0.0, float(times[1] - times[0]))
        states = balance.virgin()
        trial = balance.trial(u, states, *rest, tolerance=1e-3, accuracy=None, guesses={})
        self.now = _Committed(u, states, {}, trial.internal, rest, None, None, 0.0)
        self.lost = [np.zeros(len(answer.dissipation)) for answer in trial.answers]
        self.first_trial, self.first = trial, self._energy(trial)
        self.rows: list[dict[str, Any]] = []
        self.iterations: list[tuple[tuple[Iteration, ...], ...]] = [()]
        self.fields: dict[int, dict[str, dict[str, np.ndarray]]] = {}
        self._record(0, trial, 0.0, 0.0)

    def advance(self, row: int, tolerance: float, most: int, cuts: int) -> str:
        """Reach a row; return why it failed."""
        start, end = self.times[row - 1], self.times[row]
        done, length, smallest = 0.0, 1.0, 0.5**cuts
        work, dissipated = 0.0, 0.0
        table: list[tuple[Iteration, ...]] = []
        while done < 1.0:
            length = min(length, 1.0 - done)
            t = float(end if done + length >= 1.0 else start + (done + length) * (end - start))
            share = (t - self.times[0]) / (self.times[-1] - self.times[0])
            moment = Moment(t, float(share), float(length * (end - start)))
            attempt = self._attempt(row, moment, tolerance, most)
            table.append(attempt.iterations)
            if not attempt.converged:
                length /= 2
                if length < smallest:
                    return self._failure(row, moment, attempt, smallest)
                continue
            trial = attempt.trial
            work += self._work(trial)
            dissipated += self._integral(trial, "dissipation")
            self._commit(trial, moment)
            done, length = done + length, 2 * length
        self.iterations.append(tuple(table))
        self._record(row, trial, work, dissipated)
        return ""

    def arc(self, follower: Follower, length: float) -> Arc:
        """Try a step along the path."""
        now = self.now
        return follower.step(
            now.u, now.moment.share, now.states, now.guesses, now.increment, length, now.size
        )

    def follow(self, row: int, arc: Arc, ramp: Ramp) -> None:
        """Commit a step along the path."""
        trial = arc.attempt.trial
        work, dissipated = self._work(trial), self._integral(trial, "dissipation")
        self._commit(trial, ramp.at(arc.share))
        self.iterations.append((arc.attempt.iterations,))
        self._record(row, trial, work, dissipated)

    def complete(self, row: int, arc: Arc, ramp: Ramp, tolerance: float, most: int) -> bool:
        """End the path at the full loads, which a step has passed; return whether that worked."""
        now, passed = self.now, arc.attempt.trial.u
        part = (1.0 - now.moment.share) / (arc.share - now.moment.share)
        attempt = newton.solve(
            self.balance,
            now.u + part * (passed - now.u),
            now.states,
            ramp.at(1.0),
            tolerance=tolerance,
            most=most,
            guesses=now.guesses,
            least=now.size,
        )
        if attempt.converged:
            self.follow(row, Arc(attempt, 1.0, arc.length), ramp)
        return attempt.converged

    def _work(self, trial: Trial) -> float:
        """Return the work of the nodal forces since the last committed state."""
        mean = 0.5 * (trial.internal + self.now.internal)
        return float(np.sum(mean * (trial.u - self.now.u)))

    def _attempt(self, row: int, moment: Moment, tolerance: float, most: int) -> Attempt:
        count = 0

        def report(line: Iteration) -> None:
            nonlocal count
            if self.progress is not None:
                steps = len(self.times) - 1
                self.progress(StepProgress(row, steps, moment.t, count, line))
            count += 1

        return newton.solve(
            self.balance,
            self._extrapolated(moment),
            self.now.states,
            moment,
            tolerance=tolerance,
            most=most,
            guesses=self.now.guesses,
            least=self.now.size,
            report=report,
        )

    def _pull(self, begin: Moment, end: Moment) -> np.ndarray:
        """Return how prescribed values and loads change over a step, as one vector."""
        balance, u = self.balance, self.now.u
        values = [balance.supports.values(balance.space, m.t, m.share) for m in (begin, end)]
        forces = [balance.loads.forces(balance.space, u, m.t, m.share) for m in (begin, end)]
        return np.concatenate([(values[1] - values[0]).ravel(), (forces[1] - forces[0]).ravel()])

    def _extrapolated(self, moment: Moment) -> np.ndarray:
        """Return where to start: along the last increment, if the loads go on as they did."""
        now = self.now
        if now.increment is None or now.pull is None:
            return now.u
        ratio = moment.dt / now.moment.dt
        pull = self._pull(now.moment, moment)
        if np.linalg.norm(pull - ratio * now.pull) > 1e-6 * np.linalg.norm(pull):
            return now.u
        return now.u + ratio * now.increment

    def _commit(self, trial: Trial, moment: Moment) -> None:
        names = [region.name for region in self.balance.regions]
        self.now = _Committed(
            u=trial.u,
            states=tuple(answer.states for answer in trial.answers),
            guesses={n: a.guess for n, a in zip(names, trial.answers, strict=True)},
            internal=trial.internal,
            moment=moment,
            increment=trial.u - self.now.u,
            pull=self._pull(self.now.moment, moment),
            size=trial.size,
        )
        self.lost = [
            lost + answer.dissipation for lost, answer in zip(self.lost, trial.answers, strict=True)
        ]

    def _integral(self, trial: Trial, name: str) -> float:
        total = 0.0
        for region, answer in zip(self.balance.regions, trial.answers, strict=True):
            weights = self.balance.space.weights[region.elements].ravel()
            total += float(weights @ getattr(answer, name))
        return total

    def _energy(self, trial: Trial) -> float:
        return self._integral(trial, "energy")

    def _record(self, row: int, trial: Trial, work: float, dissipated: float) -> None:
        last = self.rows[-1] if self.rows else {"work": 0.0, "dissipated": 0.0}
        balance = self.balance
        reaction = trial.internal - trial.external
        self.rows.append(
            {
                "time": self.now.moment.t,
                "u": trial.u,
                "work": last["work"] + work,
                "stored": self._energy(trial) - self.first,
                "dissipated": last["dissipated"] + dissipated,
                "reactions": {
                    name: self._resultant(reaction, name)
                    for name in dict.fromkeys(one.name for one in balance.supports.held)
                },
            }
        )
        self.reached, self.last = self.now, trial
        if row in self.keep:
            self.fields[row] = self._fields(trial)

    def _resultant(self, reaction: np.ndarray, name: str) -> np.ndarray:
        """Sum the reactions in what a support holds."""
        supports = self.balance.supports
        mask = np.zeros(reaction.shape, bool)
        for one in supports.held:
            if one.name == name:
                mask[supports.master[one.nodes], one.component] = True
        return np.where(mask, reaction, 0.0).sum(axis=0)

    def _fields(self, trial: Trial) -> dict[str, dict[str, np.ndarray]]:
        found = {}
        gradients = self.balance.gradients(trial.u)
        for region, answer, imposed, lost in zip(
            self.balance.regions, trial.answers, gradients, self.lost, strict=True
        ):
            shape = self.balance.space.weights[region.elements].shape
            gradient = imposed if answer.gradient is None else answer.gradient
            found[region.name] = {
                "gradient": gradient.reshape(*shape, -1),
                "flux": answer.flux.reshape(*shape, -1),
                "energy": answer.energy.reshape(shape),
                "dissipation": lost.reshape(shape),
            }
        return found

    def _failure(self, row: int, moment: Moment, attempt: Attempt, smallest: float) -> str:
        """Say which step failed, and which point if one has no answer."""
        where = f"the forces are {attempt.trial.relative:.1e} out of balance"
        gradients = self.balance.gradients(attempt.trial.u)
        for region, answer, gradient in zip(
            self.balance.regions, attempt.trial.answers, gradients, strict=True
        ):
            bad = np.flatnonzero(~np.isfinite(answer.flux).all(axis=1))
            if len(bad):
                count = self.balance.space.weights.shape[1]
                element = region.elements[bad[0] // count]
                place = self.balance.space.points[element, bad[0] % count]
                at = ", ".join(f"{x:g}" for x in place)
                own = ", ".join(f"{x:.3g}" for x in gradient[bad[0]])
                where = (
                    f"{len(bad)} points of region {region.name!r} have no answer, the first in "
                    f"element {element} at ({at}) under the gradient ({own})"
                )
                break
        return (
            f"the step to t = {moment.t:g} (row {row}) failed even when cut to {smallest:g} of its "
            f"length: {where}; the solution up to t = {self.rows[-1]['time']:g} is kept. Look for "
            "a limit load, or refine the times there"
        )

    def result(self, message: str) -> Solution:
        """Return what is known now."""
        rows = self.rows
        if message and len(rows) - 1 not in self.fields:
            self.fields[len(rows) - 1] = self._fields(self.last)
        names = rows[0]["reactions"]

        def column(name: str) -> np.ndarray:
            return np.array([row[name] for row in rows])

        return Solution(
            physics=self.physics,
            plane=self.plane,
            space=self.balance.space,
            regions=self.balance.regions,
            times=column("time"),
            field=column("u"),
            reactions={n: np.array([row["reactions"][n] for row in rows]) for n in names},
            work=column("work"),
            stored=column("stored"),
            dissipated=column("dissipated"),
            fields=self.fields,
            iterations=tuple(self.iterations),
            states=dict(
                zip([r.name for r in self.balance.regions], self.reached.states, strict=True)
            ),
            converged=not message,
            message=message,
            timings={"total": time.perf_counter() - self.begun},
        )
