"""What the page of a sweep tells of load histories: columns, and curves over one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.report import drawings
from scalebridge.study.report.charts import scale_of_part
from scalebridge.study.report.loads import energy_scale
from scalebridge.study.report.words import Scale, number

_MOST_CURVES = 8

Loads = Sequence[OpenedLoad | None]


def load_columns(runs: Sequence[OpenedRun | None]) -> list[dict[str, Any]]:
    """Return the largest driven flux and the dissipated energy of each load history, by run."""
    columns = []
    for name, loads in _by_name(runs).items():
        key = _driven(loads, 1)
        largest = [None if load is None else load.columns[key] for load in loads]
        peaks = [None if v is None else float(v[np.abs(v).argmax()]) for v in largest]
        lost = [None if load is None else float(load.ledger.dissipated[-1]) for load in loads]
        columns.append(_column(name, f"largest {_spelled(key)}", peaks, _widest(loads, 1)))
        if any(lost):
            scale = max((energy_scale(load) for load in loads if load), key=lambda s: s.factor)
            columns.append(_column(name, "dissipated", lost, scale))
    return columns


def load_plots(runs: Sequence[OpenedRun | None], told: Sequence[str]) -> list[dict[str, Any]]:
    """Draw the driven curve of several points over one another; `told` names the points."""
    return [
        _plot(name, loads, told)
        for name, loads in _by_name(runs).items()
        if sum(load is not None for load in loads) > 1
    ]


def _by_name(runs: Sequence[OpenedRun | None]) -> dict[str, Loads]:
    names = dict.fromkeys(name for run in runs if run is not None for name in run.loads)
    return {n: [None if run is None else run.loads.get(n) for run in runs] for n in names}


def _driven(loads: Loads, side: int) -> str:
    """Return the column of the gradient or of the flux that most work passes through."""
    first = next(load for load in loads if load is not None)
    return f"{first.names[side]}_{first.driven[0]}"


def _widest(loads: Loads, side: int) -> Scale:
    """Return the scale of the gradient or of the flux that suits all histories."""
    scales = [scale_of_part(load, load.names[side]) for load in loads if load is not None]
    return max(scales, key=lambda scale: scale.factor)


def _column(name: str, title: str, values: Sequence[float | None], scale: Scale) -> dict[str, Any]:
    cells = [number(None if v is None else v / scale.factor, 5, pad=True) for v in values]
    return {"cell": name, "name": title, "unit": scale.unit, "values": cells}


def _plot(name: str, loads: Loads, told: Sequence[str]) -> dict[str, Any]:
    keys = [_driven(loads, side) for side in (0, 1)]
    scales = [_widest(loads, side) for side in (0, 1)]
    known = [(load, words) for load, words in zip(loads, told, strict=True) if load is not None]
    spread = np.linspace(0, len(known) - 1, min(len(known), _MOST_CURVES)).round().astype(int)
    series = {}
    for load, words in (known[i] for i in spread):
        across, up = (load.columns[k] / s.factor for k, s in zip(keys, scales, strict=True))
        series[words] = across, up
    labels = [f"{_spelled(k)}{s.brackets}" for k, s in zip(keys, scales, strict=True)]
    some = f", {len(series)} of {len(known)} points" if len(series) < len(known) else ""
    what = f"{name}: {_spelled(keys[1])} over {_spelled(keys[0])}"
    return {
        "picture": drawings.paths(series, *labels),
        "alt": f"{what} of several points",
        "caption": f"{what}{some}.",
    }


def _spelled(column: str) -> str:
    return column.replace("_", " ")
