"""The state of charge at the start is fitted, too, where the record leaves it uncertain."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT
from kilocell.data import columns as c
from kilocell.data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from kilocell.data.settings import InitialState
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.uncertain_state import describe_unfitted_state
from records import pulses

DIFFUSIVITY = FitParameter("Positive particle diffusivity [m2.s-1]", 4e-16, 4e-14, "log")
AUTO = replace(
    FIT,
    cell=replace(FIT.cell, initial_state=InitialState("rest_voltage")),
    parameters=(DIFFUSIVITY,),
    fit_initial_soc="auto",
)


@pytest.fixture(scope="module")
def loaded() -> pd.DataFrame:
    """A part of a discharge, from 100 s after its start on: no rest says what the state is."""
    frame = pulses().iloc[70:108].reset_index(drop=True)
    noise = 1e-3 * np.random.default_rng(2).standard_normal(len(frame))
    time = frame[c.TEST_TIME] - frame[c.TEST_TIME].iloc[0]
    return frame.assign(**{c.TEST_TIME: time, c.VOLTAGE: frame[c.VOLTAGE] + noise})


def names(settings: FitSettings) -> list[str]:
    return [parameter.name for parameter in settings.parameters]


def test_it_is_added_where_it_is_uncertain(loaded: pd.DataFrame) -> None:
    objective = make_objective(loaded, AUTO, None)
    assert names(objective.settings) == [DIFFUSIVITY.name, INITIAL_SOC]
    added = objective.settings.parameters[-1]
    state = objective.inputs.base.state
    assert 0.0 <= added.lower < state.soc < added.upper <= 1.0
    assert names(make_objective(loaded, replace(AUTO, fit_initial_soc="never"), None).settings) == [DIFFUSIVITY.name]


@pytest.mark.slow
def test_the_result_has_it_as_a_parameter_and_the_fit_is_better(loaded: pd.DataFrame) -> None:
    starts = tuple(run_start(loaded, AUTO, start, None) for start in range(2))
    fit = combine_starts(loaded, AUTO, starts, None)
    assert names(fit.settings) == names(starts[0].settings) == [DIFFUSIVITY.name, INITIAL_SOC]
    assert fit.settings.fit_initial_soc == "added"
    assert len(starts[0].values) == 2
    assert fit.state_uncertainty_mv is None
    never = replace(AUTO, fit_initial_soc="never")
    assert fit.rmse_mv < 0.9 * run_start(loaded, never, 0, None).rmse_mv
    # A profile takes the settings of the result, which do not change again.
    assert make_objective(loaded, fit.settings, None).settings == fit.settings


def test_it_is_not_added_where_it_is_known_or_given(loaded: pd.DataFrame) -> None:
    given = replace(AUTO, cell=replace(FIT.cell, initial_state=InitialState("soc", 0.78)))
    assert names(make_objective(loaded, given, None).settings) == [DIFFUSIVITY.name]
    own = FitParameter(INITIAL_SOC, 0.6, 0.9)
    named = replace(AUTO, parameters=(DIFFUSIVITY, own))
    assert make_objective(loaded, named, None).settings.parameters[-1] == own


def test_it_is_added_always_if_asked(loaded: pd.DataFrame) -> None:
    """The record from its rest on: the voltage is that of PyBaMM, without noise."""
    always = make_objective(pulses(), replace(AUTO, fit_initial_soc="always"), None).settings
    assert names(always) == [DIFFUSIVITY.name, INITIAL_SOC]


def test_a_state_that_is_added_to_a_later_part_is_not_that_of_the_record() -> None:
    added = replace(AUTO, fit_initial_soc="added", parameters=(DIFFUSIVITY, FitParameter(INITIAL_SOC, 0.6, 0.9)))
    assert added.is_state_of_record
    assert not replace(added, cycles=(3,)).is_state_of_record
    assert replace(added, cycles=(3,), chain="life").is_state_of_record
    assert replace(added, cycles=(3,), fit_initial_soc="auto").is_state_of_record


def test_the_verdict_says_why_a_state_that_was_asked_for_is_not_fitted() -> None:
    always = replace(AUTO, fit_initial_soc="always")
    solved: Any = [SimpleNamespace(lead=4)]
    assert "solved from a rest before the fitted part" in describe_unfitted_state(always, solved)
    parts: Any = [SimpleNamespace(lead=0)]
    assert "states of their own" in describe_unfitted_state(always, parts)
    assert describe_unfitted_state(AUTO, solved) == ""
    given = replace(always, cell=replace(FIT.cell, initial_state=InitialState("soc", 0.78)))
    assert describe_unfitted_state(given, solved) == ""
    added = replace(always, fit_initial_soc="added", parameters=(DIFFUSIVITY, FitParameter(INITIAL_SOC, 0.6, 0.9)))
    assert describe_unfitted_state(added, solved) == ""
