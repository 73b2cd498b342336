"""The local fields that a job stores and draws: those under one unit mean gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure
    from scalebridge.study.phases import Phase
    from scalebridge.upscaling import Effective


@dataclass(frozen=True)
class LocalFields:
    """Component-first voxel arrays to store, and the scalar among them to draw."""

    arrays: dict[str, NDArray[Any]]
    shown: str
    title: str
    unit: str


def local_fields(
    physics: str,
    effective: Effective,
    micro: Microstructure,
    phases: Sequence[Phase],
    plane: str | None = None,
) -> LocalFields | None:
    """Return the fields under the first unit mean gradient: ∇T along x, or strain 11.

    Conduction gives ``gradient``, ``flux`` (+k·∇T) and ``flux_magnitude``; elasticity
    ``strain``, ``stress`` (Mandel) and ``von_mises``. None where an interrupt came before
    all load cases were solved.
    """
    if not effective.complete:
        return None
    average = np.zeros(len(effective.tensor))
    average[0] = 1.0
    local = effective.local(average)
    gradient, flux = np.asarray(local.gradient), np.asarray(local.flux)
    if physics == "conduction":
        arrays = {"gradient": gradient, "flux": flux, "flux_magnitude": np.sqrt((flux**2).sum(0))}
        return LocalFields(
            arrays,
            "flux_magnitude",
            "Flux under a unit mean gradient along x",
            r"$|\mathbf{q}|\;/\;|\langle\nabla T\rangle|$   [unit of k]",
        )
    if len(flux) == 3:  # generalised plane strain has all six by itself
        poisson = _poisson(micro, phases) if plane == "strain" else [0.0] * len(micro.names)
        flux = plane_strain_stress(flux, np.asarray(micro.labels), poisson)
    return LocalFields(
        {"strain": gradient, "stress": flux, "von_mises": von_mises(flux)},
        "von_mises",
        "Von Mises stress under a unit mean strain along x",
        r"$\sigma_\mathrm{vM}\;/\;\langle\varepsilon_{11}\rangle$   [unit of E]",
    )


def von_mises(stress: ArrayLike) -> NDArray[np.float64]:
    """Return √(3/2 s:s) of Mandel stresses (6, …), s being the deviator."""
    stress = np.asarray(stress, dtype=float)
    mean = stress[:3].mean(axis=0)
    squares = (stress**2).sum(axis=0) - 3.0 * mean**2
    return np.sqrt(1.5 * np.maximum(squares, 0.0))


def plane_strain_stress(
    stress: ArrayLike, labels: NDArray[Any], poisson: ArrayLike
) -> NDArray[np.float64]:
    """Return all six Mandel components from 11, 22, 12, with σ₃₃ = ν (σ₁₁ + σ₂₂).

    Parameters
    ----------
    stress : (3, \\*shape)
    labels : shape
    poisson : (phase,) [-]
        Of isotropic phases.
    """
    stress = np.asarray(stress, dtype=float)
    out_of_plane = np.asarray(poisson)[labels] * (stress[0] + stress[1])
    zero = np.zeros_like(out_of_plane)
    return np.stack([stress[0], stress[1], out_of_plane, zero, zero, stress[2]])


def _poisson(micro: Microstructure, phases: Sequence[Phase]) -> list[float]:
    constants = {phase.name: phase.constants for phase in phases}
    return [constants[name].get("nu", 0.0) for name in micro.names]
