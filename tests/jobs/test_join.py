"""Files of one cell are joined in time order, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.jobs.record.join_sources import Joined, join_sources
from numpy.typing import NDArray


def raw(first: float, last: float, test_first: float = 0.0) -> pd.DataFrame:
    times = np.linspace(first, last, 5)
    columns = {c.UNIX_TIME: times, c.TEST_TIME: times - first + test_first, c.CURRENT: times, c.VOLTAGE: 3.7}
    return pd.DataFrame({**columns, c.SOURCE_INDEX: 0, c.SOURCE_ROW: range(5)})


def unwalled(first: float, last: float) -> pd.DataFrame:
    """A file that has only the cycler's own clock."""
    return raw(first, last, first).assign(**{c.UNIX_TIME: np.nan})


def test_files_that_continue_each_other_are_joined_in_time_order() -> None:
    joined = join_sources([("b.csv", raw(100, 200)), ("a.csv", raw(201, 300))]).frame
    assert joined[c.UNIX_TIME].is_monotonic_increasing
    assert list(joined[c.SOURCE_INDEX]) == [0] * 5 + [1] * 5
    later_name_first = join_sources([("a.csv", raw(201, 300)), ("b.csv", raw(100, 200))]).frame
    pd.testing.assert_frame_equal(joined, later_name_first)


def test_files_that_overlap_are_refused_by_name() -> None:
    with pytest.raises(JobError, match=r"a.csv and b.csv hold the same cell over the same 1.00 h") as caught:
        join_sources([("b.csv", raw(3600, 10_000)), ("a.csv", raw(0, 7200))])
    assert caught.value.code == "sources_overlap"


def test_test_times_that_run_on_tell_the_order() -> None:
    joined = join_sources([("a.csv", unwalled(1000, 2000)), ("b.csv", unwalled(0, 1000))]).frame
    assert joined[c.TEST_TIME].is_monotonic_increasing
    with pytest.raises(JobError, match=r"a.csv and b.csv hold the same cell over the same 0.14 h"):
        join_sources([("a.csv", unwalled(0, 1000)), ("b.csv", unwalled(500, 1500))])


def test_files_that_each_start_at_zero_are_joined_by_name() -> None:
    joined = join_sources([("2.csv", unwalled(0, 500)), ("1.csv", unwalled(0, 1000))]).frame
    assert list(joined[c.TEST_TIME])[4] == 1000
    assert list(joined[c.SOURCE_INDEX]) == [0] * 5 + [1] * 5


def test_a_copy_under_another_name_counts_once() -> None:
    """A copy adds nothing, so the other files of the cell are cleaned; before, the whole cell was refused."""
    original, copy = ("1.csv", unwalled(0, 1000)), ("copy of 1.csv", unwalled(0, 1000))
    joined = join_sources([copy, original, ("2.csv", unwalled(1000, 1500))])
    assert (joined.order, len(joined.table)) == ((1, 2), 10)
    assert "copy of 1.csv is a copy of 1.csv" in notes(joined)[0]
    assert joined.notes[0].severity == "warning"
    assert join_sources([original, copy], ["ab", "ab"]).notes[0].severity == "info"


def notes(joined: Joined) -> list[str]:
    return [f"{note.before}; {note.after}; {note.action}" for note in joined.notes]


def warnings(joined: Joined) -> list[str]:
    return [note.after for note in joined.notes if note.severity == "warning"]


def test_a_clock_in_some_files_only_needs_other_evidence() -> None:
    """Test times that go on show the order of all files; only the names would be a guess against the wall clock."""
    assert join_sources([("1.csv", raw(0, 1000)), ("2.csv", unwalled(1000, 2000))]).order == (0, 1)
    with pytest.raises(JobError, match=r"only some of 1.csv, 2.csv have a wall clock"):
        join_sources([("1.csv", raw(0, 1000)), ("2.csv", unwalled(0, 2000))])


def part(
    hours: float = 1.0, volt: tuple[float, float] = (3.7, 3.7), numbers: Mapping[str, NDArray[Any]] | None = None
) -> pd.DataFrame:
    """A file whose test time begins at zero, at rest at both ends.

    Args:
        volt: V, at the beginning and at the end.
        numbers: further columns.
    """
    time = np.linspace(0.0, 3600.0 * hours, 9)
    current = np.array([0, 0, 1, 1, 1, -1, -1, 0, 0.0])
    columns = {c.UNIX_TIME: np.nan, c.TEST_TIME: time, c.CURRENT: current, c.VOLTAGE: np.linspace(*volt, 9)}
    return pd.DataFrame({**columns, **(numbers or {}), c.SOURCE_INDEX: 0, c.SOURCE_ROW: range(9)})


def test_parts_are_joined_in_the_natural_order_of_their_names_which_is_a_guess() -> None:
    volts = np.linspace(3.6, 3.7, 13)
    tables = [
        (f"part{k}.csv", part(1 + 0.1 * k, (volts[k - 1], volts[k]))) for k in (1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9)
    ]
    joined = join_sources(tables)
    assert [tables[i][0] for i in joined.order] == [f"part{k}.csv" for k in range(1, 13)]
    assert warnings(joined) == ["only the names of the files shows their order"]


