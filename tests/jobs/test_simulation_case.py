"""A simulation is resolved once: simulations and fits use the same capacity and thresholds."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import FailedSimulationError, JobError, NothingToSimulateError
from kilocell.data.fit_settings import CELL_CAPACITY, INITIAL_SOC, FitObjective, FitParameter, FitSettings
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.fitting.objective import Objective, make_objective
from kilocell.jobs.models.simulation_case import resolve_simulation, resolve_without_fitted_soc
from kilocell.jobs.simulation.replay import Replayed, ReplayEndedError
from kilocell.jobs.simulation.solver_windows import TimeLimit
from records import partition

SPM = ModelSettings("SPM", "SPM")
FITTED_AH = 3.0
FITTED = ParameterSetSettings(
    "Chen2020+fit", "Chen2020", (Override(CELL_CAPACITY, "value", FITTED_AH), Override(INITIAL_SOC, "value", 0.6))
)


def test_a_fitted_set_gives_the_cells_capacity_and_state() -> None:
    settings = SimulateSettings(CellSettings("CELL", 5.0), SPM, FITTED)
    case = resolve_simulation(settings, 21.0)
    assert (case.capacity_ah, case.cell.nominal_capacity_ah) == (FITTED_AH, FITTED_AH)
    assert case.cell.initial_state == InitialState("soc", 0.6)
    assert case.parameter_set.overrides == ()
    assert case.electrodes_in_parallel == pytest.approx(FITTED_AH / 5.0)
    assert case.cutoffs_volt == (2.5, 4.2)
    assert (case.settings, case.model, case.set_key) == (settings, SPM, "Chen2020")
    assert case.measured_celsius == 21.0
    later = resolve_without_fitted_soc(case)
    assert later.cell.initial_state == CellSettings("CELL").initial_state
    assert (later.capacity_ah, later.measured_celsius) == (FITTED_AH, 21.0)


def test_without_a_fitted_or_given_capacity_it_is_the_sets_own() -> None:
    settings = SimulateSettings(CellSettings("CELL"), SPM, ParameterSetSettings("Chen2020", "Chen2020"))
    case = resolve_simulation(settings, None)
    assert (case.capacity_ah, case.electrodes_in_parallel) == (5.0, 1.0)
    assert case.capacity_source == "nominal capacity of Chen2020"
    assert (case.cell, case.parameter_set) == (settings.cell, settings.parameter_set)


def pulses_between_capacities() -> pd.DataFrame:
    """Pulses of 0.4 A: edges of the current in a cell of 3 A.h, but not in one of 5 A.h."""
    time = np.arange(0.0, 3600.0, 10.0)
    current = np.where((time >= 600.0) & (time % 600.0 < 60.0), -0.4, 0.0)
    kinds = pd.Categorical(["pulse"] * len(time), categories=c.STEP_TYPES)
    return partition(time, current, np.full(len(time), 3.7)).assign(**{c.STEP_TYPE: kinds})


def objective_of(cell: CellSettings, parameter_set: ParameterSetSettings, name: str) -> Objective:
    fitted = FitParameter(name, 1e-15, 1e-12, "log") if name.startswith("Negative") else FitParameter(name, 2.0, 6.0)
    weights = FitObjective(ohmic=5.0, kinetic=3.0, diffusion=2.0)
    settings = FitSettings("fit", cell, SPM, parameter_set, (fitted,), objective=weights)
    return make_objective(pulses_between_capacities(), settings, None)


def test_a_fit_scales_its_thresholds_by_the_fitted_capacity() -> None:
    """Windows, weights and the compressed current are those of a cell with this capacity given."""
    name = "Negative particle diffusivity [m2.s-1]"
    given = CellSettings("CELL", FITTED_AH, InitialState("soc", 0.6))
    expected = objective_of(given, ParameterSetSettings("Chen2020", "Chen2020"), name)
    larger = CellSettings("CELL", 5.0, InitialState("soc", 0.6))
    other = objective_of(larger, ParameterSetSettings("Chen2020", "Chen2020"), name)
    objective = objective_of(CellSettings("CELL", 5.0), FITTED, name)
    assert not np.array_equal(other.weights, expected.weights)
    np.testing.assert_array_equal(objective.weights, expected.weights)
    np.testing.assert_array_equal(objective.parts[0].profile.time_second, expected.parts[0].profile.time_second)
    values = objective.inputs.default_values()
    np.testing.assert_array_equal(objective.residuals(values).error_mv, expected.residuals(values).error_mv)


def test_a_refitted_capacity_begins_at_the_fitted_one() -> None:
    objective = objective_of(CellSettings("CELL", 5.0), FITTED, CELL_CAPACITY)
    assert objective.inputs.default_values() == pytest.approx([FITTED_AH])


def test_errors_keep_their_curves_between_processes() -> None:
    """Whatever a job raises is pickled where it comes back from another process."""
    time = np.arange(3.0)
    curve = Replayed(time, time + 3.0, time, time, np.zeros(3))
    ended = pickle.loads(pickle.dumps(ReplayEndedError("it left", "left_range", curve, ("as asked: it left",))))
    assert (str(ended), ended.code, ended.attempts) == ("it left", "left_range", ("as asked: it left",))
    np.testing.assert_array_equal(ended.replayed.voltage_volt, curve.voltage_volt)
    frame = pd.DataFrame({"simulated_voltage_volt": [3.7, 3.6]})
    failed = pickle.loads(pickle.dumps(FailedSimulationError("it failed", "diverged", {"samples": 2}, frame)))
    assert (str(failed), failed.code, failed.result) == ("it failed", "diverged", {"samples": 2})
    pd.testing.assert_frame_equal(failed.frame, frame)
    for kind in (JobError, NothingToSimulateError):
        back = pickle.loads(pickle.dumps(kind("no current", "rest_only")))
        assert (type(back), str(back), back.code) == (kind, "no current", "rest_only")


def test_a_pause_that_fails_does_not_count() -> None:
    limit = TimeLimit(10.0)
    end = limit._end
    with pytest.raises(JobError), limit.pause():
        raise JobError("no model")
    assert limit._end > end
