"""An effective tensor and its bounds as they were stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class OpenedTensor:
    """An effective tensor that was stored, with its evidence.

    Attributes
    ----------
    name : str
        Of the cell.
    quantity : str
        "conductivity", "stiffness (Mandel)", …
    unit : str
        SI, where the study file gave units; else empty: the unit is that of the input.
    tensor : (m, m)
        Stiffness in Mandel components. NaN where a run was interrupted.
    voigt : (m, m)
    components : tuple of str
        "11", "22", …, the order of rows and columns.
    engineering_constants : dict
        As of `scalebridge.upscaling.engineering_constants`; empty without a whole tensor.
    tortuosity : dict, or None
        ``phase``, and by axis ``factor`` ε k / k_eff, ``macmullin`` k / k_eff and
        ``bruggeman_exponent``, inf where nothing passes; None where not just one phase conducts.
    boundary, element, plane
        As in `scalebridge.Cell`.
    evidence : dict
        ``converged``, ``tolerance``, ``error_estimate``, ``residual``, …
    warnings : tuple of str
    timings : dict of str to float [s]
    peak_memory : int [byte]
    """

    name: str
    quantity: str
    unit: str
    tensor: Floats
    voigt: Floats
    components: tuple[str, ...]
    engineering_constants: Mapping[str, Any]
    tortuosity: Mapping[str, Any] | None
    boundary: str | Mapping[str, Any]
    element: str
    plane: str | None
    evidence: Mapping[str, Any]
    warnings: tuple[str, ...]
    timings: Mapping[str, float]
    peak_memory: int

    @property
    def kind(self) -> str:
        """Either "stiffness" or "conductivity", as `scalebridge.tensors` calls them."""
        return "stiffness" if self.quantity.startswith("stiffness") else "conductivity"

    @property
    def complete(self) -> bool:
        """Whether all load cases were solved."""
        return bool(self.evidence["complete"])

    @property
    def converged(self) -> bool:
        """Whether all load cases reached the tolerance."""
        return bool(self.evidence["converged"])

    def __repr__(self) -> str:
        state = "" if self.converged else f"; {self.evidence['message'] or 'not converged'}"
        unit = f" [{self.unit}]" if self.unit else ""
        error = self.evidence["error_estimate"]
        told = "unknown" if error is None else f"{error:.1e}"
        return (
            f"{self.name}: effective {self.quantity}{unit} ({', '.join(self.components)}), "
            f"{boundary_in_words(self.boundary)}\n{_rows(self.tensor)}\n"
            f"estimated error {told}{state}"
        )


@dataclass(frozen=True, repr=False)
class OpenedBounds:
    """What bounds a tensor, as `scalebridge.upscaling.Bounds` has it.

    Attributes
    ----------
    tensors : dict of str to (m, m)
        Reuss, the boundary conditions from the softest to the stiffest, Voigt, and others.
    hashin_shtrikman : dict of str to (lower, upper), or None
    order : tuple of dict
        ``lower``, ``upper``, ``margin``, ``holds``.
    infeasible : dict of str to str
    statements : tuple of str
    """

    components: tuple[str, ...]
    tensors: Mapping[str, Floats]
    hashin_shtrikman: Mapping[str, tuple[float, float]] | None
    order: tuple[Mapping[str, Any], ...]
    infeasible: Mapping[str, str]
    statements: tuple[str, ...]

    @property
    def results(self) -> tuple[str, ...]:
        """The boundary conditions that were solved."""
        return tuple(name for name in self.tensors if name not in ("Reuss", "Voigt"))

    @property
    def is_ordered(self) -> bool:
        """Whether the whole chain holds."""
        return all(step["holds"] for step in self.order)

    def isotropic(self, tensor: Floats) -> dict[str, float]:
        """Return "k", or "K" and "G", of the isotropic part of a tensor."""
        from scalebridge.upscaling.bounding import isotropic_moduli

        physics = "conduction" if self.components[0] == "1" else "elasticity"
        return isotropic_moduli(tensor, physics)

    def __repr__(self) -> str:
        rows = (
            f"{name:>10} " + " ".join(f"{value:11.6g}" for value in np.diag(tensor))
            for name, tensor in self.tensors.items()
        )
        order = "order holds" if self.is_ordered else "order IS VIOLATED"
        return "\n".join([f"diagonals ({', '.join(self.components)})", *rows, order])


def _rows(tensor: Floats) -> str:
    """Return the rows of a tensor; what is round-off of its largest entry shows as 0."""
    round_off = 1e-12 * np.nanmax(np.abs(tensor), initial=0.0)
    kept = np.where(np.abs(tensor) <= round_off, 0.0, tensor)
    return "\n".join(" ".join(f"{value:11.6g}" for value in row) for row in kept)


def boundary_in_words(boundary: str | Mapping[str, Any]) -> str:
    """Return a boundary condition, also one by axis, in one line."""
    if isinstance(boundary, str):
        return boundary
    return ", ".join(
        f"{axis} {how if isinstance(how, str) else '/'.join(map(str, how))}"
        for axis, how in boundary.items()
    )
