"""The main job: an image and the laws of its phases → effective tensors, pictures, one file."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from scalebridge.errors import InputError
from scalebridge.study.cost_memory import tell_if_tight
from scalebridge.study.execute import execute
from scalebridge.study.files import sha256
from scalebridge.study.job import Job, Observer
from scalebridge.study.phases import laws_of, physics_of
from scalebridge.study.plan import Plan, Request
from scalebridge.study.summary import QUANTITIES, describe_image

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure


def homogenize(job: Job, observer: Observer | None = None) -> dict[str, Any]:
    """Run a job and write its files, as `scalebridge.study.execute` tells.

    The cells are named for their physics. The local field is the one under a unit mean
    gradient along x, for elasticity a unit mean strain 11.

    Raises
    ------
    InputError
        Anything that cannot be used; always before the first solve.
    """
    plan = plan_of(job)
    tell_if_tight(plan, observer or Observer())
    return execute(plan, observer)


def plan_of(job: Job) -> Plan:
    """Read the image of a job and build its cells."""
    start = time.perf_counter()
    micro = _read(job)
    digest = sha256(job.image)  # now: the file may change while the cells are solved
    cells = _cells(job, micro)
    phases = {p.name: {"where": p.where, "constants": p.constants} for p in job.phases}
    return Plan(
        microstructure=micro,
        requests={physics: _request(job, cell) for physics, cell in cells.items()},
        image=describe_image(micro, phases, path=str(job.image), sha256=digest),
        run={"command": list(job.command), "options": _options(job)},
        out=job.out,
        started=start,
    )


def _read(job: Job) -> Microstructure:
    from scalebridge.microstructure import read

    layout = {name: getattr(job, name) for name in ("shape", "dtype", "order", "offset", "key")}
    phases = {phase.name: phase.where for phase in job.phases}
    micro = read(job.image, spacing=job.spacing, phases=phases, **layout)
    micro = micro.flip(job.flip) if job.flip else micro
    axes = "xyz"[: micro.dim]
    if set(job.crop) - set(axes):
        raise InputError(
            f"--crop must name axes among {', '.join(axes)}, but names {''.join(job.crop)}"
        )
    return micro.crop(*(job.crop.get(axis) for axis in axes)) if job.crop else micro


def _cells(job: Job, micro: Microstructure) -> dict[str, Cell]:
    from scalebridge.cell import Cell

    cells = {}
    if job.plane and "elasticity" not in physics_of(job.phases):
        raise InputError("--plane is for elasticity on 2D images, but the phases have no E and nu")
    for physics in physics_of(job.phases):
        plane = job.plane if physics == "elasticity" and micro.dim == 2 else None
        cells[physics] = Cell(
            micro,
            laws_of(job.phases, physics),
            boundary="periodic" if job.boundary == "all" else job.boundary,
            element=job.element,
            plane=plane,
        )
    return cells


def _request(job: Job, cell: Cell) -> Request:
    conductors = {p.name: p.constants["k"] for p in job.phases if "k" in p.constants}
    return Request(
        cell=cell,
        quantity=QUANTITIES[cell.physics],
        compare=job.boundary == "all",
        tolerance=job.tolerance,
        measure=job.measure,
        field_tolerance=job.field_tolerance,
        max_iterations=job.max_iterations,
        cases=(0,) if job.fields else (),
        conductivities=conductors if cell.physics == "conduction" else {},
    )


def _options(job: Job) -> dict[str, Any]:
    return {
        f.name: getattr(job, f.name) for f in fields(job) if f.name not in ("phases", "command")
    }
