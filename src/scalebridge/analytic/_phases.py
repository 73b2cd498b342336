"""What the estimates ask of their phases: laws of one physics, fractions that add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law, LinearLaw, Rigid, Void
from scalebridge.laws._checks import as_array, concrete


def as_laws(name: str, laws: Any) -> tuple[Law, ...]:
    """Return the laws as a tuple of linear laws that fit together."""
    if isinstance(laws, Law) or not isinstance(laws, Iterable) or not (found := tuple(laws)):
        raise InputError(f"`{name}` must be a sequence of laws, but is {laws!r}; see sb.laws")
    for law in found:
        check_law(name, law)
    common_kinematics(found, name)
    return found


def check_law(name: str, law: Any) -> None:
    """Refuse what is no linear law."""
    if not isinstance(law, Law):
        raise InputError(f"`{name}` must hold laws, but holds {law!r}; see sb.laws")
    if not law.is_linear:
        raise InputError(
            f"`{name}` must hold linear laws, but {type(law).__name__} is not; "
            "nonlinear phases need a Cell"
        )


def as_fractions(fractions: Any, count: int) -> Float[Array, " phase"]:
    """Return the fractions of `count` phases: not negative, summing to one."""
    array = as_array("fractions", fractions, (count,))
    values = concrete(array)
    if values is not None and (np.any(values < 0) or abs(values.sum() - 1) > 1e-9):
        raise InputError(
            f"`fractions` must be ≥ 0 and sum to 1, but are {values.tolist()} with the sum "
            f"{values.sum():.9g}; give one for each phase, the matrix included"
        )
    return array


def as_fraction(fraction: Any) -> Float[Array, ""]:
    """Return one fraction, between 0 and 1."""
    array = as_array("fraction", fraction, ())
    value = concrete(array)
    if value is not None and not 0 <= value <= 1:
        raise InputError(
            f"`fraction` must lie in 0 ≤ fraction ≤ 1, but is {float(value):g}; "
            "it is a volume fraction, not a percentage"
        )
    return array


def common_kinematics(laws: Sequence[Law], name: str = "laws") -> Kinematics:
    """Return what the laws share; scalar conductors, void and rigid phases fit themselves in."""
    real = [law for law in laws if not isinstance(law, Void | Rigid)]
    if not real:
        raise InputError(f"`{name}` must hold a material law, but all are void or rigid; add one")
    physics = {law.kinematics.physics for law in real}
    if len(physics) > 1:
        raise InputError(
            f"`{name}` must be of one physics, but are {', '.join(sorted(physics))}; "
            "make an estimate for each"
        )
    common = Kinematics(physics.pop(), min(law.kinematics.dim for law in real))
    for law in real:
        scalar = common.physics == "conduction" and law.is_isotropic
        if law.kinematics.dim != common.dim and not scalar:
            raise InputError(
                f"`{name}` must all be {common.dim}D, but {type(law).__name__} is "
                f"{law.kinematics.dim}D; give a (2, 2) conductivity, or wrap an elastic law in "
                "PlaneStrain or PlaneStress"
            )
    common_plane(real, name)
    return common


def common_plane(laws: Sequence[Law], name: str = "laws") -> str | None:
    """Return the plane state that the laws share, None where they have none."""
    told: set[str] = {getattr(law, "plane", None) or "" for law in laws} - {""}
    if len(told) > 1:
        raise InputError(
            f"`{name}` must be of one plane state, but are of plane {' and '.join(sorted(told))}; "
            "wrap all in PlaneStrain, or all in PlaneStress"
        )
    return told.pop() if told else None


def moduli(laws: Sequence[Law]) -> Float[Array, "phase component component"]:
    """Return the moduli of the phases in their common kinematics."""
    kinematics = common_kinematics(laws)
    size = kinematics.size
    real = [law.tangent()[:size, :size] for law in laws if not isinstance(law, Void | Rigid)]
    rigid = any(isinstance(law, Rigid) for law in laws)
    scale = jnp.linalg.eigvalsh(jnp.stack(real)).max() if rigid else 0.0
    remaining = iter(real)
    return jnp.stack([_modulus(law, remaining, scale, size) for law in laws])


def _modulus(law: Law, real: Any, scale: Any, size: int) -> jax.Array:
    if isinstance(law, Void):
        return jnp.zeros((size, size))
    if isinstance(law, Rigid):
        return law.factor * scale * jnp.eye(size)
    return next(real)


class Mixture(LinearLaw):
    """An estimate from the laws and fractions of its phases."""

    laws: eqx.AbstractVar[tuple[Law, ...]]
    fractions: eqx.AbstractVar[jax.Array]

    @property
    def kinematics(self) -> Kinematics:
        return common_kinematics(self.laws)

    @property
    def plane(self) -> str | None:
        """Plane state of the phases: "strain", "stress" or None."""
        return common_plane(self.laws)
