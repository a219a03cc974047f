"""A simulation's own error is bounded by its estimate, and small: against PyBaMM at tight tolerances."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from kilocell.data.settings import (
    TOLERANCES,
    CellSettings,
    InitialState,
    ModelSettings,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.current_profile.compress import compress_record
from kilocell.jobs.current_profile.compression_error import CompressionError, NumericalError, join_errors
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation import numerical_error, within_limits
from kilocell.jobs.simulation.attempts import ReplayProblem
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.numerical_error import control_error, samples_to_check
from kilocell.jobs.simulation.replay import Replayed, ReplayEndedError
from kilocell.jobs.simulation.simulate import simulate
from kilocell.jobs.simulation.solver_windows import WindowSolver
from kilocell.jobs.simulation.within_limits import try_attempts_within_limit
from records import partition

slow = pytest.mark.slow


@lru_cache(maxsize=1)
def study() -> ModuleType:
    """``benchmarks/numerical_error.py``."""
    path = Path(__file__).parents[2] / "benchmarks" / "numerical_error.py"
    spec = importlib.util.spec_from_file_location("numerical_error_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("model", "base", "protocol"),
    [
        ("DFN", "Prada2013", "C20"),  # 12 mV at worst without control of the algebraic error
        ("SPM", "OKane2022", "rates"),  # 2.9 mV at worst between two outputs, if it is not solved again
        pytest.param("SPMe", "Chen2020", "drive", marks=slow),
        pytest.param("SPM", "Mohtat2020", "empty", marks=slow),
        pytest.param("DFN", "Marquis2019", "C20", marks=slow),
        pytest.param("DFN", "OKane2022", "pulses", marks=slow),
        pytest.param("SPM", "Ai2020", "rates", marks=slow),
        pytest.param("SPMe", "Prada2013", "deep", marks=slow),
        pytest.param("DFN", "NCA_Kim2011", "drive", marks=slow),
        pytest.param("SPM", "Chen2020", "long", marks=slow),
    ],
)
def test_the_estimate_bounds_the_true_error_which_is_small(model: str, base: str, protocol: str) -> None:
    row = study().judge(model, base, protocol)
    assert row.covered, row
    assert row.close, row
    assert row.true_mv[0] < 0.5
    assert row.true_mv[1] < 3.0


def test_tight_is_more_accurate_than_standard() -> None:
    row = study().judge("SPM", "OKane2022", "rates", "tight")
    assert row.covered
    assert row.true_mv[0] < 0.1
    assert row.true_mv[1] < 0.5


def asked(**more: Any) -> SimulateSettings:
    cell = CellSettings("CELL", 5.0, InitialState("soc", 0.9))
    settings = SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"))
    return replace(settings, **more)


def test_a_simulation_that_is_not_good_enough_is_solved_again_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(0.0, 7200.0, 10.0)
    samples = partition(time, np.where(time > 600.0, -2.0, 0.0), np.full(len(time), 3.7))
    plain = simulate(samples, asked(), None).result
    assert plain.attempts == ("as asked: done",)
    assert plain.numerical_error_rmse_mv is not None
    monkeypatch.setitem(numerical_error.LIMITS_MV, "standard", (0.3 * plain.numerical_error_rmse_mv, 3.0))
    again = simulate(samples, asked(), None).result
    assert again.numerical_error_rmse_mv is not None
    assert again.numerical_error_rmse_mv < plain.numerical_error_rmse_mv
    assert "solved again with more outputs and tolerances 5 times tighter" in again.attempts[1]


def test_a_record_is_solved_twice_first_loosely_and_then_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[tuple[float, int]] = []
    solve = WindowSolver.solve

    def count(self: WindowSolver, stops: Any, wanted: Any, inputs: Any) -> Any:
        solved.append((self._built.solver.rtol, len(wanted)))
        return solve(self, stops, wanted, inputs)

    monkeypatch.setattr(WindowSolver, "solve", count)
    time = np.arange(0.0, 7200.0, 10.0)
    simulate(partition(time, np.where(time > 600.0, -2.0, 0.0), np.full(len(time), 3.7)), asked(), None)
    (loose, few), (as_asked, many) = solved
    assert loose == pytest.approx(5.0 * asked().rtol)
    assert as_asked == asked().rtol
    assert few < many < len(time)


def test_where_the_loose_solution_fails_the_usual_attempts_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(0.0, 7200.0, 10.0)
    samples = partition(time, np.where(time > 600.0, -2.0, 0.0), np.full(len(time), 3.7))
    expected = simulate(samples, asked(), None)

    def fail(problem: ReplayProblem) -> Any:
        raise ReplayEndedError("the solver did not converge", "did_not_converge")

    monkeypatch.setattr(within_limits, "_send_scout", fail)
    found = simulate(samples, asked(), None)
    assert found.result.attempts == ("as asked: done",)
    assert found.result.numerical_error_rmse_mv is not None
    away = found.frame["simulated_voltage_volt"] - expected.frame["simulated_voltage_volt"]
    assert np.abs(away).max() < 1e-3


def test_only_a_part_of_a_long_record_is_solved_twice_unless_asked_or_steeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerical_error, "CHECKED_KNOTS", 4)
    time = np.arange(0.0, 4000.0, 10.0)
    current = np.where((time // 500.0) % 2 == 0, 0.0, -1.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))

    def problem(settings: SimulateSettings) -> ReplayProblem:
        case = resolve_simulation(settings, None)
        return ReplayProblem(record, case, find_conditions(record, case), compress_record(record, 5.0))

    end = samples_to_check(problem(asked()), flat_replay(time, current))
    assert 50 <= end < 150
    assert samples_to_check(problem(asked(error_estimate="always")), flat_replay(time, current)) == len(time)
    lower = flat_replay(time, current)
    lower.voltage_volt[200:] -= np.linspace(0.0, 0.1, 200)  # slowly, to voltages that the first part does not have
    assert samples_to_check(problem(asked()), lower) == len(time)
    falling = flat_replay(time, current)
    falling.voltage_volt[370:] -= 0.05 * np.arange(30)
    assert samples_to_check(problem(asked()), falling) == len(time)
    _, _, attempts, errors = try_attempts_within_limit(problem(asked()))
    assert attempts == ("as asked: done",)
    assert 0.0 < errors.numerical.rmse_mv < 0.5


def test_the_error_of_a_long_record_grows_as_the_error_of_its_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(0.0, 4000.0, 10.0)
    current = np.where((time // 500.0) % 2 == 0, 0.0, -1.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    case = resolve_simulation(asked(), None)
    given = ReplayProblem(record, case, find_conditions(record, case), compress_record(record, 5.0))
    exact = np.concatenate([[0.0], np.cumsum(np.diff(time) * (current[1:] + current[:-1]) / 7200.0)])

    monkeypatch.setattr(numerical_error, "CHECKED_KNOTS", 4)

    def solved(drift_ah: float) -> Replayed:
        drift = drift_ah * np.linspace(0.0, 1.0, len(time))
        return replace(flat_replay(time, current), charge_ah=exact + drift)

    def careful(problem: ReplayProblem, tighter: float) -> Replayed:
        samples = len(problem.record.time_second)
        return replace(
            flat_replay(time[:samples], current[:samples]), voltage_volt=np.full(samples, 3.7 + 1e-5), charge_ah=exact
        )

    def error_of(drift_ah: float) -> float:
        return control_error(given, solved(drift_ah), careful, lambda replayed: None)[1].worst_mv

    end = samples_to_check(given, solved(0.0))
    assert error_of(0.0) == pytest.approx(0.02)
    assert error_of(1e-4) == pytest.approx(0.02 * (len(time) - 1) / (end - 1), rel=0.01)


def test_the_second_replay_has_three_more_outputs_between_each_two() -> None:
    time = np.arange(0.0, 4000.0, 10.0)
    current = np.where(time > 600.0, -1.0, 0.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    case = resolve_simulation(asked(), None)
    given = ReplayProblem(record, case, find_conditions(record, case), compress_record(record, 5.0))
    replayed = replace(flat_replay(time, current), outputs=np.array([0, 1, 3, 7, 107, len(time) - 1]))
    seen: list[ReplayProblem] = []

    def careful(problem: ReplayProblem, tighter: float) -> Replayed:
        seen.append(problem)
        return flat_replay(time, current)

    control_error(given, replayed, careful, lambda replayed: None)
    expected = [0, 1, 2, 3, 4, 5, 6, 7, 32, 57, 82, 107, 180, 253, 326, len(time) - 1]
    assert seen[0].outputs is not None
    assert seen[0].outputs.tolist() == expected
    assert not seen[0].refine


def flat_replay(time: Any, current: Any) -> Replayed:
    nothing = np.zeros(len(time))
    return Replayed(time, np.full(len(time), 3.7), current, nothing, nothing, outputs=np.arange(len(time)))


def test_numerical_errors_of_stretches_are_joined_and_unknown_if_one_is() -> None:
    one = CompressionError(1.0, 2.0, 0.5, NumericalError(0.3, 1.0))
    other = CompressionError(1.0, 2.0, 0.5, NumericalError(0.4, 0.8))
    joined = join_errors([(one, 100), (other, 100)]).numerical
    assert joined.rmse_mv == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    assert joined.worst_mv == 1.0
    unknown = join_errors([(one, 100), (CompressionError(1.0, 2.0, 0.5), 1)]).numerical
    assert np.isinf(unknown.rmse_mv)


def test_the_tolerances_of_the_settings_are_the_standard_ones() -> None:
    assert (asked().rtol, asked().atol) == TOLERANCES["standard"]
