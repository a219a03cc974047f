"""Read the catalog of a store: runs, cells, cleaning and simulations. ``fit_queries.py`` reads fits.

Each query is one statement, so it sees one state of the store; use :func:`snapshot` for several. Rows are
``sqlite3.Row``: columns by name or by position. ``schema.sql`` describes every column; units are at the end of the
column names. A missing value is ``None``.

All queries return what is current, unless the connection was opened with ``everything``; ``standing`` says what a row
is: ``current``, ``out of date: WHY``, or ``of an earlier campaign``.

Arguments that select rows mean the same in every query: ``cell_id`` is one cell, in some queries also a sequence of
cells, and ``None`` = all; ``label`` is the name of a simulation in its cell (``SPMe-Chen2020``), ``None`` = all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..data.errors import NOTHING_TO_SIMULATE_CODES, StoreError
from .absent import explain_absent
from .connection import open_for_reading, store_errors
from .extent import show_everything
from .migrations import CURRENT_VERSION, read_version, refuse_newer
from .select_rows import Names, Rows, build_where, planned_rows, select_rows

if TYPE_CHECKING:
    from ..data.settings import SourceSettings

CachedSources = dict[tuple[str, int, int], tuple[str, tuple[str, ...]]]
"""(path, bytes, mtime_ns) of a raw file to its digest and its cell_ids."""


def connect(path: Path, *, everything: bool = False, busy_timeout_second: float = 10.0) -> sqlite3.Connection:
    """Open a catalog for reading. The caller closes the connection.

    Args:
        path: the catalog of a store, ``Store.catalog``.
        everything: also show what is out of date or of an earlier campaign; else only what is current.
        busy_timeout_second: how long a query waits while a run commits, in s.

    Returns:
        A connection that cannot write; its rows are ``sqlite3.Row``.

    Raises:
        StoreError: the catalog is absent, not readable, or of another version.
    """
    if not path.exists():
        raise StoreError(explain_absent(path))
    connection = open_for_reading(path, busy_timeout_second)
    try:
        with store_errors(path):
            version = read_version(connection, path)
        refuse_newer(version, path)
        if version == 0:
            raise StoreError(f"the catalog {path} is empty. `kilocell run` brings it to version {CURRENT_VERSION}.")
        if version < CURRENT_VERSION:
            raise StoreError(
                f"the catalog {path} has the older version {version}. "
                f"`kilocell run` brings it to version {CURRENT_VERSION}."
            )
        if everything:
            show_everything(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let several queries see the same state of the store. Keep the block short: a run cannot commit meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


# Runs and jobs


def last_run(connection: sqlite3.Connection) -> sqlite3.Row | None:
    """Return the latest run; ``None`` = there was no run.

    Returns:
        Columns of ``runs`` (run_id, command, host, pid, versions, status, exit_code, started_unix_second,
        ended_unix_second), and name and path of its campaign as campaign, campaign_path.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT r.*, c.name AS campaign, c.path AS campaign_path FROM runs r"
        " LEFT JOIN campaigns c ON c.campaign_id = r.campaign_id ORDER BY r.run_id DESC LIMIT 1"
    ).fetchone()
    return row


def job_counts(connection: sqlite3.Connection) -> Rows:
    """Return the number of jobs of each kind and status: kind, status, count."""
    return connection.execute("SELECT kind, status, count FROM job_counts ORDER BY kind, status").fetchall()


def recorded_jobs(connection: sqlite3.Connection) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return (digest, status) of every recorded job, by (kind, cell_id, label)."""
    jobs = connection.execute("SELECT kind, cell_id, label, digest, status FROM jobs")
    return {(kind, cell_id, label): (digest, status) for kind, cell_id, label, digest, status in jobs}


def failures(connection: sqlite3.Connection) -> Rows:
    """Return every failed job, by kind, cell and label.

    Returns:
        kind, cell_id, label, reason_code, reason, log (path in the store), host, started_unix_second, seconds. For a
        simulation that kept its first part also ended_second (test time of its last sample, s), partial_rmse_mv (until
        then) and path (its Parquet file in the store).
    """
    return connection.execute("SELECT * FROM failures").fetchall()


def skipped_for_content(connection: sqlite3.Connection) -> Rows:
    """Return every job that was skipped because the cell's record contains nothing to simulate.

    Returns:
        kind, cell_id, label, reason_code, reason.
    """
    codes = sorted(NOTHING_TO_SIMULATE_CODES)
    columns = "kind, cell_id, label, reason_code, reason, standing"
    where, values = build_where({"status": "skipped", "reason_code": codes})
    order = "ORDER BY kind, cell_id, label"
    return connection.execute(f"SELECT {columns} FROM current_jobs {where} {order}", values).fetchall()


# Cells and raw files


def cell_ids(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of all cells, sorted."""
    return [str(row[0]) for row in connection.execute("SELECT cell_id FROM current_cells ORDER BY cell_id")]


