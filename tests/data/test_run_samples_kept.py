"""A record of a run of any length stays small."""

from __future__ import annotations

import numpy as np
from kilocell.data.run_sample import Peaks, Thinner, WorkerCounts


def kept_times(seconds: float, every: float = 10.0, changes: int = 0) -> list[float]:
    thinner = Thinner(1000, 10.0)
    kept: dict[float, None] = {}
    for number, time in enumerate(np.arange(0.0, seconds, every).tolist()):
        kept[time] = None
        for forgotten in thinner.add(time, is_change=bool(changes) and number % changes == 0):
            del kept[forgotten]
    return list(kept)


def test_a_run_of_an_hour_keeps_all() -> None:
    assert len(kept_times(3600.0)) == 360


def test_a_run_of_a_week_keeps_at_most_a_thousand_evenly() -> None:
    times = kept_times(7 * 86400.0)
    assert 400 < len(times) <= 1000
    assert times[0] == 0.0
    assert times[-1] == 7 * 86400.0 - 10.0  # the newest is a sign of life: it is always there
    gaps = np.diff(times)
    assert gaps[:-1].max() <= 2 * np.median(gaps)


def test_changes_alone_do_not_fill_a_catalog() -> None:
    assert len(kept_times(3 * 86400.0, changes=2)) <= 1000


def test_a_change_is_kept_with_what_was_before() -> None:
    thinner = Thinner(1000, 10.0)
    assert thinner.add(0.0) == []
    assert thinner.add(2.0, is_change=True) == []
    assert thinner.add(10.0) == []
    assert thinner.add(12.0) == [10.0]  # too close, and nothing changed
    assert thinner.add(13.0, is_change=True) == []
    assert thinner.add(14.0) == []


def test_peaks_only_grow() -> None:
    peaks = Peaks().with_counts(WorkerCounts(4, 4, 800, 300), 50).with_counts(WorkerCounts(2, 2, 500, 400), 60)
    assert peaks == Peaks(4, 800, 400, 60)
