"""Which jobs run: a worker knows, and says it with its next sign of life.

A task may have many jobs, so the keys of Dask's tasks do not tell.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

METRIC: Final = "kilocell_jobs"
"""Name of the jobs among the metrics that a worker sends to its scheduler, about once per second."""

_running: dict[int, tuple[str, ...]] = {}  # the job of each thread of this process


@contextmanager
def running_job(key: tuple[str, ...]) -> Iterator[None]:
    """Say that a job runs while the ``with`` block runs; outside of a worker, nobody hears it.

    Args:
        key: of the job: stage, cell, label.
    """
    if "distributed" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):  # this process is no worker
            get_worker().metrics[METRIC] = _list_running
    thread = threading.get_ident()
    _running[thread] = key
    try:
        yield
    finally:
        _running.pop(thread, None)


def jobs_of(worker: Any) -> list[tuple[str, ...]]:
    """Return the keys of the jobs that a worker ran when it last gave a sign of life.

    Args:
        worker: as the scheduler knows it (``distributed.scheduler.WorkerState``).
    """
    return [tuple(key) for key in worker.metrics.get(METRIC, ())]


def _list_running(worker: Any) -> list[list[str]]:
    return [list(key) for key in list(_running.values())]
