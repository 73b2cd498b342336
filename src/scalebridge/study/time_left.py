"""How long a run will still take, from the convergence seen so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

_FIRST_WORD = 3.0  # seconds: earlier there is nothing to go by, and nobody waits
_ITERATIONS = 5  # of a load case, before its rate of convergence is believed
_SMOOTHING = 0.3  # weight of the newest prediction


class TimeLeft:
    """Predicts the end of a run: iterations of the load case, load cases, tasks, points to come.

    Parameters
    ----------
    clock : callable
        Seconds; tests bring their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tasks: dict[str, float] = {}
        self._points_to_come, self._points_done, self._first_point = 0, 0, 0.0
        self._new_task("", {})

    def point(self, number: int, count: int) -> None:
        """Learn that point `number` of `count` begins."""
        if self._points_to_come or self._points_done:
            self._points_done += 1
        else:
            self._first_point = self._clock()
        self._points_to_come = count - number

    def planned(self, tasks: Mapping[str, float]) -> None:
        """Learn what will be solved, in this order, and how much work each is."""
        self._tasks = dict(tasks)

    def started(self, task: str, goals: Mapping[str, float] | None) -> None:
        """Learn that a task begins."""
        self._new_task(task, dict(goals or {}))

    def _new_task(self, task: str, goals: dict[str, float]) -> None:
        self._task, self._goals = task, goals
        self._began: float | None = None  # by its first event: what is compiled comes before
        self._end: float | None = None
        self._case, self._done = 0, 0  # load case, iterations of those before it
        self._seen: list[tuple[int, dict[str, float]]] = []

    def update(self, event: Any) -> float | None:
        """Learn of an iteration; return the seconds left, None as long as they are not known."""
        now = self._clock()
        if self._began is None:
            self._began = now
        if event.case != self._case:
            self._done += self._seen[-1][0] if self._seen else 0
            self._case, self._seen = event.case, []
        self._seen.append((event.iteration, {n: _log(getattr(event, n)) for n in self._goals}))
        count = self._done + event.iteration
        left = self._iterations_left(event)
        if left is None or now - self._began < _FIRST_WORD or count < 2:
            return None
        pace = (now - self._began) / (count - 1)
        task = left * pace
        whole = task + now - self._began
        point = task + whole * self._tasks_ahead()
        if self._points_done:
            each = (now - self._first_point + point) / (self._points_done + 1)
        else:
            each = whole * (1 + self._tasks_ahead())
        end = now + point + self._points_to_come * each
        self._end = end if self._end is None else self._end + _SMOOTHING * (end - self._end)
        return max(0.0, self._end - now)

    def _tasks_ahead(self) -> float:
        """Return the work of the tasks to come over that of the present one."""
        names = list(self._tasks)
        if self._task not in names:
            return 0.0
        later = names[names.index(self._task) + 1 :]
        return sum(self._tasks[name] for name in later) / self._tasks[self._task]

    def _iterations_left(self, event: Any) -> float | None:
        own = iterations_to_come(self._seen, self._goals)
        finished = self._done / event.case if event.case else None
        if own is None:
            if finished is None:
                return None
            own = max(0.0, finished - event.iteration)
        typical = event.iteration + own if finished is None else finished
        return own + typical * (event.cases - event.case - 1)


def iterations_to_come(
    seen: list[tuple[int, dict[str, float]]], goals: Mapping[str, float]
) -> float | None:
    """Return the iterations to the goals when convergence goes on as in the last half.

    Parameters
    ----------
    seen : list of (iteration, logarithms of the figures)
    goals : mapping of figure to what it must come down to

    Returns
    -------
    float or None
        None where a figure does not fall, or too little has been seen.
    """
    if not goals or len(seen) < _ITERATIONS:
        return None
    (start, before), (now, last) = seen[len(seen) // 2 - 1], seen[-1]
    left = 0.0
    for name, goal in goals.items():
        missing = last[name] - math.log(goal)
        if missing <= 0:
            continue
        rate = (before[name] - last[name]) / (now - start)
        if not (math.isfinite(missing) and math.isfinite(rate) and rate > 0):
            return None
        left = max(left, missing / rate)
    return left


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def tell_left(seconds: float | None) -> str:
    """Return ``about 2 min left``, or nothing where nothing is known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds / 3600:.1f} h left"
