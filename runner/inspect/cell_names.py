"""Propose cell ids where file names are no good ids, because files are parts of one cell or share their names.

Names only suggest a pattern. The files of a suggested cell are read, and the pattern is proposed if each continues the
one before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from ...data.errors import JobError, ReadError
from ...data.file_names import natural_key, short_names
from ...data.readers.read import cell_ids, read_raw
from ...data.readers.text_blocks import stem
from ...data.settings import SourceSettings
from ...data.text import format_count
from ...jobs.record.file_ends import FileEnds, continues, file_ends, voltage_jump
from ...jobs.record.file_order import find_order
from .guess_cells import Groups, in_order, spread
from .reading_progress import ReadingProgress

MOST_CELLS: Final = 4
"""Suggested cells whose files are read to see whether they continue each other. Chosen, not measured."""

MOST_FILES: Final = 8
"""Files of a suggested cell that are read for this: the first ones, by their names. Chosen, not measured."""

MOST_AGAINST: Final = 0.2
"""Share of the joins at which the voltage may jump, because a file is missing. Chosen, not measured."""

NUMBERED_JUMP_VOLT: Final = 0.2
"""V: largest jump of the voltage from one numbered file to the next of a cell. A number may also be that of a cell, so
less is allowed than relaxation explains. Chosen, not measured."""

_CELL_WORD: Final = re.compile(r"(?:^|[^a-z])(?:cell|batt?|battery|channel|ch|chan|sample|specimen|barcode|sn)[-_. ]*$")
"""The end of a name before a number that counts cells."""

_ID: Final = "(?P<cell_id>[^/]+)"
_REST: Final = r"\.[^/]+$"
"""The ending of a file's name, in a pattern."""

_NAME_ALONE: Final = r"pattern:(?P<cell_id>[^/]+?)(\.[^./]+)?(\.gz)?$"
"""The name of the file without its ending, also where several folders have files of this name."""

