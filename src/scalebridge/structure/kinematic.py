"""How a law's gradient follows from the slopes of the nodal field: the constant array M."""

from __future__ import annotations

import numpy as np

from scalebridge.laws.protocol import Kinematics

_MANDEL = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}


def gradient_operator(kinematics: Kinematics, dim: int, axisymmetric: bool) -> np.ndarray:
    """Return M, (component of the law, component of the field · direction).

    Parameters
    ----------
    kinematics : Kinematics
        Of the law; in three dimensions it may serve a body of two, which has no slopes across.
    dim : 2 or 3
        Of the body.
    axisymmetric : bool
        A third direction carries u_r/r, which is the component 33.
    """
    unknowns = 1 if kinematics.physics == "conduction" else dim
    M = np.zeros((kinematics.size, unknowns, dim + axisymmetric))
    inside = range(dim)
    if kinematics.physics == "conduction":
        for a in inside:
            M[a, 0, a] = 1.0
    elif kinematics.physics == "finite strain":
        for i in inside:
            for J in inside:
                M[i * kinematics.dim + J, i, J] = 1.0
    else:
        for row, (i, j) in enumerate(_MANDEL[kinematics.dim]):
            if max(i, j) < dim:
                share = 1.0 if i == j else np.sqrt(0.5)
                M[row, i, j] = M[row, j, i] = share
    if axisymmetric and kinematics.physics != "conduction":
        M[8 if kinematics.physics == "finite strain" else 2, 0, dim] = 1.0
    return M.reshape(len(M), -1)
