"""What the page of a sweep tells of structures: columns, and curves over one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.report import drawings
from scalebridge.study.report.structure_charts import scale_of_columns
from scalebridge.study.report.structures import structures_of
from scalebridge.study.report.words import number
from scalebridge.study.structure_columns import Column, column_of, curves_of, responses_of

_MOST_CURVES = 8

Structures = Sequence[Mapping[str, Any] | None]


def structure_columns(runs: Sequence[OpenedRun | None]) -> list[dict[str, Any]]:
    """Return end and peak of what the first curve tells, and the dissipated energy, by run."""
    columns = []
    for name, told in _by_name(runs).items():
        curves = [
            None if one is None or not one["curves"] else responses_of(one)[0] for one in told
        ]
        lost = [None if one is None else column_of(one, "dissipated") for one in told]
        if label := next((curve.label for curve in curves if curve is not None), ""):
            columns.append(
                _column(name, f"{label}, at the end", curves, [_last(c) for c in curves])
            )
            columns.append(_column(name, f"{label}, largest", curves, [_peak(c) for c in curves]))
        if any(_last(column) for column in lost):
            columns.append(_column(name, "dissipated", lost, [_last(c) for c in lost]))
    return columns


def structure_plots(runs: Sequence[OpenedRun | None], told: Sequence[str]) -> list[dict[str, Any]]:
    """Draw the first curve of several points over one another; `told` names the points."""
    plots = []
    for name, structures in _by_name(runs).items():
        known = [
            (curves_of(one)[0], words)
            for one, words in zip(structures, told, strict=True)
            if one is not None and one["curves"]
        ]
        if len(known) > 1:
            plots.append(_plot(name, known))
    return plots


def _by_name(runs: Sequence[OpenedRun | None]) -> dict[str, Structures]:
    found = [{} if run is None else structures_of(run) for run in runs]
    names = dict.fromkeys(name for told in found for name in told)
    return {name: [told.get(name) for told in found] for name in names}


def _last(column: Column | None) -> float | None:
    return None if column is None else float(column.values[-1])


def _peak(column: Column | None) -> float | None:
    return None if column is None else float(column.values[np.abs(column.values).argmax()])


def _column(
    name: str, title: str, columns: Sequence[Column | None], values: Sequence[float | None]
) -> dict[str, Any]:
    scale = scale_of_columns([column for column in columns if column is not None])
    cells = [number(None if v is None else v / scale.factor, 5, pad=True) for v in values]
    return {"cell": name, "name": title, "unit": scale.unit, "values": cells}


def _plot(name: str, known: Sequence[tuple[tuple[Column, Column], str]]) -> dict[str, Any]:
    xs, ys = ([pair[side] for pair, _ in known] for side in (0, 1))
    across, up = scale_of_columns(xs), scale_of_columns(ys)
    spread = np.linspace(0, len(known) - 1, min(len(known), _MOST_CURVES)).round().astype(int)
    series = {known[i][1]: (xs[i].values / across.factor, ys[i].values / up.factor) for i in spread}
    some = f", {len(series)} of {len(known)} points" if len(series) < len(known) else ""
    what = f"{name}: {ys[0].label} over {xs[0].label}"
    return {
        "picture": drawings.paths(
            series, f"{xs[0].label}{across.brackets}", f"{ys[0].label}{up.brackets}"
        ),
        "alt": f"{what} of several points",
        "caption": f"{what}{some}.",
    }
