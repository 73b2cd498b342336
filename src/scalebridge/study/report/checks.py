"""The evidence of a result, each with what it means and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_tensor import OpenedBounds, OpenedTensor
from scalebridge.study.report.words import duration, small

GOOD, LOOK, BAD, NEUTRAL = "good", "look", "bad", "neutral"
_LARGEST_HOURGLASS = 0.1
_ENERGY_FLOOR, _ENERGY_CEILING = 1e-6, 1e-2


@dataclass(frozen=True)
class Check:
    """One piece of evidence.

    Attributes
    ----------
    verdict : "good", "look", "bad" or "neutral"
    """

    name: str
    value: str
    verdict: str
    meaning: str


def checks_of(run: OpenedRun, result: OpenedTensor) -> list[Check]:
    """Return the evidence of one effective tensor."""
    evidence = result.evidence
    checks = [_convergence(result), _error(result), _residual(run, result)]
    limit = energy_limit(evidence["residual"])
    checks.append(
        balance(
            "Hill–Mandel between load cases",
            evidence["hill_mandel_symmetry"],
            limit,
            "The work of one load case in the field of another must be the same both ways",
        )
    )
    checks.append(
        balance(
            "Hill–Mandel at the boundary",
            evidence["hill_mandel_boundary_work"],
            limit,
            "The energy inside must be the work done at the boundary, which is assembled "
            "independently",
        )
    )
    share = evidence.get("hourglass_share")
    if share is not None:
        checks.append(
            Check(
                "Hourglass modes",
                f"{100 * share:.2g} %",
                LOOK if share >= _LARGEST_HOURGLASS else GOOD,
                "Share of the energy in deformations that one-point elements do not resist; "
                f"to be looked at from {100 * _LARGEST_HOURGLASS:.0f} %.",
            )
        )
    if result.name in run.bounds:
        checks.append(order_of(run.bounds[result.name]))
    return [*checks, _iterations(result), _cost(result)]


def order_of(bounds: OpenedBounds) -> Check:
    """Return whether the boundary conditions follow one another as they must."""
    text = (
        "Reuss ≤ static ≤ periodic ≤ kinematic ≤ Voigt on one discretisation, whatever the image."
    )
    if not bounds.results:
        return Check("Order of the boundary conditions", "not compared", NEUTRAL, text)
    broken = [f"{c['lower']} ≤ {c['upper']}" for c in bounds.order if not c["holds"]]
    return Check(
        "Order of the boundary conditions",
        f"violated: {', '.join(broken)}" if broken else "holds",
        BAD if broken else GOOD,
        text,
    )


def _convergence(result: OpenedTensor) -> Check:
    evidence = result.evidence
    what = "error of the tensor" if evidence["measure"] == "tensor" else "residual of the field"
    if result.converged:
        return Check(
            "Convergence",
            "reached",
            GOOD,
            f"Every load case came down to what was asked for: a relative {what} of "
            f"{small(evidence['tolerance'])}.",
        )
    return Check(
        "Convergence",
        "not reached" if result.complete else "unfinished",
        BAD,
        f"{evidence['message'] or 'Some load cases are missing'}: do not use these numbers "
        "without solving again.",
    )


def _error(result: OpenedTensor) -> Check:
    error, asked = result.evidence["error_estimate"], result.evidence["tolerance"]
    if result.evidence["measure"] != "tensor":
        asked = None
    return Check(
        "Error of the tensor, estimated",
        small(error),
        _verdict(error, asked),
        "How far the iteration is from the exact solution on these voxels. It says nothing of "
        "the size of the voxels or of the sample.",
    )


def _residual(run: OpenedRun, result: OpenedTensor) -> Check:
    residual, evidence = result.evidence["residual"], result.evidence
    asked = evidence["tolerance"] if evidence["measure"] == "residual" else _asked(run, result)
    return Check(
        "Residual of the field",
        small(residual),
        _verdict(residual, asked),
        "How far the local fields are from equilibrium, relative to the load. The tensor's error "
        "is of its square; local values are as good as this.",
    )


def _asked(run: OpenedRun, result: OpenedTensor) -> float | None:
    """Return the residual that the local fields were solved to; None without fields."""
    if not run.fields:
        return None
    cells = ((run.study or {}).get("resolved") or {}).get("cells", {})
    options = cells.get(result.name) or run.summary["run"].get("options", {})
    return options.get("field_tolerance") if options.get("fields") else None


def _verdict(value: float | None, limit: float | None) -> str:
    if value is None or not math.isfinite(value):
        return LOOK
    if limit is None:
        return NEUTRAL
    return GOOD if value <= limit else BAD


def energy_limit(residual: float | None) -> float:
    """Return what an energy balance may be off by: it is of first order in the residual."""
    return min(max(_ENERGY_FLOOR, 10.0 * (residual or 0.0)), _ENERGY_CEILING)


def balance(name: str, value: float | None, limit: float, meaning: str) -> Check:
    if value is None:
        text = "Not defined here, since each load case is a problem of its own."
        return Check(name, "–", NEUTRAL, text)
    verdict = GOOD if value <= limit else LOOK
    return Check(name, small(value), verdict, f"{meaning}; good up to {small(limit)}.")


def _iterations(result: OpenedTensor) -> Check:
    counts = " ".join(str(n) for n in result.evidence["iterations"])
    text = "Of conjugate gradients, for each load case; many tell of a high contrast."
    return Check("Iterations", counts or "–", NEUTRAL, text)


def _cost(result: OpenedTensor) -> Check:
    times = ", ".join(f"{name} {duration(value)}" for name, value in result.timings.items())
    return Check(
        "Time and memory",
        f"{times}; {result.peak_memory / 1e6:.0f} MB",
        NEUTRAL,
        "Wall time, and the largest memory of the process so far.",
    )


def worst_of(checks: list[Check]) -> str:
    """Return the verdict on all of them together."""
    found: set[Any] = {check.verdict for check in checks}
    return next((verdict for verdict in (BAD, LOOK) if verdict in found), GOOD)
