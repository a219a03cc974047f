"""Plot the error budgets of a cell's simulations, from the catalog alone."""

from __future__ import annotations

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
from .draw.budget import NamedBudget, draw_budgets
from .headings import cell_details, describe_cycles
from .save import figure_name, save
from .select import known_cycles, select_simulations


def plot_budgets(
    store: Store,
    cell_id: str,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    everything: bool = False,
) -> list[Path]:
    """Plot what the RMSE (mV) of each simulation of a cell may be off by, divided into its causes.

    Args:
        store: a store with finished simulations of the cell.
        cell_id: the cell.
        models, parameter_sets: plot only these simulations; empty = all.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of the files, ``budget_CELL``, with models and parameter sets in the name if some were selected.

    Raises:
        UsageError: there is no such cell, or it has no finished simulation.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        known = known_cycles(catalog, cell_id)
        rows = select_simulations(catalog, cell_id, models, parameter_sets)
        facts = cell_facts(catalog, cell_id)
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        raise UsageError(f"cell {cell_id!r} has no finished simulation; `kilocell status` shows why")
    budgets = [
        NamedBudget(f"{row['model']}, {row['parameter_set']}{standing_words(row)}", error_budget(dict(row)))
        for row in done
    ]
    details = cell_details(done, describe_cycles((), known), facts)
    if len(done) < len(rows):
        details += f"; without {format_count(len(rows) - len(done), 'simulation')} that failed"
    name = figure_name("budget", cell_id, models=models, parameter_sets=parameter_sets)
    return save(store, draw_budgets(cell_id, budgets, details), name)
