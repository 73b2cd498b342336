"""Pictures of solved structures: curve, deformed body, residuals, work of the micro problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scalebridge.study.body_pictures import draw_body
from scalebridge.study.load_fields import load_fields
from scalebridge.study.load_pictures import finish_axes, label_axis
from scalebridge.study.pictures import INK, PALETTE, save, save_field
from scalebridge.study.structure_columns import Column, curves_of, repeats_of, steps_of
from scalebridge.study.structure_measures import Measure, at_vertices
from scalebridge.study.structure_surface import surface_of_solution

if TYPE_CHECKING:
    from scalebridge.structure import Solution
    from scalebridge.structure.localization import Localized
    from scalebridge.study.load_files import Write

_COLOURS = (*PALETTE[1:], PALETTE[0])
_STEP_COLOURS = "viridis"
_QUIET = "#8d887c"
_MOST_CURVES, _MOST_PANELS, _MOST_NAMED = 6, 2, 6
_FEW = 2  # residuals: of a linear structure, with nothing to see
_SEEN = 0.08  # of the body's size: the largest displacement as it is drawn


def save_structure_pictures(
    write: Write,
    name: str,
    told: Mapping[str, Any],
    solution: Solution,
    localized: Sequence[Localized],
    units: Mapping[str, str],
) -> None:
    """Write all pictures of a structure.

    ``structure_NAME.png``, ``deformed_NAME.png``, ``residuals_NAME.png`` of nonlinear ones,
    ``work_NAME.png`` if micro problems were solved, ``localized_NAME_1.png``, ….

    Parameters
    ----------
    write : callable
        Takes a name and a function that writes to a path.
    name : str
    told : mapping
        What the summary tells of the structure.
    solution : Solution
    localized : sequence of Localized
    units : mapping
        Kind of quantity → SI unit, as in `told`.
    """
    if len(solution.times) < 2:  # it has not left rest
        return
    if told["curves"]:
        write(f"structure_{name}.png", partial(save_curve, told=told, title=name))
    deformed: dict[str, Any] = {"solution": solution, "title": name, "units": units}
    deformed["places"] = [one.place for one in localized]
    write(f"deformed_{name}.png", partial(save_deformed, **deformed))
    if any(len(lines) > _FEW for substeps in told["residuals"] for lines in substeps):
        write(f"residuals_{name}.png", partial(save_residuals, told=told, title=name))
    if any(np.any(work) for work in solution.work_of_points.values()):
        write(f"work_{name}.png", partial(save_work, solution=solution, title=name))
    for number, one in enumerate(localized, start=1):
        own: dict[str, Any] = {"localized": one, "title": f"{name}, {number}", "units": units}
        write(f"localized_{name}_{number}.png", partial(save_localized, **own))


def save_curve(path: str | Path, told: Mapping[str, Any], title: str) -> Path:
    """Draw the load–displacement curves, a panel for each pair of quantities.

    Parameters
    ----------
    path : str or Path
    told : mapping
        What the summary tells of the structure.
    title : str
    """
    groups: dict[tuple[str, str], list[tuple[Column, Column]]] = {}
    for x, y in curves_of(told):
        groups.setdefault((x.kind, y.kind), []).append((x, y))
    shown = list(groups.values())[:_MOST_PANELS]
    figure, panels = _panels(len(shown))
    for axes, group in zip(panels, shown, strict=True):
        xs, ys = zip(*group[:_MOST_CURVES], strict=True)
        repeats = repeats_of(group[:_MOST_CURVES])
        for i, (x, y, again) in enumerate(zip(xs, ys, repeats, strict=True)):
            style, label = ("--", f"{y.label} (the same)") if again else ("o-", y.label)
            colour = _COLOURS[i % len(_COLOURS)]
            axes.plot(x.values, y.values, style, color=colour, label=label, lw=1.6, ms=3.5)
        for axis, some in ((axes.xaxis, xs), (axes.yaxis, ys)):
            names = {column.label for column in some}
            name = names.pop() if len(names) == 1 else some[0].kind
            label_axis(axis, name, some[0].unit, [column.values for column in some])
        finish_axes(axes, len(xs))
    panels[0].set_title(title, fontsize=13, color=INK, parse_math=False)
    return save(path, figure)


def save_deformed(
    path: str | Path,
    solution: Solution,
    title: str,
    units: Mapping[str, str],
    places: Sequence[Any] = (),
) -> Path:
    """Draw the deformed body over the outline of the undeformed one, coloured by its stress.

    In small strain the deformation is enlarged so that it is seen, and the title says how much.

    Parameters
    ----------
    path : str or Path
    solution : Solution
        Its last row with stored fields is drawn; without any, the last row by its displacement.
    title : str
    units : mapping
        Kind of quantity → SI unit; empty units are those of the input.
    places : sequence of (dim,)
        Points to number, in the undeformed body.
    """
    row = max(solution.fields, default=len(solution.times) - 1)
    surface = surface_of_solution(solution)
    measure = at_vertices(solution, surface, row)
    at_rest = solution.space.nodes[surface.nodes]
    factor, moved, marks = 0.0, at_rest, [np.asarray(place, float) for place in places]
    outline = None
    if solution.physics != "conduction":
        field, outline = solution.displacement[row], at_rest
        factor = enlargement(at_rest, field, solution.physics)
        moved = at_rest + factor * field[surface.nodes]
        marks = [place + factor * solution.at(place)[row] for place in marks]
    told = [f"{title}: {measure.title}", _moment(solution.times[row], units)]
    if factor > 1:
        told.append(f"deformation × {factor:g}")
    figure = draw_body(
        surface,
        moved,
        measure.values,
        ", ".join(told),
        symbol=_with_unit(measure, units),
        at_rest=outline,
        marks=marks,
    )
    return save(path, figure)


def enlargement(places: Any, displacement: Any, physics: str) -> float:
    """Return by what to enlarge a displacement to see it: 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    places : (node, dim)
    displacement : (node, dim)
    physics : str
        1 in finite strain.
    """
    largest = float(np.linalg.norm(displacement, axis=1).max())
    if physics == "finite strain" or largest == 0.0:
        return 1.0
    wanted = _SEEN * float(np.ptp(places, axis=0).max()) / largest
    power = 10.0 ** np.floor(np.log10(wanted))
    step = max(step for step in (1, 2, 5) if step <= max(1.0, wanted / power))
    return max(1.0, float(step * power))


def save_residuals(path: str | Path, told: Mapping[str, Any], title: str) -> Path:
    """Draw the residuals of all steps, over the iterations and each over the one before.

    In the second panel the order of convergence is a slope, and guides tell linear from
    quadratic.

    Parameters
    ----------
    path : str or Path
    told : mapping
        What the summary tells of the structure.
    title : str
    """
    figure, (left, right) = _panels(2)
    steps = steps_of(told)
    colours = colormaps[_STEP_COLOURS](np.linspace(0.0, 0.92, len(steps)))
    for number, (substeps, colour) in enumerate(zip(steps, colours, strict=True), start=1):
        for part, lines in enumerate(substeps):
            values = np.array([np.nan if line[0] is None else line[0] for line in lines], float)
            style = {"color": colour, "linewidth": 1.4, "markersize": 5}
            label = f"step {number}" if part == 0 else None
            left.semilogy(np.arange(len(values)), values, "o-", label=label, **style)
            right.loglog(values[:-1], values[1:], "o", **style)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    words = ("iteration", "residual, relative", "residual", "residual of the next iteration")
    for axes, across, up in ((left, *words[:2]), (right, *words[2:])):
        finish_axes(axes, 0)
        axes.set_xlabel(across, color=INK, fontsize=12)
        axes.set_ylabel(up, color=INK, fontsize=12)
    _guides(right)
    if len(steps) <= _MOST_NAMED:
        left.legend(frameon=False, fontsize=10)
    else:
        _steps_bar(figure, left, len(steps))
    left.set_title(title, fontsize=13, color=INK, parse_math=False)
    right.set_title("order of convergence", fontsize=13, color=INK)
    return save(path, figure)


def save_work(path: str | Path, solution: Solution, title: str) -> Path:
    """Draw how many iterations the micro problems took, a mean over the points of each element.

    Parameters
    ----------
    path : str or Path
    solution : Solution
    title : str
    """
    surface = surface_of_solution(solution)
    work = np.full(len(solution.space.connectivity), np.nan)
    for region in solution.regions:
        if region.name in solution.work_of_points:
            work[region.elements] = solution.work_of_points[region.name].mean(axis=1)
    figure = draw_body(
        surface,
        solution.space.nodes[surface.nodes],
        work,
        f"{title}: iterations of the micro problems",
        symbol="iterations of a point, in all",
        colours="YlGnBu",
    )
    return save(path, figure)


def save_localized(
    path: str | Path, localized: Localized, title: str, units: Mapping[str, str]
) -> Path:
    """Draw the field in the cell of one point that says most: as of load histories.

    Parameters
    ----------
    path : str or Path
    localized : Localized
    title : str
    units : mapping
        Kind of quantity → SI unit.
    """
    cell = localized.cell
    shown = load_fields(localized.fields, cell, units.get("flux", ""))
    return save_field(
        path,
        cell.microstructure,
        shown.arrays[shown.shown],
        f"{title}: {shown.title[:1].lower()}{shown.title[1:]}",
        shown.unit,
    )


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.8 * count, 4.4), dpi=150)
    wide = 1 / count
    return figure, [
        figure.add_axes(((i + 0.15) * wide, 0.15, 0.8 * wide, 0.74)) for i in range(count)
    ]


def _guides(axes: Axes) -> None:
    """Draw slopes one and two through the place where convergence sets in."""
    lines = [line.get_xydata() for line in axes.lines]
    pairs = np.concatenate([np.asarray(xy, float) for xy in lines])
    pairs = pairs[np.isfinite(pairs).all(axis=1) & (pairs > 0).all(axis=1)]
    if not len(pairs):
        return
    x = np.geomspace(pairs[:, 0].min(), pairs[:, 0].max(), 2)
    # Through the middle of what there is, so that both pass among the marks.
    middle = np.exp(np.log(pairs).mean(axis=0))
    for order, name, style in ((1, "linear", ":"), (2, "quadratic", "--")):
        y = middle[1] * (x / middle[0]) ** order
        axes.plot(x, y, style, color=_QUIET, linewidth=1.2, label=name, zorder=1)
    axes.set_ylim(0.3 * pairs[:, 1].min(), 3.0 * pairs[:, 1].max())
    axes.legend(frameon=False, fontsize=10)


def _steps_bar(figure: Figure, axes: Axes, count: int) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(1, count), colormaps[_STEP_COLOURS]),
        cax=axes.inset_axes((0.66, 0.9, 0.32, 0.03)),
        orientation="horizontal",
        ticks=[1, count],
    )
    bar.set_label("step", color=INK, fontsize=10, labelpad=-6)
    bar.outline.set_visible(False)


def _moment(time: float, units: Mapping[str, str]) -> str:
    return f"t = {time:.4g} {units.get('time', '')}".rstrip()


def _with_unit(measure: Measure, units: Mapping[str, str]) -> str:
    unit = units.get(measure.kind, "")
    return f"{measure.symbol}   [{unit}]" if unit else measure.symbol
