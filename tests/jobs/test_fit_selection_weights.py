"""Weights of selections in one fit, and what a fit does on what it did not see, by step type and window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.codec import digest, from_json, to_json
from kilocell.data.cycle_selection import CycleSelection
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitObjective, FitParameter, FitSettings, SelectionWeight
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings
from kilocell.data.step_selection import SelectedPart, StepSelection, parse_select
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import Objective, make_objective
from stepped_record import one_cycle, three_cycles

DIFFUSIVITY = FitParameter("Negative particle diffusivity [m2.s-1]", 0.1, 10.0, "log", relative=True)
CHEN = ParameterSetSettings("Chen2020", "Chen2020")
FIT = FitSettings("fit", CellSettings("CELL"), ModelSettings("SPM", "SPM"), CHEN, (DIFFUSIVITY,))


def parse(text: str) -> StepSelection:
    selection = parse_select(text)
    if isinstance(selection, CycleSelection):
        return StepSelection((SelectedPart(selection),))
    return selection


def weighted(*weights: tuple[str, float], select: str | None = None, **objective: object) -> FitSettings:
    parts = tuple(SelectionWeight(parse(text), weight) for text, weight in weights)
    settings = replace(FIT, objective=FitObjective(weights=parts, **objective))  # type: ignore[arg-type]
    return settings if select is None else replace(settings, select=parse(select))


def mean_weight(objective: Objective, step: int) -> float:
    return float(objective.weights[objective.record.step_count[objective.used] == step].mean())


@pytest.mark.parametrize("select", [None, "discharge", "cycle 1-3"])
def test_a_selection_weighs_as_often(select: str | None) -> None:
    """The numbers count in the whole record, also where only a part of it is solved."""
    objective = make_objective(three_cycles(), weighted(("cycle 2, discharge", 4.0), select=select), None)
    assert mean_weight(objective, 6) / mean_weight(objective, 2) == pytest.approx(4.0)
    assert mean_weight(objective, 10) == pytest.approx(mean_weight(objective, 2))
    assert objective.weights.mean() == pytest.approx(1.0)


def test_weights_of_overlapping_selections_multiply_and_so_does_the_window() -> None:
    settings = weighted(("discharge", 2.0), ("cycle 3", 5.0), capacity=0.5)
    objective = make_objective(three_cycles(), settings, None)
    assert mean_weight(objective, 10) / mean_weight(objective, 2) == pytest.approx(5.0, rel=0.01)
    assert mean_weight(objective, 10) / mean_weight(objective, 12) == pytest.approx(2.0, rel=0.1)
    steps = objective.record.step_count[objective.used]
    discharge = objective.weights[steps == 10]
    assert discharge[0] / discharge[-1] == pytest.approx(2.0)  # the window after 120 s counts half


def test_a_part_of_weight_0_is_as_if_it_were_not_fitted() -> None:
    """A wrong discharge changes no fitted value if it does not count."""
    samples = one_cycle().copy()
    wrong = samples[c.STEP_COUNT] == 6
    samples.loc[wrong, c.VOLTAGE] += 0.05
    slow = replace(DIFFUSIVITY, first=3.0)
    values = []
    for settings in (weighted(("discharge 2", 0.0), select="discharge 1-2"), weighted(select="discharge 1")):
        settings = replace(settings, parameters=(slow,), starts=1, max_evaluations=12)
        values.append(run_start(samples, settings, 0, None).values[0])
    assert values[0] == pytest.approx(values[1], rel=0.01)


def test_step_types_mask_a_selection() -> None:
    objective = make_objective(three_cycles(), weighted(select="cycle 2", step_types=("discharge",)), None)
    assert set(objective.record.step_count[objective.used]) == {6}


@pytest.mark.parametrize(
    ("weights", "select", "reason", "code"),
    [
        ((("cycle 3", 2.0),), "cycle 1, discharge", "'cycle 3' has no effect", "no_weight"),
        ((("cycle 1-3", 0.0),), None, "leave no sample", "no_weight"),
        ((("step 77", 2.0),), None, "steps 1-13", "nothing_selected"),
    ],
)
def test_weights_that_do_nothing_are_refused(
    weights: tuple[tuple[str, float], ...], select: str | None, reason: str, code: str
) -> None:
    with pytest.raises(JobError, match=reason) as caught:
        make_objective(three_cycles(), weighted(*weights, select=select), None)
    assert caught.value.code == code


def test_errors_by_step_type_and_window_of_what_was_held_out() -> None:
    """The RMSE of the parts adds up to that of the whole, before and after the fit."""
    slow = replace(DIFFUSIVITY, first=3.0)
    settings = replace(
        weighted(("step 2", 3.0), select="discharge 1"),
        parameters=(slow,),
        validation_select=parse("discharge 2; step 7-8"),
        starts=1,
        max_evaluations=12,
    )
    start = run_start(one_cycle(), settings, 0, None)
    result = combine_starts(one_cycle(), settings, (start,), None)
    by_part = {(one.part, one.step_type, one.window): one for one in result.errors}
    assert {part for part, *_ in by_part} == {"fitted", "held_out"}
    assert {kind for part, kind, _ in by_part if part == "fitted"} == {"all", "discharge"}
    assert {kind for part, kind, _ in by_part if part == "held_out"} == {"all", "discharge", "rest", "charge"}
    whole = by_part["held_out", "all", "all"]
    assert whole.rmse_mv == pytest.approx(result.validation_rmse_mv, abs=1e-3)
    assert whole.rmse_default_mv == pytest.approx(result.validation_default_rmse_mv, abs=1e-3)
    kinds = [by_part["held_out", kind, "all"] for kind in ("discharge", "rest", "charge")]
    assert sum(one.samples for one in kinds) == whole.samples
    squares = sum(one.samples * one.rmse_mv**2 for one in kinds)
    assert np.sqrt(squares / whole.samples) == pytest.approx(whole.rmse_mv, abs=1e-3)


def test_a_fit_without_weights_keeps_its_digest() -> None:
    assert "weights" not in to_json(FIT)
    settings = weighted(("cycle 2, discharge", 4.0))
    assert digest(settings) != digest(FIT)
    assert from_json(FitSettings, to_json(settings)) == settings
