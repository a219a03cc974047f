"""What ``kilocell plan`` prints: the jobs that would run, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from ...data.standing import CHANGED
from ...data.text import printable_text
from ...parquet_store.layout import Store
from ..campaign.next_command import NextCommand
from ..plan.changes import describe_change
from ..plan.gone_sources import describe_gone
from ..plan.kept import count_kept_failures, kept_jobs
from ..plan.unreadable import find_unreadable
from ..run import early
from ..run.prune import find_pruning
from ..run.run_campaign import find_unread_cells, find_waiting_doubts, scan_and_plan
from .failures import kept_text
from .prune import unneeded_line
from .table import table, table_to_json
from .versions import versions_text

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign
    from ..plan.job import Job

FILES_SHOWN: Final = 20
"""Raw files that cannot be read up to which each has a line."""

PLAN_KEYS: Final = ("kind", "cell_id", "label", "digest", "reason", "stage")
"""Keys of the jobs in JSON: the columns of the catalog's table plan, and the stage in the dashboard."""


def show_plan(campaign: Campaign, json_: bool, everything: bool) -> None:
    """Print the jobs that would run, with the reason for each, and what is wrong with the parameter sets.

    Nothing is written.

    Args:
        json_: print JSON.
        everything: print the jobs that are done, too.
    """
    plan = scan_and_plan(campaign)
    early.end()
    jobs = plan.jobs
    if gone := describe_gone(plan.sources):
        print(f"gone       {printable_text(gone)}", file=sys.stderr)
    to_clean = {job.cell_id for job in jobs if job.kind == "clean" and job.reason}
    unreadable = list(find_unreadable(plan.sources, to_clean).values())
    for line in unreadable[:FILES_SHOWN]:
        print(f"unread     {printable_text(line)}", file=sys.stderr)
    if len(unreadable) > FILES_SHOWN:
        print(f"unread     … and {len(unreadable) - FILES_SHOWN} more files", file=sys.stderr)
    for line in find_unread_cells(campaign, plan.sources).values():
        print(f"unread     {line}", file=sys.stderr)
    for line in (*plan.unmatched, *find_waiting_doubts(campaign, plan.cells, jobs)):
        print(f"check      {printable_text(line)}", file=sys.stderr)
    for refused in plan.refused:
        print(f"refused    {printable_text(refused.text)}", file=sys.stderr)
    waiting = [job for job in jobs if job.reason]
    store = Store(campaign.store)

    def change(job: Job) -> str:
        return describe_change(store, job) if job.reason == CHANGED else ""

    shown = jobs if everything else waiting
    headings = ("stage", "cell", "label", "why")
    if json_:
        rows = [(job.kind, job.cell_id, job.label, job.digest, job.reason, job.stage, change(job)) for job in shown]
        print(table_to_json((*PLAN_KEYS, "change"), rows))
        return
    if shown:
        print(table(headings, [(job.stage, job.cell_id, _label(job), _why(job, change(job))) for job in shown]))
    command = NextCommand(campaign.store, campaign.path)
    kept = count_kept_failures(jobs)
    if kept:
        print(kept_text(kept, len(kept_jobs(jobs)) - kept, command))
    unneeded = unneeded_line(find_pruning(campaign, plan=plan), command)
    if unneeded:
        print(unneeded)
    print(f"{len(waiting)} of {len(jobs)} jobs would run; store {campaign.store}")
    if versions := versions_text(campaign.store):
        print(versions)


def _why(job: Job, change: str) -> str:
    """Return why a job runs, with what changed."""
    if job.kept is not None:
        return f"kept as {job.kept.status}: {job.kept.reason}"
    return f"{job.reason}: {change}" if change else job.reason or "done"


def _label(job: Job) -> str | None:
    """Return a job's label; that of a split is a digest, which tells a reader nothing."""
    if job.stage == "split":
        return None
    return job.label
