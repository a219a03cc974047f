"""Make a store's figures: read its catalog and Parquet files, draw, and write PNG and PDF into ``figures/``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..data.errors import KilocellError, UsageError
from ..parquet_store.layout import Store, safe_name
from ..sqlite import fit_queries, queries
from .curves import read_measured, read_simulated
from .draw.cells import draw_cell
from .draw.overview import draw_records, draw_rmse
from .fit_figures import plot_fit, plot_fleet
from .save import save
from .select import check_cycles, format_cycles, known_cycles, select_simulations

_log = logging.getLogger(__name__)
ALL_CELLS: Final = 20
"""Up to so many cells (and fits) get their own figure at the end of a run."""

OVERVIEW_RECORDS: Final = 12


def plot_cell(
    store: Store,
    cell_id: str,
    cycles: Sequence[int] = (),
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
) -> list[Path]:
    """Plot a cell's measured and simulated voltage (V), current (A) and error (mV) over time (h).

    Args:
        cycles: only these; empty = all. The RMSE in the legend is of what is shown.
        models, parameter_sets: only simulations with these; empty = all that are done, and those that failed on the
            way with their curves up to there.

    Returns:
        Paths of PNG and PDF, named for cell, cycles, models and parameter sets.

    Raises:
        UsageError: no such cell, cycle or finished simulation; the text names those that there are.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        check_cycles(cycles, known_cycles(catalog, cell_id))
        rows = select_simulations(catalog, cell_id, models, parameter_sets)
    measured = read_measured(store, cell_id, cycles)
    figure = draw_cell(cell_id, measured, [read_simulated(store, row, measured, cycles) for row in rows])
    picked = (f"cycles-{format_cycles(cycles)}" if cycles else "", "+".join(models), "+".join(parameter_sets))
    return save(store, figure, "_".join(safe_name(part) for part in (cell_id, *picked) if part))


def plot_overview(store: Store) -> list[Path]:
    """Plot all cells: RMSE (mV) of every simulation, and the measured voltage (V) of up to twelve cells.

    Returns:
        Paths of ``overview_rmse`` and ``overview_voltage``, each as PNG and PDF.

    Raises:
        UsageError: the store has no cells.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        results = [dict(row) for row in queries.results(catalog)]
    if not results:
        raise UsageError(f"the store {store.root} has no cells yet: `kilocell run` fills it")
    paths = save(store, draw_rmse(results), "overview_rmse")
    cells = list(dict.fromkeys(str(row["cell_id"]) for row in results))
    cleaned = [cell_id for cell_id in cells if store.cleaned(cell_id).is_file()]
    if cleaned:
        records = {cell_id: read_measured(store, cell_id) for cell_id in _spread(cleaned, OVERVIEW_RECORDS)}
        paths += save(store, draw_records(records, len(cells)), "overview_voltage")
    return paths


def plot_all(store: Store) -> Iterator[Path]:
    """Plot the overview, then each fit over its cells, each cell and each fit of a cell; yield paths as they are done.

    Of what there are more than twenty, none is drawn.
    Cells without a cleaned record have no figure of their own; the overview names them. A figure that cannot be
    drawn is a warning in the log (``kilocell.report.figures``), and the others follow.
    """
    yield from plot_overview(store)
    with closing(queries.connect(store.catalog)) as catalog:
        cells = [str(row["cell_id"]) for row in queries.cells(catalog)]
        fits = [(str(row["fit"]), str(row["cell_id"])) for row in fit_queries.fits(catalog) if row["status"] == "done"]
    cleaned = [cell_id for cell_id in cells if store.cleaned(cell_id).is_file()] if len(cells) <= ALL_CELLS else []
    over_cells = [name for name in dict.fromkeys(fit for fit, _ in fits) if sum(fit == name for fit, _ in fits) > 1]
    for name in over_cells if len(over_cells) <= ALL_CELLS else []:
        yield from _logged(f"fit {name!r} over its cells", partial(plot_fleet, store, name))
    for cell_id in cleaned:
        yield from _logged(f"cell {cell_id!r}", partial(plot_cell, store, cell_id))
    for fit, cell_id in fits if len(fits) <= ALL_CELLS else []:
        yield from _logged(f"fit {fit!r} of cell {cell_id!r}", partial(plot_fit, store, fit, cell_id))


def _logged(what: str, plot: Callable[[], list[Path]]) -> list[Path]:
    """Plot, or say in the log why there is no figure: one that cannot be drawn does not stop the others."""
    try:
        return plot()
    except KilocellError as error:
        _log.warning("no figure of %s: %s", what, error)
        return []


def _spread(cells: list[str], most: int) -> list[str]:
    """Pick at most so many cells, evenly over their order."""
    places = np.linspace(0, len(cells) - 1, min(most, len(cells))).round().astype(int)
    return [cells[place] for place in places]
