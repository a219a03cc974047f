"""Cleaning rules about charge: counters of the cycler against the current, cycles that hold too much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.charge_counters import counter_resets
from kilocell.jobs.cleaning.clean import clean
from raw_records import SETTINGS, cleaned, cycling, file_rows, findings, seen, with_values

RAW = cycling(3)
RESETS = ["never", "at each cycle", "at each step"]


def with_counters(raw: pd.DataFrame, resets: str, scale: float = 1.0) -> pd.DataFrame:
    """The record with the cycler's counters, which go back to zero at the given rows."""
    current, time = raw[c.CURRENT].to_numpy(), raw[c.TEST_TIME].to_numpy()
    charge = np.concatenate([[0.0], np.diff(time) * (current[1:] + current[:-1]) / 7200.0])
    charge[1:][current[1:] != current[:-1]] = 0.0  # an edge is no half step of both
    keys = {"never": np.zeros(len(raw)), "at each cycle": raw[c.CYCLE_ID],
            "at each step": 10.0 * raw[c.CYCLE_ID] + raw[c.STEP_ID]}  # fmt: skip
    counters = {
        column: scale * pd.Series(np.clip(sign * charge, 0.0, None)).groupby(np.asarray(keys[resets])).cumsum()
        for column, sign in ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0))
    }
    return raw.assign(**{name: counter.to_numpy() for name, counter in counters.items()})


@pytest.mark.parametrize("resets", RESETS)
@pytest.mark.parametrize("scale", [1.0, 1.009, 0.991, -1.0])
def test_counters_that_agree_say_nothing(resets: str, scale: float) -> None:
    raw = with_counters(RAW, resets, scale)
    result = cleaned(raw)
    assert seen(result) == set()
    np.testing.assert_array_equal(file_rows(result.samples)[c.CHARGING_CAPACITY], raw[c.CHARGING_CAPACITY])


@pytest.mark.parametrize("resets", RESETS)
def test_when_counters_go_back_is_recognised(resets: str) -> None:
    raw = with_counters(RAW, resets)
    step = np.cumsum(np.diff(raw[c.STEP_ID], prepend=1.0) != 0)
    cycle = raw[c.CYCLE_ID].to_numpy(dtype=np.int64)
    for column in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        assert counter_resets(raw[column].to_numpy(), step, cycle) == resets


@pytest.mark.parametrize("resets", RESETS)
@pytest.mark.parametrize("scale", [1.02, 0.5, 30.0])
def test_a_channel_out_of_calibration_is_told_once(resets: str, scale: float) -> None:
    result = cleaned(with_counters(RAW, resets, scale), CleanSettings())
    told = findings(result, "capacity_counter")
    assert [finding.before.split()[0] for finding in told] == [c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY]
    for finding in told:
        assert f"goes back to zero {resets}" in finding.before
        assert "in 3 of 3 steps" in finding.before
        assert finding.action == "reported"
    tolerant = cleaned(with_counters(RAW, resets, scale), CleanSettings(capacity_tolerance=0.03))
    assert bool(findings(tolerant, "capacity_counter")) == (scale != 1.02)


def test_one_step_that_differs_is_told_with_its_charges() -> None:
    raw = with_counters(RAW, "at each step")
    rows = slice(780 + 120, 780 + 360)  # the second cycle's charge: 1 A for 2390 s
    result = cleaned(with_values(raw, rows, c.CHARGING_CAPACITY, 1.1 * raw[c.CHARGING_CAPACITY][rows]))
    (found,) = findings(result, "capacity_counter")
    assert (found.cycle_count, found.rows, found.after) == (2, 240, "0.66389 A.h by the current")
    flags = file_rows(result.samples)[c.FLAGS].to_numpy() & flag_bit("capacity_counter")
    assert list(np.flatnonzero(flags)) == list(range(900, 1140))


def test_a_counter_that_goes_on_from_an_earlier_step_is_no_difference() -> None:
    """It shows 0 at rest, and begins the next step with what the step before the rest had counted."""
    raw = with_counters(RAW, "at each step")
    rows = slice(780 + 480, 780 + 600)  # the second cycle's discharge, 0.66 A.h, begins with 0.25 A.h
    goes_on = with_values(raw, rows, c.DISCHARGING_CAPACITY, raw[c.DISCHARGING_CAPACITY][rows] + 0.25)
    assert goes_on[c.CURRENT][rows].eq(-2.0).all()
    assert findings(cleaned(goes_on), "capacity_counter") == []


def test_what_the_current_did_between_samples_is_no_difference() -> None:
    raw = with_counters(RAW, "never")
    coarse = raw.iloc[::40].reset_index(drop=True).assign(**{c.SOURCE_ROW: np.arange(len(raw.iloc[::40]))})
    assert "capacity_counter" not in seen(cleaned(coarse))


def test_a_cycle_that_no_cell_can_hold() -> None:
    assert findings(cleaned(RAW, replace(SETTINGS, nominal_capacity_ah=0.4)), "capacity_excess") == []
    told = findings(cleaned(RAW, replace(SETTINGS, nominal_capacity_ah=0.3)), "capacity_excess")
    assert [finding.cycle_count for finding in told] == [1, 2, 3]
    assert (told[0].severity, told[0].after) == ("error", "nominal 0.3 A.h")
    assert "by the current" in told[0].before
    assert findings(cleaned(RAW, CleanSettings()), "capacity_excess") == []  # of an unknown cell nothing is said


def test_a_bogus_counter_is_an_excess() -> None:
    raw = with_counters(RAW, "at each cycle")
    jumped = raw[c.CHARGING_CAPACITY] + np.where((RAW[c.CYCLE_ID] == 2) & (RAW[c.STEP_ID] > 1), 31.0, 0.0)
    (found,) = findings(cleaned(raw.assign(**{c.CHARGING_CAPACITY: jumped})), "capacity_excess")
    assert (found.cycle_count, found.rows) == (2, 780)
    assert "31.66 A.h from empty to full by the cycler's counters" in found.before


def test_many_rounds_under_one_cycle_number_are_no_excess() -> None:
    many = cycling(12)
    raw = with_counters(many.assign(**{c.CYCLE_ID: 1.0}), "never")
    assert findings(cleaned(raw, replace(SETTINGS, nominal_capacity_ah=0.7)), "capacity_excess") == []


def test_counters_of_real_cyclers_agree_with_their_currents(shared_data: Path) -> None:
    for name in ("arbin_a123/arbin_example.csv", "arbin_a123/batterydata/p492-13-raw.csv",
                 "formats_cellpy/data/neware_uio.csv", "neware_melasta/star-2/raw_data_output_from_cycler.csv",
                 "formats_cellpy/data/pec_multiple_tests/Test25205.csv"):  # fmt: skip
        raw = read_raw(shared_data / name, guess_settings(shared_data / name))
        assert not seen(clean(raw, "CELL", CleanSettings())) & {"capacity_counter", "capacity_excess"}, name
        wrong = raw.assign(**{c.DISCHARGING_CAPACITY: 1.2 * raw[c.DISCHARGING_CAPACITY]})
        assert ("capacity_counter" in seen(clean(wrong, "CELL", CleanSettings()))) == ("pec" not in name), name
