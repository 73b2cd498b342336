"""The evidence of a solved structure, each with what it means and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.study.report.checks import BAD, GOOD, LOOK, NEUTRAL, Check
from scalebridge.study.report.words import duration, number, small
from scalebridge.study.structure_columns import column_of, steps_of

_LARGEST_IMBALANCE = 0.05
_LARGEST_SHARED_ERROR = 0.05
_ROUND_OFF = 1e-9  # of the largest energy
_NEAR = 0.1  # residuals below are near enough to tell an order
_FLOOR = 1e-12  # below, residuals are round-off
_SUPERLINEAR = 1.5


def structure_checks_of(told: Mapping[str, Any]) -> list[Check]:
    """Return the evidence of a structure.

    Parameters
    ----------
    told : mapping
        What the summary tells of the structure.
    """
    conducts = told["physics"] == "conduction"  # where fluxes do no work
    return [
        _convergence(told),
        *([] if conducts else [_energy(told), _second_law(told)]),
        *_sharing(told),
        _order(told),
        _iterations(told),
        Check("Time", duration(told["wall_seconds"]), NEUTRAL, "Wall time of the structure."),
    ]


def _convergence(told: Mapping[str, Any]) -> Check:
    reached = f"{told['reached']} of {told['steps']} steps"
    if told["converged"] and told["reached"] == told["steps"]:
        return Check("Convergence", reached, GOOD, "The loads were followed to their end.")
    what = told["message"] or "the loads were not followed to their end"
    return Check("Convergence", reached, BAD, f"{what[:1].upper()}{what[1:]}.")


def largest_energy(told: Mapping[str, Any]) -> float:
    """Return the largest of all energies, to compare small ones with."""
    energies = [column_of(told, key).values for key in ("work", "stored", "dissipated")]
    return float(np.nanmax(np.abs(energies), initial=0.0))


def balanced_to(told: Mapping[str, Any]) -> str:
    """Say to how much of the largest energy the energies balance at every time."""
    found = _imbalance(told)
    return "round-off" if found <= _ROUND_OFF else f"{number(100 * found, 2)} %"


def _imbalance(told: Mapping[str, Any]) -> float:
    work, stored, lost = (column_of(told, key).values for key in ("work", "stored", "dissipated"))
    scale = largest_energy(told)
    return float(np.nanmax(np.abs(work - stored - lost), initial=0.0)) / scale if scale else 0.0


def _dissipates(told: Mapping[str, Any]) -> bool:
    lost = column_of(told, "dissipated").values
    return float(np.nanmax(np.abs(lost), initial=0.0)) > _ROUND_OFF * largest_energy(told)


def _energy(told: Mapping[str, Any]) -> Check:
    if not _dissipates(told):
        return Check(
            "Work = stored + dissipated",
            f"to {balanced_to(told)}",
            NEUTRAL,
            "Nothing dissipates: what the body stores depends on where it is, not on the steps. "
            "What is left over is the error of the work alone, a sum of trapezia over them.",
        )
    return Check(
        "Work = stored + dissipated",
        f"to {balanced_to(told)}",
        GOOD if _imbalance(told) <= _LARGEST_IMBALANCE else LOOK,
        "Work of loads and supports against the energies at all points. What is left over is the "
        f"error of the steps in time: beyond {100 * _LARGEST_IMBALANCE:.0f} % of the largest "
        "energy, refine them.",
    )


def _second_law(told: Mapping[str, Any]) -> Check:
    lost = np.diff(column_of(told, "dissipated").values)
    scale = largest_energy(told)
    least = float(lost.min(initial=0.0))
    holds = least >= -_ROUND_OFF * scale
    return Check(
        "Dissipation never decreases",
        "holds" if holds else f"violated, by {small(-least / scale)} of the energy",
        GOOD if holds else BAD,
        "Clausius and Duhem, from step to step. Negative values beyond round-off are an error of "
        "a law.",
    )


def _sharing(told: Mapping[str, Any]) -> list[Check]:
    """Tell of each region in which points that are alike shared their solves, and the error."""
    return [
        Check(
            f"Shared solves in {region}",
            f"{shared['groups']} for {shared['points']} points, error {small(shared['error'])}",
            # An error that could not be measured is none to rely on.
            LOOK if shared["error"] is None or shared["error"] > _LARGEST_SHARED_ERROR else GOOD,
            "Largest error of a flux, relative to the largest in the region, of some points that "
            f"were solved again on their own: beyond {100 * _LARGEST_SHARED_ERROR:.0f} %, lower "
            "`alike`.",
        )
        for region, shared in told.get("sharing", {}).items()
    ]


def orders_of(substeps: Any) -> NDArray[np.float64]:
    """Return orders of convergence, each from three residuals in a row of one substep.

    Parameters
    ----------
    substeps : list of list of iterations
        Of one step; residual, micro tolerance and work of micro problems first. Only residuals
        below 0.1 count, above round-off and what micro problems were solved to.
    """
    found = []
    for lines in substeps:
        for some in zip(lines, lines[1:], lines[2:], strict=False):
            triple, (_, tolerance, work, *_) = [line[0] for line in some], some[2]
            floor = max(_FLOOR, tolerance) if work else _FLOOR
            if None in triple or not _NEAR > triple[0] > triple[1] > triple[2] > floor:
                continue
            first, second = np.diff(np.log(triple))
            found.append(second / first)
    return np.array(found)


def _order(told: Mapping[str, Any]) -> Check:
    found = np.concatenate([np.zeros(0), *map(orders_of, steps_of(told))])
    meaning = (
        "Median, from three residuals in a row below 0.1 and above what the micro problems are "
        "solved to. Two is quadratic, one is linear."
    )
    if not len(found):
        return Check("Order of Newton's iteration", "–", NEUTRAL, "Too few iterations to tell.")
    median = float(np.median(found))
    verdict = GOOD if median >= _SUPERLINEAR else NEUTRAL
    return Check("Order of Newton's iteration", f"{median:.1f}", verdict, meaning)


def _iterations(told: Mapping[str, Any]) -> Check:
    steps = max(told["reached"], 1)
    cut = int((column_of(told, "substeps").values > 1).sum())
    steps_cut = f"; {cut} {'step was' if cut == 1 else 'steps were'} cut" if cut else ""
    return Check(
        "Iterations a step",
        f"{number(told['newton'] / steps, 2)} Newton{steps_cut}",
        NEUTRAL,
        "On average; a step that cannot be solved at once is halved until it can.",
    )
