"""What makes an effective tensor believable."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scalebridge.cell import cg

_NOTHING = 1e-12  # of the largest modulus, which is the unit here: below it a tensor is zero


class HillMandel(NamedTuple):
    """The energy balance between the scales (Hill 1963), in forms that can fail.

    Attributes
    ----------
    symmetry : float
        Between load cases: ‖S − Sᵀ‖/‖S‖ with S_ab = ē_a·σ̄_b, the plain volume
        averages. Equilibrium and compatibility make it zero, at first order in
        the fields' error.
    boundary_work : float
        Largest relative difference, over load cases, of the volume average
        ⟨σ·ε⟩ and the work of the nodal reactions on the boundary of the cell,
        assembled independently.
    """

    symmetry: float
    boundary_work: float


def hill_mandel(averages: np.ndarray, outcomes: Sequence[cg.Outcome]) -> HillMandel:
    """Compare averages between load cases, and with the boundary's work."""
    done = len(outcomes)
    if done == 0:
        return HillMandel(np.nan, np.nan)
    block = averages[:done, :done]
    size = max(float(np.linalg.norm(block)), _NOTHING)
    largest = max(_NOTHING, *(abs(o.energy) for o in outcomes))
    work = max(abs(o.boundary_work - o.energy) for o in outcomes)
    return HillMandel(float(np.linalg.norm(block - block.T)) / size, work / largest)


def hourglass_share(problem: cg.Problem, outcomes: Sequence[cg.Outcome]) -> float | None:
    """Share of the hourglass modes in the energy of the fully integrated element.

    It is what the one-point element does not see of its own solution.
    """
    disc = problem.disc
    if disc.element != "reduced" or not outcomes:
        return None
    full = replace(disc, element="full")
    work = cg.Workspace(problem._replace(disc=full))
    shares = [0.0]
    for case, outcome in enumerate(outcomes):
        if outcome.energy <= _NOTHING:
            continue
        mean = np.eye(disc.components)[case]
        useful = work.evaluate(outcome.u, mean) / disc.voxels
        energy = float(mean @ work.average_flux()) + useful
        shares.append(1.0 - outcome.energy / energy)
    return max(shares)


def peak_memory() -> int:
    """Largest resident memory of this process so far [byte]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
