"""A solved body as an interactive scene, from the file that the run has stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from scalebridge.study.report.scenes import Figure, colour_bar, colour_scale, framed, packed
from scalebridge.study.report.words import Scale, scale_of
from scalebridge.study.results import reading
from scalebridge.study.structure_measures import Measure, measure_of
from scalebridge.study.structure_pictures import enlargement
from scalebridge.study.structure_surface import Surface, surface_of

_MOST_FACETS = 40_000  # some 10 MB
_MOST_LINES = 4000
_ROOM = {2: 1.4, 3: 1.3}  # how long the longest side is drawn
_ABOVE = 0.1  # of a plane body, for lines on it to be seen
_MANDEL = np.array([1.0, 1.0, 1.0, *[np.sqrt(2.0)] * 3])
_FLUXES = {"conduction": "flux", "elasticity": "stress", "finite strain": "P"}


class _Stored(NamedTuple):
    surface: Surface
    at_rest: NDArray[Any]
    displacement: NDArray[Any] | None
    measure: Measure


def body_scene(folder: Path, name: str, told: Mapping[str, Any]) -> tuple[Figure | None, str]:
    """Return a body in colour over the outline at rest, and a caption; None without its file.

    Parameters
    ----------
    folder : Path
    name : str
    told : mapping
        What the summary tells of the structure.
    """
    path = folder / Path(f"structure_{name}.vtkhdf").name
    if not path.exists():
        return None, ""
    with reading(path) as file:
        stored = _stored(file["VTKHDF"], told["physics"])
    if len(stored.surface.owners) > _MOST_FACETS:
        return None, ""
    units = told["units"]
    length = scale_of(np.ptp(stored.at_rest, axis=0).max(), units.get("length", ""))
    factor, moved = 0.0, stored.at_rest
    if stored.displacement is not None:
        factor = enlargement(stored.at_rest, stored.displacement, told["physics"])
        moved = stored.at_rest + factor * stored.displacement
    scale = scale_of(stored.measure.values, units.get(stored.measure.kind, ""))
    figure = _scene(stored, moved / length.factor, length, scale)
    enlarged = f"; deformation × {factor:g}" if factor > 1 else ""
    means = ", means over elements" if stored.measure.kind == "flux" else ""
    what = f"{stored.measure.title}{means}"
    hand = "move" if stored.at_rest.shape[1] == 2 else "turn"
    shown = f"{what[:1].upper()}{what[1:]}{scale.brackets}{enlarged}"
    return figure, f"{shown}. Drag to {hand}, scroll to zoom."


def _stored(root: h5py.Group, physics: str) -> _Stored:
    """Read the last step whose fields were kept."""
    points, count = np.asarray(root["Points"]), len(root["Types"])
    connectivity = np.asarray(root["Connectivity"]).reshape(count, -1)
    kind, regions = int(root["Types"][0]), np.asarray(root["CellData/region"])[:count]
    flat = not np.any(points[:, 2])
    at_rest = points[:, :2] if flat else points
    surface = surface_of(at_rest, connectivity, kind, regions)
    nodes, data = surface.nodes, root["PointData"]
    if physics == "conduction":
        values = data["temperature"][-len(points) :][nodes]
        return _Stored(surface, at_rest[nodes], None, Measure(values, "temperature", "", "field"))
    steps, fluxes = int(root["Steps"].attrs["NSteps"]), root[f"CellData/{_FLUXES[physics]}"]
    row, flux = steps - 1, None
    for step in reversed(range(steps)):
        kept = fluxes[step * count : (step + 1) * count]
        if np.isfinite(kept).any():
            row, flux = step, kept
            break
    found = data["displacement"][row * len(points) : (row + 1) * len(points)]
    displacement = found[nodes][:, : at_rest.shape[1]]
    if flux is None:
        size = np.linalg.norm(displacement, axis=1)
        return _Stored(
            surface, at_rest[nodes], displacement, Measure(size, "displacement", "", "field")
        )
    if physics == "elasticity":
        flux = flux[:, [0, 1, 2, 4, 5, 3]] * _MANDEL
    measure = measure_of(flux, physics)
    spread = np.broadcast_to(measure.values[:, None], connectivity.shape)
    measure = measure._replace(values=surface.average(spread))
    return _Stored(surface, at_rest[nodes], displacement, measure)


def _scene(stored: _Stored, moved: NDArray[Any], length: Scale, scale: Scale) -> Figure:
    surface, at_rest = stored.surface, stored.at_rest / length.factor
    flat = moved.shape[1] == 2
    triangles = surface.triangles.reshape(-1, 3)
    used, corners = np.unique(triangles, return_inverse=True)  # not those inside a solid
    values = stored.measure.values[used] / scale.factor
    traces = [
        {
            "type": "mesh3d",
            **{axis: packed(part) for axis, part in _axes(moved[used]).items()},
            **{
                key: packed(part, np.int32)
                for key, part in zip("ijk", corners.reshape(-1, 3).T, strict=True)
            },
            "intensity": packed(values),
            "colorscale": colour_scale("inferno"),
            "colorbar": colour_bar(scale.unit),
            "flatshading": False,
            "hovertemplate": "%{x:.4g}, %{y:.4g}"
            + ("" if flat else ", %{z:.4g}")
            + "<br>%{intensity:.5g}<extra></extra>",
            "lighting": {"ambient": 1.0 if flat else 0.8, "diffuse": 0.0 if flat else 0.35},
        }
    ]
    if len(surface.owners) <= _MOST_LINES:
        traces.append(_lines(moved[surface.edges], "#d5d1c6", 1.0))
    traces.append(_lines(moved[surface.outline], "#2b2b2b", 2.0))
    if stored.displacement is not None:
        traces.append(_lines(at_rest[surface.outline], "#8d887c", 2.0))
    return _looked_at(traces, np.concatenate([moved[used], at_rest[used]]), length)


def _axes(places: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return coordinates by axis; a plane body lies at z = 0."""
    whole = np.zeros((len(places), 3))
    whole[:, : places.shape[1]] = places
    return dict(zip("xyz", whole.T, strict=True))


