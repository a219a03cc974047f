"""Commands on raw files: look at them, write a campaign file for them, and make synthetic ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from ..campaign.default_paths import DEFAULT_CAMPAIGN
from ..run import early
from . import options

PATHS_SHOWN: Final = 3
"""Number of paths that the first line names while files are read."""


@click.command(short_help="Write a campaign file for your raw data.")
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CAMPAIGN,
    show_default=True,
    metavar="FILE",
    help="The campaign file to write.",
)
@options.quiet_option
def init(paths: tuple[str, ...], out: Path, quiet: bool) -> None:
    """Write a campaign file for raw files, folders or globs.

    Columns, cells, capacities and parameter sets are guessed from cleaned data. Correct what the file marks as a guess.
    """
    stream = None if quiet else early.guard(sys.stderr)
    early.start(None if quiet else sys.stderr, "reading", " ".join(paths[:PATHS_SHOWN]))
    from ..inspect.show_init import show_init

    raise SystemExit(show_init(paths, out, stream))


@click.command(short_help="Show how raw files are read, and what cleaning finds.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--cell", metavar="CELL", help="Cell to clean [default: the first one of each file].")
@options.json_option
def inspect(files: tuple[str, ...], cell: str | None, json_: bool) -> None:
    """Show how raw files, folders or globs are read: reader, columns, units, sign of the current, cells and findings.

    Nothing is written. One cell of each file is cleaned.
    """
    early.start(sys.stderr, "reading", " ".join(files[:PATHS_SHOWN]), in_files=False)
    from ..inspect.raw_file import show_inspection

    raise SystemExit(show_inspection(files, cell, json_))


@click.command()
@click.option("--cells", type=click.IntRange(1), default=5, show_default=True, help="Number of cells.")
@click.option("--seed", type=int, default=7, show_default=True, help="Random seed; the same seed gives the same data.")
@click.option(
    "--layout",
    type=click.Choice(["long", "files"]),
    default="long",
    show_default=True,
    help="One file for all cells, or one file per cell.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("synthetic"),
    show_default=True,
    metavar="FOLDER",
    help="Output folder.",
)
@options.quiet_option
def synthesize(cells: int, seed: int, layout: str, out: Path, quiet: bool) -> None:
    """Make raw data of synthetic cells. Their defects and parameters are known: see ground_truth.json."""
    from ..show.status import make_synthetic

    make_synthetic(out, cells, seed, layout, None if quiet else sys.stderr)
