"""What ``kilocell inspect`` prints for one file."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...data.text import format_count
from ..show.table import table

MOST_CELLS: Final = 20
_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "runs of spaces"}
_DATES_FROM: Final = 1e8  # s; a clock that has counted so many counts them since 1970
Found = Mapping[str, Any]


def inspection_text(found: Found) -> str:
    """Lay out what :func:`kilocell.runner.inspect.raw_file.inspect_file` found, or the error that kept it from it."""
    if "error" in found:
        reason = str(found["error"]).removeprefix(f"{found['file']}: ")
        return f"{found['file']}\n  cannot be read: {reason}"
    return "\n".join(
        [str(found["file"]), *_layout(found), "", *_columns(found), "", *_cells(found), "", *_clean(found)]
    )


def _layout(found: Found) -> Iterator[str]:
    yield f"reader   {found['reader']}{', packed with gzip' if found['packed'] else ''}, {found['bytes']} bytes"
    if found["encoding"] is None:
        return
    where = f"header in line {found['header_line']}, " if found["header_line"] else ""
    where += "a row of units, " if found["unit_row"] else ""
    delimiter = _DELIMITERS.get(found["delimiter"], found["delimiter"])
    decimal = "comma" if found["decimal"] == "," else "point"
    yield f"layout   {found['encoding']}, {delimiter}, decimal {decimal}, {where}data from line {found['data_line']}"


def _columns(found: Found) -> Iterator[str]:
    rows = [[entry[key] for key in ("column", "target", "unit", "taken")] for entry in found["columns"]]
    yield table(("column", "taken for", "unit", "by"), rows)
    if found["unused"]:
        yield f"not used: {', '.join(found['unused'])}"


def _cells(found: Found) -> Iterator[str]:
    cells = found["cells"]
    source = {"stem": "the file's name"}.get(found["cell_id_from"], found["cell_id_from"])
    yield f"{format_count(found['rows'], 'row')} of {format_count(found['cell_count'], 'cell')}; id from {source}"
    rows = [[e["cell_id"], e["rows"], _time(e["first_second"]), _time(e["last_second"])] for e in cells[:MOST_CELLS]]
    yield table(("cell", "rows", "from", "to"), rows)
    if len(cells) > MOST_CELLS:
        yield f"and {len(cells) - MOST_CELLS} more; --json lists all"


def _clean(found: Found) -> Iterator[str]:
    cleaned = found["cleaned"]
    guess = cleaned["capacity_guess_ah"]
    capacity = "" if guess is None else f", capacity perhaps {guess:g} A.h"
    if "error" in cleaned:
        yield f"cleaning fails: {cleaned['error']}"
        return
    yield (
        f"cleaning {cleaned['cell_id']}: {format_count(cleaned['rows_in'], 'row')}, {cleaned['rows_kept']} kept, "
        f"{cleaned['rows_quarantined']} quarantined; {format_count(cleaned['cycles_after'], 'cycle')}, "
        f"{format_count(cleaned['steps_after'], 'step')}, "
        f"{cleaned['charge_in_after_ah']:.4g} A.h in, {cleaned['charge_out_after_ah']:.4g} A.h out{capacity}"
    )
    yield from _describe_not_cleaned(found)
    yield f"current  {_sign(cleaned['current_sign'])}"
    findings = cleaned["findings"]
    counts = Counter(entry["rule"] for entry in findings)
    rows = []
    for rule, count in counts.items():
        first = next(entry for entry in findings if entry["rule"] == rule)
        touched = sum(entry["rows"] for entry in findings if entry["rule"] == rule)
        example = [first[key] for key in ("source_row", "before", "after", "action")]
        rows.append([rule, first["severity"], count, touched, *example])
    headings = ("finding", "severity", "times", "rows", "first at row", "before", "after", "action")
    yield table(headings, rows) if rows else "no findings"


def _describe_not_cleaned(found: Found) -> Iterator[str]:
    """Say what was not cleaned: the other cells, and the rest of a very long record."""
    cleaned = found["cleaned"]
    rows = next((entry["rows"] for entry in found["cells"] if entry["cell_id"] == cleaned["cell_id"]), 0)
    if rows > cleaned["rows_in"]:
        yield f"         these are its first rows; it has {rows}"
    if found["cell_count"] > 1:
        others = format_count(found["cell_count"] - 1, "other cell")
        yield f"         not cleaned here: {others}; --cell CELL takes one of them"


def _sign(sign: Found) -> str:
    says = {"charge_positive": "positive for charge", "discharge_positive": "positive for discharge"}
    stated = says.get(sign["reader_says"])
    taken = f"{stated}, as this reader knows" if stated else "positive for charge"
    if sign["turned"] and not stated:
        taken = "positive for discharge or without a sign; turned"
    words = sign["words_charge_positive"], sign["words_discharge_positive"]
    votes = sign["voltage_charge_positive"], sign["voltage_discharge_positive"]
    evidence = [
        f"{name} {told[0]} and {told[1]}"
        for name, told in (("the cycler's words", words), ("voltage against current", votes))
        if sum(told)
    ]
    shown = (
        f" (votes for charge positive and discharge positive: {', '.join(evidence)})"
        if evidence
        else " (nothing tells)"
    )
    return taken + shown


def _time(second: float | None) -> str:
    if second is None:
        return "–"
    if second < _DATES_FROM:
        return f"{second:g} s"
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
