"""The commands that answer the four questions of battery groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ...data.errors import UsageError
from ..campaign.default_paths import store_root
from . import complete, options

if TYPE_CHECKING:
    from ...report.filters import Filters
    from ..show.answer import Output


_MEASURED: Final = "cycles are measured; for simulations: kilocell compare --cycle NUMBER"


@click.command(short_help="Show all cycles of a cell: capacity, energy, efficiency, times.")
@click.argument("named", nargs=-1, metavar="CELL...", shell_complete=complete.cells)
@options.store_option
@options.cell_option
@options.select_option
@options.order_options
@options.answer_options
@options.refused_options(model=_MEASURED, parameters=_MEASURED, status=_MEASURED)
def cycles(named: tuple[str, ...], store: Path | None, select: str | None, **given: Any) -> None:
    """Show all cycles of cells (ids, or patterns such as "CELL_*").

    Capacity is the charge out of the cycle. Efficiencies are out / in. A mean voltage is energy / charge.
    """
    from ..show.questions import show_cycles

    cells = (*named, *given["cells"])
    if not cells:
        raise UsageError('name the cells: kilocell cycles CELL, or "*" for all cells')
    show_cycles(store_root(store), make_filters(given, cells=cells), select, make_output(given))


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

    show_comparison(store_root(store), cycle, make_filters(given), select, make_output(given))


@click.command("parameter-sets", short_help="Show the parameter sets that simulations use.")
@options.store_option
@options.filter_options
@options.order_options
@options.answer_options
def parameter_sets(store: Path | None, select: str | None, **given: Any) -> None:
    """Show all parameter sets that simulations use: base set, changed parameters, the fit it is from, number, RMSE.

    With --cell or --status, number and RMSE are of only these simulations; with --select, the RMSE is of this part.
    """
    from ..show.questions import show_sets

    show_sets(store_root(store), make_filters(given), select, make_output(given))


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

    show_curves(store_root(store), make_filters(given), select, make_output(given))


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


def make_output(given: dict[str, Any]) -> Output:
    """Return where an answer goes.

    Args:
        given: the options of ``answer_options``, or some of them, by name.
    """
    from ..show.answer import Output

    return Output(
        json_=given["json_"],
        csv=given["csv"],
        plot=given.get("plot"),
        samples=given.get("samples"),
        everything=given["everything"],
    )
