"""Fits of cycles far apart in a cell's life: each stretch has its own initial state and its own derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aged_cell import CHECK_UPS, FIT, TRUTH, aged_cell, values_of
from kilocell.data import columns as c
from kilocell.data.cycle_selection import parse_selection
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import (
    CELL_CAPACITY,
    INITIAL_SOC,
    LITHIUM_INVENTORY,
    FitObjective,
    FitParameter,
    FitSettings,
)
from kilocell.data.settings import InitialState, Override, ParameterSetSettings, SimulateSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.range_penalty import LARGE_ERROR_MV
from kilocell.jobs.fitting.starts import from_scaled, to_scaled
from kilocell.jobs.fitting.stretches import choose_fit_stretches
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.attempts import relative_charge_error, solve_attempt
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def by_policy(policy: str, *cycles: int) -> FitSettings:
    state = InitialState(policy, 0.9 if policy == "soc" else 0.0)  # type: ignore[arg-type]
    return replace(FIT, cell=replace(FIT.cell, initial_state=state), cycles=cycles)


def solved(settings: FitSettings, cycles: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The cycles of each stretch."""
    found = choose_fit_stretches(make_record(aged_cell()), settings, cycles or settings.cycles, 5.0)
    return [one.stretch.cycles for one in found]


@pytest.mark.parametrize("cycle", CHECK_UPS)
def test_a_check_up_late_in_life_is_fitted_from_its_own_rest(cycle: int) -> None:
    """The truth of this check-up leaves no error, whatever came before; that of another check-up does."""
    objective = make_objective(aged_cell(), replace(FIT, cycles=(cycle,)), None)
    assert objective.rmse_mv(np.array(values_of(cycle))) < 0.05
    other = next(one for one in reversed(CHECK_UPS) if one != cycle)
    assert objective.rmse_mv(np.array(values_of(other))) > 5.0


def test_the_errors_of_stretches_are_those_of_their_simulations() -> None:
    objective = make_objective(aged_cell(), replace(FIT, cycles=(1, 7)), None)
    overrides = tuple(Override(name, "value", value) for name, value in TRUTH[4].items())
    asked = SimulateSettings(FIT.cell, FIT.model, ParameterSetSettings("s", "Chen2020", overrides))
    result = simulate(aged_cell(), replace(asked, cycles=parse_selection("1, 7")), None).result
    assert objective.rmse_mv(np.array(values_of(4))) == pytest.approx(result.rmse_mv, abs=1e-3)
    assert int(objective.used.sum()) == int(aged_cell()[c.CYCLE_COUNT].isin([1, 7]).sum())


def test_every_stretch_is_charge_true() -> None:
    objective = make_objective(aged_cell(), replace(FIT, cycles=(1, 4, 7)), None)
    assert len(objective.parts) == 3
    for part in objective.parts:
        problem = part.make_problem(np.array(values_of(4)))
        charge = solve_attempt(part.attempt, problem).charge_ah
        assert relative_charge_error(problem.record, charge, 5.0).max() < 5e-4


@pytest.mark.parametrize("policy", ["rest_voltage", "previous_cycle"])
def test_slopes_are_those_of_the_errors_in_every_stretch(policy: str) -> None:
    settings = by_policy(policy, 1, 4)
    own: tuple[FitParameter, ...] = (FitParameter(CELL_CAPACITY, 4.5, 5.5),)
    own += (FitParameter(INITIAL_SOC, 0.5, 0.99),) if policy == "previous_cycle" else ()
    settings = replace(settings, parameters=FIT.parameters + own)
    objective = make_objective(aged_cell(), settings, None)
    values = np.array([*values_of(1), 5.0, *((0.9,) if policy == "previous_cycle" else ())])
    unit = to_scaled(settings.parameters, values)
    # Differences divide the solver's own errors by the step.
    parts = [replace(part, attempt=replace(part.attempt, tighter=0.05)) for part in objective.parts]
    objective = replace(objective, parts=tuple(parts))
    found = objective.residuals(values)
    first = int(objective.parts[0].used.sum())

    def error(place: int, step: float) -> Floats:
        moved = unit.copy()
        moved[place] += step
        return objective.residuals(from_scaled(settings.parameters, moved), slopes=False).error_mv

    for place, parameter in enumerate(settings.parameters):
        difference = (error(place, 2e-3) - error(place, -2e-3)) / 4e-3
        for rows in (slice(first), slice(first, None)):
            away = np.linalg.norm(found.slopes_mv[rows, place] - difference[rows])
            assert away < 0.02 * np.linalg.norm(difference[rows]), (parameter.name, rows)


