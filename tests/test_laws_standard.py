"""The generic standard material: the specialised updates are what it gives, and it refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from law_members import MEMBERS, STEEL, TIME_STEP, gradients, paths, probe, relative
from scalebridge import InputError, laws
from scalebridge.laws import J2Plasticity, Kinematics, StandardMaterial, VoceHardening
from scalebridge.laws._linalg import solve_small

prop = settings(deadline=None, max_examples=5)
DEVIATOR = np.eye(6) - np.pad(np.full((3, 3), 1 / 3), (0, 3))


def equivalent(s):
    s = DEVIATOR @ s
    return jnp.sqrt(1.5 * s @ s + 1e-20)


class Generic(StandardMaterial):
    """The free energy of a law of von Mises."""

    law: laws.Law

    @property
    def kinematics(self):
        return Kinematics("elasticity")

    def initial_state(self):
        return {"plastic_strain": jnp.zeros(6), "p": jnp.zeros(())}

    def free_energy(self, gradient, z):
        law = self.law
        mu, K = law.E / (2 * (1 + law.nu)), law.E / (3 * (1 - 2 * law.nu))
        volume, plastic = gradient[0] + gradient[1] + gradient[2], z["plastic_strain"]
        elastic = DEVIATOR @ gradient - plastic
        stored = 0.5 * K * volume**2 + mu * elastic @ elastic + law.hardening.energy(z["p"])
        C = 0.0 if law.kinematic is None else law.kinematic.C
        return stored + C / 3 * plastic @ plastic

    def excess(self, force):
        return equivalent(force["plastic_strain"]) + force["p"] - self.law.yield_stress


class RateIndependent(Generic):
    def yield_function(self, force, z):
        return self.excess(force)


class RateDependent(Generic):
    def force_potential(self, force, z):
        law, n = self.law, self.law.exponent
        overstress = jnp.maximum(self.excess(force), 0.0) / law.drag
        return law.rate * law.drag / (n + 1) * overstress ** (n + 1)


class Dashpots(StandardMaterial):
    """Maxwell elements by the strains d of their dashpots, dissipating ½ η ḋ²."""

    law: laws.GeneralizedMaxwell

    @property
    def kinematics(self):
        return Kinematics("elasticity")

    def initial_state(self):
        return {"shear": jnp.zeros((self.law.g.size, 6)), "bulk": jnp.zeros(self.law.k.size)}

    @property
    def moduli(self):
        E, nu = self.law.E, self.law.nu
        return E / (1 + nu), E / (3 * (1 - 2 * nu))

    def free_energy(self, gradient, z):
        law, (two_G, K) = self.law, self.moduli
        e, volume = DEVIATOR @ gradient, gradient[0] + gradient[1] + gradient[2]
        steady = two_G * (1 - law.g.sum()) * e @ e + K * (1 - law.k.sum()) * volume**2
        shear = two_G * jnp.sum(law.g[:, None] * (e[None, :] - z["shear"]) ** 2)
        return 0.5 * (steady + shear + K * jnp.sum(law.k * (volume - z["bulk"]) ** 2))

    def dissipation_potential(self, rate, z):
        law, (two_G, K) = self.law, self.moduli
        shear = two_G * jnp.sum((law.g * law.shear_time)[:, None] * rate["shear"] ** 2)
        return 0.5 * (shear + K * jnp.sum(law.k * law.bulk_time * rate["bulk"] ** 2))


# Of the power law a little prestrain: its slope is infinite at p = 0 without, where the generic
# Newton iteration begins.
PAIRS = {
    "J2, Voce and Prager": RateIndependent,
    "J2, power": RateIndependent,
    "Perzyna": RateDependent,
    "Norton, 50": RateDependent,
    "Maxwell, implicit": Dashpots,
}
SWIFT = J2Plasticity(**STEEL, yield_stress=300.0, hardening=laws.PowerHardening(1e3, 0.3, 1e-4))


@jax.jit
def answer(law, gradient, state, dt):
    return law.respond(gradient, state, dt), law.tangent(gradient, state, dt)


@pytest.mark.parametrize("name", PAIRS)
@prop
@given(path=paths(3))
def test_the_specialised_update_is_the_generic_one(name, path):
    """Flux, energy, dissipation and tangent, step after step."""
    law = SWIFT if name == "J2, power" else MEMBERS[name].law
    generic = PAIRS[name](law)
    states = law.initial_state(), generic.initial_state()
    for gradient in gradients(MEMBERS[name], path):
        width = 3e-5 * MEMBERS[name].amplitude
        around, tangent = probe(law, gradient, states[0], TIME_STEP, width)
        special = jax.tree.map(lambda leaf: leaf[0], around)
        other, other_tangent = answer(generic, gradient, states[1], TIME_STEP)
        size = np.abs(np.asarray(tangent)).max() * MEMBERS[name].amplitude
        np.testing.assert_allclose(other.flux, special.flux, rtol=1e-9, atol=1e-11 * size)
        for quantity in ("energy", "dissipation"):
            np.testing.assert_allclose(
                getattr(other, quantity),
                getattr(special, quantity),
                rtol=1e-9,
                atol=1e-11 * size * MEMBERS[name].amplitude,
            )
        flows = np.asarray(around.dissipation > 0)
        if np.all(flows) or not np.any(flows):  # away from the kink of first yield
            assert relative(other_tangent, tangent) < 1e-7
        states = special.state, other.state


def test_linear_hardening_in_closed_form_is_the_iterated_one():
    """Voce's law without its saturating part takes the iteration."""
    closed = J2Plasticity(**STEEL, yield_stress=300.0, hardening=laws.LinearHardening(2e3))
    iterated = J2Plasticity(**STEEL, yield_stress=300.0, hardening=VoceHardening(0.0, 1.0, 2e3))
    state = closed.initial_state()
    for gradient in 3e-3 * np.random.default_rng(0).uniform(-1, 1, (5, 6)):
        one, tangent = answer(closed, gradient, state, 1.0)
        other, other_tangent = answer(iterated, gradient, state, 1.0)
        assert relative(other.flux, one.flux) < 1e-13
        assert relative(other_tangent, tangent) < 1e-12
        state = one.state


