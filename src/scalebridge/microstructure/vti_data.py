"""The numbers of a VTK XML file: as text, as base64 or as raw bytes, in blocks if compressed."""

from __future__ import annotations

import base64
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray


class Encoding(NamedTuple):
    """What the head of the file tells of all its arrays."""

    order: str
    header: np.dtype
    compressed: bool


class Appended(NamedTuple):
    """What follows the ``_`` of AppendedData."""

    content: memoryview
    base64: bool


def values(
    array: Element, dtype: np.dtype, count: int, encoding: Encoding, appended: Appended | None
) -> NDArray[Any]:
    """Return the `count` numbers of a DataArray.

    Raises
    ------
    ValueError, zlib.error
        Data that are not what the header tells.
    """
    kind = array.get("format", "ascii")
    if kind == "ascii":
        return _from_text(array.text or "", dtype, count)
    if kind == "binary":
        text = memoryview("".join((array.text or "").split()).encode("ascii"))
        stream = _Stream(text, 0, base64=True)
    elif kind == "appended" and appended is not None:
        stream = _Stream(appended.content, int(array.get("offset", "-1")), appended.base64)
    else:
        raise ValueError(f"its data cannot be found in the format {kind!r}")
    needed = count * dtype.itemsize
    read = _inflate if encoding.compressed else _plain
    return np.frombuffer(read(stream, encoding.header, needed), dtype)


@dataclass(frozen=True)
class _Stream:
    """Bytes from `start` of a content on, which may be base64."""

    content: memoryview
    start: int
    base64: bool

    def take(self, count: int) -> bytes:
        """Return the first `count` bytes."""
        length = _characters(count) if self.base64 else count
        end = self.start + length
        if self.start < 0 or end > len(self.content):
            raise ValueError(
                f"its data end after {max(0, len(self.content) - self.start)} of {length} bytes"
            )
        piece = bytes(self.content[self.start : end])
        return base64.b64decode(piece, validate=True)[:count] if self.base64 else piece

    def after(self, count: int) -> _Stream:
        """Return what follows `count` bytes that were encoded by themselves."""
        length = _characters(count) if self.base64 else count
        return _Stream(self.content, self.start + length, self.base64)


def _characters(count: int) -> int:
    return 4 * -(-count // 3)


def _from_text(text: str, dtype: np.dtype, count: int) -> NDArray[Any]:
    wide = np.dtype(float if dtype.kind == "f" else np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy only warns of text that is no number
        try:
            numbers = np.fromstring(text, wide, sep=" ")
        except (DeprecationWarning, ValueError):
            raise ValueError("its text holds what is no number") from None
        if numbers.size != count:
            raise ValueError(f"it holds {numbers.size} numbers where {count} are due")
        narrow = numbers.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(narrow, numbers):
        raise ValueError(f"its numbers exceed the type {dtype}")
    return narrow


def _plain(stream: _Stream, header: np.dtype, needed: int) -> bytes:
    """Return data after a header of their number of bytes."""
    width = header.itemsize
    (told,) = np.frombuffer(stream.take(width), header).tolist()
    if told != needed:
        raise ValueError(f"it holds {told} bytes where {needed} are due")
    if stream.base64:  # some programs encode the header by itself, which ends in padding
        coded = stream.content[stream.start : stream.start + _characters(width)]
        if bytes(coded).endswith(b"="):
            return stream.after(width).take(needed)
    return stream.take(width + needed)[width:]


def _inflate(stream: _Stream, header: np.dtype, needed: int) -> bytes:
    """Return data in compressed blocks.

    Before them stand the number of blocks, the size of a block, that of the last one if it
    is shorter (else 0), and the compressed size of each.
    """
    width = header.itemsize
    blocks, size, last = np.frombuffer(stream.take(3 * width), header).tolist()
    told = blocks * size - (size - last if last else 0)
    if told != needed or not 0 < blocks <= needed or size < 1 or last > size:
        raise ValueError(f"it holds {told} bytes in {blocks} blocks where {needed} are due")
    head = (3 + blocks) * width
    lengths = np.frombuffer(stream.take(head), header)[3:].tolist()
    packed = stream.after(head).take(sum(lengths))
    out, start = bytearray(), 0
    for number, length in enumerate(lengths):
        due = last if last and number == blocks - 1 else size
        unpack = zlib.decompressobj()
        block = unpack.decompress(packed[start : start + length], due)
        more = unpack.decompress(unpack.unconsumed_tail, 1)  # reads on to the checksum
        if len(block) != due or more or not unpack.eof:
            raise ValueError(f"block {number + 1} of its data does not hold {due} bytes")
        out += block
        start += length
    return bytes(out)
