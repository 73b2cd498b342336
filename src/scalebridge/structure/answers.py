"""What the points of a region answer: (gradients, states) → (fluxes, tangents, new states).

The one door through which a structure sees its material, closed form or cell. It is pure:
states come in and go out, and the structure commits them when its own step has converged.
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge import tensors
from scalebridge.cell import nonlinear
from scalebridge.cell.batch import Batch, Virgin, respond_batch, virgin
from scalebridge.cell.cell import Cell
from scalebridge.cell.sections import Section
from scalebridge.laws.protocol import Kinematics, Law

#: How the tangents of cells are found: by the implicit function theorem, by central differences
#: ("perturbation"), or by forward differences.
TANGENTS = ("exact", "perturbation", "forward")
_STEP = 1e-4  # of the gradient, in differences
_SAME = 1e-12  # steps that differ by rounding only
_PERTURBED = 1e-9  # micro tolerance that differences need


class Answers(NamedTuple):
    """Of all points of a region.

    Attributes
    ----------
    flux : (point, component)
        NaN where a point has no answer.
    tangents : (point, component, component) or (component, component) or None
    states : pytree with a leading axis for the points
    energy, dissipation : (point,)
    guess : pytree or None
        What the next call may start from.
    work : (point,) int
        Iterations of the micro problems.
    gradient : (point, component) or None
        What the points have seen, where they were free to choose some of it.
    """

    flux: np.ndarray
    tangents: np.ndarray | None
    states: Any
    energy: np.ndarray
    dissipation: np.ndarray
    guess: Any
    work: np.ndarray
    gradient: np.ndarray | None = None


class Points(abc.ABC):
    """The points of one region."""

    kinematics: Kinematics
    is_symmetric: bool

    @abc.abstractmethod
    def virgin(self) -> Any:
        """Return the states of the virgin points."""

    @abc.abstractmethod
    def answer(
        self,
        gradients: np.ndarray,
        states: Any,
        dt: float,
        *,
        tolerance: float,
        accuracy: float | None,
        guess: Any = None,
    ) -> Answers:
        """Answer the gradients (point, component) of all points.

        Parameters
        ----------
        tolerance : float
            Relative residual of micro problems.
        accuracy : float or None
            Relative, of the tangents of micro problems; None: they are not needed. Closed
            forms give theirs in any case.
        guess : pytree, optional
            `Answers.guess` of a call with gradients near by.
        """


class LinearPoints(Points):
    """Points of constant tangents: linear laws, and linear cells homogenised once."""

    def __init__(
        self,
        kinematics: Kinematics,
        moduli: np.ndarray,
        count: int,
        free: np.ndarray | None = None,
    ) -> None:
        self.kinematics, self.count, self.is_symmetric = kinematics, count, True
        self.moduli, self.completion = moduli, None
        if free is not None and free.any():
            self.moduli, self.completion = condense(moduli, free), complete(moduli, free)

    def virgin(self) -> Any:
        return ()

    def answer(
        self,
        gradients: np.ndarray,
        states: Any,
        dt: float,
        *,
        tolerance: float,
        accuracy: float | None,
        guess: Any = None,
    ) -> Answers:
        strains = gradients - self.kinematics.rest
        flux = _apply(self.moduli, strains)
        zero = np.zeros(len(gradients))
        energy = 0.5 * np.sum(flux * strains, axis=1)
        seen = None
        if self.completion is not None:
            seen = _apply(self.completion, strains)
        return Answers(flux, self.moduli, states, energy, zero, None, zero.astype(int), seen)


@eqx.filter_jit
def _respond(
    section: Section, gradients: Array, turns: Array | None, states: Any, dt: Array
) -> tuple[Array, Any]:
    def one(gradient: Array, turn: Array | None, state: Any) -> tuple[Array, Any]:
        def flux(g: Array) -> tuple[Array, Any]:
            answer = section.respond(g, turn, state, dt)
            return answer.flux, answer

        return jax.jacfwd(flux, has_aux=True)(gradient)

    return jax.vmap(one, in_axes=(0, None if turns is None or turns.ndim == 2 else 0, 0))(
        gradients, turns, states
    )


class LawPoints(Points):
    """Points of a law in closed form."""

    def __init__(self, section: Section, count: int, turns: np.ndarray | None) -> None:
        self.section, self.count = section, count
        self.turns = None if turns is None else jnp.asarray(turns)
        self.kinematics = section.kinematics
        self.is_symmetric = section.law.is_symmetric

    def virgin(self) -> Any:
        return _repeat(self.section.initial_state(), self.count)

    def answer(
        self,
        gradients: np.ndarray,
        states: Any,
        dt: float,
        *,
        tolerance: float,
        accuracy: float | None,
        guess: Any = None,
    ) -> Answers:
        step = jnp.asarray(dt, float)
        slopes, answer = _respond(self.section, jnp.asarray(gradients), self.turns, states, step)
        return Answers(
            np.asarray(answer.flux),
            np.asarray(slopes),
            answer.state,
            np.asarray(answer.energy),
            np.asarray(answer.dissipation),
            None,
            np.zeros(self.count, int),
        )


def _repeat(state: Any, count: int) -> Any:
    return jax.tree.map(
        lambda leaf: jnp.broadcast_to(jnp.asarray(leaf), (count, *jnp.shape(leaf))), state
    )


class CellPoints(Points):
    """Points each of which is a cell with a state of its own.

    Parameters
    ----------
    cell : Cell
        Not linear.
    count : int
    turns : (3, 3) or (point, 3, 3), optional
        From the axes of the cell to those of the structure.
    free : (component,) bool
        Average gradients that the cell is free to choose, so that their flux vanishes.
    tangent : one of `TANGENTS`
    """

    def __init__(
        self,
        cell: Cell,
        count: int,
        turns: np.ndarray | None,
        free: np.ndarray,
        tangent: str = "exact",
    ) -> None:
        self.cell, self.count, self.free, self.tangent = cell, count, free, tangent
        self.kinematics, self.is_symmetric = cell.kinematics, cell.is_symmetric
        self.turns = None if turns is None else gradient_turns(cell.kinematics, turns)
        self._linearised: Virgin | None = None

    def _virgin(self, dt: float) -> Virgin | None:
        """Return the virgin cell, linearised; in finite strain no state is like it."""
        if self.kinematics.physics == "finite strain":
            return None
        if self._linearised is None or abs(float(self._linearised.dt) - dt) > _SAME * dt:
            found = nonlinear.prepare(self.cell)
            before = nonlinear.virgin(found, self.kinematics)
            free = jnp.asarray(self.free, float)
            self._linearised = virgin(found, before, free, jnp.asarray(dt, float))
        return self._linearised

    def virgin(self) -> Any:
        return _repeat(self.cell.initial_state(), self.count)

    def answer(
        self,
        gradients: np.ndarray,
        states: Any,
        dt: float,
        *,
        tolerance: float,
        accuracy: float | None,
        guess: Any = None,
    ) -> Answers:
        turned = gradients
        if self.turns is not None:
            turned = _apply(self.turns, gradients)
        perturbed = accuracy is not None and self.tangent != "exact"
        if perturbed:
            tolerance = min(tolerance, _PERTURBED)
        found = respond_batch(
            self.cell,
            turned,
            states,
            dt,
            tolerance,
            accuracy is not None and not perturbed,
            guess=guess,
            free=self.free,
            virgin=self._virgin(dt),
            accuracy=accuracy or 1.0,
        )
        flux, slopes, seen = np.asarray(found.response.flux), found.tangents, None
        if self.free.any():
            seen = np.asarray(found.response.state.gradient)
        if perturbed:
            slopes = self._perturbed(turned, states, dt, found)
        elif slopes is not None and self.free.any():
            slopes = condense(slopes, self.free)
        if self.turns is not None:
            back = np.swapaxes(self.turns, -1, -2)
            flux = _apply(back, flux)
            slopes = None if slopes is None else back @ slopes @ self.turns
        return Answers(
            flux,
            slopes,
            found.response.state,
            np.asarray(found.response.energy),
            np.asarray(found.response.dissipation),
            found.guess,
            found.krylov,
            seen if seen is None or self.turns is None else _apply(back, seen),
        )

    def _perturbed(self, gradients: np.ndarray, states: Any, dt: float, found: Batch) -> np.ndarray:
        """Return tangents by differences, from micro problems that start at the solved one."""
        size = np.linalg.norm(gradients - self.kinematics.rest, axis=1)
        step = _STEP * np.maximum(size, size.max() or 1.0)[:, None]
        flux, guess = np.asarray(found.response.flux), found.guess
        slopes = np.zeros((*flux.shape, flux.shape[1]))

        def at(change: np.ndarray) -> np.ndarray:
            moved = respond_batch(
                self.cell,
                gradients + step * change,
                states,
                dt,
                _PERTURBED,
                False,
                guess=guess,
                free=self.free,
                virgin=self._virgin(dt),
            )
            return np.asarray(moved.response.flux)

        for column in np.flatnonzero(~self.free):
            unit = np.eye(flux.shape[1])[column]
            if self.tangent == "forward":
                slopes[:, :, column] = (at(unit) - flux) / step
            else:
                slopes[:, :, column] = (at(unit) - at(-unit)) / (2 * step)
        return slopes


def gradient_turns(kinematics: Kinematics, turns: np.ndarray) -> np.ndarray:
    """Return the matrices that take gradients to the axes of the material, (…, size, size)."""
    dim = kinematics.dim
    if kinematics.physics == "elasticity":
        kept = [0, 1, 5] if dim == 2 else list(range(6))
        rotate = tensors.mandel_rotation
        rotations = [np.asarray(rotate(R)).T[np.ix_(kept, kept)] for R in turns.reshape(-1, 3, 3)]
        return np.reshape(rotations, (*turns.shape[:-2], kinematics.size, kinematics.size))
    turns = turns[..., :dim, :dim]  # a plane material turns about the third axis
    if kinematics.physics == "conduction":
        return np.swapaxes(turns, -1, -2)
    eye, back = np.eye(dim), np.swapaxes(turns, -1, -2)
    blocks = np.einsum("ij,...kl->...ikjl", eye, back)
    return blocks.reshape(*turns.shape[:-2], dim * dim, dim * dim)


def condense(tangents: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the tangents when the fluxes of the free components stay what they are."""
    held = ~free
    C = tangents
    block = C[..., free, :][..., :, free]
    across = C[..., held, :][..., :, free]
    along = C[..., free, :][..., :, held]
    found = np.zeros_like(C)
    inner = C[..., held, :][..., :, held] - across @ np.linalg.solve(block, along)
    rows, columns = np.ix_(held, held)
    found[..., rows, columns] = inner
    return found


