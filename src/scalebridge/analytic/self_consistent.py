"""Every phase in the effective medium."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.analytic._isotropic import eigenvalues, isotropic
from scalebridge.analytic._matrix import check_random, stays_isotropic
from scalebridge.analytic._phases import common_kinematics, common_plane, moduli
from scalebridge.analytic._root import converged, fixed_point
from scalebridge.analytic.inclusion import (
    Inclusion,
    Matrix,
    as_inclusions,
    check_dimension,
    concentrations,
    total_fraction,
)
from scalebridge.errors import InputError
from scalebridge.laws import Kinematics, LinearLaw
from scalebridge.laws._checks import concrete
from scalebridge.laws._linalg import symmetric


class SelfConsistent(LinearLaw):
    """Each phase as ellipsoids in the effective medium itself, no phase being the matrix.

        Σ f_r ⟨(C_r − C) T_r(C)⟩ [Σ f_r ⟨T_r(C)⟩]⁻¹ = 0,   T_r(C) = [1 + P_r(C) (C_r − C)]⁻¹.

    In conduction with spheres it is Bruggeman's symmetric effective medium approximation, in
    elasticity the scheme of Hill and Budiansky. Good for granular and polycrystalline structures
    in which all phases play the same part, at moderate contrast. It percolates: with spherical
    pores a conductor fails at a solid fraction of 1/3 and an elastic solid at 1/2, which real
    materials need not do. Realisable for spheres (Milton 1985).

    Parameters
    ----------
    phases : sequence of Inclusion
        All phases; their fractions sum to 1. Where one is random, each must be random or an
        isotropic sphere.

    Raises
    ------
    InputError
        When laws do not fit together, or the fractions do not sum to 1.
    ConvergenceError
        When no effective medium is found (nan under a JAX transformation).

    Notes
    -----
    Solved by Newton's method from Voigt's mean; of several solutions, the stiffest. Derivatives
    are by the implicit function theorem. Below percolation the result is zero up to 1e-12 of the
    mean. Phases of different shape or fixed orientation can give a tensor that is not symmetric;
    the equation is then solved for its symmetric part (see MoriTanaka).

    References
    ----------
    Bruggeman (1935), Ann. Phys. 416, 636-664. Hill (1965), J. Mech. Phys. Solids 13, 213-222;
    Budiansky (1965), ibid. 223-227. Milton (1985), Commun. Math. Phys. 99, 463-500.

    Examples
    --------
    >>> import scalebridge as sb
    >>> phases = [sb.analytic.Inclusion(sb.laws.Conduction(k), 0.5) for k in (1.0, 10.0)]
    >>> print(f"{sb.analytic.SelfConsistent(phases).modulus[0, 0]:.6f}")
    4.000000
    """

    phases: tuple[Inclusion, ...]

    def __init__(self, phases: Any) -> None:
        self.phases = as_inclusions("phases", phases)

    def __check_init__(self) -> None:
        check_dimension("phases", self.phases, self.kinematics.dim)
        total = concrete(total_fraction(self.phases))
        if total is not None and abs(total - 1) > 1e-9:
            raise InputError(
                f"`phases` must fill 1, but fill {total:g}; give all phases, none is the matrix"
            )
        check_random("phases", self.phases, self.kinematics)

    @property
    def kinematics(self) -> Kinematics:
        return common_kinematics([p.law for p in self.phases], "phases")

    @property
    def plane(self) -> str | None:
        """Plane state of the phases: "strain", "stress" or None."""
        return common_plane([p.law for p in self.phases])

    @property
    def is_isotropic(self) -> bool:
        return stays_isotropic(self.phases)

    @property
    def modulus(self) -> Matrix:
        """The estimate."""
        return converged(
            _modulus(self, moduli([p.law for p in self.phases])),
            "the self-consistent estimate",
            "near percolation or with flat pores there may be no solution; take MoriTanaka",
        )


@eqx.filter_jit
def _modulus(model: SelfConsistent, own: Float[Array, "phase c c"]) -> Matrix:
    kinematics, size = model.kinematics, model.kinematics.size
    rows, columns = np.triu_indices(size)
    position = np.zeros((size, size), int)
    position[rows, columns] = position[columns, rows] = np.arange(len(rows))
    fractions = jnp.stack([p.fraction for p in model.phases])
    start = jnp.einsum("p,pab->ab", fractions, own)
    if any(p.is_random for p in model.phases):
        start = isotropic(eigenvalues(start, kinematics), kinematics)
    scale = jnp.trace(start) / size

    def improved(x: Float[Array, " entry"]) -> Float[Array, " entry"]:
        C = x[position]
        polarised, strained = concentrations(
            model.phases, own / scale, C, kinematics, model.is_isotropic
        )
        better = C + jnp.linalg.solve(strained.T, polarised.T).T
        return symmetric(better)[rows, columns]

    def admissible(x: Float[Array, " entry"]) -> Array:
        return jnp.linalg.eigvalsh(x[position])[0] > 0

    x = fixed_point(improved, start[rows, columns] / scale, admissible)
    return scale * x[position]
