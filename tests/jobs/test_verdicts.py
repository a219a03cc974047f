"""Verdicts on fitted parameters say what a scientist would: identifiable or not, and whether the model is the limit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from diffusion_fit import FIT
from kilocell.data.fit_settings import FitParameter
from kilocell.data.results.fitting import FittedParameter, StartResult
from kilocell.data.verdict_words import verdict_kind
from kilocell.jobs.fitting.uncertainty import Uncertainty
from kilocell.jobs.fitting.verdicts import (
    ModelError,
    describe_bound,
    describe_certainty,
    describe_fit,
    describe_partners,
    describe_starts,
    describe_state,
    describe_validation,
    judge_model_error,
)

LINEAR = FitParameter("fraction", 0.5, 0.9)
LOG = FitParameter("diffusivity", 0.02, 50.0, "log")
NOISE_ONLY = ModelError(False, 0.52, 0.5)
SYSTEMATIC = ModelError(True, 18.3, 0.5)


@pytest.mark.parametrize(
    ("parameter", "value", "error", "model", "words"),
    [
        (LINEAR, 0.7, 0.0021, NOISE_ONLY, "well determined, within 0.59%"),
        (LINEAR, 0.7, 0.021, NOISE_ONLY, "determined within 5.9%"),
        (LINEAR, 0.7, 0.21, NOISE_ONLY, "poorly determined, within 59%"),
        (LINEAR, 0.7, 7.5, NOISE_ONLY, "not identifiable from this record"),
        (LINEAR, 0.7, math.inf, NOISE_ONLY, "not identifiable from this record"),
        (LINEAR, 0.0, 0.1, NOISE_ONLY, "not identifiable from this record"),
        (LOG, 3.0, 0.3, NOISE_ONLY, "poorly determined, within 20%"),
        (LOG, 3.0, 1.2, NOISE_ONLY, "poorly determined, within a factor of 2.2"),
        (LOG, 3.0, 4.0, NOISE_ONLY, "not identifiable from this record"),
        (LINEAR, 0.7, 0.0021, SYSTEMATIC, "precise within 0.59%, model error not included"),
        (LINEAR, 0.7, 0.021, SYSTEMATIC, "precise within 5.9%, model error not included"),
        (LINEAR, 0.7, 0.21, SYSTEMATIC, "poorly determined, within 59%"),
    ],
)
def test_certainty_is_said_before_the_first_semicolon(
    parameter: FitParameter, value: float, error: float, model: ModelError, words: str
) -> None:
    text = describe_certainty(parameter, value, error, 1.96, "", model)
    assert text.split(";")[0] == words
    assert verdict_kind(text) != "without verdict"


def test_a_precise_value_names_the_models_error_and_the_noise() -> None:
    text = describe_certainty(LINEAR, 0.7, 0.0021, 1.96, "", SYSTEMATIC)
    assert text.endswith("the error is systematic (18 mV against 0.5 mV of noise)")
    assert verdict_kind(text) == "precise"


def test_the_correlated_part_of_the_residual_is_the_models_error() -> None:
    known = np.ones(1)
    errors = Uncertainty(known, np.ones((1, 1)), 1.0, 20.0, 1.96, known, 300.0, 3.0, residual_systematic=True)
    assert judge_model_error(3.2, 0.5, errors) == ModelError(True, 3.0, 0.5)
    assert not judge_model_error(0.5, 0.5, replace(errors, residual_systematic=False)).systematic


def test_kinds_of_earlier_results_are_known() -> None:
    assert verdict_kind("not determined by this record") == "not identifiable"
    assert verdict_kind("at its upper bound: widen the bounds, or fix it") == "at a bound"
    assert verdict_kind(None) == "without verdict"


def test_the_bound_is_the_nearer_one_on_the_parameters_scale() -> None:
    assert describe_bound(LOG, 0.02).startswith("at its lower bound")
    assert describe_bound(LOG, 49.9).startswith("at its upper bound")
    assert describe_bound(FitParameter("density", 1e-3, 10.0, "log"), 1e-3).startswith("at its lower bound")


def test_partners_are_named_strongest_first() -> None:
    assert (
        describe_partners({"a": 0.91, "b": -0.99, "c": 0.5, "d": math.nan}) == "; correlated with b (-0.99), a (+0.91)"
    )
    assert describe_partners({"c": 0.5}) == ""


def fitted(verdict: str, name: str = "fraction") -> FittedParameter:
    return FittedParameter(name, "", 0.7, 0.72, 0.5, 0.9, "linear", at_bound=False, is_factor=False, verdict=verdict)


def test_a_fits_verdict_says_the_models_error_once() -> None:
    one = describe_certainty(LINEAR, 0.7, 0.0021, 1.96, "", SYSTEMATIC)
    poor = describe_certainty(LOG, 3.0, 1.2, 1.96, "", SYSTEMATIC)
    text = describe_fit([fitted(one), fitted(one, "other"), fitted(poor, "diffusivity")], "", SYSTEMATIC)
    assert text.count("systematic") == 1
    assert "diffusivity: poorly determined, within a factor of 2.2" in text
    text = describe_fit([fitted(one), fitted(one, "other")], "", SYSTEMATIC)
    assert text.startswith(
        "all parameters are precise; the model's error is systematic (18 mV against 0.5 mV of noise)"
    )


def test_a_fit_without_doubts_is_one_clause() -> None:
    good = describe_certainty(LINEAR, 0.7, 0.0021, 1.96, "", NOISE_ONLY)
    assert describe_fit([fitted(good)], "", NOISE_ONLY, ("",)) == "all parameters are well determined"


def test_starts_are_described_only_where_they_leave_a_doubt() -> None:
    best = StartResult(FIT, 2, 0, (1.0,), (1.0,), 9.0, 1.0, 20, "converged")
    assert describe_starts(best, 3, 3, 0) == ""
    assert describe_starts(best, 1, 1, 0).startswith("one start alone: another minimum")
    assert describe_starts(best, 1, 4, 0) == "the starts disagree: only one of 4 ended at the best minimum"
    assert describe_starts(best, 2, 8, 0) == "2 of 8 starts agree on the minimum"
    stopped = replace(best, stopped="time_limit", message="stopped at its time limit")
    assert describe_starts(stopped, 0, 0, 1) == "the best start, 2, stopped at its time limit"


def test_validation_is_named_where_it_is_much_worse() -> None:
    assert describe_validation(5.0, None, None) == ""
    assert describe_validation(5.0, 7.0, 30.0) == ""
    assert describe_validation(0.5, 1.4, 30.0) == ""  # three times, but 1 mV
    worse = describe_validation(5.0, 21.0, 30.0)
    assert worse.startswith("the error on what was not fitted is 4.2 times larger (21 mV): the values are valid only")
    worst = describe_validation(20.0, 35.0, 30.0)
    assert worst.startswith("the error on what was not fitted is 35 mV, larger than before the fit (30 mV)")


def test_an_uncertain_state_says_what_to_do() -> None:
    start = {"initial_state_source": "first voltage", "state_uncertainty_mv": 40.0, "state_uncertainty_soc": 0.05}
    text = describe_state(start, 5.0)
    assert "±40 mV" in text
    assert "fit 'Initial state of charge'" in text
    assert describe_state(start | {"state_uncertainty_mv": None}, 5.0) == ""


def test_a_full_cell_has_no_wider_bounds() -> None:
    """A state of charge above 1 does not exist, so the advice is not to widen the bounds."""
    state = FitParameter("Initial state of charge", 0.94, 1.0)
    assert describe_bound(state, 1.0).startswith("at its upper bound, the full cell")
    assert "widen" not in describe_bound(state, 1.0)
    assert describe_bound(state, 0.94) == "at its lower bound: widen the bounds, or fix it"
