"""Medians of groups are those of pandas, in any order and with missing values; tables give and share what frames do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.jobs.record.groups import LONG_GROUP, group_medians, number_groups
from kilocell.jobs.record.table import Table


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
