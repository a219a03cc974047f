"""Write the catalog of a store: this class is the only writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
from .forget import JobName, forget_unneeded
from .migrations import migrate
from .standing import PlannedJob, replace_plan

RunStatus = Literal["running", "done", "failed", "interrupted"]
JobSettings = SimulateSettings | FitSettings


class Catalog:
    """The catalog, open for writing. Each method is one transaction, or a part of :meth:`transaction`.

    Use it only in the thread that opened it. A method raises a StoreError when the disk is full or another program
    locks the file; then nothing of that method is written.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, when_locked: Callable[[float], None] | None = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._when_locked = when_locked

    @classmethod
    def open(
        cls, path: Path, *, busy_timeout_second: float = 60.0, when_locked: Callable[[float], None] | None = None
    ) -> Self:
        """Open a catalog for writing. Create it if it is absent; migrate it if its version is older.

        Args:
            path: the SQLite file.
            busy_timeout_second: how long to wait for readers and for another writer, in s.
            when_locked: called with the seconds waited so far each time this wait was in vain; the catalog then waits
                again, without end. ``None`` = give up after the first wait.

        Raises:
            StoreError: the file is not writable, locked, damaged, of a newer version, or not a catalog.
        """
        connection = open_for_writing(path, busy_timeout_second)
        try:
            with store_errors(path, connection):
                migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection, when_locked)

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
        """Group writes: all of them are kept, or none.

        Transactions can be nested. An error in an inner one undoes the inner one only.
        """
        if self._connection.in_transaction:
            begin = "SAVEPOINT nested"
            commit = "RELEASE nested"
            undo = ["ROLLBACK TO nested", "RELEASE nested"]
        else:
            begin = "BEGIN IMMEDIATE"
            commit = "COMMIT"
            undo = ["ROLLBACK"]
        with store_errors(self.path, self._connection):
            try:
                self._execute_when_free(begin)
                yield
                self._execute_when_free(commit)
            except BaseException:
                if self._connection.in_transaction:
                    for statement in undo:
                        self._execute(statement)
                raise

    def begin_run(
        self, command: str, host: str, pid: int, versions: Mapping[str, str], campaign_id: int | None = None
    ) -> int:
        """Record that a run begins. Mark earlier runs without an end as interrupted.

        Args:
            command: the command line, as the user typed it.
            host: name of the machine.
            pid: number of the client's process.
            versions: package name to version, of kilocell and of what results depend on.
            campaign_id: as :meth:`put_campaign` returned it; ``None`` = the run has no campaign.

        Returns:
            The run_id.
        """
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

    def describe_run(self, run_id: int, described: Mapping[str, str | int | float | None]) -> None:
        """Record columns of a run, such as its log; ``run_samples.py`` records what changes while it runs."""
        with self.transaction():
            for column, value in described.items():
                self._execute(f'UPDATE runs SET "{column}" = ? WHERE run_id = ?', (value, run_id))

    def end_run(self, run_id: int, exit_code: int, status: RunStatus) -> None:
        """Record how a run ended. Delete definitions of models and parameter sets that nothing uses any more.

        Args:
            run_id: as :meth:`begin_run` returned it.
            exit_code: exit code of the command.
            status: ``done``, ``failed`` or ``interrupted``.
        """
        with self.transaction():
            self._execute(
                "UPDATE runs SET exit_code = ?, status = ?, ended_unix_second = ?,"
                " seconds = max(? - started_unix_second, 0.0) WHERE run_id = ?",
                (exit_code, status, ended := time.time(), ended, run_id),
            )
            self._execute(statements.FORGET_PARAMETER_SETS)
            self._execute(statements.FORGET_MODELS)

    def put_campaign(self, name: str, path: str, text: str, digest: str) -> int:
        """Record the text of a campaign file.

        Args:
            name: name of the campaign.
            path: path of the file, as the user gave it.
            text: the complete file.
            digest: digest of the text.

        Returns:
            The campaign_id; the same text from the same path has the same one.
        """
        row: rows.Row = {"name": name, "path": path, "text": text, "digest": digest}
        with self.transaction():
            self._upsert("campaigns", row, ("path", "name", "digest"))
            recorded = self._execute(
                "SELECT campaign_id FROM campaigns WHERE path = ? AND name = ? AND digest = ?", (path, name, digest)
            )
            return int(recorded.fetchone()[0])

    def put_source(self, source: SourceFile, cells: Sequence[str] | Mapping[str, int], mtime_ns: int) -> None:
        """Record a raw file and the cells it contains. Add cells that the catalog does not know yet.

        Args:
            source: the file, its digest, and how it is read.
            cells: cell ids; or cell id to number of rows, if the numbers are known.
            mtime_ns: the file's modification time when its digest was computed, in ns since 1970-01-01 UTC.
        """
        counts: Mapping[str, int | None] = cells if isinstance(cells, Mapping) else dict.fromkeys(cells)
        with self.transaction():
            self._put_source(source, counts, mtime_ns)

    def put_cell(self, cell: CellSettings, parameter_sets: Sequence[ParameterSetSettings]) -> None:
        """Record the campaign's settings of a cell, and the parameter sets that the campaign uses for it.

        Args:
            cell: nominal capacity (A.h), initial state and temperature (degrees Celsius) of the cell.
            parameter_sets: in the campaign's order; they replace the ones recorded before.
        """
        with self.transaction():
            self._upsert("cells", rows.cell_row(cell), ("cell_id",))
            self._execute("DELETE FROM cell_parameter_sets WHERE cell_id = ?", (cell.cell_id,))
            uses: list[rows.Row] = []
            for position, parameter_set in enumerate(dict.fromkeys(parameter_sets)):
                self._put_parameter_set(parameter_set)
                digest = rows.definition_digest(parameter_set)
                uses.append({"cell_id": cell.cell_id, "parameter_set_digest": digest, "position": position})
            self._insert("cell_parameter_sets", uses)

    def put_model(self, model: ModelSettings) -> None:
        """Record a model. Results list models in the order in which they were recorded."""
        with self.transaction():
            self._upsert("models", rows.model_row(model), ("model_digest",))

    def record(self, receipt: Receipt, run_id: int | None, *, settings: JobSettings | None = None) -> None:
        """Record the receipt of a job. It replaces everything from an earlier receipt of the same job.

        A ``pending`` or ``running`` receipt changes the job's status only; earlier results stay until new ones come.

        Args:
            receipt: the job's latest receipt.
            run_id: the run that wrote the receipt; ``None`` = the receipt was found in the store.
            settings: settings of the job. Needed if the receipt has no result (failed, skipped): they name the model,
                the parameter set and the fit.
        """
        self.record_many([(receipt, settings)], run_id)

    def record_many(self, receipts: Iterable[tuple[Receipt, JobSettings | None]], run_id: int | None) -> int:
        """Record receipts as :meth:`record` does, all in one transaction.

        Args:
            receipts: each receipt with its settings or ``None``.
            run_id: as in :meth:`record`.

        Returns:
            The number of receipts.
        """
        count = 0
        with self.transaction():
            for receipt, settings in receipts:
                self._upsert("jobs", rows.job_row(receipt, run_id), ("kind", "cell_id", "label"))
                if receipt.status not in ("pending", "running"):
                    self._record_result(receipt, settings)
                    self._execute(statements.ENDED, (receipt.kind, receipt.cell_id, receipt.label, receipt.digest))
                count += 1
        return count

    def mark_pending(self, outdated: Iterable[tuple[str, str, str, str]]) -> None:
        """Mark outdated results as pending: results whose digest differs from the current one.

        Args:
            outdated: kind, cell_id, label and current digest of each job that has to run. A job whose recorded digest
                is the current one does not change.
        """
        with self.transaction():
            for kind, cell_id, label, digest in outdated:
                for statement in statements.MARK_PENDING.get(kind, ()):
                    self._execute(statement, {"kind": kind, "cell_id": cell_id, "label": label, "digest": digest})

    def replace_plan(
        self,
        jobs: Iterable[PlannedJob],
        unread_cells: Collection[str] = (),
        sources: Iterable[str] = (),
        models: Collection[str] = (),
    ) -> None:
        """Replace the plan of the last run, and give every result its standing; see ``standing.py``.

        Args:
            jobs: kind, cell_id, label, digest and reason of every job of the campaign, not only of those of this run.
            unread_cells: cells of the campaign whose files cannot be read now; their results count as before.
            sources: paths of the campaign's raw files.
            models: names of the campaign's models.
        """
        with self.transaction():
            replace_plan(self._connection, jobs, unread_cells, sources, models)

    def forget_unneeded(
        self, needed: Iterable[JobName], kept_cells: Collection[str], sources: Collection[str], models: Collection[str]
    ) -> int:
        """Delete the rows of jobs that no plan needs; arguments and result as of ``forget.py``."""
        with self.transaction():
            return forget_unneeded(self._connection, needed, kept_cells, sources, models)

    def forget_failed_splits(self, planned: Collection[tuple[str, str]]) -> None:
        """Delete failed splits that are no longer planned: the raw file was fixed, or is no longer in the campaign.

        Args:
            planned: cell_id and label of every split job of the current plan.
        """
        with self.transaction():
            failed = self._execute("SELECT cell_id, label FROM jobs WHERE kind = 'split' AND status = 'failed'")
            for cell_id, label in [tuple(row) for row in failed]:
                if (cell_id, label) not in planned:
                    self._execute(
                        "DELETE FROM jobs WHERE kind = 'split' AND cell_id = ? AND label = ?", (cell_id, label)
                    )

    def _record_result(self, receipt: Receipt, settings: JobSettings | None) -> None:
        result = receipt.result
        if isinstance(result, (SimulationResult, FailedSimulation, StartResult, FitResult, ProfileResult)):
            settings = result.settings
        if isinstance(result, SplitResult):
            if result.whole:  # a part of a file does not show all cells of the file
                self._put_source(result.source, dict(result.cells), None)
        elif receipt.kind != "split":
            if settings is None:
                self._put_cell_name(receipt.cell_id)
            else:
                self._complete_cell(settings.cell)
        if settings is not None and result is not None:
            self._upsert("models", rows.model_row(settings.model), ("model_digest",))
            self._put_parameter_set(settings.parameter_set)
        match receipt.kind:
            case "clean":
                self._record_clean(receipt)
            case "simulate":
                self._record_simulation(receipt, settings)
            case "start" | "fit" | "profile":
                self._record_fit(receipt, settings)

    def _record_clean(self, receipt: Receipt) -> None:
        result = receipt.result
        self._execute("DELETE FROM clean_reports WHERE cell_id = ?", (receipt.cell_id,))
        if isinstance(result, CleanResult):
            self._insert("clean_reports", [rows.clean_report_row(receipt, result)])
            for table, make_rows in rows.CLEANING_ROWS.items():
                self._insert(table, make_rows(receipt, result))

    def _record_simulation(self, receipt: Receipt, settings: JobSettings | None) -> None:
        if not isinstance(settings, SimulateSettings):
            settings = None
        self._replace("simulations", receipt, rows.simulation_row(receipt, settings))
        if isinstance(receipt.result, (SimulationResult, FailedSimulation)):
            for table, detail_rows in rows.compared_rows(receipt, receipt.result).items():
                self._insert(table, detail_rows)

    def _record_fit(self, receipt: Receipt, settings: JobSettings | None) -> None:
        if not isinstance(settings, FitSettings):
            settings = None
        if isinstance(receipt.result, FitResult):
            self._put_parameter_set(receipt.result.parameter_set)
        main_table, row = fit_rows.main_row(receipt, settings)
        self._replace(main_table, receipt, row)
        for table, detail_rows in fit_rows.detail_rows(receipt).items():
            self._insert(table, detail_rows)
        if isinstance(receipt.result, FitResult):
            version = fit_rows.fitted_set_row(receipt, receipt.result)
            self._execute(statements.insert_version(tuple(version)), version)

    def _put_source(self, source: SourceFile, cells: Mapping[str, int | None], mtime_ns: int | None) -> None:
        """Record a raw file. If its content is unchanged, keep modification time and row counts that are not given."""
        old = self._execute("SELECT digest, mtime_ns FROM sources WHERE path = ?", (source.path,)).fetchone()
        unchanged = old is not None and old["digest"] == source.digest
        if mtime_ns is None and old is not None and unchanged:
            mtime_ns = old["mtime_ns"]
        known_counts: dict[str, int | None] = {}
        if unchanged:
            recorded = self._execute("SELECT cell_id, rows FROM source_cells WHERE path = ?", (source.path,))
            known_counts = {row["cell_id"]: row["rows"] for row in recorded}
        self._upsert("sources", rows.source_row(source, mtime_ns), ("path",))
        self._execute("DELETE FROM source_cells WHERE path = ?", (source.path,))
        for cell_id, count in cells.items():
            self._put_cell_name(cell_id)
            row: rows.Row = {"path": source.path, "cell_id": cell_id, "rows": count or known_counts.get(cell_id)}
            self._insert("source_cells", [row])

    def _put_parameter_set(self, parameter_set: ParameterSetSettings) -> None:
        added = self._insert("parameter_sets", [rows.parameter_set_row(parameter_set)], "OR IGNORE")
        if added.rowcount > 0:
            self._insert("parameter_overrides", rows.override_rows(parameter_set))

    def _put_cell_name(self, cell_id: str) -> None:
        """Add a cell that the catalog does not know yet, without settings."""
        self._execute("INSERT OR IGNORE INTO cells (cell_id) VALUES (?)", (cell_id,))

    def _complete_cell(self, cell: CellSettings) -> None:
        """Add a cell with its settings; a cell that has settings already keeps them."""
        self._put_cell_name(cell.cell_id)
        self._execute(statements.COMPLETE_CELL, rows.cell_row(cell))

    def _replace(self, table: str, receipt: Receipt, row: rows.Row) -> None:
        """Replace the row of a job."""
        key = (receipt.cell_id, receipt.label)
        self._execute(f"DELETE FROM {table} WHERE cell_id = ? AND label = ?", key)
        if receipt.result is None:
            row = self._drop_unknown_definitions(row)
        self._insert(table, [row])

    def _drop_unknown_definitions(self, row: rows.Row) -> rows.Row:
        """Set digests of unknown definitions to NULL: a skipped job may name a parameter set that was never fitted."""
        known = dict(row)
        for column, (table, key) in statements.DEFINITIONS.items():
            digest = row.get(column)
            if digest and not self._execute(f"SELECT 1 FROM {table} WHERE {key} = ?", (digest,)).fetchone():
                known[column] = None
        return known

    def _upsert(self, table: str, row: rows.Row, key: tuple[str, ...]) -> None:
        self._execute(statements.upsert(table, tuple(row), key), row)

    def _insert(self, table: str, new: Sequence[rows.Row], conflict: str = "") -> sqlite3.Cursor:
        """Insert rows that have the same columns; ``conflict`` is empty or such as ``OR IGNORE``."""
        if not new:
            return self._connection.cursor()
        statement = statements.insert(table, tuple(new[0]), conflict)
        if len(new) == 1:
            return self._execute(statement, new[0])
        return self._connection.executemany(statement, new)

    def _execute_when_free(self, statement: str) -> None:
        """Begin or commit a transaction; wait while another program reads or writes the file.

        A commit that finds readers keeps its transaction, so that it can be tried again.
        """
        began = time.monotonic()
        while True:
            try:
                self._execute(statement)
                return
            except sqlite3.OperationalError as error:
                is_locked = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
                if self._when_locked is None or not is_locked:
                    raise
                self._when_locked(time.monotonic() - began)

    def _execute(self, statement: str, values: rows.Row | Sequence[str | int | float | None] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except UnicodeEncodeError as error:
            raise StoreError(
                f"the catalog {self.path} cannot store the text {error.object!r}: it is not valid Unicode. "
                "Rename the file, folder or cell that has this name, then run again."
            ) from error
