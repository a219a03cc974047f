"""Compression keeps charge and pulses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.current_profile.compress import compress_current, noise_ampere
from loads import LOADS
from raw_records import SETTINGS, raw_table

NO_GAP = np.zeros(0, bool)


def no_gap(n: int) -> np.ndarray:
    return np.zeros(n, bool)


@settings(max_examples=60, deadline=None)
@given(
    arrays(float, st.integers(2, 200), elements=st.floats(-10, 10, width=32)),
    st.integers(0, 2**31),
)
def test_total_charge_is_the_samples_own_for_any_current(current: np.ndarray, seed: int) -> None:
    steps = np.random.default_rng(seed).uniform(0.1, 100.0, len(current))
    time = np.cumsum(steps)
    profile = compress_current(time, current, no_gap(len(time)), 5.0)
    measured = np.trapezoid(current, time)
    kept = np.trapezoid(profile.current_ampere, profile.time_second)
    throughput = float(np.trapezoid(np.abs(current), time))
    assert kept == pytest.approx(measured, abs=1e-9 * max(throughput, 1.0))


@settings(max_examples=60, deadline=None)
@given(arrays(float, st.integers(2, 200), elements=st.floats(-10, 10, width=32)))
def test_every_sample_is_within_the_tolerance(current: np.ndarray) -> None:
    time = np.arange(len(current), dtype=float)
    profile = compress_current(time, current, no_gap(len(time)), 5.0)
    seen = np.interp(time, profile.time_second, profile.current_ampere)
    assert np.max(np.abs(seen - current)) <= 6.0 * profile.noise_ampere + 5.0 * 5e-4 + 1e-12


def cccv(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """16 h at 1 s: rest, charge, a decaying hold, rest, discharge, under noise."""
    time = np.arange(0.0, 57_613.0)
    current = np.zeros(len(time))
    current[3600:15_000] = 2.5
    current[15_000:25_000] = 2.5 * np.exp(-np.arange(10_000) / 2000.0)
    current[30_000:44_000] = -2.5
    return time, current + noise * np.random.default_rng(1).standard_normal(len(time))


def test_cccv_becomes_a_few_knots() -> None:
    time, current = cccv(2e-3)
    profile = compress_current(time, current, no_gap(len(time)), 5.0)
    assert len(profile.time_second) < 200
    assert profile.noise_ampere == pytest.approx(2e-3, rel=0.05)
    seen = np.interp(time, profile.time_second, profile.current_ampere)
    assert np.sqrt(np.mean((seen - cccv(0.0)[1]) ** 2)) < 1e-3  # nearer to the truth than the noise


def test_a_pulse_of_one_sample_survives() -> None:
    time, current = cccv(0.0)
    current[50_000] = -5.0
    profile = compress_current(time, current, no_gap(len(time)), 5.0)
    assert np.interp([49_999.0, 50_000.0, 50_001.0], profile.time_second, profile.current_ampere) == pytest.approx(
        [0.0, -5.0, 0.0], abs=1e-9
    )


def test_no_current_flows_in_a_power_cut() -> None:
    time = np.concatenate([np.arange(0.0, 100.0), 3700.0 + np.arange(100.0)])
    current = np.full(200, -1.0)
    after_gap = no_gap(200)
    after_gap[100] = True
    profile = compress_current(time, current, after_gap, 5.0)
    assert np.trapezoid(profile.current_ampere, profile.time_second) == pytest.approx(-198.0, abs=0.01)
    assert np.interp(2000.0, profile.time_second, profile.current_ampere) == 0.0


def test_missing_current_is_refused_with_its_place() -> None:
    current = np.array([1.0, np.nan, 1.0])
    with pytest.raises(JobError, match=r"missing at 1 sample, the first at 10 s") as caught:
        compress_current(np.array([0.0, 10.0, 20.0]), current, no_gap(3), 5.0)
    assert caught.value.code == "missing_current"


def test_time_that_stands_still_is_refused() -> None:
    with pytest.raises(JobError, match="time does not increase"):
        compress_current(np.array([0.0, 1.0, 1.0]), np.zeros(3), no_gap(3), 5.0)


def test_noise_is_blind_to_lines_and_steps() -> None:
    line = np.concatenate([np.linspace(0, 5, 500), np.full(500, -3.0)])
    assert noise_ampere(line) < 1e-12


def segment_charges(time: np.ndarray, current: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Charge of the segments that begin at some samples, half of the interval to each neighbour with it."""
    half = np.diff(time) / 2.0
    weights = np.concatenate([half, [0.0]]) + np.concatenate([[0.0], half])
    return np.add.reduceat(weights * current, first)


