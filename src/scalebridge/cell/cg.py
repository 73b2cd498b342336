"""Preconditioned conjugate gradients on a cell problem, driven from the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import kernels, krylov, stencil, volumes
from scalebridge.cell.bounded import BoundedGreen
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.error_estimate import EnergyErrorEstimate
from scalebridge.cell.media import Media
from scalebridge.cell.reactions import boundary_work
from scalebridge.cell.stencil import Field

_ROUNDING = 1e-13  # of the affine field's fluxes: nodal forces below it are noise
_PRECISION = float(np.finfo(float).eps)  # no figure of double precision is better
_NEGLIGIBLE = 1e-12  # of the affine field's energy: an effective modulus below it is zero
_BREAKDOWN = (
    "conjugate gradients broke down in iteration {iteration} (step {alpha:g}): the moduli are "
    "not positive, or their contrast exceeds double precision; check the phases' constants"
)
_UNFINISHED = (
    "not converged in {iteration} iterations (residual {residual:.1e}, estimated error "
    "{error:.1e}); allow more iterations with Solver(max_iterations=…)"
)
_ROUNDED = (
    "rounding errors were reached in iteration {iteration} before the tolerance (residual "
    "{residual:.1e}, estimated error {error:.1e}); ask for less, or reduce the phases' contrast"
)


class Problem(NamedTuple):
    """A linear cell problem on one grid.

    Attributes
    ----------
    disc : Discretisation
    media : Media
    green : tuple of arrays or BoundedGreen
        What inverts the reference medium, in a periodic cell or another.
    floor : float
        Lower bound of the preconditioned spectrum; 0 where none is known.
    """

    disc: Discretisation
    media: Media
    green: tuple[Array, ...] | BoundedGreen
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
    affine_energy : float
        The same of the affine field, ē·⟨C⟩·ē.
    carries_nothing : bool
        Whether the effective modulus is zero, but for rounding and the solver's error.
    boundary_work : float
        The energy from the nodal reactions on the cell's boundary.
    step : Step
        Iterations, and the achieved figures.
    message : str
        Empty on success; otherwise what happened, and what to do about it.
    """

    u: Field
    forces: Field
    flux: np.ndarray
    energy: float
    affine_energy: float
    carries_nothing: bool
    boundary_work: float
    step: Step
    message: str


