"""The time within steps replaces a missing test time and refines a coarse one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from raw_records import Floats, cleaned, file_rows, findings, raw_table, seen

STEPS = ((1, 0.0, 37.3), (2, 1.5, 61.8), (3, -1.5, 44.4), (1, 0.0, 18.7), (2, 1.5, 55.5), (3, -1.5, 60.1))
"""Step number, A and s of each step."""


def fine_record(every: float, start: float = 0.0) -> pd.DataFrame:
    """A record with a test time of 1 ms and the time within steps, logged regularly and at the end of each step."""
    times, since, steps, currents = [], [], [], []
    begin = start
    for number, ampere, second in STEPS:
        rows = np.append(np.arange(every, second - 1e-6, every), second)
        since.append(rows)
        times.append(begin + rows)
        steps.append(np.full(len(rows), float(number)))
        currents.append(np.full(len(rows), ampere))
        begin += second
    time, current = np.concatenate(times), np.concatenate(currents)
    charge = np.cumsum(current * np.diff(time, prepend=time[0])) / 3600.0
    return raw_table(
        **{
            c.TEST_TIME: time,
            c.STEP_TIME: np.concatenate(since),
            c.STEP_ID: np.concatenate(steps),
            c.CURRENT: current,
            c.VOLTAGE: 3.7 + 5.0 * charge + 0.03 * current,
        }
    )


def intervals(frame: pd.DataFrame) -> Floats:
    return np.diff(frame[c.TEST_TIME].to_numpy())


@pytest.mark.parametrize("every", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("tick", [1.0, 5.0, 60.0])
@pytest.mark.parametrize("name", [c.TEST_TIME, c.UNIX_TIME])
def test_a_coarse_clock_is_refined_and_no_row_is_a_copy(every: float, tick: float, name: str) -> None:
    raw = fine_record(every, start=0.4 * tick)
    offset = 0.0 if name == c.TEST_TIME else 1.6e9
    coarse = offset + tick * np.floor(raw[c.TEST_TIME] / tick)
    result = cleaned(raw.assign(**{c.TEST_TIME: np.nan, c.VOLTAGE: 3.7, name: coarse}))
    assert len(file_rows(result.samples)) == len(raw)
    assert result.report.rows_quarantined == 0
    np.testing.assert_allclose(intervals(file_rows(result.samples)), intervals(raw), rtol=0.0, atol=2e-5)
    (told,) = findings(result, "step_time")
    assert (told.action, told.severity) == ("refined", "info")


@pytest.mark.parametrize("every", [0.5, 10.0])
def test_a_missing_test_time_is_made_from_the_steps(every: float) -> None:
    raw = fine_record(every)
    result = cleaned(raw.assign(**{c.TEST_TIME: np.nan}))
    assert len(file_rows(result.samples)) == len(raw)
    np.testing.assert_allclose(intervals(file_rows(result.samples)), intervals(raw), rtol=0.0, atol=1e-9)
    assert [told.action for told in findings(result, "step_time")] == ["joined"]


def test_a_missing_stamp_is_filled_by_the_time_within_the_step() -> None:
    raw = fine_record(0.5)
    time = raw[c.TEST_TIME].to_numpy().copy()
    rows = [3, 74, 75, 200, 300]
    time[rows] = np.nan
    result = cleaned(raw.assign(**{c.TEST_TIME: time}))
    np.testing.assert_allclose(intervals(file_rows(result.samples)), intervals(raw), rtol=0.0, atol=1e-9)
    assert {found.action for found in findings(result, "time_missing")} == {"filled"}


def test_steps_of_one_row_have_their_own_length() -> None:
    raw = fine_record(1e6)
    result = cleaned(raw.assign(**{c.TEST_TIME: np.nan}))
    np.testing.assert_allclose(intervals(file_rows(result.samples)), intervals(raw), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("every", [1.0, 10.0])
def test_a_fine_clock_is_not_touched(every: float) -> None:
    raw = fine_record(every)
    result = cleaned(raw)
    assert "step_time" not in seen(result)
    np.testing.assert_array_equal(file_rows(result.samples)[c.TEST_TIME], raw[c.TEST_TIME] - raw[c.TEST_TIME][0])


def test_a_pause_within_a_step_stays_in_the_coarse_clock() -> None:
    raw = fine_record(0.5)
    at = 200
    late = np.where(np.arange(len(raw)) >= at, 30.0, 0.0)
    result = cleaned(raw.assign(**{c.TEST_TIME: np.floor(raw[c.TEST_TIME] + late)}))
    assert intervals(file_rows(result.samples))[at - 1] == pytest.approx(30.5, abs=1.0)
    assert len(file_rows(result.samples)) == len(raw)
