"""Plot cells and the overview of a store: read catalog and Parquet files, draw, write PNG and PDF."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from ..data.errors import KilocellError
from ..parquet_store.layout import Store
from ..sqlite import fit_queries, queries
from ..sqlite.cell_facts import cell_facts
from .curves import read_curves, read_measured
from .draw.cells import draw_cell
from .fit_figures import plot_fit, plot_fleet
from .headings import cell_details, describe_cycles
from .overview_figures import plot_overview as plot_overview
from .save import figure_name, save
from .select import check_cycles, known_cycles, select_simulations
from .styles import read_styles

_log = logging.getLogger(__name__)
ALL_CELLS: Final = 20
"""Largest number of cells (and of fits) of which each has its own figure at the end of a run."""


def plot_cell(
    store: Store,
    cell_id: str,
    cycles: Sequence[int] = (),
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    select: str | None = None,
    everything: bool = False,
    statuses: Sequence[str] = (),
) -> list[Path]:
    """Plot measured and simulated voltage (V), current (A) and voltage error (mV) of a cell over time (h).

    Other outputs of its simulations follow in panels of their own.
    Simulations that failed after some time are included up to their end.

    Args:
        store: a store with the cleaned cell.
        cell_id: the cell.
        cycles: plot only these; empty = all. The RMSE in the legend is of the plotted cycles.
        models: plot only simulations with these models; empty = all.
        parameter_sets: plot only simulations with these parameter sets; empty = all.
        select: plot only this part of the record, such as ``cycle 2, discharge``; not together with ``cycles``.
        everything: also what is out of date or of an earlier campaign.
        statuses: plot only simulations that are ``done``, or that ``failed`` after a first part; empty = both.

    Returns:
        Paths of the PNG and PDF; their name has cell, cycles or selection, models and parameter sets.

    Raises:
        UsageError: there is no such cell, cycle or finished simulation; the message lists those that exist.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        known = known_cycles(catalog, cell_id)
        check_cycles(cycles, known)
        rows = select_simulations(catalog, cell_id, models, parameter_sets, statuses)
        facts = cell_facts(catalog, cell_id)
        styles = read_styles(catalog)
    measured = read_measured(store, cell_id, cycles, select)
    simulated = read_curves(store, styles, rows, measured, cycles, select, more=True)
    details = cell_details(rows, select or describe_cycles(cycles, known), facts)
    figure = draw_cell(cell_id, measured, simulated, details)
    name = figure_name(cell_id, cycles=cycles, select=select, models=models, parameter_sets=parameter_sets)
    return save(store, figure, name)


def plot_all(store: Store) -> Iterator[Path]:
    """Plot the overview, then each fit over its cells, each cell, and each fit of each cell.

    A group with more than twenty figures is left out. Cells without a cleaned record are in the overview only. If a
    figure cannot be drawn, the logger ``kilocell.report.figures`` warns, and the other figures follow.

    Yields:
        Paths of the PNGs and PDFs, as they are written.
    """
    yield from plot_overview(store)
    with closing(queries.connect(store.catalog)) as catalog:
        cells = [str(row["cell_id"]) for row in queries.cells(catalog)]
        fits = [(str(row["fit"]), str(row["cell_id"])) for row in fit_queries.fits(catalog) if row["status"] == "done"]
    cells_of_fit = Counter(fit for fit, _ in fits)
    fits_of_several_cells = [fit for fit, count in cells_of_fit.items() if count > 1]
    if len(fits_of_several_cells) <= ALL_CELLS:
        for fit in fits_of_several_cells:
            yield from _plot_or_warn(f"fit {fit!r} over its cells", partial(plot_fleet, store, fit))
    if len(cells) <= ALL_CELLS:
        for cell_id in cells:
            if store.cleaned(cell_id).is_file():
                yield from _plot_or_warn(f"cell {cell_id!r}", partial(plot_cell, store, cell_id))
    if len(fits) <= ALL_CELLS:
        for fit, cell_id in fits:
            yield from _plot_or_warn(f"fit {fit!r} of cell {cell_id!r}", partial(plot_fit, store, fit, cell_id))


def _plot_or_warn(what: str, plot: Callable[[], list[Path]]) -> list[Path]:
    """Plot, or log why there is no figure: one that cannot be drawn must not stop the others."""
    try:
        return plot()
    except KilocellError as error:
        _log.warning("no figure of %s: %s", what, error)
        return []
