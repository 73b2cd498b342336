"""Estimates, bounds and cell solutions of a two-phase material over the volume fraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scalebridge import analytic, laws
from scalebridge.cell import Cell
from scalebridge.errors import InputError, ScalebridgeError, did_you_mean
from scalebridge.laws import Law
from scalebridge.microstructure import Microstructure
from scalebridge.study.files import atomic
from scalebridge.upscaling import effective
from scalebridge.upscaling.constants import engineering_constants

_STYLE: dict[str, dict[str, Any]] = {
    "Voigt": {"color": "#8a867b", "linestyle": ":"},
    "Reuss": {"color": "#8a867b", "linestyle": ":"},
    "Hashin–Shtrikman +": {"color": "#8a867b", "linestyle": "--"},
    "Hashin–Shtrikman −": {"color": "#8a867b", "linestyle": "--"},
    "dilute": {"color": "#e0a13a"},
    "Mori–Tanaka": {"color": "#27496d"},
    "self-consistent": {"color": "#4f9d8d"},
    "differential": {"color": "#b5493c"},
}


@dataclass(frozen=True)
class Estimates:
    """What `plot_estimates` drew.

    Attributes
    ----------
    quantity : str
    fractions : (point,) [-]
        Of the inclusions, for the curves.
    curves : dict of str to (point,)
        NaN where an estimate does not exist.
    cell_fractions : (cell,) [-]
        As the images have them, voxel by voxel.
    cells : (cell,)
    """

    quantity: str
    fractions: NDArray[np.float64]
    curves: dict[str, NDArray[np.float64]]
    cell_fractions: NDArray[np.float64]
    cells: NDArray[np.float64]


def plot_estimates(
    path: str | Path,
    matrix: Law,
    inclusion: Law,
    quantity: str,
    *,
    generate: Callable[[float], Microstructure] | None = None,
    fractions: Sequence[float] = (),
    largest: float = 0.6,
    semi_axes: Sequence[float] | None = None,
    orientation: Any = None,
    plane: str | None = None,
    **options: Any,
) -> Estimates:
    """Draw estimates, bounds and cell solutions over the volume fraction of the inclusions.

    Parameters
    ----------
    path : str or Path
        Of the picture, .png, .pdf or .svg.
    matrix, inclusion : Law
        Three-dimensional; on 2D images `plane` makes plane laws of elastic ones.
    quantity : str
        "k11", "C12", … an entry of the tensor (C in Voigt components), or a name that
        `Effective.engineering_constants` knows: "E1", "K", "G", ….
    generate : callable, optional
        Volume fraction → image with the matrix as first phase and the inclusions as second.
        Without it no cells are solved, and the material is three-dimensional.
    fractions : sequence of float
        Where cells are solved.
    largest : float
        Where the curves end.
    semi_axes, orientation : optional
        Of the inclusions, as in `analytic.Inclusion`.
    plane : "strain" or "stress", optional
    **options
        Of `Cell`: boundary, element.

    Raises
    ------
    InputError
        A quantity that is not known, or fractions without `generate`.
    """
    if (generate is None) != (len(fractions) == 0):
        raise InputError(
            "`generate` and `fractions` must be given together, but one is missing; e.g. "
            "generate=lambda f: sb.generate.centred_sphere((32,) * 3, f), fractions=(0.1, 0.3)"
        )
    images = [generate(f) for f in fractions] if generate is not None else []
    dim = images[0].dim if images else 3
    read = _reader(quantity, matrix.kinematics.physics, dim, plane)
    at = np.linspace(0.0, largest, 61)[1:]
    curves = _curves(
        _plane(matrix, dim, plane),
        _plane(inclusion, dim, plane),
        at,
        read,
        {"semi_axes": semi_axes, "orientation": orientation},
    )
    shares, values = [], []
    for image in images:
        pair = dict(zip(image.names, (matrix, inclusion), strict=True))
        found = effective(Cell(image, pair, plane=plane, **options))
        shares.append(image.volume_fractions[image.names[1]])
        values.append(read(found.tensor))
    done = Estimates(quantity, at, curves, np.array(shares), np.array(values))
    _draw(path, done)
    return done


def _plane(law: Law, dim: int, plane: str | None) -> Law:
    if dim == 3:
        return law
    if law.kinematics.physics == "conduction":
        return laws.Conduction(law.tangent()[:2, :2])
    return laws.PlaneStress(law) if plane == "stress" else laws.PlaneStrain(law)


def _reader(
    quantity: str, physics: str, dim: int, plane: str | None
) -> Callable[[NDArray[Any]], float]:
    """Return what reads the quantity from a tensor."""
    letter, digits = quantity[:1], quantity[1:]
    size = dim if physics == "conduction" else dim * (dim + 1) // 2
    entry = letter == ("k" if physics == "conduction" else "C") and len(digits) == 2
    if entry and all(d.isdigit() and 1 <= int(d) <= size for d in digits):
        i, j = (int(d) - 1 for d in digits)
        if physics == "conduction":
            return lambda tensor: float(tensor[i, j])
        factor = 2.0 ** (-0.5 * ((i >= dim) + (j >= dim)))  # Mandel to Voigt
        return lambda tensor: factor * float(tensor[i, j])
    kind: Any = "conductivity" if physics == "conduction" else "stiffness"
    known = engineering_constants(np.eye(size), kind, plane)
    scalars = [name for name, value in known.items() if np.ndim(value) == 0]
    if quantity not in scalars:
        raise InputError(
            f"`quantity` must be an entry such as {'k11' if kind == 'conductivity' else 'C11'} or "
            f"one of {scalars}, but is {quantity!r}{did_you_mean(quantity, scalars)}"
        )
    return lambda tensor: float(engineering_constants(tensor, kind, plane)[quantity])


def _curves(
    matrix: Law,
    inclusion: Law,
    at: NDArray[np.float64],
    read: Callable[[NDArray[Any]], float],
    shape: dict[str, Any],
) -> dict[str, NDArray[np.float64]]:
    """Evaluate each estimate at all fractions in one compiled call."""
    both = [matrix, inclusion]

    def body(f: Any) -> Any:
        return analytic.Inclusion(inclusion, f, **shape)

    def rest(f: Any) -> Any:
        return analytic.Inclusion(matrix, 1 - f)

    estimates: dict[str, Callable[[Any], Law]] = {
        "Voigt": lambda f: analytic.Voigt(both, jnp.stack([1 - f, f])),
        "Hashin–Shtrikman +": lambda f: analytic.HashinShtrikman(
            both, jnp.stack([1 - f, f]), "upper"
        ),
        "differential": lambda f: analytic.Differential(matrix, body(f)),
        "self-consistent": lambda f: analytic.SelfConsistent([rest(f), body(f)]),
        "Mori–Tanaka": lambda f: analytic.MoriTanaka(matrix, body(f)),
        "dilute": lambda f: analytic.Dilute(matrix, body(f)),
        "Hashin–Shtrikman −": lambda f: analytic.HashinShtrikman(
            both, jnp.stack([1 - f, f]), "lower"
        ),
        "Reuss": lambda f: analytic.Reuss(both, jnp.stack([1 - f, f])),
    }
    curves = {}
    for name, estimate in estimates.items():
        try:
            tensors = jax.jit(jax.vmap(lambda f, e=estimate: e(f).tangent()))(jnp.asarray(at))
        except InputError:  # Hashin–Shtrikman of anisotropic phases, say
            continue
        values = [_read(read, np.asarray(tensor)) for tensor in tensors]
        if np.isfinite(values).any():
            curves[name] = np.array(values)
    return curves


def _read(read: Callable[[NDArray[Any]], float], tensor: NDArray[Any]) -> float:
    """Return NaN where an estimate has left the range in which it is one."""
    try:
        return read(0.5 * (tensor + tensor.T)) if np.isfinite(tensor).all() else np.nan
    except ScalebridgeError:
        return np.nan


def _draw(path: str | Path, done: Estimates) -> None:
    figure = Figure(figsize=(7.2, 4.6), dpi=150)
    axes = figure.add_axes((0.1, 0.12, 0.6, 0.82))
    for name, values in done.curves.items():
        axes.plot(done.fractions, values, label=name, **_STYLE[name])
    if len(done.cells):
        axes.plot(done.cell_fractions, done.cells, "o", color="#2b2b2b", label="cell", zorder=5)
    spread = [v for name, v in done.curves.items() if name != "dilute"]
    top = np.nanmax([np.nanmax(v) for v in spread])
    axes.set(xlim=(0, done.fractions[-1]), ylim=(0, 1.05 * top))
    axes.set_xlabel("volume fraction of the inclusions")
    axes.set_ylabel(done.quantity)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, facecolor="white")
