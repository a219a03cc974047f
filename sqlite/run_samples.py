"""Write the signs of life of a run, from a thread beside the one that records its results."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..data.run_sample import Peaks, RunSample

BUSY_SECOND: Final = 1.0
"""How long a write waits for other programs, s; then the sample waits for the next one. Chosen, not measured."""


class RunSamples:
    """Writes the table ``run_workers`` and what changes of a row of ``runs``.

    Make it in a thread that has no transaction open; use it in one thread at a time. An error leaves nothing written.

    Args:
        path: the catalog.
        run_id: the run.
    """

    def __init__(self, path: Path, run_id: int) -> None:
        self._run_id = run_id
        # Not open_for_writing: this process must not open and close the file beside SQLite while it holds a lock on it,
        # because a closed file loses all locks of its process.
        self._connection = sqlite3.connect(path, timeout=BUSY_SECOND, isolation_level=None, check_same_thread=False)

    def write(self, samples: Sequence[RunSample], forgotten: Sequence[float], peaks: Peaks) -> bool:
        """Write samples in one transaction.

        Args:
            samples: in order of time.
            forgotten: times of earlier samples, s since 1970, that are deleted.
            peaks: of the whole run so far.

        Returns:
            Whether they were written; else the disk is full, or another program has the catalog.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._write(samples, forgotten, peaks)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, samples: Sequence[RunSample], forgotten: Sequence[float], peaks: Peaks) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO run_workers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(self._run_id, sample) for sample in samples],
        )
        self._connection.executemany(
            "DELETE FROM run_workers WHERE run_id = ? AND unix_second = ?", [(self._run_id, time) for time in forgotten]
        )
        last = samples[-1]
        self._connection.execute(
            "UPDATE runs SET seen_unix_second = ?, seconds = max(? - started_unix_second, 0.0),"
            " worker_hosts = coalesce(?, worker_hosts), workers_peak = ?, workers_memory_peak_bytes = ?,"
            " worker_memory_peak_bytes = ?, client_memory_peak_bytes = ? WHERE run_id = ? AND status = 'running'",
            (
                last.unix_second,
                last.unix_second,
                json.dumps(dict(last.counts.hosts)) if last.counts.hosts else None,
                peaks.workers,
                peaks.workers_memory_bytes or None,
                peaks.worker_memory_bytes or None,
                peaks.client_memory_bytes,
                self._run_id,
            ),
        )


def _row(run_id: int, sample: RunSample) -> tuple[object, ...]:
    counts = sample.counts
    return (
        run_id,
        sample.unix_second,
        counts.workers,
        counts.threads,
        counts.memory_bytes,
        counts.worker_memory_bytes,
        sum(counts.running.values()),
        json.dumps(dict(counts.running)),
        sample.left_second,
        None if sample.left_second is None else int(sample.left_is_least),
    )
