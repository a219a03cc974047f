"""Plot fits: read catalog, time series and journals of starts, draw, write PNG and PDF."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..data.cycle_selection import format_ranges
from ..data.error_budget import error_budget, format_mv, format_rmse
from ..data.errors import UsageError
from ..data.text import format_count
from ..parquet_store.journal import journal_digest, read_journal
from ..parquet_store.layout import Store, safe_name
from ..sqlite import fit_queries, queries
from ..sqlite.cell_facts import cell_facts
from .curves import read_measured, read_simulated
from .draw.fit import Windows, draw_fit
from .draw.fit_style import Start
from .draw.fleet import draw_fleet
from .draw.starts import draw_starts
from .draw.style import displayable_name
from .draw.uncertainty import draw_uncertainty
from .headings import cell_details, describe_cycles
from .save import save
from .select import known_cycles, select_fit
from .styles import Styles, read_styles

HEADING_SIGNS: Final = 68
"""About the number of characters of a heading that fit on the width of a page."""

LEAST_PERCENT: Final = 0.01
"""Smallest agreement between starts that is written, in percent; a closer agreement is written as this number."""

_log = logging.getLogger(__name__)
Row = Mapping[str, Any] | sqlite3.Row


@dataclass(frozen=True, slots=True)
class _Page:
    """What is above a figure of a fit, its name, and the styles of the store."""

    name: str
    heading: str
    details: str
    styles: Styles


def plot_fit(store: Store, fit: str, cell_id: str, everything: bool = False) -> list[Path]:
    """Plot a fit of a cell on three pages: measured and fitted voltage, its starts, and its uncertainty.

    If the fitted parameter set was not simulated, there is no page with the voltage, and the log has a warning.

    Args:
        store: a store with the finished fit.
        fit: name of the fit.
        cell_id: the cell.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of the PNGs and PDFs: ``fit_FIT_CELL``, ``fit_FIT_CELL_starts``, ``fit_FIT_CELL_uncertainty``.

    Raises:
        UsageError: there is no such cell, or no such finished fit.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        row = select_fit(catalog, fit, cell_id)
        starts = read_starts(store, catalog, row)
        parameters = [dict(parameter) for parameter in fit_queries.fit_parameters(catalog, cell_id, fit)]
        correlations = {
            (pair["parameter"], pair["other"]): float(pair["value"])
            for pair in fit_queries.fit_correlations(catalog, cell_id, row["label"])
        }
        profiles: dict[str, list[dict[str, Any]]] = {}
        for point in fit_queries.profile_points(catalog, cell_id, row["label"]):
            profiles.setdefault(point["parameter"], []).append(dict(point))
        simulations = _find_simulations(catalog, row)
        styles = read_styles(catalog)
        details = _details(row, simulations, known_cycles(catalog, cell_id), cell_facts(catalog, cell_id))
        windows = _read_windows(catalog, row, simulations)
    name = f"fit_{safe_name(fit)}_{safe_name(cell_id)}"
    heading = _heading(row)
    page = _Page(name, heading, details, styles)
    paths = _plot_voltages(store, row, simulations, starts, windows, page)
    figure = draw_starts(heading, starts, parameters, noise_mv=row["noise_mv"], details=details)
    paths += save(store, figure, f"{name}_starts")
    figure = draw_uncertainty(heading, parameters, correlations, _describe_fit(row), profiles, details)
    return paths + save(store, figure, f"{name}_uncertainty")


