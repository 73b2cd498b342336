"""Pictures of load histories: the driven curves, and where the work went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scalebridge.study.pictures import INK, PALETTE, save, thousands

_COLOURS = (*PALETTE[1:], PALETTE[0])
_DRIVEN = 1e-3  # of the largest work
_STILL = 1e-9  # of the range of its kind
_MOST_CURVES = 6


def save_curves(path: str | Path, load: Mapping[str, Any], title: str) -> Path:
    """Draw the flux over the gradient, for the components through which work passes.

    Where one of the two is held for a time, as in relaxation and creep, the driven components
    are drawn over time too.

    Parameters
    ----------
    path : str or Path
    load : mapping
        As `describe_load` gives it.
    title : str
    """
    table = {name: np.array(values, float) for name, values in load["table"].items()}
    driven = _driven(load, table)
    gradient, flux = load["names"]
    held = _is_held(table, load, driven)
    figure = Figure(figsize=(11.4 if held else 5.8, 4.4), dpi=150)
    places = [(0.08, 0.15, 0.38, 0.74), (0.57, 0.15, 0.38, 0.74)]
    axes = figure.add_axes(places[0] if held else (0.15, 0.15, 0.8, 0.74))
    across = [table[f"{gradient}_{c}"] for c in driven]
    up = [table[f"{flux}_{c}"] for c in driven]
    units, which = load["units"], f" {driven[0]}" if len(driven) == 1 else ""
    _lines(axes, driven, across, up, ".-")
    label_axis(axes.xaxis, f"{gradient}{which}", units.get(gradient, ""), across)
    label_axis(axes.yaxis, f"{flux}{which}", units.get(flux, ""), up)
    axes.set_title(title, fontsize=13, color=INK, parse_math=False)
    if held:
        _over_time(figure, places[1], load, driven, across, up)
    return save(path, figure)


def save_ledger(path: str | Path, load: Mapping[str, Any], title: str) -> Path:
    """Draw work, stored and dissipated energy over time; parameters as in `save_curves`."""
    table = {name: np.array(values, float) for name, values in load["table"].items()}
    figure = Figure(figsize=(5.8, 4.4), dpi=150)
    axes = figure.add_axes((0.15, 0.15, 0.8, 0.74))
    stored, lost = table["stored"], table["dissipated"]
    parts = {"work": table["work"], "stored": stored, "dissipated": lost}
    for i, (name, values) in enumerate(parts.items()):
        style = ("-", "--", ":")[i]
        axes.plot(table["time"], values, style, color=_COLOURS[i], label=name, linewidth=1.8)
    unit = {"Pa": "J/m³"}.get(load["units"].get(load["names"][1], ""), "")
    label_axis(axes.xaxis, "time", load["units"].get("time", ""), [table["time"]])
    label_axis(axes.yaxis, "energy per volume", unit, list(parts.values()))
    axes.set_title(title, fontsize=13, color=INK, parse_math=False)
    finish_axes(axes, len(parts))
    return save(path, figure)


def _over_time(
    figure: Figure,
    place: tuple[float, float, float, float],
    load: Mapping[str, Any],
    driven: Sequence[str],
    across: Sequence[NDArray[Any]],
    up: Sequence[NDArray[Any]],
) -> None:
    """Draw the flux over time, and the gradient on an axis of its own."""
    gradient, flux = load["names"]
    units, times = load["units"], np.array(load["table"]["time"], float)
    axes = figure.add_axes(place)
    _lines(axes, driven, [times] * len(up), up, "-")
    label_axis(axes.xaxis, "time", units.get("time", ""), [times])
    label_axis(axes.yaxis, flux, units.get(flux, ""), up)
    right = axes.twinx()
    for i, values in enumerate(across):
        right.plot(times, values, "--", color=_COLOURS[i % len(_COLOURS)], linewidth=1.2)
    label_axis(right.yaxis, f"{gradient} (dashed)", units.get(gradient, ""), across)
    right.spines["top"].set_visible(False)
    right.tick_params(colors=INK, labelsize=10)
    axes.set_title("over time", fontsize=13, color=INK)


def _driven(load: Mapping[str, Any], table: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return the components through which work passes, the one with most of it first."""
    gradient, flux = load["names"]
    work = {}
    for c in load["components"]:
        middle = 0.5 * (table[f"{flux}_{c}"][1:] + table[f"{flux}_{c}"][:-1])
        work[c] = float(np.abs(middle * np.diff(table[f"{gradient}_{c}"])).sum())
    ranked = sorted(work, key=lambda c: -work[c])
    shown = [c for c in ranked if work[c] > _DRIVEN * work[ranked[0]]] or ranked[:1]
    return shown[:_MOST_CURVES]


def _is_held(
    table: Mapping[str, NDArray[Any]], load: Mapping[str, Any], driven: Sequence[str]
) -> bool:
    """Whether gradient or flux of the main component rests for a time while the other moves."""
    (a, b) = (table[f"{name}_{driven[0]}"] for name in load["names"])
    still = [np.abs(np.diff(v)) <= _STILL * (np.ptp(v) or 1.0) for v in (a, b)]
    return bool(np.any(still[0] != still[1]))


def _lines(
    axes: Axes,
    names: Sequence[str],
    across: Sequence[NDArray[Any]],
    up: Sequence[NDArray[Any]],
    style: str,
) -> None:
    for i, (name, x, y) in enumerate(zip(names, across, up, strict=True)):
        colour = _COLOURS[i % len(_COLOURS)]
        axes.plot(x, y, style, color=colour, label=name, linewidth=1.6, markersize=4)
    finish_axes(axes, len(names))


def finish_axes(axes: Axes, count: int) -> None:
    """Give axes the look of all charts, and a legend of `count` curves if there are several."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=10)
    axes.grid(color="#ece9e1", linewidth=0.8)
    axes.set_axisbelow(True)
    if count > 1:
        axes.legend(frameon=False, fontsize=10)


def label_axis(axis: Any, name: str, unit: str, series: Sequence[NDArray[Any]]) -> None:
    """Name an axis, with the power of ten of its numbers and their unit."""
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)) for values in series)
    power = thousands(largest)
    axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(lambda value, _: f"{value / 10.0**power:.6g}")
    factor = rf"$10^{{{power}}}$ " if power else ""
    of = f" [{factor}{unit}]".replace(" ]", "]") if unit or power else ""
    axis.set_label_text(f"{name}{of}", color=INK, fontsize=12)
