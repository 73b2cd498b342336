"""Smaller cells that stand for a large one while its cost is measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.cell.boundary import BOUNDARIES
from scalebridge.errors import InputError
from scalebridge.study.cost_sides import largest_prime_factor

if TYPE_CHECKING:
    from scalebridge.cell import Cell

_FEWEST = 8  # voxels along a side that is cut
_AXES = "xyz"


def coarse(cell: Cell, boundary: str, voxels: int) -> Cell:
    """Return the cell seen on a coarser grid of about so many voxels.

    Iterations hardly depend on the resolution, but on contrast and connectivity, which
    picking voxels at even distances keeps.
    """
    shape = cell.microstructure.shape
    factor = (math.prod(shape) / voxels) ** (1 / len(shape))
    if factor <= 1:
        return under(cell, boundary)
    sizes = [max(2, round(n / factor)) for n in shape]
    picked = [((np.arange(m) + 0.5) * n / m).astype(int) for m, n in zip(sizes, shape, strict=True)]
    try:
        return _part(cell, boundary, picked)
    except InputError:  # what holds the fine image may be lost in the coarse one
        return under(cell, boundary)


def cut(cell: Cell, boundary: str, voxels: int) -> Cell:
    """Return a slice of the cell of about so many voxels.

    Sides with large prime factors stay whole as long as possible: they are slower by voxel.
    """
    shape = list(cell.microstructure.shape)
    for axis in sorted(range(len(shape)), key=lambda a: largest_prime_factor(shape[a])):
        others = math.prod(shape) // shape[axis]
        shape[axis] = min(shape[axis], max(_FEWEST, voxels // others))
    if tuple(shape) == cell.microstructure.shape:
        return under(cell, boundary)
    try:
        return _part(cell, boundary, [np.arange(n) for n in shape])
    except InputError:
        return coarse(cell, boundary, voxels)


def _part(cell: Cell, boundary: str, picked: list[np.ndarray]) -> Cell:
    """Return the cell of some of the voxels, which take up the whole extent."""
    micro = cell.microstructure
    grid = np.ix_(*picked)
    spacing = tuple(
        h * n / len(p) for h, n, p in zip(micro.spacing, micro.shape, picked, strict=True)
    )
    return type(cell)(
        micro._with(micro.labels[grid], spacing),
        cell.laws,
        boundary=_condition(cell, boundary),
        element=cell.element,
        plane=cell.plane,
        orientation={name: _turned(cell, name, grid) for name in cell.rotations},
    )


def under(cell: Cell, boundary: str) -> Cell:
    """Return the cell under a boundary condition, its own or one by name."""
    return cell if boundary == cell.boundary else cell.with_boundary(boundary)


def _condition(cell: Cell, boundary: str) -> Any:
    """Return a boundary in words as `Cell` takes it: a name, or conditions by axis."""
    if boundary in BOUNDARIES:
        return boundary
    return {
        axis: tuple("kinematic" if kind == "fixed" else kind for kind in kinds)
        for axis, kinds in zip(_AXES, cell.ends, strict=False)
    }


def _turned(cell: Cell, name: str, grid: Any) -> np.ndarray:
    """Return the rotation of a phase, (3, 3), or of its voxels that were picked, (3, 3, …)."""
    rotation = np.asarray(cell.rotations[name])
    if rotation.ndim == 2:
        return rotation
    mask = cell.microstructure.mask(name)
    position = np.zeros(mask.shape, np.int32)
    position[mask] = np.arange(rotation.shape[-1])
    return rotation[:, :, position[grid]]
