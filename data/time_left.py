"""Estimate the time that all jobs of a run still need, from the times of those that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SLACK_SHARE: Final = 0.25
SLACK_SECOND: Final = 5.0
"""A new estimate that ends later is shown only from this difference on, so that the time left does not flicker.
Chosen, not measured."""

LEAST_LEFT_SECOND: Final = 0.5
"""A shorter time left, s, is over while jobs still run: it was wrong, and says nothing."""


class TimeLeft:
    """The time left of several stages, whose jobs take different times and run at once.

    Args:
        totals: number of jobs by stage.
    """

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._totals = dict(totals)
        self._ended = dict.fromkeys(totals, 0)
        self._timed = dict.fromkeys(totals, 0)
        self._seconds = dict.fromkeys(totals, 0.0)
        self._first: float | None = None
        self._last = 0.0
        self._end: float | None = None

    @property
    def knows_all(self) -> bool:
        """Whether each stage with jobs left has an ended job, from which its time is known."""
        return all(self._timed[name] for name in self._totals if self._ended[name] < self._totals[name])

    def add(self, stage: str, seconds: float, now: float, *, is_skipped: bool = False) -> None:
        """Count a job that ended.

        Args:
            stage: of the job.
            seconds: how long it took, s.
            now: when it ended, s of :func:`time.monotonic`.
            is_skipped: it was not run, so its time says nothing about others.
        """
        if self._first is None:
            self._first = now - seconds
        self._last = now
        self._ended[stage] += 1
        if not is_skipped:
            self._timed[stage] += 1
            self._seconds[stage] += seconds
        self._update(now)

    def elapsed_second(self, now: float) -> float:
        """Return the time since the first job began, in s; after the last one, until its end."""
        if self._first is None:
            return 0.0
        is_over = all(self._ended[name] >= total for name, total in self._totals.items())
        return (self._last if is_over else now) - self._first

    def left_second(self, now: float) -> float | None:
        """Return the estimated time left in s; ``None`` = nothing is known yet."""
        return None if self._end is None else max(self._end - now, 0.0)

    def _update(self, now: float) -> None:
        """Estimate the end again: work left, divided by the work that was done in each second so far."""
        done = sum(self._seconds.values())
        elapsed = self.elapsed_second(now)
        if done <= 0.0 or elapsed <= 0.0:
            return
        work = 0.0
        for name, total in self._totals.items():
            if self._timed[name]:
                work += max(total - self._ended[name], 0) * self._seconds[name] / self._timed[name]
        left = work * elapsed / done
        if self._end is None or not self._end < now + left < self._end + SLACK_SHARE * left + SLACK_SECOND:
            self._end = now + left
