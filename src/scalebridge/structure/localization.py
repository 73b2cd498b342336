"""Downscaling: the micro fields behind chosen points of a solved structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from scalebridge import tensors
from scalebridge.cell import nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns
from scalebridge.errors import InputError
from scalebridge.structure.balance import Region
from scalebridge.structure.chosen_points import Chosen, by_number, by_place, cell_at, row_in
from scalebridge.structure.law_points import LinearPoints
from scalebridge.structure.solution import Solution
from scalebridge.structure.transforms import gradient_turns
from scalebridge.upscaling.across import all_stresses
from scalebridge.upscaling.inner_fields import voxel_fields
from scalebridge.upscaling.path import names_of

_INSTANT = 1e-9  # of the step: rates have no time to change anything
_TOLERANCE = 1e-8  # of linear cells, which are solved only here


@dataclass(frozen=True, repr=False)
class Localized:
    """Fields in the cell of one point at one time.

    Attributes
    ----------
    cell : Cell
    region : str
    element, point : int
        Of the mesh, and which integration point of the element.
    place : (dim,)
    time : float
    average : (component,)
        Gradient that the structure imposes, in the axes of the cell.
    fields : mapping of str to (component, x, y[, z]) or (x, y[, z])
        As in `History.fields`: gradient and flux by the names of the physics, "energy", and the
        laws' internal variables; means over voxels, in the axes of the cell.
    """

    cell: Cell
    region: str
    element: int
    point: int
    place: np.ndarray
    time: float
    average: np.ndarray
    fields: Mapping[str, np.ndarray]

    def measure(self, name: str) -> np.ndarray:
        """Return a scalar field: a field of one component, "von_mises" or "max_principal".

        The two are of the stress in small strain. In plane strain they are NaN where a law does
        not tell the stress across the plane, as of viscoelastic phases.
        """
        if name in ("von_mises", "max_principal"):
            if self.cell.physics != "elasticity":
                raise InputError(
                    f"`name` {name!r} is of the stress in small strain, but this cell is of "
                    f"{self.cell.physics}; use `fields`"
                )
            stress = all_stresses(self.fields, self.cell)
            sigma = np.moveaxis(np.asarray(tensors.from_mandel(stress)), (0, 1), (-2, -1))
            known = np.all(np.isfinite(sigma), axis=(-2, -1))
            principal = np.full((*known.shape, 3), np.nan)
            principal[known] = np.linalg.eigvalsh(sigma[known])
            if name == "max_principal":
                return principal[..., -1]
            apart = principal - np.roll(principal, 1, axis=-1)
            return np.sqrt(0.5 * np.sum(apart**2, axis=-1))
        found = self.fields.get(name)
        if found is None or found.ndim != self.cell.dim:
            scalars = [n for n, f in self.fields.items() if f.ndim == self.cell.dim]
            raise InputError(
                f"`name` must be a scalar field, von_mises, max_principal, {', '.join(scalars)}, "
                f"but is {name!r}"
            )
        return found

    def statistics(
        self, name: str, percentiles: Sequence[float] = (50, 95, 99)
    ) -> dict[str, dict[str, float]]:
        """Return mean, extremes and percentiles of a measure over the voxels of each phase."""
        values, found = self.measure(name), {}
        for phase in self.cell.microstructure.names:
            own = values[self.cell.microstructure.mask(phase)]
            found[phase] = {"mean": float(own.mean()), "min": float(own.min())}
            found[phase]["max"] = float(own.max())
            for percentile in percentiles:
                found[phase][f"p{percentile:g}"] = float(np.percentile(own, percentile))
        return found

    def __repr__(self) -> str:
        at = ", ".join(f"{x:g}" for x in self.place)
        return (
            f"Localized point {self.point} of element {self.element} at ({at}) in region "
            f"{self.region!r}; fields {', '.join(self.fields)}"
        )


def localize(
    solution: Solution, points: Any = None, *, elements: Any = None, row: int = -1
) -> list[Localized]:
    """Return the micro fields behind points of a structure at one time.

    Parameters
    ----------
    solution : Solution
        With cells as laws.
    points : (point, dim), optional
        Places, of which each stands for the integration point nearest to it.
    elements : sequence of (element, point), optional
        Elements of the mesh and their integration points, by number, in place of `points`.
    row : int
        Of `solution.times`; −1 is the last. Others are there for points that `solve` has
        watched, if the row was kept, and for those of linear cells.

    Returns
    -------
    list of Localized

    Raises
    ------
    InputError
        Points that there are not, places outside the bounds of the body, points whose law is no
        cell or that were not watched at the row.

    Notes
    -----
    First-order reconstruction: the average gradient of the point and the periodic (or otherwise
    bounded) fluctuation about it. Gradients of the macroscopic strain are not in it, so that it
    is poor within a cell's width of a boundary.
    """
    if (points is None) == (elements is None):
        raise InputError("`points` or `elements` must be given, and not both")
    if len(solution.times) < 2:
        raise InputError("`solution` must have been solved, but has only the state at rest")
    space, number = solution.space, _row(solution, row)
    if points is None:
        found = by_number("elements", space, elements)
    else:
        found = by_place("points", space, points)
    return [_localized(solution, chosen, number) for chosen in found]


def _row(solution: Solution, row: Any) -> int:
    """Return which row is meant, from the first one."""
    count = len(solution.times)
    whole = isinstance(row, int | np.integer) and not isinstance(row, bool)
    if not whole or not -count <= row < count:
        raise InputError(f"`row` must be a row of the {count} that were reached, but is {row!r}")
    return int(row) % count


def _localized(solution: Solution, chosen: Chosen, row: int) -> Localized:
    element, point = chosen
    region, cell = cell_at("points", solution.regions, element)
    equations = nonlinear.prepare(cell)
    if cell.is_linear:
        average = _imposed(solution, region, chosen, row)
        now = _solved(equations, cell, jnp.asarray(average))
    else:
        state = _state(solution, region, chosen, row)
        average = np.asarray(state.gradient)
        step = np.diff(solution.times)[max(row - 1, 0)]
        now = _committed(equations, state, jnp.asarray(_INSTANT * step))
    fields = voxel_fields(cell, equations, now, names_of(cell.physics))
    del fields["dissipation"]  # of the whole history, which the state does not tell
    return Localized(
        cell=cell,
        region=region.name,
        element=element,
        point=point,
        place=solution.space.points[element, point],
        time=float(solution.times[row]),
        average=np.asarray(average),
        fields=fields,
    )


def _state(solution: Solution, region: Region, chosen: Chosen, row: int) -> Any:
    """Return the state of the nonlinear cell of a point."""
    if row == len(solution.times) - 1:
        states = solution.states_of(region, [row_in(region, chosen, solution.space)])
        return jax.tree.map(lambda leaf: leaf[0], states)
    watched = solution.watched.get(row, {})
    if chosen not in watched:
        rows = ", ".join(map(str, solution.watched)) or "none"
        points = ", ".join(map(str, next(iter(solution.watched.values()), ()))) or "none"
        raise InputError(
            f"`row` must be the last one, or kept with the point watched, but is {row} for "
            f"{chosen}; kept are rows {rows}, watched points {points}; solve with "
            f"keep=[{row}], watch=[{chosen}]"
        )
    return watched[chosen]


def _imposed(solution: Solution, region: Region, chosen: Chosen, row: int) -> np.ndarray:
    """Return the average gradient of a linear cell, in its own axes."""
    own = row_in(region, chosen, solution.space)
    average = region.gradients(solution.field[row], solution.space)[own]
    completion = region.points.completion if isinstance(region.points, LinearPoints) else None
    if completion is not None:  # in plane stress
        average = (completion if completion.ndim == 2 else completion[own]) @ average
    if region.turns is not None:
        turn = region.turns if region.turns.ndim == 2 else region.turns[own]
        average = gradient_turns(region.law.kinematics, turn) @ average
    return average


def _seen(equations: Equations, x: Unknowns, driving: Driving, states: Any) -> Any:
    answer = equations.respond(x, driving, states)
    return SimpleNamespace(
        gradient=equations.gradient(x, driving),
        flux=answer.flux,
        energy=answer.energy,
        dissipation=jnp.zeros_like(answer.energy),
        states=states,
    )


def _driving(mean: jax.Array, dt: jax.Array) -> Driving:
    size = len(mean)
    return Driving(mean, jnp.zeros(size), jnp.zeros((size, size)), dt)


def _committed(equations: Equations, state: Any, dt: jax.Array) -> Any:
    x = Unknowns(state.fluctuation, jnp.zeros_like(state.gradient))
    return _seen(equations, x, _driving(state.gradient, dt), state.phases)


@eqx.filter_jit
def _root(equations: Equations, before: Any, driving: Driving) -> Unknowns:
    return nonlinear.root(equations, before, driving, jnp.asarray(_TOLERANCE))


def _solved(equations: Equations, cell: Cell, mean: jax.Array) -> Any:
    before = nonlinear.virgin(equations, cell.kinematics)
    driving = _driving(mean, jnp.asarray(1.0))
    return _seen(equations, _root(equations, before, driving), driving, before.phases)
