"""Errors: each message says what is wrong, where, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class KilocellError(Exception):
    """Base class of all errors that kilocell raises on purpose; the text is shown without a traceback."""


class UsageError(KilocellError):
    """A command, campaign file or store that cannot be used; nothing was done (exit code 2)."""


class CampaignError(UsageError):
    """An invalid campaign file; the text names the file, the key and the value."""


class StoreError(UsageError):
    """A store that is missing, not writable, in use by another run, or from a newer version."""


class DamagedFileError(StoreError):
    """A Parquet file of a store that cannot be read, or whose bytes have changed.

    Args:
        path: of the file.
        why: what is wrong with it, in words.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is damaged and cannot be read ({why}). `kilocell catalog check --repair` moves damaged files "
            "away, and `kilocell run` makes them again."
        )
        self.path = path
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.why)


class ClusterError(KilocellError):
    """Workers were lost during a run and could not be replaced; finished jobs are kept (exit code 1)."""


class ReadError(KilocellError):
    """A raw file that cannot be read; the text names file, line or column, and value. Only its cell fails."""


class MissingLibraryError(ReadError):
    """A raw file that needs a library which is not installed; once it is, the same file can be read."""


class TooLargeError(ReadError):
    """A raw file whose rows do not fit into the memory of this process; with more memory, it can be read."""


class NotARecordError(ReadError):
    """A table with one row for each step or cycle; the other files of its cell go on without it."""


class JobError(KilocellError):
    """A job of one cell that ended without a result; its text becomes the reason in the receipt.

    Args:
        reason: one line in plain English.
        code: short stable name of the reason, such as ``diverged`` or ``charge_mismatch``.
    """

    def __init__(self, reason: str, code: str = "failed") -> None:
        super().__init__(reason)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code)


class FailedSimulationError(JobError):
    """A simulation that failed after it had started, with its result up to that point.

    Args:
        reason: one line in plain English.
        code: short stable name of the reason.
        result: a :class:`~kilocell.data.results.simulation.FailedSimulation`.
        frame: the samples until it failed (``data.columns.SIMULATION_COLUMNS``); ``None`` = there are none.
    """

    def __init__(self, reason: str, code: str = "failed", result: Any = None, frame: Any = None) -> None:
        super().__init__(reason, code)
        self.result = result
        self.frame = frame

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code, self.result, self.frame)


class NothingToSimulateError(JobError):
    """A record without anything to simulate. This is not a failure: the jobs of its cell are skipped."""


NOTHING_TO_SIMULATE_CODES = frozenset({"rest_only", "no_usable_current"})
"""Reason codes of jobs that are skipped because of the record of the cell; they neither run again nor fail a run."""


def reason_and_code(error: Exception) -> tuple[str, str]:
    """Return the reason and the reason code of any error that ends a job, as its receipt stores them.

    Args:
        error: the error; also one that kilocell does not raise itself.
    """
    if isinstance(error, JobError):
        return str(error), error.code
    if isinstance(error, MissingLibraryError):
        return str(error), "missing_library"
    if isinstance(error, TooLargeError):
        return str(error), "out_of_memory"
    if isinstance(error, ReadError):
        return str(error), "unreadable"
    if isinstance(error, StoreError):
        return str(error), "store"
    if isinstance(error, KilocellError):
        return str(error), "failed"
    if isinstance(error, FileNotFoundError):
        return f"the file {error.filename} disappeared during the run; put it back and run again", "file_vanished"
    if isinstance(error, OSError) and error.errno is not None:
        where = f" ({error.filename})" if error.filename is not None else ""  # a write or flush does not know its file
        return f"{error.strerror}{where}", "file_system"
    if isinstance(error, MemoryError):
        return "the worker has no more memory", "out_of_memory"
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}", "unexpected"
