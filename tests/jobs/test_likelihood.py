"""Profiles agree with the linear intervals where these are right, and are open for undetermined parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, NEGATIVE, POSITIVE, TRUTH
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.fit_settings import FitObjective, FitParameter, FitSettings, Loss
from kilocell.data.results.fitting import FitResult, ProfileResult
from kilocell.data.settings import Override, ParameterSetSettings, SimulateSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.loss import RowLoss
from kilocell.jobs.fitting.profile_likelihood import (
    MOST_STEPS,
    ProfileStep,
    compute_profile,
    step_to_level,
)
from kilocell.jobs.simulation.simulate import simulate
from records import pulses
from scipy.optimize import least_squares


def noisy_record(negative: float, noise_mv: float) -> pd.DataFrame:
    overrides = (Override(NEGATIVE, "value", negative), Override(POSITIVE, "value", TRUTH[1]))
    asked = SimulateSettings(FIT.cell, FIT.model, ParameterSetSettings("truth", "Chen2020", overrides))
    voltage = simulate(pulses(), asked, None).frame["simulated_voltage_volt"]
    noise = 1e-3 * noise_mv * np.random.default_rng(3).standard_normal(len(voltage))
    return pulses().assign(**{c.VOLTAGE: voltage + noise})


def fitted(record: pd.DataFrame, settings: FitSettings) -> FitResult:
    return combine_starts(record, settings, (run_start(record, settings, 0, None),), None)


def as_it_should_be(profile: ProfileResult, fit: FitResult) -> None:
    """What holds of every profile: points in order, around the fit's value, lowest there, above the level outside."""
    values = [point.value for point in profile.points]
    assert values == sorted(values)
    lowest = min(profile.points, key=lambda point: point.cost)
    inside = [p.value for p in profile.points if p.cost < profile.level]
    assert min(inside) <= lowest.value <= max(inside)
    assert profile.cost <= lowest.cost + 0.1 * (profile.level - profile.cost)
    assert profile.lower_95 is None or values[0] < profile.lower_95 < inside[0]
    assert profile.upper_95 is None or inside[-1] < profile.upper_95 < values[-1]
    assert profile.value == next(p.value for p in fit.parameters if p.name == profile.parameter)
    assert all(np.isfinite(point.rmse_mv) for point in profile.points)
    assert len(values) <= 2 * MOST_STEPS + 1


def test_profile_and_linear_interval_agree_where_the_cost_is_a_parabola() -> None:
    record = noisy_record(TRUTH[0], 5.0)
    fit = fitted(record, FIT)
    for parameter in fit.parameters:
        profile = compute_profile(record, fit, parameter.name, None)
        as_it_should_be(profile, fit)
        assert (profile.lower_end, profile.upper_end) == ("level", "level")
        assert parameter.lower_95 is not None
        assert parameter.upper_95 is not None
        assert profile.lower_95 is not None
        assert profile.upper_95 is not None
        width = np.log(parameter.upper_95 / parameter.lower_95)
        assert np.log(profile.upper_95 / profile.lower_95) == pytest.approx(width, rel=0.1)
        assert abs(np.log(profile.lower_95 / parameter.lower_95)) < 0.1 * width
        assert profile.verdict.startswith("identifiable")
        assert 6 <= len(profile.points) <= 13


def test_a_parameter_with_information_to_one_side_is_open_to_the_other() -> None:
    """A diffusivity so high that the particles are flat: higher ones look the same."""
    record = noisy_record(1e-11, 2.0)
    settings = replace(FIT, parameters=(FitParameter(NEGATIVE, 1e-15, 1e-9, "log", first=3e-12), FIT.parameters[1]))
    fit = fitted(record, settings)
    profile = compute_profile(record, fit, NEGATIVE, None)
    as_it_should_be(profile, fit)
    assert profile.upper_95 is None
    assert profile.upper_end == "bound"
    assert profile.points[-1].value == pytest.approx(1e-9)
    assert profile.lower_95 is not None
    assert 1e-13 < profile.lower_95 < 1e-11
    assert profile.verdict == "flat towards the upper bound: only a lower limit"


@pytest.mark.slow
def test_a_single_parameter_needs_no_refits() -> None:
    record = noisy_record(TRUTH[0], 5.0)
    settings = replace(FIT, parameters=(FitParameter(NEGATIVE, 1.3e-14, 1e-12, "log"),))
    fit = fitted(record, settings)
    assert fit.parameters[0].at_bound
    profile = compute_profile(record, fit, NEGATIVE, None)
    as_it_should_be(profile, fit)
    assert profile.lower_95 is None
    assert profile.lower_end == "bound"
    assert profile.upper_95 is not None


@given(centre=st.floats(0.05, 0.95), half=st.floats(0.001, 2.0), told=st.floats(0.1, 10.0))
def test_the_level_of_a_parabola_is_where_it_is(centre: float, half: float, told: float) -> None:
    """Whatever half interval was guessed, the steps end where the cost crosses the level, or at the bound."""

    def step(at: float) -> ProfileStep:
        return ProfileStep(np.array([at]), 7.0 + 2.0 * ((at - centre) / half) ** 2, 1.0, np.ones(1))

    for direction in (-1, 1):
        side = step_to_level(lambda at, _: step(at), step(centre), 0, direction, 2.0, told * half)
        true = centre + direction * half
        assert len(side.steps) <= MOST_STEPS + 3
        if 1e-6 < true < 1.0 - 1e-6:
            assert side.end == "level"
            assert side.crossing == pytest.approx(true, abs=1e-6)
        elif not -1e-6 <= true <= 1.0 + 1e-6:
            assert (side.end, side.crossing) == ("bound", None)
            assert side.steps[-1].unit[0] == (1.0 if direction > 0 else 0.0)


def test_a_side_ends_where_the_model_has_no_solution_or_evaluations_are_used_up() -> None:
    def step(at: float, reason: str = "") -> ProfileStep:
        return ProfileStep(np.array([at]), 1.0 + (at - 0.5) ** 2, 1.0, np.ones(1), reason)

    hole = step_to_level(lambda at, _: step(at, "none" if at > 0.8 else ""), step(0.5), 0, 1, 1.0, np.nan)
    assert (hole.end, hole.crossing) == ("no_solution", None)
    assert 0.7 < hole.steps[-1].unit[0] <= 0.8
    used_up = step_to_level(lambda at, _: None, step(0.5), 0, 1, 1.0, np.inf)
    assert (used_up.end, used_up.steps) == ("evaluations", ())


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_costs_are_those_that_scipy_makes_small(loss: Loss) -> None:
    residuals = np.array([0.5, -3.0, 12.0, -40.0])
    asked = FitObjective(loss=loss, loss_mv=5.0)
    scale = asked.loss_mv if loss != "linear" else 1.0
    by_scipy = least_squares(lambda x: residuals + 0.0 * x[0], [1.0], loss=loss, f_scale=scale, max_nfev=1)
    assert RowLoss(asked, len(residuals)).cost(residuals) == pytest.approx(by_scipy.cost)
