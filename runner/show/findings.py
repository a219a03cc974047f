"""``kilocell findings``: each cell before and after cleaning, and what cleaning found."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from ...data.names import check_known
from ...data.rules import RULES_BY_CODE
from ...data.text import format_count, printable_text
from ...parquet_store.layout import Store
from ...report.filters import Filters
from ...sqlite import finding_queries, queries
from .answer import Output, say_csv, write_csv
from .budget import budget_notes
from .charge import charge_table, print_notes, uncertain_cells_text
from .open_catalog import open_catalog
from .states import state_notes
from .table import table
from .terminal import print_lines

MANY_ROWS: Final = 60
"""Findings of all cells up to which each one is shown; more are summed up by rule."""

MANY_NAMED: Final = 500
"""The same limit when the user names a cell or a rule."""

FINDING: Final = (
    "cell_id",
    "rule",
    "severity",
    "rows",
    "cycle_count",
    "step_count",
    "source_index",
    "source_row",
    "before",
    "after",
    "action",
)
"""Columns of a finding, as the catalog names them."""

_FINDING_HEADINGS: Final = (
    "cell",
    "rule",
    "severity",
    "rows",
    "cycle",
    "step",
    "file",
    "source row",
    "before",
    "after",
    "action",
)
_RULE_HEADINGS: Final = ("rule", "severity", "findings", "flagged", "quarantined", "cells", "meaning")
Row = Mapping[str, Any]

MANY_CELLS: Final = 60
"""Cells up to which each has a line."""

NO_ENERGY: Final = "an earlier version cleaned some cells and did not count energy; `kilocell run` cleans them again"

LEAST_SHARE_SHOWN: Final = 1e-6
"""Changes of charge by a rule below this share of the charge in and out are not shown."""

QUANTITIES: Final = {
    "charge in": ("charge_in_{}_ah", "A.h", 1.0),
    "charge out": ("charge_out_{}_ah", "A.h", 1.0),
    "energy in": ("energy_in_{}_wh", "W.h", 1.0),
    "energy out": ("energy_out_{}_wh", "W.h", 1.0),
    "time span": ("time_span_{}_second", "h", 3600.0),
    "cycles": ("cycles_{}", "", 1),
    "steps": ("steps_{}", "", 1),
}
"""What is compared before and after cleaning: column of the clean report, unit shown, and the divisor from the column's
unit to it."""

REPORT: Final = (
    "cell_id",
    "rows_in",
    "rows_kept",
    "rows_quarantined",
    *(column.format(when) for column, _, _ in QUANTITIES.values() for when in ("before", "after")),
    "rows_inserted",
    "charge_source",
    *(f"charge_{direction}_{what}_ah" for direction in ("in", "out") for what in ("low", "high", "counted")),
)
"""Columns of a clean report, as the catalog names them."""

UNCERTAINTY: Final = ("charge_uncertainty_ah", "charge_uncertainty_percent")
"""Columns of the view ``charge_uncertainty`` that are added to a clean report."""


def show_findings(
    root: Path, filters: Filters, rules: Sequence[str], select: str | None = None, output: Output | None = None
) -> None:
    """Print each cell before and after cleaning, and the findings; many findings are summed up by rule.

    Args:
        root: the store's folder.
        filters: cells, order and number of findings.
        rules: only these; empty = all.
        select: only findings in the cycles and steps of this part of the records; ``None`` = all.
        output: where the answer goes; JSON has every finding, CSV has the findings. ``None`` = the terminal.

    Raises:
        UsageError: the store has no such cell, or there is no such rule; the text gives the nearest name.
    """
    output = output or Output()
    store = Store(root)
    with open_catalog(root, output.everything) as catalog, queries.snapshot(catalog):
        known = queries.cell_ids(catalog)
        cells = filters.choose_cells(catalog)
        by_rule: Sequence[Row] = [dict(row) for row in finding_queries.rules_found(catalog, cells)]
        # All rules are read: a store may hold codes that only another version of kilocell knows.
        check_known("there is no cleaning rule", rules, {*RULES_BY_CODE, *(row["rule"] for row in by_rule)})
        by_rule = [row for row in by_rule if not rules or row["rule"] in rules]
        total = sum(row["findings"] for row in by_rule)
        is_listed = total <= (MANY_NAMED if cells or rules else MANY_ROWS)
        findings = []
        if is_listed or select or filters.sort or filters.limit or output.json_ or output.csv:
            findings = filters.apply(_read_findings(catalog, store, cells, rules, select))
            is_listed = is_listed or bool(select or filters.sort or filters.limit) or len(findings) <= MANY_NAMED
        reports = add_details(catalog, store, cells) if output.json_ else []
        compared = "" if output.json_ else _reports_text(catalog, store, cells, known)
        sources = _source_paths(catalog, cells) if is_listed and not output.json_ else {}
        simulated = [] if output.json_ else [dict(row) for row in _results(catalog, cells)]
    write_csv(findings, output)
    if output.json_:
        print(json.dumps({"reports": reports, "findings": findings}, ensure_ascii=False, indent=1))
    else:
        print_lines(compared.split("\n"))
        print()
        print_lines((_findings_text(findings, sources) if is_listed else by_rule_text(by_rule, total)).split("\n"))
        print_notes(budget_notes(simulated, brief=True), state_notes(simulated))
    say_csv(findings, output)


def _read_findings(
    catalog: sqlite3.Connection, store: Store, cells: Sequence[str], rules: Sequence[str], select: str | None
) -> list[dict[str, Any]]:
    rows = queries.findings(catalog, cells)
    if rules:
        rows = [row for row in rows if row["rule"] in rules]
    if select is not None:
        from ...report.selected import rows_in_selection

        rows = rows_in_selection(store, rows, select, cells[0] if len(cells) == 1 else None)
    return [{column: row[column] for column in FINDING} for row in rows]


def _results(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[sqlite3.Row]:
    return [row for row in finding_queries.doubtful_results(catalog) if not cells or row["cell_id"] in cells]


def _reports_text(catalog: sqlite3.Connection, store: Store, cells: Sequence[str], known: Sequence[str]) -> str:
    """Lay out the clean reports, and name the cells that have none.

    Args:
        cells: only these; empty = all.
        known: the cells of the store.
    """
    # A row of the catalog is read by name, as a mapping is; making a dict of each takes longer than all that follows.
    reports = cast("Sequence[Row]", finding_queries.uncertain_reports(catalog, cells))
    quarantined = cast("Sequence[Row]", queries.quarantined_rows(catalog, cells))
    cleaned = {row["cell_id"] for row in reports}
    not_cleaned = [cell for cell in dict.fromkeys(cells or known) if cell not in cleaned]
    parts = []
    if len(reports) == 1:
        parts.append(_one_cell(add_details(catalog, store, (reports[0]["cell_id"],))[0], store))
    elif reports:
        parts.append(_many_cells(reports, quarantined, store))
    elif not not_cleaned:
        parts.append("no cell is cleaned yet: kilocell run cleans them")
    if any(row["energy_in_after_wh"] is None for row in reports):
        parts.append(NO_ENERGY)
    if not_cleaned:
        named = ", ".join(map(printable_text, not_cleaned[:5]))
        if len(not_cleaned) > 5:
            named += ", …"
        parts.append(f"not cleaned: {named}; kilocell status shows why")
    return "\n".join(parts)


def _source_paths(catalog: sqlite3.Connection, cells: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths of the raw files of each cell, in the order of time."""
    grouped = _grouped(queries.record_sources(catalog, cells), ("path",))
    return {cell_id: [row["path"] for row in rows] for cell_id, rows in grouped.items()}


