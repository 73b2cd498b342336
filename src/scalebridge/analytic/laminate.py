"""Layers of any materials: exact."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge import tensors
from scalebridge.analytic._phases import Mixture, as_fractions, as_laws, moduli
from scalebridge.analytic.averages import harmonic_mean
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, Law
from scalebridge.laws._checks import as_array, concrete
from scalebridge.laws._linalg import pseudo_inverse, symmetric

# Components whose flux is continuous across layers normal to axis 1; of the others it is the
# gradient.
_ACROSS = {
    ("conduction", 2): [0],
    ("conduction", 3): [0],
    ("elasticity", 2): [0, 2],
    ("elasticity", 3): [0, 4, 5],
}


class Laminate(Mixture):
    """A stack of plane layers, thin against all else: exact for any number of anisotropic phases.

    Across the layers (n: traction, normal flux) the flux is uniform, along them (t: in-plane
    strain, tangential gradient) the gradient is. On these components

        C_nn = ⟨C_nn⁻¹⟩⁻¹,   C_nt = C_nn ⟨C_nn⁻¹ C_nt⟩,
        C_tt = ⟨C_tt − C_tn C_nn⁻¹ C_nt⟩ + ⟨C_tn C_nn⁻¹⟩ C_nn ⟨C_nn⁻¹ C_nt⟩.

    Order and thickness of the layers are immaterial. A laminate may be a layer of another one:
    laminates of rank 2 and 3, each level much finer than the next.

    Parameters
    ----------
    laws : sequence of Law
        Linear laws of one physics, of any symmetry; conduction in 2D or 3D, elasticity in 3D or,
        by PlaneStrain and PlaneStress, in 2D. Plane stress: layers stand across the sheet.
    fractions : (phase,) [-]
        Volume fractions, summing to 1.
    normal : "x", "y", "z" or (d,)
        Normal to the layers, of any length but zero. In 2D it lies in the plane.

    Raises
    ------
    InputError
        When laws do not fit together, fractions do not sum to 1, or the normal is no direction.

    Notes
    -----
    A void layer is the limit of soft ones: nothing passes across, the other layers act as free
    sheets. The derivative with respect to a modulus that is zero is finite, but leaves out the
    coupling of the void's own components, whose limit depends on how void is approached.

    References
    ----------
    Backus (1962), J. Geophys. Res. 67, 4427-4440; Milton (2002), The Theory of Composites, ch. 9.

    Examples
    --------
    >>> import scalebridge as sb
    >>> conductors = [sb.laws.Conduction(10.0), sb.laws.Conduction(1.0)]
    >>> layers = sb.analytic.Laminate(conductors, [0.5, 0.5], normal="x")
    >>> layers.modulus.diagonal().round(6).tolist()
    [1.818182, 5.5, 5.5]
    """

    laws: tuple[Law, ...]
    fractions: jax.Array
    normal: jax.Array

    def __init__(self, laws: Any, fractions: Any, normal: Any) -> None:
        self.laws = as_laws("laws", laws)
        self.fractions = as_fractions(fractions, len(self.laws))
        self.normal = _as_normal(normal, self.kinematics.dim)

    @property
    def modulus(self) -> Float[Array, "component component"]:
        """The exact effective modulus."""
        return _modulus(moduli(self.laws), self.fractions, self.normal, self.kinematics)


@partial(jax.jit, static_argnames="kinematics")
def _modulus(
    C: Float[Array, "phase c c"],
    f: Float[Array, " phase"],
    normal: Float[Array, " d"],
    kinematics: Kinematics,
) -> Float[Array, "c c"]:
    turn = _turn(normal, kinematics)
    n = np.array(_ACROSS[kinematics.physics, kinematics.dim])
    t = np.setdiff1d(np.arange(kinematics.size), n)
    C = jnp.einsum("ca,pcd,db->pab", turn, C, turn)
    across, coupling, along = C[:, n][:, :, n], C[:, n][:, :, t], C[:, t][:, :, t]
    slope = jnp.stack([pseudo_inverse(c) for c in across]) @ coupling  # C_nn⁻¹ C_nt
    free = along - jnp.einsum("pna,pnb->pab", coupling, slope)
    C_nn = harmonic_mean(across, f)
    mean = jnp.einsum("p,pab->ab", f, slope)
    C_tt = jnp.einsum("p,pab->ab", f, free) + mean.T @ C_nn @ mean
    order = np.argsort(np.concatenate([n, t]))
    whole = jnp.block([[C_nn, C_nn @ mean], [mean.T @ C_nn, C_tt]])[np.ix_(order, order)]
    return symmetric(turn @ whole @ turn.T)


def _as_normal(normal: Any, dim: int) -> jax.Array:
    """Return the unit normal."""
    axes = "xyz"[:dim]
    if isinstance(normal, str):
        if len(normal) != 1 or normal not in axes:
            raise InputError(
                f"`normal` must be one of {list(axes)} or a vector in {dim}D, but is {normal!r}"
            )
        return jnp.eye(dim)[axes.index(normal)]
    vector = as_array("normal", normal, (dim,))
    values = concrete(vector)
    if values is not None and np.max(np.abs(values)) < np.finfo(float).tiny:
        raise InputError("`normal` must not be zero, but is; give the direction across the layers")
    # Squares of small or large components would under- or overflow.
    vector = vector / jax.lax.stop_gradient(jnp.max(jnp.abs(vector)))
    return vector / jnp.linalg.norm(vector)


def _turn(normal: Float[Array, " d"], kinematics: Kinematics) -> Float[Array, "c c"]:
    """Return the orthogonal matrix that takes components on the layers' axes to the given ones.

    Half a turn about the bisector of axis 1 and ±n, whichever sign makes it well defined.
    """
    first = jnp.eye(kinematics.dim)[0]
    bisector = first + jnp.where(normal[0] < 0, -normal, normal)
    square = bisector @ bisector
    half_turn = 2 * jnp.outer(bisector, bisector) / square - jnp.eye(kinematics.dim)
    return half_turn if kinematics.physics == "conduction" else tensors.mandel_rotation(half_turn)
