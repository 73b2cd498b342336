"""Packages that only some users need, and the command that installs them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from scalebridge.errors import InputError


def need(package: str, extra: str, purpose: str) -> ModuleType:
    """Import a package of an extra.

    Raises
    ------
    InputError
        It is not installed; the message names the command that does it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"{purpose} needs {package.partition('.')[0]}, which is not installed; "
            f"pip install 'scalebridge[{extra}]'"
        ) from error
