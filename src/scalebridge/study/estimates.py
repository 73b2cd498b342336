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
from scipy.interpolate import PchipInterpolator

from scalebridge import analytic, laws
from scalebridge.analytic._phases import check_law, common_kinematics
from scalebridge.cell import Cell
from scalebridge.errors import InputError, ScalebridgeError, did_you_mean
from scalebridge.laws import Law, Rigid, Void
from scalebridge.microstructure import Microstructure
from scalebridge.study.files import atomic
from scalebridge.upscaling import effective
from scalebridge.upscaling.constants import engineering_constants

_SUFFIXES = (".png", ".pdf", ".svg")
_POINTS = 60  # of each curve
_EVERY = 5  # of them a costly estimate is evaluated, and interpolated between

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
        Linear and three-dimensional; on 2D images `plane` makes plane laws of elastic ones. A
        bare Void() or Rigid() takes the physics of the other.
    quantity : str
        "k11", "C12", … an entry of the tensor (C in Voigt components), or a name that
        `Effective.engineering_constants` knows: "E1", "K", "G", ….
    generate : callable, optional
        Volume fraction → image with the matrix as first phase and the inclusions as second.
        Without it no cells are solved, and the material is three-dimensional.
    fractions : sequence of float
        Where cells are solved.
    largest : float
        Where the curves end, below 1.
    semi_axes, orientation : optional
        Of the inclusions, as in `analytic.Inclusion`.
    plane : "strain" or "stress", optional
        State of 2D mechanics.
    **options
        Of `Cell`: boundary, element.

    Returns
    -------
    Estimates

    Raises
    ------
    InputError
        A quantity that is not known; laws that do not fit together; fractions that are none;
        fractions without `generate`, or images of other than two phases; a path to no picture.

    Notes
    -----
    Curves cost seconds, and cells what `effective` costs. In 3D, ellipsoids or anisotropic phases
    take ten seconds or so: there the self-consistent and the differential estimate are evaluated
    at one in five of the fractions, with monotone cubics between (Fritsch & Carlson 1980).

    Hashin and Shtrikman's bounds are left out where they do not hold: with anisotropic phases or
    aligned ellipsoids.
    """
    _check_path(path)
    end = _fraction("largest", largest)
    dim, cells = 3, []
    physics = _physics(matrix, inclusion)
    if (generate is None) != (np.size(fractions) == 0):
        raise InputError(
            "`generate` and `fractions` must be given together, but one is missing; e.g. "
            "generate=lambda f: sb.generate.centred_sphere((32,) * 3, f), fractions=(0.1, 0.3)"
        )
    if generate is not None:
        images = _images(generate, fractions)
        dim = images[0].dim
        _check_plane(plane, physics, dim)  # of fewer states than a cell has
        pairs = [dict(zip(i.names, (matrix, inclusion), strict=True)) for i in images]
        cells = [Cell(i, p, plane=plane, **options) for i, p in zip(images, pairs, strict=True)]
    elif options:
        raise InputError(
            f"`{next(iter(options))}` must come with `generate`, whose cells it is for, but "
            "without it no cells are solved; leave it out"
        )
    else:
        _check_plane(plane, physics, dim)
    read = _reader(quantity, physics, dim, plane)
    named = {"matrix": matrix, "inclusion": inclusion}
    both = [_plane(law, name, physics, dim, plane) for name, law in named.items()]
    at = np.linspace(0.0, end, _POINTS + 1)[1:]
    curves = _curves(both, dim, at, read, {"semi_axes": semi_axes, "orientation": orientation})
    values = [read(effective(cell).tensor) for cell in cells]
    shares = [c.microstructure.volume_fractions[c.microstructure.names[1]] for c in cells]
    done = Estimates(quantity, at, curves, np.array(shares), np.array(values))
    _draw(path, done)
    return done


# --- At the door -----------------------------------------------------------------------------


def _check_path(path: Any) -> None:
    if not isinstance(path, str | Path) or Path(path).suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"`path` must end in {', '.join(_SUFFIXES)}, but is {str(path)!r}; e.g. 'estimates.png'"
        )
    if not Path(path).parent.is_dir():
        raise InputError(
            f"`path` must lie in a folder, but {str(Path(path).parent)!r} is none; make it first"
        )


def _fraction(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if isinstance(value, str | bool) or not 0 < number < 1:
        raise InputError(
            f"`{name}` must lie between 0 and 1, but is {value!r}; "
            "it is a volume fraction, not a percentage"
        )
    return number


def _physics(matrix: Law, inclusion: Law) -> str:
    """Return the physics that both laws share."""
    check_law("matrix", matrix)
    check_law("inclusion", inclusion)
    return common_kinematics((matrix, inclusion), "matrix` and `inclusion").physics


def _images(generate: Any, fractions: Any) -> list[Microstructure]:
    """Return the images, each of two phases, all in 2D or all in 3D."""
    if not callable(generate):
        raise InputError(
            f"`generate` must be a function of the volume fraction, but is {generate!r}; "
            "e.g. lambda f: sb.generate.centred_sphere((32,) * 3, f)"
        )
    if isinstance(fractions, str) or np.ndim(fractions) != 1:
        raise InputError(f"`fractions` must be a sequence, but is {fractions!r}; e.g. (0.1, 0.3)")
    images = [generate(f) for f in [_fraction("fractions", f) for f in fractions]]
    for image in images:
        if not isinstance(image, Microstructure) or len(image.names) != 2:
            told = f"with {image.names}" if isinstance(image, Microstructure) else repr(image)
            raise InputError(
                "`generate` must give a Microstructure with two phases, the matrix first, but "
                f"gives one {told}; see sb.generate"
            )
    if len({image.dim for image in images}) > 1:
        raise InputError("`generate` must give images in 2D or in 3D, but gives both; choose one")
    return images


def _check_plane(plane: Any, physics: str, dim: int) -> None:
    needed = physics == "elasticity" and dim == 2
    if needed and plane not in ("strain", "stress"):
        raise InputError(
            f"`plane` must be 'strain' or 'stress' for mechanics on 2D images, but is {plane!r}; "
            "a long body across fibres is in plane strain, a thin sheet in plane stress"
        )
    if not needed and plane is not None:
        raise InputError(
            f"`plane` is for mechanics on 2D images only, but this is {physics} in {dim}D; "
            "leave it out"
        )


def _plane(law: Law, name: str, physics: str, dim: int, plane: str | None) -> Law:
    """Return the law of the curves."""
    if isinstance(law, Void | Rigid):
        return law
    if law.kinematics.dim < (dim if physics == "conduction" else 3):
        raise InputError(
            f"`{name}` must be three-dimensional, but {type(law).__name__} is not; on 2D images "
            "`plane` makes plane laws of elastic ones"
        )
    if dim == 3:
        return law
    if physics == "conduction":
        return laws.Conduction(law.tangent()[:2, :2])
    return laws.PlaneStress(law) if plane == "stress" else laws.PlaneStrain(law)


# --- Curves ----------------------------------------------------------------------------------


def _reader(
    quantity: str, physics: str, dim: int, plane: str | None
) -> Callable[[NDArray[Any]], float]:
    """Return what reads the quantity from a tensor."""
    if not isinstance(quantity, str):
        raise InputError(f"`quantity` must be a name, but is {quantity!r}; e.g. 'k11' or 'E1'")
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
    both: list[Law],
    dim: int,
    at: NDArray[np.float64],
    read: Callable[[NDArray[Any]], float],
    shape: dict[str, Any],
) -> dict[str, NDArray[np.float64]]:
    """Evaluate each estimate at the fractions `at`, in one compiled call."""
    matrix, inclusion = both

    def body(f: Any) -> Any:
        return analytic.Inclusion(inclusion, f, **shape)

    def rest(f: Any) -> Any:
        return analytic.Inclusion(matrix, 1 - f)

    def bound(side: str) -> Callable[[Any], Law]:
        return lambda f: analytic.HashinShtrikman(both, jnp.stack([1 - f, f]), side)

    analytic.MoriTanaka(matrix, body(0.5))  # what does not fit together is refused here
    estimates: dict[str, Callable[[Any], Law]] = {
        "Voigt": lambda f: analytic.Voigt(both, jnp.stack([1 - f, f])),
        "Hashin–Shtrikman +": bound("upper"),
        "differential": lambda f: analytic.Differential(matrix, body(f)),
        "self-consistent": lambda f: analytic.SelfConsistent([rest(f), body(f)]),
        "Mori–Tanaka": lambda f: analytic.MoriTanaka(matrix, body(f)),
        "dilute": lambda f: analytic.Dilute(matrix, body(f)),
        "Hashin–Shtrikman −": bound("lower"),
        "Reuss": lambda f: analytic.Reuss(both, jnp.stack([1 - f, f])),
    }
    if not _bounded(both, body(0.5)):
        estimates = {name: e for name, e in estimates.items() if not name.startswith("Hashin")}
    integrates = dim == 3 and not (body(0.5).is_sphere and all(law.is_isotropic for law in both))
    start = _read(read, np.asarray(analytic.Voigt(both, [1.0, 0.0]).modulus))
    curves = {}
    for name, estimate in estimates.items():
        few = integrates and name in ("differential", "self-consistent")
        nodes = at[_EVERY - 1 :: _EVERY] if few else at
        values = np.array([_read(read, tensor) for tensor in _tensors(estimate, nodes)])
        if not np.isfinite(values).any():
            continue
        curves[name] = _through(np.r_[0.0, nodes], np.r_[start, values], at) if few else values
    return curves


def _bounded(both: list[Law], body: analytic.Inclusion) -> bool:
    """Whether Hashin and Shtrikman's bounds hold."""
    if not (body.is_sphere or body.is_random):
        return False
    try:
        analytic.HashinShtrikman(both, [0.5, 0.5], "lower")
    except InputError:  # anisotropic phases
        return False
    return True


def _tensors(estimate: Callable[[Any], Law], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the tensors one after another: side by side, all would wait for the slowest."""
    found = jax.jit(lambda x: jax.lax.map(lambda f: estimate(f).tangent(), x))(jnp.asarray(at))
    return np.asarray(found)


def _through(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return monotone cubics through the points, NaN beside a y that is NaN."""
    values = np.full(at.shape, np.nan)
    changes = np.flatnonzero(np.diff(np.r_[0, np.isfinite(y).astype(int), 0]))
    for first, end in changes.reshape(-1, 2):
        inside = (at >= x[first]) & (at <= x[end - 1])
        run = slice(first, end)
        values[inside] = (
            PchipInterpolator(x[run], y[run])(at[inside]) if end - first > 1 else y[first]
        )
    return values


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
    spread = np.concatenate([done.cells, *(v for n, v in done.curves.items() if n != "dilute")])
    low, high = min(0.0, np.nanmin(spread)), max(0.0, np.nanmax(spread))
    axes.set_xlim(0, done.fractions[-1])
    if low < high:
        axes.set_ylim(1.05 * low, 1.05 * high)
    axes.set_xlabel("volume fraction of the inclusions")
    axes.set_ylabel(done.quantity)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, facecolor="white")
