"""Opened results as pandas tables and xarray datasets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.extras import need
from scalebridge.study.opened_structure import OpenedStructure
from scalebridge.study.opened_sweep import numbers_of
from scalebridge.study.run import main_results
from scalebridge.tensors import component_names

if TYPE_CHECKING:
    import pandas
    import xarray

    from scalebridge.study.opened_load import OpenedLoad
    from scalebridge.study.opened_run import OpenedRun
    from scalebridge.study.opened_sweep import OpenedSweep
    from scalebridge.study.opened_tensor import OpenedTensor

_INPUT = "unit of the input"


def run_table(run: OpenedRun) -> pandas.DataFrame:
    """Return one row a cell, load history or structure: how it was solved, and main results."""
    pandas = need("pandas", "tables", "`table`")
    rows = [_row(run, "results", r, r.quantity, r.unit) for r in run.results.values()]
    for load in run.loads.values():
        flux = load.names[1]
        rows.append(_row(run, "loads", load, flux, load.units.get(flux, "")))
    for part in run.structures.values():
        quantity = "flow" if part.physics == "conduction" else "force"
        rows.append(_row(run, "structures", part, quantity, part.units.get(quantity, "")))
    return pandas.DataFrame(rows, columns=_columns(rows) or ["cell"]).set_index("cell")


def _row(
    run: OpenedRun,
    kind: str,
    opened: OpenedTensor | OpenedLoad | OpenedStructure,
    quantity: str,
    unit: str,
) -> dict[str, Any]:
    name = opened.name
    own = {kind: {name: run.summary[kind][name]}}
    none: dict[str, Any] = {"results": {}, "loads": {}, "structures": {}}
    found = main_results({**run.summary, **none, **own})
    how = {}
    if not isinstance(opened, OpenedStructure):
        how = {"boundary": _plain(opened.boundary), "element": opened.element}
    return {
        "cell": name,
        "quantity": quantity,
        "unit": unit or _INPUT,
        **how,
        **{k.removeprefix(f"{name}."): v for k, v in found.items() if k.startswith(f"{name}.")},
    }


def sweep_table(sweep: OpenedSweep) -> pandas.DataFrame:
    """Return one row a point: parameters, then main results."""
    pandas = need("pandas", "tables", "`table`")
    rows = [
        {"point": p.number, **{k: _plain(v) for k, v in p.parameters.items()}, **p.results}
        for p in sweep.points
    ]
    columns = _columns(rows) or ["point", *sweep.parameters]
    return pandas.DataFrame(rows, columns=columns).set_index("point")


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _plain(value: Any) -> Any:
    """Return lists and mappings as JSON: a cell of a table holds one value."""
    return json.dumps(value) if isinstance(value, list | dict) else value


# ---- one run


def run_dataset(run: OpenedRun, fields: Sequence[str] | None = None) -> xarray.Dataset:
    """Return labels, fields and tensors of a run, at the centres of the voxels."""
    xarray = need("xarray", "tables", "`dataset`")
    micro = run.microstructure
    axes = "xyz"[: micro.dim]
    length = run.units.get("length", _INPUT)
    centres = {
        axis: (
            axis,
            (np.arange(n) + 0.5) * h,
            {"units": length, "long_name": f"voxel centre {axis}"},
        )
        for axis, n, h in zip(axes, micro.shape, micro.spacing, strict=True)
    }
    about = {
        "flag_values": list(range(len(micro.names))),
        "flag_meanings": " ".join(name.replace(" ", "_") for name in micro.names),
    }
    variables: dict[str, Any] = {"labels": (tuple(axes), micro.labels, about)}
    coordinates: dict[str, Any] = dict(centres)
    for name in run.fields if fields is None else fields:
        values = run.fields[name]
        dims: tuple[str, ...] = tuple(axes)
        if values.ndim > micro.dim:
            dim, names = _component_dim(name, len(values), micro.dim)
            coordinates[dim] = names
            dims = (dim, *axes)
        variables[name] = (dims, values, {"quantity": name})
    for name, result in run.results.items():
        _add_tensors(run, name, result, variables, coordinates)
    attributes = {"title": run.title, "finished": run.summary["run"]["finished"]}
    return xarray.Dataset(variables, coordinates, attributes)


def _component_dim(name: str, size: int, dim: int) -> tuple[str, list[str]]:
    """Return the dimension along a field's components, and their names."""
    if size == dim:
        return "direction", list("xyz"[:dim])
    if size == 6:
        return ("component" if dim == 3 else "component_3d"), list(component_names(3))
    if size == 3:
        return "component", list(component_names(2))
    return f"{name}_component", [str(i + 1) for i in range(size)]


def _add_tensors(
    run: OpenedRun,
    name: str,
    result: OpenedTensor,
    variables: dict[str, Any],
    coordinates: dict[str, Any],
) -> None:
    """Add the effective tensor of a cell and, where there are some, its bounds."""
    row, column = f"{name}_flux", f"{name}_gradient"
    coordinates |= {row: list(result.components), column: list(result.components)}
    about = {"quantity": result.quantity, "units": result.unit or _INPUT}
    variables[f"{name}_tensor"] = ((row, column), result.tensor, about)
    if name in run.bounds:
        tensors, boundary = run.bounds[name].tensors, f"{name}_boundary"
        coordinates[boundary] = list(tensors)
        stacked = np.stack(list(tensors.values()))
        variables[f"{name}_bounds"] = ((boundary, row, column), stacked, about)


# ---- a sweep


def sweep_dataset(sweep: OpenedSweep) -> xarray.Dataset:
    """Return main results over the parameters where they span a full grid, else over points."""
    xarray = need("xarray", "tables", "`dataset`")
    if not sweep.points:
        raise InputError(f"no point of {str(sweep.path)!r} is done; run it with --resume")
    values = {
        name: [_plain(point.parameters[name]) for point in sweep.points]
        for name in sweep.parameters
    }
    results = {
        name: [point.results.get(name) for point in sweep.points]
        for name in _columns([dict(p.results) for p in sweep.points])
    }
    numbers = np.array([point.number for point in sweep.points])
    levels = {name: list(dict.fromkeys(column)) for name, column in values.items()}
    shape = tuple(len(found) for found in levels.values())
    places = list(zip(*values.values(), strict=True))
    if len(set(places)) == len(places) == np.prod(shape):
        index = [
            np.ravel_multi_index(
                [levels[n].index(v) for n, v in zip(levels, place, strict=True)], shape
            )
            for place in places
        ]
        order = np.argsort(index)
        data = {
            name: (tuple(levels), _array(c)[order].reshape(shape)) for name, c in results.items()
        }
        data["point"] = (tuple(levels), numbers[order].reshape(shape))
        return xarray.Dataset(data, {n: _coordinate(n, c) for n, c in levels.items()})
    coordinates: dict[str, Any] = {"point": numbers}
    coordinates |= {name: _coordinate("point", column) for name, column in values.items()}
    return xarray.Dataset({n: ("point", _array(c)) for n, c in results.items()}, coordinates)


def _coordinate(dim: str, column: Sequence[Any]) -> tuple[str, Sequence[Any], dict[str, str]]:
    """Return a coordinate, in numbers where its values have one unit or none."""
    found = numbers_of(column)
    if found is None:
        return dim, column, {}
    return dim, found[0], {"units": found[1]} if found[1] else {}


def _array(column: Sequence[Any]) -> np.ndarray:
    """Return numbers with NaN for null, verdicts as booleans."""
    if all(isinstance(value, bool) for value in column):
        return np.array(column)
    return np.array(column, float)
