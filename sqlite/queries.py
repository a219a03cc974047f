"""The questions users ask of a catalog, read-only: each is one statement, so each sees one state of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.errors import NOTHING_TO_SIMULATE_CODES, StoreError
from .connection import open_for_reading, store_errors
from .migrations import CURRENT_VERSION, read_version, refuse_newer

if TYPE_CHECKING:
    from ..data.settings import SourceSettings

Rows = list[sqlite3.Row]
Names = str | Sequence[str] | None
CachedSources = dict[tuple[str, int, int], tuple[str, tuple[str, ...]]]


def connect(path: Path, *, busy_timeout_second: float = 10.0) -> sqlite3.Connection:
    """Open a catalog for reading; rows are ``sqlite3.Row`` (by name or position). The caller closes it.

    Args:
        busy_timeout_second: how long a query waits while a run commits, s.

    Raises:
        StoreError: there is no catalog, it cannot be read, or it is of another version.
    """
    if not path.exists():
        raise StoreError(f"there is no catalog at {path}: nothing was run in this store. `kilocell run` makes one.")
    connection = open_for_reading(path, busy_timeout_second)
    try:
        with store_errors(path):
            version = read_version(connection, path)
        refuse_newer(version, path)
        if version < CURRENT_VERSION:
            state = f"of the older version {version}" if version else "empty"
            raise StoreError(f"the catalog {path} is {state}. `kilocell run` brings it to version {CURRENT_VERSION}.")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let several questions see one state of the store. Be brief: a run cannot commit meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def cells(connection: sqlite3.Connection) -> Rows:
    """One line for each cell: rows, cycles, findings, charge, status of its cleaning, best simulation."""
    return connection.execute("SELECT * FROM cell_overview").fetchall()


def results(connection: sqlite3.Connection) -> Rows:
    """One line for each simulation: cell, rows, cycles, findings, model, parameter set, RMSE in mV, status.

    A cell without simulations has one line, whose status is that of its cleaning.
    """
    return connection.execute("SELECT * FROM results").fetchall()


def job_counts(connection: sqlite3.Connection) -> Rows:
    """How many jobs there are: kind, status, count."""
    return connection.execute("SELECT kind, status, count FROM job_counts ORDER BY kind, status").fetchall()


def failures(connection: sqlite3.Connection) -> Rows:
    """Every failed job: kind, cell_id, label, reason_code, reason, log, ..."""
    return connection.execute("SELECT * FROM failures").fetchall()


def skipped_for_content(connection: sqlite3.Connection) -> Rows:
    """Every job that was skipped for what its cell's record holds: kind, cell_id, label, reason_code, reason."""
    codes = sorted(NOTHING_TO_SIMULATE_CODES)
    columns = "kind, cell_id, label, reason_code, reason"
    where, values = _where({"status": "skipped", "reason_code": codes})
    return connection.execute(f"SELECT {columns} FROM jobs {where} ORDER BY kind, cell_id, label", values).fetchall()


def model_comparison(connection: sqlite3.Connection) -> Rows:
    """For each model and parameter set, over all cells: count, mean, least and largest RMSE in mV, seconds."""
    return connection.execute("SELECT * FROM model_comparison").fetchall()


def simulations(
    connection: sqlite3.Connection,
    *,
    cell_id: str | None = None,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    status: str | None = "done",
) -> Rows:
    """Simulations with all their columns, by cell, parameter set and the campaign's order of models.

    Args:
        cell_id: ``None`` = all cells.
        models, parameter_sets: names; empty = all.
        status: ``done``, ``failed``, ``skipped``; ``None`` = all.
    """
    where, values = _where(
        {"s.cell_id": cell_id, "s.model": models, "s.parameter_set": parameter_sets, "s.status": status}
    )
    order = "ORDER BY s.cell_id, s.parameter_set, m.rowid, s.label"
    joined = "simulations s LEFT JOIN models m ON m.model_digest = s.model_digest"
    return connection.execute(f"SELECT s.* FROM {joined} {where} {order}", values).fetchall()


