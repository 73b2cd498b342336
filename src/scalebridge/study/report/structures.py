"""What the page of a run tells of its structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import boundary_in_words
from scalebridge.study.report import checks, drawings
from scalebridge.study.report.scenes import Figure
from scalebridge.study.report.structure_charts import (
    curve_chart,
    energies_of,
    energy_chart,
    scale_of_columns,
)
from scalebridge.study.report.structure_checks import (
    balanced_to,
    largest_energy,
    orders_of,
    structure_checks_of,
)
from scalebridge.study.report.structure_scene import body_scene
from scalebridge.study.report.words import (
    anchor,
    duration,
    listed,
    number,
    scale_of,
    size,
    small,
)
from scalebridge.study.structure_columns import (
    LOAD,
    Column,
    column_of,
    curves_of,
    is_load,
    steps_of,
)

_MOST_STEPS = 1000  # in the table of steps
_MOST_LINES = 2000  # in the table of residuals
_MOST_OPEN = 40  # lines that stand open
_ENDS = ("force", "flow", "displacement", "temperature")
_ROUND_OFF = 1e-9
_MEASURES = {"von_mises": "von Mises stress", "max_principal": "largest principal stress"}
_FILES = (
    ("structure_{}.csv", "reactions, displacements, energies and iterations by time"),
    ("structure_{}.vtkhdf", "the macroscopic fields over time, for ParaView"),
)


def structures_of(run: OpenedRun) -> Mapping[str, Mapping[str, Any]]:
    """Return what the summary tells of each structure; older runs have none."""
    return run.summary.get("structures") or {}


def structure_section(
    run: OpenedRun, name: str, told: Mapping[str, Any], found: dict[str, Any], folder: str
) -> dict[str, Any]:
    """Return what the template tells of a structure.

    Parameters
    ----------
    run : OpenedRun
    name : str
    told : mapping
        What the summary tells of the structure.
    found : dict
        Charts and scenes by name, to which those of this structure are added.
    folder : str
        From the page to the folder of results.
    """
    evidence = structure_checks_of(told)
    charts, body = _charts(run, name, told, found), _body(run, name, told, found)
    return {
        "id": f"structure-{anchor(name)}",
        "name": name,
        "setting": _setting(told),
        "verdict": checks.worst_of(evidence),
        "charts": charts,
        "balance": _balance(told),
        "body": body,
        "pictures": [*charts, *([body] if body else [])],
        "regions": _regions(told),
        "ends": _ends(told),
        "residuals": _picture(
            run.path,
            f"residuals_{name}.png",
            "Residuals of Newton's iteration in each step, and each over the one before: along "
            "the dashed line digits double.",
            f"Residuals of {name}",
        ),
        "steps": _steps(told),
        "lines": _lines(told),
        "work": _picture(
            run.path,
            f"work_{name}.png",
            "Iterations of the micro problems in all, means over the points of each element.",
            f"Where the micro problems of {name} took most iterations",
        ),
        "hardest": _hardest(told),
        "inside": [
            _inside(run.path, name, k, one, told) for k, one in enumerate(told["localized"], 1)
        ],
        "checks": evidence,
        "timings": [(key, duration(value)) for key, value in told["timings"].items()],
        "cost": _cost(told),
        "files": _files(run.path, name, told, folder),
    }


def _setting(told: Mapping[str, Any]) -> str:
    plane = {None: "", "axisymmetric": ", axisymmetric"}.get(
        told["plane"], f", plane {told['plane']}"
    )
    counts = told["counts"]
    solved = sum(r["points"] for r in told["regions"].values() if _is_solved(r))
    which = "each" if solved == counts["points"] else f"{solved} of them"
    micro = f", {which} with a micro problem (FE²)" if solved else ""
    return (
        f"{told['physics']}{plane}; {counts['elements']} elements, {counts['nodes']} nodes, "
        f"{counts['unknowns']} unknowns; {counts['points']} points{micro}"
    )


def _is_solved(region: Mapping[str, Any]) -> bool:
    return region["cell"] is not None and not region["cell"]["linear"]


def _picture(folder: Path, file: str, caption: str, alt: str) -> dict[str, Any] | None:
    """Return a picture that the run has drawn; None where it is not there."""
    stored = drawings.stored(folder, file)
    return {"picture": stored, "alt": alt, "caption": caption} if stored else None


def _charts(
    run: OpenedRun, name: str, told: Mapping[str, Any], found: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the load–displacement curve and, of mechanics, the energies over time."""
    if told["reached"] < 1:
        return []
    pictures = {} if told["physics"] == "conduction" else {"energy": _energies(told)}
    if told["curves"]:
        stored = drawings.stored(run.path, f"structure_{name}.png")
        pictures = {"curve": (stored, _of_curve(told), curve_chart(told)), **pictures}
    charts = []
    for kind, (picture, caption, figure) in pictures.items():
        key = f"{kind}-{anchor(name)}"
        found[key] = figure
        alt = f"{caption[:-1]}, of {name}"
        label = f"Interactive chart: {alt}"
        charts.append(
            {"picture": picture, "alt": alt, "caption": caption, "flat": True}
            | {"scene": key, "label": label}
        )
    return charts


