"""How far down the spectrum of the preconditioned operator reaches, before anything is solved."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from scalebridge.cell import bounded, cg, media
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.error_estimate import EnergyErrorEstimate

_SIDE = 10  # voxels along the longest side of the grid on which the spectrum is looked at
_MARGIN = 0.5  # for what that grid does not show: the spectrum widens slowly with resolution
_STEPS = 200


def floor(disc: Discretisation, reference: np.ndarray, moduli: np.ndarray) -> float:
    """Return a lower bound of the spectrum of M⁻¹A, 0 where a modulus is singular.

    It is that of the reference medium times the smallest eigenvalue of C⁰⁻¹C. The former is
    one for an exact inverse, and known where components are fixed together (`bounded.floor`).
    Where a normal component is freed it is measured, by Lanczos' method on a coarse grid of
    the same proportions, and halved: there the bound of the error is an estimate.
    """
    own = bounded.floor(disc, reference)
    if own == 0.0:
        own = _MARGIN * _measured(_coarse(disc), reference.tobytes(), len(reference))
    return own * media.spectrum_floor(moduli, reference)


def _coarse(disc: Discretisation) -> Discretisation:
    factor = max(1.0, max(disc.shape) / _SIDE)
    shape = tuple(max(2, round(n / factor)) for n in disc.shape)
    sides = np.array([h * n / m for h, n, m in zip(disc.spacing, disc.shape, shape, strict=True)])
    sides /= np.exp(np.mean(np.log(sides)))
    spacing = tuple(float(f"{h:.12g}") for h in sides)
    return replace(disc, shape=shape, spacing=spacing, isotropic=False)


@lru_cache(maxsize=64)
def _measured(disc: Discretisation, reference: bytes, size: int) -> float:
    """Return the smallest Ritz value of M⁻¹A for the homogeneous medium, from a random start."""
    modulus = jnp.asarray(np.frombuffer(reference).reshape(size, size))
    labels = media.with_ghosts(np.zeros(disc.shape, np.uint8), disc.bounded, outside=1)
    medium = media.Media(jnp.asarray(labels), media.pack(disc, modulus[None]))
    green = bounded.green_operator(disc, modulus, single=False)
    work = cg.Workspace(cg.Problem(disc, medium, green, 0.0))
    rng = np.random.default_rng(0)
    u = tuple(jnp.asarray(rng.normal(size=disc.nodes)) for _ in range(disc.unknowns))
    work.evaluate(u, np.zeros(disc.components))
    start = work.norm()
    gz, beta = work.precondition(), jnp.zeros(())
    lanczos = EnergyErrorEstimate(0.0, float(gz))
    smallest = np.inf
    for step in range(1, _STEPS + 1):
        u, norm, alpha, new = work.iterate(u, gz, beta)
        lanczos.update(alpha, float(new))
        beta, gz = new / gz, new
        if step % 10 == 0 or norm < 1e-10 * start:
            before, smallest = smallest, lanczos.smallest_ritz_value()
            if norm < 1e-10 * start or smallest > 0.99 * before:
                break
    return min(1.0, smallest)
