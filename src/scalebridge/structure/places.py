"""What the names in a structure stand for: regions, boundaries and points of its mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import skfem
from scipy.spatial import cKDTree

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.space import Space


@dataclass(frozen=True)
class Places:
    """Named parts of a mesh.

    Attributes
    ----------
    regions : mapping of name to (n,) elements
    boundaries : mapping of name to (n,) facets
    points : mapping of name to node
    """

    regions: Mapping[str, np.ndarray]
    boundaries: Mapping[str, np.ndarray]
    points: Mapping[str, np.ndarray]

    def nodes(self, space: Space, name: str) -> np.ndarray:
        """Return the nodes of a boundary or a point."""
        if name in self.points:
            return self.points[name]
        return np.unique(space.basis.get_dofs(np.asarray(self.boundaries[name])).flatten())

    def check(self, name: str, kinds: tuple[str, ...], argument: str) -> None:
        """Refuse a name that is none of the parts of these kinds, or is of an empty one."""
        known = [n for kind in kinds for n in getattr(self, kind)]
        if name not in known:
            told = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"`{argument}` must name {' or '.join(kinds)} of the mesh, but names "
                f"{name!r}{did_you_mean(name, known)}; there are {told}"
            )
        if not any(len(getattr(self, kind).get(name, ())) for kind in kinds):
            raise InputError(
                f"`{argument}` must name parts of the mesh with something in them, but {name!r} "
                "is empty; see how the mesh names it"
            )


def find_places(space: Space, laws: Mapping[str, Any], points: Mapping[str, Any]) -> Places:
    """Find the parts of a mesh that have names, and see that each element has one law.

    Raises
    ------
    InputError
        A region without a law, a law without a region or for an empty one, elements in no or
        two regions, a point outside the body or named like another part.
    """
    mesh = space.mesh
    regions = {name: np.asarray(e) for name, e in (mesh.subdomains or {}).items()}
    if not laws:
        raise InputError("`laws` must give each region of the mesh a law, but is empty")
    if not regions and len(laws) == 1:
        regions = {next(iter(laws)): np.arange(mesh.t.shape[1])}
    if not regions:
        raise InputError(
            f"`laws` must name one region, since the mesh has no named ones, but names "
            f"{', '.join(laws)}; name them with mesh.with_subdomains(...)"
        )
    for name in laws:
        if name not in regions:
            raise InputError(
                f"`laws` must name regions of the mesh, but names {name!r}"
                f"{did_you_mean(name, regions)}; there are {', '.join(sorted(regions))}"
            )
        if not len(regions[name]):
            raise InputError(
                f"`laws` must name regions with elements, but {name!r} is empty; leave its law "
                "out, or see how the mesh names it"
            )
    owner = np.full(mesh.t.shape[1], -1)
    names = list(laws)
    for number, name in enumerate(names):
        twice = owner[regions[name]] >= 0
        if twice.any():
            other = names[owner[regions[name][np.flatnonzero(twice)[0]]]]
            raise InputError(
                f"`laws` must give each element one law, but regions {other!r} and {name!r} "
                "overlap; give a law to one of them"
            )
        owner[regions[name]] = number
    if np.any(owner < 0):
        without = [name for name, elements in regions.items() if name not in laws and len(elements)]
        count = int(np.sum(owner < 0))
        told = f"; regions without a law are {', '.join(sorted(without))}" if without else ""
        raise InputError(f"`laws` must cover the mesh, but {count} elements have none{told}")
    boundaries = {name: np.asarray(f) for name, f in (mesh.boundaries or {}).items()}
    found = {}
    for name, at in points.items():
        for kind, known in (("boundary", boundaries), ("region", regions)):
            if name in known:
                raise InputError(
                    f"`points` must have names of their own, but {name!r} is a {kind} of the "
                    "mesh too; rename the point"
                )
        found[name] = _nearest(space, name, at)
    return Places({name: regions[name] for name in names}, boundaries, found)


def _nearest(space: Space, name: str, at: Any) -> np.ndarray:
    """Return the nodes at a place, or at several."""
    try:
        places = np.atleast_2d(np.asarray(at, float))
    except (TypeError, ValueError):
        places = np.zeros((0, space.dim))
    if places.shape[1:] != (space.dim,) or not places.size or not np.all(np.isfinite(places)):
        raise InputError(f"`points[{name!r}]` must be {space.dim} coordinates, but is {at!r}")
    distance, nodes = cKDTree(space.nodes).query(places)
    worst = int(np.argmax(distance))
    if distance[worst] > 0.01 * _shortest_edge(space.mesh):
        near = ", ".join(f"{x:g}" for x in space.nodes[nodes[worst]])
        raise InputError(
            f"`points[{name!r}]` must lie on a node, but the one nearest to "
            f"({', '.join(f'{x:g}' for x in places[worst])}) is at ({near}); give that place or "
            "refine the mesh there"
        )
    return np.unique(nodes)


def _shortest_edge(mesh: skfem.Mesh) -> float:
    corners = mesh.p[:, mesh.facets]
    return float(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=0).min())
