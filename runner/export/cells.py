"""``kilocell export``: cleaned series as CSV, and a part of the store as one SQLite file."""

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
"""Endings that are meant as a file's, which --csv would take for a folder's name."""

SAMPLE: Final = "sample"


def export(
    root: Path,
    cells: Sequence[str],
    csv: Path | None,
    bdf: bool,
    sqlite: Path | None,
    tell: Callable[[Path], object] | None = None,
) -> list[Path]:
    """Export cells of a store; return the files written.

    Args:
        cells: their ids; empty = all that are cleaned.
        csv: a folder, for one file a cell, or a path that ends in ``.csv``, for one long file with ``cell_id``.
        bdf: write only what the Battery Data Format knows, under its labels; the format holds one cell a file.
        sqlite: a SQLite file of the cells with their series and simulations.
        tell: called with each file as soon as it is written.

    Raises:
        UsageError: nothing to write, an unknown or not cleaned cell, or a file that is there already; then nothing is
            written.
    """
    if csv is None and sqlite is None:
        raise UsageError("say what to write: --csv FOLDER, --csv FILE.csv or --to-sqlite FILE")
    if bdf and csv is None:
        raise UsageError("--bdf says how --csv writes: name a folder or file with --csv")
    store = Store(root)
    with closing(queries.connect(store.catalog)) as catalog:
        chosen = _chosen(catalog, cells)
        planned = _csv_files(csv, chosen, bdf) if csv is not None else {}
        _refuse_to_overwrite([*planned, *([sqlite] if sqlite is not None else [])])
        written: list[Path] = []
        for path, held in planned.items():
            write_atomically(path, _csv_writer(store, held, bdf, long=csv == path))
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

    Raises:
        StoreError: a series is absent, or a simulation is of an earlier partition of its cell.
    """
    with queries.snapshot(catalog):
        schema, known = catalog_schema(catalog), catalog_rows(catalog, cells)
        done = [(row["cell_id"], row["label"]) for row in queries.simulations(catalog) if row["cell_id"] in set(cells)]

    def filled() -> Iterator[Rows]:
        yield from known
        for cell_id in cells:
            samples = partition_table(store, cell_id)
            yield _series("samples", samples, {c.CELL_ID: cell_id})
            for label in (label for of_cell, label in done if of_cell == cell_id):
                simulated = simulation_table(store, cell_id, label)
                places = _places(cell_id, label, samples, simulated)
                yield _series("simulation_samples", simulated, {c.CELL_ID: cell_id, "label": label}, places)

    write_atomically(path, lambda temporary: write_export(temporary, schema, filled()))


def _chosen(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[str]:
    cleaned = [str(row[c.CELL_ID]) for row in queries.clean_reports(catalog)]
    check_known("the store has no cell", cells, queries.cell_ids(catalog))
    for cell_id in cells:
        if cell_id not in cleaned:
            raise UsageError(
                f"cell {cell_id!r} is not cleaned, so there is nothing to export: kilocell status says why"
            )
    if not cleaned:
        raise UsageError("no cell of the store is cleaned yet: kilocell run")
    return list(dict.fromkeys(cells)) or cleaned


def _csv_files(csv: Path, cells: Sequence[str], bdf: bool) -> dict[Path, list[str]]:
    """Which cells go into which file."""
    if csv.suffix.lower() in OTHER_SUFFIXES and not csv.is_dir():
        raise UsageError(f"--csv writes CSV alone: name a folder or FILE.csv instead of {csv}")
    if csv.suffix.lower() != CSV_SUFFIX or csv.is_dir():
        return {csv / f"{safe_name(cell_id)}{CSV_SUFFIX}": [cell_id] for cell_id in cells}
    if bdf and len(cells) > 1:
        raise UsageError(f"the Battery Data Format holds one cell a file: name a folder instead of {csv}")
    return {csv: list(cells)}


def _refuse_to_overwrite(paths: Sequence[Path]) -> None:
    there = [path for path in paths if path.exists()]
    if there:
        what = f"{there[0]} is" if len(there) == 1 else f"{there[0]} and {len(there) - 1} more are"
        raise UsageError(f"{what} there already; move away what is there, or name another place")


def _csv_writer(store: Store, cells: Iterable[str], bdf: bool, *, long: bool) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            for number, cell_id in enumerate(cells):
                _write_cell(file, partition_table(store, cell_id), cell_id, bdf, named=long, first=not number)

    return write


def _write_cell(file: BinaryIO, table: pa.Table, cell_id: str, bdf: bool, *, named: bool, first: bool) -> None:
    series = bdf_series(table) if bdf else table
    constants = {c.CELL_ID: cell_id} if named and not bdf else {}
    if first:
        write_header(file, [*constants, *series.column_names])
    write_rows(file, series, constants)


def _series(name: str, table: pa.Table, constants: dict[str, str], places: Iterable[int] | None = None) -> Rows:
    """A table's rows with their numbers: their own, or ``places`` in the cell's samples."""
    fixed = tuple(constants.values())
    numbers = range(len(table)) if places is None else places
    rows = ((*fixed, number, *row) for number, row in zip(numbers, iterate_rows(table), strict=True))
    return Rows(name, (*constants, SAMPLE, *table.column_names), rows)


def _places(cell_id: str, label: str, samples: pa.Table, simulated: pa.Table) -> list[int]:
    """The place of each simulated sample among the cell's: all of them, or those of selected cycles."""
    measured_second, simulated_second = (np.asarray(table.column(c.TEST_TIME)) for table in (samples, simulated))
    cycle, simulated_cycle = (np.asarray(table.column(c.CYCLE_COUNT)) for table in (samples, simulated))
    places = np.flatnonzero(np.isin(cycle, simulated_cycle))
    if not np.array_equal(measured_second[places], simulated_second):
        raise StoreError(
            f"simulation {label!r} of cell {cell_id!r} is of another partition than the one there is: `kilocell run`"
        )
    found: list[int] = places.tolist()
    return found
