"""What the panel of a cell shows, apart from its curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...data.efficiency import efficiency_percent
from ...data.error_budget import error_budget
from ...data.rules import RULES_BY_CODE
from ...data.standing import CURRENT
from ...data.verdict_words import verdict_kind
from ..styles import Style, Styles
from .content import Content, Row, group_by
from .tables import name_without_unit, unit_words

MOST_FINDINGS: Final = 200
"""Findings of a cell that its panel lists; the number of all is said."""

MOST_CYCLES: Final = 2_000
"""Cycles of a cell that its panel draws and lists; of more, evenly chosen ones."""

WINDOWS: Final = ("ohmic", "kinetic", "diffusion", "capacity")
CHARGE_SIDES: Final = ("in", "out")
SECOND_PER_HOUR: Final = 3600.0


@dataclass(frozen=True)
class ContentByCell:
    """The rows of a report's content by cell."""

    cells: dict[str, list[Row]]
    reports: dict[str, list[Row]]
    charges: dict[str, list[Row]]
    findings: dict[str, list[Row]]
    cycles: dict[str, list[Row]]
    sources: dict[str, list[Row]]
    record_sources: dict[str, list[Row]]
    simulations: dict[str, list[Row]]
    windows: dict[Any, list[Row]]
    fits: dict[str, list[Row]]
    fit_parameters: dict[Any, list[Row]]
    unsuccessful: dict[str, list[Row]]
    styles: Styles


def by_cell(content: Content) -> ContentByCell:
    """Return the rows of a report's content by cell."""
    return ContentByCell(
        cells=group_by(content.cells, "cell_id"),
        reports=group_by(content.reports, "cell_id"),
        charges=group_by(content.charges, "cell_id"),
        findings=group_by(content.findings, "cell_id"),
        cycles=group_by(content.cycles, "cell_id"),
        sources=group_by(content.sources, "cell_id"),
        record_sources=group_by(content.record_sources, "cell_id"),
        simulations=group_by(content.simulations, "cell_id"),
        windows=group_by(content.windows, "cell_id", "label"),
        fits=group_by(content.fits, "cell_id"),
        fit_parameters=group_by(content.fit_parameters, "cell_id", "label"),
        unsuccessful=group_by(content.unsuccessful, "cell_id"),
        styles=content.styles,
    )


def cell_details(rows: ContentByCell, cell_id: str) -> dict[str, Any]:
    """Return what the panel of a cell shows, apart from its curves.

    Args:
        rows: of the store.
        cell_id: the cell.
    """
    (cell,) = rows.cells[cell_id]
    report = _first(rows.reports, cell_id)
    charge = _first(rows.charges, cell_id)
    findings = rows.findings.get(cell_id, [])
    return {
        "id": cell_id,
        "standing": "" if cell["standing"] == CURRENT else cell["standing"],
        "status": cell["status"],
        "facts": _facts(cell),
        "cleaning": [] if report is None else _before_and_after(report),
        "charge": None if charge is None else _charge(charge),
        "cycles": _cycles(rows.cycles.get(cell_id, [])),
        "findings": [_finding(row) for row in findings[:MOST_FINDINGS]],
        "findings_total": len(findings),
        "simulations": [_simulation(rows, row) for row in rows.simulations.get(cell_id, [])],
        "fits": [_fit(rows, row) for row in rows.fits.get(cell_id, [])],
        "sources": _sources(rows, cell_id),
        "failures": [
            [row["kind"], row["label"], row["status"], row["reason_code"], row["reason"], row["log"]]
            for row in rows.unsuccessful.get(cell_id, [])
        ],
    }


def _first(rows: dict[Any, list[Row]], key: Any) -> Row | None:
    """Return the only row of a cell or simulation; ``None`` = it has none."""
    return next(iter(rows.get(key, ())), None)


def _facts(cell: Row) -> list[list[Any]]:
    """Return heading, value and kind of what is known of a cell."""
    hours = None if cell["time_span_second"] is None else cell["time_span_second"] / SECOND_PER_HOUR
    guessed = " (a guess)" if cell["capacity_source"] == "guess" else ""
    return [
        [f"Nominal capacity{guessed} (A h)", cell["nominal_capacity_ah"], "number"],
        ["Mean temperature (°C)", cell["temperature_mean_celsius"], "number"],
        ["Time span (h)", hours, "number"],
        ["Cycles", cell["cycles"], "int"],
        ["Rows kept of rows read", f"{cell['rows_kept']} of {cell['rows_in']}" if cell["rows_in"] else None, "text"],
        ["Rows quarantined", cell["rows_quarantined"], "int"],
        ["Samples inserted at step edges", cell["rows_inserted"], "int"],
        ["Findings", cell["findings"], "int"],
    ]


def _before_and_after(report: Row) -> list[list[Any]]:
    """Return quantity, unit, value before and value after cleaning."""
    lines: list[list[Any]] = [["Rows", "", report["rows_in"], report["rows_kept"]]]
    for name, words, unit in (("charge", "Charge", "A h"), ("energy", "Energy", "W h")):
        column = "ah" if name == "charge" else "wh"
        for side in CHARGE_SIDES:
            values = [report[f"{name}_{side}_{when}_{column}"] for when in ("before", "after")]
            lines.append([f"{words} {side}", unit, *values])
    for when in (["cycles", "Cycles"], ["steps", "Steps"]):
        lines.append([when[1], "", report[f"{when[0]}_before"], report[f"{when[0]}_after"]])
    return lines


