"""An estimate as people see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from scalebridge.microstructure.memory import tell_bytes
from scalebridge.study.console import console
from scalebridge.study.cost import Estimate

_SMALL = 0.02  # of the whole: such terms are not listed


def show_estimate(found: Estimate) -> None:
    """Print what lives at the peak of memory, what takes time, and whether it fits."""
    out = console()
    points = f" of the largest of {found.points} points" if found.points > 1 else ""
    peak = found.memory.peak
    out.print(f"\nMemory{points}: about {tell_bytes(peak)}", style="bold")
    out.print(_shares({n: (tell_bytes(s), s / peak) for n, s in found.memory.terms.items()}))
    verdict = "fits" if found.fits else "does not fit"
    out.print(f"  peak in {found.memory.peak_stage}; {verdict}: ", end="")
    out.print(f"{tell_bytes(found.available)} are available", soft_wrap=True)
    if found.seconds is not None:
        many = f" of {found.points} points" if found.points > 1 else ""
        out.print(f"\nTime{many}: about {tell_time(found.seconds)}", style="bold")
        shares = {n: (tell_time(s), s / found.seconds) for n, s in found.time.items()}
        out.print(_shares(shares))
    if found.iterations:
        out.print("\nIterations" + (" of a point" if found.points > 1 else ""), style="bold")
        out.print(_iterations(found))
    for name, terms in found.structures.items():
        out.print(f"\nStructure {name}", style="bold")
        out.print(_terms(terms))
    for warning in found.warnings:
        out.print(f"warning: {warning}", soft_wrap=True)


def _shares(terms: dict[str, tuple[str, float]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for name, (told, share) in terms.items():
        if share > _SMALL:
            table.add_row(name, told, f"{100 * share:.0f} %")
    return table


def _iterations(found: Estimate) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("")
    table.add_column("", no_wrap=True)
    for where, counts in found.iterations.items():
        each = tell_time(found.seconds_per_iteration[where])
        table.add_row(where, " ".join(map(str, counts)), f"{each} each")
    return table


def _terms(terms: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    for term in terms:
        value = term["predicted"]
        table.add_row(term["name"], tell_time(value) if term["unit"] else f"{value:.3g}")
    return table


def tell_time(seconds: float) -> str:
    """Return ``1.5 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
