"""Boundary conditions by name, by axis, and by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalebridge.cell.discretisation import Ends, symmetric_pairs
from scalebridge.errors import InputError, did_you_mean

BOUNDARIES = ("periodic", "kinematic", "static", "rollers", "through")
#: What may hold along one axis, and what it is for each field component.
AXIS_CONDITIONS = ("periodic", "kinematic", "static", "free", "rollers")
_ENDS = {"periodic": "periodic", "kinematic": "fixed", "static": "static", "free": "free"}
_AXES = ("x", "y", "z")


def parse_boundary(boundary: Any, physics: str, dim: int, unknowns: int) -> tuple[str, Ends]:
    """Return the boundary in words, and its ends ((): periodic).

    Parameters
    ----------
    boundary : str or mapping
        One of `BOUNDARIES` but "through", or axis → one of `AXIS_CONDITIONS`, or a tuple of
        them, one for each component of the field.

    Raises
    ------
    InputError
        An unknown condition or axis, or conditions that contradict each other.
    """
    if isinstance(boundary, str):
        if boundary not in BOUNDARIES:
            raise InputError(
                f"`boundary` must be one of {list(BOUNDARIES)} or a mapping of axes, but is "
                f"{boundary!r}{did_you_mean(boundary, BOUNDARIES)}"
            )
        if boundary == "through" and physics != "conduction":
            raise InputError(
                "`boundary` 'through' is for conduction, but the laws are elastic; for a body "
                "between platens pass {'x': 'free', 'y': 'free', 'z': 'kinematic'}"
            )
        named = dict.fromkeys(_AXES[:dim], boundary)
    elif isinstance(boundary, Mapping):
        named = dict(boundary)
        if sorted(map(str, named)) != list(_AXES[:dim]):
            example = ", ".join(
                f"{a} {k}" for a, k in zip(_AXES[:dim], AXIS_CONDITIONS, strict=False)
            )
            raise InputError(
                f"`boundary` must name each of the axes {list(_AXES[:dim])}, but names "
                f"{list(named)}; e.g. {example}"
            )
    else:
        raise InputError(
            f"`boundary` must be one of {list(BOUNDARIES)} or a mapping of axes, but is "
            f"{boundary!r}"
        )
    if boundary == "through":
        return "through", through(0, dim)
    ends = tuple(
        _axis_ends(number, name, named[name], physics, unknowns)
        for number, name in enumerate(_AXES[:dim])
    )
    _check_shear(ends, physics, dim)
    words = boundary if isinstance(boundary, str) else _words(named)
    if all(kind == "periodic" for kinds in ends for kind in kinds):
        return "periodic", ()
    return words, ends


def through(axis: int, dim: int) -> Ends:
    """Return the ends of transport along one axis: fixed potentials there, no flux elsewhere."""
    return tuple(("fixed",) if a == axis else ("free",) for a in range(dim))


def _words(named: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{axis} {kind if isinstance(kind, str) else '/'.join(kind)}"
        for axis, kind in sorted(named.items())
    )


def _axis_ends(
    number: int, name: str, condition: Any, physics: str, unknowns: int
) -> tuple[str, ...]:
    if isinstance(condition, str):
        given: Sequence[Any] = (condition,) * unknowns
    elif isinstance(condition, Sequence) and len(condition) == unknowns:
        given = condition
    else:
        raise InputError(
            f"`boundary` along {name} must be one of {list(AXIS_CONDITIONS)} or {unknowns} of "
            f"them, one for each component of the field, but is {condition!r}"
        )
    ends = []
    for component, kind in enumerate(given):
        if kind not in AXIS_CONDITIONS:
            raise InputError(
                f"`boundary` along {name} must be one of {list(AXIS_CONDITIONS)}, but is {kind!r}"
                f"{did_you_mean(str(kind), AXIS_CONDITIONS)}"
            )
        if kind == "rollers":
            if physics == "conduction":
                raise InputError(
                    "`boundary` 'rollers' is for mechanics, but the laws are of conduction; "
                    "use 'kinematic', 'static' or 'through'"
                )
            ends.append("fixed" if component == number else "static")
        else:
            ends.append(_ENDS[kind])
    if "periodic" in ends and set(ends) != {"periodic"}:
        raise InputError(
            f"`boundary` along {name} must be periodic for all components or for none, but is "
            f"{condition!r}"
        )
    return tuple(ends)


def _check_shear(ends: Ends, physics: str, dim: int) -> None:
    """Refuse a shear stress that is to be uniform on one pair of faces and zero on another."""
    if physics == "conduction":
        return
    for i, j in symmetric_pairs(dim):
        if {"static", "free"} == {ends[i][j], ends[j][i]}:
            a, b = _AXES[i], _AXES[j]
            raise InputError(
                f"`boundary` must treat the shear stress {a}{b} alike on the faces {a} and {b}, "
                "but it is static on one and free on the other; make both static or both free"
            )
