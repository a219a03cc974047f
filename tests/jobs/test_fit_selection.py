"""Fits of selected steps: from the edge on, compared in the selection alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings
from kilocell.data.step_selection import StepSelection, parse_select
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.stretches import choose_fit_stretches
from kilocell.jobs.record.record import make_record
from stepped_record import one_cycle, three_cycles

DIFFUSIVITY = FitParameter("Negative particle diffusivity [m2.s-1]", 0.1, 10.0, "log", relative=True)
SOC = FitParameter(INITIAL_SOC, 0.5, 1.0)
AGES = ModelSettings("SPM-sei", "SPM", (("SEI", "ec reaction limited"),))
FIT = FitSettings(
    "fit",
    CellSettings("CELL"),
    ModelSettings("SPM", "SPM"),
    ParameterSetSettings("Chen2020", "Chen2020"),
    (DIFFUSIVITY,),
)


def selected(text: str, **more: object) -> FitSettings:
    selection = parse_select(text)
    assert isinstance(selection, StepSelection)
    return replace(FIT, select=selection, **more)  # type: ignore[arg-type]


def test_the_errors_are_those_of_the_selected_samples() -> None:
    samples = one_cycle()
    objective = make_objective(samples, selected("discharge 2"), None)
    chosen = samples[samples[c.STEP_COUNT] == 6]
    used = objective.record.time_second[objective.used]
    np.testing.assert_array_equal(used, chosen[c.TEST_TIME])
    assert objective.rmse_mv(objective.inputs.default_values()) < 0.5
    assert [part.name for part in objective.parts] == ["cycle 1, step 6 (discharge)"]


def test_each_stretch_has_its_own_state() -> None:
    objective = make_objective(three_cycles(), selected("cycle 1-3, discharge, first 1200 s"), None)
    assert len(objective.parts) == 3
    assert objective.rmse_mv(objective.inputs.default_values()) < 0.5
    soc = [part.inputs.base.state.soc for part in objective.parts]
    assert soc == sorted(soc, reverse=True)


def test_a_carried_state_counts_the_steps_between() -> None:
    cell = CellSettings("CELL", initial_state=InitialState("previous_cycle"))
    objective = make_objective(three_cycles(), selected("discharge", cell=cell), None)
    assert len(objective.parts) == 3
    assert objective.rmse_mv(objective.inputs.default_values()) < 1.0


def test_a_given_state_is_that_of_the_first_fitted_stretch() -> None:
    """Also for what is held out, which began at the given state, too: 100 mV off."""
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.9))
    settings = selected("discharge 1; charge 2", cell=cell, validation_select=parse("charge 3"))
    objective = make_objective(three_cycles(), settings, None)
    assert objective.rmse_mv(objective.inputs.default_values()) < 0.5
    held_out = make_objective(three_cycles(), settings, None, select=settings.validation_select)
    assert held_out.rmse_mv(held_out.inputs.default_values()) < 0.5


def test_a_fitted_state_is_that_of_one_stretch() -> None:
    settings = selected("cycle 2, discharge", parameters=(DIFFUSIVITY, SOC))
    objective = make_objective(three_cycles(), settings, None)
    assert objective.rmse_mv(objective.inputs.default_values()) < 0.5
    assert settings.is_for_own_cycles
    with pytest.raises(JobError, match="each start from a different rest") as caught:
        make_objective(three_cycles(), selected("discharge", parameters=(DIFFUSIVITY, SOC)), None)
    assert caught.value.code == "many_states"


def test_a_model_that_ages_is_solved_from_the_records_start() -> None:
    record = make_record(three_cycles())
    settings = selected("cycle 2, discharge", model=AGES)
    (stretch,) = choose_fit_stretches(record, settings, (), 5.0, settings.select)
    assert (stretch.stretch.first, stretch.stretch.end) == (0, stretch.stretch.spans[-1].end)
    (by_cycle,) = choose_fit_stretches(record, replace(FIT, model=AGES, cycles=(2,)), (2,), 5.0)
    assert by_cycle.stretch.first == 0
    assert by_cycle.has_fitted_soc


def parse(text: str) -> StepSelection:
    selection = parse_select(text)
    assert isinstance(selection, StepSelection)
    return selection


def test_what_is_held_out_is_not_fitted() -> None:
    settings = selected("discharge 1-2", validation_select=parse("step 6-8"))
    with pytest.raises(JobError, match="step 6 is in select") as caught:
        make_objective(three_cycles(), settings, None)
    assert caught.value.code == "held_out_and_fitted"


def test_a_record_without_the_selection_says_what_it_has() -> None:
    with pytest.raises(JobError, match="nothing matches 'step 40': the record has cycles 1-3; steps 1-13") as caught:
        make_objective(three_cycles(), selected("step 40"), None)
    assert caught.value.code == "nothing_selected"


def test_a_fit_of_one_discharge_finds_the_diffusivity() -> None:
    """The fit of one discharge of a file with one cycle, tested on another."""
    settings = selected("discharge 2", validation_select=parse("discharge 3"), max_evaluations=12, starts=1)
    slow = replace(DIFFUSIVITY, first=3.0)
    settings = replace(settings, parameters=(slow,))
    start = run_start(one_cycle(), settings, 0, None)
    result = combine_starts(one_cycle(), settings, (start,), None)
    (fitted,) = result.parameters
    # The cell still relaxes by 0.1 mV at the end of the rest before, which the state does not know.
    assert fitted.value / fitted.default == pytest.approx(1.0, rel=0.06)
    assert result.rmse_mv < 0.3
    assert (result.validation_rmse_mv or 9.0) < 0.5
