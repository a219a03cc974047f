"""``kilocell catalog``: check a store's files and catalog against its receipts, and make the catalog again."""

from __future__ import annotations

from pathlib import Path

import click

from ..campaign.default_paths import store_root
from . import options


@click.group(short_help="Check or rebuild the catalog, and find damaged files.")
def catalog() -> None:
    """Check the files and the catalog of a store against its receipts, and repair what differs.

    Every job leaves a receipt with its result and with the digest of each file that it wrote.
    """


@catalog.command(short_help="Find damaged files, and numbers that were changed in the catalog.")
@options.store_option
@click.option("--repair", is_flag=True, help="Move damaged files away, and make the catalog again if it differs.")
@options.json_option
def check(store: Path | None, repair: bool, json_: bool) -> None:
    """Compare every file with its digest, and every number of the catalog with its receipt. Exit code 1: they differ.

    With --repair, a damaged file gets the ending .damaged, and the next run makes it again.
    """
    from ..show.catalog import check as check_store

    raise SystemExit(check_store(store_root(store), repair, json_))


@catalog.command(short_help="Make catalog.sqlite again from the receipts.")
@options.store_option
def rebuild(store: Path | None) -> None:
    """Make catalog.sqlite again from the receipts of all jobs, also if it is lost or damaged.

    Campaigns, runs and what is current are kept from the old catalog if it can be read.
    """
    from ..show.catalog import rebuild as rebuild_store

    rebuild_store(store_root(store))
