"""The page about fits: which parameters improved the voltage, by how much, and how reliable their values are."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...data.verdict_words import verdict_kind
from ...sqlite import fit_queries, slide_queries
from ..styles import Styles
from .content import Change, Changes, Lines, Panel, Slide, Table, missing
from .words import amount, count, median, millivolts, short

Row = Mapping[str, Any]

ROWS_SHOWN: Final = 5
WITH_WINDOWS: Final = 2
"""At most this number of fits leaves room for the windows after a step's start."""

WINDOWS: Final = {
    "ohmic": "first 2 s of each step (ohmic)",
    "kinetic": "2 to 20 s (kinetic)",
    "diffusion": "20 to 120 s (diffusion)",
    "capacity": "later (capacity)",
}
PARAMETERS_SHOWN: Final = 5
TITLE: Final = "Fit results"
_UNIT: Final = re.compile(r"\s*\[[^\]]*\]\s*$")


def fits(catalog: sqlite3.Connection, styles: Styles) -> Slide:
    """Return the page.

    Args:
        catalog: from ``queries.connect``.
        styles: of the store's models.
    """
    rows = [dict(row) for row in fit_queries.fits(catalog)]
    done = [row for row in rows if row["status"] == "done" and row["rmse_mv"] is not None]
    if not done:
        return _nothing(rows)
    known = [row for row in done if row["rmse_default_mv"] is not None]
    title = f"{TITLE}: {count(len(done), 'fit')}"
    if known:
        before = median([row["rmse_default_mv"] for row in known])
        after = median([row["rmse_mv"] for row in known])
        title += f", RMSE {amount(before)} → {amount(after)} mV{' (median)' if len(known) > 1 else ''}"
    parameters = [dict(row) for row in fit_queries.fit_parameters(catalog) if row["status"] == "done"]
    changes = _with_windows(changes_of(known, styles), catalog, known, styles)
    voltage = changes if changes.rows else Lines(("The RMSE before the fits is unknown.",))
    return Slide(
        title,
        (
            Panel("RMSE before → after the fit (mV)", voltage, (0.6, 2.55, 5.9, 3.5)),
            Panel("Parameters", _parameter_table(parameters), (6.8, 2.55, 5.93, 3.5)),
            Panel("How reliable?", Lines(tuple(_reliability(rows, done, parameters))), (0.6, 0.85, 12.13, 1.6)),
        ),
    )


def _nothing(rows: Sequence[Row]) -> Slide:
    failed = [row for row in rows if row["status"] == "failed"]
    if failed:
        reason, number = Counter(str(row["reason"] or row["reason_code"]) for row in failed).most_common(1)[0]
        return missing(
            f"{TITLE}: {count(len(failed), 'fit')} failed, none is done",
            f"{number} of them: {short(reason, 160)}",
            "To see every reason, run:",
            "kilocell status",
        )
    if rows:
        return missing(f"{TITLE}: {count(len(rows), 'fit')} planned, none is done", "To run them:", "kilocell run")
    return missing(
        f"{TITLE}: no fit is planned",
        "To fit both particle diffusivities of every cell, run:",
        "kilocell fit --preset diffusion",
        "Other presets: ohmic, kinetic, balance, ageing.",
    )


def changes_of(fits: Sequence[Row], styles: Styles) -> Changes:
    """Return the RMSE before and after: of each fit of a cell, or if there are many, the medians of each fit.

    Args:
        fits: finished fits with both values.
        styles: of the store's models.
    """
    if len(fits) <= ROWS_SHOWN:
        ordered = sorted(fits, key=lambda row: row["rmse_mv"] - row["rmse_default_mv"])
        return Changes(
            ("fit", "RMSE"),
            tuple(
                Change(
                    f"{short(row['fit'], 16)}, {short(row['cell_id'], 20)}",
                    row["rmse_default_mv"],
                    row["rmse_mv"],
                    f"{amount(row['rmse_default_mv'])} → {millivolts(row['rmse_mv'])}",
                    styles.model(row["model"]).colour,
                )
                for row in ordered
            ),
        )
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in fits:
        groups.setdefault((row["fit"], row["model"]), []).append(row)
    changes = []
    for (fit, model), of_group in groups.items():
        before = median([row["rmse_default_mv"] for row in of_group]) or 0.0
        after = median([row["rmse_mv"] for row in of_group]) or 0.0
        label = f"{short(fit, 16)}, {model}, {count(len(of_group), 'cell')}"
        colour = styles.model(model).colour
        changes.append(Change(label, before, after, f"{amount(before)} → {millivolts(after)}", colour))
    changes.sort(key=lambda change: change.after - change.before)
    note = "medians over the cells"
    if len(changes) > ROWS_SHOWN:
        more = len(changes) - ROWS_SHOWN
        note += "; 1 more fit improves less" if more == 1 else f"; {more} more fits improve less"
    return Changes(("fit", "RMSE"), tuple(changes[:ROWS_SHOWN]), note)


