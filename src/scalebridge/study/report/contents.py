"""What the pages of runs and of sweeps both tell of a cell: tensors, constants, phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import OpenedTensor
from scalebridge.study.report.words import (
    Scale,
    direction,
    full,
    law_in_words,
    matrix,
    number,
    scale_of,
    symbol,
)
from scalebridge.study.structure_columns import curves_of

_MOST_PHASES = 12

_MEANINGS = {
    "E1": "Young's modulus along x",
    "E2": "Young's modulus along y",
    "E3": "Young's modulus along z",
    "nu12": "contraction along y under tension along x",
    "nu13": "contraction along z under tension along x",
    "nu23": "contraction along z under tension along y",
    "G23": "shear modulus in the plane yz",
    "G13": "shear modulus in the plane xz",
    "G12": "shear modulus in the plane xy",
    "E1_plane_strain": "in-plane modulus along x, no strain across",
    "E2_plane_strain": "in-plane modulus along y, no strain across",
    "nu12_plane_strain": "in-plane contraction along y under tension along x",
    "K": "bulk modulus of the isotropic part",
    "G": "shear modulus of the isotropic part",
    "E": "Young's modulus of the isotropic part",
    "nu": "Poisson's ratio of the isotropic part",
    "K_area": "mean stress in the plane over area strain",
    "K_Reuss": "bulk modulus, Reuss average over directions",
    "G_Reuss": "shear modulus, Reuss average over directions",
    "zener": "of the closest cubic tensor (in 2D square); 1 if isotropic",
    "universal_anisotropy": Markup(
        "5 G<sub>V</sub>/G<sub>R</sub> + K<sub>V</sub>/K<sub>R</sub> − 6; 0 if isotropic"
    ),
    "mean": "a third of the trace",
    "anisotropy": "largest over smallest principal value",
}
_REPEATED = ("K_Voigt", "G_Voigt", "axes", "principal")  # as K and G; told in words of their own
_ANISOTROPIC = 1.1  # of largest over smallest; less is seen in the tensor
_RATIOS = ("nu", "zener", "universal", "anisotropy")


def tensor_of(result: OpenedTensor) -> dict[str, Any]:
    """Return the tensor, in Mandel and in Voigt components where the two differ."""
    if result.kind == "stiffness":
        forms = {"Mandel components": result.tensor, "Voigt components": result.voigt}
        return shown_tensor(result.components, result.unit, forms)
    return shown_tensor("xyz"[: len(result.components)], result.unit, {"": result.tensor})


def shown_tensor(
    labels: Sequence[str], unit: str, forms: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """Return a tensor in one form or several, with its labels and a common unit."""
    scale = scale_of(next(iter(forms.values())), unit)
    told = f"[{scale.unit}]" if unit else f"in {scale.unit} the unit of the input"
    shown = [{"name": n, "rows": matrix(values, scale.factor)} for n, values in forms.items()]
    return {"labels": list(labels), "unit": told.replace("  ", " "), "forms": shown}


def constants_of(result: OpenedTensor) -> list[dict[str, Any]]:
    """Return engineering constants with symbol, value, unit and meaning."""
    constants = result.engineering_constants
    rows = []
    scale = scale_of(
        [v for k, v in constants.items() if np.ndim(v) == 0 and not k.startswith(_RATIOS)],
        result.unit,
    )
    if "principal" in constants:
        rows = _principal(constants, result.unit)
        scale = scale_of(constants["principal"], result.unit)
    for name, value in constants.items():
        if name in _REPEATED:
            continue
        ratio = name.startswith(_RATIOS)
        meaning = _MEANINGS.get(name, "")
        if name == "mean" and len(result.tensor) == 2:
            meaning = "half of the trace"
        rows.append(
            {
                "symbol": symbol(name),
                "value": full(value if ratio else value / scale.factor),
                "unit": "" if ratio else scale.unit,
                "meaning": meaning,
            }
        )
    return rows


def _principal(constants: Mapping[str, Any], unit: str) -> list[dict[str, Any]]:
    scale = scale_of(constants["principal"], unit)
    rows = []
    for i, (value, axis) in enumerate(
        zip(constants["principal"], constants["axes"].T, strict=True)
    ):
        rows.append(
            {
                "symbol": Markup("<i>k</i><sub>{}</sub>").format("I" * (i + 1)),
                "value": full(value / scale.factor),
                "unit": scale.unit,
                "meaning": f"principal value along {direction(axis)}",
            }
        )
    return rows


def headline_of(run: OpenedRun) -> list[dict[str, Any]]:
    """Return the numbers that a reader takes away, a few of each cell."""
    results = [result for result in run.results.values() if result.engineering_constants]
    quantities = [result.quantity for result in results]
    found = []
    for result in results:
        of = f", {result.name}" if quantities.count(result.quantity) > 1 else ""
        for name, label in _headlines(result).items():
            value = result.engineering_constants[name]
            scale = Scale(1.0, "") if name.startswith(_RATIOS) else scale_of(value, result.unit)
            told = number(value / scale.factor, 4, pad=True)
            found.append({"label": label + of, "value": told, "unit": scale.unit})
    structures = (run.summary.get("structures") or {}).items()
    curved = [_largest_of(name, told) for name, told in structures if told["curves"]]
    return [*found, *map(_largest_flux, run.loads.values()), *curved]


def _largest_of(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the largest force, or what else stands up, of a structure's first curve."""
    column = curves_of(told)[0][1]
    value = column.values[np.abs(column.values).argmax()]
    scale = scale_of(value, column.unit)
    shown = number(value / scale.factor, 4, pad=True)
    return {"label": f"largest {column.label}, {name}", "value": shown, "unit": scale.unit}


