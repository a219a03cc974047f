"""Cleaning rules about the signal: spikes are removed, real changes stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.jobs.cleaning.current_spikes import edge_resistance
from pairwise import pairwise
from raw_records import (
    RESISTANCE_OHM,
    SCHEDULE,
    SETTINGS,
    assert_same_signal,
    cleaned,
    cycling,
    findings,
    raw_table,
    seen,
    with_values,
)

RAW = cycling(1)
N = len(RAW)
FIRST_OF_STEPS = np.cumsum([0, *(int(seconds / 10.0) for *_, seconds in SCHEDULE)])[:-1]


def rows_with(samples: pd.DataFrame, rule: str) -> list[int]:
    return [int(row) for row in np.flatnonzero(samples[c.FLAGS].to_numpy() & flag_bit(rule))]


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        (0.0, [60]), (9.9999, [60]), (3.2, [61, 62]), (4.5, [61, 62]), (0.0, [200]), (4.5, [200]), (9.9999, [400]),
        (3.2, [400]), (0.0, [500, 501]), (9.9999, [500, 501]), (3.2, [700]), (4.5, [700]),
    ],
)  # fmt: skip
def test_a_voltage_spike_is_interpolated(value: float, rows: list[int]) -> None:
    raw = cycling(1, noise_volt=0.001)
    result = cleaned(with_values(raw, rows, c.VOLTAGE, value))
    assert rows_with(result.samples, "voltage_spike") == rows
    assert_same_signal(result, raw, tolerance=0.006)
    (found,) = findings(result, "voltage_spike")
    assert (found.before, found.action, found.rows) == (f"{value:.6g} V", "interpolated", len(rows))
    untouched = np.delete(np.arange(N), rows)
    np.testing.assert_array_equal(result.samples[c.VOLTAGE].to_numpy()[untouched], raw[c.VOLTAGE].to_numpy()[untouched])


@pytest.mark.parametrize(("seed", "swing_volt"), [(1, 0.03), (2, 0.05), (3, 0.09)])
def test_a_voltage_that_swings_at_one_current_has_no_spikes(seed: int, swing_volt: float) -> None:
    # As a DFN near its limit: uneven swings over a part of a quiet step. One spike that exceeds them is still found.
    time = np.arange(0.0, 3000.0, 10.0)
    current = np.where(time < 600.0, 0.0, -5.0)
    voltage = np.where(time < 600.0, 4.1, 3.8 - 2e-4 * (time - 600.0))
    swinging = slice(200, 260)
    draw = np.random.default_rng(seed)
    voltage[swinging] += swing_volt * np.hanning(60) * draw.normal(0.0, 1.0, 60)
    raw = raw_table(**{c.TEST_TIME: time, c.CURRENT: current, c.VOLTAGE: voltage})
    result = cleaned(raw)
    assert not rows_with(result.samples, "voltage_spike")
    np.testing.assert_array_equal(result.samples[c.VOLTAGE].to_numpy(), voltage)
    assert rows_with(cleaned(with_values(raw, 230, c.VOLTAGE, 4.9)).samples, "voltage_spike") == [230]


@pytest.mark.parametrize("at", [*FIRST_OF_STEPS[1:], *(FIRST_OF_STEPS[1:] - 1)])
def test_an_impossible_voltage_at_a_steps_edge_is_left_missing(at: int) -> None:
    result = cleaned(with_values(RAW, at, c.VOLTAGE, 0.0))
    assert rows_with(result.samples, "voltage_spike") == [at]
    assert np.isnan(result.samples[c.VOLTAGE][at])
    assert [finding.action for finding in findings(result, "voltage_spike")] == ["left"]
    assert "voltage_missing" in seen(result)


def test_a_spike_beside_a_missing_voltage() -> None:
    raw = with_values(with_values(RAW, 60, c.VOLTAGE, 4.4), [59, 61], c.VOLTAGE, np.nan)
    result = cleaned(raw)
    assert_same_signal(result, RAW, tolerance=1e-3)
    assert rows_with(result.samples, "voltage_spike") == [60]
    assert rows_with(result.samples, "voltage_missing") == [59, 61]


@pytest.mark.parametrize(("seed", "noise"), [(seed, (1e-4, 1e-3, 5e-3)[seed % 3]) for seed in range(12)])
def test_noise_edges_and_relaxations_are_untouched(seed: int, noise: float) -> None:
    raw = cycling(2, noise_volt=noise, seed=seed)
    for record in (raw, raw.assign(**{c.STEP_ID: np.nan, c.CYCLE_ID: np.nan})):
        result = cleaned(record)
        assert_same_signal(result, raw)
        assert seen(result) <= {"cycle_jump", "step_renumbered"}


def pulsed(numbers: bool, length: int = 1) -> pd.DataFrame:
    """A discharge at 0.2 A with pulses of one or a few samples up to 4 A, all in one step unless numbered."""
    rng = np.random.default_rng(3)
    current = np.full(1200, -0.2)
    pulse = np.zeros(1200, dtype=bool)
    for first in range(30, 1170, 30):
        pulse[first : first + length] = True
        current[first : first + length] += rng.uniform(-4.0, 4.0)
    charge = np.cumsum(current) / 3600.0
    voltage = 3.8 + 0.3 * charge + RESISTANCE_OHM * current + 1e-4 * rng.standard_normal(1200)
    step = np.where(pulse, 2.0, 1.0) if numbers else np.ones(1200)
    time = np.arange(1200.0)
    return raw_table(**{c.TEST_TIME: time, c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_ID: step})


@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_pulses_are_untouched(numbers: bool, length: int) -> None:
    raw = pulsed(numbers, length)
    assert_same_signal(cleaned(raw), raw)
    assert_same_signal(cleaned(raw.assign(**{c.STEP_ID: np.nan})), raw)


def test_a_drive_cycle_sampled_once_a_second_is_untouched() -> None:
    rng = np.random.default_rng(5)
    current = np.repeat(rng.uniform(-6.0, 3.0, 900), rng.integers(1, 4, 900))[:1500]
    current[rng.integers(0, 1500, 150)] = 0.0
    voltage = 3.8 + 0.2 * np.cumsum(current) / 3600.0 + RESISTANCE_OHM * current
    voltage += 0.02 * np.convolve(current, np.exp(-np.arange(30) / 8.0) / 8.0)[:1500]
    raw = raw_table(
        **{c.TEST_TIME: np.arange(1500.0), c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_ID: np.ones(1500)}
    )
    result = cleaned(raw)
    assert_same_signal(result, raw)
    assert not seen(result) & {"voltage_spike", "current_spike", "lost_contact"}


@pytest.mark.parametrize("at", [60, 200, 450, 700])
def test_a_current_spike_that_the_voltage_ignores_is_interpolated(at: int) -> None:
    raw = cycling(2, noise_volt=0.0005)
    result = cleaned(with_values(raw, at, c.CURRENT, raw[c.CURRENT][at] + 1.5))
    assert rows_with(result.samples, "current_spike") == [at]
    assert_same_signal(result, raw, tolerance=1e-9)


@pytest.mark.parametrize("rows", [3, 5, 12])
def test_leads_that_came_off_within_a_step(rows: int) -> None:
    lost = slice(530, 530 + rows)
    raw = with_values(with_values(RAW, lost, c.VOLTAGE, np.linspace(0.02, 0.1, rows)), lost, c.CURRENT, 0.001)
    result = cleaned(raw)
    assert rows_with(result.samples, "lost_contact") == list(range(530, 530 + rows))
    np.testing.assert_allclose(result.samples[c.CURRENT], RAW[c.CURRENT], atol=1e-9)
    assert np.isnan(result.samples[c.VOLTAGE][lost]).all() == (rows > SETTINGS.fill_samples)
    assert result.report.charge_out_after_ah == pytest.approx(cleaned(RAW).report.charge_out_after_ah)
    assert seen(result) == {"lost_contact"}


@pytest.mark.parametrize(("limit", "vanishes", "at"), pairwise([5.0, 4.4, 2.0, 0.7], [True, False], [30, 200, 530]))
def test_a_voltage_that_jumps_to_the_channels_limit(limit: float, vanishes: bool, at: int) -> None:
    lost = slice(at, at + 12)
    raw = with_values(RAW, lost, c.VOLTAGE, limit)
    raw = with_values(raw, lost, c.CURRENT, 0.0) if vanishes else raw
    result = cleaned(raw)
    assert rows_with(result.samples, "lost_contact") == list(range(at, at + 12))
    assert np.isnan(result.samples[c.VOLTAGE][lost]).all()
    np.testing.assert_allclose(result.samples[c.CURRENT], RAW[c.CURRENT], atol=1e-9)
    untouched = np.delete(np.arange(N), np.arange(at, at + 12))
    np.testing.assert_array_equal(result.samples[c.VOLTAGE].to_numpy()[untouched], RAW[c.VOLTAGE].to_numpy()[untouched])
    assert seen(result) <= {"lost_contact", "voltage_missing"}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_strong_pulse_beyond_all_other_voltages_is_no_lost_contact(sign: float) -> None:
    raw = with_values(RAW, slice(530, 540), c.CURRENT, sign * 20.0)
    raw = with_values(raw, slice(530, 540), c.VOLTAGE, RAW[c.VOLTAGE][530] + sign * 20.0 * RESISTANCE_OHM)
    result = cleaned(raw)
    assert_same_signal(result, raw)
    assert "lost_contact" not in seen(result)


def test_a_current_that_vanishes_while_the_voltage_goes_on_was_not_measured() -> None:
    result = cleaned(with_values(RAW, slice(530, 536), c.CURRENT, 0.0))
    assert_same_signal(result, RAW, tolerance=1e-9)
    assert rows_with(result.samples, "lost_contact") == list(range(530, 536))


def test_a_current_that_was_really_interrupted_stays_and_is_told() -> None:
    off = slice(520, 526)
    raw = with_values(RAW, off, c.CURRENT, 0.0)
    raw = with_values(raw, off, c.VOLTAGE, RAW[c.VOLTAGE][off] + 2.0 * RESISTANCE_OHM)
    result = cleaned(raw)
    assert_same_signal(result, raw)
    assert [finding.action for finding in findings(result, "lost_contact")] == ["left"]


def test_a_voltage_held_out_of_range_is_taken_as_missing() -> None:
    result = cleaned(with_values(RAW, slice(300, 320), c.VOLTAGE, 9.9999))
    assert rows_with(result.samples, "voltage_range") == list(range(300, 320))
    assert np.isnan(result.samples[c.VOLTAGE][300:320]).all()


def test_a_cell_of_another_voltage_is_reported_and_left() -> None:
    raw = RAW.assign(**{c.VOLTAGE: RAW[c.VOLTAGE] - 3.6})  # a half cell, most of it below 0.5 V
    result = cleaned(raw)
    assert_same_signal(result, raw)
    assert {finding.action for finding in findings(result, "voltage_range")} == {"left"}


def test_limits_come_from_the_settings() -> None:
    settings = replace(SETTINGS, voltage_limits_volt=(0.0, 60.0))
    raw = RAW.assign(**{c.VOLTAGE: 10.0 * RAW[c.VOLTAGE]})
    result = cleaned(raw, settings)
    assert_same_signal(result, raw)
    assert seen(result) == set()


def test_a_good_voltage_between_a_spike_and_a_hole_in_the_log_stays() -> None:
    raw = RAW.drop(index=range(640, 700)).reset_index(drop=True)  # in a rest that still relaxes
    raw = with_values(raw, slice(640, N), c.VOLTAGE, raw[c.VOLTAGE][640:] + 0.04)
    result = cleaned(with_values(raw, 638, c.VOLTAGE, raw[c.VOLTAGE][638] + 0.05))
    assert rows_with(result.samples, "voltage_spike") == [638]
    assert result.samples[c.VOLTAGE][639] == raw[c.VOLTAGE][639]


def test_current_spikes_close_together_are_all_found_at_once() -> None:
    rows = [200, 204]
    result = cleaned(with_values(RAW, rows, c.CURRENT, [1.15, -1.0]))
    assert rows_with(result.samples, "current_spike") == rows
    assert_same_signal(result, RAW, tolerance=1e-9)


def test_what_the_ends_of_holds_leave_does_not_make_the_resistance_small() -> None:
    large = np.repeat([0.0, 1.0, 0.0], 10)  # two edges of 1 A that are answered
    small = np.repeat([0.2, 0.0, 0.2, 0.0, 0.2, 0.0], 10)  # and six of 0.2 A that are not
    step = np.repeat(np.arange(1, 10), 10)
    found = edge_resistance(np.append(3.7 + 0.1 * large, np.full(60, 3.7)), np.append(large, small), step, 3.0)
    assert found == pytest.approx(0.1)


def test_the_noise_of_a_current_written_twice_is_no_spike() -> None:
    n = 400
    rng = np.random.default_rng(3)
    ampere = np.repeat(0.07 + 0.002 * rng.standard_normal(n // 2), 2)
    ampere[[100, 101]] += 0.025
    ampere = np.delete(ampere, 101)  # this one was written once
    time = np.delete(np.repeat(5.0 * np.arange(n // 2), 2), 101)
    celsius = 25.0 + 0.01 * np.arange(n - 1)
    raw = raw_table(**{c.TEST_TIME: time, c.CURRENT: ampere, c.VOLTAGE: np.full(n - 1, 3.6),
                       c.SURFACE_TEMPERATURE: celsius, c.STEP_ID: np.ones(n - 1)})  # fmt: skip
    result = cleaned(raw, replace(SETTINGS, nominal_capacity_ah=1.0))
    assert "current_spike" not in seen(result)
    np.testing.assert_array_equal(result.samples[c.CURRENT], ampere)