def _findings_text(findings: Sequence[Row], sources: Mapping[str, list[str]]) -> str:
    """Lay out findings, one per line; the file is shown only where a cell has several."""
    if not findings:
        return "no findings"
    columns = list(zip(_FINDING_HEADINGS, FINDING, strict=True))
    if all(len(files) < 2 for files in sources.values()):
        columns = [column for column in columns if column[0] != "file"]
    lines = []
    for row in findings:
        shown = {**row, "source_index": _file(row, sources)}
        lines.append([shown[name] for _, name in columns])
    return table([heading for heading, _ in columns], lines)


def _file(row: Row, sources: Mapping[str, list[str]]) -> str | int:
    """Return the name of the file that a finding is in, or its number where the name is not known."""
    files = sources.get(row["cell_id"], [])
    index: int = row["source_index"]
    if index < len(files):
        return Path(files[index]).name
    return index


def by_rule_text(rules: Sequence[Row], findings: int) -> str:
    """Lay out what each rule did, over some cells.

    Args:
        rules: of :func:`kilocell.sqlite.finding_queries.rules_found`.
        findings: their number.
    """
    lines = table(_RULE_HEADINGS, [(*row.values(), _meaning(row["rule"])) for row in rules])
    return f"{lines}\n{format_count(findings, 'finding')}; to see each one, add --cell CELL, --rule RULE or --json"


