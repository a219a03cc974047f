"""Read what a job needs from earlier jobs: cleaned data, fit results, and the campaign's own parameter sets."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from ...data.errors import NOTHING_TO_SIMULATE_CODES, DamagedFileError, JobError, NothingToSimulateError
from ...data.fit_settings import FitSettings
from ...data.results.cleaning import CleanResult
from ...data.results.fitting import FitResult
from ...data.results.receipt import Receipt
from ...data.settings import SimulateSettings
from ...parquet_store.check import is_intact
from ...parquet_store.embedded import is_damaged
from ...parquet_store.layout import Store
from ...parquet_store.read import read_parameter_set, read_partition, read_receipt
from ...parquet_store.write import write_parameter_set
from ..campaign.parameter_sets import SetFile
from ..plan.job import ModelWork, Work

Settings = TypeVar("Settings", SimulateSettings, FitSettings)


@dataclass(frozen=True, slots=True)
class CleanedCell:
    """A cleaned cell, as simulations and fits take it.

    Args:
        samples: the cell's partition, one row per sample.
        clean_result: what cleaning found, with the summaries of the cycles.
    """

    samples: pd.DataFrame
    clean_result: CleanResult

    @property
    def temperature_mean_celsius(self) -> float | None:
        """Mean measured temperature, °C; ``None`` = the record has none."""
        return self.clean_result.temperature_mean_celsius

    def with_measured_capacity(self, settings: Settings) -> Settings:
        """Return the settings with the capacity measured in the cell's record, if they ask for a measured one.

        Raises:
            JobError: the cycle does not exist (``no_such_cycle``) or gives no capacity (``no_capacity``).
        """
        from ...jobs.parameters.capacity import fill_measured_capacity

        return fill_measured_capacity(settings, self.clean_result.cycles, self.samples)


class _LastCell(threading.local):
    """The cell that this thread read last: the jobs of a cell follow each other, and read it once.

    Args:
        files: path, size and time of the files that were read, as they were before.
    """

    files: tuple[object, ...] = ()
    cell: CleanedCell | None = None


_last = _LastCell()


def load_cell(store: Store, cell_id: str) -> CleanedCell:
    """Read the cleaned data of a cell, unless this thread has just done so; nobody may change what is returned.

    Raises:
        JobError: the cell has not been cleaned (``earlier_job``).
        DamagedFileError: the partition has other bytes than cleaning wrote.
    """
    files = _describe_files(store.cleaned(cell_id), store.receipt("clean", cell_id, "clean"))
    if _last.cell is not None and _last.files == files:
        return _last.cell
    _last.cell = None
    samples = read_partition(store, cell_id)
    receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
    _check_intact(store, cell_id, receipt)
    if receipt is None or not isinstance(receipt.result, CleanResult):
        raise JobError("the cell has not been cleaned", "earlier_job")
    cell = CleanedCell(samples, receipt.result)
    _last.files, _last.cell = files, cell
    return cell


def _describe_files(*paths: Path) -> tuple[object, ...]:
    """Return what changes when a file is written again: its inode, size and time. A file that is absent has none."""
    known: list[object] = []
    for path in paths:
        known.append(path)
        with suppress(OSError):
            status = path.stat()
            known.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(known)


def _check_intact(store: Store, cell_id: str, receipt: Receipt | None) -> None:
    """Raise a DamagedFileError if a cell's partition does not have the bytes that its receipt says."""
    path = store.cleaned(cell_id)
    if receipt is None and is_damaged(path):
        raise DamagedFileError(path, why="its receipt in it cannot be read")
    for output in receipt.outputs if receipt is not None else ():
        if output.path == store.relative(path) and not is_intact(path, output):
            raise DamagedFileError(path, why="its bytes have changed")


def read_fit_result(store: Store, cell_id: str, label: str) -> FitResult:
    """Read the result of a fit.

    Args:
        label: name of the fit.

    Raises:
        NothingToSimulateError: the fit was skipped because the record holds nothing to simulate.
        JobError: the fit has no result (``earlier_job``).
    """
    receipt = read_receipt(store.receipt("fit", cell_id, label))
    skip_like_earlier_job(receipt)
    if receipt is None or not isinstance(receipt.result, FitResult):
        raise JobError(f"the fit {label!r} has no result", "earlier_job")
    return receipt.result


def skip_like_earlier_job(receipt: Receipt | None) -> None:
    """Skip a job if an earlier job that it needs was skipped because the record holds nothing to simulate.

    Args:
        receipt: of the earlier job; ``None`` = it has none.

    Raises:
        NothingToSimulateError: with the reason and the code of the earlier job.
    """
    if receipt is not None and receipt.status == "skipped" and receipt.reason_code in NOTHING_TO_SIMULATE_CODES:
        raise NothingToSimulateError(receipt.reason, receipt.reason_code)


def store_set_files(store: Store, files: Iterable[SetFile]) -> None:
    """Copy the campaign's parameter-set files into the store, before a run; workers read the copies.

    Args:
        files: as they were when the campaign was loaded.
    """
    for file in files:
        write_parameter_set(store, file.digest, file.content)


def define_own_set(store: Store, work: Work) -> None:
    """Make a job's parameter set known in this process, from the store's copy; PyBaMM's own sets need nothing.

    Raises:
        JobError: the copy is missing or was changed (``parameter_set_changed``).
    """
    if not isinstance(work, ModelWork):
        return
    parameter_set = work.settings.parameter_set
    if parameter_set.file_digest:
        from ...data.defined_sets import define_set

        define_set(parameter_set.key, read_parameter_set(store, parameter_set.file_digest))
