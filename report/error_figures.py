"""Plot the errors of a cell's simulations by window, step type and cycle, from the catalog alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ..data.error_budget import error_budget
from ..data.errors import UsageError
from ..data.text import format_count
from ..parquet_store.layout import Store
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from .curves import standing_words
from .draw.errors import Errors, draw_errors
from .headings import cell_details, describe_cycles
from .save import figure_name, save
from .select import check_cell, select_simulations
from .styles import Style, read_styles


def plot_errors(
    store: Store,
    cell_id: str,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    everything: bool = False,
) -> list[Path]:
    """Plot a cell's RMSE (mV) by window after a step's start, by step type, by both, and by cycle.

    Args:
        store: a store with finished simulations of the cell.
        cell_id: the cell.
        models: plot only simulations with these models; empty = all.
        parameter_sets: plot only simulations with these parameter sets; empty = all.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of the PNG and PDF, ``errors_CELL``, with models and parameter sets in the name if some were selected.

    Raises:
        UsageError: there is no such cell, or it has no finished simulation with errors by window.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        check_cell(catalog, cell_id)
        rows = select_simulations(catalog, cell_id, models, parameter_sets)
        styles = read_styles(catalog)
        looks = styles.curves([(str(row["model"]), str(row["parameter_set"])) for row in rows])
        all_errors = [
            _read_errors(catalog, row, look) for row, look in zip(rows, looks, strict=True) if row["status"] == "done"
        ]
        details = cell_details(rows, describe_cycles((), _cycles(catalog, cell_id)), cell_facts(catalog, cell_id))
    with_windows = [errors for errors in all_errors if errors.steps]
    if not with_windows:
        raise UsageError(
            f"cell {cell_id!r} has no finished simulation with errors by window. `kilocell run` computes them; "
            "`kilocell status` shows what failed."
        )
    name = figure_name("errors", cell_id, models=models, parameter_sets=parameter_sets)
    missing = len(rows) - len(with_windows)
    if missing:
        details += f"; without {format_count(missing, 'simulation')} that failed"
    return save(store, draw_errors(cell_id, with_windows, details), name)


def _cycles(catalog: sqlite3.Connection, cell_id: str) -> list[int]:
    return sorted(int(row["cycle_count"]) for row in queries.cycles(catalog, cell_id))


def _read_errors(catalog: sqlite3.Connection, simulation: sqlite3.Row, style: Style) -> Errors:
    cell_id = simulation["cell_id"]
    label = simulation["label"]
    name = f"{simulation['model']}, {simulation['parameter_set']}{standing_words(simulation)}"
    cycles = [dict(row) for row in queries.comparisons(catalog, cell_id, label)]
    steps = [dict(row) for row in queries.step_comparisons(catalog, cell_id, label) if row["cycle_count"] == 0]
    return Errors(name, cycles, steps, style, error_budget(dict(simulation)))
