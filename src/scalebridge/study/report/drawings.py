"""Static pictures of the page, as data that an ``img`` element can hold."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scalebridge.study import pictures
from scalebridge.study.report.directional import Directional
from scalebridge.study.report.words import Scale, number

if TYPE_CHECKING:
    from scalebridge.study.opened_run import OpenedRun
    from scalebridge.study.opened_tensor import OpenedBounds
    from scalebridge.study.report.fields import ShownField

_INK, _QUIET, _ACCENT = "#2b2b2b", "#9a958a", "#27496d"
COLOURS = ("#27496d", "#e0a13a", "#4f9d8d", "#b5493c", "#8a6fa8", "#7c8a3a", "#444444")
SURFACE_COLOURS = "viridis"
_MOST_TICKS, _DECADES, _ROUND_OFF = 8, 50.0, 1e-5
_LIGHT = np.array([0.5, -0.5, 0.7])  # from above and from the side of the eye


def drawn(save: Callable[[Path], object]) -> str:
    """Return the PNG that a function of `scalebridge.study.pictures` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        save(path)
        return _uri("png", path.read_bytes())


def stored(folder: Path, name: str) -> str:
    """Return a PNG that a run has written; empty where it is not there."""
    path = folder / Path(name).name  # whatever the name holds, no other folder
    return _uri("png", path.read_bytes()) if path.is_file() else ""


def microstructure(run: OpenedRun) -> str:
    return drawn(lambda path: pictures.save_microstructure(path, run.microstructure))


def field(run: OpenedRun, shown: ShownField) -> str:
    values, scale = run.fields[shown.name] / shown.scale.factor, shown.scale.unit
    return drawn(
        lambda path: pictures.save_field(path, run.microstructure, values, shown.short, scale)
    )


def bounds(compared: OpenedBounds, unit: str) -> str:
    return drawn(lambda path: pictures.save_bounds(path, compared, unit))  # type: ignore[arg-type]


def modulus(shape: Directional, scale: Scale) -> str:
    """Draw the modulus over the directions, as a surface or as a curve in the plane."""
    figure = Figure(figsize=(5.2, 4.6), dpi=150)
    (_surface if shape.dim == 3 else _curve)(figure, shape, scale)
    return _png(figure) if shape.dim == 3 else _svg(figure)


def _surface(figure: Figure, shape: Directional, scale: Scale) -> None:
    axes: Any = figure.add_axes((0.0, 0.0, 0.86, 1.0), projection="3d")
    values = shape.values / scale.factor
    norm = colour_range(shape, scale)
    colours = colormaps[SURFACE_COLOURS](norm(values))
    towards = np.tensordot(_LIGHT, shape.directions, axes=1)
    colours[..., :3] *= (0.84 + 0.16 * towards)[..., None]
    x, y, z = values * shape.directions
    axes.plot_surface(
        x,
        y,
        z,
        rstride=1,
        cstride=1,
        facecolors=colours,
        shade=False,
        linewidth=0,
        antialiased=False,
    )
    reach = 1.05 * float(values.max())
    for axis, name in enumerate("xyz"):
        line = np.zeros((3, 2))
        line[axis] = [-reach, reach]
        axes.plot(*line, color=_QUIET, linewidth=0.8)
        axes.text(*(1.1 * line[:, 1]), name, color=_INK, fontsize=12, style="italic")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1), zoom=1.35)
    axes.view_init(elev=24, azim=-52)
    axes.set_axis_off()
    bar = figure.colorbar(
        ScalarMappable(norm, colormaps[SURFACE_COLOURS]),
        cax=figure.add_axes((0.87, 0.2, 0.025, 0.6)),
    )
    bar.set_label(f"{shape.letter}{scale.brackets}", color=_INK, parse_math=False)
    bar.ax.tick_params(labelsize=9, colors=_INK)
    bar.outline.set_visible(False)


def colour_range(shape: Directional, scale: Scale) -> Normalize:
    """Return the range of colours, which does not blow up round-off."""
    low, high = shape.least[0] / scale.factor, shape.largest[0] / scale.factor
    if shape.is_isotropic:
        return Normalize(0.95 * high, 1.05 * high or 1.0)
    return Normalize(low, high)


