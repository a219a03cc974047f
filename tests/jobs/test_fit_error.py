"""The error budget of a fit, and volume fractions that a fit makes impossible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diffusion_fit import FIT
from kilocell.data.error_budget import budget_of_result
from kilocell.data.errors import JobError
from kilocell.data.results.cleaning import CleanReport, CleanResult, CycleSummary
from kilocell.data.results.fitting import FitResult, FittedParameter
from kilocell.data.settings import InitialState, Override, ParameterSetSettings
from kilocell.jobs.fitting import fit_error
from kilocell.jobs.fitting.fit_error import estimate_fit_error, with_fit_error
from kilocell.jobs.fitting.objective import ObjectivePart, make_objective
from records import pulses

POROSITY = "Negative electrode porosity"
ACTIVE = "Negative electrode active material volume fraction"
BOUNDS: dict[str, Any] = {
    "charge_in_low_ah": 0.0, "charge_in_high_ah": 0.0, "charge_out_low_ah": 0.7, "charge_out_high_ah": 0.72,
}  # fmt: skip
CLEANED = CleanResult(
    CleanReport("CELL", 9, 9, 0, 1.0, 1.0, 0.0, 0.0, 0.71, 0.71, 1, 1, 1, 1, **BOUNDS),
    (CycleSummary(1, 0.0, 1.0, 9, 1, 0.0, 0.71, 0.0, 0.0, 2.5, 4.2, None, "samples", **BOUNDS),),
)


def result(rmse_mv: float = 20.0, **overrides: float) -> FitResult:
    """A fit that gave these overrides."""
    values = tuple(Override(name, "value", value) for name, value in overrides.items())
    fitted = tuple(
        FittedParameter(name, "", value, 0.3, 0.0, 1.0, "linear", False, False) for name, value in overrides.items()
    )
    parameter_set = ParameterSetSettings("Chen2020+fit", "Chen2020", values)
    return FitResult(FIT, 0, 1, 1, 40.0, rmse_mv, fitted, parameter_set, verdict="one start alone")


def test_a_fit_has_the_parts_of_its_budget_at_the_fitted_values() -> None:
    objective = make_objective(pulses(), FIT, None)
    values = objective.inputs.default_values()
    parts = estimate_fit_error(objective, values, CLEANED)
    assert 0.0 < parts["numerical_error_rmse_mv"] < 0.5
    assert 0.0 <= parts["compression_rmse_mv"] < 0.5
    # Half of the charge of 0.71 A.h flows before most samples, and the voltage falls by about 0.2 V per A.h.
    assert 0.5 < parts["charge_uncertainty_mv"] < 5.0
    assert estimate_fit_error(objective, values, None)["charge_uncertainty_mv"] is None


def test_without_a_solution_the_parts_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise JobError("no solution")

    monkeypatch.setattr(ObjectivePart, "replay", refuse)
    objective = make_objective(pulses(), FIT, None)
    parts = estimate_fit_error(objective, objective.inputs.default_values(), CLEANED)
    assert set(parts.values()) == {None}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The parts that a fit is given here."""
    given = {"numerical_error_rmse_mv": 0.1, "compression_rmse_mv": 0.1, "charge_uncertainty_mv": 0.1}
    monkeypatch.setattr(fit_error, "estimate_fit_error", lambda *_: given)
    return given


def test_the_verdict_says_when_the_budget_is_above_a_tenth_of_the_rmse(parts: dict[str, float]) -> None:
    nothing: Any = None
    known = replace(result(20.0), state_uncertainty_mv=0.4)
    assert with_fit_error(known, nothing, np.array([])).verdict == "one start alone"
    small = with_fit_error(replace(known, rmse_mv=2.0), nothing, np.array([]))
    assert small.verdict == (
        "one start alone; the error budget is ±0.44 mV, more than a tenth of the RMSE, mostly starting state"
    )
    assert budget_of_result(small).unknown == ()
    parts["charge_uncertainty_mv"] = 3.0
    assert "±3.03 mV, more than 1 mV, mostly charge" in with_fit_error(known, nothing, np.array([])).verdict


def test_the_verdict_says_when_fitted_volume_fractions_exceed_one(parts: dict[str, float]) -> None:
    nothing: Any = None
    too_full = with_fit_error(result(**{POROSITY: 0.45}), nothing, np.array([]))
    assert "the volume fractions of the negative electrode exceed one: 0.45" in too_full.verdict
    assert "= 1.2" in too_full.verdict
    possible = with_fit_error(result(**{POROSITY: 0.24, ACTIVE: 0.7}), nothing, np.array([]))
    assert possible.verdict == "one start alone"
    other = with_fit_error(result(**{"Cation transference number": 0.3}), nothing, np.array([]))
    assert other.verdict == "one start alone"


def test_a_given_state_is_known(parts: dict[str, float]) -> None:
    """The fit's own state: the user's, or a fitted one."""
    assert FIT.cell.initial_state == InitialState("soc", 0.8)
    given = replace(result(), initial_state_source="state of charge 0.8, given")
    nothing: Any = None
    assert budget_of_result(with_fit_error(given, nothing, np.array([]))).unknown == ()
