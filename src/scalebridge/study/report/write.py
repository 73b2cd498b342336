"""From a folder of results to one page that needs nothing else."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Any

from scalebridge.errors import InputError
from scalebridge.study.files import atomic
from scalebridge.study.opened import open as open_results
from scalebridge.study.opened_sweep import OpenedSweep


def write_report(path: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run or a sweep, one HTML file without outside requests.

    Parameters
    ----------
    path : str or Path
        A folder of results.
    out : str or Path, optional
        The file to write; ``report.html`` in the folder by default.

    Returns
    -------
    Path
        The file. It is written under a temporary name and renamed, so it is whole or absent.

    Raises
    ------
    InputError
        There are no results, or the file cannot be written.

    Notes
    -----
    Interactive scenes need plotly (``pip install 'scalebridge[report]'``). Without it the page
    has static pictures alone, and says so.
    """
    opened = open_results(path)
    target = Path(out) if out is not None else opened.path / "report.html"
    if target.is_dir():
        raise InputError(
            f"`out` must be a file such as report.html, but {str(target)!r} is a folder"
        )
    if isinstance(opened, OpenedSweep):
        from scalebridge.study.report.sweep_page import sweep_page

        page = _render("sweep.html", sweep_page(opened))
    else:
        from scalebridge.study.report.run_page import run_page

        beside = os.path.relpath(opened.path, target.parent)
        folder = "" if beside == "." else f"{Path(beside).as_posix()}/"
        page = _render("run.html", run_page(opened, folder))
    with atomic(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _render(template: str, content: dict[str, Any]) -> str:
    """Fill a template; whatever comes from files is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("scalebridge.study.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = files("scalebridge.study.report") / "templates"
    return environment.get_template(template).render(
        style=Markup((own / "style.css").read_text(encoding="utf-8")),
        script=Markup((own / "scenes.js").read_text(encoding="utf-8")),
        nonce=secrets.token_hex(16),  # scripts without it, wherever they come from, do not run
        **content,
    )
