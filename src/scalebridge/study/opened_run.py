"""The results of one run as objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.study.opened_load import OpenedLoad, opened_load
from scalebridge.study.opened_structure import OpenedStructure, opened_structure
from scalebridge.study.opened_tensor import OpenedBounds, OpenedTensor
from scalebridge.study.results import components_of, field_of, microstructure_of, reading
from scalebridge.study.summary import unit_of

if TYPE_CHECKING:
    import pandas
    import xarray

    from scalebridge.microstructure import Microstructure


class OpenedFields(Mapping[str, NDArray[Any]]):
    """The local fields of a results file, each read from it when asked for.

    Component-first, symmetric tensors in Mandel components; `components` tells how many, 0 for
    a scalar.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.components: dict[str, int] = {}
        if path.exists():
            with reading(path) as file:
                self.components = components_of(file)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.components:
            known = list(self.components)
            raise InputError(
                f"the field must be one of {known}, but is {name!r}{did_you_mean(name, known)}"
                if known
                else f"there is no field {name!r}, for the run has stored none; "
                "run it with local fields"
            )
        with reading(self._path) as file:
            return field_of(file, name)

    def __contains__(self, name: object) -> bool:
        return name in self.components

    def __iter__(self) -> Iterator[str]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)

    def __repr__(self) -> str:
        return f"fields {', '.join(self) or 'none'}"


