from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.cleaning.guess_cell import CellGuess, find_half_cycles, guess_cell
from raw_records import raw_table


def record(current: np.ndarray, voltage: float | np.ndarray = 3.6, interval: float = 10.0) -> pd.DataFrame:
    """A cleaned record with a sample every ``interval`` seconds."""
    time = np.arange(len(current)) * interval
    frame = pd.DataFrame({c.TEST_TIME: time, c.CURRENT: current, c.VOLTAGE: voltage}).astype("float64")
    return frame.assign(**{c.FLAGS: np.zeros(len(current), dtype=np.int64)})


def cycles(number: int, offset: float = 0.0) -> np.ndarray:
    """Full cycles of a 2 A.h cell at 1C with rests, a sample every 10 s."""
    one = np.concatenate([np.full(360, -2.0), np.zeros(60), np.full(360, 2.0), np.zeros(60)])
    return np.tile(one, number) + offset


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("offset", [0.0, 0.002])
def test_capacity_of_many_cycles_does_not_add_up(sign: int, offset: float) -> None:
    guess = guess_cell(record(sign * cycles(200, offset)))
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(2.0, rel=0.01)
    assert guess.half_cycles == 400


def test_capacity_of_a_drive_cycle_is_of_the_whole_discharge() -> None:
    pulses = np.tile(np.concatenate([np.full(20, -4.0), np.full(10, 3.0)]), 60)
    guess = guess_cell(record(pulses))
    assert guess is not None
    assert guess.capacity_ah == pytest.approx(60 * (80 - 30) * 10 / 3600, rel=0.02)
    assert guess.half_cycles == 1


def test_only_large_half_cycles_count_as_evidence() -> None:
    small = np.concatenate([np.full(36, -2.0), np.full(36, 2.0)])
    guess = guess_cell(record(np.concatenate([np.tile(small, 5), cycles(2)])))
    assert guess is not None
    assert guess.half_cycles == 4


def test_record_at_rest_says_nothing() -> None:
    assert guess_cell(record(np.zeros(100))) is None
    assert guess_cell(record(cycles(1), voltage=np.nan)) is None


def test_a_capacity_near_the_sets_own_is_taken_for_it_and_both_are_known() -> None:
    guess = guess_cell(record(2.4 * cycles(1), voltage=4.1))
    assert guess is not None
    assert guess.capacity_ah == 5.0
    assert guess.seen_ah == pytest.approx(4.8, rel=0.01)


def test_a_short_record_at_a_high_current_says_nothing() -> None:
    assert guess_cell(record(np.full(10, -5.0), interval=1.0)) is None


def test_parameter_set_by_voltage() -> None:
    assert CellGuess(1.0, 3.6).parameter_set == "Prada2013"
    assert CellGuess(1.0, 4.2).parameter_set == "Chen2020"
    assert CellGuess(1.0, 2.8).parameter_set == ""  # titanate, or a half-cell: neither set is for it
    assert CellGuess(1.0, 1.5).parameter_set == ""


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60))
def test_half_cycle_is_within_the_whole_range_and_knows_no_sign(charges: list[float]) -> None:
    charge = np.array([0.0, *charges])
    found = find_half_cycles(charge)
    assert 0 <= found.largest_ah <= np.ptp(charge) + 1e-9
    assert found == pytest.approx(find_half_cycles(-charge))


def cleaned_guess(raw: pd.DataFrame) -> CellGuess | None:
    return guess_cell(clean(raw, "CELL", CleanSettings()).samples)


@pytest.mark.parametrize("ampere", [0.7, 3.1])
def test_a_current_without_a_sign_is_guessed_after_the_letter_gave_it_one(ampere: float) -> None:
    """Maccor writes the magnitude of the current, and D or C: integrated as it is, the capacities add up."""
    one = np.concatenate([np.full(120, -ampere), np.zeros(30), np.full(120, ampere), np.zeros(30)])
    current = np.tile(one, 3)
    charge = np.cumsum(current) * 30.0 / 3600.0
    voltage = 3.6 + 0.5 * charge / np.ptp(charge) + 0.03 * current / ampere
    state = np.where(current > 0, "C", np.where(current < 0, "D", "R")).tolist()
    step = np.repeat(np.arange(12), [120, 30, 120, 30] * 3).astype(float)
    raw = raw_table(
        **{
            c.TEST_TIME: np.arange(len(current)) * 30.0,
            c.CURRENT: np.abs(current),
            c.VOLTAGE: voltage,
            c.STATE: state,
            c.STEP_ID: step,
        }
    )
    guess = cleaned_guess(raw)
    assert guess is not None
    assert guess.seen_ah == pytest.approx(ampere, rel=0.02)
    assert guess.half_cycles == 6


def test_a_record_in_millivolt_and_milliampere_gives_the_same_guess(shared_data: Path) -> None:
    path = shared_data / "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv"
    raw = read_raw(path, guess_settings(path))
    milli = raw.assign(**{c.CURRENT: 1e3 * raw[c.CURRENT], c.VOLTAGE: 1e3 * raw[c.VOLTAGE]})
    guess, other = cleaned_guess(raw), cleaned_guess(milli)
    assert guess is not None
    assert other is not None
    assert (other.capacity_ah, other.parameter_set) == (guess.capacity_ah, guess.parameter_set) == (5.0, "Chen2020")
