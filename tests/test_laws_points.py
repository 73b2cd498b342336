"""What holds for every law at one point: tangent, symmetry, second law, energy balance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from law_members import (
    DISSIPATIVE,
    MEMBERS,
    TIME_STEP,
    gradients,
    history,
    paths,
    probe,
    relative,
    respond,
)
from scalebridge import laws
from scalebridge.laws import Law, LinearLaw

prop = settings(deadline=None, max_examples=6)
members = pytest.mark.parametrize("name", MEMBERS)
ABSTRACT = {laws.Hyperelastic, laws.StandardMaterial, LinearLaw, Law}


def test_every_nonlinear_law_is_in_the_table():
    exported = [getattr(laws, name) for name in laws.__all__]
    classes = {c for c in exported if isinstance(c, type) and issubclass(c, Law)} - ABSTRACT
    nonlinear = {c for c in classes if not issubclass(c, LinearLaw)}
    assert nonlinear == {type(m.law) for m in MEMBERS.values()}


@members
@prop
@given(path=paths(4))
def test_tangent_and_second_law(name, path):
    """Tangent = central difference, but where first yield lies between; dissipation ≥ 0."""
    member = MEMBERS[name]
    law, state = member.law, member.law.initial_state()
    width = 3e-5 * member.amplitude
    for gradient in gradients(member, path):
        responses, tangent = probe(law, gradient, state, TIME_STEP, width)
        assert np.all(responses.dissipation >= 0)
        flows = responses.dissipation > 0
        if np.all(flows) or not np.any(flows):
            ahead, behind = np.split(np.asarray(responses.flux[1:]), 2)
            assert relative((ahead - behind).T / (2 * width), tangent) < 1e-6
        if law.is_symmetric:
            assert relative(np.asarray(tangent).T, tangent) < 1e-12
        state = jax.tree.map(lambda leaf: leaf[0], responses.state)


def test_armstrong_and_frederick_s_tangent_is_not_symmetric():
    member = MEMBERS["J2, Armstrong-Frederick"]
    path = gradients(member, np.eye(9)[[0, 5]])
    first = history(member.law, path[:1], 1.0)[0]
    _, tangent = probe(member.law, path[1], first.state, 1.0, 1e-7)
    assert not member.law.is_symmetric
    assert relative(tangent, np.asarray(tangent).T) > 1e-4


@pytest.mark.parametrize("name", [*DISSIPATIVE, "conduction, saturating", "Holzapfel"])
def test_derivatives_at_rest_are_finite(name):
    """Forward and in reverse, by the gradient, the state and the law's parameters."""
    member = MEMBERS[name]
    rest = jnp.asarray(member.law.kinematics.rest)

    @jax.jit
    def derivatives(law, gradient, state):
        def sums(law, gradient, state):
            response = law.respond(gradient, state, TIME_STEP)
            return jnp.sum(response.flux) + response.energy + response.dissipation

        backward = jax.jacrev(lambda g: law.respond(g, state, TIME_STEP).flux)(gradient)
        forward = law.tangent(gradient, state, TIME_STEP)
        return forward, backward, jax.grad(sums, argnums=(0, 1, 2))(law, gradient, state)

    forward, backward, rest_of_them = derivatives(member.law, rest, member.law.initial_state())
    assert all(np.all(np.isfinite(d)) for d in jax.tree.leaves(rest_of_them))
    assert np.all(np.isfinite(forward))
    assert relative(backward, forward) < 1e-12


BACKWARD_EULER = [
    name for name in DISSIPATIVE if name not in {"Maxwell", "J2, Armstrong-Frederick"}
]


@pytest.mark.parametrize("name", BACKWARD_EULER)
@prop
@given(path=paths(3))
def test_a_step_of_backward_euler_loses_energy_only(name, path):
    """ψ is convex in (ε, z): σ·Δε ≥ Δψ + A·Δz, with equality to second order in the step."""
    member = MEMBERS[name]
    at, stored = np.zeros(6), 0.0
    for gradient, response in zip(
        path[:, :6] * member.amplitude,
        history(member.law, path[:, :6] * member.amplitude, TIME_STEP),
        strict=True,
    ):
        work = np.asarray(response.flux) @ (gradient - at)
        lost = work - (response.energy - stored) - response.dissipation
        scale = abs(work) + abs(response.energy) + stored
        assert lost >= -1e-12 * scale
        at, stored = gradient, float(response.energy)


@pytest.mark.parametrize("name", DISSIPATIVE)
def test_work_is_stored_or_dissipated_to_the_order_of_the_integrator(name):
    """Work by the trapezoidal rule. First order: backward Euler; second: exponential."""
    member = MEMBERS[name]
    defects = []
    for steps in (40, 80, 160):
        time = np.linspace(0, 1, steps + 1)
        way = np.outer(np.sin(5 * time), [1.0, -0.3, 0.2, 0.4, -0.1, 0.5]) * 3 * member.amplitude
        responses = history(member.law, way[1:], 1.0 / steps)
        flux = np.stack([np.zeros(6), *(np.asarray(r.flux) for r in responses)])
        work = np.sum(0.5 * (flux[1:] + flux[:-1]) * np.diff(way, axis=0))
        spent = sum(float(r.dissipation) for r in responses)
        defects.append(abs(work - float(responses[-1].energy) - spent) / spent)
    order = np.log2(np.array(defects[:-1]) / defects[1:])
    assert order[-1] > (1.9 if name == "Maxwell" else 0.9)
    assert defects[-1] < 0.02


@pytest.mark.parametrize("name", ["J2, Voce and Prager", "Maxwell"])
def test_a_batch_is_its_members(name):
    """Component first, voxels last, as a cell has them; some flow and some do not."""
    law, amplitude, _ = MEMBERS[name]
    points = 0.35 * amplitude * np.random.default_rng(0).uniform(-1, 1, (5, 6))
    state = jax.tree.map(lambda a: jnp.repeat(a[..., None], 5, axis=-1), law.initial_state())
    respond_all = jax.jit(
        jax.vmap(lambda g, s: law.respond(g, s, TIME_STEP), in_axes=(-1, -1), out_axes=-1)
    )
    batch = respond_all(points.T, state)
    for i, point in enumerate(points):
        alone = respond(law, point, law.initial_state(), TIME_STEP)
        assert relative(batch.flux[:, i], alone.flux) < 1e-12
    assert name == "Maxwell" or len(set((np.asarray(batch.dissipation) > 0).tolist())) == 2
