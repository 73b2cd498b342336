"""The values of TIFF pages: strips and tiles, inflated no further than their pages need.

tifffile finds and places them, but inflates them without a limit, and leaves LZW to the
package imagecodecs. Source: TIFF Revision 6.0 (Adobe, 1992), sections 7, 9, 13 and 15.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.microstructure import lzw, memory

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _inflate(packed: bytes, most: int) -> bytes:
    return zlib.decompressobj().decompress(packed, most)


def _unpack_bits(packed: bytes, most: int) -> bytes:
    out, place = bytearray(), 0
    while len(out) < most and place < len(packed):
        head, place = packed[place], place + 1
        if head < 128:
            out += packed[place : place + head + 1]
            place += head + 1
        elif head > 128:
            out += packed[place : place + 1] * (257 - head)
            place += 1
    return bytes(out[:most])


#: Compression by its number in the file → inflate a strip to a number of bytes at most.
CODECS: dict[int, Callable[[bytes, int], bytes]] = {
    1: lambda data, most: data[:most],
    5: lzw.decode,
    8: _inflate,
    32773: _unpack_bits,
    32946: _inflate,
}


def read_pages(series: Any) -> NDArray[Any]:
    """Return the values of a series of tifffile, whose compression is one of `CODECS`.

    Raises
    ------
    ValueError, zlib.error
        Strips and tiles that do not hold what their page needs.
    """
    frame, pages = series.keyframe, list(series.pages)
    inflate, turned = CODECS[frame.compression], frame.fillorder == 2
    frame.compression, frame.fillorder = 1, 1  # what else is to be decoded is tifffile's
    image = np.zeros((len(pages), math.prod(series.shape) // len(pages)), series.dtype)
    for values, page in zip(image, pages, strict=True):
        _read_page(page, frame, values.reshape(frame.shaped), inflate, turned)
    return image.reshape(series.shape)


def _read_page(
    page: Any, frame: Any, out: NDArray[Any], inflate: Callable[[bytes, int], bytes], turned: bool
) -> None:
    """Fill (sample, depth, row, column, sample)."""
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    file = page.parent.filehandle
    if len(parts) != math.prod(frame.chunked):
        raise ValueError(f"a page has {len(parts)} parts where {math.prod(frame.chunked)} are due")
    for number, (start, count) in enumerate(parts):
        _, (sample, *corner, _), size = frame.decode(None, number)
        depth, rows, columns, samples = size
        needed = depth * rows * -(-columns * samples * frame.bitspersample // 8)
        if needed > memory.available_memory():
            raise ValueError(f"a part of a page needs {memory.tell_bytes(needed)}")
        file.seek(start)
        packed = file.read(count)
        data = inflate(packed.translate(_REVERSED) if turned else packed, needed)
        if len(data) != needed:
            raise ValueError(f"part {number + 1} of a page has {len(data)} of {needed} bytes")
        values = frame.decode(data, number)[0]
        place = out[sample][tuple(slice(a, a + n) for a, n in zip(corner, size, strict=False))]
        place[...] = values[tuple(slice(n) for n in place.shape)]
