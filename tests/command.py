"""The command line, run in this process, and what it answers."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from scalebridge.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def command(*words: object) -> Outcome:
    """Run ``scalebridge …``."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Outcome(code, out.getvalue(), err.getvalue())


def the_one_error(outcome: Outcome, code: int = 2) -> str:
    """Return the message of an outcome that must be nothing but one line of it."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: "), outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    return outcome.err
