"""Join the raw tables of one cell's source files in time order, and say what showed the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.errors import JobError
from ...data.file_names import natural_key, part_numbers
from ...data.readers.summary_tables import ADVICE, is_summary, one_row_per
from ...data.rules import Severity
from .file_ends import file_ends, table_column
from .file_order import FileOrder, find_order
from .table import Table

MOST_NAMED: Final = 8
"""Most files that a note names. Chosen, not measured."""

COMPARED: Final = tuple(
    name for name, kind in c.RAW_COLUMNS.items() if kind == "float64" and name not in (c.CYCLE_ID, c.STEP_ID)
)
"""Columns in which the copy of a file is the same: all that are measured or counted."""

NamedTable = tuple[str, pd.DataFrame | Table]
"""Name and raw table (``data.columns.RAW_COLUMNS``) of a file."""


@dataclass(frozen=True, slots=True)
class JoinNote:
    """One finding about the files of a cell, under the rule ``file_order``.

    Args:
        row: position of the first row concerned in the joined table.
        rows: number of rows concerned.
        before, after, action, severity: as in ``data.results.cleaning.Finding``.
    """

    row: int
    rows: int
    before: str
    after: str
    action: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Joined:
    """The files of one cell, joined.

    Args:
        table: one raw table; ``source_index`` is the file's place in time order.
        order: places of the used files among the given ones, in time order.
        notes: what showed the order, what contradicts it, and which files were left out.
    """

    table: Table
    order: tuple[int, ...]
    notes: tuple[JoinNote, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a frame."""
        return self.table.to_frame()


def join_sources(
    tables: Sequence[NamedTable], digests: Sequence[str] = (), left_out: Sequence[tuple[str, str]] = ()
) -> Joined:
    """Join the raw tables of one cell's files in time order.

    A copy of a file is used once. A table with one row for each step or cycle is left out if the cell has records.

    Args:
        tables: name and raw table of each file, at least one.
        digests: of the bytes of each file; files of one digest are copies. Empty = compare the rows.
        left_out: name of each file that was not read, and why.

    Raises:
        JobError: no file is a record (``not_a_record``), or the files do not continue each other
            (:func:`kilocell.jobs.record.file_order.find_order`).
    """
    records, others = _find_records(tables)
    used, copies = _without_copies(tables, records, digests)
    left_out = [*left_out, *((tables[i][0], f"one row for each step or cycle: {ADVICE}") for i in others)]
    notes = [JoinNote(0, 0, name, reason, "left out", "warning") for name, reason in left_out]
    notes += [_copy_note(tables, digests, i, j) for i, j in copies]
    if len(used) == 1:
        return Joined(_renumbered(tables[used[0]][1], 0), (used[0],), tuple(notes))
    found = find_order([file_ends(*tables[i]) for i in used])
    order = tuple(used[place] for place in found.order)
    frames = [_renumbered(tables[i][1], place).to_frame() for place, i in enumerate(order)]
    table = Table.from_frame(pd.concat(frames, ignore_index=True))
    names = [tables[i][0] for i in order]
    return Joined(table, order, (*notes, *_order_notes(found, names, len(table))))


def _find_records(tables: Sequence[NamedTable]) -> tuple[list[int], list[int]]:
    """Return the places of the tables that are records, and of those that are not.

    Raises:
        JobError: none is.
    """
    records = []
    others = []
    for i, (name, table) in enumerate(tables):
        cycle, step, test = (table_column(table, column) for column in (c.CYCLE_ID, c.STEP_ID, c.TEST_TIME))
        per = one_row_per(cycle, step, test)
        if is_summary(per, name):
            others.append(i)
        else:
            records.append(i)
    if not records:
        raise JobError(
            f"{tables[0][0]} has one row for each step or cycle and is not a record: {ADVICE}", "not_a_record"
        )
    return records, others


def _without_copies(
    tables: Sequence[NamedTable], records: Sequence[int], digests: Sequence[str]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the places of the records without copies, and the place of each copy with that of the file it repeats."""
    used: list[int] = []
    copies: list[tuple[int, int]] = []
    for i in sorted(records, key=lambda i: natural_key(tables[i][0])):
        original = next((j for j in used if _is_copy(tables, digests, i, j)), None)
        if original is None:
            used.append(i)
        else:
            copies.append((i, original))
    return sorted(used), copies


def _copy_note(tables: Sequence[NamedTable], digests: Sequence[str], i: int, j: int) -> JoinNote:
    table = tables[i][1]
    same_bytes = bool(digests) and digests[i] == digests[j]
    # Two runs without a wall clock may look alike, but never two real files with one.
    is_sure = same_bytes or bool(np.isfinite(table_column(table, c.UNIX_TIME)).any())
    before = f"{tables[i][0]} is a copy of {tables[j][0]}"
    after = "the same bytes" if same_bytes else "the same times, currents and voltages"
    return JoinNote(0, len(table), before, after, "counted once", "info" if is_sure else "warning")


def _is_copy(tables: Sequence[NamedTable], digests: Sequence[str], i: int, j: int) -> bool:
    if digests and digests[i] == digests[j]:
        return True
    table, other = tables[i][1], tables[j][1]
    if len(table) != len(other):
        return False
    # Numbered parts without a wall clock may look alike, as those of a simulated cell do.
    has_wall_clock = bool(np.isfinite(table_column(table, c.UNIX_TIME)).any())
    if not has_wall_clock and part_numbers([tables[i][0], tables[j][0]]) is not None:
        return False
    return all(
        np.array_equal(table_column(table, column), table_column(other, column), equal_nan=True) for column in COMPARED
    )


def _renumbered(given: pd.DataFrame | Table, place: int) -> Table:
    table = given if isinstance(given, Table) else Table.from_frame(given)
    if (table_column(table, c.SOURCE_INDEX) == place).all():
        return table
    return table.assign(**{c.SOURCE_INDEX: np.int32(place)})


def _order_notes(found: FileOrder, names: Sequence[str], rows: int) -> list[JoinNote]:
    listed = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        listed += f", ... {names[-1]}"
    action = f"joined in the order {listed}"
    doubts = found.doubts
    notes = []
    if found.is_guess:
        notes.append(JoinNote(0, rows, f"{len(names)} files", f"{found.evidence} shows their order", action, "warning"))
    else:
        notes.append(JoinNote(0, rows, f"{len(names)} files", f"by {found.evidence}", action, "info"))
    notes += [JoinNote(0, rows, f"{len(names)} files", doubt, "reported", "warning") for doubt in doubts]
    return notes
