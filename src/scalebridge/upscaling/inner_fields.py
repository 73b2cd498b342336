"""Fields of a load history: averages over voxels, and the laws' internal variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalebridge.cell.cell import Cell
from scalebridge.cell.equilibrium import Equations


def voxel_fields(
    cell: Cell, equations: Equations, now: Any, names: tuple[str, str]
) -> dict[str, np.ndarray]:
    """Return the fields of a committed state, (component, x, y[, z]) or (x, y[, z]).

    Parameters
    ----------
    now
        With `gradient`, `flux`, `energy`, `dissipation` at points, and `states` by phase.
    names : (str, str)
        Names of gradient and flux.
    """
    shape = tuple(cell.microstructure.shape)

    def whole(field: Any) -> np.ndarray:
        mean = np.asarray(field).mean(axis=-2)
        return mean.reshape(*mean.shape[:-1], *shape)

    fields = {
        names[0]: whole(now.gradient),
        names[1]: whole(now.flux),
        "energy": whole(now.energy),
        "dissipation": whole(now.dissipation),
    }
    constituents, told = equations.constituents, set(fields)
    for voxels, state in zip(constituents.places.voxels, now.states, strict=True):
        for name, leaf in _named(state):
            values = np.asarray(leaf)
            if not values.size or name in told:  # no branches, say; the strain that a law remembers
                continue
            lead = values.shape[:-1]
            mean = values.reshape(*lead, constituents.points, len(voxels)).mean(axis=-2)
            if name not in fields:
                fields[name] = np.full((*lead, *shape), np.nan)
            if fields[name].shape == (*lead, *shape):  # laws may call different things the same
                fields[name].reshape(*lead, -1)[..., np.asarray(voxels)] = mean
    return fields


def _named(state: Any) -> list[tuple[str, Any]]:
    """Return the internal variables that a law has named, in a dict or a NamedTuple."""
    if hasattr(state, "_asdict"):
        state = state._asdict()
    if isinstance(state, tuple) and state:  # plane stress keeps the strains across beside it
        return _named(state[0])
    return list(state.items()) if isinstance(state, dict) else []
