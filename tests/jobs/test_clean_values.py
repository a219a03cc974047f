"""Cleaning rules about values that are missing or cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

RAW = cycling(1)
N = len(RAW)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("at", [60, 250, 400, 500])
def test_short_holes_of_the_voltage_are_interpolated(at: int, rows: int) -> None:
    result = cleaned(with_values(RAW, slice(at, at + rows), c.VOLTAGE, np.nan))
    assert_same_signal(result, RAW, tolerance=2e-3)
    (found,) = findings(result, "voltage_missing")
    assert (found.action, found.before, found.rows) == ("filled", "missing", rows)
    assert seen(result) == {"voltage_missing"}


def test_long_holes_stay_missing() -> None:
    for settings, filled in ((SETTINGS, False), (replace(SETTINGS, fill_samples=6), True)):
        result = cleaned(with_values(RAW, slice(60, 66), c.VOLTAGE, np.nan), settings)
        assert np.isfinite(result.samples[c.VOLTAGE][60:66]).all() == filled
        flags = result.samples[c.FLAGS][60:66]
        assert (flags & flag_bit("voltage_missing") != 0).all()


@pytest.mark.parametrize("rows", [slice(119, 121), slice(120, 121), slice(0, 2), slice(N - 1, N)])
def test_a_hole_across_an_edge_of_steps_stays_missing(rows: slice) -> None:
    result = cleaned(with_values(RAW, rows, c.VOLTAGE, np.nan))
    assert np.isnan(result.samples[c.VOLTAGE][rows]).all()
    assert [finding.action for finding in findings(result, "voltage_missing")] == ["left"]


@pytest.mark.parametrize("rows", [slice(60, 61), slice(200, 205), slice(150, 190), slice(20, 100), slice(500, 540)])
def test_a_constant_current_is_known_over_longer_runs(rows: slice) -> None:
    result = cleaned(with_values(RAW, rows, c.CURRENT, np.nan))
    assert_same_signal(result, RAW)
    assert [finding.action for finding in findings(result, "current_missing")] == ["filled"]


def test_a_constant_current_that_is_missing_for_long_stays_so() -> None:
    rows = slice(130, 350)
    result = cleaned(with_values(RAW, rows, c.CURRENT, np.nan))
    assert np.isnan(result.samples[c.CURRENT][rows]).all()
    assert [finding.action for finding in findings(result, "current_missing")] == ["left"]
    assert (result.samples[c.FLAGS][rows] & flag_bit("current_missing") != 0).all()
    assert_same_signal(
        cleaned(with_values(RAW, rows, c.CURRENT, np.nan), replace(SETTINGS, fill_constant_samples=220)), RAW
    )


@pytest.mark.parametrize("rows", [slice(118, 122), slice(120, 121), slice(479, 481), slice(0, 3), slice(N - 3, N)])
def test_at_an_edge_each_step_has_its_own_current(rows: slice) -> None:
    assert_same_signal(cleaned(with_values(RAW, rows, c.CURRENT, np.nan)), RAW)


def decaying() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.concatenate([np.zeros(30), 2.0 * np.exp(-np.arange(100) / 30.0), np.zeros(30)])


def test_a_decaying_current_is_filled_over_short_runs_only() -> None:
    current, step = decaying(), np.repeat([1.0, 2.0, 3.0], [30, 100, 30])
    voltage = np.repeat([4.0, 4.2, 4.15], [30, 100, 30])
    raw = raw_table(**{c.TEST_TIME: 10.0 * np.arange(160), c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_ID: step})
    short = cleaned(with_values(raw, slice(60, 64), c.CURRENT, np.nan))
    np.testing.assert_allclose(short.samples[c.CURRENT], current, atol=0.01)
    long = cleaned(with_values(raw, slice(60, 90), c.CURRENT, np.nan))
    assert np.isnan(long.samples[c.CURRENT][60:90]).all()


def test_a_current_that_the_voltage_tells_to_have_jumped_stays_missing() -> None:
    current = np.tile(np.repeat([-2.0, 0.0, 1.5, -0.5], 4), 30)
    voltage = 3.8 + 0.05 * current
    raw = raw_table(**{c.TEST_TIME: np.arange(480.0), c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_ID: np.ones(480)})
    result = cleaned(with_values(raw, slice(98, 113), c.CURRENT, np.nan))  # -2 A on both sides, a whole turn between
    assert np.isnan(result.samples[c.CURRENT][98:113]).all()
    assert [finding.action for finding in findings(result, "current_missing")] == ["left"]


def test_temperatures_are_told_and_left() -> None:
    result = cleaned(with_values(RAW, [5, 6, 300], c.SURFACE_TEMPERATURE, np.nan))
    assert [finding.rows for finding in findings(result, "temperature_missing")] == [2, 1]
    assert np.isnan(result.samples[c.SURFACE_TEMPERATURE][[5, 6, 300]]).all()
    assert_same_signal(result, RAW)


def test_a_thermometer_that_was_unplugged() -> None:
    result = cleaned(with_values(RAW, slice(40, 60), c.SURFACE_TEMPERATURE, -2500.0))
    (found,) = findings(result, "temperature_range")
    assert (found.rows, found.before, found.action) == (20, "-2500 °C", "taken as missing")
    assert np.isnan(result.samples[c.SURFACE_TEMPERATURE][40:60]).all()


def test_a_record_without_a_thermometer_is_no_finding() -> None:
    assert seen(cleaned(RAW.assign(**{c.SURFACE_TEMPERATURE: np.nan}))) == set()


def test_text_where_a_number_belongs() -> None:
    raw = with_values(RAW, [60], c.VOLTAGE, np.nan)
    texts = [""] * N
    texts[60] = "voltage_V='OL'"
    result = cleaned(raw.assign(**{c.UNREADABLE: texts}).astype(c.RAW_COLUMNS))
    (found,) = findings(result, "number_unreadable")
    assert (found.before, found.source_row) == ("voltage_V='OL'", 60)
    assert_same_signal(result, RAW, tolerance=1e-3)


def test_findings_stay_few_however_many_rows_are_concerned() -> None:
    raw = cycling(4)
    result = cleaned(with_values(raw, slice(0, None, 3), c.SURFACE_TEMPERATURE, np.nan))
    found = findings(result, "temperature_missing")
    assert len(found) == 201
    assert sum(finding.rows for finding in found) == len(raw[::3])
    assert "more events" in found[-1].before
