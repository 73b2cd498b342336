"""Files of gmsh: MSH 2.2 and 4.1, in text and binary.

Physical groups make the names. Here rather than in a library because an entity may be in
several groups or, where everything is saved, in none.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.mesh_file import KINDS, MeshFile, damaged, unknown_kind

_TYPES = {
    1: "line",
    2: "triangle",
    3: "quad",
    4: "tetra",
    5: "hexahedron",
    8: "line3",
    9: "triangle6",
    10: "quad9",
    11: "tetra10",
    12: "hexahedron27",
    15: "vertex",
    16: "quad8",
    17: "hexahedron20",
}
_EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 9, 16, 18, 19, 17, 10, 12, 14, 15]
#: Where gmsh orders the nodes of a cell unlike VTK.
_ORDERS = {
    "tetra10": [0, 1, 2, 3, 4, 5, 6, 7, 9, 8],
    "hexahedron20": _EDGES,
    "hexahedron27": [*_EDGES, 22, 23, 21, 24, 20, 25, 26],
}

#: A run of elements of one kind: kind, nodes (cell, node), physical groups they are all in.
_Block = tuple[str, np.ndarray, tuple[int, ...]]


class _Numbers:
    """Numbers of a section one after another, in text or binary."""

    def __init__(self, body: bytes, binary: bool, size: int) -> None:
        self._body = body if binary else b""
        self._words = [] if binary else body.split()
        self._binary, self._at = binary, 0
        self._types = {"int": "<i4", "size": f"<u{size}", "float": "<f8"}

    def take(self, kind: str, count: int) -> np.ndarray:
        """Return the next numbers; a section that ends before them is damaged."""
        start = self._at
        if self._binary:
            dtype = np.dtype(self._types[kind])
            self._at += count * dtype.itemsize
            found = np.frombuffer(self._body[start : self._at], dtype)
        else:
            self._at += count
            words = self._words[start : self._at]
            found = np.array(words, dtype=np.float64 if kind == "float" else np.int64)
        if len(found) < count:
            raise ValueError("a section ends too early")
        return found if kind == "float" else found.astype(np.int64)

    def one(self, kind: str) -> int:
        """Return the next number."""
        return int(self.take(kind, 1)[0])


def read_gmsh(path: Path) -> MeshFile:
    """Read a gmsh file.

    Raises
    ------
    InputError
        Another version, partitions, a kind of element that is not supported, a damaged file.
    """
    try:
        sections = dict(_sections(path.read_bytes()))
        version, mode, size = sections["MeshFormat"].split()[:3]
        binary = mode == b"1"
        if binary and sections["MeshFormat"].split(b"\n", 1)[1][:4] != b"\x01\0\0\0":
            raise ValueError("its bytes are in the other order")
        if version not in (b"2", b"2.2", b"4.1"):
            raise InputError(
                f"`path` must be a gmsh file of version 4.1 or 2.2, but '{path}' has version "
                f"{version.decode()}; save it with Mesh.MshFileVersion = 4.1"
            )
        if "PartitionedEntities" in sections:
            raise InputError(
                f"`path` must be a mesh in one piece, but '{path}' is in partitions; save it "
                "without them"
            )

        def numbers(name: str) -> _Numbers:
            return _Numbers(sections[name], binary, int(size))

        if version == b"4.1":
            tags, points = _nodes_41(numbers("Nodes"))
            groups = _groups_41(numbers("Entities")) if "Entities" in sections else {}
            blocks = list(_elements_41(numbers("Elements"), groups, path))
        else:
            tags, points = _nodes_22(sections["Nodes"], binary)
            read = _elements_22_binary if binary else _elements_22
            blocks = list(read(sections["Elements"], path))
        return _gather(tags, points, blocks, _names(sections.get("PhysicalNames", b"0")))
    except InputError:
        raise
    except (KeyError, ValueError, IndexError) as error:
        why = f"no section {error}" if isinstance(error, KeyError) else str(error)
        raise damaged(path, "gmsh", why) from None


def _sections(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and bodies; each must be closed."""
    at = 0
    while found := re.compile(rb"\s*\$(\w+)[ \t]*\r?\n").match(data, at):
        name = found[1]
        end = data.find(b"$End" + name, found.end())
        if end < 0:
            raise ValueError(f"${name.decode()} is not closed")
        yield name.decode(), data[found.end() : end]
        at = end + len(name) + 4
    if data[at:].strip():
        raise ValueError("text outside of sections")


def _names(body: bytes) -> dict[tuple[int, int], str]:
    """Return the names of physical groups by dimension and number."""
    found = {}
    for line in body.decode("utf-8", "replace").splitlines()[1:]:
        if line.strip():
            dim, tag, name = shlex.split(line)
            found[int(dim), int(tag)] = name
    return found


