"""Rows of the catalog: pure functions from settings, receipts and results to columns.

A row is a dict of column name to value. SQLite stores NaN as NULL, so values need no check here. First come definitions
and cells, then cleaning, then simulations; shared parts are at the end. ``fit_rows.py`` has the rows of fits.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, TypeAlias

from ..data.codec import digest, to_json
from ..data.convert import parameter_unit
from ..data.error_budget import budget_of_result
from ..data.results.cleaning import CleanResult
from ..data.results.fitting import NESTED_LABEL, NESTED_START
from ..data.results.receipt import Receipt
from ..data.results.simulation import FailedSimulation, SimulationResult
from ..data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings, SourceFile
from ..data.standing import CURRENT

Row: TypeAlias = dict[str, str | int | float | None]
COMPARISON_TABLES: Final = {
    "comparisons": "comparisons",
    "step_comparisons": "step_comparisons",
    "cycle_states": "initial_states",
    "stretches": "stretches",
}
"""Fields of a simulation's result that become rows of another table: field name to table name."""

_START = re.compile(r"(.*?)[-_ #.]*(\d+)")
"""Label of a start: name of the fit, a separator, number of the start."""


@lru_cache(maxsize=4096)
def definition_digest(settings: ModelSettings | ParameterSetSettings) -> str:
    """Return 16 hex digits that identify a definition of a model or parameter set; one name may have several."""
    return digest(settings)[:16]


def split_simulation_label(label: str) -> tuple[str, str]:
    """Split a simulation's label (``SPMe-Chen2020``) into model and parameter set, at its first dash."""
    model, _, parameter_set = label.partition("-")
    return model, parameter_set


def split_start_label(label: str) -> tuple[str, int | None]:
    """Split a start's label (``diffusion-2``) into the fit's name and the start's number; ``None`` = no number.

    ``diffusion-smaller`` is the start from a smaller fit, ``NESTED_START``.
    """
    if label.endswith(f"-{NESTED_LABEL}"):
        return label.removesuffix(f"-{NESTED_LABEL}"), NESTED_START
    match = _START.fullmatch(label)
    if match is None:
        return label, None
    return match[1], int(match[2])


def model_row(model: ModelSettings) -> Row:
    """Return the row of ``models``; the mesh is one of the options, under the name ``mesh``."""
    options: list[tuple[str, object]] = list(model.options)
    if model.mesh:
        options.append(("mesh", dict(model.mesh)))
    return {
        "model_digest": definition_digest(model),
        "model": model.name,
        "type": model.type,
        "options": to_json_map(options),
    }


def parameter_set_row(settings: ParameterSetSettings) -> Row:
    """Return the row of ``parameter_sets``."""
    return {
        "parameter_set_digest": definition_digest(settings),
        "parameter_set": settings.name,
        "base": settings.base,
        "file_digest": settings.file_digest or None,
    }


def override_rows(settings: ParameterSetSettings) -> list[Row]:
    """Return the rows of ``parameter_overrides``; a factor has the unit ``""``."""
    overrides: list[Row] = []
    for position, override in enumerate(settings.overrides):
        unit = ""
        if override.kind == "value":
            unit = parameter_unit(override.parameter)
        overrides.append(
            {
                "parameter_set_digest": definition_digest(settings),
                "position": position,
                "parameter": override.parameter,
                "kind": override.kind,
                "value": override.value,
                "unit": unit,
            }
        )
    return overrides


def cell_row(cell: CellSettings) -> Row:
    """Return the row of ``cells``."""
    return {
        "cell_id": cell.cell_id,
        "nominal_capacity_ah": cell.nominal_capacity_ah,
        "initial_state_policy": cell.initial_state.policy,
        "initial_state_value": cell.initial_state.value,
        "temperature_celsius": cell.temperature_celsius,
        "capacity_source": cell.capacity_source,
        "parameter_set_source": cell.parameter_set_source,
    }


def source_row(source: SourceFile, mtime_ns: int | None) -> Row:
    """Return the row of ``sources``.

    Args:
        source: the raw file.
        mtime_ns: its modification time in ns since 1970-01-01 UTC; ``None`` = not known.
    """
    return {
        "path": source.path,
        "bytes": source.bytes,
        "digest": source.digest,
        "mtime_ns": mtime_ns,
        "reader": source.settings.reader,
        "settings": to_json(source.settings),
    }


def job_row(receipt: Receipt, run_id: int | None) -> Row:
    """Return the row of ``jobs``: the receipt without its result.

    Args:
        receipt: the job's latest receipt.
        run_id: the run that wrote it; ``None`` = it was found in the store.
    """
    return {
        **scalar_columns(receipt, "versions", "outputs", "result"),
        "versions": to_json_map(receipt.versions),
        "outputs": to_json_map((output.path, output.bytes) for output in receipt.outputs),
        "run_id": run_id,
        "standing": CURRENT,
    }


