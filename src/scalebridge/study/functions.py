"""What tells one function from another in a hash: what it does, not where it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np


def functions_in(value: Any) -> Iterator[bytes]:
    """Give the bytes that tell the functions in laws apart, fields of fields included.

    A function is its code, its constants, defaults and the values it closes over; what it finds
    in its module by name counts by the name.
    """
    if isinstance(value, FunctionType):
        yield from _code(value.__code__)
        closed = [cell.cell_contents for cell in value.__closure__ or ()]
        for inner in (*closed, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield from functions_in(inner) if isinstance(inner, FunctionType) else [_bytes(inner)]
    elif isinstance(value, Mapping):
        for key in value:
            yield from functions_in(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from functions_in(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from functions_in(getattr(value, field.name, None))


def _code(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant).encode()


def _bytes(value: Any) -> bytes:
    if hasattr(value, "dtype"):
        return np.asarray(value).tobytes()
    return repr(value).encode()
