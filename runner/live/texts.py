"""The texts of the live page as HTML. Everything that comes from data is escaped: a cell may be called ``<script>``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from ...data.text import format_count, format_duration, printable_text
from ...report.styles import Styles
from .failures import FailureGroup
from .grid import Column
from .rates import Remaining, Stage
from .rmse import Series
from .state import Summary

NAME_CHARACTERS: Final = 48
"""Longest name that is shown whole. Chosen, not measured."""

REASON_CHARACTERS: Final = 400
UNKNOWN: Final = "–"
ENDED_CLASS: Final = "run-ended"
"""CSS class of the summary of a run that ended; the page looks for it when the connection is lost."""

STAGE_HEADINGS: Final = ("stage", "ended", "of", "running", "failed", "skipped", "s per job")


def shorten(text: str, characters: int = NAME_CHARACTERS) -> str:
    """Return a text on one line, its middle left out if it is longer than ``characters``; not escaped."""
    line = printable_text(text)
    if len(line) <= characters:
        return line
    half = (characters - 1) // 2
    return f"{line[: characters - 1 - half]}…{line[-half:]}"


def column_title(column: Column) -> str:
    """Return the cells of a column of the grid in words; not escaped."""
    if column.cells == 1:
        return shorten(column.first)
    return f"{shorten(column.first)} to {shorten(column.last)} ({column.cells} cells)"


def summary_html(summary: Summary) -> str:
    """Return the numbers at the top of the page."""
    ended = summary.count("ended")
    failed = summary.count("failed")
    share = round(100 * ended / summary.total) if summary.total else 100
    if ended < summary.total:
        share = min(share, 99)  # 100 % is all of them
    numbers = [
        (f"{ended:,} / {summary.total:,}", f"jobs ended ({share} %)"),
        (_rate(summary.jobs_per_minute), "jobs per minute"),
        (format_duration(summary.elapsed_second), "since the start"),
    ]
    if not summary.ended:
        numbers.insert(2, (_left(summary.left), "left"))
    numbers.append((f"{failed:,}", "failed"))
    tiles = "".join(
        f'<div class="tile{" bad" if what == "failed" and failed else ""}"><b>{value}</b><span>{what}</span></div>'
        for value, what in numbers
    )
    return f'<div class="tiles">{tiles}</div>{_note(summary)}'


def _note(summary: Summary) -> str:
    before = summary.count("before")
    notes = []
    if summary.ended:
        notes.append(
            f'<b class="{ENDED_CLASS}">The run {escape(summary.ended)}.</b> This page does not change any more.'
        )
    if before:
        notes.append(f"{before:,} of the jobs were up to date before this run.")
    if summary.left is not None and summary.left.is_lower_bound and not summary.ended:
        notes.append("The time left does not include stages of which no job has ended yet.")
    return f"<p>{' '.join(notes)}</p>" if notes else ""


def _rate(jobs_per_minute: float | None) -> str:
    if jobs_per_minute is None:
        return UNKNOWN
    return f"{jobs_per_minute:,.0f}" if jobs_per_minute >= 10 else f"{jobs_per_minute:.1f}"


def _left(left: Remaining | None) -> str:
    if left is None or (left.is_lower_bound and left.seconds < 1):
        return UNKNOWN
    return f"{'≥ ' if left.is_lower_bound else ''}{format_duration(left.seconds)}"


def stages_html(stages: Sequence[Stage]) -> str:
    """Return the table of stages."""
    rows = [
        (
            shorten(stage.name),
            f"{stage.ended:,}",
            f"{stage.total:,}",
            f"{stage.running:,}",
            f"{stage.failed:,}",
            f"{stage.skipped:,}",
            _mean_second(stage),
        )
        for stage in stages
    ]
    return _table(STAGE_HEADINGS, rows, "stages")


def _mean_second(stage: Stage) -> str:
    timed = stage.done + stage.failed
    return f"{stage.seconds / timed:.3g}" if timed else UNKNOWN


def rmse_html(rmse: Mapping[Series, tuple[list[int], int, float]], styles: Styles) -> str:
    """Return the legend of the distribution of the RMSE, with number and median of each line.

    Args:
        rmse: counts in the bins, number and median (mV) of each line.
        styles: colours of the models.
    """
    if not rmse:
        return "<p>No simulation has ended yet.</p>"
    items = "".join(
        f'<li><i style="border-top: 3px {"dashed" if series.is_fitted else "solid"} '
        f'{styles.model(series.model).colour}"></i>{escape(shorten(series.title))}: {number:,}, '
        f"median {median_mv:.3g} mV</li>"
        for series, (_, number, median_mv) in rmse.items()
    )
    return f'<ul class="lines">{items}</ul>'


def failures_html(failures: Sequence[FailureGroup], reasons: int) -> str:
    """Return the newest failures by reason.

    Args:
        failures: those that are shown, the newest first.
        reasons: number of all reasons.
    """
    if not failures:
        return "<p>No job failed so far.</p>"
    items = "".join(f"<li>{_failure(group)}</li>" for group in failures)
    more = ""
    if reasons > len(failures):
        more = f"<p>… and {format_count(reasons - len(failures), 'older reason')}: <code>kilocell status</code></p>"
    return f'<ul class="failures">{items}</ul>{more}'


def _failure(group: FailureGroup) -> str:
    cells = ", ".join(f"<code>{escape(shorten(cell))}</code>" for cell in group.cells)
    if group.cell_count > len(group.cells):
        cells += f" and {group.cell_count - len(group.cells):,} more"
    stages = ", ".join(escape(shorten(stage)) for stage in group.stages)
    reason = escape(shorten(group.reason, REASON_CHARACTERS))
    newest = ", the newest" if group.varies else ""
    return f"<b>{format_count(group.jobs, 'job')}</b> ({stages}){newest}: {reason}<br><small>{cells}</small>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(value)}</td>" for value in row[1:])}</tr>'
        for row in rows
    )
    return f'<table class="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
