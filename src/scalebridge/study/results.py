"""One file with everything: a VTKHDF image for ParaView and, beside it, tensors and provenance.

Layout of the file
------------------
``/VTKHDF``
    ImageData as VTK reads it: ``CellData`` with ``labels`` and the fields, stored
    (z, y, x) or (z, y, x, component); ``FieldData/phase_names`` in ASCII. A two-dimensional
    image is one voxel thick.
``/scalebridge``
    ``tensors/…`` in Mandel order, ``phases`` (UTF-8 names in the order of the labels),
    ``spacing``, and as JSON ``provenance``, ``fields`` (number of components of each) and
    ``origin`` (how the image was read).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import as_names, as_spacing, check_image_shape
from scalebridge.microstructure.sniff import in_one_line
from scalebridge.microstructure.vtkhdf import stored
from scalebridge.study.files import atomic, plain

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure

_SLAB_BYTES = 1 << 25
_ROOT2 = np.sqrt(2.0)
# VTK's XX, YY, ZZ, XY, YZ, XZ among Mandel's 11, 22, 33, 23, 13, 12, and what divides them.
_VTK_FROM_MANDEL = (0, 1, 2, 5, 3, 4)
_MANDEL_FACTOR = np.array([1.0, 1.0, 1.0, _ROOT2, _ROOT2, _ROOT2])


@dataclass(frozen=True)
class Results:
    """What `read_results` gives back: the arguments of `write_results`."""

    microstructure: Microstructure
    fields: dict[str, NDArray[Any]] = field(default_factory=dict)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


def write_results(
    path: str | Path,
    microstructure: Microstructure,
    *,
    fields: Mapping[str, ArrayLike] | None = None,
    tensors: Mapping[str, ArrayLike] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a microstructure, its local fields, tensors and provenance to one `.vtkhdf` file.

    ParaView and PyVista (``pyvista.read``) open the file as an image with cell data.

    Parameters
    ----------
    path : str or Path
        Must end in ``.vtkhdf``, the suffix by which readers know the format.
    microstructure : Microstructure
    fields : dict of (component, \\*shape) or shape
        Component-first voxel arrays. `dim` components are a vector (padded with z = 0 in
        two dimensions). Six are a symmetric tensor in Mandel order and are written as plain
        tensor components in VTK's order XX, YY, ZZ, XY, YZ, XZ, **without** Mandel's √2;
        three in two dimensions (11, 22, 12) too, with zero in ZZ, YZ and XZ.
        Anything else is written as it is.
    tensors : dict of arrays
        Written as they are: Mandel tensors stay Mandel.
    provenance : dict
        Whatever JSON can hold; numbers that are not finite become null.

    Returns
    -------
    Path
        The file. It is written under a temporary name and renamed, so it is whole or absent.

    Raises
    ------
    InputError
        Wrong suffix, a field that does not fit the image, a full disk.
    """
    path = Path(path)
    if path.suffix != ".vtkhdf":
        raise InputError(
            f"`path` must end in '.vtkhdf', by which ParaView and PyVista know the format, "
            f"but is {str(path)!r}"
        )
    shape = tuple(microstructure.shape)
    arrays = {name: _checked(name, value, shape) for name, value in (fields or {}).items()}
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        _write_image(file.create_group("VTKHDF"), microstructure, arrays)
        own = write_own(file, microstructure, arrays, provenance)
        for name, tensor in (tensors or {}).items():
            own[f"tensors/{name}"] = np.asarray(tensor)
    return path


def write_own(
    file: h5py.File,
    microstructure: Microstructure,
    fields: Mapping[str, NDArray[Any]],
    provenance: Mapping[str, Any] | None,
) -> h5py.Group:
    """Write and return ``/scalebridge``: what VTK has no place for, with no tensors yet."""
    own, shape = file.create_group("scalebridge"), tuple(microstructure.shape)
    # Text of a fixed length: in a damaged heap of loose strings HDF5 searches for ever.
    names = [name.encode() for name in microstructure.names]
    fixed = h5py.string_dtype(length=max(map(len, names)))
    own.create_dataset("phases", data=names, dtype=fixed)
    own.attrs["dim"] = len(shape)
    own["spacing"] = np.asarray(microstructure.spacing, dtype=float)
    told = {"sources": microstructure.sources, "notes": microstructure.notes}
    own["origin"] = np.bytes_(json.dumps(told))
    components = {name: _components(a, shape) for name, a in fields.items()}
    own["fields"] = np.bytes_(json.dumps(components))
    own["provenance"] = np.bytes_(json.dumps(plain(dict(provenance or {}))))
    own.create_group("tensors")
    return own


