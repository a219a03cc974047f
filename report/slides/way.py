"""The page about the architecture: the way of a cell, drawn, with the numbers of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from ...sqlite import describe, queries, slide_queries
from .content import WHOLE, Box, Flow, Panel, Slide
from .words import count, size

MODELS_NAMED: Final = 3
CATALOG: Final = "Catalog (SQLite)"


def way(catalog: sqlite3.Connection, catalog_bytes: int | None) -> Slide:
    """Return the page.

    Args:
        catalog: from ``queries.connect``.
        catalog_bytes: size of the catalog's file; ``None`` = unknown.
    """
    totals = slide_queries.store_totals(catalog)
    counts: dict[tuple[str, str], int] = {
        (row["kind"], row["status"]): row["count"] for row in queries.job_counts(catalog)
    }
    jobs = sum(counts.values())
    title = f"Architecture: {count(totals['cells'], 'cell')}, {count(jobs, 'job')}, one folder"
    if not jobs:
        title = "Architecture: no job was run yet; to start: kilocell run"
    outputs = slide_queries.output_bytes(catalog)
    boxes = (
        Box(
            "Raw files",
            (count(totals["files"], "file"), size(totals["file_bytes"] or 0), _rows(totals["rows_in"])),
            "given", 0, 0,
        ),
        Box("Clean", (*_done(counts, "clean", "cell"), _findings(catalog)), "step", 1, 0),
        Box("Compress current", _compression(catalog), "step", 2, 0),
        Box("Simulate", (*_done(counts, "simulate", "simulation"), *_models(catalog)), "step", 3, 0),
        Box("Fit", _done(counts, "fit", "fit") + _starts(counts), "step", 4, 0),
        Box("Campaign", ("cells, models, fits in one file",), "given", 0, 1),
        Box("Cleaned records", _files(outputs, ("cleaned", "quarantine")), "kept", 1, 1),
        Box("Receipts", (f"{_ended(counts):,}, one per job", "written last"), "kept", 2, 1),
        Box("Simulated curves", _files(outputs, ("simulations",)), "kept", 3, 1),
        Box("Fitted sets", _fitted(catalog), "kept", 4, 1),
        Box(CATALOG, (_catalog(catalog, catalog_bytes), "one writer, from receipts: a run can stop anywhere and go on"),
            "kept", 0, 2, 5),
    )  # fmt: skip
    arrows = (
        ("Raw files", "Clean", ""),
        ("Clean", "Compress current", ""),
        ("Compress current", "Simulate", ""),
        ("Simulate", "Fit", ""),
        ("Fit", "Simulate", "fitted set"),
        ("Clean", "Cleaned records", ""),
        ("Simulate", "Simulated curves", ""),
        ("Fit", "Fitted sets", ""),
        ("Receipts", CATALOG, ""),
        ("Campaign", CATALOG, ""),
    )
    return Slide(title, (Panel("", Flow(boxes, arrows), WHOLE),))


def _rows(rows: int | None) -> str:
    return "no row read yet" if rows is None else count(rows, "row")


def _done(counts: Mapping[tuple[str, str], int], kind: str, noun: str) -> tuple[str, ...]:
    """Return how many jobs of a kind are done, and what became of the others."""
    done = counts.get((kind, "done"), 0)
    of_kind = {status: number for (name, status), number in counts.items() if name == kind}
    if not of_kind:
        return (f"no {noun} planned",)
    lines = [count(done, noun)]
    failed = of_kind.get("failed", 0)
    others = sum(of_kind.values()) - done - failed
    if failed or others:
        parts = [f"{failed:,} failed" if failed else "", f"{others:,} not done" if others else ""]
        lines.append(", ".join(part for part in parts if part))
    return tuple(lines)


def _starts(counts: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    starts = counts.get(("start", "done"), 0)
    profiles = counts.get(("profile", "done"), 0)
    lines = [count(starts, "start")] if starts else []
    if profiles:
        lines.append(count(profiles, "profile"))
    return tuple(lines)


def _findings(catalog: sqlite3.Connection) -> str:
    return count(sum(row["findings"] for row in slide_queries.findings_by_rule(catalog)), "finding")


def _compression(catalog: sqlite3.Connection) -> tuple[str, ...]:
    """Return the number of samples and knots over all finished simulations."""
    rows = [row for row in slide_queries.simulation_totals(catalog) if row["status"] == "done" and row["knots"]]
    samples = sum(row["samples"] or 0 for row in rows)
    knots = sum(row["knots"] for row in rows)
    if not knots:
        return ("samples to knots",)
    return (f"{count(samples, 'sample')} → {count(knots, 'knot')}",)


def _models(catalog: sqlite3.Connection) -> tuple[str, ...]:
    names = list(dict.fromkeys(str(row["model"]) for row in slide_queries.simulation_totals(catalog)))
    if not names:
        return ()
    more = f", +{len(names) - MODELS_NAMED}" if len(names) > MODELS_NAMED else ""
    return (", ".join(names[:MODELS_NAMED]) + more,)


def _fitted(catalog: sqlite3.Connection) -> tuple[str, ...]:
    totals = slide_queries.fit_totals(catalog)
    if not totals["sets"]:
        return ("none yet",)
    return (count(totals["sets"], "set"), count(totals["parameters"], "parameter"))


def _files(outputs: Mapping[str, tuple[int, int]], folders: tuple[str, ...]) -> tuple[str, ...]:
    files = sum(outputs.get(folder, (0, 0))[0] for folder in folders)
    size_bytes = sum(outputs.get(folder, (0, 0))[1] for folder in folders)
    if not files:
        return ("none yet",)
    return (count(files, "Parquet file"), size(size_bytes))


def _ended(counts: Mapping[tuple[str, str], int]) -> int:
    return sum(number for (_, status), number in counts.items() if status != "pending")


def _catalog(catalog: sqlite3.Connection, catalog_bytes: int | None) -> str:
    tables = describe.count_rows(catalog)
    views = sum(table.is_view for table in describe.describe_schema(catalog))
    return f"{count(sum(tables.values()), 'row')} in {len(tables)} tables, {views} views, {size(catalog_bytes)}"
