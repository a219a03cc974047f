"""The figure of raw against cleaned data: what it marks, what it does not let a spike do, and records of any kind."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.rules import RULES, flag_bit
from kilocell.report.cleaning_marks import BINS, find_marks, limits, thin_marks
from kilocell.report.draw import style
from kilocell.report.draw.cleaning import RULE_COLOURS, draw_cleaning
from kilocell.report.raw_rows import BeforeAndAfter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

N = 600


def record(samples: int = N) -> BeforeAndAfter:
    """A clean record of two cycles, and its equal raw rows; nothing quarantined."""
    time = 10.0 * np.arange(samples)
    made: dict[str, object] = {
        c.TEST_TIME: time,
        c.VOLTAGE: 3.7 + 0.4 * np.sin(time / 600),
        c.CURRENT: np.sign(np.cos(time / 600)),
        c.CYCLE_COUNT: 1 + (np.arange(samples) >= samples // 2),
        c.STEP_COUNT: 1 + 6 * np.arange(samples) // samples,
        c.SURFACE_TEMPERATURE: 25.0 + 0.0 * time,
        c.STEP_TYPE: "charge",
    }
    frame = pd.DataFrame({name: made.get(name, np.zeros(samples)) for name in c.PARTITION_COLUMNS})
    frame = frame.astype(c.PARTITION_COLUMNS)
    raw = pd.DataFrame({name: frame.get(name, "") for name in c.RAW_COLUMNS})
    raw = raw.assign(**{c.CYCLE_ID: frame[c.CYCLE_COUNT] * 1.0, c.STEP_ID: frame[c.STEP_COUNT] * 1.0})
    return BeforeAndAfter(frame, raw, raw.iloc[:0].assign(rule=pd.array([], dtype="str")))


def touched(whole: BeforeAndAfter, rule: str, rows: slice, column: str, raw: float, cleaned: float) -> BeforeAndAfter:
    """The record with a rule's flag, a raw value and a cleaned one at some rows."""
    samples, before = whole.samples.copy(), whole.raw.copy()
    at = samples.index[rows]
    samples.loc[at, c.FLAGS] |= flag_bit(rule)
    before.loc[at, column] = raw
    samples.loc[at, column] = cleaned
    return BeforeAndAfter(samples, before, whole.quarantined)


def drawn(whole: BeforeAndAfter) -> Figure:
    figure = draw_cleaning("CELL", whole)
    with style.house_style():
        figure.savefig(io.BytesIO(), format="png")
    return figure


def panel(figure: Figure, label: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_ylabel().startswith(label))


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def strip_of(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[-1].get_yticklabels()]


def test_a_clean_record_shows_two_lines_and_says_that_there_is_nothing() -> None:
    figure = drawn(record())
    assert legend_of(figure) == ["raw", "cleaned"]
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes[:-1]] == [
        "Voltage (V)", "Current (A)", "Cycle", "Step",
    ]  # fmt: skip
    assert [text.get_text() for text in figure.axes[-1].texts] == ["no findings"]


def test_a_spike_does_not_press_the_record_flat_and_is_told() -> None:
    figure = drawn(touched(record(), "voltage_spike", slice(99, 100), c.VOLTAGE, 9.9999, 3.9))
    axes = panel(figure, "Voltage")
    assert axes.get_ylim()[1] < 4.3
    assert "raw value off the scale" in legend_of(figure)
    assert "▲ 10" in [text.get_text() for text in axes.texts]
    (triangle,) = [line for line in axes.get_lines() if line.get_marker() == "^"]
    assert triangle.get_xdata() == pytest.approx([990.0 / 3600.0])


def test_each_mark_stands_at_its_value_in_its_rules_colour() -> None:
    whole = touched(record(), "voltage_spike", slice(99, 100), c.VOLTAGE, 3.5, 3.9)
    whole = touched(whole, "current_missing", slice(200, 203), c.CURRENT, np.nan, 1.0)
    figure = drawn(whole)
    was = [line for line in panel(figure, "Voltage").get_lines() if line.get_marker() == "x"]
    assert [np.asarray(line.get_ydata()).tolist() for line in was] == [[3.5]]
    filled = [line for line in panel(figure, "Current").get_lines() if line.get_marker() == "o"]
    assert [np.size(line.get_xdata()) for line in filled] == [3]
    assert was[0].get_color() != filled[0].get_color()
    assert strip_of(figure) == ["current_missing", "voltage_spike"]
    assert [label.get_color() for label in figure.axes[-1].get_yticklabels()] == [
        filled[0].get_color(), was[0].get_color(),
    ]  # fmt: skip
    assert [text.get_text() for text in figure.axes[-1].texts] == ["3 rows", "1 row"]
    assert not [line for line in panel(figure, "Voltage").get_lines() if line.get_color() == filled[0].get_color()]


