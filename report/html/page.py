"""Lay out the report's page from its template, style sheet and scripts."""

from __future__ import annotations

import importlib.resources
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ... import __version__
from ...data.charge_certainty import SHOWN_SHARE
from ...data.error_budget import WORDS, format_mv
from ...data.rules import RULES_BY_CODE
from ...data.run_state import ENDED_SILENTLY, UNKNOWN
from ...data.text import format_memory
from .cell_details import style_of
from .charts import COLOURS, FEW_CELLS, Group, distributions, heatmap, make_groups, rank_cells
from .content import Content, Row, group_by
from .encode import to_json
from .tables import make_tables

SCRIPTS: Final = ("elements.js", "tables.js", "heatmap.js", "curves.js", "cell.js", "page.js")
WORST_CELLS: Final = 15
FAILED_CELLS: Final = 10
PROBLEMS_SHOWN: Final = 50
WAITING_SHOWN: Final = 20
SEVERITIES: Final = ("info", "warning", "error")
STAGES: Final = {
    "split": "split files of many cells",
    "clean": "clean",
    "simulate": "simulate",
    "start": "start a fit",
    "fit": "fit",
    "profile": "profile a fit",
}
"""Kinds of jobs in their order, and what they do."""


RUN_WORDS: Final = {ENDED_SILENTLY: "ended without a word", UNKNOWN: "not known"}
"""What the report says of a run that did not write its end."""


def render_page(
    root: Path,
    content: Content,
    index: Mapping[str, Any],
    inline: Sequence[str],
    problems: Sequence[str],
    notes: Sequence[str],
    everything: bool,
) -> str:
    """Return the report's page.

    Args:
        root: the store's folder.
        content: of the store.
        index: where the page finds the cells' panels: ``folder`` and ``files``.
        inline: the panels as JSON, if they are in the page.
        problems: files that could not be read, in words.
        notes: lines that the report says first.
        everything: whether the report also shows what is not current.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "mv": _mv,
        "number": _number,
        "percent": _percent,
        "time": _time,
        "duration": _duration,
        "count": _count,
        "run_status": _run_status,
    }
    template = environment.from_string(_read("page.html"))
    context = _context(root, content, everything)
    context |= {
        "method": environment.from_string(_read("method.html")).render(everything=everything),
        "style": _read("style.css"),
        "bokeh": _bokeh(),
        "script": "\n".join(_read(name) for name in SCRIPTS),
        "data": to_json(_data(content, index, context["heatmap"])),
        "panels": inline,
        "problems": problems[:PROBLEMS_SHOWN],
        "more_problems": max(len(problems) - PROBLEMS_SHOWN, 0),
        "notes": notes,
    }
    return template.render(context)


def _read(name: str) -> str:
    return (importlib.resources.files("kilocell.report.html") / name).read_text(encoding="utf-8")


def _bokeh() -> str:
    """Return BokehJS, which draws the curves, without what the page does not use."""
    from bokeh.resources import Resources

    scripts = Resources(mode="inline", components=["bokeh", "bokeh-api"]).js_raw
    return "\n".join(scripts).replace("</script", "<\\/script")


def _data(content: Content, index: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page's scripts read: tables, heatmap, and the cells with their files."""
    drawn = {name: shown[name] for name in ("labels", "values", "low", "high") if name in shown and not shown["few"]}
    numbers = {row["cell_id"]: number for number, row in enumerate(content.cells)}
    return {
        "cells": [row["cell_id"] for row in content.cells],
        "ranked": [numbers[cell] for cell in rank_cells(content)],
        "folder": index["folder"],
        "files": index["files"],
        "tables": make_tables(content, 100.0 * SHOWN_SHARE),
        "heatmap": {**drawn, "colours": COLOURS} if drawn else None,
        "measured": style_of(content.styles.model("")) | {"colour": "", "dashes": [], "marker": ""},
    }


def _context(root: Path, content: Content, everything: bool) -> dict[str, Any]:
    """Return what the template shows."""
    groups = make_groups(content.results, content.styles)
    ranked = rank_cells(content)
    numbers = {row["cell_id"]: number for number, row in enumerate(content.cells)}
    return {
        "name": root.resolve().name,
        "version": __version__,
        "made": time.time(),
        "everything": everything,
        "content": content,
        "run": content.runs[0] if content.runs else None,
        "records": [_record(run) for run in content.runs],
        "versions": _versions(content),
        "stages": _stages(content),
        "tiles": _tiles(content),
        "headline": _headline(content),
        "waiting": content.waiting[:WAITING_SHOWN],
        "waiting_total": sum(row["count"] for row in content.waiting),
        "hidden": {name: count for name, count in content.earlier.items() if count and not everything},
        "distributions": distributions(groups),
        "heatmap": heatmap(groups, ranked),
        "heatmap_words": _heatmap_words(groups, ranked),
        **_worst(content, ranked, numbers),
        "cell_numbers": numbers,
        "rules": _rules(content),
        "totals": _totals(content),
        "budget": _budget(content),
        "reasons": _reasons(content),
        "fits": _fit_counts(content),
        "few_cells": FEW_CELLS,
    }


