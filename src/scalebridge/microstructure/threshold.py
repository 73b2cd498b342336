"""Grey values to phases: at given thresholds, or at Otsu's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.phases import Phase, refuse_nan

_BINS = 1 << 16


def as_thresholds(threshold: Any, count: int) -> tuple[float, ...]:
    """Return `count` − 1 rising thresholds."""
    try:
        given = (threshold,) if np.ndim(threshold) == 0 else threshold
        values = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        values = ()
    rising = all(low < high for low, high in pairwise(values))
    if len(values) != count - 1 or not rising or not all(map(math.isfinite, values)):
        raise InputError(
            f"`threshold` must be {count - 1} rising number(s) for {count} phases, "
            f"but is {threshold!r}; the first phase holds the values up to the first threshold"
        )
    return values


def phases_between(names: tuple[str, ...], thresholds: tuple[float, ...]) -> tuple[Phase, ...]:
    """Return the phases that thresholds part: each holds the values up to and with its own."""
    ends = (*thresholds, math.inf)
    starts = (-math.inf, *(float(np.nextafter(end, math.inf)) for end in thresholds))
    return tuple(
        Phase(name, ((low, high),)) for name, low, high in zip(names, starts, ends, strict=True)
    )


def otsu(image: NDArray[Any], what: str = "the image") -> float:
    r"""Return the threshold that parts an image's grey values best in two classes.

    It maximises the variance between the classes,
    :math:`\sigma_B^2(t) = (\mu_T \omega(t) - \mu(t))^2 / (\omega(t) (1 - \omega(t)))`,
    with :math:`\omega` and :math:`\mu` the cumulative share and first moment of the values
    up to :math:`t`. Where several neighbouring thresholds do equally well (there are no
    values between them), the middle is taken. Integers that span up to 65536 values are
    counted one by one, others in 65536 bins.

    Raises
    ------
    InputError
        NaN, infinite values, or one value only.

    Source: N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66, eqs. (17)-(19).
    """
    bins, counts, low, width = _histogram(image, what)
    share = np.cumsum(counts) / counts.sum()
    moment = np.cumsum(counts * (bins - bins[0])) / counts.sum()
    omega, mu = share[:-1], moment[:-1]
    between = (moment[-1] * omega - mu) ** 2 / (omega * (1.0 - omega))
    best = np.flatnonzero(between == between.max())[0]
    return float(low + 0.5 * (bins[best] + bins[best + 1]) * width)


def _histogram(
    image: NDArray[Any], what: str
) -> tuple[NDArray[np.float64], NDArray[np.int64], float, float]:
    """Return the bins that hold values, how many, the lowest value and the width of a bin.

    A bin is told by its centre: the value there is the lowest value + as many widths.
    """
    if image.dtype.kind == "f":
        nans = sum(int(np.isnan(slab).sum()) for slab in _slabs(image))
        if nans:
            refuse_nan(nans, image.size, what)
    low, high = float(image.min()), float(image.max())
    span = high - low
    if not math.isfinite(span):
        raise InputError(
            f"{what} must hold finite values, but holds {low:g} to {high:g}; clip them before"
        )
    if span == 0:
        raise InputError(
            f"{what} must hold two classes of grey values for Otsu's threshold, "
            f"but holds only {low:g}; check what was read"
        )
    exact = image.dtype.kind != "f" and span < _BINS
    bins = int(span) + 1 if exact else _BINS
    counts = np.zeros(bins, np.int64)
    for slab in _slabs(image):
        above = slab.astype(np.float64) - low
        index = (above if exact else above / span * bins).astype(np.int64)
        counts += np.bincount(np.minimum(index, bins - 1).ravel(), minlength=bins)
    held = np.flatnonzero(counts)
    centres = (held + (0.0 if exact else 0.5)).astype(np.float64)
    return centres, counts[held], low, 1.0 if exact else span / bins


def _slabs(image: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield parts that are contiguous in memory, in either order."""
    yield from image.T if image.flags.f_contiguous else image
