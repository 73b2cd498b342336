"""Whether the supports of a structure hold all of it.

Elements joined by facets move as one rigid part. Parts that share nodes only are hinged there:
each has amplitudes of its own for the rigid modes, and the parts must move alike in the nodes
they share, and not at all where they are held. The body is held if that leaves no motion.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from scalebridge.errors import InputError
from scalebridge.structure.space import Space
from scalebridge.structure.supports import Supports

_ZERO = 1e-12  # eigenvalues of the constraints, relative


def check_rigid(space: Space, supports: Supports, modes: np.ndarray) -> None:
    """Refuse a structure, or a loose part of it, that can move without resistance.

    Parameters
    ----------
    modes : (mode, node, component)
        Rigid motions, or the constant in conduction.
    """
    part = _parts(space)
    width = space.connectivity.shape[1]
    nodes = len(space.nodes)
    owner, node = np.divmod(
        np.unique(np.repeat(part, width) * nodes + space.connectivity.ravel()), nodes
    )
    motion = _motions(modes, owner, node)
    master = supports.master[node]
    rows = _constraints(motion, owner, master, *_held(motion, master, node, supports))
    count = int(part.max()) + 1
    links = coo_array(
        (np.ones(len(owner), bool), (owner, count + master)), shape=(count + nodes,) * 2
    )
    body = connected_components(links, directed=False)[1][:count]
    for number in np.unique(body):
        own = np.flatnonzero(body == number)
        columns = (own[:, None] * len(modes) + np.arange(len(modes))).ravel()
        here = rows[:, columns]
        values, vectors = np.linalg.eigh((here.T @ here).toarray())
        if values[0] <= _ZERO * max(values[-1], 1.0):
            mode = vectors[:, 0].reshape(len(own), -1)
            _refuse(space, mode, own, owner, node, modes.shape[2], len(body))


def _parts(space: Space) -> np.ndarray:
    """Return the number of the rigid part of each element."""
    first, second = space.mesh.f2t
    inner = second >= 0
    count = len(space.connectivity)
    links = coo_array(
        (np.ones(int(inner.sum()), bool), (first[inner], second[inner])), shape=(count, count)
    )
    part: np.ndarray = connected_components(links, directed=False)[1]
    return part.astype(int)


def _motions(modes: np.ndarray, owner: np.ndarray, node: np.ndarray) -> np.ndarray:
    """Return how the nodes of the parts move, (node of a part, component, mode).

    Rotations are about the centre of each part and as large as translations, so that small
    parts far from the origin are not taken for loose ones.
    """
    found = np.moveaxis(modes[:, node], 0, -1).copy()
    moves = found.shape[1]
    count = np.bincount(owner)

    def mean(field: np.ndarray) -> np.ndarray:
        total = np.zeros((len(count), *field.shape[1:]))
        np.add.at(total, owner, field)
        return (total / count.reshape(-1, *[1] * (field.ndim - 1)))[owner]

    found[..., moves:] -= mean(found[..., moves:])
    size = np.sqrt(mean((found**2).sum(axis=1)))
    scaled: np.ndarray = found / np.where(size > 0, size, 1.0)[:, None]
    return scaled


def _held(
    motion: np.ndarray, master: np.ndarray, node: np.ndarray, supports: Supports
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of `motion` are held, and their motions along what holds them."""
    fixed, oblique = supports.fixed[node], supports.oblique
    if oblique is None:
        held, component = np.nonzero(fixed)
        return held, motion[held, component]
    number = np.full(len(supports.master), -1)
    number[oblique.nodes] = np.arange(len(oblique.nodes))
    own = np.flatnonzero(number[master] >= 0)
    fixed[own] = False
    held, component = np.nonzero(fixed)
    turned = oblique.projectors[number[master[own]]] @ motion[own]
    return (
        np.concatenate([held, np.repeat(own, motion.shape[1])]),
        np.concatenate([motion[held, component], turned.reshape(-1, motion.shape[2])]),
    )


def _constraints(
    motion: np.ndarray, owner: np.ndarray, master: np.ndarray, held: np.ndarray, along: np.ndarray
) -> csr_array:
    """Return the rows that vanish for a motion the supports permit, (row, part · mode)."""
    count = motion.shape[2]
    _, first, group = np.unique(master, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[group] != np.arange(len(master)))
    shared = np.stack([later, first[group[later]]], axis=1)
    columns = owner[:, None] * count + np.arange(count)
    values = [along]
    places = [columns[held]]
    numbers = [np.arange(len(held))]
    for c in range(motion.shape[1]):
        start = len(held) + c * len(shared)
        for side, sign in ((0, 1.0), (1, -1.0)):
            values.append(sign * motion[shared[:, side], c])
            places.append(columns[shared[:, side]])
            numbers.append(start + np.arange(len(shared)))
    row = np.repeat(np.concatenate(numbers), count)
    shape = (len(held) + motion.shape[1] * len(shared), (owner.max() + 1) * count)
    entries = (np.concatenate(values).ravel(), (row, np.concatenate(places).ravel()))
    return coo_array(entries, shape=shape).tocsr()


def _refuse(
    space: Space,
    mode: np.ndarray,
    parts: np.ndarray,
    owner: np.ndarray,
    node: np.ndarray,
    components: int,
    total: int,
) -> None:
    size = np.linalg.norm(mode, axis=1)
    moving = parts[size > 1e-6 * size.max()]
    strongest = int(np.argmax(size))
    which = "the structure"
    if len(moving) < total:
        place = space.nodes[node[owner == parts[strongest]]].mean(axis=0)
        which = f"the part of it at ({', '.join(f'{x:g}' for x in place)})"
    remedy = "add a support"
    if len(parts) > 1:
        remedy += ", or join by facets what hangs on single nodes or edges"
    raise InputError(
        f"`supports` must hold the body, but leave {which} free to "
        f"{_describe(mode[strongest], components)}; {remedy}"
    )


def _describe(mode: np.ndarray, components: int) -> str:
    if len(mode) == 1:
        return "take any value" if components == 1 else "move along its axis"
    turns = np.abs(mode[components:])
    if turns.max() <= 1e-6 * np.abs(mode).max():
        return f"move along {'xyz'[int(np.argmax(np.abs(mode)))]}"
    return "turn" if components == 2 else f"turn about {'xyz'[int(np.argmax(turns))]}"
