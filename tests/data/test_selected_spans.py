"""Samples of a selection: contiguous spans of a record, and the edges at which they begin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.data.selected_spans import (
    INDEX_COLUMNS,
    NothingSelectedError,
    RecordIndex,
    Span,
    describe_content,
    describe_missing,
    find_spans,
    make_index,
    spans_mask,
)
from kilocell.data.step_selection import parse_select

# Cycle, step id, type, number of samples of each step; samples are 10 s apart.
TWO_CYCLES = (
    (1, 1, "rest", 4),
    (1, 2, "discharge", 6),
    (1, 3, "rest", 3),
    (1, 4, "charge", 5),
    (1, 5, "hold", 2),
    (2, 1, "rest", 4),
    (2, 2, "discharge", 6),
    (2, 6, "discharge", 2),
    (2, 3, "rest", 3),
)
ONE_CYCLE = tuple((1, number, kind, 3) for number in range(4) for kind in ("rest", "discharge", "rest", "charge"))


def record(steps: tuple[tuple[int, int, str, int], ...]) -> pd.DataFrame:
    counts = [count for *_, count in steps]
    frame = pd.DataFrame(
        {
            c.CYCLE_COUNT: np.repeat([cycle for cycle, *_ in steps], counts),
            c.STEP_COUNT: np.repeat(np.arange(1, len(steps) + 1), counts),
            c.STEP_TYPE: np.repeat([kind for _, _, kind, _ in steps], counts),
            c.STEP_ID: np.repeat([float(number) for _, number, _, _ in steps], counts),
            c.FLAGS: 0,
        }
    )
    frame[c.TEST_TIME] = 10.0 * np.arange(len(frame))
    return frame


def index(steps: tuple[tuple[int, int, str, int], ...] = TWO_CYCLES) -> RecordIndex:
    return make_index(record(steps)[list(INDEX_COLUMNS)])


def spans(text: str, steps: tuple[tuple[int, int, str, int], ...] = TWO_CYCLES) -> list[tuple[int, int]]:
    return [(span.first, span.end) for span in find_spans(parse_select(text), index(steps))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [(0, 35)]),
        ("1-2", [(0, 20), (20, 35)]),
        ("cycle 2", [(20, 35)]),
        ("discharge", [(4, 10), (24, 32)]),
        ("cycle 2, discharge", [(24, 32)]),
        ("cycle last, discharge last", [(30, 32)]),
        ("discharge last", [(30, 32)]),
        ("cycle 1-2, discharge 1", [(4, 10), (24, 30)]),
        ("discharge 1", [(4, 10)]),
        ("discharge every 2", [(4, 10), (30, 32)]),
        ("step 2-4", [(4, 18)]),
        ("step 5-6", [(18, 24)]),
        ("cycle 1-2, step 5-6", [(18, 20), (20, 24)]),
        ("step 2, 4", [(4, 10), (13, 18)]),
        ("step every 4", [(0, 4), (18, 20), (32, 35)]),
        ("cycle 1-2, step last", [(18, 20), (32, 35)]),
        ("step id 2", [(4, 10), (24, 30)]),
        ("cycle 2, step id 2, 6", [(24, 32)]),
        ("cycle 1, charge, hold", [(13, 20)]),
        ("step 7-9, rest", [(32, 35)]),
        ("step 2-3; step 3-4", [(4, 18)]),
        ("step 9; step 2", [(4, 10), (32, 35)]),
        ("discharge, first 30 s", [(4, 7), (24, 27), (30, 32)]),
        ("discharge, after 40 s", [(7, 10), (27, 30)]),
        ("cycle 1, discharge, 20-40 s", [(5, 8)]),
        ("cycle 1, discharge, last 20 s", [(7, 10)]),
        ("cycle 2, first 50 s", [(20, 26)]),
        ("rest, first 20 s", [(0, 3), (10, 12), (20, 22), (32, 34)]),
    ],
)
def test_a_selection_is_spans_of_samples(text: str, expected: list[tuple[int, int]]) -> None:
    """A window counts from the last sample of the step before: the first sample of a step is 10 s old."""
    assert spans(text) == expected


def test_a_file_whose_cycle_never_changes_has_steps() -> None:
    assert spans("discharge", ONE_CYCLE) == [(3, 6), (15, 18), (27, 30), (39, 42)]
    assert spans("discharge 3", ONE_CYCLE) == [(27, 30)]
    assert spans("cycle 1, discharge last", ONE_CYCLE) == [(39, 42)]
    assert spans("step id 2, discharge", ONE_CYCLE) == [(27, 30)]


def test_a_span_begins_with_the_edge() -> None:
    (second,) = find_spans(parse_select("step 2-3"), index())
    assert second == Span(3, 4, 13, "cycle 1, steps 2-3 (discharge, rest)", (1,), (2, 3))
    (late,) = find_spans(parse_select("step 2, after 40 s"), index())
    assert (late.lead, late.first) == (3, 7)
    assert late.name == "cycle 1, step 2 (discharge), after 40 s"
    (start,) = find_spans(parse_select("step 1"), index())
    assert start.lead == 0
    (cycle,) = find_spans(parse_select("cycle 2"), index())
    assert (cycle.lead, cycle.first, cycle.name) == (20, 20, "cycle 2")


def test_after_a_power_cut_there_is_no_sample_before() -> None:
    frame = record(TWO_CYCLES)
    frame.loc[4, c.FLAGS] = flag_bit("time_gap")
    (span,) = find_spans(parse_select("step 2"), make_index(frame))
    assert span.lead == 4
    assert [(one.first, one.end) for one in find_spans(parse_select("step 2, first 20 s"), make_index(frame))] == [
        (4, 7)
    ]


def test_an_inserted_edge_begins_its_step() -> None:
    frame = record(TWO_CYCLES)
    frame.loc[4, c.FLAGS] = flag_bit("step_edge")
    frame.loc[4, c.STEP_ID] = np.nan
    (span,) = find_spans(parse_select("step id 2, cycle 1, first 20 s"), make_index(frame))
    assert (span.lead, span.first, span.end) == (3, 4, 7)


def test_what_the_record_lacks_is_said() -> None:
    with pytest.raises(NothingSelectedError) as caught:
        find_spans(parse_select("cycle 60, discharge"), index())
    assert str(caught.value) == (
        "nothing matches 'cycle 60, discharge': the record has cycles 1-2; steps 1-9; step ids 1-6; "
        "steps by type: 1 charge, 3 discharge, 4 rest, 1 hold"
    )
    with pytest.raises(NothingSelectedError, match=r"nothing matches 'discharge 7': .*; steps by type: .*3 discharge"):
        find_spans(parse_select("discharge 7"), index())
    assert describe_missing(parse_select("cycle 2-4, step 9-11, step id 9"), index()) == (
        "not in the record: cycles 3-4, steps 10-11, step ids 9"
    )
    assert describe_missing(parse_select("cycle last, discharge last"), index()) == ""
    unknown = RecordIndex(*(np.arange(3.0),), np.ones(3, int), np.arange(1, 4), None, None, np.zeros(3, int))
    assert describe_content(unknown) == "the record has cycles 1; steps 1-3"
    with pytest.raises(NothingSelectedError, match="cycles 1; steps 1-3"):
        find_spans(parse_select("rest"), unknown)


def test_an_empty_record_has_nothing() -> None:
    empty = index(())
    for text in ("all", "cycle 1", "rest", "step last", "step id 3"):
        with pytest.raises(NothingSelectedError, match="the record is empty"):
            find_spans(parse_select(text), empty)


def test_a_mask_has_the_samples_of_all_spans() -> None:
    found = find_spans(parse_select("discharge"), index())
    assert np.flatnonzero(spans_mask(found, 35)).tolist() == [*range(4, 10), *range(24, 32)]
