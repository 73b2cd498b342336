"""Linear viscoelasticity: generalised Maxwell bodies, Prony series."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws import _mandel as m
from scalebridge.laws._checks import as_array, check_elastic, check_range, concrete
from scalebridge.laws.protocol import Kinematics, Law, Response, State

Scalar = Float[Array, ""]

_SCHEMES = ("exponential", "implicit")


class GeneralizedMaxwell(Law):
    """A spring and any number of Maxwell elements in parallel, in shear and in bulk.

    Relaxation moduli G(t) = G₀ (1 − Σ g_i (1 − exp(−t/τ_i))), and K(t) likewise with k_i: a
    Prony series relative to the instantaneous moduli. Element i carries 2 G₀ g_i w_i with
    dw_i/dt + w_i/τ_i = de/dt, e = dev ε.

    Parameters
    ----------
    E : float [stress]
        Instantaneous Young's modulus > 0.
    nu : float [-]
        Instantaneous Poisson's ratio, −1 < nu < ½.
    shear : (g, tau), optional
        Shares g_i ≥ 0 of the shear modulus [-] and their relaxation times > 0 [time], numbers
        or arrays. Σ g_i ≤ 1; at 1 it flows, and a single such branch is Maxwell's fluid.
    bulk : (k, tau), optional
        The same of the bulk modulus.
    scheme : "exponential" or "implicit"
        How a step is taken: exactly for a strain that is linear in time over the step, second
        order otherwise; or by backward Euler, first order, which is the variational update of
        a standard material.

    Raises
    ------
    InputError
        When a parameter lies outside its range.

    Notes
    -----
    Small strain, isothermal. Stored is the energy of all springs. The dissipation is that of
    the strain path of the scheme: the exact integral for the exponential one, never negative.

    References
    ----------
    Taylor, Pister & Goudreau (1970), Thermomechanical analysis of viscoelastic solids, Int. J.
    Numer. Methods Eng. 2, 45-59; Simo & Hughes (1998), section 10.3.
    """

    E: jax.Array
    nu: jax.Array
    g: jax.Array
    shear_time: jax.Array
    k: jax.Array
    bulk_time: jax.Array
    scheme: str = eqx.field(static=True)

    def __init__(
        self,
        E: Any,
        nu: Any,
        *,
        shear: tuple[Any, Any] = ((), ()),
        bulk: tuple[Any, Any] = ((), ()),
        scheme: str = "exponential",
    ) -> None:
        self.E, self.nu = as_array("E", E, ()), as_array("nu", nu, ())
        self.g, self.shear_time = _series("shear", shear)
        self.k, self.bulk_time = _series("bulk", bulk)
        self.scheme = scheme

    def __check_init__(self) -> None:
        check_elastic(self.E, self.nu)
        for name, share, time in (
            ("shear", self.g, self.shear_time),
            ("bulk", self.k, self.bulk_time),
        ):
            check_range(f"{name} shares", share, lowest=0)
            check_range(f"{name} relaxation times", time, above=0)
            total = concrete(jnp.sum(share))
            if total is not None and total > 1 + 1e-12:
                raise InputError(
                    f"`{name}` shares must add up to 1 at most, but add up to {float(total):g}; "
                    "they are relative to the instantaneous modulus"
                )
        if self.scheme not in _SCHEMES:
            raise InputError(f"`scheme` must be one of {list(_SCHEMES)}, but is {self.scheme!r}")

    @property
    def kinematics(self) -> Kinematics:
        return Kinematics("elasticity")

    @property
    def is_isotropic(self) -> bool:
        return True

    @property
    def _moduli(self) -> tuple[Scalar, Scalar]:
        """Return the instantaneous G and K."""
        return self.E / (2 * (1 + self.nu)), self.E / (3 * (1 - 2 * self.nu))

    def relaxation(self, time: Any) -> tuple[Array, Array]:
        """Return the relaxation moduli G(t) and K(t) [stress] at times of any shape."""
        t = jnp.asarray(time, float)[..., None]
        G, K = self._moduli
        return (
            G * (1 + jnp.sum(self.g * jnp.expm1(-t / self.shear_time), axis=-1)),
            K * (1 + jnp.sum(self.k * jnp.expm1(-t / self.bulk_time), axis=-1)),
        )

    def initial_state(self) -> State:
        """Strain, and the elastic strains w of the branches: deviators, and volumes."""
        return {
            "strain": jnp.zeros(6),
            "shear_branches": jnp.zeros((self.g.size, 6)),
            "bulk_branches": jnp.zeros(self.k.size),
        }

    def respond(self, gradient: Float[Array, " 6"], state: State, dt: float | Array) -> Response:
        """Stress, branch strains, energy and dissipation at the end of the step."""
        array, dt = jnp.asarray(gradient, float), jnp.asarray(dt, float)
        strain, before = m.split(array), m.split(state["strain"])
        G, K = self._moduli
        deviator, volume = m.deviator(strain), m.trace(strain)
        steady = 1 - jnp.sum(self.g), 1 - jnp.sum(self.k)
        stress = m.scale(2 * G * steady[0], deviator)
        pressure = K * steady[1] * volume
        energy = 0.5 * (m.dot(stress, deviator) + pressure * volume)
        dissipation = jnp.zeros(())

        change = m.subtract(deviator, m.deviator(before))
        shear = []
        for i in range(self.g.size):
            step = _Branch(self.scheme, dt / self.shear_time[i])
            old = m.split(state["shear_branches"][i])
            new = m.add(m.scale(step.decay, old), m.scale(step.gain, change))
            modulus = 2 * G * self.g[i]
            stress = m.add(stress, m.scale(modulus, new))
            energy = energy + 0.5 * modulus * m.dot(new, new)
            dissipation = dissipation + modulus * step.loss(
                m.dot(old, old), m.dot(old, change), m.dot(change, change)
            )
            shear.append(m.join(new))

        growth = volume - m.trace(before)
        bulk = []
        for i in range(self.k.size):
            step = _Branch(self.scheme, dt / self.bulk_time[i])
            last = state["bulk_branches"][i]
            next_ = step.decay * last + step.gain * growth
            modulus = K * self.k[i]
            pressure = pressure + modulus * next_
            energy = energy + 0.5 * modulus * next_ * next_
            dissipation = dissipation + modulus * step.loss(
                last * last, last * growth, growth * growth
            )
            bulk.append(next_)

        flux = m.join(m.add_pressure(stress, pressure))
        new_state = {
            "strain": array,
            "shear_branches": jnp.stack(shear) if shear else state["shear_branches"],
            "bulk_branches": jnp.stack(bulk) if bulk else state["bulk_branches"],
        }
        return Response(flux, new_state, energy, dissipation)


class _Branch:
    """One step of dw/dt + w/τ = de/dt: w → decay w + gain Δe; x = Δt/τ."""

    def __init__(self, scheme: str, x: Scalar) -> None:
        self.x, self.exponential = x, scheme == "exponential"
        self.decay = jnp.exp(-x) if self.exponential else 1 / (1 + x)
        self.gain = -jnp.expm1(-x) / x if self.exponential else self.decay

    def loss(self, ww: Scalar, we: Scalar, ee: Scalar) -> Scalar:
        """∫ |w|²/τ dt over the step, from w:w and w:Δe at its start and Δe:Δe.

        Of the backward Euler step it is x |w|² at its end.
        """
        if not self.exponential:
            return self.x * self.decay**2 * (ww + 2 * we + ee)
        lost = -jnp.expm1(-self.x)
        return (
            -0.5 * jnp.expm1(-2 * self.x) * ww + lost * lost / self.x * we + _ramp_loss(self.x) * ee
        )


def _ramp_loss(x: Scalar) -> Scalar:
    """(x − 2 (1 − e⁻ˣ) + ½ (1 − e⁻²ˣ))/x² = x/3 − x²/4 + …, without cancellation."""
    small = x < 0.25
    large = jnp.where(small, 1.0, x)
    direct = (large + 2 * jnp.expm1(-large) - 0.5 * jnp.expm1(-2 * large)) / large**2
    little = jnp.where(small, x, 0.25)
    series, power = jnp.zeros_like(x), little
    for k in range(3, 17):
        series = series + (-1) ** k * (2 - 2 ** (k - 1)) / math.factorial(k) * power
        power = power * little
    return jnp.where(small, series, direct)


def _series(name: str, pair: Any) -> tuple[jax.Array, jax.Array]:
    """Return shares and relaxation times as arrays of one length."""
    try:
        shares, times = pair
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`{name}` must be a pair (shares, relaxation times), but is {pair!r}"
        ) from error
    arrays = [jnp.atleast_1d(jnp.asarray(v, float)) for v in (shares, times)]
    if arrays[0].shape != arrays[1].shape or arrays[0].ndim != 1:
        raise InputError(
            f"`{name}` must have one relaxation time for each share, but has shapes "
            f"{np.shape(shares)} and {np.shape(times)}"
        )
    return as_array(name, arrays[0], arrays[0].shape), as_array(name, arrays[1], arrays[1].shape)
