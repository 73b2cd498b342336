"""What VTK's two image formats have in common: frame, choice of an array, spacing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import AXES, as_spacing, check_image_shape, tell_numbers
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.sniff import check_values


@dataclass(frozen=True)
class Frame:
    """Extent and spacing of an image that is always three-dimensional."""

    extent: tuple[int, ...]
    spacing: tuple[float, ...]
    turned: bool

    @classmethod
    def of(cls, extent: Sequence[Any], spacing: Sequence[Any], direction: Sequence[float]) -> Frame:
        """Return the frame of what the file tells."""
        turned = not np.allclose(direction, np.eye(3).ravel())
        edges = tuple(float(edge) for edge in spacing)
        if len(edges) != 3:
            raise ValueError(f"its spacing is {edges}")
        return cls(extent_of(extent), edges, turned)

    def check(
        self, kind: str, name: str, dtype: np.dtype, *, components: int, path: Path
    ) -> tuple[int, ...]:
        """Return the (x, y, z) shape of an array after it was found to be an image that fits."""
        if components != 1:
            raise InputError(
                f"'{path}' must hold one value per voxel, but {name!r} has {components} "
                "components; choose another array by `key`"
            )
        check_values(dtype, str(path))
        low, high = self.extent[::2], self.extent[1::2]
        points = kind == "point"
        # a flat image has one layer of points, and is counted as one of cells too
        shape = tuple(
            b - a + 1 if points else max(b - a, 1) for a, b in zip(low, high, strict=True)
        )
        check_image_shape([n for n in shape if n > 1] if _is_flat(shape) else shape, f"'{path}'")
        check_fits(shape, dtype, f"'{path}'")
        return shape

    def finish(self, image: NDArray[Any], note: str) -> tuple[NDArray[Any], tuple[float, ...], str]:
        """Return the image, in 2D where it is one voxel thick, its spacing and the note."""
        kept = [axis for axis, n in enumerate(image.shape) if n > 1 or not _is_flat(image.shape)]
        if len(kept) == 2:
            note += f", one voxel thick, taken as ({', '.join(AXES[axis] for axis in kept)})"
        if self.turned:
            note += "; its Direction turns it in space, which is left out: axes are the image's own"
        shape = [image.shape[axis] for axis in kept]
        return image.reshape(shape, order="F"), tuple(self.spacing[axis] for axis in kept), note


def extent_of(numbers: Sequence[Any]) -> tuple[int, ...]:
    """Return the first and last point along x, y and z."""
    extent = tuple(int(number) for number in numbers)
    if len(extent) != 6 or any(a > b for a, b in zip(extent[::2], extent[1::2], strict=True)):
        raise ValueError(f"its extent is {extent}")
    if max(map(abs, extent)) >= 2**31:
        raise ValueError("its extent exceeds all bounds")
    return extent


def choose(
    known: Iterable[tuple[str, str]], key: str | None, path: Path, default: str | None = None
) -> tuple[str, str]:
    """Return (kind, name) of the array `key`; of two of one name, that of the cells."""
    by_name = {name: (kind, name) for kind, name in sorted(known, reverse=True)}
    if not by_name:
        raise InputError(
            f"'{path}' must hold cell data or point data, but holds none; save the labels with it"
        )
    if key is None:
        key = default if default in by_name else None
    if key is None and len(by_name) == 1:
        return next(iter(by_name.values()))
    if key not in by_name:
        held = f"is {key!r}{did_you_mean(key, by_name)}" if key is not None else "is missing"
        names = " ".join(", ".join(sorted(by_name)).split())
        raise InputError(
            f"`key` must name one of the arrays in '{path}', but {held}; it holds {names}"
        )
    return by_name[key]


def tell_image(path: Path, file: str, kind: str, name: str, dtype: np.dtype) -> str:
    """Return where an image came from."""
    return f"read from '{path.name}', {file}, {kind} data {name!r}, {dtype}"


def settle_spacing(
    given: tuple[float, ...] | None, told: tuple[float, ...], path: Path
) -> tuple[tuple[float, ...], str]:
    """Return the spacing that holds and a note: what the caller gave wins over the file's."""
    words = tell_numbers(told)
    if given is None:
        try:
            return as_spacing(told), f"spacing {words} as the file tells"
        except InputError as error:
            raise InputError(f"'{path}' tells a spacing that cannot be used: {error}") from None
    same = all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(given, told, strict=True))
    return given, "" if same else f"spacing as given; THE FILE TELLS ANOTHER: {words}"


def _is_flat(shape: Sequence[int]) -> bool:
    return list(shape).count(1) == 1
