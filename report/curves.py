"""Read the time series of figures: measured samples of a cell, and simulations at the same samples."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.error_budget import error_budget
from ..data.errors import StoreError
from ..data.left_out import leave_out
from ..data.rules import flag_bit
from ..data.standing import CURRENT
from ..data.step_selection import StepSelection, parse_select
from ..parquet_store.layout import Store
from ..parquet_store.read import read_partition, read_simulation, simulation_outputs
from .draw.cells import SimulatedCurve
from .selected import selected_mask
from .styles import Style, Styles

REASON_SIGNS: Final = 70
"""Largest number of characters of the reason of a failure in a legend."""


def read_measured(
    store: Store,
    cell_id: str,
    cycles: Sequence[int] = (),
    select: str | None = None,
    *,
    more: Sequence[str] = (),
) -> pd.DataFrame:
    """Read time (s), voltage (V), current (A), surface temperature (°C), cycle and flags of a cell's cleaned samples.

    Args:
        store: the store.
        cell_id: the cell.
        cycles: read only these; empty = all.
        select: read only this part of the record. What is left out between two of its samples is marked as a gap.
        more: other columns of the partition.

    Raises:
        StoreError: the cell has no partition.
        UsageError: the text is not a selection, or the record has nothing of it.
    """
    shown_columns = [c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.SURFACE_TEMPERATURE, c.CYCLE_COUNT, c.FLAGS, *more]
    if select is None:
        return read_partition(store, cell_id, shown_columns, cycles)
    mask, _ = selected_mask(store, cell_id, select)
    rows = np.flatnonzero(mask)
    frame = read_partition(store, cell_id, shown_columns).iloc[rows].reset_index(drop=True)
    after_gap = np.flatnonzero(np.diff(rows) > 1) + 1
    frame.loc[after_gap, c.FLAGS] |= flag_bit("time_gap")
    return frame


def read_curves(
    store: Store,
    styles: Styles,
    rows: Sequence[Mapping[str, Any] | sqlite3.Row],
    measured: pd.DataFrame,
    cycles: Sequence[int] = (),
    select: str | None = None,
    *,
    more: bool = False,
) -> list[SimulatedCurve]:
    """Read the simulations of a figure, each with the style that it has in every figure of the store.

    One whose file is missing or damaged is named in the log ``kilocell.data.left_out``, and the others are read.

    Args:
        store, measured, cycles, select, more: as of :func:`read_simulated`.
        styles: of the store, from ``read_styles``.
        rows: of the catalog's ``simulations``.
    """
    looks = styles.curves([(str(row["model"]), str(row["parameter_set"])) for row in rows])
    curves = []
    for row, style in zip(rows, looks, strict=True):
        try:
            curves.append(read_simulated(store, row, measured, cycles, select, more=more, style=style))
        except StoreError as error:
            leave_out(error)
    return curves


def read_simulated(
    store: Store,
    row: Mapping[str, Any] | sqlite3.Row,
    measured: pd.DataFrame,
    cycles: Sequence[int],
    select: str | None = None,
    *,
    more: bool = False,
    style: Style | None = None,
) -> SimulatedCurve:
    """Read a simulation at the measured samples. Samples that were not simulated are missing values.

    Args:
        store: the store.
        row: of the catalog's ``simulations``.
        measured: from :func:`read_measured`.
        cycles, select: the same cycles or part as of ``measured``.
        more: also read what the simulation stores beside the voltage.
        style: of its lines; ``None`` = by its place in the figure.

    Raises:
        StoreError: the simulation is missing, or the record was cleaned again after it.
    """
    shown_columns = [c.TEST_TIME, "simulated_voltage_volt", "voltage_error_volt", c.CYCLE_COUNT]
    if more:
        shown_columns += simulation_outputs(store, row["cell_id"], row["label"]).column_names
    frame = read_simulation(store, row["cell_id"], row["label"], shown_columns, cycles)
    failed = ""
    if row["status"] == "failed":
        failed = _reason_words(row)
    if not _is_of_record(store, row, frame, measured, select):
        raise StoreError(
            f"simulation {row['label']!r} of cell {row['cell_id']!r} belongs to an earlier cleaning of the record. "
            "`kilocell run` simulates the cell again."
        )
    # Samples that were not simulated (other cycles, or after a failure) become missing values: no line is drawn there.
    placed = frame.drop(columns=c.CYCLE_COUNT).set_index(c.TEST_TIME).reindex(measured[c.TEST_TIME]).reset_index()
    name = f"{row['model']}, {row['parameter_set']}{standing_words(row)}"
    others = bool(failed and _selection(row))
    budget = None if failed else error_budget(dict(row))
    model = str(row["model"])
    return SimulatedCurve(name, placed, failed, budget, others, style, model, str(row["parameter_set"]))


def _reason_words(row: Mapping[str, Any] | sqlite3.Row) -> str:
    """Return why a simulation failed in a few words; rows of the view ``curves`` have only the sentence."""
    if "reason_code" in row.keys() and row["reason_code"]:  # noqa: SIM118
        return str(row["reason_code"]).replace("_", " ")
    reason = str(row["reason"] or "") if "reason" in row.keys() else ""  # noqa: SIM118
    first, *_ = reason.splitlines() or [""]
    return shorten(first, REASON_SIGNS, placeholder="…") or "failed"


def standing_words(row: Mapping[str, Any] | sqlite3.Row) -> str:
    """Return what is added to a simulation's name if it is not current."""
    standing = row["standing"] if "standing" in row.keys() else CURRENT  # noqa: SIM118
    return "" if standing == CURRENT else f" ({standing.split(':')[0]})"


def _is_of_record(
    store: Store, row: Mapping[str, Any] | sqlite3.Row, frame: pd.DataFrame, measured: pd.DataFrame, select: str | None
) -> bool:
    """Tell whether a simulation has the samples of the current record, not of one that was cleaned otherwise.

    Args:
        store, row, measured, select: as in :func:`read_simulated`.
        frame: of the simulation, with ``test_time_second`` and ``cycle_count``.
    """
    if select is None:
        times = measured.loc[measured[c.CYCLE_COUNT].isin(frame[c.CYCLE_COUNT]), c.TEST_TIME]
        if row["status"] == "failed":
            times = times[: len(frame)]
        if np.array_equal(frame[c.TEST_TIME], times):
            return True
        if not _selects_steps(row):
            return False
    # A part of a cycle: all its samples must be samples of the record.
    record = read_partition(store, str(row["cell_id"]), [c.TEST_TIME])
    return bool(frame[c.TEST_TIME].isin(record[c.TEST_TIME]).all())


def _selects_steps(row: Mapping[str, Any] | sqlite3.Row) -> bool:
    """Tell whether a simulation is of parts of cycles."""
    return isinstance(parse_select(_selection(row) or "all"), StepSelection)


def _selection(row: Mapping[str, Any] | sqlite3.Row) -> str | None:
    """Return the simulated part of the record; ``None`` = all of it."""
    selection: str | None = row["selection"] if "selection" in row.keys() else None  # noqa: SIM118
    return selection
