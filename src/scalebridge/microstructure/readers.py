"""`read`: from a file or folder to a Microstructure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.arrays import read_npy, read_npz, read_raw
from scalebridge.microstructure.checks import as_names, as_spacing
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.phases import Phase, classify, parse_phases
from scalebridge.microstructure.sniff import kind_of, tells_spacing
from scalebridge.microstructure.threshold import as_thresholds, otsu, phases_between
from scalebridge.microstructure.tiff import read_folder, read_tiff
from scalebridge.microstructure.vti import read_vti
from scalebridge.microstructure.vtk_image import settle_spacing
from scalebridge.microstructure.vtkhdf import read_vtkhdf


def read(
    path: str | os.PathLike[str],
    *,
    spacing: float | Sequence[float] | None = None,
    phases: Mapping[str, Any] | Sequence[str] | None = None,
    threshold: float | Sequence[float] | None = None,
    method: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    order: str | None = None,
    offset: int = 0,
    key: str | None = None,
) -> Microstructure:
    """Read an image of a microstructure.

    Parameters
    ----------
    path : TIFF file (one page or a stack), folder of single-page TIFFs (sorted naturally),
        VTI, VTKHDF, NPY, NPZ or raw binary file.
    spacing : float or (axis,) [length]
        Edge of a voxel along x, y, z in the user's unit. Mandatory but for VTI and VTKHDF,
        which tell it; if it is given for these, it wins, and a note tells the difference.
    phases : mapping or names
        Name → label, inclusive range ``(low, high)``, or a list of these; or names alone,
        from dark to bright, with `threshold` or `method`.
    threshold : rising grey values, one less than the names
        The first phase holds the values up to and with the first threshold, and so on.
    method : "otsu"
        Find the one threshold between two phases by Otsu's method.
    shape, dtype, order, offset : for raw binary only
        Voxels along x, y, z; type of the values; ``"F"`` if x runs fastest, ``"C"`` if the
        last axis does; bytes of header to skip.
    key : name of the array in an NPZ, VTI or VTKHDF file that holds several

    Returns
    -------
    Microstructure
        Axis 0 is x. Arrays are taken as stored; (page, row, column) of TIFF is (z, y, x),
        transposed and not flipped; an image of VTK that is one voxel thick becomes 2D. Its
        `summary` tells what was understood.

    Raises
    ------
    InputError
        A file that is absent, damaged, in colour, 4D, too large for memory, or not what
        its suffix says; values without a phase; NaN; phases, spacing or options that
        cannot be used.

    Examples
    --------
    >>> micro = read("scan.raw", shape=(100, 100, 100), dtype="uint8", order="F",
    ...              spacing=1e-6, phases={"graphite": 87, "matrix": 182})  # doctest: +SKIP
    """
    place = _as_path(path)
    given = None if spacing is None and tells_spacing(place) else as_spacing(spacing)
    rule = _check_rule(phases, threshold, method)
    image, told, note = _load(
        place, key, {"shape": shape, "dtype": dtype, "order": order, "offset": offset}
    )
    notes = [note]
    edges = None if given is None else as_spacing(given, image.ndim)
    if told is not None:
        edges, note = settle_spacing(edges, told, place)
        notes += [note] if note else []
    if isinstance(rule[0], str):
        names, thresholds = rule, as_thresholds(threshold, len(rule)) if method is None else ()
        if method is not None:
            thresholds = (otsu(image, f"'{path}'"),)
            notes.append(f"threshold {thresholds[0]:.6g} by Otsu's method")
        rule = phases_between(names, thresholds)
    labels = classify(image, rule, f"'{path}'")
    names = tuple(phase.name for phase in rule)
    sources = tuple(phase.source for phase in rule)
    return Microstructure._from_compact(labels, as_spacing(edges), names, sources, notes)


def _as_path(path: Any) -> Path:
    try:
        return Path(path).expanduser()
    except (TypeError, RuntimeError):
        raise InputError(
            f"`path` must be a file or folder, but is {path!r}; for an array use Microstructure"
        ) from None


def _check_rule(phases: Any, threshold: Any, method: Any) -> tuple[Phase, ...] | tuple[str, ...]:
    """Return phases with their ranges, or names alone where thresholds will part them."""
    if method not in (None, "otsu"):
        raise InputError(
            f"`method` must be 'otsu', but is {method!r}{did_you_mean(method, ['otsu'])}; "
            "or give `threshold` or ranges in `phases`"
        )
    if isinstance(phases, Mapping) or phases is None:
        if method is not None or threshold is not None:
            raise InputError(
                "`phases` must be names alone with `threshold` or `method`, but is "
                f"{phases!r}; e.g. phases=('void', 'solid')"
            )
        return parse_phases(phases)
    if (method is None) == (threshold is None):
        both = "both are given" if method else "neither is given"
        raise InputError(
            f"`phases` without ranges must come with either `threshold` or `method`, but {both}; "
            "e.g. phases=('void', 'solid'), method='otsu', or phases={'void': (0, 89), …}"
        )
    names = as_names(phases, 2 if method else None)
    if method is None:
        as_thresholds(threshold, len(names))
    return names


def _load(
    path: Path, key: str | None, raw: dict[str, Any]
) -> tuple[NDArray[Any], tuple[float, ...] | None, str]:
    """Return the image as (x, y[, z]), its spacing if the file tells it, and its origin."""
    given = [name for name, value in raw.items() if value is not None and name != "offset"]
    given += ["offset"] if raw["offset"] else []
    kind = "folder" if path.is_dir() else kind_of(path, bool(given))
    if kind != "raw" and given:
        raise InputError(
            f"`{given[0]}` must be given for raw binary only, but '{path}' is a {kind}"
            f"{'' if kind == 'folder' else ' file'}, which tells it itself; leave it out"
        )
    if kind in ("VTI", "VTKHDF"):
        return read_vti(path, key) if kind == "VTI" else read_vtkhdf(path, key)
    if kind != "NPZ" and key is not None:
        raise InputError(
            f"`key` must be given for NPZ, VTI and VTKHDF only, but '{path}' is {kind}; "
            "leave it out"
        )
    if kind in ("folder", "TIFF"):
        image, note = read_folder(path) if kind == "folder" else read_tiff(path)
        return image, None, note
    if kind == "raw":
        image = read_raw(path, **raw)
        fastest = "x" if raw["order"] == "F" else "the last axis"
        return image, None, f"read from '{path.name}', raw {image.dtype}, {fastest} runs fastest"
    image = read_npy(path) if kind == "NPY" else read_npz(path, key)
    return image, None, f"read from '{path.name}', {kind}, {image.dtype}, axes as stored"
