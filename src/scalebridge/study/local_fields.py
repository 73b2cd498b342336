"""The local fields that a job stores and draws: those under one unit mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge import tensors

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.upscaling import Effective


@dataclass(frozen=True)
class LocalFields:
    """Component-first voxel arrays to store, and the scalar among them to draw."""

    arrays: dict[str, NDArray[Any]]
    shown: str
    title: str
    unit: str


def local_fields(effective: Effective, cell: Cell, case: int = 0) -> LocalFields:
    """Return the fields under one unit mean gradient, by default ∇T along x, or strain 11.

    Conduction gives ``gradient``, ``flux`` (+k·∇T) and ``flux_magnitude``; elasticity
    ``strain``, ``stress`` (Mandel) and ``von_mises``.
    """
    average = np.zeros(len(effective.tensor))
    average[case] = 1.0
    local = effective.local(average)
    gradient, flux = np.asarray(local.gradient), np.asarray(local.flux)
    if effective.physics == "conduction":
        arrays = {"gradient": gradient, "flux": flux, "flux_magnitude": np.sqrt((flux**2).sum(0))}
        return LocalFields(
            arrays,
            "flux_magnitude",
            f"Flux under a unit mean gradient along {'xyz'[case]}",
            r"$|\mathbf{q}|\;/\;|\langle\nabla T\rangle|$   [unit of k]",
        )
    if len(flux) == 3:  # generalised plane strain has all six by itself
        flux = _all_six(flux, gradient, cell)
    component = effective.components[case]
    strain = f"strain along {'xyz'[case]}" if case < effective.dim else f"strain {component}"
    return LocalFields(
        {"strain": gradient, "stress": flux, "von_mises": von_mises(flux)},
        "von_mises",
        f"Von Mises stress under a unit mean {strain}",
        rf"$\sigma_\mathrm{{vM}}\;/\;\langle\varepsilon_{{{component}}}\rangle$   [unit of E]",
    )


def _all_six(flux: NDArray[Any], strain: NDArray[Any], cell: Cell) -> NDArray[Any]:
    """Return all six stresses of a plane state; those out of the plane vanish in plane stress."""
    micro = cell.microstructure
    stress = np.zeros((6, *flux.shape[1:]))
    stress[[0, 1, 5]] = flux
    if cell.plane != "strain":
        return stress
    for name in micro.names:
        law, mask = cell.laws[name].tangent(), micro.mask(name)
        turn = cell.rotations.get(name)
        own = np.asarray(law if turn is None else tensors.rotate_mandel4(law, turn))
        stress[2:5, mask] = np.einsum("ab...,b...->a...", own[2:5][:, [0, 1, 5]], strain[:, mask])
    return stress


def von_mises(stress: ArrayLike) -> NDArray[np.float64]:
    """Return √(3/2 s:s) of Mandel stresses (6, …), s being the deviator."""
    stress = np.asarray(stress, dtype=float)
    mean = stress[:3].mean(axis=0)
    squares = (stress**2).sum(axis=0) - 3.0 * mean**2
    return np.sqrt(1.5 * np.maximum(squares, 0.0))
