"""Where in a structure the micro problems took most iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from scalebridge.structure import Solution


class Worked(NamedTuple):
    """A point, and the iterations that its cell took over the whole run."""

    region: str
    element: int
    point: int
    work: int


def hardest(solution: Solution, count: int) -> list[Worked]:
    """Return the points whose cells took most iterations, the hardest first.

    Points whose cells took none are left out.
    """
    found = []
    for region in solution.regions:
        work = solution.work_of_points.get(region.name)
        if work is None:  # closed forms have no micro problem
            continue
        order = np.argsort(-work, axis=None, kind="stable")[:count]
        for row, point in zip(*np.unravel_index(order, work.shape), strict=True):
            if work[row, point] > 0:
                element = int(region.elements[row])
                found.append(Worked(region.name, element, int(point), int(work[row, point])))
    return sorted(found, key=lambda one: -one.work)[:count]
