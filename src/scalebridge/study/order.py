"""What a run was asked for, left in its folder from the start: ``study.json``.

It holds the text of the study, where the study lay, as seen from the root and from the folder
of results, and the hashes of its images, tables and meshes. So a run can go on after its study was
edited, and after the project, or the results alone, were moved.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scalebridge.errors import InputError
from scalebridge.study.files import sha256, write_json
from scalebridge.study.studyfile import StudyFile, parse_study

_NAME = "study.json"
#: Suffix of a file → what it is; others are images.
_KINDS = {".csv": "table", **dict.fromkeys((".msh", ".inp", ".vtu", ".vtk"), "mesh")}


@dataclass(frozen=True)
class Order:
    """A run to go on with.

    Attributes
    ----------
    folder : Path
        Of the results.
    study : StudyFile
        As it was when the run began.
    notes : tuple of str
        What has changed since without harm, a sentence each.
    """

    folder: Path
    study: StudyFile
    notes: tuple[str, ...]


def write_order(folder: Path, study: StudyFile, images: Mapping[str, str]) -> None:
    """Write ``study.json``; `images`, tables and meshes are path in the study → SHA-256."""
    place = study.path.resolve()
    write_json(
        folder / _NAME,
        {
            "file": place.name,
            "folder": str(place.parent),
            "from_results": _relative(place.parent, folder.resolve()),
            "sha256": study.digest,
            "text": study.text,
            "images": dict(images),
        },
    )


def read_order(folder: str | Path) -> Order:
    """Find the study of a folder of results.

    Raises
    ------
    InputError
        No folder of a run of a study; an image that is gone or has changed.
    """
    folder = Path(folder)
    told = _told(folder)
    places = [Path(told["folder"])]
    if told["from_results"] is not None:
        places.append(Path(os.path.normpath(folder.resolve() / told["from_results"])))
    place = _place_of_images(folder, places, told["images"])
    study = replace(parse_study(told["text"].encode(), place / told["file"]), digest=told["sha256"])
    return Order(folder, study, _changes(study))


def _relative(place: Path, start: Path) -> str | None:
    try:
        return os.path.relpath(place, start)
    except ValueError:  # another drive
        return None


def _told(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(_why_not(folder)) from None
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from None
    kinds = {"file": str, "folder": str, "sha256": str, "text": str, "images": dict}
    if not isinstance(told, dict) or not isinstance(told.get("from_results"), str | None):
        raise _damaged(folder, "it is none of ours")
    for name, kind in kinds.items():
        if not isinstance(told.get(name), kind):
            raise _damaged(folder, f"its {name!r} is missing")
    return told


def _damaged(folder: Path, how: object) -> InputError:
    return InputError(
        f"{str(folder / _NAME)!r} must hold the study as the run left it, but {how}; "
        "run the study itself, with `scalebridge run --resume`"
    )


def _why_not(folder: Path) -> str:
    """Return why a folder without ``study.json`` cannot be gone on with, and what to do."""
    start = f"{str(folder)!r} must be a folder that `scalebridge run` wrote, but "
    if not folder.is_dir():
        return f"{start}{'is a file' if folder.exists() else 'does not exist'}; check the path"
    if (folder.parent / _NAME).is_file() and folder.name.startswith("point-"):
        return f"{start}is one point of a sweep; resume {str(folder.parent)!r}"
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        if "study" in summary:
            return f"{start}an older version did; run the study with `scalebridge run --resume`"
        command = shlex.join(summary["run"]["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{start}holds no {_NAME}; check the path"
    again = f": {command}" if command else ""
    return f"{start}`scalebridge homogenize` did; run that command again{again}"


def _place_of_images(folder: Path, places: list[Path], images: Mapping[str, str]) -> Path:
    """Return from which of `places` all images are found as they were."""
    trouble, kind = "", "image"
    for place in places:
        found = {name: _hash(place / name) for name in images}
        if found == images:
            return place
        for name in images:
            if found[name] != images[name] and (not trouble or found[name]):
                how = "has changed since" if found[name] else "is gone"
                kind = _KINDS.get(Path(name).suffix.lower(), "image")
                trouble = f"the {kind} {str(place / name)!r} {how}"
    raise InputError(
        f"the run in {str(folder)!r} cannot go on, because {trouble}; bring the {kind} back, or "
        "run the study anew with `scalebridge run`"
    )


def _hash(path: Path) -> str | None:
    try:
        return sha256(path)
    except (OSError, ValueError):
        return None


def _changes(study: StudyFile) -> tuple[str, ...]:
    now = _hash(study.path)
    if now in (study.digest, None):
        return ()
    return (
        f"{str(study.path)!r} has changed since; the run goes on with the study as it was "
        "(`scalebridge run` begins the new one)",
    )
