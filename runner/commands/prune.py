"""``kilocell prune``: show or remove what no job of the plan needs."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .run import load_campaign_with_fits


@click.command(short_help="Show or remove files that the plan does not need.")
@options.campaign_argument
@options.store_option
@click.option("--yes", is_flag=True, help="Remove the files; without it they are only listed.")
@click.option(
    "--include-gone", is_flag=True, help="Also results of cells whose raw files are gone: they cannot be made again."
)
@options.verbose_option
@options.json_option
def prune(campaign: Path | None, store: Path | None, yes: bool, include_gone: bool, json_: bool) -> None:
    """List files of a store that no job of the campaign needs.

    They are of cells, models, parameter sets and fits that the campaign no longer has, and of killed processes. Only
    files that kilocell wrote are listed. With --yes they are removed, and the catalog forgets their jobs.

    CAMPAIGN is the campaign file [default: campaign.toml].
    """
    from ..show.prune import show_prune

    show_prune(load_campaign_with_fits(campaign, store), yes, include_gone, json_)
