"""From a checked study to images and the laws of their phases; faults are told by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalebridge import laws
from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure import Fibres, Microstructure, Polycrystal, generate, read
from scalebridge.microstructure.memory import check_fits
from scalebridge.study.build_laws import law_of, plain_values, rotation_of
from scalebridge.study.schema_laws import PhaseLaws
from scalebridge.study.schema_microstructure import Image
from scalebridge.study.studyfile import Point, StudyFile

if TYPE_CHECKING:
    from scalebridge.study.yaml12 import Path as Key

_AXES = "xyz"


@dataclass(frozen=True)
class Matter:
    """A microstructure, and what its phases are made of.

    Attributes
    ----------
    micro : Microstructure
    by_phase : mapping of phase to PhaseLaws
        Its own, or those of ``*``.
    turns : mapping of phase to rotations
        Of the generator, or the study's.
    key : of the laws in the study
    """

    file: StudyFile
    point: Point
    micro: Microstructure
    by_phase: Mapping[str, PhaseLaws]
    turns: Mapping[str, Any]
    key: Key
    named: frozenset[str]
    _built: dict[str, dict[str, laws.Law]] = field(default_factory=dict, repr=False)

    def laws(self, physics: str) -> dict[str, laws.Law]:
        """Return the law of each phase; those of ``*`` are built once.

        Raises
        ------
        InputError
            A phase without a law for this physics; constants that cannot be.
        """
        if physics in self._built:
            return self._built[physics]
        once: dict[str, laws.Law] = {}
        found = {}
        for name, given in self.by_phase.items():
            word = name if name in self.named else "*"
            spec, key = getattr(given, physics), (*self.key, word, physics)
            if spec is None:
                raise self.file.error(key, "is missing; each phase needs a law for it", self.point)
            if word not in once:
                once[word] = law_of(self.file, self.point, spec, key)
            found[name] = once[word]
        self._built[physics] = found
        return found


def matter_of(
    file: StudyFile,
    point: Point,
    made: tuple[Microstructure, Mapping[str, Any]],
    given: Mapping[str, PhaseLaws],
    key: Key,
    *,
    shared: bool = False,
) -> Matter:
    """Give each phase of an image its laws.

    Parameters
    ----------
    made : (Microstructure, rotations by phase), of `image_of`
    given : laws by phase
    key : of these laws
    shared : bool
        The laws serve other images too, and may name phases that this one has not.

    Raises
    ------
    InputError
        A phase without laws, laws without a phase, an orientation that is none.
    """
    micro, orientation = made
    rest = given.get("*")
    for name in () if shared else given:
        if name != "*" and name not in micro.names:
            listed = ", ".join(micro.names[:8]) + (", …" if len(micro.names) > 8 else "")
            raise file.error(
                (*key, name),
                f"must be a phase of the image, but the phases are {listed}"
                f"{did_you_mean(name, micro.names)}",
                point,
            )
    for name in micro.names:
        if name not in given and rest is None:
            raise file.error(
                key,
                f"must have a law for each phase, but {name!r} has none; add it, or '*' for "
                "all others",
                point,
            )
    by_phase: dict[str, PhaseLaws] = {n: given.get(n) or rest for n in micro.names}  # type: ignore[misc]
    turns = dict(orientation)
    for name, own in by_phase.items():
        if own.orientation is not None:
            with file.at((*key, name if name in given else "*", "orientation"), point):
                turns[name] = rotation_of(own.orientation)
    return Matter(file, point, micro, by_phase, turns, key, frozenset(given))


def image_of(spec: Any, folder: Path) -> tuple[Microstructure, dict[str, Any]]:
    """Read or generate an image; generators of grains and fibres tell how these lie.

    Parameters
    ----------
    spec : one of `schema_microstructure.Microstructure`
    folder : where the paths of images start from
    """
    if isinstance(spec, Image):
        return _read(spec, folder), {}
    options = {
        name: plain_values(getattr(spec, name))
        for name in type(spec).model_fields
        if name != "type" and getattr(spec, name) is not None
    }
    made = getattr(generate, spec.type)(**options)
    if isinstance(made, Polycrystal | Fibres):
        return made.microstructure, made.orientation
    return made, {}


def _read(spec: Image, folder: Path) -> Microstructure:
    names = ("spacing", "phases", "threshold", "method", "shape", "dtype", "order", "offset")
    options = {name: plain_values(getattr(spec, name)) for name in (*names, "key")}
    micro = read(folder / spec.path, **options)
    if spec.flip is not None:
        micro = micro.flip(spec.flip)
    if spec.crop is not None:
        beyond = set(spec.crop) - set(_AXES[: micro.dim])
        if beyond:
            raise InputError(f"`crop` must name axes of the image, but names {sorted(beyond)}")
        micro = micro.crop(*(spec.crop.get(axis) for axis in _AXES[: micro.dim]))
    if spec.coarsen is not None:
        micro = micro.coarsen(spec.coarsen)
    if spec.repeat is not None:
        counts = spec.repeat if isinstance(spec.repeat, list) else [spec.repeat] * micro.dim
        sizes = [n * c for n, c in zip(micro.shape, counts, strict=False)]
        check_fits(tuple(sizes), np.dtype(np.int64), "`repeat`")
        micro = micro.repeat(spec.repeat)
    return micro