def _meaning(rule: str) -> str:
    """Return what a rule means; "" for one that only another version of kilocell knows."""
    return RULES_BY_CODE[rule].meaning if rule in RULES_BY_CODE else ""


def add_details(catalog: sqlite3.Connection, store: Store, cells: Sequence[str]) -> list[dict[str, Any]]:
    """Return the clean reports with their raw files, and by rule the rows quarantined and the charge changed.

    Args:
        cells: only these; empty = all.

    Returns:
        A dict per cell: the columns ``REPORT`` and ``UNCERTAINTY``, ``sources`` (paths), ``rules``, ``quarantined``,
        ``quarantine_path`` (relative to the store; ``None`` = no row was quarantined) and ``charge_by_rule`` (A.h).
    """
    sources = _grouped(queries.record_sources(catalog, cells), ("path",))
    quarantined = _grouped(queries.quarantined_rows(catalog, cells), ("rule", "rows", "source_index", "path"))
    rules = _grouped(
        queries.rules_by_cell(catalog, cells), ("rule", "severity", "findings", "samples_flagged", "rows_quarantined")
    )
    uncertainty = _grouped(queries.charge_uncertainty(catalog, cells), UNCERTAINTY)
    charge = _grouped(queries.charge_by_rule(catalog, cells), ("rule", "charge_in_ah", "charge_out_ah"))
    reports = []
    for row in queries.clean_reports(catalog, cells):
        cell_id = row["cell_id"]
        report = {column: row[column] for column in REPORT}
        report |= {column: uncertainty[cell_id][0][column] for column in UNCERTAINTY}
        report["sources"] = [source["path"] for source in sources.get(cell_id, ())]
        report["rules"] = rules.get(cell_id, [])
        report["quarantined"] = quarantined.get(cell_id, [])
        report["quarantine_path"] = store.quarantine_name(cell_id) if row["rows_quarantined"] else None
        report["charge_by_rule"] = charge.get(cell_id, [])
        reports.append(report)
    return reports