def comparisons(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """Errors of each cycle in mV, of a cell's simulations or of the one named by ``label``; cycle 0 = whole record."""
    return _select_all(connection, "comparisons", {"cell_id": cell_id, "label": label}, "cell_id, label, cycle_count")


def step_comparisons(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """Errors by step type and by window after a step's start (``all`` = any), in mV; cycle 0 = whole record."""
    order = "cell_id, label, cycle_count, step_type, window"
    return _select_all(connection, "step_comparisons", {"cell_id": cell_id, "label": label}, order)


def errors_by(connection: sqlite3.Connection, part: str, cell_id: Names = None) -> Rows:
    """Errors of finished simulations by ``window``, ``step_type`` or ``cycle`` (views ``errors_by_...``).

    By cell, parameter set and the campaign's order of models; cycle 0 = whole record.
    """
    where, values = _where({"e.cell_id": cell_id})
    order = f"e.cell_id, e.parameter_set, m.rowid, e.label{', e.cycle_count' if part == 'cycle' else ''}"
    return connection.execute(
        f"SELECT e.* FROM errors_by_{part} e JOIN simulations s ON s.cell_id = e.cell_id AND s.label = e.label"
        f" LEFT JOIN models m ON m.model_digest = s.model_digest {where} ORDER BY {order}",
        values,
    ).fetchall()


def initial_states(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """The states of cycles that began from their own, of a cell's simulations."""
    asked = {"cell_id": cell_id, "label": label}
    return _select_all(connection, "initial_states", asked, "cell_id, label, cycle_count")


def cycles(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """The cycles of a cell, or of all cells."""
    return _select_all(connection, "cycles", {"cell_id": cell_id}, "cell_id, cycle_count")


def cell_ids(connection: sqlite3.Connection) -> list[str]:
    """The ids of all cells, in order."""
    return [str(row[0]) for row in connection.execute("SELECT cell_id FROM cells ORDER BY cell_id")]


def findings(connection: sqlite3.Connection, cell_id: Names = None, rule: str | None = None) -> Rows:
    """What cleaning found, in a cell, several or all (none named), of one rule or of all."""
    return _select_all(connection, "findings", {"cell_id": cell_id, "rule": rule}, "cell_id, position")


def clean_reports(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """What cleaning did: rows, charge (A.h), energy (W.h), time span, cycles and steps before and after."""
    return _select_all(connection, "clean_reports", {"cell_id": cell_id}, "cell_id")


def record_sources(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """The raw files of cleaned records in time order: cell_id, source_index, path, digest."""
    return _select_all(connection, "record_sources", {"cell_id": cell_id}, "cell_id, source_index")


def rules_by_cell(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """What each rule found in each cell: findings, samples flagged, rows quarantined, what was done."""
    return _select_all(connection, "rules_by_cell", {"cell_id": cell_id}, "cell_id, rule")


def quarantined_rows(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """How many rows cleaning took out, by cell, file and rule."""
    return _select_all(connection, "quarantined_rows", {"cell_id": cell_id}, "cell_id, source_index, rule")


def charge_by_rule(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """What each rule did to the charge in and out, in A.h and in percent of the charge before cleaning."""
    where, values = _where({"cell_id": cell_id})
    return connection.execute(f"SELECT * FROM charge_by_rule {where}", values).fetchall()


def parameter_values(connection: sqlite3.Connection, parameter_set: str | None = None) -> Rows:
    """Overridden parameters of a parameter set, or of all: kind (value, scale), value, unit."""
    return connection.execute(
        "SELECT * FROM parameter_values WHERE ? IS NULL OR parameter_set = ?", (parameter_set, parameter_set)
    ).fetchall()


def sources(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """Raw files with bytes and digest, one line for each cell they hold."""
    where, values = _where({"c.cell_id": cell_id})
    return connection.execute(
        "SELECT c.cell_id, c.rows, s.* FROM sources s JOIN source_cells c ON c.path = s.path"
        f" {where} ORDER BY c.cell_id, s.path",
        values,
    ).fetchall()


def source_cache(connection: sqlite3.Connection, settings: SourceSettings | None = None) -> CachedSources:
    """Return (digest, cell_ids) of every raw file by (path, bytes, mtime_ns): what matches need not be read again.

    Args:
        settings: only files that were read so. The digest depends on the bytes alone, cell_ids on the settings too.
    """
    wanted = None
    if settings is not None:
        from ..data.codec import to_json

        wanted = to_json(settings)
    found = connection.execute(
        "SELECT s.path, s.bytes, s.mtime_ns, s.digest, c.cell_id FROM sources s"
        " LEFT JOIN source_cells c ON c.path = s.path"
        " WHERE s.mtime_ns IS NOT NULL AND (? IS NULL OR s.settings = ?) ORDER BY s.path, c.cell_id",
        (wanted, wanted),
    )
    cached: CachedSources = {}
    for path, size, mtime_ns, digest, cell_id in found:
        _, held = cached.get((path, size, mtime_ns), ("", ()))
        cached[path, size, mtime_ns] = (digest, (*held, cell_id) if cell_id is not None else held)
    return cached


def last_run(connection: sqlite3.Connection) -> sqlite3.Row | None:
    """The latest run with its campaign's name and path; ``None`` when there was none."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT r.*, c.name AS campaign, c.path AS campaign_path FROM runs r"
        " LEFT JOIN campaigns c ON c.campaign_id = r.campaign_id ORDER BY r.run_id DESC LIMIT 1"
    ).fetchone()
    return row


def _select_all(connection: sqlite3.Connection, table: str, asked: Mapping[str, Names], order: str) -> Rows:
    where, values = _where(asked)
    return connection.execute(f"SELECT * FROM {table} {where} ORDER BY {order}", values).fetchall()


def _where(asked: Mapping[str, Names]) -> tuple[str, list[str]]:
    """Build a WHERE of columns and wanted values: a text, several, or all (``None``, empty)."""
    conditions: list[str] = []
    values: list[str] = []
    for column, wanted in asked.items():
        some = [wanted] if isinstance(wanted, str) else list(wanted or ())
        if some:
            conditions.append(f"{column} IN ({', '.join('?' * len(some))})")
            values += some
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), values


def recorded_jobs(connection: sqlite3.Connection) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return (digest, status) of every recorded job by (kind, cell_id, label)."""
    found = connection.execute("SELECT kind, cell_id, label, digest, status FROM jobs")
    return {(kind, cell_id, label): (digest, status) for kind, cell_id, label, digest, status in found}
