"""``kilocell plot --life``: parameters along cells' lives, from the catalog alone."""

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


def plot_life(store: Store, cell_id: str | None = None) -> Iterator[Path]:
    """Plot each fitted parameter over the check-ups of a chain, with 95 % intervals, and each link's RMSE (mV).

    Args:
        cell_id: ``None`` = every cell that has a chain.

    Yields:
        Paths of PNG and PDF, ``life_CHAIN_CELL``, as they are done.

    Raises:
        UsageError: no such cell, or no chain with a result.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        if cell_id is not None:
            check_cell(catalog, cell_id)
        rows = [dict(row) for row in fit_queries.parameters_along_life(catalog, cell_id)]
        links = [dict(row) for row in fit_queries.chain_links(catalog, cell_id)]
    if not rows:
        of_cell = "" if cell_id is None else f" of cell {cell_id!r}"
        raise UsageError(
            f"no chain of fits{of_cell} has a result: [fit] chain = [1, 100] asks for one, `kilocell run` fits"
        )
    for (cell, chain), own in groupby(rows, _chain_name):
        figure = draw_life(cell, chain, list(own), [link for link in links if _chain_name(link) == (cell, chain)])
        yield from save(store, figure, f"life_{safe_name(chain)}_{safe_name(cell)}")


def _chain_name(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["cell_id"]), str(row["chain"])
