"""``kilocell export``: write cleaned series as CSV, and a part of the store as one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa

from ...data import columns as c
from ...data.csv_writer import bdf_series, write_header, write_rows
from ...data.errors import StoreError, UsageError
from ...data.names import check_known
from ...parquet_store.layout import Store, safe_name
from ...parquet_store.read import iterate_rows, partition_table, simulation_table
from ...parquet_store.write import write_atomically
from ...sqlite import queries
from ...sqlite.export import Rows, catalog_rows, catalog_schema, write_export

CSV_SUFFIX: Final = ".csv"
OTHER_SUFFIXES: Final = frozenset({".gz", ".tsv", ".txt", ".parquet", ".xlsx", ".sqlite", ".db"})
"""Endings of files that --csv cannot write; without this check, --csv would make a folder of this name."""

SAMPLE: Final = "sample"
"""Column of the SQLite export: number of the sample in its cell, from 0."""


def export(
    root: Path,
    cells: Sequence[str],
    csv: Path | None,
    bdf: bool,
    sqlite: Path | None,
    tell: Callable[[Path], object] | None = None,
) -> list[Path]:
    """Export cells of a store.

    Args:
        root: the store's folder.
        cells: their ids; empty = all that are cleaned.
        csv: a folder, for one file per cell, or a path that ends in ``.csv``, for one long file with ``cell_id``.
        bdf: write only the columns of the Battery Data Format, under its labels; the format holds one cell per file.
        sqlite: a SQLite file of the cells with their series and simulations.
        tell: called with each file as soon as it is written.

    Returns:
        The files written.

    Raises:
        UsageError: nothing to write, an unknown or not cleaned cell, or a file that exists; nothing was written.
    """
    if csv is None and sqlite is None:
        raise UsageError("give the output: --csv FOLDER, --csv FILE.csv or --to-sqlite FILE")
    if bdf and csv is None:
        raise UsageError("--bdf changes what --csv writes; give --csv FOLDER or --csv FILE.csv, too")
    store = Store(root)
    with closing(queries.connect(store.catalog)) as catalog:
        chosen = _chosen(catalog, cells)
        planned = _csv_files(csv, chosen, bdf) if csv is not None else {}
        outputs = [*planned]
        if sqlite is not None:
            outputs.append(sqlite)
        _refuse_to_overwrite(outputs)
        written: list[Path] = []
        for path, of_file in planned.items():
            write_atomically(path, _csv_writer(store, of_file, bdf, long=csv == path))
            _note_written(written, path, tell)
        if sqlite is not None:
            write_sqlite(store, catalog, chosen, sqlite)
            _note_written(written, sqlite, tell)
    return written


def _note_written(written: list[Path], path: Path, tell: Callable[[Path], object] | None) -> None:
    written.append(path)
    if tell is not None:
        tell(path)


def write_sqlite(store: Store, catalog: sqlite3.Connection, cells: Sequence[str], path: Path) -> None:
    """Write cells, with their cleaned series, simulations and the views on them, into a new SQLite file.

    Args:
        cells: ids of cleaned cells.
        path: of the new file.

    Raises:
        StoreError: a series is missing, or a simulation does not belong to the current cleaning of its cell.
    """
    with queries.snapshot(catalog):
        schema = catalog_schema(catalog)
        rows = catalog_rows(catalog, cells)
        labels: dict[str, list[str]] = {cell_id: [] for cell_id in cells}
        for simulation in queries.simulations(catalog):
            if simulation["cell_id"] in labels:
                labels[simulation["cell_id"]].append(simulation["label"])

    def all_rows() -> Iterator[Rows]:
        yield from rows
        for cell_id in cells:
            samples = partition_table(store, cell_id)
            yield _series("samples", samples, {c.CELL_ID: cell_id})
            for label in labels[cell_id]:
                simulated = simulation_table(store, cell_id, label)
                places = _places(cell_id, label, samples, simulated)
                yield _series("simulation_samples", simulated, {c.CELL_ID: cell_id, "label": label}, places)

    write_atomically(path, lambda temporary: write_export(temporary, schema, all_rows()))


def _chosen(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[str]:
    """Return the cells to export: those given, each once, or all that are cleaned."""
    cleaned = [str(row[c.CELL_ID]) for row in queries.clean_reports(catalog)]
    check_known("the store has no cell", cells, queries.cell_ids(catalog))
    for cell_id in cells:
        if cell_id not in cleaned:
            raise UsageError(
                f"cell {cell_id!r} is not cleaned, so there is nothing to export; kilocell status shows why"
            )
    if not cleaned:
        raise UsageError("no cell of this store is cleaned yet; run: kilocell run")
    return list(dict.fromkeys(cells)) or cleaned


def _csv_files(csv: Path, cells: Sequence[str], bdf: bool) -> dict[Path, list[str]]:
    """Return the CSV files to write, with the cells of each."""
    if csv.suffix.lower() in OTHER_SUFFIXES and not csv.is_dir():
        raise UsageError(f"--csv writes only CSV: give a folder or FILE.csv instead of {csv}")
    if csv.suffix.lower() != CSV_SUFFIX or csv.is_dir():
        return {csv / f"{safe_name(cell_id)}{CSV_SUFFIX}": [cell_id] for cell_id in cells}
    if bdf and len(cells) > 1:
        raise UsageError(f"the Battery Data Format holds one cell per file: give a folder instead of {csv}")
    return {csv: list(cells)}


def _refuse_to_overwrite(paths: Sequence[Path]) -> None:
    existing = [path for path in paths if path.exists()]
    if len(existing) == 1:
        raise UsageError(f"{existing[0]} exists already; move it away, or give another name")
    if existing:
        more = len(existing) - 1
        raise UsageError(f"{existing[0]} and {more} more exist already; move them away, or give another name")


def _csv_writer(store: Store, cells: Iterable[str], bdf: bool, *, long: bool) -> Callable[[Path], None]:
    """Return a function that writes cells to a path, one below the other; ``long`` adds a column ``cell_id``."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for number, cell_id in enumerate(cells):
                _write_cell(file, partition_table(store, cell_id), cell_id, bdf, named=long, first=number == 0)

    return write


