"""``kilocell inspect``: how a raw file would be read, what is in it, and what cleaning finds first. Writes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.errors import JobError, KilocellError
from ...data.memory_limit import ROW_BYTES, check_rows
from ...data.readers.column_names import names_and_units
from ...data.readers.csv_reader import CellIds, RawBlock
from ...data.readers.layout import Column, Layout
from ...data.readers.read import READERS, cell_ids, guess_settings, read_raw
from ...data.readers.text_blocks import detect_encoding, is_gzip
from ...data.rules import flag_bit
from ...data.settings import CleanSettings, SourceSettings
from ...jobs.cleaning.clean import clean
from ...jobs.cleaning.current import sign_votes, state_signs
from ...jobs.cleaning.guess_cell import guess_cell
from ...jobs.record.file_ends import FileEnds, file_ends
from ...jobs.record.table import Table
from ..campaign.raw_files import is_utf8, printable
from ..run import early
from .joined_files import RawFile, describe_joined_files
from .raw_paths import raw_files
from .reading_progress import ReadingProgress
from .text import inspection_text, joined_text

MOST_ROWS: Final = 2_000_000
"""Rows of a record up to which all are cleaned; of a longer one, only these first rows."""

_REPORTED: Final = (
    "rows_kept",
    "rows_quarantined",
    "charge_in_after_ah",
    "charge_out_after_ah",
    "time_span_after_second",
    "cycles_after",
    "steps_after",
    "charge_source",
    "charge_in_low_ah",
    "charge_in_high_ah",
    "charge_out_low_ah",
    "charge_out_high_ah",
)
_FINDING: Final = ("rule", "severity", "rows", "source_row", "before", "after", "action")
_WITH_UNIT: Final = (c.TEST_TIME, c.CURRENT, c.VOLTAGE)
_VOTES: Final = (
    "words_charge_positive",
    "words_discharge_positive",
    "voltage_charge_positive",
    "voltage_discharge_positive",
)
_CLOCKS: Final = (c.TEST_TIME, c.UNIX_TIME)
_TEXT_READERS: Final = ("csv", "digatron")


@dataclass(slots=True)
class _Contents:
    """What one pass over a file gathers: rows and time span of each cell, and the chosen cell's rows.

    Args:
        chosen: the cell whose rows are kept; ``None`` = the first in the file.
        rows: number of rows by cell.
        spans: first and last time in s, by cell and clock; NaN = the clock is missing.
        frames: the chosen cell's rows, up to ``MOST_ROWS``.
        kept: number of rows in ``frames``.
    """

    chosen: str | None
    rows: dict[str, int] = field(default_factory=dict)
    spans: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    frames: list[pd.DataFrame] = field(default_factory=list)
    kept: int = 0

    def add(self, block: RawBlock, single: str) -> None:
        """Count a block of rows, and keep those of the chosen cell.

        Args:
            single: the cell of all rows where the block has no column of cells.
        """
        cells = block.cells
        if cells is None:
            cells = CellIds(np.zeros(len(block), dtype=np.int64), (single,))
        for name, rows in cells.count_rows().items():
            self.rows[name] = self.rows.get(name, 0) + rows
        self._add_spans(block.frame, cells)
        if self.chosen is None:
            self.chosen = next(iter(self.rows), None)
        is_chosen = cells.are(self.chosen or "")
        if is_chosen.any() and self.kept < MOST_ROWS:
            self.frames.append(block.frame[is_chosen].head(MOST_ROWS - self.kept))
            self.kept += len(self.frames[-1])

    def _add_spans(self, frame: pd.DataFrame, cells: CellIds) -> None:
        times = frame[list(_CLOCKS)].assign(cell=cells.codes).groupby("cell")
        for clock in _CLOCKS:
            for code, low, high in times[clock].agg(["min", "max"]).itertuples():
                key = (cells.ids[code], clock)
                first, last = self.spans.get(key, (np.nan, np.nan))
                self.spans[key] = (float(np.fmin(first, low)), float(np.fmax(last, high)))

    def cells(self) -> list[dict[str, Any]]:
        """Return each cell's rows and the span of its test time in s, or of its wall clock where it has none."""
        described = []
        for cell, rows in self.rows.items():
            spans = [self.spans[cell, clock] for clock in _CLOCKS]
            first, last = next((span for span in spans if np.isfinite(span[0])), (None, None))
            described.append({"cell_id": cell, "rows": rows, "first_second": first, "last_second": last})
        return described


