"""``kilocell init``: write a campaign file for raw files, with guesses for the user to correct."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from ...data.errors import CampaignError, UsageError
from ...data.settings import SourceSettings
from ...data.text import format_count, printable_text
from ...jobs.cleaning.guess_cell import CellGuess
from ..campaign.errors import campaign_error
from ..campaign.raw_files import find_files
from . import guess_cells as limits
from .cell_names import Proposal, apply_proposals, propose_ids
from .guess_cells import Groups, Guesses, guess_cells
from .headers import RawHeaders, read_headers
from .raw_paths import raw_files
from .reading_progress import ReadingProgress
from .template import GuessedCampaign, GuessedSource, UnfilledSource, campaign_text

_SLOW_BYTES: Final = 100_000_000  # reading this much takes a second or more
_MOST_NAMES: Final = 12  # columns that are listed on the terminal
_ALIKE: Final = 0.05  # relative difference of two capacities that count as equal


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """What ``kilocell init`` says about the campaign that it wrote.

    Args:
        left_out: why files are not in the campaign, one line per file.
        notes: what was found about cells and files, one line each.
        unfilled: what the user has to fill in before the campaign can run; empty = it is complete.
    """

    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()


def write_campaign(
    paths: Sequence[str],
    out: Path,
    tell: Callable[[str], object] | None = None,
    progress: ReadingProgress | None = None,
) -> NewCampaign:
    """Write a campaign file for raw files, with a comment on every key.

    Reader, columns, units and cells are guessed from each file. Capacity and parameter set are guessed from records
    that are cleaned as ``kilocell clean`` does: all of them, or a sample of many. Guesses are marked as guesses.

    Args:
        paths: files, folders (with all folders below them) and globs.
        out: the new file; it names the raw files relative to its folder.
        tell: called with a line of text before slow reading.
        progress: shows how far the reading is; ``None`` = nothing is shown.

    Returns:
        What the user should know or do.

    Raises:
        CampaignError: ``out`` exists, a path names no file, or no file can be read; nothing was written.
        UsageError: ``out`` cannot be written.
    """
    if out.exists():
        raise CampaignError(f"{out}: exists already; remove it, or give another file name with --out")
    progress = progress or ReadingProgress(None)
    headers = read_headers(raw_files(paths), progress)
    if not headers.groups and not headers.unknown:
        raise campaign_error(Path("none of these files can be read"), headers.left_out)
    announcement = _announce_slow_reading(headers.groups)
    if announcement and tell is not None:
        tell(announcement)
    proposals = propose_ids(headers.groups, progress)
    groups = apply_proposals(headers.groups, proposals)
    guesses = guess_cells(groups, progress)
    folder = out.absolute().parent
    _write_new(out, campaign_text(_campaign(out, folder, headers, groups, proposals, guesses)))
    return NewCampaign(
        headers.left_out if headers.groups else _not_unknown(headers),
        tuple(_notes(proposals, guesses)),
        tuple(_unfilled(headers)),
    )


def _campaign(
    out: Path,
    folder: Path,
    headers: RawHeaders,
    groups: Groups,
    proposals: Sequence[Proposal],
    guesses: Guesses,
) -> GuessedCampaign:
    name = out.stem
    if name == "campaign":
        name = folder.name or name
    default = _default(list(guesses.cells.values()))
    number_of_files = sum(len(files) for files in groups.values())
    unfilled = tuple(
        UnfilledSource(table, tuple(_names(paths, folder)), is_comment=bool(groups)) for table, paths in headers.unknown
    )
    return GuessedCampaign(
        name=name,
        sources=tuple(
            GuessedSource(settings, tuple(_names(files, folder)), _reasons(files, proposals))
            for settings, files in groups.items()
        ),
        default=default,
        cells=tuple(_unlike(guesses.cells, default)),
        basis=_basis(guesses, number_of_files),
        left_out=headers.left_out if groups else _not_unknown(headers),
        unfilled=unfilled,
    )


def _basis(guesses: Guesses, number_of_files: int) -> str:
    """Return what the guesses are made from, in words."""
    text = (
        f"{len(guesses.cells)} of {format_count(guesses.cells_read, 'cell')}, in {guesses.files_read} of "
        f"{format_count(number_of_files, 'file')}"
    )
    if guesses.is_sample:
        text += " (a sample of each layout)"
    return text


def _reasons(files: Sequence[Path], proposals: Sequence[Proposal]) -> tuple[str, ...]:
    """Return the reasons for the ids of some files; a doubtful pattern is part of its reason."""
    held = set(files)
    return tuple(_describe(proposal) for proposal in proposals if held.intersection(proposal.files))


def _describe(proposal: Proposal) -> str:
    if proposal.is_sure:
        return proposal.reason
    return f"{proposal.reason}; if so, write cell_id = '{proposal.cell_id_from}'"


def _notes(proposals: Sequence[Proposal], guesses: Guesses) -> Iterable[str]:
    """Yield what was found about cells and files, a line each."""
    for proposal in proposals:
        yield f"cell ids   {_describe(proposal)}"
    for cell_id, reason in guesses.failures.items():
        yield f"no guess   {reason if repr(cell_id) in reason else f'cell {cell_id!r}: {reason}'}"
    if guesses.is_sample:
        cells = format_count(guesses.cells_read, "cell")
        files = format_count(guesses.files_read, "file")
        yield f"guesses    capacity and parameter set come from a sample: {cells} in {files}"


def _unfilled(headers: RawHeaders) -> Iterable[str]:
    """Yield what the user has to fill in, a line for each table, if the campaign has no other file."""
    if headers.groups:
        return
    for number, (table, _) in enumerate(headers.unknown, 1):
        keys = ", ".join(table.missing)
        names = ", ".join(printable_text(name) for name in table.names[:_MOST_NAMES])
        if len(table.names) > _MOST_NAMES:
            names += ", …"
        yield f"sources#{number}.columns: {keys}; the columns of the file are {names}"


def _not_unknown(headers: RawHeaders) -> tuple[str, ...]:
    """Return the files that are left out and not part of a source to fill in."""
    in_campaign = tuple(f"{path}: " for _, paths in headers.unknown for path in paths)
    return tuple(line for line in headers.left_out if not line.startswith(in_campaign))


def _announce_slow_reading(groups: Mapping[SourceSettings, Sequence[Path]]) -> str:
    """Return a line on what is read for guesses, where reading takes a while; else an empty text."""
    sizes = [path.stat().st_size for files in groups.values() for path in files]
    total = sum(sizes)
    if min(total, limits.MOST_BYTES) < _SLOW_BYTES:
        return ""
    data = f"{total / 1e6:.0f} MB in {format_count(len(sizes), 'file')}"
    if total > limits.MOST_BYTES:
        data = f"the first {limits.MOST_BYTES // 1_000_000} MB of {data}"
    return f"reading {data} to guess capacity and parameter set of each cell"


def _default(guesses: Sequence[CellGuess]) -> CellGuess | None:
    """Return what most cells are: the most common parameter set, and the most common capacity of its cells."""
    if not guesses:
        return None
    most_common = Counter(guess.parameter_set for guess in guesses).most_common(1)[0][0]
    of_set = [guess for guess in guesses if guess.parameter_set == most_common]
    alike = max((_with_like_capacity(guess, of_set) for guess in of_set), key=len)
    return CellGuess(
        capacity_ah=float(f"{median(guess.capacity_ah for guess in alike):.3g}"),
        voltage_max_volt=median(guess.voltage_max_volt for guess in alike),
        voltage_min_volt=median(guess.voltage_min_volt for guess in alike),
        seen_ah=float(f"{median(guess.seen_ah for guess in alike):.3g}"),
        half_cycles=sum(guess.half_cycles for guess in alike),
    )


def _with_like_capacity(guess: CellGuess, guesses: Sequence[CellGuess]) -> list[CellGuess]:
    most = _ALIKE * guess.capacity_ah
    return [other for other in guesses if abs(other.capacity_ah - guess.capacity_ah) <= most]


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