def complete(moduli: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return what takes the held components of a gradient to all, free fluxes being zero."""
    held = ~free
    size = len(free)
    found = np.zeros((*moduli.shape[:-2], size, size))
    found[..., held, held] = 1.0
    block = moduli[..., free, :][..., :, free]
    rows, columns = np.ix_(free, held)
    found[..., rows, columns] = -np.linalg.solve(block, moduli[..., free, :][..., :, held])
    return found


def _apply(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    if matrices.ndim == 2:  # one for all: a single product
        return vectors @ matrices.T
    return (matrices @ vectors[..., None])[..., 0]


def points_of(
    law: Law,
    physics: str,
    dim: int,
    plane: str | None,
    count: int,
    turns: np.ndarray | None,
    tangent: str = "exact",
) -> Points:
    """Return the points of a law in a structure.

    Parameters
    ----------
    dim : 2 or 3
        Of the structure.
    plane : "strain", "stress", "axisymmetric" or None
    turns : (3, 3) or (point, 3, 3), optional
        Orientation of the material.
    tangent : one of `TANGENTS`
        Of cells.
    """
    if isinstance(law, Cell):
        free = np.zeros(law.kinematics.size, bool)
        if plane == "stress" and law.kinematics.dim == 3:
            free[[2, 3, 4]] = True
        if law.is_linear:
            modulus = np.asarray(law_modulus(law))
            if turns is not None:
                T = gradient_turns(law.kinematics, turns)
                modulus = np.swapaxes(T, -1, -2) @ modulus @ T
            return LinearPoints(law.kinematics, modulus, count, free)
        return CellPoints(law, count, turns, free, tangent)
    wide = plane == "axisymmetric" or physics == "conduction"
    seen = law.kinematics if wide else Kinematics(physics, min(dim, law.kinematics.dim))
    section = Section(law, seen, plane if plane == "stress" else None)
    if law.is_linear and physics != "finite strain":
        rotations = turns if turns is None or turns.ndim == 3 else turns[None]
        one = 1 if rotations is None else len(rotations)
        zero = jnp.zeros((one, seen.size))
        states = _repeat(section.initial_state(), one)
        given = None if rotations is None else jnp.asarray(rotations)
        moduli = np.asarray(_respond(section, zero, given, states, jnp.asarray(1.0))[0])
        return LinearPoints(seen, moduli[0] if one == 1 else moduli, count)
    return LawPoints(section, count, turns)


@eqx.filter_jit
def law_modulus(law: Law) -> Array:
    """Return the tangent of a linear law or cell."""
    return law.tangent()


def spread_turns(turns: Any, points: int) -> Any:
    """Return rotations for the points of elements from one, or one for each element."""
    found = np.asarray(turns, float)
    return found if found.ndim == 2 else np.repeat(np.moveaxis(found, -1, 0), points, axis=0)
