"""Voltages that change by a contact or a channel: found in damaged records, and in no good one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

RAW = cycling(2, noise_volt=0.0003)
STEADY: Final = {  # real records with the share of places at which a step of 20 mV must be found
    "lgm50_digatron/25degC/Cell796_2C_25degC.csv": 0.9,
    "neware_melasta/star-2/raw_data_output_from_cycler.csv": 0.8,
    "arbin_a123/batterydata/p492-13-raw.csv": 0.7,
    "lgm50_digatron/0degC/Cell782_0p1C_0degC.csv": 0.6,
}


def rows_with(result: Cleaned, rule: str) -> list[int]:
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit(rule)
    return [int(row) for row in result.samples[c.SOURCE_ROW].to_numpy()[flags != 0]]


@pytest.mark.parametrize("size", [0.02, -0.05, 0.2])
@pytest.mark.parametrize("at", [60, 200, 300, 530, 1000])
def test_a_voltage_step_without_a_current_step(at: int, size: float) -> None:
    step = RAW[c.STEP_ID].to_numpy()
    end = at + int(np.argmax(step[at:] != step[at]))
    raw = with_values(RAW, slice(at, end), c.VOLTAGE, RAW[c.VOLTAGE][at:end] + size)
    result = cleaned(raw)
    assert rows_with(result, "voltage_step") == [at]
    (found,) = findings(result, "voltage_step")
    assert (found.rows, found.source_row, found.action) == (1, at, "reported")
    assert found.before == f"{raw[c.VOLTAGE][at - 1]:.5g} V, then {raw[c.VOLTAGE][at]:.5g} V"
    assert_same_signal(result, raw)
    assert "voltage_step" not in seen(cleaned(raw, replace(SETTINGS, voltage_step_volt=0.3)))


@pytest.mark.parametrize("name", STEADY)
def test_steps_put_into_real_records_are_found_and_nothing_else(shared_data: Path, name: str) -> None:
    raw = read_raw(shared_data / name, guess_settings(shared_data / name))
    good = clean(raw, "CELL", CleanSettings()).samples
    row, step = good[c.SOURCE_ROW].to_numpy(), good[c.STEP_COUNT].to_numpy()
    rng, hits, tries = np.random.default_rng(4), 0, 0
    while tries < 20:
        at = int(rng.integers(10, len(row) - 10))
        if step[at - 5] != step[at + 5]:
            continue
        tries += 1
        rows = row[at : np.searchsorted(step, step[at], side="right")]
        raw_with = with_values(raw, rows, c.VOLTAGE, raw[c.VOLTAGE].to_numpy()[rows] + 0.02)
        found = rows_with(clean(raw_with, "CELL", CleanSettings()), "voltage_step")
        assert set(found) <= {row[at]}
        hits += len(found)
    assert hits >= STEADY[name] * tries


def test_real_records_have_no_voltage_steps(shared_data: Path) -> None:
    paths = [*(shared_data / name for name in STEADY), *(shared_data / "lgm50_digatron").glob("*/*.csv"),
             shared_data / "arbin_a123/arbin_example.csv", shared_data / "formats_cellpy/data/neware_uio.csv",
             shared_data / "formats_cellpy/data/custom_data_001.csv"]  # fmt: skip
    for path in paths:
        result = clean(read_raw(path, guess_settings(path)), path.stem, CleanSettings())
        assert not seen(result) & {"voltage_step", "channel_change"}, path.stem


def test_edges_pulses_and_relaxations_are_no_voltage_steps() -> None:
    rng = np.random.default_rng(6)
    current = np.repeat(rng.uniform(-4.0, 3.0, 150), rng.integers(1, 12, 150))[:700]
    voltage = 3.8 + 0.2 * np.cumsum(current) / 3600.0 + 0.03 * current
    voltage += 0.02 * np.convolve(current, np.exp(-np.arange(60) / 12.0) / 12.0)[:700]
    time = np.arange(700.0)
    raw = raw_table(**{c.TEST_TIME: time, c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_ID: np.ones(700)})
    assert "voltage_step" not in seen(cleaned(raw))


def continued(shift: float, hours: float = 1.0, as_file: bool = True, rest: float = 1800.0) -> pd.DataFrame:
    """Two records of a cell, one after the other at rest; the second one's channel shows more by ``shift`` V."""
    last = float(RAW[c.VOLTAGE].iloc[-1])
    rested = RAW[RAW[c.STEP_ID] == 1.0].iloc[: int(rest / 10.0)]
    length = RAW[c.TEST_TIME].iloc[-1] + 3600.0 * hours
    later = RAW.assign(**{c.VOLTAGE: RAW[c.VOLTAGE] - RAW[c.VOLTAGE].iloc[0] + last + shift,
                          c.CYCLE_ID: RAW[c.CYCLE_ID] + 2.0, c.SOURCE_INDEX: int(as_file)})  # fmt: skip
    later = later.assign(**{name: later[name] + length for name in (c.TEST_TIME, c.UNIX_TIME)})
    assert len(rested)
    return pd.concat([RAW, later], ignore_index=True).astype(c.RAW_COLUMNS)


@pytest.mark.parametrize("shift", [0.015, -0.04])
@pytest.mark.parametrize("as_file", [True, False])
def test_a_cell_that_was_moved_to_another_channel(shift: float, as_file: bool) -> None:
    raw = continued(shift, as_file=as_file)
    result = cleaned(raw)
    assert [finding.source_row for finding in findings(result, "channel_change")] == [0]
    (found,) = findings(result, "channel_change")
    assert (found.rows, found.action, found.after) == (1, "reported", "no charge between")
    np.testing.assert_array_equal(result.samples[c.VOLTAGE], raw[c.VOLTAGE])


@pytest.mark.parametrize("as_file", [True, False])
def test_the_same_channel_again_is_none(as_file: bool) -> None:
    assert "channel_change" not in seen(cleaned(continued(0.002, as_file=as_file)))
    wide = replace(SETTINGS, channel_difference_volt=0.05)
    assert "channel_change" not in seen(cleaned(continued(0.03, as_file=as_file), wide))


def test_a_rest_that_still_relaxes_is_no_other_channel() -> None:
    raw = RAW.iloc[:620].assign(**{c.VOLTAGE: RAW[c.VOLTAGE][:620]})  # 200 s after the discharge
    later = RAW.iloc[660:].assign(**{c.SOURCE_INDEX: 1})
    assert abs(later[c.VOLTAGE].iloc[0] - raw[c.VOLTAGE].iloc[-1]) > 0.005
    result = cleaned(pd.concat([raw, later], ignore_index=True).astype(c.RAW_COLUMNS))
    assert "channel_change" not in seen(result)


def test_a_clock_that_restarted_right_after_a_discharge_shows_no_other_channel() -> None:
    time = 60.0 * np.arange(240)
    current = np.where(time < 7200.0, -1.0, 0.0)
    rested = np.maximum(time - 7200.0, 0.0)
    voltage = np.where(time < 7200.0, 3.2 - 0.7 * time / 7200.0, 2.9 + 0.05 * np.log1p(rested / 60.0))
    test = np.where(np.arange(240) < 126, time, time - time[126])
    raw = raw_table(**{c.TEST_TIME: test, c.UNIX_TIME: 1.7e9 + time, c.CURRENT: current, c.VOLTAGE: voltage})
    result = cleaned(raw)
    assert "time_restart" in seen(result)
    assert "channel_change" not in seen(result)
