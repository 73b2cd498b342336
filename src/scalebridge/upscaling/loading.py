"""Load histories: a cell driven along a path of average gradients and fluxes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np

from scalebridge.cell import newton, nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.cell.checks import check_tolerance
from scalebridge.cell.equilibrium import Driving, Unknowns
from scalebridge.errors import ConvergenceError, InputError, Interrupted
from scalebridge.upscaling import substeps
from scalebridge.upscaling.extrapolation import extrapolate
from scalebridge.upscaling.history import End, History, Ledger, Snapshot
from scalebridge.upscaling.inner_fields import voxel_fields
from scalebridge.upscaling.path import Path, is_part, names_of, parse_path

_NEGATIVE = 1e-9  # of the level of energy: less dissipation than minus that is a law's error


@dataclass(frozen=True)
class Stepping:
    """How a load history is solved. It changes the cost; the cuts change where states lie.

    Parameters
    ----------
    newton_iterations : int
        Most iterations of a substep before it is cut.
    cuts : int
        A step may be cut down to 2^-cuts of its length.
    """

    newton_iterations: int = 20
    cuts: int = 8

    def __post_init__(self) -> None:
        for name in ("newton_iterations", "cuts"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0 or (name != "cuts" and value < 1):
                raise InputError(f"`{name}` must be a whole number > 0, but is {value!r}")


class Saves(Protocol):
    """What keeps a history: `scalebridge.Checkpoint`."""

    def restore(self, cell: Cell, path: Path, options: str) -> History | None:
        """Return what was saved of this very problem."""

    def save(self, history: History) -> None:
        """Keep the history so far."""


class LoadProgress(NamedTuple):
    """A substep that was tried, as `load` reports it.

    Attributes
    ----------
    step, steps : int
        The row of the path that is being reached, and the last one.
    time : float
        End of the substep.
    newton, krylov : int
        Iterations of the substep.
    residual : float
        Relative to the stress.
    accepted : bool
    """

    step: int
    steps: int
    time: float
    newton: int
    krylov: int
    residual: float
    accepted: bool


def load(
    cell: Cell,
    times: Any,
    *,
    strain: Any = None,
    stress: Any = None,
    F: Any = None,
    P: Any = None,
    gradient: Any = None,
    flux: Any = None,
    tolerance: float = 1e-5,
    tangents: bool = False,
    keep: Sequence[int] = (),
    start: History | None = None,
    stepping: Stepping | None = None,
    progress: Callable[[LoadProgress], None] | None = None,
    committed: Callable[[History], None] | None = None,
    checkpoint: Saves | None = None,
    throw: bool = True,
) -> History:
    """Drive a cell along a load path.

    Parameters
    ----------
    cell : Cell
    times : (step,)
        Increasing. The first row is the state at rest, or where `start` ended.
    strain, stress : (step, component), optional
        In mechanics, Mandel order 11, 22, 33, 23, 13, 12 (2D: 11, 22, 12). Each component of
        each row is given in one of the two, and NaN or left out in the other.
    F, P : (step, dim, dim), optional
        The same in finite strain. Where P_ab and P_ba are both prescribed the rotation is
        pinned.
    gradient, flux : (step, dim), optional
        The same in conduction; the flux is k·∇T.
    tolerance : float
        Largest ‖Bᵀσ‖₂/‖σ‖₂ of the nodal forces, relative to the stress.
    tangents : bool
        Compute the consistent tangent at each time.
    keep : sequence of int
        Rows whose fields are kept; −1 is the last.
    start : History, optional
        Go on from its end. Either the path begins where it ended, and row 0 repeats that state;
        or it is an unfinished history of this very path, whose remaining rows are solved, with
        the same result to the last bit as without the interruption.
    stepping : Stepping, optional
    progress : callable, optional
        Called with a `LoadProgress` after each substep.
    committed : callable, optional
        Called with the `History` so far after each row.
    checkpoint : Checkpoint, optional
        Where the history is saved as it goes on, and taken up again: a run that was killed ends
        with the same result, to the last bit.
    throw : bool
        Raise when a step cannot be solved; otherwise `History.converged` is False.

    Returns
    -------
    History

    Raises
    ------
    InputError
        A path that is incomplete or infeasible; see the message.
    ConvergenceError
        A step that fails however short it is cut; `partial` is the history up to there.
    Interrupted
        On Ctrl-C, with the history up to there as `partial`.

    Notes
    -----
    Backward Euler in time, Newton–Krylov in space. A substep starts from the last one
    extrapolated. Laws read the state of the last converged substep only, and a state is
    committed only on convergence. A step that fails is halved; after a success the next
    substep is twice as long.

    Examples
    --------
    >>> import numpy as np, scalebridge as sb
    >>> layers = sb.Microstructure(np.repeat([0, 1], 4)[:, None] * np.ones((1, 8), int),
    ...                            spacing=1.0, phases={"soft": 0, "hard": 1})
    >>> laws = {"soft": sb.laws.J2Plasticity(E=70e3, nu=0.3, yield_stress=100.0),
    ...         "hard": sb.laws.IsotropicElastic(E=400e3, nu=0.2)}
    >>> cell = sb.Cell(layers, laws, plane="strain")
    >>> strain = np.linspace(0, 1, 11)[:, None] * [np.nan, np.nan, 0.01]
    >>> stress = np.linspace(0, 1, 11)[:, None] * [0.0, 0.0, np.nan]
    >>> history = sb.load(cell, np.linspace(0, 1, 11), strain=strain, stress=stress)
    >>> history.stress[-1].round(3).tolist()  # √2 τ of the soft layers, 100/√3
    [0.0, 0.0, 81.65]
    """
    if not isinstance(cell, Cell):
        raise InputError(f"`cell` must be a Cell, but is a {type(cell).__name__}")
    check_tolerance("tolerance", tolerance)
    given = {
        "strain": strain,
        "stress": stress,
        "F": F,
        "P": P,
        "gradient": gradient,
        "flux": flux,
    }
    path = parse_path(cell, times, given, start)
    rows, options = _rows(keep, path), stepping or Stepping()
    told = [] if committed is None else [committed]
    if checkpoint is not None:
        if start is not None:
            raise InputError("`checkpoint` is for histories that begin at rest; leave out `start`")
        words = repr((tolerance, options, tangents, sorted(rows)))
        start = checkpoint.restore(cell, path, words)
        told.append(checkpoint.save)
    run = _Run(cell, path, tolerance, options, tangents, rows, progress, told)
    return run.run(start, throw)


def follow(
    cell: Cell,
    path: Path,
    taken: Callable[[int, substeps.Taken], None],
    *,
    tolerance: float,
    stepping: Stepping,
    start: History | None = None,
    committed: Callable[[History], None] | None = None,
) -> History:
    """Follow a path as `load` does, and tell each substep that is taken, with its row."""
    told = [] if committed is None else [committed]
    run = _Run(cell, path, tolerance, stepping, False, set(), None, told, taken)
    return run.run(start, throw=True)


def _rows(keep: Sequence[int], path: Path) -> set[int]:
    count = len(path.times)
    for row in keep:
        if not isinstance(row, int | np.integer) or not -count <= row < count:
            raise InputError(f"`keep` must name rows of the path, 0 to {count - 1}, but has {row}")
    return {int(row) % count for row in keep}


class _Run:
    """The steps of a history one after another."""

    def __init__(
        self,
        cell: Cell,
        path: Path,
        tolerance: float,
        stepping: Stepping,
        tangents: bool,
        keep: set[int],
        progress: Callable[[LoadProgress], None] | None,
        committed: Sequence[Callable[[History], None]],
        taken: Callable[[int, substeps.Taken], None] | None = None,
    ) -> None:
        self.cell, self.path, self.stepping = cell, path, stepping
        self.with_tangents, self.keep = tangents, keep
        self.progress, self.committed, self.taken = progress, committed, taken
        self.tolerance = jnp.asarray(tolerance, float)
        self.begun = time.perf_counter()
        self.equations = nonlinear.prepare(cell)
        self.rows: list[dict[str, Any]] = []
        self.tangents: list[np.ndarray] = []
        self.fields: dict[int, dict[str, np.ndarray]] = {}

    def _begin(self, start: History | None) -> int:
        """Set out from rest, or from where a history ended; return the row that is reached."""
        if start is None:
            virgin = nonlinear.virgin(self.equations, self.cell.kinematics)
            now = substeps.rest(self.equations, virgin)
            self.end = End(now, None, 0.0, float(jnp.mean(now.energy)))
        else:
            self.end = start.end
        if start is not None and is_part(start, self.path.times):
            self.reached, self.rows = self.end, start.rows()
            self.tangents = [] if start.tangents is None else list(start.tangents)
            self.fields = dict(start.fields or {})
            return len(self.rows) - 1
        self.end = self.end._replace(first_energy=float(jnp.mean(self.end.now.energy)))
        self.reached = self.end
        size = len(self.path.components)
        self._record(0, [0, 0, 0], _Totals())
        self.tangents.append(np.full((size, size), np.nan))
        return 0

    def run(self, start: History | None, throw: bool) -> History:
        reached = self._begin(start)
        try:
            for row in range(reached + 1, len(self.path.times)):
                message = self._advance(row)
                for tell in self.committed if not message else ():
                    tell(self.result(""))
                if message:
                    result = self.result(message)
                    if throw:
                        raise ConvergenceError(message, result)
                    return result
        except KeyboardInterrupt:
            raise Interrupted(self.result("interrupted by the user")) from None
        return self.result("")

    @property
    def now(self) -> Snapshot:
        """The last committed state."""
        return self.end.now

    def _advance(self, row: int) -> str:
        """Reach a row of the path in as many substeps as it takes; return why it failed."""
        start, end = self.path.times[row - 1], self.path.times[row]
        begin = np.asarray(self.now.mean), np.asarray(self.now.average)
        done, length = 0.0, 1.0
        counts = [0, 0, 0]
        totals = _Totals()
        smallest = 0.5**self.stepping.cuts
        while done < 1.0:
            length = min(length, 1.0 - done)
            share = done + length
            driving = self._driving(row, share, begin, length * (end - start))
            it = self._solve(driving)
            counts[0] += int(it.newton)
            counts[1] += int(it.krylov)
            good = bool(it.norm <= self.tolerance * it.size)
            if self.progress is not None:
                told = float(it.norm / it.size) if it.size > 0 else 0.0
                at = start + share * (end - start)
                last = len(self.path.times) - 1
                self.progress(
                    LoadProgress(row, last, at, int(it.newton), int(it.krylov), told, good)
                )
            if not good:
                length /= 2
                if length < smallest:
                    return self._failure(row, it, driving)
                continue
            after, entry = substeps.commit(self.equations, it.x, driving, self.now)
            fault = self._second_law(entry, row)
            if fault:
                return fault
            totals.add(entry)
            if self.taken is not None:
                self.taken(row, self._taken(row, share, it.x, driving))
            if share >= 1.0 and self.with_tangents:
                tight = jnp.asarray(min(1e-8, float(self.tolerance)), float)
                states = self.now.states
                found = substeps.tangent(self.equations, it.x, driving, states, tight)
                self.tangents.append(np.asarray(found))
            self.end = self.end._replace(now=after, before=self.now, dt=float(driving.dt))
            counts[2] += 1
            done, length = share, 2 * length
        self.reached = self.end
        self._record(row, counts, totals)
        return ""

    def _driving(
        self, row: int, share: float, begin: tuple[np.ndarray, np.ndarray], dt: float
    ) -> Driving:
        """Return what is prescribed at a share of the way to a row."""
        free = self.path.free[row]
        target = np.nan_to_num(self.path.gradient[row]), np.nan_to_num(self.path.flux[row])
        mean, flux = (a + share * (b - a) for a, b in zip(begin, target, strict=True))
        held = ~np.isnan(self.path.gradient[row])
        pinned = self.cell.kinematics.rest * ~held
        fixed = np.where(held, mean, pinned - free @ pinned)
        return Driving(*(jnp.asarray(v, float) for v in (fixed, flux, free, dt)))

    def _taken(self, row: int, share: float, x: Unknowns, driving: Driving) -> substeps.Taken:
        held = ~np.isnan(self.path.gradient[row])
        weights = (jnp.asarray(a, float) for a in (held, 1.0 - share))
        return substeps.Taken(x, driving, self.now.states, *weights)

    def _solve(self, driving: Driving) -> newton.Iterate:
        """Solve a substep; where the extrapolated start is of no use, from the last state."""
        equations, now = self.equations, self.now
        guesses = [extrapolate(equations, self.end, driving)]
        if self.end.before is not None:
            guesses.append(Unknowns(now.u, driving.free @ now.mean * equations.root))
        spent = np.zeros(2, int)
        for guess in guesses:
            it = substeps.begin(equations, guess, driving, now.states, now.size)
            while bool(newton.is_unfinished(it, self.tolerance, self.stepping.newton_iterations)):
                it = substeps.iterate(equations, it, driving, now.states, now.size, self.tolerance)
            spent += int(it.newton), int(it.krylov)
            if bool(it.norm <= self.tolerance * it.size):
                break
        return it._replace(newton=jnp.asarray(spent[0]), krylov=jnp.asarray(spent[1]))

    def _second_law(self, entry: substeps.Entry, row: int) -> str:
        """Return an error where a law dissipates less than nothing."""
        if float(entry.least) >= -_NEGATIVE * float(entry.level):
            return ""
        voxel, phase = self._voxel(int(entry.where) % self.cell.discretisation.voxels)
        return (
            f"the law of phase {phase!r} broke the second law in the step to t = "
            f"{self.path.times[row]:g}: its dissipation in voxel {voxel} is "
            f"{float(entry.least):.3g} < 0; check its potentials"
        )

    def _voxel(self, flat: int) -> tuple[tuple[int, ...], str]:
        shape = tuple(self.cell.microstructure.shape)
        voxel = tuple(int(i) for i in np.unravel_index(flat, shape))
        names = self.cell.microstructure.names
        return voxel, names[int(np.asarray(self.cell.microstructure.labels)[voxel])]

    def _failure(self, row: int, it: newton.Iterate, driving: Driving) -> str:
        """Say which step failed and where the trouble sits."""
        bad, square = (
            np.asarray(a) for a in substeps.faults(self.equations, it.x, driving, self.now.states)
        )
        shape = tuple(self.cell.microstructure.shape)
        if bad.any():
            voxel, phase = self._voxel(int(np.flatnonzero(bad)[0]))
            where = f"the law of phase {phase!r} has no answer in voxel {voxel}"
        else:
            node = np.unravel_index(int(np.nanargmax(square)), square.shape)
            nearest = [min(int(i), n - 1) for i, n in zip(node, shape, strict=True)]
            voxel, phase = self._voxel(int(np.ravel_multi_index(nearest, shape)))
            where = (
                f"the forces are {float(it.norm / it.size):.1e} out of balance, most at voxel "
                f"{voxel} of phase {phase!r}"
            )
        advice = ""
        if self.cell.element == "reduced":
            advice = "; or use the element 'full', which has no mechanisms"
        return (
            f"the step to t = {self.path.times[row]:g} (row {row}) failed even when cut to "
            f"{0.5**self.stepping.cuts:g} of its length: {where}; the history up to t = "
            f"{self.rows[-1]['time']:g} is kept. Look for a limit load, or refine the path "
            f"there{advice}"
        )

    def _record(self, row: int, counts: list[int], totals: _Totals) -> None:
        now, last = self.now, self.rows[-1] if self.rows else None

        def so_far(name: str) -> float:
            return last[name] if last else 0.0

        self.rows.append(
            {
                "time": self.path.times[row],
                "gradient": np.asarray(now.mean),
                "flux": np.asarray(now.average),
                "work": so_far("work") + totals.work,
                "stored": float(jnp.mean(now.energy)) - self.end.first_energy,
                "dissipated": so_far("dissipated") + totals.dissipated,
                "hill_mandel": max(so_far("hill_mandel"), totals.hill_mandel),
                "least_dissipation": totals.least,
                **dict(zip(("newton", "krylov", "substeps"), counts, strict=True)),
            }
        )
        if row in self.keep:
            own = names_of(self.cell.physics)
            self.fields[row] = voxel_fields(self.cell, self.equations, now, own)

    def result(self, message: str) -> History:
        """Return what is known now."""
        rows = self.rows

        def column(name: str) -> np.ndarray:
            return np.array([row[name] for row in rows])

        ledger = Ledger(*(column(name) for name in Ledger.__dataclass_fields__))
        return History(
            times=column("time"),
            gradient=column("gradient"),
            flux=column("flux"),
            ledger=ledger,
            physics=self.cell.physics,
            components=self.path.components,
            newton=column("newton"),
            krylov=column("krylov"),
            substeps=column("substeps"),
            end=self.reached,
            tangents=np.array(self.tangents) if self.with_tangents else None,
            fields=self.fields,
            converged=not message,
            message=message,
            timings={"total": time.perf_counter() - self.begun},
        )


class _Totals:
    """Sums over the substeps of a step."""

    def __init__(self) -> None:
        self.work = self.dissipated = self.hill_mandel = 0.0
        self.least = np.inf

    def add(self, entry: substeps.Entry) -> None:
        self.work += float(entry.work)
        self.dissipated += float(entry.dissipated)
        self.hill_mandel = max(self.hill_mandel, float(entry.hill_mandel))
        self.least = min(self.least, float(entry.least))
