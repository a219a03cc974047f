"""Read the time series of figures: measured samples of a cell, and simulations at the same samples."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.errors import StoreError
from ..parquet_store.layout import Store
from ..parquet_store.read import read_partition, read_simulation, simulation_outputs
from .draw.cells import SimulatedCurve


def read_measured(store: Store, cell_id: str, cycles: Sequence[int] = ()) -> pd.DataFrame:
    """Read time (s), voltage (V), current (A), cycle and flags of a cell's cleaned samples.

    Args:
        store: the store.
        cell_id: the cell.
        cycles: read only these; empty = all.

    Raises:
        StoreError: the cell has no partition.
    """
    shown_columns = [c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.SURFACE_TEMPERATURE, c.CYCLE_COUNT, c.FLAGS]
    return read_partition(store, cell_id, shown_columns, cycles)


def read_simulated(
    store: Store,
    row: Mapping[str, Any] | sqlite3.Row,
    measured: pd.DataFrame,
    cycles: Sequence[int],
    *,
    more: bool = False,
) -> SimulatedCurve:
    """Read a simulation at the measured samples. Samples that were not simulated are missing values.

    Args:
        store: the store.
        row: of the catalog's ``simulations``.
        measured: from :func:`read_measured`.
        cycles: the same cycles as of ``measured``.
        more: also read what the simulation stores beside the voltage.

    Raises:
        StoreError: the simulation is missing, or the record was cleaned again after it.
    """
    shown_columns = [c.TEST_TIME, "simulated_voltage_volt", "voltage_error_volt", c.CYCLE_COUNT]
    if more:
        shown_columns += simulation_outputs(store, row["cell_id"], row["label"]).column_names
    frame = read_simulation(store, row["cell_id"], row["label"], shown_columns, cycles)
    times = measured.loc[measured[c.CYCLE_COUNT].isin(frame[c.CYCLE_COUNT]), c.TEST_TIME]
    failed = ""
    if row["status"] == "failed":
        failed = row["reason_code"].replace("_", " ")
        times = times[: len(frame)]
    if not np.array_equal(frame[c.TEST_TIME], times):
        raise StoreError(
            f"simulation {row['label']!r} of cell {row['cell_id']!r} belongs to an earlier cleaning of the record. "
            "`kilocell run` simulates the cell again."
        )
    # Samples that were not simulated (other cycles, or after a failure) become missing values: no line is drawn there.
    placed = frame.drop(columns=c.CYCLE_COUNT).set_index(c.TEST_TIME).reindex(measured[c.TEST_TIME]).reset_index()
    return SimulatedCurve(f"{row['model']}, {row['parameter_set']}", placed, failed)
