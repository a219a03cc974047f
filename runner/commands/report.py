"""``kilocell report``: write the report of a store as a page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ...data.text import format_count, printable_text
from ..campaign.default_paths import store_root
from ..show.open_catalog import open_catalog, standing_notes
from . import options

if TYPE_CHECKING:
    from ...report.html.write import Report

MEGABYTE: Final = 1e6


@click.command(short_help="Write a report of the store as one HTML page.")
@options.store_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The page to write [default: report.html in the store].",
)
@options.all_option
@options.quiet_option
def report(store: Path | None, out: Path | None, everything: bool, quiet: bool) -> None:
    """Write a report of the store as one HTML page that needs no network.

    It shows what ran, the errors of all simulations, the worst cells, a panel with curves for each cell, findings,
    charge evidence, error budgets, fits, failures by reason, and provenance. Of a large store, the curves are in side
    files in a folder beside the page, which it opens on demand.
    """
    from ...report.html.write import write_report

    root = store_root(store)
    with open_catalog(root, everything) as catalog:
        notes = list(standing_notes(catalog, everything=True))  # the page itself says what is not shown
    with _progress(quiet) as progress:
        written = write_report(root, out, everything=everything, notes=notes, progress=progress)
    for line in _lines(written, quiet):
        click.echo(line)


def _lines(written: Report, quiet: bool) -> Iterator[str]:
    """Yield where the report is, and unless quiet its size and how to open it."""
    yield printable_text(str(written.path))
    if quiet:
        return
    if written.folder is None:
        yield f"{written.bytes / MEGABYTE:.1f} MB in one file"
    else:
        total = (written.bytes + written.side_bytes) / MEGABYTE
        side = f"{format_count(written.side_files, 'file')} with curves in {written.folder.name}"
        yield f"{total:.1f} MB: the page {written.bytes / MEGABYTE:.1f} MB, and {side}; keep both together"
    yield f"open it in a browser: {written.path.resolve().as_uri()}"


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many cells are done."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("cells", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
