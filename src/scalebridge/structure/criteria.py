"""Failure criteria: how far a stress is from the strength of a material."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge import tensors
from scalebridge.errors import InputError


class Criterion(ABC):
    """A failure surface, told as the exposure to its modes.

    The exposure e of a stress is of degree one, e(λσ) = λ e(σ) for λ > 0, and 1 on the failure
    surface: a body that is loaded in proportion fails at 1/e of its load. A criterion of one's
    own defines `exposures`.
    """

    @abstractmethod
    def exposures(self, stress: Any) -> dict[str, np.ndarray]:
        """Return the exposure to each mode, (…) by its name; 0 in the modes that do not act.

        Parameters
        ----------
        stress : (6, …)
            In Mandel components, in the axes of the material: axis 1 is that of the fibres.
        """

    def exposure(self, stress: Any) -> np.ndarray:
        """Return the largest exposure over the modes, (…)."""
        found: np.ndarray = np.max(np.stack(list(self.exposures(stress).values())), axis=0)
        return found

    def reserve(self, stress: Any) -> np.ndarray:
        """Return the factor on the stress at which it fails, (…); infinite where none does."""
        exposure = self.exposure(stress)
        return np.divide(1.0, exposure, out=np.full_like(exposure, np.inf), where=exposure > 0)

    def mode(self, stress: Any) -> np.ndarray:
        """Return the name of the mode of the largest exposure, (…)."""
        exposures = self.exposures(stress)
        names = np.array(list(exposures))
        found: np.ndarray = names[np.argmax(np.stack(list(exposures.values())), axis=0)]
        return found


@dataclass(frozen=True)
class MaxPrincipal(Criterion):
    """Brittle materials: the largest principal stress (Rankine).

    max(σ₁ / tension, −σ₃ / compression) = 1

    Parameters
    ----------
    tension : float
        Strength > 0 [stress].
    compression : float, optional
        Strength > 0 [stress]; without it compression does no harm.

    Examples
    --------
    >>> import scalebridge as sb
    >>> glass = sb.structure.MaxPrincipal(tension=50.0, compression=800.0)
    >>> float(glass.reserve([20.0, -100.0, 0.0, 0.0, 0.0, 0.0]))
    2.5
    """

    tension: float
    compression: float | None = None

    def __post_init__(self) -> None:
        check_strength("tension", self.tension)
        if self.compression is not None:
            check_strength("compression", self.compression)

    def exposures(self, stress: Any) -> dict[str, np.ndarray]:
        """Return the exposures to "tension" and "compression"."""
        sigma = np.moveaxis(np.asarray(tensors.from_mandel(as_stress(stress))), (0, 1), (-2, -1))
        principal = np.linalg.eigvalsh(sigma)
        found = {"tension": np.maximum(principal[..., -1], 0.0) / self.tension}
        if self.compression is not None:
            found["compression"] = np.maximum(-principal[..., 0], 0.0) / self.compression
        return found


@dataclass(frozen=True)
class VonMises(Criterion):
    """Ductile materials: the equivalent stress of von Mises, √(3/2 s:s) = strength.

    Parameters
    ----------
    strength : float
        In uniaxial tension, > 0 [stress].

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> steel = sb.structure.VonMises(250.0)
    >>> shear = np.sqrt(2) * np.array([0.0, 0.0, 0.0, 0.0, 0.0, 100.0])  # Mandel
    >>> round(float(steel.reserve(shear)), 4)
    1.4434
    """

    strength: float

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)

    def exposures(self, stress: Any) -> dict[str, np.ndarray]:
        """Return the exposure to "distortion"."""
        deviator = as_stress(stress).copy()
        deviator[:3] -= deviator[:3].mean(axis=0)
        return {"distortion": np.sqrt(1.5 * np.sum(deviator**2, axis=0)) / self.strength}


def as_stress(stress: Any) -> np.ndarray:
    """Return finite stresses as an array (6, …)."""
    try:
        found = np.asarray(stress, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"`stress` must be numbers, but is {stress!r}") from error
    if found.shape[:1] != (6,):
        raise InputError(
            f"`stress` must have six Mandel components first, (6, …), but has shape {found.shape}"
        )
    if not np.all(np.isfinite(found)):
        raise InputError("`stress` must be finite, but has NaN or inf")
    return found


def check_strength(name: str, value: Any) -> None:
    """Refuse a strength that is not a positive number."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise InputError(
            f"`{name}` must be a strength, a positive number, but is {value!r}; strengths in "
            "compression are positive too"
        )
