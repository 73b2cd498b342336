"""What kind of file it is, by its first bytes and its suffix, and what to say of bad ones."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from scalebridge.errors import InputError

NUMBERS = "buif"  # kinds of NumPy types that an image may hold
_SUFFIXES = {
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".npy": "NPY",
    ".npz": "NPZ",
    ".vti": "VTI",
    ".vtkhdf": "VTKHDF",
    ".hdf": "VTKHDF",
}
_READABLE = {
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"\x93NUMPY": "NPY",
    b"PK\x03\x04": "NPZ",
    b"PK\x05\x06": "NPZ",
}
_BY_SUFFIX = {b"<VTKFile": "VTI", b"<?xml": "VTI", b"\x89HDF": "VTKHDF"}  # many share these
_OTHERS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89HDF": "an HDF5 file",
    b"# vtk": "a VTK file",
    b"<VTKFile": "a VTK file",
    b"<?xml": "an XML file",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"\x1f\x8b": "a gzip archive",
    b"MATLAB 5": "a MATLAB file",
    b"NRRD": "an NRRD file",
    b"%PDF": "a PDF file",
}
_KINDS = "TIFF, VTI, VTKHDF, NPY, NPZ"
_STUMBLES = (LookupError, TypeError, ArithmeticError, AssertionError, TokenError, SyntaxError)


def kind_of(path: Path, raw: bool) -> str:
    """Return ``TIFF``, ``VTI``, ``VTKHDF``, ``NPY``, ``NPZ`` or ``raw``.

    Parameters
    ----------
    raw : True where the caller told the shape, dtype or order of a raw file

    Raises
    ------
    InputError
        The suffix and the content do not agree, or the kind is not known.
    """
    head = _head(path)
    said = _SUFFIXES.get(path.suffix.lower())
    magics = _BY_SUFFIX if said in _BY_SUFFIX.values() else _READABLE
    found = next((kind for magic, kind in magics.items() if head.startswith(magic)), None)
    if said is not None:
        if found != said:
            raise InputError(
                f"'{path}' must be a {said} file as its suffix says, but {_tell(head, found)}; "
                "give the file its right suffix or save it again"
            )
        return said
    if raw:
        return "raw"
    if found is not None and path.suffix.lower() not in (".raw", ".bin"):
        return found
    other = next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), None)
    if other is not None:
        raise InputError(
            f"'{path}' must be {_KINDS} or raw binary, but is {other}; convert it to TIFF"
        )
    raise InputError(
        f"'{path}' must be {_KINDS} or raw binary, but {_tell(head, found)}; "
        "for raw binary give shape=(nx, ny, nz), dtype='uint8' and order='F' (x fastest) or 'C'"
    )


def tells_spacing(path: Path) -> bool:
    """Tell whether a file of this suffix holds the spacing of its image."""
    return _SUFFIXES.get(path.suffix.lower()) in _BY_SUFFIX.values()


def check_values(dtype: np.dtype, name: str) -> None:
    """Refuse values that are neither integers nor floats of up to double precision."""
    if dtype.kind not in NUMBERS or dtype.itemsize > 8:
        what = "Python objects" if dtype.kind == "O" else f"{dtype}"
        raise InputError(
            f"'{name}' must hold integers or floats, but holds {what}; save a plain array"
        )


def unreadable(path: Path, kind: str, error: Exception) -> InputError:
    """Return the error to raise where a library gave up on a damaged file.

    What the library stumbled over is told where it is a sentence about the file.
    """
    reason = in_one_line(error)[:200]
    if not reason or isinstance(error, _STUMBLES):
        reason = "its header is damaged"
    return InputError(
        f"'{path}' must be a readable {kind} file, but {reason}; copy or save it again"
    )


def in_one_line(text: object) -> str:
    """Return words from a file or a library without line breaks and control characters."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError:
        raise InputError(
            f"'{path}' must be a file or folder, but does not exist; check the path"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"'{path}' must be readable, but {error}; check its name and permissions"
        ) from None


def _tell(head: bytes, found: str | None) -> str:
    if not head:
        return "is empty"
    for magic, kind in _OTHERS.items():
        if head.startswith(magic):
            return f"is {kind}"
    if found:
        return f"its content is {found}"
    return f"begins with {head[:4]!r}"
