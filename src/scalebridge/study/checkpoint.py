"""Checkpoints of load histories: one file, whole or absent, that only its own problem reads.

The file is a NumPy archive of plain arrays; reading it executes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import numpy as np

from scalebridge import __version__
from scalebridge.cell import nonlinear
from scalebridge.cell.cell import Cell
from scalebridge.errors import InputError
from scalebridge.laws.protocol import Law
from scalebridge.study.files import atomic
from scalebridge.study.functions import functions_in
from scalebridge.upscaling import substeps
from scalebridge.upscaling.history import End, History, Ledger, Snapshot
from scalebridge.upscaling.path import Path as LoadPath

_FORMAT = 1
_COLUMNS = ("times", "gradient", "flux", "newton", "krylov", "substeps")


class AnotherProblemError(InputError):
    """A checkpoint that is whole, but of another problem or another version."""


class Checkpoint:
    """Where `sb.load` saves a history as it goes, and takes it up again.

    Parameters
    ----------
    path : str or Path
        Written anew after each row, or each few.
    every : int
        Rows between two saves.

    Raises
    ------
    InputError
        A file that is truncated, foreign, of another version, or of another problem.

    Examples
    --------
    >>> import scalebridge as sb
    >>> checkpoint = sb.Checkpoint("tension.npz")
    >>> history = sb.load(cell, times, strain=strain, checkpoint=checkpoint)  # doctest: +SKIP
    """

    def __init__(self, path: str | Path, every: int = 1) -> None:
        if not isinstance(every, int) or every < 1:
            raise InputError(f"`every` must be a whole number ≥ 1, but is {every!r}")
        self.path, self.every = Path(path), every
        self._problem = ""

    def restore(self, cell: Cell, path: LoadPath, options: str) -> History | None:
        """Return the history in the file, or None where there is no file yet."""
        self._problem = fingerprint(cell, path, options)
        if not self.path.exists():
            return None
        try:
            # Opened here: np.load leaves a file open that it cannot read.
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, NotImplementedError, BadZipFile) as error:
            raise InputError(
                f"{str(self.path)!r} must be a checkpoint, but cannot be read ({error}); remove it "
                "to begin anew"
            ) from error
        told = [str(arrays.get(name, "")) for name in ("format", "version", "problem")]
        if told[0] != str(_FORMAT):
            raise InputError(f"{str(self.path)!r} is not a checkpoint of scalebridge")
        if told[1] != __version__:
            raise AnotherProblemError(
                f"{str(self.path)!r} was written by scalebridge {told[1]}, but this is "
                f"{__version__}; remove it to begin anew"
            )
        if told[2] != self._problem:
            raise AnotherProblemError(
                f"{str(self.path)!r} is the checkpoint of another problem: the cell, its laws, the "
                "path or the tolerance differ; choose another file, or remove it to begin anew"
            )
        return _unpack(arrays, cell, path)

    def save(self, history: History) -> None:
        """Write a history, if it is its turn."""
        if (len(history.times) - 1) % self.every:
            return
        told = {"format": _FORMAT, "version": __version__, "problem": self._problem}
        arrays = {**{k: np.asarray(v) for k, v in told.items()}, **_pack(history)}
        with atomic(self.path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]


def fingerprint(cell: Cell, path: LoadPath, options: str) -> str:
    """Return a hash of all that the result depends on."""
    digest = hashlib.sha256(options.encode())
    describe_law(digest, cell)
    update(digest, path.times, path.gradient, path.flux, path.free)
    return digest.hexdigest()


def describe_law(digest: Any, law: Law) -> None:
    """Add all that the response of a law, or of a cell, depends on to a hash."""
    if not isinstance(law, Cell):
        digest.update(repr(law).encode())
        update(digest, *jax.tree.leaves(law))
        for told in functions_in(law):
            digest.update(told)
        return
    micro = law.microstructure
    words = (micro.shape, micro.spacing, micro.names, law.boundary, law.element, law.plane)
    digest.update(repr((words, law.tolerance, list(law.laws), list(law.rotations))).encode())
    update(digest, micro.labels, *jax.tree.leaves(law.rotations))
    for inner in law.laws.values():
        describe_law(digest, inner)


def update(digest: Any, *arrays: Any) -> None:
    """Add arrays to a hash."""
    for array in arrays:
        plain = np.ascontiguousarray(array)
        digest.update(f"{plain.dtype}{plain.shape}".encode() + plain.tobytes())


def _pack(history: History) -> dict[str, np.ndarray]:
    arrays = {name: getattr(history, name) for name in _COLUMNS}
    arrays |= {f"ledger/{name}": values for name, values in vars(history.ledger).items()}
    if history.tangents is not None:
        arrays["tangents"] = history.tangents
    for row, fields in (history.fields or {}).items():
        arrays |= {f"fields/{row}/{name}": values for name, values in fields.items()}
    end = history.end
    arrays["end"] = np.array([end.dt, end.first_energy])
    for name, snapshot in (("now", end.now), ("before", end.before)):
        for k, leaf in enumerate(jax.tree.leaves(snapshot)):
            arrays[f"{name}/{k}"] = np.asarray(leaf)
    return arrays


def _unpack(arrays: dict[str, Any], cell: Cell, path: LoadPath) -> History:
    equations = nonlinear.prepare(cell)
    template = substeps.rest(equations, nonlinear.virgin(equations, cell.kinematics))
    leaves, structure = jax.tree.flatten(template)

    def snapshot(name: str) -> Snapshot | None:
        if f"{name}/0" not in arrays:
            return None
        found = [jax.numpy.asarray(arrays[f"{name}/{k}"]) for k in range(len(leaves))]
        return jax.tree.unflatten(structure, found)

    now = snapshot("now")
    if now is None:
        raise InputError("the checkpoint holds no state; remove it to begin anew")
    dt, first_energy = (float(value) for value in arrays["end"])
    fields: dict[int, dict[str, np.ndarray]] = {}
    for key, values in arrays.items():
        if key.startswith("fields/"):
            _, row, name = key.split("/", 2)
            fields.setdefault(int(row), {})[name] = values
    return History(
        **{name: arrays[name] for name in _COLUMNS},
        ledger=Ledger(**{n: arrays[f"ledger/{n}"] for n in Ledger.__dataclass_fields__}),
        physics=cell.physics,
        components=path.components,
        end=End(now, snapshot("before"), dt, first_energy),
        tangents=arrays.get("tangents"),
        fields=fields,
    )
