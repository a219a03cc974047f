"""``kilocell plot``: draw figures of a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ...data.errors import StoreError, UsageError
from ...data.left_out import leave_out
from ...parquet_store.layout import Store
from ...report.select import choose_cells
from ...sqlite import queries


def draw(
    root: Path,
    cells: Sequence[str],
    cycles: str,
    models: Sequence[str],
    parameter_sets: Sequence[str],
    fit_name: str | None,
    errors: bool = False,
    select: str | None = None,
    everything: bool = False,
    statuses: Sequence[str] = (),
) -> list[Path]:
    """Draw cells, their errors or a fit; without cells, the overview, or a fit over all cells.

    Args:
        root: the store's folder.
        cells: their ids; empty = the overview, or the fit over all cells.
        cycles: such as ``1-3,5`` or ``last``; empty = all.
        models, parameter_sets: only these simulations; empty = all. ``default`` = sets without changed parameters.
        fit_name: draw this fit instead.
        errors: draw errors by window, step type and cycle instead.
        select: a part of the record, such as ``cycle 2, discharge``, instead of cycles; ``None`` = all.
        everything: also what is out of date or of an earlier campaign.
        statuses: only simulations that are ``done``, or that ``failed`` after a first part; empty = both.

    Returns:
        The files written.

    Raises:
        UsageError: options that exclude each other, or an unknown cell, cycle, model, parameter set or fit.
    """
    from ...report import figures
    from ...report.error_figures import plot_errors
    from ...report.fit_figures import plot_fit, plot_fleet

    store = Store(root)
    _refuse_both(cycles, select)
    if not cells and (cycles or select or models or parameter_sets or statuses or errors):
        raise UsageError('name the cells to draw: --cell CELL, or "*" for all')
    if statuses and (errors or fit_name is not None):
        raise UsageError("--errors and --fit show what is finished; leave out --status")
    if errors and (cycles or select or fit_name is not None):
        raise UsageError("--errors shows the whole record and each cycle; leave out --cycles, --select and --fit")
    if select and fit_name is not None:
        raise UsageError("--fit shows what was fitted; leave out --select")
    if not cells and fit_name is not None:
        return plot_fleet(store, fit_name, everything)
    if not cells:
        return figures.plot_overview(store)
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:

        def draw_one(cell_id: str) -> list[Path]:
            if errors:
                return plot_errors(store, cell_id, models, parameter_sets, everything)
            if fit_name is not None:
                return plot_fit(store, fit_name, cell_id, everything)
            numbers = _cycle_numbers(catalog, cell_id, cycles)
            return figures.plot_cell(store, cell_id, numbers, models, parameter_sets, select, everything, statuses)

        return [path for drawn in _draw_each(choose_cells(catalog, cells), draw_one) for path in drawn]


def _draw_each(cells: Sequence[str], draw_one: Callable[[str], list[Path]]) -> Iterator[list[Path]]:
    """Yield the figures of each cell; one of several whose file is missing or damaged is named and left out."""
    for cell_id in cells:
        try:
            yield draw_one(cell_id)
        except StoreError as error:
            if len(cells) == 1:
                raise
            leave_out(error)


def _refuse_both(cycles: str, select: str | None) -> None:
    if cycles and select:
        raise UsageError(f'give --cycles or --select, not both; one with both is --select "cycle {cycles}, {select}"')


def _cycle_numbers(catalog: sqlite3.Connection, cell_id: str, cycles: str) -> tuple[int, ...]:
    """Return the cycles of a cell that a text such as ``1-3,last`` names; empty = all."""
    from ...report.select import known_cycles, parse_known_cycles

    if not cycles:
        return ()
    return parse_known_cycles(cycles, known_cycles(catalog, cell_id))


def draw_lives(root: Path, cells: Sequence[str], others: bool, everything: bool = False) -> Iterator[Path]:
    """Draw fitted parameters along life; yield files as they are written.

    Args:
        root: the store's folder.
        cells: their ids; empty = every cell with a chain of fits.
        others: whether the user gave options that this figure does not use.
        everything: also what is out of date or of an earlier campaign.

    Raises:
        UsageError: such options were given.
    """
    from ...report.life_figures import plot_life

    if others:
        raise UsageError("--life shows fits of chains; it takes no other option than --cell and --store")
    store = Store(root)
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        chosen = choose_cells(catalog, cells)
    for cell_id in chosen or (None,):
        yield from plot_life(store, cell_id, everything)


def draw_cleanings(
    root: Path,
    cells: Sequence[str],
    cycles: str,
    others: bool,
    select: str | None = None,
    everything: bool = False,
) -> Iterator[Path]:
    """Draw raw and cleaned data; yield files as they are written.

    Args:
        root: the store's folder.
        cells: their ids; empty = every cleaned cell.
        cycles: such as ``1-3,5`` or ``last``; empty = all.
        others: whether the user gave options of simulations or fits, which this figure does not use.
        select: a part of the record instead of cycles; ``None`` = all.
        everything: also what is out of date or of an earlier campaign.

    Raises:
        UsageError: such options were given, an unknown cell or cycle, or no cell is cleaned.
    """
    from ...report.cleaning_figures import plot_cleaning

    if others:
        raise UsageError(
            "--cleaning shows raw and cleaned data; leave out --model, --parameters, --status, --fit and --errors"
        )
    _refuse_both(cycles, select)
    store = Store(root)
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        drawn = choose_cells(catalog, cells) or [str(row["cell_id"]) for row in queries.clean_reports(catalog)]
        if not drawn:
            raise UsageError("no cell of this store is cleaned yet; run: kilocell run")
        numbers = {cell_id: _cycle_numbers(catalog, cell_id, cycles) for cell_id in drawn}
    for paths in _draw_each(
        list(numbers), lambda cell_id: plot_cleaning(store, cell_id, numbers[cell_id], select, everything)
    ):
        yield from paths
