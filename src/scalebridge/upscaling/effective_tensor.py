"""The effective tensor of a linear cell, with its evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from scalebridge import tensors
from scalebridge.cell import cg, krylov, space
from scalebridge.cell.cell import Cell
from scalebridge.cell.checks import check_tolerance
from scalebridge.cell.solver import LinearCellProblem, Solver
from scalebridge.errors import ConvergenceError, InputError, Interrupted
from scalebridge.laws.protocol import Kinematics
from scalebridge.upscaling import constants, driving, evidence
from scalebridge.upscaling.local_fields import LocalFields, local_fields

MEASURES = ("tensor", "residual")
_MUCH = 0.1  # of the energy in hourglass modes


class Progress(NamedTuple):
    """One iteration of one load case, as `effective` reports it.

    Attributes
    ----------
    case, cases : int
        Load case, from 0, and their number.
    iteration : int
    residual, error_estimate : float
        Relative residual of the field; estimated relative error of the tensor.
    target : float
        What the measure asked for must come down to.
    """

    case: int
    cases: int
    iteration: int
    residual: float
    error_estimate: float
    target: float


@dataclass(frozen=True, repr=False)
class Effective:
    """Effective tensor of a cell.

    Attributes
    ----------
    tensor : (m, m)
        Conductivity (d, d), or stiffness in Mandel components: (6, 6) in 3D,
        (3, 3) as 11, 22, 12 in 2D. Columns that were not computed are NaN.
    iterations : (m,) int
        Iterations of each load case on the full grid.
    residual : float
        Largest achieved relative residual ‖g‖₂/‖b‖₂, evaluated afresh.
    error_estimate : float
        Largest estimated relative error of the tensor's diagonal from the solver.
    hill_mandel : HillMandel
        Energy balance between the scales.
    hourglass : float or None
        Share of hourglass modes in the energy that the full element would see;
        given for `reduced` elements where a phase is void.
    converged : bool
    message : str
        Empty, or what went wrong and what to do about it.
    warnings : tuple of str
    timings : dict of str to float [s]
        "setup" and "solve".
    peak_memory : int [byte]
        Largest resident memory of the process so far.
    boundary : str
    plane : str or None
        "strain", "stress" or "generalized" in 2D mechanics.
    """

    tensor: np.ndarray
    physics: str
    dim: int
    tolerance: float
    measure: str
    iterations: tuple[int, ...]
    residual: float
    error_estimate: float
    hill_mandel: evidence.HillMandel
    hourglass: float | None
    converged: bool
    message: str
    warnings: tuple[str, ...]
    timings: dict[str, float]
    peak_memory: int
    boundary: str = "periodic"
    plane: str | None = None
    _states: tuple[Any, ...] = ()
    _cell: Cell | None = None

    @property
    def complete(self) -> bool:
        """Whether all load cases were computed."""
        return not np.any(np.isnan(self.tensor))

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the tensor's rows: "1", "2", … or "11", "22", …."""
        return Kinematics(self.physics, self.dim).components

    @property
    def voigt(self) -> np.ndarray:
        """The stiffness for engineering shear strains; a conductivity as it is."""
        if self.physics == "conduction":
            return self.tensor
        return np.asarray(tensors.stiffness_to_voigt(self.tensor))

    @property
    def _kind(self) -> Literal["stiffness", "conductivity"]:
        return "conductivity" if self.physics == "conduction" else "stiffness"

    def engineering_constants(self) -> dict[str, Any]:
        """Engineering constants read from the tensor; see `upscaling.constants`.

        Under free ends the tensor, and so the constants, are those of the specimen as it is held.
        """
        return constants.engineering_constants(self.tensor, kind=self._kind, plane=self.plane)

    def _check_stiffness(self) -> None:
        if self.physics != "elasticity":
            raise InputError("moduli are those of a stiffness, but this tensor is a conductivity")

    def young_modulus(self, direction: Any) -> Any:
        """Young's modulus along a direction; see `upscaling.constants.young_modulus`."""
        self._check_stiffness()
        return constants.young_modulus(self.tensor, direction)

    def shear_modulus(self, direction: Any, normal: Any) -> Any:
        """Shear modulus of two perpendicular directions; see `upscaling.constants`."""
        self._check_stiffness()
        return constants.shear_modulus(self.tensor, direction, normal)

    def poisson_ratio(self, direction: Any, transverse: Any) -> Any:
        """Contraction along `transverse` under tension along `direction`."""
        self._check_stiffness()
        return constants.poisson_ratio(self.tensor, direction, transverse)

    def closest_symmetry(self, tolerance: float = 1e-3) -> constants.ClosestSymmetry:
        """Return the highest symmetry class that the tensor has within a relative distance."""
        return constants.closest_symmetry(self.tensor, tolerance, kind=self._kind)

    def average(self, gradient: Any = None, flux: Any = None) -> driving.Average:
        """Average gradient and flux, of which one is prescribed for each component.

        Parameters
        ----------
        gradient, flux : (m,), optional
            Average gradient and flux, or strain and stress in Mandel components; NaN where the
            other one is prescribed. Under free ends the gradient is that of the faces which hold
            the cell. Uniaxial stress is ``flux=[1, 0, 0, 0, 0, 0]``, uniaxial
            tension between fixed grips ``gradient=[1, nan, …], flux=[nan, 0, …]``.

        Raises
        ------
        InputError
            A component prescribed twice or not at all; a flux that the medium cannot carry.
        """
        if not self.complete:
            raise InputError("the tensor is not complete; solve all load cases first")
        return driving.average_state(self.tensor, gradient, flux, self.components)

    def local(self, gradient: Any = None, flux: Any = None) -> LocalFields:
        """Local fields under an average state, by superposition of the load cases.

        Parameters
        ----------
        gradient, flux : (m,), optional
            As in `average`: the average gradient alone, or flux, or a mix by component.

        Raises
        ------
        InputError
            When the fields were not kept: ask for `effective(cell, fields=True)`.
        """
        if self._cell is None or len(self._states) < len(self.tensor):
            raise InputError("local fields were not kept; call effective(cell, fields=True)")
        mean = self.average(gradient, flux).gradient
        return local_fields(self._cell, self._states, mean)

    def __repr__(self) -> str:
        kind = "conductivity" if self.physics == "conduction" else "stiffness, Mandel"
        rows = np.array2string(self.tensor, precision=6, suppress_small=True)
        if self.boundary != "periodic":
            kind += f", {self.boundary}"
        state = "" if self.converged else f"\nNOT CONVERGED: {self.message}"
        return (
            f"Effective {kind} ({', '.join(self.components)}):\n{rows}\n"
            f"estimated error {self.error_estimate:.1e}, residual {self.residual:.1e}, "
            f"iterations {self.iterations}{state}"
        )


