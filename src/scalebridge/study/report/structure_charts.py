"""Charts of structures as figures of Plotly: plain dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.study.report.charts import View, chart, digits, line_of, menu
from scalebridge.study.report.scenes import Figure, text
from scalebridge.study.report.words import Scale, scale_of
from scalebridge.study.structure_columns import Column, column_of, curves_of, repeats_of

_MOST_MARKED = 60  # rows with a mark each


def scale_of_columns(columns: Sequence[Column]) -> Scale:
    """Return the scale that suits columns of one unit."""
    return scale_of(np.concatenate([column.values for column in columns]), columns[0].unit)


def curve_chart(told: Mapping[str, Any]) -> Figure:
    """Return the load–displacement curves; where both change a menu chooses either over time.

    Parameters
    ----------
    told : mapping
        What the summary tells of the structure.
    """
    curves = curves_of(told)
    xs, ys = ([pair[side] for pair in curves] for side in (0, 1))
    time = column_of(told, "time")
    views = [_view(f"{ys[0].kind} over {xs[0].kind}", xs, ys)]
    if xs[0].kind != "time":
        many = [time] * len(curves)
        views += [_view(f"{part[0].kind} over time", many, part) for part in (ys, xs)]
    size = 5 if len(time.values) <= _MOST_MARKED else 0
    traces = [
        {
            **line_of(f"{y.label} (the same)" if again else y.label, number, dashed=again),
            "x": across,
            "y": up,
            "customdata": digits(time.values / scale_of_columns([time]).factor),
            "marker": {"size": size},
            "hovertemplate": f"{text(y.label)}: %{{x:.6g}}, %{{y:.6g}}<br>"
            "t = %{customdata:.6g}<extra></extra>",
        }
        for number, (y, across, up, again) in enumerate(
            zip(ys, views[0].across, views[0].up, repeats_of(curves), strict=True)
        )
    ]
    figure = chart(traces, *views[0].titles)
    if len(views) > 1:
        figure["layout"]["updatemenus"] = [menu(views)]
    figure["layout"]["showlegend"] = len(traces) > 1
    return figure


def _view(label: str, xs: Sequence[Column], ys: Sequence[Column]) -> View:
    scales = [scale_of_columns(some) for some in (xs, ys)]
    sides = [
        [digits(column.values / scale.factor) for column in some]
        for some, scale in zip((xs, ys), scales, strict=True)
    ]
    titles = [
        f"{title_of(some)}{scale.brackets}" for some, scale in zip((xs, ys), scales, strict=True)
    ]
    return View(label, sides[0], sides[1], (titles[0], titles[1]))


def title_of(columns: Sequence[Column]) -> str:
    """Return the label of columns that are called alike, else what they are."""
    labels = {column.label for column in columns}
    return labels.pop() if len(labels) == 1 else columns[0].kind


def energies_of(told: Mapping[str, Any]) -> tuple[dict[str, Any], Scale]:
    """Return work, stored and dissipated energy and what is left over, (row,), and their scale."""
    work, stored, lost = (column_of(told, k) for k in ("work", "stored", "dissipated"))
    parts = {column.key: column.values for column in (work, stored, lost)}
    parts["left over"] = work.values - stored.values - lost.values
    return parts, scale_of_columns([work, stored, lost])


def energy_chart(told: Mapping[str, Any]) -> Figure:
    """Return the energies of `energies_of` over time."""
    parts, scale = energies_of(told)
    column = column_of(told, "time")
    time = scale_of_columns([column])
    traces = [
        line_of(name, number)
        | {"x": digits(column.values / time.factor), "y": digits(values / scale.factor)}
        | {"mode": "lines", "hovertemplate": f"{name}: %{{y:.6g}}<br>t = %{{x:.6g}}<extra></extra>"}
        for number, (name, values) in enumerate(parts.items())
    ]
    return chart(traces, f"time{time.brackets}", f"energy{scale.brackets}")
