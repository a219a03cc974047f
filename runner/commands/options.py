"""Options that several commands share, defined once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from ...data.settings import ClusterSettings

Command = TypeVar("Command", bound=Callable[..., Any])
campaign_argument = click.argument(
    "campaign", required=False, type=click.Path(path_type=Path, dir_okay=False), metavar="[CAMPAIGN]"
)
store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="KILOCELL_STORE",
    help="The store's folder [default: the campaign's; without one, ./store or ./kilocell-demo].",
)
cell_option = click.option("--cell", "cells", multiple=True, metavar="CELL", help="Only this cell; may be repeated.")
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
    help="Show tracebacks and the workers' own log lines.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print results and errors only.")
by_option = click.option(
    "--by",
    type=click.Choice(["window", "step-type", "cycle"]),
    help="Errors by time since each step began, by what the cell did, or by cycle.",
)
_PLOT_OPTIONS = (
    click.option("--cell", "cells", multiple=True, metavar="CELL", help="Draw this cell; may be repeated."),
    click.option("--cycles", default="", metavar="RANGE", help="Cycles, such as 1-3,5 or last [default: all]."),
    click.option("--model", "models", multiple=True, metavar="MODEL", help="Only this model; may be repeated."),
    click.option("--parameter-set", "parameter_sets", multiple=True, metavar="SET", help="Only this parameter set."),
    click.option("--fit", "fit_name", metavar="FIT", help="Draw this fit of the cell; without --cell, of all."),
    click.option("--errors", is_flag=True, help="Draw the cell's errors by window, step type and cycle."),
    click.option("--life", is_flag=True, help="Draw parameters along life; without --cell, of every cell."),
    click.option("--cleaning", is_flag=True, help="Draw raw against cleaned data; without --cell, of every cell."),
)
_FIT_OPTIONS = (
    click.option("--fit", metavar="FIT", help="Only this fit; with --model, the same fit of another model."),
    click.option(
        "--preset",
        "presets",
        multiple=True,
        metavar="PRESET",
        help="Fit what ohmic, kinetic, … stands for; may be repeated.",
    ),
    click.option("--model", metavar="MODEL", help="Model of the fit [default: SPMe, or the campaign's first]."),
    click.option("--parameter-set", metavar="SET", help="Set that the fit begins from [default: the cell's first]."),
    click.option("--cycles", metavar="RANGE", help="Cycles to fit on, such as 1-3,5 [default: all]."),
    click.option("--starts", type=click.IntRange(1), help="Number of starts in all; those that are done stay done."),
    click.option("--seed", type=click.IntRange(0), help="Of the points where starts begin."),
    click.option("--method", metavar="METHOD", help="least_squares, l_bfgs_b, nelder_mead or differential_evolution."),
    click.option("--profiles", is_flag=True, default=None, help="Also each parameter's profile likelihood."),
    click.option("--name", metavar="NAME", help="Name of the new fit [default: its presets', and another model's]."),
)
_EXPORT_OPTIONS = (
    click.option(
        "--csv",
        type=click.Path(path_type=Path),
        metavar="FOLDER|FILE.csv",
        help="One CSV file a cell in FOLDER, or one long file with a cell_id column.",
    ),
    click.option("--bdf", is_flag=True, help="CSV with the Battery Data Format's columns and labels only."),
    click.option(
        "--to-sqlite",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="One SQLite file: cells, cycles, cleaned series, simulations and views; for small selections.",
    ),
)
_CLUSTER_OPTIONS = (
    click.option("--cluster", metavar="KIND", help="local, slurm, or a scheduler's address such as tcp://HOST:PORT."),
    click.option("--workers", type=click.IntRange(1), help="Worker processes on this machine [default: one a core]."),
    click.option("--threads-per-worker", type=click.IntRange(1), help="Threads in each worker [default: 1]."),
    click.option("--memory-limit", metavar="SIZE", help="Memory of each worker, such as 4GiB [default: auto]."),
    click.option(
        "--dashboard-address",
        metavar="HOST:PORT",
        help="Dask's dashboard [default: 127.0.0.1:8787, the next free port when taken], or none.",
    ),
    click.option("--jobs", type=click.IntRange(1), help="Slurm: number of jobs."),
    click.option("--cores", type=click.IntRange(1), help="Slurm: cores, and so workers, in each job."),
    click.option("--memory", metavar="SIZE", help="Slurm: memory of each job, such as 4GiB."),
    click.option("--walltime", metavar="HH:MM:SS", help="Slurm: time limit of each job."),
    click.option("--partition", metavar="NAME", help="Slurm: partition."),
    click.option("--account", metavar="NAME", help="Slurm: account."),
)


def plot_options(command: Command) -> Command:
    """Add the options that say what a figure shows."""
    for option in reversed(_PLOT_OPTIONS):
        command = option(command)
    return command


def fit_options(command: Command) -> Command:
    """Add the options that say which fit."""
    for option in reversed(_FIT_OPTIONS):
        command = option(command)
    return command


def export_options(command: Command) -> Command:
    """Add the options that say what an export writes."""
    for option in reversed(_EXPORT_OPTIONS):
        command = option(command)
    return command


def cluster_options(command: Command) -> Command:
    """Add the options that say where jobs run."""
    for option in reversed(_CLUSTER_OPTIONS):
        command = option(command)
    return command


def cluster_settings(settings: ClusterSettings, given: dict[str, Any]) -> ClusterSettings:
    """The campaign's cluster settings with those of the command line, which win."""
    changed = {name: value for name, value in given.items() if value is not None and name != "cluster"}
    if given.get("cluster") is not None:
        changed["kind"] = given["cluster"]
    return replace(settings, **changed)
