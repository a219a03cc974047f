"""Let a job run alone in its worker process if the job's worker died before.

With several threads, jobs share a process and die together. The job that ends the process is found by running each of
them again without the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CHANGED: Final = threading.Condition()
_JOBS: Final[dict[str, int]] = {"together": 0, "alone": 0, "waiting": 0}
"""Number of jobs of this process that run together with others, run alone, or wait to run alone."""


@contextmanager
def share_process(alone: bool) -> Iterator[None]:
    """Run the ``with`` block together with other jobs of this process, or alone in it.

    Args:
        alone: wait until no other job runs in this process, and let none begin.
    """
    with _CHANGED:
        if alone:
            _JOBS["waiting"] += 1
            _CHANGED.wait_for(lambda: not _JOBS["together"] and not _JOBS["alone"])
            _JOBS["waiting"] -= 1
        else:
            _CHANGED.wait_for(lambda: not _JOBS["alone"] and not _JOBS["waiting"])
        mode = "alone" if alone else "together"
        _JOBS[mode] += 1
    try:
        yield
    finally:
        with _CHANGED:
            _JOBS[mode] -= 1
            _CHANGED.notify_all()
