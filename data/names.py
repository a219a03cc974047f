"""Check names that a user gave against the known ones, and suggest the nearest: one wording for all messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from .errors import UsageError

_MOST_NAMES: Final = 20
"""A longer list of known names is not written out in full: a message should fit on a few lines."""

_SHARE_ALIKE: Final = 0.5
"""How alike a suggestion must be (``difflib``'s ratio, 0 to 1): low enough for two typing errors in a short name."""


def quote(name: str) -> str:
    """Return a name in double quotes, as TOML and a shell accept it; what cannot be printed is escaped."""
    return f'"{repr(name)[1:-1]}"'


def printable_id(text: str) -> str:
    """Return the text of a cell id without characters that a terminal obeys or hides, such as line breaks.

    Each is written as its code after a percent sign (``%0A``), so that two ids that differ in them stay two.

    Args:
        text: as the file has it.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else f"%{ord(character):02X}" for character in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def find_nearest(name: str, known: Iterable[str], at_most: int = 1) -> list[str]:
    """Find the known names that are spelt most like ``name``; upper and lower case count as the same.

    Args:
        name: as the user wrote it.
        known: the names that exist.
        at_most: how many to return.

    Returns:
        the nearest first; empty when none is near.
    """
    by_lower = {each.lower(): each for each in sorted(known)}
    return [by_lower[lower] for lower in get_close_matches(name.lower(), by_lower, at_most, _SHARE_ALIKE)]


def format_suggestion(*names: str) -> str:
    """Return `` (did you mean "a", "b" or "c"?)``, to be appended to an error message; ``""`` without a name."""
    if not names:
        return ""
    *others, last = [quote(name) for name in names]
    listed = f"{', '.join(others)} or {last}" if others else last
    return f" (did you mean {listed}?)"


def suggest(name: str, known: Iterable[str], at_most: int = 1) -> str:
    """Return `` (did you mean "X"?)``, to be appended to an error message; ``""`` when no known name is near.

    Args:
        name: the unknown name, as the user wrote it.
        known: the names that exist.
        at_most: how many names to suggest.
    """
    return format_suggestion(*find_nearest(name, known, at_most))


def suggest_or_list(name: str, known: Iterable[str]) -> str:
    """Return a suggestion like :func:`suggest`, or the known names when none is near.

    Args:
        name: the unknown name, as the user wrote it.
        known: the names that exist; of more than 20, three are written.
    """
    listed = sorted(known)
    suggestion = suggest(name, listed)
    if suggestion or not listed:
        return suggestion
    if len(listed) > _MOST_NAMES:
        return f" (there are {len(listed)}, such as {', '.join(listed[:3])})"
    return f" (there are: {', '.join(listed)})"


def check_known(what: str, given: Sequence[str], known: Collection[str]) -> None:
    """Refuse names that are not known.

    Args:
        what: the beginning of the message, such as ``the store has no cell``.
        given: the names that the user wrote.
        known: the names that exist.

    Raises:
        UsageError: a name is unknown; the message has the nearest known name, or lists the known ones.
    """
    for name in given:
        if name not in known:
            raise UsageError(f"{what} {quote(name)}{suggest_or_list(name, known)}")