def _charge(charge: Row) -> dict[str, Any]:
    """Return what the charge is known from, with bounds and counters."""
    names = ("charge_{}_low_ah", "charge_{}_ah", "charge_{}_high_ah", "charge_{}_counted_ah")
    return {
        "source": charge["charge_source"],
        "percent": charge["charge_uncertainty_percent"],
        "rows": [[f"Charge {side}", *(charge[name.format(side)] for name in names)] for side in CHARGE_SIDES],
    }


def _cycles(cycles: Sequence[Row]) -> dict[str, list[Any]]:
    """Return number, charge out and in (A h) and energy efficiency (%) of each cycle."""
    chosen = list(cycles)
    if len(chosen) > MOST_CYCLES:
        step = len(chosen) / MOST_CYCLES
        chosen = [chosen[int(number * step)] for number in range(MOST_CYCLES)]
    return {
        "number": [row["cycle_count"] for row in chosen],
        "out": [row["charge_out_ah"] for row in chosen],
        "in": [row["charge_in_ah"] for row in chosen],
        "efficiency": [
            efficiency_percent(row["energy_out_wh"], row["energy_in_wh"], row["charge_out_ah"], row["charge_in_ah"])
            for row in chosen
        ],
    }


def _finding(row: Row) -> list[Any]:
    rule = RULES_BY_CODE.get(row["rule"])
    meaning = rule.meaning if rule is not None else ""
    place = row["cycle_count"]
    return [
        row["rule"], row["severity"], row["rows"], row["source_row"], place, row["before"], row["after"], row["action"],
        meaning,
    ]  # fmt: skip


def style_of(style: Style) -> dict[str, Any]:
    """Return a line's style for the page."""
    return {"colour": style.colour, "dashes": list(style.dashes), "marker": style.marker}


def _simulation(rows: ContentByCell, row: Row) -> dict[str, Any]:
    windows = _first(rows.windows, (row["cell_id"], row["label"]))
    worst = None if row["worst_time_second"] is None else row["worst_time_second"] / SECOND_PER_HOUR
    ended = None if row["ended_second"] is None else row["ended_second"] / SECOND_PER_HOUR
    return {
        "label": row["label"],
        "name": f"{row['model']}, {row['parameter_set']}",
        "standing": "" if row["standing"] == CURRENT else row["standing"],
        "status": row["status"],
        "reason": row["reason"],
        "rmse": row["rmse_mv"],
        "partial": row["partial_rmse_mv"],
        "budget": row["error_budget_mv"],
        "parts": error_budget(row).describe_parts() if row["error_budget_mv"] is not None else None,
        "large": bool(row["error_budget_too_large"]),
        "bias": row["bias_mv"],
        "worst": row["worst_mv"],
        "worst_hour": worst,
        "ended_hour": ended,
        "windows": [None if windows is None else windows[f"{name}_rmse_mv"] for name in WINDOWS],
        "selection": row["selection"],
        "capacity": row["capacity_ah"],
        "capacity_source": row["capacity_source"],
        "temperature": row["temperature_celsius"],
        "temperature_source": row["temperature_source"],
        "state": row["initial_state_source"],
        "soc": row["initial_soc"],
        "style": style_of(rows.styles.simulation(row["model"], row["parameter_set"])),
    }


def _fit(rows: ContentByCell, fit: Row) -> dict[str, Any]:
    parameters = rows.fit_parameters.get((fit["cell_id"], fit["label"]), [])
    return {
        "name": fit["fit"],
        "model": fit["model"],
        "base": fit["base_parameter_set"],
        "standing": "" if fit["standing"] == CURRENT else fit["standing"],
        "status": fit["status"],
        "before": fit["rmse_default_mv"],
        "after": fit["rmse_mv"],
        "held_out": fit["validation_rmse_mv"],
        "budget": fit["error_budget_mv"],
        "starts": None if fit["starts_done"] is None else f"{fit['starts_agreeing']} of {fit['starts_done']}",
        "verdict": fit["verdict"] or fit["reason"],
        "parameters": [
            [
                name_without_unit(row["parameter"]), "factor" if row["is_factor"] else unit_words(row["unit"]),
                row["default_value"],
                row["value"], row["standard_error"], row["lower_95"], row["upper_95"], row["lower"], row["upper"],
                verdict_kind(row["verdict"]), row["verdict"],
            ]
            for row in parameters
        ],
    }  # fmt: skip


def _sources(rows: ContentByCell, cell_id: str) -> list[dict[str, Any]]:
    """Return the raw files of a cell, with what is known of each; the digest is that at the time of cleaning."""
    known = {row["path"]: row for row in rows.sources.get(cell_id, [])}
    cleaned = {row["path"]: row["digest"] for row in rows.record_sources.get(cell_id, [])}
    files = []
    for path in dict.fromkeys((*cleaned, *known)):
        row = known.get(path)
        files.append(
            {
                "path": path,
                "digest": cleaned.get(path) or (row["digest"] if row else None),
                "bytes": row["bytes"] if row else None,
                "reader": row["reader"] if row else None,
                "settings": _settings(row["settings"]) if row else None,
            }
        )
    return files


def _settings(settings: str) -> str:
    """Return how a file is read, in words."""
    try:
        values = json.loads(settings)
    except ValueError:
        return settings
    columns = "; ".join(f"{each['column']} → {each['target']}" for each in values.get("columns", []))
    parts = [f"{key.replace('_', ' ')}: {value}" for key, value in values.items() if isinstance(value, str | bool)]
    parts = [part for part in parts if not part.startswith(("is:", "reader:"))]
    return "; ".join(filter(None, (columns, *parts)))
