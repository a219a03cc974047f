"""Parts of a record as users select them (``"cycle 2, discharge"``): their samples, and errors of simulations there.

The errors come from those of each sample that a simulation stored; nothing is simulated again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..data import columns as c
from ..data.arrays import Floats, Indices, Mask
from ..data.cycle_selection import CycleSelection, format_ranges
from ..data.errors import DamagedFileError, StoreError, UsageError
from ..data.left_out import leave_out
from ..data.names import check_known
from ..data.outputs import COLUMNS as OUTPUT_COLUMNS
from ..data.selected_spans import (
    INDEX_COLUMNS,
    NothingSelectedError,
    RecordIndex,
    Span,
    find_spans,
    make_index,
    spans_mask,
)
from ..data.step_selection import Selection, parse_select
from ..parquet_store.layout import Store
from ..parquet_store.read import LATER_COLUMNS, read_partition, read_simulation
from ..sqlite import fit_queries, queries

if TYPE_CHECKING:
    import pandas as pd

MILLIVOLT: Final = 1000.0
"""Millivolts in a volt."""

STRETCH_COLUMNS: Final = {
    "cell_id": "text", "model": "text", "parameter_set": "text", "status": "text", "stretch": "int64", "name": "text",
    "samples": "int64", "rmse_mv": "float64", "bias_mv": "float64", "worst_mv": "float64",
    "worst_time_second": "float64", "first_test_time_second": "float64", "last_test_time_second": "float64",
    "label": "text",
}  # fmt: skip
"""Columns of the errors in a selection, with their types."""

PARTIAL: Final = "partial"
"""Status of errors of a simulation that failed elsewhere, or in the stretch, after these samples."""

NOT_SIMULATED: Final = "not simulated"
"""Status where a simulation, which has not failed, is of other parts of the record."""

NO_ERRORS: Final = {"rmse_mv": None, "bias_mv": None, "worst_mv": None, "worst_time_second": None}


def parse_selection_option(text: str) -> Selection:
    """Parse a selection that a user gave on the command line or in Python.

    Args:
        text: as :func:`kilocell.data.step_selection.parse_select` reads it.

    Raises:
        UsageError: the text is not a selection; the message suggests a valid one.
    """
    try:
        return parse_select(text)
    except ValueError as error:
        raise UsageError(f"the selection {text!r} {error}") from None


def read_index(store: Store, cell_id: str) -> RecordIndex:
    """Read the numbers of the samples of a cell's cleaned record.

    Raises:
        StoreError: the cell has no partition.
    """
    return make_index(read_partition(store, cell_id, list(INDEX_COLUMNS)))


def find_in_record(selection: Selection, index: RecordIndex, cell_id: str) -> tuple[Span, ...]:
    """Find the spans of a selection in a cell's record.

    Raises:
        UsageError: the record has nothing of it; the message says what it has.
    """
    try:
        return find_spans(selection, index)
    except NothingSelectedError as error:
        raise UsageError(f"cell {cell_id!r}: {error}") from None


def selected_mask(store: Store, cell_id: str, text: str) -> tuple[Mask, RecordIndex]:
    """Tell which samples of a cell's record are selected.

    Args:
        store: with the cleaned cell.
        cell_id: the cell.
        text: the selection.

    Returns:
        Shape (samples of the record,), and the record's index.

    Raises:
        UsageError: the text is not a selection, or the record has nothing of it.
    """
    selection = parse_selection_option(text)
    index = read_index(store, cell_id)
    return spans_mask(find_in_record(selection, index, cell_id), len(index.time_second)), index


def read_selected(store: Store, cell_id: str, text: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the selected samples of a cell's cleaned record, in time order.

    Args:
        store: with the cleaned cell.
        cell_id: the cell.
        text: the selection.
        columns: names from ``data.columns.PARTITION_COLUMNS``; ``None`` = all.
    """
    mask, _ = selected_mask(store, cell_id, text)
    frame = read_partition(store, cell_id, columns)
    return frame[mask].reset_index(drop=True)


def simulated_places(simulated_second: Floats, index: RecordIndex, cell_id: str, label: str) -> Indices:
    """Return the index in the record of each simulated sample, shape (simulated samples,).

    Args:
        simulated_second: test times of the simulation, s.
        index: of the cell's record.
        cell_id, label: of the simulation, for the error message.

    Raises:
        StoreError: the record was cleaned again after the simulation.
    """
    places = np.searchsorted(index.time_second, simulated_second)
    inside = np.minimum(places, max(len(index.time_second) - 1, 0))
    if len(places) and not np.array_equal(index.time_second[inside], simulated_second):
        raise StoreError(
            f"simulation {label!r} of cell {cell_id!r} belongs to an earlier cleaning of the record. "
            "`kilocell run` simulates the cell again."
        )
    return inside


