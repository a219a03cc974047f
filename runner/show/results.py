"""``kilocell results``: RMSE of each simulation, or its errors by window, step type or cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.errors import UsageError
from ...data.standing import CURRENT
from ...data.text import format_count, printable_text
from ...parquet_store.layout import Store
from ...report.filters import Filters, add_defaults
from ...sqlite import queries
from ..campaign.next_command import NextCommand
from .answer import Output, more_rows, say_csv, write_csv
from .budget import budget_notes
from .charge import charge_notes, guess_notes, is_uncertain, print_notes
from .open_catalog import open_catalog
from .states import state_notes, temperature_notes
from .status import MANY_ROWS, STANDING, UNCERTAIN, print_nothing_to_simulate, results_json, results_table
from .table import dicts_to_json, number_format, table
from .terminal import print_lines, rows_shown

if TYPE_CHECKING:
    import sqlite3

SIMULATION: Final = {"cell": "cell_id", "model": "model", "parameter set": "parameter_set"}
COLUMNS: Final[dict[str, dict[str, str]]] = {
    "window": {
        "RMSE mV": "rmse_mv",
        "ohmic ≤2 s": "ohmic_rmse_mv",
        "kinetic ≤20 s": "kinetic_rmse_mv",
        "diffusion ≤120 s": "diffusion_rmse_mv",
        "capacity later": "capacity_rmse_mv",
    },
    "step-type": {
        "RMSE mV": "rmse_mv",
        "charge": "charge_rmse_mv",
        "discharge": "discharge_rmse_mv",
        "rest": "rest_rmse_mv",
        "hold": "hold_rmse_mv",
        "pulse": "pulse_rmse_mv",
    },
    "cycle": {
        "cycle": "cycle_count",
        "RMSE mV": "rmse_mv",
        "bias mV": "bias_mv",
        "worst mV": "worst_mv",
        "energy in %": "energy_in_error_percent",
        "energy out %": "energy_out_error_percent",
        "capacity A.h": "capacity_error_ah",
        "down to V": "capacity_voltage_volt",
    },
    "stretch": {
        "stretch": "name",
        "samples": "samples",
        "RMSE mV": "rmse_mv",
        "bias mV": "bias_mv",
        "worst mV": "worst_mv",
        "status": "status",
    },
}
"""Columns of each table beside those of the simulation: heading, and column of the catalog's view."""

TEXTS: Final = (*SIMULATION.values(), "name", "status", "standing")
"""Columns that hold texts."""

FORMATS: Final = (("_ah", "+.3f"), ("_uncertainty_percent", ".2f"), ("_percent", "+.2f"), ("_volt", ".3f"))
"""Number format of columns by the end of their names, the first that fits. Voltage errors in mV have one digit after
the point, small ones two."""

CHANGES: Final = {"ohmic_rmse_mv": "ohmic_change_rmse_mv", "kinetic_rmse_mv": "kinetic_change_rmse_mv"}
"""Columns with a second number in brackets. Only early windows have one: later, the error at the step's start says
nothing about the step."""

FINISHED_ONLY: Final = ("window", "step-type")
"""Tables that have rows of finished simulations only."""

STRETCH_STATE: Final = {"start ± mV": "state_uncertainty_mv"}
"""Columns of stretches that were simulated as such: how well the state at the start of each is known."""

SMALL_MV: Final = 0.1  # a smaller voltage error has two digits after the point, mV

NOTES: Final = {
    "window": "RMSE in mV by time since each step began; in brackets: RMSE of the error's change since the step began",
    "step-type": "RMSE in mV by step type; –: the record has no such step",
    "cycle": "errors are simulated - measured; capacity: discharge capacity down to the voltage in the last column",
    "stretch": "errors are simulated - measured, in each stretch of the selection; –: not simulated, or failed; "
    "partial: the simulation failed elsewhere or later",
}


def show_results(root: Path, filters: Filters, by: str | None, output: Output) -> None:
    """Print one line per simulation, with its RMSE or its errors.

    Args:
        root: the store's folder.
        filters: cells, models, parameter sets, status, order and number of rows.
        by: ``window``, ``step-type``, ``cycle`` or ``stretch``; ``None`` = the RMSE alone.
        output: where the answer goes.

    Raises:
        UsageError: an unknown cell; the text gives the nearest name.
    """
    with open_catalog(root, output.everything) as catalog:
        cells = filters.choose_cells(catalog)
        if by is not None:
            _show_errors(catalog, cells, filters, by, output)
            return
        lines = filters.apply([row for row in queries.results(catalog) if _is_selected(row, cells)])
        skipped = [row for row in queries.skipped_for_content(catalog) if _is_selected(row, cells)]
    write_csv(lines, output)
    if output.json_:
        print(results_json(lines))
    else:
        shown = lines[: rows_shown(len(lines), MANY_ROWS, filters.limit)]
        print(results_table(shown))
        if len(lines) > len(shown):
            print(more_rows(len(lines), len(shown)))
        print_nothing_to_simulate(skipped, NextCommand(root))
        notes = (charge_notes(lines), state_notes(lines), temperature_notes(lines), guess_notes(lines))
        print_notes(budget_notes(lines), *notes)
    say_csv(lines, output)


