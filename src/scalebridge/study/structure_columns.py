"""Columns of a structure's table: what they are and their unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ENERGIES = ("work", "stored", "dissipated")
_SAME = 1e-6  # of the largest: closer, two curves look like one
#: What the columns of loads begin with, after the name of where they act.
LOAD = "load_"


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


def is_load(key: str) -> bool:
    """Whether a column is the resultant of loads."""
    return key.rpartition(".")[2].startswith(LOAD)


def responses_of(told: Mapping[str, Any]) -> list[Column]:
    """Return of each curve what answers: of a load the displacement, else what goes up."""
    return [x if is_load(y.key) else y for x, y in curves_of(told)]


def repeats_of(curves: Sequence[tuple[Column, Column]]) -> list[bool]:
    """Return for each curve whether it lies on one before."""
    return [
        any(all(map(_is_same, curve, former)) for former in curves[:number])
        for number, curve in enumerate(curves)
    ]


def _is_same(one: Column, other: Column) -> bool:
    scale = float(np.abs(other.values).max(initial=0.0))
    return bool(np.allclose(one.values, other.values, rtol=0.0, atol=_SAME * scale))


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
    if what in ("flow", f"{LOAD}flow", "value", "u"):
        return "flow" if what.endswith("flow") else "temperature"
    if not owner:
        return "number"
    return "force" if owner in told["supports"] or is_load(key) else "displacement"
