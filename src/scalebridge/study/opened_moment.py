"""The local fields of a load history at one time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.vtkhdf import stored
from scalebridge.study.results import from_vtk, reading

_CELLS = "VTKHDF/CellData"


class OpenedMoment(Mapping[str, NDArray[Any]]):
    """The fields at one time, each read from the file when asked for.

    Component-first, (component, x, y[, z]) or (x, y[, z]), with all components in space: three of
    a vector, six of a symmetric tensor (Mandel), nine of F and P row by row.

    Attributes
    ----------
    time : float
    """

    def __init__(self, path: Path, index: int, time: float, dim: int) -> None:
        self._path, self._index, self.time, self._dim = path, index, time, dim
        with reading(path) as file:
            self._names = tuple(name for name in file[_CELLS] if name != "labels")

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            known = list(self._names)
            raise InputError(
                f"the field must be one of {known}, but is {name!r}{did_you_mean(name, known)}"
            )
        with reading(self._path) as file:
            data = stored(file, f"{_CELLS}/{name}")
            components = data.shape[4] if data.ndim == 5 else 0
            field = from_vtk(data[self._index], components, flat=False)
            return field[..., 0] if self._dim == 2 else field

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"fields at t = {self.time:g}: {', '.join(self._names)}"
