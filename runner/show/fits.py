"""``kilocell fits``: fits with their values, intervals and verdicts, and parameters along life."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from ...data.columns import ALL, STEP_TYPES, WINDOWS
from ...data.error_budget import error_budget, format_mv, short_budget_words
from ...data.extensive import describe_scaling
from ...data.names import check_known
from ...data.results.fitting import NESTED_LABEL, NESTED_START, name_start
from ...data.standing import CURRENT
from ...data.text import format_count, printable_text
from ...data.verdict_words import MODEL_ERROR_WORDS, VerdictKind, verdict_kind
from ...parquet_store.layout import Store
from ...report.filters import Filters
from ...sqlite import fit_queries, queries, questions
from .answer import Output, more_rows, say_csv, write_csv
from .charge import short_charge_words
from .open_catalog import open_catalog
from .table import table, table_with_text
from .terminal import print_lines, rows_shown

if TYPE_CHECKING:
    import sqlite3

    from ..campaign.campaign import Campaign
    from ..campaign.fit_schema import FitTable

FITS: Final = ("cell", "fit", "model", "RMSE mV", "held out mV", "starts", "verdict")
HELD_OUT: Final = FITS.index("held out mV")  # shown only where a fit held cycles out
PARAMETERS: Final = ("parameter", "before", "value", "±", "unit", "bounds")
SHORTER: Final = {
    "Negative ": "Neg. ",
    "Positive ": "Pos. ",
    "electrode active material volume fraction": "active material vol. fraction",
}
"""Parts of parameters' names, and what stands for them in a table."""

ERRORS: Final = ("errors of", "step type", "window", "samples", "RMSE before mV", "RMSE mV", "bias mV", "worst mV")
STARTS: Final = ("start", "status", "RMSE first mV", "RMSE mV", "evaluations", "seconds", "message")
_UNIT: Final = re.compile(r"\s*\[[^\]]*\]$")
FEW_FITS: Final = 3
"""Number of fits up to which their parameters are shown by default."""

MANY_FITS: Final = 60
"""Fits up to which a terminal shows all, unless --limit says otherwise."""

STRONG_CORRELATION: Final = 0.9
"""Absolute correlation of two parameters from which it is shown."""

Row = Mapping[str, Any]


def show_fits(
    root: Path, filters: Filters, names: Sequence[str], select: str | None = None, output: Output | None = None
) -> None:
    """Print fits: all of a store, or those of some cells or names with parameters, correlations and starts.

    Args:
        root: the store's folder.
        filters: cells, models, parameter sets (of the result, or from which the fit began), status, order and number.
        names: only these fits, or those of these chains; empty = all.
        select: only fits of exactly this part of the record; ``None`` = all.
        output: where the answer goes; JSON has everything known of each fit. ``None`` = the terminal.

    Raises:
        UsageError: there is no such cell or fit; the text gives the nearest name.
    """
    output = output or Output()
    with open_catalog(root, output.everything) as catalog, queries.snapshot(catalog):
        found = fit_queries.fits(catalog)
        cells = filters.choose_cells(catalog)
        check_known("the store has no fit", names, {name for row in found for name in _names(row)})
        if select is not None:
            from ...report.selected import fits_of_selection

            found = list(fits_of_selection(catalog, found, select))
        if cells:
            found = [row for row in found if row["cell_id"] in cells]
        if names:
            found = [row for row in found if not _names(row).isdisjoint(names)]
        rows = filters.apply(_mark_defaults(catalog, found) if filters.parameters else found, noun="fit")
        is_full = output.json_ or bool(names) or len(rows) <= FEW_FITS
        fits = _add_details(catalog, rows, full=is_full)
    write_csv(rows, output)
    if output.json_:
        print(json.dumps(fits, ensure_ascii=False, indent=1))
    elif not found and not names and not cells and select is None:
        print("no fits yet: run kilocell fit --preset diffusion, or write [fit] in the campaign file")
    elif not rows:
        print("no such fit: kilocell fits shows all")
    else:
        _print_fits(fits, starts=bool(names), limit=filters.limit)
        if len(rows) > FEW_FITS and not names:
            print("\nto see parameters and starts of a fit: kilocell fits --fit FIT --cell CELL")
    say_csv(rows, output)


