"""Where the solve of a substep starts: the last state, carried on as the load goes on."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scalebridge.cell.equilibrium import Driving, Equations, Unknowns
from scalebridge.upscaling.history import End, Snapshot

_FARTHEST = 4.0  # times the substep before
_STILL = 1e-6  # of the level of stress: loads that are held


def extrapolate(equations: Equations, end: End, driving: Driving) -> Unknowns:
    """Return the last state, extrapolated as far as the prescribed averages go."""
    now, before = end.now, end.before
    mean, u = now.mean, now.u
    if before is not None:
        ratio = _ratio(equations, now, before, driving, end.dt)
        mean = mean + ratio * (mean - before.mean)
        u = tuple(a + ratio * (a - b) for a, b in zip(u, before.u, strict=True))
    return Unknowns(u, driving.free @ mean * equations.root)


def _ratio(
    equations: Equations, now: Snapshot, before: Snapshot, driving: Driving, dt: float
) -> float:
    """Return how far the load goes on, relative to the substep before; 0 where it turns.

    Prescribed gradients are made stresses by the reference medium, to be counted with them.
    """
    free = np.asarray(driving.free)
    held = np.eye(len(free)) - free
    modulus = float(jnp.trace(equations.reference)) / len(free)
    last, previous = np.asarray(now.mean), np.asarray(before.mean)
    stress, stress_before = np.asarray(now.average), np.asarray(before.average)
    ahead = np.concatenate(
        [
            modulus * held @ (np.asarray(driving.gradient) - last),
            free @ (np.asarray(driving.flux) - stress),
        ]
    )
    behind = np.concatenate([modulus * held @ (last - previous), free @ (stress - stress_before)])
    level = float(np.linalg.norm(stress) + modulus * np.linalg.norm(last - previous))
    if np.linalg.norm(behind) <= _STILL * level:  # held loads: what goes on is a matter of time
        still = np.linalg.norm(ahead) <= _STILL * level
        return min(float(driving.dt) / dt, _FARTHEST) if still else 0.0
    return float(np.clip(ahead @ behind / (behind @ behind), 0.0, _FARTHEST))
