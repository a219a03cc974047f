"""What ``kilocell findings`` prints: what cleaning made of each cell, and what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ..data.rules import BY_CODE
from ..data.words import many
from ..parquet_store.layout import Store
from ..sqlite import queries
from .places import check_names
from .show_reports import reports_text, with_details
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
        check_names("the store has no cell", cells, known)
        reports = with_details(catalog, store, cells)
        # All rules are read, since a store may hold codes that only another version of kilocell knows.
        found = [{column: row[column] for column in FINDING} for row in queries.findings(catalog, cells)]
    check_names("there is no cleaning rule", rules, {*BY_CODE, *(row["rule"] for row in found)})
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
    lines = table(_RULE_HEADINGS, by_rule(rules), widest=_WHOLE)
    return f"{lines}\n{many(findings, 'finding')}; each of them: name one --cell or --rule, or take --json"


def by_rule(rules: Sequence[Row]) -> list[tuple[str, str, int, int | None, int, int, str]]:
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
        taken, meaning = sum(row["rows_quarantined"] for row in rows), BY_CODE[rule].meaning if rule in BY_CODE else ""
        summed.append((rule, severity, sum(row["findings"] for row in rows), flagged, taken, len(rows), meaning))
    return sorted(summed, key=lambda line: -line[2])
