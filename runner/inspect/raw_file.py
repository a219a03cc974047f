"""``kilocell inspect``: how a raw file would be read, what is in it, and what cleaning finds first. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.errors import JobError, KilocellError
from ...data.readers.column_names import names_and_units
from ...data.readers.csv_reader import RawBlock
from ...data.readers.layout import Column, Layout
from ...data.readers.read import READERS, cell_ids, guess_settings, read_raw
from ...data.readers.text_blocks import detect_encoding, is_gzip
from ...data.rules import flag_bit
from ...data.settings import CleanSettings, SourceSettings
from ...jobs.cleaning.clean import clean
from ...jobs.cleaning.current import sign_votes, state_signs
from ...jobs.cleaning.guess_cell import guess_cell
from .new_campaign import raw_files
from .text import inspection_text

MOST_ROWS: Final = 2_000_000
"""Rows of the one cell that is cleaned; of a longer record only these, the first ones."""

_CLOCKS: Final = (c.TEST_TIME, c.UNIX_TIME)
_TEXT_READERS: Final = ("csv", "digatron")


@dataclass(slots=True)
class _Contents:
    """What one pass over a file gathers: each cell's rows and time span, and the chosen cell's rows."""

    chosen: str | None
    rows: dict[str, int] = field(default_factory=dict)
    spans: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    frames: list[pd.DataFrame] = field(default_factory=list)
    kept: int = 0

    def add(self, block: RawBlock, single: str) -> None:
        cells = block.cells if block.cells is not None else pd.Categorical([single]).take([0] * len(block.frame))
        times = block.frame[list(_CLOCKS)].assign(cell=cells.codes).groupby("cell")
        sizes = np.bincount(cells.codes, minlength=len(cells.categories)).tolist()
        for name, rows in zip(cells.categories, sizes, strict=True):
            self.rows[str(name)] = self.rows.get(str(name), 0) + rows
        for clock in _CLOCKS:
            for code, low, high in times[clock].agg(["min", "max"]).itertuples():
                place = str(cells.categories[code]), clock
                before = self.spans.get(place, (np.nan, np.nan))
                self.spans[place] = float(np.fmin(before[0], low)), float(np.fmax(before[1], high))
        if self.chosen is None:
            self.chosen = next(iter(self.rows), None)
        mine = np.asarray(cells == self.chosen)
        if mine.any() and self.kept < MOST_ROWS:
            self.frames.append(block.frame[mine].head(MOST_ROWS - self.kept))
            self.kept += len(self.frames[-1])

    def cells(self) -> list[dict[str, Any]]:
        """Each cell's rows and the span of its test time, or of its wall clock where it has none."""
        found = []
        for cell, rows in self.rows.items():
            spans = [self.spans[cell, clock] for clock in _CLOCKS]
            low, high = next((span for span in spans if np.isfinite(span[0])), (None, None))
            found.append({"cell_id": cell, "rows": rows, "first_second": low, "last_second": high})
        return found


def show_inspection(paths: Sequence[str], cell: str | None, json_: bool) -> int:
    """Print what :func:`inspect_file` finds for each file that the paths name; return the exit code.

    Args:
        cell: the cell that is cleaned; ``None`` = the first of each file.

    Raises:
        CampaignError: a path names no file.
    """
    found = [_inspected(path, cell) for path in raw_files(paths)]
    if json_:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join(inspection_text(one) for one in found))
    return int(any("error" in one for one in found))


def inspect_file(path: Path, cell: str | None = None) -> dict[str, Any]:
    """Return how a file would be read without a campaign, and what is in it.

    The file is read once; of its cells only one is cleaned, with the usual thresholds.

    Raises:
        ReadError: it cannot be read.
    """
    settings = guess_settings(path)
    reader = READERS[settings.reader]
    layout = reader.layout(path, settings)
    single = "" if settings.cell_id_from.startswith("column:") else cell_ids(path, settings)[0]
    contents = _Contents(cell)
    for block in reader.blocks(path, settings):
        contents.add(block, single)
    if not contents.frames:
        read_raw(path, settings, cell)  # says which cells there are
    raw = pd.concat(contents.frames, ignore_index=True)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        **_format(path, settings, layout),
        "columns": [_column(column, layout, settings) for column in layout.columns],
        "cell_id_from": settings.cell_id_from,
        "unused": _unused(layout),
        "rows": sum(contents.rows.values()),
        "cell_count": len(contents.rows),
        "cells": contents.cells(),
        "cleaned": _cleaned(raw, str(contents.chosen), settings),
    }


