"""Cleaning rules about the current as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.jobs.cleaning.current import state_signs
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, file_rows, findings, raw_table, seen

RAW = cycling(2, noise_volt=0.001)
N = len(RAW)
TURNED = RAW.assign(**{c.CURRENT: -RAW[c.CURRENT]})
WORDS = np.select([RAW[c.CURRENT] > 0.0, RAW[c.CURRENT] < 0.0], ["CHA", "DCH"], "PAU")


def with_words(raw: pd.DataFrame) -> pd.DataFrame:
    return raw.assign(**{c.STATE: WORDS}).astype(c.RAW_COLUMNS)


def test_a_charge_positive_current_stays() -> None:
    for raw in (RAW, with_words(RAW)):
        for sign in ("auto", "charge_positive"):
            result = cleaned(raw, replace(SETTINGS, current_sign=sign))
            assert_same_signal(result, RAW)
            assert seen(result) == set()


@pytest.mark.parametrize("raw", [TURNED, with_words(TURNED)])
@pytest.mark.parametrize("sign", ["auto", "discharge_positive"])
def test_a_discharge_positive_current_is_turned(raw: pd.DataFrame, sign: str) -> None:
    result = cleaned(raw, replace(SETTINGS, current_sign=sign))  # type: ignore[arg-type]
    assert_same_signal(result, RAW)
    (found,) = findings(result, "current_sign")
    assert (found.action, found.rows) == ("turned", int((RAW[c.CURRENT] != 0.0).sum()))
    flagged = result.samples[c.FLAGS].to_numpy() & flag_bit("current_sign") != 0
    np.testing.assert_array_equal(flagged, RAW[c.CURRENT] != 0.0)


def test_what_the_campaign_says_goes_before_what_the_record_says() -> None:
    result = cleaned(TURNED, replace(SETTINGS, current_sign="charge_positive"))
    assert_same_signal(result, TURNED)


def test_an_unsigned_current_gets_its_sign_from_the_cyclers_words() -> None:
    result = cleaned(with_words(RAW.assign(**{c.CURRENT: RAW[c.CURRENT].abs()})))
    assert_same_signal(result, RAW)
    assert findings(result, "current_sign")[0].before == "without a sign"


def test_one_discharge_without_rests_tells_its_sign_by_its_trend() -> None:
    time = 60.0 * np.arange(100)
    raw = raw_table(**{c.TEST_TIME: time, c.VOLTAGE: np.linspace(4.1, 3.0, 100), c.CURRENT: np.full(100, 1.0)})
    assert (cleaned(raw).samples[c.CURRENT] == -1.0).all()


def test_evidence_that_contradicts_itself_turns_nothing() -> None:
    half = np.where(np.arange(N) < N // 2, 1.0, -1.0)
    raw = RAW.assign(**{c.CURRENT: half * RAW[c.CURRENT]})
    result = cleaned(raw)
    assert_same_signal(result, raw)
    (found,) = findings(result, "current_sign")
    assert (found.action, found.severity) == ("left", "warning")


def test_a_missing_current_is_no_evidence() -> None:
    turned = RAW.assign(**{c.CURRENT: np.where(np.arange(N) == N // 2, np.nan, -RAW[c.CURRENT])})
    result = cleaned(turned)
    assert_same_signal(result, RAW)
    assert [found.action for found in findings(result, "current_sign")] == ["turned"]


def test_words_of_many_cyclers() -> None:
    charge = ["CHA", "Charge", "CC Chg", "CCCV_Chg", "C", "CC_Chg", "charging", "CV Chg"]
    discharge = ["DCH", "Discharge", "CC DChg", "CC_DChg", "D", "discharging", "Dis", "CP DChg"]
    other = ["PAU", "Rest", "R", "OCV", "RANGE", "", "Pause", "S", "cycle", "record"]
    np.testing.assert_array_equal(state_signs(pd.Series(charge)), 1.0)
    np.testing.assert_array_equal(state_signs(pd.Series(discharge)), -1.0)
    np.testing.assert_array_equal(state_signs(pd.Series(other)), 0.0)


@pytest.mark.parametrize("offset", [0.003, -0.004])
def test_an_offset_that_all_rests_show_is_taken_off(offset: float) -> None:
    noise = 0.0004 * np.random.default_rng(2).standard_normal(N)
    raw = RAW.assign(**{c.CURRENT: RAW[c.CURRENT] + offset + noise})
    result = cleaned(raw)
    (found,) = findings(result, "current_offset")
    taken = float(found.before.split()[0])
    assert taken == pytest.approx(offset, rel=0.05)
    assert found.rows == N
    assert_same_signal(result, raw.assign(**{c.CURRENT: raw[c.CURRENT] - taken}), 2e-6)
    again = cleaned(raw.assign(**{c.CURRENT: result.samples[c.CURRENT].to_numpy()}))
    assert findings(again, "current_offset") == []


def test_an_offset_in_one_rest_alone_is_told_and_left() -> None:
    raw = RAW.iloc[:300]  # the first rest and a part of the charge
    raw = raw.assign(**{c.CURRENT: raw[c.CURRENT] + 0.003})
    result = cleaned(raw)
    assert [found.action for found in findings(result, "current_offset")] == ["reported"]
    assert_same_signal(result, raw)


def test_noise_and_drift_around_zero_are_no_offset() -> None:
    rng = np.random.default_rng(3)
    for wobble in (0.002 * rng.standard_normal(N), 0.003 * np.sin(np.arange(N) / 50.0)):
        assert seen(cleaned(RAW.assign(**{c.CURRENT: RAW[c.CURRENT] + wobble}))) == set()


def test_a_record_without_a_discharge_is_told() -> None:
    charged = RAW[RAW[c.STEP_ID] <= 3.0].iloc[:480]
    assert [finding.action for finding in findings(cleaned(charged), "no_discharge")] == ["reported"]


def test_a_sign_that_the_voltage_contradicts_is_obeyed_and_told() -> None:
    wrong = cleaned(RAW, replace(SETTINGS, current_sign="discharge_positive"))
    told = [found for found in findings(wrong, "current_sign") if found.severity == "error"]
    assert len(told) == 1
    assert "contradict" in told[0].before
    np.testing.assert_array_equal(wrong.samples[c.CURRENT], -RAW[c.CURRENT])
    right = cleaned(RAW, replace(SETTINGS, current_sign="charge_positive"))
    assert findings(right, "current_sign") == []


UNSIGNED = RAW.assign(**{c.CURRENT: RAW[c.CURRENT].abs()})


@pytest.mark.parametrize("capacity", [None, 0.2, 2.0, 70.0, 700.0])
@pytest.mark.parametrize("raw", [TURNED, with_words(TURNED), with_words(UNSIGNED), UNSIGNED])
def test_the_sign_depends_on_no_capacity(raw: pd.DataFrame, capacity: float | None) -> None:
    np.testing.assert_array_equal(
        cleaned(raw, replace(SETTINGS, nominal_capacity_ah=capacity)).samples[c.CURRENT], RAW[c.CURRENT]
    )


@pytest.mark.parametrize("odd", ["P", "S", ""])
def test_words_in_some_rows_of_a_step_count_for_the_whole_step(odd: str) -> None:
    words = np.where(np.arange(N) % 3 == 0, odd, np.char.upper(np.where(WORDS == "PAU", "R", WORDS)))
    step = (RAW[c.STEP_ID].to_numpy() == 4.0) & (RAW[c.CYCLE_ID].to_numpy() == 2.0)
    words[np.flatnonzero(step)[60:]] = odd
    raw = UNSIGNED.assign(**{c.STATE: words}).astype(c.RAW_COLUMNS)
    np.testing.assert_array_equal(cleaned(raw).samples[c.CURRENT], RAW[c.CURRENT])


def test_without_words_counters_or_the_voltage_tell_the_direction_and_it_is_told() -> None:
    without_numbers = UNSIGNED.assign(**{c.STEP_ID: np.nan, c.CYCLE_ID: np.nan})
    for raw in (UNSIGNED, without_numbers):
        result = cleaned(raw)
        np.testing.assert_array_equal(file_rows(result.samples)[c.CURRENT], RAW[c.CURRENT])
        (found,) = findings(result, "current_sign")
        assert (found.severity, found.action) == ("warning", "turned")
    flat: dict[str, Any] = {c.VOLTAGE: 3.3, c.CHARGING_CAPACITY: np.cumsum(np.clip(RAW[c.CURRENT], 0.0, None)) / 360.0}
    flat[c.DISCHARGING_CAPACITY] = np.cumsum(np.clip(-RAW[c.CURRENT], 0.0, None)) / 360.0
    np.testing.assert_array_equal(file_rows(cleaned(UNSIGNED.assign(**flat)).samples)[c.CURRENT], RAW[c.CURRENT])


def test_loads_of_one_direction_are_not_taken_for_two() -> None:
    rng = np.random.default_rng(7)
    load = np.repeat(rng.uniform(0.2, 6.0, 600), 5)
    load[rng.integers(0, 3000, 300)] = 0.0
    volt = 3.9 - 0.1 * np.cumsum(load) / 3600.0 - 0.05 * load
    raw = raw_table(**{c.TEST_TIME: np.arange(3000.0), c.VOLTAGE: volt, c.CURRENT: load, c.STEP_ID: np.ones(3000)})
    np.testing.assert_array_equal(cleaned(raw).samples[c.CURRENT], -load)
    np.testing.assert_array_equal(cleaned(raw.assign(**{c.CURRENT: -load})).samples[c.CURRENT], -load)
