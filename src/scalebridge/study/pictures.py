"""Pictures of a microstructure and of its local fields, as PNG (or by suffix PDF, SVG).

Two dimensions are drawn flat, x to the right and y up. Three are drawn as a block in
isometric projection, x to the lower right, y to the upper right, z up, so that the faces
y = 0, x = max and z = max are seen. Colours of a field span its percentiles 1 to 99; the
colour bar has arrows where values lie beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
from scalebridge.study.files import atomic

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure
    from scalebridge.upscaling import Bounds

# The most abundant phase is quiet, the others speak; distinguishable without colour vision.
PALETTE = ("#d8d5cd", "#27496d", "#e0a13a", "#4f9d8d", "#b5493c", "#8a6fa8", "#7c8a3a", "#444444")
_LEGEND_ENTRIES = len(PALETTE)
_FIELD_COLOURS = "inferno"
INK = "#2b2b2b"
_SAMPLE = 2_000_000
_SHARP = 250  # voxels along an edge; beyond, they are smaller than two pixels
_LETTER: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": 13,
    "fontstyle": "italic",
    "color": INK,
}
_C = np.sqrt(0.75)
_PAPER = {  # where the axes point on paper
    2: np.eye(2),
    3: np.array([[_C, -0.5], [_C, 0.5], [0.0, 1.0]]),
}
_MARKERS = {
    "static": ("v", PALETTE[3]),
    "periodic": ("o", PALETTE[1]),
    "kinematic": ("^", PALETTE[2]),
    "through": ("x", PALETTE[4]),
}
_SHADES = (0.93, 0.85, 1.0)  # of the faces y = 0, x = max, z = max: light from above


def save_microstructure(path: str | Path, microstructure: Microstructure) -> Path:
    """Draw the phases, with a legend of their volume fractions."""
    figure, (axes,) = _figure(1)
    _draw_phases(axes, microstructure)
    return save(path, figure)


def save_field(
    path: str | Path,
    microstructure: Microstructure,
    field: ArrayLike,
    title: str,
    unit: str = "",
    noise: float = 1e-9,
) -> Path:
    """Draw a local field.

    Parameters
    ----------
    path : str or Path
    microstructure : Microstructure
        Gives the proportions of the voxels.
    field : shape of the image
        A scalar for each voxel; NaN stays white.
    title, unit : str
        The title stands above the picture, the unit at the colour bar.
    noise : float
        Differences that are smaller, relative to the values, are not shown.
    """
    figure, (axes,) = _figure(1)
    _draw_field(axes, microstructure, field, title, unit, noise)
    return save(path, figure)


def save_overview(
    path: str | Path, microstructure: Microstructure, field: ArrayLike, title: str, unit: str = ""
) -> Path:
    """Draw the phases and, beside them, a local field; parameters as in `save_field`."""
    figure, (left, right) = _figure(2)
    _draw_phases(left, microstructure)
    _draw_field(right, microstructure, field, title, unit)
    return save(path, figure)


def save_bounds(path: str | Path, bounds: Bounds, unit: str = "") -> Path:
    """Draw the diagonal of each tensor between its bounds of Reuss and Voigt.

    Parameters
    ----------
    path : str or Path
    bounds : scalebridge.upscaling.Bounds
    unit : str
        Of the tensors.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=150)
    axes = figure.add_axes((0.1, 0.12, 0.6, 0.78))
    narrow = bounds.hashin_shtrikman or {}
    heights = {
        # The isotropic average stands beside the diagonal where it has bounds of its own.
        name: np.array([*np.diag(tensor), *map(bounds.isotropic(tensor).get, narrow)], float)
        for name, tensor in bounds.tensors.items()
    }
    place = np.arange(len(bounds.components) + len(narrow))
    low, high = heights["Reuss"], heights["Voigt"]
    _bars(axes, place, low, high, "Reuss to Voigt", PALETTE[0])
    if narrow:
        least, most = np.array(list(narrow.values())).T
        _bars(axes, place[-len(narrow) :], least, most, "Hashin–Shtrikman", "#a9a498")
    aside = np.linspace(-0.2, 0.2, max(len(bounds.results), 2))  # they often lie on each other
    for shift, name in zip(aside, bounds.results, strict=False):
        marker, colour = _MARKERS[name]
        axes.plot(
            place + shift, heights[name], marker, color=colour, label=name, markersize=8, zorder=3
        )
    top = max((float(heights[name].max()) for name in bounds.results), default=float(high.max()))
    _limit(axes, float(low.min()), float(high.max()), top)
    axes.set_xticks(place, [*bounds.components, *narrow])
    average = f"; {', '.join(narrow)}: of the isotropic average" if narrow else ""
    axes.set_xlabel(f"component{average}", color=INK)
    axes.set_ylabel(unit, color=INK, parse_math=False)
    mandel = "" if len(bounds.components[0]) == 1 else " (Mandel)"
    axes.set_title(f"Effective tensor, diagonal{mandel}", fontsize=13, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False)
    return save(path, figure)