_DATE: Final = r"(?:\d{1,4}[-_. ]\d{1,2}[-_. ]\d{1,4}|\d{8}|\d{6})(?:[-_ T.]+\d{1,2}[-_.:h]?\d{2}(?:[-_.:m]?\d{2})?)?"
_PART: Final = r"(?:[-_. ]+(?:part|pt|p|file|run|seq|no|nr)?[-_. ]*\d{1,4}|[-_. ]*\(\d{1,3}\)|(?:part|file)\d{1,4})"
_TAILS: Final = (
    ("a date at the end", re.compile(rf".+?(?P<cut>[-_. ]+{_DATE})")),
    ("a number at the end", re.compile(rf".+?(?P<cut>{_PART})", re.IGNORECASE)),
)
_HEADS: Final = (
    ("a date at the beginning", re.compile(rf"(?P<cut>{_DATE}[-_. ]+).+")),
    ("a number at the beginning", re.compile(r"(?P<cut>\d{1,3}[-_. ]+).+")),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """How the cell ids of some files are found, and why.

    Args:
        files: the files.
        cell_id_from: as in ``SourceSettings``.
        reason: in words, one sentence.
        is_sure: whether the files show it; otherwise the user is asked.
    """

    files: tuple[Path, ...]
    cell_id_from: str
    reason: str
    is_sure: bool = True


class _Verdict(NamedTuple):
    """What reading some files of suggested cells shows.

    Args:
        is_one: whether files continue each other; ``None`` = nothing but their names says so.
        words: the evidence.
    """

    is_one: bool | None
    words: str


def propose_ids(groups: Groups, progress: ReadingProgress) -> list[Proposal]:
    """Propose cell ids for files whose names alone are no good ids.

    Args:
        groups: the raw files by how they are read.
        progress: shows how far it is.

    Returns:
        Proposals; at most one sure proposal for a file.
    """
    how = {path: settings for settings, files in groups.items() for path in files}
    judge = _Judge(how, progress)
    by_stem = sorted((path for path, settings in how.items() if settings.cell_id_from == "stem"), key=_natural)
    found = list(_of_stems(by_stem, judge))
    for settings, files in groups.items():
        if settings.cell_id_from.startswith("column:") and len(files) > 1:
            found += _of_column(settings, sorted(files, key=_natural), judge)
    progress.close()
    return found


def apply_proposals(groups: Groups, proposals: Sequence[Proposal]) -> dict[SourceSettings, list[Path]]:
    """Return the groups with the cell ids of the sure proposals.

    Args:
        groups: the raw files by how they are read.
        proposals: of :func:`propose_ids`.
    """
    ids = {path: proposal.cell_id_from for proposal in proposals if proposal.is_sure for path in proposal.files}
    applied: dict[SourceSettings, list[Path]] = {}
    for settings, files in groups.items():
        for path in files:
            changed = replace(settings, cell_id_from=ids.get(path, settings.cell_id_from))
            applied.setdefault(changed, []).append(path)
    return applied


def _natural(path: Path) -> tuple[object, ...]:
    return (str(path.parent), natural_key(path.name))


class _Judge:
    """Reads files, and judges whether those of one suggested cell continue each other.

    Args:
        how: how each file is read.
        progress: shows how far it is.
    """

    def __init__(self, how: Mapping[Path, SourceSettings], progress: ReadingProgress) -> None:
        self._how = how
        self._progress = progress
        self._ends: dict[tuple[Path, str | None], FileEnds | None] = {}

    def judge(
        self, cells: Sequence[Sequence[Path]], cell_id: str | None = None, most_jump_volt: float | None = None
    ) -> _Verdict:
        """Judge some of the suggested cells, by some of their files.

        Args:
            cells: the files of each, at least two.
            cell_id: only the rows of this cell, if a column has the ids.
            most_jump_volt: V; largest jump of the voltage from file to file; ``None`` = what relaxation explains.
        """
        joins: list[tuple[bool | None, str]] = []
        for files in spread(cells, MOST_CELLS):
            chosen = in_order(files)[:MOST_FILES]
            names = short_names([str(path) for path in chosen])
            read = [self._read(path, cell_id) for path in chosen]
            named = [replace(end, name=name) for end, name in zip(read, names, strict=True) if end is not None]
            ends = list({replace(end, name=""): end for end in named}.values())  # a copy is used once
            try:
                joins += _compare_ends(ends, most_jump_volt)
            except JobError as error:
                return _Verdict(False, str(error).partition(";")[0])
        if not joins:
            return _Verdict(None, "they cannot be read, or hold the same rows")
        return _judge_joins(joins)

    def _read(self, path: Path, cell_id: str | None) -> FileEnds | None:
        key = (path, cell_id)
        if key not in self._ends:
            self._progress.show("comparing files", len(self._ends), MOST_CELLS * MOST_FILES)
            try:
                self._ends[key] = file_ends(path.name, read_raw(path, self._how[path], cell_id))
            except ReadError:
                self._ends[key] = None
        return self._ends[key]


def _compare_ends(ends: Sequence[FileEnds], most_jump_volt: float | None) -> list[tuple[bool | None, str]]:
    """Tell of each file whether it continues the one before it, and the evidence.

    Raises:
        JobError: files hold the same hours.
    """
    if len(ends) < 2:
        return []
    joins = []
    for earlier, later in pairwise([ends[place] for place in find_order(ends).order]):
        jump = voltage_jump(earlier, later)
        does, reason = continues(earlier, later)
        if does and jump is not None and most_jump_volt is not None and abs(jump) > most_jump_volt:
            does = False
            reason = f"the voltage jumps from {earlier.volt.last:.3f} V to {later.volt.first:.3f} V"
        if does is False:
            reason = f"from {earlier.name} to {later.name}, {reason}"
        joins.append((does, reason))
    return joins


def _judge_joins(joins: Sequence[tuple[bool | None, str]]) -> _Verdict:
    """Judge from all joins of some suggested cells whether the files are parts of these cells."""
    against = [reason for does, reason in joins if does is False]
    if len(against) > MOST_AGAINST * len(joins):
        return _Verdict(False, against[0])
    goes_on = Counter(reason for does, reason in joins if does)
    number = f"{sum(goes_on.values())} of {format_count(len(joins), 'join')}"
    if 2 * sum(goes_on.values()) < len(joins):
        return _Verdict(None, "nothing else in them shows whether they continue each other")
    return _Verdict(True, f"{goes_on.most_common(1)[0][0]} at {number}")


def _of_stems(files: Sequence[Path], judge: _Judge) -> Iterator[Proposal]:
    """Yield proposals for files whose names are their ids."""
    by_name: dict[str, list[Path]] = {}
    for path in files:
        by_name.setdefault(stem(path), []).append(path)
    shared = [paths for paths in by_name.values() if len(paths) > 1]
    if shared:
        yield from _of_shared_names(files, shared, judge)
    yield from _of_numbered_names([paths[0] for paths in by_name.values() if len(paths) == 1], judge)


def _of_shared_names(files: Sequence[Path], shared: Sequence[Sequence[Path]], judge: _Judge) -> Iterator[Proposal]:
    """Yield a proposal for files of one name in several folders: the folder is part of the id."""
    verdict = judge.judge(shared)
    same = f"{format_count(len(shared[0]), 'file')} named {stem(shared[0][0])} in different folders"
    named_alike = tuple(path for paths in shared for path in paths)
    if verdict.is_one:
        yield Proposal(named_alike, _NAME_ALONE, f"{same} continue each other ({verdict.words}), so they are one cell")
        return
    why = verdict.words if verdict.is_one is False else "nothing shows that they continue each other"
    for those in (tuple(files), named_alike):
        pattern = _folder_pattern(those)
        if pattern is not None:
            yield Proposal(those, pattern, f"{same} are different cells ({why}), so the folder is in the id")
            return


def _folder_pattern(files: Sequence[Path]) -> str | None:
    """Return a pattern that takes the id from the folders, with the file's name if it is needed; ``None`` = none."""
    deepest = min(len(path.parts) for path in files) - 2
    for depth in range(1, deepest + 1):
        if len({path.parts[-1 - depth] for path in files}) == len(files):
            return f"pattern:{_ID}" + "/[^/]+" * depth + "$"
    for depth in range(1, deepest + 1):
        ids = {(path.parts[-1 - depth : -1], stem(path)) for path in files}
        if len(ids) == len(files):
            folders = "[^/]+/" * depth
            return rf"pattern:(?P<cell_id>{folders}[^/]+?)(\.[^./]+)?(\.gz)?$"
    return None


def _of_numbered_names(files: Sequence[Path], judge: _Judge) -> Iterator[Proposal]:
    """Yield proposals for files whose names differ in dates or numbers: parts of a cell if they continue each other."""
    taken: set[Path] = set()
    doubtful: list[Proposal] = []
    for suggestion in _suggested(files):
        cells = {cell: [path for path in paths if path not in taken] for cell, paths in suggestion.cells.items()}
        several = [paths for paths in cells.values() if len(paths) > 1]
        if not several:
            continue
        is_dated = "date" in suggestion.words
        verdict = judge.judge(several, most_jump_volt=None if is_dated else NUMBERED_JUMP_VOLT)
        if verdict.is_one is False:
            continue
        if not is_dated and any(_CELL_WORD.search(cell.lower()) for cell in cells):
            verdict = _Verdict(None, "the number may be that of a cell")
        those = tuple(path for paths in cells.values() for path in paths)
        names = ", ".join([*list(cells)[:3], *["…"][: len(cells) > 3]])
        parts = f"{format_count(len(those), 'file')} of {format_count(len(cells), 'cell')} ({names})"
        if verdict.is_one:
            taken.update(those)
            reason = f"{parts}: the names differ in {suggestion.words}, and {verdict.words}"
            yield Proposal(those, suggestion.pattern, reason)
        else:
            reason = f"perhaps {parts}: the names differ in {suggestion.words}, but {verdict.words}"
            doubtful.append(Proposal(those, suggestion.pattern, reason, is_sure=False))
    for proposal in doubtful:
        if not taken.intersection(proposal.files):
            taken.update(proposal.files)
            yield proposal


class _Suggestion(NamedTuple):
    """A way to cut a date or number off the names of some files.

    Args:
        words: what is cut off.
        pattern: as in ``SourceSettings.cell_id_from``.
        cells: the files of each cell that it gives.
    """

    words: str
    pattern: str
    cells: dict[str, list[Path]]


def _suggested(files: Sequence[Path]) -> Iterator[_Suggestion]:
    """Yield ways to cut a date or number off the names, dates first; the files of one folder together."""
    for forms, make in ((_TAILS, _tail_pattern), (_HEADS, _head_pattern)):
        for words, regex in forms:
            found: dict[tuple[Path, str], dict[str, list[Path]]] = {}
            for path in files:
                match = regex.fullmatch(stem(path))
                if match is None:
                    continue
                pattern = make(match["cut"])
                cell = re.search(pattern.removeprefix("pattern:"), path.as_posix())
                if cell is not None:
                    found.setdefault((path.parent, pattern), {}).setdefault(cell["cell_id"], []).append(path)
            yield from (_Suggestion(words, pattern, cells) for (_, pattern), cells in found.items())


def _tail_pattern(cut: str) -> str:
    return f"pattern:{_ID}{_any_numbers(cut)}{_REST}"


def _head_pattern(cut: str) -> str:
    return f"pattern:/{_any_numbers(cut)}{_ID}{_REST}"


def _any_numbers(text: str) -> str:
    return re.sub(r"\d+", r"\\d+", re.escape(text).replace(r"\ ", " ").replace(r"\-", "-"))


def _of_column(settings: SourceSettings, files: Sequence[Path], judge: _Judge) -> Iterator[Proposal]:
    """Yield a proposal for files whose column of ids joins files that do not continue each other."""
    by_cell: dict[str, list[Path]] = {}
    for path in spread(files, MOST_FILES):
        try:
            ids = cell_ids(path, settings)
        except ReadError:
            return
        if len(ids) != 1:
            return
        by_cell.setdefault(ids[0], []).append(path)
    for cell_id, paths in by_cell.items():
        if len(paths) < 2:
            continue
        verdict = judge.judge([paths], cell_id)
        if verdict.is_one is False and len({stem(path) for path in files}) == len(files):
            column = settings.cell_id_from.removeprefix("column:")
            joined = f"column {column!r} gives {format_count(len(paths), 'file')} the one id {cell_id!r}"
            yield Proposal(tuple(files), "stem", f"{joined}, but they do not continue each other ({verdict.words})")
            return