def read_results(path: str | Path, step: int = -1) -> Results:
    """Read what `write_results` wrote: component-first fields, Mandel tensors, provenance.

    Parameters
    ----------
    path : str or Path
    step : int
        Whose fields are read, of a file with time steps; −1 is the last.

    Raises
    ------
    InputError
        The file is absent, truncated, or not one of ours.
    """
    with reading(path) as file:
        own = file["scalebridge"]
        tensors = {name: stored(file, f"scalebridge/tensors/{name}")[()] for name in own["tensors"]}
        fields = {name: field_of(file, name, step) for name in components_of(file)}
        provenance = told_of(file, "provenance")
        return Results(microstructure_of(file), fields, tensors, provenance)


@contextmanager
def reading(path: str | Path) -> Iterator[h5py.File]:
    """Open a results file; whatever it lacks inside the block is told as an `InputError`."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, InputError) and str(path) in str(error):
            raise
        raise InputError(
            f"{str(path)!r} must be a results file that scalebridge wrote, but: "
            f"{in_one_line(error)[:200]}"
        ) from error


def microstructure_of(file: h5py.File) -> Microstructure:
    """Read the microstructure alone."""
    from scalebridge.microstructure import Microstructure

    own, data = file["scalebridge"], _data(file, "labels", 0)
    labels = np.ascontiguousarray(data.T)
    labels = labels[..., 0] if int(own.attrs["dim"]) == 2 else labels
    names = as_names([name.decode() for name in _text(file, "phases").tolist()])
    origin = told_of(file, "origin")
    told = [*origin["sources"], *origin["notes"]]
    if len(origin["sources"]) != len(names) or not all(isinstance(one, str) for one in told):
        raise ValueError("its phases and what is told of them do not agree")
    check_image_shape(labels.shape, f"'{file.filename}'")
    if labels.dtype.kind != "u" or labels.max() >= len(names):
        raise ValueError("its labels are not those of its phases")
    return Microstructure._from_compact(  # the public door refuses empty phases
        labels,
        as_spacing(stored(file, "scalebridge/spacing")[()], labels.ndim),
        names,
        tuple(origin["sources"]),
        origin["notes"],
    )


def told_of(file: h5py.File, name: str) -> dict[str, Any]:
    """Read what is stored as JSON: ``provenance``, ``origin`` or ``fields``."""
    told = json.loads(_text(file, name))
    if not isinstance(told, dict):
        raise ValueError(f"its {name} is no mapping")
    return told


def components_of(file: h5py.File) -> dict[str, int]:
    """Return the number of components of each field; 0 for a scalar."""
    return told_of(file, "fields")


def _text(file: h5py.File, name: str) -> Any:
    """Return bytes of text, or an array of these."""
    data = file["scalebridge"][name]
    if data.dtype.kind != "S" or data.nbytes > Path(file.filename).stat().st_size:
        raise ValueError(f"its {name} is no text of a fixed length")
    return data[()]


def field_of(file: h5py.File, name: str, step: int = -1) -> NDArray[Any]:
    """Read one field, component-first, at a step if it has any."""
    flat = int(file["scalebridge"].attrs["dim"]) == 2
    data, components = _data(file, name, step), components_of(file)[name]
    kept = {(True, 3): 6, (True, 2): 3}.get((flat, components), components)
    shape = stored(file, "VTKHDF/CellData/labels").shape[-3:]
    if data.shape != ((*shape, kept) if components else shape):
        raise ValueError(f"its field {name!r} has the shape {data.shape}, its image {shape}")
    return from_vtk(data, components, flat)


def _data(file: h5py.File, name: str, step: int) -> NDArray[Any]:
    """Read an array of the cells; a file with time steps has them first."""
    data = stored(file, f"VTKHDF/CellData/{name}")
    if "Steps" not in file["VTKHDF"]:
        return np.asarray(data[()])
    if not -len(data) <= step < len(data):
        raise ValueError(f"it has {len(data)} steps of {name!r}, and none of number {step}")
    return np.asarray(data[step])


def _checked(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.asarray(value)
    if not name or "/" in name or name == "labels":
        raise InputError(f"a field must have a name other than 'labels' and without '/': {name!r}")
    if array.shape != shape and array.shape[1:] != shape:
        raise InputError(
            f"field {name!r} must have the shape {shape} of the image, or (component, *{shape}), "
            f"but has {array.shape}"
        )
    return array.astype(np.uint8) if array.dtype == bool else array


def _components(array: NDArray[Any], shape: tuple[int, ...]) -> int:
    """Return the number of components; 0 for a field without that axis."""
    return 0 if array.shape == shape else array.shape[0]


def _write_image(
    group: h5py.Group, microstructure: Microstructure, arrays: dict[str, NDArray[Any]]
) -> None:
    shape = tuple(microstructure.shape)
    cells = write_frame(group, microstructure)
    for name, array in arrays.items():
        _write_cells(cells, name, array.reshape(-1, *_in_space(shape)), _components(array, shape))


def write_frame(
    group: h5py.Group, microstructure: Microstructure, steps: bool = False
) -> h5py.Group:
    """Write the frame of the image, its labels and the names of its phases.

    Parameters
    ----------
    group : h5py.Group
        ``/VTKHDF``.
    microstructure : Microstructure
    steps : bool
        Give the labels a first axis of one step.

    Returns
    -------
    h5py.Group
        ``CellData``, for the fields.
    """
    shape = tuple(microstructure.shape)
    spacing = [float(s) for s in microstructure.spacing]
    thickness = [min(spacing)] * (3 - len(shape))
    nx, ny, nz = _in_space(shape)
    group.attrs["Version"] = np.array([2, 0])
    group.attrs.create("Type", b"ImageData", dtype=h5py.string_dtype("ascii", 9))
    group.attrs["WholeExtent"] = np.array([0, nx, 0, ny, 0, nz])
    group.attrs["Origin"] = np.zeros(3)
    group.attrs["Spacing"] = np.array([*spacing, *thickness])
    group.attrs["Direction"] = np.eye(3).ravel()
    group.create_group("PointData")
    cells = group.create_group("CellData")
    labels = np.asarray(microstructure.labels)
    packed: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    if steps:
        cells.create_dataset("labels", data=cells_of(labels, shape)[None], **packed)
    else:
        _write_cells(cells, "labels", labels.reshape(1, nx, ny, nz), 0, **packed)
    ascii_names = [n.encode("ascii", "backslashreplace") for n in microstructure.names]
    names_type = h5py.string_dtype("ascii")  # VTK stops at the sight of UTF-8
    group.create_group("FieldData").create_dataset(
        "phase_names", data=ascii_names, dtype=names_type
    )
    return cells


def _in_space(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape of an image; a two-dimensional one is one voxel thick."""
    nx, ny, nz = *shape, *[1] * (3 - len(shape))
    return nx, ny, nz


