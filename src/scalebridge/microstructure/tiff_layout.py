"""The chain of pages in a TIFF file, followed to its end.

tifffile leaves out the pages that it cannot reach; a scan that lost its last slices
would then be read as a shorter one. Source: TIFF Revision 6.0 (Adobe, 1992), section 2;
BigTIFF as in libtiff.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

from scalebridge.errors import InputError


def count_pages(path: Path) -> int:
    """Return the number of pages of a TIFF file.

    Raises
    ------
    InputError
        The chain of pages leaves the file or runs in a circle.
    """
    try:
        with path.open("rb") as file:
            return _follow(file, path.stat().st_size)
    except (struct.error, ValueError, OSError) as error:
        raise InputError(
            f"'{path}' must be a complete TIFF file, but {error}; "
            "it is truncated or damaged: copy or save it again"
        ) from error


def _follow(file: IO[bytes], size: int) -> int:
    head = file.read(16)
    end = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(end + "H", head[2:4])[0] == 43
    count_type, offset_type, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    start = 8 if big else 4
    (place,) = struct.unpack_from(end + offset_type, head, start)
    seen: set[int] = set()
    while place:
        if place in seen:
            raise ValueError("its chain of pages runs in a circle")
        seen.add(place)
        count = _number(file, place, end + count_type, size, len(seen))
        after = place + struct.calcsize(count_type) + count * entry
        place = _number(file, after, end + offset_type, size, len(seen))
    if not seen:
        raise ValueError("it holds no page")
    return len(seen)


def _number(file: IO[bytes], place: int, kind: str, size: int, page: int) -> int:
    if place + struct.calcsize(kind) > size:
        raise ValueError(f"the header of page {page} lies beyond its {size} bytes")
    file.seek(place)
    return int(struct.unpack(kind, file.read(struct.calcsize(kind)))[0])
