"""Read what a figure draws over time: a cell's measured samples, and simulations placed on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.errors import StoreError
from ..parquet_store.layout import Store
from ..parquet_store.read import read_partition, read_simulation
from .draw.cells import SimulatedCurve


def read_measured(store: Store, cell_id: str, cycles: Sequence[int] = ()) -> pd.DataFrame:
    """Read time, voltage, current, cycle and flags of a cell's samples; ``cycles`` empty = all."""
    shown_columns = [c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.CYCLE_COUNT, c.FLAGS]
    return read_partition(store, cell_id, shown_columns, cycles)


def read_simulated(
    store: Store, row: Mapping[str, Any] | sqlite3.Row, measured: pd.DataFrame, cycles: Sequence[int]
) -> SimulatedCurve:
    """Read a simulation at the measured samples; what was not simulated there is missing.

    Args:
        row: of ``simulations``.

    Raises:
        StoreError: it is of an earlier cleaning of the record.
    """
    shown_columns = [c.TEST_TIME, "simulated_voltage_volt", "voltage_error_volt", c.CYCLE_COUNT]
    frame = read_simulation(store, row["cell_id"], row["label"], shown_columns, cycles)
    failed = row["reason_code"].replace("_", " ") if row["status"] == "failed" else ""
    times = measured.loc[measured[c.CYCLE_COUNT].isin(frame[c.CYCLE_COUNT]), c.TEST_TIME]
    if not np.array_equal(frame[c.TEST_TIME], times[: len(frame)] if failed else times):
        raise StoreError(
            f"simulation {row['label']!r} of cell {row['cell_id']!r} is of an earlier cleaning of the record: "
            "`kilocell run` simulates it anew"
        )
    # Samples that were not simulated (other cycles, or after a failure) are missing values, which lift the line.
    placed = frame.drop(columns=c.CYCLE_COUNT).set_index(c.TEST_TIME).reindex(measured[c.TEST_TIME]).reset_index()
    return SimulatedCurve(f"{row['model']}, {row['parameter_set']}", placed, failed)
