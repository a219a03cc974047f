"""The four questions: ``kilocell cycles``, ``compare``, ``parameter-sets`` and ``curves``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from ...data.cycle_selection import format_ranges
from ...data.errors import UsageError
from ...data.standing import CURRENT
from ...parquet_store.atomic import write_atomically
from ...parquet_store.layout import Store
from ...report.filters import Filters, add_defaults
from ...report.sets_used import count_again, join_stretches
from ...sqlite import queries, questions
from ...sqlite.cycle_numbers import compared_cycles, measured_cycles
from .answer import Output, more_rows, say_csv, say_path, write_csv
from .open_catalog import open_catalog
from .table import dicts_to_json, number_format, table
from .terminal import print_lines, rows_shown

MANY_ROWS: Final = 60
"""Rows of a table up to which a terminal shows all, unless --limit says otherwise."""

CYCLES: Final = {
    "cell": "cell_id",
    "cycle": "cycle_count",
    "capacity A.h": "charge_out_ah",
    "charge in A.h": "charge_in_ah",
    "energy out W.h": "energy_out_wh",
    "efficiency %": "energy_efficiency_percent",
    "coulombic %": "coulombic_efficiency_percent",
    "mean V charge": "mean_charge_voltage_volt",
    "mean V discharge": "mean_discharge_voltage_volt",
    "h": "duration_second",
    "°C": "temperature_mean_celsius",
    "findings": "findings",
}
COMPARE: Final = {
    "cell": "cell_id",
    "model": "model",
    "parameter set": "parameter_set",
    "cycle": "cycle_count",
    "RMSE mV": "rmse_mv",
    "bias": "bias_mv",
    "worst": "worst_mv",
    "ohmic": "ohmic_rmse_mv",
    "kinetic": "kinetic_rmse_mv",
    "diffusion": "diffusion_rmse_mv",
    "capacity": "capacity_rmse_mv",
    "charge": "charge_rmse_mv",
    "discharge": "discharge_rmse_mv",
    "rest": "rest_rmse_mv",
    "hold": "hold_rmse_mv",
    "pulse": "pulse_rmse_mv",
}
COMPARE_NOTES: Final = (
    "RMSE in mV by time since each step began (ohmic ≤2 s, kinetic ≤20 s, diffusion ≤120 s, capacity later)",
    "and by step type; –: the cycle has no such step",
)
STRETCHES: Final = {
    "cell": "cell_id",
    "model": "model",
    "parameter set": "parameter_set",
    "stretch": "name",
    "samples": "samples",
    "RMSE mV": "rmse_mv",
    "bias": "bias_mv",
    "worst": "worst_mv",
    "status": "status",
}
SETS: Final = {
    "model": "model",
    "parameter set": "parameter_set",
    "base": "base",
    "simulations": "cells",
    "done": "cells_done",
    "RMSE mV mean": "rmse_mean_mv",
    "min": "rmse_min_mv",
    "max": "rmse_max_mv",
    "changed": "overrides",
    "from fit": "lineage",
}
CURVES: Final = {
    "cell": "cell_id",
    "model": "model",
    "parameter set": "parameter_set",
    "RMSE mV": "rmse_mv",
    "bias": "bias_mv",
    "worst": "worst_mv",
    "samples": "samples",
    "status": "status",
    "file": "path",
}
FORMATS: Final = (
    ("_ah", ".4f"),
    ("_wh", ".3f"),
    ("_percent", ".2f"),
    ("_volt", ".3f"),
    ("_second", ".2f"),
    ("_celsius", ".1f"),
)
"""Number format of a table's column by the end of its name; mV have one digit after the point."""

SECONDS_PER_HOUR: Final = 3600.0


def show_cycles(root: Path, filters: Filters, select: str | None, output: Output) -> None:
    """Print all cycles of cells: capacity, energy, efficiency, mean voltages, times, temperature and findings.

    Args:
        root: the store's folder.
        filters: cells, order and number of rows.
        select: only cycles that hold a part of this selection; ``None`` = all.
        output: where the answer goes.

    Raises:
        UsageError: an unknown cell or column; the text gives the nearest name.
    """
    with open_catalog(root, output.everything) as catalog:
        cells = filters.choose_cells(catalog)
        found: Sequence[sqlite3.Row] = questions.cycle_overview(catalog, cells)
        if select is not None:
            from ...report.selected import rows_in_selection

            found = rows_in_selection(Store(root), found, select, cells[0] if len(cells) == 1 else None)
        rows = filters.apply(found)
    nothing = "no cycles: kilocell status shows what is cleaned, and what failed"
    _answer(rows, CYCLES, filters, output, nothing)
    if output.plot is not None and rows:
        from ...report.question_figures import plot_cycles

        say_path(plot_cycles(rows, output.plot), output)


