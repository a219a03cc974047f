"""The samples of a record that a selection names: contiguous spans, each with the sample at which its first step began.

A cycler writes the last sample of a step when it ends the step, and the first sample of the next step one interval
later. So the current changes at the last sample of the step before: a span of steps is solved from that sample on, and
compared from its own first sample on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .arrays import Codes, Floats, Indices, Integers, Mask
from .columns import CYCLE_COUNT, FLAGS, STEP_COUNT, STEP_ID, STEP_TYPE, STEP_TYPES, TEST_TIME
from .cycle_selection import CycleSelection, format_ranges
from .rules import flag_bit, is_inserted
from .step_selection import SelectedPart, Selection, StepSelection, TimeWindow

INDEX_COLUMNS: Final = (TEST_TIME, CYCLE_COUNT, STEP_COUNT, STEP_TYPE, STEP_ID, FLAGS)
"""Columns of a partition that are needed to find a selection."""

ROUND_SECOND: Final = 1e-3
"""s by which cleaning may set two samples of one time apart: so much may a sample be outside a window of time."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordIndex:
    """The numbers of each sample of a record, in time order, shape (n,) each.

    Args:
        time_second: s, increasing.
        cycle_count, step_count: from 1.
        kind: type of the step as a place in ``data.columns.STEP_TYPES``, -1 = none; ``None`` = unknown throughout.
        step_id: the step number of the cycler's schedule, NaN where missing; ``None`` = unknown throughout.
        flags: the bits of the cleaning rules.
        runs: index of the first sample of each run of one step in one cycle, ascending, shape (runs,).
    """

    time_second: Floats
    cycle_count: Integers
    step_count: Integers
    kind: Codes | None
    step_id: Floats | None
    flags: Integers
    runs: Indices = field(init=False)

    def __post_init__(self) -> None:
        changes = (np.diff(self.step_count) != 0) | (np.diff(self.cycle_count) != 0)
        runs = np.concatenate([[0], np.flatnonzero(changes) + 1])[: len(self.step_count)]
        object.__setattr__(self, "runs", runs)

    def begins_after_gap(self, first: int) -> bool:
        """Tell whether no sample of the record leads to this one: it is the first one, or follows a power cut."""
        return first == 0 or bool(self.flags[first] & flag_bit("time_gap"))


@dataclass(frozen=True, slots=True)
class Span:
    """Selected samples that follow each other: ``first`` to before ``end``.

    Args:
        lead: index of the sample at which its first step began, from which a simulation must start; ``first`` or
            earlier.
        first: index of its first sample in the record.
        end: index after its last sample.
        name: for people, such as ``cycle 2, step 9 (discharge)``.
        cycles: numbers of its cycles, ascending.
        steps: numbers of its first and last step.
    """

    lead: int
    first: int
    end: int
    name: str
    cycles: tuple[int, ...]
    steps: tuple[int, int]


class NothingSelectedError(ValueError):
    """A record has nothing of a selection; the text says what it has."""


def make_index(frame: Any) -> RecordIndex:
    """Make the index of a partition.

    Args:
        frame: with ``INDEX_COLUMNS``, in time order; a frame of pandas.
    """
    codes = {name: code for code, name in enumerate(STEP_TYPES)}
    texts, places = np.unique(frame[STEP_TYPE].to_numpy(dtype=object).astype(str), return_inverse=True)
    kind = np.array([codes.get(str(text), -1) for text in texts], np.int8)[places]
    return RecordIndex(
        time_second=frame[TEST_TIME].to_numpy(np.float64),
        cycle_count=frame[CYCLE_COUNT].to_numpy(np.int64),
        step_count=frame[STEP_COUNT].to_numpy(np.int64),
        kind=kind,
        step_id=frame[STEP_ID].to_numpy(np.float64),
        flags=frame[FLAGS].to_numpy(np.int64),
    )


def find_spans(selection: Selection, index: RecordIndex) -> tuple[Span, ...]:
    """Find the spans of a selection in a record.

    - Selected cycles are one span each, and so is the whole record.
    - Selected steps that follow each other are one span, but not across cycles that the selection names.
    - A window of time gives one span in each selected step, or in each selected cycle if no step is named. It counts
      from the start of the step: from the last sample of the step before, unless cleaning inserted the edge.

    Args:
        selection: what to find.
        index: of the record.

    Returns:
        Spans in the record's order, without overlap.

    Raises:
        NothingSelectedError: nothing in the record meets the selection.
    """
    if isinstance(selection, StepSelection):
        spans = [span for part in selection.parts for span in _find_part(part, index)]
    elif selection.whole:
        spans = [_make_span(index, 0, len(index.time_second), "whole record")] if len(index.runs) else []
    else:
        spans = _find_part(SelectedPart(cycles=selection), index)
    if not spans:
        raise NothingSelectedError(f"nothing matches {selection.text!r}: {describe_content(index)}")
    return _without_overlap(spans)


def spans_mask(spans: Iterable[Span], count: int) -> Mask:
    """Tell which samples of a record are in a span, shape (count,)."""
    mask = np.zeros(count, dtype=bool)
    for span in spans:
        mask[span.first : span.end] = True
    return mask


