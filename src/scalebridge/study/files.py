"""Files that are whole or absent: atomic writing, folders checked beforehand, hashes, JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.errors import InputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block succeeds.

    Parameters
    ----------
    path : str or Path
        The file that is to appear, whole, when the block has been left.

    Yields
    ------
    Path
        Where to write, with the suffix of `path`. Whatever ends the block other
        than success (an error, Ctrl-C) removes it, and leaves an older `path` as it was.

    Raises
    ------
    InputError
        The disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # h5py reports a failed flush as RuntimeError
        number = _errno(error)
        if number in _NO_ROOM:
            raise InputError(
                f"cannot write {str(path)!r}: the disk is full or the file too large for it; "
                "free some space, choose another folder, or leave the local fields out"
            ) from error
        if isinstance(error, OSError):
            reason = os.strerror(number) if number else str(error)
            raise InputError(
                f"cannot write {str(path)!r}: {reason}; choose another folder"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that is whole or absent."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed run was writing when it died."""
    for path in folder.glob(".*.part*"):
        if re.search(r"\.\d+\.part(\.\w+)?$", path.name):
            path.unlink(missing_ok=True)


def _errno(error: OSError | RuntimeError) -> int | None:
    """Return the system's error number, which HDF5 often tells in its text only."""
    number = getattr(error, "errno", None)
    told = re.search(r"errno = (\d+)", str(error))
    return number or (int(told.group(1)) if told else None)


def writable_folder(folder: str | Path, room: int = 0) -> Path:
    """Make `folder` and try it, so that hours of computing do not end at a locked door.

    Parameters
    ----------
    folder : str or Path
        Made with its parents where absent.
    room : int [byte]
        What will be written; less free space than that is refused.

    Raises
    ------
    InputError
        The folder cannot be made or written to, or has too little space.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise InputError(
            f"the output folder {str(folder)!r} must be writable, but: "
            f"{error.strerror or error}; choose another one with --out"
        ) from error
    if free < room:
        raise InputError(
            f"the results need about {room / 1e6:.0f} MB, but the disk of {str(folder)!r} has "
            f"{free / 1e6:.0f} MB free; free some space, choose another --out, "
            "or leave the local fields out (--no-fields; in a study fields: false)"
        )
    return folder


_SLICES = (".tif", ".tiff")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of a folder's images with their names in sorted order."""
    path = Path(path)
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(item for item in path.iterdir() if item.suffix.lower() in _SLICES):
            digest.update(f"{file.name}\0{sha256(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: lists, dicts, numbers; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value
