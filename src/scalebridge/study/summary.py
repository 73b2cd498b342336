"""What a computation found and on what it rests, as plain dicts: for JSON and provenance."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.study.files import plain
from scalebridge.study.load_path import components_of, mandel_factors

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.study.plan import LoadRequest
    from scalebridge.upscaling import Bounds, Effective
    from scalebridge.upscaling.history import History

_PACKAGES = ("scalebridge", "jax", "jaxlib", "equinox", "numpy", "scipy", "h5py")

#: Physics → what its effective tensor is called.
QUANTITIES = {
    "conduction": "conductivity",
    "diffusion": "diffusivity",
    "electric": "electric conductivity",
    "dielectric": "permittivity",
    "elasticity": "stiffness (Mandel)",
}


def unit_of(quantity: str, units: Mapping[str, str]) -> str:
    """Return the unit of an effective tensor; empty where it is that of the input.

    Parameters
    ----------
    quantity : one of `QUANTITIES`
    units : kind of quantity → SI unit, of what the study gave with units
    """
    kinds = {name: "stress" if p == "elasticity" else p for p, name in QUANTITIES.items()}
    return units.get(kinds.get(quantity, ""), "")


def describe_image(
    micro: Microstructure, phases: Mapping[str, Mapping[str, Any]], **source: Any
) -> dict[str, Any]:
    """Return what was understood of the image: source, shape, spacing, extent, phases."""
    fractions = micro.volume_fractions
    return plain(
        {
            **source,
            "shape": micro.shape,
            "spacing": micro.spacing,
            "extent": micro.extent,
            "phases": {
                name: {**told, "volume_fraction": fractions[name]} for name, told in phases.items()
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


def describe_load(
    history: History, request: LoadRequest, seconds: float, kept: Sequence[int]
) -> dict[str, Any]:
    """Return a load history with its evidence.

    Components of strain and stress are tensor components: ``12`` is ε₁₂ = γ₁₂/2 and σ₁₂.

    Returns
    -------
    dict
        ``physics`` ("conduction", "elasticity", "finite strain"), ``boundary``, ``element``,
        ``plane``, ``components``, ``names`` (of gradient and flux); ``converged``, ``message``;
        ``steps`` and ``reached``, rows of the path after the one at rest; ``final`` and ``peak``,
        quantity → component → the last value, and that of the largest magnitude; ``ledger``,
        ``work``, ``stored``, ``dissipated``, ``imbalance``, ``hill_mandel`` at the end and
        ``least_dissipation`` of all; ``newton``, ``krylov``, ``substeps`` in all; ``table``,
        column → values, as `columns_of` gives them; ``kept``, the rows whose fields are stored;
        ``tangent``, the last one in Mandel components or row by row, or null; ``units`` of
        ``time`` and of the two quantities, SI, where the study gives units; ``wall_seconds``.
    """
    cell, table = request.cell, columns_of(history, request)
    names, components = request.path.names, components_of(cell)
    curves = {name: {c: np.asarray(table[f"{name}_{c}"]) for c in components} for name in names}
    ledger = ("work", "stored", "dissipated", "imbalance", "hill_mandel")
    least = table["least_dissipation"][1:]
    steps = len(table["time"]) - 1
    tangents = history.tangents
    return plain(
        {
            "physics": cell.physics,
            "boundary": cell.boundary,
            "element": cell.element,
            "plane": cell.plane,
            "components": components,
            "names": names,
            "converged": history.converged,
            "message": history.message,
            "steps": len(request.path.times) - 1,
            "reached": steps,
            "final": {n: {c: v[-1] for c, v in told.items()} for n, told in curves.items()},
            "peak": {
                n: {c: v[np.abs(v).argmax()] for c, v in told.items()} for n, told in curves.items()
            },
            "ledger": {
                **{name: table[name][-1] for name in ledger},
                "least_dissipation": least.min() if len(least) else None,
            },
            **{name: int(np.sum(table[name])) for name in ("newton", "krylov", "substeps")},
            "table": table,
            "kept": list(kept),
            "tangent": tangents[-1] if tangents is not None and steps else None,
            "units": dict(request.units),
            "wall_seconds": seconds,
        }
    )


def columns_of(history: History, request: LoadRequest) -> dict[str, NDArray[Any]]:
    """Return the columns of a load's table, (row,) each; row 0 is rest."""
    factors, ledger = mandel_factors(request.cell), history.ledger
    columns = {"time": history.times}
    for name, values in zip(request.path.names, (history.gradient, history.flux), strict=True):
        for c, component in enumerate(components_of(request.cell)):
            columns[f"{name}_{component}"] = values[:, c] / factors[c]
    names = ("work", "stored", "dissipated", "imbalance", "hill_mandel", "least_dissipation")
    columns |= {name: getattr(ledger, name) for name in names}
    return columns | {name: getattr(history, name) for name in ("newton", "krylov", "substeps")}


def tortuosity(
    effective: Effective, micro: Microstructure, conductivities: Mapping[str, float]
) -> dict[str, Any] | None:
    """Return how much a phase that alone conducts is hindered along each axis.

    With the volume fraction ε of the phase: the tortuosity factor τ = ε k / k_eff, the
    convention of TauFactor and PyBaMM's "tortuosity factor" (Tjaden et al. 2016); the
    MacMullin number k / k_eff = τ / ε; the exponent of Bruggeman's k_eff = ε^α k. All are
    null along an axis where nothing passes.
    """
    conducting = [(phase, k) for phase, k in conductivities.items() if k > 0]
    if len(conducting) != 1 or not effective.complete:
        return None
    ((phase, own),) = conducting
    share = micro.volume_fractions[phase]
    if not 0 < share < 1:
        return None
    passing = np.diag(effective.tensor) / own
    passing = np.where(passing > 0, passing, np.nan)
    measures = {
        "factor": share / passing,
        "macmullin": 1 / passing,
        "bruggeman_exponent": np.log(passing) / np.log(share),
    }
    along = {name: dict(zip("xyz", m.tolist(), strict=False)) for name, m in measures.items()}
    return plain({"phase": phase, **along})


def describe_run(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, when it was done, with which versions, on which machine."""
    return plain(
        {
            **asked,
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
