"""Preconditioned conjugate gradients on a cell problem, driven from the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import kernels, stencil
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.error_estimate import EnergyErrorEstimate
from scalebridge.cell.media import Media
from scalebridge.cell.stencil import Field

_ROUNDING = 1e-13  # of the affine field's fluxes: nodal forces below it are noise
_NEGLIGIBLE = 1e-12  # of the affine field's energy: an effective modulus below it is zero


class Problem(NamedTuple):
    """A linear cell problem on one grid.

    Attributes
    ----------
    disc : Discretisation
    media : Media
    green : tuple of arrays
        Packed inverse symbol of the reference medium.
    floor : float
        Lower bound of the preconditioned spectrum; 0 where a phase is void.
    """

    disc: Discretisation
    media: Media
    green: tuple[Array, ...]
    floor: float


@dataclass(frozen=True)
class Target:
    """When to stop: each figure that is given must be reached.

    Attributes
    ----------
    residual : float, optional
        Largest ‖g‖₂/‖b‖₂, with b the nodal forces of the affine field.
    error : float, optional
        Largest estimated relative error of the energy ē·C̄·ē.
    iterations : int
        Most iterations.
    """

    residual: float | None = None
    error: float | None = None
    iterations: int = 1000

    def reached(self, step: Step) -> bool:
        """Whether a step satisfies all that is asked."""
        return (self.residual is None or step.residual <= self.residual) and (
            self.error is None or step.error <= self.error
        )


class Step(NamedTuple):
    """How far an iteration is: relative residual, estimated relative error of the energy."""

    iteration: int
    residual: float
    error: float


class Outcome(NamedTuple):
    """Where conjugate gradients ended.

    Attributes
    ----------
    u : Field
        Nodal fluctuation, in units of the voxel side.
    forces : Field
        Out-of-balance nodal forces Bᵀ C (ē + B u), evaluated afresh.
    flux : (component,)
        Volume average of the flux.
    energy : float
        ē·C̄·ē in its energy form, ⟨(ē + Bu)·C·(ē + Bu)⟩.
    boundary_work : float
        The same energy from the nodal reactions on the cell's boundary.
    step : Step
        Iterations, and the achieved figures.
    message : str
        Empty on success; otherwise what happened, and what to do about it.
    """

    u: Field
    forces: Field
    flux: np.ndarray
    energy: float
    boundary_work: float
    step: Step
    message: str


class Workspace:
    """The arrays that an iteration writes to, kept from one load case to the next."""

    def __init__(self, problem: Problem) -> None:
        disc = problem.disc
        self.problem = problem
        self.p = self._nodes(disc.shape)
        self.g = self._nodes(disc.shape)
        self.force = self._nodes(disc.shape)
        self.z = self._nodes(disc.shape, problem.green[0].dtype)
        self.wrapped = self._nodes([n + 2 for n in disc.shape])
        ghosted = [n + 1 for n in disc.shape]
        self.flux = tuple(jnp.zeros(ghosted) for _ in range(stencil.count_fluxes(disc)))

    def _nodes(self, shape: object, dtype: object = float) -> Field:
        return tuple(jnp.zeros(shape, dtype) for _ in range(self.problem.disc.unknowns))

    def evaluate(self, u: Field, mean: Array) -> float:
        """Evaluate fluxes, averages and out-of-balance forces `g` of ē + B u; return (u, g)."""
        disc, media = self.problem.disc, self.problem.media
        self.wrapped = kernels.wrap(disc, u, self.wrapped)
        self.flux = kernels.fluxes(disc, self.wrapped, mean, *media, self.flux)
        self.g, work = kernels.forces(disc, self.flux, u, self.g)
        return float(work)

    def average_flux(self) -> np.ndarray:
        """Volume average of the fluxes evaluated last."""
        return np.asarray(kernels.averages(self.problem.disc, self.flux))

    def norm(self) -> float:
        """‖g‖₂ of the forces evaluated last."""
        return float(jnp.sqrt(kernels.dot(self.g, self.g)))

    def iterate(self, u: Field, gz: Array, beta: Array) -> tuple[Field, float, float, Array]:
        """One step from z to the next z: return u, ‖g‖², α and (g, z)."""
        disc, media, green, _ = self.problem
        self.p = kernels.direction(disc, self.p, self.z, beta)
        self.wrapped = kernels.wrap(disc, self.p, self.wrapped)
        nothing = jnp.zeros(disc.components)
        self.flux = kernels.fluxes(disc, self.wrapped, nothing, *media, self.flux)
        self.force, work = kernels.forces(disc, self.flux, self.p, self.force)
        u, self.g, square, alpha = kernels.descend(disc, u, self.g, self.p, self.force, gz, work)
        self.z, gz = kernels.precondition(disc, green, self.g, self.z)
        return u, float(square), float(alpha), gz


def solve(
    work: Workspace,
    mean: np.ndarray,
    target: Target,
    start: Field | None = None,
    report: Callable[[Step], None] | None = None,
) -> Outcome:
    """Find the periodic fluctuation under the average gradient `mean`.

    Conjugate gradients (Hestenes & Stiefel 1952) on Bᵀ C B u = −Bᵀ C ē,
    preconditioned by the homogeneous reference medium. The system is singular
    (translations, hourglass modes, void) and consistent; its solution is
    unique up to fields without energy.

    Parameters
    ----------
    work : Workspace
        Of the problem to be solved.
    mean : (component,)
        Average gradient ē.
    target : Target
        When to stop.
    start : Field, optional
        Starting guess; its memory is given up.
    report : callable, optional
        Called after every iteration.
    """
    disc = work.problem.disc
    size = np.sqrt(disc.voxels * disc.unknowns)
    mean_gradient = jnp.asarray(mean)
    nothing = work._nodes(disc.shape)
    work.evaluate(nothing, mean_gradient)
    affine_flux, affine_forces = work.average_flux(), work.norm()
    noise = _ROUNDING * size * float(np.linalg.norm(affine_flux))
    negligible = _NEGLIGIBLE * float(mean @ affine_flux)
    scale = affine_forces if affine_forces > noise else 1.0
    u, useful = nothing, 0.0
    if start is not None:
        u, useful = start, work.evaluate(start, mean_gradient)
    energy = float(mean @ work.average_flux()) + useful / disc.voxels
    message, step, u = _loop(work, u, energy, target, noise, negligible, scale, report)
    useful = work.evaluate(u, mean_gradient)
    flux = work.average_flux()
    energy = float(mean @ flux) + useful / disc.voxels
    reactions = kernels.boundary_work(disc, work.flux, work.wrapped, mean_gradient)
    achieved = step._replace(residual=work.norm() / scale)
    forces, work.g = work.g, work._nodes(disc.shape)
    return Outcome(u, forces, flux, energy, reactions, achieved, message)


def _loop(
    work: Workspace,
    u: Field,
    energy: float,
    target: Target,
    noise: float,
    negligible: float,
    scale: float,
    report: Callable[[Step], None] | None,
) -> tuple[str, Step, Field]:
    """Iterate until the target, a breakdown or the last iteration allowed."""
    disc = work.problem.disc
    norm = work.norm()
    if norm <= noise:
        return "", Step(0, norm / scale, 0.0), u
    work.z, gz = kernels.precondition(disc, work.problem.green, work.g, work.z)
    estimate = EnergyErrorEstimate(work.problem.floor, float(gz))
    beta = jnp.zeros(())
    step = Step(0, norm / scale, np.inf)
    for iteration in range(1, target.iterations + 1):
        before = gz
        u, square, alpha, gz = work.iterate(u, gz, beta)
        beta = gz / before
        if not (np.isfinite(square) and alpha > 0):
            work.p = work._nodes(disc.shape)
            return (
                f"conjugate gradients broke down in iteration {iteration} (step {alpha:g}): the "
                "moduli are not positive, or their contrast exceeds double precision; check the "
                "phases' constants"
            ), step, u
        energy -= alpha * float(before) / disc.voxels
        estimate.update(alpha, float(gz))
        error = estimate.squared_error() / disc.voxels / max(energy, negligible)
        step = Step(iteration, np.sqrt(square) / scale, error)
        if report is not None:
            report(step)
        if target.reached(step) or np.sqrt(square) <= noise:
            return "", step, u
    return (
        f"not converged in {target.iterations} iterations (residual {step.residual:.1e}, "
        f"estimated error {step.error:.1e}); allow more iterations, use the element 'full' "
        "where a phase is void, or reduce the contrast of the phases"
    ), step, u