def _bars(axes: Axes, place: Any, low: Any, high: Any, label: str, colour: str) -> None:
    axes.bar(place, high - low, bottom=low, width=0.62, color=colour, label=label, zorder=1)


def _limit(axes: Axes, low: float, high: float, top: float) -> None:
    """Show from Reuss to Voigt, but no more than three times the largest result."""
    # A rigid or a highly conducting phase would put all else at the foot of its Voigt bound.
    if low > 0.5 * high:  # all lies close together
        room = max(0.1 * (high - low), 1e-3 * high)
        axes.set_ylim(low - room, high + room)
    else:
        axes.set_ylim(0, min(1.05 * high, 3 * top) or 1.0)


def _figure(columns: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.2 * columns, 5.2), dpi=150)
    places = [(i / columns + 0.03, 0.2, 1 / columns - 0.06, 0.72) for i in range(columns)]
    return figure, [figure.add_axes(place) for place in places]


def save(path: str | Path, figure: Figure) -> Path:
    with atomic(path) as temporary:
        figure.savefig(temporary, facecolor="white", bbox_inches="tight", pad_inches=0.12)
    return Path(path)


def _draw_phases(axes: Axes, micro: Microstructure) -> None:
    fractions = micro.volume_fractions
    order = _by_abundance(micro)
    colours = phase_colours(micro)
    labels = np.asarray(micro.labels)
    _draw(axes, micro, labels, lambda face: colours[face.astype(int)], _SHADES)
    handles = [
        Patch(
            facecolor=colours[phase],
            edgecolor=INK,
            linewidth=0.6,
            label=f"{micro.names[phase]}  {100 * fractions[micro.names[phase]]:.3g} %",
        )
        for phase in order[:_LEGEND_ENTRIES]
    ]
    if len(order) > _LEGEND_ENTRIES:
        rest = len(order) - _LEGEND_ENTRIES
        handles.append(Patch(facecolor="none", edgecolor="none", label=f"and {rest} more"))
    legend = axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.075),
        borderaxespad=0,
        ncols=min(3, len(handles)),
        frameon=False,
        fontsize=12,
        handlelength=1.2,
        handleheight=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may hold what would be mathematics
    axes.set_title(_size(micro), fontsize=13, color=INK)


def _by_abundance(micro: Microstructure) -> list[int]:
    fractions = micro.volume_fractions
    return sorted(range(len(micro.names)), key=lambda p: -fractions[micro.names[p]])


def phase_colours(micro: Microstructure) -> NDArray[np.float64]:
    """Return the colours (phase, rgb) in which phases are drawn, the most abundant quietly."""
    colours = np.empty((len(micro.names), 3))
    for rank, phase in enumerate(_by_abundance(micro)):
        colours[phase] = _colour(rank)
    return colours


def _colour(rank: int) -> tuple[float, float, float]:
    """Return the palette's colours, then hues by the golden angle (many grains)."""
    if rank < len(PALETTE):
        return to_rgb(PALETTE[rank])
    return to_rgb(colormaps["twilight"]((rank * 0.618034) % 1.0))


