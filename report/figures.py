"""Make a store's figures: read its catalog and Parquet files, draw, and write PNG and PDF into ``figures/``."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data import columns as c
from ..data.errors import KilocellError, StoreError, UsageError
from ..parquet_store.layout import Store, safe_name
from ..parquet_store.read import read_partition, read_simulation
from ..parquet_store.write import write_atomically
from ..sqlite import queries
from .draw import Simulated, draw_cell, draw_fit
from .overview import draw_records, draw_rmse
from .select import check_cycles, cycles_in_words, fit_of, known_cycles, simulations_of
from .style import house_style, shown

_log = logging.getLogger(__name__)

ALL_CELLS: Final = 20
"""Up to so many cells (and fits) get their own figure at the end of a run."""

OVERVIEW_RECORDS: Final = 12
FORMATS: Final[dict[str, dict[str, Any]]] = {"png": {}, "pdf": {"CreationDate": None}}
"""File formats and their metadata: without dates, so that the same data make the same bytes."""


def plot_cell(
    store: Store,
    cell_id: str,
    cycles: Sequence[int] = (),
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
) -> list[Path]:
    """Plot a cell's measured and simulated voltage (V), current (A) and error (mV) over time (h).

    Args:
        cycles: only these; empty = all. The RMSE in the legend is of what is shown.
        models, parameter_sets: only simulations with these; empty = all that are done, and those that failed on the
            way with their curves up to there.

    Returns:
        Paths of PNG and PDF, named for cell, cycles, models and parameter sets.

    Raises:
        UsageError: no such cell, cycle or finished simulation; the text names those that there are.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        check_cycles(cycles, known_cycles(catalog, cell_id))
        rows = simulations_of(catalog, cell_id, models, parameter_sets)
    measured = _measured(store, cell_id, cycles)
    figure = draw_cell(cell_id, measured, [_simulated(store, row, measured, cycles) for row in rows])
    picked = (f"cycles-{cycles_in_words(cycles)}" if cycles else "", "+".join(models), "+".join(parameter_sets))
    return save(store, figure, "_".join(safe_name(part) for part in (cell_id, *picked) if part))


def plot_overview(store: Store) -> list[Path]:
    """Plot all cells: RMSE (mV) of every simulation, and the measured voltage (V) of up to twelve cells.

    Returns:
        Paths of ``overview_rmse`` and ``overview_voltage``, each as PNG and PDF.

    Raises:
        UsageError: the store has no cells.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        results = [dict(row) for row in queries.results(catalog)]
    if not results:
        raise UsageError(f"the store {store.root} has no cells yet: `kilocell run` fills it")
    paths = save(store, draw_rmse(results), "overview_rmse")
    cells = list(dict.fromkeys(str(row["cell_id"]) for row in results))
    cleaned = [cell_id for cell_id in cells if store.cleaned(cell_id).is_file()]
    if cleaned:
        records = {cell_id: _measured(store, cell_id) for cell_id in _spread(cleaned, OVERVIEW_RECORDS)}
        paths += save(store, draw_records(records, len(cells)), "overview_voltage")
    return paths


def plot_fit(store: Store, fit: str, cell_id: str) -> list[Path]:
    """Plot a fit: measured, default and fitted voltage (V) over the fitted cycles, errors, and every start's RMSE (mV).

    Returns:
        Paths of PNG and PDF, ``fit_FIT_CELL``.

    Raises:
        UsageError: no such cell, no such finished fit, or its parameter set was not simulated.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        row = fit_of(catalog, fit, cell_id)
        starts = [dict(start) for start in queries.fit_starts(catalog, cell_id, fit)]
        rows = _before_and_after(catalog, row)
    cycles = tuple(json.loads(row["cycles"] or "[]"))
    measured = _measured(store, cell_id, cycles)
    simulated = [_simulated(store, each, measured, cycles) for each in rows]
    before, after = row["rmse_default_mv"], row["rmse_mv"]
    better = f"fitted to {after:.1f} mV" if before is None else f"improved from {before:.1f} to {after:.1f} mV"
    figure = draw_fit(f"{shown(cell_id, 40)}, {shown(fit, 30)}: {better}", measured, simulated, starts)
    return save(store, figure, f"fit_{safe_name(fit)}_{safe_name(cell_id)}")