class Workspace:
    """The arrays that an iteration writes to, kept from one load case to the next."""

    def __init__(self, problem: Problem) -> None:
        disc = problem.disc
        self.problem = problem
        self.p, self.g, self.force = self.nodes(), self.nodes(), self.nodes()
        green = problem.green
        precision = (green.lame if isinstance(green, BoundedGreen) else green[0]).dtype
        self.z = self.nodes(dtype=precision)
        self.modes: Field = ()
        if disc.is_fourier:
            spectrum = jnp.result_type(precision, jnp.complex64)
            self.modes = self.nodes([*disc.shape[:-1], disc.shape[-1] // 2 + 1], spectrum)
        if disc.element == "volume":
            self.wrapped = self.nodes()
            shapes = volumes.flux_shapes(disc)
        else:
            self.wrapped = self.nodes([n + 2 for n in disc.nodes])
            shapes = [[n + 1 for n in disc.nodes]] * stencil.count_fluxes(disc)
        self.flux = tuple(jnp.zeros(shape) for shape in shapes)

    def nodes(self, shape: Sequence[int] | None = None, dtype: Any = float) -> Field:
        """Return a nodal field of zeros."""
        disc = self.problem.disc
        return tuple(jnp.zeros(shape or disc.nodes, dtype) for _ in range(disc.unknowns))

    def evaluate(self, u: Field, mean: np.ndarray) -> float:
        """Evaluate fluxes and out-of-balance forces `g` of ē + B u; return (u, g)."""
        disc, media = self.problem.disc, self.problem.media
        self.wrapped = kernels.wrap(disc, u, self.wrapped)
        self.flux = kernels.fluxes(disc, self.wrapped, jnp.asarray(mean), *media, self.flux)
        self.g, work = kernels.forces(disc, self.flux, u, self.g)
        return float(work)

    def average_flux(self) -> np.ndarray:
        """Volume average of the fluxes evaluated last."""
        return np.asarray(kernels.averages(self.problem.disc, self.flux))

    def boundary_work(self, mean: np.ndarray) -> float:
        """Work density of the nodal reactions on the boundary, of the state evaluated last."""
        if self.problem.disc.element == "volume":
            return volumes.boundary_work(self.problem.disc, self.flux, mean)
        return boundary_work(self.problem.disc, self.flux, self.wrapped, mean)

    def norm(self) -> float:
        """‖g‖₂ of the out-of-balance forces."""
        return float(jnp.sqrt(krylov.dot(self.g, self.g)))

    def take_forces(self) -> Field:
        """Hand out the forces `g`, and take new memory for the next."""
        forces, self.g = self.g, self.nodes()
        return forces

    def precondition(self) -> Array:
        """Update z = M⁻¹ g; return (g, z)."""
        disc, _, green, _ = self.problem
        if isinstance(green, BoundedGreen):
            self.z, gz = kernels.precondition_bounded(disc, green, self.g, self.z)
            return gz
        self.modes = kernels.transform(disc, green, self.g, self.modes)
        self.z, gz, self.modes = kernels.precondition(disc, green, self.modes, self.g, self.z)
        return gz

    def iterate(self, u: Field, gz: Array, beta: Array) -> tuple[Field, float, float, Array]:
        """One step of conjugate gradients: return u, ‖g‖₂, the step length and the new (g, z)."""
        disc, media = self.problem.disc, self.problem.media
        self.p = kernels.direction(disc, self.p, self.z, beta)
        self.wrapped = kernels.wrap(disc, self.p, self.wrapped)
        nothing = jnp.zeros(disc.components)
        self.flux = kernels.fluxes(disc, self.wrapped, nothing, *media, self.flux)
        self.force, work = kernels.forces(disc, self.flux, self.p, self.force)
        u, self.g, square, alpha = kernels.descend(disc, u, self.g, self.p, self.force, gz, work)
        gz = self.precondition()
        return u, float(jnp.sqrt(square)), float(alpha), gz


class _Scales(NamedTuple):
    """What the figures of an iteration are relative to, from the affine field ē·x.

    Attributes
    ----------
    forces : float
        ‖b‖₂ of its nodal forces, or 1 where they are noise.
    noise : float
        Norm of nodal forces that are rounding errors.
    energy : float
        Its energy ē·⟨C⟩·ē.
    negligible : float
        Energy below which an effective modulus is zero; 0 where none can be.
    """

    forces: float
    noise: float
    energy: float
    negligible: float


def solve(
    work: Workspace,
    mean: np.ndarray,
    target: Target,
    start: Field | None = None,
    report: Callable[[Step], None] | None = None,
) -> Outcome:
    """Find the fluctuation, in the cell's space, under the average gradient `mean`.

    Conjugate gradients (Hestenes & Stiefel 1952) on Bᵀ C B u = −Bᵀ C ē,
    preconditioned by the homogeneous reference medium. The system is singular
    (translations, rotations, hourglass modes, void) and consistent; its solution is
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
    voxels = work.problem.disc.voxels
    u, useful = work.nodes(), 0.0
    scales = _affine_scales(work, mean, u)
    if start is not None:
        u, useful = start, work.evaluate(start, mean)
    energy = float(mean @ work.average_flux()) + useful / voxels
    u, step, message = _iterate(work, u, energy, target, scales, report)
    useful = work.evaluate(u, mean)
    flux = work.average_flux()
    energy = float(mean @ flux) + useful / voxels
    reactions = work.boundary_work(mean)
    achieved = step._replace(residual=work.norm() / scales.forces)
    return Outcome(
        u=u,
        forces=work.take_forces(),
        flux=flux,
        energy=energy,
        affine_energy=scales.energy,
        carries_nothing=energy < scales.negligible,
        boundary_work=reactions,
        step=achieved,
        message=message,
    )


def _affine_scales(work: Workspace, mean: np.ndarray, nothing: Field) -> _Scales:
    """Evaluate the affine field; its forces stay in `work`."""
    disc = work.problem.disc
    work.evaluate(nothing, mean)
    flux, norm = work.average_flux(), work.norm()
    noise = _ROUNDING * np.sqrt(disc.voxels * disc.unknowns) * float(np.linalg.norm(flux))
    energy = float(mean @ flux)
    negligible = 0.0 if work.problem.floor > 0 else _NEGLIGIBLE * energy
    return _Scales(norm if norm > noise else 1.0, noise, energy, negligible)


def _iterate(
    work: Workspace,
    u: Field,
    energy: float,
    target: Target,
    scales: _Scales,
    report: Callable[[Step], None] | None,
) -> tuple[Field, Step, str]:
    """Iterate until the target, a breakdown or the last iteration allowed."""
    norm, voxels = work.norm(), work.problem.disc.voxels
    if norm <= scales.noise:
        return u, Step(0, norm / scales.forces, 0.0), ""
    gz = work.precondition()
    estimate = EnergyErrorEstimate(work.problem.floor, float(gz))
    beta = jnp.zeros(())
    step = Step(0, norm / scales.forces, np.inf)
    for iteration in range(1, target.iterations + 1):
        u, norm, alpha, new = work.iterate(u, gz, beta)
        if not (np.isfinite(norm) and alpha > 0):
            work.p = work.nodes()
            return u, step, _BREAKDOWN.format(iteration=iteration, alpha=alpha)
        energy -= alpha * float(gz) / voxels
        beta, gz = new / gz, new
        estimate.update(alpha, float(gz))
        error = estimate.squared_error() / voxels / max(energy, scales.negligible)
        error = max(error, _PRECISION)
        step = Step(iteration, norm / scales.forces, error)
        if report is not None:
            report(step)
        if target.reached(step):
            return u, step, ""
        if norm <= scales.noise:
            # A load that hardly needs a fluctuation has forces near rounding to begin with.
            done = target.error is None or step.error <= target.error
            return u, step, "" if done else _ROUNDED.format(**step._asdict())
    return u, step, _UNFINISHED.format(**step._asdict())