def plot_fleet(store: Store, fit: str, everything: bool = False) -> list[Path]:
    """Plot a fit of many cells: RMSE (mV) of each cell before and after the fit, and each parameter over the cells.

    Args:
        store: a store with the fit.
        fit: name of the fit.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of the PNG and PDF, ``fit_FIT_fleet``.

    Raises:
        UsageError: there is no such fit; the message lists those that exist.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        fits = [dict(row) for row in fit_queries.fits(catalog, fit=fit)]
        parameters = [dict(row) for row in fit_queries.fleet_parameters(catalog, fit)]
        names = ", ".join(fit_queries.fit_names(catalog)) or "none"
    if not fits:
        raise UsageError(f"there is no fit {fit!r} in this store (there are: {names})")
    return save(store, draw_fleet(fit, fits, parameters), f"fit_{safe_name(fit)}_fleet")


def read_starts(store: Store, catalog: sqlite3.Connection, fit: Row) -> list[Start]:
    """Read the starts of a fit: their initial and final values and RMSE, and the evaluations of their journals.

    Args:
        store: the store.
        catalog: from ``queries.connect``.
        fit: row of the catalog's ``fits``.
    """
    first_values: dict[int, dict[str, float]] = {}
    last_values: dict[int, dict[str, float]] = {}
    for value in fit_queries.start_values(catalog, fit["cell_id"], fit["label"]):
        first_values.setdefault(value["start"], {})[value["parameter"]] = value["first_value"]
        last_values.setdefault(value["start"], {})[value["parameter"]] = value["value"]
    return [
        _read_start(store, fit, row, first_values.get(row["start"]), last_values.get(row["start"]))
        for row in fit_queries.fit_starts(catalog, fit["cell_id"], fit["fit"])
    ]


def _read_start(
    store: Store, fit: Row, row: Row, first_values: Mapping[str, float] | None, values: Mapping[str, float] | None
) -> Start:
    """Read one start; ``row`` is of the catalog's ``fit_starts``."""
    path = store.journal(fit["cell_id"], row["label"])
    evaluations = read_journal(path) if journal_digest(path) == row["digest"] else ()
    if row["status"] != "done" or row["rmse_mv"] is None:
        return Start(
            row["start"],
            None,
            None,
            failed=str(row["reason_code"] or row["status"]).replace("_", " "),
            first_values=first_values,
            values=values,
            evaluations=evaluations,
        )
    stopped = bool(row["stopped"]) or row["converged"] == 0
    agreeing = json.loads(fit["agreeing_starts"] or "[]")
    return Start(
        row["start"],
        row["rmse_first_mv"],
        row["rmse_mv"],
        best=row["start"] == fit["best_start"],
        agrees=row["start"] in agreeing,
        stopped=stopped,
        first_values=first_values,
        values=values,
        evaluations=evaluations,
    )


def _plot_voltages(
    store: Store,
    fit: Row,
    simulations: Sequence[sqlite3.Row],
    starts: Sequence[Start],
    windows: Mapping[str, Sequence[Windows]],
    page: _Page,
) -> list[Path]:
    """Plot the page with the voltage; without a simulation of the fitted set, warn and return no path."""
    if not simulations:
        _log.warning(
            "no figure of the voltages of fit %r of cell %r: its parameter set %r was not simulated with %s; "
            "`kilocell run` does what is missing, `kilocell status` shows what failed",
            fit["fit"],
            fit["cell_id"],
            fit["parameter_set"],
            fit["model"],
        )
        return []
    cycles = _cycles(fit, "cycles")
    held_out = _cycles(fit, "validation_cycles")
    drawn: tuple[int, ...] = ()
    if cycles:
        drawn = tuple(sorted({*cycles, *held_out}))
    select = "; ".join(filter(None, (fit["selection"], fit["validation_selection"]))) or None
    measured = read_measured(store, fit["cell_id"], drawn, select)
    simulated = [
        read_simulated(store, row, measured, drawn, select, style=page.styles.parameter_set(str(row["parameter_set"])))
        for row in simulations
    ]
    figure = draw_fit(
        page.heading,
        measured,
        simulated,
        starts,
        noise_mv=fit["noise_mv"],
        held_out=held_out,
        windows=windows,
        details=page.details,
    )
    return save(store, figure, page.name)


def _details(fit: Row, simulations: Sequence[sqlite3.Row], known: Sequence[int], facts: sqlite3.Row | None) -> str:
    """Return model and parameter sets, capacity, temperature, and what was fitted."""
    part = fit["selection"]
    if part is None:
        part = describe_cycles(_cycles(fit, "cycles"), known)
    held_out = _cycles(fit, "validation_cycles")
    if held_out:
        part += f", held out {format_ranges(held_out)}"
    rows: Sequence[Row] = simulations
    if not simulations:
        unknown = {"capacity_ah": None, "temperature_celsius": None}
        rows = [{"model": fit["model"], "parameter_set": fit["base_parameter_set"], **unknown}]
    return cell_details(rows, part, facts)


def _heading(fit: Row) -> str:
    """Return cell, fit and its RMSE before and after; two lines if one is too long."""
    after = format_rmse(fit["rmse_mv"], error_budget(dict(fit)))
    improvement = f"fitted to {after}"
    if fit["rmse_default_mv"] is not None:
        improvement = f"improved from {fit['rmse_default_mv']:.1f} to {after}"
    name = f"{displayable_name(fit['cell_id'], 40)}, fit {displayable_name(fit['fit'], 30)}"
    separator = " " if len(name) + len(improvement) < HEADING_SIGNS else "\n"
    return f"{name}:{separator}{improvement}"


