"""Time series of a store: what :class:`kilocell.report.store_reader.StoreReader` reads from Parquet files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.errors import StoreError, UsageError
from .reader import Names, Reader, describes_itself, make_filters

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd
    import pyarrow.dataset as ds

    from ..parquet_store.layout import Store

_log = logging.getLogger(__name__)


class TimeSeries(Reader):
    """Samples of cleaned records and of simulations."""

    @describes_itself
    def samples(
        self, cell: str, cycles: Sequence[int] = (), *, columns: Sequence[str] = (), select: str | None = None
    ) -> pd.DataFrame:
        """Return the cleaned record of a cell, one row per sample in time order.

        Args:
            cell: a cell_id.
            cycles: only these ``cycle_count``; empty = all.
            columns: names of the wanted columns, which alone are read; empty = all.
            select: only this part of the record.

        Returns:
            The columns of :data:`kilocell.data.columns.PARTITION_COLUMNS`: ``test_time_second`` from 0,
            ``voltage_volt``, ``current_ampere`` (positive charges the cell), ``cycle_count``, ``step_count``,
            ``step_type``, temperatures in °C, the cycler's capacity counters in A.h, ``flags`` (a bit for each cleaning
            rule, :mod:`kilocell.data.rules`), and the ``source_index`` and ``source_row`` each sample is from;
            ``source_row`` -1: a step edge that cleaning inserted, with the cell's current and an interpolated voltage.

        Raises:
            UsageError: the store has no such cell, or the cell has no cleaned record.
        """
        from ..data.columns import PARTITION_COLUMNS
        from ..parquet_store.read import read_partition
        from .selected import check_columns, read_selected

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            self._check_record(catalog, cell)
        check_columns(columns, PARTITION_COLUMNS)
        store = self._store
        if not store.cleaned(cell).is_file():
            advice = f"`kilocell status --store {self._root}` shows failed jobs; `kilocell run` cleans what is missing"
            raise StoreError(f"cell {cell!r} has no cleaned record. {advice}.")
        if select is None:
            return read_partition(store, cell, columns, cycles)
        if len(cycles):
            raise UsageError("samples: give cycles or select, not both")
        return read_selected(store, cell, select, columns)

    @describes_itself
    def simulation(
        self,
        cell: str,
        model: str,
        parameter_set: str | None = None,
        *,
        columns: Sequence[str] = (),
        select: str | None = None,
        partial: bool = False,
    ) -> pd.DataFrame:
        """Return the time series of a finished simulation, one row per cleaned sample of the simulated part.

        Args:
            cell: a cell_id.
            model: name of the model, such as ``SPMe``.
            parameter_set: name of the parameter set; ``None`` = the only one this cell has with this model.
            columns: names of the wanted columns; empty = all.
            select: only this part of the record.
            partial: whether the good samples of a failed simulation are returned, too.

        Returns:
            The columns of :data:`kilocell.data.columns.SIMULATION_COLUMNS`: ``test_time_second``,
            ``simulated_voltage_volt``, ``simulated_current_ampere`` (positive charges the cell),
            ``voltage_error_volt`` (simulated minus measured; NaN where the measured voltage is missing, and at inserted
            step edges),
            ``cycle_count``, ``step_count``, ``step_type``, and ``window`` after the step's start (ohmic, kinetic,
            diffusion, capacity). The last two are missing in files of earlier versions. Then the columns of the model's
            ``outputs``, such as ``cell_temperature_celsius``.

        Raises:
            UsageError: no such cell, model or parameter set; several parameter sets match; or it has not finished.
        """
        from ..sqlite import queries
        from .selected import choose_simulation, describe_unfinished, read_simulated_part

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = queries.simulations(catalog, cell_id=cell, status=None)
        row = choose_simulation(rows, cell, model, parameter_set)
        if row["status"] != "done" and not (partial and row["path"]):
            raise UsageError(describe_unfinished(row, self._root))
        return read_simulated_part(self._store, row, select, columns)

    def dataset(
        self,
        kind: Literal["cleaned", "simulations"],
        cell: Names = None,
        *,
        model: Names = None,
        parameters: Names = None,
        partial: bool = False,
    ) -> ds.Dataset:
        """Return the time series of many cells as one table that is read lazily. Nothing is loaded.

        Args:
            kind: ``"cleaned"`` records or ``"simulations"``.
            cell: ids or patterns such as ``"CELL_*"``; ``None`` = all.
            model: names of models; ``None`` = all. Of simulations only.
            parameters: names of parameter sets, or ``"default"``; ``None`` = all. Of simulations only.
            partial: whether failed simulations, which end early, are included.

        Returns:
            A :class:`pyarrow.dataset.Dataset` with ``cell_id``, of simulations also ``model`` and ``parameter_set``,
            then the columns of :meth:`samples` or :meth:`simulation`. A filter on these names opens only the files it
            needs: ``dataset.to_table(columns=[...], filter=pyarrow.compute.field("cell_id") == "CELL_A")``. DuckDB and
            polars read it, too. Files that are missing are named in the log and left out.

        Raises:
            UsageError: an unknown kind or name; the text suggests the nearest.
        """
        from ..data import columns as c
        from ..data.names import check_known
        from ..parquet_store.dataset import open_dataset, output_columns
        from ..sqlite import questions, standing_queries

        check_known("there is no time series", [kind], ("cleaned", "simulations"))
        filters = make_filters(cell, model, parameters)
        if kind == "cleaned" and (filters.models or filters.parameters):
            raise UsageError("a cleaned record has no model or parameter set: leave model and parameters out")
        with self._catalog() as catalog:
            cells = filters.choose_cells(catalog)
            if kind == "cleaned":
                rows: list[Any] = standing_queries.cleaned_records(catalog, cells)
            else:
                rows = [row for row in filters.apply(questions.curves(catalog, cells)) if partial or _is_done(row)]
        names = (c.CELL_ID,) if kind == "cleaned" else c.IDENTITY
        store = self._store
        files = [(_path(store, row), {name: str(row[name]) for name in names}) for row in rows]
        missing = [path for path, _ in files if not path.is_file()]
        for path in missing:
            _log.warning("left out: %s is missing. `kilocell run` makes it again.", path)
        files = [file for file in files if file[0] not in set(missing)]
        if kind == "cleaned":
            return open_dataset(files, c.PARTITION_COLUMNS)
        if self._everything:
            examples = [path for path, _ in files]
        else:  # simulations of one campaign with the same model and set have the same outputs
            examples = list({(of[c.MODEL], of[c.PARAMETER_SET]): path for path, of in files}.values())
        return open_dataset(files, c.SIMULATION_COLUMNS, output_columns(examples))


def _path(store: Store, row: Mapping[str, Any] | sqlite3.Row) -> Path:
    """Return the file of a cleaned record or of a simulation, whose row has a label."""
    cell_id = str(row["cell_id"])
    return store.simulation(cell_id, str(row["label"])) if "label" in row.keys() else store.cleaned(cell_id)  # noqa: SIM118


def _is_done(row: Mapping[str, Any] | sqlite3.Row) -> bool:
    return bool(row["status"] == "done")