def test_cycle_numbers_that_go_on_show_the_order_against_the_names() -> None:
    tables = [
        (name, part(h, numbers={c.CYCLE_ID: np.repeat(np.arange(first, first + 3), 3)}))
        for name, h, first in [("a", 1, 4), ("b", 2, 1), ("c", 3, 7)]
    ]
    joined = join_sources(tables)
    assert joined.order == (1, 0, 2)
    assert warnings(joined) == []
    assert "by the cycle numbers" in notes(joined)[0]


def test_numbers_that_go_on_confirm_the_order_of_names_although_some_files_begin_alike() -> None:
    starts = {1: 1, 2: 1, 10: 2, 11: 3, 12: 3}
    ends = {1: 1, 2: 2, 10: 3, 11: 3, 12: 4}
    tables = [
        (f"p{k}", part(1 + 0.1 * k, numbers={c.STEP_ID: np.repeat([starts[k], ends[k]], [4, 5])}))
        for k in (1, 10, 11, 12, 2)
    ]
    joined = join_sources(tables)
    assert [tables[i][0] for i in joined.order] == ["p1", "p2", "p10", "p11", "p12"]
    assert warnings(joined) == []
    assert "the names of the files, with step numbers that go on" in notes(joined)[0]


def test_dates_in_names_show_the_order() -> None:
    names = ["X1_11_2_10", "X1_8_17_10", "X1_1_10_11", "X1_10_15_10"]
    joined = join_sources([(f"{name}.xlsx", part(1 + k)) for k, name in enumerate(names)])
    assert [names[i] for i in joined.order] == ["X1_8_17_10", "X1_10_15_10", "X1_11_2_10", "X1_1_10_11"]
    assert "month, day, year" in notes(joined)[0]


def test_the_voltage_orders_files_whose_names_have_no_numbers() -> None:
    tables = [("charge", part(1, (3.0, 4.1))), ("discharge", part(2, (4.1, 3.2))), ("formation", part(3, (3.8, 3.0)))]
    joined = join_sources(tables)
    assert joined.order == (2, 0, 1)
    assert warnings(joined) == ["the voltage at the joins shows their order"]


def test_files_that_do_not_continue_each_other_are_reported_with_both_names() -> None:
    first, second = (
        raw(0, 1000).assign(**{c.VOLTAGE: 4.1, c.CURRENT: 0.0}),
        raw(2000, 3000).assign(**{c.VOLTAGE: 3.2, c.CURRENT: 0.0}),
    )
    (doubt,) = warnings(join_sources([("a.csv", first), ("b.csv", second)]))
    assert "4.100 V at the end of a.csv to 3.200 V at the beginning of b.csv" in doubt


def test_numbered_names_against_the_wall_clock_are_reported() -> None:
    (doubt,) = warnings(join_sources([("a1.csv", raw(2000, 3000)), ("a2.csv", raw(0, 1000))]))
    assert "the names show the order a1.csv, a2.csv" in doubt


def test_several_runs_of_one_cell_join_by_name_and_test_time() -> None:
    files = {"a1": (0, 100), "a2": (100, 250), "b1": (0, 80), "b2": (80, 90)}
    tables = [(name, unwalled(*span)) for name, span in files.items()]
    assert join_sources(tables[::-1]).order == (3, 2, 1, 0)
    with pytest.raises(JobError, match="in no order that fits the names"):
        join_sources([*tables, ("c.csv", unwalled(85, 300))])


@pytest.mark.parametrize(("date", "joined"), [("2023-10-29 02:50", True), ("2023-10-28 02:50", False)])
def test_a_computer_clock_that_goes_back_an_hour_is_no_second_cell(date: str, joined: bool) -> None:
    end = pd.Timestamp(date, tz="UTC").timestamp()
    tables = [("a.csv", raw(end - 50_000, end)), ("b.csv", raw(end + 100 - 3600, end + 40_000))]
    if joined:
        assert join_sources(tables).order == (0, 1)
        assert warnings(join_sources(tables)) == ["the wall clocks of a.csv and b.csv overlap by 3500 s"]
    else:
        with pytest.raises(JobError, match=r"over the same 0\.97 h"):
            join_sources(tables)


def test_one_wrong_stamp_does_not_make_files_overlap() -> None:
    later = (
        pd.concat([raw(2000, 3000)] * 20).assign(**{c.UNIX_TIME: np.linspace(2000, 3000, 100)}).reset_index(drop=True)
    )
    later.loc[50, c.UNIX_TIME] = -1e9
    assert join_sources([("a.csv", raw(0, 1000)), ("b.csv", later)]).order == (0, 1)


def test_a_summary_beside_a_record_is_left_out_and_alone_it_is_refused() -> None:
    cycles = np.arange(1.0, 10.0)
    summary = part(200, numbers={c.CYCLE_ID: cycles})
    joined = join_sources([("A.csv", part(1)), ("A_summary.csv", summary)])
    assert (joined.order, joined.notes[0].action) == ((0,), "left out")
    with pytest.raises(JobError, match="one row for each step or cycle") as caught:
        join_sources([("A_summary.csv", summary)])
    assert caught.value.code == "not_a_record"
