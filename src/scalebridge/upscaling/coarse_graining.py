"""Macroscopic plastic strain and stored energy that agree with each other.

Averages of the micro scale's plastic strain and energy do not make a macroscopic material:
the stored energy of a composite holds that of the residual stresses, and its plastic strain
counts where the stress is. With the elastic stress localisation σ = B : Σ (⟨B⟩ = 1), the
effective stiffness C* and the residual stress σʳ = σ − B : ⟨σ⟩ that unloading leaves,

    Eᵖ = ⟨Bᵀ : εᵖ⟩,   ⟨σ⟩ = C* : (Ē − Eᵖ),
    ⟨½ σ : S : σ⟩ = ½ (Ē − Eᵖ) : C* : (Ē − Eᵖ) + ⟨½ σʳ : S : σʳ⟩

(Hill 1967, J. Mech. Phys. Solids 15, 79; Mandel 1965; Suquet 1987).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns, entries
from scalebridge.errors import InputError
from scalebridge.upscaling.history import History


class CoarseGrained(NamedTuple):
    """Macroscopic internal variables at the end of a history, and what averaging would give.

    Attributes
    ----------
    plastic_strain : (component,)
        Eᵖ = ⟨Bᵀ : εᵖ⟩.
    average_plastic_strain : (component,)
        ⟨εᵖ⟩, which does not unload the composite.
    stiffness : (component, component)
        C*, of the virgin cell.
    elastic_energy : float
        ½ (Ē − Eᵖ) : C* : (Ē − Eᵖ), which unloading gives back.
    residual_energy : float
        ⟨½ σʳ : S : σʳ⟩, which stays behind.
    other_energy : float
        What the laws store beside elastic energy, as by hardening.
    residual_stress : (component, x, y[, z])
        σʳ, averaged over each voxel.
    """

    plastic_strain: np.ndarray
    average_plastic_strain: np.ndarray
    stiffness: np.ndarray
    elastic_energy: float
    residual_energy: float
    other_energy: float
    residual_stress: np.ndarray


def coarse_grained(cell: Cell, history: History, tolerance: float = 1e-8) -> CoarseGrained:
    """Return consistent macroscopic variables at the end of a history.

    For small-strain laws whose elasticity is that of the virgin material, as in plasticity,
    viscoplasticity and creep: εᵖ = ε − S : σ is all strain that unloading leaves.

    Parameters
    ----------
    cell : Cell
        Whose history it is, all six (2D: three) strains driven.
    history : History
    tolerance : float
        Relative residual of the elastic solutions.

    Raises
    ------
    InputError
        Other physics, or a cell in plane stress.
    """
    if cell.physics != "elasticity" or cell.plane == "stress":
        raise InputError(
            "`coarse_grained` is for small strain, in 3D, plane strain or generalised plane "
            f"strain, but this cell is of {cell.physics}, plane {cell.plane!r}"
        )
    equations = nonlinear.prepare(cell)
    moduli, localised = (np.asarray(a) for a in _elastic(equations, jnp.asarray(tolerance, float)))
    now = history.end.now
    stress, strain, mean = (np.asarray(a) for a in (now.flux, now.gradient, now.average))
    C = localised.mean(axis=(2, 3)).T  # column k: the average stress under a unit strain k
    C = 0.5 * (C + C.T)
    compliances = np.linalg.pinv(np.moveaxis(moduli, (0, 1), (-2, -1)), hermitian=True)
    plastic = strain - np.einsum("qvab,bqv->aqv", compliances, stress)
    # Void has no elastic strain to take off, and no stress to count it with.
    empty = ~np.any(moduli, axis=(0, 1))
    plastic[:, empty] = 0.0
    work = np.einsum("kaqv,aqv->kqv", localised, plastic).mean(axis=(1, 2))
    total = np.linalg.solve(C, work)
    unloading = np.einsum("kaqv,k->aqv", localised, np.linalg.solve(C, mean))
    residual = stress - unloading

    def energy(field: np.ndarray) -> float:
        return 0.5 * float(
            np.einsum("aqv,qvab,bqv->qv", field, compliances, field, optimize=True).mean()
        )

    elastic = np.asarray(now.mean) - total
    shape = tuple(cell.microstructure.shape)
    return CoarseGrained(
        plastic_strain=total,
        average_plastic_strain=plastic.mean(axis=(1, 2)),
        stiffness=C,
        elastic_energy=0.5 * float(elastic @ C @ elastic),
        residual_energy=energy(residual),
        other_energy=float(np.mean(now.energy)) - energy(stress),
        residual_stress=residual.mean(axis=1).reshape(-1, *shape),
    )


@eqx.filter_jit
def _elastic(equations: Equations, tolerance: Array) -> tuple[Array, Array]:
    """Return the virgin moduli and, for each unit strain k, the stresses: (k, a, point, voxel)."""
    size, nothing = equations.disc.components, equations.zero()
    states = equations.constituents.initial_states()
    driving = Driving(jnp.zeros(size), jnp.zeros(size), jnp.zeros((size, size)), jnp.array(1.0))
    at_rest = equations.gradient(nothing, driving)
    whole = entries(size, symmetric=False)
    moduli = equations.constituents.tangent(at_rest, states, driving.dt, whole)
    moduli = moduli.reshape(size, size, *moduli.shape[1:])
    tangent = nonlinear.all_driven(equations, nothing, driving, states)

    def stresses(unit: Array) -> Array:
        """Under a unit average strain."""
        u = nonlinear.fluctuation(tangent, unit, tolerance)
        strain = equations.gradient(Unknowns(u, nothing.e), driving._replace(gradient=unit))
        return jnp.einsum("acqv,cqv->aqv", moduli, strain)

    localised: Any = jax.lax.map(stresses, jnp.eye(size))
    return moduli, localised
