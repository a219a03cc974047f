"""Find the raw files that files, folders and globs on the command line name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ...data.errors import CampaignError
from ...data.readers.text_blocks import GZIP_SUFFIXES
from ..campaign.raw_files import explain_no_files, find_files

TABLES: Final = frozenset({".csv", ".txt", ".tsv", ".dat", ".mpt", ".parquet", ".xlsx", ".xls", ".nda", ".ndax"})
"""Endings of the files that a folder is searched for; ``.gz`` may follow them."""

NOT_READ: Final = frozenset({".mpr", ".res"})
"""Endings of cyclers' files that no reader reads. A folder is searched for them, too, to say what to export instead."""

_CHANNEL: Final = re.compile(r"\.\d{3}")
"""Ending of Maccor's files: the number of the channel."""


def raw_files(paths: Sequence[str]) -> list[Path]:
    """Return every file that the paths name, sorted, each once.

    Args:
        paths: files, folders (with all folders below them) and globs.

    Raises:
        CampaignError: a path names no file.
    """
    if not paths:
        raise CampaignError("give the raw files of the campaign: files, folders or globs")
    here = Path.cwd()
    files: set[Path] = set()
    problems = []
    for text in paths:
        path = here / os.path.expanduser(text)  # noqa: PTH111 - as in a campaign's globs
        if path.is_dir():
            named = [file for file in path.rglob("*") if _is_table(file, path)]
            if not named:
                problems.append(f"no file that ends in {', '.join(sorted(TABLES))} or a channel (.001) in {path}")
        else:
            named = find_files(text, here)
            if not named:
                problems.append(explain_no_files(text, here))
        files.update(Path(os.path.realpath(file.parent)) / file.name for file in named)
    if problems:
        raise CampaignError("\n".join(problems))
    return sorted(files)


def _is_table(path: Path, folder: Path) -> bool:
    """Tell by its ending whether a file in a folder is raw data; files inside a store of kilocell are not.

    Named pipes, devices and links that point to nothing count as files: reading them reports what is wrong.
    """
    is_known = ending(path).lower() in TABLES | NOT_READ or ends_in_channel(path)
    if not is_known or path.is_dir():
        return False
    between = path.parents[: len(path.parents) - len(folder.parents)]
    return not any((parent / "catalog.sqlite").is_file() for parent in between)


def ends_in_channel(path: Path) -> bool:
    """Tell whether a file's name ends in a number of a channel, such as ``.001``, as Maccor's do."""
    return _CHANNEL.fullmatch(ending(path)) is not None


def ending(path: Path) -> str:
    """Return the ending of a file's name without ``.gz``."""
    if path.suffix.lower() in GZIP_SUFFIXES:
        return Path(path.stem).suffix
    return path.suffix
