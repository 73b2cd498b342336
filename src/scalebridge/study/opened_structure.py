"""A structure as it was stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.errors import InputError, did_you_mean
from scalebridge.microstructure.vtkhdf import stored
from scalebridge.study.opened_columns import OverTime
from scalebridge.study.results import Results, read_results, reading

if TYPE_CHECKING:
    pass

Floats = NDArray[np.float64]
_GROUPS = ("PointData", "CellData")


@dataclass(frozen=True, repr=False)
class OpenedStructure(OverTime):
    """A structure that was solved and stored.

    Attributes
    ----------
    name : str
    physics : "conduction", "elasticity" or "finite strain"
    plane : str or None
    columns : dict of str to (step,)
        Column → values: ``time``, reactions ``SUPPORT.x``, loads ``PLACE.load_x``,
        displacements ``POINT.x`` and ``SUPPORT.u_x``, energies, Newton iterations; row 0 is rest.
    units : dict of str to str
        Kind of quantity → SI unit; without units in the study it is that of the input.
    steps, reached : int
        Rows that were asked for and that were reached.
    converged : bool
    message : str
        Empty, or what went wrong and what to do about it.
    residuals : tuple of tuples of tuples of (residual, tolerance, work, length)
        By row, substep and iteration; None where the loads were put on.
    kept : tuple of int
        Rows of which stresses and energies are stored.
    localized : tuple of dict
        Points whose cells are stored: "region", "place", "average", "rows", "statistics", ….
    hardest : tuple of dict
        Points whose cells took most iterations.
    path : Path
        The folder.
    """

    name: str
    physics: str
    plane: str | None
    columns: Mapping[str, Floats]
    units: Mapping[str, str]
    steps: int
    reached: int
    converged: bool
    message: str
    residuals: tuple[Any, ...]
    kept: tuple[int, ...]
    localized: tuple[Mapping[str, Any], ...]
    hardest: tuple[Mapping[str, Any], ...]
    path: Path

    @property
    def file(self) -> Path:
        """Its ``structure_NAME.vtkhdf``."""
        return self.path / f"structure_{self.name}.vtkhdf"

    @property
    def nodes(self) -> Floats:
        """Places of the nodes, (node, 3)."""
        with reading(self.file) as file:
            return np.asarray(stored(file, "VTKHDF/Points")[()])

    @property
    def connectivity(self) -> NDArray[np.int64]:
        """Nodes of the elements in VTK's order, (element, node)."""
        with reading(self.file) as file:
            nodes, offsets = (stored(file, f"VTKHDF/{n}")[()] for n in ("Connectivity", "Offsets"))
            return np.asarray(nodes).reshape(len(offsets) - 1, -1)

    def fields(self, row: int = -1) -> OpenedParts:
        """Return the arrays of a row, each read from the file when asked for.

        Parameters
        ----------
        row : int
            −1 is the last row that was reached.

        Examples
        --------
        >>> plate = sb.open("out").structures["plate"]  # doctest: +SKIP
        >>> plate.fields()["displacement"].max()  # doctest: +SKIP
        """
        count = len(self.times)
        wanted = row + count if row < 0 else row
        if not 0 <= wanted < count:
            raise InputError(f"`row` must be below {count}, but is {row}")
        return OpenedParts(self.file, wanted, float(self.times[wanted]))

    def inside(self, number: int = 0, row: int = -1) -> Results:
        """Return the microstructure and the fields of a point in `localized`.

        Parameters
        ----------
        number : int
            Which of `localized`.
        row : int
            One of its "rows"; −1 is the last row that was reached.
        """
        if not -len(self.localized) <= number < len(self.localized):
            raise InputError(
                f"`number` must be one of the {len(self.localized)} points whose cells are stored, "
                f"but is {number}; see `localize` in the study"
            )
        told = self.localized[number]
        wanted, rows = row + len(self.times) if row < 0 else row, list(told["rows"])
        if wanted not in rows:
            raise InputError(
                f"`row` must be one of {rows}, of which fields in the cell are stored, but is "
                f"{row}; see `fields` in the study"
            )
        return read_results(self.path / str(told["file"]), rows.index(wanted))

    def __repr__(self) -> str:
        energies = (self.columns[name][-1] for name in ("work", "stored", "dissipated"))
        work, kept, lost = energies
        ledger = f"\nwork {work:.6g}, stored {kept:.6g}, dissipated {lost:.6g}"
        if self.physics == "conduction":  # where fluxes do no work
            ledger = ""
        state = "" if self.converged else f"\nNOT CONVERGED: {self.message}"
        return (
            f"{self.name}: structure in {self.physics}, {self.reached} of {self.steps} steps to "
            f"t = {self.times[-1]:g}, {int(self.columns['newton'].sum())} Newton iterations"
            f"{ledger}{state}"
        )


class OpenedParts(Mapping[str, NDArray[Any]]):
    """The arrays of a structure at one time, (node, …) or (element, …), as ParaView has them.

    ``displacement`` or ``temperature`` at the nodes; in the elements ``region``, ``micro_work``
    (iterations of the micro problems in all) and means of gradient, flux and energy, NaN in rows
    that were not kept, with ``von_mises`` where all of the stress is known. Symmetric tensors are
    XX, YY, ZZ, XY, YZ, XZ, without Mandel's √2.

    Attributes
    ----------
    time : float
    """

    def __init__(self, path: Path, row: int, time: float) -> None:
        self._path, self._row, self.time = path, row, time
        with reading(path) as file:
            self._groups = {name: group for group in _GROUPS for name in file[f"VTKHDF/{group}"]}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._groups:
            known = list(self._groups)
            raise InputError(
                f"the array must be one of {known}, but is {name!r}{did_you_mean(name, known)}"
            )
        group = self._groups[name]
        count = "NumberOfPoints" if group == "PointData" else "NumberOfCells"
        with reading(self._path) as file:
            size = int(stored(file, f"VTKHDF/{count}")[0])
            offset = int(stored(file, f"VTKHDF/Steps/{group}Offsets/{name}")[self._row])
            return np.asarray(stored(file, f"VTKHDF/{group}/{name}")[offset : offset + size])

    def __contains__(self, name: object) -> bool:
        return name in self._groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __repr__(self) -> str:
        return f"arrays at t = {self.time:g}: {', '.join(self._groups)}"


def opened_structure(name: str, told: Mapping[str, Any], path: Path) -> OpenedStructure:
    """Return the structure that a summary tells of."""
    return OpenedStructure(
        name=name,
        physics=told["physics"],
        plane=told["plane"],
        columns={key: np.array(values, float) for key, values in told["table"].items()},
        units=told["units"],
        steps=told["steps"],
        reached=told["reached"],
        converged=told["converged"],
        message=told["message"],
        residuals=tuple(
            tuple(tuple(tuple(line) for line in substep) for substep in row)
            for row in told["residuals"]
        ),
        kept=tuple(told["kept"]),
        localized=tuple(told["localized"]),
        hardest=tuple(told["hardest"]),
        path=path,
    )
