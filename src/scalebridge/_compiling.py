"""How long first calls take: what JAX traces and compiles, or loads from its cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

_LOADING = 0.005  # seconds for a kernel that was compiled before
_COMPILING = "/jax/core/compile/"


class Compiling:
    """Seconds spent on first calls."""

    def __init__(self) -> None:
        self.tracing, self.compiling, self.kernels = 0.0, 0.0, 0

    def __call__(self, event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILING + "backend_compile_duration":
            self.compiling += duration_secs
            self.kernels += 1
        elif event.startswith(_COMPILING):
            self.tracing += duration_secs

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.tracing + self.compiling

    @property
    def again(self) -> float:
        """What another process will spend on the same kernels."""
        is_kept = bool(jax.config.jax_compilation_cache_dir)  # type: ignore[attr-defined]
        loading = min(self.compiling, _LOADING * self.kernels)
        return self.tracing + (loading if is_kept else self.compiling)


@contextmanager
def first_calls() -> Iterator[Compiling]:
    """Watch what JAX compiles in the block."""
    found = Compiling()
    jax.monitoring.register_event_duration_secs_listener(found)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(found)
