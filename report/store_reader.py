"""Read a store from Python: cells, cycles, results and time series as pandas frames.

:func:`kilocell.open_store` is the way in. This module imports pandas, pyarrow and SQLite only when a frame is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.errors import StoreError, UsageError
from .answers import Answers
from .frames import CELLS, CYCLES, FINDINGS, FITS, FITTED_PARAMETERS, RESULTS, make_frame
from .store_folder import check_is_store

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

    from ..parquet_store.layout import Store


def open_store(path: str | os.PathLike[str], *, everything: bool = False) -> StoreReader:
    """Open a store for reading.

    Args:
        path: the store's folder, such as ``kilocell-demo``. A run may be writing to it.
        everything: also read what is out of date or of an earlier campaign; else only what the last run's campaign has.

    Returns:
        A reader whose methods return pandas frames. It never writes.

    Raises:
        UsageError: the folder does not exist, holds no catalog, or its catalog cannot be read by this version.

    Example:
        >>> store = kilocell.open_store("kilocell-demo")  # doctest: +SKIP
        >>> store.results("CELL_A")[["model", "parameter_set", "rmse_mv"]]  # doctest: +SKIP
    """
    return StoreReader(path, everything=everything)


class StoreReader(Answers):
    """The content of a store as pandas frames.

    Each call opens the catalog, reads, and closes it again, so a reader needs no ``close`` and does not block a run.
    A new call sees what a run has added since the last one.

    Every column's unit ends its name: ``_mv`` is mV, ``_ah`` is A.h, ``_wh`` is W.h, ``_second`` is s. Voltage errors
    are simulated minus measured. Currents are positive when they charge the cell. An unknown number is NaN or NA.

    Every method takes ``columns``, the names of the wanted columns in their order; empty = all. ``select`` is a part of
    the record, such as ``"cycle 2, discharge"`` or ``"step 14-16"`` (see ``docs/selection.md``).

    Args:
        path: the store's folder.
        everything: as in :func:`open_store`. The column ``standing`` of cells, results and fits says what each row is.

    Raises:
        UsageError: the folder is not a store; see :func:`open_store`.
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

    def __repr__(self) -> str:
        return f"StoreReader({str(self._root)!r})"

    def cells(self, *, columns: Sequence[str] = (), select: str | None = None) -> pd.DataFrame:
        """Return one row per cell, in the order of their ids; with ``select`` only cells that have this part.

        Returns:
            ``cell_id``; ``status`` of cleaning (done, failed, skipped, pending); ``nominal_capacity_ah`` as the
            campaign gives it; ``rows_in``, ``rows_kept`` and ``rows_quarantined`` by cleaning; ``findings``, a count;
            ``cycles``, a count; ``time_span_second``; ``charge_in_ah`` and ``charge_out_ah``, both positive;
            ``temperature_mean_celsius``; ``simulations_done`` and ``simulations_failed``, counts; ``best_simulation``
            and ``best_rmse_mv``, the simulation with the smallest RMSE; ``rows_inserted``, the samples at step edges
            that are no rows of a file; ``charge_source``, what the charge is known from, in words;
            ``charge_in_low_ah`` to ``charge_in_high_ah`` and ``charge_out_low_ah`` to ``charge_out_high_ah``, the
            bounds of the charge; ``charge_in_counted_ah`` and ``charge_out_counted_ah`` by the cycler's counters;
            ``charge_uncertainty_ah``, half of upper - lower bound of charge in + charge out (and as much of charge in
            - charge out), and ``charge_uncertainty_percent`` of charge in + charge out; ``capacity_source`` and
            ``parameter_set_source``: ``given`` by the user, or a ``guess``.
        """
        from ..sqlite import queries

        with self._catalog() as catalog:
            rows = queries.cells(catalog)
        if select is not None:
            rows = self._selected_rows(rows, select, None)
        return make_frame(rows, CELLS, columns)

    def cycles(
        self, cell: str | None = None, *, columns: Sequence[str] = (), select: str | None = None
    ) -> pd.DataFrame:
        """Return one row per cycle of a cleaned record.

        Args:
            cell: a cell_id; ``None`` = all cells.
            columns: names of the wanted columns; empty = all.
            select: only cycles that hold a part of this selection.

        Returns:
            ``cell_id``; ``cycle_count`` from 1; ``first_test_time_second`` and ``last_test_time_second`` since the
            record's start; ``samples`` (rows of the files, without inserted step edges) and ``steps``, counts;
            ``charge_in_ah``, ``charge_out_ah``, ``energy_in_wh`` and ``energy_out_wh``, all positive;
            ``voltage_min_volt``, ``voltage_max_volt``; ``temperature_mean_celsius``; ``charge_source``, what the
            cycle's charge is known from, its bounds and the counters' values, as in :meth:`cells`;
            ``coulombic_efficiency_percent`` and ``energy_efficiency_percent``, out / in; ``mean_charge_voltage_volt``
            and ``mean_discharge_voltage_volt``, energy / charge; ``duration_second``; ``findings`` in the cycle.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import questions

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = questions.cycle_overview(catalog, cell)
        if select is not None:
            rows = self._selected_rows(rows, select, cell)
        return make_frame(rows, CYCLES, columns)

    def results(
        self, cell: str | None = None, *, columns: Sequence[str] = (), select: str | None = None
    ) -> pd.DataFrame:
        """Return one row per simulation, or one without a model for a cell that has none.

        Args:
            cell: a cell_id; ``None`` = all cells.
            columns: names of the wanted columns; empty = all.
            select: one row per simulation and stretch of this selection instead, with ``stretch``, ``name``,
                ``samples`` (0 = not simulated there) and the errors there; ``partial`` = of a failed simulation.

        Returns:
            ``cell_id``, ``model``, ``parameter_set``; ``status`` (done, failed, skipped, pending) of the simulation, or
            of cleaning where there is no simulation; over the simulated part ``rmse_mv``, ``bias_mv`` (mean error) and
            ``worst_mv`` (error of the largest magnitude, with its sign) at ``worst_time_second``; ``seconds`` the job
            took; ``reason`` it failed or was skipped, else empty; ``charge_source``, what the charge of the simulated
            cycles is known from; ``charge_error``, the model's difference from the recorded current's charge as a share
            of charge in + charge out; ``charge_uncertainty_ah`` and ``charge_uncertainty_percent`` of that charge
            itself, which ``charge_error`` says nothing about; ``capacity_source`` and ``parameter_set_source``:
            ``given`` by the user, or a ``guess``; ``selection``, the simulated part if it is not the whole record;
            ``error_budget_mv``, what ``rmse_mv`` may be off by apart from the model, with its largest part
            ``error_budget_main``, its unknown parts, and whether it is too large; ``temperature_rmse_kelvin`` of a
            thermal model against the measured surface.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            if select is not None:
                from .selected import STRETCH_COLUMNS, errors_of_cells

                errors = list(errors_of_cells(self._store, catalog, select, [] if cell is None else [cell]))
                return make_frame(errors, STRETCH_COLUMNS, columns)
            rows = queries.results(catalog)
        wanted = [row for row in rows if cell is None or row["cell_id"] == cell]
        return make_frame(wanted, RESULTS, columns)

    def findings(
        self, cell: str | None = None, *, columns: Sequence[str] = (), select: str | None = None
    ) -> pd.DataFrame:
        """Return one row per finding of cleaning, in the order of the clean report.

        Args:
            cell: a cell_id; ``None`` = all cells.
            columns: names of the wanted columns; empty = all.
            select: only findings in cycles and steps that hold a part of this selection.

        Returns:
            ``cell_id``; ``rule``; ``severity`` (info, warning, error); ``rows`` concerned, a count; ``source_index`` of
            the raw file, in time order from 0; ``source_row``, the first row concerned, 0 = the file's first data row;
            ``cycle_count`` and ``step_count`` where they are known; ``before`` and ``after`` with their units;
            ``action``, what cleaning did.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = queries.findings(catalog, cell)
        if select is not None:
            rows = self._selected_rows(rows, select, cell)
        return make_frame(rows, FINDINGS, columns)

    def fits(self, cell: str | None = None, *, columns: Sequence[str] = (), select: str | None = None) -> pd.DataFrame:
        """Return one row per fit.

        Args:
            cell: a cell_id; ``None`` = all cells.
            columns: names of the wanted columns; empty = all.
            select: only fits of exactly this selection.

        Returns:
            ``cell_id``, ``fit``, ``model``; ``base_parameter_set`` the fit began from and ``parameter_set`` it gave;
            ``status``; ``verdict`` in words; ``rmse_default_mv`` before and ``rmse_mv`` after the fit, on the fitted
            ``samples``; ``validation_default_rmse_mv`` and ``validation_rmse_mv`` on the cycles held out; ``starts``,
            ``starts_done`` and ``starts_agreeing``, counts; ``noise_mv`` of the measured voltage; ``chain`` and
            ``chain_cycle`` of a fit along life; ``seconds``; ``reason`` it failed or was skipped, else empty;
            ``charge_throughput_ah`` of the fitted cycles, and its uncertainty ``charge_uncertainty_ah``; ``selection``
            fitted, if it is not whole cycles; the error budget as in :meth:`results`.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import fit_queries
        from .selected import fits_of_selection

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = fits_of_selection(catalog, fit_queries.fits(catalog, cell), select)
            return make_frame(rows, FITS, columns)

    def fitted_parameters(
        self, cell: str | None = None, *, columns: Sequence[str] = (), select: str | None = None
    ) -> pd.DataFrame:
        """Return one row per fitted parameter.

        Args:
            cell: a cell_id; ``None`` = all cells.
            columns: names of the wanted columns; empty = all.
            select: only fits of exactly this selection.

        Returns:
            ``cell_id``, ``fit``, ``parameter``; ``value`` with its ``unit`` and ``standard_error``; ``lower_95`` and
            ``upper_95``, the 95 % confidence interval; ``verdict`` in words; ``default_value`` before the fit;
            ``lower`` and ``upper``, the bounds; ``at_bound``: the value is at one of them; ``is_factor``: the value is
            a factor on the parameter; ``model``; ``parameter_set`` the fit gave; ``status`` of the fit.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import fit_queries
        from .selected import fits_of_selection

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = fits_of_selection(catalog, fit_queries.fit_parameters(catalog, cell), select)
            return make_frame(rows, FITTED_PARAMETERS, columns)

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

    def sql(self, statement: str) -> pd.DataFrame:
        """Return the answer to a SELECT on the catalog; ``sqlite/schema.sql`` describes its tables.

        Args:
            statement: one SELECT, such as ``SELECT * FROM errors_by_window``. Nothing can be written.

        Raises:
            UsageError: the statement is wrong or writes; the text suggests the nearest table or column.
        """
        import pandas as pd

        from ..sqlite.user_select import select

        with self._catalog() as catalog:
            columns, rows = select(catalog, statement)
        return pd.DataFrame(rows, columns=columns)

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
        from ..sqlite import queries

        (row,) = [row for row in queries.cells(catalog) if row["cell_id"] == cell]
        if row["standing"].startswith(OUT_OF_DATE) and not self._everything:
            raise StoreError(
                f"the cleaned record of cell {cell!r} is {row['standing']}. `kilocell run` cleans the cell again; "
                "open_store(..., everything=True) reads the earlier record."
            )

    def _check_cell(self, catalog: sqlite3.Connection, cell: str | None) -> None:
        """Raise UsageError, with the nearest id, when the store has no such cell; ``None`` = all cells passes."""
        from ..data.names import check_known
        from ..sqlite import queries
        from ..sqlite.standing_queries import earlier_cells

        if cell is not None and cell in earlier_cells(catalog) and not self._everything:
            raise UsageError(
                f"the campaign has no cell {cell!r} any more: open_store(..., everything=True) reads its results"
            )
        if cell is not None:
            check_known(f"the store {self._root} has no cell", [cell], queries.cell_ids(catalog))
