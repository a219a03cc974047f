"""Measured charge has one definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.rules import flag_bit
from kilocell.jobs.record.charge import charge_in_out_ah, interval_charge_ah

HOURS = 3600.0 * np.array([0.0, 1.0, 2.0, 4.0])
NO_FLAGS = np.zeros(4, dtype=np.int64)


def test_trapezoids_positive_into_the_cell() -> None:
    charge = interval_charge_ah(HOURS, np.array([1.0, 1.0, -1.0, -3.0]), NO_FLAGS)
    np.testing.assert_allclose(charge, [1.0, 0.0, -4.0])


def test_no_charge_flows_while_the_power_is_out() -> None:
    flags = NO_FLAGS.copy()
    flags[3] = flag_bit("time_gap") | flag_bit("voltage_spike")
    np.testing.assert_allclose(interval_charge_ah(HOURS, np.ones(4), flags), [1.0, 1.0, 0.0])


def test_a_gap_is_the_interval_before_its_sample() -> None:
    flags = NO_FLAGS.copy()
    flags[0] = flag_bit("time_gap")
    np.testing.assert_allclose(interval_charge_ah(HOURS, np.ones(4), flags), [1.0, 1.0, 2.0])


def test_a_missing_current_counts_nothing_on_either_side() -> None:
    charge = interval_charge_ah(HOURS, np.array([1.0, np.nan, 1.0, 1.0]), NO_FLAGS)
    np.testing.assert_allclose(charge, [0.0, 0.0, 2.0])


def test_in_and_out_are_both_positive() -> None:
    assert charge_in_out_ah(HOURS, np.array([1.0, 1.0, 0.0, -1.0]), NO_FLAGS) == (1.5, 1.0)
    assert str(charge_in_out_ah(HOURS, np.zeros(4), NO_FLAGS)) == "(0.0, 0.0)"


def test_fewer_than_two_samples_carry_no_charge() -> None:
    assert len(interval_charge_ah(np.zeros(1), np.ones(1), np.zeros(1, dtype=np.int64))) == 0


@given(st.lists(st.floats(-10.0, 10.0), min_size=2, max_size=50))
def test_in_minus_out_is_the_sum(current: list[float]) -> None:
    time, flags = np.arange(0.0, 60.0 * len(current), 60.0), np.zeros(len(current), dtype=np.int64)
    charge_in, charge_out = charge_in_out_ah(time, np.array(current), flags)
    total = interval_charge_ah(time, np.array(current), flags).sum()
    np.testing.assert_allclose(charge_in - charge_out, total, atol=1e-9)
