"""The commands that show models and parameter sets; they need no store."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command(short_help="Show the models there are, or the options of one.")
@click.argument("model", required=False, metavar="[MODEL]")
@options.json_option
def models(model: str | None, json_: bool) -> None:
    """Show the models that a campaign can name; with MODEL (SPMe), its options with their values and defaults."""
    from .show_models import show_models

    show_models(model, json_)


@click.command(short_help="Show the parameter sets there are, or the parameters of one.")
@click.argument("parameter_set", required=False, metavar="[SET]")
@click.option("--match", default="", metavar="TEXT", help="Only parameters with this text in their names.")
@click.option(
    "--campaign",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Know this campaign's own sets and variations, too.",
)
@options.json_option
def parameters(parameter_set: str | None, match: str, campaign: Path | None, json_: bool) -> None:
    """Show every parameter set; with SET (a name, or a BPX or ParameterValues file), each parameter with its unit."""
    from .campaign import load_campaign
    from .show_parameters import show_parameter_set, show_parameter_sets

    loaded = load_campaign(campaign) if campaign is not None else None
    if parameter_set is None:
        show_parameter_sets(loaded, json_)
    else:
        show_parameter_set(parameter_set, loaded, match, json_)