def _grouped(rows: Iterable[Any], columns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return these columns of rows by ``cell_id``."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["cell_id"], []).append({column: row[column] for column in columns})
    return grouped


def _one_cell(report: Row, store: Store) -> str:
    rows_in = report["rows_in"]
    rows_kept = report["rows_kept"]
    lines = [("rows", "", str(rows_in), str(rows_kept), _difference(rows_in, rows_kept))]
    for name, (column, unit, factor) in QUANTITIES.items():
        before = _scaled(report[column.format("before")], factor)
        after = _scaled(report[column.format("after")], factor)
        lines.append((name, unit, _text(before), _text(after), _difference(before, after)))
    parts = [table((report["cell_id"], "unit", "before", "after", "change"), lines, right=(2, 3, 4))]
    if report["rows_quarantined"]:
        path = store.root / report["quarantine_path"]
        parts.append(
            f"quarantined  {_quarantined_by_rule([report], report['quarantined'])}; the raw rows are in {path}"
        )
    if report["rows_inserted"]:
        parts.append(f"inserted     {format_count(report['rows_inserted'], 'sample')} at step edges; no rows of a file")
    changes = _charge_changes(report)
    if changes:
        parts.append(f"charge, A.h  {'; '.join(changes)}")
    parts.append(charge_table(report))
    parts.append(uncertain_cells_text([report]))
    return "\n".join(filter(None, parts))


def _charge_changes(report: Row) -> list[str]:
    """Return what each rule did to the charge in A.h, without changes that are negligible beside the total."""
    least_ah = LEAST_SHARE_SHOWN * (report["charge_in_after_ah"] + report["charge_out_after_ah"])
    changes = []
    for row in report["charge_by_rule"]:
        signed = []
        for column, direction in (("charge_in_ah", "in"), ("charge_out_ah", "out")):
            if abs(row[column]) >= least_ah:
                signed.append(f"{row[column]:+.3g} {direction}")
        if signed:
            changes.append(f"{row['rule']} {', '.join(signed)}")
    return changes


def _many_cells(reports: Sequence[Row], quarantined: Sequence[Row], store: Store) -> str:
    """Lay out one line for each cell, and the rows quarantined by rule, over all of them."""
    headings = ["cell", "rows in", "kept", "quarantined"]
    headings += [f"{name} {unit}".strip() for name, (_, unit, _) in QUANTITIES.items()]
    text = table(headings, [_line(row) for row in reports[:MANY_CELLS]], right=range(1, len(headings)))
    more = len(reports) - MANY_CELLS
    if more > 0:
        text += f"\n… and {format_count(more, 'more cell')}; to see others, add --cell CELL or --json"
    if any(row["rows_quarantined"] for row in reports):
        folder = store.quarantine("CELL").parent
        by_rule = _quarantined_by_rule(reports, quarantined)
        text += f"\nquarantined  {by_rule}; the raw rows are in {folder}, one file per cell that has any"
    uncertain = uncertain_cells_text(reports)
    return "\n".join(filter(None, (text, uncertain)))


def _line(row: Row) -> tuple[Any, ...]:
    """Return one cell's line of the table: each quantity as ``before → after``, or once where it did not change."""
    changes = []
    for column, _, factor in QUANTITIES.values():
        before = _text(_scaled(row[column.format("before")], factor))
        after = _text(_scaled(row[column.format("after")], factor))
        if before != after:
            after = f"{before} → {after}"
        changes.append(after)
    return (*(row[name] for name in REPORT[:4]), *changes)


def _quarantined_by_rule(reports: Sequence[Row], quarantined: Sequence[Row]) -> str:
    """Return the rows quarantined by rule, over some cells; rows that an earlier version did not count by rule last."""
    counted: Counter[str] = Counter()
    for row in quarantined:
        counted[row["rule"]] += row["rows"]
    total = sum(report["rows_quarantined"] for report in reports)
    rest = total - counted.total()
    if rest:
        counted["not counted by rule"] = rest
    return ", ".join(f"{rule} {rows}" for rule, rows in counted.most_common())


def _scaled(value: float | None, factor: float) -> float | None:
    if value is None or factor == 1:
        return value
    return value / factor


def _text(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.5g}"


def _difference(before: float | None, after: float | None) -> str:
    """Return the change: whole numbers as a difference, others in percent, nothing where nothing changed."""
    if before is None or after is None or _text(before) == _text(after):
        return ""
    if isinstance(before, int) and isinstance(after, int):
        return f"{after - before:+d}"
    if before == 0:
        return ""
    return f"{100 * (after - before) / before:+.2f} %"