def _mark_defaults(catalog: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """Return fits with ``is_default``: whether the set from which a fit began has no changed parameter."""
    sets = questions.model_parameter_sets(catalog)
    defaults = {str(row["parameter_set"]) for row in sets if row["is_default"]}
    return [{**dict(row), "is_default": int(row["base_parameter_set"] in defaults)} for row in rows]


def _names(row: sqlite3.Row) -> set[str]:
    """Return the names a user may give for a fit: its own, and that of its chain."""
    names = {str(row["fit"])}
    if row["chain"]:
        names.add(str(row["chain"]))
    return names


def print_fit_summary(catalog: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> None:
    """Print fits at the end of a run: one line each, and the parameters where there are few fits.

    Args:
        rows: of :func:`kilocell.sqlite.fit_queries.fits`.
    """
    print()
    fits = _add_details(catalog, [dict(row) for row in rows], full=len(rows) <= FEW_FITS)
    _print_fits(fits, starts=False)


def print_fit_tables(campaign: Campaign, tables: Sequence[FitTable]) -> None:
    """Print the lines that add fits from the command line to the campaign file.

    Args:
        tables: the new fits.
    """
    from ..campaign.added_fits import table_text

    in_file = {fit.name for fit in campaign.file.fit}
    print(f"\nsaved in {Store(campaign.store).added_fits}; to make it permanent, add to {campaign.path}:")
    for fit in tables:
        if fit.name not in in_file:
            print(f"\n{table_text(fit)}", end="")
            continue
        print(f"\n# in the fit {fit.name!r} of these cells: {', '.join(fit.cells)}\nstarts = {fit.starts}")
        if fit.profiles:
            print("profiles = true")
    is_single_table = re.search(r"^\s*\[fit\]", campaign.text, re.MULTILINE)
    if is_single_table and any(fit.name not in in_file for fit in tables):
        print("\n# and change its [fit] to [[fit]], because there are now several")


def short_verdict(fit: Row, parameters: Sequence[Row]) -> str:
    """Return how reliable a fit is, in a few words: how well parameters are determined, and whether starts agree.

    Args:
        fit: a row of the catalog's ``fits``.
        parameters: its rows of ``fitted_parameters``.
    """
    counts = Counter(verdict_kind(row["verdict"]) for row in parameters)
    if len(counts) > 1:
        words = [f"{counts[kind]} {kind}" for kind in reversed(get_args(VerdictKind)) if counts[kind]]
    else:
        words = [f"all {kind}" for kind in counts]
    if counts["precise"]:
        words.append(MODEL_ERROR_WORDS)
    if fit["starts_done"] == 0:
        words.append("no start converged")
    elif fit["starts_done"] == 1:
        words.append("only one start")
    elif fit["starts_agreeing"] == 1:
        words.append("starts disagree")
    words.append(short_charge_words(fit))
    words.append(short_budget_words(fit))
    return ", ".join(filter(None, words))


def _add_details(catalog: sqlite3.Connection, rows: Sequence[Mapping[str, Any]], *, full: bool) -> list[dict[str, Any]]:
    """Return fits with their short verdicts and parameters.

    Args:
        full: also with correlations, errors, versions of the parameter sets, and starts.
    """
    cells = {str(row["cell_id"]) for row in rows}
    cell = next(iter(cells)) if len(cells) == 1 else None  # else one query for all cells is faster than one for each
    parameters = _by_fit(fit_queries.fit_parameters(catalog, cell))
    differences = fit_queries.fit_differences(catalog)
    versions = _by_fit(fit_queries.fitted_sets(catalog, cell)) if full else {}
    starts = _by_fit(fit_queries.fit_starts(catalog, cell)) if full else {}
    fits = []
    for row in rows:
        name = (row["cell_id"], row["fit"])
        fit = {**row, "short_verdict": "", "parameters": parameters.get(name, []), "simulation_differs": ""}
        if _has_result(row):
            different = differences.get((row["cell_id"], row["model"], row["parameter_set"]), [])
            words = (short_verdict(row, fit["parameters"]), "its simulation differs" if different else "")
            fit["short_verdict"] = ", ".join(filter(None, words))
            fit["simulation_differs"] = "; ".join(different)
        if full:
            label = str(row["label"])
            fit["correlations"] = [dict(pair) for pair in fit_queries.fit_correlations(catalog, name[0], label)]
            fit["errors"] = [dict(one) for one in fit_queries.fit_errors(catalog, name[0], label)]
            fit["versions"] = versions.get(name, [])
            fit["started"] = starts.get(name, [])
        fits.append(fit)
    return fits


def _by_fit(rows: Sequence[sqlite3.Row]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return rows by cell and fit."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["cell_id"], row["fit"]), []).append(dict(row))
    return grouped


def _print_fits(fits: Sequence[Row], *, starts: bool, limit: int | None = None) -> None:
    """Print a table of fits, and details of each if there are few fits or ``starts`` is set."""
    lines = [_line(fit) for fit in fits[: rows_shown(len(fits), MANY_FITS, limit)]]
    columns = list(range(len(FITS)))
    if not any(line[HELD_OUT] for line in lines):
        columns.remove(HELD_OUT)
    headings = [FITS[column] for column in columns]
    shown = [[line[column] for column in columns] for line in lines]
    print(table_with_text(headings, shown, right=range(3, len(columns) - 1)))
    if len(fits) > len(lines):
        print(more_rows(len(fits), len(lines)))
    if len(fits) > FEW_FITS and not starts:
        return
    for fit in fits:
        if _has_result(fit) or starts:
            _print_details(fit, starts=starts)


def _line(fit: Row) -> tuple[Any, ...]:
    if not _has_result(fit):
        verdict = str(fit["status"])
        if fit["reason"]:
            verdict += f": {fit['reason']}"
        return (fit["cell_id"], fit["fit"], fit["model"], None, None, None, verdict)
    rmse = _change(fit["rmse_default_mv"], fit["rmse_mv"])
    held_out = _change(fit["validation_default_rmse_mv"], fit["validation_rmse_mv"])
    agreeing = f"{fit['starts_agreeing']}/{fit['starts_done']}"
    verdict = fit["short_verdict"]
    if fit["standing"] != CURRENT:
        verdict = f"{fit['standing']}; {verdict}"
    return (fit["cell_id"], fit["fit"], fit["model"], rmse, held_out, agreeing, verdict)


def _has_result(fit: Row) -> bool:
    """Tell whether a fit has its numbers: it is done, or was so and is out of date."""
    return bool(fit["status"] == "done" or (fit["status"] == "pending" and fit["rmse_mv"] is not None))


def _change(before: float | None, after: float | None) -> str | None:
    """Return an RMSE in mV before and after a fit; before it there may be no solution, ``None`` = no value after it."""
    if after is None:
        return None
    start = "no solution" if before is None else f"{before:.1f}"
    return f"{start} → {after:.1f}"


def _print_details(fit: Row, *, starts: bool) -> None:
    heading = f"{fit['fit']} of {fit['cell_id']}: {fit['parameter_set'] or fit['base_parameter_set']}, {fit['model']}"
    print(f"\n{printable_text(heading)}")
    if fit["parameters"]:
        _print_parameters(fit["parameters"])
    for row in fit["parameters"]:
        if not row["is_factor"] and describe_scaling(row["parameter"]):
            print_lines([f"scales     {row['parameter']}: {describe_scaling(row['parameter'])}"])
        if row["profile_verdict"]:
            lower = _interval_end(row["profile_lower_95"])
            upper = _interval_end(row["profile_upper_95"])
            print_lines([f"profile    {row['parameter']}: {lower} to {upper}; {row['profile_verdict']}"])
    for pair in fit["correlations"]:
        if abs(pair["value"]) >= STRONG_CORRELATION:
            print_lines([f"correlated {pair['parameter']} and {pair['other']} ({pair['value']:+.3f})"])
    if not starts:
        return
    print_lines(f"{name:10s} {text}" for name, text in _facts(fit))
    if fit["errors"]:
        print(table(ERRORS, [_error_line(row) for row in _main_errors(fit["errors"])], right=range(3, len(ERRORS))))
    if fit["started"]:
        print(table(STARTS, [_start_line(row) for row in fit["started"]]))


def _interval_end(value: float | None) -> str:
    """Return an end of a confidence interval; ``None`` = the profile did not reach it."""
    return "…" if value is None else f"{value:.4g}"


def _print_parameters(parameters: Sequence[Row]) -> None:
    """Print a line for each parameter, and its verdict below."""
    verdicts = [(row["verdict"] or "").split(";")[0] for row in parameters]
    print(table(PARAMETERS, [_parameter_line(row) for row in parameters], right=(1, 2, 3), below=verdicts))


def _parameter_line(row: Row) -> tuple[Any, ...]:
    unit = "× base" if row["is_factor"] else row["unit"]
    error = None if row["standard_error"] is None else f"{row['standard_error']:.2g}"
    bounds = f"{row['lower']:.3g} to {row['upper']:.3g}"
    if row["scale"] == "log":
        bounds += ", log"
    name = _UNIT.sub("", row["parameter"])
    for long, short in SHORTER.items():
        name = name.replace(long, short)
    return (name, f"{row['default_value']:.4g}", f"{row['value']:.4g}", error, unit, bounds)


def _facts(fit: Row) -> Iterator[tuple[str, str]]:
    """Yield name and text of what is known of a fit beside its parameters."""
    for version in fit["versions"]:
        text = f"{version['parameter_set']} version {version['version']} ({version['parameter_set_digest']})"
        if not version["current"]:
            text += f", {version['rmse_mv']:.1f} mV, since replaced"
        yield "set", text
    cycles = "all cycles"
    numbers = str(fit["cycles"] or "[]").strip("[]")
    if numbers:
        cycles = f"cycles {numbers}"
    if fit["selection"]:
        cycles = str(fit["selection"])
    yield "fitted on", f"{cycles}, {format_count(fit['samples'] or 0, 'sample')}"
    if fit["temperature_rmse_kelvin"] is not None:
        yield "surface", _describe_temperature(fit)
    if fit["noise_mv"] is not None:
        text = f"{fit['noise_mv']:.2f} mV in the measured voltage"
        if fit["residual_correlation_samples"] is not None:
            text += f"; residuals are correlated over {fit['residual_correlation_samples']:.0f} samples"
        yield "noise", text
    budget = error_budget(fit)
    if budget.total_mv is not None:
        total = f"{budget.mark} ±{format_mv(budget.total_mv)} mV".strip()
        yield "budget", f"{total}: {budget.describe_parts()}"
    if fit["condition_number"] is not None:
        yield "condition", f"{fit['condition_number']:.3g}"
    if fit["verdict"]:
        yield "verdict", fit["verdict"]
    if fit["simulation_differs"]:
        yield "simulation", fit["simulation_differs"]
    if fit["starts_stopped"]:
        yield "stopped", f"{format_count(fit['starts_stopped'], 'start')} stopped early; not counted towards agreement"
    if fit["starts_unconverged"]:
        text = format_count(fit["starts_unconverged"], "start")
        yield "limit", f"{text} ended at the limit of evaluations, or abnormally; not counted towards agreement"
    if fit["agreeing_within"] is not None:
        agreeing = f"{fit['starts_agreeing']} of {format_count(fit['starts_done'], 'start')}"
        if (fit["starts_agreeing"] or 0) > 1:
            agreeing += f", parameters within {fit['agreeing_within']:.2%}"
        yield "agreeing", f"{agreeing}; the best is start {name_start(fit['best_start'])}"
    for row in fit["started"]:
        if row["began_from"]:
            yield "began from", f"start {name_start(row['start'])}: {row['began_from']}"


def _describe_temperature(fit: Row) -> str:
    """Describe the RMSE of the surface temperature before and after a fit, and on what was held out."""
    before = fit["temperature_rmse_default_kelvin"]
    start = "no solution" if before is None else f"{before:.2f}"
    text = f"{start} → {fit['temperature_rmse_kelvin']:.2f} K RMSE of the surface temperature"
    if fit["validation_temperature_rmse_kelvin"] is not None:
        text += f"; {fit['validation_temperature_rmse_kelvin']:.2f} K held out"
    return text


def _main_errors(rows: Sequence[Row]) -> list[Row]:
    """Return the errors over all, by step type and by window; those by both are in the catalog and in JSON."""
    order = {name: place for place, name in enumerate((ALL, *STEP_TYPES, *WINDOWS))}
    main = [row for row in rows if ALL in (row["step_type"], row["window"])]
    return sorted(main, key=lambda row: (row["part"], order[row["window"]], order[row["step_type"]]))


def _error_line(row: Row) -> tuple[Any, ...]:
    part = str(row["part"]).replace("_", " ")
    errors = [row[name] for name in ("rmse_default_mv", "rmse_mv", "bias_mv", "worst_mv")]
    return (part, row["step_type"], row["window"], row["samples"], *errors)


def _start_line(row: Row) -> tuple[Any, ...]:
    message = row["message"] or row["reason"]
    rmse = (row["rmse_first_mv"], row["rmse_mv"])
    status = "not converged" if row["converged"] == 0 else row["status"]
    start = NESTED_LABEL if row["start"] == NESTED_START else row["start"]
    return (start, status, *rmse, row["evaluations"], row["seconds"], message)