def effective(
    cell: Cell,
    tolerance: float = 1e-6,
    measure: str = "tensor",
    *,
    fields: bool = False,
    field_tolerance: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    solver: Solver | None = None,
    throw: bool = True,
) -> Effective:
    """Compute the effective tensor of a linear cell.

    The tensor is evaluated in its symmetric energy form
    C̄_ab = ⟨(ē_a + ∇u_a)·C·(ē_b + ∇u_b)⟩, whose error is of second order in that
    of the fields.

    Parameters
    ----------
    cell : Cell
    tolerance : float
        What `measure` must come down to in each load case.
    measure : "tensor" or "residual"
        "tensor": the estimated relative error of the tensor's diagonal, from
        the energy-norm error of conjugate gradients (Meurant & Tichý 2013).
        "residual": the relative residual ‖g‖₂/‖b‖₂ of the field.
    fields : bool
        Keep the fields for `Effective.local`. They are of first order in the
        solver's error, so that the residual must reach `field_tolerance` too.
    field_tolerance : float, optional
        Relative residual with `fields`; `tolerance` by default.
    progress : callable, optional
        Called with a `Progress` after every iteration on the full grid.
    solver : Solver, optional
    throw : bool
        Raise when the tolerance is not reached; otherwise `converged` is False.

    Returns
    -------
    Effective

    Raises
    ------
    InputError
        When an option is not known.
    ConvergenceError
        When the tolerance is not reached.
    Interrupted
        On Ctrl-C, with what was done until then as `partial`.
    """
    target = _target(tolerance, measure, field_tolerance if fields else None, fields)
    options = solver or Solver()
    target = replace(target, iterations=options.max_iterations)
    start = time.perf_counter()
    if not isinstance(cell, Cell):
        raise InputError(f"`cell` must be a Cell, but is a {type(cell).__name__}")
    if not cell.is_linear:
        raise InputError(
            "`effective` is for linear cells, but a law of this one is not; drive it along a path "
            "with sb.load, which gives tangents too (tangents=True)"
        )
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(cell)):
        raise InputError(
            "`effective` works on concrete values, but a JAX transformation is under way; "
            "use cell.tangent(), the same tensor as a pure function"
        )
    run = _Run(
        cell,
        _Problems(cell, options),
        target,
        fields,
        tolerance,
        measure,
        time.perf_counter() - start,
    )
    try:
        run.solve_all(progress)
    except KeyboardInterrupt:
        raise Interrupted(run.result("interrupted by the user")) from None
    result = run.result("")
    if throw and not result.converged:
        raise ConvergenceError(result.message)
    return result


def _hourglass_warning(share: float | None) -> tuple[str, ...]:
    if share is None or share < _MUCH:
        return ()
    return (
        f"{100 * share:.0f} % of the energy that fully integrated elements would see is in "
        "hourglass modes, which 'reduced' does not resist: compare with the element 'full'",
    )


