"""The scalar that colours a body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalebridge.study.local_fields import von_mises
from scalebridge.study.solution_file import cell_nodes

if TYPE_CHECKING:
    from scalebridge.structure import Solution
    from scalebridge.study.structure_surface import Surface

Floats = NDArray[np.float64]


class Measure(NamedTuple):
    """A scalar at places of a body.

    Attributes
    ----------
    values : (place,)
    title : str
    symbol : str
        As mathematics.
    kind : str
        What its unit is listed under.
    """

    values: Floats
    title: str
    symbol: str
    kind: str


def measure_of(flux: NDArray[Any], physics: str) -> Measure:
    """Return the scalar that stands for a flux.

    Von Mises' stress; where the stress across the plane is not known the largest shear stress
    in the plane; in finite strain the norm of P; in conduction the length of the flux.

    Parameters
    ----------
    flux : (place, component)
        Of small strain all six Mandel components, 33 NaN where it is not known.
    physics : str
    """
    if physics == "conduction":
        return Measure(_norm(flux), "magnitude of the flux", r"$|\mathbf{q}|$", "flux")
    if physics == "finite strain":
        return Measure(_norm(flux), "norm of P", r"$\|\mathbf{P}\|$", "flux")
    if np.isfinite(flux).all():
        told = ("von Mises stress", r"$\sigma_\mathrm{vM}$", "flux")
        return Measure(von_mises(flux.T), *told)
    shear = np.sqrt(0.25 * (flux[:, 0] - flux[:, 1]) ** 2 + 0.5 * flux[:, 5] ** 2)
    return Measure(shear, "largest shear stress in the plane", r"$\tau_\mathrm{max}$", "flux")


def _norm(flux: NDArray[Any]) -> Floats:
    return np.asarray(np.sqrt(np.nansum(flux**2, axis=1)))


def six(stress: NDArray[Any], plane: str | None) -> Floats:
    """Return Mandel stresses (…, 3 or 6) with all six components; NaN for an unknown 33."""
    if stress.shape[-1] == 6:
        return np.asarray(stress, float)
    whole = np.zeros((*stress.shape[:-1], 6))
    whole[..., [0, 1, 5]] = stress
    whole[..., 2] = np.nan if plane == "strain" else 0.0
    return whole


def at_vertices(solution: Solution, surface: Surface, row: int) -> Measure:
    """Return what a body is coloured by: temperature, stress or, if not kept, displacement.

    The stress of the points is continued linearly to the nodes of each element and averaged
    over the elements of a region that meet there.
    """
    field = solution.field[row, surface.nodes]
    if solution.physics == "conduction":
        return Measure(field[:, 0], "temperature", r"$T$", "field")
    if row not in solution.fields:
        return Measure(_norm(field), "displacement", r"$|\mathbf{u}|$", "field")
    regions: Sequence[Any] = solution.regions
    fluxes = [solution.fields[row][region.name]["flux"] for region in regions]
    if solution.physics == "elasticity":
        fluxes = [six(flux, solution.plane) for flux in fluxes]
    rows = np.concatenate([flux.reshape(-1, flux.shape[-1]) for flux in fluxes])
    found = measure_of(rows, solution.physics)
    points = np.zeros_like(solution.space.weights)
    elements = np.concatenate([region.elements for region in regions])
    points[elements] = found.values.reshape(-1, points.shape[1])
    values = surface.average(points @ _continuation(solution).T)
    return found._replace(values=np.clip(values, points.min(), points.max()))


def _continuation(solution: Solution) -> Floats:
    """Return the matrix (node, point) that continues values of the points linearly."""
    space = solution.space
    inside = np.asarray(space.basis.quadrature[0]).T  # (point, dim)
    nodes, _ = cell_nodes(space.mesh.t.shape[0], space.dim, space.order)
    if len(inside) <= inside.shape[1]:
        return np.full((len(nodes), len(inside)), 1 / len(inside))

    def linear(places: Floats) -> Floats:
        return np.concatenate([np.ones((len(places), 1)), places], axis=1)

    return np.asarray(linear(nodes) @ np.linalg.pinv(linear(inside)))
