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


def check_range(
    name: str,
    value: jax.Array,
    *,
    above: float | None = None,
    lowest: float | None = None,
    below: float | None = None,
    highest: float | None = None,
    advice: str = "",
) -> None:
    """Refuse values outside above < value < below, lowest ≤ value ≤ highest."""
    values = concrete(value)
    if values is None:
        return
    limits = [
        (">", above, np.greater),
        ("≥", lowest, np.greater_equal),
        ("<", below, np.less),
        ("≤", highest, np.less_equal),
    ]
    given = [(sign, limit, test) for sign, limit, test in limits if limit is not None]
    if not all(np.all(test(values, limit)) for _, limit, test in given):
        wanted = " and ".join(f"{sign} {limit:g}" for sign, limit, _ in given)
        found = f"{float(values):g}" if values.ndim == 0 else str(values.tolist())
        raise InputError(f"`{name}` must be {wanted}, but is {found}" + (advice and f"; {advice}"))


def check_elastic(E: jax.Array, nu: jax.Array) -> None:
    """Refuse isotropic constants that are not positive definite."""
    check_range("E", E, above=0, advice="a void phase is Void()")
    check_range(
        "nu", nu, above=-1, below=0.5, advice="a nearly incompressible material has e.g. 0.499"
    )
