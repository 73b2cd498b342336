"""What the page of a run tells of its load histories."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import boundary_in_words
from scalebridge.study.report import charts, checks, drawings
from scalebridge.study.report.contents import shown_tensor
from scalebridge.study.report.load_checks import balanced_to, load_checks_of
from scalebridge.study.report.words import Scale, anchor, matrix, number, scale_of, small
from scalebridge.tensors import stiffness_to_voigt

_ACCURACY = 1e-8  # what `scalebridge.load` solves the tangent to
_MOST_STEPS = 1000  # in the table of iterations
#: Unit of the flux → of what it does with the gradient, per volume.
_ENERGIES = {"Pa": "J/m³", "W/m^2": "W K/m³", "A/m^2": "W/m³", "C/m^2": "J/m³"}
#: Unit of the flux → of its derivative, where the gradient has a unit.
_TANGENTS = {"W/m^2": "W/m/K", "A/m^2": "S/m", "C/m^2": "F/m", "mol/m^2/s": "m^2/s"}
_FILES = (
    ("load_{}.csv", "averages, energies and iterations by time"),
    ("load_{}.vtkhdf", "the stored fields over time, for ParaView"),
)


def load_section(
    run: OpenedRun, load: OpenedLoad, found: dict[str, Any], folder: str
) -> dict[str, Any]:
    """Return what the template tells of a load history.

    Parameters
    ----------
    run, load
    found : dict
        Charts by name, to which those of this history are added.
    folder : str
        From the page to the folder of results.
    """
    evidence = load_checks_of(run, load)
    scale, name = energy_scale(load), anchor(load.name)
    gradient, flux = load.names
    averages = f"{flux[:1].upper()}{flux[1:]} and {gradient} of the driven components."
    curve = _picture(load, "load", averages)
    ledger = _picture(load, "ledger", "Work of the averages over time, and where it went.")
    found |= {
        f"curve-{name}": charts.curve_chart(load, _turns(run, load)),
        f"ledger-{name}": charts.ledger_chart(load, scale),
    }
    return {
        "id": f"load-{name}",
        "name": load.name,
        "setting": _setting(load),
        "verdict": checks.worst_of(evidence),
        "pictures": [
            curve | {"scene": f"curve-{name}", "label": f"Interactive chart: {curve['alt']}"},
            ledger | {"scene": f"ledger-{name}", "label": f"Interactive chart: {ledger['alt']}"},
        ],
        "averages": _averages(load),
        "balance": _balance(load, scale),
        "field": _picture(load, "field", "The last stored field."),
        "tangent": _tangent(load),
        "checks": evidence,
        "steps": _steps(load),
        "files": _files(load, folder),
    }


def _turns(run: OpenedRun, load: OpenedLoad) -> list[float]:
    """Return the turning points of the path as the study has them; none of a table."""
    loads = ((run.study or {}).get("resolved") or {}).get("loads", {})
    return loads.get(load.name, {}).get("path", {}).get("time") or []


def _setting(load: OpenedLoad) -> str:
    plane = f", plane {load.plane}" if load.plane else ""
    if load.plane == "generalized":
        plane = ", generalised plane strain"
    return (
        f"{load.physics}, {boundary_in_words(load.boundary)} boundary, element {load.element}"
        f"{plane}; driven in {', '.join(load.driven)}"
    )


def energy_scale(load: OpenedLoad) -> Scale:
    """Return the scale of energies per volume."""
    unit = load.units.get(load.names[1], "")
    return scale_of(load.ledger.scale, _ENERGIES.get(unit, ""))


def _picture(load: OpenedLoad, kind: str, caption: str) -> dict[str, Any]:
    """Return a picture that the run has drawn; none where it is not there."""
    return {
        "picture": drawings.stored(load.path, f"{kind}_{load.name}.png"),
        "alt": f"{caption[:-1]}, of {load.name}",
        "caption": caption,
        "flat": True,
    }


def _averages(load: OpenedLoad) -> dict[str, Any]:
    """Return averages at the end and where they are largest, by component."""
    heads: list[str] = []
    parts = []
    for name in load.names:
        scale = charts.scale_of_part(load, name)
        columns = np.array([load.columns[f"{name}_{c}"] for c in load.components])
        at = np.abs(columns).argmax(axis=1, keepdims=True)
        largest = np.take_along_axis(columns, at, axis=1)
        parts.append(matrix(np.hstack([columns[:, -1:], largest]), scale.factor))
        heads += [f"{name} at the end{scale.brackets}", f"largest {name}{scale.brackets}"]
    rows = [
        {"name": component, "values": [*first, *second]}
        for component, first, second in zip(load.components, *parts, strict=True)
    ]
    return {"heads": heads, "rows": rows}


def _balance(load: OpenedLoad, scale: Scale) -> str:
    """Say what the work balances with, and to how much."""
    ledger = load.ledger
    unit = f" {scale.unit}" if scale.unit else ""
    least = 10.0 ** (np.floor(np.log10(ledger.scale)) - 3) if ledger.scale else 1.0
    work, stored, lost = (
        number(float(round(values[-1] / least) * least / scale.factor + 0.0), 4)
        for values in (ledger.work, ledger.stored, ledger.dissipated)
    )
    return (
        f"Until the end the averages have done the work {work}{unit}; of it {stored}{unit} is "
        f"stored and {lost}{unit} dissipated. At every time the three balance to "
        f"{balanced_to(load)} of the largest energy."
    )


def _tangent(load: OpenedLoad) -> dict[str, Any] | None:
    """Return the last consistent tangent, and how far it is from symmetric."""
    values = load.tangent
    if values is None or not np.isfinite(values).all():
        return None
    skew = np.linalg.norm(values - values.T) / (np.linalg.norm(values) or 1.0)
    values = np.where(np.abs(values) > _ACCURACY * np.abs(values).max(), values, 0.0)
    forms = {"": values}
    if load.physics == "elasticity":
        forms = {"Mandel components": values, "Voigt components": stiffness_to_voigt(values)}
    gradient, flux = load.names
    symmetry = (
        "it is symmetric"
        if skew <= _ACCURACY
        else f"its skew part is {small(float(skew))} of it, as with laws that are not standard"
    )
    unit = load.units.get(flux, "")
    return {
        "tensor": shown_tensor(load.components, _TANGENTS.get(unit, unit), forms),
        "told": f"∂ {flux} / ∂ {gradient} at the end of the history; {symmetry}.",
    }


def _steps(load: OpenedLoad) -> dict[str, Any]:
    """Return the iterations of each step, and which of them were cut."""
    columns = [load.columns[name] for name in ("newton", "krylov", "substeps")]
    time = charts.scale_of_part(load, "time")
    rows = [
        {
            "step": row,
            "values": [number(load.times[row] / time.factor), *(int(c[row]) for c in columns)],
            "cut": columns[2][row] > 1,
        }
        for row in range(1, min(len(load.times), _MOST_STEPS + 1))
    ]
    return {"rows": rows, "unit": time.brackets, "more": len(load.times) - 1 - len(rows)}


def _files(load: OpenedLoad, folder: str) -> list[dict[str, str]]:
    """Return links to the files of the history that are there."""
    names = [(ending.format(load.name), what) for ending, what in _FILES]
    return [
        {"name": name, "link": quote(f"{folder}{name}"), "what": what}
        for name, what in names
        if (load.path / Path(name).name).exists()
    ]
