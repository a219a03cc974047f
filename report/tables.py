"""Tables of the catalog as frames: what :class:`kilocell.report.store_reader.StoreReader` says of cells and fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .frames import CELLS, CYCLES, FINDINGS, FITS, FITTED_PARAMETERS, RESULTS, RUNS, make_frame
from .reader import Reader, describes_itself

if TYPE_CHECKING:
    import pandas as pd


class Tables(Reader):
    """Cells, cycles, results, findings, fits and runs. Arguments and columns are as ``StoreReader`` says."""

    @describes_itself
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

    @describes_itself
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

    @describes_itself
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

    @describes_itself
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

    @describes_itself
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

    @describes_itself
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

    @describes_itself
    def runs(self, *, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return one row per run, the newest first.

        Returns:
            ``run_id``; ``status``: running, ended_silently (killed, out of memory, power), unknown (alive or not),
            done, failed or interrupted; ``status_reason``, how that is known; ``command``, ``host``, ``pid``,
            ``exit_code``; ``started_unix_second``, ``ended_unix_second`` and ``seconds`` between; ``campaign``;
            ``kilocell_commit`` and ``campaign_commit``, of Git; ``versions``, ``cluster`` and ``jobs`` as JSON;
            ``workers_peak``, the most at a time; ``workers_memory_peak_bytes`` of all workers,
            ``worker_memory_peak_bytes`` of one, ``client_memory_peak_bytes`` of the run's own process; ``log``, a path
            in the store.
        """
        import time

        from ..data.run_state import current_run
        from ..parquet_store.run_lock import see_lock
        from ..sqlite import run_queries

        lock = see_lock(self._root)
        with self._catalog() as catalog:
            found = [run_queries.find_run(catalog, run_id) for run_id in reversed(run_queries.run_ids(catalog))]
        rows = [current_run(dict(run), lock, time.time()) for run in found if run is not None]
        return make_frame(rows, RUNS, columns)
