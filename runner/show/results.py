"""``kilocell results``: each simulation's RMSE, or its errors by window, step type or cycle."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ...data.names import check_known
from ...parquet_store.layout import Store
from ...sqlite import queries
from .status import MANY_ROWS, RESULTS, print_nothing_to_simulate, result_rows
from .table import table, table_to_json

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
        "at V": "capacity_voltage_volt",
    },
}
"""What each table shows beside the simulation: heading and column of its view."""

DIGITS: Final = {"_ah": "+.3f", "_percent": "+.2f", "_volt": ".3f"}
CHANGES: Final = {"ohmic_rmse_mv": "ohmic_change_rmse_mv", "kinetic_rmse_mv": "kinetic_change_rmse_mv"}
"""What stands in brackets: after minutes the error at the step's start says nothing of the step any more."""

NOTES: Final = {
    "window": "RMSE in mV by time since each step began; in brackets: of the error's change since then",
    "step-type": "RMSE in mV, by what the cell did; – where it never did",
    "cycle": "simulated - measured; capacity: charge that the model had given less the cell's, each down to that V",
}


def show_results(root: Path, cells: Sequence[str], by: str | None, json_: bool) -> None:
    """Print a line for each simulation, or its errors.

    Args:
        cells: only these; empty = all.
        by: ``window``, ``step-type`` or ``cycle``; ``None`` = the RMSE alone.

    Raises:
        UsageError: an unknown cell.
    """
    with closing(queries.connect(Store(root).catalog)) as catalog:
        check_known("the store has no cell", cells, queries.cell_ids(catalog))
        if by is not None:
            rows = [dict(row) for row in queries.errors_by(catalog, by.replace("-", "_"), cells)]
            failed = [
                row for row in queries.failures(catalog) if row["kind"] == "simulate" and _is_selected(row, cells)
            ]
            print(_errors_as_json(rows) if json_ else _errors_text(rows, by, len(failed)))
            return
        lines = result_rows(catalog, cells)
        nothing = [row for row in queries.skipped_for_content(catalog) if _is_selected(row, cells)]
    print(table_to_json(tuple(RESULTS), lines) if json_ else table(tuple(RESULTS), lines))
    if not json_:
        print_nothing_to_simulate(nothing)


def _is_selected(row: Any, cells: Sequence[str]) -> bool:
    return not cells or row["cell_id"] in cells


def _errors_as_json(rows: Sequence[dict[str, Any]]) -> str:
    headings = tuple(rows[0]) if rows else ()
    return table_to_json(headings, [tuple(row.values()) for row in rows])


def _errors_text(rows: Sequence[dict[str, Any]], by: str, failed: int) -> str:
    columns = {**SIMULATION, **COLUMNS[by]}
    shown = [tuple(_cell(row, column) for column in columns.values()) for row in rows[:MANY_ROWS]]
    lines = [table(tuple(columns), shown, ".1f", right=range(len(SIMULATION), len(columns))), NOTES[by]]
    if len(rows) > MANY_ROWS:
        lines.append(f"… and {len(rows) - MANY_ROWS} more: name some with --cell, or take --json")
    if rows and by != "cycle" and all(row[column] is None for row in rows for column in list(COLUMNS[by].values())[1:]):
        lines.append("these were simulated by a version that did not tell windows: `kilocell run` simulates again")
    if failed:
        lines.append(f"{failed} failed and have no errors: kilocell status")
    return "\n".join(lines)


def _cell(row: dict[str, Any], column: str) -> Any:
    """A value as the table shows it: the whole record by its name, what is no voltage error with its own digits."""
    value = row[column]
    if column == "cycle_count" and value == 0:
        return "all"
    change = row[CHANGES[column]] if column in CHANGES else None
    if value is not None and change is not None:
        return f"{value:.1f} ({change:.1f})"
    digits = next((digits for end, digits in DIGITS.items() if column.endswith(end)), None)
    return value if value is None or digits is None else f"{value:{digits}}"
