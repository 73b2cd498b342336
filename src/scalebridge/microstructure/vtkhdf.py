"""Images in VTKHDF files, among them those that `study.results` writes.

Source: VTK file formats, docs.vtk.org: group ``VTKHDF`` of type ImageData, arrays (z, y, x).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.memory import check_fits
from scalebridge.microstructure.sniff import check_values, unreadable
from scalebridge.microstructure.vtk_image import Frame, choose, tell_image


def read_vtkhdf(path: Path, key: str | None) -> tuple[NDArray[Any], tuple[float, ...], str]:
    """Return the image as (x, y[, z]), its spacing and a sentence on where it came from."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _read(file, key, path)
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds on damaged files
        raise unreadable(path, "VTKHDF", error) from error


def _read(file: Any, key: str | None, path: Path) -> tuple[NDArray[Any], tuple[float, ...], str]:
    group = _member(file, "VTKHDF")
    told = b"nothing" if group is None else np.bytes_(group.attrs.get("Type", b"nothing"))
    if told != b"ImageData":
        raise InputError(
            f"'{path}' must hold an ImageData in its group VTKHDF, but holds "
            f"{told.decode(errors='replace')!r}; resample it to an image, in ParaView by the "
            "filter 'Resample To Image'"
        )
    attributes = group.attrs
    direction = attributes.get("Direction", np.eye(3).ravel())
    spacing = attributes.get("Spacing", np.ones(3))
    frame = Frame.of(attributes["WholeExtent"], spacing, direction)
    known = {}
    for kind, parent in (("point", "PointData"), ("cell", "CellData")):
        arrays = _member(group, parent)
        for name in () if arrays is None else arrays:
            array = _member(arrays, name)
            if hasattr(array, "dtype"):
                known[kind, name] = array
    kind, name = choose(known, key, path, "labels" if "scalebridge" in file else None)
    array = known[kind, name]
    _check_stored(array, name, path)
    components = array.shape[3] if array.ndim == 4 else 1
    shape = frame.check(kind, name, array.dtype, components=components, path=path)
    if array.shape[:3] != shape[::-1]:
        raise ValueError(f"its array {name!r} has shape {array.shape}, its extent another")
    image = array[()].reshape(shape[::-1]).T
    return frame.finish(image, tell_image(path, "VTKHDF", kind, name, array.dtype))


def stored(file: Any, name: str) -> Any:
    """Return a dataset of numbers that lies in the file itself and fits into memory.

    Parameters
    ----------
    name : its path in the file, ``group/name``

    Raises
    ------
    InputError, ValueError
        Nothing of that name, a group, a link, text, more than there is memory for.
    """
    array, path = file, Path(file.filename)
    for part in name.split("/"):
        array = _member(array, part) if hasattr(array, "keys") else None
    if getattr(array, "shape", None) is None:
        raise ValueError(f"it holds no array {name!r}")
    _check_stored(array, name, path)
    check_values(array.dtype, str(path))
    check_fits(array.shape, array.dtype, f"'{path}'")
    return array


def _check_stored(array: Any, name: str, path: Path) -> None:
    """Refuse data in other files, and chunks on which the HDF5 library would stumble."""
    if array.external or array.is_virtual:
        raise InputError(
            f"'{path}' must hold its own data, but {name!r} points to other files; save it whole"
        )
    if array.chunks is None:
        return
    size, checksum = path.stat().st_size, 4 if array.fletcher32 else 0
    for number in range(array.id.get_num_chunks()):
        chunk = array.id.get_chunk_info(number)
        end = (chunk.byte_offset or 0) + chunk.size
        if not checksum < chunk.size or end > size:
            raise ValueError(f"chunk {number + 1} of its array {name!r} is damaged")


def _member(group: Any, name: str) -> Any:
    """Return a member that lies in the file itself, or None: links may lead to other files."""
    import h5py

    link = group.get(name, getlink=True)
    return group[name] if isinstance(link, h5py.HardLink) else None
