"""Rows of all that a fit's jobs report: starts, the fit, profiles."""

from __future__ import annotations

from ..data.fit_settings import FitSettings
from ..data.fit_values import FitResult, ProfileResult, StartResult
from ..data.values import Receipt
from . import record_rows as rows


def own_row(receipt: Receipt, settings: FitSettings | None) -> tuple[str, rows.Row]:
    """The table that has one row for each job of this kind, and the row."""
    if receipt.kind == "start":
        return "fit_starts", rows.start_row(receipt, settings)
    if receipt.kind == "profile":
        return "fit_intervals", interval_row(receipt, settings)
    return "fits", rows.fit_row(receipt, settings)


def rows_beside(receipt: Receipt) -> dict[str, list[rows.Row]]:
    """Rows of the tables that hang on it; none where there is no result."""
    result = receipt.result
    if isinstance(result, StartResult):
        return {"fit_start_values": rows.start_value_rows(receipt, result)}
    if isinstance(result, FitResult):
        fitted = rows.fit_parameter_rows(receipt, result)
        return {"fit_parameters": fitted, "fit_correlations": rows.correlation_rows(receipt, result)}
    if isinstance(result, ProfileResult):
        return {"fit_profiles": profile_rows(receipt, result)}
    return {}


def interval_row(receipt: Receipt, settings: FitSettings | None) -> rows.Row:
    """Row of ``fit_intervals``; what the receipt does not say (a failed profile) comes from its label."""
    fit = settings.name if settings else receipt.label.partition("-")[0]
    row: rows.Row = {"fit": fit, "parameter": receipt.label.removeprefix(f"{fit}-")}
    if isinstance(receipt.result, ProfileResult):
        row |= rows.scalars(receipt.result, "settings", "points", "compiled")
    return {**rows.outcome(receipt), **row}


def profile_rows(receipt: Receipt, result: ProfileResult) -> list[rows.Row]:
    """Rows of ``fit_profiles``."""
    key: rows.Row = {"cell_id": receipt.cell_id, "label": receipt.label, "fit": result.settings.name}
    same: rows.Row = {**key, "parameter": result.parameter, "level": result.level}
    return [{**same, "position": position, **rows.scalars(point)} for position, point in enumerate(result.points)]
