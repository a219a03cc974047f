"""What all cleaning rules share: their outcome, their events, and small tools to look at a record.

Between the rules a record is a :class:`~kilocell.jobs.record.table.Table` with ``data.columns.RAW_COLUMNS``,
``flags``, and the corrected ``cycle_count`` and ``step_count``; its texts are
:class:`~kilocell.jobs.record.table.Words`. The label of a row is its position in the raw table. A rule may remove or
reorder rows, but a row keeps its label. A sample inserted at the edge of a step has the label of the row beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.results.cleaning import Finding
from ...data.rules import RULES_BY_CODE, Severity, flag_bit
from ...data.settings import CleanSettings
from ..record.charge import interval_charge_ah
from ..record.table import Columns, Table, Words

RunText = Callable[[int, int], str]
"""A text about a run of rows, made from the position of its first row and its number of rows."""

MAX_EVENTS: Final = 200
"""Most events of one rule in one record; one more event counts all others. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Event:
    """One place where a rule found something.

    Args:
        rule: the rule's code.
        label: of the first row.
        rows: number of rows.
        before: what the record held.
        after: what it holds now, or the evidence.
        action: what was done, such as ``corrected``, ``left`` or ``quarantined``.
        severity: ``None`` = the severity that ``data.rules`` gives the rule.
    """

    rule: str
    label: int
    rows: int
    before: str
    after: str
    action: str
    severity: Severity | None = None


class RuleOutcome(NamedTuple):
    """A rule's result: the changed record, its events, and the labels of the rows that it took out."""

    frame: Table
    events: tuple[Event, ...] = ()
    taken: Integers = np.empty(0, dtype=np.int64)


def column_values(frame: Columns, column: str) -> Floats:
    """Return a column as float64, shape (n,). Do not write to it: it may share memory with the frame."""
    return np.asarray(frame[column], dtype=np.float64)


def flag_values(frame: Columns) -> Integers:
    """Return the flags of a record, shape (n,). Do not write to them: they may share memory with the frame."""
    return np.asarray(frame[c.FLAGS], dtype=np.int64)


def charge_between_samples_ah(frame: Columns) -> Floats:
    """Return the charge between neighbouring samples in A.h, shape (n - 1,), positive into the cell."""
    return interval_charge_ah(column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT), flag_values(frame))


def is_file_row(frame: Table) -> Mask:
    """Tell which samples are rows of a file, shape (n,); the others were inserted at edges of steps."""
    rows: Mask = frame[c.SOURCE_ROW] != c.NO_SOURCE_ROW
    return rows


def word_codes(texts: Any) -> tuple[Integers, tuple[str, ...]]:
    """Return each row's word as a position in the list of distinct words, and that list.

    Args:
        texts: :class:`~kilocell.jobs.record.table.Words`, or texts as pandas has them, shape (n,).

    Returns:
        Positions, shape (n,), -1 for a row without a word; and the distinct words. All positions are -1 and there are
        no words if no row ever had one.
    """
    words = texts if isinstance(texts, Words) else Words.from_texts(texts)
    return words.codes, words.words


def cell_capacity_ah(settings: CleanSettings) -> float:
    """Return the capacity in A.h with which thresholds scale; 1.0 if it is unknown.

    For the rules that follow those of time, ``clean`` puts a scale from the record itself into the settings if the
    user gave no nominal capacity.
    """
    return settings.nominal_capacity_ah or 1.0


def rest_current(settings: CleanSettings) -> float:
    """Return the current in A below which the cell rests."""
    return settings.rest_current_per_ah * cell_capacity_ah(settings)


def begins_file(frame: Table) -> Mask:
    """Tell which rows are the first of another source file, shape (n,); the very first row is not."""
    source = frame[c.SOURCE_INDEX]
    first: Mask = np.concatenate([[False], source[1:] != source[:-1]])
    return first


def fill_forward(column: Floats) -> Floats:
    """Return a column with the value before in place of each missing one; those before the first value stay missing.

    Args:
        column: shape (n,), NaN where missing.
    """
    known = ~np.isnan(column)
    if known.all():
        return column
    filled: Floats = column[np.maximum.accumulate(np.where(known, np.arange(len(column)), 0))]
    return filled


