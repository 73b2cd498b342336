"""The content of the page of a sweep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_sweep import OpenedPoint, OpenedSweep, numbers_of
from scalebridge.study.report import checks, contents, drawings
from scalebridge.study.report.load_checks import load_checks_of
from scalebridge.study.report.run_page import provenance, status
from scalebridge.study.report.structure_checks import structure_checks_of
from scalebridge.study.report.structures import structures_of
from scalebridge.study.report.sweep_loads import load_columns, load_plots
from scalebridge.study.report.sweep_structures import structure_columns, structure_plots
from scalebridge.study.report.words import (
    Scale,
    listed,
    number,
    scale_of,
    small,
    symbol,
    when,
)

_MOST_PICTURES, _MOST_CURVES = 12, 8
#: Kind → families of results that are drawn together, and whether they have the tensor's unit.
_FAMILIES: dict[str, tuple[tuple[tuple[str, ...], bool], ...]] = {
    "conductivity": (
        (("k11", "k22", "k33"), True),
        (("tortuosity_x", "tortuosity_y", "tortuosity_z"), False),
    ),
    "stiffness": (
        (("E1", "E2", "E3", "E1_plane_strain", "E2_plane_strain"), True),
        (("G23", "G13", "G12"), True),
        (("nu12", "nu13", "nu23", "nu12_plane_strain"), False),
    ),
}
#: What stands in the table, and is drawn where several parameters are swept.
_MAIN = {
    "conductivity": (("mean", True), ("anisotropy", False)),
    "stiffness": (
        ("E", True),
        ("nu", False),
        ("E1", True),
        ("E2", True),
        ("E3", True),
        ("E1_plane_strain", True),
        ("E2_plane_strain", True),
    ),
}


def sweep_page(sweep: OpenedSweep) -> dict[str, Any]:
    """Return what the template of a sweep is filled with."""
    if not sweep.points:
        raise InputError(f"no point of {str(sweep.path)!r} is done; run it with --resume")
    runs = [_open(point) for point in sweep.points]
    known = next((run for run in runs if run is not None), None)
    main = _main_columns(sweep, known)
    points = [
        _point(sweep, point, run, main, pictured=len(runs) <= _MOST_PICTURES)
        for point, run in zip(sweep.points, runs, strict=True)
    ]
    loads = [*load_columns(runs), *structure_columns(runs)]
    for row, point in enumerate(points):
        point["values"] += [column["values"][row] for column in loads]
    title = known.title if known is not None else "Sweep"
    names = [point["told"] for point in points]
    return {
        "title": title,
        "when": when(known.summary["run"]["finished"]) if known is not None else "",
        "abstract": _abstract(sweep, known),
        "status": _status(sweep, points),
        "plots": [*_plots(sweep, known), *load_plots(runs, names), *structure_plots(runs, names)],
        "columns": [
            {"cell": "", "name": "Point", "unit": ""},
            *({"cell": "", "name": _short(sweep, name), "unit": ""} for name in sweep.parameters),
            *(
                {"cell": cell, "name": symbol(name), "unit": scale.unit}
                for (cell, name), scale in main.items()
            ),
            *loads,
        ],
        "points": points,
        "provenance": _provenance(sweep, known),
        "library": None,
        "scenes": None,
    }


def _open(point: OpenedPoint) -> OpenedRun | None:
    """Open a point; None where its folder has gone."""
    try:
        return point.open()
    except InputError:
        return None


def _abstract(sweep: OpenedSweep, known: OpenedRun | None) -> str:
    names = ", ".join(sweep.parameters)
    cells = list(known.results) if known is not None else []
    told = f"; {'cell' if len(cells) == 1 else 'cells'} {listed(cells)}" if cells else ""
    loads = list(known.loads) if known is not None else []
    plural = "history" if len(loads) == 1 else "histories"
    told += f"; load {plural} {listed(loads)}" if loads else ""
    structures = list(structures_of(known)) if known is not None else []
    plural = "structure" if len(structures) == 1 else "structures"
    told += f"; {plural} {listed(structures)}" if structures else ""
    done = len(sweep.points)
    count = done if done == sweep.count else f"{done} of {sweep.count}"
    return f"A sweep over {names}: {count} points{told}."


def _status(sweep: OpenedSweep, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    warnings = [f"point {p['number']}: {text}" for p in points for text in p["warnings"]]
    missing = sweep.count - len(sweep.points)
    if missing:
        warnings.insert(0, f"{missing} of {sweep.count} points are not done; run it with --resume")
    verdicts = {p["verdict"] for p in points}
    if checks.BAD in verdicts or missing:
        text = "Some points failed or are unfinished."
        return {"verdict": checks.BAD, "text": text, "warnings": warnings}
    if checks.LOOK in verdicts or warnings:
        text = "All points converged; some evidence asks to be looked at."
        return {"verdict": checks.LOOK, "text": text, "warnings": warnings}
    text = "All points converged, and every check of the computation passed."
    return {"verdict": checks.GOOD, "text": text, "warnings": []}


def _main_columns(sweep: OpenedSweep, known: OpenedRun | None) -> dict[tuple[str, str], Scale]:
    """Return the results of the table, by cell and name, with the scale of each."""
    found: dict[tuple[str, str], Scale] = {}
    for cell, result in known.results.items() if known is not None else ():
        for name, united in _MAIN[result.kind]:
            values = [p.results.get(f"{cell}.{name}") for p in sweep.points]
            if any(v is not None for v in values):
                scale = scale_of(_floats(values), result.unit) if united else Scale(1.0, "")
                found[cell, name] = scale
    return found


def _floats(values: Sequence[Any]) -> np.ndarray:
    return np.array(values, float)


def _point(
    sweep: OpenedSweep,
    point: OpenedPoint,
    run: OpenedRun | None,
    main: dict[tuple[str, str], Scale],
    *,
    pictured: bool,
) -> dict[str, Any]:
    values = [_told(point.parameters[name]) for name in sweep.parameters]
    for (cell, name), scale in main.items():
        value = point.results.get(f"{cell}.{name}")
        values.append(number(None if value is None else value / scale.factor, 5, pad=True))
    found: dict[str, Any] = {
        "number": point.number,
        "values": values,
        "told": ", ".join(
            f"{_short(sweep, name)} = {_told(point.parameters[name])}" for name in sweep.parameters
        ),
        "folder": point.path.name,
        "report": (point.path / "report.html").exists(),
    }
    if run is None:
        gone = ["its folder is missing or damaged; run the sweep with --resume"]
        return found | {"warnings": gone, "cells": [], "picture": "", "verdict": checks.LOOK}
    verdicts = [checks.worst_of(checks.checks_of(run, r)) for r in run.results.values()]
    verdicts += [checks.worst_of(load_checks_of(run, load)) for load in run.loads.values()]
    verdicts += [checks.worst_of(structure_checks_of(t)) for t in structures_of(run).values()]
    return found | {
        "warnings": list(run.warnings),
        "verdict": status(run, verdicts)["verdict"],
        "picture": drawings.microstructure(run) if pictured and run.file.exists() else "",
        "cells": [_cell(result) for result in run.results.values()],
    }


def _cell(result: Any) -> dict[str, Any]:
    tensor = contents.tensor_of(result)
    return {
        "name": result.name,
        "quantity": result.quantity.removesuffix(" (Mandel)"),
        "tensor": tensor,
        "form": tensor["forms"][-1],
        "error": small(result.evidence["error_estimate"]),
    }


# ---- curves


def _plots(sweep: OpenedSweep, known: OpenedRun | None) -> list[dict[str, Any]]:
    """Draw families of results over one parameter, or main results over the first of several."""
    if known is None or len(sweep.points) < 2:
        return []
    groups = _groups(sweep)
    if len(groups) > _MOST_CURVES:
        return []
    plots = []
    for cell, result in known.results.items():
        alone = len(groups) == 1
        families = (
            _FAMILIES[result.kind]
            if alone
            else tuple(((name,), united) for name, united in _MAIN[result.kind][:2])
        )
        for names, united in families:
            plot = _plot(sweep, groups, cell, names, result.unit if united else None)
            plots += [plot] if plot else []
    return plots


def _groups(sweep: OpenedSweep) -> dict[str, list[OpenedPoint]]:
    """Return the points by the values of all parameters but the first."""
    groups: dict[str, list[OpenedPoint]] = {}
    for point in sweep.points:
        rest = [
            f"{_short(sweep, name)} = {_told(point.parameters[name])}"
            for name in sweep.parameters[1:]
        ]
        groups.setdefault(", ".join(rest), []).append(point)
    if all(len(group) == 1 for group in groups.values()):  # parameters in step with one another
        return {"": list(sweep.points)}
    return groups


def _plot(
    sweep: OpenedSweep,
    groups: dict[str, list[OpenedPoint]],
    cell: str,
    names: Sequence[str],
    unit: str | None,
) -> dict[str, Any] | None:
    first = sweep.parameters[0]
    found = numbers_of([point.parameters[first] for point in sweep.points])
    series: dict[str, Any] = {}
    for told, group in groups.items():
        for name in names:
            values = [point.results.get(f"{cell}.{name}") for point in group]
            if any(v is not None for v in values):
                series[told or _spelled(name)] = (group, values)
    if not series:
        return None
    everything = np.concatenate([_floats(values) for _, values in series.values()])
    scale = scale_of(everything, unit) if unit is not None else Scale(1.0, "")
    lines = {
        told: (
            [_place(point, first, found is not None) for point in group],
            [None if v is None else v / scale.factor for v in values],
        )
        for told, (group, values) in series.items()
    }
    shown = [n for n in names if any(f"{cell}.{n}" in p.results for p in sweep.points)]
    label = ", ".join(map(_spelled, shown))
    axis = f"{_short(sweep, first)}{f' [{found[1]}]' if found and found[1] else ''}"
    return {
        "picture": drawings.curves(lines, axis if found else "point", f"{label}{scale.brackets}"),
        "alt": f"{label} of {cell} over {first}",
        "caption": f"{cell}: {label} over {_short(sweep, first)}.",
    }


def _spelled(name: str) -> str:
    return name.replace("_", " ").replace("nu", "ν")


def _place(point: OpenedPoint, name: str, numeric: bool) -> float:
    found = numbers_of([point.parameters[name]]) if numeric else None
    return found[0][0] if found else float(point.number)


def _short(sweep: OpenedSweep, name: str) -> str:
    """Return the end of a dotted path that tells it from the others."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        ending = ".".join(parts[-count:])
        if sum(other.endswith(f".{ending}") or other == ending for other in sweep.parameters) == 1:
            return ending
    return name


def _told(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _provenance(sweep: OpenedSweep, known: OpenedRun | None) -> dict[str, Any]:
    told = dict(known.provenance) if known is not None else {}
    told |= sweep.summary.get("run") or {}
    study = dict(told.get("study") or {}) | (sweep.summary.get("study") or {})
    return provenance({**told, "study": {**study, "hash": None}}, None)
