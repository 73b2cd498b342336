"""The content of the page of one run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import OpenedBounds, OpenedTensor, boundary_in_words
from scalebridge.study.report import checks, contents, drawings, scenes, scripts
from scalebridge.study.report.directional import Directional, directional
from scalebridge.study.report.fields import shown_fields
from scalebridge.study.report.loads import load_section
from scalebridge.study.report.structures import structure_section, structures_of
from scalebridge.study.report.words import (
    Scale,
    anchor,
    direction,
    duration,
    full,
    lengths,
    listed,
    matrix,
    number,
    scale_of,
    size,
    small,
    when,
)

_MOST_FOR_CONNECTIVITY = 8
_HINDRANCE = (
    ("factor", "tortuosity factor", Markup("τ = ε k / k<sub>eff</sub>")),
    ("macmullin", "MacMullin number", Markup("k / k<sub>eff</sub>")),
    ("bruggeman_exponent", "Bruggeman exponent", Markup("α in k<sub>eff</sub> = ε<sup>α</sup> k")),
)
_PLAIN_NAMES = ("conduction", "elasticity")  # of cells that nobody has named


def run_page(run: OpenedRun, folder: str = "") -> dict[str, Any]:
    """Return what the template of a run is filled with.

    Parameters
    ----------
    run : OpenedRun
    folder : str
        From the page to the folder of results, ending in a slash; empty beside them.
    """
    found: dict[str, Any] = {}
    cells = [_cell(run, result, found) for result in run.results.values()]
    loads = [load_section(run, load, found, folder) for load in run.loads.values()]
    told = structures_of(run)
    structures = [structure_section(run, n, t, found, folder) for n, t in told.items()]
    microstructure = _microstructure(run, found) if run.summary.get("image") else None
    library = scripts.library() if found else None
    if found and library is None:
        sections = [*cells, *loads, *structures]
        parts = [picture for section in sections for picture in section["pictures"]]
        for part in [*([microstructure] if microstructure else []), *parts]:
            part["scene"] = None
    return {
        "kicker": "Homogenisation report" if run.results or not structures else "Structure report",
        "title": run.title or "Results",
        "when": when(run.summary["run"]["finished"]),
        "abstract": abstract(run),
        "status": status(run, [s["verdict"] for s in [*cells, *loads, *structures]]),
        "headline": contents.headline_of(run),
        "microstructure": microstructure,
        "cells": cells,
        "loads": loads,
        "structures": structures,
        "provenance": provenance(run.provenance, run.summary.get("wall_seconds")),
        "library": library,
        "scenes": scripts.packed_scenes(found) if library else None,
        "note": scripts.MISSING if found and library is None else "",
    }


def abstract(run: OpenedRun) -> str:
    """Say in words what was computed."""
    image, followed = run.summary.get("image"), _followed(run)
    if not image:
        return f"{followed[:1].upper()}{followed[1:]}." if followed else "Nothing was computed."
    phases = image["phases"]
    kind = "voxels" if len(image["shape"]) == 3 else "pixels"
    parts = [
        f"{name} ({number(100 * told['volume_fraction'], 3)} %)" for name, told in phases.items()
    ]
    of = listed(parts) if len(parts) <= 5 else f"{len(parts)} phases"
    if not run.results:
        done = f"; {followed}." if followed else "; nothing was computed."
        return f"An image of {size(image['shape'])} {kind} of {of}{done}"
    what = listed(list(dict.fromkeys(_noun(r) for r in run.results.values())))
    how = listed(list(dict.fromkeys(b for r in run.results.values() for b in _boundaries(run, r))))
    united = all(result.unit for result in run.results.values())
    return (
        f"Effective {what} of {of}, computed on an image of {size(image['shape'])} {kind} "
        f"under {how} boundary conditions{f'; {followed}' if followed else ''}."
        + ("" if united else " Numbers are in the unit of the input.")
    )


def _noun(result: OpenedTensor) -> str:
    return result.quantity.removesuffix(" (Mandel)")


def _followed(run: OpenedRun) -> str:
    """Say which load histories and structures were followed; empty without any."""
    loads = [f"{name} ({load.physics}, {load.reached} steps)" for name, load in run.loads.items()]
    structures = [
        f"{name} ({told['physics']}, {told['counts']['elements']} elements, "
        f"{told['reached']} {'step' if told['reached'] == 1 else 'steps'})"
        for name, told in structures_of(run).items()
    ]
    found = []
    if loads:
        found.append(f"load {'history' if len(loads) == 1 else 'histories'} {listed(loads)}")
    if structures:
        found.append(f"structure{'' if len(structures) == 1 else 's'} {listed(structures)}")
    return "; ".join(found)


def _boundaries(run: OpenedRun, result: OpenedTensor) -> tuple[str, ...]:
    if result.name in run.bounds:
        return run.bounds[result.name].results
    return (boundary_in_words(result.boundary),)


def status(run: OpenedRun, verdicts: list[str]) -> dict[str, Any]:
    """Return the verdict on the whole run, and every warning."""
    if run.interrupted or run.failures or checks.BAD in verdicts:
        verdict, text = checks.BAD, "Not to be relied on: something failed or is unfinished."
    elif run.warnings or checks.LOOK in verdicts:
        verdict, text = checks.LOOK, "Converged; some evidence asks to be looked at."
    else:
        verdict, text = checks.GOOD, "Converged, and every check of the computation passed."
    return {"verdict": verdict, "text": text, "warnings": list(run.warnings)}


def _microstructure(run: OpenedRun, found: dict[str, Any]) -> dict[str, Any]:
    image, length = run.summary["image"], run.units.get("length", "")
    figure, caption = scenes.phases_scene(run)
    scene = _keep(found, "microstructure", figure)
    rows = [
        (
            "Source",
            os.path.normpath(image["path"]) if image.get("path") else image.get("type", "–"),
        ),
        ("Shape", f"{size(image['shape'])} (x, y{', z' if len(image['shape']) == 3 else ''})"),
        ("Spacing", lengths(image["spacing"], length)),
        ("Extent", lengths(image["extent"], length)),
    ]
    if image.get("sha256"):
        rows.append(("SHA-256", image["sha256"]))
    return {
        "picture": drawings.microstructure(run),
        "alt": f"Microstructure of {size(image['shape'])} voxels, phases by colour",
        "scene": scene,
        "label": "Interactive scene: the phases",
        "caption": "Phases of the image; the legend gives volume fractions.",
        "scene_caption": f"{caption} Drag to turn, scroll to zoom.",
        "rows": rows,
        "phases": contents.phases_of(run),
        "connectivity": _connectivity(run),
    }


def _connectivity(run: OpenedRun) -> list[dict[str, Any]]:
    """Return along which axes each phase goes on for ever in the periodic image."""
    micro = run.microstructure
    if len(micro.names) > _MOST_FOR_CONNECTIVITY:
        return []
    return [
        {
            "name": name,
            "axes": listed([a for a, on in zip("xyz", along, strict=False) if on])
            if any(along)
            else "no axis",
        }
        for name, along in micro.connectivity().items()
    ]


def _cell(run: OpenedRun, result: OpenedTensor, found: dict[str, Any]) -> dict[str, Any]:
    evidence = checks.checks_of(run, result)
    shape = directional(result)
    pictures = [_modulus(result, shape, found)] if shape else []
    fields = [_field(run, result, shown, found) for shown in shown_fields(run, result)]
    constants = contents.constants_of(result)
    return {
        "id": f"cell-{anchor(result.name)}",
        "name": "" if result.name in _PLAIN_NAMES else result.name,
        "quantity": _noun(result),
        "setting": _setting(run, result),
        "warnings": list(result.warnings),
        "tensor": contents.tensor_of(result),
        "error": small(result.evidence["error_estimate"]),
        "constants": constants,
        "united": any(c["unit"] for c in constants),
        "tortuosity": _tortuosity(result),
        "modulus": pictures[0] if pictures else None,
        "fields": fields,
        "pictures": [*pictures, *fields],
        "bounds": _bounds(run.bounds[result.name], result) if result.name in run.bounds else None,
        "checks": evidence,
        "verdict": checks.worst_of(evidence),
    }


def _setting(run: OpenedRun, result: OpenedTensor) -> str:
    plane = f", plane {result.plane}" if result.plane else ""
    if result.plane == "generalized":
        plane = ", generalised plane strain"
    return f"{boundary_in_words(result.boundary)} boundary, element {result.element}{plane}"


def _modulus(result: OpenedTensor, shape: Directional, found: dict[str, Any]) -> dict[str, Any]:
    scale = scale_of(shape.largest[0], result.unit)
    name = f"modulus-{anchor(result.name)}"
    least, largest = (
        f"{full(value / scale.factor)} {scale.unit}".rstrip()
        for value, _ in (shape.least, shape.largest)
    )
    extremes = [
        ("Largest", f"{largest}, along {direction(shape.largest[1])}"),
        ("Least", f"{least}, along {direction(shape.least[1])}"),
    ]
    if shape.least[0] > 0:
        extremes.append(("Ratio", full(shape.largest[0] / shape.least[0])))
    if shape.is_isotropic:
        extremes = [("Everywhere", f"{largest}, the same in all directions to 10⁻⁶")]
    spread = "; ".join(f"{name.lower()} {told}" for name, told in extremes)
    return {
        "picture": drawings.modulus(shape, scale),
        "alt": f"{shape.what} over the directions. {spread}",
        "scene": _keep(found, name, scenes.modulus_scene(shape, scale)),
        "label": f"Interactive scene: {shape.what} over the directions",
        "flat": False,
        "caption": f"{_capital(shape.what)} {shape.letter}(n) over the directions n, "
        f"as the distance from the centre{' and as colour' if shape.dim == 3 else ''}.",
        "rows": extremes,
    }


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _field(
    run: OpenedRun, result: OpenedTensor, shown: Any, found: dict[str, Any]
) -> dict[str, Any]:
    name = f"field-{anchor(result.name)}-{anchor(shown.name)}"
    return {
        "title": shown.title,
        "picture": drawings.field(run, shown),
        "alt": shown.title,
        "scene": _keep(found, name, scenes.field_scene(run, shown)),
        "label": f"Interactive scene: {shown.title}",
        "caption": f"{shown.title}{shown.scale.brackets}.",
        "scene_caption": "Sections through the middle of the image.",
    }


def _keep(found: dict[str, Any], name: str, scene: dict[str, Any] | None) -> str | None:
    if scene is None:
        return None
    found[name] = scene
    return name


def _tortuosity(result: OpenedTensor) -> dict[str, Any] | None:
    told = result.tortuosity
    if not told:
        return None
    rows = [
        {"name": name, "symbol": symbol, "values": [number(v, 5) for v in told[measure].values()]}
        for measure, name, symbol in _HINDRANCE
        if measure in told
    ]
    return {"phase": told["phase"], "axes": list(told["factor"]), "rows": rows}


def _bounds(found: OpenedBounds, result: OpenedTensor) -> dict[str, Any]:
    scale = scale_of(list(found.tensors.values()), result.unit)
    return {
        "picture": drawings.bounds(_scaled(found, scale), scale.unit),
        "mandel": ", Mandel components" if result.kind == "stiffness" else "",
        "labels": list(found.components),
        "unit": scale.brackets,
        "rows": [
            {"name": name, "values": matrix([np.diag(tensor)], scale.factor)[0]}
            for name, tensor in found.tensors.items()
        ],
        "hashin_shtrikman": [
            f"{name} from {number(low / scale.factor)} to {number(high / scale.factor)}"
            for name, (low, high) in (found.hashin_shtrikman or {}).items()
        ],
        "infeasible": [f"{name}: {why}" for name, why in found.infeasible.items()],
        "statements": list(found.statements),
        "order": checks.order_of(found),
    }


def _scaled(found: OpenedBounds, scale: Scale) -> OpenedBounds:
    narrow = found.hashin_shtrikman
    return replace(
        found,
        tensors={name: tensor / scale.factor for name, tensor in found.tensors.items()},
        hashin_shtrikman=narrow
        and {name: (a / scale.factor, b / scale.factor) for name, (a, b) in narrow.items()},
    )


def provenance(told: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
    """Return how the numbers came about, from the command to the versions."""
    study = told.get("study") or {}
    rows = [("Command", " ".join(map(str, told.get("command", ()))) or "from Python")]
    if "finished" in told:
        rows.append(("Finished", when(told["finished"])))
    rows += [("Wall time", duration(seconds))] if seconds is not None else []
    image = told.get("image") or {}
    for label, value in (
        ("Study file", study.get("file")),
        ("Hash of the study file", study.get("sha256")),
        ("Hash of study, image and version", study.get("hash")),
        ("Hash of the image", image.get("sha256")),
    ):
        rows += [(label, str(value))] if value else []
    rows += [(name, str(version)) for name, version in (told.get("versions") or {}).items()]
    if machine := told.get("machine"):
        described = f"{machine['platform']}, {machine['processors']} processors"
        rows.append(("Machine", described))
    resolved = study.get("resolved") or told.get("options")
    return {
        "rows": rows,
        "what": "The study as it was understood" if study.get("resolved") else "Options",
        "text": json.dumps(resolved, indent=2, ensure_ascii=False) if resolved else "",
    }
