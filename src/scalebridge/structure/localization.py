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
from scalebridge.structure.law_points import LinearPoints
from scalebridge.structure.solution import Solution
from scalebridge.structure.transforms import gradient_turns
from scalebridge.upscaling.across import all_stresses
from scalebridge.upscaling.inner_fields import voxel_fields
from scalebridge.upscaling.path import names_of

_INSTANT = 1e-9  # of the last step: rates have no time to change anything
_TOLERANCE = 1e-8  # of linear cells, which are solved only here


@dataclass(frozen=True, repr=False)
class Localized:
    """Fields in the cell of one point, at the last time.

    Attributes
    ----------
    cell : Cell
    region : str
    element, point : int
        Of the mesh, and which integration point of the element.
    place : (dim,)
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


def localize(solution: Solution, points: Any = None, *, elements: Any = None) -> list[Localized]:
    """Return the micro fields behind points of a structure, at the last time.

    Parameters
    ----------
    solution : Solution
        With cells as laws.
    points : (point, dim), optional
        Places, of which each stands for the integration point nearest to it.
    elements : sequence of (element, point), optional
        Elements of the mesh and their integration points, by number, in place of `points`.

    Returns
    -------
    list of Localized

    Raises
    ------
    InputError
        Points that there are not, or whose law is no cell.

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
    found = _by_number(solution, elements) if points is None else _by_place(solution, points)
    return [_localized(solution, *where) for where in found]


def _by_number(solution: Solution, pairs: Any) -> list[tuple[int, int]]:
    most, count = solution.space.weights.shape
    found = np.asarray(pairs)
    good = found.ndim == 2 and found.shape[1] == 2 and found.dtype.kind in "iu"
    if not good or np.any(found < 0) or np.any(found >= [most, count]):
        raise InputError(
            f"`elements` must be pairs of an element below {most} and a point below {count}, but "
            f"is {pairs!r}"
        )
    return [(int(e), int(q)) for e, q in found]


def _by_place(solution: Solution, points: Any) -> list[tuple[int, int]]:
    space = solution.space
    count = space.weights.shape[1]
    places = np.atleast_2d(np.asarray(points, float))
    if places.ndim != 2 or places.shape[-1] != space.dim or not np.all(np.isfinite(places)):
        raise InputError(
            f"`points` must be places of {space.dim} coordinates, but has shape {places.shape}"
        )
    found = []
    for place in places:
        distance = np.linalg.norm(space.points - place, axis=-1)
        found.append(divmod(int(np.argmin(distance)), count))
    return found


def _localized(solution: Solution, element: int, point: int) -> Localized:
    region = next(r for r in solution.regions if element in r.elements)
    cell = region.law
    if not isinstance(cell, Cell):
        raise InputError(
            f"`points` must lie where the law is a cell, but element {element} is in region "
            f"{region.name!r}, whose law is a {type(cell).__name__}"
        )
    count = solution.space.weights.shape[1]
    row = int(np.flatnonzero(region.elements == element)[0]) * count + point
    equations = nonlinear.prepare(cell)
    if cell.is_linear:
        average = _imposed(solution, region, row)
        now = _solved(equations, cell, jnp.asarray(average))
    else:
        state = jax.tree.map(lambda leaf: leaf[0], solution.states_of(region, [row]))
        average = np.asarray(state.gradient)
        now = _committed(equations, state, jnp.asarray(_INSTANT * np.diff(solution.times)[-1]))
    fields = voxel_fields(cell, equations, now, names_of(cell.physics))
    del fields["dissipation"]  # of the whole history, which the state does not tell
    return Localized(
        cell=cell,
        region=region.name,
        element=element,
        point=point,
        place=solution.space.points[element, point],
        average=np.asarray(average),
        fields=fields,
    )


def _imposed(solution: Solution, region: Region, row: int) -> np.ndarray:
    """Return the average gradient of a linear cell, in its own axes."""
    average = region.gradients(solution.field[-1], solution.space)[row]
    completion = region.points.completion if isinstance(region.points, LinearPoints) else None
    if completion is not None:  # in plane stress
        average = (completion if completion.ndim == 2 else completion[row]) @ average
    if region.turns is not None:
        turn = region.turns if region.turns.ndim == 2 else region.turns[row]
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
