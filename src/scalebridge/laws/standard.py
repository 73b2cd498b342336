"""Generalised standard materials: a law from a free energy and a dissipation potential."""

from __future__ import annotations

import abc
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws._newton import newton
from scalebridge.laws.protocol import Law, Response, State

Scalar = Float[Array, ""]
Vector = Float[Array, " unknown"]
Internal = Any  # a pytree of arrays: the internal variables of one point

_FORMS = ("dissipation_potential", "force_potential", "yield_function")


class StandardMaterial(Law):
    """A law given by ψ(g, z) and how its internal variables z resist.

    Flux ∂ψ/∂g, driving force A = −∂ψ/∂z, and exactly one of

    - `dissipation_potential`, φ(ż): A = ∂φ/∂ż, for smooth φ;
    - `force_potential`, its dual φ*(A): ż = ∂φ*/∂A, where φ is awkward, as with large powers;
    - `yield_function`, f(A) ≤ 0, for a rate-independent φ, the support function of that
      domain: ż = λ ∂f/∂A with λ ≥ 0, λ f = 0.

    Potentials and f must be convex. They may depend on the state at the start of the step,
    which is held fixed: this allows moduli that evolve and keeps the tangent symmetric.

    A step is backward Euler, which is to minimise ψ(g, z) + Δt φ((z − zₙ)/Δt) over z. The
    dissipation A·Δz is never negative if φ is smallest at rest; the tangent is exact.

    A new law gives `kinematics`, `initial_state` (the virgin z), `free_energy` and one of the
    three, written with jax.numpy; z is a pytree of arrays, and rates and forces are like z.
    A norm needs care: √(A·A) has no derivative at zero, √(A·A + tiny) has.

    References
    ----------
    Halphen & Nguyen (1975), Sur les matériaux standard généralisés, J. Mécanique 14, 39-63;
    Ortiz & Stainier (1999), Comput. Methods Appl. Mech. Eng. 171, 419-444.
    """

    def __check_init__(self) -> None:
        given = [name for name in _FORMS if _gives(self, name)]
        if len(given) != 1:
            raise InputError(
                f"`{type(self).__name__}` must define exactly one of {', '.join(_FORMS)}, "
                f"but defines {' and '.join(given) or 'none'}"
            )

    @abc.abstractmethod
    def free_energy(self, gradient: Float[Array, " component"], z: Internal) -> Scalar:
        """Stored energy density ψ."""

    def dissipation_potential(self, rate: Internal, z: Internal) -> Scalar:
        """Power density φ(ż), with z at the start of the step."""
        raise self._not_given("dissipation_potential")

    def force_potential(self, force: Internal, z: Internal) -> Scalar:
        """Power density φ*(A), with z at the start of the step."""
        raise self._not_given("force_potential")

    def yield_function(self, force: Internal, z: Internal) -> Scalar:
        """f(A), elastic where negative, with z at the start of the step."""
        raise self._not_given("yield_function")

    def _not_given(self, name: str) -> InputError:
        given = next(form for form in _FORMS if _gives(self, form))
        return InputError(
            f"`{type(self).__name__}` is given by its {given}, and has no {name}; define that "
            "one instead"
        )

    def respond(
        self, gradient: Float[Array, " component"], state: State, dt: float | Array
    ) -> Response:
        """Implicit step; NaN where the local iteration fails."""
        start, unravel = ravel_pytree(state)
        sizes = [jnp.size(leaf) for leaf in jax.tree.leaves(state)]
        step = _Step(self, jnp.asarray(gradient, float), start, jnp.asarray(dt, float), unravel)
        z = step.solve(sizes)
        energy, flux = jax.value_and_grad(self.free_energy)(step.gradient, unravel(z))
        flux = jnp.where(jnp.all(jnp.isfinite(z)), flux, jnp.nan)
        return Response(flux, unravel(z), energy, step.force(z) @ (z - start))


