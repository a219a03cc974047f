"""Choose a stretch of one cell in which cleaning changed much, and read it before and after."""

from __future__ import annotations

import sqlite3
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.errors import KilocellError
from ...parquet_store.layout import Store
from ...sqlite import queries, slide_queries
from ..cleaning_marks import RuleMarks, find_marks, hours
from ..raw_rows import BeforeAndAfter, read_before_and_after
from .content import Stretch
from .words import short

VISIBLE_RULES: Final = (
    "voltage_spike",
    "voltage_missing",
    "voltage_range",
    "voltage_placeholder",
    "lost_contact",
    "current_missing",
    "current_spike",
    "duplicate_row",
    "duplicate_time",
)
"""Rules whose work is seen in a curve: values that were replaced or taken, rows that were quarantined."""

MOST_ROWS: Final = 300_000
"""A raw file with more rows takes seconds to read. Chosen, not measured."""

CELLS_TRIED: Final = 3
"""Number of cells that are tried if the files of the first cannot be read."""

SAMPLES: Final = 240
"""Length of the stretch, in samples: each can still be seen on a slide. Chosen, not measured."""

CHANGED_SHARE: Final = 0.005
"""A value changed visibly if it moved by more than this share of the cleaned values' range."""

EDGE_RULE: Final = "step_edge"
"""Where nothing else changed, inserted samples are shown."""

EDGE_SAMPLES: Final = 24
"""Length of a stretch around an inserted sample, in samples."""

RULES_NAMED: Final = 3


def read_stretch(store: Store, catalog: sqlite3.Connection) -> tuple[Stretch | None, list[str]]:
    """Return the stretch with most changes of different kinds, and what could not be read.

    Args:
        store: the store.
        catalog: from ``queries.connect``.

    Returns:
        The stretch, ``None`` = no cell could be read; one sentence for each cell that could not.
    """
    problems = []
    for cell_id in slide_queries.cells_by_kinds(catalog, (*VISIBLE_RULES, EDGE_RULE), MOST_ROWS, CELLS_TRIED):
        try:
            record = read_before_and_after(store, catalog, cell_id)
            findings = [dict(row) for row in queries.findings(catalog, cell_id)]
        except (KilocellError, OSError, ValueError) as error:  # ValueError: a damaged Parquet file
            problems.append(str(error))
            continue
        if len(record.samples) > 1:
            return choose_stretch(cell_id, record, find_marks(record, findings)), problems
    return None, problems


def choose_stretch(cell_id: str, record: BeforeAndAfter, marks: list[RuleMarks]) -> Stretch:
    """Return the stretch of a record in which most rules changed a voltage; if none did, a current.

    Args:
        cell_id: the cell.
        record: its samples and raw rows.
        marks: of its rules.
    """
    score, of_voltage = _of_quantity(cell_id, record, marks, c.VOLTAGE, "Voltage (V)")
    if score > 0.0:
        return of_voltage
    score, of_current = _of_quantity(cell_id, record, marks, c.CURRENT, "Current (A)")
    if score > 0.0:
        return of_current
    if not record.is_row.all():
        return _of_edge(cell_id, record)
    return of_voltage


def _of_edge(cell_id: str, record: BeforeAndAfter) -> Stretch:
    """Return the current around the inserted sample at the largest step of the current."""
    current = record.samples[c.CURRENT].to_numpy(dtype=np.float64)
    steps = np.abs(np.diff(current, prepend=current[0])) + np.abs(np.diff(current, append=current[-1]))
    place = int(np.argmax(np.where(record.is_row, -1.0, np.nan_to_num(steps))))
    first = max(0, place - EDGE_SAMPLES // 2)
    part = slice(first, first + EDGE_SAMPLES)
    caption = f"{short(cell_id)}: step edge (sample inserted)"
    return _stretch(caption, "Current (A)", record, part, c.CURRENT, np.zeros(len(record.quarantined), dtype=bool))


def _stretch(
    caption: str, quantity: str, record: BeforeAndAfter, part: slice, column: str, is_removed: Mask
) -> Stretch:
    return Stretch(
        caption,
        quantity,
        hours(record.samples)[part],
        record.raw[column].to_numpy(dtype=np.float64)[part],
        record.samples[column].to_numpy(dtype=np.float64)[part],
        record.is_row[part],
        hours(record.quarantined)[is_removed],
        record.quarantined[column].to_numpy(dtype=np.float64)[is_removed],
    )


def _of_quantity(
    cell_id: str, record: BeforeAndAfter, marks: list[RuleMarks], column: str, quantity: str
) -> tuple[float, Stretch]:
    """Return the best stretch of one quantity, and how much changed in it."""
    raw = record.raw[column].to_numpy(dtype=np.float64)
    cleaned = record.samples[column].to_numpy(dtype=np.float64)
    time = hours(record.samples)
    removed_time = hours(record.quarantined)
    weights = np.zeros(len(time))
    changed = visible_changes(raw, cleaned) & record.is_row
    previous = np.clip(np.searchsorted(time, removed_time, side="right") - 1, 0, len(time) - 1)
    for rule in marks:
        if rule.code not in VISIBLE_RULES:
            continue
        hits = (rule.touched & changed).astype(np.float64)
        np.add.at(hits, previous[rule.taken], 1.0)
        weights += np.minimum(hits, 1.0) / max(np.sqrt(hits.sum()), 1.0)
    length = min(SAMPLES, len(time))
    sums = np.convolve(weights, np.ones(length), mode="valid")
    first = int(np.argmax(sums))
    if sums[first] > 0.0:
        first = _centre(weights, first, length)
    part = slice(first, first + length)
    inside = (previous >= first) & (previous < first + length) & np.isfinite(removed_time)
    names = [
        rule.code.replace("_", " ")
        for rule in marks
        if rule.code in VISIBLE_RULES and ((rule.touched & changed)[part].any() or (rule.taken & inside).any())
    ]
    return float(sums[first]), _stretch(_caption(cell_id, names), quantity, record, part, column, inside)


def _centre(weights: Floats, first: int, length: int) -> int:
    """Return the first sample of the stretch with its changes in the middle."""
    places = np.flatnonzero(weights[first : first + length] > 0.0) + first
    middle = (int(places[0]) + int(places[-1])) // 2
    return int(np.clip(middle - length // 2, 0, len(weights) - length))


def visible_changes(raw: Floats, cleaned: Floats) -> Mask:
    """Return where cleaning changed a value so much that a curve shows it, shape (samples,).

    Args:
        raw, cleaned: values of one quantity, shape (samples,).
    """
    finite = cleaned[np.isfinite(cleaned)]
    span = float(np.ptp(finite)) if len(finite) else 0.0
    moved = np.abs(raw - cleaned) > CHANGED_SHARE * span
    changed: Mask = moved | (np.isnan(raw) != np.isnan(cleaned))
    return changed


def _caption(cell_id: str, names: list[str]) -> str:
    if not names:
        return f"{short(cell_id)}: cleaning changed no value here"
    more = len(names) - RULES_NAMED
    text = ", ".join(names[:RULES_NAMED])
    return f"{short(cell_id)}: {text}{f' and {more} more' if more > 0 else ''}"
