"""Directions of fibres: aligned, random, or with a given orientation tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import AXES

_ROUNDS = 10_000


def sample_directions(
    orientation: Any, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    r"""Return (fibre, 3) unit vectors.

    Parameters
    ----------
    orientation : "x", "y", "z", "random", "planar", (3,) or (3, 3)
        See `fibres`. Given the tensor a, directions follow the angular central Gaussian
        distribution, p = B q/\|B q\| with q uniform on the sphere and B such that the mean of
        p pᵀ over this very sample is a.

    Source: D.E. Tyler, Biometrika 74 (1987) 579-589, whose iteration for a = 1/3 this extends.
    """
    if isinstance(orientation, str) and orientation in (*AXES, "random", "planar"):
        if orientation in AXES:
            return np.tile(np.eye(3)[AXES.index(orientation)], (count, 1))
        directions = np.zeros((count, 3))
        free = 3 if orientation == "random" else 2
        directions[:, :free] = _uniform(count, free, rng)
        return directions
    try:
        array = np.array(orientation, dtype=float)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape == (3,) and np.isfinite(array).all() and array.any():
        return np.tile(array / np.linalg.norm(array), (count, 1))
    if array.shape == (3, 3) and np.isfinite(array).all():
        return _with_tensor(array, count, rng)
    raise InputError(
        f"`orientation` must be 'x', 'y', 'z', 'random', 'planar', a direction (3,) or an "
        f"orientation tensor (3, 3), but is {orientation!r}; e.g. np.diag([0.7, 0.2, 0.1])"
    )


def _uniform(count: int, dim: int, rng: np.random.Generator) -> NDArray[np.float64]:
    draws = rng.standard_normal((count, dim))
    return draws / np.linalg.norm(draws, axis=1, keepdims=True)


def _with_tensor(
    tensor: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    values, axes = np.linalg.eigh(tensor)
    off = max(abs(tensor.trace() - 1.0), np.abs(tensor - tensor.T).max(), -values[0])
    if off > 1e-6:
        raise InputError(
            f"`orientation` must be a symmetric tensor of trace 1 and eigenvalues ≥ 0, but has "
            f"trace {tensor.trace():.6g} and eigenvalues {', '.join(f'{v:.4g}' for v in values)}; "
            "divide it by its trace"
        )
    held = values > 1e-9
    wanted = values[held] / values[held].sum()
    directions = _uniform(count, len(wanted), rng)
    for _ in range(_ROUNDS):
        found = directions.T @ directions / count
        if np.abs(found - np.diag(wanted)).max() < 1e-10:
            return directions @ axes[:, held].T
        spread, turn = np.linalg.eigh(found)
        if spread[0] <= 1e-14:
            break
        directions = directions @ (turn / np.sqrt(spread)) @ turn.T * np.sqrt(wanted)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    raise InputError(
        f"`orientation` must be a tensor that the fibres can have, but {count} of them cannot; "
        "ask for more fibres: a larger `shape`, or a smaller `radius` or `length`"
    )
