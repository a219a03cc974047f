"""Charge before the first row, charge in both directions between two rows, and counters with few certain intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import raw_table

SETTINGS = CleanSettings(nominal_capacity_ah=5.0)


def last_rows(test_begins_second: float = 0.0) -> pd.DataFrame:
    """Three discharges of 5 A for 2700 s, and charges back, with the last row of each step only."""
    duration = np.tile([2700.0, 900.0, 2700.0, 900.0], 3)
    current = np.tile([-5.0, 0.0, 5.0, 0.0], 3)
    return raw_table(
        **{
            c.TEST_TIME: test_begins_second + np.cumsum(duration),
            c.STEP_TIME: duration,
            c.STEP_ID: np.arange(12.0) + 1.0,
            c.CYCLE_ID: np.repeat([1.0, 2.0, 3.0], 4),
            c.CURRENT: current,
            c.VOLTAGE: np.tile([3.0, 3.3, 4.1, 4.0], 3),
        }
    )


def cleaned(raw: pd.DataFrame) -> Cleaned:
    return clean(raw, "A", SETTINGS)


def test_a_first_step_that_began_before_its_first_row_counts() -> None:
    """The step time of the first row is its test time: the test began with this step."""
    result = cleaned(last_rows())
    assert result.report.charge_out_after_ah == pytest.approx(3 * 3.75, rel=1e-3)
    assert result.report.time_span_after_second == pytest.approx(3 * 7200.0)
    assert result.samples[c.SOURCE_ROW].iloc[0] == c.NO_SOURCE_ROW
    assert result.report.rows_kept == 12


def test_a_step_that_began_in_an_earlier_file_is_not_made_up() -> None:
    result = cleaned(last_rows(test_begins_second=50_000.0))
    assert result.report.charge_out_after_ah == pytest.approx(2 * 3.75, rel=1e-3)
    assert result.samples[c.SOURCE_ROW].iloc[0] == 0


def drive(counters: bool) -> tuple[pd.DataFrame, float, float]:
    """Pulses of 4 s in both directions and a charge, logged every 14 s; and their charge since the first row."""
    pulses = np.where(np.random.default_rng(4).random(500) < 0.45, 6.0, -5.0).repeat(4)
    fine = np.concatenate([pulses, np.full(1800, 4.0)])
    into = np.cumsum(np.clip(fine, 0.0, None)) / 3600.0
    out = np.cumsum(np.clip(-fine, 0.0, None)) / 3600.0
    rows = np.arange(0, len(fine), 14)
    columns = {
        c.TEST_TIME: rows.astype(float),
        c.STEP_ID: np.where(rows < len(pulses), 1.0, 2.0),
        c.CURRENT: fine[rows],
        c.VOLTAGE: 3.7 - (out - into)[rows] * 0.1 + 0.01 * fine[rows],
    }
    if counters:
        columns[c.CHARGING_CAPACITY] = into[rows]
        columns[c.DISCHARGING_CAPACITY] = out[rows]
    return raw_table(**columns), float(into[rows[-1]] - into[0]), float(out[rows[-1]] - out[0])


def test_counters_of_both_directions_count_where_the_current_turns_between_rows() -> None:
    raw, charge_in, charge_out = drive(counters=True)
    report = cleaned(raw).report
    assert report.charge_in_after_ah == pytest.approx(charge_in, rel=0.01)
    assert report.charge_out_after_ah == pytest.approx(charge_out, rel=0.01)


def test_a_current_that_turns_between_rows_leaves_the_charge_of_both_directions_open() -> None:
    raw, charge_in, charge_out = drive(counters=False)
    report = cleaned(raw).report
    assert report.charge_in_high_ah is not None
    assert report.charge_out_high_ah is not None
    assert report.charge_in_high_ah > charge_in
    assert report.charge_out_high_ah > charge_out
    assert "charge_uncertain" in {finding.rule for finding in report.findings}


def test_one_placeholder_is_not_the_largest_current_of_the_cell() -> None:
    second = np.arange(0.0, 30_000.0, 60.0)
    current = np.where((second // 6000).astype(int) % 2 == 0, 1.5, -1.5)
    voltage = 3.6 + 0.2 * np.sign(current) + np.cumsum(current) * 60.0 / 3600.0 / 20.0
    current[217] = 9999.0
    result = clean(raw_table(**{c.TEST_TIME: second, c.CURRENT: current, c.VOLTAGE: voltage}), "A", CleanSettings())
    assert result.samples[c.CURRENT].abs().max() < 2.0