def show_inspection(paths: Sequence[str], cell: str | None, json_: bool) -> int:
    """Print the inspection of each file that the paths name.

    Args:
        paths: files, folders and globs.
        cell: the cell to clean; ``None`` = the first of each file.
        json_: print JSON.

    Returns:
        The exit code: 1 when a file cannot be read, else 0.

    Raises:
        CampaignError: a path names no file.
    """
    progress = ReadingProgress(early.guard(sys.stderr))
    files = raw_files(paths)
    inspections = []
    ends: dict[RawFile, FileEnds] = {}
    for number, path in enumerate(files):
        progress.show("inspecting", number, len(files))
        inspections.append(_inspect_or_error(path, cell, ends))
    joined = describe_joined_files(ends, progress)
    progress.close()
    early.end()  # what follows is on stdout
    for inspection in inspections:
        inspection["joined"] = [asdict(join) for join in joined if inspection["file"] in join.files]
    if json_:
        print(json.dumps(inspections, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join([*map(inspection_text, inspections), *joined_text(joined)]))
    return int(any("error" in inspection for inspection in inspections))


def inspect_file(path: Path, cell: str | None = None, ends: dict[RawFile, FileEnds] | None = None) -> dict[str, Any]:
    """Return how a file would be read without a campaign, and what is in it.

    The file is read once. Only one of its cells is cleaned, with the default thresholds.

    Args:
        cell: the cell to clean; ``None`` = the first in the file.
        ends: what the first and last rows of the chosen cell say is added to it.

    Returns:
        The layout (``reader``, ``encoding``, ``delimiter``, …), ``columns`` with what each is mapped to, ``clocks`` and
        ``counters`` among them, ``cells`` with rows and time span in s, ``cleaned``: the clean report of the chosen
        cell, and ``uncertain``: what a user should check. Plain values, for JSON.

    Raises:
        ReadError: the file cannot be read.
    """
    settings = guess_settings(path)
    reader = READERS[settings.reader]
    layout = reader.layout(path, settings)
    single = ""
    if not settings.cell_id_from.startswith("column:"):
        single = cell_ids(path, settings)[0]
    contents = _Contents(cell)
    for block in reader.blocks(path, settings):
        contents.add(block, single)
        check_rows(str(path), contents.kept * ROW_BYTES)
    if not contents.frames:
        read_raw(path, settings, cell)  # raises an error that lists the cells of the file
    raw = pd.concat(contents.frames, ignore_index=True)
    if ends is not None:
        ends[RawFile(path, settings)] = file_ends(path.name, raw)
    cleaned = _cleaned(raw, str(contents.chosen), settings)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        **_format(path, settings, layout),
        "columns": [_column(column, layout, settings) for column in layout.columns],
        "clocks": _columns_in(layout, "_second"),
        "counters": _columns_in(layout, "_ah"),
        "cell_id_from": settings.cell_id_from,
        "unused": _unused(layout),
        "rows": sum(contents.rows.values()),
        "cell_count": len(contents.rows),
        "cells": contents.cells(),
        "cleaned": cleaned,
        "uncertain": list(_uncertain(layout, cleaned)),
    }


def _columns_in(layout: Layout, unit: str) -> list[dict[str, str]]:
    """Return the columns of one kind of quantity.

    Args:
        unit: the end of the target's name: ``_second`` for clocks, ``_ah`` for charge counters.
    """
    return [
        {"column": column.name, "target": column.target} for column in layout.columns if column.target.endswith(unit)
    ]


def _uncertain(layout: Layout, cleaned: dict[str, Any]) -> Iterator[str]:
    """Yield what a user should check: what was assumed, and what cleaning warns about."""
    for column in layout.columns:
        assumed = not column.unit and column.kind == "number" and column.target in _WITH_UNIT
        if assumed and not any(unit for _, unit in names_and_units(column.name)):
            yield f"the unit of {column.name} is assumed: {_assumed_unit(column)}"
        if column.is_subtracted:
            yield f"{column.target} is a difference, less {column.name}: no column has the cell's own"
        is_time = column.target in (c.TEST_TIME, c.STEP_TIME) and column.unit and not layout.header.units
        if is_time and not any(unit for _, unit in names_and_units(column.name)):
            yield f"the unit of {column.name} is not in its name: {column.unit}, by the other time or the campaign"
    if not _columns_in(layout, "_ah"):
        yield "no charge counter: charge is known from the sampled current alone"
    sign = cleaned.get("current_sign")
    if sign is not None and sign["reader_says"] == "auto" and not any(sign[name] for name in _VOTES):
        yield "no evidence for the sign of the current; it is taken as positive for charge"
    warned: dict[str, dict[str, Any]] = {}
    for finding in cleaned.get("findings", ()):
        if finding["severity"] != "info":
            warned.setdefault(finding["rule"], finding)
    for rule, finding in warned.items():
        yield f"{rule}: {finding['before']}, {finding['after']}"


