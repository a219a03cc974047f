"""The selection language: what it says, and what is no selection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.codec import from_json, to_json
from kilocell.data.columns import STEP_TYPES
from kilocell.data.cycle_selection import CycleSelection, parse_selection
from kilocell.data.step_selection import SelectedPart, StepKind, StepSelection, TimeWindow, parse_select

LAST = CycleSelection((), 0, True)


def numbers(text: str) -> CycleSelection:
    return parse_selection(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cycle 2, discharge", SelectedPart(numbers("2"), kinds=(StepKind("discharge"),))),
        ("2, discharge", SelectedPart(numbers("2"), kinds=(StepKind("discharge"),))),
        ("step 14-16", SelectedPart(steps=numbers("14-16"))),
        ("Steps 14 to 16, 20, last", SelectedPart(steps=numbers("14-16, 20, last"))),
        ("cycle every 50, discharge", SelectedPart(numbers("every 50"), kinds=(StepKind("discharge"),))),
        ("cycle 1-3, step id 5", SelectedPart(numbers("1-3"), step_ids=numbers("5"))),
        ("step ids 5-7, 9", SelectedPart(step_ids=numbers("5-7, 9"))),
        (
            "cycle last, discharge, first 600 s",
            SelectedPart(LAST, kinds=(StepKind("discharge"),), window=TimeWindow(0.0, 600.0)),
        ),
        ("step type discharge", SelectedPart(kinds=(StepKind("discharge"),))),
        ("type rest and hold", SelectedPart(kinds=(StepKind("rest"), StepKind("hold")))),
        ("last discharge", SelectedPart(kinds=(StepKind("discharge", LAST),))),
        ("first discharge", SelectedPart(kinds=(StepKind("discharge", numbers("1")),))),
        ("2nd discharge", SelectedPart(kinds=(StepKind("discharge", numbers("2")),))),
        ("every 3rd charge", SelectedPart(kinds=(StepKind("charge", numbers("every 3")),))),
        ("discharges 2, 4", SelectedPart(kinds=(StepKind("discharge", numbers("2, 4")),))),
        ("pulse, 2-20 s", SelectedPart(kinds=(StepKind("pulse"),), window=TimeWindow(2.0, 20.0))),
        ("pulse, from 2 s to 10 min", SelectedPart(kinds=(StepKind("pulse"),), window=TimeWindow(2.0, 600.0))),
        ("rest, after 0.5 h", SelectedPart(kinds=(StepKind("rest"),), window=TimeWindow(1800.0))),
        ("rest, last 10 minutes", SelectedPart(kinds=(StepKind("rest"),), window=TimeWindow(last_second=600.0))),
        ("cycle 3, first 2 h", SelectedPart(numbers("3"), window=TimeWindow(0.0, 7200.0))),
    ],
)
def test_conditions_are_read(text: str, part: SelectedPart) -> None:
    assert parse_select(text) == StepSelection((part,))


@pytest.mark.parametrize("text", ["1-5, 100, last", "every 50", "all", "10-last"])
def test_texts_of_cycles_mean_the_same(text: str) -> None:
    assert parse_select(text) == parse_selection(text)
    if text != "all":
        assert parse_select(f"cycle {text}") == parse_selection(text)


def test_parts_add_up() -> None:
    first, second = SelectedPart(steps=numbers("3")), SelectedPart(numbers("5"), kinds=(StepKind("charge"),))
    assert parse_select("step 3; cycle 5, charge") == StepSelection((first, second))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cycle 2, dischrge", '"dischrge" is not valid (did you mean "discharge"?)'),
        ("cycel 3, rest", 'did you mean "cycle 3"?'),
        ("stp 4-9", 'did you mean "step 4-9"?'),
        ("cycle 3 discharge", 'did you mean "cycle 3, discharge"?'),
        ("discharge first 600 s", 'did you mean "discharge, first 600 s"?'),
        ("cycle 2 discharge after 10 min", 'did you mean "cycle 2, discharge, after 10 min"?'),
        ("discharge 60-600 s", 'did you mean "discharge, 60-600 s"?'),
        ("cycle 1-3 last 1 h", 'did you mean "cycle 1-3, last 1 h"?'),
        ("charge from 60 to 600 s", 'did you mean "charge, from 60 to 600 s"?'),
        ("discharge or rest", 'did you mean "discharge, rest"?'),
        ("step type dischage", 'a type is one of charge, discharge, rest, hold, pulse (did you mean "discharge"?)'),
        ("step 9-4", 'did you mean "4-9"?'),
        ("step 4..9", 'did you mean "step 4-9"?'),
        ("step 0", '"0" is less than 1'),
        ("step", '"step" needs a number'),
        ("step id last", "a step id is a number of the schedule"),
        ("rest, first 600", 'a window of time needs a unit: s, min or h (did you mean "first 600 s"'),
        ("rest, first 600 sce", 'did you mean "first 600 sec"?'),
        ("rest, 600-60 s", "the window ends before it begins"),
        ("rest, first 60 s, after 9 s", "one window of time is enough"),
        ("rest, first 0 s", "longer than 0"),
        ("cycle 2, all", "cannot be combined"),
        ("cycle 2; all", "cannot be combined"),
        ("nonsense", "known words are cycle, step"),
        ("", 'such as "cycle 2, discharge"'),
        ("1.5", 'such as "cycle 2, discharge"'),
    ],
)
def test_what_is_no_selection_is_told_the_nearest_valid_form(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="must be a selection such as") as caught:
        parse_select(text)
    assert words in str(caught.value)


RANGES = st.sets(
    st.tuples(st.integers(1, 500), st.integers(0, 50)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=3,
).map(lambda ranges: tuple(sorted(ranges)))
NUMBERS = st.builds(CycleSelection, RANGES, st.integers(0, 9), st.booleans())
IDS = st.builds(CycleSelection, RANGES)
WINDOWS = st.one_of(
    st.none(),
    st.builds(TimeWindow, st.just(0.0), st.integers(1, 9999).map(float)),
    st.builds(TimeWindow, st.integers(1, 50).map(lambda n: n / 4), st.integers(100, 200).map(float)),
    st.builds(TimeWindow, st.integers(0, 50).map(float)),
    st.builds(TimeWindow, last_second=st.integers(1, 50).map(float)),
)
KINDS = st.dictionaries(st.sampled_from(STEP_TYPES), NUMBERS).map(
    lambda kinds: tuple(StepKind(name, kinds[name]) for name in STEP_TYPES if name in kinds)
)


@given(st.lists(st.builds(SelectedPart, NUMBERS, NUMBERS, IDS, KINDS, WINDOWS), min_size=1, max_size=3))
def test_a_selections_text_is_that_selection(parts: list[SelectedPart]) -> None:
    parts = [part for part in parts if part != SelectedPart()]
    selection = StepSelection(tuple(parts))
    if len(parts) == 0:
        return
    if len(parts) == 1 and parts[0] == SelectedPart(parts[0].cycles):
        assert parse_select(selection.text) == parts[0].cycles
        return
    assert parse_select(selection.text) == selection
    assert from_json(StepSelection, to_json(selection)) == selection
    assert not selection.whole
