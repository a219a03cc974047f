"""Where a command looks when the user does not say, and the names that a user may have meant."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path

from ..data.errors import UsageError

DEFAULT_CAMPAIGN = Path("campaign.toml")
DEMO_STORE = Path("kilocell-demo")


def store_root(store: Path | None) -> Path:
    """Return the store that is meant: --store, else that of ./campaign.toml, else ./store, else the demo's.

    Raises:
        UsageError: ./campaign.toml is no TOML.
    """
    if store is not None:
        return store
    if DEFAULT_CAMPAIGN.is_file():
        try:
            text = DEFAULT_CAMPAIGN.read_text(encoding="utf-8-sig")
            return Path(str(tomllib.loads(text).get("store", "store"))).expanduser()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{DEFAULT_CAMPAIGN}: {error}") from error
    return next((root for root in (Path("store"), DEMO_STORE) if root.is_dir()), Path("store"))


def check_names(what: str, asked: Sequence[str], known: Collection[str]) -> None:
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
