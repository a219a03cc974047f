"""Cleaning rules about step and cycle numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from pairwise import pairwise
from raw_records import assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

RAW = cycling(2)
N = len(RAW)
STEPS = np.repeat(np.arange(1, 11), [120, 240, 120, 120, 180] * 2)


@pytest.mark.parametrize(("rows", "at", "number"), pairwise([1, 3, 5], [5, 60, 130, 300, 500, N - 10], [2.0, 99.0]))
def test_a_wrong_step_number_inside_a_step_is_corrected(rows: int, at: int, number: float) -> None:
    wrong = slice(at, at + rows)
    number = number if RAW[c.STEP_ID][at] != number else 4.0
    result = cleaned(with_values(RAW, wrong, c.STEP_ID, number))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)
    assert_same_signal(result, RAW)
    np.testing.assert_array_equal(result.samples[c.STEP_ID][wrong], number)
    (found,) = findings(result, "step_glitch")
    assert (found.source_row, found.rows, found.before) == (at, rows, f"step {number:g}")
    assert list(np.flatnonzero(result.samples[c.FLAGS] & flag_bit("step_glitch"))) == list(range(at, at + rows))


@pytest.mark.parametrize(
    ("edge", "before", "rows"),
    pairwise([120, 360, 600], [0, 1, 2, 4], [1, 2, 4], allowed=lambda edge, before, rows: before <= rows),
)
def test_a_wrong_step_number_across_an_edge_is_corrected(edge: int, before: int, rows: int) -> None:
    wrong = slice(edge - before, edge - before + rows)
    result = cleaned(with_values(RAW, wrong, c.STEP_ID, 99.0))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)
    assert sum(found.rows for found in findings(result, "step_glitch")) == rows


def test_a_short_step_that_comes_once_is_a_step() -> None:
    """Nowhere else does the step after it follow the one before it."""
    raw = cycling(1)
    result = cleaned(with_values(raw, slice(120, 124), c.STEP_ID, 99.0))
    assert result.report.steps_after == 6


def test_a_pulse_with_its_own_number_stays_a_step() -> None:
    raw = with_values(RAW, slice(60, 63), c.STEP_ID, 7.0)
    raw = with_values(with_values(raw, slice(60, 63), c.CURRENT, -2.0), slice(60, 63), c.VOLTAGE, 3.6)
    result = cleaned(raw)
    assert findings(result, "step_glitch") == []
    assert result.samples[c.STEP_COUNT].iloc[-1] == 12
    assert_same_signal(result, raw)


def test_a_short_step_that_comes_back_in_a_loop_is_the_schedules_own() -> None:
    step = np.tile(np.repeat([1.0, 2.0], [20, 1]), 6)
    raw = raw_table(**{
        c.TEST_TIME: 10.0 * np.arange(126), c.VOLTAGE: np.full(126, 3.7), c.CURRENT: np.zeros(126), c.STEP_ID: step,
    })  # fmt: skip
    result = cleaned(raw)
    assert findings(result, "step_glitch") == []
    assert result.samples[c.STEP_COUNT].iloc[-1] == 12


def test_missing_step_numbers_go_on_as_they_were() -> None:
    result = cleaned(with_values(RAW, [0, 60, 119, 200], c.STEP_ID, np.nan))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)


def test_numbers_that_do_not_start_at_one_are_counted_anew_and_kept() -> None:
    result = cleaned(RAW.assign(**{c.STEP_ID: RAW[c.STEP_ID] + 8.0}))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)
    np.testing.assert_array_equal(result.samples[c.STEP_ID], RAW[c.STEP_ID] + 8.0)
    (found,) = findings(result, "step_renumbered")
    assert (found.before, found.after) == ("5 numbers from 9 to 13", "10 steps from 1")


@pytest.mark.parametrize("number", [1.0, 0.0, 17.0, np.nan, 6.283185])
def test_one_step_number_for_all_is_none(number: float) -> None:
    result = cleaned(RAW.assign(**{c.STEP_ID: number}))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)
    np.testing.assert_array_equal(result.samples[c.STEP_ID], number)
    (found,) = findings(result, "step_renumbered")
    assert (found.action, found.after) == ("counted", "10 steps from the signal")


def test_one_step_number_for_a_single_step_or_for_a_profile_is_right() -> None:
    time = np.arange(0.0, 3600.0, 10.0)
    pulses = np.where((time // 30.0) % 2 == 0.0, 1.0, -1.0)
    for current in (np.full(len(time), 1.0), pulses):
        voltage = 3.6 + 0.05 * current
        signals = {c.TEST_TIME: time, c.VOLTAGE: voltage, c.CURRENT: current}
        raw = raw_table(**signals, **{c.STEP_ID: np.ones(len(time))})
        assert cleaned(raw).report.steps_after == 1


@pytest.mark.parametrize(("numbers", "reported"), [([1, 2], 0), ([1, 6], 1), ([0, 1], 1), ([4, 3], 2), ([1, 7.0], 1)])
def test_cycles_are_counted_from_one(numbers: list[float], reported: int) -> None:
    raw = RAW.assign(**{c.CYCLE_ID: np.where(RAW[c.CYCLE_ID] == 1.0, numbers[0], numbers[1]).astype(float)})
    result = cleaned(raw)
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], RAW[c.CYCLE_ID])
    np.testing.assert_array_equal(result.samples[c.CYCLE_ID], raw[c.CYCLE_ID])
    assert len(findings(result, "cycle_jump")) == reported


def test_a_few_rows_of_another_cycle_are_corrected() -> None:
    result = cleaned(with_values(RAW, slice(200, 203), c.CYCLE_ID, 7.0))
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], RAW[c.CYCLE_ID])
    (found,) = findings(result, "cycle_jump")
    assert (found.rows, found.before, found.after) == (3, "cycle 7", "inside cycle 1")


@pytest.mark.parametrize("nonsense", [np.nan, 6.283185, 1.0, 0.0, 42.0])
def test_without_cycle_numbers_charge_and_discharge_make_cycles(nonsense: float) -> None:
    raw = cycling(4)
    result = cleaned(raw.assign(**{c.CYCLE_ID: nonsense}))
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], raw[c.CYCLE_ID])
    np.testing.assert_array_equal(result.samples[c.CYCLE_ID], nonsense)
    assert "counted" in [finding.action for finding in findings(result, "cycle_jump")]


def test_without_any_numbers_a_cycle_begins_with_the_charge() -> None:
    result = cleaned(cycling(4).assign(**{c.CYCLE_ID: np.nan, c.STEP_ID: np.nan}))
    assert result.report.cycles_after == 4
    first_of_cycle = np.flatnonzero(np.diff(result.samples[c.CYCLE_COUNT]) == 1) + 1
    assert (result.samples[c.STEP_TYPE].to_numpy()[first_of_cycle] == "charge").all()


@pytest.mark.parametrize(("cycles", "counted"), [(4, 1), (12, 12)])
def test_one_cycle_number_for_a_schedule_without_a_loop_is_right_but_not_for_many_cycles(
    cycles: int, counted: int
) -> None:
    raw = cycling(cycles)
    unique = 1.0 + np.cumsum(np.diff(raw[c.STEP_ID], prepend=1.0) != 0.0)
    result = cleaned(raw.assign(**{c.CYCLE_ID: 1.0}).assign(**{c.STEP_ID: unique}))
    assert result.report.cycles_after == counted


def test_a_few_numbers_that_are_none_go_on_as_they_were() -> None:
    raw = with_values(with_values(RAW, slice(200, 203), c.CYCLE_ID, 6.283185), slice(300, 304), c.STEP_ID, 3.5)
    result = cleaned(raw)
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], RAW[c.CYCLE_ID])
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)


def test_many_rows_of_another_cycle_inside_a_step_are_corrected() -> None:
    result = cleaned(with_values(RAW, slice(150, 230), c.CYCLE_ID, 7.0))
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], RAW[c.CYCLE_ID])
    (found,) = findings(result, "cycle_jump")
    assert (found.source_row, found.rows, found.after) == (150, 80, "inside cycle 1")


def test_pulses_make_no_cycles() -> None:
    time = 10.0 * np.arange(2000)
    current = np.where(time < 7200.0, 1.0, np.where((time // 100) % 2 == 0, 0.5, -0.5))
    current[time > 12000.0] = -1.0
    voltage = 3.5 + 0.2 * np.cumsum(current) * 10.0 / 3600.0
    assert cleaned(raw_table(**{c.TEST_TIME: time, c.VOLTAGE: voltage, c.CURRENT: current})).report.cycles_after == 1


def test_without_step_numbers_the_signal_makes_steps() -> None:
    raw = RAW.assign(**{c.STEP_ID: np.nan})
    result = cleaned(raw)
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)
    assert_same_signal(result, raw)
    changes = result.samples.groupby(c.STEP_COUNT)[c.STEP_TYPE].nunique()
    assert (changes == 1).all()


def test_without_any_numbers_two_rests_in_a_row_are_one_step() -> None:
    result = cleaned(RAW.assign(**{c.STEP_ID: np.nan, c.CYCLE_ID: np.nan}))
    assert (result.report.steps_after, result.report.cycles_after) == (9, 2)


def test_without_step_numbers_holes_are_still_filled_within_a_step() -> None:
    raw = RAW.assign(**{c.STEP_ID: np.nan})
    holes = with_values(with_values(raw, [200, 500], c.CURRENT, np.nan), [210, 211, 520], c.VOLTAGE, np.nan)
    result = cleaned(holes)
    assert_same_signal(result, raw, tolerance=1e-3)
    assert result.report.steps_after == cleaned(raw).report.steps_after


def test_clean_numbers_are_no_finding() -> None:
    result = cleaned(RAW)
    assert seen(result) == set()
    assert isinstance(result.samples, pd.DataFrame)
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], STEPS)


def ramp() -> pd.DataFrame:
    """A rest, then a current that the cycler brings up over 20 rows of 0.1 s."""
    current = np.concatenate([np.zeros(60), -0.2 * np.arange(1.0, 21.0), np.full(100, -4.0)])
    time = np.cumsum(np.where((current < 0.0) & (current > -4.0), 0.1, 10.0))
    charge = np.cumsum(np.diff(time, prepend=0.0) * current) / 3600.0
    columns = {c.TEST_TIME: time - time[0], c.CURRENT: current, c.VOLTAGE: 3.7 + 0.3 * charge + 0.03 * current}
    return raw_table(**columns, **{c.STEP_ID: np.repeat([1.0, 2.0], [60, 120]), c.CYCLE_ID: np.ones(180)})


@pytest.mark.parametrize("number", [1.0, 99.0])
@pytest.mark.parametrize(("at", "rows"), [(66, 1), (68, 3), (70, 5)])
def test_a_wrong_step_number_on_a_ramp_is_corrected(at: int, rows: int, number: float) -> None:
    result = cleaned(with_values(ramp(), slice(at, at + rows), c.STEP_ID, number))
    np.testing.assert_array_equal(result.samples[c.STEP_COUNT], ramp()[c.STEP_ID])
    assert sum(found.rows for found in findings(result, "step_glitch")) == rows


def test_of_rows_between_an_edge_and_a_wrong_number_none_is_turned() -> None:
    result = cleaned(with_values(ramp(), [62, 63], c.STEP_ID, 1.0))
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit("step_glitch")
    assert not flags[[60, 61]].any()


def test_a_pulse_with_a_step_of_its_own_stays() -> None:
    raw = with_values(RAW, slice(60, 63), c.STEP_ID, 9.0)
    raw = with_values(with_values(raw, slice(60, 63), c.CURRENT, -1.0), slice(60, 63), c.VOLTAGE, 3.66)
    result = cleaned(raw)
    assert "step_glitch" not in seen(result)
    assert result.report.steps_after == int(STEPS[-1]) + 2
