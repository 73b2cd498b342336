"""Sets and surfaces of an Abaqus file: names for nodes, elements and faces of elements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scalebridge.errors import InputError, did_you_mean
from scalebridge.structure.mesh_file import KINDS

#: Corners of the faces S1, S2, … by the shape of an element.
_FACES = {
    "triangle": [[0, 1], [1, 2], [2, 0]],
    "quad": [[0, 1], [1, 2], [2, 3], [3, 0]],
    "tetra": [[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]],
    "hexahedron": [
        [0, 1, 2, 3],
        [4, 7, 6, 5],
        [0, 4, 5, 1],
        [1, 5, 6, 2],
        [2, 6, 7, 3],
        [3, 7, 4, 0],
    ],
}

_Cells = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Surface:
    """A surface as it is told: rows of a set or number and a face."""

    name: str
    by_nodes: bool
    rows: list[tuple[str, str]]
    line: int


@dataclass
class Model:
    """What an Abaqus file tells, by the numbers of the file."""

    nodes: dict[int, list[float]] = field(default_factory=dict)
    elements: dict[int, tuple[str, list[int]]] = field(default_factory=dict)
    sets: dict[str, dict[str, list[str | range]]] = field(
        default_factory=lambda: {"nodes": {}, "elements": {}}
    )
    surfaces: list[Surface] = field(default_factory=list)
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    names: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def add(self, what: str, name: str, rows: list[list[str]], options: Mapping[str, str]) -> None:
        """Add members, numbers or names of other sets, to a set. Names know no capitals."""
        key = name.upper()
        self.names.setdefault(key, name)
        if "INTERNAL" in options:
            self.hidden.add(key)
        own = self.sets[what].setdefault(key, [])
        for row in rows:
            if "GENERATE" in options:
                first, last, *step = [int(word) for word in row if word]
                own.append(range(first, last + 1, *step))
            else:
                own += [word for word in row if word]

    def members(self, what: str, name: str, path: Path, line: int = 0) -> list[int]:
        """Return the numbers in a set, or the one number that is told."""
        word = name.strip('"').rpartition(".")[2]
        if word.isdecimal():
            return [int(word)]
        known = self.sets[what]
        if word.upper() not in known:
            where = f" in line {line}" if line else ""
            raise InputError(
                f"`path` must name sets that it defines, but '{path}' names {word!r}{where}"
                f"{did_you_mean(word.upper(), known)}; there are "
                f"{', '.join(self.names[n] for n in known) or 'none'}"
            )
        every = self.nodes if what == "nodes" else self.elements
        found: list[int] = []
        for one in known[word.upper()]:
            if isinstance(one, range):  # a damaged one may be longer than memory
                found += one if len(one) <= len(every) else [tag for tag in every if tag in one]
            else:
                found += self.members(what, one, path)
        return found


def named_parts(
    model: Model,
    cells: _Cells,
    cell_of: Mapping[int, tuple[str, int]],
    node_of: Mapping[int, int],
    path: Path,
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, list[np.ndarray]], dict[str, np.ndarray]]:
    """Return groups of cells, surfaces by the nodes of their faces, and sets of nodes."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key in model.sets["elements"]:
        if key not in model.hidden:
            groups[model.names[key]] = _cells(model.members("elements", key, path), cell_of)
    node_sets = {}
    for key in model.sets["nodes"]:
        if key not in model.hidden:
            tags = model.members("nodes", key, path)
            node_sets[model.names[key]] = _nodes(tags, node_of)
    faces: dict[str, list[np.ndarray]] = {}
    for surface in model.surfaces:
        found = []
        for name, face in surface.rows:
            tags = model.members(
                "nodes" if surface.by_nodes else "elements", name, path, surface.line
            )
            if surface.by_nodes:
                before = node_sets.get(surface.name, np.empty(0, int))
                node_sets[surface.name] = np.concatenate([before, _nodes(tags, node_of)])
            else:
                found += _faces(_cells(tags, cell_of), face, cells, surface, path)
        if found:
            faces[surface.name] = found
    return groups, faces, node_sets


def _cells(tags: list[int], cell_of: Mapping[int, tuple[str, int]]) -> dict[str, np.ndarray]:
    """Return the cells by kind; springs and the like are none."""
    found: dict[str, list[int]] = defaultdict(list)
    for tag in tags:
        if tag in cell_of:
            kind, number = cell_of[tag]
            found[kind].append(number)
    return {kind: np.unique(numbers) for kind, numbers in found.items()}


def _nodes(tags: list[int], node_of: Mapping[int, int]) -> np.ndarray:
    return np.array([node_of[tag] for tag in tags if tag in node_of], int)


def _faces(
    own: Mapping[str, np.ndarray], face: str, cells: _Cells, surface: Surface, path: Path
) -> list[np.ndarray]:
    """Return the corners of one face of each element, or of all its free faces."""
    found = []
    solid = max((KINDS[kind][0] for kind in cells), default=0)
    for kind, rows in own.items():
        shape = kind.rstrip("0123456789")
        corners = cells[kind][rows]
        if KINDS[kind][0] < solid and face in ("", "SPOS", "SNEG"):
            found.append(corners[:, : KINDS[kind][1]])  # a skin is a face itself
            continue
        number = int(face[1:]) - 1 if face[:1] == "S" and face[1:].isdecimal() else None
        if number is not None and 0 <= number < len(_FACES[shape]):
            found.append(corners[:, _FACES[shape][number]])
        elif face == "":
            found.append(_free(cells[kind], _FACES[shape], rows))
        else:
            raise InputError(
                f"`path` must have surfaces of faces S1 to S{len(_FACES[shape])} of its elements, "
                f"but '{path}' has {face!r} in line {surface.line}; take the faces of solids"
            )
    return found


def _free(cells: np.ndarray, faces: list[list[int]], rows: np.ndarray) -> np.ndarray:
    """Return the corners of the faces of some cells that are on the outside of the body."""
    every = np.concatenate([cells[:, one] for one in faces])
    _, first, count = np.unique(
        np.sort(every, axis=1), axis=0, return_index=True, return_counts=True
    )
    outer = first[count == 1]
    return every[outer[np.isin(outer % len(cells), rows)]]
