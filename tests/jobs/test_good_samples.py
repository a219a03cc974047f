"""Good samples stay: sparse logs, cells near 0 V, small currents that are real, and pauses that carry no charge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

UNKNOWN = CleanSettings()
DELETING = {"lost_contact", "voltage_spike", "voltage_range", "voltage_placeholder", "current_spike", "voltage_stuck"}


def deep_cycles(cycles: int = 12, hours: float = 2.0) -> pd.DataFrame:
    """Cycles from 2.6 to 4.2 V and back at 10 s, with rests and, once, a discharge to 1.6 V."""
    parts = []
    begin = 0.0
    for cycle in range(cycles):
        low = 1.6 if cycle == cycles // 2 else 2.6
        for step, (ampere, start, end, seconds) in enumerate(
            [(0.0, 4.15, 4.15, 1800.0), (-1.0, 4.1, low, 3600.0 * hours), (0.0, low + 0.1, low + 0.3, 1800.0),
             (1.0, low + 0.4, 4.2, 3600.0 * hours)]
        ):  # fmt: skip
            time = np.arange(10.0, seconds + 1.0, 10.0)
            # Steep near empty, as a cell is.
            share = (time / seconds) ** (4.0 if ampere < 0.0 else 0.25)
            parts.append(pd.DataFrame({"time": begin + time, "volt": start + share * (end - start), "ampere": ampere,
                                       "step": step + 1.0, "cycle": cycle + 1.0}))  # fmt: skip
            begin += seconds
    return pd.concat(parts, ignore_index=True)


def logged(fine: pd.DataFrame, how: str) -> pd.DataFrame:
    """The record as a sparse log writes it."""
    step = fine.groupby(["cycle", "step"], sort=False)["time"]
    last = fine["time"] == step.transform("max")
    first = fine["time"] == step.transform("min")
    every = fine["time"] % 600.0 == 0.0
    rows = {"last": last, "first and last": first | last, "600 s": every}[how]
    kept = fine[rows]
    columns = {c.TEST_TIME: "time", c.VOLTAGE: "volt", c.CURRENT: "ampere", c.STEP_ID: "step", c.CYCLE_ID: "cycle"}
    return raw_table(**{ours: kept[theirs].to_numpy() for ours, theirs in columns.items()})


@pytest.mark.parametrize("how", ["last", "first and last", "600 s"])
@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize("settings", [UNKNOWN, CleanSettings(nominal_capacity_ah=2.0)])
def test_a_sparse_log_loses_nothing(how: str, numbers: bool, settings: CleanSettings) -> None:
    raw = logged(deep_cycles(), how)
    if not numbers:
        raw = raw.assign(**{c.STEP_ID: np.nan})
    result = cleaned(raw, settings)
    np.testing.assert_array_equal(result.samples[c.VOLTAGE], raw[c.VOLTAGE])
    np.testing.assert_array_equal(result.samples[c.CURRENT], raw[c.CURRENT])
    assert not seen(result) & (DELETING | {"time_gap"})


def near_zero(rest_volt: float, seconds: float, noise: float = 0.0) -> pd.DataFrame:
    """A cell that rests near 0 V, and is then formed at a small current: its voltage rises smoothly to 3.6 V."""
    time = np.arange(0.0, 80_000.0, seconds)
    forming = time > 4000.0
    volt = rest_volt + np.where(forming, (3.6 - rest_volt) * (1.0 - np.exp(-(time - 4000.0) / 6000.0)), 0.0)
    volt += noise * np.random.default_rng(1).standard_normal(len(time))
    return raw_table(**{c.TEST_TIME: time, c.VOLTAGE: volt, c.CURRENT: np.where(forming, 0.05, 0.0)})


@pytest.mark.parametrize("rest_volt", [0.137, 0.02, 0.41, -0.05])
@pytest.mark.parametrize("seconds", [5.0, 60.0, 600.0])
def test_a_fresh_cell_keeps_its_voltages(rest_volt: float, seconds: float) -> None:
    raw = near_zero(rest_volt, seconds, noise=0.0005)
    result = cleaned(raw, UNKNOWN)
    np.testing.assert_array_equal(result.samples[c.VOLTAGE], raw[c.VOLTAGE])
    assert not seen(result) & DELETING


def test_a_channel_that_reads_exactly_zero_before_it_is_connected_has_no_voltage() -> None:
    raw = with_values(cycling(1), slice(0, 60), c.VOLTAGE, 0.0)  # and then jumps up, still at rest
    assert np.isnan(cleaned(raw).samples[c.VOLTAGE][:60]).all()
    raw = with_values(cycling(1), slice(0, 60), c.VOLTAGE, 0.137)
    assert np.isnan(cleaned(raw).samples[c.VOLTAGE][:60]).all()


def test_a_discharge_to_zero_is_real_and_a_lost_contact_in_it_is_not() -> None:
    time = np.arange(0.0, 20_000.0, 10.0)
    volt = np.clip(4.0 - 0.5 * (time / 10_000.0) ** 2 - 3.4 * (time / 19_000.0) ** 20, -0.3, None)
    raw = raw_table(**{c.TEST_TIME: time, c.VOLTAGE: volt, c.CURRENT: np.full(len(time), -1.0)})
    np.testing.assert_array_equal(cleaned(raw).samples[c.VOLTAGE], volt)
    lost = slice(700, 712)
    result = cleaned(with_values(raw, lost, c.VOLTAGE, 0.03))
    assert np.isnan(result.samples[c.VOLTAGE][lost]).all()
    assert result.samples[c.VOLTAGE].isna().sum() == 12


def test_half_cell_voltages_that_are_few_and_below_the_limit_stay() -> None:
    raw = cycling(3)
    share = (raw[c.VOLTAGE] - raw[c.VOLTAGE].min()) / np.ptp(raw[c.VOLTAGE])
    raw = raw.assign(**{c.VOLTAGE: 0.35 + 1.1 * share})
    below = float((raw[c.VOLTAGE] < 0.5).mean())
    assert 0.0 < below < 0.2
    np.testing.assert_array_equal(cleaned(raw).samples[c.VOLTAGE], raw[c.VOLTAGE])


def placeholders(volt: float, where: str) -> pd.DataFrame:
    raw = cycling(2)
    current = raw[c.CURRENT].to_numpy()
    rows = {"all": current != 0.0, "discharge": current < 0.0, "charge": current > 0.0}[where]
    return with_values(raw, rows, c.VOLTAGE, volt)


@pytest.mark.parametrize("volt", [0.0, -1.0, 999.0, 5.0])
def test_one_number_under_every_current_is_no_voltage(volt: float) -> None:
    raw = placeholders(volt, "all")
    result = cleaned(raw)
    resting = raw[c.CURRENT] == 0.0
    np.testing.assert_array_equal(result.samples[c.VOLTAGE].isna(), ~resting)
    np.testing.assert_array_equal(result.samples[c.VOLTAGE][resting], raw[c.VOLTAGE][resting])
    assert {found.severity for found in findings(result, "voltage_placeholder")} == {"error"}


@pytest.mark.parametrize("where", ["discharge", "charge"])
def test_a_zero_in_each_step_of_one_direction_is_no_voltage(where: str) -> None:
    raw = placeholders(0.0, where)
    result = cleaned(raw)
    zero = raw[c.VOLTAGE] == 0.0
    np.testing.assert_array_equal(result.samples[c.VOLTAGE].isna(), zero)


def test_a_held_voltage_is_no_placeholder() -> None:
    current = np.concatenate([np.zeros(60), 2.0 * np.exp(-np.arange(600) / 200.0), np.zeros(60)])
    volt = np.concatenate([np.full(60, 3.6), np.full(600, 4.2), np.full(60, 4.15)])
    raw = raw_table(**{c.TEST_TIME: 10.0 * np.arange(720), c.VOLTAGE: volt, c.CURRENT: current})
    assert "voltage_placeholder" not in seen(cleaned(raw))


# Small currents


def small_hold(ampere: float, rest_noise: float = 0.0) -> pd.DataFrame:
    """A rest, 12 h at a held voltage and a small current, a rest, and a short charge."""
    counts = (200, 4320, 200, 60)
    current = np.repeat([0.0, ampere, 0.0, 0.4], counts)
    current += rest_noise * np.random.default_rng(2).standard_normal(len(current))
    volt = np.repeat([3.71, 3.65, 3.66, 3.75], counts)
    step = np.repeat([1.0, 2.0, 3.0, 4.0], counts)
    time = 10.0 * np.arange(len(step))
    return raw_table(**{c.TEST_TIME: time, c.VOLTAGE: volt, c.CURRENT: current, c.STEP_ID: step})


@pytest.mark.parametrize("ampere", [0.001, -0.0015])
@pytest.mark.parametrize("rest_noise", [0.0, 1e-5])
def test_a_long_hold_at_a_small_current_is_charge(ampere: float, rest_noise: float) -> None:
    raw = small_hold(ampere, rest_noise)
    result = cleaned(raw, replace(SETTINGS, nominal_capacity_ah=0.5))
    assert_same_signal(result, raw)
    assert "current_offset" not in seen(result)
    if rest_noise == 0.0:
        assert result.samples.groupby(c.STEP_COUNT)[c.STEP_TYPE].first().tolist()[:3] == ["rest", "hold", "rest"]


def test_a_rest_of_exactly_zero_outvotes_an_offset() -> None:
    raw = cycling(3)
    current = raw[c.CURRENT].to_numpy().copy()
    resting = np.flatnonzero(current == 0.0)
    current[resting[130:]] = 0.004  # all but the first rest
    result = cleaned(raw.assign(**{c.CURRENT: current}))
    assert "current_offset" not in seen(result)
    np.testing.assert_array_equal(result.samples[c.CURRENT], current)


# Pauses


def paused(days: float, ampere: float, pauses: int = 1, counter: bool = False, edge: bool = True) -> Cleaned:
    """Cycles with the cycler off for days in the rests; all their rows show an offset but each cycle's first rest."""
    raw = cycling(pauses + 1)
    time = raw[c.TEST_TIME].to_numpy().copy()
    current = raw[c.CURRENT].to_numpy().copy()
    cycle = raw[c.CYCLE_ID].to_numpy()
    late = np.flatnonzero((raw[c.STEP_ID] == 5.0) & (np.arange(len(raw)) % 780 > 620))
    current[late] = ampere
    for k in range(1, pauses + 1):
        at = int(np.argmax(cycle == k + 1)) - (0 if edge else 40)
        time[at:] += days * 86_400.0
        current[at] = ampere
    columns = {c.TEST_TIME: time, c.UNIX_TIME: np.full(len(raw), np.nan), c.CURRENT: current}
    if counter:
        charge = np.append(0.0, np.cumsum(np.diff(time) * (current[1:] + current[:-1]) / 7200.0 * (current[1:] > 0.0)))
        columns[c.CHARGING_CAPACITY] = charge
    return cleaned(raw.assign(**columns))