def describe_missing(selection: Selection, index: RecordIndex) -> str:
    """Return in words which numbers of a selection the record lacks; "" = it has all."""
    parts = selection.parts if isinstance(selection, StepSelection) else (SelectedPart(cycles=selection),)
    missing: dict[str, set[int]] = {"cycles": set(), "steps": set(), "step ids": set()}
    for part in parts:
        missing["cycles"].update(part.cycles.split_cycles(index.cycle_count[index.runs].tolist())[1])
        missing["steps"].update(_without_ordinals(part.steps).split_cycles(index.step_count[index.runs].tolist())[1])
        missing["step ids"].update(part.step_ids.split_cycles(_step_ids(index))[1])
    words = [f"{name} {format_ranges(numbers)}" for name, numbers in missing.items() if numbers]
    return f"not in the record: {', '.join(words)}" if words else ""


def describe_content(index: RecordIndex) -> str:
    """Return in words which cycles, steps, step ids and step types a record has."""
    if not len(index.runs):
        return "the record is empty"
    cycles = format_ranges(index.cycle_count[index.runs].tolist())
    steps = format_ranges(index.step_count[index.runs].tolist())
    words = [f"cycles {cycles}", f"steps {steps}"]
    ids = _step_ids(index)
    if ids:
        words.append(f"step ids {format_ranges(ids)}")
    if index.kind is not None:
        kinds = [f"{count} {name}" for name, count in _count_steps(index, index.kind) if count]
        words.append(f"steps by type: {', '.join(kinds)}" if kinds else "no step types")
    return f"the record has {'; '.join(words)}"


def _count_steps(index: RecordIndex, kind: Codes) -> list[tuple[str, int]]:
    """Count the steps of each type as the numbers of a type do."""
    counts = []
    for code, name in enumerate(STEP_TYPES):
        steps = index.step_count[index.runs][kind[index.runs] == code]
        counts.append((name, int(np.count_nonzero(np.diff(steps, prepend=-1)))))
    return counts


def _find_part(part: SelectedPart, index: RecordIndex) -> list[Span]:
    """Find the spans of one part of a selection."""
    cycle = index.cycle_count[index.runs]
    in_cycles = np.isin(cycle, part.cycles.split_cycles(cycle.tolist())[0])
    by_cycle = not part.cycles.whole
    if not part.names_steps:
        chosen = np.flatnonzero(in_cycles)
        groups = _split_where(chosen, (np.diff(chosen) > 1) | (np.diff(cycle[chosen]) != 0))
        return [span for runs in groups for span in _cycle_spans(index, runs, part.window)]
    chosen = _choose_steps(part, index, in_cycles, by_cycle=by_cycle)
    step = index.step_count[index.runs][chosen]
    breaks = np.diff(chosen) > 1
    if by_cycle:
        breaks |= np.diff(cycle[chosen]) != 0
    if part.window is not None:
        breaks |= np.diff(step) != 0
    return [span for runs in _split_where(chosen, breaks) for span in _step_spans(index, runs, part.window)]


def _choose_steps(part: SelectedPart, index: RecordIndex, in_cycles: Mask, *, by_cycle: bool) -> Indices:
    """Return the places of the chosen runs of steps.

    ``last`` and ``every N`` of steps, and the numbers of a step type, count in each selected cycle; without cycles in
    the selection, they count over the record.
    """
    step = index.step_count[index.runs]
    chosen = in_cycles.copy()
    if not part.step_ids.whole:
        chosen &= _has_id(part.step_ids, index)
    if part.kinds:
        kind = np.full(len(step), -1) if index.kind is None else index.kind[index.runs]
        of_kinds = np.zeros(len(step), dtype=bool)
        for wanted in part.kinds:
            of_kind = chosen & (kind == STEP_TYPES.index(wanted.step_type))
            of_kinds |= _choose_counted(of_kind, wanted.numbers, index, by_cycle=by_cycle)
        chosen = of_kinds
    if not part.steps.whole:
        by_number = np.isin(step, _without_ordinals(part.steps).split_cycles(step.tolist())[0])
        if not part.steps.ranges:
            by_number[:] = False
        ordinals = CycleSelection((), part.steps.every, part.steps.last)
        counted = np.zeros(len(step), dtype=bool)
        if not ordinals.whole:
            counted = _choose_counted(chosen, ordinals, index, by_cycle=by_cycle)
        chosen &= by_number | counted
    return np.flatnonzero(chosen)


def _choose_counted(candidates: Mask, numbers: CycleSelection, index: RecordIndex, *, by_cycle: bool) -> Mask:
    """Choose runs by the number of their step among the candidates, counted from 1 in each cycle or over the record."""
    if numbers.whole:
        return candidates
    chosen = np.zeros(len(candidates), dtype=bool)
    places = np.flatnonzero(candidates)
    if not len(places):
        return chosen
    cycle = index.cycle_count[index.runs][places]
    groups = _split_where(places, np.diff(cycle) != 0) if by_cycle else [places]
    for group in groups:
        steps = index.step_count[index.runs][group]
        number = np.cumsum(np.diff(steps, prepend=steps[0] - 1) != 0)
        chosen[group[np.isin(number, numbers.split_cycles(number.tolist())[0])]] = True
    return chosen


