"""The command that shows and clears the folder of compiled models."""

from __future__ import annotations

import click

from . import options


@click.command(short_help="Show or clear the folder of compiled models.")
@click.option("--clear", is_flag=True, help="Remove all compiled models; runs compile them again when it pays.")
@options.json_option
def cache(clear: bool, json_: bool) -> None:
    """Show where compiled models lie, how many there are, their size, and when they were last used."""
    from .show_cache import clear_cache, show_cache

    if clear:
        clear_cache(json_)
    else:
        show_cache(json_)
