"""The questions users ask of fits beyond their parameters and starts, read-only."""

from __future__ import annotations

import sqlite3
from typing import Final

from ..data.settings import Override, ParameterSetSettings
from .queries import Names, Rows, _select_all, _where

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


def find_parameter_set(connection: sqlite3.Connection, digest: str) -> ParameterSetSettings:
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


def fits(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Fits with RMSE in mV before (``rmse_default_mv``) and after, and the parameter set that came out."""
    return _select_all(connection, "fits", {"cell_id": cell_id, "fit": fit}, "cell_id, label")


def fit_parameters(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Fitted parameters with unit, bounds and the value before, each with its fit's name, model and RMSE."""
    return _select_all(connection, "fitted_parameters", {"cell_id": cell_id, "fit": fit}, "cell_id, label, parameter")


def fit_profiles(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """The points of profiles by rising value, with RMSE in mV, cost and level in mV2."""
    return _select_all(connection, "fit_profiles", {"cell_id": cell_id, "fit": fit}, "cell_id, label, position")


def parameters_along_life(connection: sqlite3.Connection, cell_id: Names = None, chain: Names = None) -> Rows:
    """Fitted parameters of chains, by check-up: value with error and interval, share of the first, RMSE in mV."""
    asked = {"cell_id": cell_id, "chain": chain}
    return _select_all(connection, "parameters_along_life", asked, "cell_id, chain, parameter, chain_cycle")


def chain_links(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """The fits of chains in the order of life, those without a result too."""
    where, values = _where({"cell_id": cell_id})
    of_chains = f"{where or 'WHERE true'} AND chain IS NOT NULL"
    return connection.execute(f"SELECT * FROM fits {of_chains} ORDER BY cell_id, chain, chain_cycle", values).fetchall()


def fit_starts(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """The starts of fits with RMSE in mV at the first and the last values; not those of an earlier, longer fit."""
    where, values = _where({"s.cell_id": cell_id, "s.fit": fit})
    joined = "fit_starts s LEFT JOIN fits f ON f.cell_id = s.cell_id AND f.fit = s.fit"
    kept = f"{where or 'WHERE true'} AND (f.starts IS NULL OR s.start IS NULL OR s.start < f.starts)"
    order = "ORDER BY s.cell_id, s.fit, s.start, s.label"
    return connection.execute(f"SELECT s.* FROM {joined} {kept} {order}", values).fetchall()
