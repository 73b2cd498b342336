"""Columns of a structure's table: what they are and their unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ENERGIES = ("work", "stored", "dissipated")


class Column(NamedTuple):
    """A column of a structure's table.

    Attributes
    ----------
    key : str
    label : str
        As it stands at an axis.
    kind : "time", "energy", "force", "flow", "displacement", "temperature" or "number"
    values : (row,)
    unit : str
        SI, or empty where it is that of the input.
    """

    key: str
    label: str
    kind: str
    values: NDArray[np.float64]
    unit: str


def column_of(told: Mapping[str, Any], key: str, label: str = "") -> Column:
    """Return a column of the table that a summary tells of a structure."""
    kind = _kind(told, key)
    unit = told["units"].get({"displacement": "field", "temperature": "field"}.get(kind, kind), "")
    words = (label or key).removesuffix(f" [{unit}]")  # of the scale that suits, not of SI
    return Column(key, words, kind, np.array(told["table"][key], float), unit)


def curves_of(told: Mapping[str, Any]) -> list[tuple[Column, Column]]:
    """Return what goes across and up, of the curves that the summary has chosen."""
    return [
        (column_of(told, c["x"], c["x_label"]), column_of(told, c["y"], c["y_label"]))
        for c in told["curves"]
    ]


def steps_of(told: Mapping[str, Any]) -> list[Any]:
    """Return the residuals by step, without the row at rest, in which nothing was solved."""
    steps = list(told["residuals"])
    return steps[1:] if steps and not steps[0] else steps


def _kind(told: Mapping[str, Any], key: str) -> str:
    if key == "time" or key in _ENERGIES:
        return "time" if key == "time" else "energy"
    owner, _, what = key.rpartition(".")
    if what.startswith("u_"):
        return "displacement"
    if what in ("flow", "value", "u"):
        return "flow" if what == "flow" else "temperature"
    if not owner:
        return "number"
    return "force" if owner in told["supports"] else "displacement"
