"""What ``kilocell plan`` prints: the jobs that would run, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..run.run_campaign import scan_and_plan
from .table import table, table_to_json

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign


def show_plan(campaign: Campaign, json_: bool, everything: bool) -> None:
    """Print the jobs that would run, or all of them; nothing is written."""
    jobs = scan_and_plan(campaign).jobs
    headings, waiting = ("stage", "cell", "label", "why"), [job for job in jobs if job.reason]
    rows = [(job.stage, job.cell_id, job.label, job.reason or "done") for job in (jobs if everything else waiting)]
    if json_:
        print(table_to_json(headings, rows))
        return
    if rows:  # a split's label is a digest, which tells a reader nothing
        print(table(headings, [(s, cell, None if s == "split" else label, why) for s, cell, label, why in rows]))
    print(f"{len(waiting)} of {len(jobs)} jobs would run; store {campaign.store}")
