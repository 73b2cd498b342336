"""Many states of one cell at once, as two-scale simulations need them.

A batch is answered in portions that stay in the processor's cache, of members that were alike
hard before, several at a time. In a portion Newton's method runs on all members side by side;
those that have converged leave it, so that a hard one does not hold up the others. Portions
are padded to few sizes, each compiled once. A linear cell needs its effective tensor only.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell import newton, nonlinear, points
from scalebridge.cell.discretisation import Discretisation
from scalebridge.cell.equilibrium import Driving, Equations, Unknowns
from scalebridge.cell.nonlinear import CellState
from scalebridge.errors import InputError
from scalebridge.laws.protocol import Response

if TYPE_CHECKING:
    from scalebridge.cell.cell import Cell

_PORTION_BYTES = 8e6  # measured: larger portions wait for memory, smaller ones for Python
_LARGEST_PORTION = 32
_SHRINK = 4  # a portion is packed when so few are left: sizes 32, 8, 2
_THREADS = 8
_COMPILED: set[Any] = set()  # kinds of portions that have been answered
_SAME = 1e-12  # moduli that differ by rounding only
_TANGENT = 1e-8  # relative accuracy of tangents
_MODES = 1e-11  # residual of the answers of virgin cells


class Guess(NamedTuple):
    """Where members were in balance, for a start near by.

    Attributes
    ----------
    x : Unknowns
    gradient : (member, component)
        Average gradients.
    work : (member,) int
        Linear iterations that it took.
    """

    x: Unknowns
    gradient: Array
    work: np.ndarray


class Virgin(NamedTuple):
    """How the virgin cell answers small changes: what elastic steps need no solve for.

    Attributes
    ----------
    modes : Field
        Fluctuations under unit average gradients, (component, *nodes).
    moduli : (packed, point, *voxels with ghosts)
    tangent : (component, component)
    dt : ()
        Length of the step that they belong to.
    """

    modes: Any
    moduli: Array
    tangent: Array
    dt: Array


class Batch(NamedTuple):
    """What a batch of states answers.

    Attributes
    ----------
    response : Response
        With a leading axis for the members; NaN where a member has no answer.
    tangents : (member, component, component) or None
    converged : (member,) bool
    newton, krylov : (member,) int
        Iterations, those for the tangents not counted.
    guess : Guess or None
        A start for members near by.
    solved : (member,) bool or None
        Where the tangents had to be solved for: those of elastic members may be known.
    """

    response: Response
    tangents: np.ndarray | None
    converged: np.ndarray
    newton: np.ndarray
    krylov: np.ndarray
    guess: Guess | None = None
    solved: np.ndarray | None = None


@eqx.filter_jit
def virgin(equations: Equations, before: CellState, free: Array, dt: Array) -> Virgin:
    """Linearise the virgin cell."""
    size = equations.disc.components
    x = Unknowns(before.fluctuation, jnp.zeros(size))
    driving = Driving(before.gradient, jnp.zeros(size), jnp.diag(free), dt)
    tangent = nonlinear.all_driven(equations, x, driving, before.phases)
    modes = jax.lax.map(lambda unit: nonlinear.fluctuation(tangent, unit, _MODES), jnp.eye(size))
    whole = nonlinear.consistent_tangent(equations, x, driving, before.phases, _TANGENT)
    return Virgin(modes, tangent.moduli, whole, dt)


@eqx.filter_jit
def _start(
    equations: Equations, x: Any, driving: Any, before: CellState, virgin: Virgin | None, to: Array
) -> Any:
    """Evaluate starting guesses, and those that answer the change of gradient as virgin cells."""

    def one(x: Unknowns, driving: Driving, states: Any, size: Array, change: Array) -> Any:
        plain = newton.start(equations, x, driving, states, size)
        if virgin is None:
            return plain
        held = jnp.eye(len(change)) - driving.free
        C = virgin.tangent
        block = driving.free @ C @ driving.free + held * jnp.trace(C) / len(C)
        step = held @ change
        step = step - driving.free @ jnp.linalg.solve(block, driving.free @ C @ step)
        u = tuple(a + jnp.tensordot(step, m, 1) for a, m in zip(x.u, virgin.modes, strict=True))
        moved = Unknowns(u, x.e + driving.free @ step * equations.root)
        there = newton.start(equations, moved, driving, states, size)
        better = there.norm < plain.norm
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), there, plain)

    change = driving.gradient - to
    return jax.vmap(one)(x, driving, before.phases, before.size, change)


@eqx.filter_jit
def _iterate(
    equations: Equations, it: Any, driving: Any, states: Any, size: Array, tolerance: Array
) -> Any:
    def one(it: newton.Iterate, driving: Driving, states: Any, size: Array) -> newton.Iterate:
        active = newton.is_unfinished(it, tolerance, nonlinear.NEWTON_ITERATIONS)
        # Members that are done wait for the others: without a residual they cost no iterations.
        quiet = jax.tree.map(lambda a: jnp.where(active, a, 0.0), it.residual)
        new = newton.iterate(
            equations, it._replace(residual=quiet), driving, states, size, tolerance
        )
        return jax.tree.map(lambda a, b: jnp.where(active, a, b), new, it)

    return jax.vmap(one)(it, driving, states, size)


@eqx.filter_jit
def _commit(equations: Equations, x: Unknowns, driving: Driving, states: Any) -> Any:
    def one(x: Unknowns, driving: Driving, states: Any) -> Response:
        answer = equations.respond(x, driving, states)
        mean = equations.average_gradient(x, driving)
        after = CellState(answer.states, x.u, mean, equations.size(answer.flux))
        averages = map(equations.average, (answer.flux, answer.energy, answer.dissipation))
        flux, energy, dissipation = averages
        return Response(flux, after, energy, dissipation)

    return jax.vmap(one)(x, driving, states)


@eqx.filter_jit
def _tangents(
    equations: Equations, x: Unknowns, driving: Driving, states: Any, tolerance: Array
) -> Array:
    def one(x: Unknowns, driving: Driving, states: Any) -> Array:
        return nonlinear.consistent_tangent(equations, x, driving, states, tolerance)

    return jax.vmap(one)(x, driving, states)


@eqx.filter_jit
def _is_virgin(
    equations: Equations, x: Unknowns, driving: Driving, states: Any, virgin: Virgin
) -> Array:
    """Whether members answer small changes as the virgin cell."""

    def one(x: Unknowns, driving: Driving, states: Any) -> Array:
        moduli = equations.tangent(x, driving, states).moduli
        apart = jnp.max(jnp.abs(moduli - virgin.moduli))
        same = apart <= _SAME * jnp.max(jnp.abs(virgin.moduli))
        return same & (jnp.abs(driving.dt - virgin.dt) <= _SAME * virgin.dt)

    return jax.vmap(one)(x, driving, states)


def respond_batch(
    cell: Cell,
    gradients: Any,
    states: Any,
    dt: float,
    tolerance: float,
    tangents: bool,
    *,
    guess: Guess | None = None,
    free: Any = None,
    virgin: Virgin | None = None,
    accuracy: float = _TANGENT,
) -> Batch:
    """Answer a batch of average gradients; see `Cell.respond_batch`.

    Parameters
    ----------
    virgin : Virgin, optional
        Spares elastic members their solves.
    accuracy : float
        Relative, of the tangents.
    """
    given = np.asarray(gradients, float)
    size = cell.kinematics.size
    if given.ndim != 2 or given.shape[1] != size:
        raise InputError(
            f"`gradients` must have shape (member, {size}), but has {given.shape}; for one member "
            "use `respond`"
        )
    count = len(given)
    loose = np.zeros(size, bool) if free is None else np.asarray(free, bool)
    if cell.is_linear and not loose.any():
        return _linear(cell, given, tangents)
    equations = nonlinear.prepare(cell)
    before = states if isinstance(states, CellState) else _virgins(equations, cell, count)
    # The energy of a symmetric tangent is as accurate as the square of its fields.
    symmetric = equations.constituents.is_symmetric
    task = _Task(
        equations,
        jnp.asarray(tolerance, float),
        jnp.asarray(accuracy**0.5 * 0.1 if symmetric else accuracy, float) if tangents else None,
        virgin,
    )
    projector = jnp.diag(jnp.asarray(loose, float))
    driving = Driving(
        jnp.asarray(np.where(loose, cell.kinematics.rest, given)),
        jnp.zeros((count, size)),
        jnp.broadcast_to(projector, (count, size, size)),
        jnp.full(count, dt, float),
    )
    if guess is None:
        guess = guess_from(cell, before, loose, np.zeros(count, int))
    found = _in_portions(task, driving, before, guess)
    return found._replace(
        tangents=None if found.tangents is None else np.asarray(found.tangents),
        converged=np.asarray(found.converged),
        newton=np.asarray(found.newton),
        krylov=np.asarray(found.krylov),
        solved=None if found.solved is None else np.asarray(found.solved),
    )


def guess_from(cell: Cell, states: CellState, free: np.ndarray, work: np.ndarray) -> Guess:
    """Return where the states of a batch are, for a start from there; see `respond_batch`."""
    across = (states.gradient - cell.kinematics.rest) * free * cell.discretisation.voxels**0.5
    return Guess(Unknowns(states.fluctuation, across), states.gradient, work)


def _in_portions(task: _Task, driving: Driving, before: CellState, guess: Guess) -> Batch:
    """Answer all members, portion by portion, on all devices in turn."""
    portions = _portions(task.equations, np.asarray(guess.work))
    data = (driving, before, guess.x, guess.gradient)
    devices = jax.local_devices()
    tasks = [task] if len(devices) == 1 else [jax.device_put(task, one) for one in devices]

    def portion(number: int) -> Batch:
        members, k = portions[number], number % len(devices)
        part = _take(data, np.resize(members, _padded(len(members), task.equations.disc)))
        if len(devices) > 1:
            part = jax.device_put(part, devices[k])
        load, start, x, to = part
        answer = tasks[k].answer(load, start, x, to, len(members))
        return answer if len(devices) == 1 else jax.device_put(answer, devices[0])

    size = _padded(len(portions[0]), task.equations.disc)
    kind = (jax.tree.structure((task.equations, task.virgin)), size, task.accuracy is None)
    # What compiles goes first, alone, once for each device.
    alone = 0 if kind in _COMPILED else len(devices)
    _COMPILED.add(kind)
    parts = [portion(k) for k in range(len(portions))[:alone]]
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        parts += pool.map(portion, range(len(portions))[alone:])
    found: Batch = _join(parts, np.argsort(np.concatenate(portions)))
    return found


@jax.jit
def _take(tree: Any, at: np.ndarray) -> Any:
    """Return some members."""
    return jax.tree.map(lambda leaf: leaf[at], tree)


@jax.jit
def _put(whole: Any, at: np.ndarray, part: Any) -> Any:
    """Replace some members; a place that there is not is left out."""
    return jax.tree.map(lambda a, b: a.at[at].set(b, mode="drop"), whole, part)


@jax.jit
def _join(parts: Any, back: np.ndarray) -> Any:
    """Return the members of portions in their own order."""
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[back], *parts)


def portion_size(disc: Discretisation) -> int:
    """Return how many members a portion has at most."""
    entries = disc.components**2 * points.count(disc) + 8 * disc.unknowns
    fitting = int(_PORTION_BYTES / (8 * disc.voxels * entries))
    size = _LARGEST_PORTION
    while size > max(fitting, 1):
        size //= _SHRINK
    return max(size, 1)


def _padded(count: int, disc: Discretisation) -> int:
    """Return the size that so many members are padded to."""
    size = portion_size(disc)
    while size // _SHRINK >= count:
        size //= _SHRINK
    return max(size, 1)


def _portions(equations: Equations, work: np.ndarray) -> list[np.ndarray]:
    """Return the members in portions of those that were alike hard."""
    order, size = np.argsort(work, kind="stable"), portion_size(equations.disc)
    return [order[k : k + size] for k in range(0, len(order), size)]


class _Task(NamedTuple):
    """How portions are answered."""

    equations: Equations
    tolerance: Array
    accuracy: Array | None
    virgin: Virgin | None

    def answer(
        self, driving: Driving, before: CellState, x: Unknowns, to: Array, count: int
    ) -> Batch:
        """Answer a padded portion, of which `count` members are meant."""
        equations = self.equations
        it = _start(equations, x, driving, before, self.virgin, to)
        it = self._solve(it, driving, before, count)
        good = np.asarray(it.norm <= self.tolerance * it.size)
        response = _commit(equations, it.x, driving, before.phases)
        mask = jnp.where(jnp.asarray(good), 1.0, jnp.nan)
        gradient = response.state.gradient
        response = response._replace(
            flux=response.flux * mask[:, None],
            energy=response.energy * mask,
            dissipation=response.dissipation * mask,
        )
        found, solved = None, None
        if self.accuracy is not None:
            found, solved = self._slopes(it, driving, before, count)
        work = np.asarray(it.krylov)
        guess = Guess(it.x, gradient, work)
        whole = Batch(response, found, good, np.asarray(it.newton), work, guess, solved)
        return whole if count == len(good) else _take(whole, np.arange(count))

    def _slopes(
        self, it: newton.Iterate, driving: Driving, before: CellState, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the tangents, and which were solved for; those of elastic members are known."""
        assert self.accuracy is not None
        args = (it.x, driving, before.phases)
        todo = np.arange(count)
        found = np.empty((len(it.norm), *driving.free.shape[1:]))
        if self.virgin is not None:
            elastic = np.asarray(_is_virgin(self.equations, *args, self.virgin))
            found[elastic] = np.asarray(self.virgin.tangent)
            todo = todo[~elastic[:count]]
        solved = np.zeros(len(found), bool)
        solved[todo] = True
        if len(todo):
            at = np.resize(todo, _padded(len(todo), self.equations.disc))
            x, load, states = _take(args, at)
            slopes = np.asarray(_tangents(self.equations, x, load, states, self.accuracy))
            found[todo] = slopes[: len(todo)]
        return found, solved

    def _solve(
        self, whole: newton.Iterate, driving: Driving, before: CellState, count: int
    ) -> newton.Iterate:
        """Iterate on the members that have not converged."""
        members = self._unfinished(whole)
        members = members[members < count]
        while len(members):
            padded = np.resize(members, _padded(len(members), self.equations.disc))
            data = (whole, driving, before.phases, before.size)
            own, load, states, size = _take(data, padded)
            left = len(members)
            while left and _padded(left, self.equations.disc) == len(padded):
                own = _iterate(self.equations, own, load, states, size, self.tolerance)
                left = int(np.sum(self._unfinished(own) < len(members)))
            away = np.full(len(padded) - len(members), len(whole.norm))
            whole = _put(whole, np.concatenate([members, away]), own)
            members = self._unfinished(whole)
            members = members[members < count]
        return whole

    def _unfinished(self, it: newton.Iterate) -> np.ndarray:
        most = nonlinear.NEWTON_ITERATIONS
        return np.flatnonzero(np.asarray(newton.is_unfinished(it, self.tolerance, most)))


def _linear(cell: Cell, gradients: np.ndarray, tangents: bool) -> Batch:
    """Answer with the effective tensor."""
    tensor = np.asarray(_tensor(cell))
    flux = gradients @ tensor.T
    count, zero = len(gradients), np.zeros(len(gradients))
    energy = 0.5 * np.sum(flux * gradients, axis=1)
    return Batch(
        Response(jnp.asarray(flux), (), jnp.asarray(energy), jnp.asarray(zero)),
        np.broadcast_to(tensor, (count, *tensor.shape)) if tangents else None,
        np.all(np.isfinite(flux), axis=1),
        zero.astype(int),
        zero.astype(int),
    )


@eqx.filter_jit
def _tensor(cell: Cell) -> Array:
    return cell.tangent()


def _virgins(equations: Equations, cell: Cell, count: int) -> CellState:
    """Return the states of so many virgin cells."""
    one = nonlinear.virgin(equations, cell.kinematics)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)
