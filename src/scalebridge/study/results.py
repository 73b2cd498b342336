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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.errors import InputError
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
        own = file.create_group("scalebridge")
        own.create_dataset("phases", data=list(microstructure.names), dtype=h5py.string_dtype())
        own.attrs["dim"] = len(shape)
        own["spacing"] = np.asarray(microstructure.spacing, dtype=float)
        told = {"sources": microstructure.sources, "notes": microstructure.notes}
        own["origin"] = json.dumps(told)
        own["fields"] = json.dumps({name: _components(a, shape) for name, a in arrays.items()})
        own["provenance"] = json.dumps(plain(dict(provenance or {})))
        group = own.create_group("tensors")
        for name, tensor in (tensors or {}).items():
            group[name] = np.asarray(tensor)
    return path


def read_results(path: str | Path) -> Results:
    """Read what `write_results` wrote: component-first fields, Mandel tensors, provenance.

    Raises
    ------
    InputError
        The file is absent, truncated, or not one of ours.
    """
    from scalebridge.microstructure import Microstructure

    try:
        with h5py.File(path, "r") as file:
            own, cells = file["scalebridge"], file["VTKHDF/CellData"]
            flat = int(own.attrs["dim"]) == 2
            components = json.loads(own["fields"].asstr()[()])
            labels = np.ascontiguousarray(cells["labels"][()].T)
            origin = json.loads(own["origin"].asstr()[()])
            micro = Microstructure._from_compact(  # the public door refuses empty phases
                labels[..., 0] if flat else labels,
                tuple(float(s) for s in own["spacing"]),
                tuple(str(name) for name in own["phases"].asstr()[:]),
                tuple(origin["sources"]),
                origin["notes"],
            )
            fields = {name: _from_vtk(cells[name][()], n, flat) for name, n in components.items()}
            tensors = {name: np.asarray(value) for name, value in own["tensors"].items()}
            provenance = json.loads(own["provenance"].asstr()[()])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} must be a results file that scalebridge wrote, but: {error}"
        ) from error
    return Results(micro, fields, tensors, provenance)


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
    spacing = [float(s) for s in microstructure.spacing]
    thickness = [min(spacing)] * (3 - len(shape))
    nx, ny, nz = *shape, *[1] * (3 - len(shape))
    group.attrs["Version"] = np.array([2, 0])
    group.attrs.create("Type", b"ImageData", dtype=h5py.string_dtype("ascii", 9))
    group.attrs["WholeExtent"] = np.array([0, nx, 0, ny, 0, nz])
    group.attrs["Origin"] = np.zeros(3)
    group.attrs["Spacing"] = np.array([*spacing, *thickness])
    group.attrs["Direction"] = np.eye(3).ravel()
    group.create_group("PointData")
    cells = group.create_group("CellData")
    labels = np.asarray(microstructure.labels).reshape(1, nx, ny, nz)
    _write_cells(cells, "labels", labels, 0, compression="gzip", compression_opts=1, shuffle=True)
    for name, array in arrays.items():
        _write_cells(cells, name, array.reshape(-1, nx, ny, nz), _components(array, shape))
    ascii_names = [n.encode("ascii", "backslashreplace") for n in microstructure.names]
    names_type = h5py.string_dtype("ascii")  # VTK stops at the sight of UTF-8
    group.create_group("FieldData").create_dataset(
        "phase_names", data=ascii_names, dtype=names_type
    )


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


def _from_vtk(data: NDArray[Any], components: int, flat: bool) -> NDArray[Any]:
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
