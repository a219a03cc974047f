"""A reduced curve keeps what the eye would see: extremes, ends and holes."""

from __future__ import annotations

import time as clock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data.arrays import Floats
from kilocell.report.draw.envelope import envelope, insert_breaks

values_or_holes = st.one_of(st.floats(-1e3, 1e3), st.just(float("nan")))


def columns_of(time: Floats, start: float, end: float, columns: int) -> Floats:
    return np.minimum(np.floor((time - start) * (columns / (end - start))), columns - 1)


@given(
    arrays(np.float64, st.integers(2, 300), elements=values_or_holes),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_every_column_keeps_its_extremes_ends_and_holes(values: Floats, columns: int, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    time = np.cumsum(rng.exponential(size=len(values)) ** 3)  # some samples close together, some far apart
    kept_time, kept = envelope(time, values, columns)
    if len(values) <= 4 * columns:
        np.testing.assert_array_equal(kept, values)
        return
    assert len(kept) <= 5 * columns
    assert np.isin(kept_time, time).all()
    before, after = (columns_of(t, time[0], time[-1], columns) for t in (time, kept_time))
    assert set(before) == set(after)
    for column in set(before):
        whole, part = values[before == column], kept[after == column]
        np.testing.assert_array_equal(part[[0, -1]], whole[[0, -1]])
        assert np.isnan(part).any() == np.isnan(whole).any()
        finite = whole[~np.isnan(whole)]
        if len(finite):
            assert (np.nanmin(part), np.nanmax(part)) == (finite.min(), finite.max())


def test_a_single_spike_in_a_million_samples_stays_and_is_quick() -> None:
    values = np.zeros(1_000_000)
    values[654_321] = -7.0
    started = clock.process_time()
    time, kept = envelope(np.arange(1e6), values)
    assert clock.process_time() - started < 5.0  # 0.2 s on an idle machine
    assert len(kept) < 12_000
    assert time[np.argmin(kept)] == 654_321
    assert kept.min() == -7.0


@pytest.mark.parametrize("length", [0, 1, 5])
def test_few_samples_stay_as_they_are(length: int) -> None:
    time = np.arange(float(length))
    assert envelope(time, time, columns=2)[1] is time


def test_samples_at_one_time_stay() -> None:
    time = np.zeros(20)
    np.testing.assert_array_equal(envelope(time, np.arange(20.0), columns=2)[1], np.arange(20.0))


def test_a_break_lifts_the_line_before_its_sample() -> None:
    time, values = insert_breaks(np.array([0.0, 1.0, 5.0]), np.array([3.0, 4.0, 5.0]), np.array([False, False, True]))
    np.testing.assert_array_equal(time, [0, 1, 5, 5])
    np.testing.assert_array_equal(values, [3, 4, np.nan, 5])
