"""``kilocell init`` on the terminal: progress, what was found, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ...data.text import printable_text
from ..run import early
from .new_campaign import write_campaign
from .reading_progress import ReadingProgress


def show_init(paths: Sequence[str], out: Path, stream: TextIO | None) -> int:
    """Write a campaign file, and print what the user should know.

    Args:
        paths: files, folders and globs.
        out: the campaign file to write.
        stream: for progress and notes; ``None`` = only what was left out, and what has to be filled in, on stderr.

    Returns:
        The exit code: 1 if the campaign cannot run before the user fills in columns, else 0.

    Raises:
        CampaignError, UsageError: nothing was written.
    """

    def say(text: str) -> None:
        if stream is not None:
            print(printable_text(text), file=stream, flush=True)

    new = write_campaign(paths, out, say, ReadingProgress(stream))
    for note in new.notes:
        say(note)
    early.end()  # what follows is on stdout
    if new.left_out:
        _warn("left out, because they cannot be read:", new.left_out)
    if new.unfilled:
        print(f"wrote {printable_text(str(out))}, which is not complete")
        _warn(f"fill in these columns in {out}, then run kilocell plan {out}:", new.unfilled)
        return 1
    name = printable_text(str(out))
    print(f"wrote {name}\nnext: correct the guesses in it, then kilocell plan {name}")
    return 0


def _warn(title: str, lines: Sequence[str]) -> None:
    print("\n  ".join([printable_text(title), *map(printable_text, lines)]), file=sys.stderr)
