"""The commands that show models and parameter sets, and write sets for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .defaults import store_root


@click.command(short_help="Show the models there are, or the options of one.")
@click.argument("model", required=False, metavar="[MODEL]")
@options.json_option
def models(model: str | None, json_: bool) -> None:
    """Show the models that a campaign can name; with MODEL (SPMe), its options with their values and defaults."""
    from ..show.models import show_models

    show_models(model, json_)


class _ShowUnlessNamed(click.Group):
    """A group whose command is ``show`` where none is named, so that ``kilocell parameters Chen2020`` shows a set."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowUnlessNamed, short_help="Show parameter sets and their parameters, or export one.")
def parameters() -> None:
    """Show parameter sets, or the parameters of one; write one for other programs.

    \b
    kilocell parameters                              every set
    kilocell parameters Chen2020 --match OCP         parameters of one, as: kilocell parameters show Chen2020 …
    kilocell parameters export --cell A --fit FIT    a fitted set as JSON of PyBaMM's ParameterValues, or BPX
    """


_campaign_option = click.option(
    "--campaign",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Know this campaign's own sets and variations, too.",
)


@parameters.command(
    short_help="Show the parameter sets there are, or the parameters of one (what is done without a word)."
)
@click.argument("parameter_set", required=False, metavar="[SET]")
@click.option("--match", default="", metavar="TEXT", help="Only parameters with this text in their names.")
@_campaign_option
@options.json_option
def show(parameter_set: str | None, match: str, campaign: Path | None, json_: bool) -> None:
    """Show every parameter set; with SET (a name, or a BPX or ParameterValues file), each parameter with its unit."""
    from ..campaign.campaign import load_campaign
    from ..show.parameters import show_parameter_set, show_parameter_sets

    loaded = load_campaign(campaign) if campaign is not None else None
    if parameter_set is None:
        show_parameter_sets(loaded, json_)
    else:
        show_parameter_set(parameter_set, loaded, match, json_)


@parameters.command(short_help="Write a set as JSON of PyBaMM's ParameterValues, or as BPX.")
@click.argument("parameter_set", required=False, metavar="[SET]")
@options.store_option
@click.option("--cell", metavar="CELL", help="The cell whose fitted set it is.")
@click.option("--fit", metavar="FIT", help="The fit that found it.")
@click.option("--version", "number", type=click.IntRange(1), help="Of the fitted set [default: the fit's present one].")
@click.option(
    "--format", "form", type=click.Choice(["json", "bpx"]), default="json", show_default=True, help="Form of it."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where to [default: print]."
)
@_campaign_option
def export(
    parameter_set: str | None,
    store: Path | None,
    cell: str | None,
    fit: str | None,
    number: int | None,
    form: str,
    out: Path | None,
    campaign: Path | None,
) -> None:
    """Write a parameter set for other programs: SET by name (Chen2020, Chen2020+diffusion), or a cell's fit.

    A fitted set has the state at the record's start, the cell's capacity and temperature in it, as PyBaMM's own
    parameters. Where it is from is written beside it, to FILE with .lineage.json at its end.
    """
    from ..campaign.campaign import load_campaign
    from ..export.parameter_set import export_set

    loaded = load_campaign(campaign) if campaign is not None else None
    export_set(parameter_set, loaded, store_root(store), cell, fit, number, form, out)
