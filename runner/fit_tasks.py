"""What a worker runs of fits: a start, the best of the starts, a profile."""

from __future__ import annotations

from dataclasses import replace

from ..data.codec import digest
from ..data.fit_values import FitResult, ProfileResult, StartResult
from ..data.values import OutputFile
from ..parquet_store.journal import StartJournal
from ..parquet_store.layout import Store
from ..parquet_store.read import read_partition, read_receipt
from .earlier import clean_result, fit_result, pass_on
from .plan import FitWork, Job, ProfileWork, StartWork
from .warm_start import former_fit


def start(store: Store, job: Job, work: StartWork) -> tuple[StartResult, tuple[OutputFile, ...]]:
    """Run one start of a fit, from where its journal ends; in a chain the first one from the former fit's values."""
    from ..jobs.capacity import with_capacity
    from ..jobs.fit import run_start

    samples, cleaned = read_partition(store, job.cell_id), clean_result(store, job.cell_id)
    settings = with_capacity(work.settings, cleaned.cycles, samples)
    former, words = former_fit(store, settings, work.start)
    journal = StartJournal(store, job.cell_id, job.label, digest(job.digest, words) if words else job.digest)
    result = run_start(samples, settings, work.start, cleaned.temperature_mean_celsius, journal, former)
    journal.done()
    return replace(result, began_from=words), ()


def fit(store: Store, job: Job, work: FitWork) -> tuple[FitResult, tuple[OutputFile, ...]]:
    """Take the best of a fit's starts."""
    from ..jobs.capacity import with_capacity
    from ..jobs.fit import best_of

    labels = [f"{work.settings.name}-{start}" for start in range(work.settings.starts)]
    receipts = [read_receipt(store.receipt("start", job.cell_id, label)) for label in labels]
    starts = tuple(
        receipt.result
        for receipt in receipts
        if receipt is not None and receipt.status == "done" and isinstance(receipt.result, StartResult)
    )
    if not starts:
        pass_on(receipts[0])
    samples, cleaned = read_partition(store, job.cell_id), clean_result(store, job.cell_id)
    settings = with_capacity(work.settings, cleaned.cycles, samples)
    return best_of(samples, settings, starts, cleaned.temperature_mean_celsius), ()


def profile(store: Store, job: Job, work: ProfileWork) -> tuple[ProfileResult, tuple[OutputFile, ...]]:
    """Compute the profile likelihood of one parameter of a fit that is done."""
    from ..jobs.likelihood import profile_of

    found = fit_result(store, job.cell_id, work.settings.name)
    samples, cleaned = read_partition(store, job.cell_id), clean_result(store, job.cell_id)
    journal = StartJournal(store, job.cell_id, job.label, job.digest)
    result = profile_of(samples, found, work.parameter, cleaned.temperature_mean_celsius, journal)
    journal.done()
    return result, ()
