"""Count the workers of a run: how many, where, with how much memory, and what they run."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from ...data.run_sample import WorkerCounts
from .running_jobs import METRIC
from .workers import LOOPBACK, Workers

ANSWER_SECOND: Final = 5.0
"""How long the scheduler may take to answer, s."""

SLOW_NAME_SECOND: Final = 1.0
"""A name service that takes longer, s, is not asked again: machines are then shown by their addresses."""

_OneWorker = tuple[str, int, int, list[str]]
"""Address, threads, memory in bytes, and the stages of the jobs that run."""


class WorkerCounter:
    """Counts the workers of a scheduler.

    Args:
        workers: of the run.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._names: dict[str, str] = {host: socket.gethostname() for host in LOOPBACK}
        self._asks_names = True

    def count(self) -> WorkerCounts:
        """Return the workers as the scheduler last heard from them; call it in any thread but Dask's.

        Raises:
            Exception: the scheduler does not answer.
        """
        return self._sum(self._ask())

    def _ask(self) -> list[_OneWorker]:
        client, scheduler = self._workers.client, self._workers.scheduler
        lister = _lister()

        async def ask() -> Any:  # in the thread of the scheduler or client, or workers might change meanwhile
            if scheduler is not None:
                return lister(scheduler)
            return await client.run_on_scheduler(lister, asynchronous=True)

        answer: list[_OneWorker] = client.sync(ask, callback_timeout=ANSWER_SECOND)
        return answer

    def _sum(self, workers: Iterable[_OneWorker]) -> WorkerCounts:
        listed = list(workers)
        running = Counter(stage.partition("-")[0] for *_, stages in listed for stage in stages)
        memory = [memory for _, _, memory, _ in listed]
        return WorkerCounts(
            workers=len(listed),
            threads=sum(threads for _, threads, _, _ in listed),
            memory_bytes=sum(memory),
            worker_memory_bytes=max(memory, default=0),
            running=dict(running),
            hosts=dict(Counter(self._name(address) for address, *_ in listed)),
        )

    def _name(self, address: str) -> str:
        if address not in self._names and self._asks_names:
            began = time.monotonic()
            self._names[address] = _host_name(address)
            self._asks_names = time.monotonic() - began < SLOW_NAME_SECOND
        return self._names.get(address, address)


def _host_name(address: str) -> str:
    """Return the name of a machine, without its domain; its address if it has no name."""
    here = socket.gethostname()
    with suppress(OSError):
        if address in {str(found[4][0]) for found in socket.getaddrinfo(here, None)}:
            return here
    with suppress(OSError):
        return socket.gethostbyaddr(address)[0].partition(".")[0]
    return address


def _lister() -> Any:
    """Return a function that travels to a scheduler by value, because it is made here: kilocell need not be there."""

    metric = METRIC

    def list_workers(dask_scheduler: Any) -> list[_OneWorker]:
        return [
            (
                str(worker.host),
                int(worker.nthreads),
                int(worker.metrics.get("memory") or 0),
                [str(key[0]) for key in worker.metrics.get(metric, ())],
            )
            for worker in dask_scheduler.workers.values()
        ]

    return list_workers
