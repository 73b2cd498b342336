"""What acts on a structure: tractions, pressures, body forces, forces at points; and for
conduction the flux through a boundary, sources in a region or at a point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import skfem

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.places import Places
from scalebridge.structure.schedule import Schedule, schedule
from scalebridge.structure.space import Space, element_of

#: What can act where: kind → parts of the mesh, whether it is a vector.
_MECHANICS = {
    "traction": ("boundaries", True),
    "pressure": ("boundaries", False),
    "body_force": ("regions", True),
    "force": ("points", True),
}
_CONDUCTION = {
    "flux": ("boundaries", False),
    "source": ("regions", False),
    "point_source": ("points", False),
}


@dataclass(frozen=True)
class Patch:
    """Integration points on facets or in elements, by the shape functions of their elements.

    Attributes
    ----------
    connectivity : (element, node of the element)
    values : (node of the element, element, point)
    gradients : (element, point, node of the element, direction) or None
    weights : (element, point)
    x : (dim, element, point)
    normals : (element, point, dim) or None
        Outward.
    """

    connectivity: np.ndarray
    values: np.ndarray
    gradients: np.ndarray | None
    weights: np.ndarray
    x: np.ndarray
    normals: np.ndarray | None

    def forces(self, density: np.ndarray, nodes: int) -> np.ndarray:
        """Return the nodal forces, (node, component), of a density (component, element, point)."""
        weighted = density * self.weights
        local = np.einsum("neq,ceq->enc", self.values, weighted)
        found = np.zeros((nodes, len(density)))
        np.add.at(found, self.connectivity, local)
        return found


@dataclass(frozen=True)
class Load:
    """One load: how its nodal forces follow from time and, for a pressure, from the shape."""

    name: str
    kind: str
    value: Schedule
    patch: Patch | None
    nodes: np.ndarray | None = None


@dataclass(frozen=True)
class Loads:
    """All loads of a structure."""

    loads: tuple[Load, ...]
    follows: bool

    def forces(self, space: Space, u: np.ndarray, t: float, share: float) -> np.ndarray:
        """Return the nodal forces of all loads, (node, component)."""
        found = np.zeros(u.shape)
        for load in self.loads:
            if load.patch is None:
                assert load.nodes is not None
                found[load.nodes] += load.value(space.nodes[load.nodes].T, t, share).T
                continue
            patch = load.patch
            flat = load.value(patch.x.reshape(len(patch.x), -1), t, share)
            shape = (-1, *patch.weights.shape)
            density = np.broadcast_to(flat, (len(flat), patch.weights.size)).reshape(shape)
            if load.kind == "pressure" and self.follows:
                local = np.asarray(_follower(*_shape(patch, u), density[0]))
                np.add.at(found, patch.connectivity, local)
                continue
            if load.kind == "pressure":
                assert patch.normals is not None
                density = -density * np.moveaxis(patch.normals, -1, 0)
            found += patch.forces(density, len(u))
        return found

    def connectivities(self) -> list[np.ndarray]:
        """Return the connectivities of `stiffness`, which no time changes."""
        return [patch.connectivity for _, patch in self._followers()]

    def _followers(self) -> list[tuple[Load, Patch]]:
        """Return the pressures that follow the surface."""
        return [
            (load, load.patch)
            for load in self.loads
            if self.follows and load.kind == "pressure" and load.patch is not None
        ]

    def stiffness(
        self, u: np.ndarray, t: float, share: float
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return (connectivity, −∂f/∂u of the elements) of pressures that follow the surface."""
        found = []
        for load, patch in self._followers():
            flat = load.value(patch.x.reshape(len(patch.x), -1), t, share)
            p = np.broadcast_to(flat, (1, patch.weights.size)).reshape(patch.weights.shape)
            slopes = np.asarray(_follower_slope(*_shape(patch, u), p))
            size = patch.connectivity.shape[1] * u.shape[1]
            found.append((patch.connectivity, -slopes.reshape(-1, size, size)))
        return found


