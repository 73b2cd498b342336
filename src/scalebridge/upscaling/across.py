"""Stresses across the plane of a two-dimensional cell, where its laws tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge import tensors
from scalebridge.cell.cell import Cell

_PLANE = [0, 1, 5]  # 11, 22, 12


def all_stresses(fields: Mapping[str, NDArray[Any]], cell: Cell) -> NDArray[Any]:
    """Return all six stresses, NaN across the plane where a law does not tell them."""
    stress = fields["stress"]
    if len(stress) == 6:
        return stress
    whole = np.zeros((6, *stress.shape[1:]))
    whole[_PLANE] = stress
    if cell.plane != "strain":
        return whole
    strain = np.zeros_like(whole)
    strain[_PLANE] = fields["strain"]
    for name in cell.microstructure.names:
        law, mask = cell.laws[name], cell.microstructure.mask(name)
        elastic = strain[:, mask]
        state = law.initial_state()
        if isinstance(state, dict) and "plastic_strain" in state:
            elastic = elastic - fields["plastic_strain"][:, mask]
        elif state != () or law.kinematics.size < 6:
            whole[2:5, mask] = np.nan
            continue
        turn = cell.rotations.get(name)
        own = np.asarray(law.tangent())
        own = own if turn is None else np.asarray(tensors.rotate_mandel4(own, turn))
        whole[2:5, mask] = np.einsum("ab...,b...->a...", own[2:5], elastic)
    return whole
