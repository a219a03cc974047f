"""The command line. Commands are short: they read options, call another room, and print."""

from __future__ import annotations

import importlib.resources
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import click

from .. import __version__
from ..data.errors import KilocellError, UsageError
from .commands import options
from .commands.cache import cache
from .commands.defaults import DEFAULT_CAMPAIGN, DEMO_STORE, store_root
from .commands.fit import fit, fits
from .commands.models import models, parameters
from .commands.run import load_campaign_with_fits
from .commands.run import run as run_


class Terminated(BaseException):
    """SIGTERM came; raised in the main thread so that workers and cluster jobs are stopped on the way out."""

    exit_code = 143


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@options.verbose_option
@click.version_option(__version__, message="kilocell %(version)s")
def cli() -> None:
    """From raw cycling data of many cells to clean data, simulations, fits and a catalog.

    \b
    kilocell demo                       try it on five cells that come with it
    kilocell inspect data/CELL.csv      show how a raw file would be read, and what cleaning finds
    kilocell init data/*.csv            write a campaign file for your own data
    kilocell run campaign.toml          do all that is not done yet
    """


cli.add_command(cache)
cli.add_command(models)
cli.add_command(parameters)


@cli.command(short_help="Write a campaign file for raw files, folders or globs.")
@click.argument("paths", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_CAMPAIGN, show_default=True)
def init(paths: tuple[str, ...], out: Path) -> None:
    """Write a campaign file for raw files, folders or globs; columns, cells and capacities are guessed."""
    from .inspect.new_campaign import write_campaign

    if left_out := write_campaign(list(paths), out, lambda text: click.echo(text, err=True)):
        click.echo("\n  ".join(("left out, since they cannot be read:", *left_out)), err=True)
    click.echo(f"wrote {out}; look at it, then: kilocell plan {out}")


@cli.command(short_help="Show how raw files would be read, and what cleaning finds.")
@click.argument("files", nargs=-1, required=True)
@click.option("--cell", metavar="CELL", help="Clean this cell of the files [default: the first one of each].")
@options.json_option
def inspect(files: tuple[str, ...], cell: str | None, json_: bool) -> None:
    """Show how raw files, folders or globs would be read: reader, columns, units, sign, cells and first findings."""
    from .inspect.raw_file import show_inspection

    raise SystemExit(show_inspection(files, cell, json_))


def _stage_command(name: str, text: str) -> None:
    """Define ``run`` and its parts, which differ only in the jobs they choose."""

    @cli.command(name, help=text)
    @options.campaign_argument
    @options.store_option
    @options.cell_option
    @options.cluster_options
    @options.verbose_option
    @options.quiet_option
    @options.json_option
    @click.option("--plots/--no-plots", default=name == "run", help="Draw figures at the end.", show_default=True)
    def command(
        campaign: Path | None,
        store: Path | None,
        cells: tuple[str, ...],
        quiet: bool,
        json_: bool,
        plots: bool,
        **cluster: Any,
    ) -> None:
        loaded = load_campaign_with_fits(campaign, store)
        raise SystemExit(run_(loaded, name, cells, cluster, quiet=quiet, json_=json_, plots=plots))


_stage_command("run", "Clean, simulate, fit and draw all that is not done yet.")
_stage_command("clean", "Only clean.")
_stage_command("simulate", "Clean and simulate, without fits.")
cli.add_command(fit)
cli.add_command(fits)


@cli.command()
@options.campaign_argument
@options.store_option
@options.verbose_option
@options.json_option
@click.option("--all", "everything", is_flag=True, help="List the jobs that are done, too.")
def plan(campaign: Path | None, store: Path | None, json_: bool, everything: bool) -> None:
    """Show what would run, and why; nothing is written."""
    from .show.plan import show_plan

    show_plan(load_campaign_with_fits(campaign, store), json_, everything)


@cli.command()
@options.store_option
@options.json_option
def status(store: Path | None, json_: bool) -> None:
    """Show how far a store is: jobs, failures, the last run."""
    from .show.status import show_status

    show_status(store_root(store), json_)


@cli.command(short_help="Show each cell with each model and its errors.")
@options.store_option
@options.cell_option
@options.by_option
@options.json_option
def results(store: Path | None, cells: tuple[str, ...], by: str | None, json_: bool) -> None:
    """Show each cell with each model and its RMSE, or its errors by window, step type or cycle."""
    from .show.results import show_results

    show_results(store_root(store), cells, by, json_)


