"""Level cuts of Gaussian random fields: blobs without a rule of shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import (
    as_fractions,
    as_names,
    as_seed,
    as_shape,
    as_spacing,
    tell_numbers,
)
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.ranks import counts_of, cut

Radial = Callable[[NDArray[np.float64]], Any]

_COVARIANCES: dict[str, Radial] = {
    "gaussian": lambda r: np.exp(-(r**2)),
    "exponential": lambda r: np.exp(-r),
}
_CLIPPED = 0.01  # share of a spectrum that may be negative before the field is another one
_UNIFORM = 0.05  # share of the variance that k = 0 may have: levels by rank take it away


def gaussian_field(
    shape: Sequence[int],
    fractions: Sequence[float],
    length: float | Sequence[float],
    seed: int,
    *,
    covariance: str | Radial = "gaussian",
    spectrum: Radial | None = None,
    spacing: float | Sequence[float] = 1.0,
    names: Sequence[str] | None = None,
) -> Microstructure:
    r"""Cut a periodic Gaussian random field at the levels that give the fractions.

    The field is stationary, of mean 0 and variance 1, with covariance g(r/ℓ) or with the
    spectral density S(kℓ). Its lowest values are the first phase, its highest the last. Of
    two phases, for a cut at level α, the probability that two points are both above is

    .. math:: S_2(r) = \phi^2 + \frac{1}{2\pi} \int_0^{g(r)}
              \exp\left(-\frac{\alpha^2}{1+t}\right) \frac{\mathrm{d}t}{\sqrt{1-t^2}},

    which for φ = ½ is ¼ + arcsin(g)/2π.

    Parameters
    ----------
    shape : (axis,) voxels; the cell is periodic
    fractions : (phase,) [-]
        Positive, sum 1; met to the voxel.
    length : float or (axis,) [length]
        Correlation length ℓ in the unit of `spacing`; one per axis stretches the field. In a
        cell of edge L at most about 0.13 L in 2D and 0.21 L in 3D; "exponential" 0.09 L, 0.13 L.
    seed : int
        The same seed gives the same image.
    covariance : "gaussian", "exponential" or function
        g = exp(−r²/ℓ²) with smooth surfaces, g = exp(−r/ℓ) with rough ones, or a function
        of the array r/ℓ with g(0) = 1. Distances are to the nearest periodic image.
    spectrum : function of the array kℓ, instead of `covariance`
        Spectral density up to a factor, k being the angular wavenumber [1/length]. A peak
        at kℓ = 1 makes waves of length 2πℓ.
    spacing : float or (axis,) [length]
    names : (phase,), by default phase1, phase2, …

    Raises
    ------
    InputError
        Fractions not positive or not summing to 1; a covariance that no periodic field
        has, because it is not positive definite; one that is too long for the cell, with more
        than 5 % of the variance at k = 0; a function that fails.

    Notes
    -----
    Each image has the fractions exactly, where those of a window of the same size in an infinite
    medium scatter. The S₂ measured lies below the formula by about the variance of these, at
    φ = ½ in units of φ(1 − φ): 2.2 (ℓ/L)² in 2D and 3.7 (ℓ/L)³ in 3D for "gaussian", 4.1 (ℓ/L)²
    and 16 (ℓ/L)³ for "exponential". That is 1 % from ℓ/L = 0.07 and 0.14, or 0.05 and 0.09, on.

    Source: N.F. Berk, Phys. Rev. Lett. 58 (1987) 2718-2721; M. Teubner, Europhys. Lett. 14
    (1991) 403-408.

    Examples
    --------
    >>> gaussian_field((64, 64), (0.25, 0.75), length=6.0, seed=0).volume_fractions
    {'phase1': 0.25, 'phase2': 0.75}
    >>> waves = lambda k: np.exp(-((k - 1.0) ** 2) / 0.02)
    >>> gaussian_field((64, 64), (0.5, 0.5), length=1.5, seed=0, spectrum=waves).counts
    {'phase1': 2048, 'phase2': 2048}
    """
    sizes = as_shape(shape)
    edges = as_spacing(spacing, len(sizes))
    shares = as_fractions(fractions)
    several = tuple(f"phase{i + 1}" for i in range(len(shares))) if names is None else names
    words = as_names(several, len(shares))
    counts = counts_of(shares, math.prod(sizes), words)
    lengths = _as_lengths(length, len(sizes))
    rng = np.random.default_rng(as_seed(seed))
    check_fits(sizes, np.dtype(float), "`shape`", copies=40)
    steps = np.array(edges) / lengths
    if spectrum is not None:
        if covariance != "gaussian":
            raise InputError(
                "`spectrum` must be given instead of `covariance`, but both are; leave one out"
            )
        density, told = _from_spectrum(spectrum, sizes, steps), "a spectrum of its own"
    else:
        density = _from_covariance(covariance, sizes, steps)
        told = f"{covariance if isinstance(covariance, str) else 'its own'} covariance"
    noise = np.fft.rfftn(rng.standard_normal(sizes))
    field = np.fft.irfftn(noise * np.sqrt(density), sizes, axes=range(len(sizes)))
    achieved = ", ".join(
        f"{name} {count / math.prod(sizes):.6g} (asked {share:.6g})"
        for name, count, share in zip(words, counts, shares, strict=True)
    )
    note = (
        f"level cut of a Gaussian field with {told}, length {tell_numbers(lengths)}, "
        f"seed {seed}: {achieved}"
    )
    return Microstructure._from_compact(cut(field, counts), edges, words, notes=(note,))


def _from_covariance(
    covariance: str | Radial, shape: tuple[int, ...], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the spectral density on the half grid of `rfftn`; `steps` are voxels in ℓ."""
    if isinstance(covariance, str) and covariance in _COVARIANCES:
        function = _COVARIANCES[covariance]
    elif callable(covariance):
        function = covariance
    else:
        known = ", ".join(repr(name) for name in _COVARIANCES)
        raise InputError(
            f"`covariance` must be {known} or a function of r/ℓ, but is {covariance!r}"
            f"{did_you_mean(str(covariance), _COVARIANCES)}; e.g. lambda r: np.exp(-r)"
        )
    lags = [
        np.minimum(np.arange(n), n - np.arange(n)) * h for n, h in zip(shape, steps, strict=True)
    ]
    g = _values(function, _norms(lags), "covariance")
    origin = float(g.flat[0])
    if abs(origin - 1.0) > 1e-6:
        raise InputError(
            f"`covariance` must be 1 at distance 0, but is {origin:g}; divide by the variance"
        )
    density = _without_mean(np.fft.rfftn(g).real, shape[-1])
    weights = _multiplicity(shape[-1])
    negative = np.sum(weights * np.minimum(density, 0.0)) / -np.sum(weights * np.abs(density))
    if not negative <= _CLIPPED:
        raise InputError(
            f"`covariance` must be positive definite on the periodic cell, but {negative:.1%} of "
            "its spectrum is negative; shorten `length`, enlarge `shape`, or take another function"
        )
    return np.maximum(density, 0.0)


