"""What commands print of error budgets: a column with a mark, and which part is the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...data.error_budget import LIMIT_MV, MARK, MARK_UNKNOWN, WORDS, error_budget, format_mv
from ...data.text import format_count, printable_text

HEADING: Final = "± mV"
"""Column of the error budget, beside the RMSE."""

LINES_SHOWN: Final = 10
"""Simulations with a budget that is too large up to which each has its parts."""

Row = Mapping[str, Any]


def has_budget(row: Row) -> bool:
    """Tell whether a result has an error budget; one of an earlier version, or without an RMSE, has none."""
    return row["error_budget_mv"] is not None


def budget_text(row: Row) -> str | None:
    """Return the error budget for a table, such as ``! 1.3``; ``None`` = there is none."""
    if not has_budget(row):
        return None
    total = format_mv(row["error_budget_mv"])
    if row["error_budget_too_large"]:
        return f"{MARK} {total}"
    return f"{MARK_UNKNOWN} {total}" if row["error_budget_unknown"] else total


def budget_notes(rows: Sequence[Row], *, brief: bool = False) -> str:
    """Say what the marks mean, how many results have them, and of which parts the marked budgets are.

    Args:
        rows: of :func:`kilocell.sqlite.queries.results`.
        brief: only how many, and of which part.

    Returns:
        "" where no budget is marked.
    """
    known = [row for row in rows if has_budget(row)]
    large = [row for row in known if row["error_budget_too_large"]]
    unknown = [row for row in known if row["error_budget_unknown"]]
    parts = []
    if large:
        counted = _largest_parts(large)
        what = f"the error budget exceeds {LIMIT_MV:g} mV or a tenth of the RMSE"
        line = f"{MARK}  {what} in {format_count(len(large), 'result')}; largest part: {counted}"
        parts.append(f"{line}; all parts: kilocell results" if brief else line)
        if not brief:
            parts += _lines(large)
    if unknown:
        missing = dict.fromkeys(name for row in unknown for name in error_budget(row).unknown)
        named = ", ".join(WORDS[name] for name in missing)
        parts.append(
            f"{MARK_UNKNOWN}  a part of the budget is unknown in {format_count(len(unknown), 'result')}: {named}"
        )
    return "\n".join(parts)


def _largest_parts(rows: Sequence[Row]) -> str:
    """Return ``starting state (6), charge (2)``."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["error_budget_main"]] = counts.get(row["error_budget_main"], 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    if len(ordered) == 1:
        return WORDS[ordered[0][0]]
    return ", ".join(f"{WORDS[name]} ({count})" for name, count in ordered)


def _lines(rows: Sequence[Row]) -> list[str]:
    """Return one line of parts for each simulation."""
    shown = []
    for row in rows[:LINES_SHOWN]:
        name = printable_text(f"{row['cell_id']} {row['label'] or ''}")
        shown.append(f"   {name}: {error_budget(row).describe_parts()}")
    if len(rows) > LINES_SHOWN:
        shown.append(f"   … and {len(rows) - LINES_SHOWN} more: kilocell results --json")
    return shown
