"""Selected steps: from the edge on, each by itself, with errors of each, and ageing models from the record's start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.codec import from_json, to_json
from kilocell.data.errors import FailedSimulationError, JobError
from kilocell.data.results.simulation import FailedSimulation, SimulationResult
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.data.step_selection import parse_select
from kilocell.jobs.simulation.simulate import simulate
from stepped_record import INTERVAL_SECOND, one_cycle, three_cycles

AGES = ModelSettings("SPM-sei", "SPM", (("SEI", "ec reaction limited"),))


def asked(select: str, policy: str = "rest_voltage", model: ModelSettings | None = None) -> SimulateSettings:
    cell = CellSettings("CELL", initial_state=InitialState(policy))  # type: ignore[arg-type]
    parameter_set = ParameterSetSettings("Chen2020", "Chen2020")
    return SimulateSettings(cell, model or ModelSettings("SPM", "SPM"), parameter_set, cycles=parse_select(select))


def simulated(
    select: str,
    samples: pd.DataFrame | None = None,
    policy: str = "rest_voltage",
    model: ModelSettings | None = None,
) -> tuple[SimulationResult, pd.DataFrame]:
    output = simulate(three_cycles() if samples is None else samples, asked(select, policy, model), None)
    return output.result, output.frame


@pytest.mark.parametrize("select", ["discharge", "step id 2", "step 2, 6, 10"])
def test_each_discharge_of_a_file_with_one_cycle_starts_from_its_rest(select: str) -> None:
    samples = one_cycle()
    result, frame = simulated(select, samples)
    chosen = samples[samples[c.STEP_TYPE] == "discharge"]
    np.testing.assert_array_equal(frame[c.TEST_TIME], chosen[c.TEST_TIME])
    assert [one.name for one in result.stretches] == [
        "cycle 1, step 2 (discharge)",
        "cycle 1, step 6 (discharge)",
        "cycle 1, step 10 (discharge)",
    ]
    assert [one.status for one in result.stretches] == ["done"] * 3
    assert max(one.rmse_mv or 0.0 for one in result.stretches) < 0.5
    socs = [one.initial_soc or 0.0 for one in result.stretches]
    assert socs == sorted(socs, reverse=True)
    assert all("rest voltage" in one.initial_state_source for one in result.stretches)
    # The states of several stretches in a cycle are in the stretches; the cycle has the first.
    assert [(state.cycle_count, state.soc) for state in result.cycle_states] == [(1, socs[0])]
    assert [one.cycle_count for one in result.comparisons] == [0, 1]
    assert result.samples == len(chosen) == result.comparisons[0].samples
    assert np.sqrt(np.mean([(one.rmse_mv or 0.0) ** 2 for one in result.stretches])) == pytest.approx(result.rmse_mv)


@pytest.mark.parametrize(
    ("select", "first_soc", "at_second"),
    [("discharge 1; charge", 0.9, 1740), ("charge 2-3; discharge 3", 0.9 - (2.125 / 5.1532), 19740)],
)
def test_a_given_state_is_that_of_the_first_stretch(select: str, first_soc: float, at_second: int) -> None:
    """Every stretch began at the given state, however much charge had flowed before it."""
    samples = three_cycles()
    cell = CellSettings("CELL", initial_state=InitialState("soc", first_soc))
    result = simulate(samples, replace(asked(select), cell=cell), None).result
    given, *later = result.stretches
    assert given.initial_state_source == f"state of charge {first_soc:g}, given"
    assert given.initial_soc == pytest.approx(first_soc)
    for one in later:
        assert f"given at {at_second} s" in one.initial_state_source
        assert one.state_uncertainty_soc is not None
    own = simulate(samples, asked(select), None).result
    for one, alone in zip(result.stretches, own.stretches, strict=True):
        assert one.initial_soc == pytest.approx(alone.initial_soc, abs=5e-4)
    assert result.rmse_mv < 0.5


def test_cycles_that_return_to_the_same_state_have_the_given_one_each() -> None:
    """The charge is counted with an error of its own: over many cycles it says less than the user."""
    samples = three_cycles().copy()
    charging = samples[c.STEP_TYPE] == "charge"
    samples.loc[charging, c.CURRENT] *= 2.5 * 0.995 / 2.45
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.9))
    result = simulate(samples, replace(asked("cycle 1-3"), cell=cell), None).result
    assert [one.initial_soc for one in result.stretches] == pytest.approx([0.9] * 3)


def test_the_source_says_where_the_state_is_least_known() -> None:
    """The uncertainty of a later stretch stood beside the source of the first one."""
    samples = one_cycle()
    discharged = (samples[c.STEP_COUNT] == 7) & (samples[c.TEST_TIME] > 0)
    kept = samples[~discharged].copy()  # no rest between the second discharge and the charge after it
    result, _ = simulated("step 2, 8", kept)
    first, second = result.stretches
    assert second.state_uncertainty_mv is not None
    assert first.state_uncertainty_mv is not None
    assert second.state_uncertainty_mv > first.state_uncertainty_mv
    assert result.state_uncertainty_mv == second.state_uncertainty_mv
    words = f"{first.initial_state_source}; least known at the start of {second.name}: {second.initial_state_source}"
    assert result.initial_state_source == words


def test_a_discharge_begins_at_the_edge() -> None:
    """The first interval counts: its charge, and the current that it switches on."""
    result, frame = simulated("cycle 2, discharge")
    whole, _ = simulated("all")
    seconds = 3000.0 - INTERVAL_SECOND  # of full current; and a ramp over the first interval
    assert result.charge_measured_ah == pytest.approx(-2.5 * (seconds + 0.5 * INTERVAL_SECOND) / 3600.0)
    assert result.charge_model_ah == pytest.approx(result.charge_measured_ah, rel=5e-4)
    assert result.rmse_mv < 0.5
    assert np.abs(frame["voltage_error_volt"]).max() < 2e-3
    cycle = next(one for one in whole.comparisons if one.cycle_count == 2)
    mine = next(one for one in result.comparisons if one.cycle_count == 2)
    # The ramp after the last sample counts to the rest.
    assert mine.energy_out_measured_wh == pytest.approx(cycle.energy_out_measured_wh, rel=0.012)
    assert mine.capacity_error_ah == pytest.approx(cycle.capacity_error_ah, abs=2e-3)


def test_errors_since_the_edge_are_those_of_the_whole_record() -> None:
    """The window of a sample, and the error before its step, come from the sample at the edge."""
    samples = three_cycles()
    _, frame = simulated("cycle 2, discharge")
    whole = simulate(samples, asked("all"), None)
    same = whole.frame[whole.frame[c.TEST_TIME].isin(frame[c.TEST_TIME])]
    assert frame[c.WINDOW].tolist() == same[c.WINDOW].tolist()
    np.testing.assert_allclose(frame["simulated_voltage_volt"], same["simulated_voltage_volt"], atol=1e-3)


def test_a_window_is_compared_from_its_begin_and_solved_from_its_steps() -> None:
    result, frame = simulated("cycle 2, discharge, 600-1200 s")
    started = 1800.0 + 11400.0 - INTERVAL_SECOND
    assert frame[c.TEST_TIME].iloc[[0, -1]].tolist() == [started + 600.0, started + 1200.0]
    assert result.rmse_mv < 0.5
    (stretch,) = result.stretches
    assert (stretch.samples, stretch.name) == (11, "cycle 2, step 6 (discharge), 600-1200 s")
    assert stretch.first_test_time_second == started + 600.0
    assert result.charge_measured_ah == pytest.approx(-2.5 * 660.0 / 3600.0)


def test_steps_that_follow_are_solved_in_one_go() -> None:
    result, frame = simulated("step 6-8")
    assert [one.name for one in result.stretches] == ["cycle 2, steps 6-8 (discharge, rest, charge)"]
    assert set(frame[c.STEP_COUNT]) == {6, 7, 8}
    assert result.rmse_mv < 0.5
    carried, _ = simulated("cycle 1-3, discharge, rest; step 8", policy="previous_cycle")
    assert carried.rmse_mv < 1.0


def test_one_bad_step_does_not_lose_the_others() -> None:
    samples = one_cycle().copy()
    hole = samples.index[samples[c.STEP_COUNT] == 6][20:25]
    samples.loc[hole, c.CURRENT] = np.nan
    with pytest.raises(
        FailedSimulationError, match=r"1 of 3 stretches failed: cycle 1, step 6 \(discharge\)"
    ) as caught:
        simulated("discharge", samples)
    assert "curves and errors of the other 2 are kept" in str(caught.value)
    failed = caught.value.result
    assert isinstance(failed, FailedSimulation)
    assert [one.status for one in failed.stretches] == ["done", "failed", "done"]
    assert failed.stretches[1].reason_code == "missing_current"
    assert (failed.stretches[1].rmse_mv, failed.stretches[1].samples) == (None, 0)
    assert [one.cycle_count for one in failed.comparisons] == [0, 1]
    assert failed.comparisons[0].rmse_mv == pytest.approx(failed.partial_rmse_mv)
    assert failed.step_comparisons
    assert set(caught.value.frame[c.STEP_COUNT]) == {2, 10}
    assert from_json(FailedSimulation, to_json(failed)) == failed


def test_one_bad_cycle_keeps_the_errors_of_the_others() -> None:
    samples = three_cycles().copy()
    samples.loc[samples.index[samples[c.STEP_COUNT] == 6][20:25], c.CURRENT] = np.nan
    with pytest.raises(FailedSimulationError, match=r"1 of 3 cycles failed \(2\)") as caught:
        simulated("1-3", samples)
    assert [one.cycle_count for one in caught.value.result.comparisons] == [0, 1, 3]
    assert [state.cycle_count for state in caught.value.result.cycle_states] == [1, 3]


def test_a_model_that_ages_keeps_what_is_before_its_failure() -> None:
    """It is one solution over the record, and the good parts were lost with the others."""
    samples = three_cycles().copy()
    impossible = (samples[c.CYCLE_COUNT] == 3) & (samples[c.STEP_TYPE] == "discharge")
    samples.loc[impossible, c.CURRENT] *= 6.0
    with pytest.raises(FailedSimulationError, match=r"1 of 2 stretches failed: .*other one are kept") as caught:
        simulated("cycle 1, discharge; cycle 3, discharge", samples, model=AGES)
    failed = caught.value.result
    assert isinstance(failed, FailedSimulation)
    assert [(one.name, one.status) for one in failed.stretches] == [
        ("cycle 1, step 2 (discharge)", "done"),
        ("cycle 3, step 10 (discharge)", "failed"),
    ]
    assert failed.stretches[0].rmse_mv is not None
    assert failed.stretches[1].reason_code == "left_range"
    assert len(caught.value.frame) == (samples[c.STEP_COUNT] == 2).sum()


def test_an_impossible_step_does_not_spoil_the_state_after_it() -> None:
    """The charge counted over it leads out of the range, and all later stretches failed; a rest after it is a state."""
    samples = three_cycles()
    short = samples[c.STEP_COUNT].isin([7, 9]) & (samples.groupby(c.STEP_COUNT).cumcount() > 4)
    samples = samples[~short].copy()
    samples[c.TEST_TIME] = INTERVAL_SECOND * np.arange(len(samples))
    samples.loc[samples[c.STEP_COUNT] == 6, c.CURRENT] *= 5.0
    result, _ = simulated("step 10", samples)
    (one,) = result.stretches
    assert "leads out of range" in one.initial_state_source
    assert one.initial_soc == pytest.approx(0.884, abs=0.03)


def test_a_record_without_the_selection_fails_with_what_it_has() -> None:
    with pytest.raises(
        JobError, match=r"cell CELL: nothing matches 'cycle 60, discharge': the record has cycles 1-3; "
    ) as caught:
        simulated("cycle 60, discharge")
    assert "steps 1-13; step ids 1-4; steps by type: 3 charge, 3 discharge, 7 rest" in str(caught.value)
    assert caught.value.code == "nothing_selected"
    result, _ = simulated("step 2, 99")
    assert result.attempts[0] == "not in the record: steps 99"


def test_a_model_that_ages_is_solved_from_the_records_start() -> None:
    result, frame = simulated("cycle 2, discharge; step 10", model=AGES)
    whole = simulate(three_cycles(), asked("all", model=AGES), None)
    assert set(frame[c.STEP_COUNT]) == {6, 10}
    same = whole.frame[whole.frame[c.STEP_COUNT].isin([6, 10])]
    np.testing.assert_allclose(frame["simulated_voltage_volt"], same["simulated_voltage_volt"], atol=1e-4)
    assert [one.initial_soc for one in result.stretches] == [None, None]
    assert result.stretches[0].initial_state_source.startswith("solved from 0 s on: rest voltage")
    whole_cycles, _ = simulated("2", model=AGES)
    assert [one.cycle_count for one in whole_cycles.comparisons] == [0, 2]


def test_a_model_that_ages_fails_for_itself() -> None:
    samples = three_cycles().copy()
    samples.loc[samples.index[samples[c.STEP_COUNT] == 2][20:25], c.CURRENT] = np.nan
    with pytest.raises(JobError, match=r"the record up to cycle 2, step 6 \(discharge\): the current is missing"):
        simulated("cycle 2, discharge", samples, model=AGES)
    assert simulated("cycle 2, discharge", samples)[0].rmse_mv < 0.5


def test_a_selection_is_part_of_the_settings() -> None:
    settings = asked("cycle 2, discharge, first 600 s")
    assert from_json(SimulateSettings, to_json(settings)) == settings
    assert replace(settings, cycles=parse_select("2")) == replace(settings, cycles=parse_select("cycle 2"))


def test_good_stretches_without_a_voltage_do_not_hide_why_the_others_failed() -> None:
    samples = one_cycle().copy()
    samples.loc[samples.index[samples[c.STEP_COUNT] == 6][20:25], c.CURRENT] = np.nan
    samples.loc[samples[c.STEP_COUNT] == 10, c.VOLTAGE] = np.nan
    with pytest.raises(JobError, match=r"1 of 2 stretches failed: .*no sample has a measured voltage") as caught:
        simulated("step 6, 10", samples)
    assert caught.value.code == "missing_current"
