"""What ``kilocell findings`` prints: what cleaning made of each cell, and what it found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ..data.rules import BY_CODE
from ..parquet_store.layout import Store
from ..sqlite import queries
from .places import check_names
from .table import table

MANY_ROWS: Final = 60
REPORT: Final = (
    *("cell_id", "rows_in", "rows_kept", "rows_quarantined", "charge_in_before_ah", "charge_in_after_ah"),
    *("charge_out_before_ah", "charge_out_after_ah", "time_span_before_second", "time_span_after_second"),
    *("cycles_before", "cycles_after", "steps_before", "steps_after"),
)
FINDING: Final = (
    *("cell_id", "rule", "severity", "rows", "cycle_count", "step_count", "source_index", "source_row"),
    *("before", "after", "action"),
)
_REPORT_HEADINGS: Final = (
    *("cell", "rows in", "kept", "quarantined", "charge in A.h", "charge out A.h", "time span h", "cycles", "steps"),
)
_FINDING_HEADINGS: Final = (
    *("cell", "rule", "severity", "rows", "cycle", "step", "source row", "before", "after", "action"),
)
_RULE_HEADINGS: Final = ("rule", "severity", "findings", "rows", "cells", "meaning")

Row = Mapping[str, Any]


def show_findings(root: Path, cells: Sequence[str], rules: Sequence[str], json_: bool) -> None:
    """Print the clean report of each cell and the findings, summed up by rule where they are many.

    Args:
        cells, rules: only these; empty = all.

    Raises:
        UsageError: the store has no such cell, or there is no such rule; gives the nearest name.
    """
    with closing(queries.connect(Store(root).catalog)) as catalog, queries.snapshot(catalog):
        known = queries.cell_ids(catalog)
        check_names("the store has no cell", cells, known)
        reports = [_picked(row, REPORT) for row in queries.clean_reports(catalog, cells)]
        # All rules are read, since a store may hold codes that only another version of kilocell knows.
        found = [_picked(row, FINDING) for row in queries.findings(catalog, cells)]
    check_names("there is no cleaning rule", rules, {*BY_CODE, *(row["rule"] for row in found)})
    found = [row for row in found if not rules or row["rule"] in rules]
    if json_:
        print(json.dumps({"reports": reports, "findings": found}, ensure_ascii=False, indent=1))
        return
    print(_reports_text(reports) if reports else "nothing is cleaned yet")
    without = [name for name in dict.fromkeys(cells or known) if name not in {row["cell_id"] for row in reports}]
    if without and reports:
        print(f"not cleaned: {', '.join(without[:5])}{', …' * (len(without) > 5)}; kilocell status says why")
    print("\n" + _findings_text(found))


def _picked(row: Any, columns: Sequence[str]) -> dict[str, Any]:
    return {column: row[column] for column in columns}


def _reports_text(reports: Sequence[Row]) -> str:
    text = table(_REPORT_HEADINGS, [_report_line(row) for row in reports[:MANY_ROWS]])
    more = len(reports) - MANY_ROWS
    return text + (f"\n… and {more} more cells: name some with --cell, or take --json" if more > 0 else "")


def _report_line(row: Row) -> tuple[Any, ...]:
    hours = [None if row[name] is None else row[name] / 3600 for name in REPORT[8:10]]
    return (
        *(row[name] for name in REPORT[:4]),
        _change(row["charge_in_before_ah"], row["charge_in_after_ah"]),
        _change(row["charge_out_before_ah"], row["charge_out_after_ah"]),
        _change(*hours),
        _change(row["cycles_before"], row["cycles_after"]),
        _change(row["steps_before"], row["steps_after"]),
    )


def _change(before: float | None, after: float | None) -> str:
    """Both values where they differ as written, else the one."""
    old, new = ("–" if value is None else f"{value:.5g}" for value in (before, after))
    if isinstance(before, int) and isinstance(after, int):
        old, new = str(before), str(after)
    return new if old == new else f"{old} → {new}"


def _findings_text(found: Sequence[Row]) -> str:
    if not found:
        return "no findings"
    if len(found) > MANY_ROWS:
        return (
            table(_RULE_HEADINGS, by_rule(found))
            + f"\n{len(found)} findings; each of them: name --cell or --rule, or take --json"
        )
    lines = [tuple(row[name] for name in FINDING if name != "source_index") for row in found]
    return table(_FINDING_HEADINGS, lines)


def by_rule(found: Sequence[Row]) -> list[tuple[str, str, int, int, int, str]]:
    """Sum findings up: (rule, worst severity, findings, rows, cells, meaning), the most frequent rule first."""
    summed: list[tuple[str, str, int, int, int, str]] = []
    for rule, count in Counter(row["rule"] for row in found).most_common():
        of_rule = [row for row in found if row["rule"] == rule]
        severity = max((row["severity"] for row in of_rule), key=("info", "warning", "error").index)
        rows, cells = sum(row["rows"] for row in of_rule), len({row["cell_id"] for row in of_rule})
        summed.append((rule, severity, count, rows, cells, BY_CODE[rule].meaning if rule in BY_CODE else ""))
    return summed
