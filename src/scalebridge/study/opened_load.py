"""A load history as it was stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.study.opened_columns import OverTime
from scalebridge.study.opened_moment import OpenedMoment
from scalebridge.study.opened_tensor import boundary_in_words

if TYPE_CHECKING:
    pass

Floats = NDArray[np.float64]
_SHARE = 1e-3  # of the largest work; components with less are not driven


@dataclass(frozen=True)
class OpenedLedger:
    """Where the work went, by time, from the beginning of the history; per volume.

    Attributes
    ----------
    work, stored, dissipated, hill_mandel : (step,)
        As of `scalebridge.upscaling.Ledger`.
    least_dissipation : float
        Smallest dissipation at any point in any substep; inf before the first one.
    """

    work: Floats
    stored: Floats
    dissipated: Floats
    hill_mandel: Floats
    least_dissipation: float

    @property
    def imbalance(self) -> Floats:
        """Work that is neither stored nor dissipated: the error of the time integrator."""
        return self.work - self.stored - self.dissipated

    @property
    def scale(self) -> float:
        """The largest of all these energies, to compare small ones with."""
        energies = np.abs([self.work, self.stored, self.dissipated])
        return float(np.nanmax(energies, initial=0.0))


@dataclass(frozen=True, repr=False)
class OpenedLoad(OverTime):
    """A load history that was stored, as `scalebridge.load` gave it.

    Attributes
    ----------
    name : str
    physics : "conduction", "elasticity" or "finite strain"
    names : (str, str)
        What gradient and flux are called: strain and stress, F and P, gradient and flux.
    components : tuple of str
    boundary, element, plane
        As in `scalebridge.Cell`.
    columns : dict of str to (step,)
        Column → values; row 0 is rest. **Tensor components**: ``strain_12`` is ε₁₂, neither
        Mandel's √2 ε₁₂ nor the engineering 2 ε₁₂.
    units : dict of str to str
        Kind of quantity → SI unit; without units in the study it is that of the input.
    steps, reached : int
        Rows of the path that were asked for and that were reached.
    converged : bool
    message : str
        Empty, or what went wrong and what to do about it.
    tangent : (component, component) or None
        The last consistent tangent ∂flux/∂gradient, Mandel components.
    kept : tuple of int
        Rows of which the fields are stored.
    path : Path
        The folder.
    dim : int
        Of the image.
    """

    name: str
    physics: str
    names: tuple[str, str]
    components: tuple[str, ...]
    boundary: str | Mapping[str, Any]
    element: str
    plane: str | None
    columns: Mapping[str, Floats]
    units: Mapping[str, str]
    steps: int
    reached: int
    converged: bool
    message: str
    tangent: Floats | None
    least_dissipation: float
    kept: tuple[int, ...]
    path: Path
    dim: int

    @cached_property
    def gradient(self) -> Floats:
        """Average gradient, (step, component), as `scalebridge.load` takes it: Mandel."""
        return self._stacked(self.names[0])

    @cached_property
    def flux(self) -> Floats:
        """Average flux, (step, component), as `scalebridge.load` takes it: Mandel."""
        return self._stacked(self.names[1])

    @property
    def strain(self) -> Floats:
        """Average strain, (step, component) in Mandel components."""
        return self._of("elasticity", self.gradient)

    @property
    def stress(self) -> Floats:
        """Average stress, (step, component) in Mandel components."""
        return self._of("elasticity", self.flux)

    @property
    def F(self) -> Floats:
        """Average deformation gradient, (step, dim, dim)."""
        return self._of("finite strain", self.gradient)

    @property
    def P(self) -> Floats:
        """Average first Piola–Kirchhoff stress, (step, dim, dim)."""
        return self._of("finite strain", self.flux)

    @property
    def ledger(self) -> OpenedLedger:
        """Work, stored and dissipated energy by time."""
        names = ("work", "stored", "dissipated", "hill_mandel")
        work, stored, dissipated, hill_mandel = (self.columns[name] for name in names)
        return OpenedLedger(work, stored, dissipated, hill_mandel, self.least_dissipation)

    @cached_property
    def driven(self) -> tuple[str, ...]:
        """Components through which work passes, the one with most of it first."""
        middle = 0.5 * (self.flux[1:] + self.flux[:-1])
        work = np.abs(middle * np.diff(self.gradient, axis=0)).sum(axis=0)
        order = np.argsort(-work, kind="stable")
        shown = [i for i in order if work[i] > _SHARE * work.max()] or [0]
        return tuple(self.components[i] for i in shown)

    def fields(self, row: int = -1) -> OpenedMoment:
        """Return the fields of a stored row, each read from the file when asked for.

        Parameters
        ----------
        row : int
            −1 is the last row that was reached.

        Examples
        --------
        >>> load = sb.open("out").loads["tension"]  # doctest: +SKIP
        >>> load.fields()["von_mises"].max()  # doctest: +SKIP
        """
        file, rows = self.path / f"load_{self.name}.vtkhdf", sorted(self.kept)
        wanted = row + len(self.times) if row < 0 else row
        if wanted not in rows:
            told = f"one of the stored rows {rows}" if rows else "of a history that stored fields"
            raise InputError(f"`row` must be {told}, but is {row}; see `fields` in the study")
        return OpenedMoment(file, rows.index(wanted), float(self.times[wanted]), self.dim)

    def _stacked(self, name: str) -> Floats:
        shears = [self.physics == "elasticity" and c[0] != c[1] for c in self.components]
        columns = [self.columns[f"{name}_{component}"] for component in self.components]
        return np.stack(columns, axis=1) * np.where(shears, np.sqrt(2.0), 1.0)

    def _of(self, physics: str, values: Floats) -> Floats:
        if self.physics != physics:
            raise InputError(
                f"this is a load history of {self.physics}; its averages are "
                f"{' and '.join(f'`{name}`' for name in self.names)}"
            )
        if physics == "finite strain":
            dim = round(values.shape[1] ** 0.5)
            return values.reshape(-1, dim, dim)
        return values

    def __repr__(self) -> str:
        ledger, main = self.ledger, f"{self.names[1]}_{self.driven[0]}"
        curve, unit = self.columns[main], self.units.get(self.names[1], "")
        counts = {name: int(self.columns[name].sum()) for name in ("newton", "krylov", "substeps")}
        state = "" if self.converged else f"\nNOT CONVERGED: {self.message}"
        return (
            f"{self.name}: load history of {self.physics}, {boundary_in_words(self.boundary)}, "
            f"{self.reached} of {self.steps} steps to t = {self.times[-1]:g}\n"
            f"{main}{f' [{unit}]' if unit else ''} from {curve.min():.6g} to {curve.max():.6g}, "
            f"at the end {curve[-1]:.6g}\n"
            f"work {ledger.work[-1]:.6g} = stored {ledger.stored[-1]:.6g} + dissipated "
            f"{ledger.dissipated[-1]:.6g} (± {abs(ledger.imbalance[-1]):.1e}), Hill–Mandel "
            f"{ledger.hill_mandel[-1]:.1e}\n"
            f"{counts['newton']} Newton and {counts['krylov']} linear iterations in "
            f"{counts['substeps']} substeps{state}"
        )


def opened_load(name: str, told: Mapping[str, Any], path: Path, dim: int) -> OpenedLoad:
    """Return the load history that a summary tells of."""
    gradient, flux = told["names"]
    tangent, least = told["tangent"], told["ledger"]["least_dissipation"]
    return OpenedLoad(
        name=name,
        physics=told["physics"],
        names=(gradient, flux),
        components=tuple(told["components"]),
        boundary=told["boundary"],
        element=told["element"],
        plane=told["plane"],
        columns={key: np.array(values, float) for key, values in told["table"].items()},
        units=told["units"],
        steps=told["steps"],
        reached=told["reached"],
        converged=told["converged"],
        message=told["message"],
        tangent=None if tangent is None else np.array(tangent, float),
        least_dissipation=np.inf if least is None else float(least),
        kept=tuple(told["kept"]),
        path=path,
        dim=dim,
    )
