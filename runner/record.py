"""Receipts into the catalog, by the one process that writes it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ..data.values import Receipt
from ..parquet_store.layout import Store
from ..parquet_store.read import read_receipt
from ..sqlite import queries
from ..sqlite.catalog import Catalog, JobSettings
from .plan import FitWork, Job, SimulateWork, StartWork
from .tasks import Outcome

BATCH_SECOND = 0.5
BATCH_JOBS = 500


class Recorder:
    """Collects outcomes and writes their receipts in batches; a crash loses none, since receipts are files.

    Args:
        catalog: open for writing.
        run_id: the run that the jobs belong to.
        jobs: all jobs that may end.
    """

    def __init__(self, catalog: Catalog, store: Store, run_id: int, jobs: Iterable[Job]) -> None:
        self._catalog = catalog
        self._store = store
        self._run_id = run_id
        self._jobs = {job.key: job for job in jobs}
        self._waiting: list[tuple[Receipt, JobSettings | None]] = []
        self._last = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Take one outcome; its receipt is written soon."""
        job = self._jobs[outcome.key]
        receipt = read_receipt(self._store.receipt(job.kind, job.cell_id, job.label))
        if receipt is None or receipt.digest != job.digest:
            # The worker could not write it (a full disk, say); the catalog still says how the job ended.
            receipt = Receipt(job.kind, job.cell_id, job.label, job.digest, outcome.status, outcome.reason)
        self._waiting.append((receipt, settings_of(job)))
        if len(self._waiting) >= BATCH_JOBS or time.monotonic() - self._last >= BATCH_SECOND:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, in one transaction."""
        if self._waiting:
            self._catalog.record_many(self._waiting, self._run_id)
        self._waiting = []
        self._last = time.monotonic()


def settings_of(job: Job) -> JobSettings | None:
    """What a failed job was asked to do, which its receipt does not say."""
    if isinstance(job.work, (SimulateWork, StartWork, FitWork)):
        return job.work.settings
    return None


def record_found(catalog: Catalog, store: Store, jobs: Sequence[Job]) -> int:
    """Record receipts of done jobs that the catalog does not know: after a kill, or when the catalog was lost.

    Returns:
        How many there were.
    """
    connection = queries.connect(catalog.path)
    try:
        known = queries.recorded_jobs(connection)
    finally:
        connection.close()
    found = []
    for job in jobs:
        if job.reason or known.get((job.kind, job.cell_id, job.label)) == (job.digest, "done"):
            continue
        receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
        if receipt is not None:
            found.append((receipt, settings_of(job)))
    if found:
        catalog.record_many(found, None)
    return len(found)