def _draw_field(
    axes: Axes,
    micro: Microstructure,
    field: ArrayLike,
    title: str,
    unit: str,
    noise: float = 1e-9,
) -> None:
    values = np.asarray(field, dtype=float)
    if values.shape != tuple(micro.shape):
        raise InputError(
            f"`field` must be a scalar for each voxel, of shape {tuple(micro.shape)}, "
            f"but has {values.shape}; give one component or a magnitude"
        )
    low, high, extend = _range(values, noise)
    power = thousands(max(abs(low), abs(high)))
    values, low, high = values / 10.0**power, low / 10.0**power, high / 10.0**power
    norm, cmap = Normalize(low, high), colormaps[_FIELD_COLOURS].with_extremes(bad="white")
    _draw(axes, micro, values, lambda face: cmap(norm(np.ma.masked_invalid(face)))[..., :3])
    place = axes.inset_axes((0.12, -0.115, 0.76, 0.035))
    bar = axes.figure.colorbar(
        ScalarMappable(norm, cmap), cax=place, orientation="horizontal", extend=extend
    )
    bar.set_label(unit, fontsize=12, color=INK)
    bar.ax.tick_params(labelsize=11, colors=INK)
    bar.outline.set_linewidth(0.6)
    if power:
        place.text(
            1.07,
            0.5,
            rf"$\times 10^{{{power}}}$",
            transform=place.transAxes,
            va="center",
            fontsize=11,
            color=INK,
        )
    axes.set_title(title, fontsize=13, color=INK)


def _range(values: NDArray[Any], noise: float = 1e-9) -> tuple[float, float, str]:
    """Return the percentiles 1 and 99 and at which ends values lie beyond them."""
    sample = values.ravel()[:: max(1, values.size // _SAMPLE)]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        raise InputError("`field` must have finite values to be drawn, but has none")
    low, high = np.percentile(sample, [1, 99])
    if high - low <= noise * max(abs(low), abs(high)):  # uniform: rounding is no structure
        return low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0), "neither"
    below, above = bool(sample.min() < low), bool(sample.max() > high)
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    return float(low), float(high), ends.get((below, above), "neither")


def thousands(largest: float) -> int:
    """Return the power of ten, a multiple of three, to write before numbers of this size."""
    return 0 if 0.01 <= largest < 1e4 or largest == 0 else 3 * int(np.floor(np.log10(largest) / 3))


def _draw(
    axes: Axes,
    micro: Microstructure,
    values: NDArray[Any],
    colour: Callable[[NDArray[Any]], NDArray[Any]],
    shades: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> None:
    """Draw the image, or the three visible faces of the block, and name the edges."""
    size = np.asarray(micro.extent, dtype=float)
    edges = _PAPER[values.ndim] * (size / size.max())[:, None]
    origin = np.zeros(2)
    if values.ndim == 2:
        x, y = edges
        _parallelogram(axes, colour(values), origin, x, y)
        names = [("x", x / 2, (0, -11)), ("y", y / 2, (-11, 0))]
    else:
        x, y, z = edges
        faces = [
            (values[:, 0, :], origin, x, z),
            (values[-1, :, :], x, y, z),
            (values[:, :, -1], z, x, y),
        ]
        for shade, (face, corner, first, second) in zip(shades, faces, strict=True):
            _parallelogram(axes, shade * colour(face), corner, first, second)
        names = [("x", x / 2, (-9, -9)), ("y", x + y / 2, (9, -9)), ("z", z / 2, (-11, 0))]
    for name, place, aside in names:
        axes.annotate(name, place, aside, textcoords="offset points", **_LETTER)
    low, high = np.minimum(edges, 0).sum(axis=0), np.maximum(edges, 0).sum(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.set_axis_off()


def _parallelogram(
    axes: Axes,
    colours: NDArray[Any],
    corner: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
) -> None:
    """Map colours (first axis, second axis, rgb) onto corner + s first + t second."""
    matrix = np.eye(3)
    matrix[:2] = np.column_stack([first, second, corner])
    axes.imshow(
        colours.swapaxes(0, 1),
        extent=(0, 1, 0, 1),
        origin="lower",
        interpolation="nearest" if max(colours.shape) <= _SHARP else "antialiased",
        transform=Affine2D(matrix) + axes.transData,
    )
    outline = corner + np.array([0 * first, first, first + second, second])
    axes.fill(
        *outline.T,
        facecolor="none",
        edgecolor=INK,
        linewidth=0.9,
        joinstyle="round",
        clip_on=False,
    )


def _size(micro: Microstructure) -> str:
    return " × ".join(str(n) for n in micro.shape) + " voxels"
