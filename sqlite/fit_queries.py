"""The questions users ask of fits beyond their parameters and starts, read-only."""

from __future__ import annotations

import sqlite3

from ..data.settings import Override, ParameterSetSettings
from .queries import Rows


def fit_correlations(connection: sqlite3.Connection, cell_id: str, label: str, least: float = 0.0) -> Rows:
    """How the errors of a fit's parameters move together: parameter, other, value (-1 to 1), largest first.

    Args:
        least: leave out what is closer to 0.
    """
    return connection.execute(
        "SELECT parameter, other, value FROM fit_correlations WHERE cell_id = ? AND label = ? AND abs(value) >= ?"
        " ORDER BY abs(value) DESC, parameter, other",
        (cell_id, label, least),
    ).fetchall()


def fitted_sets(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """Every version of every fitted set with where it is from, of a cell or of all; ``current`` = 1: the fit's last."""
    return connection.execute(
        "SELECT s.*, coalesce(f.parameter_set_digest = s.parameter_set_digest, 0) AS current FROM fitted_sets s"
        " LEFT JOIN fits f ON f.cell_id = s.cell_id AND f.label = s.label"
        " WHERE ? IS NULL OR s.cell_id = ? ORDER BY s.cell_id, s.label, s.version",
        (cell_id, cell_id),
    ).fetchall()


def parameter_set_of(connection: sqlite3.Connection, digest: str) -> ParameterSetSettings:
    """The parameter set of a ``parameter_set_digest``, with its overrides in their order."""
    row = connection.execute("SELECT * FROM parameter_sets WHERE parameter_set_digest = ?", (digest,)).fetchone()
    changed = connection.execute(
        "SELECT parameter, kind, value FROM parameter_overrides WHERE parameter_set_digest = ? ORDER BY position",
        (digest,),
    )
    overrides = tuple(Override(parameter, kind, value) for parameter, kind, value in changed)
    return ParameterSetSettings(row["parameter_set"], row["base"], overrides, row["file_digest"] or "")
