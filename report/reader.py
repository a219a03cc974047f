"""What all parts of the Python reader of a store need: its catalog and paths, and frames that say what they are."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from ..data.errors import StoreError, UsageError
from ..data.units import units_of
from .store_folder import check_is_store

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

    from ..parquet_store.layout import Store
    from .filters import Filters

P = ParamSpec("P")
Names = str | Sequence[str] | None
"""One name, several, or all (``None``)."""


def describes_itself(method: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
    """Let a reader's method give its frame ``attrs``: the unit of each column, the store, and the query."""
    parameters = list(inspect.signature(method).parameters.values())

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        frame = method(*args, **kwargs)
        given = inspect.signature(method).bind(*args, **kwargs).arguments
        reader = given.pop(parameters[0].name)
        words = ", ".join(f"{name}={value!r}" for name, value in given.items())
        frame.attrs = {
            "units": units_of(frame.columns),
            "store": str(reader.path),
            "query": f"{method.__name__}({words})",
        }
        return frame

    return wrapped


class Reader:
    """A store that is open for reading.

    Args:
        path: the store's folder.
        everything: also read what is not current.
    """

    def __init__(self, path: str | os.PathLike[str], *, everything: bool = False) -> None:
        self._root = Path(path).expanduser()
        self._everything = everything
        check_is_store(self._root)
        with self._catalog():
            pass  # an older, newer or damaged catalog is refused here, not at the first question

    @property
    def path(self) -> Path:
        """The store's folder."""
        return self._root

    @contextmanager
    def _catalog(self) -> Iterator[sqlite3.Connection]:
        """Open the catalog for the time of one question."""
        from ..parquet_store.layout import Store
        from ..sqlite import queries

        connection = queries.connect(Store(self._root).catalog, everything=self._everything)
        try:
            yield connection
        finally:
            connection.close()

    @property
    def _store(self) -> Store:
        from ..parquet_store import layout

        return layout.Store(self._root)

    def _selected_rows(self, rows: Sequence[sqlite3.Row], select: str, cell: str | None) -> list[sqlite3.Row]:
        from .selected import rows_in_selection

        return rows_in_selection(self._store, rows, select, cell)

    def _check_record(self, catalog: sqlite3.Connection, cell: str) -> None:
        """Raise a StoreError if the cleaned record of a cell is of settings or raw files that have changed since."""
        from ..data.standing import OUT_OF_DATE
        from ..sqlite.standing_queries import standing_of_record

        standing = standing_of_record(catalog, cell)
        if standing.startswith(OUT_OF_DATE) and not self._everything:
            raise StoreError(
                f"the cleaned record of cell {cell!r} is {standing}. `kilocell run` cleans the cell again; "
                "open_store(..., everything=True) reads the earlier record."
            )

    def _check_cell(self, catalog: sqlite3.Connection, cell: str | None) -> None:
        """Raise UsageError, with the nearest id, when the store has no such cell; ``None`` = all cells passes."""
        from ..data.names import check_known
        from ..data.standing import EARLIER
        from ..sqlite import queries
        from ..sqlite.standing_queries import standing_of_cell

        if cell is None:
            return
        standing = standing_of_cell(catalog, cell)
        if standing == EARLIER and not self._everything:
            raise UsageError(
                f"the campaign has no cell {cell!r} any more: open_store(..., everything=True) reads its results"
            )
        if standing is None:
            check_known(f"the store {self._root} has no cell", [cell], queries.cell_ids(catalog))


def make_filters(cell: Names, model: Names, parameters: Names) -> Filters:
    """Return filters of names or patterns that a method got."""
    from .filters import Filters

    return Filters(cells=_tuple(cell), models=_tuple(model), parameters=_tuple(parameters))


def _tuple(names: Names) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)
