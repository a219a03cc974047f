"""Cleaning rules about time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.jobs.cleaning.duplicate_times import clock_quantum
from pairwise import pairwise
from raw_records import (
    SETTINGS,
    assert_same_signal,
    cleaned,
    cycling,
    findings,
    raw_table,
    reordered,
    seen,
    with_values,
)

CLOCKS = pytest.mark.parametrize("clocks", ["both", "test", "wall"])
RAW = cycling(1)
N = len(RAW)


def truth() -> pd.DataFrame:
    return RAW


def flagged_rows(result_samples: pd.DataFrame, rule: str) -> list[int]:
    return [int(row) for row in np.flatnonzero(result_samples[c.FLAGS].to_numpy() & flag_bit(rule))]


@CLOCKS
def test_swapped_neighbours_are_sorted(clocks: str) -> None:
    order = np.arange(N)
    order[[100, 101]] = [101, 100]
    order[[N - 2, N - 1]] = [N - 1, N - 2]
    result = cleaned(reordered(cycling(1, clocks=clocks), order))
    assert_same_signal(result, truth())
    assert seen(result) == {"time_order"}
    assert [finding.rows for finding in findings(result, "time_order")] == [2, 2]
    assert flagged_rows(result.samples, "time_order") == [100, 101, N - 2, N - 1]


def test_a_row_far_from_its_place_is_the_one_that_is_told() -> None:
    order = [*range(50), *range(51, 90), 50, *range(90, N)]
    result = cleaned(reordered(RAW, order))
    assert_same_signal(result, truth())
    assert flagged_rows(result.samples, "time_order") == [50]


def test_a_block_in_the_wrong_place_is_sorted_by_the_wall_clock() -> None:
    order = [*range(50), *range(80, 120), *range(50, 80), *range(120, N)]
    result = cleaned(reordered(RAW, order))
    assert_same_signal(result, truth())
    assert seen(result) == {"time_order"}


def test_a_restarted_test_clock_is_joined_by_the_wall_clock() -> None:
    time = RAW[c.TEST_TIME].to_numpy()
    again = np.where(time >= 3000.0, time - 3000.0, time)
    again = np.where(time >= 5000.0, time - 5000.0, again)
    result = cleaned(RAW.assign(**{c.TEST_TIME: again}))
    assert_same_signal(result, truth(), tolerance=1e-6)
    assert [finding.source_row for finding in findings(result, "time_restart")] == [300, 500]


def test_swapped_neighbours_at_a_restart() -> None:
    time = RAW[c.TEST_TIME].to_numpy()
    raw = RAW.assign(**{c.TEST_TIME: np.where(time >= 3000.0, time - 3000.0, time)})
    for at in (297, 298, 299, 300, 301):
        order = np.arange(N)
        order[[at, at + 1]] = [at + 1, at]
        assert_same_signal(cleaned(reordered(raw, order)), truth(), tolerance=1e-6)


@pytest.mark.parametrize("clocks", ["test", "wall"])
def test_a_clock_on_its_own_that_restarts_goes_on_at_the_usual_interval(clocks: str) -> None:
    column = c.TEST_TIME if clocks == "test" else c.UNIX_TIME
    raw = cycling(1, clocks=clocks)
    stamps = raw[column].to_numpy()
    result = cleaned(raw.assign(**{column: np.where(np.arange(N) >= 333, stamps - 3600.0, stamps)}))
    assert_same_signal(result, truth(), tolerance=1e-6)
    assert [(finding.source_row, finding.action) for finding in findings(result, "time_restart")] == [(333, "joined")]


def test_a_wall_clock_set_back_does_not_disturb_the_test_clock() -> None:
    wall = RAW[c.UNIX_TIME].to_numpy()
    result = cleaned(RAW.assign(**{c.UNIX_TIME: np.where(np.arange(N) >= 333, wall - 3600.0, wall)}))
    assert_same_signal(result, truth())
    assert seen(result) == {"wall_clock"}


def test_continuation_files_are_joined_without_a_warning() -> None:
    second = RAW.assign(**{c.UNIX_TIME: RAW[c.UNIX_TIME] + 10.0 * N})
    second[c.SOURCE_INDEX] = np.ones(N, dtype=np.int32)
    result = cleaned(pd.concat([RAW, second]))
    assert len(result.samples) == 2 * N
    np.testing.assert_allclose(np.diff(result.samples[c.TEST_TIME]), 10.0)
    (found,) = findings(result, "time_restart")
    assert (found.severity, found.source_index, found.source_row) == ("info", 1, 0)


@CLOCKS
def test_a_row_without_any_time_is_quarantined(clocks: str) -> None:
    raw = with_values(
        with_values(cycling(1, clocks=clocks), [40, 41], c.UNIX_TIME, np.nan), [40, 41], c.TEST_TIME, np.nan
    )
    result = cleaned(raw)
    assert list(result.quarantined[c.SOURCE_ROW]) == [40, 41]
    assert set(result.quarantined["rule"]) == {"time_missing"}
    assert result.report.rows_in == result.report.rows_kept + 2


def test_a_missing_test_time_is_filled_from_the_wall_clock() -> None:
    result = cleaned(with_values(RAW, [0, 40, N - 1], c.TEST_TIME, np.nan))
    assert_same_signal(result, truth(), tolerance=1e-6)
    assert {finding.action for finding in findings(result, "time_missing")} == {"filled"}


@CLOCKS
@pytest.mark.parametrize("to", [61, 300])
def test_a_copy_of_a_row_is_quarantined_wherever_it_stands(clocks: str, to: int) -> None:
    order = np.insert(np.arange(N), to, 60)
    result = cleaned(reordered(cycling(1, clocks=clocks), order))
    assert_same_signal(result, truth())
    assert list(result.quarantined["rule"]) == ["duplicate_row"]
    assert list(result.quarantined[c.SOURCE_ROW]) == [to]
    assert "time_order" not in seen(result)


def test_equal_values_at_later_times_are_no_copies() -> None:
    raw = RAW.assign(**{c.VOLTAGE: np.round(RAW[c.VOLTAGE], 2)})
    result = cleaned(raw)
    assert_same_signal(result, raw)
    assert result.report.rows_quarantined == 0


def test_equal_rows_before_and_after_a_restart_are_no_copies() -> None:
    raw = raw_table(
        **{c.TEST_TIME: np.tile(np.arange(50.0), 2), c.VOLTAGE: np.full(100, 3.7), c.CURRENT: np.zeros(100)}
    )
    assert len(cleaned(raw).samples) == 100


def test_a_cycler_that_writes_rows_twice_by_habit_loses_none() -> None:
    order = np.sort(np.concatenate([np.arange(N), np.arange(0, N, 5)]))
    raw = reordered(RAW, order)
    second = np.diff(order, prepend=-1) == 0
    warmer = second & (np.cumsum(second) % 10 != 0)  # the thermometer reads the same once in ten times
    raw[c.SURFACE_TEMPERATURE] += 0.1 * warmer
    result = cleaned(raw)
    assert len(result.samples) == len(raw)
    (told,) = findings(result, "duplicate_row")
    assert (told.action, told.rows) == ("left", int((second & ~warmer).sum()))
    assert (np.diff(result.samples[c.TEST_TIME]) > 0.0).all()


@pytest.mark.parametrize(
    ("first", "at", "shift"), pairwise([True, False], [60, 150, 300, 500, 700], [0.002, -0.002, 0.05])
)
def test_of_two_versions_of_a_row_the_one_that_fits_stays(first: bool, at: int, shift: float) -> None:
    raw = reordered(RAW, np.insert(np.arange(N), at, at))
    wrong = at if first else at + 1
    result = cleaned(with_values(raw, wrong, c.VOLTAGE, RAW[c.VOLTAGE][at] + shift))
    assert_same_signal(result, truth())
    assert list(result.quarantined[c.SOURCE_ROW]) == [wrong]
    assert seen(result) == {"duplicate_time"}


def test_a_version_without_a_voltage_goes() -> None:
    raw = with_values(reordered(RAW, np.insert(np.arange(N), 60, 60)), 60, c.VOLTAGE, np.nan)
    result = cleaned(raw)
    assert_same_signal(result, truth())
    assert list(result.quarantined[c.SOURCE_ROW]) == [60]


def test_versions_that_differ_by_noise_both_stay() -> None:
    raw = cycling(1, noise_volt=0.001)
    twice = with_values(reordered(raw, np.insert(np.arange(N), 60, 60)), 60, c.VOLTAGE, raw[c.VOLTAGE][60] + 0.002)
    result = cleaned(twice)
    assert len(result.samples) == N + 1
    assert seen(result) == {"time_resolution"}
    assert result.samples[c.TEST_TIME][61] == pytest.approx(600.001)


def test_two_versions_in_a_step_of_a_few_samples_are_told_apart() -> None:
    late = 0.001 * (np.arange(N) % 7)  # a fine clock
    raw = with_values(RAW, slice(60, 62), c.STEP_ID, 9.0)
    raw = raw.assign(**{name: RAW[name] + late for name in (c.TEST_TIME, c.UNIX_TIME)})
    twice = reordered(raw, np.insert(np.arange(N), 61, 61))
    result = cleaned(with_values(twice, 61, c.VOLTAGE, raw[c.VOLTAGE][61] - 0.1))
    assert list(result.quarantined[c.SOURCE_ROW]) == [61]


def test_an_edge_sampled_on_both_sides_stays_a_jump() -> None:
    time = RAW[c.TEST_TIME].to_numpy().copy()
    time[120] = time[119]  # the last row of the rest and the first of the charge
    for raw in (RAW, RAW.assign(**{c.STEP_ID: np.nan})):
        result = cleaned(raw.assign(**{c.TEST_TIME: time, c.UNIX_TIME: np.full(N, np.nan)}))
        assert result.report.rows_quarantined == 0
        assert result.samples[c.TEST_TIME][120] - result.samples[c.TEST_TIME][119] == pytest.approx(0.001)
        assert list(result.samples[c.CURRENT][119:121]) == [0.0, 1.0]


def test_a_clock_of_whole_seconds_keeps_what_happens_within_one() -> None:
    fine = np.concatenate([np.arange(0.0, 60.0), 60.0 + 0.1 * np.arange(40.0), np.arange(65.0, 300.0)])
    voltage = np.where(fine < 60.0, 3.0, 3.0 - 0.5 * (1.0 - np.exp(-np.clip(fine - 59.9, 0.0, None) / 2.0)))
    current = np.where(fine < 60.0, 0.0, -1.0)
    raw = raw_table(**{c.TEST_TIME: np.floor(fine), c.VOLTAGE: voltage, c.CURRENT: current})
    result = cleaned(raw)
    assert len(result.samples) == len(raw)
    assert (np.diff(result.samples[c.TEST_TIME]) > 0.0).all()
    np.testing.assert_array_equal(result.samples[c.VOLTAGE], voltage)


@pytest.mark.parametrize("minute", [30.0, 60.0])
def test_a_clock_too_coarse_for_its_log_is_spread_and_loses_no_rows(minute: float) -> None:
    """A log every second or so under a clock of minutes, in which most rows of a rest are equal."""
    time = np.arange(0.0, 3600.0)
    current = np.where((time > 600.0) & (time < 2400.0), -1.0, 0.0)
    voltage = np.round(3.7 - np.cumsum(-current) / 20000.0, 3)
    raw = raw_table(**{c.TEST_TIME: minute * np.floor(time / minute), c.VOLTAGE: voltage, c.CURRENT: current})
    result = cleaned(raw)
    assert len(result.samples) == len(raw)
    np.testing.assert_allclose(result.samples[c.TEST_TIME], time, rtol=0.0, atol=1e-6)
    (found,) = findings(result, "time_resolution")
    assert found.before == f"a clock of {minute:g} s"
    assert result.report.charge_out_after_ah == pytest.approx(1799.0 / 3600.0, rel=1e-3)


@pytest.mark.parametrize("clocks", ["both", "test"])
def test_a_zero_in_one_row_alone_is_placed(clocks: str) -> None:
    result = cleaned(with_values(cycling(1, clocks=clocks), [60, 120, 500], c.TEST_TIME, 0.0))
    assert_same_signal(result, truth(), tolerance=1e-6)
    assert seen(result) == {"step_time"}
    assert flagged_rows(result.samples, "step_time") == [60, 120, 500]


def test_a_rest_in_which_the_clock_restarted_is_joined_by_its_relaxation() -> None:
    time = np.arange(0.0, 7200.0, 10.0)
    voltage = 3.9 - 0.2 * np.exp(-time / 1800.0)
    lost = (time > 2000.0) & (time < 3000.0)
    clock = np.where(time < 2500.0, time, time - 3000.0)[~lost]
    raw = raw_table(**{c.TEST_TIME: clock, c.VOLTAGE: voltage[~lost], c.CURRENT: np.zeros(len(clock))})
    result = cleaned(raw)
    (found,) = findings(result, "time_restart")
    assert found.after.endswith("about, by the voltage's relaxation")
    np.testing.assert_allclose(result.samples[c.TEST_TIME], time[~lost], rtol=0.0, atol=60.0)


def test_quantum_of_a_clock() -> None:
    assert clock_quantum(np.array([0.0, 60.0, 61.0])) == 1.0
    assert clock_quantum(np.array([0.0, 0.034, 61.0])) == 0.001
    assert clock_quantum(np.array([0.0, np.pi, 61.0])) == 0.0


def cut(first: int, last: int) -> pd.DataFrame:
    return cycling(2).drop(index=range(first, last)).reset_index(drop=True)


def test_a_power_cut_in_a_step_carries_no_charge() -> None:
    """The power is out for 1000 s; then the schedule goes on where it stopped."""
    later = np.where(np.arange(N) >= 150, 1000.0, 0.0)
    raw = RAW.assign(**{name: RAW[name] + later for name in (c.TEST_TIME, c.UNIX_TIME)})
    result = cleaned(raw, replace(SETTINGS, gap_second=300.0))
    (found,) = findings(result, "time_gap")
    assert (found.source_row, found.before) == (150, "1010 s without samples")
    assert flagged_rows(result.samples, "time_gap") == [150]
    lost = 10.0 / 3600.0  # at 1 A: the interval in which the power went out counts nothing
    assert result.report.charge_in_after_ah == pytest.approx(cleaned(RAW).report.charge_in_after_ah - lost)


def test_a_cut_inside_a_rest_is_found_and_a_rest_logged_at_its_end_is_not() -> None:
    settings = replace(SETTINGS, gap_second=300.0)
    assert len(findings(cleaned(cut(20, 100), settings), "time_gap")) == 1
    assert findings(cleaned(cut(660, 780), settings), "time_gap") == []


def holed(**changed: np.ndarray) -> pd.DataFrame:
    """Two hours at 30 s under a constant current, of which 20 min are not in the log."""
    time = np.arange(0.0, 7200.0, 30.0)
    columns = {c.TEST_TIME: time, c.CURRENT: np.full(len(time), -1.0), c.VOLTAGE: np.full(len(time), 3.7), **changed}
    lost = (time > 3000.0) & (time < 4200.0)
    return raw_table(**{name: column[~lost] for name, column in columns.items()})


def test_a_hole_in_the_log_under_a_current_that_went_on_is_no_power_cut() -> None:
    time = np.arange(0.0, 7200.0, 30.0)
    counted = cleaned(holed(**{c.DISCHARGING_CAPACITY: time / 3600.0}))
    fallen = cleaned(holed(**{c.VOLTAGE: 4.0 - 5e-5 * time}))
    for result in (counted, fallen):
        assert findings(result, "time_gap") == []
        assert result.report.charge_out_after_ah == pytest.approx(time[-1] / 3600.0)


def test_a_hole_in_which_nothing_moved_is_a_power_cut() -> None:
    time = np.arange(0.0, 7200.0, 30.0)
    stood_still = np.where(time < 3600.0, 4.0 - 5e-5 * time, 4.0 - 5e-5 * (time - 1170.0))
    result = cleaned(holed(**{c.VOLTAGE: stood_still}))
    assert [finding.rule for finding in findings(result, "time_gap")] == ["time_gap"]
    assert result.report.charge_out_after_ah == pytest.approx((time[-1] - 1200.0) / 3600.0)


def test_a_record_sampled_sparsely_has_no_gaps() -> None:
    every = RAW.iloc[::70].reset_index(drop=True)
    assert findings(cleaned(every), "time_gap") == []


def test_a_step_logged_by_change_of_current_has_no_gaps() -> None:
    decay = np.cumsum([10.0] * 60 + [60.0, 120.0, 240.0, 340.0, 460.0, 770.0, 340.0] + [30.0] * 60)
    current = np.concatenate([np.full(60, 1.0), np.linspace(0.8, 0.05, 7), np.zeros(60)])
    raw = raw_table(**{c.TEST_TIME: decay, c.VOLTAGE: np.full(127, 4.2), c.CURRENT: current})
    assert findings(cleaned(raw), "time_gap") == []