def selection_errors(
    store: Store, simulations: Sequence[sqlite3.Row], selection: Selection, index: RecordIndex, cell_id: str
) -> Iterator[dict[str, Any]]:
    """Yield the errors of a cell's simulations in each stretch of a selection.

    Args:
        store: with the simulations.
        simulations: of the cell, rows of the catalog with a stored curve.
        selection: the stretches.
        index: of the cell's record.
        cell_id: the cell.

    Yields:
        ``STRETCH_COLUMNS``; samples are 0 and errors are ``None`` in a stretch that was not simulated.
    """
    spans = find_in_record(selection, index, cell_id)
    for row in simulations:
        frame = read_simulation(store, cell_id, row["label"], [c.TEST_TIME, "voltage_error_volt"])
        time = frame[c.TEST_TIME].to_numpy(np.float64)
        error_mv = MILLIVOLT * frame["voltage_error_volt"].to_numpy(np.float64)
        places = simulated_places(time, index, cell_id, row["label"])
        for number, span in enumerate(spans, 1):
            inside = slice(*np.searchsorted(places, [span.first, span.end]))
            errors = _describe_errors(time[inside], error_mv[inside])
            status = PARTIAL if row["status"] == "failed" and errors["samples"] else row["status"]
            if status == "done" and inside.start == inside.stop:
                status = NOT_SIMULATED
            yield {
                **{name: row[name] for name in ("cell_id", "model", "parameter_set", "label")},
                "status": status,
                "stretch": number,
                "name": span.name,
                "first_test_time_second": float(index.time_second[span.first]),
                "last_test_time_second": float(index.time_second[span.end - 1]),
                **errors,
            }


