"""Gradients and tangents of points in other axes, and with components that are free."""

from __future__ import annotations

import numpy as np

from scalebridge import tensors
from scalebridge.laws.protocol import Kinematics


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


def turn_back(
    turns: np.ndarray, flux: np.ndarray, tangents: np.ndarray | None, gradient: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return what points answer in the axes of the material in those of the structure."""
    back = np.swapaxes(turns, -1, -2)
    return (
        apply(back, flux),
        None if tangents is None else back @ tangents @ turns,
        None if gradient is None else apply(back, gradient),
    )


def apply(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the products of matrices, or of one, with vectors."""
    if matrices.ndim == 2:  # one for all: a single product
        return vectors @ matrices.T
    return (matrices @ vectors[..., None])[..., 0]
