"""Write the time series of simulations as one long CSV file."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ..data.csv_writer import write_header, write_rows
from ..data.errors import StoreError, UsageError
from ..data.left_out import leave_out
from ..parquet_store.layout import Store
from .selected import read_simulated_part

_log = logging.getLogger(__name__)
NAMES = ("cell_id", "model", "parameter_set")
MEASURED = "measured_voltage_volt"
Row = Mapping[str, Any] | sqlite3.Row


def read_samples(store: Store, curve: Row, select: str | None = None) -> pd.DataFrame:
    """Read a simulation with the measured voltage beside the simulated one.

    Args:
        store: the store.
        curve: a row of the catalog's ``curves``.
        select: only this part of the record; ``None`` = all.

    Returns:
        ``data.columns.SIMULATION_COLUMNS`` and ``measured_voltage_volt`` (simulated - error; missing where no voltage
        was measured).
    """
    frame = read_simulated_part(store, curve, select)
    frame.insert(1, MEASURED, frame["simulated_voltage_volt"] - frame["voltage_error_volt"])
    return frame


def write_samples(store: Store, curves: Sequence[Row], select: str | None, path: Path) -> None:
    """Write the samples of simulations, with cell_id, model and parameter_set in each row.

    A file that cannot be read, or that has nothing of the selection, is named in the log and left out.

    Args:
        store: the store.
        curves: rows of the catalog's ``curves``.
        select: only this part of each record; ``None`` = all.
        path: the CSV file.

    Raises:
        UsageError: no curve has the selected part.
    """
    columns: list[str] = []
    problem: Exception | None = None
    with path.open("wb") as stream:
        for curve in curves:
            try:
                frame = read_samples(store, curve, select)
            except StoreError as error:
                problem = problem or error
                leave_out(error)
                continue
            except UsageError as error:
                problem = problem or error
                _log.warning("left out: %s", error)
                continue
            if not columns:
                columns = list(frame.columns)
                write_header(stream, [*NAMES, *columns])
            series = pa.Table.from_pandas(frame.reindex(columns=columns), preserve_index=False)
            write_rows(stream, series, {name: str(curve[name]) for name in NAMES})
    if problem is not None and not columns:
        raise problem
