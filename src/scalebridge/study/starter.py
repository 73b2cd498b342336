"""The studies that `scalebridge init` writes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from scalebridge.errors import InputError


def write_starter(path: Path, loads: bool = False) -> None:
    """Write a study to start from; an existing file is left as it is.

    Parameters
    ----------
    path : Path
    loads : bool
        Of a load history instead of effective tensors.

    Raises
    ------
    InputError
        The file exists, or cannot be written.
    """
    name = "starter_loads.yaml" if loads else "starter.yaml"
    text = files("scalebridge.study").joinpath(name).read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(f"{str(path)!r} exists and is left as it is; name another file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {str(path)!r}: {reason}; name another file") from None
