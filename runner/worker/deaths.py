"""Count how often the worker of a job died, by a file that exists while the job runs.

Dask counts a death against every job that a worker had been given, also those that had not begun. The file gets a line
when a job begins and is deleted when it ends, so it knows which job ran. What ends a process at the job's time limit
writes to the same file (:mod:`kilocell.runner.worker.hard_timeout`).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ...parquet_store.layout import Store
from ..plan.job import Job, StartWork

MOST_DEATHS: Final = 3
"""Deaths of a job's workers in one run after which the job has failed. Chosen, not measured: one death may be bad luck,
such as a neighbour that took all memory."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A worker process in which a job began.

    Args:
        host: name of its machine.
        pid: number of the process.
        unix_second: when the job began, s since 1970.
    """

    host: str
    pid: int
    unix_second: float


def count(store: Store, job: Job) -> int:
    """Return how often a job began in this run and did not end, because its process died."""
    return len(read_beginnings(begun_path(store, job)))


def begin(store: Store, job: Job) -> None:
    """Note that a job begins in this process."""
    path = begun_path(store, job)
    now = Beginning(socket.gethostname(), os.getpid(), time.time())
    with suppress(OSError):  # a full disk: the job itself says so
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not atomic: the end of a process does not lose what it has written, and a loss of power ends the run.
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(now)) + "\n")


def end(store: Store, job: Job) -> None:
    """Note that a job ended, with or without success: its process did not die."""
    begun_path(store, job).unlink(missing_ok=True)


def forget(store: Store, jobs: Iterable[Job]) -> None:
    """Forget the deaths of an earlier run, which may have been killed with all its jobs."""
    for job in jobs:
        end(store, job)


def most_deaths(job: Job) -> int:
    """Return after how many deaths a job has failed; a start of a fit has one more try, to report its best point."""
    return MOST_DEATHS + isinstance(job.work, StartWork)


def begun_path(store: Store, job: Job) -> Path:
    """Return the path of the file that exists while a job runs."""
    return store.begun(job.kind, job.cell_id, job.label)


def read_beginnings(path: Path) -> list[Beginning]:
    """Read in which processes a job began that have not ended it; empty = in none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [one for line in lines if line.startswith("{") and (one := _parse(line)) is not None]


def _parse(line: str) -> Beginning | None:
    try:
        named = json.loads(line)
        return Beginning(str(named["host"]), int(named["pid"]), float(named["unix_second"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # cut off, or no line of this module
