"""Simulations: charge-true, equal to PyBaMM's documented way, and failing with a name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pybamm
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import FailedSimulationError, JobError, NothingToSimulateError
from kilocell.data.rules import flag_bit
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.current_profile.compress import compress_record
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.charge import interval_charge_ah
from kilocell.jobs.record.record import Record, make_record
from kilocell.jobs.simulation.attempts import ATTEMPTS, ReplayProblem, check_charge, relative_charge_error
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import Replayed, ReplayEndedError
from kilocell.jobs.simulation.simulate import simulate
from records import documented_replay, partition, pulses


def asked(model: str = "SPM", base: str = "Chen2020", **cell: object) -> SimulateSettings:
    settings = CellSettings("CELL", initial_state=InitialState("soc", 0.8))
    return SimulateSettings(
        replace(settings, **cell),  # type: ignore[arg-type]
        ModelSettings(model, model),
        ParameterSetSettings(base, base),
    )


@pytest.mark.parametrize("model", ["SPM", "SPMe", pytest.param("DFN", marks=pytest.mark.slow)])
def test_pulses_are_seen_and_agree_with_the_documented_way(model: str) -> None:
    simulated = simulate(pulses(model), asked(model), None)
    assert simulated.result.charge_error < 5e-4
    assert simulated.result.rmse_mv < 0.5
    assert list(simulated.frame.columns) == list(c.SIMULATION_COLUMNS)


def test_the_obvious_call_would_have_lost_pulses() -> None:
    """Why replay stops at every knot: with [0, T] alone, PyBaMM's charge is not the measured one."""
    record = pulses()
    time, current = record[c.TEST_TIME].to_numpy(float), record[c.CURRENT].to_numpy(float)
    values = pybamm.ParameterValues("Chen2020")
    values["Current function [A]"] = pybamm.Interpolant(time, -current, pybamm.t)
    simulation = pybamm.Simulation(pybamm.lithium_ion.SPM(), parameter_values=values, solver=pybamm.IDAKLUSolver())
    solution = simulation.solve([0, time[-1]], t_interp=time)
    seen = solution["Discharge capacity [A.h]"].entries[-1]
    measured = -np.trapezoid(current, time) / 3600.0
    assert abs(seen - measured) / measured > 0.01


def test_capacity_scales_electrodes_in_parallel_and_keeps_the_voltage() -> None:
    double = pulses().assign(**{c.CURRENT: 2.0 * pulses()[c.CURRENT]})
    simulated = simulate(double, asked(nominal_capacity_ah=10.0), None).result
    assert simulated.electrodes_in_parallel == 2.0
    assert simulated.rmse_mv < 0.5
    assert simulated.charge_measured_ah == pytest.approx(
        2 * np.trapezoid(pulses()[c.CURRENT], pulses()[c.TEST_TIME]) / 3600
    )


def test_rest_voltage_gives_the_state_it_came_from() -> None:
    simulated = simulate(pulses(), asked(initial_state=InitialState()), None).result
    assert simulated.initial_soc == pytest.approx(0.8, abs=1e-4)
    assert "rest voltage" in simulated.initial_state_source
    assert simulated.rmse_mv < 0.6


def test_a_rest_after_the_start_is_counted_back() -> None:
    """A record cut in the middle of its discharge starts from the later rest, less the charge before it."""
    whole = pulses()
    cut = whole[whole[c.TEST_TIME] >= 800.0].copy()
    cut = cut[(cut[c.TEST_TIME] < 1000.0) | (cut[c.TEST_TIME] > 2800.0)]
    cut[c.FLAGS] = np.where(cut[c.TEST_TIME] == 2810.0, flag_bit("time_gap"), 0)
    cut[c.TEST_TIME] -= cut[c.TEST_TIME].iloc[0]
    result = simulate(cut.reset_index(drop=True), asked(initial_state=InitialState()), None).result
    assert "A.h counted to the start" in result.initial_state_source
    before = 0.8 - 5.0 * 205.0 / 3600.0 / 5.0
    assert result.initial_soc == pytest.approx(before, abs=0.03)


