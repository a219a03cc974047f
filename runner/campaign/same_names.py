"""Tell cells apart whose files have the same name in several folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...data.errors import KilocellError
from ...data.file_names import are_dated_folders, folder_ids
from ...data.readers.text_blocks import stem
from ...data.settings import SourceSettings
from .raw_files import find_problem

SMALL_BYTES: Final = 1_000_000
"""Size of a file up to which it is read to see whether it continues another; of a longer text file, the first and last
rows are read. Chosen, not measured."""

if TYPE_CHECKING:
    import pandas as pd

FileSettings = tuple[Path, SourceSettings]


def separate_same_names(files: Sequence[FileSettings]) -> list[FileSettings]:
    """Return files so that those of one name in several folders are several cells.

    They stay one cell if their folders are named after dates, or if their test times or cycle numbers go on from file
    to file.

    Args:
        files: all raw files of a campaign, with how they are read.
    """
    same: dict[str, list[int]] = {}
    for i, (path, settings) in enumerate(files):
        if settings.cell_id_from == "stem":
            same.setdefault(stem(path), []).append(i)
    separated = list(files)
    for places in same.values():
        paths = [str(files[i][0]) for i in places]
        if len({files[i][0].parent for i in places}) < max(len(places), 2):
            continue
        if are_dated_folders(paths) or _continue_each_other([files[i] for i in places]):
            continue
        rules = folder_ids(paths, [str(path) for i, (path, _) in enumerate(files) if i not in places])
        for i in places:
            path, settings = files[i]
            separated[i] = (path, replace(settings, cell_id_from=rules[str(path)]))
    return separated


def _continue_each_other(files: Sequence[FileSettings]) -> bool:
    """Tell whether test times or cycle numbers go on from file to file. Only text files are read to see it."""
    # Imported here: they import pandas, which is not needed for names that differ.
    from ...jobs.record.file_ends import FileEnds, file_ends, is_discontinuous

    if any(settings.reader != "csv" or find_problem(path) for path, settings in files):
        return False
    try:
        ends: list[FileEnds] = [file_ends(str(path), _first_and_last_rows(path, settings)) for path, settings in files]
    except (KilocellError, OSError):
        return False
    for column in ("test", "cycle"):
        spans = {end.name: getattr(end, column) for end in ends}
        ordered = sorted(ends, key=lambda end: (spans[end.name].first, spans[end.name].last))
        goes_on = all(
            spans[later.name].first >= spans[earlier.name].last > spans[earlier.name].first
            and not is_discontinuous(earlier, later)
            for earlier, later in pairwise(ordered)
        )
        if goes_on:
            return True
    return False


def _first_and_last_rows(path: Path, settings: SourceSettings) -> pd.DataFrame:
    from ...data.readers.date_formats import sample_rows
    from ...data.readers.layout import csv_layout
    from ...data.readers.read import read_raw

    if path.stat().st_size <= SMALL_BYTES:
        return read_raw(path, settings)
    return sample_rows(csv_layout(path, settings))