def _target(
    tolerance: float, measure: str, field_tolerance: float | None, fields: bool
) -> cg.Target:
    check_tolerance("tolerance", tolerance)
    if field_tolerance is not None:
        check_tolerance("field_tolerance", field_tolerance)
    if measure not in MEASURES:
        raise InputError(f"`measure` must be one of {list(MEASURES)}, but is {measure!r}")
    residual = (field_tolerance or tolerance) if fields else None
    if measure == "residual":
        return cg.Target(residual=min(tolerance, residual or tolerance))
    return cg.Target(residual=residual, error=tolerance)


class _Problems:
    """The problem of each load case: one for all, but for transport through the cell.

    Only one at a time is kept, since each has its arrays.
    """

    def __init__(self, cell: Cell, options: Solver) -> None:
        self.cell, self.options = cell, options
        self.is_one = cell.boundary != "through"
        self._case, self._problem = 0, LinearCellProblem(cell, options)
        self.scale = self._problem.scale

    def __getitem__(self, case: int) -> LinearCellProblem:
        if not self.is_one and case != self._case:
            del self._problem  # before the next takes memory
            self._case = case
            self._problem = LinearCellProblem(self.cell.along(case), self.options)
        return self._problem


class _Run:
    """Load cases one after another, and what is known after each."""

    def __init__(
        self,
        cell: Cell,
        problems: _Problems,
        target: cg.Target,
        fields: bool,
        tolerance: float,
        measure: str,
        setup: float,
    ) -> None:
        self.cell, self.problems, self.target = cell, problems, target
        self.fields, self.tolerance, self.measure = fields, tolerance, measure
        self.setup, self.start = setup, time.perf_counter()
        size = cell.kinematics.size
        self.averages = np.full((size, size), np.nan)
        self.tensor = np.full((size, size), np.nan)
        self.outcomes: list[cg.Outcome] = []

    def solve_all(self, progress: Callable[[Progress], None] | None) -> None:
        """Solve the unit load cases."""
        size = len(self.tensor)
        for case in range(size):

            def report(step: cg.Step, case: int = case) -> None:
                if progress is not None:
                    target = self.target.error or self.target.residual or 0.0
                    progress(Progress(case, size, *step, target))

            problem = None  # before the next takes memory
            problem = self.problems[case]
            if space.is_idle(self.cell.discretisation, case):
                outcome = problem.idle()
            else:
                outcome = problem.solve(np.eye(size)[case], self.target, report)
            self.averages[:, case] = outcome.flux
            voxels = self.cell.discretisation.voxels
            self.outcomes.append(outcome)
            # ⟨(ē_a + ∇u_a)·C·(ē_b + ∇u_b)⟩ = ē_a·σ̄_b + u_a·Bᵀσ_b / voxels
            for a, other in enumerate(self.outcomes):
                if self.problems.is_one or a == case:
                    work = float(krylov.dot(other.u, outcome.forces)) / voxels
                    self.tensor[a, case] = self.tensor[case, a] = outcome.flux[a] + work
                else:
                    self.tensor[a, case] = self.tensor[case, a] = 0.0
            for zero in [i for i, o in enumerate(self.outcomes) if o.carries_nothing]:
                self.tensor[zero, : case + 1] = self.tensor[: case + 1, zero] = 0.0
            self.outcomes[case] = outcome._replace(forces=())

    def _failure(self) -> str:
        """Name the load cases that failed, and what to do about it; empty if none did."""
        failed = {case: o.message for case, o in enumerate(self.outcomes) if o.message}
        if not failed:
            return ""
        cases = ", ".join(str(case + 1) for case in failed)
        advice = ""
        if self.cell.has_void and self.cell.element == "reduced":
            advice = ", or use the element 'full', since a phase is void"
        return f"load case {cases}: {next(iter(failed.values()))}{advice}"

    def result(self, message: str) -> Effective:
        """Return what is known now."""
        cell, done, scale = self.cell, self.outcomes, self.problems.scale
        steps = [o.step for o in done]
        text = message or self._failure()
        hourglass = None
        if cell.has_void:
            hourglass = evidence.hourglass_share(
                lambda case: self.problems[case].levels[0].problem, done
            )
        volume = float(np.prod(cell.microstructure.spacing)) ** (1 / cell.dim)
        states = tuple(tuple(volume * u for u in o.u) for o in done) if self.fields else ()
        return Effective(
            tensor=scale * self.tensor,
            physics=cell.physics,
            dim=cell.kinematics.dim,
            tolerance=self.tolerance,
            measure=self.measure,
            iterations=tuple(s.iteration for s in steps),
            residual=max((s.residual for s in steps), default=np.nan),
            error_estimate=max((s.error for s in steps), default=np.nan),
            hill_mandel=evidence.hill_mandel(self.averages, done, one_problem=self.problems.is_one),
            hourglass=hourglass,
            converged=not text and len(done) == len(self.tensor),
            message=text,
            warnings=(*cell.warnings, *_hourglass_warning(hourglass)),
            timings={"setup": self.setup, "solve": time.perf_counter() - self.start},
            peak_memory=evidence.peak_memory(),
            boundary=cell.boundary,
            plane=cell.plane,
            _states=states,
            _cell=cell if self.fields else None,
        )
