"""Numbers that a program wrote instead of a current are missing currents, and no charge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from raw_records import cleaned, cycling, findings, seen

RAW = cycling(2, noise_volt=0.0005)
"""Rests of 0 A, 1 A for rows 120 to 359, -2 A for rows 480 to 599."""


def with_numbers(rows: list[int], numbers: list[float], name: str = c.CURRENT) -> pd.DataFrame:
    column = RAW[name].to_numpy().copy()
    column[rows] = numbers
    return RAW.assign(**{name: column})


@pytest.mark.parametrize("capacity_ah", [None, 2.0])
@pytest.mark.parametrize("number", [9999.0, -9999.0, -999.0, 999.9, 99999.0, 32767.0, 65.535, -2147483648.0, 9.999])
@pytest.mark.parametrize(
    "rows", [[200], [40], [130, 300, 501], [250, 251, 252], [0], [120], [359]],
    ids=["one", "in a rest", "three", "a run", "first", "first of step", "last of step"],
)  # fmt: skip
def test_a_number_for_no_value_is_a_missing_current(rows: list[int], number: float, capacity_ah: float | None) -> None:
    settings = CleanSettings(nominal_capacity_ah=capacity_ah)
    result = clean(with_numbers(rows, [number] * len(rows)), "CELL", settings)
    missing = clean(with_numbers(rows, [np.nan] * len(rows)), "CELL", settings)
    pd.testing.assert_series_equal(result.samples[c.CURRENT], missing.samples[c.CURRENT])
    assert result.report.charge_in_after_ah == pytest.approx(missing.report.charge_in_after_ah)
    assert result.report.charge_out_high_ah == pytest.approx(missing.report.charge_out_high_ah)
    told = [found for found in findings(result, "current_missing") if found.action == "taken as missing"]
    assert sum(found.rows for found in told) == len(rows)
    assert told[0].before == f"{number:.6g} A"


def test_several_numbers_and_voltages_of_the_same_number() -> None:
    both = with_numbers([150, 320, 321, 520], [9999.0, -999.0, -999.0, 500.0])
    voltage = both[c.VOLTAGE].to_numpy().copy()
    voltage[[320, 321]] = -999.0
    result = cleaned(both.assign(**{c.VOLTAGE: voltage}))
    np.testing.assert_allclose(result.samples[c.CURRENT][[150, 320, 321]], 1.0)


def test_a_round_number_that_is_repeated_is_no_current() -> None:
    result = cleaned(with_numbers([150, 300], [500.0, 500.0]))
    np.testing.assert_allclose(result.samples[c.CURRENT][[150, 300]], 1.0)


@pytest.mark.parametrize("number", [9.99, 99.9, -99.9])
def test_a_pulse_to_which_the_voltage_responds_is_left(number: float) -> None:
    raw = with_numbers([220, 221], [number] * 2)
    voltage = raw[c.VOLTAGE].to_numpy().copy()
    resistance = abs(float(np.diff(RAW[c.VOLTAGE])[119] / np.diff(RAW[c.CURRENT])[119]))
    voltage[[220, 221]] += resistance * number
    assert "current_missing" not in seen(cleaned(raw.assign(**{c.VOLTAGE: voltage})))


def test_a_current_of_nines_is_one_if_others_are_as_large() -> None:
    raw = RAW.assign(**{c.CURRENT: RAW[c.CURRENT] * 0.999})
    assert "current_missing" not in seen(cleaned(raw))