def _energies(told: Mapping[str, Any]) -> tuple[Any, str, Figure]:
    """Return the energies over time as a picture, its caption and its chart."""
    parts, scale = energies_of(told)
    time = column_of(told, "time")
    shown = scale_of_columns([time])
    energies = {key: (time.values / shown.factor, v / scale.factor) for key, v in parts.items()}
    return (
        drawings.paths(energies, f"time{shown.brackets}", f"energy{scale.brackets}"),
        "Work of loads and supports over time, and where it went.",
        energy_chart(told),
    )


def _of_curve(told: Mapping[str, Any]) -> str:
    x, y = curves_of(told)[0]
    if x.kind == "displacement":
        return "Load–displacement curve."
    return f"{y.kind[:1].upper()}{y.kind[1:]} over {x.kind}."


def _body(
    run: OpenedRun, name: str, told: Mapping[str, Any], found: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the deformed body as a picture and as a scene; None where neither is there."""
    figure, caption = body_scene(run.path, name, told) if told["reached"] else (None, "")
    stored = drawings.stored(run.path, f"deformed_{name}.png")
    if not stored:
        return None
    key = None
    if figure is not None:
        key = f"body-{anchor(name)}"
        found[key] = figure
    numbered = " Numbers are the points whose cells are shown below." if told["localized"] else ""
    dashed = "" if told["physics"] == "conduction" else " Dashed: at rest."
    return {
        "picture": stored,
        "alt": f"The body {name} in colour",
        "caption": f"The body at the end.{dashed}{numbered}",
        "scene": key,
        "label": f"Interactive scene: the body {name}",
        "scene_caption": caption,
    }


def _regions(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, region in told["regions"].items():
        cell, inside = region["cell"], "–"
        if cell is not None:
            once = "; linear, so homogenised once" if cell["linear"] else ""
            inside = (
                f"{size(cell['shape'])} voxels of {listed(list(cell['phases']))}, "
                f"{boundary_in_words(cell['boundary'])}, {cell['element']}{once}"
            )
        rows.append({"name": name, "law": region["law"], "cell": inside})
        rows[-1]["values"] = [region["elements"], region["points"]]
    return rows


def _ends(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return reactions and displacements at the end and where they are largest."""
    columns = [column_of(told, key) for key in told["table"] if "." in key]
    largest = {kind: _largest([c for c in columns if c.kind == kind]) for kind in _ENDS}
    for force, moved in (("force", "displacement"), ("flow", "temperature")):
        if largest[moved]:  # what does the work: reactions that balance are small beside it
            largest[force] = max(largest[force], largest_energy(told) / largest[moved])
    rows = []
    for kind in _ENDS:
        noise = _ROUND_OFF * largest[kind]
        own = [
            column._replace(values=np.where(np.abs(column.values) > noise, column.values, 0.0))
            for column in columns
            if column.kind == kind
        ]
        for column in own:
            scale = scale_of_columns(own)
            peak = column.values[np.abs(column.values).argmax()]
            values = [number(v / scale.factor) for v in (column.values[-1], float(peak))]
            rows.append({"name": _spelled(column, told), "values": values, "unit": scale.unit})
    return {"rows": rows, "united": any(row["unit"] for row in rows)}


def _largest(columns: Sequence[Column]) -> float:
    return max((float(np.abs(column.values).max()) for column in columns), default=0.0)


def _spelled(column: Column, told: Mapping[str, Any]) -> str:
    """Return a column in words: "force on right along x"."""
    owner, _, what = column.key.rpartition(".")
    what = what.removeprefix("u_").removeprefix(LOAD)
    along = f" along {what}" if what in ("x", "y", "z") else ""
    if is_load(column.key):
        return f"{'flow into' if column.kind == 'flow' else 'load on'} {owner}{along}"
    between = "on" if owner in told["supports"] and column.kind in ("force", "flow") else "of"
    return f"{column.kind} {between} {owner}{along}"


def _balance(told: Mapping[str, Any]) -> str:
    """Say what the work balances with, and to how much; nothing in conduction, without work."""
    if told["physics"] == "conduction":
        return ""
    parts, scale = energies_of(told)
    unit = f" {scale.unit}" if scale.unit else ""
    largest = max(float(np.abs(v).max()) for k, v in parts.items() if k != "left over")
    work, stored, lost = (
        number(
            float(parts[k][-1] / scale.factor) if abs(parts[k][-1]) > _ROUND_OFF * largest else 0.0,
            4,
        )
        for k in ("work", "stored", "dissipated")
    )
    return (
        f"Loads and supports have done the work {work}{unit}; of it {stored}{unit} is stored and "
        f"{lost}{unit} dissipated. At every time the three balance to {balanced_to(told)} of the "
        "largest energy."
    )


def _steps(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return iterations, cuts, the last residual and the order of convergence of each step."""
    newton, substeps = (column_of(told, key).values for key in ("newton", "substeps"))
    column = column_of(told, "time")
    time = scale_of_columns([column])
    rows = []
    for step, lines in enumerate(steps_of(told)[: min(told["reached"], _MOST_STEPS)], start=1):
        orders = orders_of(lines)
        rows.append(
            {
                "step": step,
                "values": [
                    number(column.values[step] / time.factor),
                    int(newton[step]),
                    int(substeps[step]),
                    small(lines[-1][-1][0]) if lines and lines[-1] else "–",
                    f"{np.median(orders):.1f}" if len(orders) else "–",
                ],
                "cut": substeps[step] > 1,
            }
        )
    return {"rows": rows, "unit": time.brackets, "more": told["reached"] - len(rows)}


def _lines(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of residuals, a row for each iteration."""
    micro = any(_is_solved(region) for region in told["regions"].values())
    rows = []
    for step, substeps in enumerate(steps_of(told), start=1):
        for part, lines in enumerate(substeps, start=1):
            for iteration, (residual, tolerance, work, length, element) in enumerate(lines):
                shown = "load put on" if residual is None else small(residual)
                where = f"{work}, in element {element}" if element >= 0 else work
                inside = [small(tolerance), where] if micro else []
                rows.append([step, part, iteration, shown, *inside, number(length, 3)])
    heads = ["Micro tolerance", "Slowest micro problem"] if micro else []
    return {
        "heads": ["Step", "Substep", "Iteration", "Residual", *heads, "Length"],
        "rows": rows[:_MOST_LINES],
        "more": max(0, len(rows) - _MOST_LINES),
        "open": len(rows) <= _MOST_OPEN,
        "micro": micro,
    }


def _hardest(told: Mapping[str, Any]) -> dict[str, Any]:
    places = [one["place"] for one in told["hardest"]]
    scale = scale_of(places, told["units"].get("length", "")) if places else scale_of(0.0, "")
    rows = [
        {
            "values": [
                one["region"],
                _place(one["place"], scale.factor),
                f"{one['element']}, {one['point']}",
                one["work"],
            ]
        }
        for one in told["hardest"]
    ]
    return {"rows": rows, "unit": scale.brackets}


def _place(place: Any, factor: float) -> str:
    return f"({', '.join(number(x / factor, 4) for x in place)})"


def _inside(
    folder: Path, name: str, count: int, one: Mapping[str, Any], told: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the field in the cell of a point, its average and statistics by phase."""
    units = told["units"]
    length = scale_of(one["place"], units.get("length", ""))
    at = f"{_place(one['place'], length.factor)} {length.unit}".rstrip()
    worked = f"; {one['work']} iterations" if one["work"] is not None else ""
    why = "as asked" if one["why"] == "asked" else "where most iterations were taken"
    averages = ", ".join(
        f"{component} = {number(value, 4)}"
        for component, value in zip(one["components"], one["average"], strict=True)
    )
    picture = _picture(
        folder,
        Path(one["picture"]).name,
        f"At {at} in {one['region']}, {why}{worked}. Average: {averages}.",
        f"Field in the cell of point {count} of {name}",
    )
    return {
        "title": f"Point {count}",
        "picture": picture,
        "tables": [
            _statistics(measure, phases, units.get("flux", ""))
            for measure, phases in one["statistics"].items()
        ],
    }


def _statistics(measure: str, phases: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Return statistics of a measure, a column for each phase."""
    kinds = dict.fromkeys(kind for values in phases.values() for kind in values)
    scale = scale_of([v for values in phases.values() for v in values.values()], unit)
    named = _MEASURES.get(measure, measure.replace("_", " "))
    return {
        "name": f"{named[:1].upper()}{named[1:]}{scale.brackets}",
        "heads": list(phases),
        "rows": [
            {
                "name": f"{kind[1:]} % below" if kind[1:].isdigit() else kind,
                "values": [number(values[kind] / scale.factor, 5) for values in phases.values()],
            }
            for kind in kinds
        ],
    }


def _cost(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cost term by term: measured and, if that was asked for, as it was predicted."""
    terms = (told.get("cost") or {}).get("terms", ())
    foretold = any(term["predicted"] is not None for term in terms)
    rows = []
    for term in terms:
        predicted, measured = term["predicted"], term["measured"]
        ratio = predicted / measured if predicted is not None and measured else None
        both = [number(predicted, 4), number(measured, 4), number(ratio, 3)]
        values = both if foretold else [number(measured, 4)]
        rows.append({"name": term["name"], "values": values, "unit": term["unit"]})
    heads = ["Predicted", "Measured", "Predicted / measured"] if foretold else ["Measured"]
    title = f"Cost, {'predicted and measured' if foretold else 'measured'}"
    return {"title": title, "heads": heads, "rows": rows}


def _files(folder: Path, name: str, told: Mapping[str, Any], beside: str) -> list[dict[str, str]]:
    """Return links to the files of the structure that are there."""
    names = [(ending.format(name), what) for ending, what in _FILES]
    names += [
        (one["file"], f"the micro fields of point {k}")
        for k, one in enumerate(told["localized"], 1)
    ]
    return [
        {"name": file, "link": quote(f"{beside}{file}"), "what": what}
        for file, what in names
        if (folder / Path(file).name).exists()
    ]