@cli.command(short_help="Show what cleaning made of each cell, and what it found.")
@options.store_option
@options.cell_option
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Only this cleaning rule; may be repeated.")
@options.json_option
def findings(store: Path | None, cells: tuple[str, ...], rules: tuple[str, ...], json_: bool) -> None:
    """Show what cleaning made of each cell (rows, charge, time, cycles, steps) and what it found."""
    from .show.findings import show_findings

    show_findings(store_root(store), cells, rules, json_)


@cli.command()
@options.store_option
@options.cell_option
@options.export_options
def export(store: Path | None, cells: tuple[str, ...], csv: Path | None, bdf: bool, to_sqlite: Path | None) -> None:
    """Write cleaned cells as CSV or as one SQLite file."""
    from .export.cells import export as write

    write(store_root(store), cells, csv, bdf, to_sqlite, click.echo)


@cli.command(short_help="Ask the catalog in SQL; read-only.")
@click.argument("statement")
@options.store_option
@options.json_option
def sql(statement: str, store: Path | None, json_: bool) -> None:
    """Ask the catalog: kilocell sql "SELECT cell_id, model, rmse_mv FROM simulations". Read-only."""
    from .show.status import show_select

    show_select(store_root(store), statement, json_)


@cli.command(short_help="Draw cells: measured and simulated, or raw and cleaned.")
@options.store_option
@options.plot_options
def plot(
    store: Path | None,
    cells: tuple[str, ...],
    cycles: str,
    models: tuple[str, ...],
    parameter_sets: tuple[str, ...],
    fit_name: str | None,
    errors: bool,
    life: bool,
    cleaning: bool,
) -> None:
    """Draw measured and simulated voltage of cells, or errors; without --cell, the overview of all."""
    from .commands.plot import draw, draw_cleanings, draw_lives

    root, others = store_root(store), bool(models or parameter_sets or fit_name or errors)
    if life:
        paths = draw_lives(root, cells, others or bool(cycles) or cleaning)
    elif cleaning:
        paths = draw_cleanings(root, cells, cycles, others)
    else:
        paths = iter(draw(root, cells, cycles, models, parameter_sets, fit_name, errors))
    for path in paths:
        click.echo(path)


@cli.command()
@click.option("--cells", type=click.IntRange(1), default=5, show_default=True, help="Number of cells.")
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same data.")
@click.option("--layout", type=click.Choice(["long", "files"]), default="long", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("synthetic"), show_default=True)
@options.quiet_option
def synthesize(cells: int, seed: int, layout: str, out: Path, quiet: bool) -> None:
    """Make raw data of synthetic cells, with defects and truth."""
    from .show.status import make_synthetic

    make_synthetic(out, cells, seed, layout, None if quiet else sys.stderr)


@cli.command()
@click.option("--store", type=click.Path(path_type=Path, file_okay=False), default=DEMO_STORE, show_default=True)
@options.cluster_options
@options.verbose_option
@options.quiet_option
@options.json_option
def demo(store: Path, quiet: bool, json_: bool, **cluster: Any) -> None:
    """Run everything on the five cells that come with kilocell."""
    with importlib.resources.as_file(importlib.resources.files("kilocell.data") / "campaign.toml") as path:
        loaded = load_campaign_with_fits(path, store)
        raise SystemExit(run_(loaded, "run", (), cluster, quiet=quiet, json_=json_, plots=True))


@cli.command()
@options.json_option
def version(json_: bool) -> None:
    """Show versions of kilocell and of what results depend on."""
    from .show.status import show_versions

    show_versions(json_)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main() -> None:
    """Entry point: exit codes 0 all done, 1 some failed, 2 usage, 130 and 143 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    settings = {"verbose": False}
    try:
        raise SystemExit(cli.main(standalone_mode=False, obj=settings) or 0)
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what is done is kept, run again to go on", err=True)
        raise SystemExit(130) from None
    except Terminated:
        click.echo("terminated; what is done is kept, run again to go on", err=True)
        raise SystemExit(Terminated.exit_code) from None
    except KilocellError as error:
        if settings["verbose"]:
            traceback.print_exc()
        click.echo(f"kilocell: {error}", err=True)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except OSError as error:
        if settings["verbose"]:
            traceback.print_exc()
        click.echo(f"kilocell: {error.strerror or error} ({error.filename})", err=True)
        raise SystemExit(1) from None
