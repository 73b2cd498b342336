"""What holds a structure: prescribed values, planes of symmetry, ties between boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.places import Places
from scalebridge.structure.schedule import Schedule, Table, schedule
from scalebridge.structure.space import Space

_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Held:
    """Nodes of which one component is prescribed."""

    name: str
    nodes: np.ndarray
    component: int
    value: Schedule


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
    """

    held: tuple[Held, ...]
    master: np.ndarray
    fixed: np.ndarray

    def values(self, space: Space, t: float, share: float) -> np.ndarray:
        """Return what is prescribed at a time, (node, component); zero where nothing is."""
        found = np.zeros(self.fixed.shape)
        for one in self.held:
            found[self.master[one.nodes], one.component] = one.value(
                space.nodes[one.nodes].T, t, share
            )[0]
        return found[self.master]


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
        for component, value in _components(space, places, name, what, components, scalar):
            title = f"`supports[{name!r}]`"
            held.append(Held(name, nodes, component, schedule(value, 1, title)))
            constants.append(_constant(value))
    if not scalar:  # where a conducting body has two temperatures in a corner, it may jump there
        _check_agreement(space, held, constants, master, components)
    fixed = np.zeros((len(space.nodes), components), bool)
    for one in held:
        fixed[master[one.nodes], one.component] = True
    return Supports(tuple(held), master, fixed[master])


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
        if value is None:
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


def _components(
    space: Space, places: Places, name: str, what: Any, components: int, scalar: bool
) -> list[tuple[int, Any]]:
    """Return (component, value) for what a support says."""
    if scalar:
        if isinstance(what, Mapping) and set(what) != {"times", "values"}:
            raise InputError(
                f"`supports[{name!r}]` must be the value of the field, a number, a Table or a "
                f"function, but is {dict(what)!r}"
            )
        return [(0, what)]
    if what == "fixed":
        return [(c, 0.0) for c in range(components)]
    if what == "symmetry":
        return [(_normal_axis(space, places, name), 0.0)]
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


def _normal_axis(space: Space, places: Places, name: str) -> int:
    """Return the axis to which a flat boundary is normal."""
    if name in places.points:
        raise InputError(
            f"`supports[{name!r}]` must be a boundary to be a plane of symmetry, but is a point"
        )
    nodes = space.nodes[places.nodes(space, name)]
    extent = np.ptp(nodes, axis=0)
    axis = int(np.argmin(extent))
    if extent[axis] > 1e-9 * np.ptp(space.nodes, axis=0).max():
        raise InputError(
            f"`supports[{name!r}]` must be flat and normal to an axis to be a plane of symmetry, "
            f"but extends over {', '.join(f'{e:g}' for e in extent)}; turn the mesh"
        )
    return axis


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
