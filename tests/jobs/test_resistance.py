"""The resistance of each cycle, against cells whose resistance is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.arrays import Floats
from kilocell.data.rules import flag_bit
from kilocell.jobs.record.cycles import summarise_cycles
from kilocell.jobs.record.resistance import cycle_resistances

OHMIC_OHM = 0.031
SLOW_OHM = 0.017
SLOW_SECOND = 23.0
CAPACITY_AH = 3.2
STEPS = ((600.0, 0.0), (400.0, -1.9), (600.0, 0.0), (400.0, 1.9))
"""Duration in s and current in A of the steps of a cycle."""


def known_cell(
    cycles: int,
    interval: float | Sequence[float],
    steps: Sequence[tuple[float, float]] = STEPS,
    noise_volt: float = 0.0,
    ageing: float = 0.0,
) -> pd.DataFrame:
    """Make a record of a cell with an ohmic resistance and one slow one, that grow by a share in each cycle.

    Args:
        cycles: number of cycles.
        interval: s between samples; or the ages of a step's first samples, with the last distance from there on.
        steps: of each cycle.
        noise_volt: V, standard deviation.
        ageing: share of the first resistance that each cycle adds.
    """
    parts = []
    begin, slow_volt, charge_ah = 0.0, 0.0, 0.0
    for place in range(cycles * len(steps)):
        cycle = place // len(steps)
        duration, ampere = steps[place % len(steps)]
        age = _ages(duration, interval)
        growth = 1.0 + ageing * cycle
        decay = np.exp(-age / SLOW_SECOND)
        slow = growth * SLOW_OHM * ampere * (1.0 - decay) + slow_volt * decay
        charge = charge_ah + ampere * age / 3600.0
        voltage = 3.7 + 0.05 * charge / CAPACITY_AH + growth * OHMIC_OHM * ampere + slow
        parts.append(
            pd.DataFrame(
                {
                    c.TEST_TIME: begin + age, c.CURRENT: ampere, c.VOLTAGE: voltage, c.CYCLE_COUNT: cycle + 1,
                    c.STEP_COUNT: place + 1,
                }
            )
        )  # fmt: skip
        begin, slow_volt, charge_ah = begin + duration, float(slow[-1]), float(charge[-1])
    frame = pd.concat(parts, ignore_index=True).assign(**{c.FLAGS: 0})
    frame[c.VOLTAGE] += np.random.default_rng(5).normal(0.0, noise_volt, len(frame)) if noise_volt else 0.0
    return frame


def _ages(duration: float, interval: float | Sequence[float]) -> Floats:
    """Return the ages of a step's samples in s: the first one is one interval old, the last one at its end."""
    if not isinstance(interval, float):
        first = np.asarray(interval, dtype=np.float64)
        later = np.arange(first[-1] + (first[-1] - first[-2]), duration + 1e-9, first[-1] - first[-2])
        return np.unique(np.concatenate([first, later, [duration]]))
    return np.unique(np.append(np.arange(interval, duration, interval), duration))


def resistances(frame: pd.DataFrame) -> dict[int, tuple[float, float, float, int, str]]:
    time, current, voltage = (frame[name].to_numpy(np.float64) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE))
    flags, cycle, step = (frame[name].to_numpy(np.int64) for name in (c.FLAGS, c.CYCLE_COUNT, c.STEP_COUNT))
    found = cycle_resistances(time, current, voltage, flags, cycle, step, CAPACITY_AH)
    return {
        cycle: (
            one.resistance_ohm, one.resistance_second, one.resistance_uncertainty_ohm, one.resistance_edges,
            one.resistance_source,
        )
        for cycle, one in found.items()
    }  # fmt: skip


def true_ohm(second: float, growth: float = 1.0) -> float:
    """Return the resistance of the known cell some time after the current begins, without the open-circuit voltage."""
    return growth * (OHMIC_OHM + SLOW_OHM * (1.0 - math.exp(-second / SLOW_SECOND)))


def test_the_resistance_after_ten_seconds_is_that_of_the_cell() -> None:
    found = resistances(known_cell(3, 1.0))
    assert list(found) == [1, 2, 3]
    for ohm, second, uncertainty, edges, source in found.values():
        assert (second, edges, source) == (10.0, 1, "start of discharge")
        assert ohm == pytest.approx(true_ohm(10.0), abs=2e-4)  # the open-circuit voltage moves a little, too
        assert uncertainty < 1e-3


def test_growth_of_the_resistance_is_seen_cycle_by_cycle() -> None:
    found = resistances(known_cell(6, 2.0, ageing=0.05))
    ohms = [ohm for ohm, *_ in found.values()]
    np.testing.assert_allclose(ohms, [true_ohm(10.0, 1.0 + 0.05 * n) for n in range(6)], rtol=0.01)


@pytest.mark.parametrize("noise_volt", [0.0005, 0.003])
def test_noise_is_in_the_uncertainty(noise_volt: float) -> None:
    found = resistances(known_cell(40, 1.0, noise_volt=noise_volt))
    ohms = np.array([ohm for ohm, *_ in found.values()])
    stated = np.median([uncertainty for _, _, uncertainty, *_ in found.values()])
    scatter = float(np.std(ohms))
    assert scatter / 2.0 < stated < 4.0 * scatter
    assert abs(np.median(ohms) - true_ohm(10.0)) < 3.0 * stated / np.sqrt(len(ohms)) + 2e-4