class _Step(eqx.Module):
    """One implicit step, with z as a vector."""

    law: StandardMaterial
    gradient: Float[Array, " component"]
    start: Vector
    dt: Scalar
    unravel: Callable[[Vector], Internal] = eqx.field(static=True)

    def solve(self, sizes: list[int]) -> Vector:
        """Return z at the end of the step; `sizes` are those of its leaves."""
        law = self.law
        start, active = self.start, jnp.asarray(True)
        guess, residual = start, _balance
        if _gives(law, "yield_function"):
            active = self.yield_value(self.force(start)) > 0
            guess = start = jnp.append(start, 0.0)
            residual, sizes = _complementarity, [*sizes, 1]
        elif _gives(law, "force_potential"):
            guess, residual = _explicit_guess(self), _evolution

        def by_gradient(unknown: Vector, step: _Step) -> Vector:
            def at(gradient: Vector) -> Vector:
                return residual(unknown, eqx.tree_at(lambda s: s.gradient, step, gradient))

            return jax.jvp(at, (step.gradient,), (step.gradient,))[1]

        size = partial(_largest_by_leaf, sizes)
        found = newton(residual, self, start, guess, active, size, by_gradient)
        return found[: self.start.size]

    def force(self, z: Vector) -> Vector:
        """A = −∂ψ/∂z."""
        return -jax.grad(lambda z: self.law.free_energy(self.gradient, self.unravel(z)))(z)

    def yield_value(self, force: Vector) -> Scalar:
        """f(A)."""
        return self.law.yield_function(self.unravel(force), self.unravel(self.start))


def _gives(law: StandardMaterial, name: str) -> bool:
    return getattr(type(law), name) is not getattr(StandardMaterial, name)


def _largest_by_leaf(sizes: list[int], vector: Vector) -> Vector:
    """For each entry the largest modulus in its leaf: the scale of one physical quantity."""
    ends = np.cumsum(sizes)
    parts = [vector[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return jnp.concatenate(
        [jnp.full(len(part), jnp.max(jnp.abs(part), initial=0.0)) for part in parts]
    )


def _balance(z: Vector, step: _Step) -> Vector:
    """∂ψ/∂z + ∂φ/∂ż = 0."""
    law, unravel = step.law, step.unravel

    def potential(rate: Vector) -> Scalar:
        return law.dissipation_potential(unravel(rate), unravel(step.start))

    return jax.grad(potential)((z - step.start) / step.dt) - step.force(z)


def _flow(z: Vector, step: _Step) -> Vector:
    """Δt ∂φ*/∂A."""
    law, unravel = step.law, step.unravel

    def potential(force: Vector) -> Scalar:
        return law.force_potential(unravel(force), unravel(step.start))

    return step.dt * jax.grad(potential)(step.force(z))


def _evolution(z: Vector, step: _Step) -> Vector:
    """z − zₙ − Δt ∂φ*/∂A = 0."""
    return z - step.start - _flow(z, step)


def _explicit_guess(step: _Step) -> Vector:
    """zₙ and the share of the explicit step that its own flow confirms, by bisection.

    The explicit step alone is 10⁶⁵ times too long for a power of 50 and a trial stress of 20
    times the reference; Newton's method cannot begin there, nor at rest.
    """
    step = jax.lax.stop_gradient(step)
    explicit = _flow(step.start, step)
    longest = jnp.max(jnp.abs(explicit))
    flow = explicit / jnp.where(longest > 0, longest, 1.0)

    def halve(_: int, bounds: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = bounds
        middle = 0.5 * (low + high)
        length = longest * jnp.exp(middle)
        longer = flow @ _flow(step.start + length * flow, step) > length * (flow @ flow)
        return jnp.where(longer, middle, low), jnp.where(longer, high, middle)

    low, _ = jax.lax.fori_loop(0, 20, halve, (jnp.full((), -300.0), jnp.zeros(())))
    return step.start + longest * jnp.exp(low) * flow


def _complementarity(z: Vector, step: _Step) -> Vector:
    """z − zₙ − λ ∂f/∂A = 0 and f = 0, with λ as the last entry of z."""
    z, multiplier = z[:-1], z[-1]
    value, normal = jax.value_and_grad(step.yield_value)(step.force(z))
    return jnp.append(z - step.start - multiplier * normal, value)
