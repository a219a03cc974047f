"""``kilocell init``: write a campaign file for raw files, with guesses for the user to correct."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

import pandas as pd

from ...data.errors import CampaignError, ReadError, UsageError
from ...data.readers.read import guess_settings, read_by_cell
from ...data.readers.text_blocks import GZIP_SUFFIXES, stem
from ...data.settings import SourceSettings
from ...data.text import format_count
from ...jobs.cleaning.guess_cell import CellGuess, guess_cell
from ..campaign.errors import campaign_error
from ..campaign.raw_files import explain_no_files, find_files, is_utf8, printable
from .template import GuessedCampaign, campaign_text

TABLES: Final = frozenset({".csv", ".txt", ".tsv", ".dat", ".mpt", ".parquet", ".xlsx", ".xls", ".nda", ".ndax"})
"""Endings of the files that a folder is searched for; ``.gz`` may follow them."""

_CHANNEL: Final = re.compile(r"\.\d{3}")
"""Ending of Maccor's files: the number of the channel."""

_BY_NAME: Final = "pattern:(?P<cell_id>[^/]+)$"
"""The cell id is the whole name of the file, with its ending."""

NOT_READ: Final = frozenset({".mpr", ".res"})
"""Endings of cyclers' files that no reader reads. A folder is searched for them, too, to say what to export instead."""

_MOST_BYTES: Final = 500_000_000  # of raw files that are read for guesses
_MOST_HELD: Final = 2 * _MOST_BYTES  # bytes in memory, where a row takes more than in its file
_SLOW_BYTES: Final = 100_000_000  # reading this much takes a second or more
_ALIKE: Final = 0.05  # relative difference of two capacities that count as equal


@dataclass(frozen=True, slots=True)
class _RawFiles:
    """Raw files by how they are read, and those left out with the reason."""

    groups: dict[SourceSettings, list[Path]]
    left_out: tuple[str, ...]


def write_campaign(paths: Sequence[str], out: Path, tell: Callable[[str], object] | None = None) -> tuple[str, ...]:
    """Write a campaign file for raw files, with a comment on every key.

    Reader, columns, units and cells are guessed from each file; capacity and parameter set from the records (the first
    500 MB of them). Guesses are marked as guesses.

    Args:
        paths: files, folders (with all folders below them) and globs.
        out: the new file; it names the raw files relative to its folder.
        tell: called with a line of text before slow reading.

    Returns:
        Why files were left out of the campaign, one line per file.

    Raises:
        CampaignError: ``out`` exists, a path names no file, or no file can be read; nothing was written.
        UsageError: ``out`` cannot be written.
    """
    if out.exists():
        raise CampaignError(f"{out}: exists already; remove it, or give another file name with --out")
    files = _read_headers(raw_files(paths))
    announcement = _announce_slow_reading(files.groups)
    if announcement and tell is not None:
        tell(announcement)
    guesses, files_read, cells = _guess_cells(files.groups)
    default = _default(list(guesses.values()))
    folder = out.absolute().parent
    name = out.stem
    if name == "campaign":
        name = folder.name or name
    number_of_files = sum(len(group) for group in files.groups.values())
    guessed = GuessedCampaign(
        name=name,
        sources=tuple((settings, tuple(_names(group, folder))) for settings, group in files.groups.items()),
        default=default,
        cells=tuple(_unlike(guesses, default)),
        basis=f"{len(guesses)} of {cells} cells, in {files_read} of {number_of_files} files",
        left_out=files.left_out,
    )
    _write_new(out, campaign_text(guessed))
    return files.left_out


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
    ending = _ending(path)
    is_known = ending.lower() in TABLES | NOT_READ or _CHANNEL.fullmatch(ending) is not None
    if not is_known or path.is_dir():
        return False
    between = path.parents[: len(path.parents) - len(folder.parents)]
    return not any((parent / "catalog.sqlite").is_file() for parent in between)


def _read_headers(files: Sequence[Path]) -> _RawFiles:
    """Guess from the header of each file how it is read.

    Raises:
        CampaignError: no file can be read.
    """
    groups: dict[SourceSettings, list[Path]] = {}
    left_out = []
    channels = Counter((path.parent, stem(path)) for path in files if _CHANNEL.fullmatch(_ending(path)))
    for path in files:
        if not is_utf8(path):
            left_out.append(
                f"{printable(path)}: the file name is not UTF-8, so a campaign file cannot hold it; rename it"
            )
            continue
        try:
            groups.setdefault(_tell_channels_apart(path, guess_settings(path), channels), []).append(path)
        except ReadError as error:
            left_out.append(str(error))
    if not groups:
        raise campaign_error(Path("none of these files can be read"), left_out)
    return _RawFiles(groups, tuple(left_out))


