"""The four questions: cycles of a cell, simulation against experiment, parameter sets of a model, voltage curves.

Rows and arguments are as in ``queries.py``. The views of the same names answer the same in SQL.
"""

from __future__ import annotations

import sqlite3

from .select_rows import Names, Rows, build_where


def cycle_overview(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return all cycles of cells, by cell and cycle.

    Returns:
        cell_id, cycle_count, charge_in_ah, charge_out_ah (the capacity), energy_in_wh, energy_out_wh,
        coulombic_efficiency_percent and energy_efficiency_percent (out / in), mean_charge_voltage_volt,
        mean_discharge_voltage_volt, voltage_min_volt, voltage_max_volt, first_test_time_second, last_test_time_second,
        duration_second, temperature_mean_celsius, steps, samples, findings, charge_source with bounds and counters of
        the charge, charge_uncertainty_percent, resistance_ohm with resistance_second (after a step of the current),
        resistance_uncertainty_ohm, resistance_edges (number) and resistance_source (their kind), standing.
    """
    return _select(connection, "cycle_overview", {"cell_id": cell_id}, "cell_id, cycle_count")


def cycle_comparison(
    connection: sqlite3.Connection,
    cycle_count: int | None = None,
    cell_id: Names = None,
    model: Names = None,
    parameter_set: Names = None,
) -> Rows:
    """Return the errors of simulations by cycle, in the campaign's order of models.

    Args:
        connection: from ``queries.connect``.
        cycle_count: only this cycle, 0 = the complete record; ``None`` = all of these.
        cell_id, model, parameter_set: only these.

    Returns:
        cell_id, model, parameter_set, cycle_count, samples, rmse_mv, bias_mv, worst_mv, worst_time_second, the
        ..._rmse_mv of each window after a step's start and of each step type, label, status, path (Parquet file),
        is_default (1: the set has no changed parameter), standing.
    """
    where, values = build_where({"c.cell_id": cell_id, "c.model": model, "c.parameter_set": parameter_set})
    if cycle_count is not None:
        where = f"{where or 'WHERE true'} AND c.cycle_count = {cycle_count:d}"
    return connection.execute(
        "SELECT c.* FROM cycle_comparison c JOIN simulations s ON s.cell_id = c.cell_id AND s.label = c.label"
        f" LEFT JOIN models m ON m.model_digest = s.model_digest {where}"
        " ORDER BY c.cell_id, c.parameter_set, m.rowid, c.label, c.cycle_count",
        values,
    ).fetchall()


def model_parameter_sets(connection: sqlite3.Connection, model: Names = None, parameter_set: Names = None) -> Rows:
    """Return the parameter sets that simulations use, by model and set; fitted sets differ between cells.

    Returns:
        model, parameter_set, base, file_digest, overrides (JSON: parameter to kind, value and unit), lineage (the fit
        that gave the set; NULL = none), is_default (1: no changed parameter), cells, cells_done, cells_failed,
        rmse_mean_mv, rmse_min_mv, rmse_max_mv, parameter_set_digest, standing.
    """
    wanted: dict[str, Names] = {"model": model, "parameter_set": parameter_set}
    return _select(connection, "model_parameter_sets", wanted, "model, parameter_set")


def curves(
    connection: sqlite3.Connection, cell_id: Names = None, model: Names = None, parameter_set: Names = None
) -> Rows:
    """Return the simulations that have a voltage curve, by cell, model and set.

    Returns:
        cell_id, model, parameter_set, status, samples, rmse_mv, bias_mv, worst_mv, partial_rmse_mv (failed: until its
        end), initial_soc, initial_voltage_volt, capacity_ah, temperature_celsius, selection, reason, label, path (of
        the Parquet file in the store), is_default (1: no changed parameter), standing.
    """
    wanted: dict[str, Names] = {"cell_id": cell_id, "model": model, "parameter_set": parameter_set}
    return _select(connection, "curves", wanted, "cell_id, model, parameter_set")


def simulated_names(connection: sqlite3.Connection) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Return the names of models and of parameter sets in the order they came, and the pairs of sets of one cell."""
    # The simulations themselves have no order: those of a campaign are in the tables of models and parameter sets.
    models = connection.execute(
        "SELECT s.model FROM simulations s LEFT JOIN models m ON m.model_digest = s.model_digest"
        " GROUP BY s.model ORDER BY coalesce(min(m.rowid), 1e9), s.model"
    )
    parameter_sets = connection.execute(
        "SELECT s.parameter_set FROM simulations s"
        " LEFT JOIN parameter_sets p ON p.parameter_set_digest = s.parameter_set_digest"
        " GROUP BY s.parameter_set ORDER BY coalesce(min(p.rowid), 1e9), s.parameter_set"
    )
    pairs = connection.execute(
        "WITH used AS (SELECT DISTINCT cell_id, parameter_set FROM simulations)"
        " SELECT DISTINCT a.parameter_set, b.parameter_set FROM used a JOIN used b"
        " ON b.cell_id = a.cell_id AND b.parameter_set > a.parameter_set"
    )
    return (
        [str(row[0]) for row in models],
        [str(row[0]) for row in parameter_sets],
        [(str(row[0]), str(row[1])) for row in pairs],
    )


def _select(connection: sqlite3.Connection, view: str, wanted: dict[str, Names], order: str) -> Rows:
    where, values = build_where(wanted)
    return connection.execute(f"SELECT * FROM {view} {where} ORDER BY {order}", values).fetchall()