def errors_of_cells(
    store: Store, catalog: sqlite3.Connection, text: str, cells: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the errors of all simulations with a stored curve in a selection, by cell and simulation.

    Args:
        store: the store.
        catalog: from ``queries.connect``.
        text: the selection.
        cells: only these cells, each of which must have the selected part; empty = all cells that have it.

    Raises:
        UsageError: the text is not a selection, or no cell has such a part; the message says what there is.
    """
    selection = parse_selection_option(text)
    problems: list[UsageError] = []
    found = False
    for cell_id in cells or queries.cell_ids(catalog):
        if not store.cleaned(cell_id).is_file():
            continue
        rows = queries.simulations(catalog, cell_id=cell_id, status=None)
        simulations = [row for row in rows if row["path"] and row["status"] in ("done", "failed")]
        try:
            yield from selection_errors(store, simulations, selection, read_index(store, cell_id), cell_id)
        except StoreError as error:
            if cells:
                raise
            leave_out(error)
            continue
        except UsageError as error:
            problems.append(error)
            continue
        found = True
    if problems and (cells or not found):
        raise problems[0]


def rows_in_selection(store: Store, rows: Sequence[sqlite3.Row], text: str, cell: str | None) -> list[sqlite3.Row]:
    """Return the rows of the catalog that are about a selected part of a record.

    Args:
        store: with the cleaned cells.
        rows: with ``cell_id`` and, where they are about one, ``cycle_count`` and ``step_count``.
        text: the selection.
        cell: the cell of all rows, which must have the selected part; ``None`` = rows of several cells.
    """
    parse_selection_option(text)
    numbers: dict[str, tuple[set[int], set[int]]] = {}
    for cell_id in dict.fromkeys(str(row["cell_id"]) for row in rows):
        try:
            mask, index = selected_mask(store, cell_id, text)
        except UsageError as error:
            if cell is not None:
                raise
            if isinstance(error, StoreError):
                leave_out(error)
            continue
        numbers[cell_id] = (set(index.cycle_count[mask].tolist()), set(index.step_count[mask].tolist()))

    def is_selected(row: sqlite3.Row) -> bool:
        cycles, steps = numbers.get(row["cell_id"], (set(), set()))
        names = row.keys()
        if "cycle_count" not in names:
            return bool(cycles)
        step = row["step_count"] if "step_count" in names else None
        return row["cycle_count"] in cycles and (step is None or step in steps)

    return [row for row in rows if is_selected(row)]


def fits_of_selection(
    catalog: sqlite3.Connection, rows: Sequence[sqlite3.Row], text: str | None
) -> Sequence[sqlite3.Row]:
    """Return the rows of the catalog that are about fits of a selection.

    Args:
        catalog: from ``queries.connect``.
        rows: with ``cell_id`` and ``fit``.
        text: exactly what was fitted; ``None`` = all rows.
    """
    if text is None:
        return rows
    selection = parse_selection_option(text)
    wanted = set()
    for fit in fit_queries.fits(catalog):
        fitted = fit["selection"]
        if fitted is None:
            fitted = ", ".join(map(str, json.loads(fit["cycles"] or "[]"))) or "all"
        if _same_part(parse_select(fitted), selection):
            wanted.add((fit["cell_id"], fit["fit"]))
    return [row for row in rows if (row["cell_id"], row["fit"]) in wanted]


def _same_part(one: Selection, other: Selection) -> bool:
    """Tell whether two selections name the same part; cycles may be written as ranges or one by one."""
    if isinstance(one, CycleSelection) and isinstance(other, CycleSelection):
        return (one.every, one.last, _closed(one)) == (other.every, other.last, _closed(other))
    return one == other


def _closed(selection: CycleSelection) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the cycles of all ranges with an end, and the ranges without one."""
    cycles = {n for first, last in selection.ranges if last for n in range(first, last + 1)}
    return format_ranges(cycles), tuple(pair for pair in selection.ranges if not pair[1])


def read_simulated_part(
    store: Store, row: Mapping[str, Any] | sqlite3.Row, text: str | None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the time series of a simulation, or the selected part of it.

    Args:
        store: the store.
        row: of the catalog's ``simulations``.
        text: the selection; ``None`` = all of it.
        columns: names from ``data.columns.SIMULATION_COLUMNS`` or of other outputs; empty = all. Those that an earlier
            version did not write are missing values.

    Raises:
        UsageError: an unknown column, or the record has nothing of the selection.
    """
    import pandas as pd

    cell_id = str(row["cell_id"])
    frame = read_simulation(store, cell_id, row["label"])
    known = [*c.SIMULATION_COLUMNS, *(name for name in frame if name in OUTPUT_COLUMNS)]
    check_columns(columns, known)
    if text is not None:
        mask, index = selected_mask(store, cell_id, text)
        places = simulated_places(frame[c.TEST_TIME].to_numpy(np.float64), index, cell_id, row["label"])
        frame = frame[mask[places]].reset_index(drop=True)
    for name in c.SIMULATION_COLUMNS:
        if name not in frame and name not in LATER_COLUMNS:
            raise DamagedFileError(store.simulation(cell_id, str(row["label"])), f"it has no column {name!r}")
        if name not in frame:
            frame[name] = pd.Categorical([None] * len(frame))
    return frame[list(columns or known)]


def check_columns(columns: Sequence[str], known: Collection[str]) -> None:
    """Check names of columns.

    Args:
        columns: the wanted ones.
        known: those that there are.

    Raises:
        UsageError: a column does not exist; the message has the nearest one. Or ``columns`` is a single text.
    """
    if isinstance(columns, str):
        raise UsageError(f"columns must be a list of names: columns=[{columns!r}]")
    check_known("there is no column", columns, known)


def _describe_errors(time_second: Floats, error_mv: Floats) -> dict[str, Any]:
    """Return number, RMSE, bias and worst of the known errors."""
    known = np.isfinite(error_mv)
    if not known.any():
        return {"samples": 0, **NO_ERRORS}
    error = error_mv[known]
    worst = int(np.argmax(np.abs(error)))
    return {
        "samples": len(error),
        "rmse_mv": float(np.sqrt(np.mean(error**2))),
        "bias_mv": float(np.mean(error)),
        "worst_mv": float(error[worst]),
        "worst_time_second": float(time_second[known][worst]),
    }


def choose_simulation(rows: Sequence[sqlite3.Row], cell: str, model: str, parameter_set: str | None) -> sqlite3.Row:
    """Return the one simulation of a cell with a model and a parameter set.

    Args:
        rows: all simulations of the cell.
        cell: the cell.
        model: name of the model.
        parameter_set: name of the set; ``None`` = the only one with this model.

    Raises:
        UsageError: there is none, or several; the message has the names there are.
    """
    check_known(f"cell {cell!r} has no simulation with the model", [model], {row["model"] for row in rows})
    with_model = [row for row in rows if row["model"] == model]
    parameter_sets = [str(row["parameter_set"]) for row in with_model]
    if parameter_set is not None:
        check_known(
            f"cell {cell!r} has no simulation with {model} and the parameter set", [parameter_set], parameter_sets
        )
        return next(row for row in with_model if row["parameter_set"] == parameter_set)
    if len(with_model) > 1:
        raise UsageError(
            f"cell {cell!r} has {len(with_model)} simulations with {model}: "
            f"give parameter_set, one of {', '.join(map(repr, parameter_sets))}"
        )
    return with_model[0]


def describe_unfinished(row: sqlite3.Row, root: Path) -> str:
    """Say why a simulation has no result, and where the samples are that it has.

    Args:
        row: of the catalog's ``simulations``.
        root: the store's folder.
    """
    text = f"the simulation {row['label']!r} of cell {row['cell_id']!r} is {row['status']}"
    if row["reason"]:
        text += f": {row['reason']}"
    if row["path"]:
        text += f". Its samples until it failed are in {root / row['path']}; partial=True returns them"
    return text
