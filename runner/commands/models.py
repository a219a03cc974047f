"""The commands that show models and parameter sets, and export sets to other programs."""

from __future__ import annotations

from pathlib import Path

import click

from ..campaign.default_paths import store_root
from . import complete, options


@click.command(short_help="List the models, or the options of one.")
@click.argument("model", required=False, metavar="[MODEL]", shell_complete=complete.model_types)
@options.json_option
def models(model: str | None, json_: bool) -> None:
    """List the models that a campaign can use; with MODEL, such as SPMe, list its options, values and defaults."""
    from ..show.models import show_models

    show_models(model, json_)


class _ShowUnlessNamed(click.Group):
    """A group with the default command ``show``: ``kilocell parameters Chen2020`` shows a set."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowUnlessNamed, short_help="List parameter sets, show the parameters of one, or export it.")
def parameters() -> None:
    """List parameter sets, show the parameters of one, or export it to other programs.

    \b
    kilocell parameters                              list all sets
    kilocell parameters Chen2020 --match OCP         show parameters of one set
    kilocell parameters export --cell A --fit FIT    export a fitted set as JSON of PyBaMM's ParameterValues, or BPX
    """


_campaign_option = click.option(
    "--campaign",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also use the parameter sets and variations of this campaign file.",
)


@parameters.command(short_help="List parameter sets, or show the parameters of one (default).")
@click.argument("parameter_set", required=False, metavar="[SET]", shell_complete=complete.known_sets)
@click.option("--match", default="", metavar="TEXT", help="Only parameters with this text in their name.")
@_campaign_option
@options.json_option
def show(parameter_set: str | None, match: str, campaign: Path | None, json_: bool) -> None:
    """List all parameter sets; with SET (a name, or a BPX or ParameterValues file), show its parameters with units."""
    from ..campaign.campaign import load_campaign
    from ..show.parameters import show_parameter_set, show_parameter_sets

    loaded = load_campaign(campaign) if campaign is not None else None
    if parameter_set is None:
        show_parameter_sets(loaded, json_)
    else:
        show_parameter_set(parameter_set, loaded, match, json_)


@parameters.command(short_help="Export a set as JSON of PyBaMM's ParameterValues, or as BPX.")
@click.argument("parameter_set", required=False, metavar="[SET]", shell_complete=complete.known_sets)
@options.store_option
@click.option("--cell", metavar="CELL", help="Cell of the fitted set.", shell_complete=complete.cells)
@click.option("--fit", metavar="FIT", shell_complete=complete.fits, help="Fit that gave the set.")
@click.option(
    "--version", "number", type=click.IntRange(1), help="Version of the fitted set [default: the fit's current one]."
)
@click.option(
    "--format", "form", type=click.Choice(["json", "bpx"]), default="json", show_default=True, help="Format to write."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Output file [default: stdout]."
)
@_campaign_option
@options.all_option
def export(
    parameter_set: str | None,
    store: Path | None,
    cell: str | None,
    fit: str | None,
    number: int | None,
    form: str,
    out: Path | None,
    campaign: Path | None,
    everything: bool,
) -> None:
    """Export a parameter set to other programs: SET by name (Chen2020, Chen2020+diffusion), or the set of a cell's fit.

    A fitted set contains the starting state, capacity and temperature of the cell as PyBaMM parameters. With --out, its
    origin (cell, fit, versions, digests) is written next to it, to FILE.lineage.json.
    """
    from ..campaign.campaign import load_campaign
    from ..export.parameter_set import export_set

    loaded = load_campaign(campaign) if campaign is not None else None
    export_set(parameter_set, loaded, store_root(store), cell, fit, number, form, out, everything)
