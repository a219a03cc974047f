"""Selections of cycles: what they say, which cycles they name, and what is no selection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.codec import from_json, to_json
from kilocell.data.cycle_selection import WHOLE_RECORD, CycleSelection, format_ranges, parse_selection

TEN = range(1, 11)


@pytest.mark.parametrize(
    ("text", "chosen", "missing"),
    [
        ("all", tuple(TEN), ()),
        ("1-3, 7, last", (1, 2, 3, 7, 10), ()),
        ("every 4", (1, 5, 9), ()),
        ("8-last", (8, 9, 10), ()),
        ("Last", (10,), ()),
        ("2 - 3,2", (2, 3), ()),
        ("9-12, 400", (9, 10), (11, 12, 400)),
        ("50-last", (), (50,)),
    ],
)
def test_a_selection_names_cycles_of_a_record(text: str, chosen: tuple[int, ...], missing: tuple[int, ...]) -> None:
    assert parse_selection(text).split_cycles(TEN) == (chosen, missing)


def test_cycles_that_the_numbers_skip_are_missing() -> None:
    assert parse_selection("1-4, last").split_cycles([1, 2, 4, 8]) == ((1, 2, 4, 8), (3,))
    assert parse_selection("every 2, last").split_cycles([1, 2, 4, 8]) == ((1, 8), (3, 5, 7))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lst", 'did you mean "last"?'),
        ("5-1", 'did you mean "1-5"?'),
        ("evry 20", 'did you mean "every 20"?'),
        ("cycle 3", 'did you mean "3"?'),
        ("1-3, all", '"all" cannot be combined'),
        ("0", "counted from 1"),
        ("every 0", "counted from 1"),
        ("", 'such as "1-5, 100, last"'),
        ("1.5", "counted from 1"),
        ("-1", 'did you mean "1"?'),
    ],
)
def test_what_is_no_selection_is_told_the_nearest_right_form(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="must be cycles") as caught:
        parse_selection(text)
    assert words in str(caught.value)


_ENDS = st.tuples(st.integers(1, 500), st.integers(0, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(ranges=st.sets(_ENDS, max_size=5), every=st.integers(0, 100), last=st.booleans())
def test_a_selections_text_is_that_selection(ranges: set[tuple[int, int]], every: int, last: bool) -> None:
    selection = CycleSelection(tuple(sorted(ranges)), every, last)
    assert parse_selection(selection.text) == selection
    assert from_json(CycleSelection, to_json(selection)) == selection
    assert selection.whole == (selection == WHOLE_RECORD)


@given(cycles=st.sets(st.integers(1, 60)))
def test_numbers_as_ranges_are_those_numbers(cycles: set[int]) -> None:
    text = format_ranges(cycles)
    assert (parse_selection(text).split_cycles(cycles)[0] if text else ()) == tuple(sorted(cycles))
