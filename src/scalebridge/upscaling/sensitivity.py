"""Derivatives of load histories by the parameters of the laws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.cell import nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.cell.checks import check_tolerance
from scalebridge.cell.equilibrium import Equations
from scalebridge.errors import ConvergenceError, InputError
from scalebridge.upscaling import law_parameters, step_derivative
from scalebridge.upscaling.history import History
from scalebridge.upscaling.loading import Stepping, follow
from scalebridge.upscaling.path import Path, parse_path
from scalebridge.upscaling.step_derivative import Averages, Carried
from scalebridge.upscaling.substeps import Taken

_ACCURACY = 1e-6  # of the linear solves, or that of the history where that is smaller
_MEMORY = 1e9  # bytes of substeps that are kept without more ado

Loss = Callable[[Any, Any], Any]
Slopes = dict[str, np.ndarray]
Substep = tuple[int, Taken]  # the row that it belongs to


@dataclass(frozen=True, repr=False)
class Sensitivities:
    """A load history, and how it moves with parameters of the laws.

    Attributes
    ----------
    history : History
        As `load` gives it.
    gradient, flux : mapping of parameter to (step, component, \\*shape of the parameter)
        Derivatives of `history.gradient` and `history.flux`.
    """

    history: History
    gradient: Mapping[str, np.ndarray]
    flux: Mapping[str, np.ndarray]

    def __repr__(self) -> str:
        return f"{self.history!r}\nand its derivatives by {', '.join(self.flux)}"


class LossGradient(NamedTuple):
    """A number made of a load history, and its derivatives by parameters of the laws.

    Attributes
    ----------
    value : float
    derivatives : dict of parameter to array of the parameter's shape
    """

    value: float
    derivatives: Slopes


class _Problem:
    """A path of a cell, and what is asked of it."""

    def __init__(
        self,
        cell: Cell,
        times: Any,
        parameters: str | Iterable[str] | None,
        tolerance: float,
        stepping: Stepping | None,
        given: dict[str, Any],
    ) -> None:
        if not isinstance(cell, Cell):
            raise InputError(f"`cell` must be a Cell, but is a {type(cell).__name__}")
        check_tolerance("tolerance", tolerance)
        self.path = parse_path(cell, times, given)
        self.values = law_parameters.select(cell, parameters)
        self.cell = cell.located()
        self.tolerance, self.stepping = tolerance, stepping or Stepping()
        self.accuracy = jnp.asarray(min(_ACCURACY, tolerance), float)
        self.equations: Equations = nonlinear.prepare(cell)

    def follow(
        self,
        taken: Callable[[int, Taken], None],
        committed: Callable[[History], None] | None = None,
    ) -> History:
        """Solve, telling each substep and each row."""
        return self._follow(self.path, taken, committed=committed)

    def again(self, start: History | None, end: History) -> list[Substep]:
        """Return the substeps between two beginnings of the history."""
        found: list[Substep] = []
        times, gradient, flux, free = (a[: len(end.times)] for a in self.path[:4])
        part = Path(times, gradient, flux, free, self.path.components)
        self._follow(part, lambda *at: found.append(at), start=start)
        return found

    def _follow(self, path: Path, taken: Callable[[int, Taken], None], **options: Any) -> History:
        options |= {"tolerance": self.tolerance, "stepping": self.stepping}
        return follow(self.cell, path, taken, **options)

    def check(self, row: int, derivative: Averages) -> None:
        """Refuse what a linear solve left unsolved."""
        if not np.all(np.isfinite(np.stack(derivative))):
            raise ConvergenceError(
                f"the derivative of the step to t = {self.path.times[row]:g} (row {row}) has no "
                f"answer: its linear system is not solved to {float(self.accuracy):.0e}; the "
                "tangent may be singular there, as at a limit load: end the path before it"
            )


def sensitivities(
    cell: Cell,
    times: Any,
    *,
    parameters: str | Iterable[str],
    strain: Any = None,
    stress: Any = None,
    F: Any = None,
    P: Any = None,
    gradient: Any = None,
    flux: Any = None,
    tolerance: float = 1e-5,
    stepping: Stepping | None = None,
) -> Sensitivities:
    """Drive a cell along a load path, and differentiate its answer by a few parameters.

    Forward: beside the history, one linear solve for each number in the parameters and each
    substep. For many parameters of one number made of the history see `loss_gradient`.

    Parameters
    ----------
    cell, times, strain, stress, F, P, gradient, flux, tolerance, stepping
        As in `load`.
    parameters : sequence of str
        phase.attribute, as in ``cell.laws``: "matrix.E", "matrix.hardening.H"; of a phase that
        is a cell "yarn.laws.fibre.E". The attributes are what a law stores, mostly under the
        names that it was made of: Norton's stress is `drag`, Maxwell's branches are `g`,
        `shear_time`, `k` and `bulk_time`. An array counts as so many numbers.

    Returns
    -------
    Sensitivities

    Raises
    ------
    InputError
        A parameter that no law has, which lists those that there are; a path as in `load`.
    ConvergenceError
        A step that cannot be solved; `partial` is the history up to there.

    Notes
    -----
    The derivatives are those of the discrete history, on the substeps that were taken, by the
    implicit function theorem: as exact as the history is solved. A point that begins to flow just
    at the end of a step has a derivative from either side only. Each number takes the memory
    of the laws' states.

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> layers = sb.Microstructure(np.repeat([0, 1], 4)[:, None] * np.ones((1, 8), int),
    ...                            spacing=1.0, phases={"soft": 0, "hard": 1})
    >>> laws = {"soft": sb.laws.J2Plasticity(E=70e3, nu=0.3, yield_stress=100.0),
    ...         "hard": sb.laws.IsotropicElastic(E=400e3, nu=0.2)}
    >>> cell = sb.Cell(layers, laws, plane="strain")
    >>> strain = np.linspace(0, 1, 11)[:, None] * [0.0, 0.0, 0.01]
    >>> found = sb.upscaling.sensitivities(
    ...     cell, np.linspace(0, 1, 11), strain=strain, parameters=["soft.yield_stress"])
    >>> found.flux["soft.yield_stress"][-1].round(4).tolist()  # √(2/3), as the layers slip
    [0.0, 0.0, 0.8165]
    """
    given = _given(strain, stress, F, P, gradient, flux)
    problem = _Problem(cell, times, parameters, tolerance, stepping, given)
    equations = problem.equations
    rates = law_parameters.rates(problem.cell, problem.values)
    carried = step_derivative.origin_forward(equations, cell.kinematics, rates)
    rows = [carried.averages]

    def taken(row: int, at: Taken) -> None:
        nonlocal carried
        carried = step_derivative.forward(
            equations, at, rates, carried, rows[row - 1], problem.accuracy
        )
        problem.check(row, carried.averages)
        if at.left <= 0:
            rows.append(carried.averages)

    history = problem.follow(taken)

    def by_parameter(field: str) -> Slopes:
        stacked = np.stack([np.asarray(getattr(row, field)) for row in rows])
        return law_parameters.split(problem.values, np.moveaxis(stacked, 1, -1))

    return Sensitivities(history, by_parameter("mean"), by_parameter("average"))


def loss_gradient(
    cell: Cell,
    times: Any,
    *,
    loss: Loss,
    parameters: str | Iterable[str] | None = None,
    strain: Any = None,
    stress: Any = None,
    F: Any = None,
    P: Any = None,
    gradient: Any = None,
    flux: Any = None,
    tolerance: float = 1e-5,
    stepping: Stepping | None = None,
    stride: int | None = None,
) -> LossGradient:
    """Differentiate one number made of a load history by any number of parameters.

    Adjoint: after the history, one linear solve for each substep on the way back, whatever the
    number of parameters.

    Parameters
    ----------
    cell, times, strain, stress, F, P, gradient, flux, tolerance, stepping
        As in `load`.
    loss : callable
        ``loss(gradient, flux)`` of the averages (step, component), as in `History`, which
        returns a number. In plain arithmetic or jax.numpy: JAX differentiates it.
    parameters : sequence of str, optional
        As in `sensitivities`; all of all laws by default.
    stride : int, optional
        Rows between states that are kept for the way back, where what lies between is solved
        once more. By default everything is kept if it takes less than 1 GB, and else √rows
        is the stride.

    Returns
    -------
    LossGradient
        A pair: the value, and its derivatives by name.

    Raises
    ------
    InputError
        A loss that is not a number or that JAX cannot differentiate; see `sensitivities`.
    ConvergenceError
        A step that cannot be solved; `partial` is the history up to there.

    Notes
    -----
    Kept are, for each substep since the last kept row, the laws' states and the fluctuation,
    and for each kept row the end of a history: two states and fluctuations with their fluxes,
    gradients and energies. With a stride of s in n rows that is (s + n/s) of them instead of n.

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> image = sb.generate.centred_sphere((8, 8), fraction=0.3)
    >>> laws = {"matrix": sb.laws.PowerLawConduction(k=1.0, exponent=0.5, scale=1.0),
    ...         "sphere": sb.laws.Conduction(10.0)}
    >>> path = np.linspace(0, 2, 5)[:, None] * [1.0, 0.0]
    >>> value, slopes = sb.upscaling.loss_gradient(
    ...     sb.Cell(image, laws), np.arange(5.0), gradient=path,
    ...     loss=lambda gradient, flux: flux[-1, 0])
    >>> scaled = 1.0 * slopes["matrix.k"] + 10.0 * slopes["sphere.k"]
    >>> bool(np.isclose(value, scaled, rtol=1e-4))  # the flux is homogeneous in both k
    True
    """
    given = _given(strain, stress, F, P, gradient, flux)
    problem = _Problem(cell, times, parameters, tolerance, stepping, given)
    _check_loss(loss, problem.path)
    history, kept, last = _keep(problem, _stride(stride, problem))
    value, by_averages = _differentiate(loss, history)
    back = _WayBack(problem, by_averages)
    back.over(last)
    while kept:
        end = kept.pop()
        back.over(problem.again(kept[-1] if kept else None, end))
    slope = law_parameters.pull_back(problem.cell, problem.values, back.finish())
    derivatives = {name: np.asarray(slope[name]) for name in problem.values}
    return LossGradient(value, derivatives)


def _given(*values: Any) -> dict[str, Any]:
    names = ("strain", "stress", "F", "P", "gradient", "flux")
    return dict(zip(names, values, strict=True))


def _check_loss(loss: Loss, path: Path) -> None:
    """Refuse, before anything is solved, what is no number."""
    shape = jax.ShapeDtypeStruct(path.gradient.shape, float)
    try:
        found = jax.eval_shape(loss, shape, shape)
    except jax.errors.JAXTypeError as error:
        raise InputError(
            "`loss` must be made of plain arithmetic and jax.numpy, but takes its arguments for "
            f"NumPy arrays: {str(error).splitlines()[0]}"
        ) from None
    if getattr(found, "shape", None) != ():
        told = getattr(found, "shape", type(found).__name__)
        raise InputError(f"`loss` must return a number, but returns {told}; sum it up")


def _differentiate(loss: Loss, history: History) -> tuple[float, list[Averages]]:
    """Return the loss, and its slopes by the averages of each row."""
    averages = jnp.asarray(history.gradient), jnp.asarray(history.flux)
    value, slopes = jax.value_and_grad(loss, argnums=(0, 1))(*averages)
    wrong = ~np.all(np.isfinite(np.stack(slopes)), axis=(0, 2))
    if wrong.any():
        raise InputError(
            "`loss` must have a derivative at the solution, but has none by the averages of row "
            f"{int(np.flatnonzero(wrong)[0])}; a norm or a root of zero has none: leave it out"
        )
    return float(value), [Averages(*pair) for pair in zip(*slopes, strict=True)]


def _stride(stride: int | None, problem: _Problem) -> int:
    rows = len(problem.path.times) - 1
    if stride is not None:
        if not isinstance(stride, int) or stride < 1:
            raise InputError(f"`stride` must be a whole number > 0, but is {stride!r}")
        return stride
    virgin = nonlinear.virgin(problem.equations, problem.cell.kinematics)
    each = sum(leaf.nbytes for leaf in jax.tree.leaves((virgin.phases, virgin.fluctuation)))
    return rows if rows * each < _MEMORY else int(np.ceil(rows**0.5))


def _keep(problem: _Problem, stride: int) -> tuple[History, list[History], list[Substep]]:
    """Solve; return the history, its beginnings up to kept rows, and the substeps after them."""
    kept: list[History] = []
    since: list[Substep] = []
    last = len(problem.path.times) - 1

    def committed(part: History) -> None:
        row = len(part.times) - 1
        if row % stride == 0 and row < last:
            kept.append(part)
            since.clear()

    history = problem.follow(lambda *at: since.append(at), committed=committed)
    return history, kept, since


class _WayBack:
    """The adjoint recursion from the last substep to the first.

    Parameters
    ----------
    by_averages : list of Averages
        Slopes of the loss by the averages of each row.
    """

    def __init__(self, problem: _Problem, by_averages: list[Averages]) -> None:
        self.problem, self.by_averages = problem, by_averages
        equations = problem.equations
        virgin = nonlinear.virgin(equations, problem.cell.kinematics)
        nothing = jax.tree.map(jnp.zeros_like, (virgin.phases, law_parameters.moving(equations)))
        self.states, self.slope = nothing

    def over(self, part: list[Substep]) -> None:
        """Go back over substeps, and let go of them."""
        problem = self.problem
        while part:
            row, at = part.pop()
            none = jax.tree.map(jnp.zeros_like, self.by_averages[row])
            averages = none if at.left > 0 else self.by_averages[row]
            slope, self.states, begin = step_derivative.adjoint(
                problem.equations, at, Carried(self.states, averages), problem.accuracy
            )
            problem.check(row, begin)
            self.slope = jax.tree.map(jnp.add, self.slope, slope)
            self.by_averages[row - 1] = jax.tree.map(jnp.add, self.by_averages[row - 1], begin)

    def finish(self) -> Any:
        """Return the slope of the loss by the laws' arrays."""
        first = step_derivative.origin_adjoint(
            self.problem.equations,
            self.problem.cell.kinematics,
            Carried(self.states, self.by_averages[0]),
        )
        return jax.tree.map(jnp.add, self.slope, first)
