"""What makes an effective tensor believable."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from scalebridge.cell import cg

_VISIBLE = 1e-6  # of the affine field's energy: less is no mechanism worth telling of


class HillMandel(NamedTuple):
    """The energy balance between the scales (Hill 1963), in forms that can fail.

    Attributes
    ----------
    symmetry : float
        Between load cases: ‖S − Sᵀ‖/‖S‖ with S_ab = ē_a·σ̄_b, the plain volume
        averages. Equilibrium and compatibility make it zero, at first order in
        the fields' error. NaN for transport through a cell, where each load case
        is a problem of its own.
    boundary_work : float
        Largest relative difference, over load cases, of the volume average
        ⟨σ·ε⟩ and the work of the nodal reactions on the boundary of the cell,
        assembled independently.

    Load cases that nothing carries have no energy to compare, and are left out.
    """

    symmetry: float
    boundary_work: float


def hill_mandel(
    averages: np.ndarray, outcomes: Sequence[cg.Outcome], one_problem: bool = True
) -> HillMandel:
    """Compare averages between load cases of one problem, and with the boundary's work."""
    if not outcomes:
        return HillMandel(np.nan, np.nan)
    loaded = [case for case, o in enumerate(outcomes) if not o.carries_nothing]
    if not loaded:
        return HillMandel(0.0, 0.0)
    block = averages[np.ix_(loaded, loaded)]
    symmetry = np.nan
    if one_problem:
        symmetry = float(np.linalg.norm(block - block.T) / np.linalg.norm(block))
    largest = max(outcomes[case].energy for case in loaded)
    work = max(abs(outcomes[case].boundary_work - outcomes[case].energy) for case in loaded)
    return HillMandel(symmetry, work / largest)


def hourglass_share(
    problem_of: Callable[[int], cg.Problem], outcomes: Sequence[cg.Outcome]
) -> float | None:
    """Share of the hourglass modes in the energy of the fully integrated element.

    It is what the one-point element does not see of its own solution; 1 where
    its displacement is a mechanism.
    """
    if not outcomes or problem_of(0).disc.element != "reduced":
        return None
    shares, before = [0.0], None
    for case, outcome in enumerate(outcomes):
        problem = problem_of(case)
        disc = problem.disc
        if problem is not before:
            work = cg.Workspace(problem._replace(disc=replace(disc, element="full")))
            before = problem
        mean = np.eye(disc.components)[case]
        useful = work.evaluate(outcome.u, mean) / disc.voxels
        energy = float(mean @ work.average_flux()) + useful
        if energy > _VISIBLE * outcome.affine_energy:
            shares.append(1.0 - max(outcome.energy, 0.0) / energy)
    return max(shares)


def peak_memory() -> int:
    """Largest resident memory of this process so far [byte]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
