"""Fields over time in one VTKHDF file: an image with time steps, and what belongs to it beside it.

The layout is that of `results`, with a first axis for the step in every array of ``CellData``
and, in ``/VTKHDF/Steps``, the times and where in that axis the array of a step lies; the labels
are stored once.

Source: VTKHDF specification, docs.vtk.org, temporal ImageData.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.study.files import atomic
from scalebridge.study.results import cells_of, write_frame, write_own

if TYPE_CHECKING:
    from scalebridge.microstructure import Microstructure


def write_over_time(
    path: str | Path,
    microstructure: Microstructure,
    times: ArrayLike,
    fields: Sequence[Mapping[str, NDArray[Any]]],
    groups: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write a microstructure and its fields at several times to one `.vtkhdf` file.

    Parameters
    ----------
    path : str or Path
        Must end in ``.vtkhdf``.
    microstructure : Microstructure
    times : (step,)
        Two at least: VTK (9.7) reads a single step as an image without that axis.
    fields : (step,) of dict of (component, \\*shape) or shape
        As in `write_results`; nine components are a tensor row by row. The same at each time.
    groups : mapping of name to mapping of name to array
        Stored below ``/scalebridge``.
    provenance : mapping
        Stored there as JSON.
    """
    path, moments = Path(path), np.asarray(times, float)
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        image = file.create_group("VTKHDF")
        cells = write_frame(image, microstructure, steps=True)
        for name in fields[0]:
            _write_series(cells, name, [at[name] for at in fields], microstructure)
        _write_steps(image, moments, list(fields[0]))
        own = write_own(file, microstructure, fields[0], provenance)
        for group, arrays in (groups or {}).items():
            for name, values in arrays.items():
                own[f"{group}/{name}"] = np.asarray(values)
    return path


def _write_series(
    cells: h5py.Group, name: str, series: Sequence[NDArray[Any]], micro: Microstructure
) -> None:
    """Write one field, a step after the other."""
    first = cells_of(series[0], tuple(micro.shape))
    data = cells.create_dataset(name, shape=(len(series), *first.shape), dtype=first.dtype)
    for step, array in enumerate(series):
        data[step] = cells_of(array, tuple(micro.shape))


def _write_steps(image: h5py.Group, times: NDArray[np.float64], names: Sequence[str]) -> None:
    count = len(times)
    steps = image.create_group("Steps")
    steps.attrs["NSteps"] = count
    steps["Values"] = times
    steps.create_group("PointDataOffsets")
    offsets = steps.create_group("CellDataOffsets")
    offsets["labels"] = np.zeros(count, int)
    for name in names:
        offsets[name] = np.arange(count)
    phases = image["FieldData/phase_names"].shape[0]
    steps.create_group("FieldDataOffsets")["phase_names"] = np.zeros(count, int)
    steps.create_group("FieldDataSizes")["phase_names"] = np.array([[1, phases]] * count)
