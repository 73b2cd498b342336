"""One compilation cache for the whole suite, and JAX as strict as it can be."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

# Before scalebridge is imported. The processes of pytest-xdist, and those that tests start,
# inherit the variable: what one of them has compiled the others load. A user's own cache is
# neither profited from nor written to, unless the variable asks for it.
_FOLDER = None
if "SCALEBRIDGE_CACHE" not in os.environ:
    _FOLDER = Path(tempfile.mkdtemp(prefix="scalebridge-tests-"))
    os.environ["SCALEBRIDGE_CACHE"] = str(_FOLDER)


def pytest_configure(config):
    # Another process may be writing the entry that this one wants: it is compiled again.
    config.addinivalue_line(
        "filterwarnings", "ignore:Error reading persistent compilation cache:UserWarning"
    )


def pytest_unconfigure():
    if _FOLDER is not None:
        shutil.rmtree(_FOLDER, ignore_errors=True)
