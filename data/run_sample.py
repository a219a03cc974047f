"""What the process of a run notes of its workers from time to time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """The workers of a run at one moment.

    Args:
        workers: their number.
        threads: of all workers.
        memory_bytes: that all use.
        worker_memory_bytes: that the one with the most uses.
        running: number of jobs that run, by kind.
        hosts: number of workers by machine.
    """

    workers: int = 0
    threads: int = 0
    memory_bytes: int = 0
    worker_memory_bytes: int = 0
    running: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSample:
    """A sign of life of a run.

    Args:
        unix_second: when, s since 1970.
        counts: its workers.
        left_second: time left as the run estimates it, s; ``None`` = not known.
        left_is_least: whether a kind of job of which none has ended is left out.
    """

    unix_second: float
    counts: WorkerCounts
    left_second: float | None = None
    left_is_least: bool = False


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most that a run used at a time so far.

    Args:
        workers: number of workers.
        workers_memory_bytes: memory of all workers.
        worker_memory_bytes: memory of one worker.
        client_memory_bytes: memory of the run's own process; ``None`` = not known.
    """

    workers: int = 0
    workers_memory_bytes: int = 0
    worker_memory_bytes: int = 0
    client_memory_bytes: int | None = None

    def with_counts(self, counts: WorkerCounts, client_memory_bytes: int | None) -> Peaks:
        """Return the peaks after one more look."""
        return Peaks(
            max(self.workers, counts.workers),
            max(self.workers_memory_bytes, counts.memory_bytes),
            max(self.worker_memory_bytes, counts.worker_memory_bytes),
            client_memory_bytes,
        )


class Thinner:
    """Keeps a record of any length small: as it grows, its times are further apart.

    Args:
        most: number of times that are kept.
        spacing_second: distance of two times in the beginning, s.
    """

    def __init__(self, most: int, spacing_second: float) -> None:
        self._most = most
        self._spacing_second = spacing_second
        self._times: list[float] = []
        self._last_stays = True

    def add(self, unix_second: float, is_change: bool = False) -> list[float]:
        """Add a time, which is always kept until the next one.

        Args:
            is_change: something changed since the last one; both are kept.

        Returns:
            The times that are to be forgotten.
        """
        forgotten = []
        if not (is_change or self._last_stays) and self._times[-1] - self._times[-2] < 0.9 * self._spacing_second:
            forgotten.append(self._times.pop())
        self._times.append(unix_second)
        self._last_stays = is_change or len(self._times) == 1
        if len(self._times) > self._most:
            forgotten += self._times[1:-1:2]
            del self._times[1:-1:2]
            self._spacing_second *= 2.0
        return forgotten