def show_comparison(root: Path, cycle: int | None, filters: Filters, select: str | None, output: Output) -> None:
    """Print simulation against experiment in a cycle or a selected part: RMSE, by window and by step type.

    Args:
        root: the store's folder.
        cycle: number of the cycle; ``None`` = the complete record, or the selection.
        filters: cells, models, parameter sets, status, order and number of rows.
        select: a part of the record, such as ``cycle 2, discharge``; ``None`` = the cycle.
        output: where the answer goes.

    Raises:
        UsageError: both a cycle and a selection, or an unknown name; the text gives the nearest one.
    """
    if cycle is not None and select is not None:
        raise UsageError(f'give --cycle or --select, not both; one with both is --select "cycle {cycle}, {select}"')
    store = Store(root)
    with open_catalog(root, output.everything) as catalog:
        cells = filters.choose_cells(catalog)
        if select is None:
            columns = COMPARE
            rows = filters.apply(_of_cycle(catalog, cycle, cells))
        else:
            columns = STRETCHES
            rows = filters.apply(_of_selection(store, catalog, select, cells))
        curves = [] if output.samples is None and output.plot is None else _curves_of(catalog, rows)
    nothing = "no simulation to compare: kilocell status shows what is simulated, and what failed"
    _answer(rows, columns, filters, output, nothing)
    if columns is COMPARE and rows and not output.json_:
        print_lines(COMPARE_NOTES)
    part = select if cycle is None else f"cycle {cycle}"
    _write_curves(store, curves, part, output)


def show_sets(root: Path, filters: Filters, select: str | None, output: Output) -> None:
    """Print the parameter sets that simulations use: base, changed parameters, origin, number and RMSE.

    Args:
        root: the store's folder.
        filters: cells and status (of the simulations that are counted), models, parameter sets, order, number of rows.
        select: only this part of the records counts for the RMSE; ``None`` = all.
        output: where the answer goes.

    Raises:
        UsageError: an unknown name; the text gives the nearest one.
    """
    with open_catalog(root, output.everything) as catalog:
        cells = filters.choose_cells(catalog)
        found = replace(filters, sort="", limit=None).apply(questions.model_parameter_sets(catalog))
        if cells or filters.statuses or select is not None:
            found = count_again(found, _simulations(Store(root), catalog, cells, filters.statuses, select))
        rows = Filters(sort=filters.sort, limit=filters.limit).apply(found)
        results = [dict(row) for row in queries.results(catalog)] if output.plot is not None else []
    shown = [{**row, "overrides": _changes(row["overrides"])} for row in _join_cells(rows)]
    _answer(rows, SETS, filters, output, "no such simulation: kilocell status shows what is simulated", shown)
    if output.plot is not None and rows:
        from ...report.question_figures import plot_sets

        names = {(row["model"], row["parameter_set"]) for row in rows}
        drawn = [row for row in results if (row["model"], row["parameter_set"]) in names]
        say_path(plot_sets([row for row in drawn if not cells or row["cell_id"] in cells], output.plot), output)


def show_curves(root: Path, filters: Filters, select: str | None, output: Output) -> None:
    """Print the voltage curves of cells, with their files.

    Args:
        root: the store's folder.
        filters: cells, models, parameter sets, status, order and number of rows.
        select: only this part of the curves in the figure and in the samples; ``None`` = all.
        output: where the answer goes.

    Raises:
        UsageError: an unknown name; the text gives the nearest one.
    """
    with open_catalog(root, output.everything) as catalog:
        rows = filters.apply(questions.curves(catalog, filters.choose_cells(catalog)))
    nothing = "no simulation has a curve: kilocell status shows what is simulated, and what failed"
    _answer(rows, CURVES, filters, output, nothing)
    _write_curves(Store(root), rows, select, replace(output, plot=None))
    if output.plot is not None and rows:
        from ...report.question_figures import plot_curves

        say_path(plot_curves(Store(root), rows, select, output.plot), output)


def _of_cycle(catalog: sqlite3.Connection, cycle: int | None, cells: Sequence[str]) -> Sequence[sqlite3.Row]:
    rows = questions.cycle_comparison(catalog, cycle or 0, cells)
    if not cycle or rows:
        return rows
    known = measured_cycles(catalog)
    if known and cycle not in known:
        raise UsageError(f"no cell has a cycle {cycle}; the cycles are {known[0]} to {known[-1]}")
    compared = compared_cycles(catalog)
    if compared and cycle not in compared:
        there_are = f"cycle {compared[0]} is" if len(compared) == 1 else f"cycles {format_ranges(compared)} are"
        raise UsageError(f"cycle {cycle} is measured, but not simulated; {there_are} simulated")
    return rows


def _of_selection(store: Store, catalog: sqlite3.Connection, select: str, cells: Sequence[str]) -> list[dict[str, Any]]:
    from ...report.selected import errors_of_cells

    return add_defaults(catalog, list(errors_of_cells(store, catalog, select, cells)))


