"""Errors for people: each says what is wrong, where, and what to do next."""

from __future__ import annotations

from typing import Any


class KilocellError(Exception):
    """Base of every error that kilocell raises on purpose; its text is shown without a traceback."""


class UsageError(KilocellError):
    """A command, campaign file or store that cannot be worked with; nothing was done (exit code 2)."""


class CampaignError(UsageError):
    """A campaign file that does not say what it must; names the file, the key and the value."""


class StoreError(UsageError):
    """A store that is absent, not writable, in use by another run, or of a newer version."""


class ClusterError(KilocellError):
    """Workers that were lost during a run and could not be replaced; what is done is kept (exit code 1)."""


class ReadError(KilocellError):
    """A raw file that cannot be read; names the file, the line or column, and the value. Fails its cell only."""


class JobError(KilocellError):
    """Work on one cell that ended without a result; the text is the receipt's reason.

    Args:
        reason: one line for people.
        code: short stable name of the reason, such as ``diverged`` or ``charge_mismatch``.
    """

    def __init__(self, reason: str, code: str = "failed") -> None:
        super().__init__(reason)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code)


class FailedSimulationError(JobError):
    """A simulation that began and failed, with what it has.

    Args:
        result: a ``data.values.FailedSimulation``.
        frame: the samples until it failed (``data.columns.SIMULATION_COLUMNS``); ``None`` = there are none.
    """

    def __init__(self, reason: str, code: str = "failed", result: Any = None, frame: Any = None) -> None:
        super().__init__(reason, code)
        self.result = result
        self.frame = frame

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code, self.result, self.frame)


class NothingToSimulateError(JobError):
    """A cell whose record holds nothing to simulate, which is no failure: its jobs end as skipped, with this reason."""


NOTHING_TO_SIMULATE_CODES = frozenset({"rest_only", "no_usable_current"})
"""Reason codes of jobs that were skipped for what the cell's record holds; they do not run again, nor fail a run."""


def reason_and_code(error: Exception) -> tuple[str, str]:
    """Reason and code of any error that a job ends with, for people and for the receipt."""
    if isinstance(error, JobError):
        return str(error), error.code
    if isinstance(error, ReadError):
        return str(error), "unreadable"
    if isinstance(error, KilocellError):
        return str(error), "failed"
    if isinstance(error, FileNotFoundError):
        return f"the file {error.filename} vanished during the run; put it back and run again", "file_vanished"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror} ({error.filename})", "file_system"
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}", "unexpected"
