"""The LZW compression of TIFF.

Source: TIFF Revision 6.0 (Adobe, 1992), section 13; codes begin with their highest bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CLEAR, _END, _FIRST = 256, 257, 258
_MOST_CODES = 4096 - _FIRST + 1  # between two clearings of the table
# The decoder's table is one string behind the encoder's, hence 254 codes of nine bits.
_WIDTHS = np.repeat([9, 10, 11, 12], [254, 512, 1024, _MOST_CODES - 1790])
_OFFSETS = np.cumsum(_WIDTHS) - _WIDTHS


def decode(packed: bytes, most: int) -> bytes:
    """Return the first `most` bytes at most of what `packed` holds.

    Raises
    ------
    ValueError
        A code that no earlier one explains.
    """
    out, place, cleared = bytearray(), 0, 0
    content = np.frombuffer(packed + b"\0\0", np.uint8).astype(np.int64)
    while len(out) < most:
        codes = _codes(content, place, 8 * len(packed))
        ends = np.flatnonzero((codes == _CLEAR) | (codes == _END))
        count = int(ends[0]) if ends.size else len(codes)
        if count:
            out += _strings(codes[:count], most - len(out)).tobytes()
        cleared = 0 if count else cleared + 1
        if not ends.size or codes[count] == _END or cleared > 2:
            break
        place += int(_OFFSETS[count] + _WIDTHS[count])
    return bytes(out[:most])


def _codes(content: NDArray[np.int64], place: int, bits: int) -> NDArray[np.int64]:
    """Return the codes from bit `place` on, as if the table were not cleared among them."""
    count = int(np.searchsorted(_OFFSETS + _WIDTHS, bits - place, side="right"))
    widths, start = _WIDTHS[:count], place + _OFFSETS[:count]
    byte = start >> 3
    word = (content[byte] << 16) | (content[byte + 1] << 8) | content[byte + 2]
    return (word >> (24 - widths - (start & 7))) & ((1 << widths) - 1)


def _strings(codes: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
    """Return the bytes that codes between two clearings stand for.

    Code 258 + j stands for the string of the j-th code and the byte after it, both of which
    are there already: each byte is a copy of an earlier one or a letter.
    """
    index = np.arange(len(codes))
    if np.any(codes >= _FIRST + index):
        raise ValueError("its LZW data hold a code that nothing explains")
    source = np.where(codes >= _FIRST, codes - _FIRST, index)
    length = (source != index).astype(np.int64)
    ahead = source
    while not np.array_equal(ahead, further := ahead[ahead]):
        length, ahead = length + length[ahead], further
    length += 1
    needed = int(np.searchsorted(np.cumsum(length), most)) + 1
    source, length, codes = source[:needed], length[:needed], codes[:needed]
    start = np.cumsum(length) - length
    origin = np.arange(int(length.sum())) + np.repeat(start[source] - start, length)
    while not np.array_equal(origin, earlier := origin[origin]):
        origin = earlier
    letters = np.zeros(len(origin), np.uint8)
    single = codes < _CLEAR
    letters[start[single]] = codes[single]
    return letters[origin]
