"""Where standard output goes: a terminal of some width, with or without colours, or a file or pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

LEAST_WIDTH: Final = 40
"""Characters of a line below which a terminal is not believed, or cannot show a table."""

ESCAPE: Final = "\x1b"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal can show.

    Args:
        width: characters of a line.
        has_colours: whether colours and bold type are wanted and known.
    """

    width: int
    has_colours: bool


def find_terminal() -> Terminal | None:
    """Return the terminal that standard output goes to; ``None`` = it goes to a file or pipe."""
    if not sys.stdout.isatty():
        return None
    return Terminal(max(shutil.get_terminal_size().columns, LEAST_WIDTH), wants_colours())


def wants_colours() -> bool:
    """Tell whether a terminal may be sent colours: NO_COLOR (https://no-color.org) and ``TERM=dumb`` say no."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def rows_shown(total: int, most: int, limit: int | None) -> int:
    """Return how many rows of a table are printed: all in a file or pipe, and all that the user asked for.

    Args:
        total: rows that there are.
        most: those that a terminal shows unless the user says otherwise.
        limit: of the option --limit; ``None`` = not given.
    """
    if limit is not None or find_terminal() is None:
        return total
    return min(total, most)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines; on a terminal, long ones are wrapped between words."""
    for line in wrapped(lines):
        print(line)


def wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines, those longer than the terminal broken between words and indented; elsewhere unchanged.

    Args:
        lines: without line ends; those of a table, which fits already, may have colours.
    """
    terminal = find_terminal()
    for line in lines:
        if terminal is None or len(line) <= terminal.width or ESCAPE in line:
            yield line
            continue
        indent = line[: len(line) - len(line.lstrip())]
        yield from wrap(
            line,
            terminal.width,
            initial_indent="",
            subsequent_indent=f"{indent}    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
