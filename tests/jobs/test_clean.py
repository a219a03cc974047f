"""Cleaning as a whole: nothing is lost, nothing good is touched, and cleaning again changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.rules import RULES_BY_CODE
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import (
    CAPACITY_RULES,
    CHARGE_RULES,
    INDEX_AND_SIGNAL_RULES,
    TIME_RULES,
    Cleaned,
    clean,
)
from kilocell.jobs.record.cycles import summarise_cycles
from raw_records import assert_same_signal, cleaned, cycling, findings, raw_table, reordered, seen, with_values
from rules_table import MADE_BETWEEN

RAW = cycling(2, noise_volt=0.0005)
N = len(RAW)


def raw_again(samples: pd.DataFrame) -> pd.DataFrame:
    """A cleaned partition as if it were a raw file."""
    given_back = samples.rename(columns={c.CYCLE_COUNT: "cycle", c.STEP_COUNT: "step"})
    columns = {name: given_back[name].to_numpy() for name in c.RAW_COLUMNS if name in given_back}
    return raw_table(**columns | {c.CYCLE_ID: given_back["cycle"].to_numpy(), c.STEP_ID: given_back["step"].to_numpy()})


def assert_idempotent(result: Cleaned, asked: CleanSettings) -> None:
    again = clean(raw_again(result.samples), "CELL", asked)
    assert again.report.rows_quarantined == 0
    same = [c.TEST_TIME, c.UNIX_TIME, c.VOLTAGE, c.CURRENT, c.CYCLE_COUNT, c.STEP_COUNT, c.STEP_TYPE]
    pd.testing.assert_frame_equal(again.samples[same], result.samples[same], check_exact=True)
    charges = ("charge_in_after_ah", "charge_out_after_ah")
    assert [getattr(again.report, name) for name in charges] == [getattr(result.report, name) for name in charges]


def test_a_clean_record_passes_unchanged() -> None:
    result = cleaned(RAW)
    assert_same_signal(result, RAW)
    assert seen(result) == set()
    assert (result.samples[c.FLAGS] == 0).all()
    assert len(result.quarantined) == 0
    report = result.report
    assert (report.rows_in, report.rows_kept, report.cycles_before, report.cycles_after) == (N, N, 2, 2)
    assert (report.steps_before, report.steps_after) == (10, 10)
    assert report.time_span_before_second == report.time_span_after_second == 10.0 * (N - 1)
    assert report.charge_in_before_ah == pytest.approx(report.charge_in_after_ah)
    assert_idempotent(result, CleanSettings())


def test_the_partition_follows_the_contract() -> None:
    result = cleaned(RAW)
    assert {name: str(kind) for name, kind in result.samples.dtypes.items()} == c.PARTITION_COLUMNS
    assert list(result.samples) == list(c.PARTITION_COLUMNS)
    assert list(result.quarantined) == [*c.RAW_COLUMNS, "rule"]
    assert set(result.samples[c.STEP_TYPE]) <= set(c.STEP_TYPES)


def test_the_raw_table_is_not_touched() -> None:
    raw = with_values(reordered(RAW, [*range(50), 51, 50, *range(52, N)]), 60, c.VOLTAGE, 0.0)
    before = raw.copy(deep=True)
    clean(raw, "CELL", CleanSettings())
    pd.testing.assert_frame_equal(raw, before)


def test_rules_that_take_rows_are_named_in_the_vocabulary() -> None:
    lists = (TIME_RULES, INDEX_AND_SIGNAL_RULES, CHARGE_RULES, CAPACITY_RULES)
    names = [*(rule.__name__ for rules in lists for rule in rules), *MADE_BETWEEN]
    assert len(set(names)) == len(names)
    # The rule about files is applied where they are joined, before the cleaning of a record.
    assert set(RULES_BY_CODE) - set(names) == {"file_order"}
    parts = {"count_from_signal", "count_steps", "rest_pause", "time_from_steps", "time_refined", "unit_of_charge"}
    parts |= {"current_sentinel"}
    assert set(names) - set(RULES_BY_CODE) == parts


Damage = Callable[[pd.DataFrame, int], pd.DataFrame]
DAMAGES: dict[str, Damage] = {
    "voltage hole": lambda raw, at: with_values(raw, slice(at, at + 1 + at % 9), c.VOLTAGE, np.nan),
    "current hole": lambda raw, at: with_values(raw, slice(at, at + 1 + at % 9), c.CURRENT, np.nan),
    "time hole": lambda raw, at: with_values(with_values(raw, at, c.UNIX_TIME, np.nan), at, c.TEST_TIME, np.nan),
    "spike": lambda raw, at: with_values(raw, at, c.VOLTAGE, (0.0, 9.9999, 3.1, 4.6)[at % 4]),
    "leads off": lambda raw, at: with_values(
        with_values(raw, slice(at, at + 6), c.VOLTAGE, 0.03), slice(at, at + 6), c.CURRENT, 0.0
    ),
    "leads at the limit": lambda raw, at: with_values(raw, slice(at, at + 6), c.VOLTAGE, 5.0),
    "contact": lambda raw, at: with_values(raw, slice(at, at + 90), c.VOLTAGE, raw[c.VOLTAGE][at : at + 90] + 0.03),
    "wrong step": lambda raw, at: with_values(raw, slice(at, at + 1 + at % 5), c.STEP_ID, 40.0 + at % 3),
    "wrong cycle": lambda raw, at: with_values(raw, slice(at, at + 1 + at % 5), c.CYCLE_ID, 9.0),
    "copy": lambda raw, at: reordered(raw, np.insert(np.arange(len(raw)), at, at)),
    "two versions": lambda raw, at: with_values(
        reordered(raw, np.insert(np.arange(len(raw)), at, at)), at + at % 2, c.VOLTAGE, raw[c.VOLTAGE][at] + 0.03
    ),
    "swap": lambda raw, at: reordered(raw, [*range(at), at + 1, at, *range(at + 2, len(raw))]),
    "restart": lambda raw, at: with_values(raw, slice(at, None), c.TEST_TIME, raw[c.TEST_TIME][at:] - 5000.0),
    "zero time": lambda raw, at: with_values(raw, at, c.TEST_TIME, 0.0),
    "clock set back": lambda raw, at: with_values(raw, slice(at, None), c.UNIX_TIME, raw[c.UNIX_TIME][at:] - 3600.0),
    "restart, no clock": lambda raw, at: with_values(
        raw.assign(**{c.UNIX_TIME: np.nan}),
        slice(at, None),
        c.TEST_TIME,
        raw[c.TEST_TIME][at:] - raw[c.TEST_TIME][at:].dropna().iloc[0],
    ),
    "late block": lambda raw, at: reordered(
        raw, [*range(at), *range(at + 50, at + 90), *range(at, at + 50), *range(at + 90, len(raw))]
    ),
    "copied block": lambda raw, at: reordered(raw, [*range(at + 60), *range(at, at + 40), *range(at + 60, len(raw))]),
    "power cut": lambda raw, at: reordered(raw, [*range(at), *range(min(at + 80, len(raw) - 1), len(raw))]),
    "unplugged": lambda raw, at: with_values(raw, slice(at, at + 7), c.SURFACE_TEMPERATURE, -2500.0),
    "thermocouple off": lambda raw, at: with_values(raw, slice(at, at + 7), c.SURFACE_TEMPERATURE, 70.0),
    "voltage stuck": lambda raw, at: with_values(raw, slice(at, at + 150), c.VOLTAGE, raw[c.VOLTAGE][at]),
    "impedance": lambda raw, at: raw.assign(**{c.STATE: raw[c.STATE].where(~raw.index.isin(range(at, at + 9)), "EIS")}),
}


WHATEVER = given(
    st.lists(st.tuples(st.sampled_from(sorted(DAMAGES)), st.integers(3, N - 200)), max_size=6),
    st.booleans(),
    st.sampled_from([None, 2.0]),
)


@settings(max_examples=50, deadline=None)
@WHATEVER
@example([("current hole", 118), ("leads off", 121)], False, None)  # a lone row under current between two holes
@example([("time hole", 3), ("restart, no clock", 3)], False, None)
@example([("copied block", 1004), ("clock set back", 1071)], True, 2.0)  # both clocks fall at one row
@example([("copied block", 82), ("leads off", 117)], True, None)  # currents of two versions in turn
@example([("power cut", 627), ("spike", 181), ("power cut", 1003)], True, 2.0)  # the spike is in the gap's evidence
def test_whatever_happened_no_row_is_lost_and_cleaning_is_idempotent(
    damages: list[tuple[str, int]], numbers: bool, capacity_ah: float | None
) -> None:
    assert_no_row_is_lost(damages, numbers, capacity_ah)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@WHATEVER
def test_whatever_happened_in_many_records_no_row_is_lost(
    damages: list[tuple[str, int]], numbers: bool, capacity_ah: float | None
) -> None:
    assert_no_row_is_lost(damages, numbers, capacity_ah)


def assert_no_row_is_lost(damages: list[tuple[str, int]], numbers: bool, capacity_ah: float | None) -> None:
    raw = RAW if numbers else RAW.assign(**{c.STEP_ID: np.nan, c.CYCLE_ID: np.nan})
    for name, at in damages:
        raw = DAMAGES[name](raw, min(at, len(raw) - 200))  # power cuts make it shorter
    asked = CleanSettings(nominal_capacity_ah=capacity_ah)
    result = clean(raw, "CELL", asked)
    rows = [*result.samples[c.SOURCE_ROW], *result.quarantined[c.SOURCE_ROW]]
    assert sorted(rows) == list(range(len(raw)))
    assert result.report.rows_in == result.report.rows_kept + result.report.rows_quarantined == len(raw)
    assert (np.diff(result.samples[c.TEST_TIME]) > 0.0).all()
    assert result.samples[c.TEST_TIME][0] == 0.0
    for column in (c.CYCLE_COUNT, c.STEP_COUNT):
        assert result.samples[column][0] == 1
        assert set(np.diff(result.samples[column])) <= {0, 1}
    summaries = summarise_cycles(result.samples)
    assert sum(cycle.charge_in_ah for cycle in summaries) == pytest.approx(result.report.charge_in_after_ah)
    assert_idempotent(result, asked)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["voltage hole", "spike", "copy", "swap", "two versions", "wrong step",
                                          "wrong cycle", "zero time", "clock set back", "copied block", "late block"]),
                          st.integers(3, N - 200)), max_size=5))  # fmt: skip
def test_what_is_not_flagged_is_as_it_was(damages: list[tuple[str, int]]) -> None:
    raw = RAW
    for name, at in damages:
        raw = DAMAGES[name](raw, at)
    samples = clean(raw, "CELL", CleanSettings()).samples
    untouched = samples[samples[c.FLAGS] == 0]
    rows = untouched[c.SOURCE_ROW].to_numpy()
    for column in (c.TEST_TIME, c.UNIX_TIME, c.VOLTAGE, c.CURRENT, c.SURFACE_TEMPERATURE, c.STEP_ID, c.CYCLE_ID):
        np.testing.assert_array_equal(untouched[column], raw[column].to_numpy()[rows], err_msg=column)


@pytest.mark.parametrize("name", ["voltage hole", "current hole", "spike", "copy", "swap", "two versions", "restart"])
def test_charge_and_time_are_as_if_nothing_had_happened(name: str) -> None:
    whole = clean(RAW, "CELL", CleanSettings()).report
    raw = RAW
    for at in (66, 210, 530):
        raw = DAMAGES[name](raw, at)
    mended = clean(raw, "CELL", CleanSettings()).report
    for field in ("charge_in_after_ah", "charge_out_after_ah", "time_span_after_second"):
        assert getattr(mended, field) == pytest.approx(getattr(whole, field), rel=1e-6), field
    assert (mended.cycles_after, mended.steps_after) == (2, 10)


def test_findings_say_where_in_the_file_and_in_the_test() -> None:
    raw = with_values(RAW, 1000, c.VOLTAGE, 9.9999)
    (found,) = findings(clean(raw, "CELL", CleanSettings()), "voltage_spike")
    assert (found.source_index, found.source_row, found.cycle_count, found.step_count) == (0, 1000, 2, 7)
    assert (found.before, found.action, found.severity) == ("9.9999 V", "interpolated", "warning")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (RAW.iloc[:0], "no_samples"),
        (RAW.iloc[:1], "no_samples"),
        (RAW.assign(**{c.VOLTAGE: np.nan}), "no_voltage"),
        (RAW.assign(**{c.CURRENT: np.nan}), "no_current"),
        (RAW.assign(**{c.TEST_TIME: np.nan, c.UNIX_TIME: np.nan}), "no_time"),
        (RAW.iloc[[5, 5, 5]], "no_samples"),
    ],
)
def test_what_cannot_be_used_fails_with_a_reason(raw: pd.DataFrame, code: str) -> None:
    with pytest.raises(JobError, match="cell 'CELL 7'") as caught:
        clean(raw, "CELL 7", CleanSettings())
    assert caught.value.code == code


def test_the_smallest_record() -> None:
    result = clean(RAW.iloc[[0, 1]], "CELL", CleanSettings())
    assert len(result.samples) == 2
    assert result.report.steps_after == 1
