"""Units inferred from values: only values that no cell can have are converted."""

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
from kilocell.jobs.cleaning.clean import clean
from raw_records import SETTINGS, cleaned, cycling, findings, seen
from test_clean import raw_again

RAW = cycling(2, noise_volt=0.0005)
COUNTERS: Final = (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
REAL: Final = {
    "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv": 5.0,
    "lgm50_digatron/0degC/Cell782_0p1C_0degC.csv": 5.0,
    "lgm50_digatron/25degC/Cell796_2C_25degC.csv": 5.0,
    "arbin_a123/arbin_example.csv": 1.1,
    "arbin_a123/batterydata/p492-13-raw.csv": 0.021,
    "neware_melasta/star-2/raw_data_output_from_cycler.csv": 7.0,
    "formats_cellpy/data/neware_uio.csv": 0.0045,
}
"""Real records with their nominal capacity in A.h: 4.5 mAh half cell to 7 A.h pouch, LFP, NMC, LCO."""
OTHER_UNITS: Final = {
    "mV": {c.VOLTAGE: 1e3},
    "mA": {c.CURRENT: 1e3},
    "uA": {c.CURRENT: 1e6},
    "mAh": dict.fromkeys(COUNTERS, 1e3),
    "mV, mA, mAh": {c.VOLTAGE: 1e3, c.CURRENT: 1e3, **dict.fromkeys(COUNTERS, 1e3)},
}


def scaled(raw: pd.DataFrame, factors: dict[str, float]) -> pd.DataFrame:
    return raw.assign(**{name: raw[name] * factor for name, factor in factors.items()})


@pytest.mark.parametrize("name", REAL)
def test_real_records_in_other_units_become_what_they_were(shared_data: Path, name: str) -> None:
    raw = read_raw(shared_data / name, guess_settings(shared_data / name))
    settings = CleanSettings(nominal_capacity_ah=REAL[name])
    truth = clean(raw, "CELL", settings)
    assert "unit_scale" not in seen(truth)
    for units, factors in OTHER_UNITS.items():
        changed = scaled(raw, factors)
        result = clean(changed, "CELL", settings)
        expected = [column for column in factors if (raw[column].abs() > 0.0).any()]
        told = [finding.before.split()[0] for finding in findings(result, "unit_scale")]
        assert sorted(told) == sorted(expected), units
        for column in (c.VOLTAGE, c.CURRENT, *COUNTERS):
            np.testing.assert_allclose(result.samples[column], truth.samples[column], rtol=1e-12, err_msg=units)
        others = [finding.rule for finding in result.report.findings if finding.rule != "unit_scale"]
        assert others == [finding.rule for finding in truth.report.findings], units
        again = clean(raw_again(result.samples), "CELL", settings)
        assert "unit_scale" not in seen(again), units


@pytest.mark.parametrize("factor", [1e3, 1e6])
@pytest.mark.parametrize("name", ["arbin_a123/arbin_example.csv", "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv"])
def test_without_a_nominal_capacity_a_current_too_large_for_any_tester_tells(
    shared_data: Path, name: str, factor: float
) -> None:
    raw = read_raw(shared_data / name, guess_settings(shared_data / name))
    result = clean(scaled(raw, {c.CURRENT: factor}), "CELL", CleanSettings())
    np.testing.assert_allclose(result.samples[c.CURRENT], clean(raw, "CELL", CleanSettings()).samples[c.CURRENT])


@pytest.mark.parametrize(
    ("name", "time_factor"),
    [(name, factor) for k, name in enumerate(REAL) for factor in np.roll([1e3, 1.0 / 60.0, 1.0 / 3600.0, 1e-3], k)[:2]],
)
def test_a_clock_of_another_unit_is_no_other_current(shared_data: Path, name: str, time_factor: float) -> None:
    raw = scaled(read_raw(shared_data / name, guess_settings(shared_data / name)), {c.TEST_TIME: time_factor})
    raw = raw.assign(**{c.UNIX_TIME: np.nan})
    for capacity in (None, REAL[name], REAL[name] / 5.0, REAL[name] * 5.0):
        result = clean(raw, "CELL", CleanSettings(nominal_capacity_ah=capacity))
        assert "unit_scale" not in seen(result), capacity


@pytest.mark.parametrize("factor", [0.01, 10.0, 12.0, 100.0, 200.0])
def test_strings_of_cells_are_left(factor: float) -> None:
    raw = scaled(RAW, {c.VOLTAGE: factor})
    result = cleaned(raw)
    assert "unit_scale" not in seen(result)
    wide = replace(SETTINGS, voltage_limits_volt=(0.0, 6000.0))
    assert "unit_scale" not in seen(cleaned(scaled(RAW, {c.VOLTAGE: 1000.0}), wide))


def test_one_file_of_two_in_millivolt() -> None:
    times = {name: RAW[name] + 20000.0 for name in (c.TEST_TIME, c.UNIX_TIME)}
    later = scaled(RAW, {c.VOLTAGE: 1000.0}).assign(**times).assign(**{c.SOURCE_INDEX: 1})
    result = cleaned(pd.concat([RAW, later.astype(c.RAW_COLUMNS)], ignore_index=True))
    (found,) = findings(result, "unit_scale")
    assert (found.source_index, found.rows, found.action) == (1, len(RAW), "converted")
    assert found.before.startswith("voltage_volt in mV, 3")
    np.testing.assert_array_equal(result.samples[c.VOLTAGE][: len(RAW)], RAW[c.VOLTAGE])
    np.testing.assert_allclose(result.samples[c.VOLTAGE][len(RAW) :], RAW[c.VOLTAGE], rtol=1e-12)
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit("unit_scale") != 0
    np.testing.assert_array_equal(flags, result.samples[c.SOURCE_INDEX] == 1)


WARM = RAW.assign(**{c.SURFACE_TEMPERATURE: 25.0 + RAW[c.CURRENT] ** 2})


def test_temperatures_in_kelvin() -> None:
    for setpoint in (None, 25.0):
        settings = replace(SETTINGS, temperature_setpoint_celsius=setpoint)
        kelvin = WARM.assign(**{c.SURFACE_TEMPERATURE: WARM[c.SURFACE_TEMPERATURE] + 273.15})
        result = cleaned(kelvin, settings)
        np.testing.assert_allclose(result.samples[c.SURFACE_TEMPERATURE], WARM[c.SURFACE_TEMPERATURE])
        assert findings(result, "unit_scale")[0].before.startswith("surface_temperature_celsius in K")


def test_temperatures_in_fahrenheit_are_told_by_the_setpoint_alone() -> None:
    fahrenheit = WARM.assign(**{c.SURFACE_TEMPERATURE: 32.0 + 1.8 * WARM[c.SURFACE_TEMPERATURE]})
    for setpoint, column in ((25.0, WARM), (None, fahrenheit), (60.0, fahrenheit), (77.0, fahrenheit)):
        result = cleaned(fahrenheit, replace(SETTINGS, temperature_setpoint_celsius=setpoint))
        np.testing.assert_allclose(result.samples[c.SURFACE_TEMPERATURE], column[c.SURFACE_TEMPERATURE])


@pytest.mark.parametrize("level", [-2500.0, 327.67, 850.0, 0.0, 80.0])
def test_a_thermometer_at_its_end_is_of_no_other_unit(level: float) -> None:
    result = cleaned(
        WARM.assign(**{c.SURFACE_TEMPERATURE: level}), replace(SETTINGS, temperature_setpoint_celsius=25.0)
    )
    assert "unit_scale" not in seen(result)


def with_single_counter(raw: pd.DataFrame, net: bool, factor: float) -> pd.DataFrame:
    charge = raw[c.CURRENT] * np.gradient(raw[c.TEST_TIME].to_numpy()) / 3600.0
    counter = charge.cumsum() if net else charge.abs().groupby((raw[c.STEP_ID].diff() != 0.0).cumsum()).cumsum()
    absent = dict.fromkeys(COUNTERS, np.nan)
    return raw.assign(**absent, **{c.NET_CAPACITY if net else c.STEP_CAPACITY: counter * factor})


def with_pair(raw: pd.DataFrame) -> pd.DataFrame:
    charge = raw[c.CURRENT] * np.gradient(raw[c.TEST_TIME].to_numpy()) / 3600.0
    return raw.assign(**{COUNTERS[0]: charge.clip(lower=0.0).cumsum(), COUNTERS[1]: (-charge).clip(lower=0.0).cumsum()})


@pytest.mark.parametrize("net", [False, True])
@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_a_single_counter_in_mah_is_converted(net: bool, factor: float) -> None:
    name = c.NET_CAPACITY if net else c.STEP_CAPACITY
    plain = with_single_counter(RAW, net, 1.0)
    assert "unit_scale" not in seen(cleaned(plain))
    result = cleaned(with_single_counter(RAW, net, factor))
    (told,) = findings(result, "unit_scale")
    assert told.before.startswith(f"{name} in {'mAh' if factor == 1e3 else 'uAh'}")
    assert result.report.charge_in_counted_ah == pytest.approx(cleaned(plain).report.charge_in_counted_ah)


@pytest.mark.parametrize("kind", ["pair", "step", "net"])
@pytest.mark.parametrize("cycles", [1, 6])
@pytest.mark.parametrize("size", [0.03, 1.0, 40.0])
def test_counters_tell_a_current_in_ma_under_a_header_a(kind: str, cycles: int, size: float) -> None:
    raw = cycling(cycles, noise_volt=0.0005)
    counters = (*COUNTERS, c.STEP_CAPACITY, c.NET_CAPACITY)
    raw = with_pair(raw) if kind == "pair" else with_single_counter(raw, kind == "net", 1.0)
    raw = scaled(raw, dict.fromkeys((c.CURRENT, *counters), size))
    result = clean(scaled(raw, {c.CURRENT: 1e3}), "CELL", CleanSettings())
    np.testing.assert_allclose(result.samples[c.CURRENT], clean(raw, "CELL", CleanSettings()).samples[c.CURRENT])
    assert [found.before.split()[0] for found in findings(result, "unit_scale")] == [c.CURRENT]
