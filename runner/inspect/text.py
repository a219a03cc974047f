"""What ``kilocell inspect`` prints for one file."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ...data.text import format_count, printable_text
from ..show.table import table
from .joined_files import JoinedFiles

MOST_CELLS: Final = 20
"""Cells of a file up to which each has a line."""

MOST_NAMED: Final = 30
"""Files of a cell up to which all are named."""

_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "runs of spaces"}
_DATES_FROM_SECOND: Final = 1e8
"""A clock from this value on, in s, counts from 1970-01-01 UTC; no test lasts three years."""

_SIGNS: Final = {"charge_positive": "positive for charge", "discharge_positive": "positive for discharge"}
Inspection = Mapping[str, Any]


def inspection_text(inspection: Inspection) -> str:
    """Lay out the inspection of one file, or the error that prevented it.

    Args:
        inspection: of :func:`kilocell.runner.inspect.raw_file.inspect_file`, or a dict of ``file`` and ``error``.
    """
    inspection = _printable(inspection)
    if "error" in inspection:
        reason = str(inspection["error"]).removeprefix(f"{inspection['file']}: ")
        return f"{inspection['file']}\n  cannot be read: {reason}"
    lines = [
        str(inspection["file"]),
        *_layout(inspection),
        "",
        *_columns(inspection),
        *_clocks_and_counters(inspection),
        "",
        *_cells(inspection),
        "",
        *_clean(inspection),
        *_uncertain(inspection),
    ]
    return "\n".join(lines)


def joined_text(joined: Sequence[JoinedFiles]) -> Iterator[str]:
    """Yield a block on the cells that several files have, unless there are none.

    Args:
        joined: of :func:`kilocell.runner.inspect.joined_files.describe_joined_files`.
    """
    if not joined:
        return
    lines = ["cells in several files"]
    for join in joined:
        lines.append(f"  {join.cell_id}: {join.words}")
        if join.order:
            shown = [*join.order[:MOST_NAMED], "…"] if len(join.order) > MOST_NAMED else join.order
            lines.append(f"    order  {', '.join(shown)}")
        lines += [f"    check  {doubt}" for doubt in join.doubts]
    yield "\n".join(map(printable_text, lines))


def _printable(value: Any) -> Any:
    """Return plain values with the control characters in all texts escaped."""
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, Mapping):
        return {key: _printable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_printable(entry) for entry in value]
    return value


def _clocks_and_counters(inspection: Inspection) -> Iterator[str]:
    for word in ("clocks", "counters"):
        found = [f"{entry['column']} ({entry['target']})" for entry in inspection[word]]
        yield f"{word:<8} {', '.join(found) or 'none'}"


def _uncertain(inspection: Inspection) -> Iterator[str]:
    for number, line in enumerate(inspection["uncertain"]):
        yield f"{'' if number else 'check':<8} {line}"


def _layout(inspection: Inspection) -> Iterator[str]:
    parts = [inspection["reader"]]
    if inspection["packed"]:
        parts.append("gzip-compressed")
    parts.append(f"{inspection['bytes']} bytes")
    yield f"reader   {', '.join(parts)}"
    if inspection["encoding"] is None:
        return
    parts = [inspection["encoding"], _DELIMITERS.get(inspection["delimiter"], inspection["delimiter"])]
    parts.append("decimal comma" if inspection["decimal"] == "," else "decimal point")
    if inspection["header_line"]:
        parts.append(f"header in line {inspection['header_line']}")
    if inspection["unit_row"]:
        parts.append("a row of units")
    parts.append(f"data from line {inspection['data_line']}")
    yield f"layout   {', '.join(parts)}"


def _columns(inspection: Inspection) -> Iterator[str]:
    keys = ("column", "target", "unit", "taken")
    rows = [[column[key] for key in keys] for column in inspection["columns"]]
    yield table(("column", "mapped to", "unit", "source"), rows)
    if inspection["unused"]:
        yield f"not used: {', '.join(inspection['unused'])}"


def _cells(inspection: Inspection) -> Iterator[str]:
    cells = inspection["cells"]
    origin = inspection["cell_id_from"]
    if origin == "stem":
        origin = "the file's name"
    rows = format_count(inspection["rows"], "row")
    yield f"{rows} of {format_count(inspection['cell_count'], 'cell')}; id from {origin}"
    lines = []
    for cell in cells[:MOST_CELLS]:
        lines.append([cell["cell_id"], cell["rows"], _time(cell["first_second"]), _time(cell["last_second"])])
    yield table(("cell", "rows", "from", "to"), lines)
    if len(cells) > MOST_CELLS:
        yield f"and {len(cells) - MOST_CELLS} more; --json lists all"


def _clean(inspection: Inspection) -> Iterator[str]:
    cleaned = inspection["cleaned"]
    if "error" in cleaned:
        yield f"cleaning fails: {cleaned['error']}"
        return
    text = (
        f"cleaning {cleaned['cell_id']}: {format_count(cleaned['rows_in'], 'row')}, {cleaned['rows_kept']} kept, "
        f"{cleaned['rows_quarantined']} quarantined; {format_count(cleaned['cycles_after'], 'cycle')}, "
        f"{format_count(cleaned['steps_after'], 'step')}, "
        f"{cleaned['charge_in_after_ah']:.4g} A.h in, {cleaned['charge_out_after_ah']:.4g} A.h out"
    )
    if cleaned["capacity_guess_ah"] is not None:
        number = format_count(cleaned["half_cycles"], "half cycle")
        text += f", estimated capacity {cleaned['capacity_guess_ah']:g} A.h (a guess, from {number})"
    yield text
    yield from _describe_not_cleaned(inspection)
    yield from _charge(cleaned)
    yield f"current  {_sign(cleaned['current_sign'])}"
    yield _findings(cleaned["findings"])


def _charge(cleaned: Inspection) -> Iterator[str]:
    """Yield what the charge is known from, and its bounds."""
    if not cleaned["charge_source"]:
        return
    bounds = [
        f"{cleaned[f'charge_{way}_low_ah']:.4g} to {cleaned[f'charge_{way}_high_ah']:.4g} A.h {way}"
        for way in ("in", "out")
        if cleaned[f"charge_{way}_low_ah"] is not None and cleaned[f"charge_{way}_high_ah"] is not None
    ]
    yield f"charge   from {cleaned['charge_source']}{'; ' if bounds else ''}{', '.join(bounds)}"


def _findings(findings: Sequence[Inspection]) -> str:
    """Lay out findings by rule, each with its first one as an example."""
    by_rule: dict[str, list[Inspection]] = {}
    for finding in findings:
        by_rule.setdefault(finding["rule"], []).append(finding)
    if not by_rule:
        return "no findings"
    lines = []
    for rule, of_rule in by_rule.items():
        first = of_rule[0]
        rows = sum(finding["rows"] for finding in of_rule)
        example = [first[key] for key in ("source_row", "before", "after", "action")]
        lines.append([rule, first["severity"], len(of_rule), rows, *example])
    return table(("finding", "severity", "times", "rows", "first at row", "before", "after", "action"), lines)


def _describe_not_cleaned(inspection: Inspection) -> Iterator[str]:
    """Yield what was not cleaned: the rest of a very long record, and the other cells."""
    cleaned = inspection["cleaned"]
    rows_by_cell = {cell["cell_id"]: cell["rows"] for cell in inspection["cells"]}
    rows = rows_by_cell.get(cleaned["cell_id"], 0)
    if rows > cleaned["rows_in"]:
        yield f"         only its first rows are cleaned here; it has {rows}"
    if inspection["cell_count"] > 1:
        others = format_count(inspection["cell_count"] - 1, "other cell")
        yield f"         not cleaned here: {others}; --cell CELL selects one of them"


def _sign(sign: Inspection) -> str:
    """Return which sign the current has in the file, and the evidence for it."""
    known = _SIGNS.get(sign["reader_says"])
    if known:
        text = f"{known}, as this reader knows"
    elif sign["turned"]:
        text = "positive for discharge or without a sign; inverted"
    else:
        text = "positive for charge"
    votes = {
        "the cycler's state column": (sign["words_charge_positive"], sign["words_discharge_positive"]),
        "voltage against current": (sign["voltage_charge_positive"], sign["voltage_discharge_positive"]),
    }
    evidence = [f"{name} {charge} and {discharge}" for name, (charge, discharge) in votes.items() if charge + discharge]
    if not evidence:
        return f"{text} (no evidence)"
    return f"{text} (votes for charge positive and discharge positive: {', '.join(evidence)})"


def _time(second: float | None) -> str:
    if second is None:
        return "–"
    if second < _DATES_FROM_SECOND:
        return f"{second:g} s"
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
