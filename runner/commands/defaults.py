"""The campaign file and store that a command uses when the user names none."""

from __future__ import annotations

from pathlib import Path

from ...data.errors import UsageError

DEFAULT_CAMPAIGN = Path("campaign.toml")
DEFAULT_STORE = Path("store")
DEMO_STORE = Path("kilocell-demo")


def store_root(store: Path | None) -> Path:
    """Return the folder of the store: as given, else that of ./campaign.toml, else ./store, else the demo's.

    Args:
        store: what the user gave as --store; ``None`` = nothing.

    Raises:
        UsageError: ./campaign.toml cannot be read as TOML.
    """
    if store is not None:
        return store
    if DEFAULT_CAMPAIGN.is_file():
        import tomllib

        try:
            text = DEFAULT_CAMPAIGN.read_text(encoding="utf-8-sig")
            return Path(str(tomllib.loads(text).get("store", DEFAULT_STORE))).expanduser()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{DEFAULT_CAMPAIGN}: {error}") from error
    if not DEFAULT_STORE.is_dir() and DEMO_STORE.is_dir():
        return DEMO_STORE
    return DEFAULT_STORE