def cells_of(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return (component, x, y[, z]) as VTK stores it, (z, y, x, component)."""
    whole, components = array.reshape(-1, *_in_space(shape)), _components(array, shape)
    block = _to_vtk(whole, components, len(shape) == 2).transpose(3, 2, 1, 0)
    return block if components else block[..., 0]


def _write_cells(
    cells: h5py.Group, name: str, array: NDArray[Any], components: int, **options: Any
) -> None:
    """Write (component, x, y, z) as (z, y, x[, component]), a few layers at a time."""
    nx, ny, nz = array.shape[1:]
    flat = nz == 1
    sample = _to_vtk(array[:, :1, :1, :1], components, flat)
    tail = sample.shape[:1] if components else ()
    data = cells.create_dataset(name, shape=(nz, ny, nx, *tail), dtype=sample.dtype, **options)
    layers = max(1, _SLAB_BYTES // (nx * ny * sample.nbytes))
    for start in range(0, nz, layers):
        block = _to_vtk(array[..., start : start + layers], components, flat)
        block = block.transpose(3, 2, 1, 0)
        data[start : start + layers] = block if components else block[..., 0]


def _to_vtk(block: NDArray[Any], components: int, flat: bool) -> NDArray[Any]:
    if flat and components == 3:
        block = np.insert(block, [2, 2, 2], 0, axis=0)  # 11, 22, 12 → 11, 22, 33, 23, 13, 12
    elif flat and components == 2:
        return np.insert(block, 2, 0, axis=0)
    if len(block) == 6:
        return (block / _MANDEL_FACTOR[:, None, None, None])[list(_VTK_FROM_MANDEL)]
    return block


def from_vtk(data: NDArray[Any], components: int, flat: bool) -> NDArray[Any]:
    if components == 0:
        return np.ascontiguousarray(data.T[..., 0] if flat else data.T)
    array = data.transpose(3, 2, 1, 0)
    if len(array) == 6:
        array = array[np.argsort(_VTK_FROM_MANDEL)] * _MANDEL_FACTOR[:, None, None, None]
    if flat and components == 3:
        array = array[[0, 1, 5]]
    elif flat and components == 2:
        array = array[:2]
    return np.ascontiguousarray(array[..., 0] if flat else array)
