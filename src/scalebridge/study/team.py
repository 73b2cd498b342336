"""The processes that answer the cells of a run's structures, as the command line names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scalebridge.errors import InputError

if TYPE_CHECKING:
    from scalebridge.structure import Workers


@contextmanager
def team(words: str | None) -> Iterator[Workers | None]:
    """Give workers while the block runs.

    Parameters
    ----------
    words : str or None
        A number of local processes, the address of a Dask scheduler, "mpi", or None: the cells
        are answered in this process.

    Raises
    ------
    InputError
        Other words, a scheduler that does not answer, a package that is not installed.
    """
    if words is None:
        yield None
        return
    from scalebridge.structure import DaskWorkers, MpiWorkers

    workers: Workers
    if words == "mpi":
        workers = MpiWorkers()
    elif words.isdecimal() and int(words):
        workers = DaskWorkers(int(words))
    elif "://" in words:
        workers = DaskWorkers(address=words)
    else:
        raise InputError(
            "`workers` must be a number of processes, the address of a Dask scheduler such as "
            f"tcp://host:8786, or mpi under mpiexec, but is {words!r}"
        )
    with workers:
        yield workers
