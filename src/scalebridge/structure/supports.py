"""What holds a structure: prescribed values, planes of symmetry, ties between boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.oblique import Oblique, find_oblique
from scalebridge.structure.places import Places
from scalebridge.structure.schedule import Schedule, Table, schedule
from scalebridge.structure.space import Space

_AXES = ("x", "y", "z")
_FLAT = 1e-6  # of the body: how far a plane of symmetry may be off
_AXIS = 1e-9  # of a normal that is an axis
_ROUNDING = 8 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Held:
    """Nodes of which one component is prescribed.

    With a `normal`, (component,), it is the displacement along it that is prescribed, as zero,
    and there is a `Held` for each component that the normal has.
    """

    name: str
    nodes: np.ndarray
    component: int
    value: Schedule
    normal: np.ndarray | None = None


@dataclass(frozen=True)
class Supports:
    """All that is prescribed of the nodal field.

    Attributes
    ----------
    held : tuple of Held
        Where functions or tables prescribe the same as others, the later one counts.
    master : (node,) int
        The node whose value each node has: itself, but where boundaries are tied.
    fixed : (node, component) bool
        Of a node that is held obliquely, as many as it is held in.
    oblique : Oblique or None
        Masters that are held in directions other than the axes.
    """

    held: tuple[Held, ...]
    master: np.ndarray
    fixed: np.ndarray
    oblique: Oblique | None = None

    def values(self, space: Space, t: float, share: float) -> np.ndarray:
        """Return what is prescribed at a time, (node, component); zero where nothing is."""
        found, given = np.zeros(self.fixed.shape), np.zeros(self.fixed.shape, bool)
        for one in self.held:
            if one.normal is None:
                at = self.master[one.nodes], one.component
                found[at], given[at] = one.value(space.nodes[one.nodes].T, t, share)[0], True
        if self.oblique is not None:
            here = self.oblique.nodes
            inside = np.einsum("nab,nb->na", self.oblique.spread, found[here])
            off = np.abs(np.where(given[here], inside - found[here], 0.0)).max(axis=1)
            if np.any(off > _AXIS * np.abs(found).max()):
                raise out_of_plane(space.nodes[here[int(np.argmax(off))]], f" at t = {t:g}")
            found[here] = inside
        return found[self.master]

    def lift(self, prescribed: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return by how much a field lacks what is prescribed; zero where nothing is."""
        gap = prescribed - u
        found = np.where(self.fixed, gap, 0.0)
        if self.oblique is None:
            return found
        own = self.oblique.held(gap)
        own[np.abs(own) <= _ROUNDING * np.abs(u).max()] = 0.0
        found[self.oblique.nodes] = own
        return found[self.master]

    def free(self, field: np.ndarray) -> np.ndarray:
        """Return a field, (…, node, component), without the part that is held."""
        found = np.where(self.fixed, 0.0, field)
        if self.oblique is not None:
            here = self.oblique.nodes
            found[..., here, :] = field[..., here, :] - self.oblique.held(field)
        return found

    def resultant(self, reaction: np.ndarray, name: str) -> np.ndarray:
        """Sum the nodal reactions in what a support holds, (component,).

        At a node of several planes each counts the part along its own normal.

        Parameters
        ----------
        reaction : (node, component)
            Summed up at the masters.
        """
        found = np.zeros(reaction.shape)
        for one in self.held:
            if one.name == name:
                here, c = self.master[one.nodes], one.component
                found[here, c] = (
                    reaction[here, c]
                    if one.normal is None
                    else reaction[here] @ one.normal * one.normal[c]
                )
        return found.sum(axis=0)


