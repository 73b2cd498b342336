"""Puck's criterion of a unidirectional ply, with the fracture plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.criteria import Criterion, as_stress, check_strength

SLOPES = {"carbon": (0.35, 0.30, 0.25, 0.25), "glass": (0.30, 0.25, 0.20, 0.20)}
_GRID = np.radians(np.arange(-90.0, 90.0))
_PEAKS = 3  # of the exposure over the plane's angle that are refined
_SECTIONS = 45  # golden sections: the angle is right to 1e-11
_FLAT = np.radians(1.0)
_PORTION = 4096  # stresses at a time, to bound the memory


class _Plane(NamedTuple):
    """Exposure of a plane parallel to the fibres, and the stress normal to it."""

    exposure: np.ndarray
    normal: np.ndarray


@dataclass(frozen=True)
class Puck(Criterion):
    """Puck's action-plane criterion of a unidirectional ply, under all six stresses.

    Between the fibres the ply breaks on the plane of the largest exposure. A plane at θ from
    the normal 2 towards 3 carries

    - σₙ = σ₂₂ cos²θ + σ₃₃ sin²θ + 2 σ₂₃ sinθ cosθ
    - τₙₜ = (σ₃₃ − σ₂₂) sinθ cosθ + σ₂₃ (cos²θ − sin²θ)
    - τₙ₁ = σ₁₃ sinθ + σ₁₂ cosθ

    and with R = Yc / (2 + 2p⊥⊥⁻), and p the slope p⊥⊥/R · τₙₜ²/τ² + p⊥∥/S₁₂ · τₙ₁²/τ² of the
    sign of σₙ, τ² = τₙₜ² + τₙ₁², its exposure is

    - σₙ ≥ 0: √(((1/Yt − p) σₙ)² + (τₙₜ/R)² + (τₙ₁/S₁₂)²) + p σₙ
    - σₙ < 0: √((p σₙ)² + (τₙₜ/R)² + (τₙ₁/S₁₂)²) + p σₙ

    The modes are "A", a crack that opens (σₙ ≥ 0), "B", one that is pressed shut and normal
    to the ply (θ within 1°), and "C", one that is pressed shut and oblique, and may wedge the
    laminate apart. In plane stress, and with p⊥⊥⁻/R = p⊥∥⁻/S₁₂, they are the closed forms of
    Puck & Schürmann. Fibres fail at σ₁₁ − c (σ₂₂ + σ₃₃) = Xt or −Xc.

    Parameters
    ----------
    Xt, Xc : float
        Strengths along the fibres in tension and compression, > 0 [stress].
    Yt, Yc : float
        Across them.
    S12 : float
        In shear along the fibres.
    slopes : "carbon", "glass" or four numbers ≥ 0 [-]
        Slopes of the fracture curves at σₙ = 0: p⊥∥⁺, p⊥∥⁻, p⊥⊥⁺, p⊥⊥⁻. By name those that are
        recommended for fibres in epoxy, 0.35, 0.30, 0.25, 0.25 and 0.30, 0.25, 0.20, 0.20,
        where p⊥⊥ is the lower end of a range that is 0.05 wide.
    coupling : float
        c = ν₁₂ − ν₁₂f m E₁/E₁f: how stress across the fibres (in them m times that of the ply)
        strains them. 0 leaves it out.

    Notes
    -----
    Stress along the fibres does not weaken the ply between them here (no η of Puck's).

    References
    ----------
    Puck & Schürmann (2002), Failure analysis of FRP laminates by means of physically based
    phenomenological models, Compos. Sci. Technol. 62, 1633-1662. Puck, Kopp & Knops (2002),
    Guidelines for the determination of the parameters in Puck's action plane strength
    criterion, Compos. Sci. Technol. 62, 371-378: the slopes.

    Examples
    --------
    >>> import scalebridge as sb
    >>> ply = sb.structure.Puck(Xt=1140.0, Xc=570.0, Yt=35.0, Yc=114.0, S12=72.0, slopes="glass")
    >>> stress = [0.0, -57.0, 0.0, 0.0, 0.0, 0.0]
    >>> round(float(ply.reserve(stress)), 6), str(ply.mode(stress))
    (2.0, 'C')
    >>> round(abs(float(ply.angle(stress, degrees=True))), 2)
    49.8
    """

    Xt: float
    Xc: float
    Yt: float
    Yc: float
    S12: float
    slopes: str | Sequence[float]
    coupling: float = 0.0

    def __post_init__(self) -> None:
        for name in ("Xt", "Xc", "Yt", "Yc", "S12"):
            check_strength(name, getattr(self, name))
        along, _, across, _ = self._p
        if not isinstance(self.coupling, int | float | np.number) or not 0 <= self.coupling < 1:
            raise InputError(
                f"`coupling` must be a number from 0 to 1, a ratio of contraction, but is "
                f"{self.coupling!r}"
            )
        for name, slope, strength in (("∥", along, self.S12), ("⊥", across, self._R)):
            if slope * self.Yt > strength:
                raise InputError(
                    f"`slopes` must have p⊥{name}⁺ of at most {strength / self.Yt:g} with these "
                    f"strengths, but it is {slope!r}"
                )

    @property
    def _p(self) -> tuple[float, ...]:
        """Slopes p⊥∥⁺, p⊥∥⁻, p⊥⊥⁺, p⊥⊥⁻."""
        return _slopes(self.slopes)

    @property
    def _R(self) -> float:
        """Resistance of a plane to shear across the fibres that is not helped by pressure."""
        return self.Yc / (2 * (1 + self._p[3]))

    def exposures(self, stress: Any) -> dict[str, np.ndarray]:
        """Return the exposures to fibre tension and compression, and to A, B and C."""
        sigma = as_stress(stress)
        angle, plane = self._broken(sigma)
        open_, flat = plane.normal >= 0, np.abs(angle) <= _FLAT
        along = sigma[0] - self.coupling * (sigma[1] + sigma[2])
        return {
            "fibre tension": np.maximum(along, 0.0) / self.Xt,
            "fibre compression": np.maximum(-along, 0.0) / self.Xc,
            "A": np.where(open_, plane.exposure, 0.0),
            "B": np.where(~open_ & flat, plane.exposure, 0.0),
            "C": np.where(~open_ & ~flat, plane.exposure, 0.0),
        }

    def angle(self, stress: Any, *, degrees: bool = False) -> np.ndarray:
        """Return the angle θ of the fracture plane's normal, from axis 2 towards 3, (…)."""
        found = self._broken(as_stress(stress))[0]
        return np.degrees(found) if degrees else found

    def _broken(self, stress: np.ndarray) -> tuple[np.ndarray, _Plane]:
        """Return the plane of the largest exposure: its angle, and what it carries."""
        shape = stress.shape[1:]
        flat = stress.reshape(6, -1)
        parts = [
            self._search(flat[:, start : start + _PORTION])
            for start in range(0, flat.shape[1], _PORTION)
        ]
        angle = np.concatenate(parts) if parts else np.zeros(0)
        exposure, normal = self._on(flat, angle)
        return angle.reshape(shape), _Plane(exposure.reshape(shape), normal.reshape(shape))

    def _search(self, stress: np.ndarray) -> np.ndarray:
        """Return the angle of the largest exposure of stresses (6, n)."""
        values = self._on(stress[:, None], _GRID[:, None]).exposure
        is_peak = (values >= np.roll(values, 1, axis=0)) & (values >= np.roll(values, -1, axis=0))
        best = np.argpartition(np.where(is_peak, -values, 0.0), _PEAKS, axis=0)[:_PEAKS]
        step = _GRID[1] - _GRID[0]
        low, high = _GRID[best] - step, _GRID[best] + step
        share = (np.sqrt(5) - 1) / 2
        for _ in range(_SECTIONS):
            inner = high - share * (high - low), low + share * (high - low)
            left, right = (self._on(stress[:, None], a).exposure for a in inner)
            rises = left < right
            low, high = np.where(rises, inner[0], low), np.where(rises, high, inner[1])
        # A plane on the grid, as θ = 0, is itself where it is no worse.
        angles = np.concatenate([_GRID[best], (low + high) / 2])
        found = self._on(stress[:, None], angles).exposure
        found[: len(best)] *= 1 + 1e-14
        return np.take_along_axis(angles, np.argmax(found, axis=0)[None], axis=0)[0]

    def _on(self, stress: np.ndarray, angle: np.ndarray) -> _Plane:
        """Return what planes at given angles carry."""
        _, s22, s33, s23, s13, s12 = stress
        shear = np.sqrt(0.5)  # of Mandel components
        mean, half = (s22 + s33) / 2, (s22 - s33) / 2
        twice_cos, twice_sin = np.cos(2 * angle), np.sin(2 * angle)
        normal = mean + half * twice_cos + shear * s23 * twice_sin
        across = (shear * s23 * twice_cos - half * twice_sin) ** 2
        along = (shear * (s13 * np.sin(angle) + s12 * np.cos(angle))) ** 2
        total = across + along
        share = np.divide(across, total, out=np.zeros_like(total), where=total > 0)
        square = across / self._R**2 + along / self.S12**2
        p = self._p
        pull = p[2] / self._R * share + p[0] / self.S12 * (1 - share)
        push = p[3] / self._R * share + p[1] / self.S12 * (1 - share)
        opened = np.sqrt(((1 / self.Yt - pull) * normal) ** 2 + square) + pull * normal
        root = np.sqrt((push * normal) ** 2 + square) - push * normal  # positive where pressed
        pressed = np.divide(square, root, out=np.zeros_like(root), where=(normal < 0) & (root > 0))
        return _Plane(np.where(normal >= 0, opened, pressed), normal)


def _slopes(given: Any) -> tuple[float, ...]:
    if isinstance(given, str):
        if given not in SLOPES:
            raise InputError(
                f"`slopes` must be 'carbon', 'glass' or four numbers, but is {given!r}"
                f"{did_you_mean(given, SLOPES)}"
            )
        return SLOPES[given]
    try:
        found = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 4 or not all(0 <= p < np.inf for p in found):
        raise InputError(
            f"`slopes` must be 'carbon', 'glass' or p⊥∥⁺, p⊥∥⁻, p⊥⊥⁺, p⊥⊥⁻, four numbers ≥ 0, "
            f"but is {given!r}"
        )
    return found
