"""Samples that cleaning inserted at step edges: their current drives the model, their voltage is no measurement."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.weights import sample_weights
from kilocell.jobs.record.record import Record, make_record, sample_duration_second
from kilocell.jobs.record.step_windows import find_windows, step_starts
from kilocell.jobs.simulation.compare import compare, sum_errors
from kilocell.jobs.simulation.simulate import simulate
from records import documented_replay, partition

EDGES = (700.0, 1190.0)
"""When a discharge of 5 A begins and ends, s: between two rows each."""

WRONG_VOLT = 99.0
"""Voltage of the inserted samples in these tests: whatever counts it is far off."""

ASKED = SimulateSettings(
    CellSettings("CELL", initial_state=InitialState("soc", 0.8)),
    ModelSettings("SPM", "SPM"),
    ParameterSetSettings("Chen2020", "Chen2020"),
)


@lru_cache(maxsize=1)
def thinned() -> pd.DataFrame:
    """Rest, discharge and rest, logged every 90 s without a row at the edges; both edges are inserted as pairs."""
    rows = np.arange(0.0, 3601.0, 90.0)
    edges = np.array([at + ms for at in EDGES for ms in (0.0, 1e-3)])
    time = np.sort(np.concatenate([rows, edges]))
    current = np.where((time >= EDGES[0] + 1e-3) & (time <= EDGES[1]), -5.0, 0.0)
    voltage = documented_replay("SPM", "Chen2020", time, current, 0.8)
    inserted = np.isin(time, edges)
    samples = partition(time, current, np.where(inserted, WRONG_VOLT, voltage))
    steps = 1 + (time >= EDGES[0] + 1e-3).astype(int) + (time >= EDGES[1] + 1e-3)
    source_row = np.where(inserted, c.NO_SOURCE_ROW, np.cumsum(~inserted) - 1)
    flags = np.where(inserted, flag_bit("step_edge"), 0)
    types = np.array(["", "rest", "discharge", "rest"])[steps]
    return samples.assign(
        **{c.STEP_COUNT: steps, c.SOURCE_ROW: source_row, c.FLAGS: flags, c.STEP_TYPE: pd.array(types, dtype="str")}
    )


def without_inserted(samples: pd.DataFrame) -> pd.DataFrame:
    return samples[samples[c.SOURCE_ROW] >= 0].reset_index(drop=True)


def test_the_voltage_of_an_inserted_sample_is_left_out_of_a_record() -> None:
    record = make_record(thinned())
    np.testing.assert_array_equal(record.inserted, thinned()[c.SOURCE_ROW] == c.NO_SOURCE_ROW)
    assert np.isnan(record.voltage_volt[record.inserted]).all()
    assert np.isfinite(record.voltage_volt[~record.inserted]).all()
    assert not record.current_ampere[record.inserted].all()
    assert record.current_ampere[record.inserted].any()
    assert thinned()[c.VOLTAGE].max() == WRONG_VOLT


def test_a_simulation_follows_the_edges_and_compares_with_rows_only() -> None:
    simulated = simulate(thinned(), ASKED, None)
    result = simulated.result
    assert result.charge_measured_ah == pytest.approx(-5.0 * 490.0 / 3600.0, rel=1e-5)
    assert result.charge_error < 5e-4
    assert result.rmse_mv < 0.5
    assert result.samples == len(thinned())
    assert result.comparisons[0].samples == len(without_inserted(thinned()))
    np.testing.assert_array_equal(
        simulated.frame["voltage_error_volt"].isna(), thinned()[c.SOURCE_ROW] == c.NO_SOURCE_ROW
    )
    steps = {(one.step_type, one.window): one for one in result.step_comparisons if one.cycle_count == 0}
    by_window = [steps["all", window].samples for window in c.WINDOWS if ("all", window) in steps]
    assert sum(by_window) == len(without_inserted(thinned()))
    assert steps["discharge", "all"].samples == 6
    energy = result.comparisons[0].energy_out_measured_wh
    assert energy == pytest.approx(result.comparisons[0].energy_out_model_wh, rel=0.02)


def test_without_the_edges_the_same_rows_give_another_charge() -> None:
    """Why edges are inserted: the trapezoid over the rows is 10 % off, and its own check passes."""
    result = simulate(without_inserted(thinned()), ASKED, None).result
    assert abs(result.charge_measured_ah / (-5.0 * 490.0 / 3600.0) - 1.0) > 0.05
    assert result.charge_error < 5e-4


def test_rows_represent_the_same_time_with_and_without_inserted_samples() -> None:
    record = make_record(thinned())
    duration = sample_duration_second(record)
    assert not duration[record.inserted].any()
    expected = sample_duration_second(make_record(without_inserted(thinned())))
    np.testing.assert_allclose(duration[~record.inserted], expected, atol=1e-9)
    assert duration.sum() == pytest.approx(3600.0)


def test_a_power_cut_between_inserted_samples_is_no_time() -> None:
    """A cut of an hour in which an edge was inserted: the rows beside it represent only the time that was logged."""
    inserted = flag_bit("step_edge")
    flags = np.array([0, 0, inserted, flag_bit("time_gap"), 0])
    time = np.array([0.0, 10.0, 14.0, 3614.0, 3624.0])
    ones = np.ones(5, np.int32)
    record = Record(time, np.zeros(5), np.full(5, 3.7), flags, ones, ones)
    np.testing.assert_allclose(sample_duration_second(record), [5.0, 7.0, 0.0, 7.0, 5.0])


def test_a_step_begins_at_its_inserted_edge_not_at_the_row_before() -> None:
    record = make_record(thinned())
    age = record.time_second - record.time_second[step_starts(record, 5.0)]
    first_rows = np.searchsorted(record.time_second, [720.0, 1260.0])
    np.testing.assert_allclose(age[first_rows], [20.0, 70.0], atol=2e-3)
    names = [list(c.WINDOWS)[code] for code in find_windows(record, 5.0).code[first_rows]]
    assert names == ["kinetic", "diffusion"]


def test_errors_do_not_depend_on_inserted_samples() -> None:
    """With a simulation that is 10 mV too high at the rows and anything at the edges, the error is 10 mV."""
    record = make_record(thinned())
    simulated = np.where(record.inserted, -WRONG_VOLT, record.voltage_volt + 0.01)
    whole, cycle = compare(sum_errors(record, simulated, find_windows(record, 5.0)), {})
    for part in (whole, cycle):
        assert part.rmse_mv == pytest.approx(10.0)
        assert part.rmse_time_weighted_mv == pytest.approx(10.0)
        assert part.worst_mv == pytest.approx(10.0)
        assert part.samples == len(without_inserted(thinned()))


def test_a_fit_has_no_residual_at_an_inserted_sample() -> None:
    settings = replace(FIT, objective=replace(FIT.objective, equal_time=True))
    objective = make_objective(thinned(), settings, None)
    rows = len(without_inserted(thinned()))
    assert objective.used.sum() == rows
    assert len(objective.weights) == rows
    residuals = objective.residuals(objective.inputs.default_values(), slopes=False)
    assert len(residuals.error_mv) == rows
    assert residuals.rmse_mv < 1.0
    assert objective.noise_mv() < 10.0


def test_weights_of_rows_by_time_are_those_without_inserted_samples() -> None:
    record = make_record(thinned())
    plain = make_record(without_inserted(thinned()))
    objective = replace(FIT.objective, equal_time=True)
    weights = [sample_weights(one, np.isfinite(one.voltage_volt), objective, 5.0) for one in (record, plain)]
    np.testing.assert_allclose(weights[0], weights[1])
