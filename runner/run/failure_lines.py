"""Say failures as they happen, in a few words each; the end of the run has them by reason, in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from ...data.failures import failure_kind
from ..worker.run_job import JobOutcome

SHOWN: Final = 3
"""Failures of a reason that have a line; more are counted at the end of the run."""


class FailureLines:
    """Says failed jobs, so that a thousand of the same reason do not hide the others.

    Args:
        say: prints a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._seen: Counter[str] = Counter()

    def add(self, outcome: JobOutcome) -> None:
        """Say an outcome if it is a failure and few of its kind were said before."""
        if outcome.status != "failed":
            return
        self._seen[outcome.code] += 1
        number = self._seen[outcome.code]
        name = " ".join(outcome.key)
        if number <= SHOWN:
            words = failure_kind(outcome.code).meaning or outcome.reason
            more = "; more of these are counted at the end" if number == SHOWN else ""
            self._say(f"failed     {name}: {words} ({outcome.code}){more}")
