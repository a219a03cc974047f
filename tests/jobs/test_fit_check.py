"""A simulation with a fitted set is compared with its fit, over the samples that were fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT
from kilocell.data import columns as c
from kilocell.data.fit_settings import FitObjective, FitParameter
from kilocell.data.results.fitting import FitResult
from kilocell.data.settings import InitialState, SimulateSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.simulation.simulate import simulate
from kilocell.runner.worker.fit_check import check_against_fit
from records import pulses


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    """Two cycles; the voltage of the second one is 60 mV too low."""
    frame = pulses()
    second = (frame[c.TEST_TIME] >= 2000.0).to_numpy()
    kinds = np.where(frame[c.CURRENT] < 0.0, "discharge", "rest")
    steps = 1 + np.cumsum(np.concatenate([[False], kinds[1:] != kinds[:-1]])).astype(np.int32)
    volt = frame[c.VOLTAGE] - np.where(second, 0.06, 0.0)
    cycles = np.where(second, 2, 1).astype(np.int32)
    changed: dict[str, Any] = {c.CYCLE_COUNT: cycles, c.VOLTAGE: volt, c.STEP_TYPE: kinds, c.STEP_COUNT: steps}
    return frame.assign(**changed)


@pytest.fixture(scope="module")
def fit(record: pd.DataFrame) -> FitResult:
    parameter = FitParameter(FIT.parameters[1].name, 1e-15, 1e-14, "log")
    settings = replace(FIT, parameters=(parameter,), cycles=(1,), objective=FitObjective(step_types=("discharge",)))
    return combine_starts(record, settings, (run_start(record, settings, 0, None),), None)


def test_the_error_over_the_fitted_samples_is_that_of_the_fit(record: pd.DataFrame, fit: FitResult) -> None:
    settings = SimulateSettings(FIT.cell, FIT.model, fit.parameter_set)
    simulated = simulate(record, settings, None)
    assert simulated.result.rmse_mv is not None
    assert simulated.result.rmse_mv > 50.0
    checked = check_against_fit(simulated.result, simulated.frame, record, fit)
    assert checked.fitted_rmse_mv == pytest.approx(fit.rmse_mv, abs=0.1)
    assert checked.fit_difference == ""


def test_another_starting_state_is_said(record: pd.DataFrame, fit: FitResult) -> None:
    cell = replace(FIT.cell, initial_state=InitialState("soc", 0.6), nominal_capacity_ah=4.5)
    simulated = simulate(record, SimulateSettings(cell, FIT.model, fit.parameter_set), None)
    found = check_against_fit(simulated.result, simulated.frame, record, fit)
    assert found.fitted_rmse_mv is not None
    assert found.fitted_rmse_mv > 10.0
    assert f"the simulation with the fitted set has {found.fitted_rmse_mv:.1f} mV, the fit" in found.fit_difference
    assert "it runs through the whole record, where the fit is solved over cycles 1 alone" in found.fit_difference
    assert "its capacity is 4.5 A.h, that of the fit 5" in found.fit_difference
