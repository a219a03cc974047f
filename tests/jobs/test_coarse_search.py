"""A start that searches with coarse tolerances ends where one with exact tolerances does, and solves less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, noisy_pulses
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitMethod, FitSettings
from kilocell.data.results.fitting import Evaluation, StartResult
from kilocell.jobs.fitting import coarse_search, objective
from kilocell.jobs.fitting.fit import run_start
from kilocell.jobs.fitting.last_objective import make_objective_once
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.search import Search
from kilocell.jobs.fitting.starts import first_point, to_scaled
from kilocell.jobs.simulation import attempts
from kilocell.jobs.simulation.attempts import Attempt, ReplayProblem
from kilocell.jobs.simulation.replay import Replayed
from numpy.typing import NDArray

Floats = NDArray[np.float64]
COARSE = 5.0  # Attempt.tighter above which a solve is coarse


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    return noisy_pulses()


def exact_search(samples: pd.DataFrame, settings: FitSettings, start: int) -> tuple[Floats, float]:
    """Search with the fit's tolerances from the beginning; return the point and the cost at its end."""
    made = make_objective(samples, settings, None)
    search = Search(made, made.settings)
    point, _ = search.run(first_point(settings, start, made.inputs.default_values()))
    return point, search.best.cost


class Notes:
    """A journal in memory; it recalls the first evaluations of another one."""

    def __init__(self, known: list[tuple[Evaluation, Floats, Floats]] | None = None) -> None:
        self.known = known or []
        self.noted: list[tuple[Evaluation, Floats, Floats]] = []

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        if number > len(self.known):
            return None
        evaluation, error_mv, slopes_mv = self.known[number - 1]
        assert evaluation.values == values
        return error_mv, slopes_mv, evaluation.reason

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        self.noted.append((evaluation, error_mv, slopes_mv))


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, bool]]:
    """Whether each solve was coarse, and whether it had slopes."""
    found: list[tuple[bool, bool]] = []
    solve = attempts.solve_attempt

    def watch(attempt: Attempt, problem: ReplayProblem) -> Replayed:
        found.append((attempt.tighter > COARSE, bool(problem.slopes)))
        return solve(attempt, problem)

    monkeypatch.setattr(objective, "solve_attempt", watch)
    return found


@pytest.mark.parametrize("start", [0, 2])
def test_it_ends_at_the_same_minimum(record: pd.DataFrame, start: int, solved: list[tuple[bool, bool]]) -> None:
    found = run_start(record, FIT, start, None)
    assert solved.count((False, True)) == 0
    assert solved.count((True, True)) >= 2
    point, cost = exact_search(record, FIT, start)
    # The standard error is 3e-3 on the scaled bounds. At one point, solves with and without slopes differ by 0.03 mV.
    np.testing.assert_allclose(to_scaled(FIT.parameters, np.array(found.values)), point, atol=6e-4)
    assert found.cost == pytest.approx(cost, rel=3e-3)
    assert found.converged


def test_the_reported_rmse_is_that_of_exact_tolerances(record: pd.DataFrame) -> None:
    found = run_start(record, FIT, 0, None)
    assert found.rmse_mv == make_objective(record, FIT, None).rmse_mv(np.array(found.values))


def test_a_start_that_continues_from_its_journal_ends_with_the_same_numbers(record: pd.DataFrame) -> None:
    whole = Notes()
    expected = run_start(record, FIT, 2, None, whole)
    for known in (1, 3, len(whole.noted) - 1, len(whole.noted)):
        assert run_start(record, FIT, 2, None, Notes(whole.noted[:known])) == expected


def test_where_the_same_slopes_do_not_lead_to_the_minimum_the_usual_search_goes_on(
    record: pd.DataFrame, solved: list[tuple[bool, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run_start(record, FIT, 0, None)
    for name, value in (("MOST_STEPS", 1), ("WORSE_SHARE", -1.0)):
        solved.clear()
        with monkeypatch.context() as changed:
            changed.setattr(coarse_search, name, value)
            found = run_start(record, FIT, 0, None)
        assert solved.count((False, True)) >= 1
        np.testing.assert_allclose(found.values, expected.values, rtol=4e-3)
        assert found.converged


def test_what_coarse_tolerances_cannot_solve_is_solved_with_those_of_the_fit(
    record: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = attempts.solve_attempt

    def refuse_coarse(attempt: Attempt, problem: ReplayProblem) -> Replayed:
        if attempt.tighter > COARSE:
            raise JobError("the solver did not converge", "did_not_converge")
        return solve(attempt, problem)

    monkeypatch.setattr(objective, "solve_attempt", refuse_coarse)
    found = run_start(record, FIT, 0, None)
    assert found.rmse_mv == pytest.approx(1.0, rel=0.05)
    assert found.converged


def test_what_only_coarse_tolerances_solve_is_no_end(record: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver fails wherever the search comes to with the fit's tolerances."""
    solve = attempts.solve_attempt

    def refuse_exact(attempt: Attempt, problem: ReplayProblem) -> Replayed:
        if attempt.tighter <= COARSE:
            raise JobError("the solver did not converge", "did_not_converge")
        return solve(attempt, problem)

    make_objective_once(record, FIT, None)
    monkeypatch.setattr(objective, "solve_attempt", refuse_exact)
    with pytest.raises(JobError, match="the start ended where the model has no solution"):
        run_start(record, replace(FIT, max_evaluations=30), 0, None)


def test_a_start_that_is_stopped_on_its_way_has_an_exact_cost(record: pd.DataFrame) -> None:
    found = run_start(record, replace(FIT, max_evaluations=2), 1, None)
    exact = make_objective(record, FIT, None).settled_residuals(np.array(found.values))
    assert not found.converged
    assert found.cost == pytest.approx(0.5 * float(np.sum(exact.error_mv**2)), rel=1e-9)


@pytest.mark.parametrize("method", ["l_bfgs_b", "nelder_mead"])
def test_other_methods_use_the_tolerances_of_the_fit(
    record: pd.DataFrame, method: FitMethod, solved: list[tuple[bool, bool]]
) -> None:
    run_start(record, replace(FIT, method=method, max_evaluations=4), 0, None)
    assert not any(is_coarse for is_coarse, _ in solved)


def test_starts_of_one_fit_share_their_objective(record: pd.DataFrame, solved: list[tuple[bool, bool]]) -> None:
    made = make_objective_once(record, FIT, None)
    assert make_objective_once(record, FIT, None) is made
    assert make_objective_once(record, replace(FIT, seed=8), None) is not made
    made = make_objective_once(record, FIT, None)
    other: Any = make_objective_once(record.copy(), FIT, None)
    assert other is not made
    results: set[StartResult] = set()
    for samples in (record, record, record.copy()):
        results.add(run_start(samples, replace(FIT, max_evaluations=3), 1, None))
    assert len(results) == 1
