"""Errors by cycle, step type and window: known answers, and parts that add up to the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.results.simulation import StepComparison
from kilocell.data.rules import flag_bit
from kilocell.jobs.record.record import Record, make_record
from kilocell.jobs.record.step_windows import StepWindows, find_windows, step_starts
from kilocell.jobs.simulation.compare import compare, compare_steps, sum_errors
from records import partition

CAPACITY_AH = 5.0
KINDS = {name: place for place, name in enumerate(c.STEP_TYPES)}
WINDOWS = list(c.WINDOWS)


def record(time: object, current: object, step: object, kind: object, cycle: object = 1) -> Record:
    """A record of a measured voltage of 3.7 V."""
    time = np.asarray(time, float)
    n = len(time)
    kinds = np.broadcast_to([KINDS[name] for name in np.atleast_1d(kind)], n)  # type: ignore[call-overload]
    columns = {
        "current_ampere": np.broadcast_to(np.asarray(current, float), n),
        "voltage_volt": np.full(n, 3.7),
        "flags": np.zeros(n, np.int64),
        "cycle_count": np.broadcast_to(np.asarray(cycle, np.int32), n),
        "step_count": np.broadcast_to(np.asarray(step, np.int32), n),
        "step_type": kinds.astype(np.int8),
    }
    return Record(time, **columns)


def step_age_second(made: Record, capacity_ah: float) -> np.ndarray:
    return made.time_second - made.time_second[step_starts(made, capacity_ah)]


def one_window(n: int) -> StepWindows:
    return StepWindows(np.zeros(n, np.intp), np.zeros(n, np.int8))


def by_part(lines: tuple[StepComparison, ...], cycle: int = 0) -> dict[tuple[str, str], StepComparison]:
    return {(line.step_type, line.window): line for line in lines if line.cycle_count == cycle}


def test_a_step_begins_at_the_last_sample_of_the_step_before() -> None:
    """A rest that ends at 100 s; the discharge's samples come 1, 2, 3, 20, 21, 120 and 121 s later."""
    time = [0.0, 50.0, 100.0, 101.0, 102.0, 103.0, 120.0, 121.0, 220.0, 221.0]
    made = record(time, [0.0] * 3 + [-5.0] * 7, [1] * 3 + [2] * 7, ["rest"] * 3 + ["discharge"] * 7)
    np.testing.assert_allclose(step_age_second(made, CAPACITY_AH)[3:], [1, 2, 3, 20, 21, 120, 121])
    named = [WINDOWS[code] for code in find_windows(made, CAPACITY_AH).code]
    assert named[:3] == ["ohmic", "diffusion", "diffusion"]
    assert named[3:] == [*["ohmic"] * 2, *["kinetic"] * 2, *["diffusion"] * 2, "capacity"]


def test_a_first_sample_with_the_old_current_counts_to_the_step_before() -> None:
    """The cycler's first row of a step was taken before it switched: the discharge begins with it, at 100.5 s."""
    time = [0.0, 50.0, 100.0, 100.5, 101.5, 110.5]
    made = record(time, [0.0, 0.0, 0.0, 0.0, -5.0, -5.0], [1, 1, 1, 2, 2, 2], ["rest"] * 3 + ["discharge"] * 3)
    np.testing.assert_allclose(step_age_second(made, CAPACITY_AH), [0.0, 50.0, 100.0, 100.5, 1.0, 10.0])


def test_what_comes_after_a_gap_begins_with_its_first_sample() -> None:
    """A power cut of a day within a rest, and one before a discharge: neither ages what comes after it."""
    time = np.array([0.0, 10.0, 86410.0, 86420.0, 172820.0, 172821.0])
    made = record(time, [0.0] * 4 + [-5.0] * 2, [1, 1, 1, 1, 2, 2], ["rest"] * 4 + ["discharge"] * 2)
    cut = replace(made, flags=np.where(np.isin(np.arange(6), (2, 4)), flag_bit("time_gap"), 0))
    np.testing.assert_allclose(step_age_second(cut, CAPACITY_AH), [0.0, 10.0, 0.0, 10.0, 0.0, 1.0])


def test_a_held_voltage_begins_with_its_first_sample_though_the_current_goes_on() -> None:
    """From constant current to a held voltage nothing jumps; a slow decay is no late edge."""
    current = [5.0, 5.0, 5.0, 4.98, 4.96, 4.94]
    made = record(np.arange(6.0), current, [1, 1, 1, 2, 2, 2], ["charge"] * 3 + ["hold"] * 3)
    np.testing.assert_allclose(step_age_second(made, CAPACITY_AH)[3:], [1.0, 2.0, 3.0])


