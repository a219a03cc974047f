"""``kilocell findings``: cleaning before and after, cell by cell, and each finding."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ...data.names import check_known
from ...data.rules import RULES_BY_CODE
from ...data.text import format_count
from ...parquet_store.layout import Store
from ...sqlite import queries
from .table import table

MANY_ROWS: Final = 60
MANY_NAMED: Final = 500
"""Findings up to which each is shown: of all cells, and where a cell or rule was named."""

FINDING: Final = (
    *("cell_id", "rule", "severity", "rows", "cycle_count", "step_count", "source_index", "source_row"),
    *("before", "after", "action"),
)
_FINDING_HEADINGS: Final = (
    *("cell", "rule", "severity", "rows", "cycle", "step", "file", "source row", "before", "after", "action"),
)
_RULE_HEADINGS: Final = ("rule", "severity", "findings", "flagged", "quarantined", "cells", "meaning")
_WHOLE: Final = 200
Row = Mapping[str, Any]
MANY_CELLS: Final = 60
LEAST_SHOWN: Final = 1e-6  # of the charge in and out
QUANTITIES: Final = {
    "charge in": ("charge_in_{}_ah", "A.h", 1.0),
    "charge out": ("charge_out_{}_ah", "A.h", 1.0),
    "energy in": ("energy_in_{}_wh", "W.h", 1.0),
    "energy out": ("energy_out_{}_wh", "W.h", 1.0),
    "time span": ("time_span_{}_second", "h", 3600.0),
    "cycles": ("cycles_{}", "", 1),
    "steps": ("steps_{}", "", 1),
}
"""What is compared before and after: the report's column, the unit shown, and the column's units in one of them."""

REPORT: Final = (
    *("cell_id", "rows_in", "rows_kept", "rows_quarantined"),
    *(column.format(when) for column, _, _ in QUANTITIES.values() for when in ("before", "after")),
)


def show_findings(root: Path, cells: Sequence[str], rules: Sequence[str], json_: bool) -> None:
    """Print the clean report of each cell and the findings, summed up by rule where they are many.

    Args:
        cells, rules: only these; empty = all.

    Raises:
        UsageError: the store has no such cell, or there is no such rule; gives the nearest name.
    """
    store = Store(root)
    with closing(queries.connect(store.catalog)) as catalog, queries.snapshot(catalog):
        known = queries.cell_ids(catalog)
        check_known("the store has no cell", cells, known)
        reports = add_details(catalog, store, cells)
        # All rules are read, since a store may hold codes that only another version of kilocell knows.
        found = [{column: row[column] for column in FINDING} for row in queries.findings(catalog, cells)]
    check_known("there is no cleaning rule", rules, {*RULES_BY_CODE, *(row["rule"] for row in found)})
    found = [row for row in found if not rules or row["rule"] in rules]
    if json_:
        print(json.dumps({"reports": reports, "findings": found}, ensure_ascii=False, indent=1))
        return
    without = [name for name in dict.fromkeys(cells or known) if name not in {row["cell_id"] for row in reports}]
    if reports:
        print(reports_text(reports, store))
    elif not without:
        print("nothing is cleaned yet")
    if without:
        print(f"not cleaned: {', '.join(without[:5])}{', …' * (len(without) > 5)}; kilocell status says why")
    most = MANY_NAMED if cells or rules else MANY_ROWS
    summed = [row for report in reports for row in report["rules"] if not rules or row["rule"] in rules]
    print("\n" + (by_rule_text(summed, len(found)) if len(found) > most else _findings_text(found, reports)))


def _findings_text(found: Sequence[Row], reports: Sequence[Row]) -> str:
    if not found:
        return "no findings"
    sources = {row["cell_id"]: row["sources"] for row in reports}
    lines = [tuple(_file(row, sources) if name == "source_index" else row[name] for name in FINDING) for row in found]
    hidden = {_FINDING_HEADINGS.index("file")} if all(len(files) < 2 for files in sources.values()) else set()
    kept = [place for place in range(len(FINDING)) if place not in hidden]
    return table([_FINDING_HEADINGS[place] for place in kept], [[line[place] for place in kept] for line in lines])


def _file(row: Row, sources: Mapping[str, list[str]]) -> str | int:
    """The name of the file that a finding is in; its number where the name is not known."""
    files, index = sources.get(row["cell_id"], []), row["source_index"]
    return Path(files[index]).name if index < len(files) else index


def by_rule_text(rules: Sequence[Row], findings: int) -> str:
    """Lay out what each rule did, over some cells."""
    lines = table(_RULE_HEADINGS, sum_by_rule(rules), widest=_WHOLE)
    return f"{lines}\n{format_count(findings, 'finding')}; each of them: name one --cell or --rule, or take --json"


def sum_by_rule(rules: Sequence[Row]) -> list[tuple[str, str, int, int | None, int, int, str]]:
    """Sum rules up over cells, the one with the most findings first.

    Args:
        rules: for each cell and rule: rule, severity, findings, samples_flagged, rows_quarantined.

    Returns:
        (rule, worst severity, findings, samples flagged, rows quarantined, cells, meaning); samples are ``None`` where
        a cell was cleaned by a version that did not count them.
    """
    grouped: dict[str, list[Row]] = {}
    for row in rules:
        grouped.setdefault(row["rule"], []).append(row)
    summed: list[tuple[str, str, int, int | None, int, int, str]] = []
    for rule, rows in grouped.items():
        severity = max((row["severity"] for row in rows), key=("info", "warning", "error").index)
        counts = [row["samples_flagged"] for row in rows]
        flagged = None if None in counts else sum(counts)
        taken, meaning = (
            sum(row["rows_quarantined"] for row in rows),
            RULES_BY_CODE[rule].meaning if rule in RULES_BY_CODE else "",
        )
        summed.append((rule, severity, sum(row["findings"] for row in rows), flagged, taken, len(rows), meaning))
    return sorted(summed, key=lambda line: -line[2])


def add_details(catalog: sqlite3.Connection, store: Store, cells: Sequence[str]) -> list[dict[str, Any]]:
    """Return the clean reports with their files, rows quarantined and charge changed by rule, and where rows lie.

    Args:
        cells: only these; empty = all.
    """
    sources = _grouped(queries.record_sources(catalog, cells), ("path",))
    taken = _grouped(queries.quarantined_rows(catalog, cells), ("rule", "rows", "source_index", "path"))
    rules = _grouped(
        queries.rules_by_cell(catalog, cells), ("rule", "severity", "findings", "samples_flagged", "rows_quarantined")
    )
    charge = _grouped(queries.charge_by_rule(catalog, cells), ("rule", "charge_in_ah", "charge_out_ah"))
    return [
        {
            **{column: row[column] for column in REPORT},
            "sources": [source["path"] for source in sources.get(row["cell_id"], ())],
            "rules": rules.get(row["cell_id"], []),
            "quarantined": taken.get(row["cell_id"], []),
            "quarantine_path": store.relative(store.quarantine(row["cell_id"])),
            "charge_by_rule": charge.get(row["cell_id"], []),
        }
        for row in queries.clean_reports(catalog, cells)
    ]


def reports_text(reports: Sequence[Row], store: Store) -> str:
    """Lay out reports: one cell line by line, before and after; several cells in a line each."""
    text = _one_cell(reports[0], store) if len(reports) == 1 else _many_cells(reports, store)
    if any(row["energy_in_after_wh"] is None for row in reports):
        text += "\nenergy was not counted by the version that cleaned: `kilocell run` cleans again"
    return text


def _grouped(rows: Iterable[Any], columns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["cell_id"], []).append({column: row[column] for column in columns})
    return grouped


def _one_cell(report: Row, store: Store) -> str:
    rows_in, rows_kept = report["rows_in"], report["rows_kept"]
    lines = [("rows", "", str(rows_in), str(rows_kept), _difference(rows_in, rows_kept))]
    for name, (column, unit, factor) in QUANTITIES.items():
        before, after = (_scaled(report[column.format(when)], factor) for when in ("before", "after"))
        lines.append((name, unit, _text(before), _text(after), _difference(before, after)))
    parts = [table((report["cell_id"], "unit", "before", "after", "change"), lines, right=(2, 3, 4))]
    if report["rows_quarantined"]:
        parts.append(
            f"quarantined  {_sum_by_rule([report])}; as they stood in {store.root / report['quarantine_path']}"
        )
    changes = _charge_changes(report)
    if changes:
        parts.append(f"charge, A.h  {'; '.join(changes)}")
    return "\n".join(parts)


def _charge_changes(report: Row) -> list[str]:
    """What each rule did to the charge, without what is too little to be seen beside the whole."""
    least = LEAST_SHOWN * (report["charge_in_after_ah"] + report["charge_out_after_ah"])
    told = []
    for row in report["charge_by_rule"]:
        signed = [
            f"{row[column]:+.3g} {way}"
            for column, way in (("charge_in_ah", "in"), ("charge_out_ah", "out"))
            if abs(row[column]) >= least
        ]
        told += [f"{row['rule']} {', '.join(signed)}"] if signed else []
    return told


def _many_cells(reports: Sequence[Row], store: Store) -> str:
    units = [f"{name} {unit}".strip() for name, (_, unit, _) in QUANTITIES.items()]
    text = table(("cell", "rows in", "kept", "quarantined", *units), [_line(row) for row in reports[:MANY_CELLS]])
    more = len(reports) - MANY_CELLS
    if more > 0:
        text += f"\n… and {more} more cells: name some with --cell, or take --json"
    if any(row["rows_quarantined"] for row in reports):
        folder = store.quarantine("CELL").parent
        text += f"\nquarantined  {_sum_by_rule(reports)}; as they stood in {folder}, a file a cell"
    return text


def _line(row: Row) -> tuple[Any, ...]:
    changes = []
    for column, _, factor in QUANTITIES.values():
        old, new = (_text(_scaled(row[column.format(when)], factor)) for when in ("before", "after"))
        changes.append(new if old == new else f"{old} → {new}")
    return (*(row[name] for name in REPORT[:4]), *changes)


def _sum_by_rule(reports: Sequence[Row]) -> str:
    """Rows quarantined by rule, over some cells; where a version before did not count them, their number alone."""
    counted: Counter[str] = Counter()
    for report in reports:
        for row in report["quarantined"]:
            counted[row["rule"]] += row["rows"]
    whole = sum(report["rows_quarantined"] for report in reports)
    if rest := whole - counted.total():
        counted["by rules that were not counted"] = rest
    return ", ".join(f"{rule} {rows}" for rule, rows in counted.most_common())


def _scaled(value: float | None, factor: float) -> float | None:
    return value if value is None or factor == 1 else value / factor


def _text(value: float | None) -> str:
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.5g}"


def _difference(before: float | None, after: float | None) -> str:
    """How much is more or less: whole numbers as such, others in percent; nothing where nothing changed."""
    if before is None or after is None or _text(before) == _text(after):
        return ""
    if isinstance(before, int) and isinstance(after, int):
        return f"{after - before:+d}"
    return f"{100 * (after - before) / before:+.2f} %" if before else ""
