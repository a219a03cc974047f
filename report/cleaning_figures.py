"""Make figures of what cleaning did: read the cleaned record and its raw rows, draw, and write PNG and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from ..data import columns as c
from ..data.text import format_count
from ..parquet_store.layout import Store, safe_name
from ..sqlite import queries
from .draw.cleaning import draw_cleaning
from .raw_rows import BeforeAndAfter, read_before_and_after
from .save import save
from .select import check_cycles, format_cycles, known_cycles


def plot_cleaning(store: Store, cell_id: str, cycles: Sequence[int] = ()) -> list[Path]:
    """Plot a cell's raw against its cleaned voltage (V), current (A), cycles and steps over time (h).

    Args:
        cycles: only these; empty = all.

    Returns:
        Paths of PNG and PDF, ``cleaning_CELL`` with the cycles where some were chosen.

    Raises:
        UsageError: no such cell or cycle; the text names those that there are.
        StoreError: the raw rows are not there any more.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        check_cycles(cycles, known_cycles(catalog, cell_id))
        (report,) = queries.clean_reports(catalog, cell_id)
        findings = [dict(row) for row in queries.findings(catalog, cell_id)]
        record = read_before_and_after(store, catalog, cell_id)
    heading = f"{cell_id}: {format_count(report['rows_in'], 'row')} in, {report['rows_kept']} kept"
    if report["rows_quarantined"]:
        heading += f", {report['rows_quarantined']} quarantined"
    name = f"cleaning_{safe_name(cell_id)}"
    if cycles:
        words = format_cycles(cycles)
        record, name = _select_cycles(record, cycles), f"{name}_cycles-{words}"
        heading += f"; cycle{'s' * (len(cycles) > 1)} {words.replace('+', ', ')}"
    return save(store, draw_cleaning(heading, record, findings), name)


def _select_cycles(record: BeforeAndAfter, cycles: Sequence[int]) -> BeforeAndAfter:
    """Keep the samples of some cycles, and the rows taken out between their first and last times."""
    cycle = record.samples[c.CYCLE_COUNT].to_numpy()
    kept = np.isin(cycle, cycles)
    time = record.samples[c.TEST_TIME].to_numpy(dtype=np.float64)
    taken_at = record.quarantined[c.TEST_TIME].to_numpy(dtype=np.float64)
    around = np.clip(np.searchsorted(time, taken_at, side="right") - 1, 0, len(time) - 1)
    return BeforeAndAfter(record.samples[kept], record.raw[kept], record.quarantined[kept[around]])
