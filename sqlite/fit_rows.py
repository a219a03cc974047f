"""Rows of all that a fit's jobs report: starts, the fit, profiles."""

from __future__ import annotations

import json

from ..data.codec import to_json
from ..data.fit_settings import FitSettings
from ..data.results.fitting import FitResult, ProfileResult, StartResult
from ..data.results.receipt import Receipt
from . import rows
from .rows import Row, definition_digest, outcome_columns, scalar_columns, split_start_label
from .statements import insert_version


def main_row(receipt: Receipt, settings: FitSettings | None) -> tuple[str, rows.Row]:
    """The table that has one row for each job of this kind, and the row."""
    if receipt.kind == "start":
        return "fit_starts", start_row(receipt, settings)
    if receipt.kind == "profile":
        return "fit_intervals", interval_row(receipt, settings)
    return "fits", fit_row(receipt, settings)


def detail_rows(receipt: Receipt) -> dict[str, list[rows.Row]]:
    """Rows of the tables that hang on it; none where there is no result."""
    result = receipt.result
    if isinstance(result, StartResult):
        return {"fit_start_values": start_value_rows(receipt, result)}
    if isinstance(result, FitResult):
        fitted = fit_parameter_rows(receipt, result)
        return {"fit_parameters": fitted, "fit_correlations": correlation_rows(receipt, result)}
    if isinstance(result, ProfileResult):
        return {"fit_profiles": profile_rows(receipt, result)}
    return {}


def interval_row(receipt: Receipt, settings: FitSettings | None) -> rows.Row:
    """Row of ``fit_intervals``; what the receipt does not say (a failed profile) comes from its label."""
    fit = settings.name if settings else receipt.label.partition("-")[0]
    row: rows.Row = {"fit": fit, "parameter": receipt.label.removeprefix(f"{fit}-")}
    if isinstance(receipt.result, ProfileResult):
        row |= rows.scalar_columns(receipt.result, "settings", "points", "compiled")
    return {**rows.outcome_columns(receipt), **row}


def profile_rows(receipt: Receipt, result: ProfileResult) -> list[rows.Row]:
    """Rows of ``fit_profiles``."""
    key: rows.Row = {"cell_id": receipt.cell_id, "label": receipt.label, "fit": result.settings.name}
    same: rows.Row = {**key, "parameter": result.parameter, "level": result.level}
    return [
        {**same, "position": position, **rows.scalar_columns(point)} for position, point in enumerate(result.points)
    ]


def insert_next_version(receipt: Receipt, result: FitResult) -> tuple[str, Row]:
    """The statement that keeps a fit's set as a version, and its row."""
    row = fitted_set_row(receipt, result)
    return insert_version(tuple(row)), row


def fitted_set_row(receipt: Receipt, result: FitResult) -> Row:
    """Row of ``fitted_sets``, without its version, which the catalog gives."""
    settings, found, versions = result.settings, result.parameter_set, dict(receipt.versions)
    return {
        "cell_id": receipt.cell_id,
        "label": receipt.label,
        "parameter_set": found.name,
        "parameter_set_digest": definition_digest(found),
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


def fit_row(receipt: Receipt, settings: FitSettings | None) -> Row:
    """Row of ``fits``; without settings, the fit's name is the receipt's label."""
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
            "starts": settings.starts,
            "seed": settings.seed,
            "max_evaluations": settings.max_evaluations,
            "chain": settings.chain or None,
            "chain_cycle": min(settings.cycles) if settings.chain else None,
        }
    if isinstance(receipt.result, FitResult):
        fitted = receipt.result.parameter_set
        row |= {
            **scalar_columns(receipt.result, "settings", "parameters", "parameter_set", "correlations", "beginning"),
            "parameter_set": fitted.name,
            "parameter_set_digest": definition_digest(fitted),
        }
    return {**outcome_columns(receipt), **row}


def fit_parameter_rows(receipt: Receipt, result: FitResult) -> list[Row]:
    """Rows of ``fit_parameters``."""
    key = {"cell_id": receipt.cell_id, "label": receipt.label}
    return [
        {**key, "parameter": found.name, "default_value": found.default, **scalar_columns(found, "name", "default")}
        for found in result.parameters
    ]


def correlation_rows(receipt: Receipt, result: FitResult) -> list[Row]:
    """Rows of ``fit_correlations``."""
    return [
        {"cell_id": receipt.cell_id, "label": receipt.label, **scalar_columns(pair)} for pair in result.correlations
    ]


def start_row(receipt: Receipt, settings: FitSettings | None) -> Row:
    """Row of ``fit_starts``; what the receipt does not say (a failed start) comes from its label."""
    fit, start = split_start_label(receipt.label)
    row: Row = {"fit": settings.name if settings else fit, "start": start, "message": ""}
    if isinstance(receipt.result, StartResult):
        row |= scalar_columns(receipt.result, "settings", "first_values", "values", "compiled")
    return {**outcome_columns(receipt), **row}


def start_value_rows(receipt: Receipt, result: StartResult) -> list[Row]:
    """Rows of ``fit_start_values``."""
    names = (parameter.name for parameter in result.settings.parameters)
    return [
        {"cell_id": receipt.cell_id, "label": receipt.label, "parameter": name, "first_value": first, "value": value}
        for name, first, value in zip(names, result.first_values, result.values, strict=True)
    ]
