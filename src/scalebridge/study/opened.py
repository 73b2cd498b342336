"""Open what a run has written: `scalebridge.open`.

Files are read as data, JSON and HDF5 alone: nothing in them is ever executed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalebridge.errors import InputError
from scalebridge.study.opened_run import OpenedRun
from scalebridge.study.opened_sweep import OpenedSweep
from scalebridge.study.results import reading, told_of

_SUMMARY, _RESULTS = "summary.json", "results.vtkhdf"
_ORDER = "study.json"  # what `resume` needs


def open(path: str | Path) -> OpenedRun | OpenedSweep:
    """Open the results of ``scalebridge homogenize`` or ``scalebridge run``.

    Parameters
    ----------
    path : str or Path
        The folder, or its ``summary.json`` or ``results.vtkhdf``.

    Returns
    -------
    OpenedRun or OpenedSweep
        Of a sweep, its points open in turn: ``sweep.points[0].open()``. An interrupted run
        opens too; what was not computed is NaN.

    Raises
    ------
    InputError
        There is nothing there, or it is truncated, half-written, or of another program.

    Examples
    --------
    >>> import scalebridge as sb
    >>> run = sb.open("out")  # doctest: +SKIP
    >>> run.results["elasticity"].tensor  # doctest: +SKIP
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"`path` must be a folder of results, but {str(path)!r} does not exist")
    if path.is_dir():
        return _open_folder(path)
    if path.name == _SUMMARY:
        return _open_folder(path.parent)
    if path.suffix == ".vtkhdf":
        return OpenedRun(path.parent, path, _of_file(path))
    raise InputError(
        f"`path` must be a folder of results, its {_SUMMARY} or {_RESULTS}, but is {str(path)!r}"
    )


def _open_folder(folder: Path) -> OpenedRun | OpenedSweep:
    summary = _of_folder(folder)
    if "sweep" in summary:
        with _told(folder / _SUMMARY):
            return OpenedSweep(folder, summary)
    file = folder / _RESULTS
    if file.exists() and _stamp(_of_file(file)) != _stamp(summary):
        raise InputError(
            f"{_SUMMARY} and {_RESULTS} in {str(folder)!r} are of different runs, since the later "
            f"one has not finished; {_how_to_go_on(folder)}, or open one of the files"
        )
    with _told(folder / _SUMMARY):
        return OpenedRun(folder, file, summary)


def _of_folder(folder: Path) -> dict[str, Any]:
    """Read ``summary.json``, which a run writes last."""
    path = folder / _SUMMARY
    if not path.exists():
        raise InputError(f"{str(folder)!r} {_what_it_holds(folder)}")
    with _told(path):
        summary = json.loads(path.read_text(encoding="utf-8"))
        if "sweep" not in summary:
            image = summary["image"]  # null in a study of structures alone
            _ = image is None or image["phases"], summary["results"], summary["run"]["finished"]
    return dict(summary)


def _what_it_holds(folder: Path) -> str:
    if (folder / _RESULTS).exists():
        return (
            f"holds {_RESULTS} but no {_SUMMARY}, which a run writes last; it has not finished: "
            f"wait, {_how_to_go_on(folder)}, or open {str(folder / _RESULTS)!r}"
        )
    if next(folder.glob("point-*"), None) is not None:
        how = _how_to_go_on(folder, "run it with --resume")
        return f"holds a sweep of which no point is done yet; {how}, or open a point"
    if (folder / _ORDER).exists() or (folder / "microstructure.png").exists():
        return f"holds no {_SUMMARY}: the run has not finished; wait, or {_how_to_go_on(folder)}"
    return "is no folder of results; give the --out of scalebridge homogenize or run"


def _how_to_go_on(folder: Path, otherwise: str = "run it again") -> str:
    if (folder / _ORDER).exists():
        return f"go on with `scalebridge resume {shlex.quote(str(folder))}`"
    return otherwise


def _of_file(path: Path) -> dict[str, Any]:
    """Read the summary that a results file carries."""
    with reading(path) as file:
        if "VTKHDF/Steps" in file:
            raise InputError(
                f"{str(path)!r} holds fields over time; open its folder {str(path.parent)!r}, and "
                "read them from `loads` or `structures`"
            )
        summary = told_of(file, "provenance")
        if not {"image", "results", "run"} <= summary.keys():
            raise InputError(
                f"{str(path)!r} must be the results file of a run, but holds no summary of one; "
                "read its fields with scalebridge.study.results.read_results"
            )
    return summary


def _stamp(summary: dict[str, Any]) -> tuple[Any, Any]:
    return summary["run"].get("finished"), summary.get("wall_seconds")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell of whatever a damaged or foreign file lacks."""
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{str(path)!r} must be the summary of a run, but is damaged or of another program "
            f"({type(error).__name__}: {' '.join(str(error).split())[:120]}); run it again"
        ) from error
