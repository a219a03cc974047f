"""``kilocell slides``: the store as a talk of six pages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...data.errors import UsageError
from ..campaign.default_paths import store_root
from . import options

STANDARD_OUTPUT = "-"


@click.command(short_help="Write a talk of six pages about a store, as PDF or Markdown.")
@options.store_option
@click.option("--out", metavar="FILE", help="The file to write [default: slides.pdf or slides.md in the store].")
@click.option("--markdown", is_flag=True, help="Write the same content as text; with --out -, to the terminal.")
@options.quiet_option
def slides(store: Path | None, out: str | None, markdown: bool, quiet: bool) -> None:
    """Write slides about a store: data, architecture, catalog, fits, method, scaling.

    All numbers and figures come from the store. A page without data says what to run.

    \b
    kilocell slides --out talk.pdf
    kilocell slides --markdown --out - | less
    """
    from ...data.text import printable_text
    from ...parquet_store.layout import Store
    from ...report.slides.write import read_deck, write_slides
    from ..show.open_catalog import say_standing

    root = store_root(store)
    if out == STANDARD_OUTPUT and not markdown:
        raise UsageError("a PDF is not for the terminal: give a file with --out, or add --markdown")
    deck = read_deck(Store(root))
    if not quiet:
        say_standing(root)
    for problem in deck.warnings:
        print(f"warning: {printable_text(problem)}", file=sys.stderr)
    if out == STANDARD_OUTPUT:
        from ...report.slides.markdown import to_markdown

        print(to_markdown(deck), end="")
        return
    if out:
        path = Path(out)
    else:
        path = root / ("slides.md" if markdown else "slides.pdf")
    write_slides(deck, path, markdown=markdown)
    if not quiet:
        print(path)
