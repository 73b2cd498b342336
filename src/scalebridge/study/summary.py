"""What a computation found and on what it rests, as plain dicts: for JSON and provenance."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge.errors import InputError
from scalebridge.study.files import plain

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.study.phases import Phase
    from scalebridge.upscaling import Bounds, Effective

_PACKAGES = ("scalebridge", "jax", "jaxlib", "equinox", "numpy", "scipy", "h5py")


def describe_image(
    micro: Microstructure, phases: Iterable[Phase], path: str, digest: str
) -> dict[str, Any]:
    """Return what was understood of the image: shape, spacing, extent, phases."""
    fractions = micro.volume_fractions
    return plain(
        {
            "path": path,
            "sha256": digest,
            "shape": micro.shape,
            "spacing": micro.spacing,
            "extent": micro.extent,
            "phases": {
                phase.name: {
                    "where": phase.where,
                    "volume_fraction": fractions[phase.name],
                    "constants": phase.constants,
                }
                for phase in phases
            },
        }
    )


def describe_effective(effective: Effective, cell: Cell) -> dict[str, Any]:
    """Return an effective tensor with its evidence; null stands for what was not computed."""
    constants: dict[str, Any] = {}
    doubts = []
    try:
        constants = effective.engineering_constants() if effective.complete else {}
    except InputError as error:  # a tensor far from converged may not be positive, say
        doubts = [f"no engineering constants: {error}"]
    return plain(
        {
            "tensor": effective.tensor,
            "components": effective.components,
            "voigt": effective.voigt,
            "engineering_constants": constants,
            "boundary": cell.boundary,
            "element": cell.element,
            "plane": cell.plane,
            "evidence": {
                "complete": effective.complete,
                "converged": effective.converged,
                "message": effective.message,
                "measure": effective.measure,
                "tolerance": effective.tolerance,
                "error_estimate": effective.error_estimate,
                "residual": effective.residual,
                "hill_mandel_symmetry": effective.hill_mandel.symmetry,
                "hill_mandel_boundary_work": effective.hill_mandel.boundary_work,
                "hourglass_share": effective.hourglass,
                "iterations": effective.iterations,
            },
            "timings": effective.timings,
            "peak_memory_bytes": effective.peak_memory,
            "warnings": [*effective.warnings, *doubts],
        }
    )


def describe_bounds(bounds: Bounds) -> dict[str, Any]:
    """Return what bounds the tensor, from the softest to the stiffest, and what that is worth."""
    return plain(
        {
            "components": bounds.components,
            "tensors": bounds.tensors,
            "iterations": {name: r.iterations for name, r in bounds.results.items()},
            "hashin_shtrikman": bounds.hashin_shtrikman,
            "infeasible": bounds.infeasible,
            "order": [c._asdict() for c in bounds.order],
            "ordered": bounds.is_ordered,
            "statements": bounds.statements,
        }
    )


def tortuosity(
    effective: Effective, micro: Microstructure, phases: Iterable[Phase]
) -> dict[str, Any] | None:
    """Return the tortuosity factor τ = ε k / k_eff along each axis, where one phase conducts.

    It is the convention of TauFactor and PyBaMM's "tortuosity factor" (Tjaden et al. 2016);
    null along an axis where nothing passes.
    """
    conducting = [phase for phase in phases if phase.constants.get("k", 0.0) > 0]
    if effective.physics != "conduction" or len(conducting) != 1 or not effective.complete:
        return None
    phase = conducting[0]
    free = micro.volume_fractions[phase.name] * phase.constants["k"]
    along = {"xyz"[a]: free / k if k > 0 else None for a, k in enumerate(np.diag(effective.tensor))}
    return plain({"phase": phase.name, "factor": along}) if free < phase.constants["k"] else None


def describe_run(command: Iterable[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was run, when, with which versions and on which machine."""
    return plain(
        {
            "command": list(command),
            "options": dict(options),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"python": platform.python_version(), **_versions()},
            "machine": {
                "platform": platform.platform(),
                "processors": os.cpu_count(),
            },
        }
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
