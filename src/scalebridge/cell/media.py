"""Moduli of the voxels, and the homogeneous reference medium."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalebridge.cell.discretisation import Discretisation
from scalebridge.errors import InputError
from scalebridge.laws.plane import plane_stress
from scalebridge.laws.protocol import Kinematics
from scalebridge.tensors import Kind, project


class Media(NamedTuple):
    """What each voxel is made of.

    Attributes
    ----------
    materials : (n+1, …) int
        Row of `table` for each voxel, with a ghost layer at the lower ends.
    table : (modulus, material)
        Packed moduli, divided by the scale of the cell.
    """

    materials: Array
    table: Array


def pack(disc: Discretisation, moduli: Array) -> Array:
    """Pack (material, m, m) moduli: (λ, 2μ), (k) or the upper triangle row by row.

    Where an axis is bounded a last material follows, that of the ghosts: nothing.
    """
    if disc.isotropic:
        if disc.physics == "conduction":
            table = moduli[:, 0, 0][None]
        else:
            table = jnp.stack([moduli[:, 0, 1], moduli[:, -1, -1]])
    else:
        rows, columns = np.triu_indices(disc.components)
        # Both halves count, so that derivatives with respect to a modulus are symmetric.
        table = 0.5 * (moduli[:, rows, columns] + moduli[:, columns, rows]).T
    return jnp.pad(table, [(0, 0), (0, 1)]) if disc.bounded else table


def with_ghosts(labels: np.ndarray, bounded: Collection[int] = (), outside: int = 0) -> np.ndarray:
    """Return the labels with a ghost layer at the lower end of each axis.

    It is the periodic one; along a bounded axis it is `outside`, and so is one at the upper end.
    """
    image = labels.astype(np.uint8 if max(labels.max(), outside) < 2**8 else np.int32)
    for axis in range(labels.ndim):
        pad = [(1, int(axis in bounded)) if a == axis else (0, 0) for a in range(labels.ndim)]
        if axis in bounded:
            image = np.pad(image, pad, constant_values=outside)
        else:
            image = np.pad(image, pad, mode="wrap")
    return image


def restrict(modulus: Array, kinematics: Kinematics, plane: str | None = None) -> Array:
    """Return the modulus that a cell of given kinematics sees of a law's.

    In 2D: no gradient along axis 3, that is, plane strain in mechanics; or, with `plane`
    "stress", no stress on it.

    Raises
    ------
    InputError
        When a 2D law meets a 3D cell.
    """
    size = kinematics.size
    if modulus.shape[0] == size:
        return modulus
    if modulus.shape[0] < size:
        raise InputError(
            f"a law of {modulus.shape[0]} components cannot fill a cell that has {size}; "
            "pass a number or a 3D tensor"
        )
    if plane == "stress":
        return plane_stress(modulus)
    keep = np.array([0, 1] if kinematics.physics == "conduction" else [0, 1, 5])
    return modulus[keep][:, keep]


def reference_modulus(moduli: Array) -> Array:
    """Return the modulus of the reference medium: a geometric mean of the phases.

    The preconditioned spectrum lies between the smallest and the largest
    eigenvalue of C⁰⁻¹C over the phases, whatever the scale of C⁰. The logarithmic
    mean (Arsigny et al. 2006) treats stiff and compliant directions alike; phases
    count equally, since a rare phase stretches the spectrum as much as a common
    one. Void phases have no say.
    """
    values, vectors = jnp.linalg.eigh(moduli)
    solid = values[:, -1] > 0
    top = jnp.where(solid, values[:, -1], 1.0)
    # Zero directions of a solid (a tensor conductivity may have some) are lifted for the mean.
    logs = jnp.log(jnp.maximum(values, 1e-6 * top[:, None]))
    weight = solid / jnp.maximum(jnp.sum(solid), 1)
    mean = jnp.einsum(
        "p,pab,pb,pcb->ac", weight, vectors, jnp.where(solid[:, None], logs, 0.0), vectors
    )
    values, vectors = jnp.linalg.eigh(mean)
    return (vectors * jnp.exp(values)) @ vectors.T


def spectrum_floor(moduli: np.ndarray, reference: np.ndarray) -> float:
    """Return a lower bound of the preconditioned spectrum, 0 where a modulus is singular.

    It is the smallest eigenvalue of C⁰⁻¹C over the phases (Gergelits, Mardal,
    Nielsen & Strakoš 2019; Ladecký et al. 2023): operator and preconditioner share
    the discretisation, so that the quotient of their forms is one of the moduli.
    """
    half = np.linalg.cholesky(np.linalg.inv(reference))
    spectrum = np.linalg.eigvalsh(half.T @ moduli @ half)
    floor = float(np.min(spectrum))
    return floor if floor > 1e-12 * np.max(spectrum) else 0.0


def symmetrise(modulus: Array, physics: str, symmetry: str) -> Array:
    """Return the closest modulus of a symmetry class, on the axes of the image."""
    kind: Kind = "conductivity" if physics == "conduction" else "stiffness"
    return jnp.asarray(project(modulus, symmetry, kind=kind))


def coarsen(disc: Discretisation, media: Media) -> Media:
    """Return the media of the grid of half the resolution: block averages of the moduli."""
    block = tuple(n // 2 for n in disc.shape)
    return _coarsen(media, block)


@jax.jit
def _averages(media: Media) -> Array:
    inner = media.materials[(slice(1, None),) * media.materials.ndim]
    dim = inner.ndim
    shape = [m for n in inner.shape for m in (n // 2, 2)]
    fields = [
        row[inner].reshape(shape).mean(axis=tuple(range(1, 2 * dim, 2))) for row in media.table
    ]
    return jnp.stack([f.ravel() for f in fields])


def _coarsen(media: Media, block: tuple[int, ...]) -> Media:
    labels = np.arange(int(np.prod(block)), dtype=np.int32).reshape(block)
    return Media(jnp.asarray(with_ghosts(labels)), _averages(media))
