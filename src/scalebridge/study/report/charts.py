"""Charts of load histories as figures of Plotly: plain dicts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.report.drawings import COLOURS
from scalebridge.study.report.scenes import FONT, INK, Figure, text
from scalebridge.study.report.words import Scale, scale_of

_STILL = 1e-6  # of the range; slower is at rest
_HELD = 1 / 3  # of the steps
_ROUND_OFF = 1e-9
_DIGITS = 7
_MOST_MARKED = 60  # rows with a mark each


def curve_chart(load: OpenedLoad, turns: Collection[float] = ()) -> Figure:
    """Return flux over gradient, or either over time, of all components that do not rest.

    Those that are not driven wait in the legend. Where the gradient is held for long, as in
    relaxation, the flux over time comes first.

    Parameters
    ----------
    load : OpenedLoad
    turns : collection of float
        Times of the turning points of the path; without any, those where the gradient turns.
    """
    shown = _moving(load)
    views = _views(load, shown)
    traces = [
        {
            **line_of(component, number),
            "x": x,
            "y": y,
            "customdata": digits(load.times / scale_of_part(load, "time").factor),
            "marker": {"size": _marks(load, component, turns)},
            "visible": True if component in load.driven else "legendonly",
            "hovertemplate": f"{text(component)}: %{{x:.6g}}, %{{y:.6g}}<br>"
            "t = %{customdata:.6g}<extra></extra>",
        }
        for number, (component, x, y) in enumerate(
            zip(shown, views[0].across, views[0].up, strict=True)
        )
    ]
    figure = chart(traces, *views[0].titles)
    figure["layout"]["updatemenus"] = [menu(views)]
    figure["layout"]["showlegend"] = True
    return figure


class View(NamedTuple):
    """Which columns stand across and up, a list of numbers for each component."""

    label: str
    across: list[list[float | None]]
    up: list[list[float | None]]
    titles: tuple[str, str]


def _views(load: OpenedLoad, shown: Sequence[str]) -> list[View]:
    """Return flux over gradient and both over time; first what shows more."""
    time = scale_of_part(load, "time")
    columns = {"time": [digits(load.times / time.factor)] * len(shown)}
    titles = {"time": f"time{time.brackets}"}
    for name in load.names:
        scale = scale_of_part(load, name)
        columns[name] = [digits(load.columns[f"{name}_{c}"] / scale.factor) for c in shown]
        titles[name] = f"{name}{scale.brackets}"
    gradient, flux = load.names
    views = [
        View(f"{up} over {across}", columns[across], columns[up], (titles[across], titles[up]))
        for up, across in ((flux, gradient), (flux, "time"), (gradient, "time"))
    ]
    return [*views[1:], views[0]] if _is_held(load) else views


def ledger_chart(load: OpenedLoad, scale: Scale) -> Figure:
    """Return work, stored and dissipated energy and what is left over, over time."""
    time, ledger = scale_of_part(load, "time"), load.ledger
    parts = {
        "work": ledger.work,
        "stored": ledger.stored,
        "dissipated": ledger.dissipated,
        "left over": ledger.imbalance,
    }
    traces = [
        line_of(name, number)
        | {"x": digits(load.times / time.factor), "y": digits(values / scale.factor)}
        | {"mode": "lines", "hovertemplate": f"{name}: %{{y:.6g}}<br>t = %{{x:.6g}}<extra></extra>"}
        for number, (name, values) in enumerate(parts.items())
    ]
    return chart(traces, f"time{time.brackets}", f"energy per volume{scale.brackets}")


def scale_of_part(load: OpenedLoad, name: str) -> Scale:
    """Return the scale of the time, of the gradient or of the flux."""
    columns = [load.times] if name == "time" else [load.columns[k] for k in _keys(load, name)]
    return scale_of(np.concatenate(columns), load.units.get(name, ""))


def turning_points(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a quantity turns back, stops or sets out again."""
    steps = np.diff(values)
    ways = np.sign(np.where(np.abs(steps) > _STILL * np.ptp(values), steps, 0.0))
    found = np.zeros(len(values), bool)
    found[1:-1] = ways[1:] != ways[:-1]
    return found


