"""Input files of Abaqus and CalculiX: nodes, elements, sets and surfaces of one part.

Here rather than in a library because surfaces and plane elements are needed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scalebridge.errors import InputError
from scalebridge.structure.abaqus_sets import Model, Surface, named_parts
from scalebridge.structure.mesh_file import KINDS, MeshFile, damaged, unknown_kind

_SOLID = re.compile(r"(?:C3D|DC3D|AC3D)(\d+)")
_FLAT = re.compile(r"(?:CPEG|CPE|CPS|CGAX|CAX|DC2D|DCAX|AC2D|ACAX|SFM3D|M3D|R3D|STRI|DS|S)(\d+)")
_SOLIDS = {4: "tetra", 10: "tetra10", 8: "hexahedron", 20: "hexahedron20"}
_FLATS = {3: "triangle", 6: "triangle6", 65: "triangle6", 4: "quad", 8: "quad8"}
#: Springs, masses, beams and the like, which no mesh is made of.
_BESIDES = re.compile(
    r"T2D|T3D|B2|B3|PIPE|ELBOW|FRAME|RB2D|RB3D|MASS|ROTARYI|HEATCAP|SPRING|DASHPOT|CONN|JOINT|GAP|"
    r"DGAP|DCOUP|DC1D|AC1D|ITS"
)
#: What would have to be carried out to know the mesh.
_UNREAD = {"NGEN", "NFILL", "NCOPY", "NMAP", "ELGEN", "ELCOPY", "SYSTEM"}


@dataclass
class _Block:
    """A keyword, its options and its lines of data, split at commas."""

    keyword: str
    options: dict[str, str]
    line: int
    file: Path
    data: list[list[str]] = field(default_factory=list)


def read_abaqus(path: Path) -> MeshFile:
    """Read an input file that holds one part.

    Raises
    ------
    InputError
        Several parts or instances, a mesh told by commands that generate it, elements of a
        kind that is not supported, a damaged file.
    """
    model = Model()
    block = None
    try:
        for block in _own_blocks(path):
            _take(block, model, path)
    except InputError:
        raise
    except (ValueError, IndexError, KeyError):
        where = f"*{block.keyword.title()} of line {block.line}" if block else "its first line"
        raise damaged(path, "Abaqus", where) from None
    try:
        return _gather(model, path)
    except RecursionError:
        raise damaged(path, "Abaqus", "a set is part of itself") from None


def _blocks(path: Path, depth: int = 0) -> Iterator[_Block]:
    """Yield the keyword blocks of a file and of those it includes."""
    block = None
    goes_on = False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("**"):
            continue
        if line.startswith("*"):
            if block is not None:
                yield from _expanded(block, depth)
            keyword, *options = [word.strip() for word in line[1:].split(",")]
            block = _Block(" ".join(keyword.upper().split()), _options(options), number, path)
            goes_on = line.endswith(",")
            continue
        if block is None:
            raise damaged(path, "Abaqus", "it must begin with a keyword")
        words = [word.strip() for word in line.split(",")]
        if goes_on and not block.data:
            block.options |= _options(words)
            goes_on = line.endswith(",")
        else:
            block.data.append(words)
    if block is not None:
        yield from _expanded(block, depth)


def _expanded(block: _Block, depth: int) -> Iterator[_Block]:
    if block.keyword != "INCLUDE":
        yield block
        return
    other = block.file.parent / block.options.get("INPUT", "")
    if not other.is_file() or depth > 8:
        raise InputError(
            f"`path` must include files that exist, but '{block.file}' includes '{other}' in line "
            f"{block.line}; put it there"
        )
    yield from _blocks(other, depth + 1)


def _options(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words if word]
    return {key.strip().upper(): value.strip().strip('"') for key, _, value in pairs}


def _own_blocks(path: Path) -> Iterator[_Block]:
    """Yield the blocks of the one part; nodes and sets of the assembly alone are none of it."""
    within: list[str] = []
    names: dict[str, list[str]] = {"PART": [], "INSTANCE": []}
    for block in _blocks(path):
        word = block.keyword
        if word in ("PART", "ASSEMBLY", "INSTANCE"):
            within.append(word)
        elif within and word == f"END {within[-1]}":
            within.pop()
        if word in names:
            names[word].append(block.options.get("NAME", "?"))
            if len(names[word]) > 1:
                raise InputError(
                    f"`path` must hold one part, but '{path}' has {' and '.join(names[word])}; "
                    "merge them (in Abaqus/CAE: Merge Instances)"
                )
        if within[-1:] == ["ASSEMBLY"] and "INSTANCE" not in block.options:
            if word in ("NODE", "ELEMENT"):
                continue
            if word in ("NSET", "ELSET"):
                block.data.clear()  # their numbers are not those of the part
        yield block
    if within:
        raise damaged(path, "Abaqus", f"*{within[-1].title()} has no end")


def _take(block: _Block, model: Model, path: Path) -> None:
    """Add what a block tells to the model."""
    word, options, data = block.keyword, block.options, block.data
    if word in _UNREAD or (word in ("NODE", "ELEMENT") and {"INPUT", "SYSTEM"} & set(options)):
        raise InputError(
            f"`path` must list its nodes and elements, but '{path}' has them made by *{word} in "
            f"line {block.line}; write the mesh in full"
        )
    if word == "NODE":
        for row in data:
            place = [float(x or 0) for x in row[1:4]]
            model.nodes[int(row[0])] = [*place, *[0.0] * (3 - len(place))]
        if "NSET" in options:
            model.add("nodes", options["NSET"], [[row[0]] for row in data], options)
    elif word == "ELEMENT":
        _take_elements(block, model, path)
    elif word in ("NSET", "ELSET"):
        model.add("nodes" if word == "NSET" else "elements", options[word], data, options)
    elif word == "SURFACE":
        of = options.get("TYPE", "ELEMENT").upper()
        if of in ("ELEMENT", "NODE") and not {"INTERNAL", "COMBINE"} & set(options):
            rows = [(row[0], row[1].upper() if len(row) > 1 else "") for row in data]
            model.surfaces.append(Surface(options["NAME"], of == "NODE", rows, block.line))
    elif word == "INSTANCE" and data:
        if len(data) > 1:
            raise InputError(
                f"`path` must hold a part that is not turned, but '{path}' turns its instance in "
                f"line {block.line}; turn the part itself"
            )
        for axis, move in enumerate(data[0][:3]):
            model.shift[axis] = float(move or 0)


def _take_elements(block: _Block, model: Model, path: Path) -> None:
    name = block.options["TYPE"].upper()
    if _BESIDES.match(name):
        return
    kind = None
    for pattern, kinds in ((_SOLID, _SOLIDS), (_FLAT, _FLATS)):
        if (found := pattern.match(name)) and kind is None:
            kind = kinds.get(int(found[1]))
    if kind is None:
        raise unknown_kind(path, f"type {name} in line {block.line}")
    size = 1 + KINDS[kind][2]
    numbers, row = [], []
    for line in block.data:
        row += [int(word) for word in line if word]
        if len(row) < size and not line[-1]:
            continue  # the line ends in a comma
        if len(row) != size:
            raise ValueError
        numbers.append(str(row[0]))
        model.elements[row[0]] = (kind, row[1:])
        row = []
    if row:
        raise ValueError
    if "ELSET" in block.options:
        model.add("elements", block.options["ELSET"], [numbers], {})


def _gather(model: Model, path: Path) -> MeshFile:
    """Count nodes and cells from 0."""
    if not model.nodes or not model.elements:
        what = "nodes" if not model.nodes else "elements"
        raise InputError(f"`path` must hold a mesh, but '{path}' has no {what}; write it again")
    node_of = {tag: number for number, tag in enumerate(model.nodes)}
    points = np.array(list(model.nodes.values())) + model.shift
    rows: dict[str, list[list[int]]] = defaultdict(list)
    cell_of = {}
    for tag, (kind, nodes) in model.elements.items():
        missing = [n for n in nodes if n not in node_of]
        if missing:
            raise damaged(
                path, "Abaqus", f"element {tag} has node {missing[0]}, which is not there"
            )
        cell_of[tag] = (kind, len(rows[kind]))
        rows[kind].append([node_of[n] for n in nodes])
    cells = {kind: np.array(nodes) for kind, nodes in rows.items()}
    groups, faces, node_sets = named_parts(model, cells, cell_of, node_of, path)
    return MeshFile(points, cells, groups, faces, node_sets)
