"""``kilocell init``: a campaign file for the raw files it is pointed at, with guesses for a user to correct."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import pandas as pd

from ...data.errors import CampaignError, ReadError, UsageError
from ...data.readers.read import guess_settings, read_by_cell
from ...data.settings import SourceSettings
from ...data.text import format_count
from ...jobs.cleaning.guess_cell import CellGuess, guess_cell
from ..campaign.errors import campaign_error
from ..campaign.raw_files import explain_no_files, find_files
from .template import GuessedCampaign, campaign_text

TABLES: Final = frozenset({".csv", ".txt", ".tsv", ".dat", ".mpt", ".parquet", ".xlsx", ".xls", ".nda", ".ndax"})
"""Endings of the files that are taken when a folder is named; ``.gz`` may follow them."""

NOT_READ: Final = frozenset({".mpr", ".res"})
"""Endings of cyclers' files that no reader reads; in a folder they are taken too, so that it is said what to export."""

_MOST_BYTES: Final = 500_000_000
_MOST_HELD: Final = 2 * _MOST_BYTES  # in memory, where a row takes more than in its file
_SLOW_BYTES: Final = 100_000_000  # reading so much takes a second or more
_ALIKE: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Found:
    """The files that were found, by how they are read, and what was left out and why."""

    groups: dict[SourceSettings, list[Path]]
    left_out: tuple[str, ...]


def write_campaign(paths: Sequence[str], out: Path, tell: Callable[[str], object] | None = None) -> tuple[str, ...]:
    """Write a campaign file for raw files, with a comment on every key; return why files were left out of it.

    Reader, columns, units and cells are guessed from each file; capacity and parameter set from the records
    (the first 500 MB of them), and marked as guesses.

    Args:
        paths: files, folders (taken with all that is below them) and globs.
        out: the new file; the raw files are named relative to its folder.
        tell: called with a line of text before reading that takes a while.

    Raises:
        CampaignError: ``out`` exists, a path names no file, or no file can be read; nothing was written.
        UsageError: ``out`` cannot be written.
    """
    if out.exists():
        raise CampaignError(f"{out}: exists already; remove it, or give another name for the new campaign")
    found = _read_headers(raw_files(paths))
    slow = _slow(found.groups)
    if slow and tell is not None:
        tell(slow)
    guesses, read, cells = _guess_cells(found.groups)
    default = _default(list(guesses.values()))
    folder = out.absolute().parent
    text = campaign_text(
        GuessedCampaign(
            name=out.stem if out.stem != "campaign" else folder.name or "campaign",
            sources=tuple((settings, tuple(_names(files, folder))) for settings, files in found.groups.items()),
            default=default,
            cells=tuple(_unlike(guesses, default)),
            basis=f"{len(guesses)} of {cells} cells, in {read} of {sum(map(len, found.groups.values()))} files",
            left_out=found.left_out,
        )
    )
    _write_new(out, text)
    return found.left_out


def raw_files(paths: Sequence[str]) -> list[Path]:
    """Return every file that the paths (files, folders, globs) name, sorted, each once.

    Raises:
        CampaignError: a path names no file.
    """
    here = Path.cwd()
    found: set[Path] = set()
    problems = []
    for text in paths:
        path = here / os.path.expanduser(text)  # noqa: PTH111 - as in a campaign's globs
        if path.is_dir():
            files = [f for f in path.rglob("*") if _is_table(f, path)]
            problems += [] if files else [f"no file that ends in {', '.join(sorted(TABLES))} in {path}"]
        else:
            files = find_files(text, here)
            problems += [] if files else [explain_no_files(text, here)]
        found.update(Path(os.path.realpath(file.parent)) / file.name for file in files)
    if problems or not found:
        raise CampaignError("\n".join(problems) or "name the raw files, folders or globs that the campaign is about")
    return sorted(found)


def _is_table(path: Path, folder: Path) -> bool:
    """Tell whether a file in a folder is raw data by its ending; what lies in a store of kilocell's own is not."""
    ending = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if ending.lower() not in TABLES | NOT_READ or not path.is_file():
        return False
    between = path.parents[: len(path.parents) - len(folder.parents)]
    return not any((parent / "catalog.sqlite").is_file() for parent in between)


