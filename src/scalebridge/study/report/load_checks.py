"""The evidence of a load history, each with what it means and a verdict."""

from __future__ import annotations

import numpy as np

from scalebridge.study.opened_load import OpenedLoad
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.report.checks import BAD, GOOD, LOOK, NEUTRAL, Check, balance, energy_limit
from scalebridge.study.report.words import duration, number, small

_LARGEST_IMBALANCE = 0.05
_ROUND_OFF = 1e-9  # of the energies of the history; `scalebridge.load` refuses more
_TOLERANCE = 1e-5  # of `scalebridge.load`


def load_checks_of(run: OpenedRun, load: OpenedLoad) -> list[Check]:
    """Return the evidence of a load history."""
    return [
        _convergence(load),
        _time_integration(load),
        _second_law(load),
        balance(
            "Hill–Mandel",
            float(load.ledger.hill_mandel[-1]),
            energy_limit(_tolerance(run, load)),
            "The rate of work of the averages must be the average rate of work of the local "
            "fields, in every substep",
        ),
        _iterations(load),
        _time(run, load),
    ]


def _convergence(load: OpenedLoad) -> Check:
    reached = f"{load.reached} of {load.steps} steps"
    if load.converged and load.reached == load.steps:
        return Check("Convergence", reached, GOOD, "The path was followed to its end.")
    what = load.message or "the path was not followed to its end"
    return Check("Convergence", reached, BAD, f"{what[:1].upper()}{what[1:]}.")


def balanced_to(load: OpenedLoad) -> str:
    """Say to how much of the largest energy the ledger balances at every time."""
    found = _imbalance(load)
    return "round-off" if found <= _ROUND_OFF else f"{number(100 * found, 2)} %"


def _imbalance(load: OpenedLoad) -> float:
    scale = load.ledger.scale
    return float(np.abs(load.ledger.imbalance).max()) / scale if scale else 0.0


def _time_integration(load: OpenedLoad) -> Check:
    return Check(
        "Work = stored + dissipated",
        f"to {balanced_to(load)}",
        GOOD if _imbalance(load) <= _LARGEST_IMBALANCE else LOOK,
        "What is left over is the error of the time integrator, of first order in the steps: "
        f"beyond {100 * _LARGEST_IMBALANCE:.0f} % of the largest energy, refine the path.",
    )


def _second_law(load: OpenedLoad) -> Check:
    """Look at the local dissipation in all substeps, and at the average from row to row."""
    ledger = load.ledger
    least = min(float(np.diff(ledger.dissipated).min(initial=0.0)), ledger.least_dissipation)
    meaning = (
        "Clausius and Duhem: no point gives back what was dissipated, nor does their average. "
        "Negative values beyond round-off are an error of a law."
    )
    holds = least >= -_ROUND_OFF * ledger.scale
    told = "holds" if holds else f"violated, by {small(-least / ledger.scale)} of the energy"
    return Check("Dissipation never decreases", told, GOOD if holds else BAD, meaning)


def _tolerance(run: OpenedRun, load: OpenedLoad) -> float:
    """Return what the forces were balanced to."""
    loads = ((run.study or {}).get("resolved") or {}).get("loads", {})
    return float(loads.get(load.name, {}).get("tolerance", _TOLERANCE))


def _iterations(load: OpenedLoad) -> Check:
    steps = max(load.reached, 1)
    newton, krylov = (load.columns[name].sum() / steps for name in ("newton", "krylov"))
    cut = int((load.columns["substeps"] > 1).sum())
    steps_cut = f"; {cut} {'step was' if cut == 1 else 'steps were'} cut" if cut else ""
    return Check(
        "Iterations a step",
        f"{number(newton, 2)} Newton, {number(krylov, 3)} linear{steps_cut}",
        NEUTRAL,
        "On average; a step that cannot be solved at once is halved until it can.",
    )


def _time(run: OpenedRun, load: OpenedLoad) -> Check:
    seconds = run.summary["loads"][load.name]["wall_seconds"]
    return Check("Time", duration(seconds), NEUTRAL, "Wall time of the history.")
