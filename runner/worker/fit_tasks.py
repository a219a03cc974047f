"""Run the jobs of a fit: its starts, the best of them, and profile likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...data.codec import digest
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ...data.results.fitting import Evaluation, FitResult, ProfileResult, StartResult
from ...data.results.receipt import OutputFile
from ...parquet_store.journal import StartJournal
from ...parquet_store.layout import Store
from ...parquet_store.read import read_partition, read_receipt
from ..plan.job import FitWork, Job, ProfileWork, StartWork, start_digest
from .inputs import read_clean_result, read_fit_result, skip_like_earlier_job

if TYPE_CHECKING:
    from ...jobs.fitting.early_stop import Rival

MOST_DEATHS: Final = 3  # of its workers, in one run; at one more Dask gives a job up


def run_start_job(store: Store, job: Job, work: StartWork) -> tuple[StartResult, tuple[OutputFile, ...]]:
    """Run one start of a fit, from where its journal ends; in a chain the first one from the former fit's values.

    One whose workers always die counts with what it has noted.

    Raises:
        JobError: its workers died before the first evaluation was noted (``worker_died``).
    """
    from ...jobs.fitting.fit import run_start
    from ...jobs.parameters.capacity import fill_measured_capacity

    samples, cleaned = read_partition(store, job.cell_id), read_clean_result(store, job.cell_id)
    settings = fill_measured_capacity(work.settings, cleaned.cycles, samples)
    former, words = read_former_fit(store, settings, work.start)
    journal = StartJournal(store, job.cell_id, job.label, digest(job.digest, words) if words else job.digest)
    dead = journal.begin()
    try:
        if dead >= MOST_DEATHS:
            return replace(_best_noted(settings, work.start, journal.evaluations, dead), began_from=words), ()
        rivals = _rivals(store, job, work) if work.settings.stop_beaten else None
        result = run_start(samples, settings, work.start, cleaned.temperature_mean_celsius, journal, former, rivals)
        if result.stopped != "time_limit":  # which may be raised
            journal.done()
        return replace(result, began_from=words), ()
    finally:
        journal.end()


def _best_noted(settings: FitSettings, number: int, noted: list[Evaluation], dead: int) -> StartResult:
    """The best evaluation that a start noted, as its result."""
    solved = [evaluation for evaluation in noted if not evaluation.reason]
    if not solved:
        raise JobError(f"its worker died {dead} times before it had a result", "worker_died")
    best = min(solved, key=lambda evaluation: evaluation.cost)
    return StartResult(
        settings=settings,
        start=number,
        seed=settings.seed,
        first_values=noted[0].values,
        values=best.values,
        rmse_first_mv=noted[0].rmse_mv,
        rmse_mv=best.rmse_mv,
        evaluations=len(noted),
        message=f"stopped: its worker died {dead} times; the best of {len(noted)} evaluations",
        cost=best.cost,
        stopped="died",
    )


def _rivals(store: Store, job: Job, work: StartWork) -> Callable[[], list[Rival]]:
    """What gives the other starts of the same fit that have come to their end, by their receipts."""
    from ...jobs.fitting.early_stop import Rival

    cleaned = read_receipt(store.receipt("clean", job.cell_id, "clean"))
    former = read_receipt(store.receipt("fit", job.cell_id, work.settings.former[0])) if work.settings.former else None
    name, others = work.settings.name, set(range(work.settings.starts)) - {work.start}
    found: dict[int, Rival] = {}

    def rivals() -> list[Rival]:
        for number in sorted(others - found.keys()):
            receipt = read_receipt(store.receipt("start", job.cell_id, f"{name}-{number}"))
            if receipt is None or not isinstance(receipt.result, StartResult) or cleaned is None:
                continue
            result = receipt.result
            warm = former.digest if former is not None and number == 0 else ""
            if receipt.digest == start_digest(work.settings, number, cleaned.digest, warm) and not result.stopped:
                found[number] = Rival(number, result.values, result.ranked_by)
        return list(found.values())

    return rivals


def run_fit_job(store: Store, job: Job, work: FitWork) -> tuple[FitResult, tuple[OutputFile, ...]]:
    """Take the best of a fit's starts."""
    from ...jobs.fitting.fit import combine_starts
    from ...jobs.parameters.capacity import fill_measured_capacity

    labels = [f"{work.settings.name}-{start}" for start in range(work.settings.starts)]
    receipts = [read_receipt(store.receipt("start", job.cell_id, label)) for label in labels]
    starts = tuple(
        receipt.result
        for receipt in receipts
        if receipt is not None and receipt.status == "done" and isinstance(receipt.result, StartResult)
    )
    if not starts:
        skip_like_earlier_job(receipts[0])
    samples, cleaned = read_partition(store, job.cell_id), read_clean_result(store, job.cell_id)
    settings = fill_measured_capacity(work.settings, cleaned.cycles, samples)
    return combine_starts(samples, settings, starts, cleaned.temperature_mean_celsius), ()


def run_profile_job(store: Store, job: Job, work: ProfileWork) -> tuple[ProfileResult, tuple[OutputFile, ...]]:
    """Compute the profile likelihood of one parameter of a fit that is done."""
    from ...jobs.fitting.profile_likelihood import compute_profile

    found = read_fit_result(store, job.cell_id, work.settings.name)
    samples, cleaned = read_partition(store, job.cell_id), read_clean_result(store, job.cell_id)
    journal = StartJournal(store, job.cell_id, job.label, job.digest)
    result = compute_profile(samples, found, work.parameter, cleaned.temperature_mean_celsius, journal)
    journal.done()
    return result, ()


def read_former_fit(store: Store, settings: FitSettings, start: int) -> tuple[FitResult | None, str]:
    """The fit at whose values a start begins, and its name with those that were passed over, for the start's receipt.

    One bad check-up does not end a chain: the next link begins from the last one with a result, or at its own first
    guess. Only the first start of a link is warm; ``None`` and "" for all others.
    """
    if start or not settings.former:
        return None, ""
    lacking: list[str] = []
    for name in settings.former:
        receipt = read_receipt(store.receipt("fit", settings.cell.cell_id, name))
        if receipt is not None and receipt.status == "done" and isinstance(receipt.result, FitResult):
            return receipt.result, f"{name}{_explain_missing_results(lacking)}"
        lacking.append(name)
    return None, f"its own first guess{_explain_missing_results(lacking)}"


def _explain_missing_results(lacking: list[str]) -> str:
    if not lacking:
        return ""
    return f", since {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no result"
