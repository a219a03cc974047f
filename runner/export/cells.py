"""Export cleaned series as CSV, and cells of a store as one SQLite file: ``kilocell export``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Indices
from ...data.csv_writer import bdf_series, write_header, write_rows
from ...data.errors import StoreError, UsageError
from ...data.left_out import leave_out
from ...data.standing import CURRENT
from ...data.step_selection import StepSelection, parse_select
from ...parquet_store.layout import Store, safe_name
from ...parquet_store.read import iterate_rows, partition_table, simulation_outputs, simulation_table
from ...parquet_store.write import write_atomically
from ...report.select import choose_cells
from ...report.selected import parse_selection_option, selected_mask
from ...sqlite import queries
from ...sqlite.export import Rows, catalog_rows, catalog_schema, write_export

CSV_SUFFIX: Final = ".csv"
OTHER_SUFFIXES: Final = frozenset({".gz", ".tsv", ".txt", ".parquet", ".xlsx", ".sqlite", ".db"})
"""Endings of other files; --csv refuses them, since it would use the path as the name of a folder."""

SAMPLE: Final = "sample"


def export(
    root: Path,
    cells: Sequence[str],
    csv: Path | None,
    bdf: bool,
    sqlite: Path | None,
    tell: Callable[[Path], object] | None = None,
    select: str | None = None,
    everything: bool = False,
) -> list[Path]:
    """Export cells of a store, and return the paths of the files written.

    Args:
        root: the store's folder.
        cells: their ids; empty = all cleaned cells.
        csv: a folder, for one file per cell, or a path that ends in ``.csv``, for one long file with ``cell_id``;
            ``None`` = no CSV.
        bdf: write only the columns of the Battery Data Format, with its labels; the format holds one cell per file.
        sqlite: a SQLite file for the cells with their series and simulations; ``None`` = none.
        tell: called with each path as soon as the file is written.
        select: only this part of each record, such as ``cycle 2, discharge``; ``None`` = all. Without ``cells``, cells
            that do not have it are left out.
        everything: also what is out of date or of an earlier campaign.

    Raises:
        UsageError: there is nothing to write, a cell is unknown or not cleaned, or a file exists already; then nothing
            is written.
        StoreError: a series is missing, or a simulation belongs to an earlier partition of its cell.
    """
    if csv is None and sqlite is None:
        raise UsageError("nothing to write: give --csv FOLDER, --csv FILE.csv or --to-sqlite FILE")
    if bdf and csv is None:
        raise UsageError("--bdf needs --csv: it selects the columns of the CSV; give --csv FOLDER or --csv FILE.csv")
    store = Store(root)
    written: list[Path] = []

    def note(path: Path) -> None:
        written.append(path)
        if tell is not None:
            tell(path)

    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        chosen = _choose_cells(catalog, cells)
        if select is not None:
            chosen = _cells_with_part(store, chosen, select, all_needed=bool(cells))
        cells_by_file = {} if csv is None else _plan_csv_files(csv, chosen, bdf)
        targets = list(cells_by_file)
        if sqlite is not None:
            targets.append(sqlite)
        _refuse_to_overwrite(targets)
        for path, cells_of_file in cells_by_file.items():
            write = _csv_writer(store, cells_of_file, bdf, long=csv == path, select=select)
            if _write_or_leave_out(path, write, is_only_one=len(chosen) == 1):
                note(path)
        if sqlite is not None:
            write_sqlite(store, catalog, chosen, sqlite, select)
            note(sqlite)
    return written


def write_sqlite(
    store: Store, catalog: sqlite3.Connection, cells: Sequence[str], path: Path, select: str | None = None
) -> None:
    """Write cells with their cleaned series, simulations and the views on these to a new SQLite file.

    Args:
        store: holds the series.
        catalog: an open connection to the store's catalog.
        cells: their ids.
        path: the new file.
        select: only these samples of the records and of the simulations; ``None`` = all.

    Raises:
        StoreError: a series is missing, or a simulation belongs to an earlier partition of its cell.
    """
    with queries.snapshot(catalog):
        schema = catalog_schema(catalog)
        rows_of_catalog = catalog_rows(catalog, cells)
        of_cells: dict[str, list[sqlite3.Row]] = {cell_id: [] for cell_id in cells}
        for simulation in queries.simulations(catalog):
            if simulation["cell_id"] in of_cells:
                of_cells[simulation["cell_id"]].append(simulation)

    def all_rows() -> Iterator[Rows]:
        yield from rows_of_catalog
        for cell_id in cells:
            samples = _table_or_none(partition_table, store, cell_id)
            if samples is None:
                continue
            kept = np.arange(len(samples))
            if select is not None:
                kept = np.flatnonzero(selected_mask(store, cell_id, select)[0])
            yield _series("samples", samples.take(kept), {c.CELL_ID: cell_id}, kept.tolist())
            for simulation in of_cells[cell_id]:
                label = str(simulation["label"])
                simulated = _table_or_none(simulation_table, store, cell_id, label)
                if simulated is None:
                    continue
                try:
                    numbers = _sample_numbers(simulation, samples, simulated)
                except StoreError:
                    if simulation["standing"] == CURRENT:
                        raise
                    continue  # of an earlier record: the file has its errors, but no samples to put beside others
                inside = np.flatnonzero(np.isin(numbers, kept))
                constants = {c.CELL_ID: cell_id, "label": label}
                yield _series("simulation_samples", simulated.take(inside), constants, numbers[inside].tolist())
                outputs = simulation_outputs(store, cell_id, label)
                if outputs.num_columns:
                    yield _outputs(outputs.take(inside), constants, numbers[inside].tolist())

    write_atomically(path, lambda temporary: write_export(temporary, schema, all_rows()))


def _write_or_leave_out(path: Path, write: Callable[[Path], None], *, is_only_one: bool) -> bool:
    """Write a file; return whether it was: a missing or damaged file of the store is named in the log."""
    try:
        write_atomically(path, write)
    except StoreError as error:
        if is_only_one:
            raise
        leave_out(error)
        return False
    return True


def _table_or_none(read: Callable[..., pa.Table], store: Store, *names: str) -> pa.Table | None:
    """Read a series; ``None`` = its file is missing or damaged, which the log names."""
    try:
        return read(store, *names)
    except StoreError as error:
        leave_out(error)
        return None


def _choose_cells(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[str]:
    cleaned = [str(row[c.CELL_ID]) for row in queries.clean_reports(catalog)]
    cells = choose_cells(catalog, cells)
    for cell_id in cells:
        if cell_id not in cleaned:
            raise UsageError(f"cell {cell_id!r} is not cleaned, so it cannot be exported; `kilocell status` shows why")
    if not cleaned:
        raise UsageError("no cell of the store is cleaned yet; use `kilocell run`")
    return list(dict.fromkeys(cells)) or cleaned


def _cells_with_part(store: Store, cells: Sequence[str], select: str, *, all_needed: bool) -> list[str]:
    """Return the cells that have the selected part.

    Raises:
        UsageError: the text is not a selection, no cell has the part, or one that is needed has not.
    """
    parse_selection_option(select)
    having: list[str] = []
    problem: UsageError | None = None
    for cell_id in cells:
        try:
            selected_mask(store, cell_id, select)
        except UsageError as error:
            if all_needed:
                raise
            problem = problem or error
            if isinstance(error, StoreError):
                leave_out(error)
            continue
        having.append(cell_id)
    if not having and problem is not None:
        raise problem
    return having


def _plan_csv_files(csv: Path, cells: Sequence[str], bdf: bool) -> dict[Path, list[str]]:
    """Return the cells of each file to write."""
    if csv.suffix.lower() in OTHER_SUFFIXES and not csv.is_dir():
        raise UsageError(f"--csv writes CSV only, not {csv.suffix}: give a folder or FILE.csv instead of {csv}")
    if csv.suffix.lower() != CSV_SUFFIX or csv.is_dir():
        return {csv / f"{safe_name(cell_id)}{CSV_SUFFIX}": [cell_id] for cell_id in cells}
    if bdf and len(cells) > 1:
        raise UsageError(f"the Battery Data Format holds one cell per file: give a folder instead of {csv}")
    return {csv: list(cells)}


def _refuse_to_overwrite(paths: Sequence[Path]) -> None:
    existing = [path for path in paths if path.exists()]
    if not existing:
        return
    subject = f"{existing[0]} exists"
    if len(existing) > 1:
        subject = f"{existing[0]} and {len(existing) - 1} more exist"
    raise UsageError(f"{subject} already; move it away, or choose another path")


def _csv_writer(
    store: Store, cells: Iterable[str], bdf: bool, *, long: bool, select: str | None
) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            problem: StoreError | None = None
            is_empty = True
            for cell_id in cells:
                try:
                    table = partition_table(store, cell_id)
                    if select is not None:
                        table = table.filter(pa.array(selected_mask(store, cell_id, select)[0]))
                except StoreError as error:
                    if problem is None:
                        problem = error
                    else:
                        leave_out(error)
                    continue
                _write_cell(file, table, cell_id, bdf, named=long, first=is_empty)
                is_empty = False
            if problem is not None and is_empty:
                raise problem
            if problem is not None:
                leave_out(problem)

    return write


def _write_cell(file: BinaryIO, table: pa.Table, cell_id: str, bdf: bool, *, named: bool, first: bool) -> None:
    """Write a cell's samples as CSV.

    Args:
        file: open for writing.
        table: the cell's partition.
        cell_id: of the cell.
        bdf: write only the columns of the Battery Data Format.
        named: write the cell's id in each row, unless ``bdf``.
        first: write the header.
    """
    series = bdf_series(table) if bdf else table
    constants = {}
    if named and not bdf:
        constants[c.CELL_ID] = cell_id
    if first:
        write_header(file, [*constants, *series.column_names])
    write_rows(file, series, constants)


def _series(name: str, table: pa.Table, constants: dict[str, str], numbers: Iterable[int] | None = None) -> Rows:
    """Return the rows of a table with constants and sample numbers in front.

    Args:
        name: of the table in the SQLite file.
        table: the rows.
        constants: columns with the same value in each row.
        numbers: of the rows among the cell's samples; ``None`` = 0, 1, 2, ...
    """
    fixed = tuple(constants.values())
    if numbers is None:
        numbers = range(len(table))
    rows = ((*fixed, number, *row) for number, row in zip(numbers, iterate_rows(table), strict=True))
    return Rows(name, (*constants, SAMPLE, *table.column_names), rows)


def _outputs(table: pa.Table, constants: dict[str, str], numbers: Sequence[int]) -> Rows:
    """Return a row for each sample and column of what a simulation stores beside the voltage."""
    fixed = tuple(constants.values())
    rows = (
        (*fixed, number, name, value if value is not None and isfinite(value) else None)
        for name in table.column_names
        for number, value in zip(numbers, table.column(name).to_pylist(), strict=True)
    )
    return Rows("simulation_outputs", (*constants, SAMPLE, "output", "value"), rows)


def _sample_numbers(simulation: sqlite3.Row, samples: pa.Table, simulated: pa.Table) -> Indices:
    """Return the number of each simulated sample among the cell's samples: all, or those of the selected part.

    Args:
        simulation: row of the catalog's ``simulations``.
        samples, simulated: the cell's samples, and those of the simulation.
    """
    recorded = _column(samples, c.TEST_TIME)
    times = _column(simulated, c.TEST_TIME)
    if isinstance(parse_select(simulation["selection"] or "all"), StepSelection):
        places = np.minimum(np.searchsorted(recorded, times), max(len(recorded) - 1, 0))
    else:
        places = np.flatnonzero(np.isin(_column(samples, c.CYCLE_COUNT), _column(simulated, c.CYCLE_COUNT)))
    if not np.array_equal(recorded[places], times):
        raise StoreError(
            f"simulation {simulation['label']!r} of cell {simulation['cell_id']!r} belongs to another partition than"
            " the cell's current one; use `kilocell run`"
        )
    return places


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(table.column(name))
