"""Checks of law parameters, where their values are concrete."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.errors import InputError


def as_array(name: str, value: Any, *shapes: tuple[int, ...]) -> jax.Array:
    """Return `value` as a float array of one of `shapes`; finite where it is concrete."""
    try:
        array = jnp.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` must be a number or an array, but is {value!r}") from error
    if array.shape not in shapes:
        known = " or ".join("a number" if s == () else f"of shape {s}" for s in shapes)
        raise InputError(f"`{name}` must be {known}, but has shape {array.shape}")
    values = concrete(array)
    if values is not None and not np.all(np.isfinite(values)):
        raise InputError(f"`{name}` must be finite, but is {np.array2string(values)}")
    return array


def as_axis(axis: Any) -> int:
    """Return the number of an axis given as 0, 1, 2 or "x", "y", "z"."""
    names = {"x": 0, "y": 1, "z": 2, 0: 0, 1: 1, 2: 2}
    if isinstance(axis, str | int) and axis in names:
        return names[axis]
    raise InputError(f"`axis` must be 0, 1, 2 or 'x', 'y', 'z', but is {axis!r}")


def concrete(value: Any) -> np.ndarray | None:
    """Return the values of `value` as a NumPy array, or None under a JAX transformation."""
    return None if isinstance(value, jax.core.Tracer) else np.asarray(value)


def check_symmetric_semidefinite(name: str, matrix: jax.Array, what: str) -> None:
    """Refuse a matrix that is not symmetric, or has a negative eigenvalue."""
    values = concrete(matrix)
    if values is None or values.ndim < 2:
        return
    size = np.linalg.norm(values)
    if np.linalg.norm(values - values.T) > 1e-8 * size:
        raise InputError(f"`{name}` must be symmetric, but is {values.tolist()}; symmetrise it")
    smallest = np.linalg.eigvalsh(values)[0]
    if smallest < -1e-10 * size:
        raise InputError(
            f"`{name}` must be {what}, but has the eigenvalue {smallest:.6g}; "
            "check the constants and the component order"
        )
