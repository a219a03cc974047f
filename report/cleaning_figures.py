"""Plot what cleaning did to a cell: read cleaned and raw samples, draw them, write PNG and PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..data import columns as c
from ..data.arrays import Mask
from ..data.text import format_count
from ..parquet_store.layout import Store, safe_name
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from .draw.cleaning import draw_cleaning
from .headings import cell_details, describe_cycles
from .raw_rows import BeforeAndAfter, read_before_and_after
from .save import save
from .select import check_cycles, format_cycles, known_cycles
from .selected import selected_mask


def plot_cleaning(
    store: Store, cell_id: str, cycles: Sequence[int] = (), select: str | None = None, everything: bool = False
) -> list[Path]:
    """Plot raw against cleaned voltage (V), current (A), cycles and steps of a cell over time (h).

    Args:
        store: a store with the cleaned cell.
        cell_id: the cell.
        cycles: plot only these; empty = all.
        select: plot only this part of the record, such as ``step 14-16``; not together with ``cycles``.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of the PNG and PDF, ``cleaning_CELL`` or ``cleaning_CELL_cycles-CYCLES``.

    Raises:
        UsageError: there is no such cell or cycle; the message lists those that exist.
        StoreError: the raw rows do not exist any more.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        known = known_cycles(catalog, cell_id)
        check_cycles(cycles, known)
        (report,) = queries.clean_reports(catalog, cell_id)
        findings = [dict(row) for row in queries.findings(catalog, cell_id)]
        record = read_before_and_after(store, catalog, cell_id)
        facts = cell_facts(catalog, cell_id)
    details = f"{cell_details((), select or describe_cycles(cycles, known), facts)}; {_count_rows(dict(report))}"
    name = f"cleaning_{safe_name(cell_id)}"
    if cycles:
        record = _take(record, np.isin(record.samples[c.CYCLE_COUNT].to_numpy(), cycles))
        name += f"_cycles-{format_cycles(cycles)}"
    if select is not None:
        record = _take(record, selected_mask(store, cell_id, select)[0])
        name += f"_{safe_name(f'select-{select}')}"
    return save(store, draw_cleaning(f"{cell_id}: cleaning", record, findings, details), name)


def _count_rows(report: Mapping[str, Any]) -> str:
    """Return the numbers of rows of the whole record; ``report`` is a row of ``clean_reports``."""
    text = f"{format_count(report['rows_in'], 'row')} in, {report['rows_kept']} kept"
    if report["rows_quarantined"]:
        text += f", {report['rows_quarantined']} quarantined"
    return text


def _take(record: BeforeAndAfter, is_selected: Mask) -> BeforeAndAfter:
    """Return some samples, and the quarantined rows whose previous sample is among these.

    Args:
        is_selected: shape (samples,).
    """
    time = record.samples[c.TEST_TIME].to_numpy(dtype=np.float64)
    quarantined_time = record.quarantined[c.TEST_TIME].to_numpy(dtype=np.float64)
    previous = np.searchsorted(time, quarantined_time, side="right") - 1
    previous = np.clip(previous, 0, len(time) - 1)
    return BeforeAndAfter(
        record.samples[is_selected], record.raw[is_selected], record.quarantined[is_selected[previous]]
    )
