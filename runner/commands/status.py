"""The command ``status``: how far a store is, whether a run is alive, and the record of any run."""

from __future__ import annotations

from pathlib import Path

import click

from ...data.errors import UsageError
from ..campaign.default_paths import store_root
from . import options


@click.command(short_help="Show progress and failures.")
@options.store_option
@click.option("--watch", is_flag=True, help="Show how far the run is until it ends; from any terminal.")
@click.option(
    "--interval",
    "interval_second",
    type=click.FloatRange(0.5),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: time between two looks at the store.",
)
@click.option("--run", "run_id", type=click.IntRange(1), metavar="NUMBER", help="Show the record of this run.")
@options.all_option
@options.json_option
def status(
    store: Path | None, watch: bool, interval_second: float, run_id: int | None, everything: bool, json_: bool
) -> None:
    """Show the number of jobs by status, the last run, and the reason of each failed job.

    \b
    kilocell status                 jobs, failures, and whether a run is alive
    kilocell status --watch         the same of a run while it runs, also from another machine
    kilocell status --run 3         versions, commits, cluster, memory and workers of a run
    """
    root = store_root(store)
    if watch and run_id is not None:
        raise UsageError("--watch shows the last run, --run any run: give one of them")
    if watch:
        from ..show.watch import watch as watch_

        watch_(root, interval_second, json_)
    elif run_id is not None:
        from ..show.run_record import show_run

        show_run(root, run_id, json_)
    else:
        from ..show.status import show_status

        show_status(root, json_, everything)
