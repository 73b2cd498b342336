"""Unstructured grids in the legacy format of VTK, versions 1 to 5, in text and binary.

Here rather than in a library because whole numbers of cells come in any of VTK's types.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.mesh_file import KINDS, damaged, unknown_kind

_TYPES = {
    "unsigned_char": "u1",
    "char": "i1",
    "unsigned_short": "u2",
    "short": "i2",
    "unsigned_int": "u4",
    "int": "i4",
    "unsigned_long": "u8",
    "long": "i8",
    "float": "f4",
    "double": "f8",
    "vtkidtype": "i4",
    **{f"vtktype{sign}int{8 * n}": f"{sign or 'i'}{n}" for sign in ("", "u") for n in (1, 2, 4, 8)},
}
_CODES = {
    1: "vertex",
    3: "line",
    5: "triangle",
    8: "pixel",
    9: "quad",
    10: "tetra",
    11: "voxel",
    12: "hexahedron",
    21: "line3",
    22: "triangle6",
    23: "quad8",
    24: "tetra10",
    25: "hexahedron20",
    28: "quad9",
    29: "hexahedron27",
}
#: Cells of images, whose corners run along the axes.
_ALONG_AXES = {
    "pixel": ("quad", [0, 1, 3, 2]),
    "voxel": ("hexahedron", [0, 1, 3, 2, 4, 5, 7, 6]),
}
#: Components of arrays of the points or cells.
_ARRAYS = {
    "SCALARS": 1,
    "VECTORS": 3,
    "NORMALS": 3,
    "TENSORS": 9,
    "TENSORS6": 6,
    "GLOBAL_IDS": 1,
    "PEDIGREE_IDS": 1,
}

#: Cells of one kind: kind, (cell, node), and their numbers by name.
Block = tuple[str, np.ndarray, dict[str, np.ndarray]]


class _Text:
    """Lines and arrays of a file one after another."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0
        self.binary = False

    def line(self) -> list[str] | None:
        """Return the words of the next line that is not empty, or None at the end."""
        while self.at < len(self._data):
            words = self.raw_line().split()
            if words:
                return words
        return None

    def raw_line(self) -> str:
        """Return the next line."""
        end = self._data.find(b"\n", self.at)
        end = len(self._data) if end < 0 else end
        line = self._data[self.at : end].decode("utf-8", "replace")
        self.at = end + 1
        return line

    def array(self, name: str, count: int) -> np.ndarray:
        """Return the next numbers, of one of VTK's types."""
        dtype = np.dtype(">" + _TYPES[name.lower()])
        if self.binary:
            found = np.frombuffer(self._data, dtype, count, self.at)
            self.at += found.nbytes
        else:
            words = self._data[self.at :].split(None, count)
            self.at = len(self._data) - (len(words[count]) if len(words) > count else 0)
            found = np.array(words[:count], float if dtype.kind == "f" else np.int64)
        if len(found) != count:
            raise ValueError(f"{count} numbers end after {len(found)}")
        return found.astype(float if dtype.kind == "f" else np.int64)


def read_legacy(path: Path) -> tuple[np.ndarray, list[Block]]:
    """Return the points, (node, 3), and the cells by kind.

    Raises
    ------
    InputError
        Another kind of grid, cells of an unknown kind, a damaged file.
    """
    parts: dict[str, np.ndarray] = {}
    data: dict[str, np.ndarray] = {}
    try:
        _parse(_Text(path.read_bytes()), parts, data, path)
        if missing := [p for p in ("points", "offsets", "types") if p not in parts]:
            raise ValueError(f"no {missing[0]}")
        return parts["points"].reshape(-1, 3), _blocks(parts, data, path)
    except InputError:
        raise
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise damaged(path, "VTK", " ".join(str(error).split())) from None


