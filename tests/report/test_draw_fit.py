"""What the figures of fits show: every start, places within the bounds, what is to be believed, units on every axis."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.results.fitting import Evaluation
from kilocell.report.draw import style
from kilocell.report.draw.cells import SimulatedCurve
from kilocell.report.draw.fit import draw_fit
from kilocell.report.draw.fit_style import (
    Interval,
    Start,
    format_half_width,
    format_number,
    format_unit,
    half_width_within_bounds,
    interval_within_bounds,
    place_between_bounds,
    short_name,
)
from kilocell.report.draw.fleet import NAMED_CELLS, draw_fleet, value_group
from kilocell.report.draw.life import draw_life
from kilocell.report.draw.starts import draw_starts
from kilocell.report.draw.uncertainty import draw_uncertainty
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

DENSITY = "Positive electrode exchange-current density [A.m-2]"
DIFFUSIVITY = "Negative particle diffusivity [m2.s-1]"


def measured(samples: int = 200, cycles: int = 4) -> pd.DataFrame:
    time = np.linspace(0, 3600.0 * cycles, samples)
    frame = pd.DataFrame({c.TEST_TIME: time, c.VOLTAGE: 3.7 + 0.4 * np.sin(time / 600), c.CURRENT: 0.0})
    frame[c.CYCLE_COUNT] = 1 + np.arange(samples) * cycles // samples
    frame[c.FLAGS] = 0
    return frame


def simulated(frame: pd.DataFrame, error_volt: Any, name: str) -> SimulatedCurve:
    samples = pd.DataFrame({c.TEST_TIME: frame[c.TEST_TIME], "voltage_error_volt": error_volt})
    samples["simulated_voltage_volt"] = frame[c.VOLTAGE] + error_volt
    return SimulatedCurve(name, samples)


def parameter(name: str = DIFFUSIVITY, value: float = 1e-14, cell_id: str = "A", **changed: Any) -> dict[str, Any]:
    row = {
        "cell_id": cell_id, "label": "fit", "parameter": name, "unit": "m2.s-1", "value": value,
        "default_value": 3e-14, "lower": 1e-15, "upper": 1e-13, "scale": "log", "at_bound": 0, "is_factor": 0,
        "standard_error": 2e-16, "lower_95": value / 1.04, "upper_95": value * 1.04,
        "verdict": "determined within 3.9%",
    }  # fmt: skip
    return row | changed


def at_bound(**changed: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"standard_error": None, "lower_95": None, "upper_95": None}
    return parameter(value=1e-13, at_bound=1, verdict="at its upper bound: widen the bounds", **told, **changed)


STARTS = [
    Start(0, 80.0, 25.0, first_values={DIFFUSIVITY: 3e-14}, values={DIFFUSIVITY: 2e-14}),
    Start(1, None, None, failed="no solution"),
    Start(2, 90.0, 21.3, best=True, agrees=True, first_values={DIFFUSIVITY: 1e-15}, values={DIFFUSIVITY: 1e-14}),
    Start(3, 95.0, 21.31, agrees=True, first_values={DIFFUSIVITY: 1e-13}, values={DIFFUSIVITY: 1e-14}),
]


def rendered(figure: Figure) -> Figure:
    """Draw it once, as warnings are errors: whatever matplotlib cannot draw shows here."""
    with style.house_style():
        figure.savefig(io.BytesIO(), format="png", dpi=60)
    return figure


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def points_of(axes: Axes, name: str) -> list[tuple[float, float]]:
    """Points of all lines with this name, in the order drawn."""
    lines = [line for line in axes.get_lines() if line.get_label() == name]
    pairs = [np.asarray(line.get_data(), dtype=float) for line in lines]
    return [(float(x), float(y)) for pair in pairs for x, y in pair.T]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_fit_shows_both_voltages_and_every_start() -> None:
    frame = measured()
    both = [simulated(frame, 0.0759, "SPMe, Chen2020"), simulated(frame, 0.0213, "SPMe, fitted")]
    figure = rendered(draw_fit("improved from 75.9 to 21.3 mV", frame, both, STARTS, noise_mv=2.5))
    assert legend_of(figure) == ["measured", "SPMe, Chen2020: RMSE 75.9 mV", "SPMe, fitted: RMSE 21.3 mV"]
    assert figure.legends[0].get_title().get_text() == "improved from 75.9 to 21.3 mV"
    voltage, error, starts = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["Voltage (V)", "Simulated −\nmeasured (mV)", "RMSE (mV)"]
    assert error.get_xlabel() == "Test time (h)"
    assert [label.get_text() for label in starts.get_xticklabels()] == ["2", "3", "0", "1"]
    assert (points_of(starts, "best start"), points_of(starts, "same minimum")) == ([(1, 21.3)], [(2, 21.31)])
    assert points_of(starts, "ended elsewhere") == [(3, 25.0)]
    assert points_of(starts, "first guess") == [(1, 90.0), (2, 95.0), (3, 80.0)]
    assert {y for _, y in points_of(starts, "measured noise")} == {2.5}
    assert texts_of(starts) == ["no solution"]
    assert starts.get_yscale() == "log"  # from 2.5 to 95 mV
    assert voltage.get_xlim() == error.get_xlim()


def test_noise_far_below_does_not_fill_the_axis() -> None:
    frame = measured()
    starts = draw_fit("fit", frame, [simulated(frame, 0.02, "SPMe")], STARTS, noise_mv=0.05).axes[2]
    assert (starts.get_yscale(), len(points_of(starts, "measured noise"))) == ("linear", 2)  # 0.05 mV is near 0
    ended, along, _ = draw_starts("fit", STARTS, [parameter()], noise_mv=0.05).axes
    assert ended.get_ylim()[0] > 10.0
    assert all("↓ noise 0.05 mV" in texts_of(axes) for axes in (ended, along))


def test_without_a_default_or_windows_there_is_what_there_is() -> None:
    frame = measured()
    figure = rendered(draw_fit("fit", frame, [simulated(frame, 0.02, "SPMe")], STARTS[2:3]))
    assert legend_of(figure) == ["measured", "SPMe: RMSE 20.0 mV"]
    assert len(figure.axes) == 3
    assert figure.axes[2].get_yscale() == "linear"
    assert figure.axes[2].get_ylim()[0] == 0.0


def test_cycles_held_out_have_an_rmse_of_their_own() -> None:
    frame = measured()
    error = np.where(frame[c.CYCLE_COUNT] == 4, 0.030, 0.010)
    figure = draw_fit("fit", frame, [simulated(frame, error, "SPMe")], STARTS, held_out=(4,))
    assert legend_of(figure)[1] == "SPMe: RMSE 10.0 mV, held out 30.0 mV"
    assert "held out" in texts_of(figure.axes[0])


def test_starts_that_stopped_early_neither_agree_nor_disagree() -> None:
    stopped = Start(4, 60.0, 40.0, stopped=True, first_values={DIFFUSIVITY: 3e-14}, values={DIFFUSIVITY: 5e-14})
    ended, _, inside = draw_starts("fit", [*STARTS, stopped], [parameter()]).axes
    assert points_of(ended, "stopped early or not converged") == [(4, 40.0)]
    assert points_of(ended, "ended elsewhere") == [(3, 25.0)]
    assert len(points_of(inside, "stopped early or not converged")) == 1


@pytest.mark.parametrize("starts", [0, 1, 40])
def test_any_number_of_starts_is_drawn(starts: int) -> None:
    rows = [Start(n, 50.0, 20.0 + n, best=n == 0, agrees=n < 5) for n in range(starts)]
    frame = measured()
    panel = rendered(draw_fit("fit", frame, [simulated(frame, 0.02, "SPMe")], rows)).axes[2]
    assert len(panel.get_xticklabels()) == (starts if starts <= 12 else 0)


def test_the_best_so_far_goes_by_cost_and_passes_over_points_without_solution() -> None:
    costs = [(400.0, ""), (1.0, "left range"), (100.0, ""), (225.0, ""), (25.0, "")]
    made = [Evaluation(n + 1, (1.0,), cost, math.sqrt(cost), 0.1, why) for n, (cost, why) in enumerate(costs)]
    start = Start(0, 20.0, 5.0, best=True, agrees=True, evaluations=made)
    along = rendered(draw_starts("fit", [start], [parameter()], noise_mv=2.0)).axes[1]
    curve = along.get_lines()[0]
    assert list(np.asarray(curve.get_xdata(), float)) == [1, 2, 3, 4, 5]
    assert list(np.asarray(curve.get_ydata(), float)) == [20, 20, 10, 10, 5]
    assert [x for x, _ in points_of(along, "no solution")] == [2]
    assert (along.get_yscale(), along.get_ylabel()) == ("log", "RMSE of best point so far (mV)")


def test_parameters_lie_within_their_bounds_on_their_own_scale() -> None:
    linear = parameter(DENSITY, 0.6, default_value=0.95, lower=0.3, upper=0.9, scale="linear", is_factor=1)
    figure = rendered(draw_starts("fit", STARTS, [parameter(), linear]))
    inside = figure.axes[2]
    (best,) = points_of(inside, "best start")[:1]
    assert best[0] == pytest.approx(0.5)  # of 1e-15 to 1e-13, by logarithm
    assert points_of(inside, "ended elsewhere")[0][0] == pytest.approx(0.65, abs=0.001)
    assert [x for x, _ in points_of(inside, "first guess")][:3] == pytest.approx([0.0, 1.0, 0.739], abs=0.001)
    ends = [x for x, _ in points_of(inside, "95 % confidence interval")][:2]
    assert ends == pytest.approx([0.5 - math.log(1.04) / math.log(100), 0.5 + math.log(1.04) / math.log(100)])
    assert points_of(inside, "default")[0][0] == pytest.approx(0.739, abs=0.001)
    assert points_of(inside, "default, outside the bounds")[0][0] > 1.0
    assert [label.get_text() for label in inside.get_yticklabels()] == [
        "Neg. particle\ndiffusivity",
        "Pos. electrode exchange-\ncurrent density",
    ]
    assert {"10⁻¹⁵", "10⁻¹³"} == {text.partition("×")[2] for text in texts_of(inside)[:2]}
    assert "1.00×10⁻¹⁴ m² s⁻¹\n± 3.9 %" in texts_of(inside)


def test_widths_are_coloured_by_verdict_and_correlations_are_numbers() -> None:
    names = [DIFFUSIVITY, DENSITY, "Contact resistance [Ohm]"]
    rows = [parameter(names[0]), parameter(names[1], verdict="well determined, within 0.2%"), at_bound()]
    rows[2]["parameter"] = names[2]
    figure = rendered(draw_uncertainty("fit", rows, {(names[0], names[1]): -0.93}, ["6 of 8 starts; noise 1 mV"]))
    widths, matrix = figure.axes
    assert legend_of(figure) == ["well determined", "determined", "at its bound"]
    assert "1.00×10⁻¹⁴ m² s⁻¹, ± 3.9 %" in texts_of(widths)
    assert any(text.endswith("at its upper bound") for text in texts_of(widths))
    numbers = texts_of(matrix)
    assert (numbers.count("−.93"), numbers.count("–")) == (2, 4)
    assert figure.get_supxlabel() == "6 of 8 starts; noise 1 mV"


def test_one_parameter_has_no_matrix() -> None:
    assert len(rendered(draw_uncertainty("fit", [parameter()], {})).axes) == 1


def fit(cell_id: str, rmse_mv: float | None, default_mv: float | None = 100.0) -> dict[str, Any]:
    done = rmse_mv is not None
    return {
        "cell_id": cell_id, "label": "fit", "status": "done" if done else "failed", "rmse_mv": rmse_mv,
        "reason_code": "" if done else "no_start", "rmse_default_mv": default_mv if done else None,
        "base_parameter_set": "Chen2020",
    }  # fmt: skip


def test_few_cells_have_a_line_each_and_what_is_not_to_be_believed_its_own_mark() -> None:
    fits = [fit("B", 9.0), fit("A", 8.0, None), fit("C", None), fit("D", 10.0)]
    poor = parameter(cell_id="B", verdict="poorly determined, within 40%", upper_95=1.0, lower_95=0.0)
    figure = rendered(draw_fleet("diffusion", fits, [parameter(cell_id="A"), poor, at_bound(cell_id="D")]))
    rmse, values = figure.axes
    assert [label.get_text() for label in rmse.get_yticklabels()] == ["A", "B", "D", "C"]
    assert points_of(rmse, "fitted") == [(8.0, 0), (9.0, 1), (10.0, 2)]
    assert points_of(rmse, "default") == [(100.0, 1), (100.0, 2)]
    assert texts_of(rmse) == ["× no start"]
    assert [text.split(":")[0] for text in legend_of(figure)] == [
        "determined or precise", "poorly determined", "at a bound", "default",
    ]  # fmt: skip
    assert values.get_xscale() == "log"
    assert values.get_xlabel() == "Neg. particle\ndiffusivity\n(m² s⁻¹)"
    assert figure.legends[0].get_title().get_text() == "diffusion: 3 cells fitted, 1 failed"


def test_a_thousand_cells_are_distributions_with_what_is_at_a_bound_apart() -> None:
    rng = np.random.default_rng(0)
    ids = [f"C{n}" for n in range(1000)]
    fits = [fit(cell_id, None if n >= 990 else 5.0 + n / 100) for n, cell_id in enumerate(ids)]
    values = 1e-14 * np.exp(0.1 * rng.normal(size=990))
    rows = [
        at_bound(cell_id=cell_id) if n < 90 else parameter(value=float(value), cell_id=cell_id)
        for n, (cell_id, value) in enumerate(zip(ids, values, strict=False))
    ]
    figure = rendered(draw_fleet("diffusion", fits, rows))
    shares, panel = figure.axes
    assert float(np.asarray(shares.get_lines()[1].get_ydata(), float)[-1]) == pytest.approx(99.0)
    heights = [float(patch.get_bbox().height) for patch in panel.patches if isinstance(patch, Rectangle)]
    assert sum(heights) == 990
    assert legend_of(figure)[:2] == ["determined or precise: 900 of 990 values", "at a bound: 90 of 990 values"]
    assert panel.get_title(loc="left").startswith("median 9.")
    assert figure.get_size_inches()[1] < 4


@pytest.mark.parametrize("cells", [1, 2, NAMED_CELLS, NAMED_CELLS + 1])
def test_any_number_of_cells_is_drawn(cells: int) -> None:
    ids = [f"C{n}" for n in range(cells)]
    rows = [parameter(name, 1e-14 * (1 + n / 50), i) for name in (DENSITY, DIFFUSIVITY) for n, i in enumerate(ids)]
    figure = rendered(draw_fleet("diffusion", [fit(cell_id, 9.0) for cell_id in ids], rows))
    assert len([axes for axes in figure.axes if axes.get_visible()]) == 3


def test_names_numbers_and_intervals_in_words() -> None:
    assert short_name("Negative electrode active material volume fraction", 24, 3).count("\n") == 1
    assert short_name("Cyclable lithium") == "Cyclable lithium"
    assert format_unit(parameter(unit="W.m-2.K-1")) == "W m⁻² K⁻¹"
    assert format_unit(parameter(is_factor=1)) == "× base value"
    assert [format_number(v) for v in (0.0, 0.95321, 4.126e-15, 51765.0)] == ["0", "0.953", "4.13×10⁻¹⁵", "5.18×10⁴"]
    assert format_half_width(parameter(lower_95=1e-15, upper_95=1e-13)) == "×/÷ 10"
    assert format_half_width(parameter(lower_95=0.0, upper_95=math.inf)) == "×/÷ > 1000"
    assert format_half_width(at_bound()) == "at its upper bound"
    assert place_between_bounds(parameter(), 0.0) < 0.0
    assert math.isnan(place_between_bounds(parameter(), None))


ENDLESS: dict[str, Any] = {
    "lower_95": 1e-70,
    "upper_95": 1e56,
    "verdict": "not identifiable from this record; the 95 % interval spans a factor of 10 to both sides",
}


def test_an_interval_is_clipped_to_the_bounds_and_says_that_it_goes_on() -> None:
    """An axis reached 1e56 where an interval of a logarithm had no end."""
    interval = interval_within_bounds(parameter(**ENDLESS))
    assert interval is not None
    assert interval == Interval(1e-15, 1e-13, True, True)
    assert interval_within_bounds(parameter(lower_95=2e-15)) == Interval(2e-15, 1e-14 * 1.04, False, False)
    assert interval_within_bounds(parameter(lower_95=None)) is None
    assert interval.within(5e-15, 2e-14) == Interval(5e-15, 2e-14, True, True)


def test_the_half_width_ends_at_the_farther_bound() -> None:
    share, is_cut = half_width_within_bounds(parameter(**ENDLESS))
    assert share == pytest.approx(math.log(10.0))
    assert is_cut
    assert not half_width_within_bounds(parameter())[1]
    linear = parameter(value=0.7, lower=0.5, upper=0.8, scale="linear", lower_95=-9.0, upper_95=10.4)
    share, is_cut = half_width_within_bounds(linear)
    assert share == pytest.approx(2.0 / 7.0)
    assert is_cut


def test_every_figure_with_an_endless_interval_stays_within_the_bounds() -> None:
    rows = [parameter(**ENDLESS), parameter(DENSITY, value=2.0, lower=0.1, upper=20.0, default_value=1.0)]
    widths = draw_uncertainty("fit", rows, {}).axes[0]
    assert widths.get_xlim()[1] < 1e4
    assert [line.get_marker() for line in widths.get_lines()].count(">") == 1
    order = [{"cell_id": "A", "label": "fit", "status": "done", "rmse_mv": 2.0, "rmse_default_mv": 9.0,
              "reason_code": None, "base_parameter_set": "Chen2020"}]  # fmt: skip
    panel = draw_fleet("fit", order, rows).axes[1]
    assert panel.get_xlim()[1] < 1e-12
    assert {"<", ">"} <= {str(line.get_marker()) for line in panel.get_lines()}
    life = [dict(row, chain_cycle=cycle, share_of_first=1.0, rmse_mv=2.0) for row in rows[:1] for cycle in (1, 100)]
    links = [{"chain_cycle": 1, "status": "done", "rmse_default_mv": 9.0, "rmse_mv": 2.0}]
    for axes in draw_life("A", "ageing", life, links).axes:
        assert axes.get_ylim()[1] < 1e3
    assert "not identifiable from this record" in format_half_width(rows[0])


def test_a_precise_value_counts_as_determined_over_cells() -> None:
    assert value_group(parameter(verdict="precise within 1.4%, model error not included; the error is")) == "determined"
    assert value_group(parameter(**ENDLESS)) == "poorly determined"
