"""Read what ``kilocell findings`` shows of many cells: sums of rules, reports with their uncertainty, results in doubt.

The catalog sums them up; in Python, 10,000 cells with 140,000 findings would take longer than everything else.
"""

from __future__ import annotations

import sqlite3

from .select_rows import Names, Rows, build_where


def rules_found(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the findings of each rule, summed over cells; the rule with the most findings first.

    Returns:
        rule, severity (the worst), findings (number), samples_flagged (``None``: the version that cleaned a cell did
        not count them), rows_quarantined, cells (number of cells with findings).
    """
    where, values = build_where({"cell_id": cell_id})
    # In the order of the alphabet, error comes before info and warning, so two plain extremes give the worst.
    return connection.execute(
        "SELECT f.rule, CASE min(f.first_severity) WHEN 'error' THEN 'error' ELSE max(f.last_severity) END AS severity,"
        " sum(f.findings) AS findings,"
        " CASE WHEN count(n.samples) = count(*) THEN sum(n.samples) END AS samples_flagged,"
        " coalesce(sum(q.rows), 0) AS rows_quarantined, count(*) AS cells"
        " FROM (SELECT cell_id, rule, min(severity) AS first_severity, max(severity) AS last_severity,"
        f" count(*) AS findings FROM findings {where} GROUP BY cell_id, rule) f"
        " JOIN current_clean_reports r ON r.cell_id = f.cell_id"
        " LEFT JOIN flag_counts n ON n.cell_id = f.cell_id AND n.rule = f.rule"
        " LEFT JOIN (SELECT cell_id, rule, sum(rows) AS rows FROM quarantine_counts GROUP BY cell_id, rule) q"
        " ON q.cell_id = f.cell_id AND q.rule = f.rule"
        " GROUP BY f.rule ORDER BY findings DESC, min(f.cell_id), f.rule",
        values,
    ).fetchall()


def uncertain_reports(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the rows of :func:`kilocell.sqlite.queries.clean_reports`, with the uncertainty of the charge.

    Returns:
        Its columns, charge_uncertainty_ah and charge_uncertainty_percent.
    """
    where, values = build_where({"r.cell_id": cell_id})
    return connection.execute(
        "SELECT r.*, u.charge_uncertainty_ah, u.charge_uncertainty_percent FROM current_clean_reports r"
        f" JOIN charge_uncertainty u ON u.cell_id = r.cell_id {where} ORDER BY r.cell_id",
        values,
    ).fetchall()


def doubtful_results(connection: sqlite3.Connection) -> Rows:
    """Return the rows of :func:`kilocell.sqlite.queries.results` that may be in doubt.

    They have an error budget, or say how well their starting state is known.
    """
    return connection.execute(
        "SELECT * FROM results WHERE error_budget_mv IS NOT NULL OR initial_state_source IS NOT NULL"
        " OR state_uncertainty_mv IS NOT NULL OR state_uncertainty_soc IS NOT NULL"
    ).fetchall()
