"""The commands about fits: make them, and show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...data.errors import UsageError
from ..campaign.default_paths import store_root
from . import complete, options
from .failures import make_policy, max_failures_option, retry_failed_option
from .questions import make_filters, make_output
from .run import load_campaign_with_fits, run

_FIT_OPTIONS = (
    "presets",
    "model",
    "parameter_set",
    "cycles",
    "select",
    "validation_select",
    "fit",
    "name",
    "starts",
    "seed",
    "method",
    "profiles",
)


@click.command(short_help="Fit parameters, and simulate with the result.")
@options.campaign_argument
@options.store_option
@options.cell_option
@options.fit_options
@options.cluster_options
@options.verbose_option
@options.quiet_option
@options.json_option
@retry_failed_option
@max_failures_option
@click.option("--plots/--no-plots", default=False, show_default=True, help="Draw figures at the end.")
def fit(
    campaign: Path | None,
    store: Path | None,
    cells: tuple[str, ...],
    quiet: bool,
    json_: bool,
    plots: bool,
    retry_failed: bool,
    max_failures: int | None,
    **given: Any,
) -> None:
    """Fit parameters to the measured voltage: all fits of the campaign, or those that the options select or define.

    \b
    kilocell fit                                     every fit of the campaign
    kilocell fit --fit aged --cell A --starts 16     one fit of one cell; finished starts are not run again
    kilocell fit --preset diffusion --starts 8       a fit that is not in the campaign file
    kilocell fit --cell A --model SPMe --preset kinetic --preset diffusion --cycles 1-3
    kilocell fit --preset diffusion --select "cycle 2, discharge" --validate "cycle 3"

    The cells are cleaned first, and simulated with the fitted parameters.

    A new fit uses the campaign's cells, parameter sets and models. It is saved in the store's fits.toml, so later runs
    and plans include it, and the lines to add to the campaign file are printed. Options you leave out keep their
    earlier values: kilocell fit --preset diffusion --starts 16 runs eight more starts.

    CAMPAIGN is the campaign file [default: campaign.toml]. Options override its settings.
    """
    from ..campaign.fit_request import FitOptions, request_fits

    fit_options = {name: given.pop(name) for name in _FIT_OPTIONS}
    request = request_fits(load_campaign_with_fits(campaign, store), FitOptions(**fit_options), cells)
    code = run(
        request.campaign,
        "fit",
        cells,
        given,
        quiet=quiet,
        json_=json_,
        plots=plots,
        fits=request.names,
        failures=make_policy(retry_failed, max_failures),
    )
    if request.new and not (quiet or json_):
        from ..show.fits import print_fit_tables

        print_fit_tables(request.campaign, request.new)
    raise SystemExit(code)


@click.command(short_help="Show fits, and how reliable they are.")
@options.store_option
@options.filter_options
@click.option(
    "--fit",
    "names",
    multiple=True,
    metavar="FIT",
    shell_complete=complete.fits,
    help="Only this fit, with all details; repeatable.",
)
@click.option("--life", is_flag=True, help="Show parameters along life, from chains of fits over check-ups.")
@options.order_options
@options.all_option
@options.json_option
@options.csv_option
@options.refused_options(plot="kilocell plot --fit FIT draws a fit")
def fits(store: Path | None, names: tuple[str, ...], life: bool, select: str | None, **given: Any) -> None:
    """Show fits with RMSE before and after, agreement of the starts, and a verdict; with --fit, all details.

    --parameters selects by the fitted set, or by the set from which a fit began. --select selects the fits of exactly
    this part of the record.
    """
    filters = make_filters(given)
    output = make_output(given)
    if not life:
        from ..show.fits import show_fits

        show_fits(store_root(store), filters, names, select, output)
        return
    from ..show.life import show_life

    if select is not None:
        raise UsageError("--select means nothing with --life, which shows each check-up")
    show_life(store_root(store), filters, names, output)
