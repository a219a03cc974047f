"""``kilocell plot --errors``: a cell's errors by window, step type and cycle, from the catalog alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ..data.errors import UsageError
from ..parquet_store.layout import Store, safe_name
from ..sqlite import queries
from .draw.errors import Errors, draw_errors
from .save import save
from .select import check_cell, select_simulations


def plot_errors(
    store: Store, cell_id: str, models: Sequence[str] = (), parameter_sets: Sequence[str] = ()
) -> list[Path]:
    """Plot a cell's RMSE (mV) by window after a step's start, by step type, by both, and by cycle.

    Args:
        models, parameter_sets: only simulations with these; empty = all that are done.

    Returns:
        Paths of PNG and PDF, ``errors_CELL``.

    Raises:
        UsageError: no such cell, or no finished simulation with such errors.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        check_cell(catalog, cell_id)
        rows = [row for row in select_simulations(catalog, cell_id, models, parameter_sets) if row["status"] == "done"]
        shown = [
            Errors(
                f"{row['model']}, {row['parameter_set']}",
                [dict(line) for line in queries.comparisons(catalog, cell_id, row["label"])],
                [
                    dict(line)
                    for line in queries.step_comparisons(catalog, cell_id, row["label"])
                    if not line["cycle_count"]
                ],
            )
            for row in rows
        ]
    if not any(errors.steps for errors in shown):
        raise UsageError(
            f"cell {cell_id!r} has no finished simulation whose errors are known by window: `kilocell run` simulates, "
            "`kilocell status` says what failed"
        )
    picked = ("+".join(models), "+".join(parameter_sets))
    name = "_".join(safe_name(part) for part in ("errors", cell_id, *picked) if part)
    return save(store, draw_errors(cell_id, [errors for errors in shown if errors.steps]), name)
