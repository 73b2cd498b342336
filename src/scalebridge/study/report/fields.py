"""Which of the stored fields are shown, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import OpenedTensor
from scalebridge.study.report.words import Scale, scale_of

_SHOWN = {"conductivity": "flux_magnitude", "stiffness": "von_mises"}
_SAMPLE = 200_000


@dataclass(frozen=True)
class ShownField:
    """A scalar field of a load case, its titles and the scale of its numbers."""

    name: str
    title: str
    short: str
    scale: Scale


def shown_fields(run: OpenedRun, result: OpenedTensor) -> list[ShownField]:
    """Return the scalar fields of a cell, one for each load case that was stored."""
    scalar = _SHOWN[result.kind]
    endings = {"": 0, **{f"_{component}": i for i, component in enumerate(result.components)}}
    # A study of several cells of one kind puts the name of the cell before.
    own = any(f"{result.name}_{scalar}{ending}" in run.fields for ending in endings)
    prefix = f"{result.name}_" if own else ""
    return [
        ShownField(name, *_titles(result, case), _scale(run, name, result.unit))
        for ending, case in endings.items()
        if (name := f"{prefix}{scalar}{ending}") in run.fields
    ]


def _titles(result: OpenedTensor, case: int) -> tuple[str, str]:
    if result.kind == "conductivity":
        axis = "xyz"[case]
        title = f"Magnitude of the flux under a unit mean gradient along {axis}"
        return title, f"Flux, mean gradient along {axis}"
    component = result.components[case]
    title = f"Von Mises stress under a unit mean strain {component}"
    return title, f"Von Mises stress, mean strain {component}"


def _scale(run: OpenedRun, name: str, unit: str) -> Scale:
    values = run.fields[name].ravel()
    sample = values[:: max(1, values.size // _SAMPLE)]
    return scale_of([np.nanpercentile(sample, 99)], unit)
