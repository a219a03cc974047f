"""The commands about fits: to make them, and to see them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .defaults import store_root
from .run import load_campaign_with_fits, run

_OWN = ("presets", "model", "parameter_set", "cycles", "fit", "name", "starts", "seed", "method", "profiles")


@click.command(short_help="Clean and fit, and simulate with what was fitted.")
@options.campaign_argument
@options.store_option
@options.cell_option
@options.fit_options
@options.cluster_options
@options.verbose_option
@options.quiet_option
@options.json_option
@click.option("--plots/--no-plots", default=False, help="Draw figures at the end.", show_default=True)
def fit(
    campaign: Path | None,
    store: Path | None,
    cells: tuple[str, ...],
    quiet: bool,
    json_: bool,
    plots: bool,
    **given: Any,
) -> None:
    """Fit: all fits of the campaign, or those that the options name.

    \b
    kilocell fit                                     every fit of the campaign
    kilocell fit --fit aged --cell A --starts 16     one of them, one cell; starts that are done stay done
    kilocell fit --preset diffusion --starts 8       a fit that the campaign file does not have
    kilocell fit --cell A --model SPMe --preset kinetic --preset diffusion --cycles 1-3

    A fit made here has all else from the campaign (cells, parameter sets, models) and is kept in the store's fits.toml,
    so that later runs and plans know it; the lines that make it permanent in the campaign file are printed. What is not
    given again is as before: kilocell fit --preset diffusion --starts 16 runs eight more.
    """
    from ..campaign.fit_request import FitOptions, request_fits

    own = {name: given.pop(name) for name in _OWN}
    asked = request_fits(load_campaign_with_fits(campaign, store), FitOptions(**own), cells)
    code = run(asked.campaign, "fit", cells, given, quiet=quiet, json_=json_, plots=plots, fits=asked.names)
    if asked.new and not (quiet or json_):
        from ..show.fits import print_fit_tables

        print_fit_tables(asked.campaign, asked.new)
    raise SystemExit(code)


@click.command(short_help="Show fits: how much better, how far to believe them.")
@options.store_option
@options.cell_option
@click.option("--fit", "names", multiple=True, metavar="FIT", help="Only this fit, with all that is known of it.")
@click.option("--life", is_flag=True, help="Parameters along life, from chains of fits over check-ups.")
@options.json_option
def fits(store: Path | None, cells: tuple[str, ...], names: tuple[str, ...], life: bool, json_: bool) -> None:
    """Show fits with RMSE before and after, starts and verdict; with --fit or --cell, parameters and starts, too."""
    if life:
        from ..show.fits import show_life

        show_life(store_root(store), cells, names, json_)
        return
    from ..show.fits import show_fits

    show_fits(store_root(store), cells, names, json_)
