"""Files of one cell are joined in time order, or refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.jobs.record.join_sources import join_sources


def raw(first: float, last: float, test_first: float = 0.0) -> pd.DataFrame:
    times = np.linspace(first, last, 5)
    columns = {c.UNIX_TIME: times, c.TEST_TIME: times - first + test_first, c.CURRENT: times, c.VOLTAGE: 3.7}
    return pd.DataFrame({**columns, c.SOURCE_INDEX: 0, c.SOURCE_ROW: range(5)})


def unwalled(first: float, last: float) -> pd.DataFrame:
    """A file that has only the cycler's own clock."""
    return raw(first, last, first).assign(**{c.UNIX_TIME: np.nan})


def test_files_that_continue_each_other_are_joined_in_time_order() -> None:
    joined = join_sources([("b.csv", raw(100, 200)), ("a.csv", raw(201, 300))])
    assert joined[c.UNIX_TIME].is_monotonic_increasing
    assert list(joined[c.SOURCE_INDEX]) == [0] * 5 + [1] * 5
    later_name_first = join_sources([("a.csv", raw(201, 300)), ("b.csv", raw(100, 200))])
    pd.testing.assert_frame_equal(joined, later_name_first)


def test_files_that_overlap_are_refused_by_name() -> None:
    with pytest.raises(JobError, match=r"a.csv and b.csv hold the same cell over the same 1.00 h") as caught:
        join_sources([("b.csv", raw(3600, 10_000)), ("a.csv", raw(0, 7200))])
    assert caught.value.code == "sources_overlap"


def test_test_times_that_run_on_tell_the_order() -> None:
    joined = join_sources([("a.csv", unwalled(1000, 2000)), ("b.csv", unwalled(0, 1000))])
    assert joined[c.TEST_TIME].is_monotonic_increasing
    with pytest.raises(JobError, match=r"a.csv and b.csv hold the same cell over the same 0.14 h"):
        join_sources([("a.csv", unwalled(0, 1000)), ("b.csv", unwalled(500, 1500))])


def test_files_that_each_start_at_zero_are_joined_by_name() -> None:
    joined = join_sources([("2.csv", unwalled(0, 500)), ("1.csv", unwalled(0, 1000))])
    assert list(joined[c.TEST_TIME])[4] == 1000
    assert list(joined[c.SOURCE_INDEX]) == [0] * 5 + [1] * 5


def test_a_copy_under_another_name_is_refused() -> None:
    with pytest.raises(JobError, match="hold the same rows"):
        join_sources([("1.csv", unwalled(0, 1000)), ("copy of 1.csv", unwalled(0, 1000))])


def test_a_clock_in_some_files_only_is_refused() -> None:
    with pytest.raises(JobError, match=r"only some of 1.csv, 2.csv have a wall clock"):
        join_sources([("1.csv", raw(0, 1000)), ("2.csv", unwalled(1000, 2000))])
