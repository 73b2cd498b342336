"""What goes wrong, told in one sentence that names the thing, its value and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ScalebridgeError(Exception):
    """Base of every error that scalebridge raises on purpose."""


class InputError(ScalebridgeError, ValueError):
    """An argument, a file or an option that cannot be used.

    The message reads "`x` must …, but …; do …": which argument, what it must
    be, what it is, and the next step.
    """


class ConvergenceError(ScalebridgeError, RuntimeError):
    """An iteration ended before its tolerance; the message carries the advice.

    `partial` holds what was done until then, where there is something.
    """

    def __init__(self, message: str, partial: object = None) -> None:
        super().__init__(message)
        self.partial = partial


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for a near miss of `known`, else an empty string."""
    close = get_close_matches(str(name), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


class Interrupted(KeyboardInterrupt):
    """The user stopped a computation; `partial` holds what was done until then."""

    def __init__(self, partial: object) -> None:
        super().__init__("interrupted")
        self.partial = partial


class WorkersLostError(ScalebridgeError, RuntimeError):
    """Processes that shared the work are gone for good.

    `partial` holds what was done until then, where there is something.
    """

    def __init__(self, message: str, partial: object = None) -> None:
        super().__init__(message)
        self.partial = partial
