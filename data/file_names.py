"""What the names of files say: the natural order of parts, dates in names, and short names that differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final, NamedTuple

FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2060
"""Years of dates in names. Numbers that would give other years are no dates. Chosen, not measured."""

_NUMBER: Final = re.compile(r"(\d+)")
_CLOCK: Final = r"(?:[-_ T.]+(?P<H>[01]\d|2[0-3])[-_.:h]?(?P<M>[0-5]\d)(?:[-_.:m]?(?P<S>[0-5]\d))?(?!\d))?"
_DATES: Final[tuple[tuple[str, str], ...]] = (
    ("year, month, day", r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d)"),
    ("year, month, day", r"(?P<Y>\d{4})[-_. ](?P<m>\d{1,2})[-_. ](?P<d>\d{1,2})"),
    ("month, day, year", r"(?P<m>\d{1,2})[-_. ](?P<d>\d{1,2})[-_. ](?P<Y>\d{4}|\d\d)"),
    ("day, month, year", r"(?P<d>\d{1,2})[-_. ](?P<m>\d{1,2})[-_. ](?P<Y>\d{4}|\d\d)"),
    ("year, month, day", r"(?P<Y>\d\d)[-_. ](?P<m>\d{1,2})[-_. ](?P<d>\d{1,2})"),
    ("year, month, day", r"(?P<Y>\d\d)(?P<m>\d\d)(?P<d>\d\d)"),
    ("month, day, year", r"(?P<m>\d\d)(?P<d>\d\d)(?P<Y>\d{4}|\d\d)"),
    ("day, month, year", r"(?P<d>\d\d)(?P<m>\d\d)(?P<Y>\d{4}|\d\d)"),
)
"""Ways to write a date in a file's name, the surest first."""

_FORMS: Final = tuple((words, re.compile(rf"(?<!\d)(?={date}(?!\d){_CLOCK})")) for words, date in _DATES)

_SUMMARY_NAME: Final = re.compile(
    r"(?:^|[^a-z])(?:summary|summaries|statistics?|stats?|statis|overview|per_?cycle|per_?step|cycle_?li(?:fe|ves)"
    r"|cycle_?(?:summary|stats)|step_?(?:summary|stats))(?:$|[^a-z])"
)

Key = tuple[tuple[int, int, str], ...]


class NameDates(NamedTuple):
    """The dates in the names of some files, all written in one way.

    Args:
        words: the order of their parts, such as ``month, day, year``.
        dates: one for each name.
    """

    words: str
    dates: tuple[datetime, ...]


def natural_key(name: str) -> Key:
    """Return the key that sorts names as people do: ``part_2`` before ``part_10``.

    Args:
        name: of a file, with or without folders and ending. ``a.csv`` sorts before ``a_1.csv``.
    """
    path = PurePath(name)
    without_ending = str(path.with_suffix("")) if path.suffix and path.name != path.suffix else name
    return (*_tokens(without_ending), (-1, 0, ""), *_tokens(path.suffix))


def _tokens(text: str) -> Key:
    """Return numbers and the texts between them; a number sorts before a text."""
    tokens = []
    for token in _NUMBER.split(text.casefold()):
        if token.isdecimal():
            tokens.append((0, int(token), ""))
        elif token:
            tokens.append((1, 0, token))
    return tuple(tokens)


