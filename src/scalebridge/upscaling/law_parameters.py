"""Parameters of a cell's laws by their names, and how the equations depend on them.

A parameter is an array that a law keeps, named phase.attribute as Python would reach it from
`cell.laws`: "matrix.yield_stress", "matrix.hardening.H".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from scalebridge.cell import checks, nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.cell.equilibrium import Equations
from scalebridge.errors import InputError, did_you_mean
from scalebridge.laws import Rigid

Values = dict[str, Array]
Moving = Any  # the arrays of the sections' laws: what derivatives go through


def parameters_of(cell: Cell) -> Values:
    """Return all parameters of the laws; that of a rigid phase is the cell's own."""
    laws = {phase: law for phase, law in cell.laws.items() if not isinstance(law, Rigid)}
    leaves, _ = jax.tree_util.tree_flatten_with_path(laws)
    return {_name(path): a for path, a in leaves if eqx.is_inexact_array(a) and a.size}


def select(cell: Cell, names: str | Iterable[str] | None) -> Values:
    """Return the parameters of these names; all of them for None.

    Raises
    ------
    InputError
        For a name that no parameter has, and where none is named.
    """
    known = parameters_of(cell)
    if names is None:
        return known
    asked = [names] if isinstance(names, str) else list(names)
    choices = f"there are {', '.join(known)}"
    if not asked:
        raise InputError(f"`parameters` must name a parameter, but is empty; {choices}")
    for name in asked:
        if name not in known:
            raise InputError(
                f"`parameters` must name parameters of the laws, but {name!r} is none"
                f"{did_you_mean(name, known)}; {choices}"
            )
    return {name: known[name] for name in asked}


def moving(equations: Equations) -> Moving:
    """Return the arrays of the laws as the equations hold them."""
    return eqx.filter(equations.constituents.sections, eqx.is_inexact_array)


def moved(equations: Equations, arrays: Moving) -> Equations:
    """Return the equations with other arrays in their laws."""
    sections = equations.constituents.sections
    fixed = eqx.filter(sections, eqx.is_inexact_array, inverse=True)
    return eqx.tree_at(lambda e: e.constituents.sections, equations, eqx.combine(arrays, fixed))


@eqx.filter_jit
def rates(cell: Cell, values: Values) -> Moving:
    """Return how the equations' laws move with each number in the parameters, stacked.

    The numbers are those of the arrays in `values` one after another, in the order of
    `split`.
    """
    flat, shaped = ravel_pytree(values)

    def along(unit: Array) -> Moving:
        return jax.jvp(lambda v: _moving_of(cell, shaped(v)), (flat,), (unit,))[1]

    return jax.lax.map(along, jnp.eye(flat.size))


@eqx.filter_jit
def pull_back(cell: Cell, values: Values, slope: Moving) -> Values:
    """Return the derivatives by the parameters of what has this slope by the laws' arrays."""
    return jax.vjp(lambda v: _moving_of(cell, v), values)[1](slope)[0]


def split(values: Values, stacked: np.ndarray) -> dict[str, np.ndarray]:
    """Return derivatives (…, number) by parameter, (…, *shape of the parameter)."""
    found, at = {}, 0
    for name in sorted(values):  # as JAX flattens a dict
        shape = values[name].shape
        size = values[name].size
        found[name] = stacked[..., at : at + size].reshape(*stacked.shape[:-1], *shape)
        at += size
    return {name: found[name] for name in values}


def _moving_of(cell: Cell, values: Values) -> Moving:
    """Return what the equations hold of laws with these parameters."""
    laws = jax.tree_util.tree_map_with_path(lambda p, a: values.get(_name(p), a), cell.laws)
    laws, _ = checks.resolve_limits(laws, cell.physics)  # rigid phases go with the others
    return moving(nonlinear.equations(eqx.tree_at(lambda c: c.laws, cell, laws)))


def _name(path: tuple[Any, ...]) -> str:
    """Return phase.attribute of a path in the laws."""
    words = []
    for key in path:
        known = (getattr(key, kind, None) for kind in ("name", "key", "idx"))
        words.append(str(next(word for word in known if word is not None)))
    return ".".join(words)
