"""What commands print of how well charges are known: source, bounds and counters, and what a charge check is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...data.charge_certainty import SHOWN_SHARE, ChargeCertainty, describe_charge_check, uncertain_share
from ...data.text import printable_text
from .table import table
from .terminal import print_lines

SHOWN_PERCENT: Final = 100.0 * SHOWN_SHARE
"""Uncertainty of a charge (% of the throughput) above which it is shown beside results."""

CELLS_SHOWN: Final = 20
"""Cells with an uncertain charge up to which each has a line."""

GUESSES: Final = {"capacity_source": "the nominal capacity", "parameter_set_source": "the parameter set"}
"""Columns of the catalog that mark a guess of ``kilocell init``, and what was guessed."""

Row = Mapping[str, Any]


def is_uncertain(row: Row) -> bool:
    """Tell whether the charge of a cell or simulation is known badly enough to show it beside results.

    Args:
        row: with ``charge_uncertainty_percent``; ``None`` = not known.
    """
    percent = row["charge_uncertainty_percent"]
    return percent is not None and percent > SHOWN_PERCENT


def charge_table(report: Row) -> str:
    """Lay out the charge of one cell with its bounds and the counters' value.

    Args:
        report: a row of ``clean_reports``.

    Returns:
        "" where an older version cleaned the cell and stated no source.
    """
    if not report["charge_source"]:
        return ""
    lines = []
    for direction in ("in", "out"):
        columns = (f"charge_{direction}_low_ah", f"charge_{direction}_after_ah", f"charge_{direction}_high_ah")
        values = [_number(report[column]) for column in (*columns, f"charge_{direction}_counted_ah")]
        lines.append((f"charge {direction}", "A.h", *values))
    headings = (f"from {report['charge_source']}", "unit", "at least", "cleaned", "at most", "counters")
    return table(headings, lines, right=(2, 3, 4, 5))


def uncertain_cells_text(reports: Sequence[Row]) -> str:
    """Say in which cells the charge is uncertain, one line each, with the bounds.

    Args:
        reports: rows with the columns of the view ``charge_uncertainty``.

    Returns:
        "" where it is uncertain in none.
    """
    uncertain = [row for row in reports if is_uncertain(row)]
    lines = [_uncertain_cell(row) for row in uncertain[:CELLS_SHOWN]]
    return _listed("charge uncertain:", lines, len(uncertain))


def _uncertain_cell(row: Row) -> str:
    bounds = [
        f"{direction} {_number(row[f'charge_{direction}_low_ah'])} to {_number(row[f'charge_{direction}_high_ah'])} A.h"
        for direction in ("in", "out")
    ]
    source = f", from {row['charge_source']}" if row["charge_source"] else ""
    return f"{row['cell_id']}: {', '.join(bounds)} (±{row['charge_uncertainty_percent']:.2g} %{source})"


def charge_notes(rows: Sequence[Row]) -> str:
    """Say for each cell with an uncertain charge what the charge check of its simulations is worth.

    Args:
        rows: of :func:`kilocell.sqlite.queries.results`.

    Returns:
        "" where no charge is uncertain.
    """
    worst: dict[str, Row] = {}
    for row in filter(is_uncertain, rows):
        known = worst.get(row["cell_id"])
        if known is None or (row["charge_error"] or 0.0) > (known["charge_error"] or 0.0):
            worst[row["cell_id"]] = row
    lines = [f"{cell_id}: {_check_words(row)}" for cell_id, row in list(worst.items())[:CELLS_SHOWN]]
    return _listed("charge uncertain:", lines, len(worst))


def _check_words(row: Row) -> str:
    throughput = 100.0 * row["charge_uncertainty_ah"] / row["charge_uncertainty_percent"]
    certainty = ChargeCertainty(row["charge_source"] or "", throughput, row["charge_uncertainty_ah"])
    return describe_charge_check(row["charge_error"], certainty)


def guess_notes(rows: Sequence[Row]) -> str:
    """Say which cells have a guessed capacity or parameter set.

    Args:
        rows: of :func:`kilocell.sqlite.queries.results`.

    Returns:
        "" where nothing is guessed.
    """
    notes = []
    for column, words in GUESSES.items():
        cells = list(dict.fromkeys(row["cell_id"] for row in rows if row[column] == "guess"))
        if cells:
            named = ", ".join(map(printable_text, cells[:CELLS_SHOWN]))
            if len(cells) > CELLS_SHOWN:
                named += ", …"
            notes.append(
                f"{words} is a guess in: {named}; check it, then remove it from `guessed` in the campaign file"
            )
    return "\n".join(notes)


def short_charge_words(row: Row) -> str:
    """Return ``charge ±3 %`` where the charge of a fit's cycles is uncertain, else "".

    Args:
        row: with ``charge_uncertainty_ah`` and ``charge_throughput_ah``; ``None`` or absent = not known.
    """
    share = uncertain_share(row.get("charge_uncertainty_ah"), row.get("charge_throughput_ah"))
    if share is None or share <= SHOWN_SHARE:
        return ""
    return f"charge ±{100.0 * share:.2g} %"


def print_notes(*notes: str) -> None:
    """Print the notes that say something, each after an empty line; on a terminal, long lines are wrapped."""
    for note in filter(None, notes):
        print()
        print_lines(note.split("\n"))


def _listed(heading: str, lines: Sequence[str], total: int) -> str:
    if not lines:
        return ""
    shown = [heading, *(f"  {printable_text(line)}" for line in lines)]
    if total > len(lines):
        shown.append('  … to see all: kilocell sql "SELECT * FROM charge_uncertainty"')
    return "\n".join(shown)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"