def test_overrides_change_the_model_as_pybamm_would() -> None:
    name = "Negative particle diffusivity [m2.s-1]"
    settings = asked()
    scaled = replace(settings, parameter_set=ParameterSetSettings("s", "Chen2020", (Override(name, "scale", 0.2),)))
    valued = replace(settings, parameter_set=ParameterSetSettings("v", "Chen2020", (Override(name, "value", 6.6e-15),)))
    first, second = simulate(pulses(), scaled, None), simulate(pulses(), valued, None)
    np.testing.assert_allclose(first.frame["simulated_voltage_volt"], second.frame["simulated_voltage_volt"], atol=1e-6)
    assert first.result.rmse_mv > 1.0


def test_a_function_is_scaled_by_a_factor() -> None:
    name = "Electrolyte conductivity [S.m-1]"
    base = simulate(pulses("SPMe"), asked("SPMe"), None).frame["simulated_voltage_volt"]
    worse = replace(asked("SPMe"), parameter_set=ParameterSetSettings("k", "Chen2020", (Override(name, "scale", 0.3),)))
    lower = simulate(pulses("SPMe"), worse, None).frame["simulated_voltage_volt"]
    assert (base - lower).max() > 0.005


def test_unknown_parameter_names_the_nearest() -> None:
    wrong = ParameterSetSettings("w", "Chen2020", (Override("Negative particle difusivity [m2.s-1]", "value", 1.0),))
    with pytest.raises(JobError, match=r"did you mean .Negative particle diffusivity"):
        simulate(pulses(), replace(asked(), parameter_set=wrong), None)


def test_a_cell_that_leaves_the_range_is_no_result() -> None:
    """Twice the set's capacity is taken out: the solver says nothing, kilocell does."""
    time = np.arange(0.0, 7201.0, 10.0)
    record = partition(time, np.where(time > 60.0, -5.0, 0.0), np.full(len(time), 3.7))
    with pytest.raises(JobError, match="stoichiometry left the range 0 to 1") as caught:
        simulate(record, asked(), None)
    assert caught.value.code == "left_range"


def kept_of(record: pd.DataFrame, settings: SimulateSettings) -> FailedSimulationError:
    """The failure of a simulation, its curve checked for what every kept curve must be."""
    with pytest.raises(FailedSimulationError) as caught:
        simulate(record, settings, None)
    error, result, frame = caught.value, caught.value.result, caught.value.frame
    assert list(frame.columns) == list(c.SIMULATION_COLUMNS)
    assert len(frame) == result.samples < len(record)
    assert frame[c.TEST_TIME].iloc[-1] == result.ended_second
    assert f"its curve up to {result.ended_second:.0f} s is kept" in str(error)
    assert np.isfinite(frame["simulated_voltage_volt"]).all()
    assert frame["simulated_voltage_volt"].between(0.0, 5.0).all()
    known = 1e3 * frame["voltage_error_volt"].to_numpy()
    assert result.partial_rmse_mv == pytest.approx(np.sqrt(np.mean(known**2)))
    return error


@pytest.mark.parametrize("model", ["SPM", "SPMe", "DFN"])
def test_a_cell_that_runs_empty_keeps_its_curve_and_state(model: str) -> None:
    """The campaign says 3 A.h of a cell that gives 5: the model's electrode is empty long before the record's end."""
    time = np.arange(0.0, 3661.0, 10.0)
    current = np.where(time > 60.0, -5.0, 0.0)
    settings = asked(model, nominal_capacity_ah=3.0, initial_state=InitialState("soc", 1.0))
    error = kept_of(partition(time, current, np.full(len(time), 3.7)), settings)
    assert error.code == "left_range"
    assert "check nominal_capacity_ah" in str(error)
    assert "outside the set's cut-offs of 2.5 and 4.2 V from" in str(error)
    result = error.result
    assert (result.initial_soc, result.electrodes_in_parallel, result.capacity_ah) == (1.0, 0.6, 3.0)
    assert result.attempts[0].startswith("as asked: ")
    assert len(result.attempts) == 1  # no other way to solve fills an empty cell
    assert 2000.0 < result.ended_second < 2700.0
    assert 20.0 < result.beyond_cutoff_second < 400.0
    charge = np.trapezoid(current[: result.samples], time[: result.samples]) / 3600.0
    assert result.charge_model_ah == pytest.approx(charge, rel=1e-3)
    # Until it left the range it is the curve that a record cut there gives.
    cut = partition(time, current, np.full(len(time), 3.7)).iloc[: result.samples - 20]
    whole = simulate(cut, settings, None).frame["simulated_voltage_volt"]
    np.testing.assert_allclose(error.frame["simulated_voltage_volt"][: len(cut)], whole, atol=2e-3)


