"""What people see: the image as understood, progress, and the table of results.

Progress goes to stderr, results to stdout. On a terminal progress is a bar; elsewhere a
plain line for each load case, and one every few seconds within it.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.table import Table

from scalebridge.study.console_loads import Steps, show_loads
from scalebridge.study.console_structures import (
    Iterations,
    show_structures,
    tell_structure,
    warnings_of,
)
from scalebridge.study.job import Observer
from scalebridge.study.summary import unit_of
from scalebridge.study.time_left import TimeLeft, tell_left

if TYPE_CHECKING:
    from rich.progress import Progress

    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.structure import Structure

_SECONDS_BETWEEN_LINES = 5.0
_WIDE, _WORDS = 1000, 70  # columns


def console() -> Console:
    """Return a Rich console on stdout in which no number is cut short: terminals break lines."""
    return Console(file=sys.stdout, width=_WIDE, highlight=False, emoji=False, markup=False)


class PlainProgress(Observer):
    """Lines on stderr: one for each load case, and one every few seconds within it."""

    def __init__(self, goals: Mapping[str, float] | None = None) -> None:
        self.goals = goals or {}
        self._last: tuple[str, Any, float | None] | None = None
        self._told = time.monotonic()
        self._left = TimeLeft()
        self._steps, self._step = Steps(self._left), ""
        self._iterations = Iterations(self._left)

    def point(self, number: int, count: int, parameters: Mapping[str, Any]) -> None:
        _tell_point(number, count, parameters)
        self._left.point(number, count)

    def understood(self, microstructure: Microstructure, cells: dict[str, Cell]) -> None:
        _tell_image(microstructure, cells)
        self._told = time.monotonic()

    def built(self, name: str, structure: Structure) -> None:
        _tell_structure(name, structure)

    def warned(self, text: str) -> None:
        _tell_warning(text)

    def planned(self, work: Mapping[str, float]) -> None:
        self._left.planned(work)

    def started(self, physics: str, goals: Mapping[str, float] | None = None) -> None:
        self.goals = goals or self.goals
        self._left.started(physics, self.goals if goals is None else goals)
        self._steps, self._iterations = Steps(self._left), Iterations(self._left)

    def stepped(self, name: str, event: Any) -> None:
        self._step = f"{name}: {self._steps.update(event)}"
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._tell()

    def iterated(self, name: str, event: Any) -> None:
        self._step = f"{name}: {self._iterations.update(event)}"
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._tell()

    def progress(self, physics: str, event: Any) -> None:
        if self._last is not None and self._last[1].case != event.case:
            self._tell()
        self._last = (physics, event, self._left.update(event))
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._tell()

    def finished(self, physics: str) -> None:
        self._tell()

    def _tell(self) -> None:
        if self._step:
            print(self._step, file=sys.stderr, flush=True)
            self._step, self._told = "", time.monotonic()
        if self._last is None:
            return
        physics, event, left = self._last
        where = f"{physics}, load case {event.case + 1} of {event.cases}"
        print(f"{where}: {_state(event, self.goals, left)}", file=sys.stderr, flush=True)
        self._last, self._told = None, time.monotonic()


class BarProgress(Observer):
    """A bar for each physics, with iteration and residual."""

    def __init__(self, goals: Mapping[str, float] | None = None) -> None:
        self.goals = goals or {}
        self._bar: Progress | None = None
        self._left = TimeLeft()
        self._steps, self._iterations = Steps(self._left), Iterations(self._left)

    def point(self, number: int, count: int, parameters: Mapping[str, Any]) -> None:
        _tell_point(number, count, parameters)
        self._left.point(number, count)

    def understood(self, microstructure: Microstructure, cells: dict[str, Cell]) -> None:
        _tell_image(microstructure, cells)

    def built(self, name: str, structure: Structure) -> None:
        _tell_structure(name, structure)

    def warned(self, text: str) -> None:
        _tell_warning(text)

    def planned(self, work: Mapping[str, float]) -> None:
        self._left.planned(work)

    def started(self, physics: str, goals: Mapping[str, float] | None = None) -> None:
        self.goals = goals or self.goals
        self._left.started(physics, self.goals if goals is None else goals)
        self._steps, self._iterations = Steps(self._left), Iterations(self._left)
        self._bar = _bar()
        self._bar.start()
        self._bar.add_task(physics, total=None, state="preparing")

    def progress(self, physics: str, event: Any) -> None:
        if self._bar is None:
            self.started(physics)
        bar = cast("Progress", self._bar)
        done = event.case + _share(event, self.goals)
        told = _state(event, {}, self._left.update(event))
        state = f"load case {event.case + 1}/{event.cases}, {told}"
        bar.update(bar.task_ids[0], total=event.cases, completed=done, state=state)

    def stepped(self, name: str, event: Any) -> None:
        if self._bar is None:
            self.started(name)
        bar, told = cast("Progress", self._bar), self._steps.update(event)
        bar.update(bar.task_ids[0], total=1.0, completed=self._steps.share, state=told)

    def iterated(self, name: str, event: Any) -> None:
        if self._bar is None:
            self.started(name)
        bar, told = cast("Progress", self._bar), self._iterations.update(event)
        bar.update(bar.task_ids[0], total=1.0, completed=self._iterations.share, state=told)

    def finished(self, physics: str) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None


def _bar() -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}", style="dim"),
        console=Console(file=sys.stderr, highlight=False),
    )


def _share(event: Any, goals: Mapping[str, float]) -> float:
    """Return how far a load case is on the way to its goals, in orders of magnitude."""
    shares = []
    for name, goal in goals.items():
        reached = getattr(event, name)
        known = math.isfinite(reached) and 0 < goal < 1
        shares.append(math.log(max(reached, goal)) / math.log(goal) if known else 0.0)
    return min(max(min(shares, default=0.0), 0.0), 1.0)


def _state(event: Any, goals: Mapping[str, float], left: float | None) -> str:
    parts = [f"iteration {event.iteration}"]
    for name in ("residual", "error_estimate"):
        value = getattr(event, name)
        if math.isfinite(value):
            goal = f" (to {goals[name]:.0e})" if name in goals else ""
            parts.append(f"{name.replace('_', ' ')} {value:.1e}{goal}")
    return ", ".join([*parts, *filter(None, [tell_left(left)])])


def _tell_point(number: int, count: int, parameters: Mapping[str, Any]) -> None:
    values = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    print(f"point {number} of {count}: {values}", file=sys.stderr, flush=True)


def _tell_image(micro: Microstructure, cells: dict[str, Cell]) -> None:
    """Show back what was understood, and every warning."""
    print(micro.summary(), file=sys.stderr)
    for physics, cell in cells.items():
        print(f"{physics}: {cell.boundary} cell, element {cell.element!r}", file=sys.stderr)
    for warning in dict.fromkeys(text for cell in cells.values() for text in cell.warnings):
        _tell_warning(warning)
    sys.stderr.flush()


def _tell_structure(name: str, structure: Structure) -> None:
    print(*tell_structure(name, structure), sep="\n", file=sys.stderr)
    for warning in warnings_of(structure):
        _tell_warning(warning)
    sys.stderr.flush()


def _tell_warning(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def show(summary: dict[str, Any]) -> None:
    """Print the results: tensors, engineering constants, evidence and the files written."""
    out = console()
    named = len({result["quantity"] for result in summary["results"].values()}) < len(
        summary["results"]
    )
    units = summary.get("study", {}).get("units", {})
    for name, result in summary["results"].items():
        unit = unit_of(result["quantity"], units)
        title = f"\nEffective {result['quantity']}{_of(unit)}{f', cell {name}' if named else ''}"
        out.print(title, style="bold")
        out.print(_tensor(result["components"], result["tensor"]))
        if result["engineering_constants"]:
            out.print("\nEngineering constants", style="bold")
            out.print(_pairs({k: _number(v) for k, v in result["engineering_constants"].items()}))
        if result["tortuosity"]:
            out.print(f"\nTransport through {result['tortuosity']['phase']}", style="bold")
            out.print(_tortuosity(result["tortuosity"]))
        out.print("\nEvidence", style="bold")
        out.print(_pairs(_evidence(result)))
    for name, told in summary["bounds"].items():
        unit = unit_of(summary["results"][name]["quantity"], units)
        out.print(f"\nBounds and boundary conditions{_of(unit)}, {name}", style="bold")
        out.print(_bounds(told))
        for key, (low, high) in (told["hashin_shtrikman"] or {}).items():
            out.print(f" Hashin–Shtrikman {key}  {_number(low)} to {_number(high)}")
        if not told["ordered"]:
            out.print("the order is violated: do not trust these results", style="bold red")
        for statement in (*told["infeasible"].values(), *told["statements"]):
            out.print(f"  {statement}", style="dim", soft_wrap=True)
    show_loads(out, summary.get("loads", {}))
    show_structures(out, summary.get("structures", {}))
    _files(out, summary["files"])


def show_sweep(summary: dict[str, Any]) -> None:
    """Print the points of a sweep: parameters, and the main results of what was solved."""
    out = console()
    points, parameters = summary["sweep"]["points"], summary["sweep"]["parameters"]
    done = f"{len(points)} of {summary['sweep']['count']} points"
    kept = f", {summary['kept']} of them kept from before" if summary["kept"] else ""
    out.print(f"\n{done}{kept}", style="bold")
    cells: dict[str, dict[str, None]] = {}
    for name in (name for point in points for name in point):
        found = re.fullmatch(r"([\w-]+)\.(?:[kC](\d)\2|peak_[\w.-]+|dissipated)", name)
        if found and name not in parameters:
            cells.setdefault(found[1], {})[name] = None
    for cell, columns in cells.items():
        table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
        table.add_column("point", justify="right", no_wrap=True)
        for name in parameters:
            table.add_column(name.rpartition(".")[2], justify="right", no_wrap=True)
        for name in columns:
            table.add_column(name.removeprefix(f"{cell}."), justify="right", no_wrap=True)
        for point in points:
            table.add_row(*(_number(point.get(n)) for n in ("point", *parameters, *columns)))
        unit = summary["sweep"]["units"].get(cell, "")
        out.print(f"\n{cell}{_of(unit)}", style="bold")
        out.print(table)
    _files(out, summary["files"])


def _of(unit: str) -> str:
    return f" [{unit}]" if unit else ""


def _files(out: Console, names: list[str]) -> None:
    if names:
        out.print("\nFiles", style="bold")
        for name in names:
            out.print(f"  {name}", soft_wrap=True)


def _tensor(components: list[str], tensor: list[list[float | None]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("")
    for component in components:
        table.add_column(component, justify="right", no_wrap=True)
    for component, row in zip(components, tensor, strict=True):
        table.add_row(component, *(_number(value) for value in row))
    return table


def _tortuosity(told: dict[str, Any]) -> Table:
    names = {
        "factor": "tortuosity factor, ε k / k_eff",
        "macmullin": "MacMullin number, k / k_eff",
        "bruggeman_exponent": "Bruggeman exponent, ln(k_eff / k) / ln ε",
    }
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for axis in told["factor"]:
        table.add_column(axis, justify="right", no_wrap=True)
    for key, name in names.items():
        table.add_row(name, *(_number(value) for value in told[key].values()))
    return table


def _bounds(told: dict[str, Any]) -> Table:
    """Return the diagonals, from the softest to the stiffest."""
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for component in told["components"]:
        table.add_column(component, justify="right", no_wrap=True)
    for name, tensor in told["tensors"].items():
        table.add_row(name, *(_number(row[i]) for i, row in enumerate(tensor)))
    return table


def _pairs(values: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("", max_width=_WORDS)
    for name, value in values.items():
        table.add_row(name, value)
    return table


def _number(value: Any) -> str:
    """Return six digits; vectors in one line, matrices in one line for each row."""
    if isinstance(value, list) and value:
        return ("\n" if isinstance(value[0], list) else "  ").join(_number(item) for item in value)
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _evidence(result: dict[str, Any]) -> dict[str, str]:
    """Return the evidence in words; which of the two figures the tolerance speaks of is told."""
    evidence = result["evidence"]
    asked = f"asked for {evidence['tolerance']:.0e}"
    figures = {
        "tensor": ("error of the tensor", _short(evidence["error_estimate"]) + " (estimated)"),
        "residual": ("residual of the field", _short(evidence["residual"]) + " (relative)"),
    }
    rows = {
        name: f"{value}, {asked}" if measure == evidence["measure"] else value
        for measure, (name, value) in figures.items()
    }
    rows |= {
        "Hill–Mandel between load cases": _short(evidence["hill_mandel_symmetry"]),
        "Hill–Mandel at the boundary": _short(evidence["hill_mandel_boundary_work"]),
        "iterations": " ".join(str(n) for n in evidence["iterations"]),
        "boundary": result["boundary"],
        "element": result["element"],
        "time": ", ".join(f"{name} {_time(t)}" for name, t in result["timings"].items()),
        "peak memory": f"{(result['peak_memory_bytes'] or 0) / 1e6:.0f} MB",
    }
    if evidence["hourglass_share"] is not None:
        rows["hourglass share of the energy"] = f"{100 * evidence['hourglass_share']:.2g} %"
    if result["warnings"]:
        rows["warning"] = "\n".join(result["warnings"])
    if not (evidence["complete"] and evidence["converged"]):
        rows["state"] = "not converged, see below" if evidence["complete"] else "interrupted"
    return rows


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f} s"
