"""A solved structure with its evidence, as plain dicts: for JSON, tables and reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.cell import Cell
from scalebridge.laws.protocol import Law
from scalebridge.study.files import plain
from scalebridge.study.hardest import hardest
from scalebridge.study.load_path import components_of, mandel_factors
from scalebridge.study.structure_columns import LOAD, is_load
from scalebridge.upscaling.path import names_of

if TYPE_CHECKING:
    from scalebridge.structure import Localized, Solution, Structure
    from scalebridge.structure.balance import Region
    from scalebridge.study.plan import StructureRequest

_AXES = "xyz"
_HARDEST = 10  # points that are listed
_ROUND_OFF = 1e-12  # of the sum of magnitudes: less is the resultant of loads in balance
_MEASURES = ("von_mises", "max_principal")


def describe_structure(
    solution: Solution, request: StructureRequest, localized: Sequence[Localized], seconds: float
) -> dict[str, Any]:
    """Return a solved structure with its evidence.

    Returns
    -------
    dict
        ``physics`` ("conduction", "elasticity", "finite strain"), ``plane``, ``units`` (SI, where
        the study gives units); ``counts`` of elements, nodes, points and unknowns; ``regions`` with
        their ``law`` in words, elements, points and ``cell``, or null; ``supports``, ``points``,
        ``moved`` (the components that a support moves, by support); ``table``, column → values,
        as `columns_of` gives them, and ``curves``, which of them to draw; ``steps``, ``reached``,
        ``converged``, ``message``; ``newton`` and ``substeps`` in all; ``residuals`` by row,
        substep and iteration, [residual (null: the load is put on), tolerance of the micro
        problems, iterations of the slowest, share of Newton's step], empty in row 0; ``ledger``,
        ``work``,
        ``stored``, ``dissipated``, ``imbalance``; ``final`` and ``peak``, column → the last value
        and that of the largest magnitude, of reactions and points; ``kept``, the rows whose fields
        are stored; ``localized`` and ``hardest``, points whose cells are stored, and those that
        took most iterations; ``sharing``, where points share solves: how many, in
        how many groups, and the largest error; ``timings`` [s]; ``wall_seconds``.
    """
    built, table = request.structure, columns_of(solution, request)
    ends = [column for column in table if "." in column]  # what belongs to a part of the body
    stored = solution.stored[-1] + solution.dissipated[-1]
    return plain(
        {
            "physics": solution.physics,
            "plane": solution.plane,
            "units": dict(request.units),
            "counts": _counts(built),
            "regions": {region.name: _region(region, solution) for region in solution.regions},
            "supports": _supports(built),
            "points": list(_points(built)),
            "moved": _moved(built, request),
            "table": table,
            "curves": _curves(built, request, table),
            "steps": len(request.times) - 1,
            "reached": len(solution.times) - 1,
            "converged": solution.converged,
            "message": solution.message,
            "newton": int(table["newton"].sum()),
            "substeps": int(table["substeps"].sum()),
            "residuals": solution.iterations,
            "ledger": {
                **{name: table[name][-1] for name in ("work", "stored", "dissipated")},
                "imbalance": solution.work[-1] - stored,
            },
            "final": {column: table[column][-1] for column in ends},
            "peak": {column: table[column][np.abs(table[column]).argmax()] for column in ends},
            "kept": sorted(solution.fields),
            "localized": [
                _inside(one, number, solution, request)
                for number, one in enumerate(localized, start=1)
            ],
            "hardest": [
                {**one._asdict(), "place": solution.space.points[one.element, one.point]}
                for one in hardest(solution, _HARDEST)
            ],
            "sharing": {
                name: {"points": one.points, "groups": one.groups[-1], "error": one.error.max()}
                for name, one in solution.sharing.items()
            },
            "timings": dict(solution.timings or {}),
            "wall_seconds": seconds,
        }
    )


def columns_of(solution: Solution, request: StructureRequest) -> dict[str, NDArray[Any]]:
    """Return the columns of a structure's table, (row,) each; row 0 is rest.

    ``time``; ``SUPPORT.x``, the reaction on the body in each component that the support holds,
    and ``SUPPORT.u_x`` where it moves; ``PLACE.load_x``, the resultant of the loads on a boundary,
    a region or a point; ``BOUNDARY.u_x``, how a loaded boundary moves on average; ``POINT.x``, the
    displacement of a named node, ``POINT.u_x`` if it is a support; in conduction
    ``SUPPORT.flow`` and ``PLACE.load_flow``, into the body, and ``value``; energies from the
    beginning; Newton iterations and substeps.
    """
    built = request.structure
    scalar = solution.physics == "conduction"
    columns: dict[str, NDArray[Any]] = {"time": solution.times}
    for name in _supports(built):
        for c in _components(built, name):
            flow = f"{name}.{'flow' if scalar else _AXES[c]}"
            columns[flow] = solution.reactions[name][:, c]
    for name, axes in _moved(built, request).items():
        for axis in axes:
            values = _prescribed(built, request, name, axis)[: len(solution.times)]
            columns[f"{name}.{_displaced(axis)}"] = values
    for name, totals in _resultants(built, request, solution).items():
        for c, values in enumerate(totals.T):
            columns[f"{name}.{LOAD}{'flow' if scalar else _AXES[c]}"] = values
    for name, means in _loaded(built, solution).items():
        for c, values in enumerate(means.T):
            columns.setdefault(f"{name}.{_displaced('value' if scalar else _AXES[c])}", values)
    for name, node in _points(built).items():
        held = name in _supports(built)
        for c, values in enumerate(solution.field[:, node].T):
            axis = "value" if scalar else _AXES[c]
            columns[f"{name}.{_displaced(axis) if held else axis}"] = values
    columns |= {name: getattr(solution, name) for name in ("work", "stored", "dissipated")}
    rows = solution.iterations[: len(solution.times)]
    newton = [sum(len(substep) - 1 for substep in row) for row in rows]
    return columns | {"newton": np.array(newton), "substeps": np.array([len(row) for row in rows])}


# ---- what holds, moves and loads


def _supports(built: Structure) -> list[str]:
    return list(dict.fromkeys(one.name for one in built.balance.supports.held))


def _components(built: Structure, name: str) -> list[int]:
    return sorted({one.component for one in built.balance.supports.held if one.name == name})


def _displaced(axis: str) -> str:
    """Return what the column of a displacement is called where there is one of forces too."""
    return axis if axis == "value" else f"u_{axis}"


def _prescribed(
    built: Structure, request: StructureRequest, name: str, axis: str
) -> NDArray[np.float64]:
    """Return what a support prescribes at all times, (step,)."""
    c = 0 if axis == "value" else _AXES.index(axis)
    times, supports = request.times, built.balance.supports
    held = next(one for one in supports.held if one.name == name and one.component == c)
    x = built.space.nodes[held.nodes[:1]].T
    shares = (times - times[0]) / (times[-1] - times[0])
    return np.array([held.value(x, t, share)[0, 0] for t, share in zip(times, shares, strict=True)])


def _moved(built: Structure, request: StructureRequest) -> dict[str, list[str]]:
    """Return the supports that move, and along which axes; "value" in conduction."""
    found = {}
    for name in _supports(built):
        scalar = built.physics == "conduction"
        axes = [("value" if scalar else _AXES[c]) for c in _components(built, name)]
        moving = [axis for axis in axes if np.any(_prescribed(built, request, name, axis))]
        if moving:
            found[name] = moving
    return found


def _loaded(built: Structure, solution: Solution) -> dict[str, NDArray[np.float64]]:
    """Return the mean field over each loaded boundary, (step, component)."""
    found = {}
    for load in built.balance.loads.loads:
        if load.patch is not None and load.patch.normals is not None:
            patch = load.patch
            share = np.einsum("neq,eq->en", patch.values, patch.weights) / patch.weights.sum()
            found[load.name] = np.einsum(
                "en,senc->sc", share, solution.field[:, patch.connectivity]
            )
    return found


def _resultants(
    built: Structure, request: StructureRequest, solution: Solution
) -> dict[str, NDArray[np.float64]]:
    """Return the resultant of all loads on each place, (step, component)."""
    times, loads = request.times, built.balance.loads
    shares = (solution.times - times[0]) / (times[-1] - times[0])
    found = {}
    for name in _named_loads(built):
        own = dataclasses.replace(
            loads, loads=tuple(load for load in loads.loads if load.name == name)
        )
        totals, sizes = np.zeros((2, len(shares), solution.field.shape[2]))
        for row, (u, t, share) in enumerate(
            zip(solution.field, solution.times, shares, strict=True)
        ):
            forces = own.forces(built.space, u, float(t), float(share))
            totals[row], sizes[row] = forces.sum(axis=0), np.abs(forces).sum()
        found[name] = np.where(np.abs(totals) > _ROUND_OFF * sizes, totals, 0.0)
    return found


def _points(built: Structure) -> dict[str, int]:
    """Return the named points that are one node."""
    return {name: int(nodes[0]) for name, nodes in built.places.points.items() if len(nodes) == 1}


def _curves(
    built: Structure, request: StructureRequest, table: dict[str, NDArray[Any]]
) -> list[dict[str, str]]:
    """Return what to draw: forces over displacements of supports that move, else of loads.

    Where a load rests for a time, as in creep, or moves nothing, displacements are drawn over time.
    """
    return (
        _of_supports(built, request)
        or _of_loads(built, request, table)
        or _over_time(built, request, table)
    )


def _of_supports(built: Structure, request: StructureRequest) -> list[dict[str, str]]:
    scalar = built.physics == "conduction"
    return [
        _force_curve(built, request, name, axis, f"{name}.{'flow' if scalar else axis}")
        for name, axes in _moved(built, request).items()
        for axis in axes
    ]


def _of_loads(
    built: Structure, request: StructureRequest, table: dict[str, NDArray[Any]]
) -> list[dict[str, str]]:
    """Return the loads over displacements in their main direction; none where one rests."""
    curves = []
    for name in _named_loads(built):
        own = _own(built, table, name)
        y = max(filter(is_load, own), key=lambda column: float(np.abs(table[column]).max()))
        axis = "value" if built.physics == "conduction" else y[-1]
        x = next((c for c in own if c in (f"{name}.u_{axis}", f"{name}.{axis}")), "")
        if not x or not np.any(table[y]):
            continue
        if np.any(np.diff(table[y]) == 0):
            return []
        curves.append(_force_curve(built, request, name, axis, y) | {"x": x})
    return curves


def _force_curve(
    built: Structure, request: StructureRequest, name: str, axis: str, y: str
) -> dict[str, str]:
    """Return a force, or flow, over the displacement, or value, of where it acts."""
    scalar, units = built.physics == "conduction", request.units
    what, force = ("value", "flow") if scalar else ("displacement", "force")
    along = "" if scalar else f" along {axis}"
    acting = ("flow into" if scalar else "load on") if is_load(y) else f"{force} on"
    return {
        "x": f"{name}.{_displaced(axis)}",
        "y": y,
        "x_label": f"{what} of {name}{along}{_bracketed(units.get('field', ''))}",
        "y_label": f"{acting} {name}{along}{_bracketed(units.get(force, ''))}",
    }


def _over_time(
    built: Structure, request: StructureRequest, table: dict[str, NDArray[Any]]
) -> list[dict[str, str]]:
    """Return the largest displacement, or value, of each loaded boundary and named point."""
    what, units = "value" if built.physics == "conduction" else "displacement", request.units
    curves = []
    for name in dict.fromkeys([*_named_loads(built), *_points(built)]):
        own = [column for column in _own(built, table, name) if not is_load(column)]
        if own:
            y = max(own, key=lambda column: float(np.abs(table[column]).max()))
            along = f" along {y[-1]}" if y[-1] in _AXES else ""
            curves.append(
                {
                    "x": "time",
                    "y": y,
                    "x_label": f"time{_bracketed(units.get('time', ''))}",
                    "y_label": f"{what} of {name}{along}{_bracketed(units.get('field', ''))}",
                }
            )
    return curves


def _named_loads(built: Structure) -> list[str]:
    return list(dict.fromkeys(load.name for load in built.balance.loads.loads))


def _own(built: Structure, table: dict[str, NDArray[Any]], name: str) -> list[str]:
    """Return the columns of a place, but for reactions."""
    reactions = _reactions(built)
    return [c for c in table if c.rpartition(".")[0] == name and c not in reactions]


def _reactions(built: Structure) -> set[str]:
    axes = ["flow"] if built.physics == "conduction" else list(_AXES)
    return {f"{name}.{axis}" for name in _supports(built) for axis in axes}


def _bracketed(unit: str) -> str:
    return f" [{unit}]" if unit else ""


# ---- what it is made of


def _counts(built: Structure) -> dict[str, int]:
    space = built.space
    supports = built.balance.supports
    masters = np.unique(supports.master)
    return {
        "elements": len(space.connectivity),
        "nodes": len(space.nodes),
        "points": space.weights.size,
        "unknowns": int((~supports.fixed[masters]).sum()),
    }


def _region(region: Region, solution: Solution) -> dict[str, Any]:
    law = region.law
    elements, points = len(region.elements), solution.space.weights.shape[1]
    return {
        "law": _words(law),
        "elements": elements,
        "points": elements * points,
        "cell": {
            "shape": law.microstructure.shape,
            "phases": law.microstructure.names,
            "boundary": law.boundary,
            "element": law.element,
            "linear": law.is_linear,
        }
        if isinstance(law, Cell)
        else None,
    }


def _words(law: Law) -> str:
    if not isinstance(law, Cell):
        return type(law).__name__
    size = " × ".join(map(str, law.microstructure.shape))
    return f"{'linear ' if law.is_linear else ''}cell of {size} voxels"


def _inside(
    one: Localized, number: int, solution: Solution, request: StructureRequest
) -> dict[str, Any]:
    """Return a point whose cell is stored."""
    where, gradient = (one.element, one.point), names_of(one.cell.physics)[0]
    work = solution.work_of_points.get(one.region)
    region = next(r for r in solution.regions if r.name == one.region)
    row = int(np.flatnonzero(region.elements == one.element)[0])
    asked, last = where in request.localize, len(solution.times) - 1
    statistics: dict[str, Any] = {}
    if one.cell.physics == "elasticity":
        statistics = {
            name: one.statistics(name)
            for name in _MEASURES
            if np.all(np.isfinite(one.measure(name)))
        }
    return {
        "file": f"localized_{request.name}_{number}.vtkhdf",
        "picture": f"localized_{request.name}_{number}.png",
        "region": one.region,
        "element": one.element,
        "point": one.point,
        "place": one.place,
        "average": one.average / mandel_factors(one.cell),
        "components": [f"{gradient} {c}" for c in components_of(one.cell)],
        "why": "asked" if asked else "hardest",
        "rows": sorted({*solution.fields, last}) if asked else [last],
        "work": None if work is None else int(work[row, one.point]),
        "statistics": statistics,
    }
