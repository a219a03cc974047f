"""Make the figures of fits: read catalog, curves and journals, draw, and write PNG and PDF into ``figures/``."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..data.errors import UsageError
from ..data.results.fitting import agrees
from ..data.text import format_count
from ..parquet_store.journal import journal_digest, read_journal
from ..parquet_store.layout import Store, safe_name
from ..sqlite import fit_queries, queries
from .curves import read_measured, read_simulated
from .draw.fit import Windows, draw_fit
from .draw.fit_style import Start
from .draw.fleet import draw_fleet
from .draw.starts import draw_starts
from .draw.style import displayable_name
from .draw.uncertainty import draw_uncertainty
from .save import save
from .select import select_fit

HEADING_SIGNS: Final = 68
"""About as many signs of the heading stand side by side on the width."""

LEAST_PERCENT: Final = 0.01
"""Starts that agree within less are said to agree within this."""

_log = logging.getLogger(__name__)
Row = Mapping[str, Any] | sqlite3.Row


def plot_fit(store: Store, fit: str, cell_id: str) -> list[Path]:
    """Plot a cell's fit on three pages: what it did to the voltage, its starts, and how far to believe it.

    A fit whose parameter set was not simulated has no page of voltages, which is a warning in the log.

    Returns:
        Paths of PNG and PDF: ``fit_FIT_CELL``, ``fit_FIT_CELL_starts``, ``fit_FIT_CELL_uncertainty``.

    Raises:
        UsageError: no such cell, or no such finished fit.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        row = select_fit(catalog, fit, cell_id)
        starts = read_starts(store, catalog, row)
        parameters = [dict(each) for each in fit_queries.fit_parameters(catalog, cell_id, fit)]
        correlations = {
            (pair["parameter"], pair["other"]): float(pair["value"])
            for pair in fit_queries.fit_correlations(catalog, cell_id, row["label"])
        }
        profiles: dict[str, list[dict[str, Any]]] = {}
        for point in fit_queries.profile_points(catalog, cell_id, row["label"]):
            profiles.setdefault(point["parameter"], []).append(dict(point))
        simulations = _before_and_after(catalog, row)
        windows = _windows(catalog, row, simulations)
    name = f"fit_{safe_name(fit)}_{safe_name(cell_id)}"
    heading = _heading(row)
    paths = _plot_voltages(store, row, simulations, starts, windows, name, heading)
    paths += save(store, draw_starts(heading, starts, parameters, noise_mv=row["noise_mv"]), f"{name}_starts")
    figure = draw_uncertainty(heading, parameters, correlations, _describe_fit(row), profiles)
    return paths + save(store, figure, f"{name}_uncertainty")


def plot_fleet(store: Store, fit: str) -> list[Path]:
    """Plot a fit of many cells: RMSE before and after of each, and each parameter over the cells.

    Returns:
        Paths of PNG and PDF, ``fit_FIT_fleet``.

    Raises:
        UsageError: there is no such fit; the text names those that there are.
    """
    with closing(queries.connect(store.catalog)) as catalog:
        fits = [dict(row) for row in fit_queries.fits(catalog, fit=fit)]
        parameters = [dict(row) for row in fit_queries.fleet_parameters(catalog, fit)]
        there = ", ".join(fit_queries.fit_names(catalog)) or "none"
    if not fits:
        raise UsageError(f"there is no fit {fit!r} in this store: there are {there}")
    return save(store, draw_fleet(fit, fits, parameters), f"fit_{safe_name(fit)}_fleet")


def read_starts(store: Store, catalog: sqlite3.Connection, fit: Row) -> list[Start]:
    """Read the starts of a fit with where they began and ended, and the evaluations of their journals."""
    first: dict[int, dict[str, float]] = {}
    last: dict[int, dict[str, float]] = {}
    for value in fit_queries.start_values(catalog, fit["cell_id"], fit["label"]):
        first.setdefault(value["start"], {})[value["parameter"]] = value["first_value"]
        last.setdefault(value["start"], {})[value["parameter"]] = value["value"]
    starts = []
    for row in fit_queries.fit_starts(catalog, fit["cell_id"], fit["fit"]):
        number, done = row["start"], row["status"] == "done" and row["rmse_mv"] is not None
        path = store.journal(fit["cell_id"], row["label"])
        starts.append(
            Start(
                number,
                row["rmse_first_mv"] if done else None,
                row["rmse_mv"] if done else None,
                best=done and number == fit["best_start"],
                agrees=done and not row["stopped"] and agrees(row["rmse_mv"], fit["rmse_mv"]),
                stopped=done and bool(row["stopped"]),
                failed="" if done else str(row["reason_code"] or row["status"]).replace("_", " "),
                first_values=first.get(number),
                values=last.get(number),
                evaluations=read_journal(path) if journal_digest(path) == row["digest"] else (),
            )
        )
    return starts


