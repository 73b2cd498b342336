"""Young's modulus, or the conductivity, in every direction, and where it is least and largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.study.opened_tensor import OpenedTensor

Floats = NDArray[np.float64]
_ROUND = 1e-6  # relative differences below are no anisotropy
_REFINEMENTS = 12


@dataclass(frozen=True)
class Directional:
    """A modulus over the directions of space or of the plane.

    Attributes
    ----------
    letter : str
        "E" or "k".
    what : str
        In words.
    directions : (d, …)
        A grid of polar and azimuthal angle, or of the angle in the plane.
    values : (…)
    least, largest : (value, (d,) direction)
    """

    letter: str
    what: str
    directions: Floats
    values: Floats
    least: tuple[float, Floats]
    largest: tuple[float, Floats]

    @property
    def dim(self) -> int:
        return len(self.directions)

    @property
    def is_isotropic(self) -> bool:
        """Whether all directions are alike to 1e-6."""
        return self.largest[0] - self.least[0] <= _ROUND * abs(self.largest[0])


def directional(result: OpenedTensor) -> Directional | None:
    """Return the directional modulus of a whole tensor; None where it has none."""
    from scalebridge.upscaling.constants import young_modulus

    if not result.complete:
        return None
    stiff = result.kind == "stiffness"
    dim = {3: 2, 6: 3}[len(result.tensor)] if stiff else len(result.tensor)
    tensor = result.tensor if stiff else 0.5 * (result.tensor + result.tensor.T)

    def modulus(n: Floats) -> Floats:
        flat = n.reshape(dim, -1)
        values = (
            young_modulus(tensor, flat) if stiff else np.einsum("ik,ij,jk->k", flat, tensor, flat)
        )
        return np.asarray(values, float).reshape(n.shape[1:])

    directions = _sphere() if dim == 3 else _circle()
    try:
        values = modulus(directions)
    except InputError:  # far from converged a tensor may not be positive
        return None
    letter, what = ("E", "Young's modulus") if stiff else ("k", result.quantity)
    if stiff and dim == 2:
        what = f"Young's modulus of plane {result.plane}"
    least, largest = (_extreme(modulus, directions, values, sign) for sign in (-1, 1))
    return Directional(letter, what, directions, values, least, largest)


def _sphere() -> Floats:
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, 61), np.linspace(0, 2 * np.pi, 121), indexing="ij"
    )
    return np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]
    )


def _circle() -> Floats:
    angle = np.linspace(0, 2 * np.pi, 361)
    return np.stack([np.cos(angle), np.sin(angle)])


def _extreme(modulus: Any, directions: Floats, values: Floats, sign: int) -> tuple[float, Floats]:
    """Return the extreme value and its direction, by ever narrower clouds around the best."""
    dim = len(directions)
    best = directions.reshape(dim, -1)[:, np.argmax(sign * values)]
    cloud = np.random.default_rng(0).normal(size=(dim, 200))
    width = 0.05
    for _ in range(_REFINEMENTS):
        tried = np.column_stack([best, best[:, None] + width * cloud])
        tried /= np.linalg.norm(tried, axis=0)
        best = tried[:, np.argmax(sign * modulus(tried))]
        width /= 3
    found = np.where(np.abs(best) < 5e-4, 0.0, best)
    found *= 1.0 if found[np.argmax(np.abs(found))] > 0 else -1.0
    return float(modulus(best[:, None])[0]), found