def clean_report_row(receipt: Receipt, result: CleanResult) -> Row:
    """Return the row of ``clean_reports``, under the receipt's cell_id."""
    return {
        **scalar_columns(result.report, "findings", "quarantined", "flagged", "charge_changes"),
        "charge_source": result.report.charge_source or None,
        "cell_id": receipt.cell_id,
        "path": _parquet_path(receipt),
        "temperature_mean_celsius": result.temperature_mean_celsius,
    }


def finding_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``findings``, in the report's order."""
    return [
        {"cell_id": receipt.cell_id, "position": position, **scalar_columns(finding)}
        for position, finding in enumerate(result.report.findings)
    ]


def record_source_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``record_sources``, in time order."""
    return [
        {"cell_id": receipt.cell_id, "source_index": index, "path": source.file.path, "digest": source.file.digest}
        for index, source in enumerate(result.sources)
    ]


def quarantine_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``quarantine_counts``."""
    return [{"cell_id": receipt.cell_id, **scalar_columns(count)} for count in result.report.quarantined]


def flag_count_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``flag_counts``."""
    return [{"cell_id": receipt.cell_id, **scalar_columns(count)} for count in result.report.flagged]


def charge_change_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``charge_changes``, in the order in which the rules were applied."""
    return [
        {"cell_id": receipt.cell_id, "position": position, **scalar_columns(change)}
        for position, change in enumerate(result.report.charge_changes)
    ]


def cycle_rows(receipt: Receipt, result: CleanResult) -> list[Row]:
    """Return the rows of ``cycles``."""
    return [
        {"cell_id": receipt.cell_id, **scalar_columns(cycle), "charge_source": cycle.charge_source or None}
        for cycle in result.cycles
    ]


CLEANING_ROWS: Final = {
    "findings": finding_rows,
    "cycles": cycle_rows,
    "record_sources": record_source_rows,
    "quarantine_counts": quarantine_rows,
    "flag_counts": flag_count_rows,
    "charge_changes": charge_change_rows,
}
"""Tables that a clean report fills besides its own row: table name to the function that makes their rows."""


def simulation_row(receipt: Receipt, settings: SimulateSettings | None) -> Row:
    """Return the row of ``simulations``.

    Args:
        receipt: of a simulation that is done, failed or skipped.
        settings: of the simulation; ``None`` = model and parameter set come from the receipt's label.
    """
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
            "selection": None if settings.cycles.whole else settings.cycles.text,
        }
    result = receipt.result
    attempts: tuple[str, ...] = ()
    if isinstance(result, (SimulationResult, FailedSimulation)):
        attempts = result.attempts
        row |= {
            "path": _parquet_path(receipt),
            **scalar_columns(result, "settings", "attempts", "compiled", *COMPARISON_TABLES),
        }
    if isinstance(result, SimulationResult):
        row["compiled"] = int(result.compiled)
        row["charge_source"] = result.charge_source or None
        row |= budget_of_result(result).columns()
    return {**outcome_columns(receipt), **row, "attempts": json.dumps(attempts, ensure_ascii=False)}


def compared_rows(receipt: Receipt, result: SimulationResult | FailedSimulation) -> dict[str, list[Row]]:
    """Return the rows of a simulation in the tables of ``COMPARISON_TABLES``, by table.

    A failed simulation has those of its stretches that did not fail, and all of its stretches.
    """
    key = {"cell_id": receipt.cell_id, "label": receipt.label}
    return {
        table: [{**key, **scalar_columns(value)} for value in getattr(result, field)]
        for field, table in COMPARISON_TABLES.items()
    }


def to_json_map(pairs: Iterable[tuple[str, object]]) -> str:
    """Return (name, value) pairs as a JSON object, in their order."""
    return json.dumps(dict(pairs), ensure_ascii=False)


def outcome_columns(receipt: Receipt) -> Row:
    """Return the columns that simulations, fits, starts and profiles share with their jobs."""
    names = ("cell_id", "label", "status", "digest", "seconds", "reason", "reason_code", "log")
    return {name: getattr(receipt, name) for name in names}


def scalar_columns(value: Any, *without: str) -> Row:
    """Return the fields of a frozen value as columns of the same names.

    Args:
        value: a dataclass.
        without: names of fields to leave out.
    """
    kind: type = type(value)
    names, get_all = _scalars(kind, without)
    return dict(zip(names, get_all(value), strict=True))


@cache
def _scalars(cls: type, without: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """Return names of fields of a class, and what gets their values; a receipt has tens of rows of few classes."""
    names = tuple(field.name for field in dataclasses.fields(cls) if field.name not in without)
    if len(names) < 2:  # attrgetter returns a tuple only for several names
        return names, lambda value: tuple(getattr(value, name) for name in names)
    return names, attrgetter(*names)


def _parquet_path(receipt: Receipt) -> str | None:
    """Return the first Parquet file that a job wrote: for cleaning, the partition (the quarantine file is second)."""
    return next((output.path for output in receipt.outputs if output.path.endswith(".parquet")), None)