def _inspect_or_error(path: Path, cell: str | None, ends: dict[RawFile, FileEnds]) -> dict[str, Any]:
    if not is_utf8(path):
        name = printable(path)
        return {"file": name, "error": f"{name}: the file name is not UTF-8, so it cannot be recorded; rename it"}
    try:
        return inspect_file(path, cell, ends)
    except KilocellError as error:
        return {"file": str(path), "error": str(error)}


def _format(path: Path, settings: SourceSettings, layout: Layout) -> dict[str, Any]:
    """Return the layout of a file; of a binary file only the reader is known."""
    header = layout.header
    described: dict[str, Any] = {
        "reader": settings.reader,
        "packed": "gzip" if is_gzip(path) else None,
        "encoding": None,
        "delimiter": None,
        "decimal": None,
        "header_line": None,
        "data_line": None,
        "unit_row": bool(header.units),
    }
    if settings.reader in _TEXT_READERS:
        described["encoding"] = detect_encoding(path)
        described["delimiter"] = header.delimiter
        described["decimal"] = header.decimal
        described["data_line"] = header.lines + 1
    if settings.reader == "csv":
        described["header_line"] = header.lines - bool(header.units)
    return described


def _column(column: Column, layout: Layout, settings: SourceSettings) -> dict[str, Any]:
    """Return what a column is mapped to, its unit, and where this is known from."""
    if column.kind == "datetime":
        unit = column.date
    elif column.kind == "duration":
        unit = "d h:m:s"
    else:
        unit = column.unit
    return {
        "column": column.name,
        "target": f"{column.target}, subtracted" if column.is_subtracted else column.target,
        "unit": unit or _assumed_unit(column),
        "taken": _column_source(column, layout, settings),
    }


def _column_source(column: Column, layout: Layout, settings: SourceSettings) -> str:
    """Return where the meaning and unit of a column are known from."""
    if settings.reader in ("digatron", "neware"):
        return "known"
    if column.kind in ("datetime", "duration"):
        return "name and values"
    if any(unit for _, unit in names_and_units(column.name)):
        return "name"
    if _is_number(column) and not column.unit:
        return "name"
    if not column.unit:
        return "name, unit assumed"
    if layout.header.units:
        return "name and unit row"
    return "name and values"


def _is_number(column: Column) -> bool:
    """Tell whether a column has no unit: cycle and step numbers, and the cycler's state."""
    return column.target in (c.CYCLE_ID, c.STEP_ID, c.STATE)


def _assumed_unit(column: Column) -> str:
    """Return the unit that the name of the target column ends with, such as ``volt``."""
    return "" if _is_number(column) else column.target.rsplit("_", 1)[-1]


def _unused(layout: Layout) -> list[str]:
    """Return the names of columns that are mapped to nothing."""
    used = {column.index for column in layout.columns} | {layout.cell}
    return [name for index, name in enumerate(layout.header.names) if index not in used and name]


def _cleaned(raw: pd.DataFrame, cell: str, settings: SourceSettings) -> dict[str, Any]:
    """Clean one cell with the default thresholds and return its report, or the reason why it cannot be cleaned."""
    thresholds = CleanSettings(current_sign=settings.current_sign)
    described: dict[str, Any] = {
        "cell_id": cell,
        "rows_in": len(raw),
        "capacity_guess_ah": None,
        "unreadable": raw.loc[raw[c.UNREADABLE] != "", c.UNREADABLE].head(3).tolist(),
    }
    try:
        cleaned = clean(raw, cell, thresholds)
    except JobError as error:
        return {**described, "error": str(error)}
    guess = guess_cell(cleaned.samples)
    if guess is not None:
        described["capacity_guess_ah"] = guess.capacity_ah
        described["half_cycles"] = guess.half_cycles
    for name in _REPORTED:
        described[name] = getattr(cleaned.report, name)
    described["current_sign"] = _sign(raw, cleaned.samples, settings, thresholds)
    described["findings"] = [{name: getattr(finding, name) for name in _FINDING} for finding in cleaned.report.findings]
    return described


def _sign(
    raw: pd.DataFrame, samples: pd.DataFrame, settings: SourceSettings, thresholds: CleanSettings
) -> dict[str, Any]:
    """Return the sign of the current in the file, and the votes of cycler states and voltage for each sign."""
    by_state = state_signs(raw[c.STATE]) * np.sign(raw[c.CURRENT].to_numpy())
    votes = sign_votes(Table.from_frame(samples), thresholds)
    turned = bool((samples[c.FLAGS] & flag_bit("current_sign")).any())
    return {
        "reader_says": settings.current_sign,
        "turned": turned,
        "words_charge_positive": int((by_state > 0).sum()),
        "words_discharge_positive": int((by_state < 0).sum()),
        "voltage_charge_positive": votes[turned],
        "voltage_discharge_positive": votes[not turned],
    }
