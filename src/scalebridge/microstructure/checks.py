"""Checks at the door of the room: shapes, spacings, axes, names and single numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError, did_you_mean

AXES = "xyz"


def check_image_shape(shape: Sequence[int], what: str = "`labels`") -> None:
    """Refuse what is not a 2D or 3D image of at least two voxels along each axis."""
    told = tell_shape(shape)
    if len(shape) not in (2, 3):
        raise InputError(
            f"{what} must be a 2D or 3D image, but has {len(shape)} axes ({told or 'no shape'}); "
            "pick one channel or time step, or stack the slices"
        )
    if 0 in shape:
        raise InputError(f"{what} must hold voxels, but is empty ({told}); check what was cropped")
    if 1 in shape:
        axis = tuple(shape).index(1)
        remedy = (
            f"drop that axis and pass a 2D image, e.g. labels.squeeze({axis})"
            if len(shape) == 3 and tuple(shape).count(1) == 1
            else "pass at least 2 voxels along each axis"
        )
        raise InputError(
            f"{what} must have at least 2 voxels along each axis, "
            f"but axis {AXES[axis]} has only one ({told}); {remedy}"
        )


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple of 2 or 3 whole numbers, each at least 2."""
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        raise InputError(
            f"`shape` must be 2 or 3 whole numbers, but is {shape!r}; e.g. shape=(64, 64, 64)"
        ) from None
    if any(size < 0 for size in sizes):
        raise InputError(
            f"`shape` must be positive, but is {sizes}; give the number of voxels along each axis"
        )
    check_image_shape(sizes, "`shape`")
    return sizes


def as_spacing(spacing: Any, dim: int | None = None) -> tuple[float, ...]:
    """Return the voxel's edge along each axis as floats.

    With ``dim=None`` (the image is not read yet) a single number stays single.
    """
    remedy = "give the voxel's edge in your unit of length, e.g. spacing=1.3e-6"
    if spacing is None:
        raise InputError(f"`spacing` must be given, but is missing; {remedy}")
    try:
        if isinstance(spacing, str | bytes):
            raise TypeError
        edges = tuple(float(edge) for edge in (spacing if _is_iterable(spacing) else (spacing,)))
    except (TypeError, ValueError):
        raise InputError(
            f"`spacing` must be a number or one number per axis, but is {spacing!r}; {remedy}"
        ) from None
    for edge in edges:
        if not (math.isfinite(edge) and edge > 0):
            raise InputError(
                f"`spacing` must be positive and finite, but is {tell_numbers(edges)}; {remedy}"
            )
    if dim is None:
        return edges
    if len(edges) == 1:
        return edges * dim
    if len(edges) != dim:
        raise InputError(
            f"`spacing` must be one number or one per axis ({dim}), "
            f"but has {len(edges)} ({tell_numbers(edges)}); {remedy}"
        )
    return edges


def as_axis(axis: Any, dim: int) -> int:
    """Return an axis given as ``0`` or ``"x"`` as its number."""
    known = AXES[:dim]
    if isinstance(axis, str) and len(axis) == 1 and axis in known:
        return known.index(axis)
    try:
        number = operator.index(axis)
    except TypeError:
        number = dim
    if not 0 <= number < dim:
        raise InputError(
            f"`axis` must be one of {', '.join(known)} or 0 to {dim - 1} in {dim}D, "
            f"but is {axis!r}; name an axis of the image"
        )
    return number


def as_axes(axes: Any, dim: int) -> tuple[int, ...]:
    """Return axes given as ``"xz"``, ``0`` or ``(0, "z")`` as distinct numbers."""
    several = axes if _is_iterable(axes) else (axes,)
    numbers = tuple(as_axis(axis, dim) for axis in several)
    if len(set(numbers)) != len(numbers):
        raise InputError(f"`axes` must be distinct, but are {axes!r}; name each axis once")
    return numbers


def as_counts(value: Any, dim: int, name: str) -> tuple[int, ...]:
    """Return a positive whole number, or one per axis, as one per axis."""
    several = tuple(value) if _is_iterable(value) else (value,) * dim
    try:
        counts = tuple(operator.index(count) for count in several)
    except TypeError:
        counts = ()
    if len(counts) != dim or any(count < 1 for count in counts):
        raise InputError(
            f"`{name}` must be a positive whole number or one per axis ({dim}), "
            f"but is {value!r}; e.g. {name}=2"
        )
    return counts