def cells(connection: sqlite3.Connection) -> Rows:
    """Return one row for each cell, by cell_id.

    Returns:
        cell_id, nominal_capacity_ah, temperature_celsius, sources (number of raw files), rows_in, rows_kept,
        rows_quarantined, cycles, time_span_second, charge_in_ah, charge_out_ah, temperature_mean_celsius, findings
        (number), status (of the cleaning), simulations_done, simulations_failed, best_simulation (label), best_rmse_mv,
        path (of the partition), rows_inserted (samples at step edges that are no rows of a file), source, bounds and
        uncertainty of the charge as :func:`charge_uncertainty` returns them, capacity_source and parameter_set_source
        (``given``, ``guess`` or empty).
    """
    return connection.execute("SELECT * FROM cell_overview").fetchall()


def sources(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """Return raw files, one row for each cell in a file, by cell_id and path.

    Returns:
        cell_id, rows (of this cell), path, bytes, digest (SHA-256), mtime_ns, reader, settings (JSON).
    """
    where, values = build_where({"c.cell_id": cell_id})
    return connection.execute(
        "SELECT c.cell_id, c.rows, s.* FROM current_sources s JOIN source_cells c ON c.path = s.path"
        f" {where} ORDER BY c.cell_id, s.path",
        values,
    ).fetchall()


def source_cache(connection: sqlite3.Connection, settings: SourceSettings | None = None) -> CachedSources:
    """Return digest and cell_ids of every known raw file. A file that matches a key need not be read again.

    Args:
        connection: from :func:`connect`.
        settings: return only files that were read with these settings. The digest depends on the bytes alone, the
            cell_ids also on the settings.

    Returns:
        (path, bytes, mtime_ns) to (digest, cell_ids); mtime_ns in ns since 1970-01-01 UTC.
    """
    wanted = None
    if settings is not None:
        from ..data.codec import to_json

        wanted = to_json(settings)
    lines = connection.execute(
        "SELECT s.path, s.bytes, s.mtime_ns, s.digest, c.cell_id FROM sources s"
        " LEFT JOIN source_cells c ON c.path = s.path"
        " WHERE s.mtime_ns IS NOT NULL AND (? IS NULL OR s.settings = ?) ORDER BY s.path, c.cell_id",
        (wanted, wanted),
    )
    cached: CachedSources = {}
    for path, size, mtime_ns, digest, cell_id in lines:
        key = (path, size, mtime_ns)
        _, ids = cached.get(key, ("", ()))
        if cell_id is not None:
            ids = (*ids, cell_id)
        cached[key] = (digest, ids)
    return cached


# Cleaning


def clean_reports(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return what cleaning did to each cell, by cell_id.

    Returns:
        cell_id, path (of the partition), rows_in, rows_kept, rows_quarantined, rows_inserted (samples at step edges
        that are no rows of a file), temperature_mean_celsius; before and after cleaning: time_span_..._second,
        charge_in_..._ah, charge_out_..._ah (both positive), energy_in_..._wh, energy_out_..._wh, cycles_...,
        steps_...; and charge_source with the columns charge_in_... and charge_out_... for low, high and counted, as
        :func:`charge_uncertainty` explains them.
    """
    return select_rows(connection, "current_clean_reports", {"cell_id": cell_id}, "cell_id")


def findings(connection: sqlite3.Connection, cell_id: Names = None, rule: str | None = None) -> Rows:
    """Return the findings of cleaning, by cell and order in the clean report.

    Args:
        connection: from :func:`connect`.
        cell_id: one cell, several, or all.
        rule: code of a rule, such as ``voltage_spike``; ``None`` = all.

    Returns:
        cell_id, position, rule, severity (info, warning, error), rows, source_index, source_row (0 = the file's first
        data row), cycle_count, step_count, before and after (text with unit), action.
    """
    return select_rows(connection, "current_findings", {"cell_id": cell_id, "rule": rule}, "cell_id, position")


def rules_by_cell(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the findings of each rule in each cell, summed.

    Returns:
        cell_id, rule, severity (the worst), findings (number), samples_flagged, rows_quarantined, actions.
    """
    return select_rows(connection, "rules_by_cell", {"cell_id": cell_id}, "cell_id, rule")


def quarantined_rows(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the number of quarantined rows by cell, file and rule: cell_id, path, rule, rows, source_index."""
    return select_rows(connection, "quarantined_rows", {"cell_id": cell_id}, "cell_id, source_index, rule")


def charge_by_rule(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return how each rule changed the charge of each cell, in the order of the rules.

    Returns:
        cell_id, rule, charge_in_ah, charge_out_ah (after - before the rule), charge_in_percent, charge_out_percent (of
        the charge before cleaning).
    """
    where, values = build_where({"cell_id": cell_id})
    return connection.execute(f"SELECT * FROM charge_by_rule {where}", values).fetchall()


def charge_uncertainty(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return how well the charge of each cleaned record is known, by cell_id.

    Returns:
        cell_id, charge_source (in words); for charge in and charge out, both positive: charge_..._ah by the cleaned
        record, its bounds charge_..._low_ah and charge_..._high_ah, and charge_..._counted_ah by the cycler's counters
        (NULL: it has none); charge_uncertainty_ah (half of upper - lower bound of the throughput, and as much of the
        net charge) and charge_uncertainty_percent (of the throughput).
    """
    return select_rows(connection, "charge_uncertainty", {"cell_id": cell_id}, "cell_id")


def record_sources(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the raw files of cleaned records in time order: cell_id, source_index, path, digest (SHA-256)."""
    return select_rows(connection, "record_sources", {"cell_id": cell_id}, "cell_id, source_index")


def cycles(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """Return the cycles of cleaned records, by cell and cycle.

    Returns:
        cell_id, cycle_count, first_test_time_second, last_test_time_second, samples (rows of the files), steps,
        charge_in_ah, charge_out_ah (both positive), energy_in_wh, energy_out_wh, voltage_min_volt, voltage_max_volt,
        temperature_mean_celsius, charge_source, and bounds and counters of the charge as in :func:`clean_reports`.
    """
    return select_rows(connection, "current_cycles", {"cell_id": cell_id}, "cell_id, cycle_count")


# Simulations

ORDERED_PARTS: Final = {"cycle": "cycle_count", "stretch": "stretch"}
"""Views of errors with several rows for each simulation, and the column by which these are ordered."""


def results(connection: sqlite3.Connection) -> Rows:
    """Return one row for each simulation. A cell without simulations has one row, with the status of its cleaning.

    Returns:
        cell_id, rows, cycles, findings (number), model, parameter_set, rmse_mv, bias_mv, worst_mv (simulated -
        measured), worst_time_second, status, reason, seconds, label, path (Parquet file in the store), charge_source,
        charge_error (model - recorded current, share of the throughput), charge_uncertainty_ah and
        charge_uncertainty_percent (of the charge itself), capacity_source, parameter_set_source, initial_state_source,
        state_uncertainty_mv and state_uncertainty_soc (of the starting state), temperature_source, selection (the
        simulated part of the record; NULL = all), error_budget_mv with its largest part, its unknown parts and whether
        it is too large, its parts (numerical_error_..., compression_..., charge_uncertainty_mv),
        temperature_rmse_kelvin.
    """
    return connection.execute("SELECT * FROM results").fetchall()


def simulations(
    connection: sqlite3.Connection,
    *,
    cell_id: str | None = None,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    status: str | None = "done",
) -> Rows:
    """Return simulations by cell, parameter set, and the campaign's order of models.

    Args:
        connection: from :func:`connect`.
        cell_id: ``None`` = all cells.
        models: names of models; empty = all.
        parameter_sets: names of parameter sets; empty = all.
        status: ``done``, ``failed``, ``skipped`` or ``pending``; ``None`` = all.

    Returns:
        All columns of ``simulations`` (see ``schema.sql``): among them cell_id, label, model, parameter_set, status,
        path, samples, initial_soc (0 to 1), initial_voltage_volt, capacity_ah, temperature_celsius, rmse_mv, bias_mv,
        worst_mv, charge_error, charge_throughput_ah, charge_uncertainty_ah, solve_seconds, reason, reason_code,
        ended_second and partial_rmse_mv (of failed ones); and standing. What is out of date is ``pending``, without
        numbers, and its reason says why it is simulated again.
    """
    where, values = build_where(
        {"s.cell_id": cell_id, "s.model": models, "s.parameter_set": parameter_sets, "s.status": status}
    )
    order = "ORDER BY s.cell_id, s.parameter_set, m.rowid, s.label"
    planned = planned_rows(connection, "simulations", ("parameter_set", "model_digest"))
    joined = f"{planned} s LEFT JOIN models m ON m.model_digest = s.model_digest"
    return connection.execute(f"SELECT s.* FROM {joined} {where} {order}", values).fetchall()


def initial_states(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """Return the initial states of cycles that did not continue from the end of the cycle before.

    Returns:
        cell_id, label, cycle_count, soc (0 to 1), voltage_volt, source (text).
    """
    return select_rows(
        connection, "initial_states", {"cell_id": cell_id, "label": label}, "cell_id, label, cycle_count"
    )


def comparisons(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """Return the errors of simulations by cycle; cycle_count 0 = the complete record.

    Returns:
        cell_id, label, cycle_count, samples, rmse_mv, bias_mv, worst_mv (simulated - measured), worst_time_second,
        rmse_time_weighted_mv, energy_in_measured_wh, energy_in_model_wh, energy_out_measured_wh, energy_out_model_wh,
        charge_error (fraction), capacity_error_ah (model - cell), capacity_voltage_volt.
    """
    return select_rows(connection, "comparisons", {"cell_id": cell_id, "label": label}, "cell_id, label, cycle_count")


def step_comparisons(connection: sqlite3.Connection, cell_id: str | None = None, label: str | None = None) -> Rows:
    """Return the errors of simulations by step type and by window after the step's start; ``all`` = any.

    Returns:
        cell_id, label, cycle_count (0 = the complete record), step_type, window (ohmic, kinetic, diffusion, capacity,
        all), samples, rmse_mv, bias_mv, worst_mv (simulated - measured), worst_time_second, change_rmse_mv (RMSE of the
        error's change since the step's start).
    """
    order = "cell_id, label, cycle_count, step_type, window"
    return select_rows(connection, "step_comparisons", {"cell_id": cell_id, "label": label}, order)


def errors_by(connection: sqlite3.Connection, part: str, cell_id: Names = None) -> Rows:
    """Return the errors of finished simulations by cell, parameter set, and the campaign's order of models.

    Args:
        connection: from :func:`connect`.
        part: ``window``, ``step_type``, ``cycle`` or ``stretch``.
        cell_id: one cell, several, or all.

    Returns:
        cell_id, model, parameter_set, rmse_mv, label, and: for ``window`` an ..._rmse_mv and an ..._change_rmse_mv of
        each window; for ``step_type`` an ..._rmse_mv of each step type; for ``cycle`` one row for each cycle_count
        (0 = the complete record) with samples, rmse_time_weighted_mv, bias_mv, worst_mv, worst_time_second,
        energy_in_error_percent, energy_out_error_percent, capacity_error_ah, capacity_voltage_volt,
        charge_error_percent (of the model against the record), charge_uncertainty_percent (of the record itself),
        status, also of the good cycles of failed simulations; for ``stretch`` one row for each stretch of a selection,
        done or failed, with name, selection, samples, rmse_mv, bias_mv, worst_mv, its state and its reason.
    """
    where, values = build_where({"e.cell_id": cell_id})
    order = "e.cell_id, e.parameter_set, m.rowid, e.label"
    if part in ORDERED_PARTS:
        order += f", e.{ORDERED_PARTS[part]}"
    return connection.execute(
        f"SELECT e.* FROM errors_by_{part} e JOIN simulations s ON s.cell_id = e.cell_id AND s.label = e.label"
        f" LEFT JOIN models m ON m.model_digest = s.model_digest {where} ORDER BY {order}",
        values,
    ).fetchall()


def parameter_values(connection: sqlite3.Connection, parameter_set: str | None = None) -> Rows:
    """Return the overridden parameters of parameter sets, in the order of their application.

    Args:
        connection: from :func:`connect`.
        parameter_set: name of a set; ``None`` = all.

    Returns:
        parameter_set, base, parameter, kind (``value``, or ``scale`` = a factor), value, unit, parameter_set_digest.
    """
    return connection.execute(
        "SELECT * FROM parameter_values WHERE ? IS NULL OR parameter_set = ?", (parameter_set, parameter_set)
    ).fetchall()
