"""Frozen values as rows: pure functions from settings, receipts and results to columns of the catalog.

A row is a dict of column to value. SQLite keeps a NaN as NULL, so values need no check here.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from ..data.codec import digest, to_json
from ..data.convert import parameter_unit
from ..data.results.cleaning import CleanResult
from ..data.results.receipt import Receipt
from ..data.results.simulation import FailedSimulation, SimulationResult
from ..data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings, SourceFile

Row: TypeAlias = dict[str, str | int | float | None]
COMPARISON_TABLES: Final = {
    "comparisons": "comparisons",
    "step_comparisons": "step_comparisons",
    "cycle_states": "initial_states",
}
"""Fields of a simulation's result that are rows of their own, each with its table."""

_START = re.compile(r"(.*?)[-_ #.]*(\d+)")


@lru_cache(maxsize=4096)
def definition_digest(settings: ModelSettings | ParameterSetSettings) -> str:
    """Return 16 hex digits that tell definitions of a model or parameter set apart, of one name too."""
    return digest(settings)[:16]


def split_simulation_label(label: str) -> tuple[str, str]:
    """Split a simulation's label into model and parameter set, at its first dash."""
    model, _, parameter_set = label.partition("-")
    return model, parameter_set


def split_start_label(label: str) -> tuple[str, int | None]:
    """Split a start's label (``diffusivities-2``) into the fit's name and the start's number."""
    match = _START.fullmatch(label)
    return (match[1], int(match[2])) if match else (label, None)


def model_row(model: ModelSettings) -> Row:
    """Row of ``models``; the mesh stands among the options, as ``"mesh"``."""
    options = to_json_map([*model.options, *([("mesh", dict(model.mesh))] if model.mesh else [])])
    return {"model_digest": definition_digest(model), "model": model.name, "type": model.type, "options": options}


def parameter_set_row(settings: ParameterSetSettings) -> Row:
    """Row of ``parameter_sets``."""
    return {
        "parameter_set_digest": definition_digest(settings),
        "parameter_set": settings.name,
        "base": settings.base,
        "file_digest": settings.file_digest or None,
    }


def override_rows(settings: ParameterSetSettings) -> list[Row]:
    """Rows of ``parameter_overrides``; a factor is a pure number, with the unit ``""``."""
    return [
        {
            "parameter_set_digest": definition_digest(settings),
            "position": position,
            "parameter": override.parameter,
            "kind": override.kind,
            "value": override.value,
            "unit": parameter_unit(override.parameter) if override.kind == "value" else "",
        }
        for position, override in enumerate(settings.overrides)
    ]


def cell_row(cell: CellSettings) -> Row:
    """Row of ``cells``."""
    return {
        "cell_id": cell.cell_id,
        "nominal_capacity_ah": cell.nominal_capacity_ah,
        "initial_state_policy": cell.initial_state.policy,
        "initial_state_value": cell.initial_state.value,
        "temperature_celsius": cell.temperature_celsius,
    }


def source_row(source: SourceFile, mtime_ns: int | None) -> Row:
    """Row of ``sources``."""
    return {
        "path": source.path,
        "bytes": source.bytes,
        "digest": source.digest,
        "mtime_ns": mtime_ns,
        "reader": source.settings.reader,
        "settings": to_json(source.settings),
    }


def job_row(receipt: Receipt, run_id: int | None) -> Row:
    """Row of ``jobs``: the receipt without its result."""
    return {
        **scalar_columns(receipt, "versions", "outputs", "result"),
        "versions": to_json_map(receipt.versions),
        "outputs": to_json_map((output.path, output.bytes) for output in receipt.outputs),
        "run_id": run_id,
    }


def clean_report_row(receipt: Receipt, result: CleanResult) -> Row:
    """Row of ``clean_reports``, under the receipt's cell_id."""
    return {
        **scalar_columns(result.report, "findings", "quarantined", "flagged", "charge_changes"),
        "cell_id": receipt.cell_id,
        "path": _parquet_path(receipt),
        "temperature_mean_celsius": result.temperature_mean_celsius,
    }


