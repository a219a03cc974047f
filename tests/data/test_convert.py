"""Units and signs turn in one place, and turn back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.convert import FACTORS, celsius_to_kelvin, kelvin_to_celsius, pybamm_current, to_column_unit

finite = st.floats(-1e9, 1e9, allow_nan=False)
pairs = [(quantity, unit) for quantity, units in FACTORS.items() for unit in units]


@given(finite)
def test_the_sign_of_the_current_turns_and_turns_back(current: float) -> None:
    assert pybamm_current(pybamm_current(current)) == current
    assert pybamm_current(current) == -current


def test_a_charging_current_is_negative_for_pybamm() -> None:
    np.testing.assert_array_equal(pybamm_current(np.array([1.5, -2.0])), [-1.5, 2.0])


@given(st.floats(-273.15, 1e4))
def test_celsius_to_kelvin_and_back(temperature: float) -> None:
    assert kelvin_to_celsius(celsius_to_kelvin(temperature)) == pytest.approx(temperature, abs=1e-9)
    assert celsius_to_kelvin(temperature) >= 0


@given(st.lists(finite, min_size=1, max_size=20), st.sampled_from(pairs))
def test_a_value_in_any_unit_comes_back_from_the_columns_unit(values: list[float], pair: tuple[str, str]) -> None:
    quantity, unit = pair
    given_values = np.array(values)
    converted = to_column_unit(given_values, f"any_{quantity}", unit)
    factor = FACTORS[quantity][unit]
    back = celsius_to_kelvin(converted) if unit == "K" else converted / factor
    np.testing.assert_allclose(back, given_values, rtol=1e-12, atol=1e-6)


@pytest.mark.parametrize(
    ("column", "unit", "value", "expected"),
    [
        (c.VOLTAGE, "mV", 3700.0, 3.7),
        (c.CURRENT, "mA", -2500.0, -2.5),
        (c.CURRENT, "µA", 1e6, 1.0),
        (c.TEST_TIME, "h", 1.5, 5400.0),
        (c.TEST_TIME, "min", 2.0, 120.0),
        (c.UNIX_TIME, "ms", 1.6e12, 1.6e9),
        (c.SURFACE_TEMPERATURE, "K", 298.15, 25.0),
        (c.AMBIENT_TEMPERATURE, "°C", 25.0, 25.0),
        (c.CHARGING_CAPACITY, "mAh", 5000.0, 5.0),
        (c.CYCLE_ID, "", 3.0, 3.0),
    ],
)
def test_units_that_files_use(column: str, unit: str, value: float, expected: float) -> None:
    assert to_column_unit(np.array([value]), column, unit)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("column", "unit"), [(c.VOLTAGE, "A"), (c.CURRENT, "kA"), (c.CYCLE_ID, "V")])
def test_an_unknown_unit_is_refused_with_those_that_are_known(column: str, unit: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown unit '{unit}' of {column} \(known units: "):
        to_column_unit(np.array([1.0]), column, unit)


def test_missing_values_stay_missing() -> None:
    assert np.isnan(to_column_unit(np.array([np.nan]), c.VOLTAGE, "mV")[0])