def test_a_solver_that_gives_up_keeps_what_it_had_and_all_that_was_tried() -> None:
    """60C out of a DFN: no way to solve gets past the edge, and the rest before it is kept."""
    time = np.arange(0.0, 601.0, 10.0)
    error = kept_of(partition(time, np.where(time > 60.0, -300.0, 0.0), np.full(len(time), 4.0)), asked("DFN"))
    assert error.code == "did_not_converge"
    assert error.result.ended_second == 60.0
    assert error.result.partial_rmse_mv < 50.0
    assert len(error.result.attempts) == len(ATTEMPTS)
    assert "IDA" in error.result.attempts[0]


def test_time_beyond_the_cut_offs_is_told() -> None:
    """The cut-offs end nothing: a cell that is taken below them slowly, but not out of range, says for how long."""
    time = np.arange(0.0, 4 * 3600.0, 60.0)
    record = partition(time, np.where(time > 60.0, -0.5, 0.0), np.full(len(time), 3.0))
    inside = simulate(record, asked(), None).result
    assert inside.beyond_cutoff_second == 0.0
    below = simulate(record, asked(initial_state=InitialState("soc", 0.375)), None)
    seconds = (below.frame["simulated_voltage_volt"] < 2.45).sum() * 60.0
    assert below.result.beyond_cutoff_second == pytest.approx(seconds, abs=60.0)
    assert seconds > 60.0


def test_a_rest_voltage_of_another_chemistry_is_refused() -> None:
    time = np.arange(0.0, 100.0, 10.0)
    record = partition(time, np.where(time < 90.0, 0.0, -0.5), np.full(len(time), 2.0))
    with pytest.raises(JobError, match=r"outside the set's window of 2.5 to 4.2 V"):
        simulate(record, asked(initial_state=InitialState()), None)


def test_an_empty_electrolyte_is_no_result() -> None:
    """3C at 0 °C: the SPMe's electrolyte concentration falls below zero long before the electrodes are empty."""
    time = np.arange(0.0, 900.0, 5.0)
    record = partition(time, np.where(time > 60.0, -15.0, 0.0), np.full(len(time), 3.7))
    with pytest.raises(JobError, match="electrolyte ran empty"):
        simulate(record, asked("SPMe", temperature_celsius=0.0), None)


def test_a_moment_without_current_is_no_rest() -> None:
    """A zero between charge and discharge must not be taken for an equilibrium; the long rest at the end is one."""
    time = np.arange(0.0, 3 * 3600.0, 10.0)
    current = np.where(time < 1800.0, 2.5, np.where(time < 3600.0, -2.5, 0.0))
    current[180] = 0.0
    voltage = documented_replay("SPM", "Chen2020", time, current, 0.2)
    result = simulate(partition(time, current, voltage), asked(initial_state=InitialState()), None).result
    assert result.initial_soc == pytest.approx(0.2, abs=0.005)
    assert result.rmse_mv < 5.0


def test_the_state_is_found_at_the_cells_temperature() -> None:
    settings = asked("SPM", "Ai2020", initial_state=InitialState("voltage", 4.0), temperature_celsius=0.0)
    time = np.arange(0.0, 600.0, 60.0)
    current = np.where(time < 540.0, 0.0, -0.1)
    simulated = simulate(partition(time, current, np.full(len(time), 4.0)), settings, None)
    np.testing.assert_allclose(simulated.frame["simulated_voltage_volt"][:-1], 4.0, atol=2e-4)


@pytest.mark.parametrize("name", ["Ambient temperature [K]", "Nominal cell capacity [A.h]", "Current function [A]"])
def test_what_the_cell_gives_cannot_be_overridden(name: str) -> None:
    wrong = ParameterSetSettings("w", "Chen2020", (Override(name, "scale", 1.0),))
    with pytest.raises(JobError, match="cannot be overridden"):
        simulate(pulses(), replace(asked(), parameter_set=wrong), None)


def replayed(record: Record, charge_ah: np.ndarray) -> Replayed:
    n = len(charge_ah)
    return Replayed(record.time_second, np.full(n, 3.7), record.current_ampere, charge_ah, np.zeros(n))