def find_loads(
    space: Space, places: Places, given: Mapping[str, Any], physics: str, thickness: float
) -> Loads:
    """Check and locate loads.

    Raises
    ------
    InputError
        Unknown names and kinds, wrong numbers of components.
    """
    known = _CONDUCTION if physics == "conduction" else _MECHANICS
    loads = []
    for name, kinds in given.items():
        if not isinstance(kinds, Mapping) or not kinds:
            raise InputError(
                f"`loads[{name!r}]` must be loads by kind such as {{{next(iter(known))!r}: …}}, "
                f"but is {kinds!r}"
            )
        places.check(name, ("boundaries", "regions", "points"), "loads")
        for kind, value in kinds.items():
            if kind not in known:
                raise InputError(
                    f"`loads[{name!r}]` must be among {', '.join(known)} in {physics}, but is "
                    f"{kind!r}{did_you_mean(kind, known)}"
                )
            where, is_vector = known[kind]
            if name not in getattr(places, where):
                others = ", ".join(sorted(getattr(places, where))) or "none"
                raise InputError(
                    f"`loads[{name!r}]` has a {kind}, which acts on {where}, but {name!r} is none "
                    f"of them; there are {others}"
                )
            size = space.dim if is_vector else 1
            when = schedule(value, size, f"`loads[{name!r}][{kind!r}]`")
            patch = nodes = None
            if where == "points":
                nodes = places.points[name]
            elif where == "boundaries":
                patch = _on_facets(space, places.boundaries[name], thickness)
            else:
                patch = _in_elements(space, places.regions[name], thickness)
            loads.append(Load(name, kind, when, patch, nodes))
    follows = physics == "finite strain"
    return Loads(tuple(loads), follows)


def _on_facets(space: Space, facets: np.ndarray, thickness: float) -> Patch:
    element = element_of(space.mesh, space.order)
    basis = skfem.FacetBasis(space.mesh, element, facets=facets, intorder=2 * space.order + 1)
    return _patch(space, basis, thickness, np.moveaxis(np.asarray(basis.normals), 0, -1))


def _in_elements(space: Space, elements: np.ndarray, thickness: float) -> Patch:
    element = element_of(space.mesh, space.order)
    basis = skfem.CellBasis(space.mesh, element, elements=elements, intorder=2 * space.order + 1)
    return _patch(space, basis, thickness, None)


def _patch(space: Space, basis: Any, thickness: float, normals: np.ndarray | None) -> Patch:
    x = np.asarray(basis.global_coordinates())
    shape = x.shape[1:]
    values = np.stack([np.broadcast_to(basis.basis[n][0], shape) for n in range(basis.Nbfun)])
    gradients = None
    if normals is not None:
        slopes = [
            np.moveaxis(np.asarray(basis.basis[n][0].grad), 0, -1) for n in range(basis.Nbfun)
        ]
        gradients = np.stack(slopes, axis=2)
    weights = np.array(basis.dx) * thickness
    if space.axisymmetric:
        weights = weights * 2 * np.pi * x[0]
        if gradients is not None:
            radius = np.where(x[0] > 0, x[0], 1.0)
            hoop = np.moveaxis(values, 0, -1) / radius[..., None]
            gradients = np.concatenate([gradients, hoop[..., None]], axis=-1)
    return Patch(np.ascontiguousarray(basis.element_dofs.T), values, gradients, weights, x, normals)


def _shape(patch: Patch, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what a pressure needs to know of each element."""
    assert patch.gradients is not None
    assert patch.normals is not None
    values = np.moveaxis(patch.values, 0, -1)
    return u[patch.connectivity], values, patch.gradients, patch.normals, patch.weights


def _pressure_forces(
    u: jax.Array, N: jax.Array, G: jax.Array, n: jax.Array, w: jax.Array, p: jax.Array
) -> jax.Array:
    """Return −∫ p cof(F) n N dA of one element, (node, component): Nanson's formula."""
    dim = u.shape[1]
    slopes = jnp.einsum("nc,qnk->qck", u, G)
    F = jnp.eye(dim) + slopes[..., :dim]
    if dim == 2:
        rows = jnp.stack([F[:, 1, 1], -F[:, 1, 0], -F[:, 0, 1], F[:, 0, 0]], axis=-1)
        cofactor = rows.reshape(-1, 2, 2)
    else:
        a, b, c = F[:, 0], F[:, 1], F[:, 2]
        cofactor = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
    if G.shape[-1] > dim:  # the hoop stretches too
        cofactor = cofactor * (1 + slopes[:, 0, dim])[:, None, None]
    return -jnp.einsum("q,qij,qj,qn->ni", w * p, cofactor, n, N)


_follower: Callable[..., jax.Array] = jax.jit(jax.vmap(_pressure_forces))
_follower_slope: Callable[..., jax.Array] = jax.jit(jax.vmap(jax.jacfwd(_pressure_forces)))
