"""Options that several commands share, defined once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...data.errors import UsageError
from . import complete

if TYPE_CHECKING:
    from ...data.settings import ClusterSettings

Command = TypeVar("Command", bound=Callable[..., Any])
campaign_argument = click.argument(
    "campaign", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[CAMPAIGN]"
)
CAMPAIGN_HELP = "CAMPAIGN is the campaign file [default: campaign.toml]. Options override its settings."
store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="KILOCELL_STORE",
    show_envvar=True,
    metavar="FOLDER",
    help="Folder of the store [default: that of the campaign file, else ./store or ./kilocell-demo].",
)
cell_option = click.option(
    "--cell",
    "cells",
    multiple=True,
    metavar="CELL",
    help='Only this cell, or these: "CELL_*"; repeatable.',
    shell_complete=complete.cells,
)
model_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Only this model; repeatable.",
    shell_complete=complete.models,
)
parameters_option = click.option(
    "--parameters",
    multiple=True,
    metavar="SET",
    shell_complete=complete.used_sets,
    help="Only this parameter set, or default: sets without changed parameters; repeatable.",
)
all_option = click.option(
    "--all", "everything", is_flag=True, help="Also show what is out of date or of an earlier campaign, marked as such."
)
verify_option = click.option(
    "--verify", is_flag=True, help="Read all raw files again, to find those that changed with the same size and time."
)
json_option = click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")


def _set_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().obj["verbose"] = True


verbose_option = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    expose_value=False,
    callback=_set_verbose,
    help="Also show tracebacks and the log of the workers.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print only results and errors.")
by_option = click.option(
    "--by",
    type=click.Choice(["window", "step-type", "cycle", "stretch"]),
    help="Errors by time since each step began, by step type, by cycle, or by stretch of the selection.",
)
select_option = click.option(
    "--select",
    metavar="PART",
    help='Only this part of each record, such as "cycle 2, discharge", "step 14-16" or "discharge, first 600 s".',
)
samples_option = click.option(
    "--samples", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the time series as CSV."
)
status_option = click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["done", "failed", "skipped", "pending"]),
    help="Only with this status; repeatable.",
)
_FILTER_OPTIONS = (cell_option, select_option, model_option, parameters_option, status_option)
_ORDER_OPTIONS = (
    click.option("--sort", metavar="COLUMN", help="Sort by this column of the JSON; -COLUMN: the largest first."),
    click.option("--limit", type=click.IntRange(1), metavar="NUMBER", help="Show at most this number of rows."),
)
csv_option = click.option(
    "--csv", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the rows as CSV, too."
)
_ANSWER_OPTIONS = (
    json_option,
    csv_option,
    click.option(
        "--plot",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Draw a figure: .png, .pdf or .svg.",
    ),
    all_option,
)
_PLOT_OPTIONS = (
    click.option(
        "--cell",
        "cells",
        multiple=True,
        metavar="CELL",
        shell_complete=complete.cells,
        help='Draw this cell, or these: "CELL_*"; repeatable.',
    ),
    click.option("--cycles", default="", metavar="RANGE", help="Cycles, such as 1-3,5 or last [default: all]."),
    select_option,
    model_option,
    click.option(
        "--parameters",
        "--parameter-set",
        "parameter_sets",
        multiple=True,
        metavar="SET",
        shell_complete=complete.used_sets,
        help="Only this parameter set, or default: sets without changed parameters; repeatable.",
    ),
    status_option,
    click.option(
        "--fit",
        "fit_name",
        metavar="FIT",
        shell_complete=complete.fits,
        help="Draw this fit of the cell; without --cell, of all cells.",
    ),
    click.option("--errors", is_flag=True, help="Draw errors by window, step type and cycle."),
    click.option("--budget", is_flag=True, help="Draw what the RMSE of each simulation may be off by, and why."),
    click.option("--dqdv", is_flag=True, help="Draw dQ/dV and dV/dQ of the constant-current steps."),
    click.option(
        "--smoothing",
        "smoothing_mv",
        type=click.FloatRange(0.0, min_open=True),
        metavar="MV",
        help="Standard deviation of the Gaussian that smooths dQ/dV, in mV [default: 5].",
    ),
    click.option("--life", is_flag=True, help="Draw fitted parameters along life; without --cell, of every cell."),
    click.option("--cleaning", is_flag=True, help="Draw raw and cleaned data; without --cell, of every cell."),
    click.option(
        "--format",
        "formats",
        multiple=True,
        type=click.Choice(["png", "pdf", "svg"], case_sensitive=False),
        help="Format of the files; repeatable [default: png and pdf].",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write to this file instead of the store: .png, .pdf or .svg. Several figures have their names added.",
    ),
)
_FIT_OPTIONS = (
    click.option(
        "--fit",
        metavar="FIT",
        shell_complete=complete.fits,
        help="Only this fit; with --model, the same fit with another model.",
    ),
    click.option(
        "--preset",
        "presets",
        multiple=True,
        metavar="PRESET",
        shell_complete=complete.presets,
        help="Parameter group to fit: ohmic, kinetic, diffusion, balance or ageing; repeatable.",
    ),
    click.option(
        "--model",
        metavar="MODEL",
        shell_complete=complete.model_types,
        help="Model to fit [default: SPMe, or the campaign's first model].",
    ),
    click.option(
        "--parameter-set",
        metavar="SET",
        shell_complete=complete.known_sets,
        help="Parameter set to start from [default: the cell's first].",
    ),
    click.option("--cycles", metavar="RANGE", help="Cycles to fit to, such as 1-3,5 [default: all]."),
    click.option("--select", metavar="PART", help='Part to fit to, such as "cycle 2, discharge" [default: all].'),
    click.option(
        "--validate", "validation_select", metavar="PART", help="Part that is not fitted; the result is tested on it."
    ),
    click.option("--starts", type=click.IntRange(1), help="Total number of starts; finished starts are not run again."),
    click.option("--seed", type=click.IntRange(0), help="Random seed of the initial guesses."),
    click.option("--method", metavar="METHOD", help="least_squares, l_bfgs_b, nelder_mead or differential_evolution."),
    click.option("--profiles", is_flag=True, default=None, help="Also compute profile likelihoods of the parameters."),
    click.option("--name", metavar="NAME", help="Name of the new fit [default: made from its presets]."),
)
_EXPORT_OPTIONS = (
    click.option(
        "--csv",
        type=click.Path(path_type=Path),
        metavar="FOLDER|FILE.csv",
        help="Write one CSV file per cell to FOLDER, or one long file with a column cell_id.",
    ),
    select_option,
    click.option("--bdf", is_flag=True, help="CSV with only the columns and labels of the Battery Data Format."),
    click.option(
        "--to-sqlite",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write one SQLite file: cells, cycles, cleaned series, simulations and views; for a few cells.",
    ),
)


def _job_counts(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int | None] | None:
    if value is None:
        return None
    from ..campaign.fields import job_counts

    try:
        return job_counts(value)
    except ValueError as error:
        raise click.BadParameter(f"{value}: {error}") from None


_CLUSTER_OPTIONS = (
    click.option(
        "--cluster",
        metavar="KIND",
        help="local, slurm, a name in ~/.config/kilocell/clusters.toml, or the address of a Dask scheduler, such as "
        "tcp://HOST:PORT.",
    ),
    click.option("--workers", type=click.IntRange(1), help="Worker processes on this machine [default: one per core]."),
    click.option("--threads-per-worker", type=click.IntRange(1), help="Threads in each worker [default: 1]."),
    click.option("--memory-limit", metavar="SIZE", help="Memory of each worker, such as 4GiB [default: auto]."),
    click.option(
        "--dashboard-address",
        metavar="HOST:PORT",
        help="Address of Dask's dashboard, or none [default: 127.0.0.1:8787, or the next free port].",
    ),
    click.option(
        "--jobs",
        callback=_job_counts,
        metavar="NUMBER|LEAST..MOST",
        help="Slurm: number of jobs, such as 20, or a range such as 2..20 that follows the work.",
    ),
    click.option("--cores", type=click.IntRange(1), help="Slurm: cores of each job; each core runs one worker."),
    click.option("--memory", metavar="SIZE", help="Slurm: memory of each job, such as 4GiB, or none."),
    click.option("--walltime", metavar="HH:MM:SS", help="Slurm: time limit of each job."),
    click.option("--partition", metavar="NAME", help="Slurm: partition."),
    click.option("--account", metavar="NAME", help="Slurm: account."),
)


def _with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """Add options to a command, so that its help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def refused_options(**reasons: str) -> Callable[[Command], Command]:
    """Add options that other questions have, but that mean nothing for this one: a user is told why.

    Args:
        reasons: name of the option, and what to say after ``--NAME: ``; the help does not list them.
    """

    def add(command: Command) -> Command:
        return _with_options(command, [_refused_option(name, reason) for name, reason in reasons.items()])

    return add