def test_a_long_record_cannot_hide_what_one_cycle_lost() -> None:
    """A hundred cycles of 2 x 5 A.h, of which one lost 0.5 A.h on the way out."""
    hours = np.arange(0.0, 200.0, 0.1)
    cycle = (hours // 2.0).astype(np.int32) + 1
    current = np.where(hours % 2.0 < 1.0, -5.0, 5.0)
    zeros = np.zeros(len(hours), np.int64)
    record = Record(3600.0 * hours, current, np.full(len(hours), 3.7), zeros, cycle, cycle)
    true = np.concatenate([[0.0], np.cumsum(interval_charge_ah(record.time_second, current, zeros))])
    assert relative_charge_error(record, replayed(record, true).charge_ah, 5.0).max() == 0.0
    lost = true + np.where(hours >= 100.5, 0.5, 0.0)
    assert relative_charge_error(record, replayed(record, lost).charge_ah, 5.0).max() > 0.01


def test_a_charge_that_does_not_agree_ends_the_curve_where_it_parts() -> None:
    """A model that loses a pulse at 300 s is right until then."""
    time = np.arange(0.0, 601.0, 10.0)
    current = np.where((time >= 300.0) & (time < 320.0), -5.0, 0.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    case = resolve_simulation(asked(), None)
    problem = ReplayProblem(record, case, find_conditions(record, case), compress_record(record, 5.0))
    with pytest.raises(ReplayEndedError, match="from 300 s") as caught:
        check_charge(problem, replayed(record, np.zeros(len(time))))
    assert caught.value.replayed is not None
    assert caught.value.replayed.time_second[-1] == 290.0


def test_a_record_at_rest_has_nothing_to_simulate() -> None:
    time = np.arange(0.0, 3600.0, 60.0)
    current = 1e-5 * np.random.default_rng(0).standard_normal(len(time))
    record = partition(time, current, np.full(len(time), 3.9))
    with pytest.raises(NothingToSimulateError, match=r"no current above .* in a cell of 5 A\.h"):
        simulate(record, asked(initial_state=InitialState()), None)


def test_temperature_comes_from_setting_measurement_or_set() -> None:
    results = [
        simulate(pulses(), asked(temperature_celsius=10.0), 20.0).result,
        simulate(pulses(), asked(), 20.0).result,
        simulate(pulses(), asked(), None).result,
    ]
    assert [round(r.temperature_celsius, 2) for r in results] == [10.0, 20.0, 25.0]


@pytest.mark.slow
def test_real_lgm50_at_half_c(shared_data: object) -> None:
    """0.5C at 25 °C, default Chen2020: charge-true, and the voltage is that of PyBaMM's documented way."""
    from pathlib import Path

    from kilocell.data.readers.read import guess_settings, read_raw
    from kilocell.data.settings import CleanSettings
    from kilocell.jobs.cleaning.clean import clean

    path = Path(str(shared_data)) / "lgm50_digatron" / "25degC" / "Cell785_0p5C_25degC.csv"
    raw = read_raw(path, guess_settings(path))
    samples: pd.DataFrame = clean(raw, "Cell785", CleanSettings(nominal_capacity_ah=5.0)).samples
    settings = asked("SPMe", nominal_capacity_ah=5.0, initial_state=InitialState(), temperature_celsius=25.0)
    simulated = simulate(samples, settings, None)
    assert simulated.result.charge_error < 5e-4
    time, current = samples[c.TEST_TIME].to_numpy(float), samples[c.CURRENT].to_numpy(float)
    documented = documented_replay("SPMe", "Chen2020", time, current, simulated.result.initial_soc)
    difference = simulated.frame["simulated_voltage_volt"].to_numpy() - documented
    assert 1e3 * np.sqrt(np.mean(difference**2)) < 0.1


@pytest.mark.parametrize(("scale", "words"), [(1e-3, "but its voltage changes"), (1e3, "times the capacity")])
def test_a_current_in_the_wrong_unit_is_named(scale: float, words: str) -> None:
    record = pulses().assign(**{c.VOLTAGE: np.linspace(4.1, 3.0, len(pulses()))})
    with pytest.raises(JobError, match=words) as caught:
        simulate(record.assign(**{c.CURRENT: scale * record[c.CURRENT]}), asked(), None)
    assert caught.value.code == "implausible_current"
