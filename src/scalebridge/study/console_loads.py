"""Load histories as people see them: progress, and a short table at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from scalebridge.study.time_left import TimeLeft, tell_left


class Row(NamedTuple):
    """A step as `TimeLeft` takes load cases."""

    case: int
    cases: int
    iteration: int


class Steps:
    """Follows the steps of one load history.

    Attributes
    ----------
    share : float
        How much of it is done; 0 to 1.
    """

    def __init__(self, left: TimeLeft) -> None:
        self._left, self._first, self._step, self._spent = left, 0, 0, 0
        self.share = 0.0

    def update(self, event: Any) -> str:
        """Learn of a substep; return what to say of it."""
        self._first = self._first or event.step  # a run that goes on begins in the middle
        self._spent = event.newton + (self._spent if event.step == self._step else 0)
        self._step = event.step
        row = Row(event.step - self._first, event.steps - self._first + 1, self._spent)
        self.share = (event.step - (not event.accepted)) / event.steps
        parts = [
            f"step {event.step}/{event.steps}, t = {event.time:.4g}",
            f"{event.newton} Newton, {event.krylov} linear iterations",
            f"residual {event.residual:.1e}" if math.isfinite(event.residual) else "no residual",
        ]
        parts += [] if event.accepted else ["cut in half"]
        return ", ".join([*parts, *filter(None, [tell_left(self._left.update(row))])])


def show_loads(out: Console, loads: Mapping[str, Mapping[str, Any]]) -> None:
    """Print where each history ended, where its work went and what it cost."""
    for name, load in loads.items():
        time, unit = load["table"]["time"][-1], load["units"].get("time", "")
        reached = f"{load['reached']} of {load['steps']} steps, t = {_number(time)} {unit}".rstrip()
        out.print(f"\nLoad history {name}, {reached}", style="bold")
        out.print(_ends(load))
        out.print(f"  {_ledger(load)}", style="dim")
        out.print(f"  {_cost(load)}", style="dim")
        if load["message"]:
            out.print(f"  {load['message']}", style="red", soft_wrap=True)


def _ends(load: Mapping[str, Any]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for component in load["components"]:
        table.add_column(component, justify="right", no_wrap=True)
    for when in ("final", "peak"):
        for name in load["names"]:
            unit = load["units"].get(name, "")
            told = f"{when} {name}{f' [{unit}]' if unit else ''}"
            table.add_row(told, *(_number(value) for value in load[when][name].values()))
    return table


def _ledger(load: Mapping[str, Any]) -> str:
    ledger = {name: _number(value) for name, value in load["ledger"].items()}
    return (
        f"work {ledger['work']} = stored {ledger['stored']} + dissipated {ledger['dissipated']} "
        f"(rest {ledger['imbalance']}), Hill–Mandel {load['ledger']['hill_mandel']:.1e}"
    )


def _cost(load: Mapping[str, Any]) -> str:
    steps = max(load["reached"], 1)
    return (
        f"{load['newton'] / steps:.1f} Newton and {load['krylov'] / steps:.0f} linear iterations a "
        f"step, {load['substeps']} substeps, {load['wall_seconds']:.1f} s"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"