def test_reverse_mode_through_a_history():
    """Derivatives by the parameters, in reverse over four steps against forward mode."""
    path = gradients(MEMBERS["J2, power"], np.random.default_rng(0).uniform(-1, 1, (4, 9)))

    def last_stress(law):
        def step(state, gradient):
            response = law.respond(gradient, state, 1.0)
            return response.state, response.flux[0]

        return jax.lax.scan(step, law.initial_state(), path)[1][-1]

    for law in (SWIFT, RateIndependent(SWIFT)):
        both = jax.jit(lambda law: [d(last_stress)(law) for d in (jax.grad, jax.jacfwd)])(law)
        values = [np.ravel(jax.tree.leaves(d)) for d in both]
        assert np.all(values[0] != 0)
        assert relative(*values) < 1e-9


class Cracks(StandardMaterial):
    """A rate-independent law without a solution: its yield function never reaches zero."""

    @property
    def kinematics(self):
        return Kinematics("conduction")

    def initial_state(self):
        return jnp.zeros(())

    def free_energy(self, gradient, z):
        return 0.5 * gradient @ gradient + z

    def yield_function(self, force, z):
        return 1.0 + force**2


def test_what_does_not_converge_is_nan():
    assert np.all(np.isnan(Cracks().respond(jnp.ones(3), jnp.zeros(()), 1.0).flux))


def test_exactly_one_potential():
    class Both(RateIndependent):
        def force_potential(self, force, z):
            return 0.0

    for cls, found in ((Generic, "none"), (Both, "force_potential and yield_function")):
        with pytest.raises(InputError, match=f"exactly one of .* defines {found}"):
            cls(MEMBERS["J2"].law)


def test_small_systems_are_solved():
    """Badly scaled, and with a zero where the first pivot would be."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(7, 7)) * 10.0 ** rng.integers(-8, 8, (7, 1))
    matrix[0, 0] = 0.0
    x = rng.normal(size=7)
    np.testing.assert_allclose(
        solve_small(jnp.asarray(matrix), jnp.asarray(matrix @ x)), x, rtol=1e-9
    )
