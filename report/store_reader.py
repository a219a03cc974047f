"""Read a store from Python: cells, cycles, results and time series as pandas frames.

:func:`kilocell.open_store` is the way in. This module imports pandas, pyarrow and SQLite only when a frame is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..data.errors import StoreError, UsageError

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

_TEXT: Final = "text"
_REAL: Final = "float64"
_COUNT: Final = "int64"
_MAYBE: Final = "Int64"  # a count, or pandas.NA where it is not known
_FLAG: Final = "boolean"

_CHARGE: Final = {
    "charge_source": _TEXT, "charge_in_low_ah": _REAL, "charge_in_high_ah": _REAL, "charge_out_low_ah": _REAL,
    "charge_out_high_ah": _REAL, "charge_in_counted_ah": _REAL, "charge_out_counted_ah": _REAL,
}  # fmt: skip
_CELLS: Final = {
    "cell_id": _TEXT, "status": _TEXT, "nominal_capacity_ah": _REAL, "rows_in": _MAYBE, "rows_kept": _MAYBE,
    "rows_quarantined": _MAYBE, "findings": _MAYBE, "cycles": _MAYBE, "time_span_second": _REAL, "charge_in_ah": _REAL,
    "charge_out_ah": _REAL, "temperature_mean_celsius": _REAL, "simulations_done": _COUNT,
    "simulations_failed": _COUNT, "best_simulation": _TEXT, "best_rmse_mv": _REAL, "rows_inserted": _MAYBE,
    **_CHARGE, "charge_uncertainty_ah": _REAL, "charge_uncertainty_percent": _REAL, "capacity_source": _TEXT,
    "parameter_set_source": _TEXT,
}  # fmt: skip
_CYCLES: Final = {
    "cell_id": _TEXT, "cycle_count": _COUNT, "first_test_time_second": _REAL, "last_test_time_second": _REAL,
    "samples": _COUNT, "steps": _COUNT, "charge_in_ah": _REAL, "charge_out_ah": _REAL, "energy_in_wh": _REAL,
    "energy_out_wh": _REAL, "voltage_min_volt": _REAL, "voltage_max_volt": _REAL, "temperature_mean_celsius": _REAL,
    **_CHARGE,
}  # fmt: skip
_RESULTS: Final = {
    "cell_id": _TEXT, "model": _TEXT, "parameter_set": _TEXT, "status": _TEXT, "rmse_mv": _REAL, "bias_mv": _REAL,
    "worst_mv": _REAL, "worst_time_second": _REAL, "seconds": _REAL, "reason": _TEXT, "charge_source": _TEXT,
    "charge_error": _REAL, "charge_uncertainty_ah": _REAL, "charge_uncertainty_percent": _REAL,
    "capacity_source": _TEXT, "parameter_set_source": _TEXT,
}  # fmt: skip
_FINDINGS: Final = {
    "cell_id": _TEXT, "rule": _TEXT, "severity": _TEXT, "rows": _COUNT, "source_index": _COUNT, "source_row": _COUNT,
    "cycle_count": _MAYBE, "step_count": _MAYBE, "before": _TEXT, "after": _TEXT, "action": _TEXT,
}  # fmt: skip
_FITS: Final = {
    "cell_id": _TEXT, "fit": _TEXT, "model": _TEXT, "base_parameter_set": _TEXT, "parameter_set": _TEXT,
    "status": _TEXT, "verdict": _TEXT, "rmse_default_mv": _REAL, "rmse_mv": _REAL,
    "validation_default_rmse_mv": _REAL, "validation_rmse_mv": _REAL, "samples": _MAYBE, "starts": _MAYBE,
    "starts_done": _MAYBE, "starts_agreeing": _MAYBE, "noise_mv": _REAL, "chain": _TEXT, "chain_cycle": _MAYBE,
    "seconds": _REAL, "reason": _TEXT, "charge_throughput_ah": _REAL, "charge_uncertainty_ah": _REAL,
}  # fmt: skip
_FITTED_PARAMETERS: Final = {
    "cell_id": _TEXT, "fit": _TEXT, "parameter": _TEXT, "value": _REAL, "unit": _TEXT, "standard_error": _REAL,
    "lower_95": _REAL, "upper_95": _REAL, "verdict": _TEXT, "default_value": _REAL, "lower": _REAL, "upper": _REAL,
    "at_bound": _FLAG, "is_factor": _FLAG, "model": _TEXT, "parameter_set": _TEXT, "status": _TEXT,
}  # fmt: skip


def open_store(path: str | os.PathLike[str]) -> StoreReader:
    """Open a store for reading.

    Args:
        path: the store's folder, such as ``kilocell-demo``. A run may be writing to it.

    Returns:
        A reader whose methods return pandas frames. It never writes.

    Raises:
        UsageError: the folder does not exist, holds no catalog, or its catalog cannot be read by this version.

    Example:
        >>> store = kilocell.open_store("kilocell-demo")  # doctest: +SKIP
        >>> store.results("CELL_A")[["model", "parameter_set", "rmse_mv"]]  # doctest: +SKIP
    """
    return StoreReader(path)


class StoreReader:
    """The content of a store as pandas frames.

    Each call opens the catalog, reads, and closes it again, so a reader needs no ``close`` and does not block a run.
    A new call sees what a run has added since the last one.

    Every column's unit ends its name: ``_mv`` is mV, ``_ah`` is A.h, ``_wh`` is W.h, ``_second`` is s. Voltage errors
    are simulated minus measured. Currents are positive when they charge the cell. An unknown number is NaN or NA.

    Args:
        path: the store's folder.

    Raises:
        UsageError: the folder is not a store; see :func:`open_store`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).expanduser()
        _check_is_store(self._root)
        with self._catalog():
            pass  # an older, newer or damaged catalog is refused here, not at the first question

    @property
    def path(self) -> Path:
        """The store's folder."""
        return self._root

    def __repr__(self) -> str:
        return f"StoreReader({str(self._root)!r})"

    def cells(self) -> pd.DataFrame:
        """Return one row per cell, in the order of their ids.

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
            return _frame(queries.cells(catalog), _CELLS)

    def cycles(self, cell: str | None = None) -> pd.DataFrame:
        """Return one row per cycle of a cleaned record.

        Args:
            cell: a cell_id; ``None`` = all cells.

        Returns:
            ``cell_id``; ``cycle_count`` from 1; ``first_test_time_second`` and ``last_test_time_second`` since the
            record's start; ``samples`` (rows of the files, without inserted step edges) and ``steps``, counts;
            ``charge_in_ah``, ``charge_out_ah``, ``energy_in_wh`` and ``energy_out_wh``, all positive;
            ``voltage_min_volt``, ``voltage_max_volt``; ``temperature_mean_celsius``; ``charge_source``, what the
            cycle's charge is known from, its bounds and the counters' values, as in :meth:`cells`.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            return _frame(queries.cycles(catalog, cell), _CYCLES)

    def results(self, cell: str | None = None) -> pd.DataFrame:
        """Return one row per simulation, or one without a model for a cell that has none.

        Args:
            cell: a cell_id; ``None`` = all cells.

        Returns:
            ``cell_id``, ``model``, ``parameter_set``; ``status`` (done, failed, skipped, pending) of the simulation, or
            of cleaning where there is no simulation; over the whole record ``rmse_mv``, ``bias_mv`` (mean error) and
            ``worst_mv`` (error of the largest magnitude, with its sign) at ``worst_time_second``; ``seconds`` the job
            took; ``reason`` it failed or was skipped, else empty; ``charge_source``, what the charge of the simulated
            cycles is known from; ``charge_error``, the model's difference from the recorded current's charge as a share
            of charge in + charge out; ``charge_uncertainty_ah`` and ``charge_uncertainty_percent`` of that charge
            itself, which ``charge_error`` says nothing about; ``capacity_source`` and ``parameter_set_source``:
            ``given`` by the user, or a ``guess``.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = queries.results(catalog)
        wanted = [row for row in rows if cell is None or row["cell_id"] == cell]
        return _frame(wanted, _RESULTS)

    def findings(self, cell: str | None = None) -> pd.DataFrame:
        """Return one row per finding of cleaning, in the order of the clean report.

        Args:
            cell: a cell_id; ``None`` = all cells.

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
            return _frame(queries.findings(catalog, cell), _FINDINGS)

    def fits(self, cell: str | None = None) -> pd.DataFrame:
        """Return one row per fit.

        Args:
            cell: a cell_id; ``None`` = all cells.

        Returns:
            ``cell_id``, ``fit``, ``model``; ``base_parameter_set`` the fit began from and ``parameter_set`` it gave;
            ``status``; ``verdict`` in words; ``rmse_default_mv`` before and ``rmse_mv`` after the fit, on the fitted
            ``samples``; ``validation_default_rmse_mv`` and ``validation_rmse_mv`` on the cycles held out; ``starts``,
            ``starts_done`` and ``starts_agreeing``, counts; ``noise_mv`` of the measured voltage; ``chain`` and
            ``chain_cycle`` of a fit along life; ``seconds``; ``reason`` it failed or was skipped, else empty;
            ``charge_throughput_ah`` of the fitted cycles, and its uncertainty ``charge_uncertainty_ah``.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import fit_queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            return _frame(fit_queries.fits(catalog, cell), _FITS)

    def fitted_parameters(self, cell: str | None = None) -> pd.DataFrame:
        """Return one row per fitted parameter.

        Args:
            cell: a cell_id; ``None`` = all cells.

        Returns:
            ``cell_id``, ``fit``, ``parameter``; ``value`` with its ``unit`` and ``standard_error``; ``lower_95`` and
            ``upper_95``, the 95 % confidence interval; ``verdict`` in words; ``default_value`` before the fit;
            ``lower`` and ``upper``, the bounds; ``at_bound``: the value is at one of them; ``is_factor``: the value is
            a factor on the parameter; ``model``; ``parameter_set`` the fit gave; ``status`` of the fit.

        Raises:
            UsageError: the store has no such cell; the text suggests the nearest id.
        """
        from ..sqlite import fit_queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            return _frame(fit_queries.fit_parameters(catalog, cell), _FITTED_PARAMETERS)

    def samples(self, cell: str, cycles: Sequence[int] = ()) -> pd.DataFrame:
        """Return the cleaned record of a cell, one row per sample in time order.

        Args:
            cell: a cell_id.
            cycles: only these ``cycle_count``; empty = all.

        Returns:
            The columns of :data:`kilocell.data.columns.PARTITION_COLUMNS`: ``test_time_second`` from 0,
            ``voltage_volt``, ``current_ampere`` (positive charges the cell), ``cycle_count``, ``step_count``,
            ``step_type``, temperatures in °C, the cycler's capacity counters in A.h, ``flags`` (a bit for each cleaning
            rule, :mod:`kilocell.data.rules`), and the ``source_index`` and ``source_row`` each sample is from;
            ``source_row`` -1: a step edge that cleaning inserted, with the cell's current and an interpolated voltage.

        Raises:
            UsageError: the store has no such cell, or the cell has no cleaned record.
        """
        from ..parquet_store.layout import Store
        from ..parquet_store.read import read_partition

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
        store = Store(self._root)
        if not store.cleaned(cell).is_file():
            raise StoreError(
                f"cell {cell!r} has no cleaned record. `kilocell status --store {self._root}` shows failed jobs; "
                "`kilocell run` cleans what is not cleaned yet."
            )
        return read_partition(store, cell, cycles=cycles)

    def simulation(self, cell: str, model: str, parameter_set: str | None = None) -> pd.DataFrame:
        """Return the time series of a finished simulation, one row per cleaned sample of the simulated cycles.

        Args:
            cell: a cell_id.
            model: name of the model, such as ``SPMe``.
            parameter_set: name of the parameter set; ``None`` = the only one this cell has with this model.

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
        import pandas as pd

        from ..data.columns import SIMULATION_COLUMNS
        from ..data.outputs import COLUMNS as OUTPUT_COLUMNS
        from ..parquet_store.layout import Store
        from ..parquet_store.read import read_simulation
        from ..sqlite import queries

        with self._catalog() as catalog:
            self._check_cell(catalog, cell)
            rows = queries.simulations(catalog, cell_id=cell, status=None)
        row = _select_simulation(rows, cell, model, parameter_set)
        if row["status"] != "done":
            raise UsageError(_describe_unfinished(row, self._root))
        frame = read_simulation(Store(self._root), cell, row["label"])
        for name in SIMULATION_COLUMNS:
            if name not in frame:
                frame[name] = pd.Categorical([None] * len(frame))
        return frame[[*SIMULATION_COLUMNS, *(name for name in frame if name in OUTPUT_COLUMNS)]]

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

        connection = queries.connect(Store(self._root).catalog)
        try:
            yield connection
        finally:
            connection.close()

    def _check_cell(self, catalog: sqlite3.Connection, cell: str | None) -> None:
        """Raise UsageError, with the nearest id, when the store has no such cell; ``None`` = all cells passes."""
        from ..data.names import check_known
        from ..sqlite import queries

        if cell is not None:
            check_known(f"the store {self._root} has no cell", [cell], queries.cell_ids(catalog))


