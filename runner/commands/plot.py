"""Draw the figures that ``kilocell plot`` asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ...data.errors import UsageError
from ...parquet_store.layout import Store
from ...sqlite import queries


def draw(
    root: Path,
    cells: Sequence[str],
    cycles: str,
    models: Sequence[str],
    parameter_sets: Sequence[str],
    fit_name: str | None,
    errors: bool = False,
) -> list[Path]:
    """Draw cells, their errors by window and step type, a fit, or the overview; return the files."""
    from ...report import figures
    from ...report.error_figures import plot_errors
    from ...report.fit_figures import plot_fit, plot_fleet
    from ...report.select import known_cycles, parse_known_cycles

    store = Store(root)
    if not cells and (cycles or models or parameter_sets or errors):
        raise UsageError("name the cell to draw: --cell CELL")
    if errors and (cycles or fit_name is not None):
        raise UsageError("--errors shows the whole record and each of its cycles: leave out --cycles and --fit")
    if not cells:
        return figures.plot_overview(store) if fit_name is None else plot_fleet(store, fit_name)
    paths: list[Path] = []
    with closing(queries.connect(store.catalog)) as catalog:
        for cell_id in cells:
            if errors:
                paths += plot_errors(store, cell_id, models, parameter_sets)
                continue
            if fit_name is not None:
                paths += plot_fit(store, fit_name, cell_id)
                continue
            chosen = parse_known_cycles(cycles, known_cycles(catalog, cell_id)) if cycles else ()
            paths += figures.plot_cell(store, cell_id, chosen, models, parameter_sets)
    return paths


def draw_lives(root: Path, cells: Sequence[str], others: bool) -> Iterator[Path]:
    """Draw parameters along life of cells, or of every cell with a chain of fits; yield files as they are done.

    Args:
        others: whether something was asked for that this figure does not show.
    """
    from ...report.life_figures import plot_life

    if others:
        raise UsageError("--life shows the fits of chains: give it with --cell alone")
    for cell_id in cells or (None,):
        yield from plot_life(Store(root), cell_id)


def draw_cleanings(root: Path, cells: Sequence[str], cycles: str, others: bool) -> Iterator[Path]:
    """Draw raw against cleaned data of cells, or of every cleaned cell; yield files as they are done.

    Args:
        others: whether simulations or a fit were asked for too, which this figure does not show.
    """
    from ...report.cleaning_figures import plot_cleaning
    from ...report.select import known_cycles, parse_known_cycles

    if others:
        raise UsageError(
            "--cleaning shows raw against cleaned data alone: leave out --model, --parameter-set, --fit and --errors"
        )
    store = Store(root)
    with closing(queries.connect(store.catalog)) as catalog:
        drawn = list(cells) or [str(row["cell_id"]) for row in queries.clean_reports(catalog)]
        if not drawn:
            raise UsageError("no cell of the store is cleaned yet: kilocell run")
        chosen = {cell: parse_known_cycles(cycles, known_cycles(catalog, cell)) if cycles else () for cell in drawn}
    for cell_id, of_cell in chosen.items():
        yield from plot_cleaning(store, cell_id, of_cell)
