"""The record of a run while it runs: its log, and its workers over time, which a thread looks at.

It costs less than a thousandth of a core, and nothing that goes wrong with it ends a run.
"""

from __future__ import annotations

import math
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ...data.run_sample import Peaks, RunSample, Thinner, WorkerCounts
from ...parquet_store.layout import Store
from ...sqlite.catalog import Catalog
from ...sqlite.run_samples import RunSamples
from ..signals import shielded_threads
from .run_log import RunLog

if TYPE_CHECKING:
    from ..cluster.workers import Workers

LOOK_SECOND: Final = 2.0
"""Time between two looks at the workers, s; their memory may be larger in between. Chosen, not measured."""

WRITE_SECOND: Final = 10.0
"""Time between two samples in the catalog, s, while the number of workers stays the same. Chosen, not measured."""

MOST_SAMPLES: Final = 1000
"""Samples of a run that are kept: of a day, one for each 3 min. Chosen, not measured."""

MOST_WAITING: Final = 30
"""Samples that wait for a catalog that others use; older ones are lost."""


class Remaining(Protocol):
    """What says how long a run still takes."""

    def time_left(self) -> tuple[float | None, bool]:
        """Return the time left in s (``None`` = not known), and whether it takes longer."""
        ...


class RunRecord:
    """Records what a run does beside its jobs.

    Args:
        catalog: open for writing, without a transaction.
        store: the run's store.
        run_id: of the catalog.
    """

    def __init__(self, catalog: Catalog, store: Store, run_id: int) -> None:
        self._catalog = catalog
        self._run_id = run_id
        self._lock = threading.Lock()
        self._count: Callable[[], WorkerCounts] | None = None
        self._remaining: Remaining | None = None
        self._wake = threading.Event()
        self.log = RunLog(store, run_id)

    def describe(self, **columns: str | None) -> None:
        """Record columns of the row of the run, and where its log is."""
        self._catalog.describe_run(self._run_id, {"log": self.log.name, **columns})

    def describe_end(self) -> None:
        """Record the largest memory of this process."""
        self._catalog.describe_run(self._run_id, {"client_memory_peak_bytes": memory_peak_bytes()})

    @contextmanager
    def sampling(self, look_second: float = LOOK_SECOND, write_second: float = WRITE_SECOND) -> Iterator[None]:
        """Give signs of life while the block runs.

        Args:
            look_second: time between two looks at the workers, s.
            write_second: time between two samples in the catalog, s.
        """
        try:
            samples = RunSamples(self._catalog.path, self._run_id)
        except Exception:
            yield
            return
        sampler = _Sampler(self._look, samples, write_second)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                sampler.step()
                self._wake.wait(look_second)
                self._wake.clear()

        with shielded_threads():  # signals are for the main thread
            thread = threading.Thread(target=work, name="kilocell-run-record", daemon=True)
            thread.start()
        try:
            yield
        finally:
            stop.set()
            self._wake.set()
            thread.join()
            sampler.finish()
            samples.close()

    @contextmanager
    def watching(self, workers: Workers, remaining: Remaining) -> Iterator[None]:
        """Look at workers while the block runs.

        Args:
            workers: of the run.
            remaining: says how long the run still takes.
        """
        from ..cluster.worker_counts import WorkerCounter

        with self._lock:
            self._count, self._remaining = WorkerCounter(workers).count, remaining
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._count = self._remaining = None

    def _look(self) -> RunSample:
        """Return the workers now; without any while they start and stop."""
        with self._lock:
            counts, left, is_least = WorkerCounts(), None, False
            if self._count is not None and self._remaining is not None:
                counts = self._count()
                left, is_least = self._remaining.time_left()
        return RunSample(time.time(), counts, left, is_least)


class _Sampler:
    """Takes samples, and writes those that are due.

    Args:
        look: returns a sample; whatever it raises, there is none this time.
        samples: where they are written.
        write_second: time between two of them, s.
    """

    def __init__(self, look: Callable[[], RunSample], samples: RunSamples, write_second: float) -> None:
        self._look = look
        self._samples = samples
        self._write_second = write_second
        self._thinner = Thinner(MOST_SAMPLES, write_second)
        self._peaks = Peaks()
        self._waiting: list[RunSample] = []
        self._forgotten: list[float] = []
        self._added_second = -math.inf
        self._last: RunSample | None = None
        self._last_is_added = False

    def step(self) -> None:
        """Look, and write if a sample is due."""
        with suppress(Exception):
            sample = self._look()
            self._peaks = self._peaks.with_counts(sample.counts, memory_peak_bytes())
            is_change = self._last is not None and self._last.counts.workers != sample.counts.workers
            is_due = is_change or time.monotonic() - self._added_second >= self._write_second
            if is_change and self._last is not None and not self._last_is_added:
                self._add(self._last, is_change)  # it was true until now
            if is_due:
                self._add(sample, is_change)
            self._last, self._last_is_added = sample, is_due
            self._write()

    def finish(self) -> None:
        """Write what waits, and the peaks."""
        with suppress(Exception):
            self._add(RunSample(time.time(), WorkerCounts()), is_change=True)
            self._write()

    def _add(self, sample: RunSample, is_change: bool) -> None:
        self._added_second = time.monotonic()
        self._forgotten += self._thinner.add(sample.unix_second, is_change)
        self._waiting.append(sample)
        del self._waiting[:-MOST_WAITING]

    def _write(self) -> None:
        if self._waiting and self._samples.write(self._waiting, self._forgotten, self._peaks):
            self._waiting.clear()
            self._forgotten.clear()


def memory_peak_bytes() -> int | None:
    """Return the largest memory that this process used; ``None`` = not known."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