def plot_all(store: Store) -> Iterator[Path]:
    """Plot the overview, then every cell and every fit when there are at most twenty; yield paths as they are done.

    Cells without a cleaned record have no figure of their own; the overview names them. A figure that cannot be
    drawn is a warning in the log (``kilocell.report.figures``), and the others follow.
    """
    yield from plot_overview(store)
    with closing(queries.connect(store.catalog)) as catalog:
        cells = [str(row["cell_id"]) for row in queries.cells(catalog)]
        fits = [(str(row["fit"]), str(row["cell_id"])) for row in queries.fits(catalog) if row["status"] == "done"]
    cleaned = [cell_id for cell_id in cells if store.cleaned(cell_id).is_file()] if len(cells) <= ALL_CELLS else []
    for cell_id in cleaned:
        yield from _logged(f"cell {cell_id!r}", partial(plot_cell, store, cell_id))
    for fit, cell_id in fits if len(fits) <= ALL_CELLS else []:
        yield from _logged(f"fit {fit!r} of cell {cell_id!r}", partial(plot_fit, store, fit, cell_id))


def _logged(what: str, plot: Callable[[], list[Path]]) -> list[Path]:
    """Plot, or say in the log why there is no figure: one that cannot be drawn does not stop the others."""
    try:
        return plot()
    except KilocellError as error:
        _log.warning("no figure of %s: %s", what, error)
        return []


def save(store: Store, figure: Figure, name: str) -> list[Path]:
    """Write a figure as ``figures/NAME.png`` and ``.pdf``, each whole or not at all."""
    paths = []
    for kind, metadata in FORMATS.items():
        path = store.figures / f"{name}.{kind}"

        def write(temporary: Path, kind: str = kind, metadata: Mapping[str, Any] = metadata) -> None:
            with house_style():
                figure.savefig(temporary, format=kind, metadata=dict(metadata))

        write_atomically(path, write)
        paths.append(path)
    return paths


def _measured(store: Store, cell_id: str, cycles: Sequence[int] = ()) -> pd.DataFrame:
    shown_columns = [c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.CYCLE_COUNT, c.FLAGS]
    return read_partition(store, cell_id, shown_columns, cycles)


def _simulated(
    store: Store, row: Mapping[str, Any] | sqlite3.Row, measured: pd.DataFrame, cycles: Sequence[int]
) -> Simulated:
    shown_columns = [c.TEST_TIME, "simulated_voltage_volt", "voltage_error_volt", c.CYCLE_COUNT]
    frame = read_simulation(store, row["cell_id"], row["label"], shown_columns, cycles)
    failed = row["reason_code"].replace("_", " ") if row["status"] == "failed" else ""
    times = measured.loc[measured[c.CYCLE_COUNT].isin(frame[c.CYCLE_COUNT]), c.TEST_TIME]
    if not np.array_equal(frame[c.TEST_TIME], times[: len(frame)] if failed else times):
        raise StoreError(
            f"simulation {row['label']!r} of cell {row['cell_id']!r} is of an earlier cleaning of the record: "
            "`kilocell run` simulates it anew"
        )
    # Samples that were not simulated (other cycles, or after a failure) are missing values, which lift the line.
    placed = frame.drop(columns=c.CYCLE_COUNT).set_index(c.TEST_TIME).reindex(measured[c.TEST_TIME]).reset_index()
    return Simulated(f"{row['model']}, {row['parameter_set']}", placed, failed)


def _before_and_after(catalog: sqlite3.Connection, fit: Mapping[str, Any] | sqlite3.Row) -> list[sqlite3.Row]:
    """Rows of the simulations with the parameter set a fit began from (where it was simulated) and ended with."""
    wanted = [fit["base_parameter_set"], fit["parameter_set"]]
    rows = queries.simulations(catalog, cell_id=fit["cell_id"], models=[fit["model"]], parameter_sets=wanted)
    if all(row["parameter_set"] != fit["parameter_set"] for row in rows):
        raise UsageError(
            f"the fitted parameter set {fit['parameter_set']!r} of cell {fit['cell_id']!r} was not simulated with "
            f"{fit['model']}: `kilocell run` does what is missing, `kilocell status` says what failed"
        )
    return sorted(rows, key=lambda row: wanted.index(row["parameter_set"]))


def _spread(cells: list[str], most: int) -> list[str]:
    """Pick at most so many cells, evenly over their order."""
    places = np.linspace(0, len(cells) - 1, min(most, len(cells))).round().astype(int)
    return [cells[place] for place in places]
