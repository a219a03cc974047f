from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.jobs.cleaning.guess_cell import CellGuess, guess_cell, largest_half_cycle


def record(current: np.ndarray, voltage: float = 3.6, interval: float = 10.0) -> pd.DataFrame:
    time = np.arange(len(current)) * interval
    frame = pd.DataFrame({c.TEST_TIME: time, c.UNIX_TIME: np.nan, c.CURRENT: current, c.VOLTAGE: voltage})
    return frame.assign(**{c.CHARGING_CAPACITY: np.nan, c.DISCHARGING_CAPACITY: np.nan}).astype("float64")


def cycles(number: int, offset: float = 0.0) -> np.ndarray:
    """Full cycles of a 2 A.h cell at 1C with rests, a sample every 10 s."""
    one = np.concatenate([np.full(360, -2.0), np.zeros(60), np.full(360, 2.0), np.zeros(60)])
    return np.tile(one, number) + offset


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("offset", [0.0, 0.002])
def test_capacity_of_many_cycles_does_not_add_up(sign: int, offset: float) -> None:
    guess = guess_cell([record(sign * cycles(200, offset))])
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(2.0, rel=0.01)


def test_capacity_of_a_drive_cycle_is_of_the_whole_discharge() -> None:
    pulses = np.tile(np.concatenate([np.full(20, -4.0), np.full(10, 3.0)]), 60)
    guess = guess_cell([record(pulses)])
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(60 * (80 - 30) * 10 / 3600, rel=0.02)


def test_spikes_gaps_and_restarts_hardly_matter() -> None:
    frame = record(cycles(3))
    frame.loc[[100, 500, 1300], c.CURRENT] = 400.0
    frame.loc[[120, 900], c.CURRENT] = np.nan
    frame.loc[700, c.VOLTAGE] = 12.0
    time = np.arange(len(frame)) * 10.0
    time[1000:] -= time[1000]
    time[1500:] += 1e6
    frame[c.TEST_TIME] = time
    guess = guess_cell([frame.iloc[:800], frame.iloc[800:]])
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(2.0, rel=0.02)
    assert guess.voltage_max_volt == pytest.approx(3.6)


def test_record_at_rest_says_nothing() -> None:
    assert guess_cell([record(np.zeros(100))]) is None
    assert guess_cell([record(cycles(1), voltage=np.nan)]) is None
    assert guess_cell([record(np.empty(0))]) is None


def test_a_clock_in_milliseconds_is_read_as_cleaning_reads_it() -> None:
    frame = record(cycles(3))
    frame[c.UNIX_TIME] = 1.7e9 + frame[c.TEST_TIME]
    frame[c.TEST_TIME] *= 1000.0
    guess = guess_cell([frame])
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(2.0, rel=0.02)


def test_wall_clock_serves_where_there_is_no_test_time() -> None:
    frame = record(cycles(1)).rename(columns={c.TEST_TIME: c.UNIX_TIME, c.UNIX_TIME: c.TEST_TIME})
    guess = guess_cell([frame])
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(2.0, rel=0.01)


def test_a_capacity_near_the_sets_own_is_taken_for_it() -> None:
    guess = guess_cell([record(2.4 * cycles(1), voltage=4.1)])
    assert guess is not None
    assert guess.capacity_ah == 5.0


def test_a_short_record_at_a_high_current_says_nothing() -> None:
    assert guess_cell([record(np.full(10, -5.0), interval=1.0)]) is None


def test_parameter_set_by_voltage() -> None:
    assert CellGuess(1.0, 3.6).parameter_set == "Prada2013"
    assert CellGuess(1.0, 4.2).parameter_set == "Chen2020"


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60))
def test_half_cycle_is_within_the_whole_range_and_knows_no_sign(charges: list[float]) -> None:
    charge = np.array([0.0, *charges])
    largest = largest_half_cycle(charge)
    assert 0 <= largest <= np.ptp(charge) + 1e-9
    assert largest == pytest.approx(largest_half_cycle(-charge))


def test_a_record_in_millivolt_and_milliampere_gives_the_same_guess(shared_data: Path) -> None:
    path = shared_data / "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv"
    raw = read_raw(path, guess_settings(path))
    milli = raw.assign(**{c.CURRENT: 1e3 * raw[c.CURRENT], c.VOLTAGE: 1e3 * raw[c.VOLTAGE]})
    guess, other = guess_cell([raw]), guess_cell([milli])
    assert guess is not None
    assert other is not None
    assert (other.capacity_ah, other.parameter_set) == (guess.capacity_ah, guess.parameter_set) == (5.0, "Chen2020")