def _plot_voltages(
    store: Store,
    fit: Row,
    simulations: Sequence[sqlite3.Row],
    starts: Sequence[Start],
    windows: Mapping[str, Sequence[Windows]],
    name: str,
    heading: str,
) -> list[Path]:
    if not simulations:
        _log.warning(
            "no figure of the voltages of fit %r of cell %r: its parameter set %r was not simulated with %s; "
            "`kilocell run` does what is missing, `kilocell status` says what failed",
            fit["fit"],
            fit["cell_id"],
            fit["parameter_set"],
            fit["model"],
        )
        return []
    cycles, held_out = _cycles(fit, "cycles"), _cycles(fit, "validation_cycles")
    drawn = tuple(sorted({*cycles, *held_out})) if cycles else ()
    measured = read_measured(store, fit["cell_id"], drawn)
    simulated = [read_simulated(store, each, measured, drawn) for each in simulations]
    figure = draw_fit(
        heading, measured, simulated, starts, noise_mv=fit["noise_mv"], held_out=held_out, windows=windows
    )
    return save(store, figure, name)


def _heading(fit: Row) -> str:
    before, after = fit["rmse_default_mv"], fit["rmse_mv"]
    better = f"fitted to {after:.1f} mV" if before is None else f"improved from {before:.1f} to {after:.1f} mV"
    which = f"{displayable_name(fit['cell_id'], 40)}, {displayable_name(fit['fit'], 30)}"
    return f"{which}:{' ' if len(which) + len(better) < HEADING_SIGNS else chr(10)}{better}"


def _describe_fit(fit: Row) -> list[str]:
    """What a fit says of itself beside its parameters: starts, noise, correlation, validation, verdict."""
    done = format_count(fit["starts_done"], "start")
    facts = [f"{fit['starts_agreeing']} of {done} ended at the best minimum"]
    if fit["starts_stopped"]:
        facts[0] += f", {fit['starts_stopped']} stopped early"
    if fit["agreeing_within"] is not None and fit["starts_agreeing"] > 1:
        facts[0] += f", their parameters within {max(100 * fit['agreeing_within'], LEAST_PERCENT):.2g} %"
    if fit["residual_correlation_samples"] is not None:
        facts.append(f"remaining errors move together over {fit['residual_correlation_samples']:.3g} samples")
    if fit["condition_number"] is not None:
        facts.append(f"condition number {fit['condition_number']:.3g}")
    if fit["noise_mv"] is not None:
        facts.append(f"noise of the voltage {fit['noise_mv']:.2g} mV")
    if fit["validation_rmse_mv"] is not None:
        before = fit["validation_default_rmse_mv"]
        was = "" if before is None else f", before {before:.1f} mV"
        facts.append(f"on the cycles held out {fit['validation_rmse_mv']:.1f} mV{was}")
    return ["; ".join(facts), *([str(fit["verdict"])] if fit["verdict"] else [])]


def _cycles(fit: Row, column: str) -> tuple[int, ...]:
    return tuple(json.loads(fit[column] or "[]"))


def _windows(catalog: sqlite3.Connection, fit: Row, simulations: Sequence[sqlite3.Row]) -> dict[str, Sequence[Windows]]:
    """Errors by window of the fitted cycles, and of those held out, of each simulation."""
    errors = [fit_queries.window_errors(catalog, fit["cell_id"], row["label"]) for row in simulations]
    parts = {"fitted cycles": _cycles(fit, "cycles") or (0,)}
    if _cycles(fit, "validation_cycles"):
        parts["held out"] = _cycles(fit, "validation_cycles")
    return {part: [_joined(rows, cycles) for rows in errors] for part, cycles in parts.items()}


def _joined(rows: Sequence[sqlite3.Row], cycles: Sequence[int]) -> Windows:
    """Errors of some cycles as one, each window by its samples."""
    joined: dict[str, tuple[float, float | None]] = {}
    for window in dict.fromkeys(row["window"] for row in rows):
        of_it = [row for row in rows if row["window"] == window and row["cycle_count"] in cycles]
        values = [_mean_square([(row["samples"], row[column]) for row in of_it]) for column in _RMSE]
        if values[0] is not None:
            joined[window] = values[0], values[1]
    return joined


_RMSE: Final = ("rmse_mv", "change_rmse_mv")


def _mean_square(values: Sequence[tuple[int, float | None]]) -> float | None:
    known = [(samples, value) for samples, value in values if value is not None and samples]
    if not known:
        return None
    samples, rmse = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
    return float(np.sqrt(np.average(rmse**2, weights=samples)))


def _before_and_after(catalog: sqlite3.Connection, fit: Row) -> list[sqlite3.Row]:
    """Rows of the simulations with the parameter set a fit began from (where it was simulated) and ended with.

    Empty where the one that it ended with was not simulated.
    """
    wanted = [fit["base_parameter_set"], fit["parameter_set"]]
    rows = queries.simulations(catalog, cell_id=fit["cell_id"], models=[fit["model"]], parameter_sets=wanted)
    if all(row["parameter_set"] != fit["parameter_set"] for row in rows):
        return []
    return sorted(rows, key=lambda row: wanted.index(row["parameter_set"]))
