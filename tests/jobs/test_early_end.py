"""Starts that end early: at their time limit, beaten, or on their way to a minimum that is known; the best stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, noisy_pulses
from kilocell.data.fit_settings import FitParameter
from kilocell.data.results.fitting import StartResult
from kilocell.jobs.fitting.early_stop import EarlyStopping, Rival, StoppedEarly
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective

HARD = replace(FIT, stop_beaten=True, starts=5)
LINE = replace(HARD, parameters=(FitParameter("x", 0.0, 1.0), FitParameter("y", 0.0, 1.0)))


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    return noisy_pulses()


def test_a_start_out_of_time_counts_with_its_best_point(record: pd.DataFrame) -> None:
    settings = replace(FIT, time_limit_second=1e-9)
    start = run_start(record, settings, 1, None)
    assert start.stopped == "time_limit"
    assert "time limit of 1e-09 s" in start.message
    assert start.evaluations == 2
    assert start.rmse_mv == pytest.approx(make_objective(record, FIT, None).rmse_mv(np.array(start.values)))
    assert start.rmse_mv <= start.rmse_first_mv * 1.01
    fit = combine_starts(record, settings, (start,), None)
    assert (fit.starts_done, fit.starts_agreeing, fit.starts_stopped) == (0, 0, 1)
    assert "the best start, 1, stopped at its time limit" in fit.verdict
    assert run_start(record, replace(FIT, time_limit_second=3600.0), 1, None).stopped == ""


def test_the_best_result_is_the_same_with_starts_that_stop_early(record: pd.DataFrame) -> None:
    alone = tuple(run_start(record, replace(HARD, stop_beaten=False), number, None) for number in range(HARD.starts))
    starts: list[StartResult] = []
    for number in range(HARD.starts):
        ended = [Rival(s.start, s.values, s.cost) for s in starts if s.cost is not None and not s.stopped]
        starts.append(run_start(record, HARD, number, None, rivals=lambda ended=ended: ended))  # type: ignore[misc]
    one, other = combine_starts(record, HARD, tuple(starts), None), combine_starts(record, HARD, alone, None)
    assert one.rmse_mv == pytest.approx(other.rmse_mv, rel=1e-4)
    for early, late in zip(one.parameters, other.parameters, strict=True):
        assert late.standard_error is not None
        assert abs(early.value - late.value) < 0.3 * late.standard_error
    stopped = [s for s in starts if s.stopped]
    assert stopped
    assert all("on its way to start" in s.message for s in stopped if s.stopped == "on_its_way")
    assert sum(s.evaluations for s in starts) < sum(s.evaluations for s in alone)
    assert one.starts_done + one.starts_stopped == HARD.starts == other.starts_done
    assert one.starts_agreeing <= one.starts_done


def looked(watch: EarlyStopping, steps: list[tuple[float, float, float]]) -> str:
    """Why a start with these points and costs ends, and after how many of them; "" = it does not."""
    for number, (x, y, cost) in enumerate(steps, 1):
        try:
            watch.check(np.array([x, y]), cost)
        except StoppedEarly as end:
            return f"{end.stopped} after {number}"
    return ""


def test_only_what_falls_to_a_known_minimum_is_on_its_way() -> None:
    rival = Rival(2, (0.5, 0.5), 10.0)
    near = [(0.3, 0.5, 90.0), (0.4, 0.5, 40.0), (0.49, 0.5, 11.0), (0.495, 0.5, 10.5)]
    assert looked(EarlyStopping(LINE, lambda: [rival]), near) == "on_its_way after 3"
    below = [(x, y, 0.5 * cost) for x, y, cost in near]
    assert looked(EarlyStopping(LINE, lambda: [rival]), below) == "", "it is better than the rival ever was"
    assert looked(EarlyStopping(LINE, lambda: [rival]), [(x, 0.6, cost) for x, _, cost in near]) == "", "another place"
    assert looked(EarlyStopping(LINE, lambda: [rival]), [(x, y, 50.0) for x, y, _ in near]) == "", "it does not fall"
    assert looked(EarlyStopping(replace(LINE, stop_beaten=False), lambda: [rival]), near) == "", "not asked for"
    assert looked(EarlyStopping(LINE, list), near) == ""


def test_only_what_is_far_above_and_gains_little_is_beaten() -> None:
    rival = Rival(0, (0.5, 0.5), 10.0)

    def costs(first: float, share: float) -> list[tuple[float, float, float]]:
        return [(0.9, 0.9, first * share**k) for k in range(12)]

    assert looked(EarlyStopping(LINE, lambda: [rival]), costs(100.0, 0.999)).startswith("beaten")
    assert looked(EarlyStopping(LINE, lambda: [rival]), costs(39.0, 0.999)) == "", "not so far above"
    assert looked(EarlyStopping(LINE, lambda: [rival]), costs(1000.0, 0.9)) == "", "it gains"