def _versions(content: Content) -> list[tuple[int, str]]:
    """Return the number of jobs with each set of versions, and the versions in words."""
    counted = []
    for row in content.versions:
        versions = json.loads(row["versions"])
        pairs = versions.items() if isinstance(versions, dict) else versions
        counted.append((row["jobs"], ", ".join(f"{name} {version}" for name, version in pairs)))
    return counted


def _stages(content: Content) -> list[dict[str, Any]]:
    """Return the number of jobs of each kind by status, and how long they took."""
    seconds = {row["kind"]: row["seconds"] for row in content.job_times}
    counts: dict[str, Counter[str]] = {}
    for row in content.job_counts:
        counts.setdefault(row["kind"], Counter())[row["status"]] += row["count"]
    return [
        {"words": words, "counts": counts[kind], "seconds": seconds.get(kind)}
        for kind, words in STAGES.items()
        if kind in counts
    ]


def _tiles(content: Content) -> list[tuple[str, str, str]]:
    """Return number, what it counts, and a note, of the figures at the top."""
    simulations = [row for row in content.results if row["label"] is not None]
    status = Counter(row["status"] for row in simulations)
    rmse = sorted(row["rmse_mv"] for row in simulations if row["rmse_mv"] is not None)
    cleaned = sum(row["rows_kept"] is not None for row in content.cells)
    failed = sum(row["status"] == "failed" for row in content.unsuccessful)
    tiles = [(_count(len(content.cells)), "cells", f"{_count(cleaned)} cleaned")]
    others = [f"{_count(status[name])} {name}" for name in ("failed", "skipped", "pending") if status[name]]
    tiles.append((_count(status["done"]), "simulations done", ", ".join(others) or "none failed"))
    if rmse:
        middle = rmse[len(rmse) // 2] if len(rmse) % 2 else (rmse[len(rmse) // 2 - 1] + rmse[len(rmse) // 2]) / 2
        tiles.append((f"{_mv(middle)} mV", "median RMSE", f"from {_mv(rmse[0])} to {_mv(rmse[-1])} mV"))
    done = sum(row["status"] == "done" for row in content.fits)
    if content.fits:
        tiles.append((_count(done), "fits done", f"of {_count(len(content.fits))}"))
    tiles.append((_count(failed), "failed jobs", "by reason below" if failed else "nothing failed"))
    return tiles


def _headline(content: Content) -> str:
    """Return in one sentence how far the store is."""
    run = content.runs[0] if content.runs else None
    if not content.cells:
        return "This store has no cells yet. Run `kilocell run`, then write the report again."
    if run is not None and run["status"] == "running":
        return "A run is in progress: this report shows what was done when it was written."
    waiting = sum(row["count"] for row in content.waiting)
    if run is not None and run["status"] == "interrupted":
        return f"The last run was interrupted; {_count(waiting)} jobs are left to run."
    if run is not None and run["status"] == ENDED_SILENTLY:
        return f"The last run ended without a word (killed, power?); {_count(waiting)} jobs are left to run."
    if not any(row["label"] is not None for row in content.results):
        return "The cells of this store are cleaned; nothing was simulated."
    if waiting:
        return f"{_count(waiting)} jobs are left to run."
    return ""


def _heatmap_words(groups: Sequence[Group], ranked: Sequence[str]) -> str:
    """Describe the heatmap for those who do not see it."""
    parts = []
    for group in groups:
        values = sorted(group.rmse_mv.values())
        if values:
            missing = len(ranked) - len(values)
            more = f", {missing} cells without a result" if missing else ""
            middle = values[len(values) // 2]
            parts.append(f"{group.label}: {_mv(values[0])} to {_mv(values[-1])} mV, median {_mv(middle)} mV{more}")
    return f"RMSE of {len(ranked)} cells, the worst first. {'; '.join(parts)}."


def _worst(content: Content, ranked: Sequence[str], numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return the worst cells with their best simulation, and those of which every simulation failed."""
    cells = {row["cell_id"]: row for row in content.cells}
    simulations = group_by([row for row in content.results if row["label"] is not None], "cell_id")
    finished = {row["cell_id"] for row in content.results if row["rmse_mv"] is not None}
    large = [cell_id for cell_id in ranked if cell_id in finished]
    failed = [
        cell_id
        for cell_id in ranked
        if cell_id not in finished and any(row["status"] == "failed" for row in simulations[cell_id])
    ]
    described = []
    for cell_id in (*large[:WORST_CELLS], *failed[:FAILED_CELLS]):
        rows = simulations[cell_id]
        done = [row for row in rows if row["rmse_mv"] is not None]
        best = min(done, key=lambda row: row["rmse_mv"]) if done else None
        described.append(
            {
                "id": cell_id,
                "number": numbers[cell_id],
                "best": best,
                "largest": max((row["rmse_mv"] for row in done), default=None),
                "failed": sum(row["status"] == "failed" for row in rows),
                "simulations": len(rows),
                "findings": cells[cell_id]["findings"],
                "charge": cells[cell_id]["charge_uncertainty_percent"],
                "reason": next((row["reason"] for row in rows if row["status"] == "failed"), ""),
            }
        )
    return {
        "worst": [cell for cell in described if cell["best"]],
        "without": [cell for cell in described if not cell["best"]],
        "without_total": len(failed),
        "finished_total": len(large),
        "median": _named(large, numbers, len(large) // 2),
        "best": _named(large, numbers, len(large) - 1),
    }


def _named(cells: Sequence[str], numbers: Mapping[str, int], place: int) -> dict[str, Any] | None:
    return {"id": cells[place], "number": numbers[cells[place]]} if cells else None


def _rules(content: Content) -> list[dict[str, Any]]:
    """Return what each cleaning rule found, over all cells, the most severe first."""
    found = []
    for rule, rows in group_by(content.rules, "rule").items():
        severity = max((row["severity"] for row in rows), key=SEVERITIES.index)
        known = RULES_BY_CODE.get(rule)
        found.append(
            {
                "rule": rule,
                "severity": severity,
                "meaning": known.meaning if known else None,
                "cells": len(rows),
                "findings": sum(row["findings"] for row in rows),
                "samples": sum(row["samples_flagged"] or 0 for row in rows),
                "quarantined": sum(row["rows_quarantined"] or 0 for row in rows),
            }
        )
    return sorted(found, key=lambda rule: (-SEVERITIES.index(rule["severity"]), -rule["cells"], rule["rule"]))


def _totals(content: Content) -> dict[str, int]:
    """Return rows read, kept, quarantined and inserted, over all cells."""
    names = ("rows_in", "rows_kept", "rows_quarantined", "rows_inserted")
    return {name: sum(row[name] or 0 for row in content.reports) for name in names}


def _budget(content: Content) -> dict[str, Any]:
    """Return how many error budgets are too large, by their largest part, and how many have unknown parts."""
    known = [row for row in content.results if row["error_budget_mv"] is not None]
    large = Counter(WORDS[row["error_budget_main"]] for row in known if row["error_budget_too_large"])
    unknown = sum(bool(row["error_budget_unknown"]) for row in known)
    return {"known": len(known), "large": large.most_common(), "large_total": large.total(), "unknown": unknown}


def _reasons(content: Content) -> list[dict[str, Any]]:
    """Return failed and skipped jobs by reason, the most frequent first, with an example of each."""
    reasons = []
    for (status, code), rows in group_by(content.unsuccessful, "status", "reason_code").items():
        cells = list(dict.fromkeys(row["cell_id"] for row in rows))
        reasons.append(
            {
                "status": status,
                "code": code,
                "jobs": len(rows),
                "cells": len(cells),
                "kinds": ", ".join(sorted({row["kind"] for row in rows})),
                "example": f"{rows[0]['cell_id']} {rows[0]['label']}: {rows[0]['reason']}",
            }
        )
    return sorted(reasons, key=lambda row: (row["status"], -row["jobs"], row["code"]))


def _fit_counts(content: Content) -> dict[str, Any]:
    """Return how many fits there are by status, and how their parameters are determined."""
    from ...data.verdict_words import verdict_kind

    status = Counter(row["status"] for row in content.fits)
    kinds = Counter(verdict_kind(row["verdict"]) for row in content.fit_parameters)
    systematic = sum(bool(row["residual_systematic"]) for row in content.fits)
    return {"status": status.most_common(), "kinds": kinds.most_common(), "systematic": systematic}


# What the template writes numbers with


def _mv(value: float | None) -> str:
    return "–" if value is None else format_mv(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g} %"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _duration(seconds: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if seconds is None:
        return "–"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"


def _run_status(status: str) -> str:
    """Return in words whether a run is alive, or how it ended."""
    return RUN_WORDS.get(status, status)


def _record(run: Row) -> list[str]:
    """Return the record of a run: number, duration, kind of cluster, workers, memory, version, commits, log."""
    cluster = json.loads(run["cluster"] or "{}")
    versions = json.loads(run["versions"] or "{}")
    peaks = ("workers_memory_peak_bytes", "worker_memory_peak_bytes", "client_memory_peak_bytes")
    return [
        str(run["run_id"]),
        _duration(run["seconds"]),
        str(cluster.get("kind", "–")),
        _number(run["workers_peak"]),
        *("–" if run[peak] is None else format_memory(run[peak]) for peak in peaks),
        str(versions.get("kilocell", "–")),
        _commit(run["kilocell_commit"]),
        _commit(run["campaign_commit"]),
        run["log"] or "–",
    ]


def _commit(commit: str | None) -> str:
    if commit is None:
        return "–"
    number, dirty, _ = commit.partition("-dirty")
    return f"{number[:12]}{', with changes' if dirty else ''}"


def _time(value: float | None) -> str:
    return "–" if value is None else time.strftime("%Y-%m-%d %H:%M %z", time.localtime(value))