def _parse(
    text: _Text, parts: dict[str, np.ndarray], data: dict[str, np.ndarray], path: Path
) -> None:
    if not text.raw_line().startswith("# vtk DataFile"):
        raise ValueError("it must begin with '# vtk DataFile'")
    text.raw_line()  # the title
    text.binary = (text.line() or [""])[0].upper() == "BINARY"
    of_cells, count = False, 0
    while words := text.line():
        key = words[0].upper()
        if key == "DATASET":
            if words[1].upper() != "UNSTRUCTURED_GRID":
                raise InputError(
                    f"`path` must hold an unstructured grid, but '{path}' holds {words[1]}; "
                    "convert it (in ParaView: Append Datasets)"
                )
        elif key == "POINTS":
            parts["points"] = text.array(words[2], 3 * int(words[1]))
        elif key == "CELLS":
            _take_cells(text, int(words[1]), int(words[2]), parts)
        elif key == "CELL_TYPES":
            parts["types"] = text.array("int", int(words[1]))
        elif key in ("CELL_DATA", "POINT_DATA"):
            of_cells, count = key == "CELL_DATA", int(words[1])
        else:
            found = _arrays(text, words, count)
            if of_cells:
                data |= {name: values for name, values in found.items() if len(values) == count}


def _arrays(text: _Text, words: list[str], count: int) -> dict[str, np.ndarray]:
    """Read the arrays that a line announces."""
    key = words[0].upper()
    if key in _ARRAYS:
        size = int(words[3]) if key == "SCALARS" and len(words) > 3 else _ARRAYS[key]
        if key == "SCALARS":
            text.line()  # its table of colours
        return {words[1]: text.array(words[2], size * count)}
    if key == "FIELD":
        fields = (_field(text) for _ in range(int(words[2])))
        return {name: text.array(kind, size * rows) for name, size, rows, kind in fields}
    if key == "LOOKUP_TABLE":
        text.array("unsigned_char" if text.binary else "float", 4 * int(words[2]))
    elif key == "METADATA":
        _skip(text)
    else:
        raise ValueError(f"{words[0][:40]!r} is unknown")
    return {}


def _skip(text: _Text) -> None:
    """Go to the next empty line."""
    while text.raw_line().strip():
        pass


def _field(text: _Text) -> tuple[str, int, int, str]:
    """Return name, components, rows and type of the next array of a field."""
    words = text.line() or []
    if words[0].upper() == "METADATA":
        _skip(text)
        return _field(text)
    return words[0], int(words[1]), int(words[2]), words[3]


def _take_cells(text: _Text, count: int, size: int, parts: dict[str, np.ndarray]) -> None:
    """Read where the nodes of each cell begin and end, and the nodes."""
    mark = text.at
    words = text.line() or []
    if words[0].upper() == "OFFSETS":  # version 5
        parts["offsets"] = text.array(words[1], count)
        words = text.line() or []
        parts["nodes"] = text.array(words[1], size)
        return
    text.at = mark
    numbers = text.array("int", size)
    if count > size or numbers.min(initial=0) < 0:
        raise ValueError("cells have no such nodes")
    starts = [0]
    for _ in range(count):
        starts.append(starts[-1] + int(numbers[starts[-1]]) + 1)
    parts["nodes"] = np.delete(numbers, starts[:-1])
    parts["offsets"] = np.array(starts) - np.arange(count + 1)


def _blocks(parts: dict[str, np.ndarray], data: dict[str, np.ndarray], path: Path) -> list[Block]:
    start, types = parts["offsets"][:-1], parts["types"]
    size = np.diff(parts["offsets"])
    found: list[Block] = []
    for code in np.unique(types).tolist():
        if code not in _CODES:
            raise unknown_kind(path, f"VTK type {code}")
        rows = np.flatnonzero(types == code)
        kind, order = _ALONG_AXES.get(_CODES[code], (_CODES[code], None))
        width = KINDS[kind][2]
        if np.any(size[rows] != width):
            raise ValueError(f"a {kind} must have {width} nodes")
        nodes = parts["nodes"][start[rows, None] + np.arange(width)]
        if order is not None:
            nodes = nodes[:, order]
        found.append((kind, nodes, {name: values[rows] for name, values in data.items()}))
    return found
