"""Refuse an image that does not fit into memory before it is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scalebridge.errors import InputError
from scalebridge.microstructure.checks import tell_shape

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def available_memory() -> int:
    """Return the bytes that can be used without swapping; tests replace this function.

    It is what the machine has free, or what a cluster or container leaves of its limit.
    """
    return min(_free_on_machine(), _free_in_group())


def _free_on_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**63 - 1  # a system that does not tell: let the allocation decide


def _free_in_group() -> int:
    """Return what the control groups of the process (Linux, version 2 or 1) leave to it."""
    free = 2**63 - 1
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return free
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers == "":
            root, names = Path("/sys/fs/cgroup"), ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            root = Path("/sys/fs/cgroup/memory")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inside = Path(place.lstrip("/"))
        for group in (inside, *inside.parents):  # a limit further up holds too
            free = min(free, _free_below(root / group, *names))
    return free


def _free_below(group: Path, limit: str, usage: str) -> int:
    """Return limit − usage of a group; files in the cache can be dropped and do not count."""
    try:
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or the limit is "max"
        return 2**63 - 1
    cached = int(told.get("total_inactive_file", told.get("inactive_file", 0)))
    return max(0, most - used + cached)


def check_fits(shape: Sequence[int], dtype: np.dtype, what: str, copies: int = 2) -> None:
    """Refuse an image of `shape` and `dtype` that needs more memory than there is.

    Counted are the values as stored and `copies` bytes a voxel for the labels made of them.
    """
    needed = math.prod(shape) * (dtype.itemsize + copies)
    free = available_memory()
    if needed > free:
        raise InputError(
            f"{what} must fit into memory, but its {tell_shape(shape)} voxels of {dtype} need "
            f"{tell_bytes(needed)} and {tell_bytes(free)} are available; "
            "crop or bin the image before, or use a larger machine"
        )


def tell_bytes(count: int) -> str:
    """Return ``1.5 GiB``."""
    power = 0 if count < 1024 else min(int(math.log2(count)) // 10, len(_UNITS) - 1)
    return f"{count} bytes" if power == 0 else f"{count / 1024**power:.1f} {_UNITS[power]}"
