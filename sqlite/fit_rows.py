"""Rows of the catalog's fit tables: starts, fits, fitted sets and profiles.

Pure functions from receipts to rows, as in ``rows.py``: first the tables that a receipt fills, then the rows of each
table.
"""

from __future__ import annotations

import json
from typing import Final

from ..data.codec import to_json
from ..data.error_budget import budget_of_result
from ..data.fit_settings import FitSettings
from ..data.results.fitting import FitResult, ProfileResult, StartResult
from ..data.results.receipt import Receipt
from .rows import Row, definition_digest, outcome_columns, scalar_columns, split_start_label

NOT_IN_FITS: Final = ("settings", "parameters", "parameter_set", "correlations", "beginning", "errors")
"""Fields of a fit's result that are no columns of ``fits``."""


def main_row(receipt: Receipt, settings: FitSettings | None) -> tuple[str, Row]:
    """Return the table that has one row for each job of this kind, and the row.

    Args:
        receipt: of a ``start``, ``fit`` or ``profile`` job.
        settings: of the fit; ``None`` = not known, as for a job that failed early.
    """
    if receipt.kind == "start":
        return "fit_starts", start_row(receipt, settings)
    if receipt.kind == "profile":
        return "fit_intervals", interval_row(receipt, settings)
    return "fits", fit_row(receipt, settings)


def detail_rows(receipt: Receipt) -> dict[str, list[Row]]:
    """Return the rows that belong to the main row of a job, by table; empty if the receipt has no result."""
    result = receipt.result
    if isinstance(result, StartResult):
        return {"fit_start_values": start_value_rows(receipt, result)}
    if isinstance(result, FitResult):
        return {
            "fit_parameters": fit_parameter_rows(receipt, result),
            "fit_correlations": correlation_rows(receipt, result),
            "fit_errors": error_rows(receipt, result),
        }
    if isinstance(result, ProfileResult):
        return {"fit_profiles": profile_rows(receipt, result)}
    return {}


def start_row(receipt: Receipt, settings: FitSettings | None) -> Row:
    """Return the row of ``fit_starts``. Without settings, the fit's name comes from the receipt's label."""
    fit, start = split_start_label(receipt.label)
    if settings is not None:
        fit = settings.name
    row: Row = {"fit": fit, "start": start, "message": ""}
    if isinstance(receipt.result, StartResult):
        row |= scalar_columns(receipt.result, "settings", "first_values", "values", "compiled")
    return {**outcome_columns(receipt), **row}


def start_value_rows(receipt: Receipt, result: StartResult) -> list[Row]:
    """Return the rows of ``fit_start_values``, one for each fitted parameter."""
    names = (parameter.name for parameter in result.settings.parameters)
    return [
        {"cell_id": receipt.cell_id, "label": receipt.label, "parameter": name, "first_value": first, "value": value}
        for name, first, value in zip(names, result.first_values, result.values, strict=True)
    ]


def fit_row(receipt: Receipt, settings: FitSettings | None) -> Row:
    """Return the row of ``fits``. Without settings, the fit's name is the receipt's label."""
    row: Row = {"fit": receipt.label}
    if settings is not None:
        row = {
            "fit": settings.name,
            "model": settings.model.name,
            "base_parameter_set": settings.parameter_set.name,
            "model_digest": definition_digest(settings.model),
            "base_parameter_set_digest": definition_digest(settings.parameter_set),
            "cycles": json.dumps(settings.cycles),
            "validation_cycles": json.dumps(settings.validation_cycles),
            "selection": None if settings.select is None else settings.select.text,
            "validation_selection": None if settings.validation_select is None else settings.validation_select.text,
            "starts": settings.starts,
            "seed": settings.seed,
            "max_evaluations": settings.max_evaluations,
            "chain": None,
            "chain_cycle": None,
        }
        if settings.chain:
            row["chain"] = settings.chain
            row["chain_cycle"] = min(settings.cycles)
    if isinstance(receipt.result, FitResult):
        fitted = receipt.result.parameter_set
        row |= {
            **scalar_columns(receipt.result, *NOT_IN_FITS),
            "agreeing_starts": json.dumps(receipt.result.agreeing_starts),
            "parameter_set": fitted.name,
            "parameter_set_digest": definition_digest(fitted),
            **budget_of_result(receipt.result).columns(),
        }
    return {**outcome_columns(receipt), **row}


def fit_parameter_rows(receipt: Receipt, result: FitResult) -> list[Row]:
    """Return the rows of ``fit_parameters``, one for each fitted parameter."""
    return [
        {
            "cell_id": receipt.cell_id,
            "label": receipt.label,
            "parameter": fitted.name,
            "default_value": fitted.default,
            **scalar_columns(fitted, "name", "default"),
        }
        for fitted in result.parameters
    ]


def error_rows(receipt: Receipt, result: FitResult) -> list[Row]:
    """Return the rows of ``fit_errors``, one for each part, step type and window."""
    return [{"cell_id": receipt.cell_id, "label": receipt.label, **scalar_columns(one)} for one in result.errors]


def correlation_rows(receipt: Receipt, result: FitResult) -> list[Row]:
    """Return the rows of ``fit_correlations``, one for each pair of parameters."""
    return [
        {"cell_id": receipt.cell_id, "label": receipt.label, **scalar_columns(pair)} for pair in result.correlations
    ]


def fitted_set_row(receipt: Receipt, result: FitResult) -> Row:
    """Return the row of ``fitted_sets`` without its version, which the catalog counts."""
    settings = result.settings
    fitted = result.parameter_set
    versions = dict(receipt.versions)
    return {
        "cell_id": receipt.cell_id,
        "label": receipt.label,
        "parameter_set": fitted.name,
        "parameter_set_digest": definition_digest(fitted),
        "base_parameter_set": settings.parameter_set.name,
        "base_parameter_set_digest": definition_digest(settings.parameter_set),
        "fit": settings.name,
        "fit_digest": receipt.digest,
        "model": settings.model.name,
        "cycles": json.dumps(settings.cycles),
        "starts_done": result.starts_done,
        "starts_agreeing": result.starts_agreeing,
        "rmse_default_mv": result.rmse_default_mv,
        "rmse_mv": result.rmse_mv,
        "validation_rmse_mv": result.validation_rmse_mv,
        "verdict": result.verdict,
        "settings": to_json(settings),
        "beginning": None if result.beginning is None else to_json(result.beginning),
        "kilocell": versions.get("kilocell"),
        "pybamm": versions.get("pybamm"),
        "found_unix_second": receipt.started_unix_second + receipt.seconds,
    }


def interval_row(receipt: Receipt, settings: FitSettings | None) -> Row:
    """Return the row of ``fit_intervals``. If the profile failed, fit and parameter come from the receipt's label."""
    fit = receipt.label.partition("-")[0] if settings is None else settings.name
    row: Row = {"fit": fit, "parameter": receipt.label.removeprefix(f"{fit}-")}
    if isinstance(receipt.result, ProfileResult):
        row |= scalar_columns(receipt.result, "settings", "points", "compiled")
    return {**outcome_columns(receipt), **row}


def profile_rows(receipt: Receipt, result: ProfileResult) -> list[Row]:
    """Return the rows of ``fit_profiles``, one for each point of the profile, by rising value."""
    shared: Row = {
        "cell_id": receipt.cell_id,
        "label": receipt.label,
        "fit": result.settings.name,
        "parameter": result.parameter,
        "level": result.level,
    }
    return [{**shared, "position": position, **scalar_columns(point)} for position, point in enumerate(result.points)]
