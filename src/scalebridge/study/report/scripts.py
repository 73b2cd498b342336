"""Plotly and the scenes, compressed into the page: nothing is fetched when it is opened."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from scalebridge.errors import InputError
from scalebridge.study.extras import need

MISSING = (
    "The interactive scenes are left out, since plotly was not installed where this page was made; "
    "pip install 'scalebridge[report]'"
)


@cache
def library() -> str | None:
    """Return Plotly's script as text for `packed`; None where it is not installed."""
    try:
        offline = need("plotly.offline", "report", "an interactive scene")
    except InputError:
        return None
    return packed(offline.get_plotlyjs())


def packed(text: str) -> str:
    """Return text compressed and in base64, in which no markup can hide."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def packed_scenes(scenes: Mapping[str, Any]) -> str:
    return packed(json.dumps(scenes, allow_nan=False, separators=(",", ":")))
