"""Read the fits of a catalog: results, parameters, starts, profiles, chains and fitted sets.

Rows and arguments are as in ``queries.py``; what is shown, too. ``fit`` is the name of a fit in the campaign; ``label``
is the name of its job in a cell.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from .select_rows import Names, Rows, build_where, planned_rows, select_rows

if TYPE_CHECKING:
    from ..data.settings import ParameterSetSettings

_OF_FIT: Final = "f.cell_id = :cell_id AND f.label = :label"
_OF_STARTS: Final = "JOIN current_fits f ON s.cell_id = f.cell_id AND s.fit = f.fit"


def fit_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all fits, sorted."""
    return [str(row[0]) for row in connection.execute("SELECT DISTINCT fit FROM current_fits ORDER BY fit")]


def fits(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Return fits by cell and label, also those without a result.

    Args:
        connection: from ``queries.connect``.
        cell_id: ``None`` = all cells.
        fit: name of the fit; ``None`` = all.

    Returns:
        All columns of ``fits`` (see ``schema.sql``): among them cell_id, label, fit, status, model, base_parameter_set,
        parameter_set (the result), rmse_default_mv and rmse_mv (before and after the fit), validation_default_rmse_mv
        and validation_rmse_mv (on held-out cycles), starts_done, starts_agreeing, best_start, noise_mv, verdict,
        standing. What is out of date is ``pending``, without numbers, and its reason says why it is fitted again.
    """
    planned = planned_rows(connection, "fits")
    return select_rows(connection, planned, {"cell_id": cell_id, "fit": fit}, "cell_id, label")


def fit_parameters(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Return fitted parameters by cell, fit and parameter.

    Args:
        connection: from ``queries.connect``.
        cell_id: ``None`` = all cells.
        fit: name of the fit; ``None`` = all.

    Returns:
        cell_id, fit, label, model, base_parameter_set, parameter_set, status, parameter, unit; in this unit value,
        default_value, standard_error, lower_95 and upper_95 (95 % confidence interval), lower and upper (bounds),
        profile_lower_95 and profile_upper_95; scale (linear, log), at_bound, is_factor (1: value is a factor on the
        base set's parameter), verdict, profile_verdict; rmse_default_mv and rmse_mv of the fit.
    """
    return select_rows(connection, "fitted_parameters", {"cell_id": cell_id, "fit": fit}, "cell_id, label, parameter")


def fit_correlations(connection: sqlite3.Connection, cell_id: str, label: str, least: float = 0.0) -> Rows:
    """Return the correlations between the fitted parameters of one fit, largest magnitude first.

    Args:
        connection: from ``queries.connect``.
        cell_id: the cell.
        label: of the fit.
        least: leave out correlations with a smaller magnitude.

    Returns:
        parameter, other, value (-1 to 1); each pair once.
    """
    return connection.execute(
        "SELECT parameter, other, value FROM fit_correlations WHERE cell_id = ? AND label = ? AND abs(value) >= ?"
        " ORDER BY abs(value) DESC, parameter, other",
        (cell_id, label, least),
    ).fetchall()


def fit_errors(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """Return the voltage errors of one fit by step type and window.

    Args:
        connection: from ``queries.connect``.
        cell_id: the cell.
        label: of the fit.

    Returns:
        part (``fitted`` or ``held_out``), step_type, window, samples, rmse_default_mv, rmse_mv, bias_mv, worst_mv,
        worst_time_second.
    """
    return connection.execute(
        "SELECT part, step_type, window, samples, rmse_default_mv, rmse_mv, bias_mv, worst_mv, worst_time_second"
        " FROM fit_errors WHERE cell_id = ? AND label = ? ORDER BY part, step_type, window",
        (cell_id, label),
    ).fetchall()


def fleet_parameters(connection: sqlite3.Connection, fit: str) -> Rows:
    """Return the parameters of a fit for all cells, by parameter and cell; finished fits only.

    Args:
        connection: from ``queries.connect``.
        fit: name of the fit.

    Returns:
        All columns of ``fit_parameters`` (cell_id, label, parameter, unit, value, default_value, lower, upper, scale,
        at_bound, is_factor, standard_error, lower_95, upper_95, verdict), and base_parameter_set.
    """
    return connection.execute(
        "SELECT p.*, f.base_parameter_set FROM fit_parameters p"
        " JOIN current_fits f ON f.cell_id = p.cell_id AND f.label = p.label"
        " WHERE f.fit = ? AND f.status = 'done' ORDER BY p.parameter, p.cell_id, p.label",
        (fit,),
    ).fetchall()


def window_errors(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """Return the errors of a simulation by cycle and by window after a step's start, over all step types.

    Args:
        connection: from ``queries.connect``.
        cell_id: the cell.
        label: of the simulation.

    Returns:
        Columns as of ``queries.step_comparisons``; cycle_count 0 = the complete record.
    """
    return connection.execute(
        "SELECT * FROM step_comparisons WHERE cell_id = ? AND label = ? AND step_type = 'all' AND window <> 'all'"
        " ORDER BY cycle_count, window",
        (cell_id, label),
    ).fetchall()


# Starts


def fit_starts(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Return the starts of fits by cell, fit and number. If an earlier fit had more starts, leave out its extra ones.

    Args:
        connection: from ``queries.connect``.
        cell_id: ``None`` = all cells.
        fit: name of the fit; ``None`` = all.

    Returns:
        cell_id, label, fit, start, status, seed, rmse_first_mv and rmse_mv (at the first and last values), cost (mV2),
        evaluations, message, seconds, began_from, stopped (why it stopped early; "" = it did not), converged (0 = it
        ended at its limit or abnormally; ``None`` = not known), data_cost and prior_squares, reason, reason_code.
    """
    where, values = build_where({"s.cell_id": cell_id, "s.fit": fit})
    where = where or "WHERE true"
    return connection.execute(
        "SELECT s.* FROM current_fit_starts s LEFT JOIN current_fits f ON f.cell_id = s.cell_id AND f.fit = s.fit"
        f" {where} AND (f.starts IS NULL OR s.start IS NULL OR s.start < f.starts)"
        " ORDER BY s.cell_id, s.fit, s.start, s.label",
        values,
    ).fetchall()


def fit_differences(connection: sqlite3.Connection) -> dict[tuple[str, str, str], list[str]]:
    """Return in words how simulations with a fitted set differ from its fit over the fitted samples.

    Args:
        connection: from ``queries.connect``.

    Returns:
        By cell, model and parameter set; only those that differ.
    """
    rows = connection.execute(
        "SELECT cell_id, model, parameter_set, fit_difference FROM current_simulations"
        " WHERE coalesce(fit_difference, '') != ''"
    )
    found: dict[tuple[str, str, str], list[str]] = {}
    for cell_id, model, parameter_set, words in rows:
        found.setdefault((cell_id, model, parameter_set), []).append(str(words))
    return found


def start_values(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """Return the parameter values at which each start of a fit began and ended, by start and parameter.

    Args:
        connection: from ``queries.connect``.
        cell_id: the cell.
        label: of the fit.

    Returns:
        start, parameter, first_value, value; in the parameter's unit.
    """
    return connection.execute(
        f"SELECT s.start, v.parameter, v.first_value, v.value FROM current_fit_starts s {_OF_STARTS}"
        " JOIN fit_start_values v ON v.cell_id = s.cell_id AND v.label = s.label"
        f" WHERE {_OF_FIT} AND (f.starts IS NULL OR s.start < f.starts) ORDER BY s.start, v.parameter",
        {"cell_id": cell_id, "label": label},
    ).fetchall()


# Profiles


def fit_profiles(connection: sqlite3.Connection, cell_id: str | None = None, fit: str | None = None) -> Rows:
    """Return the points of all profiles by rising value.

    Args:
        connection: from ``queries.connect``.
        cell_id: ``None`` = all cells.
        fit: name of the fit; ``None`` = all.

    Returns:
        cell_id, label (of the profile), fit, parameter, position, value (in the parameter's unit), rmse_mv, cost and
        level (mV2).
    """
    return select_rows(connection, "fit_profiles", {"cell_id": cell_id, "fit": fit}, "cell_id, label, position")


def profile_points(connection: sqlite3.Connection, cell_id: str, label: str) -> Rows:
    """Return the points of the profiles that belong to a fit's current result, by parameter and rising value.

    Args:
        connection: from ``queries.connect``.
        cell_id: the cell.
        label: of the fit.

    Returns:
        parameter, value (in the parameter's unit), rmse_mv, cost (mV2); the same in each row of a profile: best_cost
        and level (mV2), lower_95, upper_95 (``None`` = open), lower_end, upper_end, verdict.
    """
    return connection.execute(
        "SELECT t.parameter, t.value, t.rmse_mv, t.cost, i.cost AS best_cost, i.level, i.lower_95, i.upper_95,"
        " i.lower_end, i.upper_end, i.verdict"
        " FROM current_fits f"
        " JOIN current_fit_intervals i ON i.cell_id = f.cell_id AND i.fit = f.fit AND i.status = 'done'"
        " JOIN fit_parameters p ON p.cell_id = f.cell_id AND p.label = f.label AND p.parameter = i.parameter"
        " AND p.value = i.value"
        " JOIN fit_profiles t ON t.cell_id = i.cell_id AND t.label = i.label"
        f" WHERE {_OF_FIT} ORDER BY t.parameter, t.position",
        {"cell_id": cell_id, "label": label},
    ).fetchall()


# Chains along a cell's life


def parameters_along_life(connection: sqlite3.Connection, cell_id: Names = None, chain: Names = None) -> Rows:
    """Return the fitted parameters of chains by cell, chain, parameter and check-up.

    Args:
        connection: from ``queries.connect``.
        cell_id: one cell, several, or all.
        chain: one name of a chain, several, or all.

    Returns:
        cell_id, chain, chain_cycle (the check-up's first cycle), parameter, unit; in this unit value, standard_error,
        lower_95, upper_95; share_of_first (value / value at the first check-up), at_bound, is_factor, verdict, rmse_mv,
        samples, model, base_parameter_set, parameter_set, label.
    """
    wanted: dict[str, Names] = {"cell_id": cell_id, "chain": chain}
    return select_rows(connection, "parameters_along_life", wanted, "cell_id, chain, parameter, chain_cycle")


def chain_links(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the fits that belong to chains, by cell, chain and check-up; also those without a result.

    Returns:
        Columns as of :func:`fits`.
    """
    where, values = build_where({"cell_id": cell_id})
    where = where or "WHERE true"
    return connection.execute(
        f"SELECT * FROM {planned_rows(connection, 'fits')} {where} AND chain IS NOT NULL"
        " ORDER BY cell_id, chain, chain_cycle",
        values,
    ).fetchall()


# Fitted sets


def fitted_sets(connection: sqlite3.Connection, cell_id: str | None = None) -> Rows:
    """Return every version of every fitted parameter set, by cell, fit and version.

    Args:
        connection: from ``queries.connect``.
        cell_id: ``None`` = all cells.

    Returns:
        All columns of ``fitted_sets`` (see ``schema.sql``): among them cell_id, label, version, parameter_set,
        parameter_set_digest, base_parameter_set, fit, model, cycles (JSON), rmse_default_mv, rmse_mv,
        validation_rmse_mv, verdict, found_unix_second; current (1 = the fit's latest result), and standing of the fit.
    """
    return connection.execute(
        "SELECT s.*, coalesce(f.parameter_set_digest = s.parameter_set_digest, 0) AS current,"
        " coalesce(f.standing, 'of an earlier campaign') AS standing FROM fitted_sets s"
        " LEFT JOIN fits f ON f.cell_id = s.cell_id AND f.label = s.label"
        " WHERE (coalesce(f.standing, 'of an earlier campaign') <> 'of an earlier campaign'"
        " OR (SELECT everything FROM extent)) AND (? IS NULL OR s.cell_id = ?) ORDER BY s.cell_id, s.label, s.version",
        (cell_id, cell_id),
    ).fetchall()


def find_parameter_set(connection: sqlite3.Connection, digest: str) -> ParameterSetSettings:
    """Return a parameter set with its overrides in their order.

    Args:
        connection: from ``queries.connect``.
        digest: a ``parameter_set_digest`` that the catalog contains.
    """
    from ..data.settings import Override, ParameterSetSettings  # questions to a catalog do without their classes

    row = connection.execute("SELECT * FROM parameter_sets WHERE parameter_set_digest = ?", (digest,)).fetchone()
    lines = connection.execute(
        "SELECT parameter, kind, value FROM parameter_overrides WHERE parameter_set_digest = ? ORDER BY position",
        (digest,),
    )
    overrides = tuple(Override(parameter, kind, value) for parameter, kind, value in lines)
    return ParameterSetSettings(row["parameter_set"], row["base"], overrides, row["file_digest"] or "")