def test_what_lies_between_two_samples_is_interpolated_and_doubted() -> None:
    ohm, second, uncertainty, *_ = resistances(known_cell(2, (0.2, 6.0, 17.0, 40.0)))[2]
    assert second == 10.0
    assert abs(ohm - true_ohm(10.0)) < uncertainty
    assert uncertainty < 0.1 * ohm


@pytest.mark.parametrize(("interval", "second"), [(30.0, 30.0), (60.0, 60.0), (5.0, 10.0)])
def test_a_record_with_long_intervals_has_a_later_resistance(interval: float, second: float) -> None:
    """Ten seconds after the edge nothing was measured: the first sample counts, and its time is said."""
    ohm, found_second, uncertainty, _, _ = resistances(known_cell(3, interval))[2]
    assert found_second == second
    assert abs(ohm - true_ohm(second)) < uncertainty + 6e-4


def test_intervals_of_minutes_say_nothing() -> None:
    assert resistances(known_cell(3, 180.0, [(3600.0, ampere) for _, ampere in STEPS])) == {}


def test_short_pulses_have_a_resistance_after_two_seconds() -> None:
    pulses = [(60.0, 0.0), (5.0, -4.0)] * 6
    ohm, second, _, edges, source = resistances(known_cell(2, 0.5, pulses))[1]
    assert (second, edges, source) == (2.0, 6, "start of discharge")
    assert ohm == pytest.approx(true_ohm(2.0), abs=1.5e-3)


def test_a_changing_current_has_no_resistance() -> None:
    sizes = np.random.default_rng(8).uniform(1.0, 4.0, 200)
    drive = [(3.0, float(size) * (-1.0) ** place) for place, size in enumerate(sizes)]
    assert all(second == 2.0 for _, second, *_ in resistances(known_cell(1, 0.5, drive)).values())
    assert resistances(known_cell(1, 0.5, [(1.5, ampere) for _, ampere in drive])) == {}
    ramp = known_cell(1, 1.0).assign(**{c.CURRENT: np.linspace(0.0, -3.0, 2000)})
    assert resistances(ramp) == {}


def test_samples_that_cleaning_changed_or_inserted_are_no_measurement() -> None:
    frame = known_cell(12, 1.0)
    edge = int(np.flatnonzero(frame[c.STEP_COUNT] == 6)[0])  # the discharge of cycle 2
    spiked = frame.copy()
    spiked.loc[edge + 4, c.FLAGS] = flag_bit("voltage_spike")
    assert resistances(spiked) == {cycle: one for cycle, one in resistances(frame).items() if cycle != 2}
    missing = frame.copy()
    missing.loc[edge - 1, c.VOLTAGE] = np.nan
    assert 2 not in resistances(missing)
    cut = frame.copy()
    cut.loc[edge, c.FLAGS] = flag_bit("time_gap")
    assert 2 not in resistances(cut)


def test_an_inserted_sample_says_when_the_current_changed() -> None:
    """Rows every 8 s, the current changes between two of them: without the time of the edge, it is 5 s too early."""
    frame = known_cell(2, 1.0)
    kept = frame[(frame[c.TEST_TIME] + 5.0) % 8.0 < 1e-9]
    edges = frame[frame[c.STEP_COUNT] != frame[c.STEP_COUNT].shift(-1)].iloc[:-1]
    inserted = edges.assign(**{c.FLAGS: flag_bit("step_edge"), c.VOLTAGE: 9.9})
    joined = pd.concat([kept, inserted]).sort_values(c.TEST_TIME, kind="stable").drop_duplicates(c.TEST_TIME)
    known, unknown = resistances(joined.reset_index(drop=True)), resistances(kept.reset_index(drop=True))
    assert abs(known[2][0] - true_ohm(10.0)) < known[2][2] + 5e-4
    assert abs(unknown[2][0] - true_ohm(10.0)) < unknown[2][2] + 5e-4
    assert unknown[2][2] > known[2][2]


def test_a_voltage_that_moves_the_wrong_way_is_no_resistance() -> None:
    frame = known_cell(2, 1.0)
    assert resistances(frame.assign(**{c.VOLTAGE: 7.4 - frame[c.VOLTAGE]})) == {}


def test_cycles_have_the_resistance_in_their_summary() -> None:
    frame = known_cell(2, 1.0).assign(**{c.SURFACE_TEMPERATURE: 25.0, c.AMBIENT_TEMPERATURE: np.nan})
    first, second = summarise_cycles(frame, CAPACITY_AH)
    assert first.resistance_ohm == pytest.approx(true_ohm(10.0), abs=3e-4)
    assert (second.resistance_second, second.resistance_edges) == (10.0, 1)
    rest = frame.assign(**{c.CURRENT: 0.0})
    assert summarise_cycles(rest, CAPACITY_AH)[0].resistance_ohm is None