def _describe_fit(fit: Row) -> list[str]:
    """Return notes about the reliability of a fit: starts, residuals, noise, validation and its verdict."""
    starts = f"{fit['starts_agreeing']} of {format_count(fit['starts_done'], 'start')} ended at the best minimum"
    if fit["starts_stopped"]:
        starts += f", {fit['starts_stopped']} stopped early"
    if fit["starts_unconverged"]:
        starts += f", {fit['starts_unconverged']} did not converge"
    if fit["agreeing_within"] is not None and fit["starts_agreeing"] > 1:
        starts += f", their parameters agree within {max(100 * fit['agreeing_within'], LEAST_PERCENT):.2g} %"
    facts = [starts]
    if fit["residual_correlation_samples"] is not None:
        facts.append(f"residuals are correlated over {fit['residual_correlation_samples']:.3g} samples")
    if fit["condition_number"] is not None:
        facts.append(f"condition number {fit['condition_number']:.3g}")
    if fit["noise_mv"] is not None:
        facts.append(f"voltage noise {fit['noise_mv']:.2g} mV")
    budget = error_budget(dict(fit))
    if budget.total_mv is not None:
        facts.append(f"error budget ±{format_mv(budget.total_mv)} mV ({budget.describe_parts()})")
    if fit["validation_rmse_mv"] is not None:
        held_out = "part" if fit["validation_selection"] else "cycles"
        validation = f"RMSE on the held-out {held_out} {fit['validation_rmse_mv']:.1f} mV"
        if fit["validation_default_rmse_mv"] is not None:
            validation += f", {fit['validation_default_rmse_mv']:.1f} mV before the fit"
        facts.append(validation)
    notes = ["; ".join(facts)]
    if fit["verdict"]:
        notes.append(str(fit["verdict"]))
    return notes


def _cycles(fit: Row, column: str) -> tuple[int, ...]:
    return tuple(json.loads(fit[column] or "[]"))


def _find_simulations(catalog: sqlite3.Connection, fit: Row) -> list[sqlite3.Row]:
    """Return the simulations with the parameter set before the fit (if it was simulated) and with the fitted set.

    Returns:
        Rows of ``simulations`` in this order; empty if the fitted set was not simulated.
    """
    sets = [fit["base_parameter_set"], fit["parameter_set"]]
    rows = queries.simulations(catalog, cell_id=fit["cell_id"], models=[fit["model"]], parameter_sets=sets)
    if all(row["parameter_set"] != fit["parameter_set"] for row in rows):
        return []
    return sorted(rows, key=lambda row: sets.index(row["parameter_set"]))


def _read_windows(
    catalog: sqlite3.Connection, fit: Row, simulations: Sequence[sqlite3.Row]
) -> dict[str, Sequence[Windows]]:
    """Return errors by window of each simulation, for the fitted cycles and for the held-out cycles."""
    if fit["selection"] is not None:  # errors by window are stored for cycles
        return {}
    cycles_by_part = {"fitted cycles": _cycles(fit, "cycles") or (0,)}
    if _cycles(fit, "validation_cycles"):
        cycles_by_part["held out"] = _cycles(fit, "validation_cycles")
    errors = [fit_queries.window_errors(catalog, fit["cell_id"], row["label"]) for row in simulations]
    return {part: [_join_cycles(rows, cycles) for rows in errors] for part, cycles in cycles_by_part.items()}


def _join_cycles(rows: Sequence[sqlite3.Row], cycles: Sequence[int]) -> Windows:
    """Return RMSE and RMSE of the change (mV) of each window over some cycles."""
    joined: dict[str, tuple[float, float | None]] = {}
    for window in dict.fromkeys(row["window"] for row in rows):
        of_window = [row for row in rows if row["window"] == window and row["cycle_count"] in cycles]
        rmse_mv = _join_rmse(of_window, "rmse_mv")
        if rmse_mv is not None:
            joined[window] = rmse_mv, _join_rmse(of_window, "change_rmse_mv")
    return joined


def _join_rmse(rows: Sequence[sqlite3.Row], column: str) -> float | None:
    """Return the RMSE over several rows, weighted by their samples; ``None`` = no row has one."""
    known = [(row["samples"], row[column]) for row in rows if row[column] is not None and row["samples"]]
    if not known:
        return None
    samples = np.array([count for count, _ in known], dtype=np.float64)
    rmse = np.array([value for _, value in known], dtype=np.float64)
    return float(np.sqrt(np.average(rmse**2, weights=samples)))
