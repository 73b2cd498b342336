"""What a Structure asks of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cell.cell import Cell
from scalebridge.cell.checks import void_phases
from scalebridge.errors import InputError
from scalebridge.laws.limits import Rigid
from scalebridge.laws.protocol import Law
from scalebridge.structure.workers import Workers

_PLANES = ("strain", "stress", "axisymmetric")
_ROUNDING = 1e-8  # of rotations


def physics_of(laws: Mapping[str, Law]) -> str:
    """Return the one physics of all laws."""
    if not isinstance(laws, Mapping) or not laws:
        raise InputError(f"`laws` must map regions to laws, but is {laws!r}")
    for name, law in laws.items():
        if not isinstance(law, Law):
            raise InputError(
                f"`laws[{name!r}]` must be a Law or a Cell, but is a {type(law).__name__}"
            )
        if isinstance(law, Rigid):
            raise InputError(
                f"`laws[{name!r}]` must be of matter that deforms, but is Rigid; leave the region "
                "out of the mesh and prescribe its boundary as fixed"
            )
        if void_phases({name: law}):
            raise InputError(
                f"`laws[{name!r}]` must carry something, but is void; leave the region out of the "
                "mesh"
            )
    found = {name: law.kinematics.physics for name, law in laws.items()}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name}: {physics}" for name, physics in found.items())
        raise InputError(f"`laws` must be of one physics, but are {told}")
    return next(iter(found.values()))


def checked_plane(plane: str | None, physics: str, dim: int) -> str | None:
    """Return the plane of a structure, None where there is none."""
    if dim == 3 and plane is not None:
        raise InputError(f"`plane` is for 2D meshes, but the mesh is 3D and plane is {plane!r}")
    if physics == "conduction":
        if plane not in (None, "axisymmetric"):
            raise InputError(
                f"`plane` in conduction is 'axisymmetric' or left out, but is {plane!r}"
            )
    elif dim == 2 and plane not in _PLANES:
        raise InputError(
            f"`plane` must be one of {', '.join(_PLANES)} for a 2D structure, but is {plane!r}"
        )
    if physics == "finite strain" and plane == "stress":
        raise InputError(
            "`plane` must be 'strain' or 'axisymmetric' in finite strain, but is 'stress', which "
            "is for small strain; use a 3D mesh of a thin sheet"
        )
    return plane


def check_fit(name: str, law: Law, physics: str, dim: int, plane: str | None) -> None:
    """Refuse a law whose components do not serve the structure."""
    own = law.kinematics.dim
    needed = 3 if dim == 3 or (plane == "axisymmetric" and physics != "conduction") else 2
    if own < needed:
        remedy = "use a 3D law or cell"
        if plane == "axisymmetric" and physics != "finite strain":
            remedy += ", or a 2D cell with plane='generalized', which sees the hoop strain"
        raise InputError(
            f"`laws[{name!r}]` must be a law in {needed}D here, but is a {type(law).__name__} in "
            f"{own}D; {remedy}"
        )
    if isinstance(law, Cell) and own == 2 and physics == "elasticity" and law.plane != plane:
        raise InputError(
            f"`laws[{name!r}]` must be a cell in plane {plane} like the structure, but is one in "
            f"plane {law.plane}"
        )


def check_workers(workers: Any) -> None:
    """Refuse what is no Workers."""
    if workers is not None and not isinstance(workers, Workers):
        raise InputError(
            f"`workers` must be Workers, such as sb.structure.DaskWorkers(4), but is {workers!r}"
        )


def check_checkpoint(checkpoint: Any) -> None:
    """Refuse what nothing can be saved in."""
    if checkpoint is not None and not (
        hasattr(checkpoint, "restore") and hasattr(checkpoint, "save")
    ):
        raise InputError(
            "`checkpoint` must be a checkpoint, such as sb.StructureCheckpoint('folder'), but is "
            f"{checkpoint!r}"
        )


def as_mapping(name: str, value: Any, what: str) -> Mapping[str, Any]:
    """Return an argument that maps names to something; None is none of them."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"`{name}` must map {what}, but is {value!r}; give a dict")
    return value


def as_thickness(thickness: Any, dim: int, plane: str | None) -> float:
    """Return the thickness of a plane structure; others have none."""
    number = isinstance(thickness, int | float | np.integer | np.floating)
    if not number or not 0 < thickness < np.inf:
        raise InputError(f"`thickness` must be a number > 0, but is {thickness!r}")
    if thickness != 1 and (dim == 3 or plane == "axisymmetric"):
        what = "the mesh is 3D" if dim == 3 else "the body is axisymmetric"
        raise InputError(
            f"`thickness` must be left out where {what}, but is {thickness:g}; the mesh alone "
            "tells the volume"
        )
    return float(thickness)


def as_turns(name: str, turns: Any, law: Law, plane: str | None, elements: int) -> np.ndarray:
    """Return the rotations of the material of a region, (3, 3) or (3, 3, element)."""
    try:
        given = np.asarray(turns, float)
    except (TypeError, ValueError):
        given = np.zeros(0)
    if given.shape not in ((3, 3), (3, 3, elements)):
        told = f"has {given.shape}" if given.size else f"is {turns!r}"
        raise InputError(
            f"`orientation[{name!r}]` must have shape (3, 3) or (3, 3, {elements}), "
            f"one rotation for each element of the region, but {told}"
        )
    each = given.reshape(3, 3, -1).transpose(2, 0, 1)
    square = each @ np.swapaxes(each, 1, 2)
    if not np.allclose(square, np.eye(3), atol=_ROUNDING) or np.any(np.linalg.det(each) < 0):
        raise InputError(f"`orientation[{name!r}]` must be rotations, but is not")
    if np.all(np.abs(each[:, 2, 2] - 1) <= _ROUNDING):
        return given
    if law.kinematics.dim == 2:
        raise InputError(
            f"`orientation[{name!r}]` must keep the third axis for a 2D law or cell, but does "
            "not; use a 3D one"
        )
    if isinstance(law, Cell) and plane == "stress" and not law.is_linear:
        raise InputError(
            f"`orientation[{name!r}]` must keep the third axis for a nonlinear cell in plane "
            "stress, but does not; use plane strain or a law in closed form"
        )
    return given


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number, or too small a one."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        wanted = "> 0" if least else "≥ 0"
        raise InputError(f"`{name}` must be a whole number {wanted}, but is {value!r}")


def check_rows(keep: Any) -> None:
    """Refuse what is no list of rows."""
    if isinstance(keep, str) or not isinstance(keep, Sequence | np.ndarray):
        raise InputError(f"`keep` must be a list of rows such as [-1], but is {keep!r}")


def as_span(span: Any) -> tuple[float, float]:
    """Return two times that increase."""
    try:
        begin, end = (float(t) for t in span)
    except (TypeError, ValueError):
        begin = end = np.nan
    if not (np.isfinite(begin) and np.isfinite(end) and begin < end):
        raise InputError(f"`span` must be two numbers that increase, but is {span!r}")
    return begin, end
