"""What the names of files say."""

from __future__ import annotations

import random
import re

import pytest
from kilocell.data.file_names import (
    are_dated_folders,
    dates_in_names,
    folder_ids,
    has_summary_name,
    natural_key,
    part_numbers,
    short_names,
)


@pytest.mark.parametrize(
    "names",
    [
        ["p.csv", "p_1.csv", "p_2.csv", "p_10.csv", "p_11.csv"],
        ["1.csv", "2.csv", "010.csv", "11.csv"],
        ["Cell A part 9.xlsx", "cell a part 10.xlsx", "Cell A part 100.xlsx"],
        ["w1_d2.csv", "w1_d10.csv", "w2_d1.csv"],
        ["a/x2.csv", "a/x10.csv", "b/x1.csv"],
        ["run.001", "run.002", "run.010"],
    ],
)
def test_names_sort_as_people_do(names: list[str]) -> None:
    mixed = names.copy()
    random.Random(1).shuffle(mixed)
    assert sorted(mixed, key=natural_key) == names


def test_part_numbers_are_the_only_difference() -> None:
    assert part_numbers(["a_1.csv", "a_10.csv", "a_2.csv"]) == (1, 10, 2)
    assert part_numbers(["a_1.csv", "b_2.csv"]) is None
    assert part_numbers(["a_1.csv", "a_01.csv"]) is None
    assert part_numbers(["a1_1.csv", "a2_2.csv"]) is None


@pytest.mark.parametrize(
    ("names", "words", "first"),
    [
        (["CS2_35_10_15_10.xlsx", "CS2_35_8_17_10.xlsx"], "month, day, year", (2010, 10, 15)),
        (["C 2023-04-01.csv", "C 2023-03-31.csv"], "year, month, day", (2023, 4, 1)),
        (["20230401_C.csv", "20230331_C.csv"], "year, month, day", (2023, 4, 1)),
        (["C_31.12.2022.csv", "C_01.02.2023.csv"], "day, month, year", (2022, 12, 31)),
        (["C_230401_1530.csv", "C_230401_0930.csv"], "year, month, day", (2023, 4, 1)),
    ],
)
def test_dates_in_names(names: list[str], words: str, first: tuple[int, int, int]) -> None:
    found = dates_in_names(names)[0]
    assert found.words == words
    assert (found.dates[0].year, found.dates[0].month, found.dates[0].day) == first


def test_names_without_dates_or_with_one_date_have_none() -> None:
    assert dates_in_names(["cell_1", "cell_2"]) == ()
    assert dates_in_names(["2023-04-01_A", "2023-04-01_B"]) == ()
    assert dates_in_names(["2023-04-01_A", "B"]) == ()


def test_ambiguous_dates_come_in_every_reading() -> None:
    assert [dates.words for dates in dates_in_names(["a_03_04_2023", "a_04_05_2023"])] == [
        "month, day, year",
        "day, month, year",
    ]


def test_short_names_differ() -> None:
    assert short_names(["/d/a/x.csv", "/d/a/y.csv"]) == ("x.csv", "y.csv")
    assert short_names(["/d/a/x.csv", "/d/b/x.csv"]) == ("a/x.csv", "b/x.csv")


@pytest.mark.parametrize(
    ("paths", "others", "ids"),
    [
        (["/d/a/x.csv", "/d/b/x.csv"], [], ["a", "b"]),
        (["/d/a/raw/x.csv", "/d/b/raw/x.csv"], [], ["a", "b"]),
        (["/d/a/1/x.csv", "/d/a/2/x.csv", "/d/b/1/x.csv"], [], ["a/1", "a/2", "b/1"]),
        (["/d/a/x.csv", "/d/b/x.csv"], ["/d/a/y.csv"], ["a/x", "b/x"]),
        (["/d/a/x.1.csv.gz", "/d/b/x.1.csv.gz"], ["/d/a/y.csv"], ["a/x.1", "b/x.1"]),
    ],
)
def test_files_of_one_name_are_named_after_their_folders(paths: list[str], others: list[str], ids: list[str]) -> None:
    rules = folder_ids(paths, others)
    found = [re.search(rules[path].removeprefix("pattern:"), path) for path in paths]
    assert [match["cell_id"] for match in found if match] == ids


def test_folders_of_dates_are_parts_of_one_cell() -> None:
    assert are_dated_folders(["/d/2023-01-05/x.csv", "/d/2023-02-05/x.csv"])
    assert not are_dated_folders(["/d/cell1/x.csv", "/d/cell2/x.csv"])


def test_summaries_have_names() -> None:
    assert all(map(has_summary_name, ["A_summary.csv", "Statistics-A.csv", "a-stats.txt", "Acycle_lives.csv"[1:]]))
    assert not any(map(has_summary_name, ["A.csv", "static_test.csv", "status.csv", "cycle_data.csv"]))