def test_the_time_between_stretches_weighs_nothing() -> None:
    settings = replace(FIT, cycles=(1, 4), objective=FitObjective(equal_time=True))
    objective = make_objective(aged_cell(), settings, None)
    first, last = (part.used.sum() for part in objective.parts)
    ends = np.zeros(first + last, dtype=np.bool_)
    ends[[0, first - 1, first, -1]] = True
    inside = objective.weights[~ends]
    assert inside == pytest.approx(inside[0])
    assert objective.weights[ends] == pytest.approx(inside[0] / 2.0)


def test_neighbouring_cycles_are_solved_in_one_go() -> None:
    assert solved(replace(FIT, cycles=())) == [tuple(range(1, 8))]
    assert solved(replace(FIT, cycles=(1, 2, 4, 6, 7))) == [(1, 2), (4,), (6, 7)]


def test_cycles_that_are_held_out_follow_the_fitted_ones_or_begin_for_themselves() -> None:
    settings = replace(FIT, cycles=(1, 4), validation_cycles=(2, 3, 5, 7))
    assert solved(settings, settings.validation_cycles) == [(1, 2, 3), (4, 5), (7,)]
    before = replace(FIT, cycles=(4,), validation_cycles=(3,))
    assert solved(before, before.validation_cycles) == [(3,)]


def test_a_fitted_state_is_that_of_the_fitted_cycles_alone() -> None:
    soc = FitParameter(INITIAL_SOC, 0.5, 1.0)
    settings = replace(FIT, parameters=(soc,), cycles=(1,), validation_cycles=(7,))
    fitted, held_out = (make_objective(aged_cell(), settings, None, cycles) for cycles in ((1,), (7,)))
    low, high = np.array([0.85]), np.array([0.95])
    assert fitted.rmse_mv(low) != pytest.approx(fitted.rmse_mv(high), rel=0.1)
    assert held_out.rmse_mv(low) == held_out.rmse_mv(high)


def test_one_state_of_charge_is_not_fitted_to_several_rests() -> None:
    soc = FitParameter(INITIAL_SOC, 0.5, 1.0)
    with pytest.raises(
        JobError, match="one number, but cycle 1 and cycle 7 each start from a different rest"
    ) as caught:
        make_objective(aged_cell(), replace(FIT, parameters=(soc,), cycles=(1, 7)), None)
    assert caught.value.code == "many_states"
    for policy in ("previous_cycle", "soc"):
        assert len(make_objective(aged_cell(), replace(by_policy(policy, 1, 7), parameters=(soc,)), None).parts) == 2


def test_a_stretch_that_leaves_the_range_leaves_the_others_their_slopes() -> None:
    settings = by_policy("previous_cycle", 1, 3)
    settings = replace(settings, parameters=(*FIT.parameters, FitParameter(INITIAL_SOC, 0.5, 1.0)))
    objective = make_objective(aged_cell(), settings, None)
    found = objective.residuals(np.array([0.75, 0.665, 1.0, 3.3e-14, 0.6]))
    assert found.reason == "cycle 1: an electrode or the electrolyte left its range"
    first = int(objective.parts[0].used.sum())
    assert np.abs(found.error_mv[:first]).max() > LARGE_ERROR_MV
    slopes = np.abs(found.slopes_mv[first:]).max(axis=0)
    assert np.all((slopes > 0.0) & (slopes < 1e4))


def test_a_fit_of_two_check_ups_is_judged_on_a_third() -> None:
    record = aged_cell()
    lithium = FitParameter(LITHIUM_INVENTORY, 0.8, 1.1)
    overrides = tuple(Override(p.name, "value", TRUTH[7][p.name]) for p in FIT.parameters if p.name != lithium.name)
    settings = replace(
        FIT,
        parameter_set=ParameterSetSettings("aged", "Chen2020", overrides),
        parameters=(lithium,),
        cycles=(7,),
        validation_cycles=(4,),
    )
    fit = combine_starts(record, settings, (run_start(record, settings, 0, None),), None)
    assert fit.parameters[0].value == pytest.approx(TRUTH[7][LITHIUM_INVENTORY], rel=1e-4)
    assert fit.rmse_mv < 0.1
    assert fit.validation_rmse_mv is not None
    assert fit.validation_rmse_mv > 10.0 * fit.rmse_mv
