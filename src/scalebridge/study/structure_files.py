"""The files of a structure: table, macroscopic fields over time, chosen cells, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.study.load_files import Write, write_table
from scalebridge.study.plan import Plan, StructureRequest

if TYPE_CHECKING:
    from scalebridge.structure import Localized, Solution
    from scalebridge.structure.balance import Region
    from scalebridge.study.solve_parts import Solved


def folder_of(plan: Plan, name: str) -> Path:
    """Return where a structure is saved as it goes on: a folder."""
    return plan.out / f"structure_{name}.checkpoint"


def write_structure(
    write: Write, plan: Plan, name: str, solved: Solved, told: Mapping[str, Any]
) -> None:
    """Write ``structure_NAME.csv``, ``.vtkhdf``, ``localized_NAME_1.vtkhdf``, …, and pictures.

    Parameters
    ----------
    write : callable
    plan : Plan
    name : str
    solved : Solved
    told : mapping
        What the summary tells of the run, this structure among it; goes into the provenance.
    """
    from scalebridge.study.solution_file import write_solution
    from scalebridge.study.structure_pictures import save_structure_pictures

    own, units = told["structures"][name], plan.structures[name].units
    write(f"structure_{name}.csv", partial(write_table, columns=own["table"]))
    write(f"structure_{name}.vtkhdf", partial(write_solution, solution=solved.solution))
    for one, inside in zip(solved.localized, own["localized"], strict=True):
        provenance = {"run": told["run"], "localized": inside}
        write(
            inside["file"],
            partial(
                _write_inside,
                solution=solved.solution,
                one=one,
                rows=inside["rows"],
                unit=units.get("flux", ""),
                provenance=provenance,
            ),
        )
    save_structure_pictures(write, name, own, solved.solution, solved.localized, units)


def _write_inside(
    path: Path,
    solution: Solution,
    one: Localized,
    rows: Sequence[int],
    unit: str,
    provenance: Mapping[str, Any],
) -> Path:
    """Write the fields in the cell of a point: over time, if there are several rows of it."""
    from scalebridge.structure import localize
    from scalebridge.study.load_fields import load_fields
    from scalebridge.study.results import write_results
    from scalebridge.study.results_over_time import write_over_time

    micro, last = one.cell.microstructure, load_fields(one.fields, one.cell, unit).arrays
    if len(rows) == 1:
        return write_results(path, micro, fields=last, provenance=provenance)
    chosen = [(one.element, one.point)]
    earlier = [localize(solution, elements=chosen, row=row)[0] for row in rows[:-1]]
    fields = [load_fields(at.fields, at.cell, unit).arrays for at in earlier]
    times = solution.times[list(rows)]
    return write_over_time(path, micro, times, [*fields, last], provenance=provenance)


def bytes_of_structures(plan: Plan) -> int:
    """Return the room that structures take on disk: fields, and checkpoints meanwhile."""
    fields, saved = 0, 0
    for request in plan.structures.values():
        space, times = request.structure.space, len(request.times)
        nodes = space.nodes.size * times
        regions = request.structure.balance.regions
        elements = sum(len(region.elements) for region in regions) * 20 * times
        fields += 8 * (nodes + elements) + _inside(request)
        points = sum(_state(region) * space.weights.shape[1] for region in regions)
        # Two states, and the old ones until the new ones are whole; nodes and fields beside.
        saved = max(saved, 8 * (4 * points + nodes + 20 * space.weights.size * len(request.keep)))
    return fields + saved


def _state(region: Region) -> int:
    """Return how many numbers the points of a region remember, one point an element."""
    import jax

    from scalebridge.cell import Cell
    from scalebridge.cell.points import count

    law, elements = region.law, len(region.elements)
    if not isinstance(law, Cell):
        return elements * sum(leaf.size for leaf in jax.tree.leaves(law.initial_state()))
    if law.is_linear:
        return 0
    states = [jax.tree.leaves(own.initial_state()) for own in law.laws.values()]
    most = max(sum(leaf.size for leaf in own) for own in states)
    voxels = int(np.prod(law.microstructure.shape))
    points = count(law.discretisation)
    return elements * voxels * (most * points + law.discretisation.unknowns)


def _inside(request: StructureRequest) -> int:
    """Return the bytes of the cells that are written."""
    from scalebridge.cell import Cell

    cells = [r.law for r in request.structure.balance.regions if isinstance(r.law, Cell)]
    voxels = max((int(np.prod(cell.microstructure.shape)) for cell in cells), default=0)
    rows = len({*request.keep, len(request.times) - 1})
    return 8 * 40 * voxels * (rows * len(request.localize) + request.hardest)
