"""One compilation cache for the whole suite, and JAX as strict as it can be."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import shutil
import signal
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

_TESTS = itertools.count()

# Tests compile much and compute little: they have XLA compile in half the time what then runs
# slower. `XLA_FLAGS= pytest` runs them as users run the package. XLA ends a process that sets a
# flag which it does not know, so that these are for the versions that have them.
if version("jaxlib").startswith("0.10."):
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    )

# Before scalebridge is imported. The processes of pytest-xdist, and those that tests start,
# inherit the variable: what one of them has compiled the others load. A user's own cache is
# neither profited from nor written to, unless the variable asks for it.
_FOLDER = None
if "SCALEBRIDGE_CACHE" not in os.environ:
    _FOLDER = Path(tempfile.mkdtemp(prefix="scalebridge-tests-"))
    os.environ["SCALEBRIDGE_CACHE"] = str(_FOLDER)


def pytest_configure(config):
    # A job in the background starts with SIGINT ignored; some tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Another process may be writing the entry that this one wants: it is compiled again.
    config.addinivalue_line(
        "filterwarnings", "ignore:Error reading persistent compilation cache:UserWarning"
    )


@pytest.fixture(autouse=True)
def _few_memory_maps():
    """Let compiled programs go before they fill a process's table of memory maps (65530).

    They take up to 4000 maps a test, and some 0.2 MB each: the memory goes back to the system too.
    """
    yield
    maps = Path("/proc/self/maps")
    if next(_TESTS) % 3 == 0 and maps.exists() and maps.read_bytes().count(b"\n") > 12_000:
        import jax

        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(AttributeError):  # glibc
            ctypes.CDLL(None).malloc_trim(0)


def pytest_unconfigure():
    if _FOLDER is not None:
        shutil.rmtree(_FOLDER, ignore_errors=True)
