"""Cells answered by the ranks of an MPI job, each of which keeps the states of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scalebridge.errors import InputError, WorkersLostError
from scalebridge.structure.workers import Workers


class MpiWorkers(Workers):
    """Spread the cells over MPI ranks.

    All ranks run the same program, ``mpiexec -n 4 python part.py``, and the macroscopic
    iteration, which costs little; each answers the shards that are its own and keeps their
    states. Fluxes and tangents go to all. The ranks must run on processors of one kind.

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
    >>> solution = part.solve(times, workers=sb.structure.MpiWorkers())  # doctest: +SKIP
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

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Let no other rank wait for one that has failed."""
        if error is not None and self.size > 1:
            print(f"rank {self.rank} of the MPI job failed: {error}", file=sys.stderr, flush=True)
            self.comm.Abort(1)


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