def _curve(figure: Figure, shape: Directional, scale: Scale) -> None:
    axes: Any = figure.add_axes((0.1, 0.08, 0.8, 0.84), projection="polar")
    angle = np.arctan2(shape.directions[1], shape.directions[0])
    angle = np.unwrap(angle)
    values = shape.values / scale.factor
    axes.plot(angle, values, color=_ACCENT, linewidth=2)
    axes.fill(angle, values, color=_ACCENT, alpha=0.08)
    reach = 1.12 * float(values.max()) or 1.0
    axes.set_rticks([t for t in MaxNLocator(4).tick_values(0, reach) if 0 < t < 0.7 * reach])
    axes.set_ylim(0, reach)
    axes.set_rlabel_position(22.5)
    axes.set_thetagrids(np.arange(0, 360, 45))
    axes.tick_params(labelsize=10, colors=_INK)
    axes.grid(color="#e3e0d8", linewidth=0.8)
    axes.spines["polar"].set_color("#cfcabd")


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float | None]]], label: str, what: str
) -> str:
    """Draw results, each as places and values, over a swept parameter."""
    figure, axes = _chart(label, what)
    axes.margins(y=0.12)
    for i, (name, (places, values)) in enumerate(series.items()):
        order = np.argsort(places)
        axes.plot(
            np.array(places)[order],
            np.array(values, float)[order],
            ("o-", "s--", "^:")[i % 3],  # so that lines on each other are seen
            color=COLOURS[i % len(COLOURS)],
            markersize=6 - i % 3,
            linewidth=1.6,
            label=_literal(name),
        )
    heights = [v for _, values in series.values() for v in values if v is not None]
    _ticks_at(axes, sorted({place for places, _ in series.values() for place in places}))
    _keep_round_off_flat(axes, heights)
    return _told(figure, axes, len(series))


def paths(series: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], label: str, what: str) -> str:
    """Draw curves that may turn back, over one another."""
    figure, axes = _chart(label, what)
    for i, (name, (across, up)) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(across, up, ("-", "--", ":")[i % 3], color=colour, label=_literal(name))
    axes.locator_params(axis="x", nbins=6)
    return _told(figure, axes, len(series))


def _chart(label: str, what: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3.6), dpi=150)
    axes = figure.add_axes((0.14, 0.17, 0.82, 0.76))
    axes.set_xlabel(label, color=_INK, parse_math=False)
    axes.set_ylabel(what, color=_INK, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.grid(axis="y", color="#ece9e1", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _told(figure: Figure, axes: Any, count: int) -> str:
    """Add the legend, in which names are no formulas."""
    legend = axes.legend(frameon=False, fontsize=9, ncols=2 if count > 4 else 1)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return _svg(figure)


def _ticks_at(axes: Any, places: Sequence[float]) -> None:
    """Put the ticks where the points are, if these are few and apart; decades on a log axis."""
    first, last = places[0], places[-1]
    if first > 0 and last > _DECADES * first:
        axes.set_xscale("log")
    elif len(places) <= _MOST_TICKS and min(np.diff(places), default=1.0) > 0.07 * (last - first):
        axes.set_xticks(places, [number(place) for place in places])


def _keep_round_off_flat(axes: Any, values: Sequence[float]) -> None:
    """Show values that differ by no more than round-off as one."""
    if not values:
        return
    middle, spread = 0.5 * (max(values) + min(values)), max(values) - min(values)
    if spread < _ROUND_OFF * abs(middle):
        axes.set_ylim(*sorted((0.95 * middle, 1.05 * middle)))


def _literal(name: str) -> str:
    """Keep matplotlib from leaving out labels that begin with an underscore."""
    return f" {name}" if name.startswith("_") else name


def _png(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", facecolor="white")
    return _uri("png", stream.getvalue())


def _svg(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", facecolor="white", metadata={"Date": None})
    return _uri("svg+xml", stream.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
