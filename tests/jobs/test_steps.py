"""Step types, read from the signal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.record.charge import capacity_scale_ah
from kilocell.jobs.record.noise import estimate_step_noise
from kilocell.jobs.record.steps import (
    classify_each_step,
    classify_steps,
    count_steps_in_signal,
    is_hold_step,
    is_pulse_step,
)
from numpy.typing import NDArray


def samples(*steps: tuple[list[float], list[float]], every: float = 60.0) -> pd.DataFrame:
    """Samples of steps given as (currents, voltages), numbered from 1."""
    count = np.repeat(np.arange(1, len(steps) + 1), [len(current) for current, _ in steps])
    current = np.concatenate([current for current, _ in steps])
    voltage = np.concatenate([voltage for _, voltage in steps])
    time = every * np.arange(len(count))
    return pd.DataFrame({c.TEST_TIME: time, c.VOLTAGE: voltage, c.CURRENT: current, c.STEP_COUNT: count})


def types(frame: pd.DataFrame, capacity_ah: float | None = None) -> list[str]:
    """The type of each step."""
    kinds = pd.Series(classify_steps(frame, capacity_ah)).groupby(frame[c.STEP_COUNT].to_numpy())
    assert (kinds.nunique() == 1).all()
    return list(kinds.first())


REST = ([0.0, 0.001, -0.001, 0.0, 0.0], [3.7] * 5)
CHARGE = ([1.0] * 10, list(np.linspace(3.7, 4.15, 10)))
HOLD = (list(np.geomspace(1.0, 0.05, 10)), [4.2, 4.201, 4.199, 4.2, 4.2, 4.2, 4.201, 4.199, 4.2, 4.2])
DISCHARGE = ([-1.0] * 10, list(np.linspace(4.1, 3.0, 10)))


def test_the_four_types() -> None:
    assert types(samples(REST, CHARGE, HOLD, REST, DISCHARGE), 1.0) == ["rest", "charge", "hold", "rest", "discharge"]


@pytest.mark.parametrize("size", [1e-3, 1.0, 250.0])
def test_without_a_capacity_thresholds_scale_with_the_record(size: float) -> None:
    frame = samples(REST, CHARGE, HOLD, REST, DISCHARGE)
    frame[c.CURRENT] *= size
    assert types(frame) == ["rest", "charge", "hold", "rest", "discharge"]


def test_a_slow_discharge_is_no_rest() -> None:
    slow = ([-0.05] * 20, list(np.linspace(4.1, 4.0, 20)))
    assert types(samples(REST, slow, CHARGE)) == ["rest", "discharge", "charge"]


def test_constant_current_at_a_flat_voltage_is_no_hold() -> None:
    plateau = ([-1.0] * 20, list(3.3 + 0.0001 * np.arange(20)[::-1]))
    assert types(samples(REST, plateau)) == ["rest", "discharge"]


def test_holes_and_single_samples_do_not_disturb() -> None:
    frame = samples(REST, CHARGE, HOLD)
    frame.loc[[1, 7, 18], c.CURRENT] = np.nan
    frame.loc[[2, 9, 20], c.VOLTAGE] = np.nan
    assert types(frame, 1.0) == ["rest", "charge", "hold"]
    assert types(samples(([0.0], [3.7]), ([1.0], [3.8])), 1.0) == ["rest", "charge"]
    assert types(samples(([np.nan], [np.nan]), ([1.0], [3.8])), 1.0) == ["rest", "charge"]


def test_steps_from_a_signal_without_numbers() -> None:
    frame = samples(REST, CHARGE, HOLD, REST, DISCHARGE, REST)
    np.testing.assert_array_equal(count_steps_in_signal(frame, 0.005), frame[c.STEP_COUNT])


def test_a_missing_current_begins_no_step() -> None:
    frame = samples(REST, CHARGE, DISCHARGE)
    frame.loc[[8, 9], c.CURRENT] = np.nan
    np.testing.assert_array_equal(count_steps_in_signal(frame, 0.005), frame[c.STEP_COUNT])


def test_short_runs_are_steps_only_where_they_are_asked_for() -> None:
    pulse = ([1.0, 1.0], [3.8, 3.8])
    frame = samples(REST, pulse, REST)
    assert count_steps_in_signal(frame, 0.005)[-1] == 3
    assert count_steps_in_signal(frame, 0.005, shortest=3)[-1] == 1


def test_scale_of_a_record() -> None:
    time = 3600.0 * np.array([0.0, 1.0, 2.0, 3.0])
    assert capacity_scale_ah(time, np.ones(4), 5.0) == 5.0
    assert capacity_scale_ah(time, np.ones(4)) == pytest.approx(3.0)  # what flowed
    assert capacity_scale_ah(time * 100.0, np.ones(4)) == pytest.approx(3.0)  # three hours of the largest current
    assert capacity_scale_ah(time / 1e4, np.ones(4)) == pytest.approx(0.1)  # six minutes of it
    assert capacity_scale_ah(time, np.zeros(4)) > 0.0
    assert capacity_scale_ah(time, np.full(4, np.nan)) > 0.0


def test_noise_is_found_under_a_slope_sampled_unevenly() -> None:
    rng = np.random.default_rng(1)
    time = np.cumsum(rng.uniform(0.1, 20.0, 4000))
    step = np.repeat([1, 2], 2000)
    voltage = 4.0 - 1e-4 * time + rng.standard_normal(4000) * np.where(step == 1, 0.001, 0.004)
    noise = estimate_step_noise(time, voltage, step)
    assert noise[0] == pytest.approx(0.001, rel=0.1)
    assert noise[-1] == pytest.approx(0.004, rel=0.1)
    np.testing.assert_array_equal(estimate_step_noise(time[:2], voltage[:2], step[:2]), [0.0, 0.0])


PULSE = ([-3.0, -3.0, -3.0], [3.55, 3.54, 3.53])


@pytest.mark.parametrize("size", [1e-3, 1.0, 250.0])
def test_short_steps_between_rests_are_pulses(size: float) -> None:
    frame = samples(CHARGE, REST, PULSE, REST, PULSE, PULSE, REST, DISCHARGE, every=10.0)
    frame[c.CURRENT] *= size
    expected = ["charge", "rest", "pulse", "rest", "pulse", "pulse", "rest", "discharge"]
    assert types(frame, size) == expected
    slow = frame.assign(**{c.TEST_TIME: 6.0 * frame[c.TEST_TIME]})  # 3 min each
    assert "pulse" not in types(slow, size)


def test_a_short_end_of_a_charge_is_no_pulse() -> None:
    assert types(samples(REST, CHARGE, PULSE, REST, every=10.0), 1.0)[2] == "discharge"


def test_a_train_of_pulses_or_a_drive_cycle_in_one_step_is_told_from_a_constant_current() -> None:
    drive = (list(-np.tile([0.1, 1.5, 3.0, 0.5], 10)), list(np.linspace(4.0, 3.5, 40)))
    noisy = (list(-1.0 + 0.02 * np.random.default_rng(1).standard_normal(40)), list(np.linspace(4.0, 3.5, 40)))
    assert types(samples(REST, drive, REST, noisy), 1.0) == ["rest", "pulse", "rest", "discharge"]


def test_pulses_of_a_real_record(shared_data: Path) -> None:
    path = shared_data / "arbin_a123/batterydata/p492-13-raw.csv"
    result = clean(read_raw(path, guess_settings(path)), "CELL", CleanSettings(nominal_capacity_ah=0.021)).samples
    result = result[result[c.SOURCE_ROW] >= 0]
    current = result.groupby(c.STEP_COUNT)[c.CURRENT].median().abs()
    kinds = result.groupby(c.STEP_COUNT)[c.STEP_TYPE].first()
    assert (current[kinds == "pulse"] > 0.07).all()
    assert (kinds[current > 0.07] == "pulse").sum() >= 3


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=8).flatmap(
        lambda lengths: st.tuples(
            st.just(lengths),
            arrays(
                float, sum(lengths), elements=st.sampled_from([-1.0, -0.005, 0.0, 0.004, 0.005, 0.006, 1.0, np.nan])
            ),
            arrays(float, sum(lengths), elements=st.sampled_from([3.7, 3.702, 3.71, 4.0, np.nan])),
            st.permutations(range(len(lengths))),
        )
    )
)
def test_step_types_are_those_of_the_medians(
    made: tuple[list[int], NDArray[np.float64], NDArray[np.float64], list[int]],
) -> None:
    lengths, current, voltage, names = made
    count = np.repeat(names, lengths)
    frame = pd.DataFrame({c.TEST_TIME: 1.0 * np.arange(len(count)), c.VOLTAGE: voltage, c.CURRENT: current})
    frame[c.STEP_COUNT] = count
    number, kinds = classify_each_step(frame, 1.0, 0.005)
    expected_number, order = pd.factorize(count)
    np.testing.assert_array_equal(number, expected_number)
    is_held = is_hold_step(number, voltage, current)
    rests = np.array([not abs(pd.Series(current[number == step]).median()) > 0.005 for step in range(len(order))])
    is_pulse = is_pulse_step(number, frame[c.TEST_TIME].to_numpy(), current, rests, 1.0)
    for step in range(len(order)):
        middle = pd.Series(current[number == step]).median()
        kind = "hold" if is_held[step] else "charge" if middle > 0.0 else "discharge"
        kind = "pulse" if is_pulse[step] else kind
        assert kinds[step] == (kind if abs(middle) > 0.005 else "rest")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=8), st.integers(0, 1000))
def test_noise_of_some_samples_is_that_of_all(lengths: list[int], seed: int) -> None:
    step, rng = np.repeat(np.arange(len(lengths)), lengths), np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.1, 2.0, len(step)))
    column = rng.standard_normal(len(step)) * (1 + step)
    rows = rng.integers(0, len(step), 5)
    np.testing.assert_array_equal(
        estimate_step_noise(time, column, step, rows), estimate_step_noise(time, column, step)[rows]
    )