def finding_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``findings``, in the report's order."""
    return [
        {"cell_id": receipt.cell_id, "position": position, **scalar_columns(finding)}
        for position, finding in enumerate(result.report.findings)
    ]


def record_source_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``record_sources``."""
    return [
        {"cell_id": receipt.cell_id, "source_index": index, "path": source.file.path, "digest": source.file.digest}
        for index, source in enumerate(result.sources)
    ]


def quarantine_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``quarantine_counts``."""
    return [{"cell_id": receipt.cell_id, **scalar_columns(count)} for count in result.report.quarantined]


def flag_count_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``flag_counts``."""
    return [{"cell_id": receipt.cell_id, **scalar_columns(count)} for count in result.report.flagged]


def charge_change_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``charge_changes``, in the order of the rules."""
    return [
        {"cell_id": receipt.cell_id, "position": position, **scalar_columns(change)}
        for position, change in enumerate(result.report.charge_changes)
    ]


def cycle_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Rows of ``cycles``."""
    return [{"cell_id": receipt.cell_id, **scalar_columns(cycle)} for cycle in result.cycles]


CLEANING_ROWS: Final = {
    "findings": finding_rows,
    "cycles": cycle_rows,
    "record_sources": record_source_rows,
    "quarantine_counts": quarantine_rows,
    "flag_counts": flag_count_rows,
    "charge_changes": charge_change_rows,
}


def simulation_row(receipt: Receipt, settings: SimulateSettings | None) -> Row:
    """Row of ``simulations``: done, failed or skipped; without settings, names come from the receipt's label."""
    result = receipt.result if isinstance(receipt.result, (SimulationResult, FailedSimulation)) else None
    if settings is None:
        model, parameter_set = split_simulation_label(receipt.label)
        row: Row = {"model": model, "parameter_set": parameter_set}
    else:
        row = {
            "model": settings.model.name,
            "parameter_set": settings.parameter_set.name,
            "model_digest": definition_digest(settings.model),
            "parameter_set_digest": definition_digest(settings.parameter_set),
            "rtol": settings.rtol,
            "atol": settings.atol,
        }
    if result is not None:
        row |= {
            "path": _parquet_path(receipt),
            **scalar_columns(result, "settings", "attempts", "compiled", *COMPARISON_TABLES),
        }
    if isinstance(result, SimulationResult):
        row["compiled"] = int(result.compiled)
    attempts = json.dumps(result.attempts if result else (), ensure_ascii=False)
    return {**outcome_columns(receipt), **row, "attempts": attempts}


def compared_rows(receipt: Receipt, result: SimulationResult) -> dict[str, list[Row]]:
    """Rows of what belongs to a simulation: ``comparisons``, ``step_comparisons`` and ``initial_states``."""
    key = {"cell_id": receipt.cell_id, "label": receipt.label}
    return {
        table: [{**key, **scalar_columns(value)} for value in getattr(result, field)]
        for field, table in COMPARISON_TABLES.items()
    }


def to_json_map(pairs: Iterable[tuple[str, object]]) -> str:
    """Turn (name, value) pairs into a JSON object, in their order."""
    return json.dumps(dict(pairs), ensure_ascii=False)


def outcome_columns(receipt: Receipt) -> Row:
    """The columns that simulations, fits and starts share with their jobs."""
    names = ("cell_id", "label", "status", "digest", "seconds", "reason", "reason_code", "log")
    return {name: getattr(receipt, name) for name in names}


def scalar_columns(value: Any, *without: str) -> Row:
    """The fields of a frozen value that are columns by their own names."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.name not in without}


def _parquet_path(receipt: Receipt) -> str | None:
    """The first Parquet file that a job wrote: for cleaning, the partition (the quarantine comes after it)."""
    return next((output.path for output in receipt.outputs if output.path.endswith(".parquet")), None)