def find_supports(
    space: Space,
    places: Places,
    given: Mapping[str, Any],
    ties: Sequence[tuple[str, str]],
    components: int,
    scalar: bool,
) -> Supports:
    """Check and locate supports and ties.

    Raises
    ------
    InputError
        Unknown names and components, a plane of symmetry that is none, ties that do not match,
        constants that differ at a node.
    """
    master = np.arange(len(space.nodes))
    if isinstance(ties, str) or not isinstance(ties, Sequence):
        raise InputError(f"`ties` must be pairs of boundaries, but is {ties!r}")
    for pair in ties:
        _tie(space, places, pair, master)
    held: list[Held] = []
    constants: list[float | None] = []
    for name, what in given.items():
        places.check(name, ("boundaries", "points"), "supports")
        nodes = places.nodes(space, name)
        title = f"`supports[{name!r}]`"
        normal = None if scalar or what != "symmetry" else _normal(space, places, name)
        if normal is not None and np.count_nonzero(normal) > 1:
            held += [
                Held(name, nodes, int(c), schedule(0.0, 1, title), normal)
                for c in np.flatnonzero(normal)
            ]
            constants += [0.0] * np.count_nonzero(normal)
            continue
        for component, value in _components(name, what, components, scalar, normal):
            held.append(Held(name, nodes, component, schedule(value, 1, title)))
            constants.append(_constant(value))
    if not scalar:  # where a conducting body has two temperatures in a corner, it may jump there
        _check_agreement(space, held, constants, master, components)
    fixed = np.zeros((len(space.nodes), components), bool)
    for one in held:
        if one.normal is None:
            fixed[master[one.nodes], one.component] = True
    oblique = _held_obliquely(space, held, constants, master, fixed)
    if oblique is not None:
        fixed[oblique.nodes] = oblique.leading
    return Supports(tuple(held), master, fixed[master], oblique)


def _constant(value: Any) -> float | None:
    """Return the number that a support prescribes, None for a table or a function."""
    if isinstance(value, Table | Mapping) or callable(value):
        return None
    return float(np.asarray(value, float).reshape(()))


def _check_agreement(
    space: Space,
    held: list[Held],
    constants: list[float | None],
    master: np.ndarray,
    components: int,
) -> None:
    """Refuse two numbers for one component of one node."""
    owner = np.full((len(space.nodes), components), -1)
    for number, (one, value) in enumerate(zip(held, constants, strict=True)):
        if value is None or one.normal is not None:
            continue
        here = owner[master[one.nodes], one.component]
        for other in np.unique(here[here >= 0]):
            if constants[other] != value:
                node = space.nodes[one.nodes[np.flatnonzero(here == other)[0]]]
                what = "" if components == 1 else f" along {_AXES[one.component]}"
                raise InputError(
                    f"`supports` must agree where they meet, but {held[other].name!r} prescribes "
                    f"{constants[other]:g} and {one.name!r} {value:g}{what} at "
                    f"({', '.join(f'{x:g}' for x in node)}), or at a node tied to it; take the "
                    "nodes they share out of one of them"
                )
        owner[master[one.nodes], one.component] = number


def out_of_plane(place: np.ndarray, when: str = "") -> InputError:
    """Return what to say of displacements that contradict a plane of symmetry."""
    return InputError(
        "`supports` must agree where they meet, but displacements would take the node at "
        f"({', '.join(f'{x:g}' for x in place)}) out of a plane of symmetry{when}; take the nodes "
        "they share out of one of them"
    )


def _held_obliquely(
    space: Space,
    held: list[Held],
    constants: list[float | None],
    master: np.ndarray,
    fixed: np.ndarray,
) -> Oblique | None:
    """Return what nodes of oblique planes may not do; numbers must not take them out of these."""
    normals: dict[int, list[np.ndarray]] = {}
    planes = {one.name: one for one in held if one.normal is not None}
    for plane in planes.values():
        for node in np.unique(master[plane.nodes]):
            normals.setdefault(int(node), []).append(np.asarray(plane.normal))
    oblique = find_oblique(normals, fixed)
    if oblique is None:
        return None
    given = np.full(fixed.shape, np.nan)
    for one, value in zip(held, constants, strict=True):
        if one.normal is None:
            given[master[one.nodes], one.component] = 0.0 if value is None else value
    for node, spread in zip(oblique.nodes, oblique.spread, strict=True):
        known = given[node]
        found = spread @ np.nan_to_num(known)
        off = max(
            np.abs(np.stack(normals[int(node)]) @ found).max(),
            np.abs(np.nan_to_num(known - found)).max(),
        )
        if off > _AXIS * np.nan_to_num(np.abs(known)).max():
            raise out_of_plane(space.nodes[node])
    return oblique


