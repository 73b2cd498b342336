"""What the laws of von Mises share: the radial return in Mandel components."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.laws import _mandel as m
from scalebridge.laws._root import positive_root
from scalebridge.laws.hardening import IsotropicHardening, KinematicHardening
from scalebridge.laws.protocol import Kinematics, Law, Response, State

Scalar = Float[Array, ""]

_NO_STRESS = 1e-15  # of μ: the direction of a smaller stress has no meaning
_NO_FLOW = 1e-30  # of the largest increment of p: a smaller one is lost in rounding


class VonMises(Law):
    """Isotropic elasticity, and plastic flow along the deviator of σ − X.

    The step is implicit (backward Euler): one scalar equation for the increment of the
    accumulated plastic strain p, solved in closed form where it is linear.
    """

    E: eqx.AbstractVar[jax.Array]
    nu: eqx.AbstractVar[jax.Array]
    yield_stress: eqx.AbstractVar[jax.Array]
    hardening: eqx.AbstractVar[IsotropicHardening]
    kinematic: eqx.AbstractVar[KinematicHardening | None]

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("elasticity")

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def is_symmetric(self) -> bool:
        return not self._recovers

    @property
    def _recovers(self) -> bool:
        return self.kinematic is not None and self.kinematic.recovery is not None

    def initial_state(self) -> State:
        """Plastic strain, its accumulated length p and, where needed, the backstrain α."""
        state = {"plastic_strain": jnp.zeros(6), "p": jnp.zeros(())}
        return {**state, "backstrain": jnp.zeros(6)} if self._recovers else state

    def _overstress(self, increment: Scalar, dt: Scalar) -> Scalar:
        """Stress beyond the yield surface that an increment of p takes; none by default."""
        return jnp.zeros_like(increment)

    def _largest_increment(self, excess: Scalar, dt: Scalar) -> Scalar:
        """Increment of p that takes all of `excess` as overstress."""
        return jnp.inf * excess

    @property
    def _is_closed_form(self) -> bool:
        """Whether the equation of the increment is linear."""
        return False

    def respond(self, gradient: Float[Array, " 6"], state: State, dt: float | Array) -> Response:
        """Stress by the radial return; see the law's page for its energies."""
        strain, dt = m.split(jnp.asarray(gradient, float)), jnp.asarray(dt, float)
        plastic = m.split(state["plastic_strain"])
        mu, bulk = self.E / (2 * (1 + self.nu)), self.E / (3 * (1 - 2 * self.nu))
        volume = m.trace(strain)
        trial = m.subtract(m.deviator(strain), plastic)
        back = m.split(state["backstrain"]) if "backstrain" in state else plastic
        step = _Step(self, mu, m.scale(2 * mu, trial), state["p"], back, dt)
        increment, flow = step.flow()

        elastic, p = m.subtract(trial, flow), state["p"] + increment
        new = {"plastic_strain": m.join(m.add(plastic, flow)), "p": p}
        energy = 0.5 * bulk * volume * volume + mu * m.dot(elastic, elastic)
        energy = energy + self.hardening.energy(p)
        resistance = self.yield_stress + self._overstress(increment, dt)
        if self.kinematic is not None:
            back = m.scale(step.kept(increment), m.add(back, flow))
            moved = self.kinematic.C / 3 * m.dot(back, back)
            energy = energy + moved
            if self.kinematic.recovery is not None:
                new["backstrain"] = m.join(back)
                resistance = resistance + 2 * self.kinematic.recovery * moved
        flux = m.add_pressure(m.scale(2 * mu, elastic), bulk * volume)
        return Response(m.join(flux), new, energy, resistance * increment)


class _Step(eqx.Module):
    """What the equation of the increment of p depends on."""

    law: VonMises
    mu: Scalar
    trial: m.Tensor
    p: Scalar
    back: m.Tensor
    dt: Scalar

    def flow(self) -> tuple[Scalar, m.Tensor]:
        """Increments of p and of the plastic strain."""
        increment = self._increment()
        relative = self.relative_stress(increment)
        return increment, m.scale(1.5 * increment / self.equivalent(relative), relative)

    def _increment(self) -> Scalar:
        """Zero inside the yield surface, else the root of the residual."""
        law = self.law
        excess = _residual(jnp.zeros(()), self)
        active = excess > 0
        excess = jnp.where(active, excess, 1.0)
        if law._is_closed_form:
            slope = self.softening(0.0) + law.hardening.stress(jnp.ones(()))
            return jnp.where(active, excess / slope, 0.0)
        # Recovered backstress may push on by C at most, which leaves 3μ of the decrease.
        upper = excess / (3 * self.mu if law._recovers else self.softening(0.0))
        bound = law._largest_increment(excess, self.dt)
        active = active & (bound > _NO_FLOW * upper)
        upper = jnp.where(active, jnp.minimum(upper, bound), 1.0)
        scale = self.equivalent(self.trial) + law.yield_stress
        return positive_root(_residual, self, upper, active, scale)

    def kept(self, increment: Scalar | float) -> Scalar | float:
        """Share of the backstrain that is not recovered, 1/(1 + γ Δp)."""
        kinematic = self.law.kinematic
        if kinematic is None or kinematic.recovery is None:
            return 1.0
        return 1 / (1 + kinematic.recovery * increment)

    def softening(self, increment: Scalar | float) -> Scalar:
        """By how much σ − X falls with p along the flow."""
        if self.law.kinematic is None:
            return 3 * self.mu
        return 3 * self.mu + self.kept(increment) * self.law.kinematic.C

    def relative_stress(self, increment: Scalar) -> m.Tensor:
        """σ − X before the flow, with X recovered: it has the direction of the flow."""
        if self.law.kinematic is None:
            return self.trial
        factor = 2 / 3 * self.kept(increment) * self.law.kinematic.C
        return m.subtract(self.trial, m.scale(factor, self.back))

    def equivalent(self, stress: m.Tensor) -> Scalar:
        """Von Mises' √(3/2) |s|, kept from zero, where it has no derivative."""
        return jnp.sqrt(jnp.maximum(1.5 * m.dot(stress, stress), (_NO_STRESS * self.mu) ** 2))


def _residual(increment: Scalar, step: _Step) -> Scalar:
    """Equivalent stress less what resists: it decreases with the increment, by 3μ at least."""
    law = step.law
    equivalent = step.equivalent(step.relative_stress(increment))
    equivalent = equivalent - step.softening(increment) * increment
    hardening = law.hardening.stress(step.p + increment)
    return equivalent - law.yield_stress - hardening - law._overstress(increment, step.dt)