def _has_id(wanted: CycleSelection, index: RecordIndex) -> Mask:
    """Tell which runs of steps have one of the schedule's step numbers; inserted samples do not decide it."""
    ids = _run_ids(index)
    return np.isin(ids, np.array(wanted.split_cycles(_step_ids(index))[0], dtype=np.float64))


def _run_ids(index: RecordIndex) -> Floats:
    """Return the schedule's step number of each run, NaN where missing: that of its last sample which has one."""
    if index.step_id is None:
        return np.full(len(index.runs), np.nan)
    known = np.where(np.isfinite(index.step_id), np.arange(len(index.step_id)), -1)
    last = np.maximum.reduceat(known, index.runs) if len(index.runs) else known
    return np.where(last >= 0, index.step_id[np.maximum(last, 0)], np.nan)


def _step_ids(index: RecordIndex) -> list[int]:
    ids = np.unique(_run_ids(index))
    return [int(number) for number in ids if np.isfinite(number) and number == int(number)]


def _without_ordinals(numbers: CycleSelection) -> CycleSelection:
    """Return only the ranges; without any, a selection of nothing real."""
    return CycleSelection(numbers.ranges)


def _split_where(places: Indices, breaks: Mask) -> list[Indices]:
    return [group for group in np.split(places, np.flatnonzero(breaks) + 1) if len(group)]


def _run_end(index: RecordIndex, run: int) -> int:
    return int(index.runs[run + 1]) if run + 1 < len(index.runs) else len(index.time_second)


def _cycle_spans(index: RecordIndex, runs: Indices, window: TimeWindow | None) -> list[Span]:
    """Return the span of one cycle, or of a window in it: none if it has no sample there."""
    first = int(index.runs[runs[0]])
    end = _run_end(index, int(runs[-1]))
    name = f"cycle {index.cycle_count[first]}"
    if window is None:
        return [_make_span(index, first, end, name)]
    return _window_spans(index, first, first, end, name, window)


def _step_spans(index: RecordIndex, runs: Indices, window: TimeWindow | None) -> list[Span]:
    """Return the span of steps that follow each other, or of a window in one step: none if it has no sample there."""
    first = int(index.runs[runs[0]])
    end = _run_end(index, int(runs[-1]))
    lead = first if index.begins_after_gap(first) else first - 1
    name = _name_steps(index, runs)
    if window is None:
        return [_make_span(index, first, end, name, lead)]
    return _window_spans(index, lead, first, end, name, window)


def _window_spans(index: RecordIndex, lead: int, first: int, end: int, name: str, window: TimeWindow) -> list[Span]:
    """Return the samples of a window of time, from the edge at which the step began.

    Args:
        lead: the sample before the step, or its first one.
        first, end: of the step.
    """
    began = first if is_inserted(index.flags[first : first + 1])[0] else lead
    age = index.time_second[first:end] - index.time_second[began]
    if window.last_second:
        inside = age >= age[-1] - window.last_second - ROUND_SECOND
    else:
        inside = age >= window.begin_second - ROUND_SECOND
        if window.end_second is not None:
            inside &= age <= window.end_second + ROUND_SECOND
    places = np.flatnonzero(inside)
    if not len(places):
        return []
    chosen = (first + int(places[0]), first + int(places[-1]) + 1)
    return [_make_span(index, *chosen, f"{name}, {window.text}", lead)]


def _make_span(index: RecordIndex, first: int, end: int, name: str, lead: int | None = None) -> Span:
    cycles = tuple(int(cycle) for cycle in np.unique(index.cycle_count[first:end]))
    steps = (int(index.step_count[first]), int(index.step_count[end - 1]))
    return Span(first if lead is None else lead, first, end, name, cycles, steps)


def _name_steps(index: RecordIndex, runs: Indices) -> str:
    """Name steps that follow each other: ``cycle 2, steps 9-11 (discharge, rest)``."""
    at = index.runs[runs]
    cycles = np.unique(index.cycle_count[at]).tolist()
    steps = np.unique(index.step_count[at]).tolist()
    name = (
        f"cycle{'s' * (len(cycles) > 1)} {format_ranges(cycles)}, step{'s' * (len(steps) > 1)} {format_ranges(steps)}"
    )
    if index.kind is None:
        return name
    kinds = dict.fromkeys(STEP_TYPES[code] for code in index.kind[at].tolist() if code >= 0)
    return f"{name} ({', '.join(kinds)})" if kinds else name


def _without_overlap(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans in order; those that share samples are joined."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.first, -one.end)):
        before = joined[-1] if joined else None
        if before is None or span.first >= before.end:
            joined.append(span)
        elif span.end > before.end:
            cycles = tuple(sorted({*before.cycles, *span.cycles}))
            name = f"{before.name} + {span.name}"
            joined[-1] = Span(before.lead, before.first, span.end, name, cycles, (before.steps[0], span.steps[1]))
    return tuple(joined)