@pytest.mark.parametrize(
    ("name", "knots_per_sample"), [("cccv", 0.05), ("gitt", 0.15), ("pulses", 0.02), ("drive", 0.9)]
)
def test_every_kind_of_record_keeps_its_charge_segment_by_segment(name: str, knots_per_sample: float) -> None:
    time, current = LOADS[name][0]()
    profile = compress_current(time, current, no_gap(len(time)), 5.0)
    assert len(profile.time_second) < knots_per_sample * len(time)
    seen = np.interp(time, profile.time_second, profile.current_ampere)
    first = np.concatenate([[0], 1 + np.flatnonzero(np.abs(np.diff(current)) > 0.1)])
    measured = segment_charges(time, current, first)
    off = np.abs(segment_charges(time, seen, first) - measured)
    amount = segment_charges(time, np.abs(current), first)
    assert np.all(off <= 1e-4 * amount + 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 397), st.floats(0.05, 10.0), st.booleans()), min_size=1, max_size=8),
    st.floats(0.0, 3e-3),
    st.floats(-5.0, 5.0),
    st.integers(0, 2**31),
)
def test_every_pulse_of_one_sample_survives(
    pulses: list[tuple[int, float, bool]], noise: float, base: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.choice([0.1, 1.0, 10.0, 100.0], 400))
    current = base + noise * rng.standard_normal(400)
    for at, size, charge in pulses:
        current[at] = base + (size if charge else -size)
    profile = compress_current(time, current, no_gap(400), 5.0)
    seen = np.interp(time, profile.time_second, profile.current_ampere)
    places = [sample for sample, *_ in pulses]
    assert np.max(np.abs(seen - current)[places]) <= 6.0 * profile.noise_ampere + 5.0 * 5e-4 + 1e-12
    kept = np.trapezoid(profile.current_ampere, profile.time_second)
    amount = float(np.trapezoid(np.abs(current) + 1.0, time))
    assert kept == pytest.approx(np.trapezoid(current, time), abs=1e-9 * amount)


def test_a_jump_sampled_on_both_sides_at_one_time_is_not_smeared() -> None:
    """Cleaning sets the two rows a millisecond apart; both are knots, so that all of the jump lies between them."""
    times = np.repeat(np.arange(0.0, 600.0, 10.0), [2 if k in (20, 40) else 1 for k in range(60)])
    current = np.where((np.cumsum(np.diff(times, prepend=-1.0) == 0.0) % 2) == 1, -2.5, 0.0)
    raw = raw_table(
        **{c.TEST_TIME: times, c.CURRENT: current, c.VOLTAGE: 3.7 + 0.03 * current, c.STEP_ID: 1.0 - current}
    )
    samples = clean(raw, "CELL", SETTINGS).samples
    assert len(samples) == len(raw)
    time, kept = samples[c.TEST_TIME].to_numpy(), samples[c.CURRENT].to_numpy()
    profile = compress_current(time, kept, no_gap(len(time)), 2.0)
    assert len(profile.time_second) == 6
    steep = np.flatnonzero(np.abs(np.diff(profile.current_ampere)) > 1.0)
    assert np.all(np.diff(profile.time_second)[steep] < 0.0011)


def test_long_records_are_fitted_in_blocks_with_the_same_knots(monkeypatch: pytest.MonkeyPatch) -> None:
    time, current = cccv(2e-3)
    blocks = compress_current(time, current, no_gap(len(time)), 5.0)
    monkeypatch.setattr("kilocell.jobs.current_profile.compress.BLOCK", len(time))
    whole = compress_current(time, current, no_gap(len(time)), 5.0)
    np.testing.assert_array_equal(blocks.time_second, whole.time_second)
    np.testing.assert_allclose(blocks.current_ampere, whole.current_ampere, rtol=0.0, atol=1e-12)


def test_finer_knots_follow_the_record_more_closely() -> None:
    time, current = LOADS["drive"][0]()
    away = []
    for finer in (1.0, 4.0, np.inf):
        profile = compress_current(time, current, no_gap(len(time)), 5.0, finer)
        away.append(np.max(np.abs(np.interp(time, profile.time_second, profile.current_ampere) - current)))
    assert away[0] > 2.0 * away[1] > 0.0
    assert away[2] == 0.0
