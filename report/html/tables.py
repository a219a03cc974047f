"""The report's long tables, as data: the page sorts, searches, filters and pages them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...data.error_budget import WORDS, error_budget
from ...data.standing import CURRENT
from ...data.verdict_words import verdict_kind
from .content import Content, Row

Column = tuple[str, str, str, Callable[[Row], Any]]
"""Key, heading, kind (how the page shows and sorts it), and the value in a row."""


def _get(column: str) -> Callable[[Row], Any]:
    return lambda row: row[column]


SIMULATIONS: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("model", "Model", "text", _get("model")),
    ("parameter_set", "Parameter set", "text", _get("parameter_set")),
    ("status", "Status", "status", _get("status")),
    ("rmse_mv", "RMSE (mV)", "mv", _get("rmse_mv")),
    ("budget", "± (mV)", "mv", _get("error_budget_mv")),
    ("bias_mv", "Bias (mV)", "mv", _get("bias_mv")),
    ("worst_mv", "Worst (mV)", "mv", _get("worst_mv")),
    ("cycles", "Cycles", "int", _get("cycles")),
    ("rows", "Rows", "int", _get("rows")),
    ("findings", "Findings", "int", _get("findings")),
    ("charge", "Charge ± (%)", "percent", _get("charge_uncertainty_percent")),
    ("reason", "Reason", "long", _get("reason")),
)
STANDING: Final[Column] = ("standing", "Standing", "text", _get("standing"))
BUDGETS: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("model", "Model", "text", _get("model")),
    ("parameter_set", "Parameter set", "text", _get("parameter_set")),
    ("rmse_mv", "RMSE (mV)", "mv", _get("rmse_mv")),
    ("budget", "± (mV)", "mv", _get("error_budget_mv")),
    ("main", "Largest part", "text", lambda row: WORDS.get(row["error_budget_main"] or "", None)),
    ("numerical", "Numerical (mV)", "mv", _get("numerical_error_rmse_mv")),
    ("compression", "Compressed current (mV)", "mv", _get("compression_rmse_mv")),
    ("charge", "Charge (mV)", "mv", _get("charge_uncertainty_mv")),
    ("state", "Starting state (mV)", "mv", _get("state_uncertainty_mv")),
    ("unknown", "Unknown parts", "text", lambda row: ", ".join(WORDS[name] for name in error_budget(row).unknown)),
)
CHARGES: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("source", "Known from", "text", _get("charge_source")),
    ("percent", "± (%)", "percent", _get("charge_uncertainty_percent")),
    ("in", "In (A h)", "number", _get("charge_in_ah")),
    ("in_low", "In at least", "number", _get("charge_in_low_ah")),
    ("in_high", "In at most", "number", _get("charge_in_high_ah")),
    ("in_counted", "In by counters", "number", _get("charge_in_counted_ah")),
    ("out", "Out (A h)", "number", _get("charge_out_ah")),
    ("out_low", "Out at least", "number", _get("charge_out_low_ah")),
    ("out_high", "Out at most", "number", _get("charge_out_high_ah")),
    ("out_counted", "Out by counters", "number", _get("charge_out_counted_ah")),
)
FITS: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("fit", "Fit", "text", _get("fit")),
    ("model", "Model", "text", _get("model")),
    ("base", "From set", "text", _get("base_parameter_set")),
    ("status", "Status", "status", _get("status")),
    ("before", "RMSE before (mV)", "mv", _get("rmse_default_mv")),
    ("after", "RMSE after (mV)", "mv", _get("rmse_mv")),
    ("held_out", "Held out (mV)", "mv", _get("validation_rmse_mv")),
    ("starts", "Starts that agree", "text", lambda row: _agreeing(row)),
    ("parameters", "Parameters", "text", _get("parameter_kinds")),
    ("verdict", "Verdict", "long", lambda row: row["verdict"] or row["reason"]),
)
PARAMETERS: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("fit", "Fit", "text", _get("fit")),
    ("parameter", "Parameter", "text", lambda row: name_without_unit(row["parameter"])),
    ("before", "Before", "number", _get("default_value")),
    ("value", "Value", "number", _get("value")),
    ("se", "Standard error", "number", _get("standard_error")),
    ("low", "95 % from", "number", _get("lower_95")),
    ("high", "95 % to", "number", _get("upper_95")),
    ("unit", "Unit", "text", lambda row: "factor" if row["is_factor"] else unit_words(row["unit"])),
    ("kind", "Verdict", "text", lambda row: verdict_kind(row["verdict"])),
)
FAILURES: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("kind", "Job", "text", _get("kind")),
    ("label", "Name", "text", _get("label")),
    ("status", "Status", "status", _get("status")),
    ("code", "Reason code", "text", _get("reason_code")),
    ("reason", "Reason", "long", _get("reason")),
    ("log", "Log in the store", "text", _get("log")),
)
SOURCES: Final[tuple[Column, ...]] = (
    ("cell_id", "Cell", "cell", _get("cell_id")),
    ("path", "File", "text", _get("path")),
    ("bytes", "Bytes", "int", _get("bytes")),
    ("reader", "Reader", "text", _get("reader")),
    ("digest", "SHA-256", "code", _get("digest")),
)
SETS: Final[tuple[Column, ...]] = (
    ("model", "Model", "text", _get("model")),
    ("parameter_set", "Parameter set", "text", _get("parameter_set")),
    ("base", "Base", "text", _get("base")),
    ("lineage", "From the fit", "text", lambda row: row["lineage"] or "none"),
    ("overrides", "Changed parameters", "long", _get("override_words")),
    ("cells", "Cells", "int", _get("cells")),
    ("rmse", "Mean RMSE (mV)", "mv", _get("rmse_mean_mv")),
)


def name_without_unit(parameter: str) -> str:
    """Return the name of a parameter for a table that has its unit in a column."""
    return re.sub(r"\s*\[[^\]]*\]$", "", parameter)


def unit_words(unit: str) -> str:
    """Return a unit as figures write it: ``m2.s-1`` is ``m² s⁻¹``."""
    exponents = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
    parts = []
    for part in unit.split("."):
        letters = part.rstrip("-0123456789")
        parts.append(letters + part[len(letters) :].translate(exponents) if letters else part)
    return "\u00a0".join(parts)


def make_tables(content: Content, uncertain_percent: float) -> dict[str, dict[str, Any]]:
    """Return the report's tables by name; those without rows are left out.

    Args:
        content: of the store.
        uncertain_percent: uncertainty of a charge (% of the throughput) from which its cell is listed.
    """
    finished = [row for row in content.results if row["error_budget_mv"] is not None]
    uncertain = [row for row in content.charges if (row["charge_uncertainty_percent"] or 0.0) > uncertain_percent]
    order: Sequence[tuple[str, str, Sequence[Column], list[Row], tuple[str, bool], tuple[str, ...]]] = (
        ("simulations", "Simulations", SIMULATIONS, content.results, ("rmse_mv", True), SIMULATION_FILTERS),
        ("budgets", "Error budgets", BUDGETS, finished, ("budget", True), ("model", "parameter_set", "main")),
        ("charges", "Cells with an uncertain charge", CHARGES, uncertain, ("percent", True), ()),
        ("fits", "Fits", FITS, _with_kinds(content), ("cell_id", False), ("fit", "model", "status")),
        ("parameters", "Fitted parameters", PARAMETERS, content.fit_parameters, ("cell_id", False), PARAMETER_FILTERS),
        ("failures", "Failed and skipped jobs", FAILURES, content.unsuccessful, ("code", False), ("kind", "code")),
        ("sources", "Raw files", SOURCES, content.sources, ("cell_id", False), ("reader",)),
        ("sets", "Parameter sets", SETS, _with_overrides(content), ("model", False), ("model",)),
    )
    return {name: _table(*rest) for name, *rest in order if rest[2]}  # type: ignore[arg-type]


SIMULATION_FILTERS: Final = ("model", "parameter_set", "status")
PARAMETER_FILTERS: Final = ("fit", "parameter", "kind")


def _table(
    caption: str, columns: Sequence[Column], rows: list[Row], order: tuple[str, bool], filters: tuple[str, ...]
) -> dict[str, Any]:
    """Return one table; the standing has a column only where something is not current."""
    first, *others = columns
    columns = (first, *(column for column in others if any(column[3](row) not in (None, "") for row in rows)))
    if any(row.get("standing", CURRENT) != CURRENT for row in rows):
        columns = (*columns, STANDING)
    return {
        "caption": caption,
        "columns": [{"key": key, "title": title, "kind": kind} for key, title, kind, _ in columns],
        "rows": [[value(row) for _, _, _, value in columns] for row in rows],
        "sort": order[0],
        "descending": order[1],
        "filters": [key for key in filters if key in {column[0] for column in columns}],
    }


def _agreeing(row: Row) -> str | None:
    if row["starts_done"] is None:
        return None
    return f"{row['starts_agreeing']} of {row['starts_done']}"


def _with_kinds(content: Content) -> list[Row]:
    """Return fits with the kinds of their parameters' verdicts, such as ``2 well determined``."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in content.fit_parameters:
        counts.setdefault((row["cell_id"], row["label"]), Counter())[verdict_kind(row["verdict"])] += 1
    fits = []
    for fit in content.fits:
        kinds = counts.get((fit["cell_id"], fit["label"]), Counter())
        words = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        fits.append({**fit, "parameter_kinds": words or None})
    return fits


def _with_overrides(content: Content) -> list[Row]:
    """Return parameter sets with their changed parameters in words."""
    return [{**row, "override_words": override_words(row["overrides"])} for row in content.parameter_sets]


def override_words(overrides: str | None) -> str:
    """Return the changed parameters of a set in words.

    Args:
        overrides: JSON as of the catalog's view ``model_parameter_sets``.
    """
    words = []
    for name, change in json.loads(overrides or "{}").items():
        change = json.loads(change) if isinstance(change, str) else change
        sign = "×" if change["kind"] == "scale" else "="
        words.append(f"{name} {sign} {change['value']:.4g}")
    return "; ".join(words) or "none"
