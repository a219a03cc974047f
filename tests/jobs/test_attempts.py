"""The ladder of attempts: its rungs solve, and a fit keeps to the one that solves."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.current_profile.compress import compress_record
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.models.build import refine_mesh
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.attempts import (
    ATTEMPTS,
    Attempt,
    ReplayProblem,
    relative_charge_error,
    solve_attempt,
    try_attempts,
)
from kilocell.jobs.simulation.conditions import find_conditions
from records import partition, pulses

CELL = CellSettings("CELL", initial_state=InitialState("soc", 0.6))
CHEN = ParameterSetSettings("Chen2020", "Chen2020")


@lru_cache(maxsize=1)
def noisy_drive() -> pd.DataFrame:
    """Half an hour at 1 s whose current turns at nearly every sample by an ampere and more."""
    time = np.arange(0.0, 1800.0, 1.0)
    current = -0.5 + 3.0 * np.sin(time / 30.0) + np.random.default_rng(2).normal(0.0, 1.0, len(time))
    return partition(time, current, np.full(len(time), 3.7))


def test_a_fit_keeps_to_the_way_in_which_the_sets_own_values_solve() -> None:
    """Here the model's charge is not the measured one at first, but with a stop at every knot it is."""
    fitted = FitParameter("Negative particle diffusivity [m2.s-1]", 1e-14, 1e-13, "log")
    settings = FitSettings("fit", CELL, ModelSettings("SPM", "SPM"), CHEN, (fitted,))
    objective = make_objective(noisy_drive(), settings, None)
    own = objective.inputs.default_values()
    _, tried = try_attempts(objective.parts[0].make_problem(own))
    assert tried[-1] == f"{objective.parts[0].attempt.words}: done"
    assert np.isfinite(objective.residuals(own).error_mv).all()
    assert objective.rmse_mv(own) > 0.0


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.words)
def test_every_rung_solves_what_the_first_one_solves(attempt: Attempt) -> None:
    record, asked = make_record(pulses()), SimulateSettings(CELL, ModelSettings("SPM", "SPM"), CHEN)
    cell = replace(CELL, initial_state=InitialState("soc", 0.8))
    asked = replace(asked, cell=cell)
    case = resolve_simulation(asked, None)
    problem = ReplayProblem(record, case, find_conditions(record, case), compress_record(record, 5.0))
    replayed = solve_attempt(attempt, problem)
    assert relative_charge_error(record, replayed.charge_ah, 5.0).max() < 1e-3 * max(1.0, attempt.tighter)
    error = 1e3 * (replayed.voltage_volt - record.voltage_volt)
    assert np.sqrt(np.mean(error**2)) < 2.0


def test_a_finer_mesh_doubles_the_points_in_the_particles_alone() -> None:
    doubled = dict(refine_mesh(ModelSettings("SPM", "SPM")).mesh)
    assert (doubled["r_n"], doubled["r_p"], doubled.get("x_n")) == (40, 40, None)
    given = dict(refine_mesh(ModelSettings("DFN", "DFN", (), (("r_n", 30), ("x_s", 10)))).mesh)
    assert (given["r_n"], given["r_p"], given["x_s"]) == (60, 40, 10)
