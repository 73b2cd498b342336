"""Structures as people see them: what was built, progress, and a short table at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from scalebridge.study.console_loads import Row
from scalebridge.study.structure_columns import column_of
from scalebridge.study.time_left import TimeLeft, tell_left

if TYPE_CHECKING:
    from scalebridge.structure import Structure

_COLUMNS = 12  # reactions and displacements that are shown


class Iterations:
    """Follows the iterations of one structure.

    Attributes
    ----------
    share : float
        How much of it is done; 0 to 1.
    """

    def __init__(self, left: TimeLeft) -> None:
        self._left, self._first, self._step, self._spent = left, 0, 0, 0
        self._substep, self._time = 1, math.nan
        self.share = 0.0

    def update(self, event: Any) -> str:
        """Learn of an iteration; return what to say of it."""
        self._first = self._first or event.step  # a run that goes on begins in the middle
        if event.step != self._step:
            self._spent, self._substep = 0, 1
        elif event.time != self._time:
            self._substep += 1
        self._step, self._time, self._spent = event.step, event.time, self._spent + 1
        row = Row(event.step - self._first, event.steps - self._first + 1, self._spent)
        self.share = (event.step - 1) / event.steps
        line = event.line
        balance = (
            f"residual {line.residual:.1e}" if math.isfinite(line.residual) else "loads put on"
        )
        where = f"step {event.step}/{event.steps}, t = {event.time:.4g}"
        parts = [
            f"{where}{f' (substep {self._substep})' if self._substep > 1 else ''}",
            f"iteration {event.iteration}, {balance}",
        ]
        where = f" in element {line.element}" if line.element >= 0 else ""
        parts += [f"slowest cell {line.work} iterations{where}"] if line.work else []
        return ", ".join([*parts, *filter(None, [tell_left(self._left.update(row))])])


def tell_structure(name: str, structure: Structure) -> list[str]:
    """Return what was understood of a structure, a line for each region."""
    from scalebridge.cell import Cell

    space = structure.space
    dim, plane = space.dim, f", plane {structure.plane}" if structure.plane else ""
    lines = [
        f"{name}: structure in {structure.physics}, {dim}D{plane}, {len(space.connectivity)} "
        f"elements, {len(space.nodes)} nodes, {space.weights.size} points"
    ]
    for region in structure.balance.regions:
        law, what = region.law, type(region.law).__name__
        if isinstance(law, Cell):
            size = " × ".join(map(str, law.microstructure.shape))
            what = f"{law.boundary} cell of {size} voxels, element {law.element!r}"
            what += ", linear: homogenised once" if law.is_linear else ""
        lines.append(f"  {region.name}: {len(region.elements)} elements, {what}")
    return lines


def warnings_of(structure: Structure) -> list[str]:
    """Return the warnings of the cells in a structure."""
    from scalebridge.cell import Cell

    cells = (r.law for r in structure.balance.regions if isinstance(r.law, Cell))
    return list(dict.fromkeys(text for cell in cells for text in cell.warnings))


def show_structures(out: Console, structures: Mapping[str, Mapping[str, Any]]) -> None:
    """Print where each structure ended, where its work went and what it cost."""
    for name, told in structures.items():
        time, unit = told["table"]["time"][-1], told["units"].get("time", "")
        reached = f"{told['reached']} of {told['steps']} steps, t = {_number(time)} {unit}".rstrip()
        out.print(f"\nStructure {name}, {reached}", style="bold")
        out.print(_ends(told))
        if told["physics"] != "conduction":
            out.print(f"  {_balance(told)}", style="dim")
        out.print(f"  {_cost(told)}", style="dim")
        for region, shared in told["sharing"].items():
            out.print(
                f"  {region}: {shared['points']} points shared {shared['groups']} solves, "
                f"flux error {_number(shared['error'])}",
                style="dim",
            )
        predicted = _predicted(told)
        if predicted:
            out.print(f"  {predicted}", style="dim")


def _balance(told: Mapping[str, Any]) -> str:
    """Say where the work of loads and supports has gone."""
    energies = told["ledger"]
    work, stored, lost, rest = (
        f"{_number(energies[key])} {told['units'].get('energy', '')}".rstrip()
        for key in ("work", "stored", "dissipated", "imbalance")
    )
    return f"work {work} = stored {stored} + dissipated {lost} (rest {rest})"


def _ends(told: Mapping[str, Any]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for when in ("final", "peak"):
        table.add_column(when, justify="right", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    columns = list(told["final"])
    for column in columns[:_COLUMNS]:
        values = (_number(told[when][column]) for when in ("final", "peak"))
        table.add_row(column, *values, told["units"].get(_kind(told, column), ""))
    if len(columns) > _COLUMNS:
        table.add_row("…", "", "", "")
    return table


def _kind(told: Mapping[str, Any], column: str) -> str:
    """Return under which name the unit of a column is."""
    kind = column_of(told, column).kind
    return kind if kind in ("force", "flow") else "field"


def _predicted(told: Mapping[str, Any]) -> str:
    """Say what the structure was to cost, if that was asked for, and what it did."""
    for term in (told.get("cost") or {"terms": ()})["terms"]:
        if term["name"] == "all but first calls" and term["predicted"]:
            return f"predicted {term['predicted']:.3g} s, took {term['measured']:.3g} s"
    return ""


def _cost(told: Mapping[str, Any]) -> str:
    steps = max(told["reached"], 1)
    parts = [
        f"{told['newton'] / steps:.1f} Newton iterations a step, {told['substeps']} substeps",
        f"{told['wall_seconds']:.1f} s",
    ]
    if told["hardest"]:
        first = told["hardest"][0]
        place = ", ".join(_number(x) for x in first["place"])
        where = f"({place}) {told['units'].get('length', '')}".rstrip()
        parts.insert(1, f"hardest cell at {where} with {first['work']} iterations")
    return ", ".join(parts)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"