def _read_headers(files: Sequence[Path]) -> _Found:
    groups: dict[SourceSettings, list[Path]] = {}
    left_out = []
    for path in files:
        try:
            str(path).encode()
            groups.setdefault(guess_settings(path), []).append(path)
        except ReadError as error:
            left_out.append(str(error))
        except UnicodeEncodeError:
            left_out.append(f"{str(path)!r}: its name is not UTF-8, so that no campaign can hold it; rename it")
    if not groups:
        raise campaign_error(Path("none of these files can be read"), left_out)
    return _Found(groups, tuple(left_out))


def _slow(groups: dict[SourceSettings, list[Path]]) -> str:
    """What reading for guesses is about to do, where that takes a while; else nothing."""
    sizes = [path.stat().st_size for files in groups.values() for path in files]
    if min(sum(sizes), _MOST_BYTES) < _SLOW_BYTES:
        return ""
    first = f"the first {_MOST_BYTES // 1_000_000} MB of " if sum(sizes) > _MOST_BYTES else ""
    return f"reading {first}{sum(sizes) / 1e6:.0f} MB in {format_count(len(sizes), 'file')} to guess what each cell is"


def _guess_cells(groups: dict[SourceSettings, list[Path]]) -> tuple[dict[str, CellGuess], int, int]:
    """Guess what each cell is from the records that fit into the limit; also count files read and cells seen."""
    parts: dict[str, list[pd.DataFrame]] = {}
    size = read = held = 0
    for path, settings in ((path, settings) for settings, files in groups.items() for path in files):
        size += path.stat().st_size
        if read and (size > _MOST_BYTES or held > _MOST_HELD):
            break
        read += 1
        try:
            for cell_id, part in read_by_cell(path, settings):
                parts.setdefault(cell_id, []).append(part)
                held += int(part.memory_usage(index=False).sum())
                if held > _MOST_HELD:
                    break
        except ReadError:
            continue  # its columns could be guessed; the run will say what is wrong with its rows
    guesses = {cell_id: guess_cell(frames) for cell_id, frames in parts.items()}
    return {cell_id: guess for cell_id, guess in sorted(guesses.items()) if guess is not None}, read, len(parts)


def _default(guesses: Sequence[CellGuess]) -> CellGuess | None:
    """What most cells are: the commoner parameter set, and the median capacity of its cells."""
    if not guesses:
        return None
    common = Counter(guess.parameter_set for guess in guesses).most_common(1)[0][0]
    alike = [guess for guess in guesses if guess.parameter_set == common]
    capacity = float(f"{median(guess.capacity_ah for guess in alike):.3g}")
    return CellGuess(capacity, median(guess.voltage_max_volt for guess in alike))


def _unlike(guesses: dict[str, CellGuess], default: CellGuess | None) -> Iterable[tuple[str, CellGuess]]:
    """The cells that need a table of their own: another parameter set, or a capacity that is more than 5 % off.

    An id with a sign of a glob in it could match other cells; where there is one, every cell gets a table.
    """
    every = any(glob.has_magic(cell_id) for cell_id in guesses)
    for cell_id, guess in guesses.items():
        if default is None or cell_id in ("", "defaults"):
            continue
        off = abs(guess.capacity_ah - default.capacity_ah) > _ALIKE * default.capacity_ah
        if every or off or guess.parameter_set != default.parameter_set:
            yield cell_id, guess


def _names(files: Sequence[Path], folder: Path) -> Iterable[str]:
    """Name the files of one source: a folder's files of one ending as a glob where it finds these and no others."""
    together: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        together.setdefault((path.parent, path.suffix), []).append(path)
    for (parent, suffix), group in together.items():
        pattern = f"{_relative(parent, folder)}/*{suffix}"
        if (
            len(group) > 1
            and not glob.has_magic(f"{parent}{suffix}")
            and set(find_files(pattern, folder)) == set(group)
        ):
            yield pattern
        else:
            yield from (_relative(path, folder) for path in group)


def _relative(path: Path, folder: Path) -> str:
    """The path from the campaign's folder, or as it is where that would climb more than three folders."""
    relative = os.path.relpath(path, os.path.realpath(folder))
    return str(path) if relative.startswith("../../../..") else relative


def _write_new(out: Path, text: str) -> None:
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from None
