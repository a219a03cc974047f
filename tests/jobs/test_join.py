"""Files of one cell are joined in time order, or refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.jobs.join import join_sources


def raw(first: float, last: float) -> pd.DataFrame:
    times = np.linspace(first, last, 5)
    return pd.DataFrame({c.UNIX_TIME: times, c.TEST_TIME: times - first, c.SOURCE_INDEX: 0, c.SOURCE_ROW: range(5)})


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


def test_files_without_a_clock_are_joined_by_name() -> None:
    first, second = (raw(0, 100).assign(**{c.UNIX_TIME: np.nan, c.STATE: text}) for text in ("x", "y"))
    joined = join_sources([("2.csv", second), ("1.csv", first)])
    assert list(joined[c.STATE]) == ["x"] * 5 + ["y"] * 5