@pytest.mark.parametrize(("days", "ampere"), [(3.0, 0.002), (0.4, 0.009), (30.0, -0.003)])
@pytest.mark.parametrize("pauses", [1, 3])
@pytest.mark.parametrize("edge", [True, False])
def test_an_offset_is_not_integrated_over_a_pause(days: float, ampere: float, pauses: int, edge: bool) -> None:
    result = paused(days, ampere, pauses, edge=edge)
    assert len(findings(result, "time_gap")) == pauses
    plain = cleaned(cycling(pauses + 1)).report
    assert result.report.charge_in_after_ah == pytest.approx(plain.charge_in_after_ah, rel=0.01)
    assert result.report.charge_out_after_ah == pytest.approx(plain.charge_out_after_ah, rel=0.01)


def test_a_small_current_that_a_counter_counted_through_is_charge() -> None:
    result = paused(3.0, 0.002, counter=True)
    assert findings(result, "time_gap") == []
    counted = 3.0 * 24.0 * 0.002
    assert result.report.charge_in_after_ah - paused(3.0, 0.002).report.charge_in_after_ah == pytest.approx(
        counted, rel=0.05
    )


def test_a_rest_of_an_hour_that_each_cycle_logs_at_its_end_is_no_power_cut() -> None:
    raw = cycling(4)
    number = np.arange(len(raw)) % 780
    kept = (number < 601) | (number >= 779)  # of the last rest its first and its last row
    raw = raw[kept].reset_index(drop=True)
    assert findings(cleaned(raw), "time_gap") == []


def test_a_step_time_that_counted_on_shows_that_the_cycler_was_on() -> None:
    raw = cycling(2)
    step_time = raw[c.TEST_TIME] - raw.groupby([c.CYCLE_ID, c.STEP_ID])[c.TEST_TIME].transform("min")
    kept = np.delete(np.arange(len(raw)), np.arange(150, 280))  # of the charge
    without = raw.iloc[kept].reset_index(drop=True).assign(**{c.VOLTAGE: 3.7})
    assert len(findings(cleaned(without), "time_gap")) == 1
    assert findings(cleaned(without.assign(**{c.STEP_TIME: step_time.iloc[kept].to_numpy()})), "time_gap") == []
