"""Say failures as they happen: the first of each reason in full, others of the same reason in one line together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from ..worker.run_job import JobOutcome

SHOWN_IN_FULL: Final = 1
"""Failures of a reason that have a line with the whole reason."""

SHOWN_BRIEFLY: Final = 3
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
        if number <= SHOWN_IN_FULL:
            self._say(f"failed     {name}: {outcome.reason}")
        elif number < SHOWN_BRIEFLY:
            self._say(f"failed     {name} ({outcome.code})")
        elif number == SHOWN_BRIEFLY:
            self._say(f"failed     {name} ({outcome.code}); more of these are counted at the end")
