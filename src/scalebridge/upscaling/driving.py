"""Average gradients and fluxes prescribed component by component."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scalebridge.errors import InputError

_ZERO = 1e-12  # of the largest eigenvalue of the modulus that answers
_ROUNDING = 1e-9  # of the flux asked for


class Average(NamedTuple):
    """An average state: gradient and flux, (m,) both."""

    gradient: np.ndarray
    flux: np.ndarray


def average_state(
    tensor: np.ndarray, gradient: Any, flux: Any, components: tuple[str, ...]
) -> Average:
    """Complete a state of which each component of either gradient or flux is prescribed.

    Parameters
    ----------
    tensor : (m, m)
        Effective tensor.
    gradient, flux : (m,) or None
        NaN where the other one is prescribed. Left out: nothing is prescribed.
    components : (m,) of str
        Names for messages.

    Raises
    ------
    InputError
        A component prescribed twice or not at all; a flux that the medium cannot carry.
    """
    size = len(tensor)
    e, s = (_vector(n, v, size) for n, v in (("gradient", gradient), ("flux", flux)))
    both, neither = ~np.isnan(e) & ~np.isnan(s), np.isnan(e) & np.isnan(s)
    for wrong, how in ((both, "both gradient and flux"), (neither, "neither gradient nor flux")):
        if wrong.any():
            names = ", ".join(np.asarray(components)[wrong])
            raise InputError(
                f"`gradient` and `flux` must prescribe one of the two for each component, but "
                f"{how} are given for {names}; NaN leaves a component to the other"
            )
    free = np.isnan(e)
    if free.any():
        block = tensor[np.ix_(free, free)]
        load = s[free] - tensor[np.ix_(free, ~free)] @ e[~free]
        values, vectors = np.linalg.eigh(block)
        carried = values > _ZERO * max(np.abs(tensor).max(), 1e-300)
        part = vectors.T @ load
        if np.any(np.abs(part[~carried]) > _ROUNDING * np.abs(load).max()):
            names = ", ".join(np.asarray(components)[free])
            raise InputError(
                f"`flux` is infeasible: the medium carries nothing in a direction that the flux "
                f"{names} asks for, since its modulus is zero there; prescribe the gradient instead"
            )
        inverse = np.divide(1.0, values, out=np.zeros_like(values), where=carried)
        e = e.copy()
        e[free] = vectors @ (inverse * part)
    return Average(e, np.where(free, s, tensor @ e))


def _vector(name: str, value: Any, size: int) -> np.ndarray:
    if value is None:
        return np.full(size, np.nan)
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        array = np.full(0, np.nan)
    if array.shape != (size,) or np.any(np.isinf(array)):
        raise InputError(f"`{name}` must be {size} numbers, NaN where it is free, but is {value!r}")
    return array
