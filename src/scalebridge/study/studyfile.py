"""From a study file to checked studies, one for each point of its sweep."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scalebridge.errors import InputError, ScalebridgeError, did_you_mean
from scalebridge.study import yaml12
from scalebridge.study.schema import Study, Sweep
from scalebridge.study.studycheck import check_study, kind_of, walk
from scalebridge.study.units import KINDS, Quantity, tell
from scalebridge.study.yaml12 import dotted

_MOST_POINTS = 10_000
_SWEPT = ("microstructure", "laws", "cells", "loads", "structures")


@dataclass(frozen=True)
class Point:
    """One run: where it is in the sweep, and its study.

    Attributes
    ----------
    number : int
        From 1.
    parameters : dict of str to value
        As written in the sweep; empty without one.
    study : Study
    """

    number: int
    parameters: dict[str, Any]
    study: Study

    @property
    def resolved(self) -> dict[str, Any]:
        """The study with all defaults, in SI."""
        return self.study.model_dump(exclude={"sweep", "output", "title"}, exclude_none=True)

    @property
    def units(self) -> dict[str, str]:
        """Kind of quantity → its SI unit, for the kinds that the study gives with units."""
        values = [(path, v) for path, v in walk(self.study, ()) if isinstance(v, Quantity)]
        kinds = (kind_of(self.study, p, v) for p, v in values if v.unit)
        return {kind: KINDS[kind][0] for kind in kinds}

    def hash(self, files: Mapping[str, str], version: str) -> str:
        """Return what changes with anything that changes the results.

        Parameters
        ----------
        files : mapping of path in the study to SHA-256
            Of images, tables of load paths and meshes.
        """
        told = json.dumps([self.resolved, dict(files), version], ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class StudyFile:
    """A study file that has been read: its points, and where its parts stand.

    Attributes
    ----------
    path : Path
    points : tuple of Point
    swept : tuple of str
        The dotted paths of the sweep; empty without one.
    text : str
        The file as it was read.
    digest : str
        Its SHA-256.
    """

    path: Path
    points: tuple[Point, ...]
    swept: tuple[str, ...]
    lines: dict[yaml12.Path, int] = field(repr=False)
    text: str = field(repr=False)
    digest: str

    @property
    def folder(self) -> Path:
        """The folder that paths in the study start from."""
        return self.path.parent

    @property
    def output(self) -> Path:
        """The folder for the results that the study names."""
        return self.folder / self.points[0].study.output.folder

    def error(self, path: yaml12.Path, what: str, point: Point | None = None) -> InputError:
        """Return an error that names the file, the line and the key."""
        which = "" if point is None else _which(point.number, point.parameters)
        return _error(self.path, self.lines, path, what + which)

    @contextmanager
    def at(
        self,
        path: yaml12.Path,
        point: Point,
        names: Mapping[str, yaml12.Path] | None = None,
    ) -> Iterator[None]:
        """Say of an error in the block which key of the study it speaks of.

        Parameters
        ----------
        path : the part of the study that is built
        names : argument of the Python interface → its key, where it is not below `path`
        """
        try:
            yield
        except (ScalebridgeError, MemoryError) as error:
            if isinstance(error, MemoryError):
                error = InputError("needs more memory than there is; make image or mesh smaller")
            told, where = _rename(str(error), path, names or {})
            raise self.error(where, told, point) from error


def read_study(path: str | Path) -> StudyFile:
    """Read and check a study file; nothing is built or computed.

    Raises
    ------
    InputError
        What cannot be read or used: file, line, key, what it must be and what it is.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the study {str(path)!r}: {reason}; check the path") from None
    return parse_study(data, path)


def parse_study(data: bytes, path: Path) -> StudyFile:
    """Check the content of a study file; `path` is told in errors, and where images start from."""
    try:
        tree, lines = yaml12.load(data)
    except yaml12.TextError as error:
        place = f"{path}:{error.line}" if error.line else f"{path}"
        raise InputError(f"{place}: {error}") from None
    if not isinstance(tree, dict):
        raise InputError(
            f"{path}: the study must be a mapping with microstructure and laws, but is "
            f"{tell(tree)}; `scalebridge init` writes one to start from"
        )
    sweep = _sweep(path, tree, lines)
    base = {key: value for key, value in tree.items() if key != "sweep"}
    points = tuple(
        Point(number, values, _validate(path, lines, base, number, values))
        for number, values in enumerate(_values(path, lines, sweep), start=1)
    )
    file = StudyFile(
        path,
        points,
        tuple(sweep.parameters) if sweep else (),
        lines,
        data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"),
        hashlib.sha256(data).hexdigest(),
    )
    for point in points:
        check_study(file, point)
    return file


