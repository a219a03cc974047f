"""Write receipts into the catalog; only the client process does this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from ...data.results.receipt import Receipt
from ...parquet_store.layout import Store
from ...parquet_store.read import read_all_receipts, read_receipt
from ...sqlite import queries
from ...sqlite.catalog import Catalog, JobSettings
from ..plan.job import Job, ModelWork
from ..worker.run_job import JobOutcome


class Recorder:
    """Writes the receipts of jobs that end into the catalog; a crash loses none, because receipts are files.

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

    def add(self, outcomes: Sequence[JobOutcome]) -> list[Receipt]:
        """Record jobs that have ended, in one transaction.

        Returns:
            Their receipts.
        """
        recorded = [self._receipt(outcome) for outcome in outcomes]
        self._catalog.record_many(recorded, self._run_id)
        return [receipt for receipt, _ in recorded]

    def _receipt(self, outcome: JobOutcome) -> tuple[Receipt, JobSettings | None]:
        job = self._jobs[outcome.key]
        receipt = read_receipt(self._store.receipt(job.kind, job.cell_id, job.label))
        if receipt is None or receipt.digest != job.digest or receipt.status != outcome.status:
            # The worker could not write it (a full disk, for example); the catalog still has how the job ended.
            ended = (outcome.status, outcome.reason, outcome.code)
            receipt = Receipt(job.kind, job.cell_id, job.label, job.digest, *ended)
        return receipt, job_settings(job)


def job_settings(job: Job) -> JobSettings | None:
    """Return the settings of a simulation or fit, which the receipt of a failed job does not hold.

    Returns:
        ``None`` for jobs that build no model.
    """
    if isinstance(job.work, ModelWork):
        return job.work.settings
    return None


def find_unrecorded(catalog: Path, store: Store, jobs: Sequence[Job]) -> list[tuple[Receipt, JobSettings | None]]:
    """Find receipts that the catalog lacks: of finished jobs after a kill, or of all when the catalog was lost.

    Args:
        catalog: path of the catalog; no transaction may be open.
        jobs: every job of the plan.

    Returns:
        Each receipt with its job's settings, as :meth:`Catalog.record_many` takes them.
    """
    with closing(queries.connect(catalog)) as reader:
        known = queries.recorded_jobs(reader)
    by_name = {(job.kind, job.cell_id, job.label): job for job in jobs}
    missing: list[tuple[Receipt, JobSettings | None]] = []
    if not known:
        for receipt in read_all_receipts(store):
            job = by_name.get((receipt.kind, receipt.cell_id, receipt.label))
            settings = None if job is None else job_settings(job)
            missing.append((receipt, settings))
    for name, job in by_name.items():
        if known and not job.reason and known.get(name) != _finished_state(job):
            stored = read_receipt(store.receipt(*name))
            if stored is not None:
                missing.append((stored, job_settings(job)))
    return missing


def _finished_state(job: Job) -> tuple[str, str]:
    """Return digest and status with which the catalog knows a job that is up to date.

    A worker may end a job after its run had given it up: its client lost the scheduler, and recorded it as failed.
    """
    return job.digest, "done" if job.kept is None else job.kept.status
