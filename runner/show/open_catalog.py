"""Open the catalog of a store for a command, and say on stderr if what it shows may not be up to date."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ...data.text import format_count, printable_text
from ...parquet_store.layout import Store
from ...sqlite import queries
from ...sqlite.standing_queries import count_earlier, has_jobs, has_plan, last_campaign
from ..campaign.next_command import NextCommand

NO_PLAN: Final = (
    "an earlier version of kilocell wrote this store: all of its results count as current until the next `kilocell run`"
)


@contextmanager
def open_catalog(root: Path, everything: bool = False) -> Iterator[sqlite3.Connection]:
    """Open the catalog of a store for reading.

    Args:
        root: the store's folder.
        everything: also show what is out of date or of an earlier campaign.

    Yields:
        A connection as of :func:`kilocell.sqlite.queries.connect`.
    """
    with closing(queries.connect(Store(root).catalog, everything=everything)) as catalog:
        for line in standing_notes(catalog, everything, command_of(root, catalog)):
            print(line, file=sys.stderr)
        yield catalog


def say_standing(root: Path, everything: bool = False) -> None:
    """Say on stderr if a store may not be up to date, for a command that opens the catalog elsewhere."""
    with open_catalog(root, everything):
        pass


def standing_notes(
    catalog: sqlite3.Connection, everything: bool = False, command: NextCommand | None = None
) -> Iterator[str]:
    """Yield lines that say why what is shown may not be all, or not up to date.

    Args:
        catalog: from :func:`kilocell.sqlite.queries.connect`.
        everything: whether everything is shown.
        command: completes the commands of the lines; ``None`` = they stay as they are.
    """
    if not has_plan(catalog):
        if has_jobs(catalog) and queries.last_run(catalog) is not None:
            yield NO_PLAN
        return
    changed = changed_campaign(catalog)
    if changed:
        plan = command.of("plan") if command is not None else "kilocell plan"
        yield f"{changed} was changed after the last run: `{plan}` says what is out of date"
    hidden = [format_count(count, name[:-1]) for name, count in count_earlier(catalog).items() if count]
    if hidden and not everything:
        yield f"not shown: {', '.join(hidden)} of an earlier campaign; to see them, add --all"


def command_of(root: Path, catalog: sqlite3.Connection) -> NextCommand:
    """Return what completes commands for a store and the campaign of its last run."""
    last = last_campaign(catalog)
    return NextCommand(root, None if last is None else Path(last.path))


def changed_campaign(catalog: sqlite3.Connection) -> str:
    """Return the path of the last run's campaign file if its text has changed since; "" = it has not, or is not here.

    Args:
        catalog: from :func:`kilocell.sqlite.queries.connect`.
    """
    last = last_campaign(catalog)
    if last is None or not Path(last.path).is_absolute():
        return ""
    path = Path(last.path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError:
        return ""
    except UnicodeDecodeError:
        text = ""
    return "" if text == last.text else printable_text(_short(path))


def _short(path: Path) -> str:
    """Return a path as short as it can be typed in this folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
