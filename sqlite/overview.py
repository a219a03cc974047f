"""Read what figures and pages show of all cells at once: errors, failures, and cycles; small rows for many cells.

Arguments are as in ``queries.py``. The view ``results`` has more, and takes longer with thousands of cells.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from .select_rows import Rows

CYCLE_COLUMNS: Final = (
    "charge_in_ah", "charge_out_ah", "energy_in_wh", "energy_out_wh", "resistance_ohm", "resistance_second",
    "nominal_capacity_ah",
)  # fmt: skip
"""Columns of ``cycles`` and of its cell that :func:`cycle_values` returns; NULL where a catalog does not have one."""


def simulation_errors(connection: sqlite3.Connection) -> Rows:
    """Return one row for each planned simulation, and one for each cell without any, by cell, set and model.

    Returns:
        cell_id, label, model, parameter_set, base (of the set), status (of the simulation, or of the cleaning where
        there is none), reason_code, rmse_mv, error_budget_mv, error_budget_main, error_budget_unknown, is_default (1:
        the set has no changed parameter), path (of the Parquet file), capacity_ah, temperature_celsius, selection.
        Without a simulation, label, model and parameter_set are ``None``.
    """
    return connection.execute(
        "SELECT c.cell_id, p.label, p.model, p.parameter_set, g.base,"
        " CASE WHEN p.label IS NULL THEN coalesce(j.status, 'pending') ELSE coalesce(s.status, 'pending') END"
        " AS status,"
        " coalesce(s.reason_code, '') AS reason_code, s.rmse_mv, s.error_budget_mv, s.error_budget_main,"
        " s.error_budget_unknown, CASE WHEN p.parameter_set_digest IS NOT NULL THEN NOT EXISTS (SELECT 1"
        " FROM parameter_overrides o WHERE o.parameter_set_digest = p.parameter_set_digest) END AS is_default,"
        " s.path, s.capacity_ah, s.temperature_celsius, s.selection"
        " FROM current_cells c"
        " LEFT JOIN cleaning_jobs j ON j.cell_id = c.cell_id"
        " LEFT JOIN planned_simulations p ON p.cell_id = c.cell_id"
        " LEFT JOIN current_simulations s ON s.cell_id = p.cell_id AND s.label = p.label"
        " LEFT JOIN models m ON m.model_digest = p.model_digest"
        " LEFT JOIN parameter_sets g ON g.parameter_set_digest = p.parameter_set_digest"
        " ORDER BY c.cell_id, p.parameter_set, m.rowid IS NULL, m.rowid, p.label"
    ).fetchall()


def failure_reasons(connection: sqlite3.Connection) -> Rows:
    """Return how often each kind of job failed or was skipped, and why; the most frequent first.

    Returns:
        kind (split, clean, simulate, start, fit, profile), status (failed or skipped), reason_code, count, cells
        (number of different ones), cell_id (one of them), reason (of that one).
    """
    return connection.execute(
        "SELECT kind, status, reason_code, count(*) AS count, count(DISTINCT cell_id) AS cells,"
        " min(cell_id) AS cell_id, reason FROM current_jobs WHERE status IN ('failed', 'skipped')"
        " GROUP BY kind, status, reason_code"
        " ORDER BY count DESC, kind, reason_code"
    ).fetchall()


def cycle_counts(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return each cycle number with the number of cells that have it, ascending."""
    rows = connection.execute("SELECT cycle_count, count(*) FROM current_cycles GROUP BY cycle_count ORDER BY 1")
    return [(int(cycle), int(cells)) for cycle, cells in rows]


def cycle_values(connection: sqlite3.Connection, cycles: Sequence[int] = ()) -> sqlite3.Cursor:
    """Return a few numbers of every cycle of all cells, by cell and cycle, to be read row by row.

    Args:
        connection: from ``queries.connect``.
        cycles: only these cycle numbers; empty = all.

    Returns:
        Rows of cell_id, cycle_count and ``CYCLE_COLUMNS``.
    """
    known = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info('cycles')")}
    known.add("nominal_capacity_ah")
    columns = ", ".join(name if name in known else f"NULL AS {name}" for name in CYCLE_COLUMNS)
    where = f"WHERE y.cycle_count IN ({', '.join(f'{cycle:d}' for cycle in cycles)})" if cycles else ""
    return connection.execute(
        f"SELECT y.cell_id, y.cycle_count, {columns} FROM cycles y"
        " JOIN current_clean_reports r ON r.cell_id = y.cell_id JOIN cells c ON c.cell_id = y.cell_id"
        f" {where} ORDER BY y.cell_id, y.cycle_count"
    )
