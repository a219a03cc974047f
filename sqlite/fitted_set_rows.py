"""A fit's result as a row of fitted sets: the values it ended with, and where they are from."""

from __future__ import annotations

import json

from ..data.codec import to_json
from ..data.fit_values import FitResult
from ..data.values import Receipt
from .record_rows import Row, definition_digest
from .statements import put_version


def next_version(receipt: Receipt, result: FitResult) -> tuple[str, Row]:
    """The statement that keeps a fit's set as a version, and its row."""
    row = fitted_set_row(receipt, result)
    return put_version(tuple(row)), row


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