def as_number(
    value: Any, name: str, low: float, high: float, remedy: str, *, inclusive: bool = False
) -> float:
    """Return `value` as a float between `low` and `high`, strictly but for `inclusive` low."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (low < number < high or (inclusive and number == low < high)):
        bounds = f"≥ {low:g}" if inclusive else f"above {low:g}"
        if high < math.inf:
            end = f"{high:.4g}"
            bounds = f"{bounds} and below {end}" if inclusive else f"between {low:g} and {end}"
        raise InputError(f"`{name}` must be a number {bounds}, but is {value!r}; {remedy}")
    return number


def as_fractions(fractions: Any) -> list[float]:
    """Return the fractions of phases: positive, sum 1."""
    try:
        shares = [float(share) for share in fractions]
    except (TypeError, ValueError):
        shares = []
    if not shares or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise InputError(
            f"`fractions` must be positive and sum to 1, but are {fractions!r}"
            f"{f' with sum {sum(shares):g}' if shares else ''}; e.g. (0.3, 0.7)"
        )
    return shares


def as_seed(seed: Any) -> int:
    """Return `seed` as a whole number ≥ 0."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise InputError(
            f"`seed` must be a whole number ≥ 0, but is {seed!r}; give one, e.g. seed=0"
        )
    return number


def as_names(names: Any, count: int | None = None) -> tuple[str, ...]:
    """Return the names of phases: distinct, not empty, `count` of them."""
    several = () if isinstance(names, str) or not _is_iterable(names) else tuple(names)
    if not several or any(not isinstance(name, str) or not name.strip() for name in several):
        raise InputError(
            f"phases must be named by words, but are {names!r}; e.g. ('void', 'solid')"
        )
    if len(set(several)) != len(several):
        raise InputError(f"phases must have distinct names, but are {names!r}; rename one")
    if count is not None and len(several) != count:
        raise InputError(
            f"phases must have {count} names here, but {names!r} has {len(several)}; "
            "give one name for each phase"
        )
    return several


def find_name(name: str, names: Sequence[str]) -> int:
    """Return the index of phase `name`."""
    if name not in names:
        raise InputError(
            f"`name` must be a phase of the image, but is {name!r}{did_you_mean(name, names)}; "
            f"the phases are {', '.join(names)}"
        )
    return names.index(name)


def as_integers(labels: ArrayLike) -> NDArray[Any]:
    """Return `labels` as an integer array of a 2D or 3D image."""
    try:
        image = np.asarray(labels)
    except ValueError:
        raise InputError(
            "`labels` must be a rectangular array, but its rows differ in length; pad or crop them"
        ) from None
    if image.dtype.kind not in "bui":
        nans = int(np.isnan(image).sum()) if image.dtype.kind == "f" else 0
        held = f"{image.dtype}" + (f" with {nans} NaN" if nans else "")
        raise InputError(
            f"`labels` must be integers, but are {held}; segment the image before, or save it "
            "and use `scalebridge.read` with ranges or method='otsu'"
        )
    check_image_shape(image.shape)
    return image


def as_slice(given: Any, size: int, axis: str) -> slice:
    """Return a slice, a pair (start, stop) or None as a slice within 0 to `size`."""
    cut = slice(*given) if isinstance(given, tuple) and len(given) == 2 else given
    cut = slice(None) if cut is None else cut
    bad = not isinstance(cut, slice) or cut.step not in (None, 1)
    if not bad:
        start = 0 if cut.start is None else cut.start
        stop = size if cut.stop is None else cut.stop
        start, stop = start + size * (start < 0), stop + size * (stop < 0)
        bad = not 0 <= start < stop <= size
    if bad:
        raise InputError(
            f"`ranges` must lie within 0 to {size} along axis {axis}, but one is {given!r}; "
            "give (start, stop) with start < stop, or None for all"
        )
    return slice(start, stop)


def tell_shape(shape: Iterable[int]) -> str:
    """Return ``100 × 100 × 50``."""
    return " × ".join(str(size) for size in shape)


def tell_numbers(numbers: Iterable[float]) -> str:
    """Return ``1, 1, 2.5``."""
    return ", ".join(f"{number:.6g}" for number in numbers)


def _is_iterable(value: Any) -> bool:
    try:
        iter(value)
    except TypeError:
        return False
    return True
