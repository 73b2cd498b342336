"""The files of a load history: table, pictures, and its fields over time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.study.files import atomic
from scalebridge.study.plan import Plan

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.study.follow import Followed

Write = Callable[[str, Callable[[Path], object]], None]  # a file by its name and its writer


def checkpoint_of(plan: Plan, name: str) -> Path:
    """Return where a load history is saved as it goes on."""
    return plan.out / f"load_{name}.npz"


def write_load(
    write: Write, plan: Plan, name: str, followed: Followed, told: Mapping[str, Any]
) -> None:
    """Write ``load_NAME.csv``, ``.png`` and ``.vtkhdf``, ``ledger_NAME.png``, ``field_NAME.png``.

    Parameters
    ----------
    write : callable
    plan : Plan
    name : str
    followed : Followed
    told : mapping
        What the summary tells of the run, this history among it; goes into the provenance.
    """
    from scalebridge.study.load_fields import load_fields
    from scalebridge.study.load_pictures import save_curves, save_ledger
    from scalebridge.study.pictures import save_field
    from scalebridge.study.results_over_time import write_over_time

    request, history = plan.loads[name], followed.history
    unit = request.units.get(request.path.names[1], "")
    load = told["loads"][name]
    write(f"load_{name}.csv", partial(write_table, columns=load["table"]))
    if len(history.times) > 1:
        write(f"load_{name}.png", partial(save_curves, load=load, title=name))
        write(f"ledger_{name}.png", partial(save_ledger, load=load, title=name))
    rows = sorted(followed.fields)
    if not rows:
        return
    micro = request.cell.microstructure
    kept = {row: load_fields(followed.fields[row], request.cell, unit) for row in rows}
    last = kept[rows[-1]]
    drawn: dict[str, Any] = {
        "microstructure": micro,
        "field": last.arrays[last.shown],
        "title": f"{last.title}, {_moment(request.units, history.times[rows[-1]])}",
        "unit": last.unit,
        "noise": request.tolerance,
    }
    write(f"field_{name}.png", partial(save_field, **drawn))
    tangents = {} if history.tangents is None else {"tangents": history.tangents}
    averages = {column: np.asarray(values, float) for column, values in load["table"].items()}
    write(
        f"load_{name}.vtkhdf",
        partial(
            write_over_time,
            microstructure=micro,
            times=history.times[rows],
            fields=[kept[row].arrays for row in rows],
            groups={"averages": averages, "tangents": tangents},
            provenance={**told, "loads": {name: load}},
        ),
    )


def _moment(units: Mapping[str, str], time: float) -> str:
    unit = units.get("time", "")
    return f"t = {time:.4g}{f' {unit}' if unit else ''}"


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write the columns with all their digits."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if value is None else value for value in row])


def bytes_of(plan: Plan) -> int:
    """Return the room that all load histories take on disk: fields, and a checkpoint meanwhile."""
    from scalebridge.cell.points import count

    fields, saved = 0, 0
    if plan.microstructure is None:
        return 0
    for request in plan.loads.values():
        size = _numbers(request.cell)
        fields += size * (max(2, len(request.keep)) if request.keep else 0)
        # Two states, and the old file until the new one is whole.
        saved = max(saved, 4 * size * count(request.cell.discretisation))
    return 8 * (fields + saved) * int(np.prod(plan.microstructure.shape))


def _numbers(cell: Cell) -> int:
    """Return about how many numbers a point has: gradient, flux, energies, state of its law."""
    import jax

    states = [jax.tree.leaves(law.initial_state()) for law in cell.laws.values()]
    return 2 * cell.kinematics.size + 3 + max(sum(leaf.size for leaf in own) for own in states)
