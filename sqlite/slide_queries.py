"""Read from the catalog what slides show: sums over the store, and rates of its jobs.

Rows and arguments are as in ``queries.py``; only what is current counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from .select_rows import Rows


def store_totals(connection: sqlite3.Connection) -> sqlite3.Row:
    """Return sums over the store.

    Returns:
        One row: cells (of the campaign), files and file_bytes (raw), cleaned (cells), rows_in, rows_kept,
        rows_quarantined, rows_inserted, samples, cycles, time_span_second, charge_in_before_ah, charge_in_after_ah,
        charge_out_before_ah, charge_out_after_ah (over the cells that have both values).
    """
    row: sqlite3.Row = connection.execute("""
        SELECT (SELECT count(*) FROM current_cells) AS cells, (SELECT count(*) FROM current_sources) AS files,
            (SELECT sum(bytes) FROM current_sources) AS file_bytes,
            count(*) AS cleaned, sum(rows_in) AS rows_in, sum(rows_kept) AS rows_kept,
            sum(rows_quarantined) AS rows_quarantined, sum(rows_inserted) AS rows_inserted,
            sum(rows_kept + rows_inserted) AS samples, sum(cycles_after) AS cycles,
            sum(time_span_after_second) AS time_span_second,
            sum(CASE WHEN charge_in_after_ah IS NOT NULL THEN charge_in_before_ah END) AS charge_in_before_ah,
            sum(CASE WHEN charge_in_before_ah IS NOT NULL THEN charge_in_after_ah END) AS charge_in_after_ah,
            sum(CASE WHEN charge_out_after_ah IS NOT NULL THEN charge_out_before_ah END) AS charge_out_before_ah,
            sum(CASE WHEN charge_out_before_ah IS NOT NULL THEN charge_out_after_ah END) AS charge_out_after_ah
        FROM current_clean_reports""").fetchone()
    return row


def findings_by_rule(connection: sqlite3.Connection) -> Rows:
    """Return the findings of each rule, the most frequent first: rule, findings, cells."""
    return connection.execute(
        "SELECT rule, count(*) AS findings, count(DISTINCT cell_id) AS cells FROM current_findings"
        " GROUP BY rule ORDER BY findings DESC, cells DESC, rule"
    ).fetchall()


def charge_by_rule(connection: sqlite3.Connection) -> Rows:
    """Return how each rule changed the charge, the largest sum of magnitudes first.

    Returns:
        rule, charge_in_ah and charge_out_ah (sums of after - before), magnitude_ah (sum of both magnitudes), cells.
    """
    return connection.execute(
        "SELECT h.rule, sum(h.charge_in_ah) AS charge_in_ah, sum(h.charge_out_ah) AS charge_out_ah,"
        " sum(abs(h.charge_in_ah) + abs(h.charge_out_ah)) AS magnitude_ah, count(DISTINCT h.cell_id) AS cells"
        " FROM charge_changes h JOIN current_clean_reports r ON r.cell_id = h.cell_id"
        " GROUP BY h.rule ORDER BY magnitude_ah DESC, h.rule"
    ).fetchall()


def largest_charge_change(connection: sqlite3.Connection) -> sqlite3.Row | None:
    """Return the cell whose charge cleaning changed most, in percent of what it was: cell_id, direction, percent."""
    row: sqlite3.Row | None = connection.execute("""
        SELECT * FROM (
            SELECT cell_id, 'in' AS direction,
                100 * (charge_in_after_ah / nullif(charge_in_before_ah, 0) - 1) AS percent FROM current_clean_reports
            UNION ALL
            SELECT cell_id, 'out', 100 * (charge_out_after_ah / nullif(charge_out_before_ah, 0) - 1)
            FROM current_clean_reports)
        WHERE percent IS NOT NULL ORDER BY abs(percent) DESC, cell_id LIMIT 1""").fetchone()
    return row


def longest_cell(connection: sqlite3.Connection) -> str | None:
    """Return the cleaned cell with most cycles; ``None`` = no cell is cleaned."""
    row = connection.execute(
        "SELECT cell_id FROM current_clean_reports ORDER BY cycles_after DESC, rows_kept DESC, cell_id LIMIT 1"
    ).fetchone()
    return None if row is None else str(row[0])


def cells_by_kinds(connection: sqlite3.Connection, rules: Collection[str], most_rows: int, limit: int) -> list[str]:
    """Return the cells in which most of these rules found something, the best first.

    Args:
        connection: from ``queries.connect``.
        rules: codes of the rules.
        most_rows: leave out longer records.
        limit: largest number of cells.
    """
    places = ", ".join("?" * len(rules))
    rows = connection.execute(
        "SELECT r.cell_id FROM current_clean_reports r LEFT JOIN findings f ON f.cell_id = r.cell_id"
        f" AND f.rule IN ({places}) WHERE r.rows_in <= ? GROUP BY r.cell_id"
        " ORDER BY count(DISTINCT f.rule) DESC, count(f.rule) DESC, r.cell_id LIMIT ?",
        (*rules, most_rows, limit),
    )
    return [str(row[0]) for row in rows]


def simulation_totals(connection: sqlite3.Connection) -> Rows:
    """Return every simulation that counts, for medians.

    Returns:
        cell_id, model, parameter_set, status, reason_code, rmse_mv, samples, knots, seconds, solve_seconds,
        error_budget_mv, error_budget_too_large, numerical_error_rmse_mv, compression_rmse_mv, charge_uncertainty_mv,
        state_uncertainty_mv, is_default (1: no changed parameter).
    """
    return connection.execute(
        "SELECT s.cell_id, s.model, s.parameter_set, s.status, s.reason_code, s.rmse_mv, s.samples, s.knots, s.seconds,"
        " s.solve_seconds, s.error_budget_mv, s.error_budget_too_large, s.numerical_error_rmse_mv,"
        " s.compression_rmse_mv, s.charge_uncertainty_mv, s.state_uncertainty_mv,"
        " NOT EXISTS (SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = s.parameter_set_digest)"
        " AS is_default FROM current_simulations s LEFT JOIN models m ON m.model_digest = s.model_digest"
        " ORDER BY m.rowid, s.parameter_set, s.cell_id, s.label"
    ).fetchall()


def errors_of_cycle(connection: sqlite3.Connection, cycle_count: int) -> sqlite3.Row:
    """Return the errors of one cycle over all simulations with it: simulations, cells, and the range of the RMSE.

    Args:
        connection: from ``queries.connect``.
        cycle_count: the cycle; 0 = the complete record.

    Returns:
        One row: simulations, cells, rmse_min_mv, rmse_max_mv.
    """
    row: sqlite3.Row = connection.execute(
        "SELECT count(*) AS simulations, count(DISTINCT s.cell_id) AS cells, min(k.rmse_mv) AS rmse_min_mv,"
        " max(k.rmse_mv) AS rmse_max_mv FROM current_simulations s"
        " CROSS JOIN comparisons k ON k.cell_id = s.cell_id AND k.label = s.label"
        " WHERE k.cycle_count = ? AND (s.status IN ('done', 'pending') OR k.cycle_count > 0)",
        (cycle_count,),
    ).fetchone()
    return row


def common_cycle(connection: sqlite3.Connection) -> int | None:
    """Return the last cycle that most simulations have; ``None`` = no simulation has errors of a cycle."""
    row = connection.execute(
        "SELECT k.cycle_count FROM comparisons k JOIN current_simulations s"
        " ON s.cell_id = k.cell_id AND s.label = k.label WHERE k.cycle_count > 0"
        " GROUP BY k.cycle_count ORDER BY count(*) DESC, k.cycle_count DESC LIMIT 1"
    ).fetchone()
    return None if row is None else int(row[0])


def job_seconds(connection: sqlite3.Connection) -> Rows:
    """Return the measured time of jobs by kind: kind, jobs, cells, seconds (their sum), failed."""
    return connection.execute(
        "SELECT kind, count(*) AS jobs, count(DISTINCT cell_id) AS cells, sum(seconds) AS seconds,"
        " sum(status = 'failed') AS failed FROM current_jobs"
        " WHERE status IN ('done', 'failed') AND seconds IS NOT NULL GROUP BY kind ORDER BY kind"
    ).fetchall()


def run_rates(connection: sqlite3.Connection) -> Rows:
    """Return what each run that recorded jobs did, the one with most jobs first.

    Returns:
        run_id, jobs, cells, busy_second (sum of the jobs' durations), span_second (first start to last end).
    """
    return connection.execute(
        "SELECT run_id, count(*) AS jobs, sum(seconds) AS busy_second,"
        " max(started_unix_second + seconds) - min(started_unix_second) AS span_second,"
        " count(DISTINCT CASE WHEN kind <> 'split' THEN cell_id END) AS cells FROM jobs"
        " WHERE run_id IS NOT NULL AND status IN ('done', 'failed') AND seconds IS NOT NULL"
        " GROUP BY run_id ORDER BY jobs DESC, run_id DESC"
    ).fetchall()


def output_bytes(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return number and bytes of the files that jobs wrote, by the store's folder."""
    rows = connection.execute(
        "SELECT substr(o.key, 1, instr(o.key, '/') - 1) AS folder, count(*), sum(o.value)"
        " FROM current_jobs j, json_each(j.outputs) o GROUP BY folder ORDER BY folder"
    )
    return {str(folder): (int(files), int(size)) for folder, files, size in rows}


def fit_totals(connection: sqlite3.Connection) -> sqlite3.Row:
    """Return the finished fits: one row with sets (one for each) and parameters (their number over all sets)."""
    row: sqlite3.Row = connection.execute(
        "SELECT count(*) AS sets, (SELECT count(*) FROM fitted_parameters WHERE status = 'done') AS parameters"
        " FROM current_fits WHERE status = 'done'"
    ).fetchone()
    return row


def window_changes(connection: sqlite3.Connection, fit: str, model: str) -> Rows:
    """Return the errors of the finished fits of a name and model by window: window, rmse_default_mv, rmse_mv.

    Args:
        connection: from ``queries.connect``.
        fit: name of the fit.
        model: of the fit.
    """
    return connection.execute(
        "SELECT e.window, e.rmse_default_mv, e.rmse_mv FROM fit_errors e"
        " JOIN current_fits f ON f.cell_id = e.cell_id AND f.label = e.label"
        " WHERE f.status = 'done' AND f.fit = ? AND f.model = ? AND e.part = 'fitted' AND e.step_type = 'all'"
        " AND e.rmse_default_mv IS NOT NULL AND e.rmse_mv IS NOT NULL ORDER BY e.window",
        (fit, model),
    ).fetchall()
