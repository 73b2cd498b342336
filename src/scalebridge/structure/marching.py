"""Time stepping of a structure: rows one after another, in as many substeps as they take."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from scalebridge.errors import ConvergenceError, InputError, Interrupted, WorkersLostError
from scalebridge.structure import newton
from scalebridge.structure.alike_points import AlikePoints, Sharing, share
from scalebridge.structure.arc_length import Arc, Follower, Ramp
from scalebridge.structure.balance import Balance, Trial
from scalebridge.structure.chosen_points import Chosen, states_at
from scalebridge.structure.effort import Effort
from scalebridge.structure.newton import Attempt, Iteration, Moment
from scalebridge.structure.record import Committed, Fields, Row, Saved, Saves, Snapshot, Totals
from scalebridge.structure.solution import Solution
from scalebridge.structure.workers import Shards, Workers
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
    checkpoint: Saves | None,
    workers: Workers | None,
    alike: float | None = None,
    watch: Sequence[Chosen] = (),
    throw: bool,
) -> Solution:
    """Solve all steps; see `Structure.solve`."""
    moments = parse_times(times)
    for row in keep:
        if not isinstance(row, int | np.integer) or not -len(moments) <= row < len(moments):
            raise InputError(f"`keep` must name rows of `times`, but has {row!r}")
    rows = {int(row) % len(moments) for row in keep}
    begun = time.perf_counter()
    if alike is not None:
        balance = share(balance, alike)
    numbers = (float(tolerance), int(newton_iterations), int(cuts), sorted(rows))
    options = repr((physics, plane, *numbers, workers is not None, alike, watch))
    saved = None if checkpoint is None else checkpoint.restore(balance, moments, options)
    run = _Run(balance, moments, physics, plane, rows, watch, progress, workers, begun)
    with run.guarded():
        if saved is None:
            run.begin()
            if checkpoint is not None:
                checkpoint.save(run.rows[0], run.snapshot(), workers)
        else:
            run.take_up(saved)
        for row in range(len(run.rows), len(moments)):
            message = run.advance(row, tolerance, newton_iterations, cuts)
            if message:
                if throw:
                    raise ConvergenceError(message, run.result(message))
                return run.result(message)
            if checkpoint is not None:
                checkpoint.save(run.rows[-1], run.snapshot(), workers)
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
    workers: Workers | None,
    throw: bool,
) -> Solution:
    """Follow an equilibrium path; see `Structure.trace`."""
    times = parse_times(span)
    run = _Run(balance, times, physics, plane, set(), (), None, workers, time.perf_counter())
    ramp = Ramp(float(times[0]), float(times[1]), float(times[1] - times[0]) / steps)
    follower = Follower(run.balance, ramp, tolerance, newton_iterations)
    message = ""
    with run.guarded():
        length = shortest = follower.first_length(run.begin(), run.now.states, first)
        shortest *= 0.5**cuts
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
            if arc.share >= 1.0 and run.complete(arc, ramp, tolerance, newton_iterations):
                break
            run.follow(arc, ramp)
            length = follower.next_length(arc)
    run.keep_last()
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
        watch: Sequence[Chosen],
        progress: Callable[[StepProgress], None] | None,
        workers: Workers | None,
        begun: float,
    ) -> None:
        self.workers = workers
        spread = balance if workers is None else workers.spread(balance)
        self.balance = dataclasses.replace(spread, effort=Effort())
        self.times, self.physics, self.plane = times, physics, plane
        self.keep, self.watch, self.progress, self.begun = keep, watch, progress, begun
        self.rows: list[Row] = []
        self.now: Committed
        self.reached: Committed
        self.totals: Totals
        self.last_fields: Fields

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Hand on what was done when the block is stopped, and let no other rank wait for it."""
        try:
            yield
        except (ConvergenceError, WorkersLostError) as error:  # of which all ranks know
            if self.rows and error.partial is None:
                error.partial = self.result(str(error))
            raise
        except BaseException as error:
            if self.workers is not None:
                self.workers.failed(error)
            if isinstance(error, KeyboardInterrupt) and self.rows:
                raise Interrupted(self.result("interrupted by the user")) from None
            raise

    def begin(self) -> Trial:
        """Start at rest."""
        balance = self.balance
        u = np.zeros(balance.supports.fixed.shape)
        rest = Moment(float(self.times[0]), 0.0, float(self.times[1] - self.times[0]))
        states = balance.virgin()
        trial = balance.trial(u, states, *rest, tolerance=1e-3, accuracy=None, guesses={})
        nothing = tuple(np.zeros(region.points.count, int) for region in balance.regions)
        states, guesses = balance.commit(states, nothing)
        self.now = Committed(u, states, guesses, nothing, trial.internal, rest, None, None, 0.0)
        lost = tuple(np.zeros(len(work)) for work in nothing)
        self.totals = Totals(lost, self._integral(trial, "energy"))
        self._record(trial, 0.0, 0.0, ())
        return trial

    def take_up(self, saved: Saved) -> None:
        """Start where a solve was saved."""
        snapshot, regions = saved.snapshot, self.balance.regions
        states = tuple(
            region.points.take_up(parts)
            for region, parts in zip(regions, snapshot.parts, strict=True)
        )
        states, guesses = self.balance.commit(states, snapshot.now.work)
        self.now = self.reached = snapshot.now._replace(states=states, guesses=guesses)
        self.totals, self.last_fields = snapshot.totals, snapshot.fields
        self.rows = list(saved.rows)
        self.balance.effort.work.update(snapshot.work)

    def snapshot(self) -> Snapshot:
        """Return what a solve goes on from at the last row."""
        parts = tuple(
            region.points.parts(states)
            for region, states in zip(self.balance.regions, self.now.states, strict=True)
        )
        bare = self.now._replace(states=(), guesses={})
        return Snapshot(bare, self.totals, self.last_fields, self.balance.effort.work, parts)

    def keep_last(self) -> None:
        """Keep the fields of the last row."""
        self.rows[-1] = self.rows[-1]._replace(fields=self.last_fields)

    def advance(self, row: int, tolerance: float, most: int, cuts: int) -> str:
        """Reach a row; return why it failed."""
        start, end = self.times[row - 1], self.times[row]
        self.balance.effort.row = row
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
        self._record(trial, work, dissipated, tuple(table))
        return ""

    def arc(self, follower: Follower, length: float) -> Arc:
        """Try a step along the path."""
        now = self.now
        return follower.step(
            now.u, now.moment.share, now.states, now.guesses, now.increment, length, now.size
        )

    def follow(self, arc: Arc, ramp: Ramp) -> None:
        """Commit a step along the path."""
        trial = arc.attempt.trial
        work, dissipated = self._work(trial), self._integral(trial, "dissipation")
        self._commit(trial, ramp.at(arc.share))
        self._record(trial, work, dissipated, (arc.attempt.iterations,))

    def complete(self, arc: Arc, ramp: Ramp, tolerance: float, most: int) -> bool:
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
            self.follow(Arc(attempt, 1.0, arc.length), ramp)
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
        work = tuple(answer.work for answer in trial.answers)
        states, guesses = self.balance.commit(tuple(a.states for a in trial.answers), work)
        self.now = Committed(
            u=trial.u,
            states=states,
            guesses=guesses,
            work=work,
            internal=trial.internal,
            moment=moment,
            increment=trial.u - self.now.u,
            pull=self._pull(self.now.moment, moment),
            size=trial.size,
        )
        lost = [
            before + answer.dissipation
            for before, answer in zip(self.totals.dissipation, trial.answers, strict=True)
        ]
        self.totals = self.totals._replace(dissipation=tuple(lost))

    def _integral(self, trial: Trial, name: str) -> float:
        total = 0.0
        for region, answer in zip(self.balance.regions, trial.answers, strict=True):
            weights = self.balance.space.weights[region.elements].ravel()
            total += float(weights @ getattr(answer, name))
        return total

    def _record(
        self,
        trial: Trial,
        work: float,
        dissipated: float,
        iterations: tuple[tuple[Iteration, ...], ...],
    ) -> None:
        balance, number = self.balance, len(self.rows)
        reaction = trial.internal - trial.external
        watched: Mapping[Chosen, Any] = {}
        if number in self.keep:
            watched = states_at(self.watch, balance.regions, self.now.states, balance.space)
        self.last_fields, self.reached = self._fields(trial), self.now
        self.rows.append(
            Row(
                number=number,
                time=self.now.moment.t,
                u=trial.u,
                work=work + (self.rows[-1].work if number else 0.0),
                stored=self._integral(trial, "energy") - self.totals.first,
                dissipated=dissipated + (self.rows[-1].dissipated if number else 0.0),
                reactions={
                    name: balance.supports.resultant(reaction, name)
                    for name in dict.fromkeys(one.name for one in balance.supports.held)
                },
                iterations=iterations,
                fields=self.last_fields if number in self.keep else None,
                watched=watched,
            )
        )

    def _fields(self, trial: Trial) -> Fields:
        found = {}
        gradients = self.balance.gradients(trial.u)
        for region, answer, imposed, lost in zip(
            self.balance.regions, trial.answers, gradients, self.totals.dissipation, strict=True
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
            f"length: {where}; the solution up to t = {self.rows[-1].time:g} is kept. Look for "
            "a limit load, or refine the times there"
        )

    def result(self, message: str) -> Solution:
        """Return what is known now."""
        if message:
            self.keep_last()
        rows, regions, effort = self.rows, [], self.balance.effort
        states: dict[str, Any] = {}
        sharing: dict[str, Sharing] = {}
        for region, held in zip(self.balance.regions, self.reached.states, strict=True):
            points, states[region.name] = region.points, held
            if isinstance(points, Shards):
                points, states[region.name] = points.whole(held)
            if isinstance(points, AlikePoints):
                with effort.measure("micro"):
                    since = [row.time - self.times[0] for row in rows]
                    sharing[region.name] = points.sharing(held, np.array(since))
            regions.append(dataclasses.replace(region, points=points))

        def column(name: str) -> np.ndarray:
            return np.array([getattr(row, name) for row in rows])

        return Solution(
            physics=self.physics,
            plane=self.plane,
            space=self.balance.space,
            regions=tuple(regions),
            times=column("time"),
            field=column("u"),
            reactions={n: np.array([r.reactions[n] for r in rows]) for n in rows[0].reactions},
            work=column("work"),
            stored=column("stored"),
            dissipated=column("dissipated"),
            fields={row.number: dict(row.fields) for row in rows if row.fields is not None},
            iterations=tuple(row.iterations for row in rows),
            states=states,
            converged=not message,
            message=message,
            timings={**effort.seconds, "total": time.perf_counter() - self.begun},
            work_of_points={
                region.name: effort.work[region.name].reshape(
                    self.balance.space.weights[region.elements].shape
                )
                for region in regions
            },
            calls=tuple(effort.calls),
            sharing=sharing,
            watched={row.number: row.watched for row in rows if row.watched},
        )