def _with_windows(changes: Changes, catalog: sqlite3.Connection, fits: Sequence[Row], styles: Styles) -> Changes:
    """Add by how much the windows after a step's start improved, if all fits have one name and model."""
    groups = {(row["fit"], row["model"]) for row in fits}
    if len(groups) != 1 or len(changes.rows) > WITH_WINDOWS:
        return changes
    ((fit, model),) = groups
    rows = list(changes.rows)
    errors = slide_queries.window_changes(catalog, fit, model)
    for window, words in WINDOWS.items():
        before = median([row["rmse_default_mv"] for row in errors if row["window"] == window])
        after = median([row["rmse_mv"] for row in errors if row["window"] == window])
        if before is not None and after is not None:
            text = f"{amount(before)} → {millivolts(after)}"
            rows.append(Change(words, before, after, text, styles.model(model).colour))
    return replace(changes, rows=tuple(rows))


def _parameter_table(parameters: Sequence[Row]) -> Table | Lines:
    """Return the parameters of each fit, the fits that improve most first: new value over old, interval, verdict."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in parameters:
        groups.setdefault((row["fit"], row["parameter"]), []).append(row)
    if not groups:
        return Lines(("No fitted parameter is recorded.",))
    several = len({fit for fit, _ in groups}) > 1
    ordered = sorted(groups.items(), key=lambda group: (-_improvement(group[1]), group[0]))
    rows = []
    for (fit, name), of_name in ordered[:PARAMETERS_SHOWN]:
        ratio = median([_ratio(row) for row in of_name])
        changed = "–" if ratio is None else f"× {amount(ratio, 2)}"
        label = _short_parameter(name) + (f" ({short(fit, 16)})" if several else "")
        rows.append((label, changed, _verdicts(of_name)))
    if len(ordered) > PARAMETERS_SHOWN:
        rows.append((f"and {len(ordered) - PARAMETERS_SHOWN} more", "", ""))
    return Table(("Parameter", "Change", "Verdict"), tuple(rows))


def _improvement(rows: Sequence[Row]) -> float:
    """Return by how many mV the fits of these parameters lower the RMSE, as a median; unknown = 0."""
    known = [
        row["rmse_default_mv"] - row["rmse_mv"] for row in rows if None not in (row["rmse_default_mv"], row["rmse_mv"])
    ]
    return median(known) or 0.0


def _ratio(row: Row) -> float | None:
    """Return the fitted value over the value before; ``None`` = one of them is unknown, or that was 0."""
    if row["value"] is None or not row["default_value"]:
        return None
    return float(row["value"] / row["default_value"])


def _short_parameter(name: str) -> str:
    text = _UNIT.sub("", name)
    for long, abbreviated in (("Negative ", "Neg. "), ("Positive ", "Pos. ")):
        text = text.replace(long, abbreviated)
    return short(text, 60)


def _verdicts(rows: Sequence[Row]) -> str:
    """Return the verdict of one parameter, with its interval; of several, the numbers of each kind."""
    kinds = Counter(verdict_kind(row["verdict"]) for row in rows)
    if len(rows) > 1:
        return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(2))
    (row,) = rows
    (kind,) = kinds
    if row["upper_95"] is None or row["lower_95"] is None or not row["value"]:
        return kind
    half = abs(row["upper_95"] - row["lower_95"]) / 2 / abs(row["value"])
    return f"{kind}, ±{amount(100 * half, 2)} %"


def _reliability(rows: Sequence[Row], done: Sequence[Row], parameters: Sequence[Row]) -> list[str]:
    """Return sentences about starts, residuals, held-out cycles and failures."""
    agreeing = sum(row["starts_agreeing"] or 0 for row in done)
    starts = sum(row["starts_done"] or 0 for row in done)
    kinds = Counter(verdict_kind(row["verdict"]) for row in parameters)
    counts = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(3))
    lines = [f"{agreeing} of {count(starts, 'start')} ended at the best minimum; parameters: {counts}"]
    systematic = [row for row in done if row["residual_systematic"]]
    if systematic:
        error = median([row["model_error_mv"] for row in systematic])
        where = f"In {len(systematic):,} of {count(len(done), 'fit')} the" if len(done) > 1 else "The"
        lines.append(f"{where} model's own error remains ({millivolts(error)}): the intervals do not include it")
    validated = [row for row in done if row["validation_rmse_mv"] is not None]
    if validated:
        before = median([row["validation_default_rmse_mv"] for row in validated])
        after = median([row["validation_rmse_mv"] for row in validated])
        lines.append(f"On held-out data: {amount(before)} → {millivolts(after)} ({count(len(validated), 'fit')})")
    else:
        lines.append("No part of a record was held out, so nothing validates the fit (key validation_cycles)")
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        lines.append(f"{count(failed, 'fit')} failed: kilocell status")
    return lines
