"""Bodies drawn on paper: plane ones as they are, solids as seen along a diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MaxNLocator
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from scalebridge.study.pictures import INK, thousands
from scalebridge.study.structure_surface import Surface, normals

_QUIET, _MISSING = "#8d887c", "#d8d5cd"
_LINES = 4000  # facets; of more the lines between them would hide all else
_C = np.sqrt(0.75)
_PAPER = np.array([[_C, -0.5], [_C, 0.5], [0.0, 1.0]])  # as blocks are drawn
_EYE = np.array([1.0, -1.0, 1.0]) / np.sqrt(3.0)
_LIGHT = np.array([0.35, -0.55, 0.9])  # from above
_WIDE, _HIGH = 7.0, 6.0  # inches at most


def draw_body(
    surface: Surface,
    places: NDArray[Any],
    values: NDArray[Any],
    title: str,
    *,
    symbol: str,
    colours: str = "inferno",
    at_rest: NDArray[Any] | None = None,
    marks: Sequence[NDArray[Any]] = (),
) -> Figure:
    """Return a figure of a body in colour, with a bar that tells them.

    Parameters
    ----------
    surface : Surface
    places : (vertex, dim)
    values : (vertex,) or (element,)
        NaN is grey.
    title, symbol : str
        The title stands above the body, the symbol at the bar.
    colours : str
    at_rest : (vertex, dim), optional
        Where its outline is to be drawn.
    marks : sequence of (dim,)
        Places to number.
    """
    power = thousands(float(np.nanmax(np.abs(values))))
    values = values / 10.0**power
    norm = Normalize(*_range(values))
    cmap = colormaps[colours].with_extremes(bad=_MISSING)
    everything = places if at_rest is None else np.concatenate([places, at_rest])
    figure, axes = _paper(_on_paper(everything))
    if places.shape[1] == 3:
        _solid(axes, surface, places, values, norm, cmap)
    else:
        _plane(axes, surface, places, values, norm, cmap)
    if at_rest is not None:
        lines = _on_paper(at_rest)[surface.outline]
        rest = LineCollection(list(lines), colors=_QUIET, linewidths=1.0, linestyles="--")
        rest.set_zorder(0 if places.shape[1] == 3 else 3)  # a solid hides what is behind it
        axes.add_collection(rest)
    for number, place in enumerate(marks, start=1):
        _mark(axes, _on_paper(place[None])[0], number)
    _bar(figure, axes, norm, cmap, symbol, power)
    axes.set_title(title, fontsize=12, color=INK, parse_math=False)
    return figure


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the largest, but do not blow up round-off."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    return low, high


def _on_paper(places: NDArray[Any]) -> NDArray[Any]:
    return places @ _PAPER if places.shape[1] == 3 else places


def _paper(places: NDArray[Any]) -> tuple[Figure, Axes]:
    """Return axes that are as wide and as high as a body asks for."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = high - low
    inches = size * min(_WIDE / size[0], _HIGH / size[1])
    wide, tall = np.maximum(inches, 1.0) + np.array([0.4, 1.6])  # room for title and bar
    figure = Figure(figsize=(wide, tall), dpi=150)
    axes = figure.add_axes((0.2 / wide, 1.0 / tall, 1 - 0.4 / wide, 1 - 1.6 / tall))
    room = 0.01 * size.max()
    axes.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room))
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure, axes


def _plane(
    axes: Axes,
    surface: Surface,
    places: NDArray[Any],
    values: NDArray[Any],
    norm: Normalize,
    cmap: Colormap,
) -> None:
    if len(values) == len(places):
        triangles = surface.triangles.reshape(-1, 3)
        shape = Triangulation(places[:, 0], places[:, 1], triangles)
        axes.tripcolor(shape, values, shading="gouraud", norm=norm, cmap=cmap, zorder=1)
    else:
        facets = PolyCollection(list(places[surface.rims]), norm=norm, cmap=cmap, edgecolors="face")
        facets.set_array(values[surface.owners])
        axes.add_collection(facets)
    if len(surface.owners) <= _LINES:
        lines = list(places[surface.edges])
        axes.add_collection(LineCollection(lines, colors="white", linewidths=0.4, alpha=0.45))
    rim = list(places[surface.outline])
    axes.add_collection(LineCollection(rim, colors=INK, linewidths=0.9, capstyle="round"))


def _solid(
    axes: Axes,
    surface: Surface,
    places: NDArray[Any],
    values: NDArray[Any],
    norm: Normalize,
    cmap: Colormap,
) -> None:
    """Draw the facets that face the eye, the farthest first, with light from above."""
    step = 1 if surface.edges.shape[1] == 2 else 2
    corners = surface.rims[:, ::step]
    middle = places[corners].mean(axis=1)
    centres = places[surface.connectivity].mean(axis=1)[surface.owners]
    outward = normals(places, corners)
    outward *= np.sign(np.sum(outward * (middle - centres), axis=1))[:, None]
    seen = np.flatnonzero(outward @ _EYE > 0)
    seen = seen[np.argsort(middle[seen] @ _EYE, kind="stable")]
    at_facets = (
        values[surface.triangles].mean(axis=(1, 2))
        if len(values) == len(places)
        else values[surface.owners]
    )
    rgb = cmap(norm(np.ma.masked_invalid(at_facets[seen])))[:, :3]
    light = 0.86 + 0.14 * (outward[seen] @ _LIGHT / np.linalg.norm(_LIGHT))
    drawn = np.clip(rgb * light[:, None], 0, 1)
    polygons = list(_on_paper(places)[surface.rims[seen]])
    edges = (1.0, 1.0, 1.0, 0.35) if len(seen) <= _LINES else "face"
    axes.add_collection(
        PolyCollection(polygons, facecolors=drawn, edgecolors=edges, linewidths=0.4)
    )


def _mark(axes: Axes, place: NDArray[Any], number: int) -> None:
    halo: list[AbstractPathEffect] = [withStroke(linewidth=2.5, foreground="white")]
    x, y = place.tolist()
    axes.plot(x, y, "o", mfc="none", mec=INK, mew=1.3, ms=7, zorder=5, path_effects=halo)
    text = axes.annotate(
        str(number), (x, y), (6, 5), textcoords="offset points", fontsize=12, color=INK, zorder=6
    )
    text.set_path_effects(halo)


def _bar(
    figure: Figure, axes: Axes, norm: Normalize, cmap: Colormap, symbol: str, power: int
) -> None:
    wide, tall = figure.get_size_inches()
    length = min(4.0, wide - 1.0)
    place = figure.add_axes((0.5 - 0.5 * length / wide, 0.75 / tall, length / wide, 0.14 / tall))
    bar = figure.colorbar(ScalarMappable(norm, cmap), cax=place, orientation="horizontal")
    bar.set_label(symbol, fontsize=12, color=INK)
    bar.ax.tick_params(labelsize=10, colors=INK)
    bar.locator = MaxNLocator(6)
    bar.outline.set_linewidth(0.6)
    if power:
        factor = rf"$\times 10^{{{power}}}$"
        place.text(1.03, 0.5, factor, transform=place.transAxes, va="center", color=INK)
