"""Linear systems of a structure: direct, or conjugate gradients with algebraic multigrid."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from scipy.sparse import bsr_array
from scipy.sparse.linalg import splu

from scalebridge.errors import InputError

_DIRECT = {2: 60_000, 3: 12_000}  # unknowns below which a factorisation is faster
_LOST = 1e-3  # a relative residual of multigrid above which the matrix is factorised
METHODS = ("auto", "direct", "multigrid", "pardiso")


def check_method(method: str) -> None:
    """Refuse unknown methods, and PARDISO where it is not installed."""
    if method not in METHODS:
        raise InputError(f"`linear_solver` must be one of {', '.join(METHODS)}, but is {method!r}")
    if method == "pardiso" and importlib.util.find_spec("pypardiso") is None:
        raise InputError(
            "`linear_solver` 'pardiso' needs the package pypardiso, which is not installed; "
            "install it, or leave the choice to 'auto'"
        )


def solve(
    matrix: bsr_array,
    rhs: np.ndarray,
    *,
    modes: np.ndarray,
    dim: int,
    symmetric: bool,
    method: str = "auto",
    tolerance: float = 1e-8,
) -> np.ndarray:
    """Solve K x = rhs.

    Parameters
    ----------
    matrix : (unknown, unknown)
    rhs : (unknown,)
    modes : (mode, unknown)
        Fields of no energy, which multigrid must represent; zero at held values.
    dim : 2 or 3
        Of the mesh: what a factorisation costs.
    symmetric : bool
        Other matrices are factorised.
    method : one of `METHODS`
    tolerance : float
        Relative residual of the iterative method.
    """
    if method == "pardiso":
        from pypardiso import spsolve

        return np.asarray(spsolve(matrix.tocsr(), rhs))
    if method == "auto":
        small = len(rhs) <= _DIRECT[dim]
        if not small and importlib.util.find_spec("pypardiso") and not symmetric:
            return solve(matrix, rhs, modes=modes, dim=dim, symmetric=symmetric, method="pardiso")
        method = "direct" if small or not symmetric else "multigrid"
    if method == "direct" or not symmetric:
        return _factorised(matrix, rhs)
    return _multigrid(matrix, rhs, modes, tolerance)


def _factorised(matrix: bsr_array, rhs: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(
            splu(
                matrix.tocsc(),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.01,
                options={"SymmetricMode": True},
            ).solve(rhs)
        )
    except RuntimeError:  # exactly singular
        return np.full(len(rhs), np.nan)


def _multigrid(
    matrix: bsr_array, rhs: np.ndarray, modes: np.ndarray, tolerance: float
) -> np.ndarray:
    import pyamg

    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002, pyamg draws from it: the same matrix must give the same bits
    try:
        levels: Any = pyamg.smoothed_aggregation_solver(
            matrix,
            B=np.ascontiguousarray(modes.T),
            strength=("symmetric", {"theta": 0.0}),
            smooth=("jacobi", {"omega": 4.0 / 3.0}),
            presmoother=("block_gauss_seidel", {"sweep": "symmetric"}),
            postsmoother=("block_gauss_seidel", {"sweep": "symmetric"}),
            max_coarse=300,
        )
    finally:
        np.random.set_state(before)  # noqa: NPY002
    x, failed = levels.solve(rhs, tol=tolerance, accel="cg", maxiter=300, return_info=True)
    if failed and not np.linalg.norm(matrix @ x - rhs) <= _LOST * np.linalg.norm(rhs):
        return _factorised(matrix, rhs)
    return np.asarray(x)
