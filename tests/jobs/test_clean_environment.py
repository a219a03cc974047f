"""Cleaning rules about temperatures: thermocouples that are off, chambers that are off their setpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.cleaning.temperature import NOISE_CELSIUS, _local_noise, _may_be_noisy
from raw_records import SETTINGS, Floats, assert_same_signal, cleaned, cycling, findings, seen, with_values

SURFACE, AMBIENT = c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE


def with_heat(cycles: int = 3, resolution: float = 0.01, noise: float = 0.03) -> pd.DataFrame:
    """A record whose surface warms by up to 4 °C under current and is read with noise, at a resolution in °C."""
    raw = cycling(cycles)
    current = raw[c.CURRENT].to_numpy()
    warmth = np.zeros(len(raw))
    for k in range(1, len(raw)):
        warmth[k] = warmth[k - 1] + (current[k] ** 2 - warmth[k - 1]) / 60.0
    read = 25.0 + warmth + noise * np.random.default_rng(1).standard_normal(len(raw))
    return raw.assign(**{SURFACE: np.round(read / resolution) * resolution})


RAW = with_heat()
NEW = {"temperature_jump", "temperature_stuck", "temperature_noise", "chamber_off"}


def flagged_rows(samples: pd.DataFrame, rule: str) -> list[int]:
    return [int(row) for row in np.flatnonzero(samples[c.FLAGS].to_numpy() & flag_bit(rule))]


@pytest.mark.parametrize("resolution", [0.001, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.03, 0.3])
def test_a_cell_that_warms_is_as_it_was(resolution: float, noise: float) -> None:
    raw = with_heat(3, resolution, noise)
    result = cleaned(raw)
    assert seen(result) == set()
    np.testing.assert_array_equal(result.samples[SURFACE], raw[SURFACE])


@pytest.mark.parametrize("level", [0.0, -40.0, 75.0])
@pytest.mark.parametrize("rows", [1, 7, 60])
@pytest.mark.parametrize("column", [SURFACE, AMBIENT])
def test_an_unplugged_thermocouple_is_missing_until_it_is_back(level: float, rows: int, column: str) -> None:
    raw = RAW.assign(**{column: RAW[SURFACE]})
    result = cleaned(with_values(raw, slice(200, 200 + rows), column, level))
    (found,) = findings(result, "temperature_jump")
    assert (found.rows, found.source_row, found.action) == (rows, 200, "taken as missing")
    assert flagged_rows(result.samples, "temperature_jump") == [*range(200, 200 + rows)]
    assert np.isnan(result.samples[column][200 : 200 + rows]).all()
    kept = np.delete(np.arange(len(RAW)), np.arange(200, 200 + rows))
    np.testing.assert_array_equal(result.samples[column].to_numpy()[kept], raw[column].to_numpy()[kept])
    assert_same_signal(result, RAW)


def test_what_a_cell_or_a_chamber_can_do_is_no_jump() -> None:
    away = with_values(RAW, slice(200, 260), SURFACE, RAW[SURFACE][200:260] + 9.0)  # less than a jump
    never_back = with_values(RAW, slice(1000, None), SURFACE, RAW[SURFACE][1000:] + 20.0)
    ramp = np.interp(np.arange(len(RAW)), [500, 510, 600, 610], [0.0, 30.0, 30.0, 0.0])
    ramped = RAW.assign(**{SURFACE: RAW[SURFACE] + ramp})
    for raw in (away, never_back, ramped):
        result = cleaned(raw)
        assert "temperature_jump" not in seen(result)
        np.testing.assert_array_equal(result.samples[SURFACE], raw[SURFACE])
    asked = replace(SETTINGS, temperature_jump_celsius=8.0)
    assert findings(cleaned(away, asked), "temperature_jump")[0].rows == 60


def test_a_thermocouple_that_is_stuck_is_flagged_and_left() -> None:
    rows = slice(905, 1130)  # within the second charge
    raw = with_values(RAW, rows, SURFACE, 25.77)
    result = cleaned(raw)
    (found,) = findings(result, "temperature_stuck")
    assert (found.rows, found.source_row, found.before, found.action) == (225, 905, "25.77 °C", "left")
    assert flagged_rows(result.samples, "temperature_stuck") == [*range(905, 1130)]
    np.testing.assert_array_equal(result.samples[SURFACE], raw[SURFACE])
    short = cleaned(with_values(RAW, slice(905, 1080), SURFACE, 25.77))  # 1750 s
    assert "temperature_stuck" not in seen(short)


def test_a_thermocouple_that_never_moves_may_be_a_coarse_one() -> None:
    assert seen(cleaned(RAW.assign(**{SURFACE: 25.0}))) == set()


def test_a_noisy_thermocouple_is_flagged_and_left() -> None:
    noise = np.where((np.arange(len(RAW)) // 200) == 4, 5.0, 0.0) * np.random.default_rng(2).uniform(-1, 1, len(RAW))
    raw = RAW.assign(**{SURFACE: RAW[SURFACE] + noise})
    result = cleaned(raw)
    rows = flagged_rows(result.samples, "temperature_noise")
    assert set(range(815, 985)) <= set(rows) <= set(range(785, 1015))
    np.testing.assert_array_equal(result.samples[SURFACE], raw[SURFACE])


def chamber(at: slice, level: float) -> pd.DataFrame:
    ambient = 25.0 + 0.2 * np.random.default_rng(3).standard_normal(len(RAW))
    return with_values(RAW.assign(**{AMBIENT: ambient}), at, AMBIENT, ambient[at] - 25.0 + level)


def test_a_chamber_off_its_setpoint() -> None:
    raw = chamber(slice(400, 640), 29.0)
    result = cleaned(raw)
    (found,) = findings(result, "chamber_off")
    assert (found.source_row, found.rows, found.severity, found.action) == (400, 240, "info", "reported")
    assert found.before.startswith("29.0") or found.before.startswith("28.9") or found.before.startswith("29 ")
    assert found.after.startswith("the record's median is 25")
    np.testing.assert_array_equal(result.samples[AMBIENT], raw[AMBIENT])
    assert findings(cleaned(raw, replace(SETTINGS, chamber_tolerance_celsius=6.0)), "chamber_off") == []
    assert findings(cleaned(raw, replace(SETTINGS, chamber_second=3000.0)), "chamber_off") == []
    assert findings(cleaned(chamber(slice(400, 570), 29.0)), "chamber_off") == []


def test_a_given_setpoint_decides() -> None:
    raw = chamber(slice(0, 0), 25.0)
    (found,) = findings(cleaned(raw, replace(SETTINGS, temperature_setpoint_celsius=20.0)), "chamber_off")
    assert (found.rows, found.after, found.severity) == (len(RAW), "setpoint 20 °C", "warning")
    assert seen(cleaned(raw, replace(SETTINGS, temperature_setpoint_celsius=25.0))) == set()


def test_without_a_chambers_thermometer_the_rested_surface_tells() -> None:
    rest = RAW.iloc[:120].assign(**{SURFACE: 25.0})
    long = pd.concat([RAW, *[rest] * 6], ignore_index=True)
    time = 10.0 * np.arange(len(long))
    long = long.assign(**{c.TEST_TIME: time, c.UNIX_TIME: 1.7e9 + time, c.SOURCE_ROW: np.arange(len(long))})
    long = with_values(long, slice(len(RAW), None), c.STEP_ID, 9.0)
    long = with_values(long, slice(len(RAW), None), c.CYCLE_ID, 3.0)
    assert "chamber_off" not in seen(cleaned(long, replace(SETTINGS, temperature_setpoint_celsius=24.0)))
    (found,) = findings(cleaned(long, replace(SETTINGS, temperature_setpoint_celsius=21.0)), "chamber_off")
    assert found.source_row > len(RAW)  # warm cells at work, or just after it, say nothing of the chamber


def test_real_records_show_none_of_this(shared_data: Path) -> None:
    names = ["arbin_a123/arbin_example.csv", "neware_melasta/star-2/raw_data_output_from_cycler.csv"]
    for path in [*(shared_data / name for name in names), *(shared_data / "lgm50_digatron").glob("*/*.csv")]:
        result = clean(read_raw(path, guess_settings(path)), path.stem, CleanSettings())
        assert not seen(result) & NEW, path.stem


def with_chamber(swing: float) -> pd.DataFrame:
    """A record in a chamber that is sent from one temperature to another and back, which the surface follows."""
    ambient = 25.0 + swing * (np.sin(np.arange(len(RAW)) / 300.0) > 0.0)
    ambient = pd.Series(ambient).rolling(60, min_periods=1).mean().to_numpy()
    noise = 0.02 * np.random.default_rng(5).standard_normal(len(RAW))
    return RAW.assign(**{AMBIENT: ambient + noise, SURFACE: RAW[SURFACE] + ambient - 25.0})


BROKEN: dict[str, tuple[Callable[[Floats], Floats], str]] = {
    "unplugged": (lambda column: np.full(len(column), -2500.0), "temperature_range"),
    "jumped": (lambda column: column + 40.0, "temperature_jump"),
    "noisy": (lambda column: column + 6.0 * np.random.default_rng(6).uniform(-1, 1, len(column)), "temperature_noise"),
}


@pytest.mark.parametrize("damage", BROKEN)
@pytest.mark.parametrize(("column", "other"), [(SURFACE, AMBIENT), (AMBIENT, SURFACE)])
def test_of_two_thermometers_only_the_broken_one_is_touched(damage: str, column: str, other: str) -> None:
    good = with_chamber(10.0)
    assert not seen(cleaned(good)) & {"temperature_jump", "temperature_stuck", "temperature_noise", "temperature_range"}
    change, rule = BROKEN[damage]
    rows = slice(1100, 1300)
    raw = with_values(good, rows, column, change(good[column].to_numpy()[rows]))
    result = cleaned(raw)
    np.testing.assert_array_equal(result.samples[other], raw[other])
    found = flagged_rows(result.samples, rule)
    assert set(range(1120, 1280)) <= set(found) <= set(range(1080, 1320))
    if damage != "noisy":
        assert found == [*range(1100, 1300)]
        assert np.isnan(result.samples[column][rows]).all()
    assert_same_signal(result, RAW)


def test_a_surface_that_does_not_follow_the_chamber_is_stuck() -> None:
    raw = with_chamber(10.0).assign(**{SURFACE: 24.6})
    (found,) = findings(cleaned(raw), "temperature_stuck")
    assert (found.rows, found.action) == (len(RAW), "left")
    assert "temperature_stuck" not in seen(cleaned(with_chamber(3.0).assign(**{SURFACE: 24.6})))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, 3.0, np.nan]), min_size=3, max_size=80), st.integers(0, 40))
def test_no_noise_is_missed_where_few_distances_are_large(distances: list[float], missing: int) -> None:
    off = np.array([*distances, *[np.nan] * missing, *distances])
    with np.errstate(invalid="ignore"):
        noisy = _local_noise(off) > NOISE_CELSIUS
        assert _may_be_noisy(off) or not noisy.any()
