"""The studies that `scalebridge init` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from scalebridge.errors import InputError

#: What a study is of → its file.
_STARTERS = {
    "cells": "starter.yaml",
    "loads": "starter_loads.yaml",
    "structures": "starter_structures.yaml",
}


def write_starter(path: Path, of: str = "cells") -> None:
    """Write a study to start from; an existing file is left as it is.

    Parameters
    ----------
    path : Path
    of : "cells", "loads" or "structures"
        Effective tensors, a load history, or a structure with a cell at every point.

    Raises
    ------
    InputError
        The file exists, or cannot be written.
    """
    text = files("scalebridge.study").joinpath(_STARTERS[of]).read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(f"{str(path)!r} exists and is left as it is; name another file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {str(path)!r}: {reason}; name another file") from None
