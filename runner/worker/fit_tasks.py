"""Run the jobs of a fit: its starts, the best of them, and profile likelihoods."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from ...data.charge_certainty import charge_certainty, describe_charge_check
from ...data.codec import digest
from ...data.errors import JobError
from ...data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from ...data.results.cleaning import CleanResult
from ...data.results.fitting import NESTED_START, Evaluation, FitResult, ProfileResult, StartResult
from ...data.results.receipt import OutputFile, Receipt
from ...data.selected_spans import find_spans, make_index
from ...parquet_store.journal import StartJournal
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from ..plan.job import FitWork, Job, ProfileWork, StartWork, start_digest, start_label
from .inputs import load_cell, read_fit_result, skip_like_earlier_job
from .time_limits import limited

if TYPE_CHECKING:
    from ...jobs.fitting.early_stop import Rival

MOST_DEATHS: Final = 3
"""Deaths of a start's workers in one run, after which its best noted evaluation is its result; at one more,
the job has failed."""


def run_start_job(store: Store, job: Job, work: StartWork) -> tuple[StartResult, tuple[OutputFile, ...]]:
    """Run one start of a fit, from where its journal ends; a warm start begins at the result of another fit.

    A start whose workers died ``MOST_DEATHS`` times ends with its best noted evaluation.

    Raises:
        JobError: its workers died before the first evaluation was noted (``worker_died``).
    """
    from ...jobs.fitting.fit import run_start

    cell = load_cell(store, job.cell_id)
    settings = cell.with_measured_capacity(work.settings)
    previous_fit, began_from = read_former_fit(store, settings, work.start)
    # The journal of a warm start belongs to the fit it began from: another one starts another journal.
    journal_digest = digest(job.digest, began_from) if began_from else job.digest
    journal = StartJournal(store, job.cell_id, job.label, journal_digest)
    deaths = journal.begin()
    try:
        if deaths >= MOST_DEATHS:
            best = _best_noted(settings, work.start, journal.evaluations, f"its worker died {deaths} times", "died")
            return replace(best, began_from=began_from), ()
        rivals = _rivals(store, job, work) if work.settings.stop_beaten else None
        try:
            with limited(store, job):
                result = run_start(
                    cell.samples, settings, work.start, cell.temperature_mean_celsius, journal, previous_fit, rivals
                )
        except JobError as error:
            if error.code != "time_limit":
                raise
            result = _best_noted(settings, work.start, journal.evaluations, str(error), "time_limit")
        if result.stopped != "time_limit":  # the limit may be raised; then the start continues from its journal
            journal.done()
        return replace(result, began_from=began_from), ()
    finally:
        journal.end()


def run_fit_job(store: Store, job: Job, work: FitWork) -> tuple[FitResult, tuple[OutputFile, ...]]:
    """Combine the starts of a fit that are done and take the best.

    Raises:
        NothingToSimulateError: all starts were skipped because the record holds nothing to simulate.
    """
    from ...jobs.fitting.fit import combine_starts

    numbers = [*range(work.settings.starts), *([NESTED_START] if work.settings.smaller else [])]
    labels = [start_label(work.settings.name, start) for start in numbers]
    receipts = [read_receipt(store.receipt("start", job.cell_id, label)) for label in labels]
    starts = tuple(
        receipt.result
        for receipt in receipts
        if receipt is not None and receipt.status == "done" and isinstance(receipt.result, StartResult)
    )
    if not starts:
        skip_like_earlier_job(receipts[0])
    cell = load_cell(store, job.cell_id)
    settings = cell.with_measured_capacity(work.settings)
    result = combine_starts(cell.samples, settings, starts, cell.temperature_mean_celsius, cell.clean_result)
    cycles: set[int] = set()
    if settings.select is not None:
        cycles = {cycle for span in find_spans(settings.select, make_index(cell.samples)) for cycle in span.cycles}
    return with_charge_certainty(result, cell.clean_result, cycles), ()


def with_charge_certainty(result: FitResult, cleaned: CleanResult, cycles: Collection[int] = ()) -> FitResult:
    """Return the result of a fit with how well the charge of its cycles is known; where badly, the verdict says so.

    Args:
        cycles: those that hold the fitted parts; empty = the fitted cycles.
    """
    certainty = charge_certainty(cleaned, cycles or result.settings.cycles or None)
    words = describe_charge_check(None, certainty)
    return replace(
        result,
        charge_throughput_ah=certainty.throughput_ah,
        charge_uncertainty_ah=certainty.uncertainty_ah,
        verdict="; ".join(filter(None, (result.verdict, words))),
    )


def run_profile_job(store: Store, job: Job, work: ProfileWork) -> tuple[ProfileResult, tuple[OutputFile, ...]]:
    """Compute the profile likelihood of one parameter of a finished fit."""
    from ...jobs.fitting.profile_likelihood import compute_profile

    fit = read_fit_result(store, job.cell_id, work.settings.name)
    cell = load_cell(store, job.cell_id)
    journal = StartJournal(store, job.cell_id, job.label, job.digest)
    result = compute_profile(cell.samples, fit, work.parameter, cell.temperature_mean_celsius, journal)
    journal.done()
    return result, ()


def read_former_fit(store: Store, settings: FitSettings, start: int) -> tuple[FitResult | None, str]:
    """Read the fit at whose values a start begins: the one before in a chain, or the best of the smaller ones.

    One failed check-up does not end a chain: the next link begins at the last link with a result, or at its own first
    guess. Only the first start of a link is warm.

    Args:
        start: number of the start, from 0, or ``NESTED_START``.

    Returns:
        The fit, and its name with the links that have no result, for the start's receipt. ``None`` and ``""`` for a
        start that is not warm.
    """
    if start == NESTED_START:
        return _read_smaller_fit(store, settings)
    if start or not settings.former:
        return None, ""
    without_result: list[str] = []
    for name in settings.former:
        result = _read_result(store, settings, name)
        if result is not None:
            return result, f"{name}{_explain_missing_results(without_result)}"
        without_result.append(name)
    return None, f"its own first guess{_explain_missing_results(without_result)}"


def _read_smaller_fit(store: Store, settings: FitSettings) -> tuple[FitResult | None, str]:
    """Read the best of the fits that a fit contains; they have the same objective, so that their costs compare."""
    results = {name: _read_result(store, settings, name) for name in settings.smaller}
    found = {name: result for name, result in results.items() if result is not None}
    missing = _explain_missing_results([name for name in results if name not in found])
    if not found:
        return None, f"its own first guess{missing}"
    costs = {name: result.rmse_mv if result.data_cost is None else result.data_cost for name, result in found.items()}
    name = min(found, key=lambda one: costs[one])
    others = "" if len(found) == 1 else f", the best of {', '.join(found)}"
    return found[name], f"{name}{others}{missing}"


def _read_result(store: Store, settings: FitSettings, name: str) -> FitResult | None:
    """Read the result of another fit of the cell; ``None`` = it has none."""
    receipt = read_receipt(store.receipt("fit", settings.cell.cell_id, name))
    if receipt is None or receipt.status != "done" or not isinstance(receipt.result, FitResult):
        return None
    return receipt.result


def _best_noted(
    settings: FitSettings, number: int, noted: Sequence[Evaluation], why: str, stopped: Literal["died", "time_limit"]
) -> StartResult:
    """Return the best evaluation that a start noted, as its result.

    Args:
        why: why it did not end by itself, for people.
    """
    solved = [evaluation for evaluation in noted if not evaluation.reason]
    if not solved:
        raise JobError(f"{why} before it had a result", "worker_died" if stopped == "died" else stopped)
    best = min(solved, key=lambda evaluation: evaluation.cost)
    if len(best.values) > len(settings.parameters):  # the objective added the state of charge
        parameters = (*settings.parameters, FitParameter(INITIAL_SOC, 0.0, 1.0))
        settings = replace(settings, parameters=parameters, fit_initial_soc="added")
    return StartResult(
        settings=settings,
        start=number,
        seed=settings.seed,
        first_values=noted[0].values,
        values=best.values,
        rmse_first_mv=noted[0].rmse_mv,
        rmse_mv=best.rmse_mv,
        evaluations=len(noted),
        message=f"stopped: {why}; the best of {len(noted)} evaluations",
        cost=best.cost,
        stopped=stopped,
    )


def _rivals(store: Store, job: Job, work: StartWork) -> Callable[[], list[Rival]]:
    """Return a function that lists the other starts of the same fit that have run to the end, from their receipts."""
    from ...jobs.fitting.early_stop import Rival

    clean_digest = _digest_of(read_receipt(store.receipt("clean", job.cell_id, "clean")))
    previous_digest = ""
    if work.settings.former:
        previous_digest = _digest_of(read_receipt(store.receipt("fit", job.cell_id, work.settings.former[0])))
    others = set(range(work.settings.starts)) - {work.start}
    finished: dict[int, Rival] = {}

    def read_rivals() -> list[Rival]:
        for number in sorted(others - finished.keys()):
            receipt = read_receipt(store.receipt("start", job.cell_id, f"{work.settings.name}-{number}"))
            if receipt is None or not isinstance(receipt.result, StartResult) or not clean_digest:
                continue
            result = receipt.result
            warm_digest = previous_digest if number == 0 else ""
            expected_digest = start_digest(work.settings, number, clean_digest, warm_digest)
            if receipt.digest == expected_digest and result.is_done:
                finished[number] = Rival(number, result.values, result.ranked_by)
        return list(finished.values())

    return read_rivals


def _digest_of(receipt: Receipt | None) -> str:
    return "" if receipt is None else receipt.digest


def _explain_missing_results(names: Sequence[str]) -> str:
    """Return the end of a sentence that names the fits without a result; ``""`` when there are none."""
    if not names:
        return ""
    verb = "has" if len(names) == 1 else "have"
    return f", since {', '.join(names)} {verb} no result"
