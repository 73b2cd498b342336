"""Which points a law makes in a structure."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell.cell import Cell
from scalebridge.cell.sections import Section
from scalebridge.laws.protocol import Kinematics, Law
from scalebridge.structure.answers import Points
from scalebridge.structure.cell_points import CellPoints
from scalebridge.structure.law_points import LawPoints, LinearPoints, respond
from scalebridge.structure.transforms import gradient_turns


def points_of(
    law: Law,
    physics: str,
    dim: int,
    plane: str | None,
    count: int,
    turns: np.ndarray | None,
    tangent: str = "exact",
) -> Points:
    """Return the points of a law in a structure.

    Parameters
    ----------
    dim : 2 or 3
        Of the structure.
    plane : "strain", "stress", "axisymmetric" or None
    turns : (3, 3) or (point, 3, 3), optional
        Orientation of the material.
    tangent : one of `TANGENTS`
        Of cells.
    """
    if isinstance(law, Cell):
        free = np.zeros(law.kinematics.size, bool)
        if plane == "stress" and law.kinematics.dim == 3:
            free[[2, 3, 4]] = True
        if law.is_linear:
            modulus = np.asarray(law_modulus(law))
            if turns is not None:
                T = gradient_turns(law.kinematics, turns)
                modulus = np.swapaxes(T, -1, -2) @ modulus @ T
            return LinearPoints(law.kinematics, modulus, count, free)
        return CellPoints(law, count, turns, free, tangent)
    wide = plane == "axisymmetric" or physics == "conduction"
    seen = law.kinematics if wide else Kinematics(physics, min(dim, law.kinematics.dim))
    section = Section(law, seen, plane if plane == "stress" else None)
    if law.is_linear and physics != "finite strain":
        rotations = turns if turns is None or turns.ndim == 3 else turns[None]
        one = 1 if rotations is None else len(rotations)
        zero = jnp.zeros((one, seen.size))
        states = jax.tree.map(lambda leaf: jnp.stack([leaf] * one), section.initial_state())
        given = None if rotations is None else jnp.asarray(rotations)
        moduli = np.asarray(respond(section, zero, given, states, jnp.asarray(1.0))[0])
        return LinearPoints(seen, moduli[0] if one == 1 else moduli, count)
    return LawPoints(section, count, turns)


@eqx.filter_jit
def law_modulus(law: Law) -> Array:
    """Return the tangent of a linear law or cell."""
    return law.tangent()


def spread_turns(turns: Any, points: int) -> Any:
    """Return rotations for the points of elements from one, or one for each element."""
    found = np.asarray(turns, float)
    return found if found.ndim == 2 else np.repeat(np.moveaxis(found, -1, 0), points, axis=0)