def _components(
    name: str, what: Any, components: int, scalar: bool, normal: np.ndarray | None
) -> list[tuple[int, Any]]:
    """Return (component, value) for what a support says; `normal` is that of symmetry."""
    if scalar:
        if isinstance(what, Mapping) and set(what) != {"times", "values"}:
            raise InputError(
                f"`supports[{name!r}]` must be the value of the field, a number, a Table or a "
                f"function, but is {dict(what)!r}"
            )
        return [(0, what)]
    if what == "fixed":
        return [(c, 0.0) for c in range(components)]
    if normal is not None:
        return [(int(np.argmax(np.abs(normal))), 0.0)]
    if not isinstance(what, Mapping) or not what:
        raise InputError(
            f"`supports[{name!r}]` must be 'fixed', 'symmetry' or displacements by axis such as "
            f"{{'x': 0.0}}, but is {what!r}"
        )
    axes = _AXES[:components]
    for axis in what:
        if axis not in axes:
            raise InputError(
                f"`supports[{name!r}]` must name axes among {', '.join(axes)}, but names "
                f"{axis!r}{did_you_mean(axis, axes)}"
            )
    return [(axes.index(axis), value) for axis, value in what.items()]


def _normal(space: Space, places: Places, name: str) -> np.ndarray:
    """Return the normal of a flat boundary, (dim,); of an axis it has that component only."""
    if name in places.points:
        raise InputError(
            f"`supports[{name!r}]` must be a boundary to be a plane of symmetry, but is a point"
        )
    nodes = space.nodes[places.nodes(space, name)]
    scale = np.ptp(space.nodes, axis=0).max()
    extent = np.ptp(nodes, axis=0)
    axis = int(np.argmin(extent))
    if extent[axis] <= _AXIS * scale:
        return np.eye(space.dim)[axis]
    apart = nodes - nodes.mean(axis=0)
    normal: np.ndarray = np.linalg.svd(apart, full_matrices=False)[2][-1]
    off = np.abs(apart @ normal).max()
    if off > _FLAT * scale:
        raise InputError(
            f"`supports[{name!r}]` must be flat to be a plane of symmetry, but bends by {off:g}; "
            "name its flat parts, or hold it by axes"
        )
    if space.axisymmetric:
        raise InputError(
            f"`supports[{name!r}]` must be normal to an axis to be a plane of symmetry of an "
            "axisymmetric body, but is a cone"
        )
    return np.where(np.abs(normal) > _AXIS, normal, 0.0)


def _tie(space: Space, places: Places, pair: Any, master: np.ndarray) -> None:
    """Let the nodes of one boundary follow those of another, a translation away."""
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise InputError(f"`ties` must be pairs of boundaries, but has {pair!r}")
    for name in pair:
        places.check(name, ("boundaries",), "ties")
    if pair[0] == pair[1]:
        raise InputError(f"`ties` must join two boundaries, but join {pair[0]!r} to itself")
    first, second = (places.nodes(space, name) for name in pair)
    what = (
        f"`ties` must join boundaries that differ by a translation, but {pair[0]!r} and {pair[1]!r}"
    )
    if len(first) != len(second):
        raise InputError(f"{what} have {len(first)} and {len(second)} nodes; mesh them alike")
    a, b = space.nodes[first], space.nodes[second]
    shift = b.mean(axis=0) - a.mean(axis=0)
    scale = np.ptp(space.nodes, axis=0).max()
    distance, match = cKDTree(b).query(a + shift)
    if distance.max() > 1e-6 * scale or len(np.unique(match)) != len(match):
        raise InputError(f"{what} do not match; mesh them alike")
    for here, there in zip(first, second[match], strict=True):
        low, high = sorted((master[here], master[there]))
        master[master == high] = low