def _lines(ends: NDArray[Any], colour: str, width: float) -> Figure:
    """Return lines (line, node, dim), from the first corner over the middle to the second."""
    pieces = np.full((len(ends), ends.shape[1] + 1, ends.shape[2]), np.nan)
    pieces[:, :-1] = ends
    shown = _axes(pieces.reshape(-1, ends.shape[2]))
    if ends.shape[2] == 2:
        shown["z"] = np.where(np.isnan(shown["x"]), np.nan, _ABOVE)
    return {
        "type": "scatter3d",
        "mode": "lines",
        **{
            axis: [None if np.isnan(v) else float(f"{v:.6g}") for v in values.tolist()]
            for axis, values in shown.items()
        },
        "line": {"color": colour, "width": width},
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _looked_at(traces: list[Figure], places: NDArray[Any], length: Scale) -> Figure:
    """Put traces into a space of true proportions; a plane body is looked at from above."""
    low, high = places.min(axis=0), places.max(axis=0)
    sizes = high - low
    flat = len(sizes) == 2
    room = _ROOM[len(sizes)] / sizes.max()
    sides = [*(room * sizes).tolist(), *([0.01] if flat else [])]
    figure = framed(traces, length.brackets, sides)
    scene = figure["layout"]["scene"]
    for axis, ends in zip("xyz", zip(low.tolist(), high.tolist(), strict=True), strict=False):
        scene[f"{axis}axis"]["range"] = list(ends)
    if flat:
        scene["zaxis"] = {"visible": False, "range": [-1.0, 1.0]}
        scene["dragmode"] = "pan"
        scene["camera"] = {
            "eye": {"x": 0.0, "y": 0.0, "z": 1.0},
            "up": {"x": 0.0, "y": 1.0, "z": 0.0},
            "projection": {"type": "orthographic"},
        }
    return figure
