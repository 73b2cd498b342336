"""The microstructure: which phase fills which voxel, and how large a voxel is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import (
    AXES,
    as_axes,
    as_counts,
    as_integers,
    as_slice,
    as_spacing,
    check_image_shape,
    find_name,
    tell_numbers,
    tell_shape,
)
from scalebridge.microstructure.morphology import majority, opened
from scalebridge.microstructure.percolation import (
    Clusters,
    check_neighbours,
    find_clusters,
    percolating_axes,
)
from scalebridge.microstructure.phases import classify, parse_phases


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Microstructure:
    """An image of named phases on a grid of voxels; it never changes.

    Axis 0 is x, axis 1 is y, axis 2 is z. What crops, coarsens, repeats, flips or rotates
    returns a new image with the same phases, some of which may then have no voxel.

    Parameters
    ----------
    labels : (x, y[, z]) integers
        2D or 3D, at least 2 voxels along each axis.
    spacing : float or (axis,) [length]
        Edge of a voxel, in the user's unit of length.
    phases : mapping
        Name → label, inclusive range ``(low, high)``, or a list of these, which are
        merged into one phase. Every label in the image must have a name, and every
        phase a voxel.
    notes : how the image came to be, a sentence each; shown by `summary`.

    Attributes
    ----------
    labels : (x, y[, z]) smallest unsigned integers, C order, read-only
        0 for the first phase of the mapping, 1 for the second, …
    spacing : (axis,) [length]
    names : (phase,) in the order of the labels
    sources : (phase,) the values that made each phase, in words

    Raises
    ------
    InputError
        No integers, NaN, not 2D or 3D, empty, one voxel thin; spacing absent, zero,
        negative or not finite; a label without a name, a phase without a voxel,
        overlapping ranges.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[0, 0, 0, 7], [0, 0, 0, 7]])
    >>> micro = Microstructure(labels, spacing=0.5, phases={"matrix": 0, "fibre": 7})
    >>> micro.volume_fractions
    {'matrix': 0.75, 'fibre': 0.25}
    >>> micro
    Microstructure(2 × 4, spacing=0.5, matrix 75.00 %, fibre 25.00 %)
    """

    labels: NDArray[np.unsignedinteger[Any]]
    spacing: tuple[float, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...]

    def __init__(
        self,
        labels: ArrayLike,
        spacing: float | Sequence[float] | None = None,
        phases: Mapping[str, Any] | None = None,
        *,
        notes: Sequence[str] = (),
    ) -> None:
        image = as_integers(labels)
        edges = as_spacing(spacing, image.ndim)
        parsed = parse_phases(phases)
        sources = tuple(phase.source for phase in parsed)
        names = tuple(phase.name for phase in parsed)
        self._fill(classify(image, parsed), edges, names, sources, tuple(notes))

    @classmethod
    def _from_compact(
        cls,
        labels: NDArray[Any],
        spacing: tuple[float, ...],
        names: tuple[str, ...],
        sources: tuple[str, ...] | None = None,
        notes: Sequence[str] = (),
    ) -> Microstructure:
        """Make an image from labels 0, 1, … that are known to fit `names`."""
        self = object.__new__(cls)
        sources = sources or tuple(str(index) for index in range(len(names)))
        self._fill(labels, spacing, names, sources, tuple(notes))
        return self

    def _fill(self, labels: NDArray[Any], *rest: Any) -> None:
        smallest = np.min_scalar_type(len(rest[1]) - 1)
        owned = np.array(
            labels, dtype=smallest, order="C", copy=None if labels.base is None else True
        )
        owned.flags.writeable = False
        for field, value in zip(self.__dataclass_fields__, (owned, *rest), strict=True):
            object.__setattr__(self, field, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.labels.flags.writeable = False  # a pickle forgets it

    def _with(
        self, labels: NDArray[Any], spacing: tuple[float, ...] | None = None, note: str = ""
    ) -> Microstructure:
        notes = (*self.notes, note) if note else self.notes
        return self._from_compact(labels, spacing or self.spacing, self.names, self.sources, notes)

    # ---- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.labels.shape

    @property
    def dim(self) -> int:
        """2 or 3."""
        return self.labels.ndim

    @property
    def extent(self) -> tuple[float, ...]:
        """Edge of the whole image along each axis [length]."""
        return tuple(n * h for n, h in zip(self.shape, self.spacing, strict=True))

    @property
    def phases(self) -> Mapping[str, int]:
        """Name → value in `labels`."""
        return MappingProxyType({name: index for index, name in enumerate(self.names)})

    @cached_property
    def counts(self) -> dict[str, int]:
        """Name → number of voxels."""
        # one slab at a time, because bincount makes 8 bytes of every label
        counts = sum(np.bincount(slab.ravel(), minlength=len(self.names)) for slab in self.labels)
        return dict(zip(self.names, np.asarray(counts).tolist(), strict=True))

    @property
    def volume_fractions(self) -> dict[str, float]:
        """Name → share of the voxels [-]."""
        return {name: count / self.labels.size for name, count in self.counts.items()}

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Return (x, y[, z]) bool: True in phase `name`."""
        return self.labels == find_name(name, self.names)

    # ---- other images of it

    def crop(self, *ranges: slice | tuple[int | None, int | None] | None) -> Microstructure:
        """Return the part within one range per axis: a slice, (start, stop) or None for all.

        Examples
        --------
        >>> micro = Microstructure([[0, 1, 1], [0, 1, 1]], 1.0, {"a": 0, "b": 1})
        >>> micro.crop(None, (1, 3)).volume_fractions
        {'a': 0.0, 'b': 1.0}
        """
        if len(ranges) != self.dim:
            raise InputError(
                f"`ranges` must be one per axis ({self.dim}), but there are {len(ranges)}; "
                "e.g. crop((0, 50), None, (10, 60))"
            )
        cut = tuple(as_slice(*pair) for pair in zip(ranges, self.shape, AXES, strict=False))
        part = self.labels[cut]
        check_image_shape(part.shape, "the cropped image")
        return self._with(part)

    def coarsen(self, factor: int | Sequence[int]) -> Microstructure:
        """Return an image of voxels `factor` times as large, by majority in each block.

        Where several phases tie, the one that is rarer in the whole image wins (then the
        earlier one in `names`), so that thin phases survive; the choice does not depend on
        the axes. Compare `volume_fractions` before and after.

        Raises
        ------
        InputError
            A side that `factor` does not divide, or less than 2 blocks along an axis.
        """
        factors = as_counts(factor, self.dim, "factor")
        for size, by, axis in zip(self.shape, factors, AXES, strict=False):
            if size % by:
                raise InputError(
                    f"`factor` must divide each side, but {by} does not divide {size} (axis "
                    f"{axis}); crop to {size - size % by} voxels before or choose another factor"
                )
        sizes = [n // f for n, f in zip(self.shape, factors, strict=True)]
        check_image_shape(sizes, "the coarsened image")
        edges = tuple(h * f for h, f in zip(self.spacing, factors, strict=True))
        blocks = [side for pair in zip(sizes, factors, strict=True) for side in pair]
        coarse = majority(self.labels.reshape(blocks), list(self.counts.values()))
        return self._with(coarse, edges, f"coarsened by {tell_shape(factors)}, majority of a block")

    def repeat(self, counts: int | Sequence[int]) -> Microstructure:
        """Return the image put side by side `counts` times along each axis."""
        return self._with(np.tile(self.labels, as_counts(counts, self.dim, "counts")))

    def flip(self, axes: str | int | Sequence[int | str]) -> Microstructure:
        """Return the mirror image along `axes`, e.g. ``"xz"`` or ``(0, 2)``."""
        return self._with(np.flip(self.labels, as_axes(axes, self.dim)))

    def rotate90(self, plane: str | Sequence[int | str] = "xy", turns: int = 1) -> Microstructure:
        """Return the body turned by `turns` × 90° from the first axis of `plane` to the second.

        With Q the rotation that takes the first unit vector to the second, a second order
        effective tensor becomes Q k Qᵀ.
        """
        axes = as_axes(plane, self.dim)
        if len(axes) != 2:
            raise InputError(f"`plane` must be two axes, but is {plane!r}; e.g. 'xy'")
        edges = list(self.spacing)
        if turns % 2:
            edges[axes[0]], edges[axes[1]] = edges[axes[1]], edges[axes[0]]
        return self._with(np.rot90(self.labels, turns, axes), tuple(edges))

    # ---- how its phases hang together

    def connectivity(
        self, neighbours: int | None = None, periodic: bool = True
    ) -> dict[str, tuple[bool, ...]]:
        """Tell along which axes each phase percolates.

        Parameters
        ----------
        neighbours : 26, 18 or 6 in 3D, 8 or 4 in 2D
            Voxels that touch at a corner or edge are joined (26, 8: the default, since
            finite elements share those nodes) or only those that share a face (6, 4).
        periodic : bool
            True: some connected path winds around the periodic cell, that is, goes on
            for ever along the axis when the image is tiled. Touching both faces at places
            that do not match is not enough. False: some piece touches both faces.

        Returns
        -------
        name → (axis,) bool
        """
        order = check_neighbours(neighbours, self.dim)
        return {
            name: tuple(percolating_axes(self.mask(name), order, periodic).tolist())
            for name in self.names
        }

    def clusters(self, name: str, neighbours: int | None = None, periodic: bool = True) -> Clusters:
        """Return the connected pieces of a phase, and which of them float.

        `neighbours` and `periodic` are as in `connectivity`.
        """
        return find_clusters(self.mask(name), check_neighbours(neighbours, self.dim), periodic)

    def thin_fraction(self, name: str, voxels: int = 3) -> float:
        """Return the share of a phase that is thinner than `voxels` voxels [-].

        It is what a morphological opening by a cube of that edge takes away from the
        phase in the periodic image: voxels that no such cube within the phase can reach.
        The rounded surface of a thick body loses a little too: with a cube of 3 voxels a
        ball of radius 4 voxels loses 26 %, of radius 5 or 8 4 %, of radius 10 1 %.
        """
        (width,) = as_counts(voxels, 1, "voxels")
        mask = self.mask(name)
        held = max(1, int(mask.sum()))
        return int((mask & ~opened(mask, width)).sum()) / held

    # ---- in words

    def summary(self, connectivity: bool = False) -> str:
        """Return what was understood, in several lines; with `connectivity` percolation too."""
        across = " × ".join(AXES[: self.dim])
        through = self.connectivity() if connectivity else {}
        width = max(len(name) for name in self.names)
        lines = [
            f"{self.dim}D image of {tell_shape(self.shape)} voxels ({across})",
            f"  spacing  {tell_numbers(self.spacing)}",
            f"  extent   {tell_numbers(self.extent)}",
        ]
        for name, source in zip(self.names, self.sources, strict=True):
            line = (
                f"  phase    {name:{width}}  {self.volume_fractions[name]:9.4%}  (value {source})"
            )
            if through:
                axes = [axis for axis, on in zip(AXES, through[name], strict=False) if on]
                line += f", percolates along {', '.join(axes) or 'no axis'}"
            lines.append(line)
        return "\n".join(lines + [f"  note     {note}" for note in self.notes])

    def __repr__(self) -> str:
        edges = set(self.spacing)
        spacing = f"{self.spacing[0]:g}" if len(edges) == 1 else f"({tell_numbers(self.spacing)})"
        shares = [f"{name} {share:.2%}" for name, share in self.volume_fractions.items()]
        more = [f"{len(shares) - 4} more"] if len(shares) > 5 else []
        told = ", ".join(shares[:4] + more if more else shares).replace("%", " %")
        return f"Microstructure({tell_shape(self.shape)}, spacing={spacing}, {told})"
