"""How much memory a plan takes at its peak, counted from the arrays that live there.

The counts follow `cell.cg.Workspace`, `upscaling.effective_tensor` and the local fields.
What XLA and the C library hold beside them was measured (``benchmarks/estimate.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scalebridge.cell import bounded, stencil
from scalebridge.cell.boundary import parse_boundary
from scalebridge.cell.discretisation import Discretisation
from scalebridge.errors import InputError
from scalebridge.microstructure import memory
from scalebridge.study.plan import Plan, Request
from scalebridge.study.structure_cost import is_micro, memory_of_states

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.study.job import Observer

_PROGRAM, _KERNELS, _PICTURES = 290_000_000, 40_000_000, 80_000_000
_STRUCTURE, _FE2_KERNELS = 70_000_000, 400_000_000
_NUMBERS_A_NODE = 100  # blocks of the stiffness, and of what solves with it
_KEPT_BY_MALLOC = 1 << 25  # glibc maps what is larger, and gives it back at once
_UNRETURNED = 1.3  # of what is smaller
_EXCEEDS, _TIGHT = 1.1, 0.8  # of the available memory


@dataclass(frozen=True)
class Memory:
    """Memory of a run, stage by stage.

    Attributes
    ----------
    stages : dict of str to (dict of str to int) [byte]
        Stage → what lives there → its size.
    """

    stages: Mapping[str, Mapping[str, int]]

    @property
    def peak_stage(self) -> str:
        """The stage that needs most."""
        return max(self.stages, key=lambda name: sum(self.stages[name].values()))

    @property
    def terms(self) -> Mapping[str, int]:
        """What lives at the peak [byte]."""
        return self.stages[self.peak_stage]

    @property
    def peak(self) -> int:
        """Largest resident memory of the process [byte]."""
        return sum(self.terms.values())

    @property
    def to_come(self) -> int:
        """What the process does not hold yet when the image has been read [byte]."""
        return self.peak - self.terms["program"] - self.terms["image"]


def memory_of(plan: Plan) -> Memory:
    """Predict the memory of a plan.

    Returns
    -------
    Memory
        Stages are "NAME, BOUNDARY" of each solution, "fields of NAME" and "structure NAME". Load
        histories are not among them; without a stage the one is "the start".
    """
    solved = sum(len(request.boundaries) for request in plan.requests.values())
    drawn = any(request.cases for request in plan.requests.values()) or bool(plan.structures)
    always = {
        "program": _PROGRAM + _KERNELS * solved + _PICTURES * drawn,
        "image": (0 if plan.microstructure is None else plan.microstructure.labels.nbytes)
        + sum(_image(request.cell) for request in plan.requests.values()),
    }
    stages: dict[str, dict[str, int]] = {}
    kept = 0
    for name, request in plan.requests.items():
        for boundary in request.boundaries:
            disc = _under(request.cell, boundary)
            own = boundary == request.cell.boundary
            states = _fluctuations(disc) if own and request.cases else 0
            parts = _solving(disc, states)
            stages[f"{name}, {boundary}"] = {**always, "fields": kept, **parts}
            kept += states
    unreturned = max((sum(s.values()) - sum(always.values()) for s in stages.values()), default=0)
    stored = 0
    for name, request in plan.requests.items():
        if request.cases:
            one = _stored(request)
            earlier = stored + (len(request.cases) - 1) * one
            stored = earlier + one
            disc = request.cell.discretisation
            small = _is_small(disc)
            evaluating = _evaluating(disc, through=request.cell.boundary == "through")
            stages[f"fields of {name}"] = {
                **always,
                "fields": kept + earlier,
                "evaluating fields": int(evaluating * (_UNRETURNED if small else 1)),
                "not given back": max(0, unreturned - kept) if small else 0,
            }
    for name, part in plan.structures.items():
        balance = part.structure.balance
        stages[f"structure {name}"] = {
            **always,
            "fields": kept + stored,
            "kernels of structures": _STRUCTURE
            + _FE2_KERNELS * sum(is_micro(region) for region in balance.regions),
            "states of points": memory_of_states(balance),
            "stiffness": _NUMBERS_A_NODE * 8 * balance.space.nodes.size * balance.space.dim,
        }
    return Memory(stages or {"the start": always})


def tell_if_tight(plan: Plan, observer: Observer) -> None:
    """Refuse a plan that does not fit into memory; warn where it may not.

    Raises
    ------
    InputError
        More is needed than there is.
    """
    needed, available = memory_of(plan), memory.available_memory()
    lacking = shortage(needed, available, plan)
    if lacking:
        raise InputError(lacking)
    tight = tightness(needed, available)
    if tight:
        observer.warned(tight)


def shortage(needed: Memory, available: int, plan: Plan) -> str:
    """Return why a plan does not fit, and what to do; empty if it does."""
    if needed.to_come <= _EXCEEDS * available:
        return ""
    return (
        f"the run must fit into memory, but needs about {memory.tell_bytes(needed.to_come)} beside "
        f"the image and {memory.tell_bytes(available)} are available; {_way_out(plan)}"
    )


def lacking_for(cell: Cell) -> str:
    """Return why the effective tensor of a cell does not fit; empty if it does."""
    micro = cell.microstructure
    plan = Plan(micro, {"cell": Request(cell, "")}, image=None, run={}, out=Path(), started=0.0)
    return shortage(memory_of(plan), memory.available_memory(), plan)


def tightness(needed: Memory, available: int) -> str:
    """Return a warning where a plan may not fit; empty if it does, or does not."""
    if not _TIGHT * available < needed.to_come <= _EXCEEDS * available:
        return ""
    return (
        f"memory is tight: about {memory.tell_bytes(needed.to_come)} are needed beside the image "
        f"and {memory.tell_bytes(available)} are available"
    )


def _way_out(plan: Plan) -> str:
    """Name what would make the run smaller."""
    requests = plan.requests.values()
    out = ["crop or coarsen the image"]
    if any(request.cases for request in requests):
        out.append("leave the fields out (--no-fields; in a study fields: false)")
    if any(request.cell.element in {"full", "bbar"} for request in requests):
        out.append("use the element 'reduced'")
    if len({request.cell.physics for request in requests}) > 1:
        out.append("compute conduction alone")
    return ", ".join([*out[:-1], f"or {out[-1]}"] if len(out) > 1 else out)


def _doubles(shape: Sequence[int], more: int = 0) -> int:
    return 8 * math.prod(n + more for n in shape)


def _is_small(disc: Discretisation) -> bool:
    return _doubles(disc.nodes) <= _KEPT_BY_MALLOC


def _under(cell: Cell, boundary: str) -> Discretisation:
    if boundary == cell.boundary:
        return cell.discretisation
    disc = cell.discretisation
    _, ends = parse_boundary(boundary, cell.physics, cell.dim, disc.unknowns)
    return replace(disc, ends=ends)


def _image(cell: Cell) -> int:
    """Return the size of the rows of moduli by voxel, and of the moduli turned by voxel."""
    turned = sum(rotation.nbytes for rotation in cell.rotations.values())
    rows = turned // 9 * cell.discretisation.components**2 if turned else 0
    return int(cell.materials.nbytes + turned + rows)


def _workspace(disc: Discretisation) -> int:
    """Return the size of what an iteration works on, in the order of `cg.Workspace`."""
    node, d = _doubles(disc.nodes), disc.unknowns
    pairs = d * (d + 1) // 2
    if disc.is_fourier:
        modes = 8 * math.prod(disc.shape[:-1]) * (disc.shape[-1] // 2 + 1)
        green = pairs * modes // 2 + d * modes
    elif disc.element == "volume":
        green = node // 2
    else:
        matched = bounded.is_matched(bounded.inner(disc))
        green = ((pairs if matched else d) + len(bounded.freed(disc))) * node // 2
    if disc.element == "volume":
        fluxes = (d + disc.components) * node
    else:
        fluxes = d * _doubles(disc.nodes, 2) + stencil.count_fluxes(disc) * _doubles(disc.nodes, 1)
    return 3 * d * node + d * node // 2 + green + fluxes


def _solving(disc: Discretisation, states: int) -> dict[str, int]:
    """Return what lives in the last load case, or when the fields are set aside after it."""
    node = _doubles(disc.nodes)
    forces = 2 * disc.unknowns * node
    passing = disc.unknowns * node + 5 * node // 2  # the transforms' own copies
    factor = _UNRETURNED if _is_small(disc) else 1.0
    parts = {
        "solver": _workspace(disc) + passing,
        "solutions": _fluctuations(disc) + max(forces, states),
    }
    return {name: int(factor * size) for name, size in parts.items()}


def _fluctuations(disc: Discretisation) -> int:
    """Return the size of the nodal fields of all load cases."""
    return disc.components * disc.unknowns * _doubles(disc.nodes)


def _evaluating(disc: Discretisation, through: bool) -> int:
    """Return what lives while local fields are evaluated, one operation at a time.

    Transport through the cell has fields of each axis, which are added up.
    """
    d, m = disc.unknowns, disc.components
    modes = 2 * d + 2**disc.dim * d + 2 + stencil.count_fluxes(disc) + 2 * m
    others = (disc.dim - 1) * (2 * m + d) if through else 0
    return (max(3 * d + 6 * m, modes) + others) * _doubles(disc.nodes)


def _stored(request: Request) -> int:
    """Return the size of one load case's arrays in the results."""
    shape = request.cell.microstructure.shape
    count = {"conduction": 2 * len(shape) + 1, "elasticity": 13}[request.cell.physics]
    return count * _doubles(shape)
