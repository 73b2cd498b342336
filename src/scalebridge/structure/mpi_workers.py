"""Cells answered by the ranks of an MPI job, each of which keeps the states of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scalebridge.errors import InputError, WorkersLostError
from scalebridge.structure.workers import Workers


class MpiWorkers(Workers):
    """Spread the cells over MPI ranks.

    All ranks run the same program, ``mpiexec -n 4 python part.py``, and the macroscopic
    iteration, which costs little; each answers the shards that are its own and keeps their
    states. Fluxes and tangents go to all. The ranks must run on processors of one kind. A rank
    that fails within the ``with`` ends the job.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        COMM_WORLD.

    Raises
    ------
    InputError
        mpi4py is not installed.

    Examples
    --------
    >>> with sb.structure.MpiWorkers() as workers:  # doctest: +SKIP
    ...     solution = part.solve(times, workers=workers)
    """

    def __init__(self, comm: Any = None) -> None:
        if comm is None:
            try:
                from mpi4py import MPI
            except (ImportError, RuntimeError) as error:
                raise InputError(
                    f"workers by MPI need mpi4py and an MPI library, but: {error}; install "
                    "scalebridge[mpi] and an MPI library, or use DaskWorkers"
                ) from error
            comm = MPI.COMM_WORLD
        self.comm, self.rank, self.size = comm, comm.Get_rank(), comm.Get_size()

    def is_here(self, shard: int, shards: int) -> bool:
        return shard * self.size // shards == self.rank

    def share(self, value: Any) -> Any:
        return value

    def call(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        count = len(arguments)
        return [
            _tried(function, given) if self.is_here(k, count) else None
            for k, given in enumerate(arguments)
        ]

    def gather(self, held: Sequence[Any]) -> list[Any]:
        own = {k: one for k, one in enumerate(held) if one is not None}
        every: dict[int, Any] = {}
        for part in self.comm.allgather(own):
            every |= part
        for one in every.values():
            if isinstance(one, _Failed):
                raise WorkersLostError(f"a rank of the MPI job failed: {one.reason}")
        return [every[k] for k in range(len(held))]

    def put(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def here(self, held: Sequence[Any]) -> list[Any]:
        return list(held)

    def agree(self, value: Any) -> Any:
        return self.comm.bcast(value)

    def barrier(self) -> None:
        self.comm.Barrier()

    def close(self) -> None:
        return

    def failed(self, error: BaseException) -> None:
        """End the job: ranks that wait for this one would wait for ever.

        What they had computed is in the checkpoint, if there is one.
        """
        if self.size == 1:
            return
        where = f" (rank {self.rank})" if self.rank else ""
        logging.getLogger("scalebridge").error("error: %s%s", str(error) or "interrupted", where)
        self.comm.Abort(130 if isinstance(error, KeyboardInterrupt) else 2)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self.failed(error)


class _Failed(NamedTuple):
    """What stands for a result that there is not, until all ranks can know."""

    reason: str


def _tried(function: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    failed = next((one for one in given if isinstance(one, _Failed)), None)
    if failed is not None:
        return failed
    try:
        return function(*given)
    except Exception as error:  # the others wait: they must be told
        return _Failed(f"{type(error).__name__}: {error}")