def _tell_channels_apart(path: Path, settings: SourceSettings, channels: Counter[tuple[Path, str]]) -> SourceSettings:
    """Return the settings of a file, with its whole name as cell id if other channels ran the same test.

    Maccor names a file after its test and ends it in the channel: ``test.001`` and ``test.002`` are two cells.

    Args:
        path: the file.
        settings: how it is read.
        channels: number of files that end in a channel, by folder and name of the test.
    """
    is_one_of_several = _CHANNEL.fullmatch(_ending(path)) is not None and channels[path.parent, stem(path)] > 1
    if settings.cell_id_from == "stem" and is_one_of_several:
        return replace(settings, cell_id_from=_BY_NAME)
    return settings


def _ending(path: Path) -> str:
    """Return the ending of a file's name without ``.gz``."""
    if path.suffix.lower() in GZIP_SUFFIXES:
        return Path(path.stem).suffix
    return path.suffix


def _announce_slow_reading(groups: dict[SourceSettings, list[Path]]) -> str:
    """Return a line on what is read for guesses, where reading takes a while; else an empty text."""
    sizes = [path.stat().st_size for files in groups.values() for path in files]
    total = sum(sizes)
    if min(total, _MOST_BYTES) < _SLOW_BYTES:
        return ""
    data = f"{total / 1e6:.0f} MB in {format_count(len(sizes), 'file')}"
    if total > _MOST_BYTES:
        data = f"the first {_MOST_BYTES // 1_000_000} MB of {data}"
    return f"reading {data} to guess capacity and parameter set of each cell"


def _guess_cells(groups: dict[SourceSettings, list[Path]]) -> tuple[dict[str, CellGuess], int, int]:
    """Guess what each cell is, from as many records as the limits of bytes allow.

    Returns:
        Guesses by cell in order of ids, the number of files read, and the number of cells in them.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    bytes_read = 0
    bytes_held = 0
    files_read = 0
    for path, settings in ((path, settings) for settings, files in groups.items() for path in files):
        bytes_read += path.stat().st_size
        if files_read and (bytes_read > _MOST_BYTES or bytes_held > _MOST_HELD):
            break
        files_read += 1
        try:
            for cell_id, part in read_by_cell(path, settings):
                parts.setdefault(cell_id, []).append(part)
                bytes_held += int(part.memory_usage(index=False).sum())
                if bytes_held > _MOST_HELD:
                    break
        except ReadError:
            continue  # its columns could be guessed; the run reports what is wrong with its rows
    guesses = {}
    for cell_id in sorted(parts):
        guess = guess_cell(parts[cell_id])
        if guess is not None:
            guesses[cell_id] = guess
    return guesses, files_read, len(parts)


def _default(guesses: Sequence[CellGuess]) -> CellGuess | None:
    """Return what most cells are: the most common parameter set, and the median capacity of its cells."""
    if not guesses:
        return None
    most_common = Counter(guess.parameter_set for guess in guesses).most_common(1)[0][0]
    alike = [guess for guess in guesses if guess.parameter_set == most_common]
    capacity_ah = float(f"{median(guess.capacity_ah for guess in alike):.3g}")
    return CellGuess(capacity_ah, median(guess.voltage_max_volt for guess in alike))


def _unlike(guesses: dict[str, CellGuess], default: CellGuess | None) -> Iterable[tuple[str, CellGuess]]:
    """Yield the cells that need their own table: another parameter set, or a capacity more than 5 % off.

    A cell id with a glob's wildcard in it could match other cells. Where there is one, every cell gets a table.
    """
    has_wildcard = any(glob.has_magic(cell_id) for cell_id in guesses)
    for cell_id, guess in guesses.items():
        if default is None or cell_id in ("", "defaults"):
            continue
        is_off = abs(guess.capacity_ah - default.capacity_ah) > _ALIKE * default.capacity_ah
        if has_wildcard or is_off or guess.parameter_set != default.parameter_set:
            yield cell_id, guess


def _names(files: Sequence[Path], folder: Path) -> Iterable[str]:
    """Yield names for the files of one source: a glob for files of one folder and ending, if it matches no others."""
    together: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        together.setdefault((path.parent, path.suffix), []).append(path)
    for (parent, suffix), group in together.items():
        pattern = f"{_relative(parent, folder)}/*{suffix}"
        can_be_glob = len(group) > 1 and not glob.has_magic(f"{parent}{suffix}")
        if can_be_glob and set(find_files(pattern, folder)) == set(group):
            yield pattern
        else:
            yield from (_relative(path, folder) for path in group)


def _relative(path: Path, folder: Path) -> str:
    """Return a path relative to the campaign's folder, or as it is where it would go up more than three folders."""
    relative = os.path.relpath(path, os.path.realpath(folder))
    return str(path) if relative.startswith("../../../..") else relative


def _write_new(out: Path, text: str) -> None:
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from None
