"""What commands print of starting states and temperatures that are not well known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...data.state_certainty import SUBSTITUTED, describe_state_certainty, is_beyond_range, is_state_uncertain
from ...data.text import printable_text

LINES_SHOWN: Final = 20
"""Simulations with an uncertain state up to which each has a line."""

Row = Mapping[str, Any]


def has_uncertain_state(row: Row) -> bool:
    """Tell whether the starting state is known badly enough to show it beside the error, or outside the set's range."""
    if is_beyond_range(row["initial_state_source"]):
        return True
    return is_state_uncertain(row["state_uncertainty_mv"], row["state_uncertainty_soc"], row["rmse_mv"])


def state_notes(rows: Sequence[Row]) -> str:
    """Say which simulations start from an uncertain state, and where it comes from.

    Args:
        rows: of :func:`kilocell.sqlite.queries.results`.

    Returns:
        "" where all states are known well, or are given.
    """
    uncertain = [row for row in rows if has_uncertain_state(row)]
    return _listed("starting state uncertain:", [(row, _state_words(row)) for row in uncertain])


def temperature_notes(rows: Sequence[Row]) -> str:
    """Say which simulations use another temperature than their model means.

    Args:
        rows: of :func:`kilocell.sqlite.queries.results`.
    """
    doubtful = [(row, row["temperature_source"]) for row in rows if SUBSTITUTED in (row["temperature_source"] or "")]
    return _listed("temperature:", doubtful)


def _state_words(row: Row) -> str:
    return describe_state_certainty(
        row["state_uncertainty_mv"], row["state_uncertainty_soc"], row["initial_state_source"] or ""
    )


def _listed(heading: str, lines: Sequence[tuple[Row, str]]) -> str:
    """Lay out one line for each simulation, those of a cell with the same words in one."""
    if not lines:
        return ""
    names: dict[tuple[str, str], list[str]] = {}
    for row, words in lines:
        names.setdefault((row["cell_id"], words), []).append(row["label"] or "")
    shown = [
        f"  {printable_text(cell_id)} ({printable_text(', '.join(labels))}): {printable_text(words)}"
        for (cell_id, words), labels in list(names.items())[:LINES_SHOWN]
    ]
    if len(names) > LINES_SHOWN:
        shown.append(
            f"  … and {len(names) - LINES_SHOWN} more: the columns initial_state_source and "
            'temperature_source of kilocell sql "SELECT * FROM results"'
        )
    return "\n".join([heading, *shown])
