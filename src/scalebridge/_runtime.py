"""The one place where JAX is configured: double precision and the compilation cache.

Every module of the package that computes imports ``jax`` from its own
dependencies only after this one, since the package's subpackages import it
first.

Environment
-----------
SCALEBRIDGE_CACHE
    Folder of the persistent compilation cache; ``off`` turns the cache off.
    Default: the user's cache folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import jax
from platformdirs import user_cache_dir


def configure() -> None:
    """Switch on double precision and the persistent compilation cache."""
    jax.config.update("jax_enable_x64", True)
    folder = os.environ.get("SCALEBRIDGE_CACHE", user_cache_dir("scalebridge"))
    user_has_chosen = jax.config.jax_compilation_cache_dir is not None  # type: ignore[attr-defined]
    if folder.lower() not in {"off", "0", ""} and not user_has_chosen:
        jax.config.update("jax_compilation_cache_dir", str(Path(folder).expanduser()))
        # The kernels are small and many: cache all of them, not only the slow ones.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def require_double_precision() -> None:
    """Raise when somebody has switched double precision off again."""
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise RuntimeError(
            "scalebridge computes in double precision, but jax_enable_x64 is off; "
            "remove the line that turns it off (or the variable JAX_ENABLE_X64=0)"
        )


configure()
