"""The commands about failed jobs: show them, run them again, and run one job in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..campaign.default_paths import store_root
from . import options
from .run import load_campaign_with_fits
from .run import run as run_

if TYPE_CHECKING:
    from ..run.failure_policy import FailurePolicy

reason_option = click.option(
    "--reason",
    "codes",
    multiple=True,
    metavar="CODE",
    help="Only jobs that failed for this reason, such as left_range; repeatable.",
)
retry_failed_option = click.option(
    "--retry-failed",
    is_flag=True,
    help="Also run failed jobs again of which nothing has changed; they mostly fail in the same way.",
)
max_failures_option = click.option(
    "--max-failures",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Stop after this number of failed jobs; what is done is kept.",
)


def make_policy(retry_failed: bool, max_failures: int | None) -> FailurePolicy:
    """Return what a run does about failures, as the options say."""
    from ..run.failure_policy import FailurePolicy, retry_all

    return FailurePolicy(retry=retry_all if retry_failed else None, max_failures=max_failures)


@click.command(short_help="Show failed jobs by reason, with the next step.")
@options.store_option
@reason_option
@options.cell_option
@click.option("--each", is_flag=True, help="Show every job, with the path and the last lines of its log.")
@options.all_option
@options.json_option
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write a row for each failed job as CSV, too.")  # fmt: skip
def failures(
    store: Path | None,
    codes: tuple[str, ...],
    cells: tuple[str, ...],
    each: bool,
    everything: bool,
    json_: bool,
    csv_path: Path | None,
) -> None:
    """Show failed jobs grouped by reason, with their cells and what to do next.

    \b
    kilocell failures
    kilocell failures --reason left_range
    kilocell failures --cell CELL_D --each      every job of the cell, with its log
    """
    from ..show.failures import show_failures

    show_failures(store_root(store), cells, codes, each=each, json_=json_, csv_path=csv_path, everything=everything)


@click.command(short_help="Run failed jobs again.")
@options.campaign_argument
@options.store_option
@reason_option
@options.cell_option
@options.cluster_options
@options.verbose_option
@options.quiet_option
@options.json_option
@max_failures_option
def retry(
    campaign: Path | None,
    store: Path | None,
    codes: tuple[str, ...],
    cells: tuple[str, ...],
    quiet: bool,
    json_: bool,
    max_failures: int | None,
    **cluster: Any,
) -> None:
    """Run failed jobs again, with the jobs that need them; no other job runs.

    A failure for a reason of the data or settings repeats itself. `kilocell run` repeats such a job only when something
    that its result depends on has changed.

    CAMPAIGN is the campaign file [default: campaign.toml]. Options override its settings.
    """
    from ..run.failure_policy import FailurePolicy
    from ..show.failures import choose_failures
    from ..show.open_catalog import open_catalog

    loaded = load_campaign_with_fits(campaign, store)
    with open_catalog(loaded.store) as catalog:
        chosen = {(row["kind"], row["cell_id"], row["label"]) for row in choose_failures(catalog, cells, codes)}
    if not chosen:
        click.echo("no job failed: nothing to run again", err=True)
        return
    policy = FailurePolicy(
        retry=lambda job: (job.kind, job.cell_id, job.label) in chosen, only_retried=True, max_failures=max_failures
    )
    raise SystemExit(run_(loaded, "run", (), cluster, quiet=quiet, json_=json_, plots=False, failures=policy))


@click.command(short_help="Show one job, or run it in this process.")
@click.argument("key", nargs=-1, required=True, metavar="KIND CELL [LABEL]")
@click.option("--campaign", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The campaign file [default: campaign.toml].")  # fmt: skip
@options.store_option
@click.option("--foreground", is_flag=True, help="Run the job in this process, as for a debugger.")
@click.option("--dry-run", is_flag=True, help="With --foreground: write nothing to the store.")
@options.verbose_option
def job(key: tuple[str, ...], campaign: Path | None, store: Path | None, foreground: bool, dry_run: bool) -> None:
    """Show one job of the plan, as `kilocell failures --each` names it; with --foreground, run it in this process.

    \b
    kilocell job simulate CELL_D SPM-Chen2020                 its state, reason and log
    kilocell job simulate CELL_D SPM-Chen2020 --foreground    run it here, and show its traceback
    python -m pdb -m kilocell job clean CELL_D --foreground   the same in a debugger

    No other job runs, no worker is started, and no time limit ends the job. Its receipt and the catalog are written as
    by `kilocell run`.
    """
    from ..show.job import run_in_foreground, show_job

    loaded = load_campaign_with_fits(campaign, store)
    if foreground:
        raise SystemExit(run_in_foreground(loaded, key, dry_run, sys.stdout))
    show_job(loaded, key)
