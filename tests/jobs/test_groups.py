"""Medians of groups are those of pandas, in any order and with missing values; tables give and share what frames do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.jobs.record.groups import (
    LONG_GROUP,
    count_numbers,
    first_of_runs,
    group_medians,
    medians_around,
    number_groups,
    run_of_each,
)
from kilocell.jobs.record.table import Table, Words


@pytest.mark.parametrize("rows_per_group", [1, 3, 4 * LONG_GROUP])
@pytest.mark.parametrize("in_order", [True, False])
def test_medians_are_those_of_pandas(rows_per_group: int, in_order: bool) -> None:
    generator = np.random.default_rng(rows_per_group)
    groups = 9
    group = generator.integers(0, groups, groups * rows_per_group)
    group[group == 4] = 5  # a group without values
    if in_order:
        group = np.sort(group)
    values = generator.normal(0.0, 1.0, len(group)).round(1)
    values[generator.random(len(group)) < 0.2] = np.nan
    expected = pd.Series(values).groupby(group).median().reindex(range(groups)).to_numpy()
    np.testing.assert_array_equal(group_medians(group, values, groups), expected)


@pytest.mark.parametrize(("width", "least"), [(7, 1), (31, 15)])
def test_medians_around_rows_are_those_of_a_rolling_window(width: int, least: int) -> None:
    generator = np.random.default_rng(width)
    for rows in (1, 5, 200):
        values = generator.normal(0.0, 1.0, rows).round(1)
        values[generator.random(rows) < 0.4] = np.nan
        expected = pd.Series(values).rolling(width, center=True, min_periods=least).median().to_numpy()
        some = np.flatnonzero(generator.random(rows) < 0.7)
        np.testing.assert_array_equal(medians_around(values, some, width, least), expected[some])


@pytest.mark.parametrize("column", [[], [3], [3, 3, 4, 4, 9], [3, 1, 1, 3], [1.0, np.nan, np.nan, 2.0]])
def test_runs_of_one_value(column: list[float]) -> None:
    values = np.array(column)
    begins = np.diff(values, prepend=np.nan) != 0
    np.testing.assert_array_equal(first_of_runs(values), np.flatnonzero(begins))
    np.testing.assert_array_equal(run_of_each(values), np.cumsum(begins) - 1)
    if not np.isnan(values).any():
        assert count_numbers(values) == len(np.unique(values))


def test_groups_are_numbered_in_the_order_of_their_keys() -> None:
    np.testing.assert_array_equal(number_groups(np.array([2.0, 2.0, 5.0, 7.0, 7.0])), [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(number_groups(np.array([7, 2, 7, 5])), [2, 0, 2, 1])
    assert len(number_groups(np.empty(0))) == 0


def test_a_table_gives_rows_and_columns_as_a_frame_does() -> None:
    frame = pd.DataFrame({"number": [1.0, 2.0, 3.0], "word": ["a", "", "c"]}, index=[4, 5, 6])
    table = Table.from_frame(frame)
    changed = table.assign(number=table["number"] + 1.0, other=0.5)
    pd.testing.assert_frame_equal(changed.to_frame(), frame.assign(number=frame["number"] + 1.0, other=0.5))
    pd.testing.assert_frame_equal(table.to_frame(), frame)
    assert changed["word"] is table["word"]
    mask = np.array([True, False, True])
    pd.testing.assert_frame_equal(table.rows(mask).to_frame(), frame[mask])
    pd.testing.assert_frame_equal(table.rows(np.array([2, 0])).to_frame(), frame.iloc[[2, 0]])


def test_a_table_calculates_once_until_a_column_changes() -> None:
    calls: list[float] = []

    def total(table: Table, factor: float) -> float:
        calls.append(factor)
        return float(factor * table["ampere"].sum())

    table = Table.from_columns({"ampere": np.array([1.0, 2.0]), "volt": np.array([3.0, 4.0])})
    assert [table.once(total, ("ampere",), 2.0), table.assign(volt=0.0).once(total, ("ampere",), 2.0)] == [6.0, 6.0]
    assert table.once(total, ("ampere",), 3.0) == 9.0
    assert table.assign(ampere=1.0).once(total, ("ampere",), 2.0) == 4.0
    assert table.rows(slice(1)).once(total, ("ampere",), 2.0) == 2.0
    assert table.once(total, ("ampere",), 2.0) == 6.0
    assert len(calls) == 5


def test_words_are_the_texts_that_they_stand_for() -> None:
    texts = pd.array(["CHA", "", "PAU", "CHA"], dtype="str")
    words = Words.from_texts(texts)
    some = np.array([3, 1])
    assert (words.words, words[2], words[1], len(words)) == (("CHA", "", "PAU"), "PAU", "", 4)
    pd.testing.assert_extension_array_equal(words.texts(), texts)
    pd.testing.assert_extension_array_equal(words[some].texts(), texts[some])
    none = Words.from_texts(pd.array(["", ""], dtype="str"))
    assert (none.words, none.codes.tolist(), none[0], list(none.texts())) == ((), [-1, -1], "", ["", ""])
