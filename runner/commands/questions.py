"""The commands that answer the four questions of battery groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .defaults import store_root

if TYPE_CHECKING:
    from ...report.filters import Filters
    from ..show.questions import Output


@click.command(short_help="Show all cycles of a cell: capacity, energy, efficiency, times.")
@click.argument("cells", nargs=-1, required=True, metavar="CELL...")
@options.store_option
@options.select_option
@options.order_options
@options.answer_options
def cycles(cells: tuple[str, ...], store: Path | None, select: str | None, **given: Any) -> None:
    """Show all cycles of cells (ids, or patterns such as "CELL_*").

    Capacity is the charge out of the cycle. Efficiencies are out / in. A mean voltage is energy / charge.
    """
    from ..show.questions import show_cycles

    show_cycles(store_root(store), make_filters(given, cells=cells), select, _output(given))


@click.command(short_help="Compare simulation and experiment in a cycle.")
@options.store_option
@click.option("--cycle", type=click.IntRange(0), metavar="NUMBER", help="The cycle [default: the whole record].")
@options.filter_options
@options.order_options
@options.answer_options
@options.samples_option
def compare(store: Path | None, cycle: int | None, select: str | None, **given: Any) -> None:
    """Compare simulated with measured voltage in a cycle: RMSE, by window and by step type.

    \b
    kilocell compare --cycle 2
    kilocell compare --cycle 2 --cell CELL_A --model SPMe --plot cycle2.png
    kilocell compare --select "cycle 2, discharge" --parameters default
    """
    from ..show.questions import show_comparison

    show_comparison(store_root(store), cycle, make_filters(given), select, _output(given))


@click.command("parameter-sets", short_help="Show the parameter sets that simulations use.")
@options.store_option
@options.cell_option
@options.model_option
@options.parameters_option
@options.order_options
@options.answer_options
def parameter_sets(store: Path | None, **given: Any) -> None:
    """Show all parameter sets that simulations use: base set, changed parameters, the fit it is from, number, RMSE."""
    from ..show.questions import show_sets

    show_sets(store_root(store), make_filters(given), _output(given))


@click.command(short_help="Show simulated voltage curves, and export or draw them.")
@options.store_option
@options.filter_options
@options.order_options
@options.answer_options
@options.samples_option
def curves(store: Path | None, select: str | None, **given: Any) -> None:
    """Show the voltage curves of all cells, with their RMSE and their files.

    \b
    kilocell curves --model SPMe --parameters default
    kilocell curves --model SPMe --parameters default --samples curves.csv --plot curves.pdf
    """
    from ..show.questions import show_curves

    show_curves(store_root(store), make_filters(given), select, _output(given))


def make_filters(given: dict[str, Any], cells: tuple[str, ...] = ()) -> Filters:
    """Return the filters that a user gave.

    Args:
        given: the options of ``filter_options`` and ``order_options`` by name.
        cells: the cells, if they are arguments of the command.
    """
    from ...report.filters import Filters

    return Filters(
        cells=cells or given.get("cells", ()),
        models=given.get("models", ()),
        parameters=given.get("parameters", ()),
        statuses=given.get("statuses", ()),
        sort=given["sort"] or "",
        limit=given["limit"],
    )


def _output(given: dict[str, Any]) -> Output:
    from ..show.questions import Output

    return Output(
        json_=given["json_"],
        csv=given["csv"],
        plot=given["plot"],
        samples=given.get("samples"),
        everything=given["everything"],
    )