# ---- sweeps


def _sweep(path: Path, tree: dict[str, Any], lines: dict[yaml12.Path, int]) -> Sweep | None:
    if tree.get("sweep") is None:
        return None
    try:
        return Sweep.model_validate(tree["sweep"])
    except ValidationError as error:
        where, what = _explain(error, tree["sweep"])
        raise _error(path, lines, ("sweep", *where), what) from None


def _values(path: Path, lines: dict[yaml12.Path, int], sweep: Sweep | None) -> list[dict[str, Any]]:
    """Return the parameters of each point."""
    if sweep is None:
        return [{}]
    where: yaml12.Path = ("sweep", "parameters")
    if not sweep.parameters:
        raise _error(path, lines, where, "must name at least one parameter, but is empty")
    for name, values in sweep.parameters.items():
        if not values:
            raise _error(path, lines, (*where, name), "must list values, but is empty")
        if name.partition(".")[0] not in _SWEPT:
            what = f"must lead into {', '.join(_SWEPT[:-1])} or {_SWEPT[-1]}"
            raise _error(path, lines, (*where, name), what)
    lengths = {name: len(values) for name, values in sweep.parameters.items()}
    if sweep.mode == "zip" and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise _error(path, lines, where, f"must have equally long lists to zip, but {told}")
    count = math.prod(lengths.values()) if sweep.mode == "product" else max(lengths.values())
    if count > _MOST_POINTS:
        raise _error(
            path, lines, where, f"must make at most {_MOST_POINTS} points, but makes {count}"
        )
    lists = sweep.parameters.values()
    rows = itertools.product(*lists) if sweep.mode == "product" else zip(*lists, strict=True)
    return [dict(zip(sweep.parameters, row, strict=True)) for row in rows]


def _locate(tree: Any, name: str) -> tuple[Any, Any]:
    """Return the mapping or list, and the key in it, to which a dotted path leads.

    A key may hold dots itself: the longest that fits is taken. The last key may be new.
    """
    node, rest = tree, name.split(".")
    while True:
        if isinstance(node, list):
            inside = rest[0].isdecimal() and len(rest[0]) < 7 and int(rest[0]) < len(node)
            key: Any = int(rest[0]) if inside else None
            used = 1
        elif isinstance(node, dict):
            fits = [n for n in range(len(rest), 0, -1) if ".".join(rest[:n]) in node]
            used = fits[0] if fits else len(rest) if len(rest) == 1 else 0
            key = ".".join(rest[:used]) if used else None
        else:
            key = None
        if key is None:
            known = list(node) if isinstance(node, dict) else []
            listed = f"; known here are {', '.join(known[:12])}" if known else ""
            raise InputError(
                "must be a dotted path into the study, but nothing is at "
                f"{rest[0]!r}{did_you_mean(rest[0], known)}{listed}"
            )
        rest = rest[used:]
        if not rest:
            return node, key
        node = node[key]


# ---- checks


def _validate(
    path: Path,
    lines: dict[yaml12.Path, int],
    base: dict[str, Any],
    number: int,
    values: dict[str, Any],
) -> Study:
    """Return the checked study of a point: the base with the values where their paths lead."""
    tree = copy.deepcopy(base)
    for name, value in values.items():
        try:
            node, key = _locate(tree, name)
        except InputError as error:
            raise _error(path, lines, ("sweep", "parameters", name), str(error)) from None
        node[key] = copy.deepcopy(value)
    try:
        return Study.model_validate(tree)
    except ValidationError as error:
        where, what = _explain(error, tree)
        raise _error(path, lines, where, what + _which(number, values)) from None


# ---- errors


def _which(number: int, parameters: Mapping[str, Any]) -> str:
    """Return at which point of a sweep an error is; nothing without a sweep."""
    values = ", ".join(f"{name} = {str(value)[:40]}" for name, value in parameters.items())
    return f" (point {number}: {values})" if parameters else ""


