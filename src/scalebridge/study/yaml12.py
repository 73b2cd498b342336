"""YAML 1.2 as study files use it: plain values, and the line on which each stands.

PyYAML reads YAML 1.1, in which ``no`` is false, ``210e9`` a word and ``0:89`` the number 89.
Here only ``true`` and ``false`` are booleans, ``210e9`` is a number, ``0:89`` a word, keys are
always words, and a key that is given twice is an error.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from scalebridge.errors import InputError

Path = tuple[str | int, ...]
_DEEPEST, _MOST_NODES, _MOST_CHARACTERS = 40, 100_000, 1_000_000
_TAG = "tag:yaml.org,2002:"
_NUMBER = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_RULES = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        rf"{_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)


class TextError(InputError):
    """What is wrong with a text, and on which line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[
        dict[str, Any]
    ] = {}  # its own table: the rules of 1.1 stay behind


for _name, _pattern, _first in _RULES:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


def load(text: str | bytes) -> tuple[Any, dict[Path, int]]:
    """Return the value of a YAML text, and the line of each of its parts.

    Raises
    ------
    TextError
        What is no YAML, a key given twice, tags, a text too large or too deep.
    """
    if len(text) > _MOST_CHARACTERS:
        raise TextError(
            f"must be at most {_MOST_CHARACTERS} characters long, but has {len(text)}; "
            "images and arrays belong in files of their own"
        )
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(filter(None, [error.context, error.problem]))
        line = mark.line + 1 if mark else None
        raise TextError(f"must be YAML, but: {reason}", line) from None
    except (yaml.YAMLError, ValueError) as error:
        raise TextError(f"must be YAML text, but: {error}") from None
    except RecursionError:
        raise TextError("must be a study, but is nested too deeply") from None
    reader = _Reader()
    value = None if node is None else reader.read(node, ())
    return value, reader.lines


class _Reader:
    """Turn nodes into values, noting lines."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.count = 0

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        self.count += 1
        if self.count > _MOST_NODES or len(path) > _DEEPEST:
            raise _error(node, path, "must be a study, but is too large or nested too deeply")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, path)
        raise _error(node, path, f"must have no tag, but has {node.tag!r}; leave it out")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(key, path, "must have words as keys, but one is a list or mapping")
            name = _printable(key, path)
            if name in found:
                first = self.lines[(*path, name)]
                raise _error(key, (*path, name), f"is given twice, first on line {first}; keep one")
            found[name] = self.read(value, (*path, name))
            self.lines[(*path, name)] = key.start_mark.line + 1
        return found


def _scalar(node: yaml.ScalarNode, path: Path) -> Any:
    text, kind = _printable(node, path), node.tag.removeprefix(_TAG)
    try:
        match kind:
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text, 0 if text[1:2] in {"x", "o"} else 10)
            case "float":
                return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))
    except ValueError:
        raise _error(node, path, f"must be a number, but is {text[:40]!r}") from None
    raise _error(node, path, f"must have no tag, but has {node.tag!r}; leave it out")


def _printable(node: yaml.ScalarNode, path: Path) -> str:
    text = str(node.value)
    if not all(c.isprintable() or c in "\n\t" for c in text):
        raise _error(node, path, f"must be printable text, but is {text[:40]!r}")
    return text


def _error(node: yaml.Node, path: Path, what: str) -> TextError:
    where = dotted(path[:5]) + "…" if len(path) > 5 else dotted(path)
    return TextError(f"{where or 'the file'} {what}", node.start_mark.line + 1)


def dotted(path: Path) -> str:
    """Return ``laws.fibre.elasticity.E[0]``; an empty key is ``''``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{part or repr('')}"
    return text