def part_numbers(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the numbers of names that differ in one number only: 1, 2 and 10 of ``a_1``, ``a_2`` and ``a_10``.

    Args:
        names: of files, at least two, all different.

    Returns:
        One number for each name; ``None`` if the names differ in anything else.
    """
    split = [_NUMBER.split(PurePath(name).name) for name in names]
    if len({len(tokens) for tokens in split}) != 1:
        return None
    differing = [column for column in zip(*split, strict=True) if len(set(column)) > 1]
    if len(differing) != 1 or not all(token.isdecimal() for token in differing[0]):
        return None
    numbers = tuple(int(token) for token in differing[0])
    if len(set(numbers)) != len(numbers):
        return None
    return numbers


def dates_in_names(names: Sequence[str]) -> tuple[NameDates, ...]:
    """Return the dates in the names of files, once for each way of writing dates that fits all names.

    Args:
        names: of files, such as ``CS2_35_10_15_10.xlsx``.

    Returns:
        The surest way first; several where the names do not show which number is the month. Empty where a name has no
        date, or all have the same one.
    """
    stems = [PurePath(name).stem for name in names]
    found: list[NameDates] = []
    for words, form in _FORMS:
        dates = [_last_date(stem, form) for stem in stems]
        known = tuple(date for date in dates if date is not None)
        is_new = all(known != other.dates for other in found)
        if len(known) == len(stems) and len(set(known)) > 1 and is_new:
            found.append(NameDates(words, known))
    return tuple(found)


def _last_date(stem: str, form: re.Pattern[str]) -> datetime | None:
    """Return the last date in a name that is written in one way; ``None`` if there is none."""
    found = None
    for match in form.finditer(stem):
        year = int(match["Y"])
        if year < 100:
            year += 2000
        if not FIRST_YEAR <= year <= LAST_YEAR:
            continue
        hour, minute, second = (int(match[part] or 0) for part in "HMS")
        try:
            found = datetime(year, int(match["m"]), int(match["d"]), hour, minute, second)
        except ValueError:
            continue
    return found


def short_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the names of files, with as many of their folders as are needed to tell all of them apart.

    Args:
        paths: of the files.
    """
    parts = [PurePath(path).parts for path in paths]
    deepest = max((len(part) for part in parts), default=1)
    names = tuple(part[-1] for part in parts)
    for depth in range(1, deepest + 1):
        names = tuple("/".join(part[-depth:]) for part in parts)
        if len(set(names)) == len(set(paths)):
            break
    return names


def has_summary_name(name: str) -> bool:
    """Tell whether the name of a file says that it is a table of steps or cycles, such as ``A_summary.csv``."""
    return _SUMMARY_NAME.search(PurePath(name).stem.lower()) is not None


def folder_ids(paths: Sequence[str], others: Sequence[str] = ()) -> dict[str, str]:
    """Return rules that name files of one name in several folders after the folders in which their paths differ.

    Args:
        paths: of files that have one name, each with its folder; all different.
        others: paths of other files. If a folder holds one of them too, the file's name is part of the id.

    Returns:
        A rule ``pattern:REGEX`` for each path: ``a`` and ``b`` are the ids of ``a/raw/d.csv`` and ``b/raw/d.csv``,
        or ``a/raw/d`` if there are other files in ``a/raw``.
    """
    parts = {path: PurePath(path).parts[:-1][::-1] for path in paths}
    deepest = min(len(folders) for folders in parts.values())
    differing = [k for k in range(deepest) if len({folders[k] for folders in parts.values()}) > 1] or [0]
    # The fewest folders that tell all paths apart, the deepest first; both counted from the file upwards.
    single = [k for k in differing if len({folders[k] for folders in parts.values()}) == len(parts)]
    low, high = (single[0], single[0]) if single else (differing[0], differing[-1])
    shared = {str(PurePath(path).parent) for path in others}
    with_name = any(str(PurePath(path).parent) in shared for path in paths)
    rules = {}
    for path in paths:
        if with_name:
            ending = re.escape("".join(_endings(path)))
            folders = "" if high == 0 else f"(?:/[^/]+){{{high}}}"
            rules[path] = f"pattern:(?P<cell_id>[^/]+{folders}/[^/]+){ending}$"
        else:
            folders = "" if high == low else f"(?:/[^/]+){{{high - low}}}"
            rules[path] = f"pattern:(?P<cell_id>[^/]+{folders})(?:/[^/]+){{{low + 1}}}$"
    return rules


def _endings(path: str) -> tuple[str, ...]:
    """Return the ending of a file's name, and ``.gz`` if it follows."""
    suffixes = PurePath(path).suffixes
    return tuple(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def are_dated_folders(paths: Sequence[str]) -> bool:
    """Tell whether files of one name are in folders that are named after dates: then they are parts of one cell.

    Args:
        paths: of the files.
    """
    parts = [PurePath(path).parts[:-1][::-1] for path in paths]
    for folders in zip(*parts, strict=False):
        if len(set(folders)) > 1:
            return len(set(folders)) == len(paths) and bool(dates_in_names(folders))
    return False