def show_selection(root: Path, filters: Filters, select: str, by: str | None, output: Output) -> None:
    """Print the errors of each simulation in each stretch of a selection.

    Args:
        root: the store's folder.
        filters: as of :func:`show_results`; cells that do not have the part are left out unless they are named.
        select: the selection.
        by: must be ``None`` or ``stretch``.
        output: where the answer goes.

    Raises:
        UsageError: an unknown cell, no selection, or no cell has the selected part; the text says what there is.
    """
    from ...report.selected import errors_of_cells

    if by not in (None, "stretch"):
        raise UsageError(f"--select shows errors by stretch; leave out --by {by}")
    with open_catalog(root, output.everything) as catalog:
        errors = list(errors_of_cells(Store(root), catalog, select, filters.choose_cells(catalog)))
        rows = filters.apply(add_defaults(catalog, errors))
    write_csv(rows, output)
    if output.json_:
        print(dicts_to_json(rows))
    elif rows:
        _print_errors(rows, "stretch", 0, filters)
    else:
        print("no simulation has a curve yet: kilocell run simulates, kilocell status shows why not")
    say_csv(rows, output)


def _show_errors(catalog: sqlite3.Connection, cells: Sequence[str], filters: Filters, by: str, output: Output) -> None:
    if filters.statuses and by in FINISHED_ONLY:
        raise UsageError(f"errors by {by} are of finished simulations only; leave out --status")
    found = queries.errors_by(catalog, by.replace("-", "_"), cells)
    rows = filters.apply(add_defaults(catalog, found) if filters.parameters else found)
    for row in rows:
        row.pop("is_default", None)  # a column of this filter, not of the view
    write_csv(rows, output)
    if output.json_:
        print(dicts_to_json(rows))
    else:
        failures = [row for row in queries.failures(catalog) if row["kind"] == "simulate" and _is_selected(row, cells)]
        _print_errors(rows, by, len(failures), filters)
    say_csv(rows, output)


def _is_selected(row: Any, cells: Sequence[str]) -> bool:
    return not cells or row["cell_id"] in cells


def _print_errors(rows: Sequence[dict[str, Any]], by: str, failed: int, filters: Filters) -> None:
    columns = {**SIMULATION, **COLUMNS[by]}
    if by == "cycle" and any(is_uncertain(row) for row in rows):
        columns |= UNCERTAIN
    if by == "stretch" and any(row.get("state_uncertainty_mv") is not None for row in rows):
        columns |= STRETCH_STATE
    if any(row.get("standing", CURRENT) != CURRENT for row in rows):
        columns |= STANDING
    shown = rows[: rows_shown(len(rows), MANY_ROWS, filters.limit)]
    lines = [tuple(_cell(row, column) for column in columns.values()) for row in shown]
    numbers = [place for place, column in enumerate(columns.values()) if column not in TEXTS]
    print(table(tuple(columns), lines, ".1f", right=numbers))
    if len(rows) > len(shown):
        print(more_rows(len(rows), len(shown)))
    print_lines(_notes_of_errors(rows, shown, by, failed))


def _notes_of_errors(
    rows: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]], by: str, failed: int
) -> Iterator[str]:
    """Yield what the columns mean, why stretches failed, and what is missing."""
    yield NOTES[by]
    for row in shown:
        if by == "stretch" and row.get("reason"):
            yield printable_text(f"failed: {row['cell_id']}, {row['label']}, {row['name']}: {row['reason']}")
    if by == "stretch" and not rows:
        yield "the whole record was simulated; for the errors in a part of it, add --select PART"
    if rows and by in ("window", "step-type") and not _has_parts(rows, by):
        yield "an earlier version simulated these and stored no such errors; `kilocell run` simulates them again"
    if failed:
        yield f"{format_count(failed, 'simulation')} failed: kilocell status shows why"


def _has_parts(rows: Sequence[dict[str, Any]], by: str) -> bool:
    """Tell whether any simulation has errors by window or step type, not only over the whole record."""
    parts = list(COLUMNS[by].values())[1:]
    return any(row[column] is not None for row in rows for column in parts)


def _cell(row: dict[str, Any], column: str) -> Any:
    """Return a value as the table shows it: cycle 0 as ``all``, a second number in brackets, fixed digits."""
    value = row.get(column)
    if column == "cycle_count" and value == 0:
        return "all"
    if value is None:
        return None
    if column in CHANGES and row[CHANGES[column]] is not None:
        return f"{value:.1f} ({row[CHANGES[column]]:.1f})"
    own_format = number_format(column, FORMATS)
    if own_format is not None:
        return f"{value:{own_format}}"
    if column.endswith("_mv") and abs(value) < SMALL_MV:
        return f"{round(value, 2) + 0.0:.2f}"
    return value
