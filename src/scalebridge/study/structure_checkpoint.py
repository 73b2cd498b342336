"""Checkpoints of structures: a folder of plain arrays that only its own problem reads.

Rows are files of their own and never change. The state that a solve goes on from is a file for
each process, and ``latest.json`` names the row and the files that count; it is replaced when all
of them are there, so that a kill at any moment leaves the row before. Reading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import jax
import numpy as np

from scalebridge import __version__
from scalebridge.errors import InputError
from scalebridge.study.checkpoint import AnotherProblemError, describe_law, update
from scalebridge.study.files import atomic, write_json

if TYPE_CHECKING:
    from scalebridge.structure.balance import Balance
    from scalebridge.structure.record import Row, Saved, Snapshot
    from scalebridge.structure.workers import Workers

_FORMAT = "scalebridge structure 1"
_ROW = ("time", "u", "work", "stored", "dissipated")
_STATE = ("u", "internal", "size", "increment", "pull")
_FAULTS = (OSError, ValueError, KeyError, EOFError, TypeError, NotImplementedError, BadZipFile)


class StructureCheckpoint:
    """Where `Structure.solve` saves its rows as it goes, and takes them up again.

    Parameters
    ----------
    folder : str or Path
        Made where absent.

    Raises
    ------
    InputError
        Files that are truncated, foreign, of another version, or of another problem.

    Examples
    --------
    >>> import scalebridge as sb
    >>> checkpoint = sb.StructureCheckpoint("plate.checkpoint")
    >>> solution = part.solve(times, checkpoint=checkpoint)  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._problem = ""

    @property
    def _latest(self) -> Path:
        return self.folder / "latest.json"

    def restore(self, balance: Balance, times: np.ndarray, options: str) -> Saved | None:
        """Return what was saved of a problem, or None where there is nothing yet."""
        self._problem = fingerprint(balance, times, options)
        if not self._latest.exists():
            self._try_folder()
            return None
        try:
            told = json.loads(self._latest.read_text(encoding="utf-8"))
            named = [told[key] for key in ("format", "version", "problem")]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._foreign(error) from error
        if named[0] != _FORMAT:
            raise self._foreign(f"format {named[0]!r}")
        if named[1] != __version__:
            raise AnotherProblemError(
                f"{str(self.folder)!r} was written by scalebridge {named[1]}, but this is "
                f"{__version__}; remove it to begin anew"
            )
        if named[2] != self._problem:
            raise AnotherProblemError(
                f"{str(self.folder)!r} is the checkpoint of another problem: the mesh, the laws, "
                "supports, loads, times, the tolerance or the kind of workers differ; choose "
                "another folder, or remove it to begin anew"
            )
        file = self.folder
        try:
            rows = []
            for number in range(int(told["row"]) + 1):
                file = self._row(number)
                rows.append(_unpack_row(number, _read(file), balance))
            arrays: dict[str, np.ndarray] = {}
            for name in told["states"]:
                file = self.folder / Path(name).name
                arrays |= _read(file)
            return _saved(tuple(rows), arrays, balance)
        except _FAULTS as error:
            raise InputError(
                f"{str(file)!r} is part of a checkpoint, but cannot be read ({error}); remove "
                f"{str(self.folder)!r} to begin anew"
            ) from error

    def save(self, row: Row, snapshot: Snapshot, workers: Workers | None) -> None:
        """Save a row, and the state at it."""
        rank, size = (0, 1) if workers is None else (workers.rank, workers.size)
        names = [f"state-{row.number:06d}-{k}.npz" for k in range(size)]
        _write(self.folder / names[rank], _pack_state(snapshot, rank))
        if workers is not None:
            workers.barrier()
        if rank:
            return
        _write(self._row(row.number), _pack_row(row))
        told = {"format": _FORMAT, "version": __version__, "problem": self._problem}
        write_json(self._latest, {**told, "row": row.number, "states": names})
        for old in self.folder.glob("state-*.npz"):
            if old.name < f"state-{row.number:06d}":  # other ranks may be a row ahead
                old.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, if it is a checkpoint."""
        if self._latest.exists() or not any(self.folder.glob("*")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _try_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise InputError(
                f"`folder` of a checkpoint must be writable, but {str(self.folder)!r} is not "
                f"({error.strerror or error}); choose another one"
            ) from error

    def _row(self, number: int) -> Path:
        return self.folder / f"row-{number:06d}.npz"

    def _foreign(self, why: object) -> InputError:
        return InputError(
            f"{str(self.folder)!r} must be a checkpoint of a structure, but its latest.json is "
            f"not ({why}); choose another folder, or remove it to begin anew"
        )


def fingerprint(balance: Balance, times: np.ndarray, options: str) -> str:
    """Return a hash of all that the result depends on.

    Supports and loads count by their values at the times: functions of place cannot be compared.
    """
    space, digest = balance.space, hashlib.sha256()
    start, span = times[0], times[-1] - times[0]

    digest.update(repr((options, balance.linear_solver, space.order)).encode())
    arrays = partial(update, digest)
    arrays(times, space.nodes, space.connectivity, space.weights)
    arrays(balance.supports.fixed, balance.supports.master)
    if balance.supports.oblique is not None:
        arrays(balance.supports.oblique.nodes, balance.supports.oblique.projectors)
    digest.update(repr([(one.name, one.kind) for one in balance.loads.loads]).encode())
    for one in balance.supports.held:
        digest.update(repr((one.name, one.component)).encode())
        arrays(one.nodes)
    for t in times:
        share = (t - start) / span
        arrays(balance.supports.values(space, t, share))
        arrays(balance.loads.forces(space, np.zeros(balance.supports.fixed.shape), t, share))
    for region in balance.regions:
        digest.update(repr((region.name, getattr(region.points, "tangent", ""))).encode())
        arrays(region.elements, region.operator)
        if region.turns is not None:
            arrays(region.turns)
        describe_law(digest, region.law)
    return digest.hexdigest()


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **{name: np.asarray(value) for name, value in arrays.items()})  # type: ignore[arg-type]


def _read(path: Path) -> dict[str, np.ndarray]:
    # Opened here: np.load leaves a file open that it cannot read.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _pack_row(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(row, name) for name in _ROW}
    found |= {f"reactions/{name}": value for name, value in row.reactions.items()}
    for k, substep in enumerate(row.iterations):
        found[f"iterations/{k}"] = np.array(substep, float)
    for region, fields in (row.fields or {}).items():
        found |= _pack_fields(region, fields)
    for (element, point), state in row.watched.items():
        for n, leaf in enumerate(jax.tree.leaves(state)):
            found[f"watched/{element}/{point}/{n}"] = leaf
    return found


def _pack_fields(region: str, fields: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {f"fields/{name}/{region}": values for name, values in fields.items()}


def _unpack_fields(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]] | None:
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, values in arrays.items():
        if key.startswith("fields/"):
            _, name, region = key.split("/", 2)
            found.setdefault(region, {})[name] = values
    return found or None


def _unpack_row(number: int, arrays: Mapping[str, np.ndarray], balance: Balance) -> Row:
    from scalebridge.structure.newton import Iteration
    from scalebridge.structure.record import Row

    substeps = sum(key.startswith("iterations/") for key in arrays)
    return Row(
        number=number,
        time=float(arrays["time"]),
        u=arrays["u"],
        work=float(arrays["work"]),
        stored=float(arrays["stored"]),
        dissipated=float(arrays["dissipated"]),
        reactions={
            key.removeprefix("reactions/"): values
            for key, values in arrays.items()
            if key.startswith("reactions/")
        },
        iterations=tuple(
            tuple(
                Iteration(float(r), float(tolerance), int(work), float(length), int(element))
                for r, tolerance, work, length, element in arrays[f"iterations/{k}"]
            )
            for k in range(substeps)
        ),
        fields=_unpack_fields(arrays),
        watched=_unpack_watched(arrays, balance),
    )


def _unpack_watched(arrays: Mapping[str, np.ndarray], balance: Balance) -> dict[Any, Any]:
    from scalebridge.structure.chosen_points import virgin_at

    found: dict[Any, Any] = {}
    for key in arrays:
        if key.startswith("watched/") and key.endswith("/0"):
            element, point = (int(number) for number in key.split("/")[1:3])
            template, form = jax.tree.flatten(virgin_at((element, point), balance.regions))
            leaves = [arrays[f"watched/{element}/{point}/{n}"] for n in range(len(template))]
            found[element, point] = jax.tree.unflatten(form, leaves)
    return found


def _pack_state(snapshot: Snapshot, rank: int) -> dict[str, Any]:
    """Return the states that are in this process, and in the first one all the rest."""
    found: dict[str, Any] = {}
    for k, parts in enumerate(snapshot.parts):
        for part in parts:
            for n, leaf in enumerate(jax.tree.leaves(part.states)):
                found[f"states/{k}/{part.start}/{part.stop}/{n}"] = leaf
    if rank:
        return found
    now = snapshot.now
    found |= {name: getattr(now, name) for name in _STATE if getattr(now, name) is not None}
    found |= {"moment": np.array(now.moment), "first": snapshot.totals.first}
    for k, (work, lost) in enumerate(zip(now.work, snapshot.totals.dissipation, strict=True)):
        found |= {f"work/{k}": work, f"lost/{k}": lost}
    found |= {f"spent/{name}": values for name, values in snapshot.work.items()}
    for region, fields in snapshot.fields.items():
        found |= _pack_fields(region, fields)
    return found


def _saved(rows: tuple[Row, ...], arrays: dict[str, np.ndarray], balance: Balance) -> Saved:
    from scalebridge.structure.newton import Moment
    from scalebridge.structure.record import Committed, Saved, Snapshot, Totals

    count = len(balance.regions)
    now = Committed(
        u=arrays["u"],
        states=(),
        guesses={},
        work=tuple(arrays[f"work/{k}"] for k in range(count)),
        internal=arrays["internal"],
        moment=Moment(*(float(value) for value in arrays["moment"])),
        increment=arrays.get("increment"),
        pull=arrays.get("pull"),
        size=float(arrays["size"]),
    )
    totals = Totals(tuple(arrays[f"lost/{k}"] for k in range(count)), float(arrays["first"]))
    spent = {r.name: arrays[f"spent/{r.name}"] for r in balance.regions}
    parts = tuple(_parts(arrays, k, region) for k, region in enumerate(balance.regions))
    return Saved(rows, Snapshot(now, totals, _unpack_fields(arrays) or {}, spent, parts))


def _parts(arrays: Mapping[str, np.ndarray], number: int, region: Any) -> Sequence[Any]:
    """Return the states of a region's points, in the form that its law gives them."""
    from scalebridge.structure.answers import Part

    template, form = jax.tree.flatten(region.points.one_virgin())
    ranges = {
        (int(key.split("/")[2]), int(key.split("/")[3]))
        for key in arrays
        if key.startswith(f"states/{number}/")
    }
    if not template:
        return [Part(0, region.points.count, jax.tree.unflatten(form, []))]
    parts = []
    for start, stop in sorted(ranges):
        leaves = [arrays[f"states/{number}/{start}/{stop}/{n}"] for n in range(len(template))]
        parts.append(Part(start, stop, jax.tree.unflatten(form, leaves)))
    if sum(part.stop - part.start for part in parts) != region.points.count:
        raise KeyError(f"states of region {region.name!r}")
    return parts
