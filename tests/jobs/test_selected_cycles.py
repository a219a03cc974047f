"""Selected cycles: each from its own state, none lost for another's failure, and as in one go where they follow."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.cycle_selection import parse_selection
from kilocell.data.errors import FailedSimulationError, JobError
from kilocell.data.fit_settings import INITIAL_SOC
from kilocell.data.results.simulation import FailedSimulation
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.models.equilibrium import find_equilibrium
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_known_start
from kilocell.jobs.simulation.simulate import simulate
from records import documented_replay, partition

CYCLE = ((1800.0, 0.0), (3000.0, -2.5), (5400.0, 0.0), (3000.0, 2.45), (3600.0, 0.0))
CYCLE_SECOND = sum(second for second, _ in CYCLE)
LOSS_AH = (2.5 - 2.45) * 3000.0 / 3600.0  # of each cycle


def window_ah() -> float:
    """Between the set's cut-offs."""
    return find_equilibrium(ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"), 25.0).capacity_ah


@lru_cache(maxsize=1)
def six_cycles() -> pd.DataFrame:
    """Six times rest, discharge, rest, charge, rest at 30 s, as the SPM of Chen2020 answers from 0.8."""
    counts = [int(second / 30.0) for second, _ in CYCLE]
    current = np.tile(np.repeat([ampere for _, ampere in CYCLE], counts), 6)
    time = np.arange(0.0, 30.0 * len(current), 30.0)
    frame = partition(time, current, documented_replay("SPM", "Chen2020", time, current, 0.8))
    frame[c.CYCLE_COUNT] = np.repeat(np.arange(1, 7), sum(counts)).astype(np.int32)
    frame[c.STEP_COUNT] = (1 + np.cumsum(np.diff(current, prepend=0.0) != 0.0)).astype(np.int32)
    return frame


def asked(cycles: str, policy: str = "rest_voltage", **more: object) -> SimulateSettings:
    cell = CellSettings("CELL", initial_state=InitialState(policy))  # type: ignore[arg-type]
    settings = SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"))
    return replace(settings, cycles=parse_selection(cycles), **more)  # type: ignore[arg-type]


def test_each_selected_cycle_starts_from_its_own_rest() -> None:
    samples = six_cycles()
    simulated = simulate(samples, asked("1-2, 5, last, 90-95"), None)
    result, frame = simulated.result, simulated.frame
    chosen = samples[samples[c.CYCLE_COUNT].isin([1, 2, 5, 6])]
    for column in (c.TEST_TIME, c.CYCLE_COUNT, c.STEP_COUNT):
        np.testing.assert_array_equal(frame[column], chosen[column])
    assert [state.cycle_count for state in result.cycle_states] == [1, 2, 5, 6]
    expected = 0.8 - LOSS_AH / window_ah() * np.array([0, 1, 4, 5])
    np.testing.assert_allclose([state.soc for state in result.cycle_states], expected, atol=1e-3)
    assert all("rest voltage" in state.source for state in result.cycle_states)
    assert [one.cycle_count for one in result.comparisons] == [0, 1, 2, 5, 6]
    assert result.rmse_mv < 1.0
    assert result.charge_error < 5e-4
    assert result.attempts[0] == "not in the record: cycles 90-95"
    assert result.charge_measured_ah == pytest.approx(-4 * LOSS_AH, abs=1e-9)
    assert result.charge_model_ah == pytest.approx(-4 * LOSS_AH, abs=2e-3)


def test_cycles_that_follow_are_carried_on_as_in_one_go() -> None:
    whole = simulate(six_cycles(), asked("all"), None).frame
    carried = simulate(six_cycles(), asked("1-last", "previous_cycle"), None)
    np.testing.assert_array_equal(carried.frame["simulated_voltage_volt"], whole["simulated_voltage_volt"])
    assert [state.cycle_count for state in carried.result.cycle_states] == [1]


def test_the_state_of_a_later_cycle_is_the_end_of_the_selected_one_before() -> None:
    result = simulate(six_cycles(), asked("every 2", "previous_cycle"), None).result
    first, second, third = result.cycle_states
    loss = LOSS_AH / window_ah()
    assert (first.soc - second.soc, second.soc - third.soc) == pytest.approx((loss, loss), abs=2e-5)
    assert second.source.startswith("end of cycle 1: state of charge 0.8")


def test_one_bad_cycle_does_not_lose_the_others() -> None:
    samples = six_cycles().copy()
    hole = samples.index[samples[c.CYCLE_COUNT] == 3][150:160]
    samples.loc[hole, c.CURRENT] = np.nan
    with pytest.raises(
        FailedSimulationError, match=r"1 of 3 cycles failed \(3\): cycle 3: the current is missing"
    ) as caught:
        simulate(samples, asked("2-4"), None)
    assert caught.value.code == "missing_current"
    assert "the curves of cycles 2, 4 are kept" in str(caught.value)
    assert isinstance(caught.value.result, FailedSimulation)
    assert set(caught.value.frame[c.CYCLE_COUNT]) == {2, 4}
    assert np.isfinite(caught.value.frame["simulated_voltage_volt"]).all()
    with pytest.raises(FailedSimulationError) as carried:
        simulate(samples, asked("2-3, 5", "previous_cycle"), None)
    assert set(carried.value.frame[c.CYCLE_COUNT]) == {5}
    assert carried.value.result.initial_state_source.startswith("cycles 2-3 failed, so its end tells no state; rest")


def test_a_cell_without_the_cycles_fails_with_what_it_has() -> None:
    with pytest.raises(JobError, match="none of the cycles 7-9, 100; it has 1-6") as caught:
        simulate(six_cycles(), asked("7-9, 100"), None)
    assert caught.value.code == "no_such_cycle"


def test_what_was_done_before_the_time_limit_is_kept() -> None:
    """The limit is looked at before each cycle, attempt and window: here it has passed before the first."""
    with pytest.raises(JobError, match="reached the start of cycle 2") as caught:
        simulate(six_cycles(), asked("2-6", time_limit_second=1e-9), None)
    assert caught.value.code == "time_limit"


def rest_chosen(current: list[float], cycle: list[int], first: int) -> int:
    """Index of the sample that tells the state of the cycle which begins at ``first``; samples 5 min apart."""
    frame = partition(np.arange(0.0, 300.0 * len(current), 300.0), np.array(current), np.full(len(current), 3.7))
    record = make_record(frame.assign(**{c.CYCLE_COUNT: np.array(cycle, np.int32)}))
    known = find_known_start(record, first, len(current), 5.0).known
    assert known is not None
    return known.index if known.is_rest else -1


def test_the_nearest_rest_in_charge_tells_the_state() -> None:
    """A rest of 4 samples is known at its last one."""
    rest, out, back = [0.0] * 4, [-1.0] * 4, [1.0] * 4
    # At the cycle's start; at the end of the cycle before; before its last step; only after the cycle's first step.
    assert rest_chosen(out + rest + out, [1] * 4 + [2] * 8, 4) == 7
    assert rest_chosen(out + rest + out, [1] * 8 + [2] * 4, 8) == 7
    assert rest_chosen(rest + back + out, [1] * 8 + [2] * 4, 8) == 3
    assert rest_chosen(back + out + rest, [1] * 4 + [2] * 8, 4) == 11
    # It is solved from the end of the first rest on, so that this one is nearer than the last.
    assert rest_chosen(rest + out * 3 + back + rest, [1] * 16 + [2] * 8, 16) == 3
    # None long enough.
    assert rest_chosen([*out, 0.0, *out], [1] * 4 + [2] * 5, 4) == -1
    # A rest two or many cycles before is better than a loaded voltage.
    assert rest_chosen(rest + out + back + out, [1] * 8 + [2] * 4 + [3] * 4, 12) == 3
    assert rest_chosen(rest + (out + back) * 5, [1] * 4 + list(range(2, 42)), 43) == 3


def test_a_state_is_counted_on_from_a_rest_before_the_cycles_start() -> None:
    """The cycle begins in the middle of a discharge: what flowed since the rest before is counted."""
    samples = six_cycles().copy()
    late = samples[c.CYCLE_COUNT].to_numpy() + (np.arange(len(samples)) % (CYCLE_SECOND / 30.0) >= 120)
    result = simulate(samples.assign(**{c.CYCLE_COUNT: late.astype(np.int32)}), asked("3"), None).result
    (state,) = result.cycle_states
    out = 2.5 * (60 + 0.5) * 30.0 / 3600.0
    expected = 0.8 - (LOSS_AH + out) / window_ah()
    assert state.soc == pytest.approx(expected, abs=2e-3)
    # Solved from the end of that rest on, so that the cycle begins with the gradients of the cell.
    assert state.source.endswith("; solved from 18570 s on")
    assert result.rmse_mv < 0.5


def test_a_fitted_state_is_that_of_the_first_selected_cycle() -> None:
    """The cycles begin in the middle of a discharge, so that their states are counted on from a rest."""
    samples = six_cycles()
    late = samples[c.CYCLE_COUNT].to_numpy() + (np.arange(len(samples)) % (CYCLE_SECOND / 30.0) >= 120)
    samples = samples.assign(**{c.CYCLE_COUNT: late.astype(np.int32)})
    own = asked("3, 5")
    fitted = replace(own, parameter_set=ParameterSetSettings("f", "Chen2020", (Override(INITIAL_SOC, "value", 0.61),)))
    first, second = simulate(samples, fitted, None).result.cycle_states
    assert first.soc == pytest.approx(0.61)
    assert second == simulate(samples, own, None).result.cycle_states[1]
