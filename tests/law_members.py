"""A member of every law with memory or a nonlinear answer, and a probe of it at one point."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scalebridge.laws import (
    ArmstrongFrederick,
    GeneralizedMaxwell,
    HolzapfelGasserOgden,
    J2Plasticity,
    Law,
    LinearHardening,
    MooneyRivlin,
    NeoHookean,
    NonlinearConduction,
    NortonCreep,
    Ogden,
    PerzynaViscoplastic,
    PowerHardening,
    PowerLawConduction,
    PragerHardening,
    SaintVenantKirchhoff,
    VoceHardening,
)


class Member(NamedTuple):
    """A law, the gradient about which its random paths go, and how far."""

    law: Law
    amplitude: float
    offset: np.ndarray | float = 0.0


STEEL = {"E": 200e3, "nu": 0.3}
BRANCHES = {"shear": ([0.3, 0.6], [0.1, 2.0]), "bulk": (0.4, 1.0)}
STRETCHED = np.array([0.3, 0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, -0.3])  # both families in tension
FIBRES = [[1.0, 1.0, 0.0], [1.0, -1.0, 0.2]]

MEMBERS = {
    "J2": Member(J2Plasticity(**STEEL, yield_stress=300.0), 3e-3),
    "J2, linear and Prager": Member(
        J2Plasticity(
            **STEEL,
            yield_stress=300.0,
            hardening=LinearHardening(2e3),
            kinematic=PragerHardening(5e3),
        ),
        3e-3,
    ),
    "J2, Voce and Prager": Member(
        J2Plasticity(
            **STEEL,
            yield_stress=300.0,
            hardening=VoceHardening(200.0, 30.0, 100.0),
            kinematic=PragerHardening(5e3),
        ),
        3e-3,
    ),
    "J2, power": Member(
        J2Plasticity(**STEEL, yield_stress=300.0, hardening=PowerHardening(1e3, 0.3)), 3e-3
    ),
    "J2, Armstrong-Frederick": Member(
        J2Plasticity(
            **STEEL,
            yield_stress=300.0,
            hardening=LinearHardening(1e3),
            kinematic=ArmstrongFrederick(50e3, 300.0),
        ),
        3e-3,
    ),
    "Perzyna": Member(
        PerzynaViscoplastic(
            **STEEL,
            yield_stress=300.0,
            rate=1e-3,
            drag=50.0,
            exponent=8.0,
            hardening=VoceHardening(200.0, 30.0, 100.0),
            kinematic=PragerHardening(5e3),
        ),
        3e-3,
    ),
    "Norton": Member(NortonCreep(**STEEL, rate=1e-3, stress=100.0, exponent=5.0), 3e-3),
    "Norton, 50": Member(NortonCreep(**STEEL, rate=1e-3, stress=100.0, exponent=50.0), 3e-3),
    "Maxwell": Member(GeneralizedMaxwell(3.0, 0.3, **BRANCHES), 1e-2),
    "Maxwell, implicit": Member(GeneralizedMaxwell(3.0, 0.3, **BRANCHES, scheme="implicit"), 1e-2),
    "conduction, potential": Member(
        NonlinearConduction(lambda g, k: k * jnp.sum(jnp.cosh(g) - 1), [3.0]), 1.0
    ),
    "conduction, power": Member(PowerLawConduction(2.0, 3.0, 0.5), 1.0),
    "conduction, saturating": Member(PowerLawConduction(2.0, 0.0, 0.5), 1.0),
    "Saint-Venant-Kirchhoff": Member(SaintVenantKirchhoff(1.0, 0.3), 0.2),
    "neo-Hookean": Member(NeoHookean(1.0, 0.3), 0.2),
    "Mooney-Rivlin": Member(MooneyRivlin(0.3, 0.1, 50.0), 0.2),
    "Ogden": Member(Ogden([0.63, -0.01], [1.3, -2.0], 50.0), 0.2),
    "Holzapfel": Member(HolzapfelGasserOgden(0.5, 2.0, 1.5, 0.1, 50.0, FIBRES), 0.04, STRETCHED),
}
HYPERELASTIC = [name for name, m in MEMBERS.items() if m.law.kinematics.physics == "finite strain"]
DISSIPATIVE = [name for name, m in MEMBERS.items() if m.law.initial_state() != ()]
TIME_STEP = 0.3


def paths(steps: int) -> st.SearchStrategy:
    """Random paths (step, 9) in [−1, 1], of which a law takes the components that it has."""
    return hnp.arrays(float, (steps, 9), elements=st.floats(-1, 1, width=32))


def gradients(member: Member, path: np.ndarray) -> np.ndarray:
    """The path about the member's rest."""
    rest = member.law.kinematics.rest
    return rest + member.offset + member.amplitude * path[:, : rest.size]


@jax.jit
def respond(law, gradient, state, dt):
    return law.respond(gradient, state, dt)


@jax.jit
def probe(law, gradient, state, dt, width):
    """Responses at the gradient and at ± width along each component, and the tangent."""
    directions = width * jnp.eye(gradient.size)
    points = jnp.concatenate([gradient[None], gradient + directions, gradient - directions])
    responses = jax.vmap(lambda g: law.respond(g, state, dt))(points)
    return responses, law.tangent(gradient, state, dt)


def history(law, path, dt):
    """Responses at the steps of a path, from the virgin state."""
    state, responses = law.initial_state(), []
    for gradient in path:
        responses.append(respond(law, gradient, state, dt))
        state = responses[-1].state
    return responses


def relative(actual, expected):
    """Largest difference over the largest expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return np.abs(actual - expected).max() / max(np.abs(expected).max(), 1e-300)
