"""Load paths in CSV tables, as testing machines write them: a row for each time."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scalebridge.errors import InputError, did_you_mean
from scalebridge.study.units import KINDS, checked, parse_quantity

_HEAD = re.compile(r"\s*([^\[\]]*?)\s*(?:\[\s*(.*?)\s*\])?\s*")
_MOST_ROWS = 100_000


class LoadTable(NamedTuple):
    """A table that has been read.

    Attributes
    ----------
    times : list of float
    columns : dict of (quantity, component) to list
        None where a field is empty.
    kinds : dict of kind of quantity to bool
        Whether its columns have units.
    """

    times: list[float]
    columns: dict[tuple[str, str], list[float | None]]
    kinds: dict[str, bool]


def read_load_table(path: Path, kinds: Mapping[str, str | None]) -> LoadTable:
    """Read a table with the columns time, strain_11, stress_22 [MPa], ….

    Parameters
    ----------
    path : Path
    kinds : mapping of quantity, "strain" say, to its kind
        None where it has no unit.

    Raises
    ------
    InputError
        ``FILE:LINE: COLUMN must be …``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"cannot read the table {str(path)!r}: {reason}") from None
    try:
        lines = [(n, row) for n, row in enumerate(csv.reader(text.splitlines()), 1) if any(row)]
    except csv.Error as error:
        raise InputError(
            f"{path}: must be a table of comma-separated values, but: {error}"
        ) from None
    if not 3 <= len(lines) <= _MOST_ROWS:
        raise InputError(
            f"{path}: must have a line of names and two rows at least ({_MOST_ROWS} at most), but "
            f"has {len(lines)} lines"
        )
    heads = [_head(path, word, kinds) for word in lines[0][1]]
    _check_heads(path, heads)
    found: dict[tuple[str, str], list[float | None]] = {key: [] for key, _, _ in heads}
    for number, row in lines[1:]:
        if len(row) != len(heads):
            raise InputError(
                f"{path}:{number}: must have {len(heads)} fields as the line of names, but has "
                f"{len(row)}"
            )
        for word, (key, kind, unit) in zip(row, heads, strict=True):
            found[key].append(
                _value(f"{path}:{number}: {'_'.join(filter(None, key))}", word, kind, unit)
            )
    times = found.pop(("time", ""))
    if None in times:
        raise InputError(
            f"{path}:{lines[times.index(None) + 1][0]}: time must be a number, but is empty"
        )
    united = {kind: bool(unit) for _, kind, unit in heads if kind}
    return LoadTable([float(t) for t in times if t is not None], found, united)


def _head(
    path: Path, word: str, kinds: Mapping[str, str | None]
) -> tuple[tuple[str, str], str | None, str]:
    """Return quantity and component, kind and unit of a column."""
    parts = _HEAD.fullmatch(word)
    name, unit = (parts[1], parts[2] or "") if parts else (word, "")
    quantity, _, component = name.partition("_")
    known = quantity in kinds if component else name == "time"
    if not known:
        every = ["time", *(f"{q}_{c}" for q in kinds for c in ("11", "12", "x"))]
        raise InputError(
            f"{path}:1: columns must be time and {' or '.join(f'{q}_…' for q in kinds)} with a "
            f"component, but one is {name!r}{did_you_mean(name, every)}; a unit stands behind it, "
            "as in time [s]"
        )
    kind = "time" if name == "time" else kinds[quantity]
    if unit and kind is None:
        raise InputError(f"{path}:1: {name} must have no unit, but has [{unit}]")
    return ("time", "") if name == "time" else (quantity, component), kind, unit


def _name(key: tuple[str, str]) -> str:
    return "_".join(filter(None, key))


def _check_heads(path: Path, heads: list[tuple[tuple[str, str], str | None, str]]) -> None:
    keys = [key for key, _, _ in heads]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"{path}:1: {_name(key)} must stand there once, but does twice")
    if ("time", "") not in keys:
        raise InputError(f"{path}:1: must have a column time, but has none")
    for kind in {kind for _, kind, _ in heads if kind}:
        units = {bool(unit) for _, of, unit in heads if of == kind}
        if len(units) > 1:
            raise InputError(
                f"{path}:1: columns of {KINDS[kind][1]} must all have units, or none, but are mixed"
            )


def _value(where: str, word: str, kind: str | None, unit: str) -> float | None:
    if not word.strip():
        return None
    try:
        number = float(word)
        if kind is None:
            return checked(number)
        return float(parse_quantity(f"{number!r} {unit}" if unit else number, (kind,)))
    except ValueError as error:
        told = str(error) if _is_number(word) else f"must be a number, or empty, but is {word!r}"
        raise InputError(f"{where} {told}") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
