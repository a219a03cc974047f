"""What ``kilocell job`` prints: one job of the plan, and how it ends when it runs in this process."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from ...data.failures import failure_kind
from ...data.text import printable_text
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from ..campaign.next_command import NextCommand
from ..run.foreground import check_needs, copy_of_store, find_job, run_here
from ..run.run_campaign import record_one_job, scan_and_plan
from .failures import log_tail

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign
    from ..plan.job import Job
    from ..worker.run_job import JobOutcome


def show_job(campaign: Campaign, key: Sequence[str]) -> None:
    """Print a job's state, its reason and the end of its log.

    Args:
        key: kind, cell and label.
    """
    job = find_job(scan_and_plan(campaign).jobs, key)
    store = Store(campaign.store)
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    lines = [f"job      {job.kind} {job.cell_id} {job.label}", f"needs    {_needs(job)}"]
    if receipt is None:
        lines.append("status   never run")
    else:
        lines.append(f"status   {receipt.status}, after {receipt.seconds:.1f} s on {receipt.host}")
    if receipt is not None and receipt.reason:
        lines.append(f"reason   {receipt.reason} ({receipt.reason_code})")
    if receipt is not None and receipt.status == "failed":
        key_words = " ".join(map(shlex.quote, (job.kind, job.cell_id, job.label)))
        next_step = failure_kind(receipt.reason_code).next_step
        lines.append(f"next     {NextCommand(store.root, campaign.path).fill(next_step, job.cell_id, key_words)}")
    lines.append(f"plan     {_plan(job)}")
    if receipt is not None and receipt.log:
        lines.append(f"log      {store.root / receipt.log}")
        lines += [f"  | {line}" for line in log_tail(store.root, receipt.log)]
    print("\n".join(printable_text(line) for line in lines))


def _needs(job: Job) -> str:
    return ", ".join(" ".join(key) for key in job.needs) or "nothing"


def _plan(job: Job) -> str:
    if job.kept is not None:
        return "kept as it is: nothing that it depends on has changed"
    return f"runs: {job.reason}" if job.reason else "up to date"


def run_in_foreground(campaign: Campaign, key: Sequence[str], dry_run: bool, out: TextIO) -> int:
    """Run a job in this process, and print how it ended, with its traceback.

    Args:
        key: kind, cell and label.
        dry_run: write nothing to the store.
        out: where to print.

    Returns:
        The exit code: 0 = done, 1 = failed or skipped.
    """
    if not dry_run:
        return record_one_job(campaign, key, lambda store, outcome, job: _print_end(store, outcome, job, out))
    plan = scan_and_plan(campaign)
    job = find_job(plan.jobs, key)
    before = check_needs(job, plan.jobs)
    with copy_of_store(Store(campaign.store), job, plan.jobs) as copy:
        outcome = run_here(copy, job, before, campaign)
        return _print_end(copy, outcome, job, out)


def _print_end(store: Store, outcome: JobOutcome, job: Job, out: TextIO) -> int:
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if receipt is not None and receipt.log:
        text = (store.root / receipt.log).read_text(encoding="utf-8", errors="replace")
        out.write("".join(printable_text(line) + "\n" for line in text.splitlines()))
    name = f"{job.kind} {job.cell_id} {job.label}"
    end = f"{name}: {outcome.status} after {outcome.seconds:.1f} s"
    if outcome.reason:
        end += f": {outcome.reason} ({outcome.code})"
    out.write(printable_text(end) + "\n")
    return 0 if outcome.status == "done" else 1
