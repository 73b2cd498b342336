"""Images in TIFF files: one page, a stack of pages, or a folder of single pages."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import check_image_shape, tell_shape
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.sniff import check_values, unreadable
from scalebridge.microstructure.tiff_data import CODECS, read_pages
from scalebridge.microstructure.tiff_layout import count_pages

_SUFFIXES = (".tif", ".tiff")


def read_tiff(path: Path) -> tuple[NDArray[Any], str]:
    """Return the image as (x, y[, z]) and a sentence on how it was stored.

    (page, row, column) is (z, y, x): the axes are transposed, nothing is flipped.
    """
    image = _read_file(path, whole=True)
    return image.T, f"read from '{path.name}', TIFF of {_tell_axes(image)}"


def read_folder(folder: Path) -> tuple[NDArray[Any], str]:
    """Return the stack of a folder's single-page TIFFs in natural order as (x, y, z)."""
    paths = sorted(
        (path for path in _files(folder) if path.suffix.lower() in _SUFFIXES), key=_natural
    )
    if len(paths) < 2:
        raise InputError(
            f"'{folder}' must hold at least 2 TIFF files, one per slice, but holds {len(paths)}; "
            "check the path, or read the file itself"
        )
    first = _read_file(paths[0], whole=False)
    check_fits((len(paths), *first.shape), first.dtype, f"'{folder}'")
    image = np.empty((len(paths), *first.shape), first.dtype)
    for page, path in zip(image, paths, strict=True):
        values = _read_file(path, whole=False)
        if values.shape != first.shape or values.dtype != first.dtype:
            raise InputError(
                f"'{path}' must be like '{paths[0].name}' ({tell_shape(first.shape)}, "
                f"{first.dtype}), but is {tell_shape(values.shape)}, {values.dtype}; "
                "keep only the slices of one image in the folder"
            )
        page[...] = values
    note = f"read from {len(paths)} files '{paths[0].name}' … '{paths[-1].name}', TIFF of "
    return image.T, note + _tell_axes(image) + _tell_gaps(paths)


def _read_file(path: Path, whole: bool) -> NDArray[Any]:
    """Return (page, row, column) or (row, column); with ``whole=False`` the latter only."""
    import tifffile

    count = count_pages(path)
    try:
        with _quiet_logger(), tifffile.TiffFile(path) as tiff:
            shape, dtype = _check(tiff, count, path)
            if not whole and len(shape) != 2:
                raise InputError(
                    f"'{path}' must be a single page in a folder of slices, but has {count} pages; "
                    "read that file itself"
                )
            check_image_shape(shape, f"'{path}'")
            check_fits(shape, dtype, f"'{path}'")
            return _decode(tiff.series[0], path).reshape(shape)
    except InputError:
        raise
    except Exception as error:  # tifffile raises many kinds on damaged files
        raise unreadable(path, "TIFF", error) from error


def _check(tiff: Any, count: int, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of the image after the headers were found sound."""
    pages = list(tiff.pages)  # before `series`, which leaves only stubs of them
    if len(pages) != count or not tiff.series:
        raise _damaged(path, f"only {len(pages)} of its {count} pages can be read")
    series = tiff.series[0]
    if any(page.samplesperpixel > 1 for page in pages) or "S" in series.axes:
        raise InputError(
            f"'{path}' must hold one value per voxel, but is a colour (RGB) image; "
            "convert it to 8-bit or 16-bit grey values"
        )
    shapes = sorted({page.shape for page in pages})
    if len(tiff.series) > 1 or len(shapes) > 1:
        sizes = ", ".join(tell_shape(shape) for shape in shapes[:3])
        raise InputError(
            f"'{path}' must hold pages of one size and type, but holds several kinds ({sizes}); "
            "save the image stack alone"
        )
    if series.dtype is None:
        raise _damaged(path, "the type of its values is not known")
    check_values(series.dtype, str(path))
    _check_data(pages, series, path)
    return series.shape, series.dtype


def _check_data(pages: list[Any], series: Any, path: Path) -> None:
    """Refuse a file that ends before the data that its headers point to."""
    size = path.stat().st_size
    for number, page in enumerate(pages):
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        inside = all(start > 0 and count > 0 and start + count <= size for start, count in parts)
        if not parts or not inside:
            raise _damaged(path, f"the data of page {number + 1} lie outside its {size} bytes")
        bits = math.prod(page.shape) * page.bitspersample
        if page.compression == 1 and sum(count for _, count in parts) * 8 < bits:
            raise _damaged(path, f"page {number + 1} has too few bytes for its size")
    if series.dataoffset is not None and series.dataoffset + series.nbytes > size:
        raise _damaged(path, f"its image of {series.nbytes} bytes does not fit in {size}")
    # ImageJ stacks beyond 4 GiB are one page followed by the others' data
    one_block = len(pages) == 1 and series.dataoffset is not None
    voxels = sum(math.prod(page.shape) for page in pages)
    if math.prod(series.shape) != voxels and not one_block:
        raise _damaged(path, f"its pages hold {voxels} voxels, its description tells another count")


def _decode(series: Any, path: Path) -> NDArray[Any]:
    if series.dataoffset is not None:  # one block of plain values
        return series.asarray()
    if series.keyframe.compression in CODECS:
        return read_pages(series)
    try:
        return series.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise InputError(
            f"'{path}' must be a TIFF file without compression, or compressed by LZW, Deflate or "
            f"PackBits, but has compression {series.keyframe.compression}; install the package "
            "imagecodecs, or save it again"
        ) from error


def _damaged(path: Path, how: str) -> InputError:
    return InputError(
        f"'{path}' must be a complete TIFF file, but {how}; "
        "it is truncated or damaged: copy or save it again"
    )


@contextmanager
def _quiet_logger() -> Iterator[None]:
    """Keep tifffile's complaints about damaged files off the terminal: we raise instead."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """Sort slice2 before slice10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _tell_gaps(paths: Sequence[Path]) -> str:
    """Tell where the last numbers in the file names do not rise by one step."""
    found = [re.findall(r"\d+", path.stem) for path in paths]
    numbers = [int(digits[-1]) for digits in found if digits]
    steps = np.diff(numbers)
    if len(numbers) < len(paths) or np.all(steps == steps[0]):
        return ""
    gap = int(np.argmax(steps))
    return f"; SLICES MAY BE MISSING: from '{paths[gap].name}' to '{paths[gap + 1].name}'"


def _tell_axes(image: NDArray[Any]) -> str:
    if image.ndim == 2:
        return f"{tell_shape(image.shape)} (row, column), taken as (y, x), {image.dtype}"
    return f"{tell_shape(image.shape)} (page, row, column), taken as (z, y, x), {image.dtype}"