def _curves_of(catalog: sqlite3.Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the curves of the simulations that rows are about, each once."""
    wanted = dict.fromkeys((row["cell_id"], row["label"]) for row in rows)
    found = {(row["cell_id"], row["label"]): dict(row) for row in questions.curves(catalog)} if wanted else {}
    return [found[name] for name in wanted if name in found]


def _simulations(
    store: Store, catalog: sqlite3.Connection, cells: Sequence[str], statuses: Sequence[str], select: str | None
) -> list[dict[str, Any]]:
    """Return simulations of cells with a status, with their RMSE, or that of a selected part."""
    found = [
        dict(row)
        for row in queries.simulations(catalog, status=None)
        if (not cells or row["cell_id"] in cells) and (not statuses or row["status"] in statuses)
    ]
    if select is None:
        return found
    from ...report.selected import errors_of_cells

    errors = join_stretches(errors_of_cells(store, catalog, select, cells))
    having = [row for row in found if (row["cell_id"], row["label"]) in errors]
    return [{**row, "rmse_mv": errors[row["cell_id"], row["label"]]} for row in having]


def _write_curves(store: Store, curves: Sequence[Mapping[str, Any]], select: str | None, output: Output) -> None:
    """Write the time series of simulations, and a figure of each of their cells, if the user wants these."""
    if not curves:
        return
    if output.samples is not None:
        from ...report.curve_samples import write_samples

        write_atomically(output.samples, partial(write_samples, store, curves, select))
        say_path(output.samples, output)
    if output.plot is not None:
        from ...report.question_figures import plot_comparison

        for path in plot_comparison(store, curves, select, output.plot):
            say_path(path, output)


def _answer(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    filters: Filters,
    output: Output,
    nothing: str,
    shown: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Print rows as a table or as JSON, and write them as CSV.

    Args:
        nothing: what to print if there are no rows.
        shown: the rows of the table, if they are others.
    """
    write_csv(rows, output)
    if output.json_:
        print(dicts_to_json(rows))
    elif rows:
        _print_table(rows if shown is None else shown, columns, filters)
    else:
        print(nothing)
    say_csv(rows, output)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], filters: Filters) -> None:
    shown = rows[: rows_shown(len(rows), MANY_ROWS, filters.limit)]
    used = {
        heading: column
        for heading, column in columns.items()
        if any(row[column] is not None for row in rows) or column.endswith("_id")
    }
    if any(row.get("standing", CURRENT) != CURRENT for row in rows):
        used["standing"] = "standing"
    lines = [[_text(row, column) for column in used.values()] for row in shown]
    texts = ("cell_id", "model", "parameter_set", "base", "overrides", "lineage", "status", "path", "name", "standing")
    numbers = [place for place, column in enumerate(used.values()) if column not in texts]
    print(table(tuple(used), lines, ".1f", right=numbers))
    if len(rows) > len(shown):
        print(more_rows(len(rows), len(shown)))


def _text(row: Mapping[str, Any], column: str) -> Any:
    value = row[column]
    if value is None:
        return None
    if column == "cycle_count" and value == 0:
        return "all"
    if column == "duration_second":
        return f"{value / SECONDS_PER_HOUR:.2f}"
    own_format = number_format(column, FORMATS)
    if own_format is not None:
        return f"{value:{own_format}}"
    return value


def _join_cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each model and name of a set: a fitted set has other values in each cell."""
    grouped: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["model"], row["parameter_set"], row["standing"]), []).append(row)
    return [_joined(group) for group in grouped.values()]


def _joined(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if len(group) == 1:
        return dict(group[0])
    done = [row for row in group if row["rmse_mean_mv"] is not None]
    total = sum(row["cells_done"] for row in done)
    overrides = sorted({name for row in group for name in json.loads(row["overrides"] or "{}")})
    return {
        **group[0],
        "overrides": json.dumps({name: {"kind": "of each cell", "value": None, "unit": ""} for name in overrides}),
        "lineage": f"{len(group)} fitted sets" if any(row["lineage"] for row in group) else None,
        "cells": sum(row["cells"] for row in group),
        "cells_done": sum(row["cells_done"] for row in group),
        "rmse_mean_mv": sum(row["rmse_mean_mv"] * row["cells_done"] for row in done) / total if total else None,
        "rmse_min_mv": min((row["rmse_min_mv"] for row in done), default=None),
        "rmse_max_mv": max((row["rmse_max_mv"] for row in done), default=None),
    }


def _changes(overrides: str | None) -> str | None:
    """Return changed parameters in words, such as ``Negative particle radius [m] × 0.5``."""
    parts = []
    for name, change in json.loads(overrides or "{}").items():
        if change["value"] is None:
            parts.append(f"{name}: in each cell another")
        else:
            sign = "×" if change["kind"] == "scale" else "="
            parts.append(f"{name} {sign} {change['value']:.4g}")
    return "; ".join(parts) or None