def _inspected(path: Path, cell: str | None) -> dict[str, Any]:
    try:
        return inspect_file(path, cell)
    except KilocellError as error:
        return {"file": str(path), "error": str(error)}


def _format(path: Path, settings: SourceSettings, layout: Layout) -> dict[str, Any]:
    header = layout.header
    text = settings.reader in _TEXT_READERS
    return {
        "reader": settings.reader,
        "packed": "gzip" if is_gzip(path) else None,
        "encoding": detect_encoding(path) if text else None,
        "delimiter": header.delimiter if text else None,
        "decimal": header.decimal if text else None,
        "header_line": header.lines - bool(header.units) if text and settings.reader == "csv" else None,
        "data_line": header.lines + 1 if text else None,
        "unit_row": bool(header.units),
    }


def _column(column: Column, layout: Layout, settings: SourceSettings) -> dict[str, Any]:
    own_unit = any(unit for _, unit in names_and_units(column.name))
    if settings.reader in ("digatron", "neware"):
        taken = "known"
    elif column.kind in ("datetime", "duration"):
        taken = "name and values"
    elif own_unit or not column.unit:
        taken = "name" if own_unit or _is_number(column) else "name, unit assumed"
    else:
        taken = "name and unit row" if layout.header.units else "name and values"
    form = column.date if column.kind == "datetime" else "d h:m:s" if column.kind == "duration" else column.unit
    return {"column": column.name, "target": column.target, "unit": form or _assumed_unit(column), "taken": taken}


def _is_number(column: Column) -> bool:
    """Tell whether a column has no unit: numbers of cycles and steps, and words."""
    return column.target in (c.CYCLE_ID, c.STEP_ID, c.STATE)


def _assumed_unit(column: Column) -> str:
    return "" if _is_number(column) else column.target.rsplit("_", 1)[-1]


def _unused(layout: Layout) -> list[str]:
    used = {column.index for column in layout.columns} | {layout.cell}
    return [name for index, name in enumerate(layout.header.names) if index not in used and name]


def _cleaned(raw: pd.DataFrame, cell: str, settings: SourceSettings) -> dict[str, Any]:
    """Clean one cell as a campaign without thresholds of its own would; a cell that cannot be cleaned says why."""
    thresholds = CleanSettings(current_sign=settings.current_sign)
    guess = guess_cell([raw])
    whole: dict[str, Any] = {
        "cell_id": cell,
        "rows_in": len(raw),
        "capacity_guess_ah": None if guess is None else guess.capacity_ah,
        "unreadable": raw.loc[raw[c.UNREADABLE] != "", c.UNREADABLE].head(3).tolist(),
    }
    try:
        cleaned = clean(raw, cell, thresholds)
    except JobError as error:
        return {**whole, "error": str(error)}
    report = cleaned.report
    names = ("rows_kept", "rows_quarantined", "charge_in_after_ah", "charge_out_after_ah", "time_span_after_second")
    return {
        **whole,
        **{name: getattr(report, name) for name in (*names, "cycles_after", "steps_after")},
        "current_sign": _sign(raw, cleaned.samples, settings, thresholds),
        "findings": [
            {"rule": f.rule, "severity": f.severity, "rows": f.rows, "source_row": f.source_row}
            | {"before": f.before, "after": f.after, "action": f.action}
            for f in report.findings
        ],
    }


def _sign(
    raw: pd.DataFrame, samples: pd.DataFrame, settings: SourceSettings, thresholds: CleanSettings
) -> dict[str, Any]:
    """Say how the file signs its current, and what speaks for it: the cycler's words, and voltage against current."""
    told = state_signs(raw[c.STATE]) * np.sign(raw[c.CURRENT].to_numpy())
    votes = sign_votes(samples, thresholds)
    turned = bool((samples[c.FLAGS] & flag_bit("current_sign")).any())
    return {
        "reader_says": settings.current_sign,
        "turned": turned,
        "words_charge_positive": int((told > 0).sum()),
        "words_discharge_positive": int((told < 0).sum()),
        "voltage_charge_positive": votes[turned],
        "voltage_discharge_positive": votes[not turned],
    }
