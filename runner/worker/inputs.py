"""What a job reads of earlier jobs: clean results, fitted parameters, and the campaign's own parameter sets."""

from __future__ import annotations

from collections.abc import Iterable

from ...data.errors import NOTHING_TO_SIMULATE_CODES, JobError, NothingToSimulateError
from ...data.results.cleaning import CleanResult
from ...data.results.fitting import FitResult
from ...data.results.receipt import Receipt
from ...parquet_store.layout import Store
from ...parquet_store.read import read_parameter_set, read_receipt
from ...parquet_store.write import write_parameter_set
from ..campaign.parameter_sets import SetFile
from ..plan.job import FitWork, ProfileWork, SimulateWork, StartWork, Work


def read_clean_result(store: Store, cell_id: str) -> CleanResult:
    """What cleaning reported of a cell."""
    receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
    if receipt is None or not isinstance(receipt.result, CleanResult):
        raise JobError("the cell has not been cleaned", "earlier_job")
    return receipt.result


def read_fit_result(store: Store, cell_id: str, label: str) -> FitResult:
    """What a fit found; a job is skipped for the reason for which its fit was."""
    receipt = read_receipt(store.receipt("fit", cell_id, label))
    skip_like_earlier_job(receipt)
    if receipt is None or not isinstance(receipt.result, FitResult):
        raise JobError("the fit has no result", "earlier_job")
    return receipt.result


def skip_like_earlier_job(receipt: Receipt | None) -> None:
    """Skip a job for the reason for which an earlier one, of this run or of another, was skipped."""
    if receipt is not None and receipt.status == "skipped" and receipt.reason_code in NOTHING_TO_SIMULATE_CODES:
        raise NothingToSimulateError(receipt.reason, receipt.reason_code)


def store_set_files(store: Store, files: Iterable[SetFile]) -> None:
    """Keep each file in the store, as it was when the campaign was loaded; called by the client before a run."""
    for file in files:
        write_parameter_set(store, file.digest, file.content)


def define_own_set(store: Store, work: Work) -> None:
    """Make the set that a job is about known in this process, out of the store's copy; nothing to do for PyBaMM's.

    Raises:
        JobError: ``parameter_set_changed``: the copy is gone, or is not what the run put there.
    """
    if not isinstance(work, (SimulateWork, StartWork, FitWork, ProfileWork)):
        return
    settings = work.settings.parameter_set
    if settings.file_digest:
        from ...jobs.parameters.sets import define_set

        define_set(settings.key, read_parameter_set(store, settings.file_digest))
