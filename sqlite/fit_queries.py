"""The questions users ask of fits beyond their parameters and starts, read-only."""

from __future__ import annotations

import sqlite3
from typing import Final

from ..data.settings import Override, ParameterSetSettings
from .queries import Rows

_OF_FIT: Final = "f.cell_id = :cell_id AND f.label = :label"
_OF_STARTS: Final = "JOIN fits f ON s.cell_id = f.cell_id AND s.fit = f.fit"


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


def start_values(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """Where each start of a fit began and ended: start, parameter, first_value, value; in the parameter's own unit.

    Args:
        label: of the fit.
    """
    return connection.execute(
        f"SELECT s.start, v.parameter, v.first_value, v.value FROM fit_starts s {_OF_STARTS}"
        " JOIN fit_start_values v ON v.cell_id = s.cell_id AND v.label = s.label"
        f" WHERE {_OF_FIT} AND (f.starts IS NULL OR s.start < f.starts) ORDER BY s.start, v.parameter",
        {"cell_id": cell_id, "label": label},
    ).fetchall()


def window_errors(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """A simulation's errors by window after a step's start, of any step type: cycle_count, window, samples, RMSE in mV.

    Args:
        label: of the simulation.

    Returns:
        Also ``change_rmse_mv``, of the error's change since the step began; cycle 0 = whole record.
    """
    return connection.execute(
        "SELECT * FROM step_comparisons WHERE cell_id = ? AND label = ? AND step_type = 'all' AND window <> 'all'"
        " ORDER BY cycle_count, window",
        (cell_id, label),
    ).fetchall()


def fleet_parameters(connection: sqlite3.Connection, fit: str) -> Rows:
    """The parameters of all finished fits of this name, by parameter and cell."""
    return connection.execute(
        "SELECT p.*, f.base_parameter_set FROM fit_parameters p"
        " JOIN fits f ON f.cell_id = p.cell_id AND f.label = p.label"
        " WHERE f.fit = ? AND f.status = 'done' ORDER BY p.parameter, p.cell_id, p.label",
        (fit,),
    ).fetchall()


def fit_names(connection: sqlite3.Connection) -> list[str]:
    """The names of all fits, in order."""
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT fit FROM fits ORDER BY fit")]


def profile_points(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """The profile likelihoods of a fit's parameters, a line a point by rising value; not those of an earlier result.

    Args:
        label: of the fit.

    Returns:
        parameter, value, rmse_mv, cost (mV2), and of the whole profile best_cost, level, lower_95, upper_95, lower_end,
        upper_end and verdict.
    """
    return connection.execute(
        "SELECT t.parameter, t.value, t.rmse_mv, t.cost, i.cost AS best_cost, i.level, i.lower_95, i.upper_95,"
        " i.lower_end, i.upper_end, i.verdict"
        " FROM fits f JOIN fit_intervals i ON i.cell_id = f.cell_id AND i.fit = f.fit AND i.status = 'done'"
        " JOIN fit_parameters p ON p.cell_id = f.cell_id AND p.label = f.label AND p.parameter = i.parameter"
        " AND p.value = i.value"
        " JOIN fit_profiles t ON t.cell_id = i.cell_id AND t.label = i.label"
        f" WHERE {_OF_FIT} ORDER BY t.parameter, t.position",
        {"cell_id": cell_id, "label": label},
    ).fetchall()