def _from_spectrum(
    spectrum: Radial, shape: tuple[int, ...], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not callable(spectrum):
        raise InputError(
            f"`spectrum` must be a function of kℓ, but is {spectrum!r}; "
            "e.g. lambda k: np.exp(-k**2 / 4)"
        )
    *first, last = zip(shape, steps, strict=True)
    waves = [2 * np.pi * np.fft.fftfreq(n, h) for n, h in first]
    waves.append(2 * np.pi * np.fft.rfftfreq(*last))
    density = _values(spectrum, _norms(waves), "spectrum")
    if not np.isfinite(density.flat[0]):
        density.flat[0] = 0.0  # a pole, which gives no mean
    if density.min() < 0 or density.flat[1:].max() <= 0:
        raise InputError(
            f"`spectrum` must be ≥ 0 and positive somewhere on the grid, but lies between "
            f"{density.min():.4g} and {density.flat[1:].max():.4g}; check its unit, kℓ"
        )
    return _without_mean(density, shape[-1])


def _without_mean(density: NDArray[np.float64], last: int) -> NDArray[np.float64]:
    """Return the density with nothing at k = 0, which moves the field and its levels alike."""
    total = float(np.sum(_multiplicity(last) * np.maximum(density, 0.0)))
    share = float(density.flat[0]) / total
    if share > _UNIFORM:
        raise InputError(
            f"`length` must be short against the cell, but {share:.1%} of the variance would be a "
            f"shift of the whole cell ({_UNIFORM:.0%} may); shorten it or enlarge `shape`"
        )
    rest = density.copy()
    rest.flat[0] = 0.0
    return rest


def _multiplicity(last: int) -> NDArray[np.float64]:
    """Return how often the half grid's last axis, of `last` voxels, stands in the whole grid."""
    several = np.full(last // 2 + 1, 2.0)
    several[0] = 1.0
    if last % 2 == 0:
        several[-1] = 1.0
    return several


def _values(function: Radial, at: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return the function's values, finite but for a spectrum's at k = 0."""
    told = ""
    cause: Exception | None = None
    try:
        with np.errstate(all="ignore"):
            values = np.array(function(at))
    except Exception as error:  # it is the user's, and may raise anything
        told, cause = f"raises {type(error).__name__} ({error})", error
    else:
        if values.shape != at.shape or values.dtype.kind not in "biuf":
            told = f"gives {values.dtype} of shape {values.shape} for {at.shape}"
        elif not np.isfinite(values.flat[1 if name == "spectrum" else 0 :]).all():
            told = "gives NaN or inf"
    if told:
        raise InputError(
            f"`{name}` must give a finite number for each element of an array, but {told}; "
            "write it with NumPy, e.g. lambda r: np.exp(-r)"
        ) from cause
    return values.astype(float)


def _norms(lines: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.sqrt(reduce(np.add.outer, [line**2 for line in lines]))


def _as_lengths(length: Any, dim: int) -> tuple[float, ...]:
    try:
        return as_spacing(length, dim)
    except InputError:
        raise InputError(
            f"`length` must be a positive number or one per axis ({dim}), but is {length!r}; "
            "give the correlation length in the unit of `spacing`"
        ) from None