def _error(path: Path, lines: dict[yaml12.Path, int], where: yaml12.Path, what: str) -> InputError:
    swept = (("sweep", "parameters", dotted(where[:n])) for n in range(len(where), 0, -1))
    place: yaml12.Path = next((key for key in swept if key in lines), where)
    while place not in lines:
        place = place[:-1]
    name = dotted(where)
    return InputError(f"{path}:{lines[place]}: {name}{' ' if name else ''}{what}")


def _explain(error: ValidationError, tree: Any) -> tuple[yaml12.Path, str]:
    """Return the key of the first error, and what is wrong there."""
    errors = error.errors(include_url=False)
    first = min(
        errors, key=lambda e: e["type"] == "absent"
    )  # a misspelt key explains an absent one
    path = _path(first["loc"], tree)
    more = len(errors) - 1
    rest = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
    what = _what(first)
    if first["type"] in {"unknown", "absent"}:
        path = (*path, first["ctx"]["key"])
    elif first["type"].startswith("union_tag"):
        path = (*path, "type")
    return path, what + rest


def _path(loc: tuple[Any, ...], tree: Any) -> yaml12.Path:
    """Return the keys of a location in pydantic's sense, which has the types between them."""
    path: list[str | int] = []
    node, tagged = tree, False
    for part in loc:
        known: Any = node if isinstance(node, dict) else range(len(node))
        if isinstance(node, dict) and not tagged and node.get("type") == part:
            tagged = True
        elif part in known:
            node, tagged = node[part], False
            path.append(part)
        if not isinstance(node, dict | list):
            break
    return tuple(path)


def _what(error: ErrorDetails) -> str:
    """Return what is wrong at a key, in words."""
    return next((tell(error) for kind, tell in _WORDS.items() if error["type"].startswith(kind)))


def _unknown(error: ErrorDetails) -> str:
    key, known = error["ctx"]["key"], error["ctx"]["known"]
    guess = _near(key, [name for name in known if name not in error["input"]])
    listed = ", ".join(sorted(known, key=lambda name: name != "type"))
    return f"is not a key here{guess}; known are {listed}"


def _literal(error: ErrorDetails) -> str:
    known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    choices = known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"
    value = error["input"]
    return f"must be {choices}, but is {tell(value)}{_near(value, known)}"


def _tag(error: ErrorDetails) -> str:
    known = re.findall(r"'([^']*)'", error["ctx"]["expected_tags"])
    given = error["input"]["type"]
    return f"must be one of {', '.join(known)}, but is {tell(given)}{_near(given, known)}"


def _must(what: str) -> Callable[[ErrorDetails], str]:
    return lambda error: f"must be {what}, but is {tell(error['input'])}"


_A_MAPPING = _must("a mapping (indented lines of key: value)")
_WORDS: dict[str, Callable[[ErrorDetails], str]] = {
    "unknown": _unknown,
    "absent": lambda _: "is missing; add it",
    "union_tag_invalid": _tag,
    "union_tag_not_found": lambda _: "is missing; it tells what kind of thing this is",
    "literal_error": _literal,
    "value_error": lambda error: str(error["ctx"]["error"]),
    "model": _A_MAPPING,
    "dict": _A_MAPPING,
    "list": _must("a list"),
    "bool": _must("true or false"),
    "": lambda error: f"cannot be used: {error['msg']}",
}


def _near(value: Any, known: list[str]) -> str:
    """Return a guess what a misspelt word means, if only its case is wrong too."""
    if not isinstance(value, str):
        return ""
    spelt = {name.lower(): name for name in known}
    return did_you_mean(spelt.get(value.lower(), value), known)


def _rename(
    message: str, path: yaml12.Path, names: Mapping[str, yaml12.Path]
) -> tuple[str, yaml12.Path]:
    """Return a message of the Python interface in terms of the study, and the key it is about."""
    opening = re.match(r"`(\w+)(?:\['(.*?)'\])?` ", message)
    if opening is None:
        return f"cannot be used: {message.replace('`', '')}", path
    where = names.get(opening[1], (*path, opening[1]))
    if opening[2] is not None:
        where = (*where, *opening[2].split("']['"))
    return message[opening.end() :].replace("`", ""), where