def _is_held(load: OpenedLoad) -> bool:
    steps = np.abs(np.diff(load.columns[f"{load.names[0]}_{load.driven[0]}"]))
    return bool(np.mean(steps <= _STILL * steps.sum()) > _HELD) if len(steps) else False


def _moving(load: OpenedLoad) -> list[str]:
    """Return the components of which gradient or flux changes, by more than round-off."""
    spans = {key: float(np.ptp(load.columns[key])) for key in _keys(load)}
    least = {n: _ROUND_OFF * max(spans[key] for key in _keys(load, n)) for n in load.names}
    moving = [c for c in load.components if any(spans[f"{n}_{c}"] > least[n] for n in load.names)]
    return moving or [load.components[0]]


def _keys(load: OpenedLoad, *names: str) -> list[str]:
    return [f"{name}_{c}" for name in names or load.names for c in load.components]


def _marks(load: OpenedLoad, component: str, turns: Collection[float]) -> list[int]:
    """Return the size of the mark of each row: turning points are large."""
    if turns:
        apart = np.abs(load.times[:, None] - np.array(list(turns)))
        large = apart.min(axis=1) <= _ROUND_OFF * np.ptp(load.times)
    else:
        large = turning_points(load.columns[f"{load.names[0]}_{component}"])
    small = 4 if len(load.times) <= _MOST_MARKED else 0
    return [9 if turn else small for turn in large]


def line_of(name: str, number: int, dashed: bool = False) -> Figure:
    """Return a trace that still lacks its points, in the colour of its number."""
    colour = COLOURS[number % len(COLOURS)]
    return {
        "type": "scatter",
        "mode": "lines" if dashed else "lines+markers",
        "name": text(name),
        "line": {"color": colour, "width": 2, "dash": "dash" if dashed else "solid"},
    }


def menu(views: Sequence[View]) -> Figure:
    """Return a menu that puts other columns into the same lines."""
    buttons = [
        {
            "label": text(view.label),
            "method": "update",
            "args": [
                {"x": view.across, "y": view.up},
                {
                    "xaxis.title.text": text(view.titles[0]),
                    "yaxis.title.text": text(view.titles[1]),
                },
            ],
        }
        for view in views
    ]
    return {
        "type": "dropdown",
        "buttons": buttons,
        "x": 0.0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"l": 0, "t": 0, "b": 0},
        "font": {"size": 11},
        "bgcolor": "#ffffff",
        "bordercolor": "#dedbd3",
    }


def chart(traces: list[Figure], across: str, up: str) -> Figure:
    """Return traces in a plane with named axes."""
    axis = {
        "gridcolor": "#e8e5dd",
        "zerolinecolor": "#c9c4b8",
        "linecolor": "#c9c4b8",
        "tickfont": {"size": 11},
        "automargin": True,
    }
    return {
        "data": traces,
        "layout": {
            "margin": {"l": 56, "r": 12, "t": 44, "b": 84},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": INK},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#a5a096", "activecolor": INK},
            "xaxis": {**axis, "title": {"text": text(across)}},
            "yaxis": {**axis, "title": {"text": text(up)}},
            "legend": {
                "orientation": "h",
                "x": 0.0,
                "y": 0.0,
                "yref": "container",
                "yanchor": "bottom",
                "bgcolor": "rgba(0,0,0,0)",
            },
            "dragmode": "zoom",
            "hovermode": "closest",
        },
    }


def digits(values: NDArray[Any]) -> list[float | None]:
    """Return numbers with the digits that a chart can show; null for NaN."""
    return [float(f"{v:.{_DIGITS}g}") if np.isfinite(v) else None for v in values.tolist()]
