"""Find which of several raw files hold the same cell, in which order they join, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ...data.errors import JobError
from ...data.file_names import short_names
from ...data.readers.read import cell_ids
from ...data.settings import SourceSettings
from ...data.text import format_count
from ...jobs.record.file_ends import FileEnds
from ...jobs.record.file_order import find_order
from .cell_names import Proposal, apply_proposals, propose_ids
from .reading_progress import ReadingProgress


class RawFile(NamedTuple):
    """A raw file and how it is read."""

    path: Path
    settings: SourceSettings


@dataclass(frozen=True, slots=True)
class JoinedFiles:
    """The files of one cell.

    Args:
        cell_id: as ``kilocell init`` gives it.
        files: their paths.
        order: their names in the order in which they join; empty if they cannot be joined.
        words: what shows that they are one cell, and their order.
        doubts: what is uncertain.
    """

    cell_id: str
    files: tuple[str, ...]
    order: tuple[str, ...]
    words: str
    doubts: tuple[str, ...] = ()


def describe_joined_files(ends: Mapping[RawFile, FileEnds], progress: ReadingProgress) -> list[JoinedFiles]:
    """Describe every cell that several files have.

    Args:
        ends: what the first and last rows of each file say; of a file with several cells, those of one of them.
        progress: shows how far it is.
    """
    groups: dict[SourceSettings, list[Path]] = {}
    for file in ends:
        groups.setdefault(file.settings, []).append(file.path)
    proposals = propose_ids(groups, progress)
    by_path = {file.path: file_ends for file, file_ends in ends.items()}
    cells: dict[str, list[Path]] = {}
    for settings, paths in apply_proposals(groups, proposals).items():
        for path in paths:
            for cell_id in cell_ids(path, settings):
                cells.setdefault(cell_id, []).append(path)
    return [_describe(cell_id, paths, by_path, proposals) for cell_id, paths in cells.items() if len(paths) > 1]


def _describe(cell_id: str, paths: list[Path], ends: Mapping[Path, FileEnds], proposals: list[Proposal]) -> JoinedFiles:
    names = short_names([str(path) for path in paths])
    files = tuple(str(path) for path in paths)
    why = [proposal.reason for proposal in proposals if proposal.is_sure and paths[0] in proposal.files]
    words = why[0] if why else format_count(len(paths), "file")
    used: dict[FileEnds, str] = {}
    doubts = []
    for path, name in zip(paths, names, strict=True):
        original = used.setdefault(replace(ends[path], name=""), name)
        if original != name:
            doubts.append(f"{name} seems to be a copy of {original}; it is used once")
    named = [replace(end, name=name) for end, name in used.items()]
    try:
        found = find_order(named)
    except JobError as error:
        return JoinedFiles(cell_id, files, (), f"{words}; they cannot be joined", (*doubts, str(error)))
    if found.is_guess:
        doubts.append("the order is a guess")
    order = tuple(named[place].name for place in found.order)
    return JoinedFiles(cell_id, files, order, f"{words}; order from {found.evidence}", (*doubts, *found.doubts))
