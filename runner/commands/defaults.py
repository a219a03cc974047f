"""Where a command looks when the user does not say, and the names that a user may have meant."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ...data.errors import UsageError

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