def test_inserted_samples_have_marks_in_the_current_and_no_raw_value() -> None:
    whole = touched(record(), "step_edge", slice(100, 104), c.CURRENT, np.nan, -1.0)
    samples, raw = whole.samples.copy(), whole.raw.copy()
    samples.loc[100:103, c.SOURCE_ROW] = c.NO_SOURCE_ROW
    samples.loc[100:103, c.VOLTAGE] = 99.0
    raw.loc[100:103, [c.VOLTAGE, c.TEST_TIME]] = np.nan
    figure = drawn(BeforeAndAfter(samples, raw, whole.quarantined))
    assert strip_of(figure) == ["step_edge"]
    assert [text.get_text() for text in figure.axes[-1].texts] == ["4 samples"]
    current = [line for line in panel(figure, "Current").get_lines() if line.get_marker() == "o"]
    assert [np.size(line.get_xdata()) for line in current] == [4]
    voltage = panel(figure, "Voltage")
    assert voltage.get_ylim()[1] < 5.0
    assert not [line for line in voltage.get_lines() if line.get_marker() == "o"]
    for axes in (voltage, panel(figure, "Current")):
        raw_line = np.asarray(axes.get_lines()[0].get_ydata(), dtype=float)
        assert np.isfinite(raw_line).all()  # it passes the inserted samples without a hole


def test_what_is_left_missing_and_what_was_taken_out_are_shown() -> None:
    whole = touched(record(), "voltage_missing", slice(100, 140), c.VOLTAGE, np.nan, np.nan)
    taken = whole.raw.iloc[[300]].assign(rule="duplicate_row", **{c.TEST_TIME: 3000.0})
    figure = drawn(BeforeAndAfter(whole.samples, whole.raw, taken))
    assert legend_of(figure) == ["raw", "cleaned", "quarantined row", "left missing"]
    for label in ("Voltage", "Current"):
        assert [line.get_marker() for line in panel(figure, label).get_lines()].count("D") == 1
    assert strip_of(figure) == ["duplicate_row", "voltage_missing"]


def test_a_rule_of_the_whole_record_has_no_marks_but_its_raw_line() -> None:
    whole = touched(record(), "current_offset", slice(None), c.CURRENT, 0.5, 0.4)
    figure = drawn(whole)
    assert legend_of(figure) == ["raw", "cleaned"]
    low, high = panel(figure, "Current").get_ylim()
    assert low < 0.4 < 0.5 < high
    assert strip_of(figure) == ["current_offset"]


def test_temperature_has_a_panel_where_a_rule_touched_it() -> None:
    figure = drawn(touched(record(), "temperature_range", slice(50, 60), c.SURFACE_TEMPERATURE, -2500.0, np.nan))
    axes = panel(figure, "Surface")
    assert axes.get_ylim()[0] > 20.0
    assert "▼ −2500" in [text.get_text() for text in axes.texts]


def test_all_rules_at_once_are_drawn_and_few_share_a_colour() -> None:
    whole = record(6000)
    for number, rule in enumerate(RULES):
        rows = slice(100 * number, 100 * number + 3)
        whole = touched(whole, rule.code, rows, c.VOLTAGE, 3.0 + 0.01 * number, 3.9)
    figure = drawn(whole)
    assert len(strip_of(figure)) == len(RULES)
    colours = [str(label.get_color()) for label in figure.axes[-1].get_yticklabels()]
    assert max(map(colours.count, colours)) <= -(-len(RULES) // len(RULE_COLOURS))


def test_a_record_without_raw_numbers_of_cycles_and_steps_is_drawn() -> None:
    whole = record()
    raw = whole.raw.assign(**{c.CYCLE_ID: np.nan, c.STEP_ID: np.nan})
    figure = drawn(BeforeAndAfter(whole.samples, raw, whole.quarantined))
    assert np.size(panel(figure, "Step").get_lines()[0].get_xdata()) == N


def test_marks_count_rows_and_rows_taken_out() -> None:
    whole = touched(record(), "time_order", slice(10, 12), c.VOLTAGE, 3.7, 3.7)
    taken = whole.raw.iloc[[3, 4]].assign(rule="of_another_version")
    marks = {rule.code: rule.rows for rule in find_marks(BeforeAndAfter(whole.samples, whole.raw, taken))}
    assert marks == {"time_order": 2, "of_another_version": 2}


def test_a_rule_that_flags_nothing_is_named_where_it_begins() -> None:
    whole = record()
    finding = {"rule": "step_renumbered", "rows": N, "source_index": 0, "source_row": 7}
    samples = whole.samples.assign(**{c.SOURCE_ROW: np.arange(N)})
    (rule,) = find_marks(BeforeAndAfter(samples, whole.raw, whole.quarantined), [finding])
    assert (rule.code, rule.rows, rule.one_by_one) == ("step_renumbered", N, False)
    assert np.flatnonzero(rule.touched).tolist() == [7]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 10), st.floats(-1, 1)), max_size=300))
def test_thinned_marks_are_some_of_the_marks_and_none_is_far_from_one(points: list[tuple[float, float]]) -> None:
    time, values = (np.array([point[k] for point in points]) for k in (0, 1))
    kept = thin_marks(time, values, (0.0, 10.0), (-1.0, 1.0))
    assert len(set(kept)) == len(kept)
    for x, y in points:
        near = (np.abs(time[kept] - x) <= 10.0 / BINS[0]) & (np.abs(values[kept] - y) <= 2.0 / BINS[1])
        assert near.any()


@given(st.lists(st.floats(-100, 100), min_size=1), st.lists(st.booleans(), min_size=1))
def test_every_cleaned_value_is_within_the_panel(values: list[float], marked: list[bool]) -> None:
    cleaned, mask = np.array(values), np.resize(marked, len(values))
    low, high = limits(np.where(mask, 1e9, cleaned), cleaned, mask)
    assert low < cleaned.min() <= cleaned.max() < high < 1e3
