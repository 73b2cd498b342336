"""What to homogenise: the options of the main job, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalebridge.errors import InputError, did_you_mean
from scalebridge.study.phases import Phase, physics_of

if TYPE_CHECKING:
    from scalebridge.cell import Cell
    from scalebridge.microstructure import Microstructure
    from scalebridge.structure import Structure

_CHOICES: dict[str, tuple[str, ...]] = {
    "order": ("C", "F"),
    "element": ("reduced", "full", "bbar", "volume"),
    "plane": ("strain", "stress", "generalized"),
    "boundary": ("periodic", "kinematic", "static", "rollers", "through", "all"),
    "measure": ("tensor", "residual"),
}


@dataclass(frozen=True)
class Job:
    """What to homogenise, how, and where to put the results.

    Parameters
    ----------
    image : Path
        A TIFF stack (file or folder), ``.npy``, ``.npz``, ``.vti``, ``.vtkhdf`` or raw binary.
    spacing : float or tuple [length], or None
        Voxel size, one number or one for each axis. None: the image file tells it.
    phases : tuple of Phase
        Conduction is solved where all have `k`, elasticity where all have `E`, `nu`.
    shape, dtype, order, offset, key
        Layout of a raw file; name of the array in an NPZ file.
    flip : str
        Axes to turn round, e.g. ``"yz"``.
    crop : mapping
        Axis → (start, stop) in voxels, after the flip; None is an end of the image.
    boundary : str or mapping
        As in `scalebridge.Cell`; "all" for what `scalebridge.bounds` compares and, for
        conduction, "through".
    element, plane, tolerance, measure, field_tolerance, max_iterations
        As in `scalebridge.Cell`, `scalebridge.effective` and `scalebridge.Solver`.
    fields : bool
        Compute, draw and store local fields.
    out : Path
        Folder for the results.
    command : tuple of str
        How the job was asked for; goes into the provenance.
    """

    image: Path
    spacing: float | tuple[float, ...] | None
    phases: tuple[Phase, ...]
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    order: str | None = None
    offset: int = 0
    key: str | None = None
    flip: str = ""
    crop: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    boundary: str | Mapping[str, Any] = "periodic"
    element: str | None = None
    plane: str | None = None
    tolerance: float = 1e-6
    measure: str = "tensor"
    fields: bool = True
    field_tolerance: float = 1e-4
    max_iterations: int = 1000
    out: Path = Path("out")
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        physics_of(self.phases)
        for name, known in _CHOICES.items():
            value = getattr(self, name)
            if isinstance(value, str) and value not in known:
                raise InputError(
                    f"--{name} must be one of {', '.join(known)}, but is {value!r}"
                    f"{did_you_mean(value, known)}"
                )
        for name in ("tolerance", "field_tolerance"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise InputError(
                    f"--{name.replace('_', '-')} must lie between 0 and 1, but is {value:g}; "
                    "1e-6 is a good choice"
                )
        if self.max_iterations < 1:
            raise InputError(f"--max-iterations must be ≥ 1, but is {self.max_iterations}")
        if set(self.flip) - set("xyz"):
            raise InputError(f"--flip must name axes among x, y and z, but is {self.flip!r}")

    @property
    def goals(self) -> dict[str, float]:
        """What each load case is solved to: attribute of the progress event → target."""
        return goals_of(self.fields, self.measure, self.tolerance, self.field_tolerance)


def goals_of(
    fields: bool, measure: str, tolerance: float, field_tolerance: float
) -> dict[str, float]:
    """Return what a load case is solved to: attribute of the progress event → target."""
    goals = {"residual": field_tolerance} if fields else {}
    name = "error_estimate" if measure == "tensor" else "residual"
    goals[name] = min(tolerance, goals.get(name, 1.0))
    return goals


class Observer:
    """What a job or study tells while it runs; the methods here keep quiet."""

    def point(self, number: int, count: int, parameters: Mapping[str, Any]) -> None:
        """Learn that a point of a sweep begins."""

    def understood(self, microstructure: Microstructure, cells: dict[str, Cell]) -> None:
        """Learn how the image was read, before anything long begins."""

    def built(self, name: str, structure: Structure) -> None:
        """Learn how a structure was built, before anything long begins."""

    def warned(self, text: str) -> None:
        """Learn what is worth knowing before anything long begins."""

    def planned(self, work: Mapping[str, float]) -> None:
        """Learn what will be solved, in this order, and how much work each is."""

    def started(self, physics: str, goals: Mapping[str, float] | None = None) -> None:
        """Learn that one cell begins; compiling may take seconds before its first event."""

    def progress(self, physics: str, event: Any) -> None:
        """Follow the solver; `event` is a `scalebridge.upscaling.Progress`."""

    def stepped(self, name: str, event: Any) -> None:
        """Follow a load history; `event` is a `scalebridge.upscaling.LoadProgress`."""

    def iterated(self, name: str, event: Any) -> None:
        """Follow a structure; `event` is a `scalebridge.structure.StepProgress`."""

    def finished(self, physics: str) -> None:
        """Learn that one cell, load history or structure is done."""


def parse_spacing(text: str) -> float | tuple[float, ...]:
    """Read ``1.3e-6``, or one number for each axis, ``1e-6,1e-6,2e-6``."""
    remedy = "give the voxel size in the unit of your lengths, e.g. --spacing 1.3e-6"
    if not text.strip():
        raise InputError(f"--spacing is missing; {remedy}")
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--spacing must be a number or one for each axis, but is {text!r}; {remedy}"
        ) from None
    if not all(0 < value < float("inf") for value in values):
        raise InputError(f"--spacing must be > 0 and finite, but is {text}; {remedy}")
    return values[0] if len(values) == 1 else values


def parse_crop(text: str) -> dict[str, tuple[int | None, int | None]]:
    """Read ``x=0:100,z=20:``; an end that is left out is that of the image."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for part in text.split(",") if text else ():
        words = re.fullmatch(r"\s*([xyz])\s*=\s*(-?\d{1,9})?:(-?\d{1,9})?\s*", part)
        if words is None or words[1] in found:
            raise InputError(
                f"--crop must be START:STOP in voxels by axis, but is {text!r}; "
                "write e.g. --crop x=0:100,z=20:120"
            )
        axis, *ends = words.groups()
        found[axis] = (int(ends[0]) if ends[0] else None, int(ends[1]) if ends[1] else None)
    return found


def parse_boundary(text: str) -> str | dict[str, Any]:
    """Read a name, or one for each axis: ``x=periodic,y=periodic,z=kinematic``.

    ``x=kinematic/free/free`` gives one for each component of the field.
    """
    if "=" not in text:
        return text
    named: dict[str, Any] = {}
    for part in text.split(","):
        axis, sign, condition = (word.strip() for word in part.partition("="))
        if not sign or axis in named:
            raise InputError(
                f"--boundary must be a name or one for each axis, but is {text!r}; "
                "write e.g. --boundary x=free,y=free,z=kinematic"
            )
        named[axis] = tuple(condition.split("/")) if "/" in condition else condition
    return named


def parse_shape(text: str | None) -> tuple[int, ...] | None:
    """Read ``100,100,100`` or ``100 100 100``."""
    if text is None:
        return None
    words = text.replace(",", " ").split()
    if len(words) not in (2, 3) or not all(word.isdigit() and int(word) for word in words):
        raise InputError(
            f"--shape must be two or three whole numbers > 0, but is {text!r}; "
            "write e.g. --shape 100 100 100"
        )
    return tuple(int(word) for word in words)
