"""The page about the data: what cleaning found, a real stretch before and after, and how the charge changed."""

from __future__ import annotations

import sqlite3
from typing import Final

from ...data.rules import RULES_BY_CODE
from ...parquet_store.layout import Store
from ...sqlite import slide_queries
from .content import Bar, Bars, Element, Lines, Panel, Slide, missing
from .stretch import read_stretch
from .words import LEAST_PERCENT, amount, amounts, count, percent, short

KINDS_SHOWN: Final = 9
KINDS_EXPLAINED: Final = 3
BAR_STEP: Final = 0.58
"""Height of a bar with its space, in inch."""

TITLE: Final = "Data challenges"


def challenges(store: Store, catalog: sqlite3.Connection) -> tuple[Slide, list[str]]:
    """Return the page, and what could not be read for it."""
    totals = slide_queries.store_totals(catalog)
    if not totals["cleaned"]:
        return missing(
            f"{TITLE}: no cell is cleaned yet", "To clean the cells of the campaign, run:", "kilocell clean"
        ), []
    kinds = slide_queries.findings_by_rule(catalog)
    findings = sum(row["findings"] for row in kinds)
    cells = count(totals["cleaned"], "cell")
    if findings:
        title = f"{TITLE}: {count(findings, 'finding')} of {count(len(kinds), 'kind')} in {cells}"
    else:
        title = f"{TITLE}: cleaning found nothing in {cells}"
    stretch, problems = read_stretch(store, catalog)
    curve: Element = stretch or Lines(
        ("No raw rows could be read.", *(f"Reason: {problem}" for problem in problems[:1]))
    )
    return Slide(
        title,
        (
            *_kind_panels(kinds),
            Panel("Before and after cleaning", curve, (6.85, 2.7, 5.88, 3.35)),
            Panel("Charge and rows", Lines(tuple(_charge(catalog, totals))), (6.85, 0.85, 5.88, 1.75)),
        ),
    ), problems


def _kind_panels(kinds: list[sqlite3.Row]) -> list[Panel]:
    """Return the bars of the kinds; if they are few, also what each kind means."""
    if not 0 < len(kinds) <= KINDS_EXPLAINED:
        return [Panel("Findings by kind", _kinds(kinds), (0.6, 0.85, 5.85, 5.2))]
    meanings = [
        f"{row['rule'].replace('_', ' ')}: {RULES_BY_CODE[row['rule']].meaning}"
        for row in kinds
        if row["rule"] in RULES_BY_CODE
    ]
    height = 0.6 + BAR_STEP * len(kinds)
    return [
        Panel("Findings by kind", _kinds(kinds), (0.6, 6.05 - height, 5.85, height)),
        Panel("What they are", Lines(tuple(meanings)), (0.6, 0.85, 5.85, 5.0 - height)),
    ]


def _kinds(kinds: list[sqlite3.Row]) -> Bars | Lines:
    if not kinds:
        return Lines(("No rule found anything.",))
    shown = kinds if len(kinds) <= KINDS_SHOWN else kinds[: KINDS_SHOWN - 1]
    rest = kinds[len(shown) :]
    bars = [
        Bar(
            row["rule"].replace("_", " "),
            float(row["findings"]),
            f"{row['findings']:,} in {count(row['cells'], 'cell')}",
        )
        for row in shown
    ]
    if rest:
        findings = sum(row["findings"] for row in rest)
        bars.append(Bar(f"{len(rest)} more kinds", float(findings), f"{findings:,}"))
    return Bars(("kind", "findings"), tuple(bars))


def _charge(catalog: sqlite3.Connection, totals: sqlite3.Row) -> list[str]:
    """Return sentences about rows and charge before and after cleaning."""
    lines = [f"Rows: {totals['rows_in']:,} read, {totals['rows_quarantined']:,} quarantined"]
    for way in ("in", "out"):
        before, after = totals[f"charge_{way}_before_ah"], totals[f"charge_{way}_after_ah"]
        if before:
            change = percent(100 * (after / before - 1))
            lines.append(f"Charge {way}: {amounts(before, after)} A h ({change})")
    largest = slide_queries.largest_charge_change(catalog)
    if largest is not None and abs(largest["percent"]) >= LEAST_PERCENT:
        lines.append(
            f"Most changed cell: {percent(largest['percent'])} {largest['direction']} ({short(largest['cell_id'], 18)})"
        )
    rules = [row for row in slide_queries.charge_by_rule(catalog) if row["magnitude_ah"] > 0.0]
    if rules:
        lines.append(
            f"Changed most by: {rules[0]['rule'].replace('_', ' ')} ({amount(rules[0]['magnitude_ah'], 2)} A h)"
        )
    return lines
