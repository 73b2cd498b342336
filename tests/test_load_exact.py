"""Load histories against exact and published answers: viscous layers, assemblages, rotations.

Record ids (visco.…, viscoplastic.…, fs.…) are those of the project's collection of reference
values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import scalebridge as sb

NAN = np.nan
ROOT2 = np.sqrt(2.0)
SUDDEN = 1e-12  # a step in time: what relaxes within it is 1e-12 of the rest
RECORD_TIMES = [0.0, 0.5, 1.0, 5.0, 20.0]


def stacked(count: int, of: int, normal: str, laws: tuple[Any, Any], **options: Any) -> sb.Cell:
    """Layers, of which `count` voxels of `of` along the normal are the second law's."""
    dim = 2 if "plane" in options else 3
    shape, column = [2] * dim, [1] * dim
    shape["xyz".index(normal)] = column["xyz".index(normal)] = of
    labels = np.broadcast_to((np.arange(of) < count).astype(int).reshape(column), shape)
    micro = sb.Microstructure(labels, 1.0, {"a": 0, "b": 1})
    return sb.Cell(micro, dict(zip("ab", laws, strict=True)), **options)


def maxwell(G: float, K: float, shear: Any, bulk: Any = ((), ())) -> Any:
    """By instantaneous moduli; pairs of shares and relaxation times."""
    E, nu = 9 * K * G / (3 * K + G), (3 * K - 2 * G) / (2 * (3 * K + G))
    return sb.laws.GeneralizedMaxwell(E=E, nu=nu, shear=shear, bulk=bulk)


def held(cell: sb.Cell, value: Any, times: Any, *, kind: str = "strain") -> Any:
    """Apply a load suddenly at t = 0 and hold it; row 1 is t = 0⁺."""
    value = np.asarray(value, float)
    rows = np.concatenate([np.where(np.isnan(value), NAN, 0.0)[None], [value] * (len(times))])
    moments = np.concatenate([[0.0, SUDDEN], np.asarray(times)[1:]])
    return sb.load(cell, moments, **{kind: rows}, tolerance=1e-11)


def steps_to(end: float, count: int) -> np.ndarray:
    return np.linspace(0.0, end, count + 1)


def check_order(errors: list[np.ndarray], order: float) -> None:
    """Errors of time steps h, h/2, h/4: 2^order times smaller each time.

    The next term of the expansion is smaller by h; twice that of the finest is allowed, which
    the ratio of the coarser pair tells.
    """
    sizes = [float(np.linalg.norm(e)) for e in errors]
    coarse, fine = (np.log2(sizes[i] / sizes[i + 1]) for i in range(2))
    assert abs(fine - order) < max(0.6 * abs(coarse - order), 0.02)
    assert abs(coarse - order) < 0.25


# --- Viscoelastic layers ---------------------------------------------------------------------

LAYER = {"soft": (1.0, 2.0, 1.0), "hard": (10.0, 5.0, 3.0)}  # G∞, G₁, τ of the records


def record_layers(normal: str) -> sb.Cell:
    laws = tuple(
        maxwell(G + G1, 2 * (G + G1), shear=(G1 / (G + G1), tau)) for G, G1, tau in LAYER.values()
    )
    return stacked(1, 2, normal, laws)  # type: ignore[arg-type]


def test_viscoelastic_layers_sheared_along() -> None:
    """Record visco.shear.parallel (correspondence principle, closed form): ⟨G(t)⟩.

    The strain of each layer is the average one, held: exact at any time step.
    """
    exact = [9.0, 8.22273497194, 7.65920771761, 5.97892695409, 5.50318158656]
    history = held(record_layers("x"), [0, 0, 0, 1e-3, 0, 0], RECORD_TIMES)
    relaxation = history.stress[1:, 3] / (2 * 1e-3)  # √2 τ₂₃ under √2 ε₂₃ = γ₂₃/√2
    np.testing.assert_allclose(relaxation, exact, rtol=1e-11)


def test_viscoelastic_layers_sheared_across() -> None:
    """Record visco.shear.series (correspondence principle, closed form): creep, ⟨J(t)⟩.

    The strain is not linear over a step, so that the step counts: second order.
    """
    exact, times = np.array([0.2, 0.252925436423, 0.297810606427]), [0.0, 0.5, 1.0]
    errors = []
    for count in (10, 20, 40):
        stress = np.array([0, 0, 0, 0, 0, 1e-3])
        history = held(record_layers("x"), stress, steps_to(1.0, count), kind="stress")
        creep = 2 * history.strain[1:, 5] / 1e-3
        errors.append(creep[np.searchsorted(history.times[1:], times)] - exact)
    assert abs(errors[0][0]) < 1e-11  # at once, the springs
    check_order(errors, 2.0)
    # Without the leading term what is left is of fourth order: far below its sixteenth.
    extrapolated = (4 * errors[2] - errors[1]) / 3
    assert np.abs(extrapolated).max() < np.abs(errors[2]).max() / 100


def test_creep_of_layers_ends_at_their_springs() -> None:
    """The last record of visco.shear.series but one relaxation time: J → ⟨1/G∞⟩, from below."""
    history = held(
        record_layers("x"), [0, 0, 0, 0, 0, 1e-3], steps_to(100.0, 40), kind="stress"
    )
    creep = 2 * history.strain[1:, 5] / 1e-3
    # Slowest: retardation time 3·15/10 = 4.5 of the hard layer, e^(−100/4.5) = 2e-10.
    assert creep[-1] == pytest.approx(0.55, rel=1e-8)
    assert np.all(np.diff(creep) > 0)
