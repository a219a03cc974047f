"""Cycles as users write them, and errors that name the cycles there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.errors import UsageError
from kilocell.report.select import check_cycles, format_cycles, parse_known_cycles


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("1", (1,)),
        ("1-3", (1, 2, 3)),
        ("1-3, 5, last", (1, 2, 3, 5, 7)),
        ("last", (7,)),
        ("6-last", (6, 7)),
        ("5,1,5", (1, 5)),
        (" 2 - 3 ", (2, 3)),
        ("LAST", (7,)),
        ("3-3", (3,)),
        ("every 3", (1, 4, 7)),
        ("all", (1, 2, 3, 4, 5, 6, 7)),
    ],
)
def test_cycles_are_read(text: str, cycles: tuple[int, ...]) -> None:
    assert parse_known_cycles(text, range(1, 8)) == cycles


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8", "there is no cycle 8: the cell has cycles 1-4, 7"),
        ("0", '"0" is not a cycle number'),
        ("1-99999999999999", '"1-99999999999999" is not'),
        ("5-7", "there is no cycle 5"),
        ("3-1", 'runs backwards (did you mean "1-3"?)'),
        ("", 'cannot read cycles ""'),
        ("1,,2", 'cannot read cycles "1,,2"'),
        ("one", 'such as "1-5, 100, last", "every 50" or "all", counted from 1; "one" is not valid'),
        ("-1", "cannot read"),
        ("1.5", "cannot read"),
        ("²", "cannot read"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_known_cycles(text, (1, 2, 3, 4, 7))
    assert said in str(raised.value)
    assert "1-4, 7" in str(raised.value)


def test_a_cell_without_cycles_says_so() -> None:
    with pytest.raises(UsageError, match="the cell has no cycles"):
        parse_known_cycles("last", ())


@given(st.sets(st.integers(1, 60), min_size=1))
def test_words_are_read_back(cycles: set[int]) -> None:
    words = format_cycles(tuple(cycles))
    assert parse_known_cycles(words.replace("+", ","), tuple(sorted(cycles))) == tuple(sorted(cycles))


def test_words_are_short() -> None:
    assert format_cycles((1, 2)) == "1-2"
    assert format_cycles((5, 1, 2, 3)) == "1-3+5"
    assert format_cycles(range(1, 1001)) == "1-1000"


def test_known_cycles_pass() -> None:
    check_cycles((1, 4), (1, 2, 3, 4))


def test_steps_are_sent_to_the_other_option() -> None:
    with pytest.raises(UsageError, match='for this, give --select "cycle 2, rest" instead of --cycles'):
        parse_known_cycles("cycle 2, rest", (1, 2))
