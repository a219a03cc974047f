"""Check names that a user gave against those that exist, and suggest the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from .errors import UsageError

_MOST_NAMES: Final = 20


def nearest_hint(word: str, names: Iterable[str]) -> str:
    """Return `` (did you mean "X"?)`` for the nearest name, in any case of letters, or nothing."""
    by_lower = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return f' (did you mean "{by_lower[close[0]]}"?)' if close else ""


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return the nearest name as :func:`nearest_hint`, or the names there are when none is near."""
    listed = sorted(names)
    near = nearest_hint(word, listed)
    if near:
        return near
    if len(listed) > _MOST_NAMES:
        return f" (there are {len(listed)}, such as {', '.join(listed[:3])})"
    return f" (there are: {', '.join(listed)})" if listed else ""


def check_known(what: str, asked: Sequence[str], known: Collection[str]) -> None:
    """Refuse names that are not known.

    Args:
        what: begins the sentence, such as ``the store has no cell``.

    Raises:
        UsageError: an unknown name; gives the nearest one, or some of those there are.
    """
    by_lower = {name.lower(): name for name in sorted(known)}
    for name in asked:
        if name in known:
            continue
        near = difflib.get_close_matches(name.lower(), by_lower, 1, 0.5)
        some = ", ".join(list(by_lower.values())[:5])
        listed = f"; it has {some}{', …' if len(known) > 5 else ''}" if some else ""
        raise UsageError(f"{what} {name!r}" + (f"; did you mean {by_lower[near[0]]!r}?" if near else listed))
