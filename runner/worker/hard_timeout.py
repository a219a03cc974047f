"""End a job at its time limit, also one that Python cannot end: a solver that does not return from C.

A simulation checks its time limit between attempts and windows, a start of a fit between evaluations. What does not
return in time is ended with its worker process by a watchdog thread of :mod:`faulthandler`, which needs no lock of the
interpreter. The nanny starts a new worker, Dask gives that one the same job, and the job fails at once because of what
the first process wrote.
"""

from __future__ import annotations

import faulthandler
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ...data.errors import JobError

GRACE_SECOND: Final = 10.0
"""Time after its limit until a job is ended that should end itself: for the solver call that runs at the limit."""

LONGEST_PAUSE_SECOND: Final = 3600.0
"""Longest time that a job may take while its time limit does not count: to build a model, or to write its results."""

_FAULTHANDLER_HEAD: Final = "Timeout ("
"""First words of what faulthandler writes when it ends a process."""

_LOCK: Final = threading.Lock()
_ENDS: Final[dict[IO[str], float]] = {}
"""When each block of this process is ended, s on :func:`time.monotonic`, by the file of the block."""


@contextmanager
def hard_timeout(
    path: Path, limit_second: float, reason: str, grace_second: float = GRACE_SECOND
) -> Iterator[Callable[[float], None]]:
    """End this process if the ``with`` block takes longer than its time limit.

    Args:
        path: the file that notes where the job began (:mod:`kilocell.runner.worker.deaths`); a process that is ended
            adds to it.
        limit_second: time limit of the block, s.
        reason: why the job failed if it is ended, for people.
        grace_second: time after the limit until the process is ended, s.

    Yields:
        A function that sets the time that is left, in s; infinity while the limit does not count.

    Raises:
        JobError: an earlier process was ended in this block under the same limit (``time_limit``).
    """
    head = f"time limit {limit_second:g} s\n"
    if head + _FAULTHANDLER_HEAD in _read_text(path):
        raise JobError(reason, "time_limit")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(head)
        file.flush()

        def set_left(seconds: float) -> None:
            left = LONGEST_PAUSE_SECOND if math.isinf(seconds) else max(seconds, 0.0)
            with _LOCK:
                _ENDS[file] = time.monotonic() + left + grace_second
                _watch_first()

        set_left(limit_second)
        try:
            yield set_left
        finally:
            with _LOCK:
                del _ENDS[file]
                _watch_first()


def _watch_first() -> None:
    """Let the watchdog, of which a process has one, wait for the block that is to end first; call it with the lock."""
    if not _ENDS:
        faulthandler.cancel_dump_traceback_later()
        return
    file = min(_ENDS, key=lambda one: _ENDS[one])
    left = max(_ENDS[file] - time.monotonic(), 0.001)
    faulthandler.dump_traceback_later(left, exit=True, file=file)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
