"""What the earlier jobs of a cell left for the later ones, by their receipts."""

from __future__ import annotations

from ..data.errors import CONTENT_CODES, JobError, NothingToSimulateError
from ..data.fit_values import FitResult
from ..data.values import CleanResult, Receipt
from ..parquet_store.layout import Store
from ..parquet_store.read import read_receipt


def clean_result(store: Store, cell_id: str) -> CleanResult:
    """What cleaning reported of a cell."""
    receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
    if receipt is None or not isinstance(receipt.result, CleanResult):
        raise JobError("the cell has not been cleaned", "earlier_job")
    return receipt.result


def fit_result(store: Store, cell_id: str, label: str) -> FitResult:
    """What a fit found; a job is skipped for the reason for which its fit was."""
    receipt = read_receipt(store.receipt("fit", cell_id, label))
    pass_on(receipt)
    if receipt is None or not isinstance(receipt.result, FitResult):
        raise JobError("the fit has no result", "earlier_job")
    return receipt.result


def pass_on(receipt: Receipt | None) -> None:
    """Skip a job for the reason for which an earlier one, of this run or of another, was skipped."""
    if receipt is not None and receipt.status == "skipped" and receipt.reason_code in CONTENT_CODES:
        raise NothingToSimulateError(receipt.reason, receipt.reason_code)
