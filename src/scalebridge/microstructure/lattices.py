"""Discs and spheres at the positions of a lattice: the cells of many benchmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import (
    AXES,
    as_axis,
    as_names,
    as_number,
    as_shape,
    tell_shape,
)
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.spheres import BALL

# Positions as shares of the cell, and the distance of nearest neighbours in its first edge.
_CUBIC: dict[str, tuple[tuple[tuple[float, ...], ...], float]] = {
    "sc": (((0.5, 0.5, 0.5),), 1.0),
    "bcc": (((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), math.sqrt(0.75)),
    "fcc": (((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)), math.sqrt(0.5)),
}


def square_array(
    shape: Sequence[int],
    fraction: float | None = None,
    *,
    radius: float | None = None,
    overlap: float | None = None,
    edge: float = 1.0,
    axis: int | str = "z",
    names: Sequence[str] = ("matrix", "fibre"),
) -> Microstructure:
    """Make a square array of discs, or in 3D of fibres along an axis: one in the cell's middle.

    Parameters
    ----------
    shape : (axis,) voxels
    fraction : volume fraction of the smooth discs [-], at most π/4, where they touch
    radius : [length], instead of `fraction`
    overlap : share of the diameter by which neighbours overlap [-], instead of `fraction`
        The distance of centres is (1 − overlap) 2 r; 0 lets them touch.
    edge : side of the square cell, the distance of centres [length]
        Sets the spacing, edge / voxels along each axis.
    axis : axis of the fibres in 3D; along it voxels are as long as along the next axis
    names : (matrix, fibres)

    Raises
    ------
    InputError
        None or several of `fraction`, `radius` and `overlap`; bodies that meet no voxel or all.

    Examples
    --------
    >>> square_array((100, 100), 0.5)
    Microstructure(100 × 100, spacing=0.01, matrix 49.92 %, fibre 50.08 %)
    """
    size = _Size(fraction, radius, overlap)
    return _extruded(shape, "square", ((0.5, 0.5),), (1.0, 1.0), size, edge, axis, names)


def hexagonal_array(
    shape: Sequence[int],
    fraction: float | None = None,
    *,
    radius: float | None = None,
    overlap: float | None = None,
    edge: float = 1.0,
    axis: int | str = "z",
    names: Sequence[str] = ("matrix", "fibre"),
) -> Microstructure:
    """Make a hexagonal array of discs, or in 3D of fibres along an axis.

    The cell is a rectangle of 1 × √3 with one disc in its middle and one at its corners, of
    radius √(f √3 / 2π). Its aspect is exact on any grid, since the spacing is set by axis:
    voxels are square where there are √3 times as many along the second axis, e.g. 97 × 168.

    Parameters
    ----------
    shape : (axis,) voxels
    fraction : volume fraction of the smooth discs [-], at most π/2√3, where they touch
    radius, overlap : see `square_array`
    edge : shorter side of the cell, the distance of centres [length]
    axis : axis of the fibres in 3D; the rectangle's sides follow in the order of axes
    names : (matrix, fibres)

    Raises
    ------
    InputError
        As `square_array`.

    Examples
    --------
    >>> hexagonal_array((97, 168), 0.6).spacing
    (0.010309278350515464, 0.010309826235529031)
    """
    size, centres = _Size(fraction, radius, overlap), ((0.0, 0.0), (0.5, 0.5))
    cell = (1.0, math.sqrt(3.0))
    return _extruded(shape, "hexagonal", centres, cell, size, edge, axis, names)


def cubic_array(
    kind: str,
    shape: Sequence[int],
    fraction: float | None = None,
    *,
    radius: float | None = None,
    overlap: float | None = None,
    edge: float = 1.0,
    names: Sequence[str] = ("matrix", "sphere"),
) -> Microstructure:
    """Make a cubic array of spheres.

    Simple cubic is one sphere in the middle of the cell, as `centred_sphere`; body-centred adds
    one at the corners; face-centred has them at the corners and in the middle of the faces.

    Parameters
    ----------
    kind : "sc", "bcc" or "fcc"
    shape : (3,) voxels
    fraction : volume fraction of the smooth spheres [-]
        At most π/6, π√3/8 or π√2/6, where they touch.
    radius, overlap : see `square_array`
        Spheres that overlap merge; the notes tell the fraction achieved.
    edge : side of the cubic cell [length]
    names : (matrix, spheres)

    Raises
    ------
    InputError
        As `square_array`; an image that is not 3D, a kind that is not known.

    Examples
    --------
    >>> print(*cubic_array("fcc", (64, 64, 64), overlap=0.05).notes)
    fcc array of radius 0.372161 (overlap 5 %), fraction 0.845093
    """
    sizes = as_shape(shape)
    if not isinstance(kind, str) or kind not in _CUBIC:
        raise InputError(
            f"`kind` must be one of {', '.join(_CUBIC)}, but is {kind!r}"
            f"{did_you_mean(str(kind), _CUBIC)}; choose one of them"
        )
    if len(sizes) == 2:
        raise InputError(
            f"`shape` must be 3D for a cubic array, but is {sizes}; use square_array in 2D"
        )
    centres, nearest = _CUBIC[kind]
    side = _as_edge(edge)
    size = _Size(fraction, radius, overlap)
    unit, told = size.resolve(len(centres), (1.0, 1.0, 1.0), nearest, side)
    labels = _inside(sizes, centres, (1.0, 1.0, 1.0), unit)
    return _finish(labels, tuple(side / n for n in sizes), names, f"{kind} array of {told}")


class _Size:
    """How large the bodies are: exactly one of three was given."""

    def __init__(self, fraction: Any, radius: Any, overlap: Any) -> None:
        every = {"fraction": fraction, "radius": radius, "overlap": overlap}
        held = {name: value for name, value in every.items() if value is not None}
        if len(held) != 1:
            both = f"{' and '.join(held)} are" if held else "none is"
            raise InputError(
                f"`fraction`, `radius` or `overlap` must be given, and one alone, but {both}; "
                "e.g. fraction=0.3"
            )
        ((self.name, self.value),) = held.items()

    def resolve(
        self, count: int, cell: tuple[float, ...], nearest: float, edge: float
    ) -> tuple[float, str]:
        """Return the radius in a cell of first edge 1, and words on it in a cell of `edge`."""
        dim, volume = len(cell), math.prod(cell)
        if self.name == "overlap":
            lap = as_number(
                self.value, "overlap", 0.0, 1.0, "0 lets neighbours touch", inclusive=True
            )
            radius = nearest / (2.0 * (1.0 - lap))
            return radius, f"radius {radius * edge:.6g} (overlap {100 * lap:.6g} %)"
        if self.name == "radius":
            radius = as_number(self.value, "radius", 0.0, math.inf, "it is a length") / edge
            return radius, f"radius {radius * edge:.6g}"
        most = count * BALL[dim] * (nearest / 2.0) ** dim / volume
        share = as_number(
            self.value,
            "fraction",
            0.0,
            most * (1 + 1e-12),
            "beyond, neighbours overlap: give `radius` or `overlap`",
        )
        radius = (share * volume / (count * BALL[dim])) ** (1.0 / dim)
        return radius, f"radius {radius * edge:.6g} (smooth fraction {share:.6g})"


def _extruded(
    shape: Sequence[int],
    kind: str,
    centres: Sequence[Sequence[float]],
    cell: tuple[float, ...],
    size: _Size,
    edge: float,
    axis: int | str,
    names: Sequence[str],
) -> Microstructure:
    """Make an array of discs, and in 3D extrude it along `axis`."""
    sizes, side = as_shape(shape), _as_edge(edge)
    along = as_axis(axis, 3) if len(sizes) == 3 else None
    flat = tuple(n for a, n in enumerate(sizes) if a != along)
    unit, told = size.resolve(len(centres), cell, 1.0, side)
    labels = _inside(flat, centres, cell, unit)
    spacing = [side * length / n for length, n in zip(cell, flat, strict=True)]
    if along is not None:
        check_fits(sizes, np.dtype(np.uint8), "`shape`")
        labels = np.broadcast_to(np.expand_dims(labels, along), sizes)
        spacing.insert(along, spacing[0])
        told += f" along {AXES[along]}"
    return _finish(labels, tuple(spacing), names, f"{kind} array of {told}")


def _inside(
    shape: tuple[int, ...],
    centres: Sequence[Sequence[float]],
    cell: tuple[float, ...],
    radius: float,
) -> NDArray[np.bool_]:
    """Return True where a voxel's centre is strictly inside a body.

    Distances are counted in half voxels of the first axis, where they are whole numbers on a
    cubic grid, so that equal ones are equal.
    """
    check_fits(shape, np.dtype(float), "`shape`", copies=10)
    n = shape[0]
    weights = [
        (length * n / (size * cell[0])) ** 2 for size, length in zip(shape, cell, strict=True)
    ]
    labels = np.zeros(shape, bool)
    for centre in centres:
        parts = []
        for size, weight, share in zip(shape, weights, centre, strict=True):
            apart = np.abs(2 * np.arange(size) + 1 - round(2 * size * share))
            parts.append(weight * np.minimum(apart, 2 * size - apart) ** 2)
        labels |= reduce(np.add.outer, parts) < (2 * n * radius) ** 2
    return labels


def _finish(
    labels: NDArray[np.bool_], spacing: tuple[float, ...], names: Sequence[str], told: str
) -> Microstructure:
    share = float(labels.mean())
    if share in (0.0, 1.0):
        raise InputError(
            f"`fraction`, `radius` or `overlap` must give each phase a voxel, but with {told} "
            f"{'all' if share else 'none'} of {tell_shape(labels.shape)} are inside; refine the "
            f"grid or choose {'smaller' if share else 'larger'} bodies"
        )
    note = f"{told}, fraction {share:.6g}"
    return Microstructure._from_compact(labels, spacing, as_names(names, 2), notes=(note,))


def _as_edge(edge: Any) -> float:
    return as_number(edge, "edge", 0.0, math.inf, "it is the side of the cell")
