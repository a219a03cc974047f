"""Plot fitted parameters along cells' lives, from the catalog alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from ..data.errors import UsageError
from ..parquet_store.layout import Store, safe_name
from ..sqlite import fit_queries, queries
from .draw.life import draw_life
from .save import save
from .select import check_cell


def plot_life(store: Store, cell_id: str | None = None, everything: bool = False) -> Iterator[Path]:
    """Plot each fitted parameter of a chain over its check-ups, with 95 % confidence intervals, and the RMSE (mV).

    Args:
        store: a store with a finished chain of fits.
        cell_id: the cell; ``None`` = every cell that has a chain.
        everything: also what is out of date or of an earlier campaign.

    Yields:
        Paths of the PNGs and PDFs, ``life_CHAIN_CELL``, as they are written.

    Raises:
        UsageError: there is no such cell, or no chain with a result.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        if cell_id is not None:
            check_cell(catalog, cell_id)
        parameters = [dict(row) for row in fit_queries.parameters_along_life(catalog, cell_id)]
        links = [dict(row) for row in fit_queries.chain_links(catalog, cell_id)]
    if not parameters:
        where = "the store" if cell_id is None else f"cell {cell_id!r}"
        raise UsageError(
            f"{where} has no chain of fits with a result. Add chain = [1, 100] to a [fit] table of the campaign, "
            "with the cycles of your check-ups; then run `kilocell run`."
        )
    for (cell, chain), of_chain in groupby(parameters, _chain_name):
        links_of_chain = [link for link in links if _chain_name(link) == (cell, chain)]
        figure = draw_life(cell, chain, list(of_chain), links_of_chain)
        yield from save(store, figure, f"life_{safe_name(chain)}_{safe_name(cell)}")


def _chain_name(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["cell_id"]), str(row["chain"])
