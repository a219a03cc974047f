"""Axes: a curve that runs away, or one spike, does not hide all others, and what is outside is marked."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.report.draw.ranges import error_range, mark_beyond, robust_range, voltage_range
from matplotlib.figure import Figure

TIME = np.linspace(0.0, 10.0, 2000)


def test_the_measured_record_sets_the_voltage_axis() -> None:
    measured = 3.0 + 0.1 * TIME
    low, high = voltage_range(measured, [measured + 0.05], [np.array([-7.0, 12.0])])
    assert (low, high) == pytest.approx((2.96, 4.09), abs=0.02)


def test_a_complete_simulation_extends_the_voltage_axis_by_a_quarter_at_most() -> None:
    measured = 3.0 + 0.1 * TIME
    low, high = voltage_range(measured, [measured - 2.0])
    assert low == pytest.approx(2.75, abs=0.06)
    assert high == pytest.approx(4.05, abs=0.02)


def test_without_a_measured_voltage_the_simulations_set_the_axis_and_failed_ones_come_last() -> None:
    missing = np.full(2000, np.nan)
    low, high = voltage_range(missing, [3.0 + 0.1 * TIME], [np.array([99.0])])
    assert 2.9 < low < 3.0
    assert 4.0 < high < 4.1
    low, high = voltage_range(missing, [], [3.0 + 0.1 * TIME])
    assert 2.9 < low < 3.2
    assert low < high
    assert voltage_range(missing, [], []) is not None


def test_one_spike_does_not_set_the_axis_of_errors_but_near_extremes_do() -> None:
    errors = 20.0 * np.sin(TIME)
    errors[700] = 900.0
    low, high = error_range([errors])
    assert high < 45.0
    assert low == pytest.approx(-20.0, abs=3.5)
    errors[700] = 30.0
    assert error_range([errors])[1] > 30.0


def test_a_failed_simulation_never_sets_the_axis_of_errors() -> None:
    errors = 5.0 * np.sin(TIME)
    alone = error_range([errors])
    assert error_range([errors], [np.linspace(0.0, -3000.0, 500)]) == alone
    low, high = error_range([], [np.linspace(0.0, -30.0, 500)])
    assert low < -25.0
    assert high >= 0.0


@pytest.mark.parametrize("values", [np.zeros(0), np.full(3, np.nan), np.zeros(5), np.full(4, 7.0)])
def test_a_range_is_never_empty(values: np.ndarray) -> None:
    low, high = robust_range([values])
    assert low < high
    low, high = robust_range([values], start=None)
    assert low < high


def test_what_is_outside_has_a_triangle_of_its_colour_and_its_value() -> None:
    axes = Figure().subplots()
    values = np.sin(TIME)
    values[500] = -40.0
    (line,) = axes.plot(TIME, values, color="#d55e00")
    axes.set_ylim(-2.0, 2.0)
    mark_beyond(axes, [line], "mV")
    (mark,) = [one for one in axes.get_lines() if one.get_marker() == "v"]
    assert mark.get_color() == "#d55e00"
    assert float(np.asarray(mark.get_xdata())[0]) == pytest.approx(TIME[500])
    assert [text.get_text() for text in axes.texts] == ["▼ −40 mV"]
