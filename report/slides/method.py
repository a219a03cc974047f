"""The page about the method: replay, RMSE of each model, error budget, and the versions of the tools."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ...data.error_budget import LIMIT_MV, LIMIT_SHARE, PARTS, WORDS, format_mv
from ...sqlite import queries, slide_queries
from ..styles import Styles
from .content import Bar, Bars, Lines, Panel, Slide, Table
from .words import UNKNOWN, amount, count, duration, median, millivolts, short

COMBINATIONS_SHOWN: Final = 6
REASONS_SHOWN: Final = 3
TOOLS: Final = ("kilocell", "pybamm", "dask", "pandas", "pyarrow", "numpy", "scipy")
NAMES: Final = {"pybamm": "PyBaMM", "dask": "Dask", "numpy": "NumPy", "scipy": "SciPy"}
METHOD: Final = (
    "The measured current drives the model; each voltage sample is compared.",
    "Each RMSE has an error budget: what it may be off by for other reasons than the model.",
)


def method(catalog: sqlite3.Connection, styles: Styles) -> Slide:
    """Return the page.

    Args:
        catalog: from ``queries.connect``.
        styles: of the store's models.
    """
    rows = [row for row in slide_queries.simulation_totals(catalog) if row["status"] == "done"]
    tools = Panel("Tools", _tools(catalog), (9.7, 2.55, 3.03, 3.5))
    if not rows:
        return Slide(
            "Method: each cell is replayed with its measured current",
            (
                Panel("", Lines((*METHOD, "No simulation is done yet. To simulate, run:", "kilocell simulate")),
                      (0.6, 0.85, 8.5, 5.2)),
                tools,
            ),
        )  # fmt: skip
    return Slide(
        f"Method: {count(len(rows), 'replay')}, median RMSE {millivolts(median([row['rmse_mv'] for row in rows]))}",
        (
            Panel("Median RMSE (number of cells)", _models(rows, styles), (0.6, 2.55, 4.5, 3.5)),
            Panel("Error budget, median", _budget(rows), (5.35, 2.55, 4.0, 3.5)),
            tools,
            Panel("", Lines((*METHOD[:1], *_facts(catalog, rows))), (0.6, 0.85, 12.13, 1.6)),
        ),
    )


def _models(rows: Sequence[sqlite3.Row], styles: Styles) -> Bars:
    """Return the median RMSE of each model and set: of each model if the store has many sets."""
    groups: dict[tuple[str, str], list[sqlite3.Row]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["parameter_set"]), []).append(row)
    if len(groups) > COMBINATIONS_SHOWN:
        groups = {}
        for row in rows:
            groups.setdefault((row["model"], "default sets" if row["is_default"] else "changed sets"), []).append(row)
    bars = []
    for (model, parameter_set), of_group in list(groups.items())[:COMBINATIONS_SHOWN]:
        value = median([row["rmse_mv"] for row in of_group])
        label = ", ".join(filter(None, (short(model, 12), short(parameter_set, 16))))
        cells = len({row["cell_id"] for row in of_group})
        bars.append(Bar(label, value, f"{millivolts(value)} ({cells:,})", styles.model(model).colour))
    return Bars(("model, parameter set", "RMSE"), tuple(bars))


def _budget(rows: Sequence[sqlite3.Row]) -> Bars:
    bars = [
        Bar(WORDS[part], value, UNKNOWN if value is None else f"{format_mv(value)} mV")
        for part, column in PARTS.items()
        for value in (median([row[column] for row in rows]),)
    ]
    total = median([row["error_budget_mv"] for row in rows])
    bars.append(Bar("all parts", total, UNKNOWN if total is None else f"±{format_mv(total)} mV"))
    return Bars(("part", "budget"), tuple(bars))


def _facts(catalog: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[str]:
    """Return sentences about the compression of the current and the time of a simulation."""
    large = sum(row["error_budget_too_large"] or 0 for row in rows)
    limit = f"{LIMIT_MV:g} mV or {LIMIT_SHARE:.0%} of the RMSE".replace("%", " %")
    lines = [f"The error budget is above {limit} in {large:,} of {count(len(rows), 'simulation')}."]
    known = [row for row in rows if row["knots"] and row["samples"]]
    if known:
        ratio = sum(row["samples"] for row in known) / sum(row["knots"] for row in known)
        lines.append(f"The current is compressed to 1 knot per {amount(ratio, 2)} samples.")
    seconds = median([row["seconds"] for row in rows])
    time = f"A simulation takes {duration(seconds)} (median)"
    reasons = Counter(
        str(row["reason_code"] or "unknown reason").replace("_", " ")
        for row in slide_queries.simulation_totals(catalog)
        if row["status"] == "failed"
    )
    if reasons:
        names = ", ".join(reason for reason, _ in reasons.most_common(REASONS_SHOWN))
        lines.append(f"{time}; {count(reasons.total(), 'simulation')} failed ({names}).")
    else:
        lines.append(f"{time}; none failed.")
    return lines


def _tools(catalog: sqlite3.Connection) -> Table | Lines:
    """Return the versions that the last run recorded."""
    run = queries.last_run(catalog)
    versions = json.loads(run["versions"] or "{}") if run is not None else {}
    rows = tuple((NAMES.get(name, name), short(str(versions[name]), 14)) for name in TOOLS if name in versions)
    if not rows:
        return Lines(("No run is recorded.",))
    return Table(("Package", "Version"), rows)