def _largest_flux(load: OpenedLoad) -> dict[str, Any]:
    flux = load.names[1]
    values = load.columns[f"{flux}_{load.driven[0]}"]
    value = values[np.abs(values).argmax()]
    scale = scale_of(value, load.units.get(flux, ""))
    label = f"largest {flux} {load.driven[0]}, {load.name}"
    told = number(value / scale.factor, 4, pad=True)
    return {"label": label, "value": told, "unit": scale.unit}


def _headlines(result: OpenedTensor) -> dict[str, str]:
    """Return which constants to take away: those of the axes where directions matter."""
    constants = result.engineering_constants
    if "mean" in constants:
        ratio = {"anisotropy": "largest over smallest principal value"}
        matters = constants["anisotropy"] > _ANISOTROPIC
        return {"mean": f"mean {result.quantity}"} | (ratio if matters else {})
    if "E3" in constants and constants["universal_anisotropy"] <= _ANISOTROPIC - 1:
        return {
            "E": "Young's modulus, isotropic part",
            "nu": "Poisson's ratio, isotropic part",
        }
    plane = f", plane {result.plane}" if "E3" not in constants else ""
    ending = "_plane_strain" if "E1_plane_strain" in constants else ""
    names = [f"E{i}{ending}" for i in (1, 2, 3) if f"E{i}{ending}" in constants]
    return {name: f"Young's modulus along {'xyz'[i]}{plane}" for i, name in enumerate(names)}


def phases_of(run: OpenedRun) -> dict[str, Any]:
    """Return the phases with their laws and fractions, and how many are not listed."""
    phases = run.summary["image"]["phases"]
    rows = [
        {
            "name": name,
            "where": _where(told.get("where")),
            "fraction": f"{number(100 * told['volume_fraction'], 4)} %",
            "laws": _laws(told, run.units),
        }
        for name, told in list(phases.items())[:_MOST_PHASES]
    ]
    return {"rows": rows, "more": max(0, len(phases) - _MOST_PHASES)}


def _where(told: Any) -> str:
    if isinstance(told, list):
        return "–".join(str(v) for v in told) if len(told) == 2 else ", ".join(map(str, told))
    return "" if told is None else str(told)


def _laws(told: Mapping[str, Any], units: Mapping[str, str]) -> list[str]:
    if "constants" in told:
        return [law_in_words(told["constants"], "", units)]
    rows = []
    for physics, law in (told.get("laws") or {}).items():
        if isinstance(law, dict):
            rows.append(f"{physics.replace('_', ' ')}: {law_in_words(law, physics, units)}")
        else:
            rows.append(f"{physics}: {law}")
    return rows
