"""Cells answered by a Dask cluster: a worker that dies changes nothing but the time it takes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scalebridge.errors import InputError, WorkersLostError
from scalebridge.structure.workers import Workers

_PATIENCE = 30.0  # seconds without any worker


class DaskWorkers(Workers):
    """Spread the cells over the workers of a Dask cluster.

    Tasks are pure: what a lost worker was computing, or held, is computed again from the
    committed states, which are here. A program that starts workers on its own machine must do
    so under ``if __name__ == "__main__":``.

    Parameters
    ----------
    count : int, optional
        Workers to start on this machine; one for each core where neither `address` nor
        `client` is given.
    address : str, optional
        Of a running scheduler, ``tcp://host:8786``.
    client : distributed.Client, optional
        Of any cluster, as dask-jobqueue starts them.

    Raises
    ------
    InputError
        `distributed` is not installed, no scheduler answers, more than one of the arguments.

    Examples
    --------
    >>> with sb.structure.DaskWorkers(4) as workers:  # doctest: +SKIP
    ...     solution = part.solve(times, workers=workers)
    """

    def __init__(
        self, count: int | None = None, *, address: str | None = None, client: Any = None
    ) -> None:
        if sum(given is not None for given in (count, address, client)) > 1:
            raise InputError("one of `count`, `address` and `client` must be given, not several")
        if count is not None and (not isinstance(count, int) or count < 1):
            raise InputError(f"`count` must be a whole number ≥ 1, but is {count!r}")
        if address is not None and not isinstance(address, str):
            raise InputError(f"`address` must be text such as tcp://host:8786, but is {address!r}")
        try:
            import distributed
        except ImportError as error:
            raise InputError(
                "workers by Dask need the package distributed; install scalebridge[dask]"
            ) from error
        self._cluster: Any = None
        self._own = client is None
        if client is not None:
            self.client = client
        elif address is not None:
            try:
                self.client = distributed.Client(address, timeout="5s", set_as_default=False)
            except (OSError, TimeoutError, ValueError) as error:
                raise InputError(
                    f"`address` must be that of a running Dask scheduler, but {address!r} does "
                    f"not answer ({error}); start one with `dask scheduler`"
                ) from error
        else:
            self._cluster = distributed.LocalCluster(
                n_workers=count or os.cpu_count() or 1,
                threads_per_worker=1,
                memory_limit=0,
                silence_logs=logging.ERROR,
                dashboard_address="127.0.0.1:0",  # None takes port 8787, and warns if it is taken
            )
            self.client = distributed.Client(self._cluster, set_as_default=False)

    def share(self, value: Any) -> Any:
        return self._submit(_same, value)

    def call(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [self._submit(function, *given) for given in arguments]

    def gather(self, held: Sequence[Any]) -> list[Any]:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        known = {k: one.value for k, one in enumerate(held) if isinstance(one, _Kept)}
        rest = [one for one in held if not isinstance(one, _Kept)]
        try:
            self._wait(rest)
            found = iter(self.client.gather(rest) if rest else ())
        except KilledWorker as error:
            raise WorkersLostError(
                f"workers died again and again on the same cells ({error}); they may be too large "
                "for the memory: start fewer workers on a machine"
            ) from error
        except (FutureCancelledError, OSError, TimeoutError) as error:
            raise WorkersLostError(
                f"the connection to the Dask scheduler was lost ({error})"
            ) from error
        return [known[k] if k in known else next(found) for k in range(len(held))]

    def _wait(self, futures: Sequence[Any]) -> None:
        """Wait for results, but not where nobody is left who could compute them."""
        from distributed import wait

        while futures:
            try:
                with self.client.as_current():
                    wait(futures, timeout=_PATIENCE)
                return
            except TimeoutError:
                if not self.client.nthreads():
                    raise WorkersLostError(
                        "the Dask cluster has no workers left; start some, and go on from the "
                        "checkpoint"
                    ) from None

    def put(self, values: Sequence[Any]) -> list[Any]:
        return [_Kept(self._submit(_same, value), value) for value in values]

    def keep(self, held: Sequence[Any]) -> list[Any]:
        return self.put(self.gather(held))

    def barrier(self) -> None:
        return

    def close(self) -> None:
        if self._own:
            self.client.close()
        if self._cluster is not None:
            self._cluster.close()

    def _submit(self, function: Callable[..., Any], *given: Any) -> Any:
        import dask

        if self.client.status == "closed":
            raise InputError("`workers` must be open, but are closed; start others")
        plain = [one.future if isinstance(one, _Kept) else one for one in given]
        # The states of a shard are meant to travel.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            return self.client.submit(function, *plain, pure=False)


class _Kept(NamedTuple):
    """What a worker can be given again, since it is here too."""

    future: Any
    value: Any


def _same(value: Any) -> Any:
    return value
