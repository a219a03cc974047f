"""A short run of rows with wrong stamps is that run's fault: it is placed, and no later row moves."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.data import columns as c
from raw_records import cleaned, cycling, findings, reordered, seen
from test_clean_stamps import Stamp, assert_only_placed, with_stamps

RUNS: dict[str, tuple[list[int], Stamp]] = {
    "two back by 12 min": ([191, 192], lambda time, row: time[row] - 720.0),
    "three in the future": ([167, 168, 169], lambda time, row: 8.8e8),
    "five ahead": ([300, 301, 302, 303, 304], lambda time, row: time[row] + 5000.0),
    "seven in the future": (list(range(410, 417)), lambda time, row: 1e9 + row),
    "eight before the start": (list(range(140, 148)), lambda time, row: -4e6 + row),
    "three at the end": ([595, 596, 597], lambda time, row: 9e8 + time[row]),
    "three at an edge of steps": ([119, 120, 121], lambda time, row: time[row] + 86400.0),
}


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("clocks", ["test", "wall", "both"])
def test_a_run_of_wrong_stamps_is_placed(kind: str, clocks: str) -> None:
    rows, stamp = RUNS[kind]
    raw = cycling(1, clocks=clocks)[:598]
    name = c.UNIX_TIME if clocks == "wall" else c.TEST_TIME
    wrong = with_stamps(raw, (name,), rows, lambda time, row: stamp(time - time[0], row) + time[0])
    assert_only_placed(raw, wrong, rows, 10.0)
    assert sum(found.rows for found in findings(cleaned(wrong), "time_stamp")) == len(rows)


def test_the_intervals_within_a_run_are_kept() -> None:
    raw = cycling(1, clocks="test")
    rows = list(range(200, 206))
    wrong = with_stamps(raw, (c.TEST_TIME,), rows, lambda time, row: time[row] - 1500.0)
    np.testing.assert_allclose(cleaned(wrong).samples[c.TEST_TIME], cleaned(raw).samples[c.TEST_TIME], atol=1e-6)


@pytest.mark.parametrize("first", [60, 117, 300])
@pytest.mark.parametrize("rows", [2, 4, 8])
@pytest.mark.parametrize("late", [5, 20])
def test_a_short_run_in_the_wrong_place_is_sorted_and_not_moved(first: int, rows: int, late: int) -> None:
    raw = cycling(1, clocks="test")
    run = np.arange(first, first + rows)
    order = np.delete(np.arange(len(raw)), run)
    order = np.insert(order, first + late, run)
    result = cleaned(reordered(raw, order))
    np.testing.assert_array_equal(np.diff(result.samples[c.TEST_TIME]), np.diff(raw[c.TEST_TIME]))
    assert "time_stamp" not in seen(result)


@pytest.mark.parametrize("restart", [4, 300, 770])
def test_a_restart_near_either_end_is_no_run_of_wrong_stamps(restart: int) -> None:
    raw = cycling(1, clocks="test")
    time = raw[c.TEST_TIME].to_numpy().copy()
    time[restart:] -= time[restart]
    assert "time_stamp" not in seen(cleaned(raw.assign(**{c.TEST_TIME: time})))