def fill_from_neighbours(column: Floats) -> Floats:
    """Return a column with the value before in place of each missing one; before the first known value, with that one.

    Args:
        column: shape (n,), NaN where missing; all NaN stays so.
    """
    known = ~np.isnan(column)
    if known.all() or not known.any():
        return column
    position = np.maximum.accumulate(np.where(known, np.arange(len(column)), int(np.argmax(known))))
    filled: Floats = column[position]
    return filled


def find_runs(mask: Mask) -> tuple[Integers, Integers]:
    """Return first positions and lengths of the runs of true values, both of shape (runs,)."""
    padded = np.concatenate([[False], mask, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[::2], edges[1::2] - edges[::2]


def set_flag(frame: Table, mask: Mask, rule: str) -> Table:
    """Return the frame with the rule's bit set where the mask is true.

    Args:
        frame: with ``flags``.
        mask: shape (n,).
        rule: a code of ``data.rules``.
    """
    if not mask.any():
        return frame
    flags = flag_values(frame)
    return frame.assign(**{c.FLAGS: np.where(mask, flags | flag_bit(rule), flags)})


def constant_text(value: str) -> RunText:
    """Return a text that is the same for every run."""
    return lambda first, length: value


def number_text(column: Floats, unit: str) -> RunText:
    """Return a text with the column's value in a run's first row.

    Args:
        column: shape (n,), NaN where missing.
        unit: of the column, such as ``V``.
    """

    def text(first: int, length: int) -> str:
        if np.isnan(column[first]):
            return "missing"
        return f"{column[first]:.6g} {unit}"

    return text


def run_events(frame: Table, mask: Mask, rule: str, before: RunText, after: RunText, action: RunText) -> list[Event]:
    """Make one event for each run of true values; beyond ``MAX_EVENTS`` one event represents all others.

    Args:
        frame: the record.
        mask: shape (n,).
        rule: the rule's code.
        before, after, action: texts of the events.
    """
    if not mask.any():
        return []
    first, length = find_runs(mask)
    labels = frame.labels
    events = []
    for i, n in zip(first[:MAX_EVENTS].tolist(), length[:MAX_EVENTS].tolist(), strict=True):
        events.append(Event(rule, int(labels[i]), n, before(i, n), after(i, n), action(i, n)))
    if len(first) > MAX_EVENTS:
        others = f"{len(first) - MAX_EVENTS} more events of this rule"
        rows = int(length[MAX_EVENTS:].sum())
        i = int(first[MAX_EVENTS])
        n = int(length[MAX_EVENTS])
        events.append(Event(rule, int(labels[i]), rows, others, after(i, n), action(i, n)))
    return events


def to_findings(events: list[Event], raw: Table, frame: Table) -> tuple[Finding, ...]:
    """Turn events into findings, with the corrected cycle and step of each first row.

    Args:
        events: of all rules, in order.
        raw: the raw table, labels 0 to n - 1.
        frame: the record after the last rule, without the rows that were taken out.
    """
    if not events:
        return ()
    source = raw[c.SOURCE_INDEX]
    row = raw[c.SOURCE_ROW]
    cycle = _numbers_by_label(frame, c.CYCLE_COUNT, raw)
    step = _numbers_by_label(frame, c.STEP_COUNT, raw)
    return tuple(
        Finding(
            rule=event.rule,
            severity=event.severity or RULES_BY_CODE[event.rule].severity,
            rows=event.rows,
            source_index=int(source[event.label]),
            source_row=int(row[event.label]),
            cycle_count=int(cycle[event.label]) or None,
            step_count=int(step[event.label]) or None,
            before=event.before,
            after=event.after,
            action=event.action,
        )
        for event in events
    )


def _numbers_by_label(frame: Table, column: str, raw: Table) -> Integers:
    """Return a column's numbers by position in the raw table, 0 for rows that were taken out."""
    column_numbers: Integers = frame[column]
    # A row's label is its position as long as no row was taken out or moved.
    if np.array_equal(frame.labels, raw.labels):
        return column_numbers
    by_label = np.zeros(len(raw), dtype=np.int64)
    by_label[frame.labels] = column_numbers
    return by_label
