"""What a cleaning rule gives back: the changed frame, what it saw, and which rows it took out.

Between the rules a record is a frame of ``data.columns.RAW_COLUMNS`` with ``flags`` and the corrected ``cycle_count``
and ``step_count`` beside them. Its index is the row's place in the raw table and never changes, whatever moves.
"""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.results.cleaning import Finding
from ...data.rules import RULES_BY_CODE, Severity, flag_bit
from ...data.settings import CleanSettings

Text = Callable[[int, int], str]
MAX_EVENTS: Final = 200  # of one rule; what is beyond them is told in one more


@dataclass(frozen=True, slots=True)
class Event:
    """One place where a rule saw something: ``label`` is the frame's index of the first of ``rows`` samples."""

    rule: str
    label: int
    rows: int
    before: str
    after: str
    action: str
    severity: Severity | None = None


class RuleOutcome(NamedTuple):
    """A rule's result; ``taken`` holds the index labels of the rows that it took out."""

    frame: pd.DataFrame
    events: tuple[Event, ...] = ()
    taken: Integers = np.empty(0, dtype=np.int64)


def column_values(frame: pd.DataFrame, column: str) -> Floats:
    """Return a column as float64 (not to be written to), shape (n,)."""
    return frame[column].to_numpy(dtype=np.float64)


def word_codes(states: pd.Series[Any]) -> tuple[Integers, list[str]]:
    """Return the distinct words of a column of text, and for each row its word's place, -1 where there is none."""
    if not pc.max(pc.binary_length(pa.array(states))).as_py():
        return np.full(len(states), -1, dtype=np.int64), []
    code, words = pd.factorize(states)
    return code, [str(word) for word in words]


def rest_current(settings: CleanSettings) -> float:
    """Return the current in A below which the cell rests; the settings know the capacity by now."""
    return settings.rest_current_per_ah * (settings.nominal_capacity_ah or 1.0)


def find_runs(mask: Mask) -> tuple[Integers, Integers]:
    """Return first positions and lengths of the runs of true values, both of shape (runs,)."""
    padded = np.concatenate([[False], mask, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[::2], edges[1::2] - edges[::2]


def set_flag(frame: pd.DataFrame, mask: Mask, rule: str) -> pd.DataFrame:
    """Return the frame with the rule's bit set where the mask is true."""
    if not mask.any():
        return frame
    flags = frame[c.FLAGS].to_numpy(dtype=np.int64)
    return frame.assign(**{c.FLAGS: np.where(mask, flags | flag_bit(rule), flags)})


def constant_text(value: str) -> Text:
    """A text that is the same for every run."""
    return lambda first, length: value


def number_text(column: Floats, unit: str) -> Text:
    """A text that tells a column's value at a run's first row."""
    return lambda first, length: "missing" if np.isnan(column[first]) else f"{column[first]:.6g} {unit}"


def run_events(frame: pd.DataFrame, mask: Mask, rule: str, before: Text, after: Text, action: Text) -> list[Event]:
    """Make one event for each run of true values; beyond ``MAX_EVENTS`` the rest is told in one.

    Args:
        before, after, action: texts from a run's first position and length.
    """
    if not mask.any():
        return []
    first, length = find_runs(mask)
    labels = frame.index.to_numpy()
    told = [
        Event(rule, int(labels[i]), int(n), before(int(i), int(n)), after(int(i), int(n)), action(int(i), int(n)))
        for i, n in zip(first[:MAX_EVENTS], length[:MAX_EVENTS], strict=True)
    ]
    if len(first) > MAX_EVENTS:
        rest = f"{len(first) - MAX_EVENTS} more events of this rule"
        i, n = int(first[MAX_EVENTS]), int(length[MAX_EVENTS])
        told.append(Event(rule, int(labels[i]), int(length[MAX_EVENTS:].sum()), rest, after(i, n), action(i, n)))
    return told


def to_findings(events: list[Event], raw: pd.DataFrame, frame: pd.DataFrame) -> tuple[Finding, ...]:
    """Turn events into findings, with the corrected cycle and step of each first sample.

    Args:
        raw: the raw table, index 0 to n - 1.
        frame: the record after the last rule; rows that were taken out are absent.
    """
    source = raw[c.SOURCE_INDEX].to_numpy()
    row = raw[c.SOURCE_ROW].to_numpy()
    if not events:
        return ()
    numbers = [frame[name].to_numpy() for name in (c.CYCLE_COUNT, c.STEP_COUNT)]
    # While no row was taken out or moved, a row's label is its place.
    counts = numbers
    if not frame.index.equals(raw.index):
        counts, kept = [np.zeros(len(raw), dtype=np.int64) for _ in numbers], frame.index.to_numpy()
        counts[0][kept], counts[1][kept] = numbers
    return tuple(
        Finding(
            rule=event.rule,
            severity=event.severity or RULES_BY_CODE[event.rule].severity,
            rows=event.rows,
            source_index=int(source[event.label]),
            source_row=int(row[event.label]),
            cycle_count=int(counts[0][event.label]) or None,
            step_count=int(counts[1][event.label]) or None,
            before=event.before,
            after=event.after,
            action=event.action,
        )
        for event in events
    )
