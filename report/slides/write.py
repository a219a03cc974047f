"""Build the slides of a store, and write them as PDF or Markdown."""

from __future__ import annotations

import datetime
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from ...data.errors import UsageError
from ...parquet_store.layout import Store
from ...parquet_store.write import write_atomically, write_text
from ...sqlite import queries
from ..store_folder import check_is_store
from ..styles import read_styles
from .challenges import challenges
from .content import Deck
from .design import design
from .fits import fits
from .markdown import to_markdown
from .method import method
from .scaling import scaling
from .way import way

MARKDOWN_SUFFIXES: Final = (".md", ".markdown", ".txt")


def read_deck(store: Store) -> Deck:
    """Read what the slides of a store say.

    Args:
        store: a store; also one that a run is writing.

    Raises:
        StoreError: the folder is not a store, or its catalog cannot be read.
    """
    check_is_store(store.root)
    with closing(queries.connect(store.catalog)) as catalog:
        catalog_bytes = store.catalog.stat().st_size
        store_bytes = folder_bytes(store.root)
        data, problems = challenges(store, catalog)
        with queries.snapshot(catalog):
            styles = read_styles(catalog)
            slides = (
                data,
                way(catalog, catalog_bytes),
                design(catalog),
                fits(catalog, styles),
                method(catalog, styles),
                scaling(catalog, store_bytes),
            )
            name, date = _name_and_date(catalog, store)
    return Deck(name, date, slides, tuple(problems))


def folder_bytes(root: Path) -> int | None:
    """Return the size of all files in a folder; ``None`` = it cannot be read. Files that vanish meanwhile count 0."""
    total = 0
    waiting = [root]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    else:
                        total += _bytes(entry)
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return total


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _name_and_date(catalog: sqlite3.Connection, store: Store) -> tuple[str, str]:
    """Return the campaign's name, else that of the folder, and the day of the last run (UTC)."""
    run = queries.last_run(catalog)
    folder = store.root.resolve().name
    if run is None:
        return folder, ""
    day = datetime.datetime.fromtimestamp(run["started_unix_second"], datetime.UTC).strftime("%Y-%m-%d")
    return str(run["campaign"] or folder), day


def write_slides(deck: Deck, path: Path, *, markdown: bool) -> None:
    """Write slides to a file.

    Args:
        deck: what they say.
        path: the file.
        markdown: write text instead of a PDF.

    Raises:
        UsageError: the file is a folder, cannot be written, or its suffix belongs to the other format.
    """
    _check_path(path, markdown)
    try:
        if markdown:
            write_text(path, to_markdown(deck))
        else:
            from .pages import write_pdf

            write_atomically(path, partial(write_pdf, deck))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}): choose another file with --out"
        ) from error


def _check_path(path: Path, markdown: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file with --out, such as --out {path / 'slides.pdf'}")
    suffix = path.suffix.lower()
    if not markdown and suffix in MARKDOWN_SUFFIXES:
        raise UsageError(f"{path.name} is a name for text: add --markdown, or give a file that ends in .pdf")
    if markdown and suffix == ".pdf":
        raise UsageError(f"{path.name} is a name for a PDF: leave out --markdown, or give a file that ends in .md")
