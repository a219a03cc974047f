"""The command line. A command reads its options, calls another package, and prints."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..data.errors import KilocellError, UsageError
from ..data.left_out import collect_left_out
from ..data.text import printable_text
from . import signals
from .campaign.default_paths import DEMO_STORE, store_root
from .commands import complete, options
from .commands import failures as failure_commands
from .commands.cache import cache
from .commands.catalog import catalog
from .commands.doctor import doctor
from .commands.fit import fit, fits
from .commands.models import models, parameters
from .commands.prune import prune
from .commands.questions import compare, curves, cycles, make_filters, make_output, parameter_sets
from .commands.raw_data import init, inspect, synthesize
from .commands.report import report
from .commands.run import load_campaign_with_fits
from .commands.run import run as run_
from .commands.slides import slides
from .commands.status import status
from .commands.submit import submit
from .run import early
from .show.safe_output import safe_output

_EXPORTED = "it writes cells with all of their simulations; for some: kilocell curves --samples FILE"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@options.verbose_option
@click.version_option(__version__, message="kilocell %(version)s")
def cli() -> None:
    """Clean raw battery cycling data, simulate each cell with PyBaMM, and fit model parameters.

    \b
    kilocell demo                       try it on five sample cells
    kilocell inspect data/CELL.csv      show how a raw file is read, and what cleaning finds
    kilocell init data/*.csv            write a campaign file for your own data
    kilocell run campaign.toml          run every job that is not up to date

    A campaign file describes your data, models and fits. All results go to a folder, the store.
    """


cli.add_command(cache)
cli.add_command(catalog)
cli.add_command(doctor)
cli.add_command(models)
cli.add_command(parameters)
for command in (init, inspect, synthesize):
    cli.add_command(command)


def _stage_command(name: str, text: str) -> None:
    """Define ``run``, ``clean`` or ``simulate``; they differ only in the jobs they select.

    Args:
        name: of the command.
        text: its help.
    """

    @cli.command(name, help=f"{text}\n\n{options.CAMPAIGN_HELP}")
    @options.campaign_argument
    @options.store_option
    @options.cell_option
    @options.cluster_options
    @options.verbose_option
    @options.quiet_option
    @options.json_option
    @failure_commands.retry_failed_option
    @failure_commands.max_failures_option
    @options.verify_option
    @click.option("--plots/--no-plots", default=name == "run", show_default=True, help="Draw figures at the end.")
    def command(
        campaign: Path | None,
        store: Path | None,
        cells: tuple[str, ...],
        quiet: bool,
        json_: bool,
        verify: bool,
        plots: bool,
        retry_failed: bool,
        max_failures: int | None,
        **cluster: Any,
    ) -> None:
        policy = failure_commands.make_policy(retry_failed, max_failures)
        loaded = load_campaign_with_fits(campaign, store, None if quiet else sys.stderr, verify)
        raise SystemExit(run_(loaded, name, cells, cluster, quiet=quiet, json_=json_, plots=plots, failures=policy))


_stage_command("run", "Clean, simulate and fit. Jobs that are up to date are not run again.")
_stage_command("clean", "Clean the data, without simulating.")
_stage_command("simulate", "Clean the data and simulate, without fitting.")
cli.add_command(submit)
cli.add_command(fit)
cli.add_command(fits)
cli.add_command(prune)
for command in (failure_commands.failures, failure_commands.retry, failure_commands.job):
    cli.add_command(command)
cli.add_command(report)
for question in (cycles, compare, parameter_sets, curves):
    cli.add_command(question)
cli.add_command(slides)


@cli.command()
@options.campaign_argument
@options.store_option
@options.verbose_option
@options.json_option
@options.verify_option
@click.option("--all", "everything", is_flag=True, help="Also list the jobs that are up to date.")
def plan(campaign: Path | None, store: Path | None, json_: bool, verify: bool, everything: bool) -> None:
    """Show which jobs would run, and why. Nothing is written.

    CAMPAIGN is the campaign file [default: campaign.toml].
    """
    from .show.plan import show_plan

    show_plan(load_campaign_with_fits(campaign, store, verify=verify), json_, everything)


cli.add_command(status)


@cli.command(short_help="Show the errors of each simulation.")
@options.store_option
@options.filter_options
@options.by_option
@options.order_options
@options.all_option
@options.json_option
@options.csv_option
@options.refused_options(plot="kilocell plot draws all cells; kilocell compare --plot FILE draws simulations")
def results(store: Path | None, by: str | None, select: str | None, **given: Any) -> None:
    """Show each simulation with its RMSE, or with its errors by window, step type, cycle or stretch.

    Errors are simulated minus measured voltage. A window is the time since a step began. With --select, the errors are
    those in each stretch of a part of the record; nothing is simulated again.
    """
    from .show.results import show_results, show_selection

    if select is not None:
        show_selection(store_root(store), make_filters(given), select, by, make_output(given))
    else:
        show_results(store_root(store), make_filters(given), by, make_output(given))


@cli.command(short_help="Show what cleaning found and changed.")
@options.store_option
@options.cell_option
@options.select_option
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    shell_complete=complete.rules,
    help="Only this cleaning rule; repeatable.",
)
@options.order_options
@options.all_option
@options.json_option
@options.csv_option
@options.refused_options(
    model="cleaning comes before any model",
    parameters="cleaning comes before any model",
    status="findings have a severity; for the state of the jobs: kilocell status",
    plot="kilocell plot --cleaning draws raw and cleaned data",
)
def findings(store: Path | None, rules: tuple[str, ...], select: str | None, **given: Any) -> None:
    """Show each cell before and after cleaning (rows, charge, energy, time, cycles, steps), and what cleaning found.

    With --select, only the findings in the cycles and steps of this part of the records.
    """
    from .show.findings import show_findings

    show_findings(store_root(store), make_filters(given), rules, select, make_output(given))


@cli.command()
@options.store_option
@options.cell_option
@options.export_options
@options.all_option
@options.refused_options(model=_EXPORTED, parameters=_EXPORTED, status=_EXPORTED)
def export(
    store: Path | None,
    cells: tuple[str, ...],
    csv: Path | None,
    select: str | None,
    bdf: bool,
    to_sqlite: Path | None,
    everything: bool,
) -> None:
    """Export cleaned cells as CSV, or as one SQLite file."""
    from .export.cells import export as write
    from .show.open_catalog import say_standing

    root = store_root(store)
    say_standing(root, everything)
    write(root, cells, csv, bdf, to_sqlite, click.echo, select, everything)


@cli.command(short_help="Query the catalog with SQL; read-only.")
@click.argument("statement")
@options.store_option
@options.all_option
@options.json_option
@click.option(
    "--timeout",
    "timeout_second",
    type=click.FloatRange(min=0.0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest time of the statement. While it runs, a run that writes to the store waits.",
)
def sql(statement: str, store: Path | None, everything: bool, json_: bool, timeout_second: float) -> None:
    """Query the catalog with one SELECT; read-only.

    \b
    kilocell sql "SELECT cell_id, model, rmse_mv FROM results ORDER BY rmse_mv"
    kilocell sql "SELECT name FROM sqlite_master"       the tables and views

    Views such as results show what is current; --all lets them show everything. Tables keep everything: their column
    standing says what is current.
    """
    from .show.status import show_select

    show_select(store_root(store), statement, json_, everything, timeout_second)


@cli.command(short_help="Draw measured and simulated voltage, cleaning, errors or fits.")
@options.store_option
@options.plot_options
@options.all_option
def plot(
    store: Path | None,
    cells: tuple[str, ...],
    cycles: str,
    select: str | None,
    models: tuple[str, ...],
    parameter_sets: tuple[str, ...],
    statuses: tuple[str, ...],
    fit_name: str | None,
    errors: bool,
    budget: bool,
    dqdv: bool,
    smoothing_mv: float | None,
    life: bool,
    cleaning: bool,
    formats: tuple[str, ...],
    out: Path | None,
    everything: bool,
) -> None:
    """Draw measured and simulated voltage of cells; without --cell, an overview of all cells.

    \b
    kilocell plot --cell A --cycles 1        measured and simulated voltage of cycle 1
    kilocell plot --cell A --select "cycle 1, discharge"
    kilocell plot --cell A --cleaning        raw and cleaned data
    kilocell plot --cell A --errors          errors by window, step type and cycle
    kilocell plot --cell A --budget          what each RMSE may be off by
    kilocell plot --cell A --dqdv --cycles 2 dQ/dV and dV/dQ, measured and simulated
    kilocell plot --cell A --fit FIT         a fit; without --cell, its parameters over all cells
    kilocell plot --cell A --life            fitted parameters along life

    The figures are written to the store's folder figures, as PNG and PDF; their paths are printed.
    """
    from .commands.plot import choose_kind, draw, draw_cleanings, draw_lives, write_paths
    from .show.open_catalog import say_standing

    root = store_root(store)
    say_standing(root, everything)
    selects_simulations = bool(models or parameter_sets or statuses or fit_name or errors or budget or dqdv)
    if life:
        paths = draw_lives(root, cells, selects_simulations or bool(cycles) or bool(select) or cleaning, everything)
    elif cleaning:
        paths = draw_cleanings(root, cells, cycles, selects_simulations, select, everything)
    else:
        kind = choose_kind(errors=errors, budget=budget, dqdv=dqdv)
        paths = draw(
            root, cells, cycles, models, parameter_sets, fit_name, kind, select, everything, statuses, smoothing_mv
        )
    for path in write_paths(paths, formats, out):
        click.echo(path)


@cli.command()
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEMO_STORE,
    show_default=True,
    metavar="FOLDER",
    help="Folder for the results.",
)
@options.cluster_options
@options.verbose_option
@options.quiet_option
@options.json_option
def demo(store: Path, quiet: bool, json_: bool, **cluster: Any) -> None:
    """Run everything on five sample cells that come with kilocell."""
    import importlib.resources

    with importlib.resources.as_file(importlib.resources.files("kilocell.data") / "campaign.toml") as path:
        loaded = load_campaign_with_fits(path, store, None if quiet else sys.stderr)
        raise SystemExit(run_(loaded, "run", (), cluster, quiet=quiet, json_=json_, plots=True))


@cli.command()
@options.json_option
def version(json_: bool) -> None:
    """Show versions of kilocell and its dependencies."""
    from .show.status import show_versions

    show_versions(json_)


def _say(text: str) -> None:
    early.end()
    click.echo(_printable_lines(text), err=True)


def _describe_os_error(error: OSError) -> str:
    """Return what is wrong with which file; the name under which a file is written first means nothing to users."""
    name = re.sub(r"\.tmp-\d+-\w+$", "", str(error.filename)) if error.filename else ""
    text = f"{name}: {error.strerror or error}" if name else str(error.strerror or error)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        text += ". Nothing can be written there: give another folder or file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text += ". Free some space, then run the same command again"
    return text


@contextmanager
def _early_line_ended() -> Iterator[None]:
    """Remove the line of what a command does, however it ends."""
    try:
        yield
    finally:
        early.end()


def _printable_lines(text: str) -> str:
    """Return an error's lines with control characters escaped: names of files and cells may hold any."""
    return "\n".join(printable_text(line) for line in text.split("\n"))


@safe_output()
def main() -> None:
    """Run the command line and exit.

    Exit codes: 0 all done, 1 some jobs failed, or something is left out because a file of the store is damaged,
    2 wrong usage, 129 hung up (SIGHUP), 130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
    """
    signals.take_signals()
    try:
        code = _run()
    except BrokenPipeError:  # nobody reads the output any more, as with | head
        code = 0
    except OSError:  # the terminal is gone
        code = 1
    signals.leave(code)


def _run() -> int:
    """Run the command line, print how it ended if by an error or a signal, and return the exit code."""
    settings = {"verbose": False}
    stdout = sys.stdout
    try:
        with _early_line_ended(), collect_left_out(_say) as left_out:
            code: int = cli.main(standalone_mode=False, obj=settings) or 0
        return code or int(bool(left_out))
    except SystemExit as end:
        if sys.stdout is not stdout:  # click replaces it when nobody reads it any more, and makes exit code 1 of that
            sys.stdout = stdout
            raise BrokenPipeError from None
        return end.code if isinstance(end.code, int) else 0
    except click.Abort as error:
        return _stop(error.__cause__)
    except KeyboardInterrupt as error:
        return _stop(error)
    except click.ClickException as error:
        error.show()
        return 2
    except KilocellError as error:
        if settings["verbose"]:
            traceback.print_exc()
        click.echo(f"kilocell: {_printable_lines(str(error))}", err=True)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        raise
    except OSError as error:
        if settings["verbose"]:
            traceback.print_exc()
        click.echo(_printable_lines(f"kilocell: {_describe_os_error(error)}"), err=True)
        return 1


def _stop(error: BaseException | None) -> int:
    """Say that a signal stopped the program, if its terminal is still there, and return the exit code."""
    stopped = error if isinstance(error, signals.Stopped) else signals.Stopped()
    with suppress(OSError):
        click.echo(stopped.line, err=True)
    return stopped.exit_code
