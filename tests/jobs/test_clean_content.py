"""Cleaning rules about what a record holds: impedance rows, and a voltage that no longer moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

RAW = cycling(1, noise_volt=0.0002)
N = len(RAW)


def with_words(rows: slice, word: str) -> pd.DataFrame:
    words = np.full(N, "", dtype=object)
    words[rows] = word
    return RAW.assign(**{c.STATE: pd.array(words, dtype="str")})


@pytest.mark.parametrize("word", ["EIS", "GEIS", "peis_2", "Impedance", "AC impedance", "FRA", "ACI", "SGEIS"])
def test_rows_that_the_cycler_calls_impedance_are_quarantined(word: str) -> None:
    result = cleaned(with_words(slice(400, 420), word))
    assert list(result.quarantined[c.SOURCE_ROW]) == list(range(400, 420))
    assert set(result.quarantined["rule"]) == {"impedance_row"}
    (found,) = findings(result, "impedance_row")
    assert (found.rows, found.source_row, found.action) == (20, 400, "quarantined")
    np.testing.assert_array_equal(result.samples[c.VOLTAGE], np.delete(RAW[c.VOLTAGE].to_numpy(), range(400, 420)))


@pytest.mark.parametrize("word", ["REST", "CC_DChg", "Eisenach", "REIS", "PAU"])
def test_other_words_are_none_of_it(word: str) -> None:
    assert "impedance_row" not in seen(cleaned(with_words(slice(400, 420), word), SETTINGS))


def own_step(voltage: float, current: float = 0.0) -> pd.DataFrame:
    raw = with_values(RAW, slice(400, 420), c.VOLTAGE, voltage)
    raw = with_values(raw, slice(400, 420), c.CURRENT, current)
    return with_values(raw, slice(400, 420), c.STEP_ID, 301.0)


def test_a_step_of_negative_voltages_is_an_impedance_measurement() -> None:
    result = cleaned(own_step(-3.7865))
    assert list(result.quarantined[c.SOURCE_ROW]) == list(range(400, 420))
    assert findings(result, "impedance_row")[0].before == "no word, -3.7865 V"


@pytest.mark.parametrize("raw", [own_step(-0.5), own_step(-3.8, -1.0), with_values(RAW, 400, c.VOLTAGE, -3.8)])
def test_a_bad_contact_or_a_reversed_cell_is_none(raw: pd.DataFrame) -> None:
    assert "impedance_row" not in seen(cleaned(raw))


def test_impedance_rows_of_a_real_record(shared_data: Path) -> None:
    path = shared_data / "arbin_a123/batterydata/p492-13-raw.csv"
    raw = read_raw(path, guess_settings(path))
    result = clean(raw, "CELL", CleanSettings())
    assert len(result.quarantined) == 78
    assert (result.quarantined[c.VOLTAGE] < 0.0).all()
    assert (result.samples[c.VOLTAGE] > 2.9).all()
    assert not seen(result) & {"lost_contact", "temperature_missing", "voltage_stuck"}


def test_a_voltage_stuck_under_a_steady_current() -> None:
    rows = slice(150, 300)  # 1 A for 1490 s into 2 A.h
    raw = with_values(RAW, rows, c.VOLTAGE, RAW[c.VOLTAGE][150])
    result = cleaned(raw)
    (found,) = findings(result, "voltage_stuck")
    assert (found.rows, found.source_row, found.action) == (150, 150, "left")
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit("voltage_stuck")
    assert list(np.flatnonzero(flags)) == list(range(150, 300))
    assert_same_signal(result, raw)
    short = with_values(RAW, slice(150, 180), c.VOLTAGE, RAW[c.VOLTAGE][150])  # 4 % of the capacity
    assert "voltage_stuck" not in seen(cleaned(short))


def test_a_voltage_stuck_while_the_current_jumps() -> None:
    current = np.tile(np.repeat([-2.0, 0.0, 1.5, -0.5], 5), 30)
    voltage = 3.8 + 0.05 * current + 0.0001 * np.random.default_rng(4).standard_normal(600)
    columns = {c.TEST_TIME: np.arange(600.0), c.CURRENT: current, c.STEP_ID: np.ones(600)}
    assert "voltage_stuck" not in seen(cleaned(raw_table(**columns, **{c.VOLTAGE: voltage})))
    voltage[300:400] = 3.8
    (found,) = findings(cleaned(raw_table(**columns, **{c.VOLTAGE: voltage})), "voltage_stuck")
    assert (found.rows, found.source_row) == (100, 300)


@pytest.mark.parametrize("decay", [30.0, 300.0])
def test_held_voltages_and_rests_are_not_stuck(decay: float) -> None:
    current = np.concatenate([np.zeros(200), np.ones(300), np.exp(-np.arange(400) / decay), np.zeros(200)])
    voltage = np.concatenate([np.full(200, 3.6), np.linspace(3.7, 4.2, 300), np.full(400, 4.2), np.full(200, 4.15)])
    raw = raw_table(**{c.TEST_TIME: 10.0 * np.arange(1100), c.CURRENT: current, c.VOLTAGE: voltage})
    assert "voltage_stuck" not in seen(cleaned(raw))


def test_a_plateau_on_a_coarse_channel_is_not_stuck() -> None:
    voltage = np.round(3.30 - 0.02 * np.arange(2000) / 2000.0, 3)  # 1 mV steps, 100 samples each
    columns = {c.TEST_TIME: 20.0 * np.arange(2000), c.VOLTAGE: voltage, c.CURRENT: np.full(2000, -0.2)}
    assert "voltage_stuck" not in seen(cleaned(raw_table(**columns), CleanSettings(nominal_capacity_ah=2.2)))
