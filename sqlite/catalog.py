"""The catalog of a store, and its only writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ..data.errors import StoreError
from ..data.fit_settings import FitSettings
from ..data.results.cleaning import CleanResult
from ..data.results.fitting import FitResult, ProfileResult, StartResult
from ..data.results.receipt import Receipt, SplitResult
from ..data.results.simulation import FailedSimulation, SimulationResult
from ..data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings, SourceFile
from . import fit_rows, rows, statements
from .connection import open_for_writing, store_errors
from .fit_rows import insert_next_version
from .migrations import migrate

RunStatus = Literal["running", "done", "failed", "interrupted"]
JobSettings = SimulateSettings | FitSettings


class Catalog:
    """The catalog, open for writing. Every method is one transaction, or a part of :meth:`transaction`.

    Use it from the thread that opened it. Methods raise a StoreError when the disk is full or another program
    holds the file; what the method was to write is then not written at all.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, busy_timeout_second: float = 60.0) -> Self:
        """Open a catalog, made or brought to the current version where needed.

        Args:
            busy_timeout_second: how long to wait for readers and for another writer, s.

        Raises:
            StoreError: not writable, locked, damaged, of a newer version, or a file of something else.
        """
        connection = open_for_writing(path, busy_timeout_second)
        try:
            with store_errors(path, connection):
                migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write many things at once: all of it is kept, or none. May be nested; an error undoes the inner part."""
        nested = self._connection.in_transaction
        begin, commit, undo = (
            ("SAVEPOINT nested", "RELEASE nested", ("ROLLBACK TO nested", "RELEASE nested"))
            if nested
            else ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
        )
        with store_errors(self.path, self._connection):
            try:
                self._execute(begin)
                yield
                self._execute(commit)
            except BaseException:
                for statement in undo if self._connection.in_transaction else ():
                    self._execute(statement)
                raise

    def begin_run(
        self, command: str, host: str, pid: int, versions: Mapping[str, str], campaign_id: int | None = None
    ) -> int:
        """Record that a run begins; return its run_id. Runs that never ended are marked interrupted."""
        run = {
            "campaign_id": campaign_id,
            "command": command,
            "host": host,
            "pid": pid,
            "versions": rows.to_json_map(versions.items()),
            "status": "running",
            "started_unix_second": time.time(),
        }
        with self.transaction():
            self._execute("UPDATE runs SET status = 'interrupted' WHERE status = 'running'")
            return int(self._insert("runs", [run]).lastrowid or 0)

    def end_run(self, run_id: int, exit_code: int, status: RunStatus) -> None:
        """Record how a run ended, and forget definitions that a newer one of the same name has replaced."""
        with self.transaction():
            self._execute(
                "UPDATE runs SET exit_code = ?, status = ?, ended_unix_second = ? WHERE run_id = ?",
                (exit_code, status, time.time(), run_id),
            )
            self._execute(statements.FORGET_PARAMETER_SETS)
            self._execute(statements.FORGET_MODELS)

    def put_campaign(self, name: str, path: str, text: str, digest: str) -> int:
        """Record a campaign file's text; return its campaign_id, the same for the same text."""
        row: rows.Row = {"name": name, "path": path, "text": text, "digest": digest}
        with self.transaction():
            self._upsert("campaigns", row, ("path", "name", "digest"))
            found = self._execute(
                "SELECT campaign_id FROM campaigns WHERE path = ? AND name = ? AND digest = ?", (path, name, digest)
            )
            return int(found.fetchone()[0])

    def put_source(self, source: SourceFile, cells: Sequence[str] | Mapping[str, int], mtime_ns: int) -> None:
        """Record a raw file and the cells it holds; cells that are not known yet are added by name.

        Args:
            cells: ids, or each id's number of rows where they are known.
        """
        counts: Mapping[str, int | None] = cells if isinstance(cells, Mapping) else dict.fromkeys(cells)
        with self.transaction():
            self._put_source(source, counts, mtime_ns)

    def put_cell(self, cell: CellSettings, parameter_sets: Sequence[ParameterSetSettings]) -> None:
        """Record what the campaign says of a cell, and its parameter sets in their order."""
        with self.transaction():
            self._upsert("cells", rows.cell_row(cell), ("cell_id",))
            self._execute("DELETE FROM cell_parameter_sets WHERE cell_id = ?", (cell.cell_id,))
            asked: list[rows.Row] = []
            for position, parameter_set in enumerate(dict.fromkeys(parameter_sets)):
                self._put_parameter_set(parameter_set)
                digest = rows.definition_digest(parameter_set)
                asked.append({"cell_id": cell.cell_id, "parameter_set_digest": digest, "position": position})
            self._insert("cell_parameter_sets", asked)

    def put_model(self, model: ModelSettings) -> None:
        """Record a model. The order in which models are put is the order in which results list them."""
        with self.transaction():
            self._upsert("models", rows.model_row(model), ("model_digest",))

    def put_parameter_set(self, parameter_set: ParameterSetSettings) -> None:
        """Record a parameter set and each of its overrides."""
        with self.transaction():
            self._put_parameter_set(parameter_set)

    def record(self, receipt: Receipt, run_id: int | None, *, settings: JobSettings | None = None) -> None:
        """Record a job's latest receipt; everything of an earlier receipt of the same job is replaced.

        A ``pending`` or ``running`` receipt changes the job's status only: earlier results stay until new ones come.

        Args:
            run_id: the run it belongs to; ``None`` for a receipt that was found in the store.
            settings: what was asked, for a receipt without result (failed, skipped): names model, parameter set, fit.
        """
        self.record_many([(receipt, settings)], run_id)

    def record_many(self, receipts: Iterable[tuple[Receipt, JobSettings | None]], run_id: int | None) -> int:
        """Record receipts, each with its settings or ``None``, as :meth:`record` does, in one transaction.

        Returns:
            How many there were.
        """
        count = 0
        with self.transaction():
            for receipt, settings in receipts:
                self._upsert("jobs", rows.job_row(receipt, run_id), ("kind", "cell_id", "label"))
                if receipt.status not in ("pending", "running"):
                    self._record_result(receipt, settings)
                count += 1
        return count

    def mark_pending(self, outdated: Iterable[tuple[str, str, str, str]]) -> None:
        """Mark results that were done under another digest as pending: they are not of the present input.

        Args:
            outdated: kind, cell_id, label and present digest of jobs that have to run; those whose recorded digest is
                the present one stay as they are.
        """
        with self.transaction():
            for kind, cell_id, label, digest in outdated:
                for statement in statements.MARK_PENDING.get(kind, ()):
                    self._execute(statement, {"kind": kind, "cell_id": cell_id, "label": label, "digest": digest})

    def _record_result(self, receipt: Receipt, settings: JobSettings | None) -> None:
        result = receipt.result
        if isinstance(result, (SimulationResult, FailedSimulation, StartResult, FitResult, ProfileResult)):
            settings = result.settings
        if isinstance(result, SplitResult):
            if result.whole:  # that a part lacks a cell says nothing of the file
                self._put_source(result.source, dict(result.cells), None)
        elif receipt.kind != "split":
            self._know_cell(settings.cell if settings else CellSettings(receipt.cell_id), settings is not None)
        if settings is not None and result is not None:
            self._upsert("models", rows.model_row(settings.model), ("model_digest",))
            self._put_parameter_set(settings.parameter_set)
        match receipt.kind:
            case "clean":
                self._record_clean(receipt, result if isinstance(result, CleanResult) else None)
            case "simulate":
                asked = settings if isinstance(settings, SimulateSettings) else None
                self._replace("simulations", receipt, rows.simulation_row(receipt, asked))
                if isinstance(result, SimulationResult):
                    for table, its_rows in rows.compared_rows(receipt, result).items():
                        self._insert(table, its_rows)
            case "start" | "fit" | "profile":
                self._record_fit(receipt, settings if isinstance(settings, FitSettings) else None)

    def _record_clean(self, receipt: Receipt, result: CleanResult | None) -> None:
        self._execute("DELETE FROM clean_reports WHERE cell_id = ?", (receipt.cell_id,))
        if result is not None:
            self._insert("clean_reports", [rows.clean_report_row(receipt, result)])
            for table, rows_of in rows.CLEANING_ROWS.items():
                self._insert(table, rows_of(receipt, result))

    def _record_fit(self, receipt: Receipt, settings: FitSettings | None) -> None:
        if isinstance(receipt.result, FitResult):
            self._put_parameter_set(receipt.result.parameter_set)
        table, row = fit_rows.main_row(receipt, settings)
        self._replace(table, receipt, row)
        for beside, its_rows in fit_rows.detail_rows(receipt).items():
            self._insert(beside, its_rows)
        if isinstance(receipt.result, FitResult):
            self._execute(*insert_next_version(receipt, receipt.result))

    def _put_source(self, source: SourceFile, cells: Mapping[str, int | None], mtime_ns: int | None) -> None:
        old = self._execute("SELECT digest, mtime_ns FROM sources WHERE path = ?", (source.path,)).fetchone()
        unchanged = old is not None and old["digest"] == source.digest
        if mtime_ns is None and old is not None and unchanged:
            mtime_ns = old["mtime_ns"]
        self._upsert("sources", rows.source_row(source, mtime_ns), ("path",))
        held = self._execute("SELECT cell_id, rows FROM source_cells WHERE path = ?", (source.path,)).fetchall()
        known = {row["cell_id"]: row["rows"] for row in held} if unchanged else {}
        self._execute("DELETE FROM source_cells WHERE path = ?", (source.path,))
        for cell_id, count in cells.items():
            self._know_cell(CellSettings(cell_id), False)
            row: rows.Row = {"path": source.path, "cell_id": cell_id, "rows": count or known.get(cell_id)}
            self._insert("source_cells", [row])

    def _put_parameter_set(self, parameter_set: ParameterSetSettings) -> None:
        added = self._insert("parameter_sets", [rows.parameter_set_row(parameter_set)], "OR IGNORE")
        if added.rowcount > 0:
            self._insert("parameter_overrides", rows.override_rows(parameter_set))

    def _know_cell(self, cell: CellSettings, configured: bool) -> None:
        """Add a cell that is not known; complete one that is known by name only."""
        self._execute("INSERT OR IGNORE INTO cells (cell_id) VALUES (?)", (cell.cell_id,))
        if configured:
            self._execute(statements.COMPLETE_CELL, rows.cell_row(cell))

    def _replace(self, table: str, receipt: Receipt, row: rows.Row) -> None:
        key = (receipt.cell_id, receipt.label)
        self._execute(f"DELETE FROM {table} WHERE cell_id = ? AND label = ?", key)
        self._insert(table, [row if receipt.result else self._drop_unknown_definitions(row)])

    def _drop_unknown_definitions(self, row: rows.Row) -> rows.Row:
        """Leave out definitions the catalog lacks: a failed job may have waited for a set that was never fitted."""
        known = dict(row)
        for column, (table, key) in statements.DEFINITIONS.items():
            digest = row.get(column)
            if digest and not self._execute(f"SELECT 1 FROM {table} WHERE {key} = ?", (digest,)).fetchone():
                known[column] = None
        return known

    def _upsert(self, table: str, row: rows.Row, key: tuple[str, ...]) -> None:
        self._execute(statements.upsert(table, tuple(row), key), row)

    def _insert(self, table: str, new: Sequence[rows.Row], conflict: str = "") -> sqlite3.Cursor:
        if len(new) == 1:
            return self._execute(statements.insert(table, tuple(new[0]), conflict), new[0])
        if not new:
            return self._connection.cursor()
        return self._connection.executemany(statements.insert(table, tuple(new[0]), conflict), new)

    def _execute(self, statement: str, values: rows.Row | Sequence[str | int | float | None] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except UnicodeEncodeError as error:
            raise StoreError(f"not a text that can be kept in {self.path}: {error.object!r}") from error
