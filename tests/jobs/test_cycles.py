"""Cycle summaries of cleaned records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.jobs.record.charge import charge_in_out_ah, interval_energy_wh
from kilocell.jobs.record.cycles import mean_temperature, summarise_cycles
from raw_records import cleaned, cycling


def test_each_cycle_is_summed_up() -> None:
    samples = cleaned(cycling(cycles=3)).samples
    summaries = summarise_cycles(samples)
    assert [summary.cycle_count for summary in summaries] == [1, 2, 3]
    assert [summary.steps for summary in summaries] == [5, 5, 5]
    assert sum(summary.samples for summary in summaries) == len(samples)
    for summary in summaries:
        assert summary.charge_in_ah == pytest.approx(2400.0 / 3600.0, rel=1e-3)
        assert summary.charge_out_ah == pytest.approx(2400.0 / 3600.0, rel=1e-3)
        assert summary.energy_in_wh > summary.energy_out_wh > 0.0  # the resistance takes its share
        assert summary.voltage_min_volt < summary.voltage_max_volt
        assert summary.temperature_mean_celsius == 25.0
    assert summaries[0].last_test_time_second < summaries[1].first_test_time_second


def test_the_cycles_add_up_to_the_record() -> None:
    samples = cleaned(cycling(cycles=3)).samples
    summaries = summarise_cycles(samples)
    whole = charge_in_out_ah(*(samples[name].to_numpy() for name in (c.TEST_TIME, c.CURRENT, c.FLAGS)))
    assert sum(summary.charge_in_ah for summary in summaries) == pytest.approx(whole[0])
    assert sum(summary.charge_out_ah for summary in summaries) == pytest.approx(whole[1])


def test_energy_spans_a_missing_voltage_but_not_a_power_cut() -> None:
    time, flags = 3600.0 * np.arange(4.0), np.zeros(4, dtype=np.int64)
    voltage = np.array([3.0, np.nan, 3.0, 3.0])
    np.testing.assert_allclose(interval_energy_wh(time, np.full(4, 2.0), voltage, flags), [6.0, 6.0, 6.0])
    flags[3] = flag_bit("time_gap")
    np.testing.assert_allclose(interval_energy_wh(time, np.full(4, 2.0), voltage, flags), [6.0, 6.0, 0.0])
    nothing = interval_energy_wh(time, np.full(4, 2.0), np.full(4, np.nan), flags)
    np.testing.assert_array_equal(nothing, [0.0, 0.0, 0.0])


def test_temperature_of_the_surface_goes_first() -> None:
    frame = pd.DataFrame({c.TEST_TIME: [0.0, 100.0, 300.0], c.FLAGS: 0, c.SURFACE_TEMPERATURE: [30.0, np.nan, 33.0]})
    frame[c.AMBIENT_TEMPERATURE] = 25.0
    assert mean_temperature(frame) == 32.0  # 50 s at 30 °C and 100 s at 33 °C
    assert mean_temperature(frame.assign(**{c.SURFACE_TEMPERATURE: np.nan})) == 25.0
    nothing = frame.assign(**{c.SURFACE_TEMPERATURE: np.nan, c.AMBIENT_TEMPERATURE: np.nan})
    assert mean_temperature(nothing) is None


def test_a_mean_temperature_is_over_time_and_not_over_samples() -> None:
    time = np.concatenate([np.arange(0.0, 100.0), np.arange(100.0, 1000.0, 100.0)])
    frame = pd.DataFrame({c.TEST_TIME: time, c.FLAGS: 0, c.AMBIENT_TEMPERATURE: np.nan})
    frame[c.SURFACE_TEMPERATURE] = np.where(time < 100.0, 45.0, 5.0)
    assert mean_temperature(frame) == pytest.approx((99.5 * 45.0 + 800.5 * 5.0) / 900.0)
    # A power cut counts as no time.
    frame[c.FLAGS] = np.where(time == 100.0, flag_bit("time_gap"), 0)
    assert mean_temperature(frame) == pytest.approx((99.0 * 45.0 + 800.0 * 5.0) / 899.0)


def test_a_record_without_samples_has_no_cycles() -> None:
    assert summarise_cycles(cleaned(cycling(1)).samples.iloc[:0]) == ()