def test_each_edge_within_a_step_of_pulses_begins_anew() -> None:
    current = np.where(np.arange(200) % 100 < 50, -5.0, 0.0)
    made = record(np.arange(200.0), current, 1, "pulse")
    age = step_age_second(made, CAPACITY_AH)
    np.testing.assert_allclose(age[49:53], [49.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(age[-1], 50.0)
    steady = record(np.arange(200.0), current, 1, "discharge")  # of another type, the step alone counts
    np.testing.assert_allclose(step_age_second(steady, CAPACITY_AH), np.arange(200.0))


def test_known_errors_by_step_type_and_window() -> None:
    """10 mV in the rest; in the discharge -40 mV within 2 s, -20 to 20 s, 8 to 120 s, 2 later."""
    time = np.arange(0.0, 1201.0)
    step = np.where(time <= 600.0, 1, 2)
    kind = np.where(time <= 600.0, "rest", "discharge")
    made = record(time, np.where(time <= 600.0, 0.0, -5.0), step, kind)
    age = time - 600.0
    error = np.select([age <= 0.0, age <= 2.0, age <= 20.0, age <= 120.0], [0.010, -0.040, -0.020, 0.008], 0.002)
    found = by_part(compare_steps(sum_errors(made, 3.7 + error, find_windows(made, CAPACITY_AH))))
    wanted = {"ohmic": (2, -40.0), "kinetic": (18, -20.0), "diffusion": (100, 8.0), "capacity": (480, 2.0)}
    for window, (samples, bias) in wanted.items():
        line = found["discharge", window]
        assert line.samples == samples
        assert (line.rmse_mv, line.bias_mv, line.worst_mv) == pytest.approx((abs(bias), bias, bias), abs=1e-3)
    assert found["discharge", "all"].worst_mv == pytest.approx(-40.0)
    assert found["discharge", "all"].worst_time_second == 601.0
    assert found["rest", "all"].rmse_mv == pytest.approx(10.0)
    assert found["rest", "all"].samples == 601
    assert ("charge", "all") not in found
    assert ("all", "all") not in found


def test_comparison_by_cycle_finds_the_worst_and_ignores_what_was_not_measured() -> None:
    made = record([0.0, 1.0, 2.0, 3.0], 0.0, 1, "rest", [1, 1, 2, 2])
    made.voltage_volt[2] = np.nan
    sums = sum_errors(made, 3.7 + np.array([0.001, -0.003, 9.9, 0.002]), one_window(4))
    whole, first, second = compare(sums, {})
    assert (whole.cycle_count, first.cycle_count, second.cycle_count) == (0, 1, 2)
    assert (whole.samples, second.samples) == (3, 1)
    assert whole.worst_mv == pytest.approx(-3.0)
    assert whole.worst_time_second == 1.0
    assert first.rmse_mv == pytest.approx(np.sqrt(5.0))
    assert first.bias_mv == pytest.approx(-1.0)
    assert first.energy_in_model_wh is None


def test_the_change_of_the_error_leaves_out_what_was_wrong_before() -> None:
    """50 mV off at a discharge's end; in the rest after it 50 mV still, then 40: the rest adds 0, then -10."""
    time = np.arange(0.0, 10.0)
    step = np.where(time < 5.0, 1, 2)
    made = record(time, np.where(step == 1, -5.0, 0.0), step, np.where(step == 1, "discharge", "rest"))
    error = np.select([time == 0.0, time < 7.0], [0.020, 0.050], 0.040)
    made.voltage_volt[4] = np.nan  # the last sample that is known is the one before
    found = by_part(compare_steps(sum_errors(made, 3.7 + error, find_windows(made, CAPACITY_AH))))
    assert found["rest", "ohmic"].rmse_mv == pytest.approx(50.0)
    assert found["rest", "ohmic"].change_rmse_mv == pytest.approx(0.0, abs=1e-3)
    assert found["rest", "kinetic"].change_rmse_mv == pytest.approx(10.0)
    assert found["discharge", "all"].change_rmse_mv == pytest.approx(np.sqrt(3 * 30.0**2 / 4), abs=1e-3)


def test_a_time_weighted_rmse_lets_a_dense_pulse_weigh_what_it_lasts() -> None:
    """1 mV over 1000 s at 10 s, 100 mV over 10 s at 0.1 s: nearly all samples are of the pulse, 1 % of the time is."""
    time = np.concatenate([np.arange(0.0, 1000.0, 10.0), np.arange(1000.0, 1010.0, 0.1)])
    error = np.where(time < 1000.0, 0.001, 0.100)
    made = record(time, 0.0, 1, "rest")
    whole = compare(sum_errors(made, 3.7 + error, one_window(len(time))), {})[0]
    assert whole.rmse_mv > 70.0
    assert whole.rmse_time_weighted_mv == pytest.approx(np.sqrt((995.0 + 1e4 * 14.9) / 1009.9), rel=1e-3)
    flags = np.where(np.arange(len(time)) == 100, flag_bit("time_gap"), 0)
    cut = replace(made, flags=flags)
    without = compare(sum_errors(cut, 3.7 + error, one_window(len(time))), {})[0]
    assert without.rmse_time_weighted_mv == pytest.approx(np.sqrt((990.0 + 1e4 * 9.9) / 999.9), rel=1e-3)


def test_nothing_measured_gives_no_line() -> None:
    made = record([0.0, 1.0], 0.0, 1, "rest")
    made.voltage_volt[:] = np.nan
    sums = sum_errors(made, np.full(2, 3.7), one_window(2))
    assert compare(sums, {}) == ()
    assert compare_steps(sums) == ()


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(c.STEP_TYPES), min_size=1, max_size=12),
    lengths=st.lists(st.integers(1, 40), min_size=12, max_size=12),
    interval=st.sampled_from([0.1, 1.0, 10.0, 60.0]),
    steps_a_cycle=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_add_up_to_the_whole(
    kinds: list[str], lengths: list[int], interval: float, steps_a_cycle: int, seed: int
) -> None:
    """Samples and squared errors of windows, of step types and of cycles sum to the record's, missing values aside."""
    random = np.random.default_rng(seed)
    step = np.repeat(np.arange(len(kinds)), lengths[: len(kinds)])
    kind = np.array(kinds)[step]
    time = np.cumsum(random.uniform(0.1, 1.0, len(step))) * interval
    made = record(time, random.normal(0.0, 2.0, len(step)), step + 1, kind, step // steps_a_cycle + 1)
    made.voltage_volt[random.random(len(step)) < 0.1] = np.nan
    error = np.round(random.normal(0.0, 0.01, len(step)), 6)
    sums = sum_errors(made, made.voltage_volt + error, find_windows(made, CAPACITY_AH))
    comparisons, lines = compare(sums, {}), compare_steps(sums)
    known = np.isfinite(made.voltage_volt)
    if not known.any():
        assert comparisons == ()
        return
    for of_cycle in comparisons:
        chosen = known & ((made.cycle_count == of_cycle.cycle_count) | (of_cycle.cycle_count == 0))
        assert of_cycle.samples == chosen.sum()
        assert of_cycle.rmse_mv == pytest.approx(1e3 * np.sqrt(np.mean(error[chosen] ** 2)), rel=1e-6)
        assert abs(of_cycle.worst_mv) == pytest.approx(1e3 * np.abs(error[chosen]).max(), rel=1e-6)
        assert error[time == of_cycle.worst_time_second] * 1e3 == pytest.approx(of_cycle.worst_mv, rel=1e-6)
        parts = by_part(lines, of_cycle.cycle_count)
        views = [
            [line for (kind, window), line in parts.items() if kind == "all"],
            [line for (kind, window), line in parts.items() if window == "all"],
            [line for (kind, window), line in parts.items() if "all" not in (kind, window)],
        ]
        for view in views if of_cycle.cycle_count == 0 else views[:2]:
            assert sum(line.samples for line in view) == of_cycle.samples
            squares = sum(line.samples * line.rmse_mv**2 for line in view)
            assert squares == pytest.approx(of_cycle.samples * of_cycle.rmse_mv**2, rel=1e-4, abs=1e-3)
            assert max(abs(line.worst_mv) for line in view) == pytest.approx(abs(of_cycle.worst_mv), abs=1e-3)


def test_a_partitions_step_types_become_codes() -> None:
    frame = partition(np.arange(4.0), np.zeros(4), np.full(4, 3.7))
    frame[c.STEP_COUNT] = np.array([1, 1, 2, 3], np.int32)
    assert make_record(frame.assign(**{c.STEP_TYPE: "?"})).step_type.tolist() == [-1, -1, -1, -1]  # type: ignore[union-attr]
    named = frame.assign(**{c.STEP_TYPE: ["rest", "rest", "pulse", "charge"]})
    assert make_record(named).step_type.tolist() == [2, 2, 4, 0]  # type: ignore[union-attr]
    made = make_record(named)
    assert made.from_index(2).step_type.tolist() == [4, 0]  # type: ignore[union-attr]
