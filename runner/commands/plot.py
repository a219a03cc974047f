"""``kilocell plot``: draw figures of a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal, cast

from ...data.errors import StoreError, UsageError
from ...data.left_out import leave_out
from ...parquet_store.layout import Store
from ...report.select import choose_cells
from ...sqlite import queries

Kind = Literal["curves", "errors", "budget", "dqdv"]
_WHOLE: Final = {
    "errors": "--errors shows the whole record and each cycle",
    "budget": "--budget is of complete simulations",
}
"""Figures without a selection of the record, and why."""


def choose_kind(*, errors: bool, budget: bool, dqdv: bool) -> Kind:
    """Return which figure of a cell is wanted.

    Raises:
        UsageError: several figures are.
    """
    chosen: list[Kind] = []
    for kind, wanted in (("errors", errors), ("budget", budget), ("dqdv", dqdv)):
        if wanted:
            chosen.append(cast(Kind, kind))
    if len(chosen) > 1:
        raise UsageError(f"give only one of {', '.join(f'--{kind}' for kind in chosen)}: each is a figure")
    return chosen[0] if chosen else "curves"


def draw(
    root: Path,
    cells: Sequence[str],
    cycles: str,
    models: Sequence[str],
    parameter_sets: Sequence[str],
    fit_name: str | None,
    kind: Kind = "curves",
    select: str | None = None,
    everything: bool = False,
    statuses: Sequence[str] = (),
    smoothing_mv: float | None = None,
) -> Iterator[Path]:
    """Draw cells, their errors, dQ/dV or a fit; without cells, the overview, or a fit over all cells.

    Args:
        root: the store's folder.
        cells: their ids; empty = the overview, or the fit over all cells.
        cycles: such as ``1-3,5`` or ``last``; empty = all.
        models, parameter_sets: only these simulations; empty = all. ``default`` = sets without changed parameters.
        fit_name: draw this fit instead.
        kind: voltage over time, or errors by window, step type and cycle, or error budgets, or dQ/dV.
        select: a part of the record, such as ``cycle 2, discharge``, instead of cycles; ``None`` = all.
        everything: also what is out of date or of an earlier campaign.
        statuses: only simulations that are ``done``, or that ``failed`` after a first part; empty = both.
        smoothing_mv: of dQ/dV, standard deviation in mV; ``None`` = the usual one.

    Yields:
        The files, as they are written.

    Raises:
        UsageError: options that exclude each other, or an unknown cell, cycle, model, parameter set or fit.
    """
    from ...report.figures import plot_overview
    from ...report.fit_figures import plot_fit, plot_fleet

    store = Store(root)
    _refuse_both(cycles, select)
    if not cells and (cycles or select or models or parameter_sets or statuses or kind != "curves"):
        raise UsageError('name the cells to draw: --cell CELL, or "*" for all')
    _check_options(kind, cycles, select, fit_name, statuses, smoothing_mv)
    if not cells:
        yield from plot_overview(store, everything) if fit_name is None else plot_fleet(store, fit_name, everything)
        return
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        chosen = choose_cells(catalog, cells)
        numbers = {cell_id: _cycle_numbers(catalog, cell_id, cycles) for cell_id in chosen} if cycles else {}

    def draw_one(cell_id: str) -> list[Path]:
        if fit_name is not None:
            return plot_fit(store, fit_name, cell_id, everything)
        if kind in _WHOLE:
            return _draw_whole(store, kind, cell_id, models, parameter_sets, everything)
        shown = (numbers.get(cell_id, ()), models, parameter_sets, select, everything, statuses)
        return _draw_part(store, kind, cell_id, shown, smoothing_mv)

    for drawn in _draw_each(chosen, draw_one):
        yield from drawn


def _draw_whole(
    store: Store, kind: Kind, cell_id: str, models: Sequence[str], parameter_sets: Sequence[str], everything: bool
) -> list[Path]:
    """Draw a figure of complete simulations; arguments are as of :func:`draw`."""
    from ...report.budget_figures import plot_budgets
    from ...report.error_figures import plot_errors

    plot = plot_errors if kind == "errors" else plot_budgets
    return plot(store, cell_id, models, parameter_sets, everything)


def _draw_part(
    store: Store, kind: Kind, cell_id: str, shown: tuple[Any, ...], smoothing_mv: float | None
) -> list[Path]:
    """Draw a figure of a part of a record; ``shown`` are the arguments that both figures have after the cell."""
    from ...report.figures import plot_cell
    from ...report.increment_figures import plot_increments

    if kind == "dqdv":
        shown = (*shown, smoothing_mv)
    plot: Callable[..., list[Path]] = plot_increments if kind == "dqdv" else plot_cell
    return plot(store, cell_id, *shown)


def _check_options(
    kind: Kind,
    cycles: str,
    select: str | None,
    fit_name: str | None,
    statuses: Sequence[str],
    smoothing_mv: float | None,
) -> None:
    """Refuse options that the wanted figure does not use; arguments are as of :func:`draw`."""
    if statuses and (kind in _WHOLE or fit_name is not None):
        raise UsageError("--errors, --budget and --fit show what is finished; leave out --status")
    if kind in _WHOLE and (cycles or select or fit_name is not None):
        raise UsageError(f"{_WHOLE[kind]}; leave out --cycles, --select and --fit")
    if select and fit_name is not None:
        raise UsageError("--fit shows what was fitted; leave out --select")
    if kind == "dqdv" and fit_name is not None:
        raise UsageError("--fit has its own figures; leave out --dqdv")
    if smoothing_mv is not None and kind != "dqdv":
        raise UsageError("--smoothing is of --dqdv; give both, or neither")


def write_paths(paths: Iterable[Path], formats: Sequence[str] = (), out: Path | None = None) -> Iterator[Path]:
    """Draw figures in these formats, or to a file; yield the files as they are written.

    Args:
        paths: of the figures; they are drawn as this iterable is followed.
        formats: ``png``, ``pdf``, ``svg``; empty = PNG and PDF.
        out: a file whose suffix is its format, instead of the store. Of several figures, each has its name added.

    Raises:
        UsageError: the file has another suffix, or there are also formats.
    """
    from ...report.save import writing_to

    if out is not None and formats:
        raise UsageError("the suffix of --out is the format; leave out --format")
    with writing_to([kind.lower() for kind in formats], out):
        if out is None:
            yield from paths
            return
        written = list(paths)
    if len(written) == 1:
        written = [written[0].replace(out)]
    yield from written


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
            "--cleaning shows raw and cleaned data; leave out --model, --parameters, --status, --fit, "
            "--errors, --budget and --dqdv"
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