def _check_is_store(root: Path) -> None:
    from ..parquet_store.layout import Store

    if root.is_file():
        raise StoreError(f"{root} is a file, and a store is a folder: give {root.parent} if it holds catalog.sqlite.")
    if not root.is_dir():
        raise StoreError(f"there is no folder {root}. Give the folder that `kilocell run` or `kilocell demo` filled.")
    if not Store(root).catalog.is_file():
        raise StoreError(
            f"{root} is not a store of kilocell: it has no catalog.sqlite. "
            "Give the folder that `kilocell run` or `kilocell demo` filled."
        )


def _select_simulation(rows: Sequence[sqlite3.Row], cell: str, model: str, parameter_set: str | None) -> sqlite3.Row:
    """Return the one simulation with this model and parameter set, or raise UsageError with the names there are."""
    from ..data.names import check_known

    check_known(f"cell {cell!r} has no simulation with the model", [model], {row["model"] for row in rows})
    with_model = [row for row in rows if row["model"] == model]
    parameter_sets = [str(row["parameter_set"]) for row in with_model]
    if parameter_set is not None:
        check_known(
            f"cell {cell!r} has no simulation with {model} and the parameter set", [parameter_set], parameter_sets
        )
        return next(row for row in with_model if row["parameter_set"] == parameter_set)
    if len(with_model) > 1:
        raise UsageError(
            f"cell {cell!r} has {len(with_model)} simulations with {model}: "
            f"give parameter_set, one of {', '.join(map(repr, parameter_sets))}"
        )
    return with_model[0]


def _describe_unfinished(row: sqlite3.Row, root: Path) -> str:
    text = f"the simulation {row['label']!r} of cell {row['cell_id']!r} is {row['status']}"
    if row["reason"]:
        text += f": {row['reason']}"
    if row["path"]:
        text += f". Its samples until it failed are in {root / row['path']}"
    return text


def _frame(rows: Sequence[sqlite3.Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return a frame of these columns and types, also when there are no rows or a column holds no value."""
    import pandas as pd

    values: list[tuple[Any, ...]] = [tuple(row[name] for name in columns) for row in rows]
    frame = pd.DataFrame(values, columns=list(columns))
    numbers = {name: kind for name, kind in columns.items() if kind != _TEXT}
    return frame.astype(numbers)