def _groups_41(numbers: _Numbers) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return the physical groups of each entity, by its dimension and number."""
    found = {}
    for dim, count in enumerate(numbers.take("size", 4)):
        for _ in range(count):
            tag = numbers.one("int")
            numbers.take("float", 3 if dim == 0 else 6)  # the bounding box
            # A minus sign means that the entity is turned.
            groups = np.abs(numbers.take("int", numbers.one("size")))
            found[dim, tag] = tuple(groups.tolist())
            if dim > 0:
                numbers.take("int", numbers.one("size"))  # the bounding entities
    return found


def _nodes_41(numbers: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    blocks, *_ = numbers.take("size", 4)
    tags, points = [], []
    for _ in range(blocks):
        dim, _, parametric = numbers.take("int", 3)
        count = numbers.one("size")
        tags.append(numbers.take("size", count))
        width = 3 + (dim if parametric else 0)
        points.append(numbers.take("float", int(count * width)).reshape(count, width)[:, :3])
    return np.concatenate(tags), np.concatenate(points)


def _elements_41(
    numbers: _Numbers, groups: dict[tuple[int, int], tuple[int, ...]], path: Path
) -> Iterator[_Block]:
    blocks, *_ = numbers.take("size", 4)
    for _ in range(blocks):
        dim, tag, code = numbers.take("int", 3).tolist()
        kind, count = _kind(code, path), numbers.one("size")
        rows = numbers.take("size", count * (1 + KINDS[kind][2])).reshape(count, -1)
        yield kind, rows[:, 1:], groups.get((dim, tag), ())


def _nodes_22(body: bytes, binary: bool) -> tuple[np.ndarray, np.ndarray]:
    first, _, rest = body.partition(b"\n")
    count = int(first)
    if binary:
        layout = np.dtype([("tag", "<i4"), ("x", "<f8", (3,))])
        rows = np.frombuffer(rest, layout, count)
        return rows["tag"].astype(np.int64), rows["x"].astype(float)
    table = np.array(rest.split(), dtype=float)[: 4 * count].reshape(count, 4)
    return table[:, 0].astype(np.int64), table[:, 1:]


def _elements_22(body: bytes, path: Path) -> Iterator[_Block]:
    lines = body.splitlines()
    count = int(lines[0])
    rows: dict[tuple[str, int], list[list[int]]] = defaultdict(list)
    for line in lines[1 : count + 1]:
        numbers = [int(word) for word in line.split()]
        kind, tags = _kind(numbers[1], path), numbers[2]
        nodes = numbers[3 + tags :]
        if len(nodes) != KINDS[kind][2]:
            raise ValueError(f"element {numbers[0]} has {len(nodes)} nodes")
        rows[kind, abs(numbers[3]) if tags else 0].append(nodes)
    if len(lines) < count + 1:
        raise ValueError("a section ends too early")
    for (kind, tag), cells in rows.items():
        yield kind, np.array(cells), (tag,) if tag else ()


def _elements_22_binary(body: bytes, path: Path) -> Iterator[_Block]:
    first, _, rest = body.partition(b"\n")
    left = int(first)
    numbers = _Numbers(rest, True, 4)
    while left > 0:
        code, count, tags = numbers.take("int", 3).tolist()
        kind = _kind(code, path)
        rows = numbers.take("int", count * (1 + tags + KINDS[kind][2])).reshape(count, -1)
        groups = np.abs(rows[:, 1]) if tags else np.zeros(count, int)
        for tag in np.unique(groups).tolist():
            yield kind, rows[groups == tag, 1 + tags :], (tag,) if tag else ()
        left -= count


def _kind(code: int, path: Path) -> str:
    if code not in _TYPES:
        raise unknown_kind(path, f"gmsh type {code}")
    return _TYPES[code]


def _gather(
    tags: np.ndarray,
    points: np.ndarray,
    blocks: list[_Block],
    names: dict[tuple[int, int], str],
) -> MeshFile:
    """Join the blocks by kind, with nodes counted from 0."""
    number = _renumber(tags)
    cells: dict[str, list[np.ndarray]] = defaultdict(list)
    groups: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    counts: dict[str, int] = defaultdict(int)
    for kind, nodes, own in blocks:
        cells[kind].append(number(nodes[:, _ORDERS.get(kind, slice(None))]))
        rows = counts[kind] + np.arange(len(nodes))
        counts[kind] += len(nodes)
        for group in own:
            name = names.get((KINDS[kind][0], group), str(group))
            groups[name][kind].append(rows)
    return MeshFile(
        points,
        {kind: np.concatenate(rows) for kind, rows in cells.items()},
        {n: {k: np.concatenate(r) for k, r in own.items()} for n, own in groups.items()},
    )


def _renumber(tags: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    order = np.argsort(tags, kind="stable")
    ranked = tags[order]

    def number(nodes: np.ndarray) -> np.ndarray:
        at = np.minimum(np.searchsorted(ranked, nodes), len(ranked) - 1)
        missing = nodes[ranked[at] != nodes]
        if len(missing):
            raise ValueError(f"there is no node {missing[0]}")
        return order[at]

    return number
