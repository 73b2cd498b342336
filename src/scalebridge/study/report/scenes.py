"""Interactive scenes as figures of Plotly: plain dicts, arrays in base64."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from scalebridge.study.pictures import phase_colours
from scalebridge.study.report.directional import Directional
from scalebridge.study.report.drawings import SURFACE_COLOURS, colour_range
from scalebridge.study.report.fields import ShownField
from scalebridge.study.report.surfaces import block_means, phase_surfaces
from scalebridge.study.report.words import Scale, scale_of

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure
    from scalebridge.study.opened_run import OpenedRun

Figure = dict[str, Any]
_MOST_SURFACES = 8
_SLICE_SIDE, _FACE_SIDE = 128, 64
_SURFACES = (
    "Surfaces of all phases but the most abundant one, smoothed for display; "
    "a click on a name hides its surface."
)
INK, _LINE = "#2b2b2b", "#8d887c"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def phases_scene(run: OpenedRun) -> tuple[Figure | None, str]:
    """Return the surfaces of all phases but the most abundant one, of many the faces; a caption."""
    micro = run.microstructure
    if micro.dim != 3 or len(micro.names) < 2:
        return None, ""
    length = scale_of(micro.extent, run.units.get("length", ""))
    fractions = micro.volume_fractions
    rest = sorted(micro.names, key=lambda name: -fractions[name])[1:]
    shown = [name for name in rest if fractions[name] > 0]
    if not 0 < len(shown) <= _MOST_SURFACES:
        return _figure(_faces(micro, length), micro, length), "The faces of the image."
    colours = dict(zip(micro.names, phase_colours(micro), strict=True))
    traces = [
        _mesh(name, vertices / length.factor, triangles, to_hex(colours[name]))
        for name, (vertices, triangles) in phase_surfaces(micro, shown).items()
    ]
    return _figure(traces, micro, length), _SURFACES


def field_scene(run: OpenedRun, shown: ShownField) -> Figure | None:
    """Return three sections through the middle of the image, coloured by a field."""
    micro = run.microstructure
    if micro.dim != 3:
        return None
    length = scale_of(micro.extent, run.units.get("length", ""))
    values = run.fields[shown.name] / shown.scale.factor
    low, high = np.nanpercentile(values, [1, 99])
    if high - low <= 1e-9 * abs(high):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    traces = []
    for axis in range(3):
        middle = values.shape[axis] // 2
        place = (middle + 0.5) * micro.spacing[axis]
        traces.append(_section(micro, values.take(middle, axis), axis, place, length))
        traces[-1] |= {"cmin": low, "cmax": high, "colorscale": colour_scale("inferno")}
    traces[0] |= {"showscale": True, "colorbar": colour_bar(shown.scale.unit)}
    return _figure(traces, micro, length)


def modulus_scene(shape: Directional, scale: Scale) -> Figure | None:
    """Return the surface of the modulus over all directions, with its extremes."""
    if shape.dim != 3:
        return None
    values = shape.values / scale.factor
    norm = colour_range(shape, scale)
    surface = {
        "type": "surface",
        **{name: packed(part) for name, part in zip("xyz", values * shape.directions, strict=True)},
        "surfacecolor": packed(values),
        "cmin": float(norm.vmin or 0.0),
        "cmax": float(norm.vmax or 1.0),
        "colorscale": colour_scale(SURFACE_COLOURS),
        "colorbar": colour_bar(f"{shape.letter}{scale.brackets}"),
        "hoverinfo": "skip",
        "lighting": {"ambient": 0.75, "diffuse": 0.45, "specular": 0.05, "roughness": 0.9},
    }
    traces = [surface]
    if not shape.is_isotropic:
        traces += [
            _arrow(name, 1.15 * value / scale.factor * vector, colour)
            for name, (value, vector), colour in (
                ("largest", shape.largest, "#b5493c"),
                ("least", shape.least, "#27496d"),
            )
        ]
    figure = _figure(traces, None, scale)
    figure["layout"]["showlegend"] = not shape.is_isotropic
    reach = 1.15 * float(values.max())
    scene = figure["layout"]["scene"]
    scene["camera"] = {"eye": {"x": 1.05, "y": -1.05, "z": 0.7}}
    for axis in "xyz":
        scene[f"{axis}axis"]["range"] = [-reach, reach]
    return figure


def _arrow(name: str, tip: NDArray[Any], colour: str) -> dict[str, Any]:
    return {
        "type": "scatter3d",
        "mode": "lines",
        "name": name,
        **{axis: [-float(v), float(v)] for axis, v in zip("xyz", tip, strict=True)},
        "line": {"color": colour, "width": 6},
        "hoverinfo": "name",
    }


def _mesh(name: str, vertices: NDArray[Any], triangles: NDArray[Any], colour: str) -> Figure:
    whole = np.uint16 if len(vertices) < 1 << 16 else np.int32
    return {
        "type": "mesh3d",
        "name": text(name),
        "showlegend": True,
        **{axis: packed(part) for axis, part in zip("xyz", vertices.T, strict=True)},
        **{key: packed(part, whole) for key, part in zip("ijk", triangles.T, strict=True)},
        "color": colour,
        "flatshading": False,
        "hoverinfo": "name",
        "lighting": {
            "ambient": 0.72,
            "diffuse": 0.55,
            "specular": 0.1,
            "roughness": 0.8,
            "vertexnormalsepsilon": 0,
            "facenormalsepsilon": 0,
        },
        "lightposition": {"x": 60000, "y": -60000, "z": 100000},
    }


def _faces(micro: Microstructure, length: Scale) -> list[Figure]:
    """Return the six faces of the image in the colours of its phases."""
    colours = phase_colours(micro)
    count = len(colours)
    steps = [[(i + side) / count, to_hex(colours[i])] for i in range(count) for side in (0.0, 1.0)]
    traces = []
    labels = np.asarray(micro.labels)
    for axis in range(3):
        for index, place in ((0, 0.0), (-1, micro.extent[axis])):
            trace = _section(micro, labels.take(index, axis), axis, place, length, sharp=True)
            trace |= {"cmin": -0.5, "cmax": count - 0.5, "colorscale": steps}
            traces.append(trace)
    return traces


def _section(
    micro: Microstructure,
    values: NDArray[Any],
    axis: int,
    place: float,
    length: Scale,
    sharp: bool = False,
) -> Figure:
    """Return a plane across an axis, coloured by values that fade into each other, or do not."""
    step = max(1, -(-max(values.shape) // (_FACE_SIDE if sharp else _SLICE_SIDE)))
    shown = values[::step, ::step] if sharp else block_means(values.astype(float), step)
    others = [a for a in range(3) if a != axis]
    if sharp:  # four points of one colour for each voxel
        edges = [np.linspace(0.0, 1.0, n + 1).repeat(2)[1:-1] for n in shown.shape]
        shown = shown.repeat(2, axis=0).repeat(2, axis=1)
    else:
        edges = [np.linspace(0.0, 1.0, n) for n in shown.shape]
    ends = [micro.extent[a] * edge for a, edge in zip(others, edges, strict=True)]
    first, second = np.meshgrid(*ends, indexing="ij")
    coordinates = {axis: np.full(shown.shape, place), others[0]: first, others[1]: second}
    return {
        "type": "surface",
        **{"xyz"[a]: packed(c / length.factor) for a, c in coordinates.items()},
        "surfacecolor": packed(shown),
        "showscale": False,
        "hoverinfo": "skip",
        "lighting": {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "fresnel": 0.0},
    }


def _figure(traces: list[Figure], micro: Microstructure | None, scale: Scale) -> Figure:
    """Add the axes and, of an image, its edges."""
    if micro is None:
        return framed(traces, "", (1.0, 1.0, 1.0))
    sides = [float(side / max(micro.extent)) for side in micro.extent]
    traces = [*traces, _edges(np.array(micro.extent) / scale.factor)]
    return framed(traces, scale.brackets, sides)


def framed(traces: list[Figure], unit: str, sides: Sequence[float]) -> Figure:
    """Return traces in a space whose axes have a unit and are so long."""
    axis = {
        "showbackground": False,
        "showspikes": False,
        "gridcolor": "#e8e5dd",
        "zerolinecolor": "#d5d1c6",
        "tickfont": {"size": 10, "color": _LINE},
    }
    named = {f"{a}axis": {**axis, "title": {"text": f"{a}{unit}"}} for a in "xyz"}
    return {
        "data": traces,
        "layout": {
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": INK},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#a5a096", "activecolor": INK},
            "scene": {
                **named,
                "aspectmode": "manual",  # "data" lets a slender image grow out of sight
                "aspectratio": dict(zip("xyz", sides, strict=True)),
                "dragmode": "orbit",
                "camera": {"eye": {"x": 1.45, "y": -1.45, "z": 0.95}},
            },
            "legend": {"x": 0.0, "y": 1.0, "bgcolor": "rgba(255,255,255,0.75)"},
        },
    }


def _edges(extent: NDArray[Any]) -> Figure:
    """Return the twelve edges of the image in one broken line."""
    x, y, z = extent
    bottom = [(0, 0, 0), (x, 0, 0), (x, y, 0), (0, y, 0), (0, 0, 0)]
    top = [(a, b, z) for a, b, _ in bottom]
    line: list[tuple[Any, ...]] = [*bottom, *top]
    for corner in bottom[1:4]:
        line += [(None, None, None), corner, (corner[0], corner[1], z)]
    return {
        "type": "scatter3d",
        "mode": "lines",
        **{a: [None if p[i] is None else float(p[i]) for p in line] for i, a in enumerate("xyz")},
        "line": {"color": _LINE, "width": 2},
        "showlegend": False,
        "hoverinfo": "skip",
    }


def colour_bar(title: str) -> dict[str, Any]:
    """Return a bar that tells the colours."""
    return {
        "title": {"text": text(title), "side": "top"},
        "thickness": 12,
        "len": 0.7,
        "outlinewidth": 0,
    }


def colour_scale(name: str) -> list[list[Any]]:
    """Return a colour map of matplotlib as Plotly takes it."""
    places = np.linspace(0, 1, 16)
    return [[float(p), to_hex(colormaps[name](p))] for p in places]


def text(words: str) -> str:
    """Return words that Plotly, which knows some tags, shows as they are."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def packed(values: ArrayLike, kind: Any = np.float32) -> dict[str, Any]:
    """Return an array as Plotly's typed arrays in base64, which keep pages small."""
    array = np.ascontiguousarray(values, dtype=kind)
    code = {"float32": "f4", "uint16": "u2", "int32": "i4"}[array.dtype.name]
    told = {"dtype": code, "bdata": base64.b64encode(array.tobytes()).decode("ascii")}
    return told | ({"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {})
