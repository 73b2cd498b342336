"""Images in NPY, NPZ and raw binary files."""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.checks import as_shape, check_image_shape, tell_shape
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.sniff import NUMBERS, check_values, unreadable


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of an NPY file, axes as stored: axis 0 is x."""
    try:
        with path.open("rb") as file:
            return _read_array(file, str(path), path.stat().st_size)
    except InputError:
        raise
    except Exception as error:  # NumPy's header parser raises many kinds on damaged files
        raise unreadable(path, "NPY", error) from error


def read_npz(path: Path, key: str | None) -> NDArray[Any]:
    """Return array `key` of an NPZ file; the key may be left out where there is only one."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, key, path)
            with archive.open(member) as file:
                return _read_array(file, str(path), member.file_size)
    except InputError:
        raise
    except Exception as error:  # also from zipfile and zlib
        raise unreadable(path, "NPZ", error) from error


def read_raw(path: Path, shape: Any, dtype: Any, order: Any, offset: int) -> NDArray[Any]:
    """Return the array of a raw binary file after `offset` bytes of header.

    ``order="F"``: x runs fastest; ``order="C"``: the last axis runs fastest.
    """
    absent = [
        name
        for name, value in {"shape": shape, "dtype": dtype, "order": order}.items()
        if value is None
    ]
    if absent:
        raise InputError(
            f"`{absent[0]}` must be given for raw binary, but is missing ('{path}'); "
            "give shape=(nx, ny, nz), dtype='uint8' and order='F' (x fastest) or 'C'"
        )
    sizes, kind = as_shape(shape), _as_dtype(dtype)
    if order not in ("C", "F"):
        raise InputError(
            f"`order` must be 'F' (x runs fastest) or 'C' (the last axis does), but is {order!r}; "
            "give one of them"
        )
    needed, found = math.prod(sizes) * kind.itemsize, path.stat().st_size
    if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        raise InputError(f"`offset` must be bytes ≥ 0, but is {offset!r}; 0 means no header")
    if found != needed + offset:
        header = f" + {offset} bytes of header" if offset else ""
        more = found - needed - offset
        hint = f"or skip a header with offset={more + offset}" if more > 0 else "or find the rest"
        raise InputError(
            f"'{path}' must hold {tell_shape(sizes)} voxels × {kind.itemsize} bytes = {needed} "
            f"bytes{header}, but holds {found} bytes; check `shape` and `dtype`, {hint}"
        )
    check_fits(sizes, kind, f"'{path}'")
    try:
        values = np.fromfile(path, kind, math.prod(sizes), offset=offset)
    except OSError as error:
        raise unreadable(path, "raw", error) from error
    return values.reshape(sizes, order=order)


def _read_array(file: IO[bytes], name: str, size: int) -> NDArray[Any]:
    """Read one array after its header was found sound; `size` bytes are there in all."""
    shape, fortran, dtype = _header(file)
    if any(side < 0 for side in shape):
        raise ValueError(f"its header tells a negative shape {shape}")
    check_values(dtype, name)
    check_image_shape(shape, f"'{name}'")
    needed = math.prod(shape) * dtype.itemsize
    if size - file.tell() < needed:
        raise InputError(
            f"'{name}' must hold {tell_shape(shape)} × {dtype.itemsize} bytes = {needed} bytes, "
            f"but ends after {max(0, size - file.tell())}; it is truncated: copy or save it again"
        )
    check_fits(shape, dtype, f"'{name}'")
    values = np.frombuffer(file.read(needed), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header as Python 2 wrote it, which is sound
        if version == (1, 0):
            return npy_format.read_array_header_1_0(file)
        if version == (2, 0):
            return npy_format.read_array_header_2_0(file)
    raise ValueError(f"its format version {version} holds no plain image")


def _member(archive: zipfile.ZipFile, key: str | None, path: Path) -> zipfile.ZipInfo:
    known = {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }
    if not known:
        raise InputError(
            f"'{path}' must hold arrays, but holds none; save it with numpy.savez_compressed"
        )
    if key is None and len(known) == 1:
        return next(iter(known.values()))
    if key not in known:
        held = f"is {key!r}{did_you_mean(key, known)}" if key is not None else "is missing"
        raise InputError(
            f"`key` must name one of the arrays in '{path}', but {held}; "
            f"it holds {', '.join(known)}"
        )
    return known[key]


def _as_dtype(dtype: Any) -> np.dtype:
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        kind = np.dtype(object)
    if kind.kind not in NUMBERS:
        raise InputError(
            f"`dtype` must be a type of integers or floats, but is {dtype!r}; "
            "e.g. 'uint8', '<u2' (little-endian) or '>u2'"
        )
    return kind
