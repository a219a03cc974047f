"""``kilocell submit``: a Slurm job that runs a campaign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...data.errors import UsageError
from ..campaign.default_paths import DEFAULT_CAMPAIGN
from . import options
from .run import load_campaign_with_fits


@click.command(short_help="Submit a Slurm job that runs a campaign.")
@options.campaign_argument
@options.store_option
@options.cell_option
@options.cluster_options
@click.option("--client-walltime", metavar="HH:MM:SS", default="", help="Time limit of the whole run [default: a day].")
@click.option("--client-memory", metavar="SIZE", default="4GiB", show_default=True, help="Memory of the run's own job.")
@click.option("--dry-run", is_flag=True, help="Print the job scripts and the most core hours; submit nothing.")
@options.verbose_option
def submit(
    campaign: Path | None,
    store: Path | None,
    cells: tuple[str, ...],
    client_walltime: str,
    client_memory: str,
    dry_run: bool,
    **given: Any,
) -> None:
    """Submit a Slurm job that runs a campaign: no terminal has to stay open, and no process on the login node.

    \b
    kilocell submit campaign.toml --jobs 20 --cores 4 --memory 16GiB --walltime 02:00:00
    kilocell submit campaign.toml --cluster local --cores 8 --memory 32GiB      all in one job

    The job has one core; it submits the worker jobs, which take the options of kilocell run. With --cluster local the
    workers are processes of the job itself. When its time is over, submit it again: finished jobs are kept.

    CAMPAIGN is the campaign file [default: campaign.toml]. Options override its settings.
    """
    from ..cluster import slurm_commands
    from ..cluster.submit import ClientRequest, write_batch_job

    loaded = load_campaign_with_fits(campaign, store)
    settings = options.cluster_settings(loaded.cluster, given)
    if given.get("cluster") is None and settings.kind == "local":
        given["cluster"] = "slurm"
        settings = replace(settings, kind="slurm")
    if "://" in settings.kind:
        raise UsageError(f"cluster {settings.kind}: a running scheduler needs no batch job; use kilocell run")
    logs = loaded.store / "logs" / "submit"
    path = (campaign or DEFAULT_CAMPAIGN).absolute()
    command = ["run", str(path), *_words(store, cells, given), "--no-plots", "--dashboard-address", "none"]
    name = "kilocell-run"
    batch = write_batch_job(settings, ClientRequest(name, command, Path.cwd(), logs, client_walltime, client_memory))
    if dry_run:
        click.echo(batch.script)
        if batch.worker_script:
            click.echo(f"# each of the {settings.jobs} worker jobs that it submits:\n{batch.worker_script}")
    cost = f"at most {batch.core_hours:,.1f} core hours: {batch.reckoning}"
    if dry_run:
        click.echo(f"nothing was submitted; {cost}")
        return
    logs.mkdir(parents=True, exist_ok=True)
    script = logs / f"{name}.sh"
    script.write_text(batch.script, encoding="utf-8")
    answer = slurm_commands.submit(str(script)).split()
    click.echo(f"submitted  Slurm job {answer[-1]}, {cost}")
    click.echo(f"log        {logs / f'{answer[-1]}.log'}")
    click.echo(f"stop it    scancel {answer[-1]}")


def _words(store: Path | None, cells: tuple[str, ...], given: dict[str, Any]) -> list[str]:
    """Return the options as they were given."""
    words = [] if store is None else ["--store", str(store.absolute())]
    for cell in cells:
        words += ["--cell", cell]
    for name, value in given.items():
        if value is None or name == "dashboard_address":
            continue
        if name == "jobs":
            most, least = value
            value = most if least is None else f"{least}..{most}"
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words