@dataclass(frozen=True, repr=False)
class OpenedRun:
    """One run: microstructure, fields, effective tensors, load histories, structures, provenance.

    Attributes
    ----------
    path : Path
        The folder.
    file : Path
        Its ``results.vtkhdf``.
    summary : dict
        What ``summary.json`` holds.
    results : dict of str to OpenedTensor
        By the name of the cell.
    bounds : dict of str to OpenedBounds
    loads : dict of str to OpenedLoad
        By the name of the load history.
    structures : dict of str to OpenedStructure
    fields : dict-like of str to (component, \\*shape) or shape
        Read from the file when asked for.
    """

    path: Path
    file: Path
    summary: Mapping[str, Any]
    results: Mapping[str, OpenedTensor] = field(init=False)
    bounds: Mapping[str, OpenedBounds] = field(init=False)
    loads: Mapping[str, OpenedLoad] = field(init=False)
    structures: Mapping[str, OpenedStructure] = field(init=False)
    fields: OpenedFields = field(init=False)

    def __post_init__(self) -> None:
        results = {name: self._tensor(name, t) for name, t in self.summary["results"].items()}
        bounds = {name: _bounds(told) for name, told in self.summary["bounds"].items()}
        object.__setattr__(self, "results", MappingProxyType(results))
        object.__setattr__(self, "bounds", MappingProxyType(bounds))
        histories = self.summary.get("loads", {}).items()  # older runs have none
        dim = len(self._image.get("shape", ()))
        loads = {name: opened_load(name, told, self.path, dim) for name, told in histories}
        object.__setattr__(self, "loads", MappingProxyType(loads))
        parts = self.summary.get("structures", {}).items()
        solved = {name: opened_structure(name, told, self.path) for name, told in parts}
        object.__setattr__(self, "structures", MappingProxyType(solved))
        object.__setattr__(self, "fields", OpenedFields(self.file))

    @property
    def _image(self) -> Mapping[str, Any]:
        """What the summary tells of the image; nothing in a study of structures alone."""
        return self.summary["image"] or {}

    @cached_property
    def microstructure(self) -> Microstructure:
        """The image; read from the results file at first use."""
        if not self._image:
            raise InputError("the study has no microstructure of its own, only its structures have")
        if not self.file.exists():
            raise InputError(
                f"the microstructure is in {str(self.file)!r}, which does not exist; run it again"
            )
        with reading(self.file) as file:
            return microstructure_of(file)

    @property
    def title(self) -> str:
        """The study's, else the name of the image."""
        study, image = self.study or {}, self._image
        return str(study.get("title") or Path(image.get("path") or image.get("type", "")).name)

    @property
    def study(self) -> Mapping[str, Any] | None:
        """The resolved study, its hash and its parameters; None without a study file."""
        return self.summary.get("study")

    @property
    def units(self) -> Mapping[str, str]:
        """Kind of quantity → SI unit, of what the study gave with units."""
        return dict((self.study or {}).get("units", {}))

    @property
    def provenance(self) -> dict[str, Any]:
        """How it came about: the command, versions, machine, the study, the image's hash."""
        image = {k: v for k, v in self._image.items() if k in ("type", "path", "sha256")}
        return {**self.summary["run"], "image": image, "study": self.study}

    @property
    def interrupted(self) -> bool:
        """Whether the run was stopped before its end."""
        return bool(self.summary["interrupted"])

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not converge."""
        return tuple(self.summary["failures"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings and failures, with the name of the cell before those of one cell."""
        own = [f"{name}: {text}" for name, r in self.results.items() for text in r.warnings]
        followed: list[OpenedLoad | OpenedStructure] = [*self.loads.values()]
        stopped = ["the run was interrupted; what was not computed is NaN"] + [
            f"{one.name}: {one.reached} of {one.steps} steps were followed"
            for one in [*followed, *self.structures.values()]
            if not one.converged
        ]
        return (*(stopped if self.interrupted else ()), *self.failures, *own)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the run that are there."""
        named = (self.path / Path(name).name for name in self.summary.get("files", ()))
        return tuple(path for path in named if path.exists())

    def table(self) -> pandas.DataFrame:
        """Return main results as a pandas table, one row a cell, load history or structure."""
        from scalebridge.study.opened_tables import run_table

        return run_table(self)

    def dataset(self, fields: Sequence[str] | None = None) -> xarray.Dataset:
        """Return labels, local fields and tensors as an xarray dataset.

        Parameters
        ----------
        fields : sequence of str, optional
            Which fields to read; all by default.
        """
        from scalebridge.study.opened_tables import run_dataset

        return run_dataset(self, fields)

    def __repr__(self) -> str:
        image, lines = self._image, [f"{self.title}, {self.summary['run']['finished']}"]
        if image:
            fractions = ", ".join(
                f"{name} {100 * told['volume_fraction']:.4g} %"
                for name, told in list(image["phases"].items())[:6]
            )
            more = ", …" if len(image["phases"]) > 6 else ""
            size = " × ".join(str(n) for n in image["shape"])
            lines.append(f"{size}: {fractions}{more}")
        lines += [repr(result) for result in self.results.values()]
        lines += [f"bounds: {', '.join(self.bounds)}"] if self.bounds else []
        lines += [repr(load) for load in self.loads.values()]
        lines += [repr(part) for part in self.structures.values()]
        return "\n".join([*lines, repr(self.fields), *(f"warning: {w}" for w in self.warnings)])

    def _tensor(self, name: str, told: Mapping[str, Any]) -> OpenedTensor:
        constants = {
            key: np.array(value, float) if isinstance(value, list) else _number(value)
            for key, value in told["engineering_constants"].items()
        }
        return OpenedTensor(
            name=name,
            quantity=told["quantity"],
            unit=unit_of(told["quantity"], self.units),
            tensor=np.array(told["tensor"], float),
            voigt=np.array(told["voigt"], float),
            components=tuple(told["components"]),
            engineering_constants=constants,
            tortuosity=_hindrance(told.get("tortuosity")),
            boundary=told["boundary"],
            element=told["element"],
            plane=told["plane"],
            evidence=told["evidence"],
            warnings=tuple(told["warnings"]),
            timings=told["timings"],
            peak_memory=told["peak_memory_bytes"],
        )


def _bounds(told: Mapping[str, Any]) -> OpenedBounds:
    narrow = told["hashin_shtrikman"]
    return OpenedBounds(
        components=tuple(told["components"]),
        tensors={name: np.array(value, float) for name, value in told["tensors"].items()},
        hashin_shtrikman=narrow and {key: (low, high) for key, (low, high) in narrow.items()},
        order=tuple(told["order"]),
        infeasible=told["infeasible"],
        statements=tuple(told["statements"]),
    )


def _hindrance(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the measures by axis, with inf where JSON has null since nothing passes."""
    if not told:
        return None
    return {
        name: {axis: _number(v, np.inf) for axis, v in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in told.items()
    }


def _number(value: Any, missing: float = np.nan) -> Any:
    """Return what JSON, which has no nan and inf, writes as null."""
    return missing if value is None else value