def _refused_option(name: str, reason: str) -> Callable[[Command], Command]:
    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise UsageError(f"--{name} means nothing for kilocell {context.info_name}: {reason}")

    help_text = f"Means nothing here: {reason}."
    return click.option(f"--{name}", hidden=True, expose_value=False, callback=refuse, help=help_text)


def plot_options(command: Command) -> Command:
    """Add the options that select what a figure shows."""
    return _with_options(command, _PLOT_OPTIONS)


def filter_options(command: Command) -> Command:
    """Add the options that select cells, parts of records, models, parameter sets and status."""
    return _with_options(command, _FILTER_OPTIONS)


def order_options(command: Command) -> Command:
    """Add the options for order and number of rows."""
    return _with_options(command, _ORDER_OPTIONS)


def answer_options(command: Command) -> Command:
    """Add the options that say where an answer goes."""
    return _with_options(command, _ANSWER_OPTIONS)


def fit_options(command: Command) -> Command:
    """Add the options that define or select a fit."""
    return _with_options(command, _FIT_OPTIONS)


def export_options(command: Command) -> Command:
    """Add the options that select what an export writes."""
    return _with_options(command, _EXPORT_OPTIONS)


def cluster_options(command: Command) -> Command:
    """Add the options that select where jobs run."""
    return _with_options(command, _CLUSTER_OPTIONS)


def cluster_settings(settings: ClusterSettings, given: dict[str, Any]) -> ClusterSettings:
    """Return the campaign's cluster settings, overridden by those of the command line.

    Args:
        given: the options of :func:`cluster_options` by name; ``None`` = not given.

    Raises:
        UsageError: the cluster is neither a known kind nor in the user's clusters.toml.
    """
    changed: dict[str, Any] = {}
    if given.get("cluster") is not None:
        from ..campaign.sites import is_site, load_site

        kind = given["cluster"]
        changed = load_site(kind) if is_site(kind) else {"kind": kind}
    changed |= {name: value for name, value in given.items() if value is not None and name != "cluster"}
    if isinstance(changed.get("jobs"), tuple):
        changed["jobs"], changed["least_jobs"] = changed["jobs"]
    return replace(settings, **changed)