def _write_cell(file: BinaryIO, table: pa.Table, cell_id: str, bdf: bool, *, named: bool, first: bool) -> None:
    series = bdf_series(table) if bdf else table
    constants = {c.CELL_ID: cell_id} if named and not bdf else {}
    if first:
        write_header(file, [*constants, *series.column_names])
    write_rows(file, series, constants)


def _series(name: str, table: pa.Table, constants: dict[str, str], places: Iterable[int] | None = None) -> Rows:
    """Return a table's rows, each with its sample number: ``places``, or counted from 0."""
    fixed = tuple(constants.values())
    numbers = range(len(table)) if places is None else places
    rows = ((*fixed, number, *row) for number, row in zip(numbers, iterate_rows(table), strict=True))
    return Rows(name, (*constants, SAMPLE, *table.column_names), rows)


def _places(cell_id: str, label: str, samples: pa.Table, simulated: pa.Table) -> list[int]:
    """Return the sample number of each simulated sample; a simulation of selected cycles has only a part of them.

    Raises:
        StoreError: the times differ: the simulation does not belong to these samples.
    """
    measured_second = np.asarray(samples.column(c.TEST_TIME))
    simulated_second = np.asarray(simulated.column(c.TEST_TIME))
    measured_cycle = np.asarray(samples.column(c.CYCLE_COUNT))
    simulated_cycle = np.asarray(simulated.column(c.CYCLE_COUNT))
    places = np.flatnonzero(np.isin(measured_cycle, simulated_cycle))
    if not np.array_equal(measured_second[places], simulated_second):
        raise StoreError(
            f"simulation {label!r} of cell {cell_id!r} belongs to an earlier cleaning of the cell; "
            "`kilocell run` simulates it again"
        )
    numbers: list[int] = places.tolist()
    return numbers
