"""The error budget: how its parts combine, what is unknown, and when it is too large."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.error_budget import (
    ErrorBudget,
    budget_of_result,
    describe_doubt,
    error_budget,
    format_mv,
    format_rmse,
    is_too_large,
    short_budget_words,
)

KNOWN = {
    "numerical_error_rmse_mv": 0.3,
    "compression_rmse_mv": 0.4,
    "charge_uncertainty_mv": 1.2,
    "state_uncertainty_mv": 0.0,
    "initial_state_source": "rest voltage 4.1 V at 0 s",
    "rmse_mv": 20.0,
}
PARTS = tuple(KNOWN)[:4]


def test_the_squares_of_the_parts_are_added_and_the_largest_is_named() -> None:
    budget = error_budget(KNOWN)
    assert budget.total_mv == pytest.approx(1.3)
    assert (budget.main, budget.unknown) == ("charge", ())
    assert budget.describe_parts() == (
        "charge 1.20 mV, compressed current 0.40 mV, numerical error 0.30 mV, starting state 0.00 mV"
    )


@given(st.lists(st.floats(0.0, 1e3), min_size=4, max_size=4))
def test_a_budget_is_at_least_its_largest_part_and_at_most_their_sum(parts: list[float]) -> None:
    total = error_budget(KNOWN | dict(zip(PARTS, parts, strict=True))).total_mv
    assert total is not None
    assert max(parts) <= total * (1 + 1e-12)
    assert total <= sum(parts) * (1 + 1e-12)
    assert sum(parts) <= 2.0 * total * (1 + 1e-12)


@pytest.mark.parametrize("field", PARTS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_an_unknown_part_is_said_and_not_taken_as_none(field: str, value: float | None) -> None:
    budget = error_budget(KNOWN | {field: value})
    assert len(budget.unknown) == 1
    assert budget.total_mv is not None
    assert math.isfinite(budget.total_mv)
    assert budget.describe_parts().count("unknown: ") == 1
    assert budget.mark == ("!" if budget.total_mv > 1.0 else "?")
    assert budget.columns()["error_budget_unknown"] == budget.unknown[0]


def test_nothing_known_is_no_budget() -> None:
    budget = error_budget({})
    assert (budget.total_mv, budget.main, len(budget.unknown)) == (None, "", 4)
    assert not budget.is_too_large
    assert budget.columns()["error_budget_too_large"] is None
    assert format_rmse(27.81, budget) == "27.8 mV"


@pytest.mark.parametrize("source", ["state of charge 0.8, given", "voltage 4.1000 V, given"])
def test_a_given_state_is_no_unknown_part(source: str) -> None:
    budget = error_budget(KNOWN | {"state_uncertainty_mv": None, "initial_state_source": source})
    assert budget.unknown == ()
    assert "state" not in budget.parts


@pytest.mark.parametrize(
    ("uncertainty", "rmse", "too_large"),
    [
        (1.01, 500.0, True),
        (0.99, 500.0, False),
        (0.51, 5.0, True),
        (0.49, 5.0, False),
        (0.006, 0.05, True),
        (0.004, 0.05, False),
        (1.2, None, True),
        (0.9, None, False),
        (None, 5.0, False),
    ],
)
def test_more_than_a_millivolt_or_a_tenth_of_the_rmse_is_too_large(
    uncertainty: float | None, rmse: float | None, too_large: bool
) -> None:
    assert is_too_large(uncertainty, rmse) is too_large
    assert ErrorBudget(uncertainty, "charge", (), {}, rmse).is_too_large is too_large


def test_beside_an_rmse_only_what_matters_is_said() -> None:
    assert format_rmse(27.81, error_budget(KNOWN)) == "27.8 ± 1.3 mV (! mostly charge)"
    small = KNOWN | {"charge_uncertainty_mv": 0.0}
    assert format_rmse(27.81, error_budget(small)) == "27.8 ± 0.5 mV"
    assert format_rmse(27.81, error_budget(small | {"compression_rmse_mv": None})) == "27.8 ± 0.3 mV (?)"
    tiny = dict.fromkeys(PARTS, 0.003)
    assert format_rmse(27.81, error_budget(tiny | {"rmse_mv": 27.81})) == "27.8 ± 0.006 mV"
    assert short_budget_words(KNOWN) == "±1.30 mV (charge)"
    assert short_budget_words(small) == ""
    assert describe_doubt(error_budget(KNOWN)) == "the error budget is ±1.30 mV, more than 1 mV, mostly charge"
    assert describe_doubt(error_budget(small)) == ""
    assert "a tenth of the RMSE" in describe_doubt(error_budget(small | {"rmse_mv": 3.0}))


def test_a_result_of_an_earlier_version_has_unknown_parts() -> None:
    assert budget_of_result(object()).unknown == ("numerical", "compression", "charge", "state")


@pytest.mark.parametrize(
    ("value", "text"), [(123.46, "123.5"), (1.04, "1.04"), (0.0678, "0.07"), (0.0, "0.00"), (4e-3, "0.004")]
)
def test_millivolts_are_short(value: float, text: str) -> None:
    assert format_mv(value) == text
    assert format_mv(1e-5) == "<0.001"
